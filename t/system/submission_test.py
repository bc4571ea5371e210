#!/usr/bin/env python3
"""Submission through the installed daemon: programs that send mail, a Postfix behind it with and without AUTH, and servers
that say what a real one says rarely."""
import base64, os, smtplib, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, daemon, dovecot, postfix, stub, tap, world
from clients import Smtp, b64
from daemon import PASSWORD
from stub import endless, says, wait_for_close
from tap import Skip, contains, expect, test

TOKEN = "t" * 16384
BACKEND_TLS = {"plain": ("submission", []), "starttls": ("submission", ["starttls=yes"]), "implicit": ("submissions", ["ssl=yes"])}
MECHANISMS = "plain login cram-md5 scram-sha-256 xoauth2 oauthbearer"
PROTOCOLS = ["imap", "pop3", "submission"]
MESSAGE = "From: alice@example.org\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\n%s\r\n"


def server(answer_to_auth, ehlo=("AUTH PLAIN XOAUTH2 OAUTHBEARER",), seen=None):
    """A submission server; `answer_to_auth` may be a list, one for each AUTH."""
    def talk(connection):
        lines = connection.makefile("rb")
        connection.sendall(b"220 stub ready\r\n")
        for line in lines:
            if seen is not None:
                seen.append(line.decode().strip())
            name = line.split()[0].upper() if line.split() else b""
            if name == b"EHLO":
                said = "\r\n".join(["250-stub"] + ["250-" + word for word in ehlo] + ["250 8BITMIME"])
            elif name == b"AUTH":
                if len(line.split()) == 2:
                    connection.sendall(b"334 \r\n")
                    response = lines.readline().decode().strip()
                    if seen is not None:
                        seen.append(response)
                said = answer_to_auth
            elif name == b"XCLIENT":
                said = "220 stub ready"
            else:
                said = "250 2.0.0 done"
            connection.sendall(said.encode() + b"\r\n")
        return None
    return talk


REFUSALS = {"nouser": "535 5.1.1 No such user here", "badpass": "535-5.7.8 Wrong password\r\n535 5.7.8 for this user",
            "weak": "534 5.7.9 Mechanism too weak", "noenhanced": "535 no", "contradiction": "535 2.7.0 fine",
            "later": "454 4.7.0 Come back", "closing": "421 4.3.2 Closing"}


READY, ABLE = b"220 stub\r\n", b"250-stub\r\n250 AUTH PLAIN\r\n"
HOSTILE = {
    "garbage": says(b"\x00\x01\xfe\xff SSH-2.0-hello\r\n"),
    "endlessline": says(b"220 ", then=endless),
    "endlessbanner": says(then=lambda c: endless(c, b"220-noise\r\n" * 1000)),
    "endlessehlo": says(READY, b"250-stub\r\n", then=lambda c: endless(c, b"250-noise\r\n" * 1000)),
    "endlesschallenges": says(READY, ABLE, then=lambda c: endless(c, b"334 \r\n" * 1000)),
    "endlessrefusal": says(READY, ABLE, then=lambda c: endless(c, b"535-no\r\n" * 1000)),
    "silent": wait_for_close,
    "closing": lambda connection: connection.close(),
    "half": says(b"220-st", then=lambda connection: connection.close()),
    "welcome": says(b"235 2.7.0 Logged in.\r\n"),
    "early": says(READY, b"235 2.7.0 Logged in.\r\n"),
    "twocodes": says(READY, b"250-a\r\n251 AUTH PLAIN\r\n"),
    "noauth": says(READY, b"250 stub\r\n"),
    "nul": says(READY, ABLE, b"235 2.7.0 \0in\r\n"),
}


def set_up():
    global hostile, witness
    global proxy, backend, sasl, heard, stubs
    why = daemon.missing()
    if why:
        return why
    heard = []
    stubs = {name: stub.Stub(server(said)) for name, said in REFUSALS.items()}
    stubs["token"] = stub.Stub(server("235 2.7.0 in", seen=heard))
    stubs["noauth"] = stub.Stub(server("503 no", ehlo=("XCLIENT LOGIN HELO ADDR",), seen=heard))
    stubs["injecting"] = stub.Stub(inject)
    users = {name: s.fields("proxy_timeout=2") for name, s in stubs.items()}
    users["noauth"].append("proxy_noauth=y")
    users["injecting"].append("starttls=any-cert")
    users["relayed"] = []
    hostile = {"hostile-" + name: stub.Stub(talk) for name, talk in HOSTILE.items()}
    users.update({name: s.fields("proxy_timeout=2") for name, s in hostile.items()})
    users["good"] = stub.Stub(server("235 2.7.0 in")).fields()
    users["refused"] = ["nologin=y"]
    tokens = world.write("tokens", "tina:{PLAIN}%s::::::%s\n" % (TOKEN, " ".join(stubs["token"].fields("proxy_mech=%m"))))
    backend = sasl = None
    if not (postfix.missing() or dovecot.missing()):
        sasl = dovecot.Dovecot("dovecot", ["alice"])
        backend = postfix.Postfix("postfix", sasl.sasl)
        sasl.relay = backend.relay
        sasl.start()
        backend.start()
        for tls in ("plain", "starttls"):
            users["dovecot-" + tls] = ["proxy=y", "host=localhost", "hostip=127.0.0.1", "port=%d" % sasl.submission, "destuser=alice",
                                       "pass=" + dovecot.PASSWORD, *BACKEND_TLS[tls][1]]
        for tls, (port, fields) in BACKEND_TLS.items():
            users["to-" + tls] = ["proxy=y", "host=localhost", "hostip=127.0.0.1", "port=%d" % getattr(backend, port), "destuser=alice",
                                  "pass=" + dovecot.PASSWORD, *fields]
    proxy = daemon.Postern("proxy", users, protocols=PROTOCOLS, disable_plaintext_auth=False, auth_mechanisms=MECHANISMS.split(), login_proxy_max_reconnects=0,
                           login_trusted_networks=["127.77.0.0/16"])
    proxy.settings["passdb"] += ({"driver": "passwd-file", "args": tokens},)
    relay = {"submission_relay_host": "localhost", "submission_relay_port": backend.relay, "submission_relay_trusted": True} if backend else {}
    # The witness shares a worker with all that follows.
    proxy.set(service={"submission-login": {"process_min_avail": 1, "process_limit": 1, "service_count": 0}}, **relay)
    proxy.start()
    witness = Smtp(proxy.submission)
    expect(witness.plain("good").startswith("235"), "the witness is in")
    return None


# --- programs ---------------------------------------------------------------------

def by_smtplib(user, tls, port, text):
    if tls == "implicit":
        client = smtplib.SMTP_SSL("localhost", port, "laptop", timeout=30, context=clients.trust())
    else:
        client = smtplib.SMTP("localhost", port, "laptop", timeout=30)
    if tls == "starttls":
        client.starttls(context=clients.trust())
    client.login(user, PASSWORD)
    client.sendmail("alice@example.org", ["bob@example.org"], MESSAGE % text)
    client.quit()


def sent(done):
    expect(done.returncode == 0, "status %d: %s" % (done.returncode, (done.stdout + done.stderr)[-2000:]))


def by_curl(user, tls, port, text):
    file = world.write("curl-" + user + tls, MESSAGE % text)
    scheme = "smtps" if tls == "implicit" else "smtp"
    status, _, transcript = clients.curl("%s://localhost:%d/laptop" % (scheme, port), user, "--mail-from", "alice@example.org", "--mail-rcpt",
                                         "bob@example.org", "--upload-file", file, *(["--ssl-reqd"] if tls == "starttls" else []))
    expect(status == 0, transcript)


def by_swaks(user, tls, port, text):
    more = {"plain": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[tls]
    sent(clients.run(["swaks", "--server", "localhost:%d" % port, "--helo", "laptop", "--from", "alice@example.org", "--to", "bob@example.org",
                      "--auth", "LOGIN", "--auth-user", user, "--auth-password", PASSWORD, "--body", text, *more]))


def by_msmtp(user, tls, port, text):
    clients.program("msmtp")
    ca = world.certificates()[0]
    conf = world.write("msmtp-" + user + tls, "host localhost\nport %d\ndomain laptop\nauth plain\nuser %s\npassword %s\nfrom alice@example.org\n"
                       "tls %s\ntls_starttls %s\ntls_trust_file %s\n" % (port, user, PASSWORD, "off" if tls == "plain" else "on",
                                                                      "on" if tls == "starttls" else "off", ca), 0o600)
    sent(subprocess.run(["msmtp", "-C", conf, "bob@example.org"], input=MESSAGE % text, capture_output=True, text=True, timeout=30))


PROGRAMS = {"smtplib": by_smtplib, "curl": by_curl, "swaks": by_swaks, "msmtp": by_msmtp}


def deliver(program, tls):
    if backend is None:
        raise Skip(postfix.missing() or dovecot.missing())
    text = "The message of %s over %s." % (program, tls)
    PROGRAMS[program]("to-" + tls, tls, proxy.submissions if tls == "implicit" else proxy.submission, text)
    message = backend.wait_message(text)
    contains(message, "Authenticated sender: alice")


for each in PROGRAMS:
    for kind in BACKEND_TLS:
        def run(program=each, tls=kind):
            deliver(program, tls)
        run.__name__ = "%s, %s, to Postfix" % (each, kind)
        test(run)


def by_dovecot(tls):
    """A Dovecot submission server takes the login, with XCLIENT, and the Postfix behind it has the mail."""
    if backend is None or not os.path.exists(dovecot.SUBMISSION_LOGIN):
        raise Skip("no dovecot-submissiond here")
    text = "The message by Dovecot, %s." % tls
    by_swaks("dovecot-" + tls, "starttls", proxy.submission, text)
    contains(backend.wait_message(text), "alice@example.org")


@test
def swaks_to_Dovecot():
    by_dovecot("plain")


@test
def swaks_to_Dovecot_with_STARTTLS():
    by_dovecot("starttls")


def arrives(client, text, wanted):
    """A message sent by this logged-in client reaches the backend, whose copy has `wanted` in it."""
    for line in ("MAIL FROM:<alice@example.org>", "RCPT TO:<bob@example.org>", "DATA"):
        expect(client.command(line)[-1][0] in "23", line)
    client.send(MESSAGE % text + ".\r\n")
    expect(client.reply()[-1].startswith("250"), "not taken")
    contains(backend.wait_message(text), wanted)
    client.close()


@test
def postfix_learns_who_the_client_is():
    if backend is None:
        raise Skip(postfix.missing() or dovecot.missing())
    client = Smtp(proxy.submission, source="127.0.0.9")
    client.command("EHLO notebook")
    expect(client.plain("to-starttls").startswith("235"), "refused")
    arrives(client, "From 127.0.0.9.", "[127.0.0.9])")


@test
def users_without_proxy_go_to_the_relay_host():
    if backend is None:
        raise Skip(postfix.missing() or dovecot.missing())
    client = Smtp(proxy.submission, source="127.0.0.8")
    client.command("EHLO notebook")
    expect(client.plain("relayed") == "235 2.7.0 Logged in.", "refused")
    arrives(client, "By the relay host.", "[127.0.0.8])")


@test
def without_a_relay_host_they_cannot_log_in():
    users = {"relayed": []}
    alone = daemon.Postern("alone", users, protocols=PROTOCOLS, disable_plaintext_auth=False).start()
    answer = Smtp(alone.submission).plain("relayed")
    expect(answer == "454 4.7.0 Account is temporarily unavailable.", answer)
    alone.wait_line("User relayed has no field proxy, and submission_relay_host is not set")
    alone.stop()


# --- refusals ----------------------------------------------------------------------

@test
def a_backends_refusal_does_not_tell_who_exists():
    for name in ("nouser", "badpass", "weak", "noenhanced", "contradiction"):
        client = Smtp(proxy.submission)
        answer = client.plain(name)
        expect(answer == "535 5.7.8 Authentication failed.", "%s: %s" % (name, answer))
        expect(client.command("NOOP")[-1].startswith("250"), "and the client may try again")
        client.close()


@test
def what_says_nothing_of_the_password_is_passed_on():
    expect(Smtp(proxy.submission).plain("later") == "454 4.7.0 Come back", "454")
    client = Smtp(proxy.submission)
    expect(client.plain("closing") == "421 4.3.2 Closing" and client.ended(), "421 ends the connection")


@test
def the_operator_may_show_refusals():
    shown = daemon.Postern("shown", {n: stubs[n].fields() for n in REFUSALS}, protocols=PROTOCOLS, disable_plaintext_auth=False, login_proxy_mask_auth_failures=["imap"]).start()
    client = Smtp(shown.submission)
    expect(client.plain("nouser") == "535 5.1.1 No such user here", "one line")
    client.send("AUTH PLAIN %s\r\n" % b64("\0badpass\0" + PASSWORD))
    expect(client.reply() == ["535-5.7.8 Wrong password", "535 5.7.8 for this user"], "several lines")
    expect(client.plain("contradiction") == "535 fine", "an enhanced code of another class is left out")
    shown.stop()


@test
def refused_here():
    expect(Smtp(proxy.submission).plain("refused") == "525 5.7.13 Login disabled for this user", "nologin")
    expect(Smtp(proxy.submission).plain("token", "wrong") == "535 5.7.8 Authentication failed.", "wrong password")


def nobody_noticed():
    expect(witness.command("NOOP")[-1].startswith("250"), "a session in the same worker goes on")


def add_hostile(name):
    def run():
        client = Smtp(proxy.submission)
        answer = client.plain(name)
        expect(answer == "454 4.7.0 Account is temporarily unavailable.", answer)
        expect(client.command("NOOP")[-1].startswith("250"), "the client may go on")
        client.close()
        nobody_noticed()
    run.__name__ = name
    test(run)


for hostile_name in HOSTILE:
    add_hostile("hostile-" + hostile_name)


# --- tokens, noauth ------------------------------------------------------------------

def token_login(client, mechanism, response, initial):
    heard.clear()
    if initial:
        answer = client.command("AUTH %s %s" % (mechanism, b64(response)))[-1]
    else:
        expect(client.command("AUTH " + mechanism) == ["334 "], "asked for it")
        answer = client.command(b64(response))[-1]
    expect(answer == "235 2.7.0 in", answer)
    expect(heard[1] == "AUTH " + mechanism and base64.b64decode(heard[2]).decode() == response, "the backend got another token")


@test
def tokens_of_16_kib_at_once_and_later():
    requests = {"XOAUTH2": "user=tina\1auth=Bearer %s\1\1" % TOKEN, "OAUTHBEARER": "n,a=tina,\1auth=Bearer %s\1\1" % TOKEN}
    for mechanism, request in requests.items():
        for initial in (True, False):
            for tls in (True, False):
                client = Smtp(proxy.submissions if tls else proxy.submission, tls=tls)
                client.command("EHLO x")
                token_login(client, mechanism, request, initial)
                client.close()


@test
def a_backend_that_trusts_us_learns_the_name_only():
    heard.clear()
    client = Smtp(proxy.submission)
    client.command("EHLO laptop")
    expect(client.plain("noauth") == "235 2.7.0 Logged in.", "refused")
    expect(heard[1] == "XCLIENT HELO=laptop LOGIN=noauth ADDR=127.0.0.1", heard)
    expect(not [line for line in heard if line.startswith("AUTH")], "no AUTH")
    client.close()


# --- smuggling and injection (SEC-1 to SEC-22) -------------------------------------------

def inject(connection):
    """Agrees to STARTTLS and says more in the clear."""
    lines = connection.makefile("rb")
    connection.sendall(b"220 stub ready\r\n")
    lines.readline()
    connection.sendall(b"250-stub\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
    lines.readline()
    connection.sendall(b"220 go\r\n250-stub\r\n250 AUTH PLAIN\r\n235 2.7.0 injected\r\n")
    return lines.read()


@test
def replies_injected_before_tls_are_never_replies():
    answer = Smtp(proxy.submission).plain("injecting")
    expect(answer == "454 4.7.0 Account is temporarily unavailable.", answer)


@test
def commands_pipelined_behind_starttls_are_never_commands():
    client = Smtp(proxy.submission)
    client.send("STARTTLS\r\nNOOP\r\nAUTH PLAIN %s\r\n" % b64("\0token\0" + PASSWORD))
    expect(client.line().startswith("220 "), "no TLS")
    said = client.said_inside_tls()
    expect(said is None, "answered inside TLS: %r" % said)


# What a client may say before the login that is no command, and what it hears.
TRICKS = {
    "a bare LF": (b"NOOP\n", ["250 2.0.0 OK"]),
    "a bare CR": (b"NOOP\rQUIT\r\n", ["500 5.5.2 Invalid command syntax"]),
    "CR CR LF": (b"NOOP\r\r\n", ["500 5.5.2 Invalid command syntax"]),
    "NUL in a command": (b"NO\0OP\r\n", ["500 5.5.2 Invalid command syntax"]),
    "NUL in a response": (b"AUTH PLAIN\r\nAA\0A\r\n", ["334 ", "500 5.5.2 Invalid AUTH response syntax"]),
    "a dot": (b".\r\n", ["500 5.5.2 Invalid command syntax"]),
    "the end of data in many forms": (b"\n.\n\r\n.\n\n.\r\n", ["500 5.5.1 Unknown command", "500 5.5.2 Invalid command syntax"] * 3),
    "DATA and a message": (b"DATA\r\nQUIT\r\n", ["530 5.7.0 Authentication required.", "221 2.0.0 Bye"]),
    "a chunk that looks like commands": (b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", ["530 5.7.0 Authentication required.", "250 2.0.0 OK"]),
    "a response that is a command": (b"AUTH PLAIN\r\nQUIT\r\nNOOP\r\n", ["334 ", "535 5.7.8 Authentication failed.", "250 2.0.0 OK"]),
    "a command in a long line": (b"x" * 3000 + b"\r\nNOOP\r\n", ["500 5.5.2 Line too long", "250 2.0.0 OK"]),
    "XCLIENT of a stranger": (b"XCLIENT ADDR=192.0.2.1 LOGIN=alice\r\n", ["550 5.7.14 You are not from trusted IP"]),
    "many line ends": (b"\r\n" * 5000, ["500 5.5.1 Unknown command"] * 10 + ["421 4.7.0 proxy.test Too many invalid commands."]),
}


def add_trick(name, said, heard_back, piece):
    def run():
        client = Smtp(proxy.submission)
        try:
            for at in range(0, len(said), piece):
                client.send(said[at:at + piece])
        except OSError:
            pass  # it has heard enough
        answers = [client.line() for _ in heard_back]
        expect(answers == heard_back, answers)
        client.close()
        nobody_noticed()
    run.__name__ = "%s, %s" % (name, "in pieces" if piece == 7 else "at once")
    test(run)


for trick, (bytes_said, answers_heard) in TRICKS.items():
    for size in (1 << 20, 7):
        add_trick(trick, bytes_said, answers_heard, size)


@test
def after_the_login_bytes_pass_untouched():
    if backend is None:
        raise Skip(postfix.missing() or dovecot.missing())
    client = Smtp(proxy.submission)
    client.command("EHLO x")
    client.send("AUTH PLAIN %s\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n" % b64("\0to-plain\0" + PASSWORD))
    codes = [client.reply()[-1][:3] for _ in range(4)]
    expect(codes == ["235", "250", "250", "354"], codes)
    client.send("Subject: dots\r\n\r\n..One dot.\r\nsplit\r\n")
    for byte in "\r\n.\r\n":
        client.send(byte)
    expect(client.reply()[-1].startswith("250"), "not taken")
    contains(backend.wait_message("Subject: dots"), "\n.One dot.")
    client.close()


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) + (backend.output()[-2000:] if backend else ""))
