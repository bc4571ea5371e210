#!/usr/bin/env python3
"""Users in a real Redis (AUTH-22; postern-passdb(5) has the schema): hashes and JSON, servers that are slow, gone or back again."""
import json, os, signal, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, redis, stub, tap, world
from clients import Imap, Pop3, b64
from daemon import PASSWORD
from tap import contains, expect, test, until
from temporary import expect_temporary

QUICK = {"redis_connect_timeout": "1 secs", "redis_timeout": "1 secs"}
PROTOCOLS = ["imap", "pop3", "submission", "sieve", "lmtp"]


def destination(**more):
    return dict(proxy="y", host="127.0.0.1", port=str(backend.port), **more)


def block(**settings):
    return {"driver": "redis", **QUICK, **settings}


def set_up():
    global proxy, backend, first, second, locked
    why = daemon.missing() or redis.missing()
    if why:
        return why
    backend = stub.Stub(stub.imap_server)
    first, second = redis.RedisServer("first").start(), redis.RedisServer("second").start()
    locked = redis.RedisServer("locked", password="pa:ss@word").start()
    for server in first, second:
        server.user("postern:user:alice", password="{PLAIN}" + PASSWORD, **destination())
    first.command("SET", "postern:user:wrongtype", "a string")
    first.command("SET", "json:jane", json.dumps({"password": "{PLAIN}" + PASSWORD, "proxy": True, "host": "127.0.0.1", "port": backend.port, "nologin": False}))
    for name, text in {"array": "[1]", "broken": "{secret-value", "nested": '{"password": {"a": "secret-value"}}'}.items():
        first.command("SET", "json:" + name, text)
    locked.user("mail/lea/example.org", database=3, password="{PLAIN}" + PASSWORD, **destination())
    proxy = daemon.Postern("proxy", auth_internal_failure_delay=0, auth_username_chars="", protocols=PROTOCOLS, passdb=(
        block(redis_uri=first.unix_uri(), redis_key="json:%u", redis_format="json", username_filter="jane array broken nested"),
        block(redis_uri="redis://:pa%%3Ass%%40word@localhost:%d/3" % locked.port, redis_key="mail/%n/%d", username_filter="*@*"),
        block(redis_uri=first.uri() + " " + second.uri(), username_filter="!*@* !jane !array !broken !nested"))).start()
    return None


def login(user, password=PASSWORD):
    return Imap(proxy.imaps, tls=True).login(user, password)


def temporary(user, log):
    contains(login(user), "NO [UNAVAILABLE]")
    line = proxy.wait_line(log)
    expect("secret-value" not in line and PASSWORD not in line, line)


@test
def a_hash_is_a_user():
    contains(login("alice"), "OK")
    contains(Pop3(proxy.pop3s, tls=True).login("alice", "wrong"), "-ERR [AUTH]")


@test
def a_missing_key_is_an_unknown_user():
    contains(login("nobody"), "NO [AUTHENTICATIONFAILED]")


@test
def json_by_a_unix_socket():
    contains(login("jane"), "OK")
    contains(login("jane", "wrong"), "NO [AUTHENTICATIONFAILED]")


@test
def password_name_and_database_of_the_server():
    """requirepass, a server with a name, SELECT."""
    contains(login("lea@example.org"), "OK")


@test
def records_that_are_none():
    """A temporary failure, and a log line without values."""
    temporary("wrongtype", r"redis\(wrongtype,.*the server says WRONGTYPE")
    temporary("array", r"redis\(array,.*the value is no JSON object")
    temporary("broken", r"redis\(broken,.*the value is not JSON")
    temporary("nested", r"redis\(nested,.*field password is an object or an array")


@test
def names_stay_one_argument():
    """Blanks, line breaks and patterns in a name reach Redis as they are; no other key is read."""
    for name in ("alice GET x", "ali*", "alice\r\nGET json:jane", "alice\r\n$5\r\n"):
        answer = Imap(proxy.imaps, tls=True).command("AUTHENTICATE PLAIN " + b64("\0%s\0%s" % (name, PASSWORD)))[1]
        contains(answer, "NO [AUTHENTICATIONFAILED]")
    contains(login("alice"), "OK")


@test
def a_hanging_server_is_left_for_the_next():
    """It keeps the connection and says nothing: what it owes is asked of the next one."""
    contains(login("alice"), "OK")
    first.process.send_signal(signal.SIGSTOP)
    try:
        contains(login("alice"), "OK")
    finally:
        first.process.send_signal(signal.SIGCONT)
    proxy.wait_line(r"redis: 127.0.0.1:%d: no reply in time" % first.port)


@test
def a_server_that_ends_is_replaced():
    """Now it is the second that we talk to."""
    second.stop()
    contains(login("alice"), "OK")
    contains(login("alice", "wrong"), "NO [AUTHENTICATIONFAILED]")


@test
def no_server_is_a_temporary_failure_in_every_protocol():
    """Never a wrong password (AUTH-4)."""
    first.stop()
    expect_temporary(proxy, "alice")
    proxy.wait_line(r"redis\(alice,.*Connection refused|redis: .*Connection refused")


@test
def servers_that_come_back_are_used_again():
    first.start()
    first.user("postern:user:alice", password="{PLAIN}" + PASSWORD, **destination())
    until(lambda: login("alice").startswith("OK"), "alice gets in", 30)


@test
def a_server_that_hangs_delays_nobody_else():
    """Stopped, so that it takes connections and says nothing: its users wait, those of the others don't."""
    first.process.send_signal(signal.SIGSTOP)
    try:
        waiting = Imap(proxy.imaps, tls=True)
        waiting.send('a LOGIN alice %s\r\n' % PASSWORD)
        contains(login("lea@example.org"), "OK")
        contains(waiting.answer("a")[1], "NO [UNAVAILABLE]")
    finally:
        first.process.send_signal(signal.SIGCONT)
    until(lambda: login("alice").startswith("OK"), "alice gets in", 30)


@test
def settings_that_are_wrong():
    other = daemon.Postern("other", passdb=({"driver": "redis"},))
    for settings, text in (({}, "redis_uri is missing"), ({"redis_uri": "rediss://x"}, "Redis over TLS (rediss) is not spoken"),
                           ({"redis_uri": "redis://:secret-value@:1"}, "the host is missing"),
                           ({"redis_uri": "redis://x", "redis_format": "xml"}, "accepted: hash, json"),
                           ({"redis_uri": "redis://x", "redis_keys": "a"}, "redis_keys"),
                           ({"redis_uri": "redis://x", "redis_key": "%w"}, "a key has no password in it"),
                           ({"redis_uri": "redis://x", "redis_timeout": "1"}, "redis_timeout")):
        other.set(passdb=({"driver": "redis", **settings},))
        done = daemon.run("-t", "-c", other.conf)
        expect(done.returncode != 0, "accepted: %r" % settings)
        contains(done.stdout + done.stderr, text)
        expect("secret-value" not in done.stdout + done.stderr, "the password is shown")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
