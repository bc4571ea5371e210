#!/usr/bin/env python3
"""The LMTP part of `make bench`: Postfix's smtp-source brings mail to a backend, directly and through Postern, in turn; prints
ratios and what they should be. Backends are Postfix's smtp-sink and a real Dovecot. Says what is missing and exits 77.

BENCH_RUNS: how often each is measured (5). BENCH_SECONDS: about how long each time (2)."""
import os, pwd, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../system/lib")]
import daemon, dovecot, postfix, world
from figures import TICK, cpu_of, first_absent, row, run_part
from tap import until

RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
SESSIONS, SIZE, LARGE = 20, 10 << 10, 50 << 20
NOBODY = pwd.getpwnam("nobody").pw_name
SOURCE, SINK = postfix.tool("smtp-source"), postfix.tool("smtp-sink")

# How smtp-source connects, in words and options.
MANNERS = (("a connection each", []), ("connections kept", ["-d"]))
THROUGHPUT, CPU, MEMORY = 0.80, 1.0, 4096


def missing():
    return first_absent(("postern (POSTERN names it)", not daemon.missing()), ("smtp-source and smtp-sink (package postfix)", all(map(os.path.exists, (SOURCE, SINK)))))


# --- backends ---------------------------------------------------------------------------

class Sink:
    """Throws mail away."""
    name = "smtp-sink"

    def __init__(self):
        self.lmtp = world.free_port()

    def start(self):
        as_who = ["-u", NOBODY] if os.geteuid() == 0 else []
        world.spawn([SINK, "-L", *as_who, "127.0.0.1:%d" % self.lmtp, "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: world.listening(self.lmtp), "smtp-sink listens")
        return self

    def empty(self):
        pass


class Store(dovecot.Dovecot):
    """Stores mail without waiting for the disk, whose moods are not what is measured."""
    name = "dovecot"

    def __init__(self):
        super().__init__("dovecot", ["user"])

    def services(self):
        return super().services() + "mail_fsync = never\n"

    def empty(self):
        box = self.maildir("user") + "/new"
        for file in os.listdir(box):
            os.unlink(box + "/" + file)


def backends():
    out = [Sink().start()]
    if dovecot.lmtp_missing():
        print("bench: %s: left out" % dovecot.lmtp_missing())
    else:
        out.append(Store().start())
    return out


def postern(all_backends):
    users = {"user@%s.test" % b.name: ["proxy=y", "host=127.0.0.1", "port=%d" % b.lmtp, "protocol=lmtp"] for b in all_backends}
    proxy = daemon.Postern("postern", users, protocols=["lmtp"], lmtp_proxy=True)
    proxy.set(service={"lmtp": {"inet_listener": {"lmtp": {"port": proxy.lmtp}}, "process_min_avail": 2, "process_limit": 2, "service_count": 0, "client_limit": 1000}})
    proxy.start()
    until(lambda: world.listening(proxy.lmtp), "Postern listens")
    return proxy


# --- figures ----------------------------------------------------------------------------

def bring(port, recipient, count, *more, size=SIZE, sessions=SESSIONS):
    """Seconds that it took."""
    begin = time.monotonic()
    done = subprocess.run([SOURCE, "-L", "-s", str(sessions), "-m", str(count), "-l", str(size), "-f", "sender@far.test", "-t", recipient, *more,
                           "inet:127.0.0.1:%d" % port], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError("smtp-source: " + (done.stdout + done.stderr)[-500:])
    return time.monotonic() - begin


def busy_cpu():
    """Seconds that all processors worked so far."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq = map(int, f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) * TICK


def one_run(proxy, backend, options, count):
    """(messages/s direct, messages/s through, system CPU direct, Postern's CPU), the last two in us per message."""
    recipient = "user@%s.test" % backend.name
    busy = busy_cpu()
    direct = bring(backend.lmtp, recipient, count, *options)
    busy = busy_cpu() - busy
    backend.empty()
    ours = cpu_of(proxy.process.pid)
    through = bring(proxy.lmtp, recipient, count, *options)
    ours = cpu_of(proxy.process.pid) - ours
    backend.empty()
    return count / direct, count / through, busy / count * 1e6, ours / count * 1e6


def medians(proxy, backend, options):
    recipient = "user@%s.test" % backend.name
    for port in (backend.lmtp, proxy.lmtp):  # warm
        seconds = bring(port, recipient, 500, *options)
    count = max(500, int(SECONDS * 500 / seconds))
    return [statistics.median(column) for column in zip(*(one_run(proxy, backend, options, count) for _ in range(RUNS)))]


def growth(proxy, backend):
    """KiB by which the largest worker grew for one large message."""
    pids = proxy.processes("login")
    before = {}
    for pid in pids:
        with open("/proc/%d/clear_refs" % pid, "w") as f:
            f.write("5")  # its peak is what it has now
        before[pid] = int(world.status_of(pid)["VmHWM"].split()[0])
    bring(proxy.lmtp, "user@%s.test" % backend.name, 1, size=LARGE, sessions=1)
    return max(int(world.status_of(pid)["VmHWM"].split()[0]) - before[pid] for pid in pids)


# --- the table ---------------------------------------------------------------------------

def report(proxy, all_backends):
    print("\n| LMTP | Postern | direct | ratio | limit | |\n|---|---|---|---|---|---|", flush=True)
    good = True
    for backend in all_backends:
        for words, options in MANNERS:
            direct, through, busy, ours = medians(proxy, backend, options)
            what = "%s, %s" % (backend.name, words)
            good &= row("messages/s, " + what, through, "%.4g" % direct, through / direct, ">= %.2f" % THROUGHPUT, through / direct >= THROUGHPUT)
            good &= row("CPU us/message, " + what, ours, "whole system %.4g" % busy, ours / busy, "<= %.2f" % CPU, ours / busy <= CPU)
    grown = growth(proxy, all_backends[0])
    good &= row("growth for a message of %d MiB, KiB" % (LARGE >> 20), grown, "", grown, "<= %d" % MEMORY, grown <= MEMORY)
    return good


def measure():
    all_backends = backends()
    return report(postern(all_backends), all_backends)


run_part("LMTP", missing, measure)
