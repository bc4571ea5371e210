#!/usr/bin/env python3
"""The authentication part of `make bench`: 2,000 IMAP sessions log in over and over with their users in PostgreSQL, with and
without a cache, at Postern and at a Dovecot with the same database, in turn; and what a slow database does to users whose
answers are kept. Prints rates, p99 and CPU time per login. Says what is missing and exits 77.

BENCH_DIR: the folder of the load generator (default ../shared/bench beside the checkout). BENCH_RUNS: how often each is
measured (5). BENCH_SECONDS: how long each time (3)."""
import json, os, shutil, socket, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../system/lib")]
import daemon, databases, dovecot, world
from figures import cpu_of, first_absent, row, run_part
from tap import until

RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
BENCH = os.environ.get("BENCH_DIR") or os.path.join(HERE, "../../../shared/bench")
SESSIONS, USERS, NAP = 2000, 10000, 5
WORKERS = 30  # for look-ups that block
SLOW = 2 * WORKERS
BACKEND = "127.0.0.2"
CACHE_SIZE = {False: "0", True: "64 M"}
PGSQL = "/usr/lib/dovecot/modules/auth/libdriver_pgsql.so"
KEPT = 0.95  # of the rate of users whose answers are kept, while others' take NAP seconds

# As sites write it; users whose name begins with "slow" wait for their answer.
QUERY = ("SELECT password, host, port, 'Y' AS proxy, 'Y' AS nodelay FROM users WHERE username = '%u' "
         "AND pg_sleep(CASE WHEN '%u' LIKE 'slow%%' THEN " + str(NAP) + " ELSE 0 END) IS NOT NULL")


def missing():
    return first_absent(("postern (POSTERN names it)", not daemon.missing()), ("mailload.cpp in %s (BENCH_DIR)" % BENCH, os.path.exists(BENCH + "/mailload.cpp")),
                        ("g++ for it", shutil.which("g++"))) or databases.PostgreSql.missing()


class Load:
    """The load generator and its backend."""

    def __init__(self):
        self.program = world.path("mailload")
        subprocess.run(["g++", "-O2", "-std=c++20", "-o", self.program, BENCH + "/mailload.cpp", "-lssl", "-lcrypto", "-lpthread"], check=True)
        self.port = world.free_port()
        world.spawn([self.program, "backend", "--listen", "imap=%s:%d" % (BACKEND, self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: world.listening(self.port, BACKEND), "the backend listens")

    def logins(self, port, seconds=SECONDS, sessions=SESSIONS):
        done = subprocess.run([self.program, "logins", "--target", "127.0.0.1:%d" % port, "--proto", "imap", "--c", str(sessions), "--secs", str(seconds),
                               "--users", str(USERS), "--src", "127.0.1.1-127.0.1.8"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        if figures["fail"] > figures["ok"] / 1000:
            raise AssertionError("logins fail: %s" % figures)
        return figures


def fill(database, load):
    database.sql("CREATE TABLE users (username text PRIMARY KEY, password text, host text, port int)")
    rows = "generate_series(0, %d) n" % (USERS - 1)
    database.sql("INSERT INTO users SELECT 'user' || n, '{PLAIN}secret', '%s', %d FROM %s" % (BACKEND, load.port, rows))
    database.sql("INSERT INTO users SELECT 'slow' || n, '{PLAIN}secret', '%s', %d FROM %s" % (BACKEND, load.port, rows))
    database.sql("GRANT SELECT ON users TO %s; ANALYZE users" % databases.USER)


def connect_string(database):
    return "host=127.0.0.1 " + database.connect()


def postern(name, database, cached):
    proxy = daemon.Postern(name, protocols=["imap"], auth_verbose=False, disable_plaintext_auth=False, auth_cache_size=CACHE_SIZE[cached],
                           login_proxy_timeout="30 secs", passdb=(
        {"driver": "sql", "sql_driver": "pgsql", "sql_connect": connect_string(database), "sql_password_query": QUERY},))
    proxy.set(service={"auth-worker": {"process_limit": WORKERS}, "imap-login": {"service_count": 0, "process_min_avail": 2, "process_limit": 2, "client_limit": 4000}})
    return proxy.start()


class Peer:
    """A Dovecot set up for speed, as a proxy only."""

    def __init__(self, name, database, cached):
        self.folder, self.imap = world.folder(name), world.free_port()
        sql = world.write(name + "/sql.conf", "driver = pgsql\nconnect = %s\npassword_query = %s\n" % (connect_string(database), QUERY))
        self.conf = world.write(name + "/dovecot.conf", """base_dir = %(folder)s/run
log_path = %(folder)s/log
state_dir = %(folder)s/state
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = daemon
default_internal_group = daemon
default_login_user = nobody
default_vsz_limit = 1 G
auth_cache_size = %(cache)s
auth_failure_delay = 0
service anvil {
  client_limit = 20000
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  client_limit = 20000
}
service imap-login {
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 4000
  inet_listener imap {
    port = %(port)d
  }
  inet_listener imaps {
    port = 0
  }
}
passdb {
  driver = sql
  args = %(sql)s
}
""" % {"folder": self.folder, "cache": CACHE_SIZE[cached].replace(" ", ""), "port": self.imap, "sql": sql})
        world.folder(name + "/run")
        world.folder(name + "/state")
        self.process = None

    def start(self):
        with open(self.folder + "/out", "ab") as out:
            self.process = world.spawn([dovecot.BINARY, "-F", "-c", self.conf], stdout=out, stderr=out)
        until(lambda: world.listening(self.imap), "Dovecot listens: " + world.read(self.folder + "/out"), 20)
        return self


# --- figures ----------------------------------------------------------------------------

def one_run(proxy, load):
    """(logins/s, p99 in ms, CPU us per login of proxy and auth)."""
    before = cpu_of(proxy.process.pid)
    figures = load.logins(proxy.imap)
    return figures["rate"], figures["p99_us"] / 1000, (cpu_of(proxy.process.pid) - before) / figures["ok"] * 1e6


def in_turn(proxies, load):
    """Medians of one_run for each."""
    for proxy in proxies:
        load.logins(proxy.imap, seconds=2)  # warm: workers are there, answers are kept
    rows = [[one_run(proxy, load) for proxy in proxies] for _ in range(RUNS)]
    return [[statistics.median(column) for column in zip(*(r[i] for r in rows))] for i in range(len(proxies))]


class SlowUsers:
    """Log in at `port` while this is entered; their answers take NAP seconds and come from nowhere else."""

    def __init__(self, port):
        self.port, self.sockets = port, []

    def __enter__(self):
        for n in range(SLOW):
            client = socket.create_connection(("127.0.0.1", self.port))
            client.sendall(b"a LOGIN slow%d%d secret\r\n" % (time.monotonic_ns() % 400, n))
            self.sockets.append(client)

    def __exit__(self, *_):
        for client in self.sockets:
            client.close()


def slow_database(proxy, load):
    """Rates of users whose answers are kept: alone, and beside those who wait for the database, in turn."""
    alone, beside = [], []
    for _ in range(RUNS):
        alone.append(load.logins(proxy.imap)["rate"])
        with SlowUsers(proxy.imap):
            beside.append(load.logins(proxy.imap)["rate"])
        time.sleep(NAP * SLOW / WORKERS)  # all of them were held
    return statistics.median(alone), statistics.median(beside)


def compare(cached, database, load):
    words = "with cache" if cached else "without cache"
    proxies = [postern("postern-" + words.split()[0], database, cached)]
    if dovecot.BINARY and os.path.exists(PGSQL) and dovecot.version() < (2, 4) and os.geteuid() == 0:
        proxies.append(Peer("dovecot-" + words.split()[0], database, cached).start())
    else:
        print("bench: no Dovecot 2.3 with PostgreSQL (dovecot-pgsql, root): left out")
    ours, *peers = in_turn(proxies, load)
    good = True
    for i, (what, better) in enumerate((("logins/s", 1), ("p99 ms", -1), ("CPU us/login", -1))):
        peer = peers[0][i] if peers else float("nan")
        ratio = ours[i] / peer
        fine = not peers or (ratio >= 1 if better > 0 else ratio <= 1)
        good &= row("%s, %s" % (what, words), ours[i], "%.4g" % peer, ratio, ">= 1" if better > 0 else "<= 1", fine)
    if cached:
        alone, beside = slow_database(proxies[0], load)
        good &= row("logins/s from the cache beside answers of %d s" % NAP, beside, "alone %.4g" % alone, beside / alone, ">= %.2f" % KEPT, beside / alone >= KEPT)
    for proxy in proxies:
        world.end(proxy.process)
    return good


def measure():
    load = Load()
    database = databases.PostgreSql("postgres").start()
    fill(database, load)
    print("\n| 2,000 sessions, users in PostgreSQL | Postern | Dovecot | ratio | limit | |\n|---|---|---|---|---|---|", flush=True)
    return all([compare(cached, database, load) for cached in (False, True)])


run_part("auth", missing, measure)
