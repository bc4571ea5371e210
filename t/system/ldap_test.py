#!/usr/bin/env python3
"""passdb and userdb ldap against real slapds: searches, binds, TLS, servers that are away (AUTH-19, AUTH-20)."""
import os, signal, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, ldap, lmtp_stub, stub, tap, world
from answers import answers
from clients import Imap, Lmtp, b64
from ldap import OPEN, PEOPLE, SUFFIX, person
from tap import contains, expect, test, until
from temporary import expect_temporary

PASSWORD = daemon.PASSWORD
ATTRS = "uid=user, userPassword=password, l=port, =proxy=y, =host=127.0.0.1, =pass=backendpw"
BIND_ATTRS = ATTRS.replace("userPassword=password, ", "")
MAIL_ATTRS = "uid=user, l=port, =proxy=y, =host=127.0.0.1, =protocol=lmtp"
DELIVER = """#!/bin/sh
echo "$(id -u) $HOME $USER" >"$HOME/who"
cat >"$HOME/mail"
"""
CONSTANTS = "=proxy=y, =host=127.0.0.1, =port=%d, =pass=backendpw"  # row B23, as in the manual's proxy example
DIRECT = "uid=%%n,%s" % PEOPLE
seen = []
proxy = None


def people(port):
    at, owner = "l: %d" % port, dovecot.owner()
    os.chown(world.folder("home", 0o700), *owner[1:])
    return [person("joe", PASSWORD, at), person("o'brien (jr)*", PASSWORD, at), person("jörg, x", PASSWORD, at),
            person("twice", PASSWORD, at, "mail: shared@example.org"), person("again", PASSWORD, at, "mail: shared@example.org"),
            person("several", PASSWORD, at, "description: first", "description: second"),
            ldap.policy("strict", "pwdLockout: TRUE"), ldap.policy("aging", "pwdMaxAge: 1"),
            person("locked", PASSWORD, at, "pwdPolicySubentry: cn=strict," + SUFFIX, "pwdAccountLockedTime: 000001010000Z"),
            person("open", PASSWORD, at, base=OPEN), person("reader", PASSWORD, "l: %d" % mail.port), person("here", PASSWORD, uid=owner[1], gid=owner[2], home=world.path("home")),
            person("expired", PASSWORD, at, "pwdPolicySubentry: cn=aging," + SUFFIX, "pwdChangedTime: 20200101000000Z")]


def other_ca():
    world.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", world.path("other.key"),
                  "-out", world.path("other.crt"), "-days", "30", "-subj", "/CN=Other CA")
    return world.path("other.crt")


def passdbs():
    ca = world.certificates()[0]
    dead = "ldap://127.0.0.1:%d" % world.free_port()
    ways = {
        "bind": main.block(pass_attrs=BIND_ATTRS, auth_bind="yes"),
        "direct": main.block(pass_attrs=CONSTANTS % backend.port, auth_bind="yes", auth_bind_userdn=DIRECT),
        "noname": main.block(auth_bind="yes", auth_bind_userdn="%{passdb:nothing}"),
        "starttls": main.block(pass_attrs=ATTRS, tls="yes", tls_ca_cert_file=ca),
        "ldaps": main.block(pass_attrs=ATTRS, uris=main.tls_uri, tls_ca_cert_file=ca),
        "ldapi": main.block(pass_attrs=ATTRS, uris=main.socket_uri),
        "wrongca": main.block(pass_attrs=ATTRS, tls="yes", tls_ca_cert_file=other_ca()),
        "wrongcas": main.block(pass_attrs=ATTRS, uris=main.tls_uri, tls_ca_cert_file=other_ca()),
        "noverify": main.block(pass_attrs=ATTRS, tls="yes", tls_ca_cert_file=other_ca(), tls_require_cert="never"),
        "deadfirst": main.block(pass_attrs=ATTRS, uris=dead + " " + main.uri),
        "two": first.block(pass_attrs=ATTRS, uris=first.uri + " " + main.uri),
        "twobind": first.block(pass_attrs=BIND_ATTRS, uris=first.uri + " " + main.uri, auth_bind="yes"),
        "hang": main.block(pass_attrs=ATTRS, uris="ldap://127.0.0.1:%d" % silent.port, timeout="1 sec"),
        "half": main.block(pass_attrs=ATTRS, uris="ldap://127.0.0.1:%d" % half.port, timeout="1 sec"),
        "hangfirst": main.block(pass_attrs=ATTRS, uris="ldap://127.0.0.1:%d %s" % (silent.port, main.uri), timeout="1 sec"),
        "hangtls": main.block(pass_attrs=ATTRS, uris="ldaps://127.0.0.1:%d" % silent.port, timeout="1 sec"),
        "hangstarttls": main.block(pass_attrs=ATTRS, uris="ldap://127.0.0.1:%d" % silent.port, tls="yes", timeout="1 sec"),
        "tlsbind": main.block(pass_attrs=BIND_ATTRS, tls="yes", tls_ca_cert_file=ca, auth_bind="yes"),
        "nobodyasks": main.block(pass_attrs=ATTRS, base=OPEN, dn=None, dnpass=None),
        "constants": main.block(pass_attrs=CONSTANTS % backend.port + ", =nopassword=y"),
        "stopped": first.block(pass_attrs=ATTRS, uris=first.uri + " " + main.uri, timeout="1 sec"),
        "stoppedbind": first.block(pass_attrs=BIND_ATTRS, uris=first.uri + " " + main.uri, auth_bind="yes", timeout="1 sec"),
        "mail": main.block(pass_attrs=MAIL_ATTRS, auth_bind="yes"),
        "maildirect": main.block(pass_attrs=MAIL_ATTRS, auth_bind="yes", auth_bind_userdn=DIRECT),
        "here": main.block(pass_attrs="uid=user", auth_bind="yes"),
        "many": main.block(pass_attrs=ATTRS, pass_filter="(mail=shared@example.org)"),
        "nobase": main.block(pass_attrs=ATTRS, base="ou=nowhere," + SUFFIX),
        "branch": main.block(pass_attrs=ATTRS, base="ou=%n," + SUFFIX),
        "badservice": main.block(pass_attrs=ATTRS, dnpass="wrong"),
        "several": main.block(pass_attrs=ATTRS + ", description=destuser=%L{ldap:uid}-%$"),
        "away": away.block(pass_attrs=ATTRS),
        "awaybind": away.block(pass_attrs=CONSTANTS % backend.port, auth_bind="yes", auth_bind_userdn=DIRECT),
    }
    plain = {"driver": "ldap", "args": main.file("dovecot-ldap.conf.ext", pass_attrs=ATTRS), "username_filter": "!*@*.test"}
    return (plain, *({**block, "username_filter": "*@%s.test" % way} for way, block in ways.items()))


def set_up():
    global proxy, main, first, away, backend, silent, half, mail
    why = daemon.missing() or ldap.missing()
    if why:
        return why
    backend = stub.Stub(stub.imap_with_logins(seen))
    mail = lmtp_stub.Server()
    silent = stub.Stub(stub.wait_for_close)
    half = stub.Stub(lambda c: (c.recv(100), c.sendall(b"\x30\x84\x00\x00\x00\x40\x02\x01"), stub.wait_for_close(c)))
    main, first, away = (ldap.Slapd(name, *people(backend.port)).start() for name in ("main", "first", "away"))
    program = world.write("deliver", DELIVER, 0o755)
    userdb = ({"driver": "ldap", "args": main.file("dovecot-ldap-user.conf.ext", pass_filter=None, user_filter="(&(objectClass=posixAccount)(uid=%n))")},)
    proxy = daemon.Postern("proxy", protocols=["imap", "pop3", "submission", "sieve", "lmtp"], lmtp_proxy=True, passdb=passdbs(), userdb=userdb,
                           first_valid_uid=1, mail_temp_dir=world.folder("temp", 0o1777), service={"lmtp": {"executable": program}},
                           auth_username_chars="", auth_internal_failure_delay=0, disable_plaintext_auth=False).start()
    return None


def login(user, password=PASSWORD):
    client = Imap(proxy.imap)
    client.send("a AUTHENTICATE PLAIN %s\r\n" % b64("\0%s\0%s" % (user, password)))
    answer = client.answer("a")[1]
    client.close()
    return answer


right, wrong, temporary = answers(login, lambda line: proxy.wait_line(line))


@test
def search_with_dovecots_file():
    right("joe")
    expect(seen[-1] == ["joe", "backendpw"], seen[-1])
    right("JOE")  # what the directory calls him
    expect(seen[-1][0] == "joe", seen[-1])
    wrong("joe", "wrong")
    wrong("nobody")


@test
def search_as_nobody():
    right("open@nobodyasks.test")
    wrong("open@nobodyasks.test", "wrong")
    wrong("joe@nobodyasks.test")


@test
def search_and_bind():
    right("joe@bind.test")
    expect(seen[-1] == ["joe", "backendpw"], seen[-1])
    wrong("joe@bind.test", "wrong")
    wrong("nobody@bind.test")
    right("joe@bind.test")  # the connection that was refused serves the next one


@test
def bind_without_search():
    right("joe@direct.test")
    wrong("joe@direct.test", "wrong")
    wrong("nobody@direct.test")


@test
def empty_passwords_and_names_never_bind():
    """AUTH-20, RFC 4513 section 5.1.2: a server answers such a bind with success."""
    for way in ("bind", "direct"):
        wrong("joe@%s.test" % way, "")
    wrong("joe@noname.test")
    wrong("joe@noname.test", "")


@test
def what_a_password_policy_says():
    wrong_or_disabled = login("locked@bind.test")
    expect(wrong_or_disabled.startswith("NO [") and "UNAVAILABLE" not in wrong_or_disabled, wrong_or_disabled)
    expired = login("expired@bind.test")
    contains(expired, "NO [EXPIRED]")
    wrong("expired@bind.test", "wrong")


@test
def names_are_values():
    """AUTH-19: nothing in a name changes a filter or a DN."""
    for user in ("*", "*)(uid=*", "joe)(uid=joe", "j*", "joe)(|(uid=*", "\\2a", "joe\\", "(joe", "nobody)(!(uid=x)", "joe,ou=people", "x+uid=joe", "joe#", "*)(cn=*))(|(cn=*"):
        for way in ("", "@bind.test", "@direct.test"):
            wrong(user + way)
    expect(not proxy.lines("ilter"), proxy.lines("ilter"))


@test
def unusual_names_are_found():
    for way in ("", "@bind.test", "@direct.test"):
        right("o'brien (jr)*" + way)
        right("jörg, x" + way)


@test
def tls():
    for way in ("starttls", "ldaps", "ldapi", "noverify", "tlsbind"):
        right("joe@%s.test" % way)
        wrong("joe@%s.test" % way, "wrong")


@test
def a_certificate_of_somebody_else():
    temporary("joe@wrongca.test", "StartTLS")
    temporary("joe@wrongcas.test")


@test
def a_dead_server_before_a_good_one():
    right("joe@deadfirst.test")
    wrong("joe@deadfirst.test", "wrong")


@test
def fields_without_an_attribute():
    """Row B23: the directory only knows who exists."""
    right("joe@constants.test", "anything")
    wrong("nobody@constants.test")


@test
def the_server_stops_to_answer_under_way():
    """The look-up is made again, with a new connection and then with the next server."""
    for way in ("stopped", "stoppedbind"):
        right("joe@%s.test" % way)
    world.kill(first.process.pid, signal.SIGSTOP)
    try:
        for way in ("stopped", "stoppedbind"):
            right("joe@%s.test" % way)
            wrong("joe@%s.test" % way, "wrong")
    finally:
        world.kill(first.process.pid, signal.SIGCONT)


@test
def the_server_dies_under_way():
    for way in ("two", "twobind"):
        right("joe@%s.test" % way)
    first.stop()
    for _ in range(3):
        for way in ("two", "twobind"):
            right("joe@%s.test" % way)
            wrong("joe@%s.test" % way, "wrong")


@test
def a_connection_that_the_server_closed():
    """A restart costs nobody a login."""
    right("joe")
    right("joe@bind.test")
    main.stop()
    main.start()
    right("joe")
    right("joe@bind.test")
    wrong("joe@bind.test", "wrong")


@test
def a_server_that_never_answers():
    hanging = [Imap(proxy.imap) for _ in range(3)]
    for client in hanging:
        client.send('a LOGIN "joe@hang.test" "%s"\r\n' % PASSWORD)
    until(lambda: silent.connections, "somebody waits for it")
    right("joe")  # others do not wait
    for client in hanging:
        contains(client.answer("a")[1], "NO [UNAVAILABLE]")
        client.close()
    proxy.wait_line("hang.test.*no answer in time")
    right("joe@hangfirst.test")
    temporary("joe@hangtls.test", "hangtls.test.*no answer in time")
    temporary("joe@hangstarttls.test", "hangstarttls.test.*no answer in time")


@test
def a_server_that_stops_in_the_middle_of_an_answer():
    temporary("joe@half.test", "half.test.*no answer in time")


@test
def answers_that_say_nothing_of_the_password():
    """AUTH-20: more than one entry, a service account that may not search, a base that is not there."""
    temporary("joe@many.test", "more than one entry")
    temporary("joe@badservice.test", "Invalid credentials")
    temporary("joe@nobase.test", "No such object")
    wrong("joe@branch.test")  # but a base of the user's own


@test
def several_values():
    right("several@several.test")
    expect(seen[-1][0].startswith("several-"), seen[-1])
    proxy.wait_line("several values of description")


@test
def recipients_are_looked_up_without_a_password():
    """Also where passwords are checked by binding."""
    for way in ("mail", "maildirect"):
        client = Lmtp(proxy.lmtp)
        client.lhlo()
        answers = client.mail("nobody@%s.test" % way, "reader@%s.test" % way)
        expect(answers[0].startswith("550 5.1.1") and answers[1].startswith("250 "), answers)
        contains(client.data(b"Subject: x\r\n\r\nHello.\r\n")[0], "250 2.")
        client.close()


@test
def users_of_this_host():
    """user_attrs and user_filter: who the program runs as, and where."""
    client = Lmtp(proxy.lmtp)
    client.lhlo()
    answers = client.mail("here@here.test")
    expect(answers[0].startswith("250 "), answers)
    contains(client.data(b"Subject: x\r\n\r\nHello.\r\n")[0], "250 2.")
    expect(world.read(world.path("home", "who")) == "%d %s here\n" % (dovecot.owner()[1], world.path("home")), world.read(world.path("home", "who")))


@test
def a_server_that_is_away_is_a_temporary_failure_everywhere():
    """Never a wrong password."""
    away.stop()
    for way in ("away", "awaybind"):
        user = "joe@%s.test" % way
        expect_temporary(proxy, user)
    away.start()
    until(lambda: all(login("joe@%s.test" % way).startswith("OK") for way in ("away", "awaybind")), "it is used again", 30)


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
