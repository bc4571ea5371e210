#!/usr/bin/env python3
"""What may die, and what then: exactly the sessions that must end do, and no other."""
import os, signal, sqlite3, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, tap, traffic, world
from clients import Imap, Pop3, session
from daemon import PASSWORD
from tap import contains, expect, test, until

USERS = ["user%d" % n for n in range(12)]


def set_up():
    global backend, other, proxy
    why = daemon.missing() or dovecot.missing()
    if why:
        return why
    backend = dovecot.Dovecot("backend", USERS).start()
    other = dovecot.Dovecot("other", USERS).start()
    file = daemon.users_file("users", {
        **{u: backend.fields() for u in USERS},
        **{"pop-" + u: backend.fields("pop3", destuser=u) for u in USERS},
        **{"other-" + u: other.fields(tls="starttls=yes", destuser=u) for u in USERS}})
    db = sqlite3.connect(world.path("users.db"))
    db.execute("CREATE TABLE users (name TEXT, password TEXT)")
    db.execute("INSERT INTO users VALUES ('sqluser', '{PLAIN}%s')" % PASSWORD)
    db.commit()
    db.close()
    os.chmod(world.path("users.db"), 0o644)
    query = ("SELECT password, 'y' AS proxy, '127.0.0.1' AS host, '%d' AS port, 'yes' AS ssl, '%s' AS pass, 'user0' AS destuser"
             " FROM users WHERE name = '%%u'" % (backend.imaps, dovecot.PASSWORD))
    proxy = daemon.Postern("proxy", passdb=(
        {"driver": "passwd-file", "args": file},
        {"driver": "sql", "sql_driver": "sqlite", "sql_connect": world.path("users.db"), "sql_password_query": query}))
    two = {"process_min_avail": 2, "process_limit": 2, "service_count": 0, "client_limit": 1000}
    proxy.set(service={"imap-login": two, "pop3-login": two})
    proxy.start()
    return None


def open_sessions(n=6):
    """IMAP sessions at both backends and POP3 sessions."""
    out = []
    for user in USERS[:n]:
        out += [session(proxy.imaps, user), session(proxy.imaps, "other-" + user)]
    pop = Pop3(proxy.pop3s, tls=True)
    answer = pop.login("pop-user7")
    expect(answer.startswith("+OK"), answer)
    return out + [pop]


def all_alive(sessions, what):
    dead = [n for n, s in enumerate(sessions) if not s.alive()]
    expect(not dead, "%s: sessions %s of %d ended" % (what, dead, len(sessions)))


def close(sessions):
    for s in sessions:
        s.close()


def logs_in(user, postern):
    try:
        client = Imap(postern.imaps, tls=True)
        answer = client.login(user)
    except OSError:
        return False
    client.close()
    expect("AUTHENTICATIONFAILED" not in answer, "a temporary failure became a wrong password: " + answer)
    return answer.startswith("OK")


def logs_in_again(user="user1"):
    until(lambda: logs_in(user, proxy), user + " can log in again", 20)


@test
def login_worker_killed():
    small = {"process_min_avail": 2, "process_limit": 2, "service_count": 0, "client_limit": 4}  # 6 sessions need both
    postern = daemon.Postern("two", passdb=proxy.settings["passdb"])
    postern.set(service={"imap-login": small})
    postern.start()
    sessions = [session(postern.imaps, u) for u in USERS[:6]]
    holders = [daemon.holder(s, postern.processes("login")) for s in sessions]
    expect(len(set(holders)) == 2 and None not in holders, "sessions in two workers: %r" % holders)
    victim = min(holders, key=holders.count)
    doomed = [s for s, pid in zip(sessions, holders) if pid == victim]
    safe = [s for s, pid in zip(sessions, holders) if pid != victim]
    world.kill(victim)
    expect(all(s.ended() for s in doomed), "sessions of the killed worker end")
    all_alive(safe, "another worker was killed")
    until(lambda: logs_in("user7", postern), "a new worker in its place", 20)
    all_alive(safe, "a new worker was started")
    close(sessions)
    postern.stop()


def survives_the_death_of(role):
    sessions = open_sessions()
    proxy.kill_role(role)
    all_alive(sessions, role + " was killed")
    logs_in_again()
    logs_in_again("sqluser")
    proxy.one(role)
    all_alive(sessions, role + " was started again")
    close(sessions)


@test
def auth_killed():
    survives_the_death_of("auth")


@test
def auth_worker_killed():
    logs_in_again("sqluser")  # at least one worker is there
    survives_the_death_of("auth-worker")


@test
def log_killed():
    survives_the_death_of("log")
    until(lambda: proxy.lines(r"user=<user1>"), "a login is logged")
    before = len(proxy.lines(r"proxy\(user9"))
    logs_in_again("user9")
    until(lambda: len(proxy.lines(r"proxy\(user9")) > before, "logging goes on with the new process")


def login_while_stopped(role, user):
    """A login that is under way when `role` dies."""
    client = Imap(proxy.imaps, tls=True)
    for pid in proxy.processes(role):
        os.kill(pid, signal.SIGSTOP)
    client.send('x1 LOGIN %s %s\r\n' % (user, PASSWORD))
    for pid in proxy.processes(role):
        world.kill(pid)
    _, answer = client.answer("x1")
    client.close()
    expect(answer.startswith("OK") or "NO [UNAVAILABLE]" in answer, "OK or a temporary failure, not: " + answer)


@test
def login_under_way_when_auth_dies():
    login_while_stopped("auth", "user2")
    logs_in_again()


@test
def login_under_way_when_the_worker_dies():
    logs_in_again("sqluser")
    login_while_stopped("auth-worker", "sqluser")
    logs_in_again("sqluser")


@test
def backend_killed():
    sessions = [session(proxy.imaps, u) for u in USERS[:4]]
    doomed = [session(proxy.imaps, "other-" + u) for u in USERS[:4]]
    other.kill()
    expect(all(s.ended() for s in doomed), "sessions at the killed backend end")
    all_alive(sessions, "another backend was killed")
    client = Imap(proxy.imaps, tls=True)
    answer = client.login("other-user1")
    contains(answer, "NO [UNAVAILABLE]")
    client.close()
    all_alive(sessions, "a login at the dead backend failed")
    other.start()
    logs_in_again("other-user1")
    close(sessions + doomed)


@test
def one_session_at_a_backend_killed():
    sessions = [session(proxy.imaps, u) for u in USERS[:4]]
    mail_processes = [p for p in world.descendants(backend.process.pid) if world.stat_of(p)[0] == "imap"]
    world.kill(mail_processes[0])
    until(lambda: sum(not s.alive() for s in sessions) == 1, "exactly one session ends")
    close(sessions)


class Load(traffic.Traffic):
    """Users who log in and out."""

    def __init__(self, threads=4):
        super().__init__(threads)
        self.done, self.bad = 0, []

    def turn(self, number):
        try:
            client = session(proxy.imaps, USERS[number])
            if not client.alive():
                raise ConnectionError("session ended")
            client.command("LOGOUT")
            client.close()
            self.done += 1
        except (OSError, AssertionError) as error:
            self.bad.append(repr(error))


def greeting():
    try:
        client = Imap(proxy.imaps, tls=True)
    except OSError:
        return ""
    client.close()
    return client.greeting or ""


@test
def reload_under_load():
    sessions = open_sessions()
    with Load() as load:
        for n in range(3):
            proxy.set(login_greeting="Generation %d." % n)
            before = load.done
            proxy.reload()
            until(lambda: "Generation %d." % n in greeting(), "new settings hold", 20)
            until(lambda: load.done > before + 8, "logins go on", 20)
    expect(not load.bad, "logins failed: %s" % load.bad[:5])
    all_alive(sessions, "the daemon was reloaded")
    close(sessions)


@test
def reload_with_a_broken_file_changes_nothing():
    good = world.read(proxy.conf)
    session_before = session(proxy.imaps, "user0")
    masters = len(proxy.lines("no_such_setting"))
    with open(proxy.conf, "a") as f:
        f.write("no_such_setting = 1;\n")
    proxy.reload()
    until(lambda: len(proxy.lines("no_such_setting")) > masters, "the error is logged")
    logs_in_again()
    all_alive([session_before], "a reload failed")
    with open(proxy.conf, "w") as f:
        f.write(good)
    session_before.close()


@test
def master_killed():
    """Its children close the listeners and serve what they have; a new master starts beside them."""
    sessions = open_sessions()
    children = world.descendants(proxy.process.pid)
    world.kill(proxy.process.pid)
    proxy.process.wait()
    all_alive(sessions, "the master was killed")
    until(lambda: not world.listening(proxy.imap) and not world.listening(proxy.pop3s), "listeners are closed")
    proxy.start()
    logs_in_again()
    all_alive(sessions, "a new master was started")
    new = [session(proxy.imaps, u) for u in USERS[:2]]
    close(sessions)
    until(lambda: world.reap_orphans() or not any(world.running(p) for p in children), "the old processes leave", 20)
    all_alive(new, "the old processes left")
    close(new)


@test
def quit_drains():
    sessions = open_sessions(2)
    proxy.signal(signal.SIGQUIT)
    until(lambda: not world.listening(proxy.imap), "listeners are closed")
    all_alive(sessions, "the daemon drains")
    for s in sessions[1:]:
        s.close()
    all_alive(sessions[:1], "the last session")
    close(sessions)
    expect(proxy.process.wait(20) == 0, "the master ends with 0 after the last session")


@test
def term_stops():
    proxy.start()
    sessions = open_sessions(2)
    waiting = Imap(proxy.imaps, tls=True)
    pid_file = proxy.folder + "/run/master.pid"
    expect(world.read(pid_file) == "%d\n" % proxy.process.pid, "the pid file has the master's pid")
    children = world.descendants(proxy.process.pid)
    proxy.signal(signal.SIGTERM)
    said = waiting.rest()
    expect(any(line.startswith("* BYE") for line in said), "a client before its login is told: %r" % said)
    expect(all(s.ended() for s in sessions), "sessions are closed")
    expect(proxy.process.wait(10) == 0, "exit status 0")
    expect(not os.path.exists(pid_file), "the pid file is removed")
    until(lambda: world.reap_orphans() or not any(world.running(p) for p in children), "no process is left")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
