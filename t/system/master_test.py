#!/usr/bin/env python3
"""Master users, at our front and at the backend, both ways (AUTH-12, row B4): a real Dovecot shows whose mailbox it is."""
import base64, hashlib, hmac, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, tap, world
from clients import Imap, Pop3, b64
from daemon import PASSWORD
from tap import contains, expect, test

BOSS = dovecot.PASSWORD


def set_up():
    global backend, proxy
    why = daemon.missing() or dovecot.missing()
    if why:
        return why
    backend = dovecot.Dovecot("backend", ["dave", "erin"], masters=["proxymaster", "boss"]).start()
    for person in ("dave", "erin"):
        backend.deliver(person, "Hello %s" % person)
    to = backend.fields
    users = daemon.users_file("users", {"dave": to(master="proxymaster"), "erin": to(destuser="%u*proxymaster"), "late": ["allow_nets=192.0.2.1"],
                                        "pops": to("pop3", master="proxymaster", destuser="dave"),
                                        "shared": [f for f in to(destuser="erin") if not f.startswith("pass=")]})
    masters = world.write("masters", "boss:{PLAIN}%s::::::\nlimited:{PLAIN}%s::::::allow_nets=192.0.2.1\n" % (BOSS, BOSS))
    proxy = daemon.Postern("proxy", auth_mechanisms=["plain", "login", "cram-md5"], auth_master_user_separator="*", passdb=(
        {"driver": "passwd-file", "args": masters, "master": True, "result_success": "continue"},
        {"driver": "passwd-file", "args": users})).start()
    return None


def subject(client):
    """Of the only message in the mailbox."""
    client.command("SELECT INBOX")
    return "".join(client.command("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[0])


def reads(user, password, whose):
    client = Imap(proxy.imaps, tls=True)
    answer = client.login(user, password)
    expect(answer.startswith("OK"), answer)
    contains(subject(client), "Hello " + whose)
    client.close()


@test
def the_backend_is_told_the_master_by_a_field():
    reads("dave", PASSWORD, "dave")


@test
def the_backend_is_told_the_master_in_the_name():
    """destuser=user*master, as the backend's auth_master_user_separator wants it."""
    reads("erin", PASSWORD, "erin")


@test
def a_mechanism_that_sends_no_password_will_do():
    client = Imap(proxy.imaps, tls=True)
    client.send("a AUTHENTICATE CRAM-MD5\r\n")
    challenge = base64.b64decode(client.line()[2:])
    client.send(b64("dave " + hmac.new(PASSWORD.encode(), challenge, hashlib.md5).hexdigest()) + "\r\n")
    contains(client.answer("a")[1], "OK")
    contains(subject(client), "Hello dave")


@test
def our_master_becomes_a_user_by_the_separator():
    reads("dave*boss", BOSS, "dave")
    contains(Pop3(proxy.pop3s, tls=True).login("pops*boss", BOSS), "+OK")


@test
def our_master_is_the_backends_when_no_other_is_named():
    """He and his password go on to it."""
    reads("shared*boss", BOSS, "erin")


@test
def our_master_becomes_a_user_by_the_authorization_identity():
    client = Imap(proxy.imaps, tls=True)
    client.send("a AUTHENTICATE PLAIN %s\r\n" % b64("dave\0boss\0" + BOSS))
    contains(client.answer("a")[1], "OK")
    contains(subject(client), "Hello dave")


@test
def refusals_tell_nobody_why():
    """IMAP-80, IMAP-82: only who knows a master's password learns that there is no such user."""
    for user, password, answer in (("dave*boss", "wrong", "NO [AUTHENTICATIONFAILED]"), ("dave*nobody", BOSS, "NO [AUTHENTICATIONFAILED]"),
                                   ("dave*limited", BOSS, "NO [AUTHENTICATIONFAILED]"), ("boss", BOSS, "NO [AUTHENTICATIONFAILED]"),
                                   ("nobody*boss", BOSS, "NO [AUTHORIZATIONFAILED]"), ("late*boss", BOSS, "NO [AUTHORIZATIONFAILED]")):
        client = Imap(proxy.imaps, tls=True)
        contains(client.login(user, password), answer)
        client.close()


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
