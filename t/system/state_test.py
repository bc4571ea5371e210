#!/usr/bin/env python3
"""postern-state and posternctl: who is logged in, kicks, and users that move from one backend to another."""
import errno, json, os, signal, socket, subprocess, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, tap, traffic, world
from clients import Imap, Pop3, session
from daemon import PASSWORD
from tap import contains, expect, test, until

USERS = ["user%d" % n for n in range(6)]
EVERYBODY = USERS + ["mover"]
KICKED = r"Disconnected by proxy: Kicked by admin \(\d+s idle, in=\d+, out=\d+\)"


def set_up():
    global old, new, proxy, one
    why = daemon.missing() or dovecot.missing()
    if why:
        return why
    old = dovecot.Dovecot("old", EVERYBODY).start()
    new = dovecot.Dovecot("new", EVERYBODY, address="127.0.0.2").start()
    for backend in (old, new):
        backend.deliver("mover", backend.name)
    users = {**{u: old.fields() for u in USERS}, "pop": old.fields("pop3", destuser="user0"), "mover": old.fields()}
    proxy = daemon.Postern("proxy", users)
    proxy.set(service={"imap-login": {"service_count": 0, "process_min_avail": 2, "process_limit": 2, "client_limit": 500}})
    proxy.start()
    one = daemon.Postern("one", users)
    one.set(service={s: {"service_count": 1, "process_limit": 100, "client_limit": 1} for s in ("imap-login", "pop3-login")})
    one.start()
    return None


BOTH = lambda: (proxy, one)


def rows(postern, *arguments, status=0):
    """Lines of a table without its title, as words."""
    return [line.split() for line in postern.ctl(*arguments, status=status).splitlines()[1:]]


def users_of(postern):
    return sorted(r[0] for r in rows(postern, "who", "-1"))


def open_sessions(postern, users=USERS[:3]):
    out = [session(postern.imaps, u) for u in users]
    until(lambda: users_of(postern) == sorted(users), "who knows all of %s: %s" % (users, users_of(postern)))
    return out


def nobody(postern):
    until(lambda: not users_of(postern), "who is empty again")


def close(sessions, postern):
    for s in sessions:
        s.close()
    nobody(postern)


@test
def who_and_proxy_list_show_sessions():
    for postern in BOTH():
        sessions = open_sessions(postern, ["user0", "user0", "user1"])
        pop = Pop3(postern.pop3s, tls=True)
        contains(pop.login("pop"), "+OK")
        until(lambda: len(users_of(postern)) == 4, "all four")
        title = postern.ctl("who").splitlines()[0].split()
        expect(title == ["username", "#", "proto", "(pids)", "(ips)"], title)
        table = {r[0]: r for r in rows(postern, "who")}
        expect(table["user0"][1:3] == ["2", "imap"] and table["pop"][1:3] == ["1", "pop3"], table)
        expect(table["user0"][-1] == "(127.0.0.1)", table)
        title = postern.ctl("proxy", "list").splitlines()[0]
        expect(title.split("  ") != [] and "src ip" in title and "dest ip" in title, title)
        listed = rows(postern, "proxy", "list", "user1")
        expect(listed == [["user1", "imap", "127.0.0.1", "127.0.0.1", str(old.imaps)]], listed)
        pids = {int(r[2]) for r in rows(postern, "who", "-1")}
        expect(pids <= set(postern.processes("login")), "%s are login workers" % pids)
        close(sessions + [pop], postern)


@test
def filters():
    sessions = open_sessions(proxy)
    expect(len(rows(proxy, "who", "USER*")) == 3, "masks know no case")
    expect(len(rows(proxy, "who", "user0", "user2")) == 2, "masks are alternatives")
    expect(len(rows(proxy, "who", "127.0.0.0/8")) == 3, "a network")
    expect(len(rows(proxy, "who", "user?", "127.0.0.1")) == 3, "both")
    expect(rows(proxy, "who", "user?", "192.0.2.1", status=67) == [], "nobody from there")
    expect(len(rows(proxy, "who", "--backend", "127.0.0.1")) == 3, "at this backend")
    proxy.ctl("who", "--backend", "127.0.0.2", status=67)
    proxy.ctl("who", "nobody*", status=67)
    close(sessions, proxy)


@test
def json_lines():
    sessions = open_sessions(proxy, ["user0"])
    lines = [json.loads(line) for line in proxy.ctl("--json", "who").splitlines()]
    expect([set(l) & {"user", "status"} for l in lines] == [{"user"}, {"status"}], lines)
    expect(lines[0]["user"] == "user0" and lines[0]["port"] == old.imaps and lines[0]["rport"] == sessions[0].ends[0][1], lines[0])
    expect(abs(lines[0]["since"] - time.time()) < 60, lines[0])
    expect(lines[1] == {"v": 1, "status": 0, "count": 1}, lines[1])
    close(sessions, proxy)


@test
def kick_ends_what_matches_and_nothing_else():
    for postern in BOTH():
        sessions = open_sessions(postern)
        contains(postern.ctl("kick", "user1"), "1 connection kicked")
        expect(sessions[1].ended(), "the kicked session ends")
        postern.wait_line(r"proxy\(user1,.*" + KICKED)
        expect(sessions[0].alive() and sessions[2].alive(), "the others go on")
        until(lambda: users_of(postern) == ["user0", "user2"], "who has forgotten it")
        contains(postern.ctl("kick", "user1", status=67), "0 connections kicked")
        contains(postern.ctl("proxy", "kick", "user*"), "2 connections kicked")
        expect(sessions[0].ended() and sessions[2].ended(), "both end")
        close(sessions, postern)


@test
def kicks_are_spread():
    """ALG-1"""
    for postern in BOTH():
        postern.set(login_proxy_max_disconnect_delay="2 secs")
        postern.reload_and_wait()
        sessions = open_sessions(postern, USERS)
        contains(postern.ctl("kick", "*"), "6 connections kicked")
        expect(all(s.ended() for s in sessions), "all end")
        until(lambda: len(postern.lines(r"Kicked by admin .* - disconnecting client in \d+ms")) >= 3, "most of them later")
        close(sessions, postern)


@test
def state_killed_and_started_again_knows_everybody():
    for postern in BOTH():
        sessions = open_sessions(postern)
        postern.kill_role("state")
        until(lambda: postern.processes("state"), "a new state process")
        until(lambda: postern_knows(postern, USERS[:3]), "it has been told of all sessions", 20)
        expect(all(s.alive() for s in sessions), "sessions go on")
        sessions[0].close()
        until(lambda: users_of(postern) == USERS[1:3], "and hears of ends")
        postern.ctl("kick", "user1")
        expect(sessions[1].ended() and sessions[2].alive(), "and kicks")
        close(sessions, postern)


def postern_knows(postern, users):
    try:
        return users_of(postern) == users
    except AssertionError:  # not there yet
        return False


@test
def logins_go_on_while_state_is_stopped():
    for postern in BOTH():
        pid = postern.one("state")
        os.kill(pid, signal.SIGSTOP)
        sessions = [session(postern.imaps, u) for u in USERS]
        expect(all(s.alive() for s in sessions), "sessions work")
        os.kill(pid, signal.SIGCONT)
        until(lambda: users_of(postern) == USERS, "it hears of them later")
        close(sessions, postern)


@test
def a_reload_keeps_state():
    for postern in BOTH():
        sessions = open_sessions(postern)
        pid = postern.one("state")
        postern.reload_and_wait()
        sessions.append(session(postern.imaps, "user3"))
        until(lambda: users_of(postern) == USERS[:4], "old and new workers report")
        expect(postern.processes("state") == [pid], "the same process")
        postern.ctl("kick", "user0", "user3")
        expect(sessions[0].ended() and sessions[3].ended(), "both reached")
        world.kill(int(rows(postern, "who", "-1", "user1")[0][2]))
        expect(sessions[1].ended(), "that worker is dead")
        until(lambda: "user1" not in users_of(postern), "a killed worker of the former generation is forgotten")
        close(sessions, postern)


@test
def a_reload_that_concerns_state_replaces_it():
    for postern in BOTH():
        sessions = open_sessions(postern)
        pid = postern.one("state")
        for log_format in ("json", "text"):
            postern.set(log_format=log_format)
            postern.reload()
            until(lambda: postern.processes("state") not in ([], [pid]) and pid not in postern.processes("state"), "another process")
            until(lambda: postern_knows(postern, USERS[:3]), "it has been told of all sessions", 20)
            pid = postern.one("state")
        postern.ctl("kick", "user0")
        expect(sessions[0].ended() and sessions[1].alive(), "kicks reach them")
        close(sessions, postern)


@test
def a_killed_worker_takes_its_sessions_along():
    for postern in BOTH():
        sessions = open_sessions(postern)
        for pid in {int(r[2]) for r in rows(postern, "who", "-1")}:
            world.kill(pid)
        expect(all(s.ended() for s in sessions), "sessions end")
        close(sessions, postern)


@test
def exit_codes_and_help():
    contains(proxy.ctl("help", "kick"), "Usage: posternctl kick")
    contains(proxy.ctl("help", "proxy", "list"), "Usage: posternctl proxy list")
    contains(proxy.ctl("help"), "Commands:")
    for wrong in (["nonsense"], ["kick"], ["who", "--nonsense"], ["proxy"], ["who", "::1", "::2"], []):
        proxy.ctl(*wrong, status=64)
    done = subprocess.run([daemon.ctl_binary(), "-s", world.path("none.sock"), "who"], capture_output=True, text=True)
    expect(done.returncode == 69, done)
    contains(done.stderr, "cannot reach postern at " + world.path("none.sock"))
    done = subprocess.run([daemon.ctl_binary(), "-c", proxy.conf, "who"], capture_output=True, text=True)
    expect(done.returncode == 0, done)


def raw(*requests):
    """What the admin socket says to these bytes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(proxy.folder + "/run/admin.sock")
        s.sendall(b"".join(requests))
        s.shutdown(socket.SHUT_WR)
        try:
            return s.makefile().read().splitlines()
        except ConnectionResetError:  # closed, and not all was read
            return []


@test
def the_admin_socket_is_for_few():
    path = proxy.folder + "/run/admin.sock"
    expect(os.stat(path).st_mode & 0o777 == 0o660, oct(os.stat(path).st_mode))
    if os.geteuid() != 0:
        return
    expect(os.stat(path).st_uid == 0, "root's")
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        with socket.socket(socket.AF_UNIX) as s:
            os._exit(s.connect_ex(path))
    expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == errno.EACCES, "a stranger cannot connect")


@test
def nonsense_on_the_admin_socket():
    contains(raw(b"nonsense\n")[0], '"status":64')
    contains(raw(b'{"v":1,"cmd":"nonsense"}\n')[0], "unknown command nonsense")
    contains(raw(b'{"v":1,"cmd":"who","network":"x"}\n')[0], "network")
    both = raw(b'{"v":1,"cmd":"who"}\n{"v":1,"cmd":"kick","users":["nobody"]}\n')
    expect([json.loads(line)["status"] for line in both] == [0, 67], "two requests, two answers: %s" % both)
    expect(len(raw(b"\n" * 60000)) == 60000, "one answer for each line")
    expect(raw(b"x" * 100000) == [], "too long a line ends the connection")
    expect(len(proxy.processes("state")) == 1, "state lives")


class Motion(traffic.Traffic):
    """A user who logs in all the time, and whose sessions read his mail until they end."""

    def __init__(self, port, threads=3):
        super().__init__(threads)
        self.port, self.refused, self.logins, self.seen = port, [], 0, []

    def turn(self, _):
        client = Imap(self.port, tls=True)
        answer = client.login("mover")
        self.logins += 1
        if not answer.startswith("OK"):
            self.refused.append(answer)
        try:
            self.read(client)
        except OSError:
            pass  # kicked
        client.close()

    def read(self, client):
        client.command("SELECT INBOX")
        untagged, _ = client.command("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        self.seen.append(next(line.split()[1] for line in untagged if line.startswith("Subject:")))
        for _ in range(5):
            if not client.alive():
                return


def send_mover_to(postern, backend, *more):
    """The passdb's row changes at once: never is there half a file."""
    file = postern.folder + "/users"
    lines = [line for line in world.read(file).splitlines() if not line.startswith("mover:")]
    lines.append("mover:{PLAIN}%s::::::%s" % (PASSWORD, " ".join(list(backend.fields()) + list(more))))
    with open(file + ".new", "w") as f:
        f.write("\n".join(lines) + "\n")
    os.chmod(file + ".new", 0o644)
    os.rename(file + ".new", file)


@test
def users_in_motion():
    """B18: the row changes, logins wait until the old backend is left, the kick ends what is there; nobody is refused."""
    for postern in BOTH():
        resting = [session(postern.imaps, "mover") for _ in range(3)]
        with Motion(postern.imaps) as motion:
            until(lambda: motion.logins > 10, "sessions come and go")
            send_mover_to(postern, new, "delay_until=%d+1" % (time.time() + 2))
            contains(postern.ctl("proxy", "kick", "mover"), "kicked")
            expect(all(s.ended() for s in resting), "resting sessions end")
            at_kick = len(motion.seen)
            until(lambda: motion.seen[at_kick:].count("new") > 10, "sessions go to the new backend", 20)
            until(lambda: not any(r[3] == old.address for r in rows(postern, "proxy", "list")), "the old one is left")
        expect(not motion.refused, "logins were refused: %s" % motion.refused[:3])
        first = motion.seen.index("new")
        expect("old" not in motion.seen[first + 1:], "nobody came back: %s" % motion.seen[first:])
        send_mover_to(postern, old)
        nobody(postern)


tap.main(set_up, world.finish, lambda: "\n".join((proxy.output() + one.output()).splitlines()[-25:]))
