#!/usr/bin/env python3
"""mail_max_userip_connections, and local sessions as posternctl sees them."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, mailhost, tap, world
from clients import Imap, Pop3
from tap import contains, expect, test, until

TEXT = "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=2)"


def set_up():
    global host, postern
    why = daemon.missing() or mailhost.missing()
    if why:
        return why
    host = mailhost.MailHost("host", {"alice": [], "carol": []}, mail_max_userip_connections=2, disable_plaintext_auth=False).start()
    postern = host.postern
    return None


def imap(user="alice", source="127.0.0.1"):
    client = Imap(postern.imap, source=source)
    return client, client.login(user)


def two():
    clients = [imap() for _ in range(2)]
    expect(all(answer.startswith("OK") for _, answer in clients), clients)
    return [client for client, _ in clients]


def sessions():
    return [line.split() for line in postern.ctl("who", "-1").splitlines()[1:]]


def close(clients):
    """Ends these, and whatever else was refused: nobody is logged in afterwards."""
    live = sum(client.alive() for client in clients)
    until(lambda: len(sessions()) == live, "all who are logged in are listed")
    pids = [int(r[2]) for r in sessions()]
    for client in clients:
        client.close()
    until(lambda: not any(world.running(p) for p in pids), "the programs have ended")
    until(lambda: not sessions(), "who is empty")


@test
def one_too_many_is_refused_and_closed():
    """IMAP-89, POP-27"""
    clients = two()
    third, answer = imap()
    expect(answer == "NO [LIMIT] " + TEXT, answer)
    expect(third.ended(), "and closed")
    postern.wait_line(r"imap-login: Info: Disconnected: " + TEXT.replace("+", r"\+").replace("(", r"\(").replace(")", r"\)") + ": user=<alice>, method=PLAIN, rip=127.0.0.1")
    expect(all(c.alive() for c in clients), "the others go on")
    close(clients)


@test
def counted_by_user_address_and_service():
    clients = two()
    for user, source in (("carol", "127.0.0.1"), ("alice", "127.0.0.9")):
        client, answer = imap(user, source)
        contains(answer, "OK")
        clients.append(client)
    for n in range(3):
        pop = Pop3(postern.pop3)
        answer = pop.login("alice")
        expect(answer == ("+OK Logged in." if n < 2 else "-ERR [IN-USE] " + TEXT), answer)
        clients.append(pop)
    close(clients)


@test
def a_place_is_free_again_when_a_session_ends():
    clients = two()
    clients.pop().close()
    answers = []
    until(lambda: answers.append(imap()) or answers[-1][1].startswith("OK"), "a login succeeds again")
    expect(all(a.startswith("OK") or "[LIMIT]" in a for _, a in answers), answers)
    close(clients + [c for c, _ in answers])


@test
def a_process_for_many_counts_too():
    postern.set(service={"imap-login": {"service_count": 0, "process_min_avail": 1}})
    postern.reload()
    postern.wait_line("generation 2")
    clients = two()
    contains(imap()[1], "NO [LIMIT]")
    close(clients)


@test
def local_sessions_are_listed_and_kicked():
    clients = two()
    until(lambda: len(sessions()) == 2, "both are listed")
    listed = sessions()
    expect([r[0:2] + r[3:] for r in listed] == [["alice", "imap", "127.0.0.1", "-"]] * 2, listed)
    expect(all(os.path.basename(postern.executable(int(r[2]))) == "imap" for r in listed), "the pid is the mail program's: %s" % listed)
    expect(len(postern.ctl("proxy", "list").splitlines()) == 1, "they are not proxied")
    postern.ctl("proxy", "kick", "*", status=67)
    contains(postern.ctl("kick", "alice"), "2 connections kicked")
    expect(all(c.ended() for c in clients), "they end")
    close(clients)


tap.main(set_up, world.finish, lambda: "\n".join(postern.output().splitlines()[-25:]))
