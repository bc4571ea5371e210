#!/usr/bin/env python3
"""posternctl auth: trials of logins and look-ups, with doveadm's output."""
import json, os, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, tap, world
from daemon import PASSWORD
from tap import contains, expect, test


def set_up():
    global proxy
    why = daemon.missing()
    if why:
        return why
    users = {"joe": ["proxy=y", "host=10.0.0.1", "port=1143", "reason=hello"], "ann": ["userdb_home=/home/ann", "userdb_uid=1000"],
             "inside": ["allow_nets=192.0.2.0/24", "nologin=y"]}
    proxy = daemon.Postern("proxy", users, auth_penalty=True, auth_failure_delay="2 secs", auth_internal_failure_delay="2 secs",
                           userdb=({"driver": "prefetch"},)).start()
    return None


def ctl(*words, **options):
    return subprocess.run([daemon.ctl_binary(), "-c", proxy.conf, *words], capture_output=True, text=True, timeout=30, **options)


@test
def a_right_password():
    out = ctl("auth", "test", "joe", PASSWORD)
    expect(out.stdout == "passdb: joe auth succeeded\nextra fields:\n  user=joe\n  proxy\n  host=10.0.0.1\n  port=1143\n  reason=hello\n", out)
    expect(out.returncode == 0, out)


@test
def a_wrong_password_and_an_unknown_user():
    for user in ("joe", "nobody"):
        out = ctl("auth", "test", user, "wrong")
        contains(out.stdout, "passdb: %s auth failed\nextra fields:\n  user=%s\n" % (user, user))
        expect(out.returncode == 77, out)


@test
def wrong_passwords_count_for_nobody():
    """No penalty: a hundred of them do not make anybody wait."""
    for _ in range(5):
        ctl("auth", "test", "-x", "rip=127.0.0.1", "joe", "wrong")
    contains(ctl("auth", "test", "-x", "rip=127.0.0.1", "joe", PASSWORD).stdout, "succeeded")


@test
def the_password_comes_from_standard_input():
    expect(ctl("auth", "test", "joe", input=PASSWORD + "\n").returncode == 0, "not accepted")


@test
def a_client_can_be_imagined():
    expect(ctl("auth", "test", "inside", PASSWORD).returncode == 77, "without address")
    expect(ctl("auth", "test", "-x", "rip=192.0.2.7", "inside", PASSWORD).returncode == 0, "inside")
    out = ctl("auth", "test", "-x", "rip=nowhere", "inside", PASSWORD)
    expect(out.returncode == 64 and "nowhere" in out.stderr, out)
    out = ctl("auth", "test", "-x", "shoe=42", "inside", PASSWORD)
    expect(out.returncode == 64 and "accepted: service=NAME" in out.stderr, out)


@test
def login_asks_the_userdbs():
    out = ctl("auth", "login", "ann", PASSWORD)
    contains(out.stdout, "userdb fields:\n")
    contains(out.stdout, "  home=/home/ann\n")
    contains(out.stdout, "  uid=1000\n")
    expect(out.returncode == 0, out)


@test
def lookup_needs_no_password():
    out = ctl("auth", "lookup", "joe")
    expect(out.stdout == "passdb: joe\n  user      : joe\n  proxy     : y\n  host      : 10.0.0.1\n  port      : 1143\n  reason    : hello\n", out)
    out = ctl("auth", "lookup", "nobody")
    expect(out.returncode == 67 and "user nobody doesn't exist" in out.stderr, out)


@test
def json_is_one_object():
    out = ctl("--json", "auth", "test", "joe", PASSWORD)
    answer = json.loads(out.stdout)
    expect(answer["result"] == "ok" and answer["passdb"]["host"] == "10.0.0.1" and answer["user"] == "joe", out)


@test
def it_works_after_a_reload_too():
    proxy.reload_and_wait()
    expect(ctl("auth", "test", "joe", PASSWORD).returncode == 0, "not accepted")


@test
def a_broken_database_is_temporary():
    """AUTH-4: never "failed"."""
    os.rename(world.path("proxy/users"), world.path("proxy/users.away"))
    try:
        out = ctl("auth", "test", "joe", PASSWORD)
        expect(out.returncode == 75, out)
        contains(out.stdout, "auth failed temporarily")
        expect(ctl("auth", "lookup", "joe").returncode == 75, "lookup")
    finally:
        os.rename(world.path("proxy/users.away"), world.path("proxy/users"))


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
