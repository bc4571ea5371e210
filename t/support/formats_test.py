#!/usr/bin/env python3
"""How the test programs print their results: runs formats_sample in each mode and compares."""
import os, re, subprocess, sys, tempfile
import xml.etree.ElementTree as ElementTree

BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
SAMPLE = os.path.join(BUILD, "t/support/formats_sample")

PASS, FAIL, SKIP, OTHER = "group_one.pass", "group_one.fail", "group_one.skip", "group_two.pass"
STANDARD_OUT = f"""\
[==========] Running 3 test(s).
[ RUN      ] {PASS}
[       OK ] {PASS}
[ RUN      ] {FAIL}
[  FAILED  ] {FAIL}
[ RUN      ] {SKIP}
[  SKIPPED ] {SKIP}
[==========] 3 test(s) run.
[==========] Running 1 test(s).
[ RUN      ] {OTHER}
[       OK ] {OTHER}
[==========] 1 test(s) run.
"""
STANDARD_ERR = f"""\
[  ERROR   ] --- Failed
[  ERROR   ] --- first line]]>
[  ERROR   ] --- second & line
[   LINE   ] --- FILE:N: error: Failure!
[  PASSED  ] 1 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] {SKIP}

 1 SKIPPED TEST(S)
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] {FAIL}

 1 FAILED TEST(S)
[  PASSED  ] 1 test(s).
"""
TAP = f"""\
1..4
ok 1 - {PASS}
not ok 2 - {FAIL}
# Failed
# first line]]>
# second & line
# FILE:N: error: Failure!
ok 3 - {SKIP} # SKIP no database
# not ok - group_one
ok 4 - {OTHER}
# ok - group_two
"""
SUBUNIT = f"""\
test: {PASS}
success: {PASS}
test: {FAIL}
failure: {FAIL} [
Failed
first line]]>
second & line
FILE:N: error: Failure!
]
test: {SKIP}
skip: {SKIP}
test: {OTHER}
success: {OTHER}
"""
XML = f"""\
<?xml version="1.0" encoding="UTF-8" ?>
<testsuites>
  <testsuite name="group_one" time="0.000" tests="3" failures="1" errors="0" skipped="1" >
    <testcase name="{PASS}" time="0.000" >
    </testcase>
    <testcase name="{FAIL}" time="0.000" >
      <failure><![CDATA[Failed
first line]]]]><![CDATA[>
second & line
FILE:N: error: Failure!]]></failure>
    </testcase>
    <testcase name="{SKIP}" time="0.000" >
      <skipped/>
    </testcase>
  </testsuite>
  <testsuite name="group_two" time="0.000" tests="1" failures="0" errors="0" skipped="0" >
    <testcase name="{OTHER}" time="0.000" >
    </testcase>
  </testsuite>
</testsuites>
"""


def run(mode, args=(), **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CMOCKA_")}
    if mode is not None:
        env["CMOCKA_MESSAGE_OUTPUT"] = mode
    return subprocess.run([SAMPLE, *args], env={**env, **more}, capture_output=True, text=True)


def plain(text):
    """Without what differs from build to build."""
    text = re.sub(r"\S*formats_sample\.cc:\d+", "FILE:N", text)
    return re.sub(r'time="\d+\.\d{3}"', 'time="0.000"', text)


def expect(got, want, what):
    if plain(got) != want:
        raise AssertionError("%s:\n%s\nwanted:\n%s" % (what, plain(got), want))


def stdout_only(mode, want):
    result = run(mode)
    expect(result.stdout, want, mode)
    expect(result.stderr, "", mode + " on stderr")
    assert result.returncode == 1, result.returncode


def test_standard_is_the_default():
    for mode in (None, "standard", "Nonsense", ""):
        result = run(mode)
        expect(result.stdout, STANDARD_OUT, "stdout")
        expect(result.stderr, STANDARD_ERR, "stderr")
        assert result.returncode == 1


def test_tap():
    stdout_only("TAP", TAP)
    stdout_only("tap", TAP)


def test_subunit():
    stdout_only("SubUnit", SUBUNIT)


def test_xml_on_stdout():
    stdout_only("XML", XML)
    ElementTree.fromstring(run("XML").stdout.encode())


def test_xml_file_per_group():
    with tempfile.TemporaryDirectory() as folder:
        result = run("XML", CMOCKA_XML_FILE=folder + "/out-%g.xml")
        assert (result.stdout, result.stderr) == ("", "")
        assert sorted(os.listdir(folder)) == ["out-group_one.xml", "out-group_two.xml"]
        suite = ElementTree.parse(folder + "/out-group_one.xml").getroot().find("testsuite")
        assert suite.get("tests") == "3" and suite.get("failures") == "1" and suite.get("skipped") == "1"
        assert suite.find("testcase/failure").text.splitlines()[1] == "first line]]>"


def test_xml_file_is_left_alone():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/out.xml"
        expect(run("XML", CMOCKA_XML_FILE=path).stderr, "", "stderr")
        expect(open(path).read(), XML, "file")
        open(path, "w").write("mine")
        expect(run("XML", CMOCKA_XML_FILE=path).stderr, XML, "stderr")
        assert open(path).read() == "mine"


def test_exit_status_without_failure():
    result = run("TAP", ["--gtest_filter=-*fail"])
    assert result.returncode == 0 and result.stdout.startswith("1..3\n")


def main():
    tests = [(n[5:], f) for n, f in sorted(globals().items()) if n.startswith("test_")]
    print("1..%d" % len(tests))
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, name))
        except Exception as error:
            failed += 1
            print("not ok %d - %s" % (number, name))
            print("".join("# %s\n" % line for line in repr(error).split("\\n")), end="")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
