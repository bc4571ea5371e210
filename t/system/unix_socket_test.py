#!/usr/bin/env python3
"""Listeners in the file system (unix_listener): who may connect, and what becomes of the file in every change of the master."""
import grp, os, pwd, signal, socket, stat, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import Imap
from tap import Skip, contains, expect, test, until

CONFIG = 78
names = iter("p%d" % n for n in range(1000))


def set_up():
    global backend
    why = daemon.missing()
    if why:
        return why
    backend = stub.Stub(stub.imap_server)
    return None


def listen_at(postern, *sockets, **service):
    postern.set(service={"imap-login": {"unix_listener": sockets, **service}})


def fresh(*sockets, **service):
    postern = daemon.Postern(next(names), {"alice": backend.fields()}, protocols=["imap"])
    listen_at(postern, *(sockets or ({"path": "imap-sock", "mode": "0660"},)), **service)
    return postern


def path_of(postern, name="imap-sock"):
    return postern.folder + "/run/" + name


def session(path):
    client = Imap(path)
    answer = client.login("alice")
    expect(answer.startswith("OK"), answer)
    return client


def logs_in(path):
    client = session(path)
    expect(client.alive(), "the session reaches its backend")
    client.close()


def mode_of(path):
    found = os.lstat(path)
    expect(stat.S_ISSOCK(found.st_mode), path + " is a socket")
    return found.st_mode & 0o7777


def fails(postern, *parts):
    """A start that comes to nothing; its exit status."""
    postern.start(wait=False)
    status = postern.process.wait(20)
    expect(status != 0, "postern started")
    for part in parts:
        contains(postern.output(), part)
    return status


@test
def a_login_without_tls():
    """Nobody listens in between: a password in the clear is fine. There are no addresses to log."""
    postern = fresh().start()
    expect(mode_of(path_of(postern)) == 0o660, "mode")
    client = session(path_of(postern))
    line = postern.wait_line("proxy\\(alice.*Started proxying")
    contains(line, "method=PLAIN, secured, session=<")
    contains(postern.ctl("who"), "alice")
    client.close()
    postern.wait_line("proxy\\(alice.*Disconnected by client")
    expect(postern.stop() == 0, "clean end")


@test
def a_client_there_is_trusted_with_nothing():
    """What only login_trusted_networks may say is not believed."""
    postern = fresh()
    postern.set(login_trusted_networks=["0.0.0.0/0", "::/0"])
    postern.start()
    client = Imap(path_of(postern))
    client.command('ID ("x-originating-ip" "192.0.2.77" "x-session-id" "forged")')
    expect(client.login("alice").startswith("OK"), "login")
    line = postern.wait_line("Started proxying")
    expect("192.0.2.77" not in line and "forged" not in line, line)
    client.close()
    postern.stop()


@test
def a_process_per_connection():
    postern = fresh(service_count=1, process_limit=10, client_limit=1).start()
    clients = [session(path_of(postern)) for _ in range(3)]
    if os.geteuid() == 0:  # others cannot see whose program a jailed process runs
        until(lambda: len(postern.processes("login")) >= 4, "a prepared parent and a process for each")
    expect(all(c.alive() for c in clients), "all are served")
    for c in clients:
        c.close()
    postern.stop()
    expect(not os.path.lexists(path_of(postern)), "unlinked")


@test
def user_and_group():
    if os.geteuid() != 0:
        raise Skip("needs root")
    user, group = pwd.getpwnam("nobody"), grp.getgrnam("daemon")
    postern = fresh({"path": "imap-sock", "mode": "0660", "user": user.pw_name, "group": group.gr_name}).start()
    found = os.lstat(path_of(postern))
    expect((found.st_uid, found.st_gid) == (user.pw_uid, group.gr_gid), "owner: %d %d" % (found.st_uid, found.st_gid))
    expect(mode_of(path_of(postern)) == 0o660, "mode")
    listen_at(postern, {"path": "imap-sock", "mode": "0600", "group": group.gr_name})
    postern.reload_and_wait()
    now = os.lstat(path_of(postern))
    expect(now.st_ino == found.st_ino, "the same socket")
    expect((now.st_uid, now.st_gid) == (0, group.gr_gid), "owner after the reload: %d %d" % (now.st_uid, now.st_gid))
    expect(mode_of(path_of(postern)) == 0o600, "mode after the reload")
    logs_in(path_of(postern))
    postern.stop()


@test
def a_stale_file_is_replaced():
    postern = fresh()
    world.folder(postern.name + "/run")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path_of(postern))
    postern.start()
    logs_in(path_of(postern))
    postern.stop()


@test
def what_is_no_socket_stays():
    postern = fresh()
    world.folder(postern.name + "/run")
    file = world.write(postern.name + "/run/imap-sock", "precious\n")
    expect(fails(postern, "imap-login", file, "no socket") == CONFIG, "exit status")
    expect(world.read(file) == "precious\n", "the file is untouched")


@test
def one_in_use_stays():
    postern = fresh()
    world.folder(postern.name + "/run")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path_of(postern))
        other.listen(64)
        fails(postern, "imap-login", path_of(postern), "in use")
        expect(os.path.lexists(path_of(postern)), "it is still there")


@test
def reload_keeps_adds_and_removes():
    postern = fresh({"path": "kept", "mode": "0600"}, {"path": "removed", "mode": "0600"}).start()
    kept = os.lstat(path_of(postern, "kept")).st_ino
    before = session(path_of(postern, "removed"))
    listen_at(postern, {"path": "kept", "mode": "0666"}, {"path": "added", "mode": "0600"})
    postern.reload_and_wait()
    expect(os.lstat(path_of(postern, "kept")).st_ino == kept, "the same socket")
    expect(mode_of(path_of(postern, "kept")) == 0o666, "with its new mode")
    expect(not os.path.lexists(path_of(postern, "removed")), "unlinked")
    logs_in(path_of(postern, "kept"))
    logs_in(path_of(postern, "added"))
    expect(before.alive(), "a session of the removed one goes on")
    before.close()
    postern.stop()
    expect(not any(os.path.lexists(path_of(postern, n)) for n in ("kept", "added")), "all are unlinked")


@test
def a_reload_that_fails_changes_nothing():
    postern = fresh().start()
    world.write(postern.name + "/run/file", "precious\n")
    listen_at(postern, {"path": "imap-sock", "mode": "0666"}, {"path": "added", "mode": "0600"}, {"path": "file", "mode": "0600"})
    postern.reload_and_wait("Config reload failed.*unix_listener file: .*no socket")
    expect(mode_of(path_of(postern)) == 0o660, "the mode is what it was")
    expect(not os.path.lexists(path_of(postern, "added")), "nothing was added")
    logs_in(path_of(postern))
    postern.stop()


@test
def draining_unlinks_at_once():
    postern = fresh().start()
    client = session(path_of(postern))
    postern.signal(signal.SIGQUIT)
    until(lambda: not os.path.lexists(path_of(postern)), "unlinked")
    expect(client.alive(), "the session goes on")
    client.close()
    expect(postern.process.wait(20) == 0, "the end with the last session")


def killed_and_started_again(**service):
    postern = fresh(**service).start()
    client = session(path_of(postern))
    orphans = postern.processes("login")
    postern.process.kill()
    postern.process.wait()
    expect(os.path.lexists(path_of(postern)), "nobody was left to unlink it")
    postern.start()  # at once: orphans may still be listening
    until(lambda: len(postern.lines("starting up")) == 2, "the new master listens")
    expect(client.alive(), "the session goes on")
    logs_in(path_of(postern))
    inode = os.lstat(path_of(postern)).st_ino
    client.close()
    until(lambda: world.reap_orphans() or not any(world.running(p) for p in orphans), "the orphans have ended")
    expect(os.lstat(path_of(postern)).st_ino == inode, "no orphan took the new file away")
    logs_in(path_of(postern))
    postern.stop()


@test
def the_master_is_killed():
    killed_and_started_again(service_count=0, process_min_avail=2, client_limit=100)


@test
def the_master_is_killed_with_a_process_per_connection():
    killed_and_started_again(service_count=1, process_limit=10, client_limit=1)


@test
def what_another_put_in_its_place_is_not_unlinked():
    postern = fresh().start()
    os.unlink(path_of(postern))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path_of(postern))
        postern.stop()
        expect(os.path.lexists(path_of(postern)), "it is still there")


@test
def errors_are_found_without_binding():
    for wrong, part in (({"path": "x" * 120}, "more than the path of a socket may have"),
                        ({"path": "s", "user": "no-such-user"}, "user = no-such-user"),
                        ({"path": "s", "group": "no-such-group"}, "group = no-such-group"),
                        ({"path": world.path("missing", "s")}, "missing: No such file")):
        postern = fresh({"mode": "0600", **wrong})
        done = daemon.run("-t", "-c", postern.conf)
        expect(done.returncode == CONFIG, "exit %d: %s" % (done.returncode, done.stderr))
        for text in (postern.conf + ":", "service imap-login: unix_listener " + wrong["path"], part):
            contains(done.stderr, text)
        expect(not os.path.lexists(path_of(postern, "s")), "nothing was bound")


tap.main(set_up, world.finish)
