#!/usr/bin/env python3
"""How login workers live: service_count 0, 1 and N."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, daemon, dovecot, tap, world
from clients import Imap, Pop3, session
from tap import expect, test, until

USERS = ["user%d" % n for n in range(8)]
proxy = None


def set_up():
    global backend, users
    why = daemon.missing() or dovecot.missing()
    if why:
        return why
    backend = dovecot.Dovecot("backend", USERS).start()
    users = {**{u: backend.fields() for u in USERS}, "pop": backend.fields("pop3", destuser="user0")}
    return None


def start(name, **imap):
    global proxy
    if proxy:
        proxy.stop()
    proxy = daemon.Postern(name, users)
    proxy.set(service={"imap-login": imap, "pop3-login": dict(imap)})
    return proxy.start()


def holders(sessions):
    workers = proxy.processes("login")
    found = [daemon.holder(s, workers) for s in sessions]
    expect(None not in found, "every session is in a login worker: %r" % found)
    return found


@test
def zero_means_for_ever():
    start("zero", service_count=0, process_min_avail=1, process_limit=1, client_limit=500)
    seen = set()
    for _ in range(3):
        sessions = [session(proxy.imaps, u) for u in USERS]
        seen |= set(holders(sessions))
        for s in sessions:
            s.close()
    expect(len(seen) == 1, "one worker for all: %r" % seen)


@test
def one_means_a_process_per_connection():
    start("one", service_count=1, process_min_avail=2, process_limit=50, client_limit=1)
    sessions = [session(proxy.imaps, u) for u in USERS]
    pids = holders(sessions)
    expect(len(set(pids)) == len(sessions), "a process for each: %r" % pids)
    pop = Pop3(proxy.pop3s, tls=True)
    answer = pop.login("pop")
    expect(answer.startswith("+OK"), answer)
    expect(holders([pop])[0] not in pids, "POP3 has its own")
    world.kill(pids[0])
    expect(sessions[0].ended(), "the killed one's session ends")
    expect(all(s.alive() for s in sessions[1:] + [pop]), "no other does")
    for s in sessions[1:] + [pop]:
        s.close()
    until(lambda: not any(world.running(p) for p in pids), "workers end with their connection")


@test
def one_holds_nothing_in_auth_while_it_relays():
    start("one-auth", service_count=1, process_limit=50, client_limit=1)
    folder = "/proc/%d/fd" % proxy.one("auth")
    sessions = [session(proxy.imaps, USERS[0])]  # by now auth has opened what it needs itself
    before = len(os.listdir(folder))
    sessions += [session(proxy.imaps, u) for u in USERS[1:]]
    until(lambda: len(os.listdir(folder)) <= before, "auth keeps no socket for sessions that are relayed")
    expect(all(s.alive() for s in sessions), "the sessions go on")
    for s in sessions:
        s.close()


@test
def one_respects_process_limit():
    start("limit", service_count=1, process_min_avail=0, process_limit=3, client_limit=1)
    sessions = [session(proxy.imaps, u) for u in USERS[:3]]
    expect(len(set(holders(sessions))) == 3, "three processes")
    extra = clients.Line(proxy.imap)  # waits in the queue, or takes the place of one before its login
    sessions[0].close()
    greeting = extra.line()
    expect(greeting and greeting.startswith("* OK"), "served when a place is free: %r" % greeting)
    expect(all(s.alive() for s in sessions[1:]), "sessions go on")
    for s in sessions[1:] + [extra]:
        s.close()


@test
def full_workers_drop_the_oldest_client_without_a_login():  # MASTER-24, IMAP-104
    start("crowd", service_count=0, process_min_avail=1, process_limit=1, client_limit=3)
    user = session(proxy.imaps, "user0")
    first = Imap(proxy.imap)
    second = Imap(proxy.imap)
    third = Imap(proxy.imap)
    expect(third.greeting.startswith("* OK"), third.greeting)
    expect(first.rest() == ["* BYE Connection queue full"], "the oldest has to go")
    expect(second.alive() and user.alive(), "the others stay")
    proxy.wait_line(r"Disconnected: Connection queue full \(no auth attempts in \d+ secs\)")
    proxy.wait_line(r"client_limit \(3\) reached, client connections are being dropped")
    fourth = Imap(proxy.imap)
    expect(second.rest() == ["* BYE Connection queue full"], "the next one")
    for s in (user, third, fourth):
        expect(s.alive(), "the newest stay, and who is logged in")
        s.close()


@test
def n_retires_a_worker_after_n_connections():
    start("some", service_count=3, process_min_avail=1, process_limit=10, client_limit=100)
    sessions = [session(proxy.imaps, u) for u in USERS[:7]]
    pids = holders(sessions)
    expect(all(pids.count(p) <= 3 for p in pids), "at most three connections each: %r" % pids)
    expect(len(set(pids)) >= 3, "so at least three workers: %r" % pids)
    expect(all(s.alive() for s in sessions), "a retired worker serves what it has")
    retired = [p for p in set(pids) if pids.count(p) == 3]
    for s in sessions:
        s.close()
    until(lambda: not any(world.running(p) for p in retired), "retired workers end with their last session")
    client = Imap(proxy.imaps, tls=True)
    expect(client.login("user1").startswith("OK"), "others take over")
    client.close()


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
