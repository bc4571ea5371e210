#!/usr/bin/env python3
"""login_source_ips without a free port left (ALG-40): in a network namespace of its own, where there are few."""
import os, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import Imap
from tap import expect, test, until

PORTS = 8  # for each source and destination
SOURCE, OTHER_SOURCE = "127.0.0.2", "127.0.0.3"
INSIDE = "POSTERN_TEST_NAMESPACE"
clients = []


def enter_namespace():
    """Runs this program again, in a namespace; returns where there can be none."""
    probe = ["unshare", "--net", "true"]
    try:
        if subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
            return "no network namespaces here"
    except FileNotFoundError:
        return "no unshare here"
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, os.path.abspath(__file__), *sys.argv[1:]])


def set_up():
    global backend, other, proxy
    why = daemon.missing() or (None if INSIDE in os.environ else enter_namespace())
    if why:
        return why
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    backend, other = stub.Stub(stub.imap_server), stub.Stub(stub.imap_server)
    taken = {backend.port, other.port}  # not in the range
    first = next(p for p in (40000, 41000, 42000) if not taken & set(range(p, p + PORTS)))
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
        f.write("%d %d" % (first, first + PORTS - 1))
    users = {"ann": backend.fields(), "bob": other.fields(), "eve": backend.fields("source_ip=" + OTHER_SOURCE)}
    one = {"imap-login": {"service_count": 0, "process_min_avail": 1, "process_limit": 1}}
    proxy = daemon.Postern("proxy", users, login_source_ips=[SOURCE], disable_plaintext_auth=False, ssl="yes", service=one,
                           login_proxy_max_disconnect_delay=0).start()
    return None


def connect():
    """From a port outside the range, which is the daemon's."""
    client = Imap(proxy.imap, source_port=world.free_port())
    clients.append(client)
    return client


def login(user):
    return connect().login(user)


def cpu_seconds():
    """What the login processes have used so far."""
    ticks = 0
    for pid in proxy.processes("login"):
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@test
def all_ports_can_be_used():
    for _ in range(PORTS):
        answer = login("ann")
        expect(answer.startswith("OK"), answer)


# A shortage of ours, not of the backend's: no second attempt, which would need a port as well.
@test
def then_a_login_fails_for_now():
    before = cpu_seconds()
    for _ in range(20):
        answer = login("ann")
        expect(answer.startswith("NO [UNAVAILABLE]"), answer)
    lines = until(lambda: (found := proxy.lines("no source address with a free port left, see login_source_ips")) and len(found) >= 20 and found, "a line each")
    for line in lines:
        expect("imap-login: Error: proxy(ann," in line and "reconnects" not in line, line)
    used = cpu_seconds() - before
    expect(used < 2, "20 logins used %.2f s" % used)


@test
def the_backend_is_not_called_dead():
    for user in ("eve", "bob"):
        answer = login(user)
        expect(answer.startswith("OK"), "%s: %s" % (user, answer))
    expect(not proxy.lines("Host is down"), "the backend is up")


@test
def a_port_that_comes_free_is_used():
    backend.connections[0].shutdown(2)
    proxy.wait_line(r"proxy\(ann,.*Disconnected by server")
    until(lambda: login("ann").startswith("OK"), "a login from the free port")
    expect(not proxy.lines("Host is down"), "nobody waited for the backend")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
