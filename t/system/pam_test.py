#!/usr/bin/env python3
"""passdb pam with stacks of this test's own, and passwd as passdb (AUTH-21)."""
import atexit, os, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from answers import answers
from clients import Imap, Pop3
from tap import Skip, contains, expect, test
from temporary import expect_temporary

PASSWORD = daemon.PASSWORD
FOLDER = "/etc/pam.d"
MODULES = ("/lib/%s-linux-gnu/security" % os.uname().machine, "/usr/lib64/security", "/lib64/security", "/usr/lib/security", "/lib/security")
PREFIX = "postern-test-%d-" % os.getpid()
written = []
proxy = None


def module(name):
    return any(os.path.exists("%s/pam_%s.so" % (m, name)) for m in MODULES)


def service(name, *lines):
    """A stack in libpam's own folder, which is the only one it reads; taken away at the end."""
    path = "%s/%s%s" % (FOLDER, PREFIX, name)
    with open(path, "w") as f:
        f.write("".join(line + "\n" for line in lines))
    written.append(path)
    return PREFIX + name


def clean():
    for path in written:
        os.unlink(path)


atexit.register(clean)


def crypted(password):
    return subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True, check=True).stdout.strip()


def set_up():
    global proxy, backend
    why = daemon.missing()
    if why:
        return why
    if os.geteuid() != 0 or not os.path.isdir(FOLDER):
        return "needs root, for a file in " + FOLDER
    if not module("pwdfile"):
        return "no pam_pwdfile here"
    backend = stub.Stub(stub.imap_server)
    names = ("good", "imap", "sessions", "nosession", "deny", "away", "expired", "newpassword", "unknown", "broken", "says", "retires")
    users = world.write("pam-users", "".join("joe@%s.test:%s\n" % (n, crypted(PASSWORD)) for n in names))
    check = "auth required pam_pwdfile.so pwdfile=%s" % users
    fine = "account required pam_permit.so"
    stacks = {
        "good": (check, fine), "imap": (check, fine), "sessions": (check, fine, "session required pam_permit.so"),
        "nosession": (check, fine, "session required pam_deny.so"),
        "deny": ("auth required pam_deny.so", fine),
        "away": ("auth [default=die] pam_debug.so auth=authinfo_unavail", fine),
        "expired": (check, "account [default=die] pam_debug.so acct=acct_expired"),
        "newpassword": (check, "account [default=die] pam_debug.so acct=new_authtok_reqd"),
        "unknown": ("auth [default=die] pam_debug.so auth=user_unknown", fine),
        "broken": ("auth required pam_that_is_not_there.so", fine),
        "says": ("auth [default=ignore] pam_echo.so Come back tomorrow", "auth required pam_deny.so", fine),
        "retires": (check, fine),
    }
    fields = {"default_fields": " ".join(backend.fields())}
    options = {"sessions": "session=yes setcred=yes ", "nosession": "session=yes ", "says": "failure_show_msg=yes ", "retires": "max_requests=1 cache_key=%u "}
    blocks = []
    for name, lines in stacks.items():
        made = service(name, *lines)
        word = PREFIX + "%s" if name == "imap" else made
        blocks.append({"driver": "pam", "args": options.get(name, "") + word, "username_filter": "*@%s.test" % name, **fields})
    proxy = daemon.Postern("proxy", protocols=["imap", "pop3", "submission", "sieve", "lmtp"], lmtp_proxy=True, auth_username_format="%Lu",
                           auth_internal_failure_delay=0, disable_plaintext_auth=False, auth_debug=True, passdb=tuple(blocks),
                           service={"auth-worker": {"user": "root"}}).start()
    return None


def login(user, password=PASSWORD, port=None):
    client = Imap(port or proxy.imap)
    answer = client.login(user, password)
    client.close()
    return answer


right, wrong, temporary = answers(login, lambda line: proxy.wait_line(line))


@test
def a_right_and_a_wrong_password():
    right("joe@good.test")
    wrong("joe@good.test", "wrong")
    wrong("joe@good.test", "x" * 600)  # longer than modules take
    wrong("nobody@good.test")
    wrong("joe@deny.test")


@test
def the_service_is_a_template():
    right("joe@imap.test")
    expect(Pop3(proxy.pop3).login("joe@imap.test").startswith("-ERR"), "there is no stack of the name with pop3")


@test
def sessions_and_credentials():
    right("joe@sessions.test")
    temporary("joe@nosession.test", "pam_open_session")


@test
def accounts():
    """AUTH-21: what the account modules say counts after a right password only."""
    for user in ("joe@expired.test", "joe@newpassword.test"):
        contains(login(user), "NO [EXPIRED]")
        wrong(user, "wrong")
    wrong("joe@unknown.test")


@test
def what_pam_says_goes_to_the_client():
    contains(login("joe@says.test"), "Come back tomorrow")


@test
def a_stack_that_cannot_tell_is_a_temporary_failure_everywhere():
    temporary("joe@broken.test", "pam_authenticate")
    user = "joe@away.test"
    temporary(user, "pam_authenticate")
    expect_temporary(proxy, user)


@test
def a_worker_retires_after_its_requests():
    workers = set()
    for _ in range(3):
        right("joe@retires.test")
        workers |= set(proxy.processes("auth-worker"))
    expect(len(workers) >= 3, "the same worker: %s" % workers)


@test
def the_systems_own_users():
    """passwd and shadow, in a mount namespace with files of the test's."""
    passwd = world.write("passwd", world.read("/etc/passwd") + "postjoe:x:12345:12345::/nonexistent:/bin/false\npostlocked:x:12346:12346::/nonexistent:/bin/false\n"
                         "postempty:x:12347:12347::/nonexistent:/bin/false\n")
    shadow = world.write("shadow", "postjoe:%s:19000:0:99999:7:::\npostlocked:!%s:19000:0:99999:7:::\npostempty::19000:0:99999:7:::\n" % ((crypted(PASSWORD),) * 2), 0o600)
    mounts = "mount --bind %s /etc/passwd && mount --bind %s /etc/shadow" % (passwd, shadow)
    if subprocess.run(["unshare", "-m", "sh", "-c", mounts], capture_output=True).returncode:
        raise Skip("no mounts here")
    for driver, user in (("passwd", "root"), ("shadow", "root"), ("passwd", daemon.INTERNAL_USER)):
        other = daemon.Postern("own-" + driver + user, passdb=({"driver": driver, "default_fields": " ".join(backend.fields())},), disable_plaintext_auth=False,
                               auth_internal_failure_delay=0, service={"auth-worker": {"user": user}})
        other.start(["unshare", "-m", "sh", "-c", mounts + ' && exec "$0" "$@"', daemon.binary()])
        answers = [login("postjoe", PASSWORD, other.imap), login("postjoe", "wrong", other.imap), login("postlocked", PASSWORD, other.imap), login("postempty", "", other.imap)]
        other.stop()
        if user != "root":
            expect(all(a.startswith("NO [UNAVAILABLE]") for a in answers), answers)
            contains(other.output(), "service.auth-worker.user must be root")
            continue
        expect(answers[0].startswith("OK"), answers)
        expect(all(a.startswith("NO [AUTHENTICATIONFAILED]") for a in answers[1:]), answers)


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
