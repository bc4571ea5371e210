"""TAP for the checks of this folder; sources as (path below the top, lines)."""
import os
import sys

TOP = os.environ.get("POSTERN_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def sources(folder="src"):
    found = []
    for base, _, names in os.walk(os.path.join(TOP, folder)):
        for name in sorted(names):
            if name.endswith((".cc", ".h", ".def")):
                path = os.path.join(base, name)
                with open(path, encoding="utf-8") as file:
                    found.append((os.path.relpath(path, TOP), file.read().splitlines()))
    return sorted(found)


def report(tests):
    """tests: list of (name, complaints); ends the program."""
    print("1..%d" % len(tests))
    for number, (name, complaints) in enumerate(tests, 1):
        print("%s %d - %s" % ("not ok" if complaints else "ok", number, name))
        for complaint in complaints:
            print("# " + complaint)
    sys.exit(1 if any(complaints for _, complaints in tests) else 0)
