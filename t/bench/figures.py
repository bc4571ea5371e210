"""What the parts of `make bench` have in common: CPU time of a tree of processes, and the rows of their tables."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system/lib"))
import world

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def cpu_of(root):
    """Seconds of a process and all below it, those that ended included."""
    total = 0.0
    for pid in [root] + world.descendants(root):
        try:
            for task in os.listdir("/proc/%d/task" % pid):
                total += int(world.read("/proc/%d/task/%s/schedstat" % (pid, task)).split()[0]) / 1e9
            text = world.read("/proc/%d/stat" % pid)
            total += sum(map(int, text[text.rindex(")") + 2:].split()[13:15])) * TICK  # cutime, cstime
        except (OSError, IndexError, ValueError):
            pass
    return total


def run_part(name, missing, measure):
    """A part as a program: `missing` and `measure` are functions; says what is missing and exits 77, or whether all was as it should be."""
    reason = missing()
    if reason:
        print("bench: %s: %s" % (name, reason))
        sys.exit(77)
    good = False
    try:
        good = measure()
    finally:
        world.finish()
    sys.exit(0 if good else 1)


def first_absent(*needs):
    """"no X" for the first (X, whether it is there) that is not; None: all are."""
    return next(("no " + what for what, there in needs if not there), None)


def row(text, ours, peer, ratio, limit, good):
    print("| %s | %.4g | %s | %.3g | %s | %s |" % (text, ours, peer, ratio, limit, "ok" if good else "MISSED"), flush=True)
    return good
