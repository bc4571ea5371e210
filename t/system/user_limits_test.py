#!/usr/bin/env python3
"""proxy_max_user_connections and proxy_max_userip_connections: reserved at once in one place (ANVIL-7), in workers for many clients and in
workers for one; what frees a place; the longest idle session that makes room."""
import os, signal, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import backends, daemon, dovecot, stub, tap, world
from clients import Imap, Pop3, Sieve, Smtp
from tap import contains, expect, test, until

AT_ONCE, LIMIT = 50, 5
USER = "Maximum number of connections from user exceeded (proxy_max_user_connections=%d)"
USER_IP = "Maximum number of connections from user+IP exceeded (proxy_max_userip_connections=%d)"
CLOSED = r"proxy\(alice,.*Disconnected by proxy: Idle for longest, closed for a newer session \(%s\) \(\d+s idle, in=\d+, out=\d+\)"
MANY = {"service_count": 0, "process_min_avail": 3, "process_limit": 3, "client_limit": 500}
ONE = {"service_count": 1, "process_limit": 200, "client_limit": 1}


def set_up():
    global many, one, silent
    why = daemon.missing() or dovecot.missing()
    if why:
        return why
    backend = dovecot.Dovecot("backend", ["alice", "carol"]).start()
    sieve, submission = stub.Stub(backends.SieveServer().talk), stub.Stub(backends.SubmissionServer().talk)
    silent = stub.Stub(stub.wait_for_close)
    users = {"alice": backend.fields(), "carol": backend.fields(), "pop": backend.fields("pop3", destuser="alice"),
             "sieve": sieve.fields(), "submission": submission.fields(),
             "down": ["proxy=y", "host=127.0.0.1", "port=1"], "silent": silent.fields()}
    many, one = (daemon.Postern(name, users, protocols=["imap", "pop3", "sieve", "submission"], disable_plaintext_auth=False, login_proxy_max_reconnects=0,
                                service={s + "-login": how for s in ("imap", "pop3")}) for name, how in (("many", MANY), ("one", ONE)))
    for postern in BOTH():
        limit(postern, user=LIMIT)
        postern.start()
    return None


BOTH = lambda: (many, one)


def limit(postern, user=0, userip=0, action="refuse", min_idle="10 secs", **more):
    postern.set(proxy_max_user_connections=user, proxy_max_userip_connections=userip, proxy_user_limit_action=action,
                proxy_user_limit_min_idle=min_idle, **more)
    if postern.process:
        postern.reload_and_wait()


def login(postern, user="alice", source="127.0.0.1"):
    client = Imap(postern.imap, source=source)
    return client, client.login(user)


def logged_in(postern, count, user="alice", **how):
    clients = [login(postern, user, **how) for _ in range(count)]
    expect(all(answer.startswith("OK") for _, answer in clients), [answer for _, answer in clients])
    return [client for client, _ in clients]


def refused(postern, text, user="alice", **how):
    client, answer = login(postern, user, **how)
    expect(answer == "NO [LIMIT] " + text, answer)
    expect(client.ended(), "and closed")
    client.close()


def gets_in(postern, user="alice", **how):
    """The first one who is let in, after others who were not."""
    def attempt():
        client, answer = login(postern, user, **how)
        if answer.startswith("OK"):
            return client
        contains(answer, "[LIMIT]")
        return client.close()
    return until(attempt, "a login succeeds")


def sessions(postern):
    try:
        return [line.split() for line in postern.ctl("who", "-1").splitlines()[1:]]
    except AssertionError:  # state is being started
        return []


def close(postern, clients):
    for client in clients:
        client.close()
    until(lambda: not sessions(postern), "nobody is logged in")


def storm(postern):
    """(those who are in, those who were refused)"""
    clients = [Imap(postern.imap) for _ in range(AT_ONCE)]
    start, answers = threading.Barrier(AT_ONCE), [None] * AT_ONCE

    def run(number):
        start.wait()
        answers[number] = clients[number].login("alice")
    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    inside = [c for c, a in zip(clients, answers) if a and a.startswith("OK")]
    outside = [c for c in clients if c not in inside]
    expect(len(inside) == LIMIT, "%d are in" % len(inside))
    expect(sum(a == "NO [LIMIT] " + USER % LIMIT for a in answers) == AT_ONCE - LIMIT, set(answers))
    return inside, outside


@test
def many_at_once_never_pass_the_limit():
    for postern in BOTH():
        for _ in range(2):
            inside, outside = storm(postern)
            until(lambda: len(sessions(postern)) == LIMIT, "who knows those who are in")
            expect(all(c.alive() for c in inside), "they work")
            expect(all(c.ended() for c in outside), "the others are closed")
            close(postern, inside + outside)
        postern.wait_line(r"imap-login: Info: Disconnected: Maximum number of connections from user exceeded \(proxy_max_user_connections=5\): user=<alice>, "
                          r"method=PLAIN, rip=127.0.0.1")


@test
def a_session_that_ends_makes_room():
    for postern in BOTH():
        clients = logged_in(postern, LIMIT)
        refused(postern, USER % LIMIT)
        clients.pop().close()
        clients.append(gets_in(postern))
        refused(postern, USER % LIMIT)
        until(lambda: len(sessions(postern)) == LIMIT, "all are known")
        contains(postern.ctl("kick", "alice"), "%d connections kicked" % LIMIT)
        clients.append(gets_in(postern))
        close(postern, clients)


@test
def a_process_that_is_killed_frees_its_places():
    for postern in BOTH():
        clients = logged_in(postern, LIMIT)
        until(lambda: len(sessions(postern)) == LIMIT, "all are known")
        pid = daemon.holder(clients[0], postern.processes("login"))
        mine = [c for c in clients if daemon.holder(c, [pid]) == pid]
        world.kill(pid)
        expect(mine and all(c.ended() for c in mine), "its sessions end")
        clients += [gets_in(postern) for _ in mine]
        refused(postern, USER % LIMIT)
        expect(all(c.alive() for c in clients if c not in mine), "the others go on")
        close(postern, clients)


@test
def a_login_that_comes_to_nothing_gives_its_place_back():
    for postern in BOTH():
        limit(postern, user=1)
        for _ in range(3):
            client, answer = login(postern, "down")
            contains(answer, "[UNAVAILABLE]")
            client.close()
        waiting, before = Imap(postern.imap), len(silent.connections)
        waiting.send("a1 LOGIN silent %s\r\n" % daemon.PASSWORD)
        until(lambda: len(silent.connections) > before, "it is at its backend")
        expect(limit_reached(postern, "silent"), "and has its place meanwhile")
        waiting.close()
        until(lambda: not limit_reached(postern, "silent"), "the place is free when the client leaves")
        limit(postern, user=LIMIT)


def limit_reached(postern, user):
    """Whether one more is refused at once. He who is not, is not kept waiting."""
    client = Imap(postern.imap)
    client.socket.settimeout(1)
    try:
        client.send("a1 LOGIN %s %s\r\n" % (user, daemon.PASSWORD))
        return "[LIMIT]" in (client.line() or "")
    except TimeoutError:
        return False
    finally:
        client.close()


@test
def state_that_is_killed_is_told_again():
    for postern in BOTH():
        clients = logged_in(postern, LIMIT)
        postern.kill_role("state")
        # Some may get in before the new one knows everybody: nobody is kept out for our sake.
        def full():
            client, answer = login(postern)
            clients.append(client)
            return answer == "NO [LIMIT] " + USER % LIMIT
        until(full, "the limit is known again", 20)
        expect(all(c.alive() for c in clients[:LIMIT]), "sessions go on")
        close(postern, clients)
        clients = logged_in(postern, LIMIT)
        refused(postern, USER % LIMIT)
        close(postern, clients)


@test
def without_an_answer_of_state_logins_go_on():
    for postern in BOTH():
        clients = logged_in(postern, LIMIT)
        pid = postern.one("state")
        os.kill(pid, signal.SIGSTOP)
        clients += logged_in(postern, 1)
        postern.wait_line("Warning: postern-state does not answer: users get in beyond proxy_max_user_connections and proxy_max_userip_connections")
        os.kill(pid, signal.SIGCONT)
        until(lambda: len(sessions(postern)) == LIMIT + 1, "all are known")
        clients.pop().close()
        until(lambda: len(sessions(postern)) == LIMIT, "one has left")
        refused(postern, USER % LIMIT)
        close(postern, clients)


@test
def sessions_from_before_the_limit_count():
    for postern in BOTH():
        limit(postern)
        clients = logged_in(postern, 3)
        until(lambda: len(sessions(postern)) == 3, "all are known")
        limit(postern, user=3)
        refused(postern, USER % 3)
        limit(postern, user=LIMIT)
        close(postern, clients)


@test
def by_user_address_and_service():
    for postern in BOTH():
        limit(postern, userip=2)
        clients = logged_in(postern, 2)
        refused(postern, USER_IP % 2)
        postern.wait_line(r"Disconnected: Maximum number of connections from user\+IP exceeded \(proxy_max_userip_connections=2\): user=<alice>")
        clients += logged_in(postern, 2, source="127.0.0.9") + logged_in(postern, 1, "carol")
        limit(postern, user=3, userip=2)
        refused(postern, USER % 3, source="127.0.0.8")
        pop = Pop3(postern.pop3)
        expect(pop.login("pop") == "+OK Logged in.", "another service")
        close(postern, clients + [pop])


@test
def each_protocol_has_its_words_and_its_limit():
    for postern in BOTH():
        limit(postern, user=7, protocol={p: {"proxy_max_user_connections": 1} for p in ("pop3", "sieve", "submission")})
        clients = logged_in(postern, 2)
        for kind, port, user, accepted, answer in ((Pop3, postern.pop3, "pop", "+OK", "-ERR [IN-USE] " + USER % 1),
                                                   (Sieve, postern.sieve, "sieve", "OK", 'NO (LIMIT/CONNECTIONS) "%s"' % (USER % 1)),
                                                   (Smtp, postern.submission, "submission", "235", "421 4.7.0 proxy.test " + USER % 1)):
            pair = [kind(port), kind(port)]
            for client in pair if kind is Smtp else []:
                client.command("EHLO client.test")
            said = [client.login(user) for client in pair]
            expect(said[0].startswith(accepted) and said[1] == answer, said)
            expect(pair[1].ended(), "and closed")
            clients += pair
        close(postern, clients)
        limit(postern, user=LIMIT, protocol={})


@test
def the_longest_idle_one_makes_room():
    for postern in BOTH():
        limit(postern, user=3, action="close-oldest-idle", min_idle="2 secs")
        idle, *busy = clients = logged_in(postern, 3)
        expect(idle.alive(), "just now it was busy")
        refused(postern, USER % 3)

        def somebody_gets_in():
            expect(all(c.alive() for c in busy), "those who are busy stay")
            client, answer = login(postern)
            clients.append(client)
            expect(answer.startswith("OK") or answer == "NO [LIMIT] " + USER % 3, answer)
            return answer.startswith("OK")
        until(somebody_gets_in, "a new one gets in")
        expect(idle.ended(), "the idle one is closed")
        expect(all(c.alive() for c in busy + clients[-1:]), "nobody else is")
        postern.wait_line(CLOSED % "proxy_max_user_connections")
        expect(len(postern.lines(CLOSED % "proxy_max_user_connections")) == 1, "one")
        until(lambda: len(sessions(postern)) == 3, "three are in")
        close(postern, clients)


@test
def room_is_made_for_many_at_once():
    for postern in BOTH():
        limit(postern, user=LIMIT, action="close-oldest-idle", min_idle="2 secs")
        idle = logged_in(postern, LIMIT)
        fresh = []

        def all_are_in():
            expect(all(c.alive() for c in fresh), "who has just come stays")
            fresh.append(gets_in(postern))
            return len(fresh) == LIMIT
        until(all_are_in, "new ones take all places", 20)
        until(lambda: len(sessions(postern)) == LIMIT, "no more than that")
        expect(all(c.ended() for c in idle) and sum(c.alive() for c in fresh) == LIMIT, "the old ones have gone, one for each")
        close(postern, idle + fresh)
        limit(postern, user=LIMIT)


@test
def who_is_idle_elsewhere_stays():
    for postern in BOTH():
        limit(postern, userip=1, action="close-oldest-idle", min_idle="1 sec")
        elsewhere, here = logged_in(postern, 1, source="127.0.0.9") + logged_in(postern, 1)
        new = gets_in(postern)
        expect(here.ended() and elsewhere.alive() and new.alive(), "the one from the same address is closed")
        postern.wait_line(CLOSED % "proxy_max_userip_connections")
        limit(postern, user=LIMIT)
        close(postern, [elsewhere, here, new])


tap.main(set_up, world.finish, lambda: "\n".join((many.output() + one.output()).splitlines()[-25:]))
