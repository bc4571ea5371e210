#!/usr/bin/env python3
"""LMTP: backends and workers that die at each point, and what a reload and a stop do to a transaction."""
import os, pwd, re, signal, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, daemon, tap, world
from clients import Lmtp
from lmtp_stub import ALL, Gate, NO_CHUNKING, Server, die
from lmtp_world import BIG, DOTS, MESSAGE, behind, connect, delivered, failed, one_reply_each, postern, saved, serve_all, started, taken, worker_of
from tap import Skip, contains, expect, test, until

proxy = None


def set_up():
    global proxy
    why = daemon.missing()
    if why:
        return why
    proxy = serve_all(postern("proxy"))
    return None


# --- backends that die (TST-7) -----------------------------------------------------------------

def half_dead(client, dead, *more, message=BIG, slow=None):
    """Recipients at a backend that works, at `dead`, and again at the first. Their replies."""
    alive = Server(at={"received": slow} if slow else {})
    recipients = [behind(alive), behind(dead, *more), behind(alive)]
    answers = client.mail(*recipients)
    expect(all(a.startswith("250") for a in answers), answers)
    replies = client.data(message, 3)
    one_reply_each(client)
    saved(replies[0], recipients[0])
    saved(replies[2], recipients[2])
    expect(len(alive.messages()) == 1, "the other backend has it once")
    return replies[1]


@test
def backend_dead_at_connect():
    client = connect()
    closed = Server()
    closed.close()
    other = Server()
    for number, dead in enumerate((closed, Server(at={"connect": die}), Server(answers={"banner": "421 4.3.2 busy"}), Server(answers={"banner": "554 5.0.0 go away"}),
                                   Server(answers={"LHLO": "500 what"}))):
        recipients = [behind(dead), behind(other)]
        answers = client.mail(*recipients)
        failed(answers[0], "(connect|connection lost), ")  # LMTP-50: not permanent
        expect(answers[1].startswith("250"), answers)
        saved(client.data(MESSAGE % b"x")[0], recipients[1])
        one_reply_each(client)
        expect(len(other.messages()) == number + 1, "delivered once")


@test
def backend_dead_after_rcpt():
    failed(half_dead(connect(), Server(at={"rcpt": die})))


@test
def backend_dead_during_the_data():
    for offers in (ALL, NO_CHUNKING):
        failed(half_dead(connect(), Server(offers, at={"data": die})))


@test
def backend_dead_after_the_data():
    for offers in (ALL, NO_CHUNKING):
        failed(half_dead(connect(), Server(offers, at={"received": die})))


@test
def backend_dead_while_another_takes_its_time():
    """LMTP-43 the other way round: the failure is known long before the other's success."""
    gate = Gate()

    def then_die(_):
        gate.open()
        die(_)
    failed(half_dead(connect(), Server(at={"received": then_die}), slow=gate))


@test
def backend_dead_after_the_first_of_two_replies():
    dead = Server(at={"replied": die})
    other = Server()
    recipients = [behind(dead), behind(dead), behind(other)]
    client = connect()
    replies = delivered(recipients, client=client)
    one_reply_each(client)
    saved(replies[0], recipients[0])
    failed(replies[1])
    saved(replies[2], recipients[2])


@test
def all_backends_dead():
    """LMTP-44: the message is read all the same."""
    client = connect()
    recipients = [behind(Server(at={"rcpt": die})), behind(Server(at={"data": die}))]
    for reply in delivered(recipients, BIG, client=client):
        failed(reply)
    one_reply_each(client)


@test
def failures_of_a_backend_without_its_death():
    client = connect()
    for answers, wanted in (({"DATA": "451 4.3.0 no room"}, "451 4.3.0 <%s> no room"), ({"DATA": "421 4.3.2 closing"}, None), ({"end": "421 4.3.2 closing"}, None),
                            ({"end": "999 nonsense"}, None), ({"end": "\0\1nonsense"}, None)):
        reply = half_dead(client, Server(NO_CHUNKING, answers), message=DOTS)
        expect(reply.startswith("451 4.") if wanted is None else re.fullmatch(wanted % r"\S+", reply), "%s: %s" % (answers, reply))
    expect("MAIL" in " ".join(half_refused(client, {"MAIL": "550 5.1.0 bad sender"})), "LMTP-31")


def half_refused(client, answers):
    server = Server(answers=answers)
    recipient = behind(server)
    answer = client.mail(recipient)[0]
    expect(answer == "550 5.1.0 <%s> bad sender" % recipient, answer)
    client.say("RSET")
    return server.lines()


@test
def a_success_before_the_end_of_the_data_is_none():
    """LMTP-41."""
    def early(conversation):
        conversation.say("250 2.0.0 <x> all stored, be gone")
        conversation.reader.read()
        die(conversation)
    for offers in (ALL, NO_CHUNKING):
        reply = half_dead(connect(), Server(offers, at={"data": early}))
        expect(reply.startswith("451 4.4.0"), reply)


@test
def silent_backends():
    """proxy_timeout, at the banner, at RCPT and for the final reply (LMTP-36)."""
    client = connect()
    for point, wanted in (("connect", r"451 4\.4\.0 (<\S+> )?Proxy failed"), ("rcpt", None), ("received", r"451 4\.4\.0 <\S+> Remote server not answering \(")):
        gate = Gate()
        server = Server(at={point: gate}) if wanted else Server(answers={"RCPT": lambda _, g=gate: g(_) or "250 2.1.5 late"})
        recipient = behind(server, "proxy_timeout=1")
        answer = client.mail(recipient)[0]
        if point == "received":
            answer = client.data(MESSAGE % b"x")[0]
        expect(re.match(wanted or r"451 4\.4\.0 ", answer), "%s: %s" % (point, answer))
        one_reply_each(client)
        gate.open()
        client.say("RSET")


def killed(gate_at):
    gate = Gate()
    slow, quick = Server(at={gate_at: gate}), Server()
    recipients = [behind(slow), behind(quick)]
    client = connect()
    taken(client, *recipients)
    expect(client.say("DATA").startswith("354"), "DATA")
    client.send(clients.dotted(BIG))
    gate.wait()
    world.kill(worker_of(client))
    said = client.rest()
    expect(not [line for line in said if line.startswith("250")], said)
    gate.open()
    until(lambda: proxy.processes("login") and world.listening(proxy.lmtp), "there is a worker again")


@test
def worker_killed_during_the_data():
    """LMTP-46: no success that the client could believe."""
    killed("data")


@test
def worker_killed_after_the_data():
    killed("received")


@test
def a_client_that_leaves_in_the_data():
    server = Server()
    recipient = behind(server)
    for way in ("DATA\r\nSubject: half\r\n", "BDAT 100 LAST\r\nSubject: half\r\n", "BDAT 2\r\nxx"):
        client = connect()
        taken(client, recipient)
        client.send(way)
        client.close()
    until(lambda: len(server.conversations) == 3, "three came")
    server.all_ended()
    expect(not server.messages() and not [l for l in server.lines() if l.split()[0] in ("DATA", "BDAT")], server.lines())


# --- life --------------------------------------------------------------------------------------

@test
def the_worker_is_jailed():
    if os.geteuid():
        raise Skip("needs root")
    client = connect()
    pid = worker_of(client)
    status = world.status_of(pid)
    wanted = pwd.getpwnam(daemon.LOGIN_USER)
    expect(set(status["Uid"].split()) == {str(wanted.pw_uid)} and set(status["Gid"].split()) == {str(wanted.pw_gid)}, status["Uid"])
    expect(status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0, "privileges")
    root = os.readlink("/proc/%d/root" % pid)
    expect(root == proxy.folder + "/run/login" and os.listdir("/proc/%d/root" % pid) == [], root)


@test
def the_socket_in_the_file_system():
    expect(os.stat(proxy.folder + "/run/lmtp").st_mode & 0o777 == 0o666, "mode")
    client = Lmtp(proxy.folder + "/run/lmtp")
    client.lhlo()
    server = Server()
    recipient = behind(server)
    saved(delivered([recipient], client=client)[0], recipient)
    contains(server.last().message.decode(), "Received: from mta.test")


@test
def reload_in_a_transaction():
    alone = started("reloaded")
    gate = Gate()
    slow = Server(at={"received": gate})
    recipients = [behind(slow), behind(Server())]
    client = connect(alone)
    client.mail(*recipients)
    alone.set(login_greeting="New.")
    alone.reload_and_wait()
    client.say("DATA")
    client.send(clients.dotted(BIG))
    gate.wait()
    alone.reload_and_wait()
    gate.open()
    for recipient in recipients:
        saved(client.reply()[-1], recipient)
    until(lambda: Lmtp(alone.lmtp).greeting == ["220 proxy.test New."], "new clients are greeted anew")
    alone.stop()


@test
def stop_in_a_transaction():
    """LMTP-49."""
    alone = started("stopped")
    gate = Gate()
    recipient = behind(Server(at={"received": gate}))
    idle, client = connect(alone), connect(alone)
    taken(client, recipient)
    client.say("DATA")
    client.send(clients.dotted(BIG))
    gate.wait()
    expect(alone.stop() == 0, "exit status")
    said = client.rest()
    expect(not [line for line in said if line.startswith("250")], said)
    said = idle.rest()
    expect(said and said[-1].startswith("421 4.3.2 proxy.test "), said)
    gate.open()


@test
def draining_ends_with_the_transaction():
    alone = started("drained")
    gate = Gate()
    recipient = behind(Server(at={"received": gate}))
    client = connect(alone)
    taken(client, recipient)
    client.say("DATA")
    client.send(clients.dotted(BIG))
    gate.wait()
    alone.signal(signal.SIGQUIT)
    until(lambda: not world.listening(alone.lmtp), "no listener")
    gate.open()
    saved(client.reply()[-1], recipient)
    client.close()
    expect(alone.process.wait(20) == 0, "it ends")


@test
def idle_clients_are_sent_away():
    short = started("short", lmtp_idle_timeout="1 secs")
    client = connect(short)
    said = client.rest()
    expect(said == ["421 4.4.2 proxy.test Disconnected for inactivity"], said)
    short.stop()


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
