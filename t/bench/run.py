#!/usr/bin/env python3
"""`make bench`: Postern beside its peers, in one run on one machine; prints ratios and what they should be.

The load generator and the peers' configurations are not part of this repository: BENCH_DIR names their folder
(default ../shared/bench beside the checkout). Without them this says what is missing and exits 77."""
import json, os, shutil, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BENCH = os.environ.get("BENCH_DIR") or os.path.join(TOP, "../shared/bench")
WORK = os.environ.get("MLB_DIR", "/tmp/postern-bench")
ROWS = os.environ.get("MLB_OUT", WORK + "/results.jsonl")
RUNS = os.environ.get("BENCH_RUNS", "3")
ADAPTER = os.path.join(HERE, "../adapters/postern.py")

# peer -> its program
PEERS = {"dovecot-hp": "dovecot", "dovecot-hs": "dovecot", "nginx": "nginx", "haproxy": "haproxy"}

# What is measured: arguments of measure.py, and who takes part.
MEASUREMENTS = (
    (["logins", "--scen", "imap,imaps-ec", "--secs", "3"], ("dovecot-hp", "nginx", "haproxy", "postern")),
    (["logins", "--scen", "imap", "--secs", "3", "--label=-hs"], ("dovecot-hs", "postern-hs")),
    (["logins", "--scen", "imaps-ec", "--secs", "3", "--c", "1"], ("haproxy", "postern")),
    (["relay", "--scen", "bulk,bulk-tls,upload,upload-tls", "--secs", "2.5"], ("haproxy", "postern")),
    (["memory", "--n", "5000", "--runs", "1"], ("dovecot-hp", "nginx", "haproxy", "postern")),
)

# What must hold: text, kind, scenario, figure, who, divided by whom (or nobody), limit.
TARGETS = (
    ("CPU per plain IMAP login", "logins", "imap", "cpu_us", "postern", "nginx", 1.0),
    ("CPU per plain IMAP login", "logins", "imap", "cpu_us", "postern", "dovecot-hp", 0.5),
    ("the same, service_count = 1", "logins", "imap-hs", "cpu_us", "postern-hs", "dovecot-hs", 0.1),
    ("CPU per IMAPS login, P-256", "logins", "imaps-ec", "cpu_us", "postern", "nginx", 1.0),
    ("idle plain session, KiB", "memory", "plain", "pss_kib_sess", "postern", None, 1.0),
    ("idle TLS session, KiB", "memory", "tls", "pss_kib_sess", "postern", None, 16.0),
    ("CPU per GB to the client, plain", "relay", "bulk", "cpu_s_gb", "postern", "haproxy", 1.1),
    ("CPU per GB to the client, TLS", "relay", "bulk-tls", "cpu_s_gb", "postern", "haproxy", 1.1),
    ("CPU per GB from the client, plain", "relay", "upload", "cpu_s_gb", "postern", "haproxy", 1.1),
    ("CPU per GB from the client, TLS", "relay", "upload-tls", "cpu_s_gb", "postern", "haproxy", 1.1),
    ("one IMAPS login at a time, p50 us", "logins", "imaps-ec@c1t1", "p50", "postern", "haproxy", 1.5),
)


def missing():
    if not os.path.exists(BENCH + "/measure.py"):
        return "no measure.py in %s (BENCH_DIR names another folder)" % BENCH
    if os.geteuid() != 0:
        return "root is needed: the stub backend has the protocols' own ports on 127.0.0.2"
    if not shutil.which("g++"):
        return "no g++ for the load generator"
    return None


def installed(name):
    program = PEERS.get(name)
    return program is None or shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


def measure(arguments, names):
    names = [n for n in names if installed(n)]
    if "--runs" not in arguments:
        arguments = arguments + ["--runs", RUNS]
    environment = dict(os.environ, POSTERN_ADAPTER=ADAPTER, MLB_DIR=WORK, MLB_OUT=ROWS)
    done = subprocess.run([sys.executable, BENCH + "/measure.py", *arguments, "--proxies", ",".join(names)], env=environment)
    if done.returncode:
        print("bench: measure.py %s ended with %d" % (arguments[0], done.returncode))


def figures():
    """(kind, scenario, peer) -> rows."""
    rows = {}
    with open(ROWS) as f:
        for row in map(json.loads, f):
            rows.setdefault((row["kind"], row["scen"], row["proxy"]), []).append(row)
    return rows


def median(rows, kind, scenario, name, figure):
    values = [r[figure] for r in rows.get((kind, scenario, name), []) if r.get(figure) is not None]
    return statistics.median(values) if values else None


def report(rows):
    """The table of ratios; whether all hold."""
    print("\n| figure | %s | peer | ratio | at most | |\n|---|---|---|---|---|---|" % "Postern")
    good = True
    for text, kind, scenario, figure, ours, peer, limit in TARGETS:
        mine = median(rows, kind, scenario, ours, figure)
        theirs = 1.0 if peer is None else median(rows, kind, scenario, peer, figure)
        if mine is None or not theirs:
            print("| %s | %s | %s | not measured | %s | |" % (text, mine, peer or "", limit))
            continue
        ratio = mine / theirs
        good = good and ratio <= limit
        print("| %s | %.4g | %s | %.3g | %.3g | %s |" % (
            text, mine, "" if peer is None else "%s %.4g" % (peer, theirs), ratio, limit, "ok" if ratio <= limit else "MISSED"))
    return good


def main():
    reason = missing()
    if reason:
        print("bench: " + reason)
        sys.exit(77)
    os.makedirs(WORK, exist_ok=True)
    os.chmod(WORK, 0o755)
    for name in PEERS:
        if not installed(name):
            print("bench: %s is not installed and left out" % PEERS[name])
    if os.path.exists(ROWS):
        os.rename(ROWS, ROWS + ".old")
    for arguments, names in MEASUREMENTS:
        measure(list(arguments), names)
    sys.exit(0 if report(figures()) else 1)


main()
