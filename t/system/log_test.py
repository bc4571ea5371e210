#!/usr/bin/env python3
"""Log sinks: files, reopening, a full disk, standard error, JSON."""
import json, os, re, signal, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import session
from tap import Skip, expect, test, until

mounted = []


def set_up():
    global backend
    why = daemon.missing()
    if why:
        return why
    backend = stub.Stub(stub.imap_server)
    return None


def make(name, **settings):
    return daemon.Postern(name, {"alice": backend.fields()}, **settings)


def login(postern):
    client = session(postern.imaps, "alice")
    client.command("LOGOUT")
    client.close()


@test
def a_file_and_its_framing():
    postern = make("file").start()
    login(postern)
    postern.wait_line(r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d imap-login: Info: .*user=<alice>")
    postern.stop()


# LOG-1
@test
def text_and_elements_as_login_log_format_says():
    postern = make("format", login_log_format="<%s> 100%% %$", login_log_format_elements="user=<%u> port=%a").start()
    login(postern)
    elements = "imap-login: Info: <user=<alice>, port=%d> 100%% proxy" % postern.imaps
    postern.wait_line(re.escape(elements) + r"\(alice,.*\): Started proxying")
    postern.wait_line(re.escape(elements) + r"\(alice,.*\): Disconnected by")
    postern.stop()


@test
def reopened_at_usr1():
    postern = make("reopen").start()
    login(postern)
    postern.wait_line("user=<alice>")
    os.rename(postern.log, postern.log + ".1")
    daemon.adapter.hand_over(postern.log)
    postern.signal(signal.SIGUSR1)

    def in_new_file():
        login(postern)
        return postern.lines("user=<alice>")
    until(in_new_file, "lines in the new file")
    size = os.path.getsize(postern.log + ".1")
    login(postern)
    postern.wait_line("user=<alice>")
    expect(os.path.getsize(postern.log + ".1") == size, "nothing more in the old one")
    postern.stop()


@test
def standard_error():
    postern = make("stderr", log_path="/dev/stderr").start()
    login(postern)
    until(lambda: "user=<alice>" in world.read(postern.folder + "/out"), "lines on standard error")
    postern.stop()


@test
def json_lines():
    postern = make("json", log_format="json").start()
    login(postern)
    line = postern.wait_line('"event": ?"proxy_start"|proxy_start')
    entry = json.loads(line)
    expect(entry["user"] == "alice" and entry["service"] == "imap-login" and entry["level"] == "info", entry)
    expect(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", entry["ts"]), entry["ts"])
    end = json.loads(postern.wait_line('"event": ?"proxy_end"'))
    facts = ("user", "session", "rip", "rport", "lip", "lport", "host")
    expect(end["user"] == "alice" and all(end[f] == entry[f] and end[f] for f in facts), (entry, end))
    expect(int(end["in"]) > 0 and int(end["out"]) > 0, end)
    for line in world.read(postern.log).splitlines():
        json.loads(line)
    postern.stop()


def lives_with(postern):
    """Sessions and logins go on although no line can be written."""
    postern.start()
    witness = session(postern.imaps, "alice")
    for _ in range(100):
        login(postern)
    expect(witness.alive(), "the session goes on")
    return witness


@test
def a_device_that_is_full():
    postern = make("devfull", log_path="/dev/full")
    witness = lives_with(postern)
    expect(witness.alive(), "the session goes on")
    witness.close()
    expect(postern.stop() == 0, "and it ends well")


@test
def a_disk_that_is_full_and_then_is_not():
    folder = world.folder("small")
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16k,mode=0777", "tmpfs", folder], capture_output=True).returncode:
        raise Skip("cannot mount a small disk")
    mounted.append(folder)
    postern = make("diskfull", log_path=folder + "/log", auth_debug=True)
    postern.log = folder + "/log"
    daemon.adapter.hand_over(postern.log)
    witness = lives_with(postern)

    def filled():
        login(postern)
        return os.statvfs(folder).f_bavail == 0
    until(filled, "the disk is full", 60)
    for _ in range(20):
        login(postern)
    expect(witness.alive(), "the session goes on")
    os.truncate(postern.log, 0)  # somebody makes room

    def logs_again():
        login(postern)
        return postern.lines("user=<alice>")
    until(logs_again, "lines again when there is room", 20)
    witness.close()
    expect(postern.stop() == 0, "and it ends well")


@test
def a_folder_that_is_missing():
    postern = make("nofolder", log_path=world.path("no/such/folder/log"))
    done = daemon.run("-F", "-c", postern.conf)
    expect(done.returncode in (73, 78), "exit %d" % done.returncode)
    expect("no/such/folder/log" in done.stderr, done.stderr)


def finish():
    world.finish()
    for folder in mounted:
        subprocess.run(["umount", folder], check=False)


tap.main(set_up, finish)
