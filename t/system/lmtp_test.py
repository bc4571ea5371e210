#!/usr/bin/env python3
"""LMTP through the installed daemon: two Dovecots, a Cyrus and a Postfix behind it; Postfix and other programs that bring mail; who
gets what, and who is told what."""
import os, re, signal, smtplib, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, cyrus, daemon, dovecot, postfix, tap, world
from lmtp_stub import Gate, NO_CHUNKING, Server
from lmtp_world import DOTS, MESSAGE, behind, body_of, connect, delivered, failed, one_reply_each, postern, saved, serve_all, started, taken, user
from tap import Skip, contains, expect, test, until

real = {}
proxy = None


def at_real(name, tls="", address=None, **more):
    if name not in real:
        raise Skip("no %s here" % name)
    return user(real[name].fields("lmtp", tls, **more) + ["protocol=lmtp"], address)


def set_up():
    global proxy
    why = daemon.missing()
    if why:
        return why
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
    serve_all(proxy)
    return None


# --- real programs, real servers ---------------------------------------------------------------

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


# --- who gets what, and who is told what -------------------------------------------------------

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
def redirects_of_a_backend():
    """LMTP-33, GEN-9: to an address they are followed, for this recipient alone; a name, and what goes in circles, is not."""
    there = Server()
    said = {}

    def rcpt(argument):
        return next((answer for name, answer in said.items() if name in argument), "250 2.1.5 ok")
    here = Server(answers={"RCPT": rcpt})
    stays, moved, named, circles = (behind(here) for _ in range(4))
    said[moved] = "550 5.2.900 <%s> someone@127.0.0.1:%d Moved" % (moved, there.port)
    said[named] = "550 5.2.900 <%s> someone@elsewhere.test:24 Moved" % named
    said[circles] = "550 5.2.900 <%s> 127.0.0.1 Moved" % circles
    client = connect()
    answers = client.mail(stays, moved, named, circles)
    expect([a.split(" <")[0][:9] for a in answers] == ["250 2.1.5", "250 2.1.5", "451 4.3.0", "554 5.4.6"], answers)
    replies = client.data(MESSAGE % b"moved", replies=2)
    saved(replies[0], stays)
    saved(replies[1], moved)
    expect([t.recipients for t in (here.last(), there.last())] == [[stays], [moved]], "each backend has its own recipient")


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


# --- lookups (LMTP-23) -------------------------------------------------------------------------

@test
def unknown_users_and_mistakes():
    client = connect()
    client.mail()
    here = Server()
    for fields, wanted in ((None, "550 5.1.1 <%s> User doesn't exist: %s"), ([], "451 4.3.0 <%s> "), (["proxy=y"], "451 4.3.0 <%s> "),
                           (here.fields("protocol=imap"), "451 4.3.0 <%s> "), (["proxy=y", "host=127.0.0.1", "port=99999"], "451 4.3.0 <%s> "),
                           (["nologin=y"], "550 5.3.5 <%s> "), (["nologin=y", "host=other.test"], "550 5.2.900 <%s> "),
                           (here.fields("protocol=lmtp", "destuser=a\1b@dest.test"), "451 4.3.0 <%s> ")):
        recipient = user(fields) if fields is not None else "stranger@example.org"
        answer = client.say("RCPT TO:<%s>" % recipient)
        expect(answer.startswith(wanted.replace("%s", recipient)), "%s: %s" % (fields, answer))
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


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
