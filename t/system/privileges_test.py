#!/usr/bin/env python3
"""What the processes may do: as root they give it up, without root everything else still works."""
import os, pwd, shutil, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import session
from tap import Skip, expect, test

proxy = None


def set_up():
    global backend
    why = daemon.missing()
    if why:
        return why
    backend = stub.Stub(stub.imap_server)
    return None


def as_root():
    global proxy
    if os.geteuid() != 0:
        raise Skip("needs root")
    if proxy is None:
        proxy = daemon.Postern("root", {"alice": backend.fields()}).start()
    return proxy


def ids(pid, what="Uid"):
    return set(world.status_of(pid)[what].split())


@test
def login_workers_are_jailed():
    postern = as_root()
    client = session(postern.imaps, "alice")
    workers = postern.processes("login")
    expect(daemon.holder(client, workers), "a login worker holds the session")
    wanted = pwd.getpwnam(daemon.LOGIN_USER)
    for pid in workers:
        status = world.status_of(pid)
        expect(ids(pid) == {str(wanted.pw_uid)}, "uid: " + status["Uid"])
        expect(ids(pid, "Gid") == {str(wanted.pw_gid)}, "gid: " + status["Gid"])
        expect(set(status["Groups"].split()) <= {str(wanted.pw_gid)}, "groups: " + status["Groups"])
        expect(status["NoNewPrivs"] == "1", "no_new_privs")
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            expect(int(status[kind], 16) == 0, "%s: %s" % (kind, status[kind]))
        root = os.readlink("/proc/%d/root" % pid)
        expect(root == postern.folder + "/run/login", "root: " + root)
        expect(os.listdir("/proc/%d/root" % pid) == [], "the jail is empty")
    client.close()


@test
def login_workers_hold_no_file():
    for pid in as_root().processes("login"):
        for fd in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            expect(not target.startswith(("/etc", "/home", "/root", world.FOLDER)), "open: " + target)


@test
def the_others_have_the_internal_user():
    wanted = pwd.getpwnam(daemon.INTERNAL_USER)
    for role in ("auth", "log"):
        pid = as_root().one(role)
        expect(ids(pid) == {str(wanted.pw_uid)}, "%s: %s" % (role, world.status_of(pid)["Uid"]))
        expect(world.status_of(pid)["NoNewPrivs"] == "1", role + ": no_new_privs")
        expect(int(world.status_of(pid)["CapEff"], 16) == 0, role + ": capabilities")


@test
def a_worker_per_connection_is_jailed_too():
    as_root()
    postern = daemon.Postern("one", {"alice": backend.fields()})
    postern.set(service={"imap-login": {"service_count": 1, "client_limit": 1, "process_min_avail": 1}})
    postern.start()
    client = session(postern.imaps, "alice")
    pid = daemon.holder(client, postern.processes("login"))
    expect(pid is not None, "a login worker holds the session")
    expect(ids(pid) == {str(pwd.getpwnam(daemon.LOGIN_USER).pw_uid)}, world.status_of(pid)["Uid"])
    expect(os.readlink("/proc/%d/root" % pid) == postern.folder + "/run/login", "its root")
    client.close()
    postern.stop()


@test
def nothing_listens_on_more_than_asked():
    postern = as_root()
    for pid in [postern.process.pid] + world.descendants(postern.process.pid):
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            except OSError:
                continue
            expect("/users" not in target, "%s keeps %s open" % (world.stat_of(pid)[0], target))


def own_copy():
    """The programs where another user can run them."""
    folder = world.folder("copy")
    source = daemon.adapter.libexec_dir(daemon.binary())
    if not source:
        raise Skip("libexec_dir unknown")
    for file in [daemon.binary()] + [os.path.join(source, "postern-" + role) for role in daemon.ROLES]:
        shutil.copy(file, folder)
        os.chmod(os.path.join(folder, os.path.basename(file)), 0o755)
    return folder


@test
def without_root():
    folder = own_copy()
    postern = daemon.Postern("unprivileged", {"alice": backend.fields()}, libexec_dir=folder)
    argv = [folder + "/postern"]
    me = os.geteuid()
    if me == 0:
        if not shutil.which("setpriv"):
            raise Skip("no setpriv here")
        user = pwd.getpwnam("nobody")
        me = user.pw_uid
        os.makedirs(postern.folder + "/run")
        for name in ("", "/run", "/log"):
            os.chown(postern.folder + name, user.pw_uid, user.pw_gid)
        os.chmod(world.certificates()[2], 0o644)
        argv = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"] + argv
    postern.start(argv)
    client = session(postern.imaps, "alice")
    expect(client.alive(), "the session works")
    for role in ("login", "auth", "log"):
        for pid in postern.processes(role):
            expect(ids(pid) == {str(me)}, "%s: %s" % (role, world.status_of(pid)["Uid"]))
            expect(world.status_of(pid)["NoNewPrivs"] == "1", role + ": no_new_privs")
    warnings = [line for line in postern.output().splitlines() if "Warning" in line and "root" in line]
    expect(len(warnings) == 1, "one warning says what is missing: %r" % warnings)
    client.close()
    expect(postern.stop() == 0, "it ends well")


@test
def without_root_a_low_port_is_refused_with_the_remedy():
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        raise Skip("no setpriv here")
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
            if int(f.read()) <= 143:
                raise Skip("low ports are open to everybody here")
    except OSError:
        pass
    folder = own_copy()
    postern = daemon.Postern("lowport", {"alice": backend.fields()}, libexec_dir=folder)
    postern.set(service={"imap-login": {"inet_listener": {"imap": {"port": 143, "address": ["127.0.0.77"]}}}})
    argv = [folder + "/postern", "-F", "-c", postern.conf]
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.makedirs(postern.folder + "/run")
        for name in ("", "/run", "/log"):
            os.chown(postern.folder + name, user.pw_uid, user.pw_gid)
        argv = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups", "--inh-caps=-all",
                "--bounding-set=-all"] + argv
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    text = done.stderr + postern.output()
    expect(done.returncode == 71, "exit %d: %s" % (done.returncode, text))
    expect("CAP_NET_BIND_SERVICE" in text, text)


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
