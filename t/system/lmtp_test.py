#!/usr/bin/env python3
"""LMTP through the installed daemon: two Dovecots, a Cyrus and a Postfix behind it, Postfix and other programs that bring mail,
and small servers that fail at each point where one can."""
import os, pwd, re, signal, smtplib, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, cyrus, daemon, dovecot, lmtp_stub, postfix, stub, tap, world
from clients import Lmtp, LmtpUnix
from lmtp_stub import ALL, Gate, NO_CHUNKING, Server, die
from tap import Skip, contains, expect, test, until

MESSAGE = b"From: sender@far.test\r\nSubject: %s\r\n\r\nHello.\r\n"
BIG = MESSAGE % b"big" + (b"x" * 76 + b"\r\n") * 60000  # more than sockets hold
DOTS = MESSAGE % b"dots" + b".\r\n..\r\n.x\r\nQUIT\r\n\r\n.\r\nRSET\r\n.\r\n"
MIB = 1 << 20
LDA = "/usr/lib/dovecot/dovecot-lda"
real = {}
count = 0
proxy = None


# --- the world ----------------------------------------------------------------------

def user(fields, name=None):
    """The address of a (new) recipient with these fields."""
    global count
    count += 1
    address = name or "r%d@example.org" % count
    with open(world.path("users"), "a") as f:
        f.write("%s:{PLAIN}x::::::%s\n" % (address, " ".join(fields)))
    return address


def behind(server, *more, name=None):
    """A recipient whose mail goes to a small server."""
    return user(server.fields("protocol=smtp" if server.smtp else "protocol=lmtp", *more), name)


def at_real(name, tls="", address=None, **more):
    if name not in real:
        raise Skip("no %s here" % name)
    return user(real[name].fields("lmtp", tls, **more) + ["protocol=lmtp"], address)


def postern(name, **settings):
    """Not started yet."""
    settings.setdefault("passdb", ({"driver": "passwd-file", "args": world.path("users")},))
    settings.setdefault("login_trusted_networks", ["127.77.0.0/16"])
    made = daemon.Postern(name, None, protocols=["lmtp"], lmtp_proxy=True, mail_temp_dir=world.folder(name + "/temp", 0o1777), **settings)
    made.set(service={"lmtp": {"inet_listener": {"lmtp": {"port": made.lmtp}}}})
    return made


def started(name, **settings):
    made = postern(name, **settings).start()
    until(lambda: world.listening(made.lmtp), "LMTP is served")
    return made


def set_up():
    global proxy
    why = daemon.missing()
    if why:
        return why
    world.write("users", "")
    proxy = postern("proxy")
    if not dovecot.lmtp_missing():
        real["near"] = dovecot.Dovecot("near", ["alice", "bob"]).start()
        real["far"] = dovecot.Dovecot("far", ["bob", "carol"]).start()
    if not cyrus.missing():
        real["cyrus"] = cyrus.Cyrus("cyrus", ["alice"]).start()
    if not postfix.missing():
        inet = "inet:127.0.0.1:%d" % proxy.lmtp
        real["postfix"] = postfix.Postfix("postfix", 0, {
            "inet.test": "lmtp:" + inet, "tls.test": "lmtptls:inet:localhost:%d" % proxy.lmtp,
            "unix.test": "lmtp:unix:%s/run/lmtp" % proxy.folder}).start()
    proxy.start()
    until(lambda: world.listening(proxy.lmtp), "LMTP is served")
    return None


def connect(to=None, **how):
    client = Lmtp((to or proxy).lmtp, **how)
    client.offers = client.lhlo()
    return client


def taken(client, *recipients, **how):
    """Begins a transaction with these."""
    answers = client.mail(*recipients, **how)
    expect(all(a.startswith("250 ") for a in answers), answers)


def delivered(recipients, message=MESSAGE % b"x", way="data", client=None):
    """The replies to the data of one transaction to these."""
    client = client or connect()
    taken(client, *recipients)
    return getattr(client, way)(message, replies=len(recipients))


def saved(reply, recipient):
    expect(re.fullmatch(r"250 2\.\d\.\d <%s> \S+ Saved" % re.escape(recipient), reply), reply)


def failed(reply, why="connection lost, "):
    expect(re.fullmatch(r"451 4\.4\.0 (<\S+> )?Proxy failed \(%ssession=\S+\)" % why, reply), reply)


def one_reply_each(client):
    """Nothing more than was already read: the next reply is that to this command."""
    expect(client.say("NOOP").startswith("250"), "a reply too many")


def worker_of(client, of=None):
    of = of or proxy
    return until(lambda: daemon.holder(client, of.processes("login")), "a worker has the connection")


def body_of(stored):
    """What the sender wrote, without what was put in front."""
    return stored[stored.index(b"From: sender@far.test"):]


# --- real programs, real servers -------------------------------------------------------

def by_postfix(domain, users):
    """Recipients of `users` {name: server} at `domain`, in one message; what became of it for each."""
    if "postfix" not in real:
        raise Skip(postfix.missing())
    for name, server in users.items():
        at_real(server, address="%s@%s" % (name, domain))
    queue_id = real["postfix"].send("Subject: through %s\n\nA line\n.\n.dot\n" % domain, *["%s@%s" % (n, domain) for n in users])
    for name, server in users.items():
        status = real["postfix"].wait_status(queue_id, "%s@%s" % (name, domain))
        expect(re.match(r"sent \(250 2\.0\.0 <%s@%s> \S+ Saved\)" % (name, domain), status), status)
        message = real[server].wait_message(name, "through " + domain)
        contains(message, "\nA line\n.\n.dot\n")
        contains(message, "by proxy.test with LMTP")


@test
def postfix_to_dovecot():
    by_postfix("inet.test", {"alice": "near"})


@test
def postfix_to_dovecot_by_a_unix_socket():
    by_postfix("unix.test", {"alice": "near"})


@test
def postfix_to_dovecot_with_tls():
    by_postfix("tls.test", {"alice": "near"})
    contains(real["near"].wait_message("alice", "through tls.test"), "by proxy.test with LMTPS")


@test
def postfix_to_two_dovecots_at_once():
    by_postfix("inet.test", {"bob": "near", "carol": "far"})


@test
def postfix_keeps_what_fails_for_now_and_bounces_the_unknown():
    if "postfix" not in real:
        raise Skip(postfix.missing())
    user(["proxy=y", "host=127.0.0.1", "port=1", "protocol=lmtp"], "down@inet.test")
    user(["proxy=y", "protocol=lmtp"], "mistake@inet.test")
    queue_id = real["postfix"].send("Subject: not now\n\nx\n", "down@inet.test", "mistake@inet.test", "nobody@inet.test")
    for name, wanted in (("down", "deferred .* 451 4.4.0 Proxy failed"), ("mistake", "deferred .* 451 4.3.0"), ("nobody", "bounced .* 550 5.1.1")):
        status = real["postfix"].wait_status(queue_id, name + "@inet.test")
        expect(re.search(wanted, status), status)


@test
def to_cyrus():
    recipient = at_real("cyrus", address="alice@cyrus.test")
    saved(delivered([recipient], DOTS)[0], recipient)
    stored = real["cyrus"].wait_message("alice", "Subject: dots").encode()
    expect(body_of(stored).partition(b"\r\n\r\n")[2] == DOTS.partition(b"\r\n\r\n")[2], stored)


@test
def to_a_user_with_another_name_at_cyrus():
    """LMTP-30 adds an ORCPT, which Cyrus does not know and refuses for good (501)."""
    recipient = at_real("cyrus", destuser="alice@example.org")
    saved(delivered([recipient], MESSAGE % b"other name")[0], recipient)
    real["cyrus"].wait_message("alice", "Subject: other name")


@test
def an_unknown_user_at_cyrus_and_at_dovecot():
    client = connect()
    for server in ("cyrus", "near"):
        if server in real:
            recipient = at_real(server, address="nobody@%s.test" % server)
            answer = client.mail(recipient)[0]
            expect(re.match(r"550 5\.1\.1 (<%s> |)" % re.escape(recipient), answer), answer)
            expect(client.say("DATA").startswith("503"), "nobody was taken")
            client.say("RSET")


@test
def by_smtp_to_postfix():
    """LMTP-42: the one reply of an SMTP server is that of all its recipients."""
    if "postfix" not in real:
        raise Skip(postfix.missing())
    where = ["proxy=y", "host=127.0.0.1", "port=%d" % real["postfix"].relay, "protocol=smtp"]
    recipients = [user(where), user(where)]
    client = connect(source="127.0.0.9")
    for reply, recipient in zip(delivered(recipients, DOTS.replace(b"dots", b"by SMTP"), client=client), recipients):
        saved(reply, recipient)
    message = real["postfix"].wait_message("Subject: by SMTP")
    contains(message, "[127.0.0.9]")  # XCLIENT
    contains(message, "\n.\n..\n.x\nQUIT\n\n.\nRSET\n.\n")


@test
def to_dovecot_with_tls():
    for tls in ("ssl=yes", "starttls=yes"):
        recipient = at_real("near", tls, destuser="bob@example.org")
        saved(delivered([recipient], MESSAGE % tls.encode())[0], recipient)
        contains(real["near"].wait_message("bob", "Subject: " + tls), "with LMTPS")


def by_smtplib(recipients):
    with smtplib.LMTP("127.0.0.1", proxy.lmtp) as client:
        return client.sendmail("sender@far.test", recipients, MESSAGE % b"by smtplib")


@test
def smtplib_brings_mail():
    server = Server()
    recipient = behind(server)
    refused = by_smtplib(["nobody@example.org", recipient])  # of several replies to the data it reads one
    expect(list(refused) == ["nobody@example.org"] and refused["nobody@example.org"][0] == 550, refused)
    expect(server.last().recipients == [recipient], server.last().recipients)


def swaks(to, *more):
    done = clients.run(["swaks", *more, "--protocol", "LMTP", "--helo", "mta.test", "--from", "sender@far.test", "--to", to, "--body", "by swaks"])
    expect(done.returncode == 0, done.stdout + done.stderr)


@test
def swaks_brings_mail():
    server = Server()
    recipient = behind(server)
    swaks(recipient, "--server", "127.0.0.1:%d" % proxy.lmtp)
    swaks(recipient, "--server", "127.0.0.1:%d" % proxy.lmtp, "--tls")
    swaks(recipient, "--socket", proxy.folder + "/run/lmtp")
    expect(len(server.messages()) == 3 and all(b"by swaks" in m for m in server.messages()), server.messages())


@test
def smtp_source_brings_much_mail():
    source = clients.program(postfix.tool("smtp-source"))
    server = Server()
    recipient = behind(server)
    done = clients.run([source, "-L", "-s", "5", "-m", "40", "-l", "20000", "-f", "sender@far.test", "-t", recipient, "inet:127.0.0.1:%d" % proxy.lmtp])
    expect(done.returncode == 0, done.stdout + done.stderr)
    expect(len(server.messages()) == 40, "%d of 40" % len(server.messages()))


# --- who gets what, and who is told what ---------------------------------------------------

@test
def capabilities():
    """LMTP-6."""
    expect(list(connect().offers) == ["8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "PIPELINING", "STARTTLS"], connect().offers)
    trusted = connect(source="127.77.0.1").offers
    expect("XCLIENT" in trusted and "XRCPTFORWARD" in trusted and "FORWARD" not in trusted["XCLIENT"].split(), trusted)


@test
def two_backends_at_once():
    near, far = Server(), Server(NO_CHUNKING)
    recipients = [behind(near), behind(far), behind(near)]
    client = connect()
    for reply, recipient in zip(delivered(recipients, DOTS, client=client), recipients):
        saved(reply, recipient)
    one_reply_each(client)
    expect(near.last().recipients == [recipients[0], recipients[2]] and near.last().by == "BDAT", "near")
    expect(far.last().recipients == [recipients[1]] and far.last().by == "DATA", "far")
    expect(len(near.conversations) == len(far.conversations) == 1, "a connection for each backend")
    near.all_ended()
    far.all_ended()


@test
def replies_keep_the_order_of_the_recipients():
    """LMTP-42: the second backend's answer is there first, and waits."""
    gate, answered = Gate(), Gate()
    answered.open()
    slow, quick = Server(at={"received": gate}), Server(at={"replied": answered})
    recipients = [behind(slow), behind(quick), behind(slow)]
    client = connect()
    taken(client, *recipients)
    client.say("DATA")
    client.send(clients.dotted(DOTS))
    gate.wait()
    answered.wait()
    for _ in range(5):  # the worker has been round its loop since
        connect().close()
    gate.open()
    for recipient in recipients:
        saved(client.reply()[-1], recipient)
    one_reply_each(client)


@test
def replies_are_not_held_back_for_those_behind():
    gate = Gate()
    quick, slow = Server(), Server(at={"received": gate})
    recipients = [behind(quick), behind(slow)]
    client = connect()
    taken(client, *recipients)
    client.say("DATA")
    client.send(clients.dotted(DOTS))
    saved(client.reply()[-1], recipients[0])
    gate.open()
    saved(client.reply()[-1], recipients[1])


@test
def answers_to_rcpt():
    """LMTP-32: code and text are the backend's, the address is the client's."""
    client = connect()
    for said, wanted in (("250 ok", "250 2.1.0 ok"), ("250 2.1.5 fine", "250 2.1.5 fine"), ("450 4.2.0 busy", "450 4.2.0 <%s> busy"),
                         ("550 no", "550 5.0.0 <%s> no"), ("550 5.1.1 <other@x> unknown", "550 5.1.1 <%s> unknown")):
        recipient = behind(Server(answers={"RCPT": said}))
        answer = client.mail(recipient)[0]
        expect(answer == (wanted % recipient if "%s" in wanted else wanted), answer)
        client.say("RSET")


@test
def replies_of_many_lines():
    """As Cyrus gives them. Dovecot 2.3 dies of them."""
    client = connect()
    refusing, taking = (Server(answers={"RCPT": "%s-one\r\n%s-two\r\n%s three" % (code, code, code)}) for code in ("550", "250"))
    for server, code in ((refusing, "550"), (taking, "250")):
        recipient = behind(server)
        client.say("RSET")
        client.mail()
        client.send("RCPT TO:<%s>\r\n" % recipient)
        lines = client.reply()
        expect(all(line.startswith(code) for line in lines) and "three" in lines[-1], lines)
        one_reply_each(client)


@test
def final_answers():
    client = connect()
    for said, wanted in (("452 4.2.2 full", "452 4.2.2 <%s> full"), ("554 no", "554 5.0.0 <%s> no"), ("552 5.2.2 <other@x> quota", "552 5.2.2 <%s> quota")):
        recipients = [behind(Server(answers={"end": said})), behind(Server())]
        replies = delivered(recipients, client=client)
        expect(replies[0] == wanted % recipients[0], replies)
        saved(replies[1], recipients[1])
    one_reply_each(client)


@test
def who_is_not_taken_gets_no_reply():
    server = Server(answers={"RCPT": lambda a: "550 5.1.1 no" if "+no" in a else "250 2.1.5 ok"})
    good, other = behind(server), behind(server)
    client = connect()
    answers = client.mail(good, good.replace("@", "+no@"), other)
    expect([a[:3] for a in answers] == ["250", "550", "250"], answers)
    for reply, recipient in zip(client.data(MESSAGE % b"x", 2), (good, other)):
        saved(reply, recipient)
    one_reply_each(client)


@test
def transactions_on_one_connection():
    server = Server()
    recipient = behind(server)
    client = connect()
    for n in range(3):
        saved(delivered([recipient], MESSAGE % b"%d" % n, client=client)[0], recipient)
    client.mail(recipient)
    client.say("RSET")
    expect(client.say("DATA").startswith("503"), "forgotten")
    expect(len(server.messages()) == 3, "nothing was delivered after RSET")
    expect(client.say("QUIT").startswith("221"), "bye")


@test
def commands_and_message_in_one_piece():
    server = Server()
    recipients = [behind(server), behind(server)]
    client = connect()
    client.send(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%s>\r\n" % r.encode() for r in recipients) + b"DATA\r\n")
    codes = [client.reply()[-1][:3] for _ in range(4)]
    expect(codes == ["250", "250", "250", "354"], codes)
    client.send(clients.dotted(DOTS) + b"NOOP\r\n")
    for recipient in recipients:
        saved(client.reply()[-1], recipient)
    expect(client.reply()[-1].startswith("250 2.0.0"), "the NOOP behind the message")
    expect(server.last().mail == "FROM:<>", server.last().mail)


@test
def too_many_recipients():
    few = started("few", lmtp_max_recipients=2)
    recipient = behind(Server())
    client = connect(few)
    answers = client.mail(*[recipient.replace("@", "+%d@" % n) for n in range(3)])
    expect([a[:9] for a in answers] == ["250 2.1.5", "250 2.1.5", "452 4.5.3"], answers)
    few.stop()


# --- backends that die (TST-7) ---------------------------------------------------------------

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
def dovecot_killed_in_a_transaction():
    """A real one, of two: after it took its recipient."""
    if "far" not in real:
        raise Skip(dovecot.lmtp_missing())
    recipients = [at_real("far", destuser="carol@example.org"), at_real("near", destuser="alice@example.org")]
    client = connect()
    taken(client, *recipients)
    real["far"].kill()
    replies = client.data(MESSAGE % b"with one dead", 2)
    one_reply_each(client)
    failed(replies[0])
    saved(replies[1], recipients[1])
    real["near"].wait_message("alice", "with one dead")
    real["far"].start()
    until(lambda: delivered([recipients[0]])[0].startswith("250"), "it is back")


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


# --- lookups (LMTP-23) ----------------------------------------------------------------------

@test
def unknown_users_and_mistakes():
    client = connect()
    client.mail()
    here = Server()
    for fields, wanted in ((None, "550 5.1.1 <%s> User doesn't exist: %s"), ([], "451 4.3.0 <%s> "), (["proxy=y"], "451 4.3.0 <%s> "),
                           (here.fields("protocol=imap"), "451 4.3.0 <%s> "), (["proxy=y", "host=127.0.0.1", "port=99999"], "451 4.3.0 <%s> "),
                           (["nologin=y"], "550 5.3.5 <%s> "), (["nologin=y", "host=other.test"], "550 5.2.900 <%s> "),
                           (here.fields("protocol=lmtp", "destuser=a b\x7fc"), "451 4.3.0|550 5.3.5")):
        recipient = user(fields) if fields is not None else "stranger@example.org"
        answer = client.say("RCPT TO:<%s>" % recipient)
        if "|" in wanted:
            expect(answer[:9] in wanted.split("|"), "%s: %s" % (fields, answer))
        else:
            wanted = wanted.replace("%s", recipient)
            expect(answer.startswith(wanted), "%s: %s" % (fields, answer))
    expect(client.say("DATA").startswith("503"), "nobody was taken")
    expect(not here.conversations, "no connection was made")


@test
def a_database_that_fails():
    """Nobody is unknown as long as nobody can tell (451, not 550)."""
    query = "SELECT password, proxy, host FROM users WHERE name = '%u'"
    broken = started("broken", passdb=({"driver": "passwd-file", "args": world.path("users")},
                                       {"driver": "sql", "sql_driver": "sqlite", "sql_connect": world.write("broken.db", "no database\n" * 1000), "sql_password_query": query}))
    client = connect(broken)
    known = behind(Server())
    answers = client.mail(known, "stranger@example.org")
    expect(answers[0].startswith("250") and answers[1].startswith("451 4.3.0 <stranger@example.org> "), answers)
    saved(client.data(MESSAGE % b"x")[0], known)
    broken.stop()


@test
def auth_stopped_and_killed():
    """A lookup under way is asked again, or fails for now; never for good."""
    recipient = behind(Server())
    client = connect()
    client.mail(recipient)
    stopped = proxy.processes("auth")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    for name in (recipient, "stranger@example.org"):
        client.send("RCPT TO:<%s>\r\n" % name)
    for pid in stopped:
        world.kill(pid)
    answers = [client.reply()[-1] for _ in range(2)]
    expect(answers[0][:3] in ("250", "451"), answers)
    expect(answers[1][:9] in ("451 4.3.0", "550 5.1.1"), answers)
    client.say("RSET")
    until(lambda: client.mail(recipient)[0].startswith("250") or client.say("RSET") is None, "auth is back", 20)
    saved(client.data(MESSAGE % b"x")[0], recipient)


@test
def the_port_of_a_backend_that_has_none():
    """LMTP-20: without protocol and port it is ours: here, a loop."""
    answer = connect().mail(user(["proxy=y", "host=127.0.0.1"]))[0]
    expect(re.match(r"554 5\.4\.6 <\S+> Proxying loops to itself", answer), answer)


# --- addresses and parameters -----------------------------------------------------------------

@test
def users_with_a_detail_and_other_names():
    """LMTP-4, LMTP-30."""
    server = Server()
    client = connect()
    plain, dest, changed = behind(server), behind(server, "destuser=new@dest.test"), behind(server, "user=other@dest.test")
    for recipient, told in ((plain, ["TO:<%s>" % plain]), (plain.replace("@", "+box@"), ["TO:<%s>" % plain.replace("@", "+box@")]),
                            (dest, ["TO:<new@dest.test>", "ORCPT=rfc822;" + dest]),
                            (dest.replace("@", "+box@"), ["TO:<new+box@dest.test>", "ORCPT=rfc822;" + dest.replace("@", "+2Bbox@")]),
                            (changed.replace("@", "+a+b@"), ["TO:<other+a+b@dest.test>", "ORCPT=rfc822;" + changed.replace("@", "+2Ba+2Bb@")])):
        saved(delivered([recipient], client=client)[0], recipient)
        expect(server.last().rcpts[0].split() == told, server.last().rcpts)
    client.mail()
    expect(client.say("RCPT TO:<%s> ORCPT=rfc822;first@far.test" % dest).startswith("250"), "ORCPT of the client")
    client.data(MESSAGE % b"x")
    expect(server.last().rcpts == ["TO:<new@dest.test> ORCPT=rfc822;first@far.test"], server.last().rcpts)


@test
def parameters_of_mail():
    """LMTP-29: what a backend does not offer it is not told."""
    limited = started("limited", lmtp_max_mail_size=10 * MIB)
    client = connect(limited)
    for offers, more, told in ((ALL, " BODY=8BITMIME SIZE=1000", ["BODY=8BITMIME", "SIZE=1000"]), (("PIPELINING",), " BODY=8BITMIME SIZE=1000", []),
                               (("PIPELINING",), " BODY=7BIT", ["BODY=7BIT"])):
        server = Server(offers)
        recipient = behind(server)
        taken(client, recipient, more=more)
        saved(client.data(MESSAGE % b"\xc3\xa4")[0], recipient)
        expect(sorted(server.last().mail.split()[1:]) == told, server.last().mail)
        contains(server.last().message.decode(), "Subject: \u00e4")
    limited.stop()


@test
def extensions_that_are_off_and_on():
    client = connect()
    for line in ("MAIL FROM:<a@b.test> SMTPUTF8", "MAIL FROM:<a@b.test> RET=HDRS", "MAIL FROM:<a@b.test> ENVID=x", "MAIL FROM:<a@b.test> BODY=BINARYMIME"):
        answer = client.say(line)
        expect(answer[:3] in ("555", "501"), "%s: %s" % (line, answer))
    recipient = behind(Server())
    client.mail()
    expect(client.say("RCPT TO:<%s> NOTIFY=NEVER" % recipient).startswith("555"), "NOTIFY")
    more = started("more", lmtp_backend_capabilities="8BITMIME CHUNKING SMTPUTF8 DSN")
    server = Server(ALL + ("SMTPUTF8", "DSN"))
    recipient = behind(server)
    client = connect(more)
    expect("SMTPUTF8" in client.offers and "DSN" in client.offers, client.offers)
    expect(client.say("MAIL FROM:<j\u00f6rg@b.test> SMTPUTF8 RET=HDRS ENVID=x").startswith("250"), "MAIL")
    expect(client.say("RCPT TO:<%s> NOTIFY=NEVER" % recipient).startswith("250"), "RCPT")
    saved(client.data(MESSAGE % b"x")[0], recipient)
    expect(sorted(server.last().mail.split()) == ["ENVID=x", "FROM:<j\u00f6rg@b.test>", "RET=HDRS", "SMTPUTF8"], server.last().mail)
    expect("NOTIFY=NEVER" in server.last().rcpts[0], server.last().rcpts)
    more.stop()


@test
def a_size_limit():
    small = started("small", lmtp_max_mail_size=100000)
    server = Server()
    recipients = [behind(server), behind(server)]
    client = connect(small)
    expect(client.offers.get("SIZE") == "100000", client.offers)
    expect(client.say("MAIL FROM:<a@b.test> SIZE=100001").startswith("552 5.2.3"), "announced")
    big = MESSAGE % b"x" + b"y" * 98 + b"\r\n" + (b"z" * 98 + b"\r\n") * 2000
    for way in ("data", "bdat"):
        taken(client, *recipients)
        for reply in getattr(client, way)(big, replies=2):
            expect(re.match(r"552 5\.2\.3 (<\S+> )?Message size exceeds administrative limit", reply), reply)
        one_reply_each(client)
    saved(delivered([recipients[0]], client=client)[0], recipients[0])
    expect(len(server.messages()) == 1, "nothing of the big ones")
    taken(client, *recipients)
    client.say("DATA")
    try:
        client.send(clients.dotted(b"x" * (3 * MIB)))
        said = client.rest()
    except OSError:
        said = []
    expect(not [line for line in said if line.startswith("250")], "beyond the limit and 1 MiB the connection ends")
    small.stop()


# --- the message ----------------------------------------------------------------------------

def on_its_way(message):
    return re.sub(rb"\r(?!\n)", b" ", re.sub(rb"(?<!\r)\n", b"\r\n", message))


def passes(message, client_way, offers, wanted=None):
    server = Server(offers)
    recipient = behind(server)
    client = connect()
    taken(client, recipient)
    replies = client.data(message) if client_way == "data" else client.bdat(message[:50], b"", message[50:60], message[60:])
    saved(replies[0], recipient)
    one_reply_each(client)
    got = server.last()
    received = got.message[:got.message.index(b"From: sender")]
    expect(body_of(got.message) == (wanted or on_its_way(message)), "%r became %r" % (message[:500], got.message[:700]))
    expect(re.match(rb"Received: from mta\.test \(\[127\.0\.0\.1\]\)\r\n\tby proxy\.test with LMTP\r\n\tid \S+\r\n\t\(envelope-from <sender@far\.test>\)"
                    rb"\r\n\tfor <%s>; [^\r\n]*\r\n$" % re.escape(recipient).encode(), received), received)
    expect(got.by == ("BDAT" if "CHUNKING" in offers else "DATA"), got.by)
    server.all_ended()
    commands = [line.split()[0] for line in server.lines() if not line.startswith("BDAT")]
    expect(commands in (["LHLO", "MAIL", "RCPT"] + ["DATA"] * (got.by == "DATA") + ["QUIT"] * q for q in (0, 1)), commands)


for way in ("data", "bdat"):
    for given in (ALL, NO_CHUNKING):
        def run(client_way=way, offers=given):
            passes(DOTS, client_way, offers)
        run.__name__ = "dots, %s to %s" % (way.upper(), "BDAT" if given == ALL else "DATA")
        test(run)

# SEC-20: what others took for the end of the data.
SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\r\n.\r\r\n", b"\n.\r", b"\r\n.\r\r\n"]


def smuggles(client_way, offers):
    for ending in SMUGGLED:
        tail = b"MAIL FROM:<admin@victim.test>\r\nRCPT TO:<x@victim.test>\r\nDATA\r\nevil\r\n"
        passes(MESSAGE % b"smuggling" + b"x" + ending + tail, client_way, offers)


@test
def nothing_is_smuggled_from_data_to_data():
    smuggles("data", NO_CHUNKING)


@test
def nothing_is_smuggled_from_data_to_bdat():
    smuggles("data", ALL)


@test
def nothing_is_smuggled_from_bdat_to_data():
    smuggles("bdat", NO_CHUNKING)


@test
def the_end_of_the_data_in_pieces():
    server = Server()
    recipient = behind(server)
    end = b"\r\n..\r\n.\r\n"
    for cut in range(1, len(end)):
        client = connect()
        taken(client, recipient)
        client.say("DATA")
        client.send(b"From: sender@far.test\r\n\r\nx" + end[:cut])
        client.send(end[cut:])
        saved(client.reply()[-1], recipient)
        client.close()
    for message in server.messages():
        expect(body_of(message) == b"From: sender@far.test\r\n\r\nx\r\n.\r\n", message)


@test
def chunks_nobody_is_there_for():
    """LMTP-16."""
    client = connect()
    expect(client.say("BDAT 0 LAST").startswith("503"), "no transaction")
    client.mail("stranger@example.org")
    client.send(b"BDAT 6 LAST\r\nQUIT\r\nVRFY x\r\n")
    answer = client.reply()[-1]
    if answer.startswith("503"):  # as 2.3 does; RFC 2033 has no reply for nobody
        answer = client.reply()[-1]
    expect(answer.startswith("252"), answer)
    client.say("RSET")
    client.mail(behind(Server()))
    client.send(b"BDAT 6 LATEST\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n")
    answers = [client.reply()[-1][:9] for _ in range(2)]
    expect(answers == ["501 5.5.4", "503 5.5.0"], answers)
    client.close()


@test
def no_received_header_where_it_is_off():
    off = started("off", lmtp_add_received_header=False)
    server = Server()
    recipient = behind(server)
    saved(delivered([recipient], client=connect(off))[0], recipient)
    expect(server.last().message == MESSAGE % b"x", server.last().message)
    off.stop()


@test
def fifty_mib_in_little_memory():
    """LMTP-38: it stands in a file without a name, and the file is gone afterwards."""
    gate = Gate()
    server, second = Server(at={"received": gate}), Server(NO_CHUNKING)
    recipients = [behind(server), behind(second)]
    client = connect(seconds=60)
    saved(delivered([recipients[1]], BIG, client=client)[0], recipients[1])  # what one message takes is there
    taken(client, *recipients)
    pid = worker_of(client)
    before = int(world.status_of(pid)["VmHWM"].split()[0])
    client.say("DATA")
    message = MESSAGE % b"large" + (b"y" * 98 + b"\r\n") * (50 * MIB // 100)
    client.send(clients.dotted(message))
    gate.wait()
    expect(os.listdir(proxy.folder + "/temp") == [], "files with a name: %s" % os.listdir(proxy.folder + "/temp"))
    targets = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
    expect([t for t in targets if t.endswith("(deleted)")], "no file without a name: %s" % targets)
    gate.open()
    for recipient in recipients:
        saved(client.reply()[-1], recipient)
    grown = int(world.status_of(pid)["VmHWM"].split()[0]) - before
    expect(grown < 3000, "grew by %d KiB" % grown)
    expect(body_of(server.last().message) == message and body_of(second.last().message) == message, "not the same message")
    until(lambda: not [fd for fd in os.listdir("/proc/%d/fd" % pid) if "(deleted)" in os.readlink("/proc/%d/fd/%s" % (pid, fd))], "the file is closed")


@test
def a_full_disk():
    """LMTP-38: 451 for every recipient, and the rest is read."""
    if os.geteuid():
        raise Skip("takes root")
    folder = world.folder("full")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=1777", "none", folder], capture_output=True, text=True)
    if done.returncode:
        raise Skip(done.stderr.strip())
    try:
        full = postern("cramped")
        full.set(mail_temp_dir=folder)
        full.start()
        until(lambda: world.listening(full.lmtp), "LMTP is served")
        server = Server()
        recipients = [behind(server), behind(server)]
        client = connect(full)
        taken(client, *recipients)
        for reply in client.data(BIG, 2):
            expect(re.match(r"451 4\.3\.0 ", reply), reply)
        one_reply_each(client)
        expect(not server.messages(), "nothing was delivered")
        saved(delivered([recipients[0]], client=client)[0], recipients[0])
        full.stop()
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


# --- who the client is -------------------------------------------------------------------------

def xclient_of(server):
    found = [line for line in server.lines() if line.startswith("XCLIENT ")]
    return {k: plain_of(v) for k, v in (word.split("=", 1) for word in " ".join(line[8:] for line in found).split())}


def plain_of(xtext):
    return re.sub(r"\+([0-9A-F]{2})", lambda hexes: chr(int(hexes[1], 16)), xtext)


OFFERED = "XCLIENT ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT"


@test
def a_backend_learns_who_the_client_is():
    """LMTP-24, LMTP-26, LMTP-27."""
    server = Server(ALL + (OFFERED,))
    client = connect(source="127.0.0.9")
    recipient = behind(server)
    saved(delivered([recipient], client=client)[0], recipient)
    told = xclient_of(server)
    session = told.pop("SESSION", "")
    told.pop("TIMEOUT", None)
    expect(told == {"HELO": "mta.test", "PROTO": "LMTP", "TTL": "5", "PORT": str(client.ends[0][1]), "ADDR": "127.0.0.9"}, told)
    expect(session.endswith(":P1"), session)
    contains(server.last().message.decode(), "id " + session[:-3])
    words = [line.split()[0] for line in server.lines()]
    expect(words[:3] == ["LHLO", "XCLIENT", "LHLO"], words)


@test
def xclient_of_a_trusted_peer_is_passed_on():
    server = Server(ALL + (OFFERED,))
    client = connect(source="127.77.0.1")
    answer = client.say("XCLIENT ADDR=192.0.2.7 PORT=4321 PROTO=LMTP HELO=upstream.test LOGIN=someone SESSION=abc TTL=3")
    expect(answer.startswith("220 proxy.test "), answer)
    client.lhlo()
    recipient = behind(server)
    saved(delivered([recipient], client=client)[0], recipient)
    told = xclient_of(server)
    for name, value in {"ADDR": "192.0.2.7", "PORT": "4321", "PROTO": "LMTP", "LOGIN": "someone", "SESSION": "abc:P1", "TTL": "2"}.items():
        expect(told.get(name) == value, told)
    contains(server.last().message.decode(), "([192.0.2.7])")


@test
def xclient_that_is_not_believed_or_not_sent():
    client = connect()
    expect(client.say("XCLIENT ADDR=192.0.2.7") == "550 5.7.14 You are not from trusted IP", "of a stranger")
    silent = Server(ALL + (OFFERED,))
    recipient = behind(silent, "proxy_not_trusted=y")
    saved(delivered([recipient], client=client)[0], recipient)
    expect(not xclient_of(silent), "proxy_not_trusted")
    rejecting = Server(ALL + (OFFERED,), {"XCLIENT": "550 5.7.0 not you"})
    recipient = behind(rejecting)
    saved(delivered([recipient], client=client)[0], recipient)  # LMTP-28


@test
def a_mail_that_goes_round_and_round():
    client = connect(source="127.77.0.1")
    client.say("XCLIENT TTL=1")
    client.lhlo()
    answer = client.mail(behind(Server(ALL + (OFFERED,))))[0]
    expect(answer.startswith("554 5.4.6 "), answer)


@test
def fields_that_are_forwarded():
    """LMTP-12, LMTP-29; in xtext, as 2.3 was recorded."""
    for offers, expected in ((ALL + ("XRCPTFORWARD",), True), (ALL, False)):
        server = Server(offers)
        recipient = behind(server, "forward_a=1")
        saved(delivered([recipient])[0], recipient)
        words = [plain_of(w) for w in server.last().rcpts[0].split()[1:]]
        expect(words == (["XRCPTFORWARD=a=1"] if expected else []), server.last().rcpts)
    client = connect()
    client.mail()
    answer = client.say("RCPT TO:<%s> XRCPTFORWARD=b+3D2" % recipient)
    expect(answer == "550 5.7.14 Unacceptable XRCPTFORWARD= parameter: You are not from trusted IP", answer)
    client = connect(source="127.77.0.1")
    client.mail()
    expect(client.say("RCPT TO:<%s> XRCPTFORWARD=b+3D2" % recipient).startswith("250"), "trusted")
    saved(client.data(MESSAGE % b"x")[0], recipient)
    expect("XRCPTFORWARD" not in server.last().rcpts[0], server.last().rcpts)
    client.mail()
    expect(client.say("RCPT TO:<%s> XRCPTFORWARD=+zz" % recipient).startswith("501 5.5.4"), "bad xtext")


# --- TLS ----------------------------------------------------------------------------------------

@test
def tls_to_backends():
    client = connect()
    offers = ALL + ("STARTTLS",)
    good = [(Server(offers), ["starttls=yes"]), (Server(ALL, tls="implicit"), ["ssl=yes"]),
            (Server(offers), ["starttls=any-cert", "hostip=127.0.0.1", "host=other.test"]),
            (Server(offers, smtp=True), ["starttls=yes"])]
    for server, fields in good:
        recipient = behind(server, *fields)
        saved(delivered([recipient], client=client)[0], recipient)
        expect(all(c.in_tls for c in server.conversations), "TLS")
    bad = [(Server(offers), ["starttls=yes", "hostip=127.0.0.1", "host=other.test"]), (Server(ALL, tls="implicit"), ["ssl=yes", "hostip=127.0.0.1", "host=other.test"]),
           (Server(ALL), ["starttls=yes"]), (Server(offers, {"STARTTLS": "454 4.7.0 not now"}), ["starttls=yes"]), (Server(ALL), ["ssl=yes"])]
    for server, fields in bad:
        failed(client.mail(behind(server, *fields))[0], "connect, ")
        client.say("RSET")
        expect(not [line for line in server.lines() if line.split()[0] in ("MAIL", "RCPT")], "something was told: %s" % server.lines())


@test
def starttls_of_the_client():
    server = Server()
    recipient = behind(server)
    client = connect()
    expect(client.say("STARTTLS").startswith("220 "), "STARTTLS")
    client.start_tls()
    expect("STARTTLS" not in client.lhlo(), "once only")
    saved(delivered([recipient], DOTS, client=client)[0], recipient)
    expect(re.search(rb"\(using TLS[^)]*.*\)\r\n\tby proxy\.test with LMTPS\r\n", server.last().message), server.last().message)


@test
def nothing_from_before_tls_counts():
    client = connect()
    client.send("STARTTLS\r\nNOOP\r\n")
    expect(client.line().startswith("220 "), "no TLS")
    said = client.said_inside_tls()
    expect(said is None, "answered inside TLS: %r" % said)
    client = connect()
    client.mail(behind(Server()))
    if client.say("STARTTLS").startswith("220"):
        client.start_tls()
        expect(client.say("DATA").startswith("503"), "the transaction is forgotten")


# --- local delivery (DECISIONS 8) ------------------------------------------------------------------

SCRIPT = """#!/bin/sh
case "$2" in
  status*) n="${2#status}"; exit "${n%%@*}" ;;
  signal*) kill -9 $$ ;;
esac
{ env; echo "UID=$(id -u)"; echo "SENDER=$1"; echo "RECIPIENT=$2"; } >"$HOME/env"
cat >"$HOME/mail"
"""


def host(name, executable, **settings):
    """A daemon whose users are here: all of a file, with their homes below a folder."""
    _, uid, gid = dovecot.owner()
    return started(name, userdb=({"driver": "static", "fields": {"uid": str(uid), "gid": str(gid), "home": world.path("homes") + "/%n"}},), first_valid_uid=1,
                   service={"lmtp": {"executable": executable}}, **settings)


def local_user(name=None, *fields):
    _, uid, gid = dovecot.owner()
    address = user(fields, name)
    os.chown(world.folder("homes"), uid, gid)
    for part in ("", "/Maildir", "/Maildir/new", "/Maildir/cur", "/Maildir/tmp"):
        os.chown(world.folder("homes/" + address.split("@")[0] + part, 0o700), uid, gid)
    return address


@test
def a_program_of_this_host_takes_mail():
    program = world.write("deliver", SCRIPT, 0o755)
    local = host("local", program + " %{sender} %{recipient}")
    server = Server()
    recipients = [local_user(), behind(server), local_user()]
    client = connect(local)
    for reply, recipient in zip(delivered(recipients, DOTS, client=client), recipients):
        saved(reply, recipient)
    one_reply_each(client)
    expect(body_of(server.last().message) == DOTS, "the proxied copy")
    _, uid, _ = dovecot.owner()
    for recipient in (recipients[0], recipients[2]):
        home = world.path("homes", recipient.split("@")[0])
        told = dict(line.split("=", 1) for line in world.read(home + "/env").splitlines() if "=" in line)
        for name, value in {"UID": str(uid), "HOME": home, "USER": recipient, "SENDER": "sender@far.test", "RECIPIENT": recipient, "SERVICE": "lmtp"}.items():
            expect(told.get(name) == value, "%s: %r" % (name, told.get(name)))
        with open(home + "/mail", "rb") as f:
            stored = f.read()
        expect(b"\r" not in stored and stored.endswith(body_of(DOTS).replace(b"\r\n", b"\n")), stored)
        contains(stored.decode(), "Return-Path: <sender@far.test>\n")
        contains(stored.decode(), "Delivered-To: ")
    local.stop()


@test
def exit_statuses_of_the_program():
    local = host("statuses", world.write("deliver", SCRIPT, 0o755) + " %{sender} %{recipient}")
    rows = {"status67": "550 5.1.1", "status77": "550 5.7.1", "status75": "451 4.3.0", "status1": "451 4.3.0", "signal": "451 4.3.0", "status0": "250 2.0.0"}
    recipients = [local_user(name + "@example.org") for name in rows]
    replies = delivered(recipients, client=connect(local))
    expect([r[:9] for r in replies] == list(rows.values()), replies)
    expect(all("<%s>" % recipient in reply for reply, recipient in zip(replies, recipients)), replies)
    local.stop()


@test
def dovecot_lda_stores_mail():
    if not os.path.exists(LDA):
        raise Skip("no " + LDA)
    name, _, gid = dovecot.owner()
    conf = world.write("lda.conf", "mail_location = maildir:~/Maildir\nlog_path = /dev/stderr\nfirst_valid_uid = 1\nmail_uid = %s\nmail_gid = %d\n"
                       "base_dir = %s\npostmaster_address = postmaster@example.org\n" % (name, gid, world.path("run-lda")))
    local = host("lda", "%s -c %s -e -f %%{sender} -a %%{recipient}" % (LDA, conf))
    recipient = local_user()
    saved(delivered([recipient], DOTS, client=connect(local))[0], recipient)
    box = world.path("homes", recipient.split("@")[0], "Maildir/new")
    stored = world.read(os.path.join(box, os.listdir(box)[0]))
    contains(stored, "Subject: dots")
    expect(stored.endswith(".\n..\n.x\nQUIT\n\n.\nRSET\n.\n"), stored)
    local.stop()


@test
def without_a_program():
    recipient = user([])
    answer = connect().mail(recipient)[0]
    expect(answer.startswith("451 4.3.0 <%s> " % recipient), answer)
    proxy.wait_line(re.escape(recipient))


@test
def without_the_proxy_everybody_is_local():
    """LMTP-2."""
    local = host("noproxy", world.write("deliver", SCRIPT, 0o755) + " %{sender} %{recipient}", )
    local.set(lmtp_proxy=False)
    local.reload_and_wait()
    server = Server()
    recipient = local_user(None, *server.fields())
    until(lambda: delivered([recipient], client=connect(local))[0].startswith("250"), "delivered")
    expect(os.path.exists(world.path("homes", recipient.split("@")[0], "mail")), "here")
    local.stop()


# --- life --------------------------------------------------------------------------------------------

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
    client = LmtpUnix(proxy.folder + "/run/lmtp")
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
