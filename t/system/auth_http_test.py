#!/usr/bin/env python3
"""A site's own auth_http service, written for nginx, behind Postern (AUTH-22): same request, same answers, any failure is temporary."""
import os, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import auth_http, daemon, stub, tap, world
from clients import Imap, Lmtp, Pop3, Sieve, Smtp, b64
from daemon import PASSWORD
from lmtp_stub import Server
from tap import contains, expect, test, until
from temporary import expect_temporary

PROTOCOLS = ["imap", "pop3", "submission", "sieve", "lmtp"]


def set_up():
    global proxy, service, secure, backend, mail, seen, waits
    why = daemon.missing()
    if why:
        return why
    seen, waits = [], []
    backend = stub.Stub(stub.imap_with_logins(seen))
    mail = Server()
    to = {"Auth-Server": "127.0.0.1", "Auth-Port": backend.port}

    def wait(headers):
        waits.append(headers)
        return {"Auth-Status": "WAIT", "Auth-Wait": "1"} if len(waits) == 1 else {"Auth-Status": "OK", **to}
    users = {
        "alice": to, "pa ss%w": to, "bob": {**to, "Auth-User": "bob.mailbox", "Auth-Pass": "backend-secret"},
        "busy": lambda h: {"Auth-Status": "Temporary server problem, try again later", "Auth-Error-Code": "451 4.3.0", "Auth-Wait": "3"},
        "error": lambda h: {"status": 500}, "nothing": lambda h: {}, "noport": {"Auth-Server": "127.0.0.1"}, "badport": {**to, "Auth-Port": "99999"},
        "badserver": {**to, "Auth-Server": "/etc/passwd"}, "nowhere": {}, "waits": wait,
        "strange": lambda h: {"Auth-Status": "Sperrung: \x1b[31m" + "x" * 500, "Auth-Error-Code": "535 5.7.8", "Auth-Wait": "1"},
        "box@lmtp.test": {"Auth-Server": "127.0.0.1", "Auth-Port": mail.port}}
    service = auth_http.AuthService(PASSWORD, users)
    ca, cert, key = world.certificates()
    secure = auth_http.AuthService(PASSWORD, {"tls@secure": to, "other@secure": to}, tls=(cert, key))
    untrusted = daemon.world.openssl  # a CA of somebody else
    untrusted("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", world.path("x.key"),
              "-out", world.path("x.crt"), "-days", "30", "-subj", "/CN=Other CA")
    os.chmod(world.path("x.crt"), 0o644)
    timeout = {"http_timeout": "2 secs"}
    proxy = daemon.Postern("proxy", auth_internal_failure_delay=0, auth_username_chars="", protocols=PROTOCOLS, passdb=(
        {"driver": "http", "http_url": secure.url(scheme="https"), "http_ca_file": world.path("x.crt"), "username_filter": "other@secure", **timeout},
        {"driver": "http", "http_url": secure.url("/u/%u?d=%d", "https"), "http_ca_file": ca, "username_filter": "*@secure !other@secure", **timeout},
        {"driver": "http", "http_url": service.url(), "http_header": "X-Key: of the site\nX-Other: 2", "username_filter": "!*@secure !static", **timeout},
        {"driver": "static", "args": "proxy=y host=127.0.0.1 port=%d nopassword=y" % backend.port, "username_filter": "static"})).start()
    return None


def login(user, password=PASSWORD):
    return Imap(proxy.imaps, tls=True).login(user, password)


@test
def the_request_is_nginx_s():
    contains(login("alice"), "OK")
    headers = service.last("alice")
    wanted = {"Auth-Method": "plain", "Auth-User": "alice", "Auth-Pass": PASSWORD, "Auth-Protocol": "imap", "Auth-Login-Attempt": "1",
              "Client-IP": "127.0.0.1", "Auth-SSL": "on", "X-Key": "of the site", "X-Other": "2", "Host": "127.0.0.1:%d" % service.port}
    expect({name: headers.get(name) for name in wanted} == wanted, headers)
    expect(service.seen[-1][0] == "/auth", service.seen[-1])
    expect(set(headers) - set(wanted) <= {"Accept", "User-Agent", "Auth-SSL-Protocol", "Auth-SSL-Cipher", "Auth-SSL-Verify"}, headers)


@test
def names_and_passwords_are_escaped_as_nginx_does():
    answer = Imap(proxy.imaps, tls=True).command("AUTHENTICATE PLAIN " + b64("\0pa ss%%w\0%s" % PASSWORD))[1]
    contains(answer, "OK")
    contains(Imap(proxy.imaps, tls=True).command("AUTHENTICATE PLAIN " + b64("\0pa ss%w\0a b%\x7f\u00e4"))[1], "NO ")
    headers = service.last("pa ss%w")
    expect(headers["Auth-User"] == "pa%20ss%25w", headers)
    expect(headers["Auth-Pass"].startswith("a%20b%25"), headers)


@test
def attempts_are_counted_and_protocols_named():
    client = Pop3(proxy.pop3)
    contains(client.login("alice", "wrong"), "-ERR [AUTH]")
    expect(service.last("alice")["Auth-Login-Attempt"] == "1", service.last("alice"))
    contains(client.login("alice", "wrong"), "-ERR [AUTH]")
    headers = service.last("alice")
    expect((headers["Auth-Login-Attempt"], headers["Auth-Protocol"]) == ("2", "pop3"), headers)
    client = Smtp(proxy.submissions, tls=True)
    client.command("EHLO client")
    contains(client.login("alice", "wrong"), "535 ")
    expect(service.last("alice")["Auth-Protocol"] == "smtp", service.last("alice"))
    contains(Sieve(proxy.sieve).starttls().login("alice", "wrong"), "NO ")
    expect(service.last("alice")["Auth-Protocol"] == "sieve", service.last("alice"))


@test
def another_name_and_password_for_the_backend():
    contains(login("bob"), "OK")
    expect([w.strip('"') for w in seen[-1]] == ["bob.mailbox", "backend-secret"], seen[-1])
    proxy.wait_line(r"Started proxying.*user=<bob.mailbox>")


@test
def a_refusal_has_the_service_s_words():
    """As the field reason does it: IMAP's clients must show an alert (IMAP-80)."""
    contains(login("alice", "wrong"), "NO [ALERT] Invalid login or password")
    contains(login("nobody"), "NO [ALERT] Invalid login or password")
    contains(Pop3(proxy.pop3s, tls=True).login("nobody"), "-ERR [AUTH] Invalid login or password")
    answer = login("strange")
    expect("\x1b" not in answer and len(answer) < 300, answer)


@test
def what_is_no_answer_is_a_temporary_failure():
    for user, log in (("error", "its HTTP status is 500"), ("nothing", "no Auth-Status"), ("noport", "only one of Auth-Server and Auth-Port"),
                      ("badport", "Auth-Port is not a port"), ("badserver", "Auth-Server is not an address"), ("busy", "Temporary server problem")):
        contains(login(user), "NO [UNAVAILABLE]")
        line = proxy.wait_line(r"http\(%s,.*%s" % (user, log))
        expect(PASSWORD not in line, line)


@test
def an_answer_without_a_place_to_go():
    contains(login("nowhere"), "NO [UNAVAILABLE]")


@test
def a_service_that_asks_to_wait():
    contains(login("waits"), "OK")
    expect(len(waits) == 2, "%d requests" % len(waits))


@test
def recipients_are_asked_without_a_password():
    client = Lmtp(proxy.lmtp)
    client.lhlo()
    contains(client.mail("box@lmtp.test")[0], "250 ")
    headers = service.last("box@lmtp.test")
    expect(headers["Auth-Method"] == "none" and headers["Auth-Pass"] == "" and headers["Auth-Protocol"] == "lmtp", headers)
    expect(headers["Auth-SMTP-From"] == "MAIL FROM:<sender@far.test>" and headers["Auth-SMTP-To"] == "RCPT TO:<box@lmtp.test>", headers)
    contains(client.say("RCPT TO:<nobody@lmtp.test>"), "550 ")


@test
def https():
    """With the configured CA only; values in a URL are escaped."""
    contains(login("tls@secure"), "OK")
    expect(secure.seen[-1][0] == "/u/tls%40secure?d=secure", secure.seen[-1])
    Imap(proxy.imaps, tls=True).command("AUTHENTICATE PLAIN " + b64("\0a/../b?x=&y#@secure\0" + PASSWORD))
    expect(secure.seen[-1][0] == "/u/a%2F..%2Fb%3Fx%3D%26y%23%40secure?d=secure", secure.seen[-1])
    contains(login("other@secure"), "NO [UNAVAILABLE]")
    proxy.wait_line(r"http\(other@secure,.*certificate")


@test
def proofs_that_nginx_has_not_need_a_stored_password():
    """SCRAM goes past the service; for CRAM-MD5 and APOP see nginx_test.py."""
    before = len(service.seen)
    proxy.set(auth_mechanisms=["plain", "scram-sha-256"])
    proxy.reload_and_wait()
    client = Imap(proxy.imaps, tls=True)
    client.send("a AUTHENTICATE SCRAM-SHA-256 %s\r\n" % b64("n,,n=alice,r=nonce"))
    client.line()
    client.send(b64("c=biws,r=nonce,p=AAAA") + "\r\n")
    expect(client.answer("a")[1].startswith("NO"), "logged in")
    expect(len(service.seen) == before, "the service was asked")


@test
def a_service_that_hangs_delays_nobody_else():
    service.gate = threading.Event()
    try:
        waiting = Imap(proxy.imaps, tls=True)
        waiting.send("a LOGIN alice %s\r\n" % PASSWORD)
        service.last("alice")
        contains(login("static"), "OK")
        contains(login("tls@secure"), "OK")
        contains(waiting.answer("a")[1], "NO [UNAVAILABLE]")
    finally:
        service.gate.set()
        service.gate = None


@test
def a_service_that_is_gone_is_a_temporary_failure_in_every_protocol():
    """Never a wrong password (AUTH-4)."""
    service.close()
    expect_temporary(proxy, "alice")


@test
def settings_that_are_wrong():
    other = daemon.Postern("other", passdb=({"driver": "http"},))
    for settings, text in (({}, "http_url is missing"), ({"http_url": "localhost/auth"}, "must begin with http:// or https://"),
                           ({"http_url": "http://%d/auth"}, "variables may stand behind the host only"),
                           ({"http_url": "http://a/%w"}, "a URL has no password in it"), ({"http_url": "http://a/%q"}, "http_url"),
                           ({"http_url": "http://a/", "http_header": "no header"}, "each line is a header"),
                           ({"http_url": "http://a/", "http_timeout": "2 hours"}, "up to 60 secs"), ({"http_url": "http://a/", "http_uri": "x"}, "http_uri")):
        other.set(passdb=({"driver": "http", **settings},))
        done = daemon.run("-t", "-c", other.conf)
        expect(done.returncode != 0, "accepted: %r" % settings)
        contains(done.stdout + done.stderr, text)


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
