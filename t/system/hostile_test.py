#!/usr/bin/env python3
"""Hostile clients and hostile backends: a clear error for them, and other sessions don't notice."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import Imap, Line, Pop3, session
from daemon import PASSWORD
from stub import endless, says, wait_for_close
from tap import contains, expect, test

ENDLESS = b"x" * 65536

BACKENDS = {
    "garbage": says(b"\x00\x01\xfe\xff SSH-2.0-hello\r\n"),
    "endless": says(b"* OK ", then=endless),
    "silent": wait_for_close,
    "closing": lambda connection: connection.close(),
    "half": says(b"* OK [CAPAB", then=lambda connection: connection.close()),
    "bye": says(b"* BYE go away\r\n", then=lambda connection: connection.close()),
    "endlessanswer": says(b"* OK ready\r\n", b"* CAPABILITY ", then=endless),
    "flood": says(b"* OK ready\r\n", b"", then=lambda c: endless(c, b"* OK noise\r\n" * 5000)),
    "preauth": says(b"* PREAUTH come in\r\n"),
}


def set_up():
    global proxy, good, witness, stubs
    why = daemon.missing()
    if why:
        return why
    good = stub.Stub(stub.imap_server)
    stubs = {name: stub.Stub(talk) for name, talk in BACKENDS.items()}
    users = {name: s.fields("proxy_timeout=2") for name, s in stubs.items()}
    users["good"] = good.fields()
    proxy = daemon.Postern("proxy", users, login_proxy_timeout="2 secs", login_proxy_max_reconnects=0)
    one = {"process_min_avail": 1, "process_limit": 1, "service_count": 0}  # the witness shares a worker with all that follows
    proxy.set(service={"imap-login": one, "pop3-login": one}, disable_plaintext_auth=False)
    proxy.start()
    witness = session(proxy.imaps, "good")
    return None


def nobody_noticed():
    expect(witness.alive(), "a session in the same worker goes on")
    client = Imap(proxy.imap)
    expect(client.login("good").startswith("OK"), "others log in")
    client.close()


def refused_by_backend(user):
    client = Imap(proxy.imap)
    answer = client.login(user)
    expect(answer.startswith("NO [UNAVAILABLE]"), "a temporary failure, not: " + answer)
    client.close()
    nobody_noticed()


for name in BACKENDS:
    def case(name=name):
        refused_by_backend(name)
    case.__name__ = "backend_" + name
    test(case)


def no_end_is_tolerated(beginning=""):
    client = Imap(proxy.imap)
    try:
        client.send(beginning)
        for _ in range(200):
            client.send(ENDLESS)
        ended = client.ended()
    except OSError:
        ended = True
    expect(ended, "disconnected")
    nobody_noticed()


@test
def endless_line_before_login():
    no_end_is_tolerated()


@test
def literal_too_large():
    client = Imap(proxy.imap)
    client.send("a LOGIN {100000000}\r\n")
    said = client.line()
    expect(said is not None and not said.startswith("+"), "not invited: %r" % said)
    nobody_noticed()
    client.close()


@test
def non_synchronising_literal_too_large():
    no_end_is_tolerated("a LOGIN {100000000+}\r\n")


def injected_after_starttls(client, command, good):
    """What arrives with STARTTLS in one packet must not be taken for something said inside TLS."""
    client.send(command)
    answer = client.line()
    if answer is None or not answer.split(" ", 1)[-1 if good == "OK" else 0].startswith(good):
        return  # refused at once
    said = client.said_inside_tls()
    expect(said is None, "answered inside TLS to what came before it: %r" % said)


@test
def starttls_injection_imap():
    injected_after_starttls(Imap(proxy.imap), "a STARTTLS\r\nb LOGIN good %s\r\n" % PASSWORD, "OK")
    nobody_noticed()


@test
def starttls_injection_pop3():
    injected_after_starttls(Pop3(proxy.pop3), "STLS\r\nUSER good\r\n", "+OK")
    nobody_noticed()


@test
def slow_client():
    slow = Line(proxy.imap)
    slow.line()
    for c in "a LOGIN go":
        slow.send(c)
        nobody_noticed()
    slow.send('od %s\r\n' % PASSWORD)
    contains(slow.line() or "", "OK")
    slow.close()


@test
def garbage_instead_of_a_tls_handshake():
    client = Line(proxy.imaps)
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    expect(client.ended(), "disconnected")
    nobody_noticed()


@test
def many_bad_commands():
    client = Imap(proxy.imap)
    client.send("".join("x%d NONSENSE\r\n" % n for n in range(30)))
    lines = client.rest()
    expect(any(line.startswith("* BYE") for line in lines), "told: %r" % lines)
    nobody_noticed()


@test
def control_characters_do_not_reach_the_log():
    client = Imap(proxy.imap)
    client.send(b'a LOGIN "ev\x1b[31mil\x07" x\r\n')
    client.line()
    client.close()
    nobody_noticed()
    expect("\x1b" not in world.read(proxy.log), "escape sequences in the log")


@test
def clients_that_leave_at_once():
    for _ in range(200):
        Line(proxy.imap).close()
        Line(proxy.imaps).close()
    nobody_noticed()


@test
def connection_limit_takes_no_session():
    crowd = [Line(proxy.imap) for _ in range(300)]
    nobody_noticed()
    for c in crowd:
        c.close()


@test
def no_process_died():
    expect(not proxy.lines(r"killed with signal|Panic|Fatal"), proxy.lines(r"killed with signal|Panic|Fatal"))


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
