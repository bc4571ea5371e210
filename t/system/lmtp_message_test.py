#!/usr/bin/env python3
"""LMTP: what a backend is told of the envelope, the message and the client, byte by byte; TLS on both sides."""
import os, re, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, daemon, tap, world
from lmtp_stub import ALL, Gate, NO_CHUNKING, Server
from lmtp_world import BIG, DOTS, MESSAGE, MIB, behind, body_of, connect, delivered, failed, one_reply_each, postern, saved, serve_all, started, taken, worker_of
from tap import Skip, contains, expect, test, until

proxy = None


def set_up():
    global proxy
    why = daemon.missing()
    if why:
        return why
    proxy = serve_all(postern("proxy"))
    return None


# --- addresses and parameters ------------------------------------------------------------------

@test
def users_with_a_detail_and_other_names():
    """LMTP-4, LMTP-30."""
    server = Server()
    client = connect()
    plain, dest, changed = behind(server), behind(server, "destuser=new@dest.test"), behind(server, "user=other@dest.test")
    for recipient, told in ((plain, ["TO:<%s>" % plain]), (plain.replace("@", "+box@"), ["TO:<%s>" % plain.replace("@", "+box@")]),
                            (dest, ["TO:<new@dest.test>", "ORCPT=rfc822;" + dest]),
                            (dest.replace("@", "+box@"), ["TO:<new+box@dest.test>", "ORCPT=rfc822;" + dest.replace("@", "+2Bbox@")]),
                            (changed.replace("@", "+a+b@"), ["TO:<other+a+b@dest.test>", "ORCPT=rfc822;" + changed.replace("@", "+2Ba+2Bb@")])):
        saved(delivered([recipient], client=client)[0], recipient)
        expect(server.last().rcpts[0].split() == told, server.last().rcpts)
    client.mail()
    expect(client.say("RCPT TO:<%s> ORCPT=rfc822;first@far.test" % dest).startswith("250"), "ORCPT of the client")
    client.data(MESSAGE % b"x")
    expect(server.last().rcpts == ["TO:<new@dest.test> ORCPT=rfc822;first@far.test"], server.last().rcpts)


@test
def parameters_of_mail():
    """LMTP-29: what a backend does not offer it is not told."""
    limited = started("limited", lmtp_max_mail_size=10 * MIB)
    client = connect(limited)
    for offers, more, told in ((ALL, " BODY=8BITMIME SIZE=1000", ["BODY=8BITMIME", "SIZE=1000"]), (("PIPELINING",), " BODY=8BITMIME SIZE=1000", []),
                               (("PIPELINING",), " BODY=7BIT", ["BODY=7BIT"])):
        server = Server(offers)
        recipient = behind(server)
        taken(client, recipient, more=more)
        saved(client.data(MESSAGE % b"\xc3\xa4")[0], recipient)
        expect(sorted(server.last().mail.split()[1:]) == told, server.last().mail)
        contains(server.last().message.decode(), "Subject: \u00e4")
    limited.stop()


@test
def extensions_that_are_off_and_on():
    client = connect()
    for line in ("MAIL FROM:<a@b.test> SMTPUTF8", "MAIL FROM:<a@b.test> RET=HDRS", "MAIL FROM:<a@b.test> ENVID=x", "MAIL FROM:<a@b.test> BODY=BINARYMIME"):
        answer = client.say(line)
        expect(answer[:3] in ("555", "501"), "%s: %s" % (line, answer))
    recipient = behind(Server())
    client.mail()
    expect(client.say("RCPT TO:<%s> NOTIFY=NEVER" % recipient).startswith("555"), "NOTIFY")
    more = started("more", lmtp_backend_capabilities="8BITMIME CHUNKING SMTPUTF8 DSN")
    server = Server(ALL + ("SMTPUTF8", "DSN"))
    recipient = behind(server)
    client = connect(more)
    expect("SMTPUTF8" in client.offers and "DSN" in client.offers, client.offers)
    expect(client.say("MAIL FROM:<j\u00f6rg@b.test> SMTPUTF8 RET=HDRS ENVID=x").startswith("250"), "MAIL")
    expect(client.say("RCPT TO:<%s> NOTIFY=NEVER" % recipient).startswith("250"), "RCPT")
    saved(client.data(MESSAGE % b"x")[0], recipient)
    expect(sorted(server.last().mail.split()) == ["ENVID=x", "FROM:<j\u00f6rg@b.test>", "RET=HDRS", "SMTPUTF8"], server.last().mail)
    expect("NOTIFY=NEVER" in server.last().rcpts[0], server.last().rcpts)
    more.stop()


@test
def a_size_limit():
    small = started("small", lmtp_max_mail_size=100000)
    server = Server()
    recipients = [behind(server), behind(server)]
    client = connect(small)
    expect(client.offers.get("SIZE") == "100000", client.offers)
    expect(client.say("MAIL FROM:<a@b.test> SIZE=100001").startswith("552 5.2.3"), "announced")
    big = MESSAGE % b"x" + b"y" * 98 + b"\r\n" + (b"z" * 98 + b"\r\n") * 2000
    for way in ("data", "bdat"):
        taken(client, *recipients)
        for reply in getattr(client, way)(big, replies=2):
            expect(re.match(r"552 5\.2\.3 (<\S+> )?Message size exceeds administrative limit", reply), reply)
        one_reply_each(client)
    saved(delivered([recipients[0]], client=client)[0], recipients[0])
    expect(len(server.messages()) == 1, "nothing of the big ones")
    taken(client, *recipients)
    client.say("DATA")
    try:
        client.send(clients.dotted(b"x" * (3 * MIB)))
        said = client.rest()
    except OSError:
        said = []
    expect(not [line for line in said if line.startswith("250")], "beyond the limit and 1 MiB the connection ends")
    small.stop()


# --- the message -------------------------------------------------------------------------------

def on_its_way(message):
    return re.sub(rb"\r(?!\n)|\0", b" ", re.sub(rb"(?<!\r)\n", b"\r\n", message))


def passes(message, client_way, offers, wanted=None):
    server = Server(offers)
    recipient = behind(server)
    client = connect()
    taken(client, recipient)
    replies = client.data(message) if client_way == "data" else client.bdat(message[:50], b"", message[50:60], message[60:])
    saved(replies[0], recipient)
    one_reply_each(client)
    got = server.last()
    received = got.message[:got.message.index(b"From: sender")]
    expect(body_of(got.message) == (wanted or on_its_way(message)), "%r became %r" % (message[:500], got.message[:700]))
    expect(re.match(rb"Received: from mta\.test \(\[127\.0\.0\.1\]\)\r\n\tby proxy\.test with LMTP\r\n\tid \S+\r\n\t\(envelope-from <sender@far\.test>\)"
                    rb"\r\n\tfor <%s>; [^\r\n]*\r\n$" % re.escape(recipient).encode(), received), received)
    expect(got.by == ("BDAT" if "CHUNKING" in offers else "DATA"), got.by)
    server.all_ended()
    commands = [line.split()[0] for line in server.lines() if not line.startswith("BDAT")]
    expect(commands in (["LHLO", "MAIL", "RCPT"] + ["DATA"] * (got.by == "DATA") + ["QUIT"] * q for q in (0, 1)), commands)


for way in ("data", "bdat"):
    for given in (ALL, NO_CHUNKING):
        def run(client_way=way, offers=given):
            passes(DOTS, client_way, offers)
        run.__name__ = "dots, %s to %s" % (way.upper(), "BDAT" if given == ALL else "DATA")
        test(run)

# SEC-20: what others took for the end of the data.
SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\r\n.\r\r\n", b"\n.\r", b"\r\n.\r\r\n"]


def smuggles(client_way, offers):
    for ending in SMUGGLED:
        tail = b"MAIL FROM:<admin@victim.test>\r\nRCPT TO:<x@victim.test>\r\nDATA\r\nevil\r\n"
        passes(MESSAGE % b"smuggling" + b"x" + ending + tail, client_way, offers)


@test
def nothing_is_smuggled_from_data_to_data():
    smuggles("data", NO_CHUNKING)


@test
def nothing_is_smuggled_from_data_to_bdat():
    smuggles("data", ALL)


@test
def nothing_is_smuggled_from_bdat_to_data():
    smuggles("bdat", NO_CHUNKING)


@test
def the_end_of_the_data_in_pieces():
    server = Server()
    recipient = behind(server)
    end = b"\r\n..\r\n.\r\n"
    for cut in range(1, len(end)):
        client = connect()
        taken(client, recipient)
        client.say("DATA")
        client.send(b"From: sender@far.test\r\n\r\nx" + end[:cut])
        client.send(end[cut:])
        saved(client.reply()[-1], recipient)
        client.close()
    for message in server.messages():
        expect(body_of(message) == b"From: sender@far.test\r\n\r\nx\r\n.\r\n", message)


@test
def chunks_nobody_is_there_for():
    """LMTP-16."""
    client = connect()
    expect(client.say("BDAT 0 LAST").startswith("503"), "no transaction")
    client.mail("stranger@example.org")
    client.send(b"BDAT 6 LAST\r\nQUIT\r\nVRFY x\r\n")
    answer = client.reply()[-1]
    if answer.startswith("503"):  # as 2.3 does; RFC 2033 has no reply for nobody
        answer = client.reply()[-1]
    expect(answer.startswith("252"), answer)
    client.say("RSET")
    client.mail(behind(Server()))
    client.send(b"BDAT 6 LATEST\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n")
    answers = [client.reply()[-1][:9] for _ in range(2)]
    expect(answers == ["501 5.5.4", "503 5.5.0"], answers)
    client.close()


@test
def no_received_header_where_it_is_off():
    off = started("off", lmtp_add_received_header=False)
    server = Server()
    recipient = behind(server)
    saved(delivered([recipient], client=connect(off))[0], recipient)
    expect(server.last().message == MESSAGE % b"x", server.last().message)
    off.stop()


@test
def fifty_mib_in_little_memory():
    """LMTP-38: it stands in a file without a name, and the file is gone afterwards."""
    gate = Gate()
    server, second = Server(at={"received": gate}), Server(NO_CHUNKING)
    recipients = [behind(server), behind(second)]
    client = connect(seconds=60)
    saved(delivered([recipients[1]], BIG, client=client)[0], recipients[1])  # what one message takes is there
    taken(client, *recipients)
    pid = worker_of(client)
    before = int(world.status_of(pid)["VmHWM"].split()[0])
    client.say("DATA")
    message = MESSAGE % b"large" + (b"y" * 98 + b"\r\n") * (50 * MIB // 100)
    client.send(clients.dotted(message))
    gate.wait()
    expect(os.listdir(proxy.folder + "/temp") == [], "files with a name: %s" % os.listdir(proxy.folder + "/temp"))
    targets = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
    expect([t for t in targets if t.endswith("(deleted)")], "no file without a name: %s" % targets)
    gate.open()
    for recipient in recipients:
        saved(client.reply()[-1], recipient)
    grown = int(world.status_of(pid)["VmHWM"].split()[0]) - before
    expect(grown < 3000, "grew by %d KiB" % grown)
    expect(body_of(server.last().message) == message and body_of(second.last().message) == message, "not the same message")
    until(lambda: not [fd for fd in os.listdir("/proc/%d/fd" % pid) if "(deleted)" in os.readlink("/proc/%d/fd/%s" % (pid, fd))], "the file is closed")


@test
def a_full_disk():
    """LMTP-38: 451 for every recipient, and the rest is read."""
    if os.geteuid():
        raise Skip("takes root")
    folder = world.folder("full")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=1777", "none", folder], capture_output=True, text=True)
    if done.returncode:
        raise Skip(done.stderr.strip())
    try:
        full = postern("cramped")
        full.set(mail_temp_dir=folder)
        full.start()
        until(lambda: world.listening(full.lmtp), "LMTP is served")
        server = Server()
        recipients = [behind(server), behind(server)]
        client = connect(full)
        taken(client, *recipients)
        for reply in client.data(BIG, 2):
            expect(re.match(r"451 4\.3\.0 ", reply), reply)
        one_reply_each(client)
        expect(not server.messages(), "nothing was delivered")
        saved(delivered([recipients[0]], client=client)[0], recipients[0])
        full.stop()
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


# --- who the client is -------------------------------------------------------------------------

def xclient_of(server):
    found = [line for line in server.lines() if line.startswith("XCLIENT ")]
    return {k: plain_of(v) for k, v in (word.split("=", 1) for word in " ".join(line[8:] for line in found).split())}


def plain_of(xtext):
    return re.sub(r"\+([0-9A-F]{2})", lambda hexes: chr(int(hexes[1], 16)), xtext)


OFFERED = "XCLIENT ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT"


@test
def a_backend_learns_who_the_client_is():
    """LMTP-24, LMTP-26, LMTP-27."""
    server = Server(ALL + (OFFERED,))
    client = connect(source="127.0.0.9")
    recipient = behind(server)
    saved(delivered([recipient], client=client)[0], recipient)
    told = xclient_of(server)
    session = told.pop("SESSION", "")
    told.pop("TIMEOUT", None)
    expect(told == {"HELO": "mta.test", "PROTO": "LMTP", "TTL": "5", "PORT": str(client.ends[0][1]), "ADDR": "127.0.0.9"}, told)
    expect(session.endswith(":P1"), session)
    contains(server.last().message.decode(), "id " + session[:-3])
    words = [line.split()[0] for line in server.lines()]
    expect(words[:3] == ["LHLO", "XCLIENT", "LHLO"], words)


@test
def xclient_of_a_trusted_peer_is_passed_on():
    server = Server(ALL + (OFFERED,))
    client = connect(source="127.77.0.1")
    answer = client.say("XCLIENT ADDR=192.0.2.7 PORT=4321 PROTO=LMTP HELO=upstream.test LOGIN=someone SESSION=abc TTL=3")
    expect(answer.startswith("220 proxy.test "), answer)
    client.lhlo()
    recipient = behind(server)
    saved(delivered([recipient], client=client)[0], recipient)
    told = xclient_of(server)
    for name, value in {"ADDR": "192.0.2.7", "PORT": "4321", "PROTO": "LMTP", "LOGIN": "someone", "SESSION": "abc:P1", "TTL": "2"}.items():
        expect(told.get(name) == value, told)
    contains(server.last().message.decode(), "([192.0.2.7])")


@test
def xclient_that_is_not_believed_or_not_sent():
    client = connect()
    expect(client.say("XCLIENT ADDR=192.0.2.7") == "550 5.7.14 You are not from trusted IP", "of a stranger")
    silent = Server(ALL + (OFFERED,))
    recipient = behind(silent, "proxy_not_trusted=y")
    saved(delivered([recipient], client=client)[0], recipient)
    expect(not xclient_of(silent), "proxy_not_trusted")
    rejecting = Server(ALL + (OFFERED,), {"XCLIENT": "550 5.7.0 not you"})
    recipient = behind(rejecting)
    saved(delivered([recipient], client=client)[0], recipient)  # LMTP-28


@test
def a_mail_that_goes_round_and_round():
    client = connect(source="127.77.0.1")
    client.say("XCLIENT TTL=1")
    client.lhlo()
    answer = client.mail(behind(Server(ALL + (OFFERED,))))[0]
    expect(answer.startswith("554 5.4.6 "), answer)


@test
def fields_that_are_forwarded():
    """LMTP-12, LMTP-29; in xtext, as 2.3 was recorded."""
    for offers, expected in ((ALL + ("XRCPTFORWARD",), True), (ALL, False)):
        server = Server(offers)
        recipient = behind(server, "forward_a=1")
        saved(delivered([recipient])[0], recipient)
        words = [plain_of(w) for w in server.last().rcpts[0].split()[1:]]
        expect(words == (["XRCPTFORWARD=a=1"] if expected else []), server.last().rcpts)
    client = connect()
    client.mail()
    answer = client.say("RCPT TO:<%s> XRCPTFORWARD=b+3D2" % recipient)
    expect(answer == "550 5.7.14 Unacceptable XRCPTFORWARD= parameter: You are not from trusted IP", answer)
    client = connect(source="127.77.0.1")
    client.mail()
    expect(client.say("RCPT TO:<%s> XRCPTFORWARD=b+3D2" % recipient).startswith("250"), "trusted")
    saved(client.data(MESSAGE % b"x")[0], recipient)
    expect("XRCPTFORWARD" not in server.last().rcpts[0], server.last().rcpts)
    client.mail()
    expect(client.say("RCPT TO:<%s> XRCPTFORWARD=+zz" % recipient).startswith("501 5.5.4"), "bad xtext")


# --- TLS ---------------------------------------------------------------------------------------

@test
def tls_to_backends():
    client = connect()
    offers = ALL + ("STARTTLS",)
    good = [(Server(offers), ["starttls=yes"]), (Server(ALL, tls="implicit"), ["ssl=yes"]),
            (Server(offers), ["starttls=any-cert", "hostip=127.0.0.1", "host=other.test"]),
            (Server(offers, smtp=True), ["starttls=yes"])]
    for server, fields in good:
        recipient = behind(server, *fields)
        saved(delivered([recipient], client=client)[0], recipient)
        expect(all(c.in_tls for c in server.conversations), "TLS")
    bad = [(Server(offers), ["starttls=yes", "hostip=127.0.0.1", "host=other.test"]), (Server(ALL, tls="implicit"), ["ssl=yes", "hostip=127.0.0.1", "host=other.test"]),
           (Server(ALL), ["starttls=yes"]), (Server(offers, {"STARTTLS": "454 4.7.0 not now"}), ["starttls=yes"]), (Server(ALL), ["ssl=yes"])]
    for server, fields in bad:
        failed(client.mail(behind(server, *fields))[0], "connect, ")
        client.say("RSET")
        expect(not [line for line in server.lines() if line.split()[0] in ("MAIL", "RCPT")], "something was told: %s" % server.lines())


@test
def starttls_of_the_client():
    server = Server()
    recipient = behind(server)
    client = connect()
    expect(client.say("STARTTLS").startswith("220 "), "STARTTLS")
    client.start_tls()
    expect("STARTTLS" not in client.lhlo(), "once only")
    saved(delivered([recipient], DOTS, client=client)[0], recipient)
    expect(re.search(rb"\(using TLS[^)]*.*\)\r\n\tby proxy\.test with LMTPS\r\n", server.last().message), server.last().message)


@test
def nothing_from_before_tls_counts():
    client = connect()
    client.send("STARTTLS\r\nNOOP\r\n")
    expect(client.line().startswith("220 "), "no TLS")
    said = client.said_inside_tls()
    expect(said is None, "answered inside TLS: %r" % said)
    client = connect()
    client.mail(behind(Server()))
    if client.say("STARTTLS").startswith("220"):
        client.start_tls()
        expect(client.say("DATA").startswith("503"), "the transaction is forgotten")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
