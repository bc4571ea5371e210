"""What must hold behind a trick; each gets the Side of its protocol and what the row says."""
import re, ssl

import stub
from tap import contains, expect, until
from tricks import CLOSED, STRANGER, anybody, chunking, good, here, told

# --- what clients do ---------------------------------------------------------------

def lines_of(client, wanted):
    """As many lines as `wanted` has."""
    return [client.line() for _ in wanted]


def hears(side, said, heard, **how):
    """`said` is answered by `heard`; the next command as ever, unless the connection has ended."""
    heard = heard + ([] if heard[-1:] == [CLOSED] else side.nooped)
    for step in ([1, 1 << 20] if len(said) < 300 else [1 << 20]):
        client = side.open(**how)
        try:
            for at in range(0, len(said), step):
                client.send(said[at:at + step])
            client.send(side.noop)
        except OSError:
            pass  # it has heard enough
        answers = lines_of(client, heard)
        expect(answers == heard, "in steps of %d: %r instead of %r" % (step, answers, heard))
        client.close()


def never_inside_tls(side, pieces, before=()):
    """Clear text behind STARTTLS: no TLS, no answer, nobody logged in."""
    client = side.open()
    try:
        client.send_pieces(*pieces)
    except OSError:
        pass  # ended by the first piece
    wanted = [*before, side.consent]
    answers = lines_of(client, wanted)
    expect(answers == wanted, answers)
    ends_without_tls(client)


def ends_without_tls(client):
    expect(client.buffer[:1] in (b"", b"\x15"), "an answer in the clear: %r" % client.buffer)  # at most a TLS alert
    try:
        client.start_tls()
        under_tls = client.socket.version() is not None  # none, too, where the connection was gone
    except TimeoutError:
        raise AssertionError("not ended")
    except (ConnectionError, ssl.SSLError):
        under_tls = False
    expect(not under_tls, "TLS, behind clear text")


def never_behind_the_consent(side, said):
    client = side.open()
    client.send(side.starttls)
    expect(client.line() == side.consent, "no TLS")
    client.send(said)
    ends_without_tls(client)


def never_at_a_backend(side, said, heard):
    """Names and passwords that would be lines of their own; a clean one on the same connection gets through."""
    known = len(anybody[side.name].peers)
    client = side.open()
    client.send(said)
    answers = lines_of(client, heard)
    expect(answers == heard, answers)
    expect(len(anybody[side.name].peers) == known, "a backend was asked: %r" % anybody[side.name].heard)
    answer = client.login("clean")
    expect(answer == side.accepted, answer)
    expect(anybody[side.name].peers[known].heard == side.to_login("clean"), anybody[side.name].peers[known].heard)
    client.close()


def stays_encoded(side, orcpt):
    """A backend gets it as it came; the header that names it does not."""
    server, known = anybody[side.name], len(anybody[side.name].messages)
    client = side.open()
    client.send(b"MAIL FROM:<>\r\nRCPT TO:<who> ORCPT=rfc822;" + orcpt + b"\r\n")
    expect(lines_of(client, "12") == ["250 2.1.0 OK", "250 2.1.5 OK"], "no recipient")
    contains(server.peers[-1].heard, b"RCPT TO:<who> ORCPT=rfc822;" + orcpt + b"\r\n")
    by_data(client, (b"Subject: x\r\n\r\nHello.",))
    contains(client.line(), "250 2.0.0 <who>")
    expect(len(server.messages) == known + 1 and b"X-Smuggled" not in server.messages[-1], server.messages[-1])
    hears_still(side, client)


def starts_afresh(side, steps):
    """(what is said, what is heard) before TLS and behind it; None between them is TLS itself."""
    client = side.open(source=STRANGER)
    for said, heard in steps:
        if said is None:
            client.send(side.starttls)
            expect(client.line() == side.consent, "no TLS")
            client.start_tls()
            if side.name == "sieve":
                client.answer()  # capabilities come unasked
        else:
            client.send(said)
        answers = lines_of(client, heard)
        expect(answers == heard, "%r: %r" % (said, answers))
    client.close()


def not_who_he_says(side, said, inside):
    """What a stranger says of himself in the clear does not reach a backend."""
    client = side.open(source=STRANGER)
    client.send(said + side.starttls)
    while (line := client.line()) != side.consent:
        expect(line is not None, "ended")
    client.start_tls()
    client.send(inside + side.login("told"))
    peer = until(lambda: next((p for p in told[side.name].peers if p.login_at), None), "a login at the backend")
    told[side.name].peers.clear()
    expect(b"192.0.2.66" not in peer.heard and b"liar" not in peer.heard, peer.heard)
    expect(STRANGER.encode() in peer.heard, peer.heard)
    client.close()


# --- what backends do --------------------------------------------------------------

def login_fails(side, backend, clear, inside=b""):
    """A failure that is not the user's; the backend has heard this and no more."""
    answer, client = backend.login()
    contains(answer, side.unavailable)
    peer = backend.server.peers[0]
    until(lambda: peer.ended, "the proxy leaves the backend")
    clear = clear(backend.user) if callable(clear) else clear
    expect((peer.clear, peer.inside) == (clear, inside), "heard %r and inside TLS %r" % (peer.clear, peer.inside))
    hears_still(side, client)


def hears_still(side, client):
    client.send(side.noop)
    answers = lines_of(client, side.nooped)
    expect(answers == side.nooped, answers)
    client.close()


def login_is_made(side, backend, answer_wanted=None):
    answer, client = backend.login()
    expect(answer == (answer_wanted or side.accepted), answer)
    peer = backend.server.peers[0]
    said = peer.inside or peer.clear
    expect(said == side.to_login(backend.user), said)
    client.close()


def not_told(side, backend, word, in_clear_only=False):
    """The login is made, and what the backend hears (in the clear) has not this word."""
    answer, client = backend.login()
    peer = backend.server.peers[0]
    expect(answer.startswith(side.accepted.split(" ")[0]), answer)
    expect(peer.inside, "no TLS")
    expect(word not in (peer.clear if in_clear_only else peer.heard), peer.heard)
    client.close()


def not_shown(side, backend, word):
    """The login is made, and the client does not hear this word of the backend's."""
    client = side.open()
    client.send(side.login(backend.user))
    heard = []
    while not any(line.endswith(" in") or line.endswith('in"') or line.startswith("250 2.1.5") for line in heard[-1:]):
        heard.append(client.line())
        expect(heard[-1] is not None, heard)
    expect(not any(word in line for line in heard), heard)
    client.close()


def clean_text(side, backend, begins):
    """One line for the client without control bytes, and none in the log."""
    client = side.open()
    client.send(side.login(backend.user))
    until(lambda: backend.server.peers and backend.server.peers[0].login_at, "the login is answered")
    while not re.search(rb"(^|\n)(l )?" + re.escape(begins) + rb".*\n", client.buffer):
        data = client.socket.recv(65536)
        expect(data, "no answer but %r" % client.buffer)
        client.buffer += data
    said = client.buffer
    expect(not re.search(rb"[\0-\x09\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n", said), "control bytes for the client: %r" % said)
    client.close()
    clean_log()


def clean_log():
    with open(here.proxy.log, "rb") as f:
        expect(not re.search(rb"[\0-\x09\x0b-\x1f\x7f]", f.read()), "control bytes in the log")


def logged_clean(side, backend, clear=b""):
    login_fails(side, backend, clear)
    here.proxy.wait_line(r"e\\x0dv\\x1b\[31mil")
    clean_log()


def greeting_is_drowned(side, backend):
    """Where the greeting is a line, the login may be under way when the flood is noticed."""
    answer, client = backend.login()
    contains(answer, side.unavailable)
    until(lambda: backend.server.peers[0].ended, "the proxy leaves the backend")
    heard = backend.server.peers[0].heard
    expect(not heard or side.to_login(backend.user).startswith(heard), heard)
    hears_still(side, client)


def login_is_drowned(side, backend):
    """The answer to the login has no end: the client's login fails, and the connection ends."""
    answer, client = backend.login()
    expect(side.accepted != answer, answer)
    peer = backend.server.peers[0]
    until(lambda: peer.ended, "the proxy leaves the backend")
    expect(peer.heard.startswith(side.to_login(backend.user)), peer.heard)
    client.close()


# --- messages -----------------------------------------------------------------------

SMUGGLED = b"MAIL FROM:<smuggler@example.org>\r\nRCPT TO:<good>\r\nDATA\r\nSubject: smuggled\r\n\r\nHello."


def relayed_untouched(side, trick):
    """Behind the login all bytes go to the backend as they are: its framing and the client's are the same."""
    known = len(good[side.name].peers)
    client = side.open()
    expect(client.login("good") == side.accepted, "refused")
    said = b"before" + trick + SMUGGLED + b"\r\n.\r\n"
    client.send_pieces(said[:6 + len(trick) // 2], said[6 + len(trick) // 2:])
    peer = good[side.name].peers[known]
    until(lambda: len(peer.after_login) >= len(said), "all of it arrives")
    expect(peer.after_login == said, peer.after_login)
    client.close()


LINE_END = re.compile(rb"\r\n|\r|\n")


def read_leniently(stream):
    """(commands, messages) as a server reads them that takes any line end for one, and no notice of NUL."""
    commands, messages, at = [], [], 0

    def line():
        nonlocal at
        end = LINE_END.search(stream, at)
        start, stop = at, end.start() if end else len(stream)
        at = end.end() if end else len(stream)
        return stream[start:stop].replace(b"\0", b"")

    while at < len(stream):
        commands.append(line())
        words = commands[-1].upper().split()
        if words[:1] == [b"DATA"]:
            text = []
            while at < len(stream) and (text_line := line()) != b".":
                text.append(text_line)
            messages.append(b"\n".join(text))
        elif words[:1] == [b"BDAT"]:
            messages.append(stream[at:at + int(words[1])])
            at += int(words[1])
    return commands, messages


def one_message(side, *cuts):
    """The message in `cuts` (segments) arrives as one, by DATA and by BDAT, at backends with DATA and with BDAT."""
    for user in ("good", "chunking"):
        for send in (by_data, by_bdat):
            delivered_once(side, user, send, cuts)


def by_data(client, cuts):
    expect(client.command("DATA")[-1].startswith("354"), "DATA")
    client.send_pieces(*cuts[:-1], cuts[-1] + b"\r\n.\r\n")


def by_bdat(client, cuts):
    """A chunk for each; CRLF.CRLF is content here."""
    for cut in cuts:
        client.send(b"BDAT %d\r\n" % len(cut) + cut)
        expect(client.reply()[-1].startswith("250"), "a chunk")
    client.send(b"BDAT 5 LAST\r\n\r\n.\r\n")


def delivered_once(side, user, send, cuts):
    server = good["lmtp"] if user == "good" else chunking
    known = len(server.peers), len(server.messages)
    client = side.open()
    expect(client.login(user).startswith("250"), "no recipient")
    send(client, cuts)
    answer = client.reply()
    expect(answer[-1].startswith("250 2.0.0 <%s>" % user), answer)
    hears_still(side, client)
    peer = server.peers[known[0]]
    expect(len(server.peers) == known[0] + 1 and len(server.messages) == known[1] + 1, "%d messages" % (len(server.messages) - known[1]))
    commands, messages = read_leniently(peer.heard)
    names = [c.split()[0].upper() for c in commands if c]
    expect(names.count(b"MAIL") == 1 and names.count(b"DATA") <= 1, commands)
    expect(sum(b"MAIL FROM:<smuggler" in m for m in messages) == 1, "%s to %s: %r" % (send.__name__, user, messages))


def dot_line_in_pieces(side):
    """CRLF.CRLF, cut at each byte: it is the end, and what stands behind it is commands."""
    for at in range(1, 5):
        end = b"\r\n.\r\n"
        client = side.open()
        expect(client.login("good").startswith("250"), "no recipient")
        expect(client.command("DATA")[-1].startswith("354"), "DATA")
        known = len(good["lmtp"].messages)
        client.send_pieces(b"Subject: cut\r\n\r\n.Hello" + end[:at], end[at:] + side.noop)
        contains(client.line(), "250 2.0.0 <good>")
        expect(lines_of(client, side.nooped) == side.nooped, "the command behind the end")
        hears_still(side, client)
        messages = good["lmtp"].messages[known:]
        expect(len(messages) == 1 and messages[0].endswith(b"\r\n\r\nHello\r\n"), messages)


def without_end(text):
    def say(peer):
        try:
            stub.endless(peer.socket, text * 500)
        except OSError:
            pass
    return say
