#!/usr/bin/env python3
"""LMTP: mail for users of this host, taken by a program (DECISIONS 8)."""
import os, re, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, tap, world
from lmtp_stub import Server
from lmtp_world import BIG, DOTS, MESSAGE, behind, body_of, connect, delivered, one_reply_each, postern, saved, serve_all, started, taken, user
from tap import Skip, contains, expect, test, until

LDA = "/usr/lib/dovecot/dovecot-lda"
proxy = None


def set_up():
    global proxy
    why = daemon.missing()
    if why:
        return why
    proxy = serve_all(postern("proxy"))
    return None


# --- local delivery (DECISIONS 8) --------------------------------------------------------------

SCRIPT = """#!/bin/sh
case "$2" in
  status*) n="${2#status}"; exit "${n%%@*}" ;;
  signal*) kill -9 $$ ;;
  slow*) echo here >"$HOME/begun"; read -r line <"$HOME/gate" ;;
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
    unread = delivered([recipients[-1], recipients[0]], BIG, client=connect(local))
    expect([r[:9] for r in unread] == ["250 2.0.0", "550 5.1.1"], "programs that read nothing of it: %s" % unread)
    local.stop()


@test
def a_program_that_cannot_be_run():
    local = host("broken", world.write("no-interpreter", "#!/nonexistent/interpreter\n", 0o755) + " %{sender}")
    recipient = local_user()
    reply = delivered([recipient], client=connect(local))[0]
    expect(reply.startswith("451 4.3.0 "), reply)
    local.wait_line("service.lmtp.executable")
    local.stop()


@test
def deliveries_to_one_user_at_once():
    """LMTP-47."""
    local = host("slow", world.write("deliver", SCRIPT, 0o755) + " %{sender} %{recipient}", lmtp_user_concurrency_limit=1)
    recipient = local_user("slow@example.org")
    other = local_user()
    home = world.path("homes/slow")
    os.mkfifo(home + "/gate")
    os.chmod(home + "/gate", 0o666)
    first, second = connect(local), connect(local)
    taken(first, recipient)
    first.say("DATA")
    first.send(MESSAGE % b"slow" + b".\r\n")
    until(lambda: os.path.exists(home + "/begun"), "the program runs")
    answer = second.mail(recipient)[0]
    if answer.startswith("250"):
        answer = second.data(MESSAGE % b"x")[0]
    expect(answer.startswith("451 4.3.0 <%s> " % recipient), answer)
    second.say("RSET")
    saved(delivered([other], client=second)[0], other)  # nobody else waits
    with open(home + "/gate", "w") as f:
        f.write("go\n")
    saved(first.reply()[-1], recipient)
    local.stop()


@test
def proxy_maybe_of_this_host_and_of_another():
    """AUC-22: the host is this one when its address and port are where the client came in."""
    local = host("maybe", world.write("deliver", SCRIPT, 0o755) + " %{sender} %{recipient}")
    server = Server()
    here = [local_user(None, "proxy_maybe=y", "host=" + where) for where in ("127.0.0.1", "localhost", "127.0.0.1 port=%d" % local.lmtp)]
    there = [user(["proxy_maybe=y", "host=" + where, "port=%d" % server.port, "protocol=lmtp"]) for where in ("127.0.0.1", "localhost")]
    recipients = [here[0], there[0], here[1], there[1], here[2]]
    for reply, recipient in zip(delivered(recipients, client=connect(local)), recipients):
        saved(reply, recipient)
    expect([os.path.exists(world.path("homes", r.split("@")[0], "mail")) for r in here] == [True] * 3, "all that are here")
    told = [line for line in server.lines() if line.startswith("RCPT TO:")]
    expect(len(told) == 2 and all(r in " ".join(told) for r in there), told)
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


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
