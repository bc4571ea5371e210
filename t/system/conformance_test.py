#!/usr/bin/env python3
"""Dialogues recorded from Dovecot 2.3, one test per case. They are not part of the source tree: their folder is
CONFORMANCE_DIR, or ../shared/conformance beside it; without it there is nothing to run. Cases that
t/adapters/DIFFERENCES.md lists must differ, all others must not."""
import collections, fcntl, fnmatch, os, re, shutil, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, tap, world
from tap import Skip, expect

SOURCE = os.environ.get("POSTERN_SRCDIR", ".")
ADAPTERS = os.path.join(SOURCE, "t/adapters")
CASES = os.environ.get("CONFORMANCE_DIR") or os.path.join(SOURCE, "../shared/conformance")
PROTOCOLS = ("imap", "pop3", "submission", "sieve", "lmtp")
MOST_DIFFERENCES, MOST_REPEATED = 10, 5

Verdict = collections.namedtuple("Verdict", "word note")


def differences():
    """{case or pattern: reason} of the table."""
    rows = re.findall(r"^\| *`([^`]+)` *\|(.*)\|\s*$", world.read(os.path.join(ADAPTERS, "DIFFERENCES.md")), re.M)
    return {case: reason.strip() for case, reason in rows}


def listed(case):
    return next((row for row in differences() if fnmatch.fnmatch(case, row)), None)


def run_cases(*only):
    """What the runner says of each case ({case: Verdict}), and all that it said."""
    environment = dict(os.environ, CONF_ID_AFTER_TLS="1", CONF_RESULTS=world.folder("results"), POSTERN=daemon.binary(),
                       POSTERN_ADAPTER=os.path.abspath(os.path.join(ADAPTERS, "postern.py")), PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run([sys.executable, CASES + "/run.py", "--proxy", "postern", *only], env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    found = re.findall(r"^(PASS|FAIL|SKIP) (\S+) +\S+ +(\S+)(?:  \((.*)\))?$", done.stdout, re.M)
    return {case: Verdict(word, note) for word, protocol, case, note in found if protocol in PROTOCOLS}, done.stdout


def settled():
    """run_cases(); a few that differ get two more chances: some measure whole seconds against fractions of one, and
    depend on where within a second they begin. The runner has folders of its own below /tmp: one runs at a time."""
    with open(CASES + "/run.py") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        verdicts, output = run_cases()
        for _ in range(2):
            again = [case for case, verdict in verdicts.items() if verdict.word == "FAIL" and not listed(case)]
            if not 0 < len(again) <= MOST_REPEATED:
                break
            verdicts.update(run_cases("--only", ",".join(again))[0])
    return verdicts, output


def shown(case):
    """How it differs, as the runner wrote it."""
    text = world.read(world.path("results/postern-diffs.txt"))
    return text[text.index("=== %s\n" % case):].split("\n\n")[0] if "=== %s\n" % case in text else ""


def add(name, check):
    check.__name__ = name
    tap.test(check)


def add_case(case, verdict):
    def check():
        if verdict.word == "SKIP":
            raise Skip(verdict.note)
        if listed(case):
            expect(verdict.word == "FAIL", "listed but agrees")
        else:
            expect(verdict.word == "PASS", "differs in %s\n%s" % (verdict.note, shown(case)))
    add(case + (" # differs on purpose" if listed(case) and verdict.word == "FAIL" else ""), check)


def set_up():
    why = daemon.missing()
    if why or not os.path.exists(CASES + "/run.py"):
        return why or "no recorded cases here (CONFORMANCE_DIR names their folder)"
    if os.geteuid() or not shutil.which("unshare"):
        return "a private network takes root and unshare"
    verdicts, output = settled()

    def complete():
        expect(len(verdicts) > 100, "the runner ended early:\n" + output[-3000:])
        unknown = [row for row in differences() if not fnmatch.filter(verdicts, row)]
        expect(not unknown and len(differences()) <= MOST_DIFFERENCES, "no such cases, or too many: %s" % unknown)
    add("the cases ran, and the table of differences names some of them", complete)
    for case, verdict in verdicts.items():
        add_case(case, verdict)
    return None


tap.main(set_up, world.finish)
