#!/usr/bin/env python3
"""The init script and its exit codes (LSB)."""
import os, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, tap, world
from tap import expect, test, until

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../etc/init.d/postern.in")


def set_up():
    global postern, script, pid_file
    if daemon.missing():
        return daemon.missing()
    postern = daemon.Postern("init", {"alice": ["proxy=y", "host=127.0.0.1"]})
    pid_file = postern.folder + "/run/master.pid"
    text = world.read(SOURCE)
    for name in ("sbindir", "sysconfdir", "runstatedir"):
        text = text.replace("@%s@" % name, world.FOLDER)
    script = world.write("postern", text, 0o755)
    world.folder("default")
    world.write("default/postern", "DAEMON=%s\nCONFIG=%s\nPIDFILE=%s\n" % (daemon.binary(), postern.conf, pid_file))
    return None


def call(what, status):
    done = subprocess.run([script, what], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60)
    expect(done.returncode == status, "%s: %d, not %d: %s" % (what, done.returncode, status, done.stdout))


def master():
    return int(world.read(pid_file))


@test
def start_status_reload_restart_stop():
    call("status", 3)
    call("start", 0)
    expect(world.listening(postern.imap), "it listens when start returns")
    call("start", 0)
    call("status", 0)
    call("reload", 0)
    first = master()
    call("restart", 0)
    expect(master() != first and world.listening(postern.imap), "another one")
    call("stop", 0)
    expect(not world.listening(postern.imap), "stopped when stop returns")
    call("stop", 0)
    call("status", 3)


@test
def killed():
    call("start", 0)
    pid = master()
    world.kill(pid)
    until(lambda: not world.running(pid), "it is gone")  # a zombie perhaps: dead is dead
    call("status", 1)
    call("start", 0)
    call("stop", 0)


@test
def wrong_calls():
    call("reload", 7)
    call("nonsense", 2)
    good = world.read(postern.conf)
    call("start", 0)
    world.write("init/postern.conf", good + "no_such_setting = 1;\n")
    call("reload", 6)
    call("restart", 6)
    call("status", 0)  # the running one is left alone
    call("stop", 0)
    call("start", 6)
    world.write("default/postern", "DAEMON=/nowhere/postern\n")
    call("start", 5)


tap.main(set_up, world.finish, lambda: postern.output())
