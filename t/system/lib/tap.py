"""Tests of a script: functions marked with @test run in order and print TAP."""
import sys, time, traceback

TESTS = []


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def test(function):
    TESTS.append(function)
    return function


def until(condition, what, seconds=10):
    """Waits for something that becomes true by itself; its value. The only way to wait in these tests."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %s s: %s" % (seconds, what))
        time.sleep(0.02)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def contains(text, part):
    expect(part in text, "%r is not in %r" % (part, text))


def comment(text):
    for line in str(text).splitlines():
        print("#   " + line)


def run_one(number, function, on_failure):
    name = function.__name__.replace("_", " ")
    try:
        function()
        print("ok %d - %s" % (number, name))
    except Skip as reason:
        print("ok %d - %s # SKIP %s" % (number, name, reason))
    except Exception as error:  # a TAP line for whatever went wrong
        print("not ok %d - %s" % (number, name))
        comment("".join(traceback.format_exception(error)[-3:]))
        comment(on_failure())
        return False
    finally:
        sys.stdout.flush()
    return True


def main(needs=lambda: None, finish=lambda: None, on_failure=lambda: ""):
    """`needs` says why nothing can run here (or nothing), `finish` ends what is still running."""
    reason = needs()
    if reason:
        print("1..0 # SKIP %s" % reason)
        return
    wanted = sys.argv[1:]
    tests = [t for t in TESTS if not wanted or t.__name__ in wanted]
    print("1..%d" % len(tests), flush=True)
    good = True
    try:
        for number, function in enumerate(tests, 1):
            good = run_one(number, function, on_failure) and good
    finally:
        finish()
    sys.exit(0 if good else 1)
