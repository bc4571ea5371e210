#!/usr/bin/env python3
"""Users of this host: Debian's Dovecot mail programs behind the installed daemon, all kinds of userdb, and referrals."""
import imaplib, os, poplib, sqlite3, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, mailhost, redis, tap, world
from clients import Imap, Pop3
from daemon import PASSWORD
from tap import Skip, contains, expect, test, until

host = None


def set_up():
    global host
    why = daemon.missing() or mailhost.missing()
    if why:
        return why
    host = mailhost.MailHost("host", {
        "alice": [], "bob": [], "prefetched": mailhost.prefetch_fields("prefetched"), "stranger": [],
        "moved": ["host=other.example.org", "reason=Moved."], "moved6": ["host=2001:db8::7", "destuser=you"],
        "gone": ["host=gone.example.org", "nologin=y"], "nouserdb": ["host=far.example.org"],
        "maybe": ["proxy_maybe=y", "host=127.0.0.1"], "alias": ["proxy_maybe=y", "host=192.0.2.99"],
        "named": ["proxy_maybe=y", "host=localhost"], "elsewhere": ["proxy_maybe=y", "host=127.0.0.1", "port=1"],
        "loop": ["proxy=y", "host=127.0.0.1"], "homeless": [], "rooted": []}).start()
    return None


@test
def imap_reads_a_mail_here():
    mailbox = imaplib.IMAP4("127.0.0.1", host.postern.imap, timeout=30)
    mailbox.login("alice", PASSWORD)
    contains(mailbox.capability()[1][0].decode(), "UNSELECT")  # the program's list, not ours
    mailbox.select("INBOX")
    _, data = mailbox.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    mailbox.logout()
    contains(data[0][1].decode(), "Hello alice")
    line = host.postern.wait_line("imap-login: Info: Login: user=<alice>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, mpid=[0-9]+, secured, session=<")
    pid = line.split("mpid=")[1].split(",")[0]
    host.postern.wait_line(r"imap-login: Info: imap\(alice\)<%s>: Disconnected by (client|mail program) \(" % pid)  # whoever is first
    until(lambda: not world.running(int(pid)), "the program has ended")


@test
def pop3_reads_a_mail_here():
    mailbox = poplib.POP3("127.0.0.1", host.postern.pop3, timeout=30)
    mailbox.user("alice")
    expect(mailbox.pass_(PASSWORD) == b"+OK Logged in.", "the answer is ours")
    contains(b"\n".join(mailbox.retr(1)[1]).decode(), "Hello alice")
    mailbox.quit()


@test
def tls_and_a_process_for_many():
    host.postern.set(service={"imap-login": {"service_count": 0, "process_min_avail": 1}})
    host.postern.reload()
    host.postern.wait_line("generation 2")
    client = Imap(host.postern.imaps, tls=True)
    contains(client.login("alice"), "OK [CAPABILITY IMAP4rev1")
    contains(client.command("EXAMINE INBOX")[1], "OK [READ-ONLY]")
    client.close()


@test
def capabilities_go_untagged_to_who_asked():
    client = Imap(host.postern.imap)
    client.command("CAPABILITY")
    untagged, tagged = client.command('LOGIN alice "%s"' % PASSWORD)
    expect(tagged == "OK Logged in", tagged)  # IMAP-96
    contains(untagged[0], "* CAPABILITY IMAP4rev1")
    client.close()


@test
def pipelined_commands_reach_the_program():
    client = Imap(host.postern.imap)
    client.send('x LOGIN alice "%s"\r\ny EXAMINE INBOX\r\nz LOGOUT\r\n' % PASSWORD)
    lines = client.rest()
    contains("\n".join(lines), "y OK [READ-ONLY]")
    contains("\n".join(lines), "z OK Logout completed")


@test
def the_program_is_the_users():
    client = Imap(host.postern.imap)
    contains(client.login("alice"), "OK")
    pid = host.program_of(client)
    status = world.status_of(pid)
    owner = dovecot.owner()
    expect(set(status["Uid"].split()) == {str(owner[1])}, "uid: " + status["Uid"])
    expect(set(status["Gid"].split()) == {str(owner[2])}, "gid: " + status["Gid"])
    if os.geteuid() == 0:
        expect(status["Groups"].split() == [], "groups: " + status["Groups"])
    expect(os.readlink("/proc/%d/cwd" % pid) == host.home("alice"), "it is at home")
    client.close()
    until(lambda: not world.running(pid), "it ends with its client")


@test
def environment_of_a_program():
    client = Imap(host.postern.imap)
    contains(client.login("bob"), "OK [CAPABILITY X-ENVIRONMENT] Logged in")  # a script, see mailhost
    told = dict(line[2:].split("=", 1) for line in client.command("ENV")[0] if "=" in line)
    client.close()
    user = "bob"
    for name, value in {"USER": user, "LOGNAME": user, "HOME": host.home(user), "SHELL": "/bin/sh", "SERVICE": "imap", "IP": "127.0.0.1",
                        "LOCAL_IP": "127.0.0.1", "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": str(client.ends[0][1]),
                        "TCPLOCALPORT": str(host.postern.imap), "MAIL": "maildir:~/Maildir", "QUOTA_RULE": "*:storage=1G"}.items():
        expect(told.get(name) == value, "%s: %r" % (name, told.get(name)))
    expect(set(told) <= {"USER", "LOGNAME", "HOME", "SHELL", "SERVICE", "IP", "LOCAL_IP", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPLOCALIP", "TCPLOCALPORT",
                         "MAIL", "QUOTA_RULE", "SESSION", "PATH", "TZ", "PWD", "_", "OLDPWD", "SHLVL"}, "nothing else: %s" % told)


# --- userdbs --------------------------------------------------------------------


def logs_in(user):
    client = Imap(host.postern.imap)
    answer = client.login(user)
    expect(answer.startswith("OK"), answer)
    pid = host.program_of(client)
    home = os.readlink("/proc/%d/cwd" % pid)
    client.close()
    return home


def with_userdb(*blocks, **settings):
    host.postern.set(userdb=blocks, **settings)
    host.postern.reload_and_wait()


@test
def userdb_static():
    name, uid, gid = dovecot.owner()
    with_userdb({"driver": "static", "args": "uid=%s gid=%d home=%s/%%n" % (name, gid, host.folder)})
    expect(logs_in("alice") == host.home("alice"), "home")


@test
def userdb_passwd_file_with_mail_uid():
    name, uid, gid = dovecot.owner()
    file = world.write("host/userdb", "alice:::%d::%s::userdb_quota_rule=1G\n" % (gid, host.home("alice")))
    with_userdb({"driver": "passwd-file", "args": file}, mail_uid=name)
    expect(logs_in("alice") == host.home("alice"), "home")


@test
def userdb_sql_with_mail_uid_and_mail_gid():
    name, uid, gid = dovecot.owner()
    file = world.path("host/users.db")
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE users (user TEXT, home TEXT)")
    db.execute("INSERT INTO users VALUES ('alice', ?)", (host.home("alice"),))
    db.commit()
    db.close()
    os.chmod(file, 0o644)
    with_userdb({"driver": "sql", "sql_driver": "sqlite", "sql_connect": file,
                 "sql_user_query": "SELECT home FROM users WHERE user = '%n'"}, mail_uid=name, mail_gid=str(gid))
    expect(logs_in("alice") == host.home("alice"), "home")


@test
def userdb_redis():
    """One record for both lists: the userdb takes the fields with userdb_."""
    if redis.missing():
        raise Skip(redis.missing())
    name, uid, gid = dovecot.owner()
    server = redis.RedisServer("redis").start()
    server.user("postern:user:alice", password="x", host="nowhere", userdb_uid=uid, userdb_gid=gid, userdb_home=host.home("alice"))
    with_userdb({"driver": "redis", "redis_uri": server.unix_uri()})
    expect(logs_in("alice") == host.home("alice"), "home")
    server.stop()
    contains(Imap(host.postern.imap).login("alice"), "NO [UNAVAILABLE] Temporary authentication failure.")


@test
def userdb_prefetch_and_then_another():
    name, uid, gid = dovecot.owner()
    with_userdb({"driver": "prefetch"}, {"driver": "static", "args": "uid=%d gid=%d home=%s/%%n" % (uid, gid, host.folder)})
    expect(logs_in("prefetched") == host.home("prefetched"), "home of the passdb")
    expect(logs_in("alice") == host.home("alice"), "home of the second userdb")


@test
def userdb_passwd():
    name, uid, gid = dovecot.owner()
    with_userdb({"driver": "passwd", "args": "username_format=" + name, "override_fields": "home=%s/%%n" % host.folder})
    expect(logs_in("alice") == host.home("alice"), "home")
    with_userdb({"driver": "passwd"})
    client = Imap(host.postern.imap)
    contains(client.login("stranger"), "NO [UNAVAILABLE] Temporary authentication failure.")
    host.postern.wait_line(r"auth: Error: userdb\(stranger,127.0.0.1,<.*>\): user not found from any userdb")


# --- failures -------------------------------------------------------------------


@test
def uids_below_first_valid_uid_are_refused():
    if os.geteuid() != 0:
        raise tap.Skip("needs root")
    with_userdb({"driver": "static", "args": "uid=root gid=1 home=/"})
    client = Imap(host.postern.imap)
    contains(client.login("rooted"), "NO [UNAVAILABLE]")
    host.postern.wait_line(r"imap\(rooted,127.0.0.1,<.*>\): service.imap.executable: uid 0 is below first_valid_uid = 1")
    with_userdb(host.userdb(), first_valid_uid=100000)
    contains(client.login("rooted"), "NO [UNAVAILABLE]")
    host.postern.wait_line(r"is below first_valid_uid = 100000")
    with_userdb(host.userdb(), first_valid_uid=1)


@test
def another_uid_without_root():
    if os.geteuid() == 0:
        raise tap.Skip("only without root")
    with_userdb({"driver": "static", "args": "uid=1 gid=1 home=/"})
    contains(Imap(host.postern.imap).login("alice"), "NO [UNAVAILABLE]")
    host.postern.wait_line("uid 1: Postern was not started as root and can serve its own uid")
    with_userdb(host.userdb())


@test
def a_program_that_says_something_else():
    host.program("#!/bin/sh\necho 'hello there'\nread -r x\n", "rude")
    host.postern.set(service={"imap": {"executable": host.path("rude")}})
    with_userdb(host.userdb())
    client = Imap(host.postern.imap)
    client.send('x LOGIN alice "%s"\r\n' % PASSWORD)
    expect(client.line() == "* BYE [UNAVAILABLE] Internal login failure. Refer to server log for more information.", "IMAP-90")
    expect(client.line() is None, "and closed")
    host.postern.wait_line("service.imap.executable: unexpected greeting: hello there: user=<alice>")


@test
def a_program_that_cannot_be_run():
    host.program("#!/nonexistent/interpreter\n", "broken")
    host.postern.set(service={"imap": {"executable": host.path("broken")}})
    with_userdb(host.userdb())
    contains(Imap(host.postern.imap).login("alice"), "NO [UNAVAILABLE] Temporary authentication failure.")
    host.postern.wait_line(r"auth: Error: imap\(alice,.*: service.imap.executable: .*/broken: No such file or directory")


@test
def process_limit_is_kept():
    host.postern.set(service={"imap": {"executable": host.imap_program(), "process_limit": 1}})
    with_userdb(host.userdb())
    first = Imap(host.postern.imap)
    contains(first.login("alice"), "OK")
    contains(Imap(host.postern.imap).login("alice"), "NO [UNAVAILABLE]")
    host.postern.wait_line(r"service.imap.process_limit \(1\) reached")
    pid = host.program_of(first)
    first.close()
    until(lambda: not world.running(pid), "the first has ended")
    second = Imap(host.postern.imap)
    until(lambda: second.login("alice").startswith("OK"), "there is room again")
    second.close()
    host.postern.set(service={"imap": {"executable": host.imap_program(), "process_limit": 10}})
    with_userdb(host.userdb())


# --- referrals and proxy_maybe ------------------------------------------------------


@test
def referral_with_a_successful_login():
    client = Imap(host.postern.imap)
    untagged, tagged = client.command('LOGIN moved "%s"' % PASSWORD)
    contains(untagged[0], "* CAPABILITY IMAP4rev1")
    expect(tagged == "OK [REFERRAL imap://moved;AUTH=PLAIN@other.example.org/] Moved.", tagged)
    contains(client.command("EXAMINE INBOX")[1], "OK [READ-ONLY]")
    untagged, tagged = Imap(host.postern.imap).command('LOGIN moved6 "%s"' % PASSWORD)
    expect(tagged == "OK [REFERRAL imap://you;AUTH=PLAIN@[2001:db8::7]/] Logged in, but you should use this server instead.", tagged)
    client.close()


@test
def referral_that_refuses():
    client = Imap(host.postern.imap)
    expect(client.login("gone") == "NO [REFERRAL imap://gone;AUTH=PLAIN@gone.example.org/] Try this server instead.", "A2")
    contains(client.login("alice"), "OK")


@test
def pop3_does_not_refer():
    client = Pop3(host.postern.pop3)
    expect(client.login("moved") == "+OK Logged in.", "A6")


@test
def proxy_maybe_to_this_host_is_local():
    for user in ("maybe", "alias", "named"):
        expect(logs_in(user) == host.home(user), user)
    expect(Imap(host.postern.imap).login("elsewhere") == "NO [UNAVAILABLE] Account is temporarily unavailable.", "another port is not here")


@test
def a_proxy_loop_is_seen():
    host.postern.set(passdb=({"driver": "static", "args": "proxy=y host=127.0.0.1 port=%d nopassword=y" % host.postern.imap},))
    with_userdb(host.userdb())
    expect(Imap(host.postern.imap).login("loop") == "NO [UNAVAILABLE] Account is temporarily unavailable.", "PXI-3")
    host.postern.wait_line(r"proxy\(loop\): Proxying loops to itself")
    host.postern.set(passdb=host.passdb())
    with_userdb(host.userdb())


@test
def sessions_outlive_reload_and_their_workers_kin():
    client = Imap(host.postern.imap)
    contains(client.login("alice"), "OK")
    with_userdb(host.userdb())
    expect(client.alive(), "after a reload")
    host.postern.kill_role("auth")
    expect(client.alive(), "after the death of auth")
    client.close()


@test
def without_a_program_a_temporary_failure_or_the_refusing_referral():
    host.postern.set(service={"imap": {"executable": ""}})
    with_userdb(host.userdb())
    client = Imap(host.postern.imap)
    contains(client.login("alice"), "NO [UNAVAILABLE] Temporary authentication failure.")
    host.postern.wait_line(r"User alice is to be logged in here .*, but service.imap.executable is not set")
    expect(client.login("moved") == "NO [REFERRAL imap://moved;AUTH=PLAIN@other.example.org/] Try this server instead.", "A1 without a program")
    client.close()
    host.postern.set(service={"imap": {"executable": host.imap_program()}})
    with_userdb(host.userdb())


@test
def a_stop_ends_programs():
    client = Imap(host.postern.imap)
    contains(client.login("alice"), "OK")
    pid = host.program_of(client)
    expect(host.postern.stop() == 0, "a clean stop")
    expect(not world.running(pid), "the program has ended")


@test
def sessions_outlive_the_master():
    host.postern.start()
    client = Imap(host.postern.imap)
    contains(client.login("alice"), "OK")
    pid = host.program_of(client)
    world.kill(host.postern.process.pid)
    host.postern.process.wait()
    expect(client.alive(), "the session goes on")
    client.close()
    until(lambda: world.reap_orphans() or not world.running(pid), "the program ends with its client")


tap.main(set_up, world.finish, lambda: host.postern.output() if host else "")
