#!/usr/bin/env python3
"""The cache of auth before an SQLite database that changes, is locked, and goes away (AUTH-34 to AUTH-39)."""
import os, select, signal, sqlite3, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import Imap
from tap import contains, expect, test, until

QUERY = "SELECT password, 'y' AS proxy, '127.0.0.1' AS host, port, allow_nets FROM users WHERE name = '%u'"
WORKERS = 4


def execute(*statements):
    db = sqlite3.connect(world.path("users.db"))
    for statement in statements:
        db.execute(*((statement,) if isinstance(statement, str) else statement))
    db.commit()
    db.close()


def add(name, password, nets=None):
    execute(("INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?)", (name, password, backend.port, nets)))


def postern(name, **settings):
    block = {"driver": "sql", "sql_driver": "sqlite", "sql_connect": world.path("users.db"), "sql_password_query": QUERY}
    return daemon.Postern(name, passdb=(block,), protocols=["imap"], auth_debug=True, auth_internal_failure_delay=0,
                          auth_worker_max_count=WORKERS, **settings).start()


def set_up():
    global backend, cached, plain, stale
    why = daemon.missing()
    if why:
        return why
    backend = stub.Stub(stub.imap_server)
    execute("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT, port INTEGER, allow_nets TEXT)")
    os.chmod(world.path("users.db"), 0o644)
    cached = postern("cached", auth_cache_size="1 M", auth_cache_negative_ttl="1 hour")
    stale = postern("stale", auth_cache_size="1 M", auth_cache_ttl=0)  # every answer is too old at once
    plain = postern("plain")
    return None


def login(user, password, proxy=None):
    client = Imap((proxy or cached).imaps, tls=True)
    answer = client.login(user, password)
    client.close()
    return answer


def admitted(*arguments):
    contains(login(*arguments), "OK")


def refused(*arguments):
    contains(login(*arguments), "NO [AUTHENTICATIONFAILED]")


def said(proxy, user, what):
    """How often the log says so of a user."""
    return len(proxy.lines(r"sql\(%s,.*: %s$" % (user, what)))


def asked(user, proxy=None):
    """How many answers of the database there were: those of the cache are told first."""
    proxy = proxy or cached
    return said(proxy, user, "lookup: .*") - said(proxy, user, "cache hit.*")


@test
def a_second_login_asks_nobody():
    add("joe", "{PLAIN}one")
    for _ in range(3):
        admitted("joe", "one")
    until(lambda: said(cached, "joe", "cache hit") == 2 and asked("joe") == 1, "one answer, two hits")


@test
def without_a_cache_each_login_asks():
    add("joe", "{PLAIN}one")
    for _ in range(3):
        admitted("joe", "one", plain)
    until(lambda: asked("joe", plain) == 3, "three answers")


@test
def users_do_not_share_answers():
    """AUTH-36."""
    add("ann", "{PLAIN}ann-pw")
    add("bob", "{PLAIN}bob-pw")
    admitted("ann", "ann-pw")
    refused("bob", "ann-pw")
    admitted("bob", "bob-pw")
    refused("ann", "bob-pw")
    admitted("ann", "ann-pw")


@test
def a_changed_password():
    """AUTH-38: the old one is good as long as it is kept; the new one is good at once."""
    add("carl", "{PLAIN}old")
    admitted("carl", "old")
    add("carl", "{PLAIN}new")
    admitted("carl", "old")
    admitted("carl", "new")
    refused("carl", "old")
    admitted("carl", "new")


@test
def wrong_guesses_ask_once():
    """AUTH-38."""
    add("dora", "{PLAIN}right")
    admitted("dora", "right")
    for guess in range(4):
        refused("dora", "guess%d" % guess)
    until(lambda: asked("dora") == 2, "two answers")
    admitted("dora", "right")
    refused("dora", "guess")
    until(lambda: asked("dora") == 3, "three answers")


@test
def a_slow_hash_is_compared_once():
    made = subprocess.run(["openssl", "passwd", "-6", "-salt", "saltsaltsaltsalt", "secret"], capture_output=True, text=True)
    if made.returncode:
        raise tap.Skip("no openssl(1)")
    add("emil", "{SHA512-CRYPT}" + made.stdout.strip())
    for _ in range(3):
        admitted("emil", "secret")
    refused("emil", "wrong")
    refused("emil", "wrong")
    admitted("emil", "secret")
    until(lambda: asked("emil") == 2, "two answers")


@test
def fields_are_checked_again():
    add("fay", "{PLAIN}pw", "127.0.0.2")
    client = Imap(cached.imaps, tls=True, source="127.0.0.2")
    contains(client.login("fay", "pw"), "OK")
    client.close()
    refused("fay", "pw")
    until(lambda: asked("fay") == 1, "one answer")


@test
def flushed_by_a_signal():
    """AUTH-39; an unknown user is one until then."""
    refused("gus", "pw")
    add("gus", "{PLAIN}pw")
    refused("gus", "pw")
    os.kill(cached.one("auth"), signal.SIGHUP)
    cached.wait_line(r"SIGHUP received, [1-9][0-9]* cache entries flushed")
    admitted("gus", "pw")


@test
def a_reload_empties_it():
    add("hal", "{PLAIN}one")
    admitted("hal", "one")
    add("hal", "{PLAIN}two")
    admitted("hal", "one")
    cached.reload_and_wait()
    until(lambda: login("hal", "one").startswith("NO [AUTHENTICATIONFAILED]"), "the old password is not kept")
    admitted("hal", "two")


@test
def cached_users_do_not_wait_for_the_database():
    """All workers wait for a locked file, and more logins for them; those whose answers are here go on."""
    add("ida", "{PLAIN}pw")
    admitted("ida", "pw")
    lock = sqlite3.connect(world.path("users.db"), isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    waiting = [Imap(cached.imaps, tls=True) for _ in range(4 * WORKERS)]
    for number, client in enumerate(waiting):
        client.send("w LOGIN slow%d pw\r\n" % number)
    until(lambda: all(said(cached, "slow%d" % n, "cache miss") for n in range(len(waiting))), "all of them ask")
    admitted("ida", "pw")
    answered, _, _ = select.select([c.socket for c in waiting], [], [], 0)
    lock.execute("ROLLBACK")
    lock.close()
    expect(len(answered) < len(waiting), "all the others have been answered before")
    for client in waiting:
        contains(client.answer("w")[1], "NO [")
        client.close()


@test
def the_database_is_down():
    """AUTH-38: what is too old lets users in, and refuses nobody."""
    add("jim", "{PLAIN}pw")
    admitted("jim", "pw", stale)
    admitted("jim", "pw", stale)
    expect(said(stale, "jim", "cache hit") == 0, "nothing is fresh here")
    os.rename(world.path("users.db"), world.path("gone.db"))
    try:
        admitted("jim", "pw", stale)
        until(lambda: said(stale, "jim", "Falling back to expired data from cache") == 1, "the log tells")
        for user, password in (("jim", "wrong"), ("nobody", "pw")):
            contains(login(user, password, stale), "NO [UNAVAILABLE]")
        contains(login("jim", "pw", plain), "NO [UNAVAILABLE]")
    finally:
        os.rename(world.path("gone.db"), world.path("users.db"))
    until(lambda: login("jim", "wrong", stale).startswith("NO [AUTHENTICATIONFAILED]"), "the database answers again", 30)


@test
def sizes():
    """AUTH-34: bytes."""
    conf = world.write("small.conf", 'auth_cache_size = 1023; passdb = ( { driver = "static"; args = "nopassword=y"; } );')
    done = daemon.run("-t", "-c", conf)
    expect(done.returncode != 0, "accepted")
    contains(done.stdout + done.stderr, "at least 1 K (the unit is bytes)")


tap.main(set_up, world.finish, lambda: "\n".join(cached.output().splitlines()[-25:]))
