#!/usr/bin/env python3
"""Postern in nginx' place: the same service and the same servers behind both, the same clients in front (AUTH-22). What the service
is asked, what it makes of it, and how the servers are logged in to must be the same."""
import base64, hashlib, hmac, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import auth_http, daemon, nginx, stub, tap, world
from clients import CertImap, Imap, Pop3, Smtp, b64
from daemon import PASSWORD
from tap import expect, test

# What differs between any two HTTP clients, and what is new each time.
OF_HTTP = {"Host", "Accept", "User-Agent", "Connection"}
NEW_EACH_TIME = {"Auth-Salt", "Auth-Pass"}
PROOFS = ("cram-md5", "apop")


def serve_pop3(connection):
    lines = connection.makefile("rb")
    connection.sendall(b"+OK ready\r\n")
    for line in lines:
        words = line.decode().split()
        if words[0] == "USER":
            user = words[1]
        if words[0] == "PASS":
            logins.append([user, words[1]])
        if words[0] == "CAPA":
            connection.sendall(b"+OK\r\nUSER\r\n.\r\n")
            continue
        connection.sendall(b"+OK done\r\n")


def set_up():
    global service, proxy, peer, logins, pair
    why = daemon.missing() or nginx.missing()
    if why:
        return why
    logins = []
    ca, cert, key = world.certificates()
    pair = world.client_certificate("alice", "/O=Me, Inc/CN=alice")
    servers = {"imap": stub.Stub(stub.imap_with_logins(logins)).port, "pop3": stub.Stub(serve_pop3).port, "smtp": world.free_port()}

    service = auth_http.AuthService(PASSWORD, {"alice": {}, "bob": {"Auth-User": "bob.mailbox", "Auth-Pass": "other"}, "odd%": {}})
    # Where to depends on the protocol.
    answer = service.answer
    service.answer = lambda headers: {**answer(headers), "Auth-Server": "127.0.0.1", "Auth-Port": servers[headers["Auth-Protocol"]]}
    peer = nginx.Nginx("nginx", """  auth_http %s; auth_http_header X-Key k; auth_http_pass_client_cert on; server_name mx.test;
  imap_auth plain login cram-md5 external; pop3_auth plain apop cram-md5; smtp_auth plain login cram-md5;
  ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client optional; ssl_client_certificate %s;""" % (service.url("/auth"), cert, key, ca)).start()
    proxy = daemon.Postern("proxy", protocols=["imap", "pop3", "submission"], ssl="yes", disable_plaintext_auth=False, auth_failure_delay=0,
                           auth_mechanisms=["plain", "login", "cram-md5", "apop", "external"], ssl_ca=ca, ssl_verify_client_cert=True,
                           auth_username_chars="", passdb=({"driver": "http", "http_url": service.url("/auth"),
                           "http_header": "X-Key: k", "http_pass_client_cert": "yes", "default_fields": "proxy_nopipelining=y"},)).start()
    return None


def imap_line(user, password):
    return lambda p: Imap(p.imap).login(user, password)


def imap_sasl(mechanism, response, connect=lambda p: Imap(p.imap)):
    """A way of logging in that answers one challenge with response(challenge, user, password)."""
    def way(user, password):
        def go(p):
            client = connect(p)
            client.send("a AUTHENTICATE %s\r\n" % mechanism)
            challenge = base64.b64decode(client.line()[2:])
            client.send(b64(response(challenge, user, password)) + "\r\n")
            return client.answer("a")[1]
        return go
    return way


imap_plain = imap_sasl("PLAIN", lambda _, user, password: "\0%s\0%s" % (user, password))
imap_cram = imap_sasl("CRAM-MD5", lambda challenge, user, password: "%s %s" % (user, hmac.new(password.encode(), challenge, "md5").hexdigest()))
external = imap_sasl("EXTERNAL", lambda _, user, __: user, lambda p: CertImap(p.imaps, pair))


def pop3_pass(user, password):
    return lambda p: Pop3(p.pop3).login(user, password)


def apop(user, password):
    def go(p):
        client = Pop3(p.pop3)
        stamp = client.greeting[client.greeting.index("<"):]
        return client.command("APOP %s %s" % (user, hashlib.md5((stamp + password).encode()).hexdigest()))
    return go


def with_certificate(user, password):
    return lambda p: CertImap(p.imaps, pair).login(user, password)


def submission(user, password):
    def go(p):
        client = Smtp(p.submissions, tls=True)
        client.command("EHLO client.test")
        return client.plain(user, password)
    return go


def asked(front, client):
    """(what the service was asked, how the client was answered, with what the server was logged in to)."""
    service.seen.clear()
    logins.clear()
    answer = client(front)
    expect(len(service.seen) == 1, "asked %d times" % len(service.seen))
    path, headers = service.seen[0]
    return path, {name: value for name, value in headers.items() if name not in OF_HTTP}, answer.split(" ")[0], list(logins)


def same(client, *differs):
    theirs, ours = asked(peer, client), asked(proxy, client)
    for request in (theirs[1], ours[1]):
        expect(("Auth-Salt" in request) == (request["Auth-Method"] in PROOFS), request)
        for name in (NEW_EACH_TIME if request["Auth-Method"] in PROOFS else set()) | set(differs):
            request.pop(name, None)
    expect(theirs == ours, "nginx %r\nours %r" % (theirs, ours))
    return theirs


@test
def right_passwords():
    for way in (imap_line, imap_plain, pop3_pass, with_certificate):
        expect(same(way("alice", PASSWORD))[3] == [["alice", PASSWORD]], logins)


@test
def wrong_passwords_and_unknown_users():
    for way in (imap_line, imap_plain, pop3_pass, with_certificate, submission, imap_cram, apop):
        for user in ("alice", "nobody"):
            expect(same(way(user, "wrong"))[3] == [], logins)


@test
def proofs():
    """The server is logged in to with the password that the service gives in return."""
    for way in (imap_cram, apop):
        expect(same(way("alice", PASSWORD))[3] == [["alice", PASSWORD]], logins)


@test
def another_name_and_password_for_the_server():
    for way in (imap_line, pop3_pass, imap_cram, apop):
        expect(same(way("bob", PASSWORD))[3] == [["bob.mailbox", "other"]], logins)


@test
def a_certificate_instead_of_a_password():
    expect(same(external("alice", None))[3] == [["alice", PASSWORD]], logins)


@test
def names_with_odd_characters():
    for way in (imap_line, imap_plain, imap_cram):
        expect(same(way("odd%", PASSWORD))[3] == [["odd%", PASSWORD]], logins)
    same(imap_plain("no body", "a b%"))


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
