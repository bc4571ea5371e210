#!/usr/bin/env python3
"""ManageSieve: the installed daemon before a Dovecot, a Cyrus and a program of this host; sieve-connect and a raw client."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, cyrus, daemon, dovecot, tap, world
from clients import Sieve
from daemon import PASSWORD
from tap import Skip, contains, expect, test

PROGRAM = "/usr/lib/dovecot/managesieve"
SCRIPT = "keep;\r\n"
backends, proxy = {}, None


def set_up():
    global proxy
    why = daemon.missing() or dovecot.missing() or (not os.path.exists(PROGRAM) and "no dovecot-managesieved here")
    if why:
        return why
    backends["dovecot"] = dovecot.Dovecot("dovecot", ["alice", "carol", "dave", "erin"], masters=["boss"]).start()
    if not cyrus.missing():
        backends["cyrus"] = cyrus.Cyrus("cyrus", ["alice"]).start()
    near = backends["dovecot"].fields("sieve", "starttls=yes")
    users = {"alice": near, "plain": backends["dovecot"].fields("sieve", "", destuser="carol"),
             "master": backends["dovecot"].fields("sieve", "starttls=yes", destuser="dave", master="boss"),
             "program": backends["dovecot"].fields("sieve", "starttls=yes", destuser="erin"),
             "wrong": [f for f in near if not f.startswith("pass=")] + ["pass=nonsense", "destuser=alice"],
             "moved": ["nologin=y", "host=other.example.org"], "local": [], "down": ["proxy=y", "host=127.0.0.1", "port=1"],
             "strict": ["proxy=y", "host=127.0.0.1", "port=%d" % backends["dovecot"].imap]}
    if "cyrus" in backends:
        users["cyrus"] = backends["cyrus"].fields("sieve", "", destuser="alice")
    _, uid, gid = dovecot.owner()
    conf = world.write("programs.conf", "mail_location = maildir:~/Maildir\nlog_path = /dev/stderr\nfirst_valid_uid = 1\n"
                       "mail_uid = %d\nmail_gid = %d\nbase_dir = %s\n" % (uid, gid, world.path("run-dovecot")))
    os.chown(world.folder("home", 0o700), uid, gid)
    proxy = daemon.Postern(
        "proxy", users, protocols=["imap", "pop3", "sieve"], first_valid_uid=1, login_proxy_max_reconnects=0,
        userdb=({"driver": "static", "fields": {"uid": str(uid), "gid": str(gid), "home": world.path("home")}},),
        service={"managesieve": {"executable": "%s -c %s" % (PROGRAM, conf)}}).start()
    return None


def put_and_get(client):
    """A script goes there and comes back, in literals both ways."""
    client.send('PUTSCRIPT "test" {%d+}\r\n%s\r\n' % (len(SCRIPT), SCRIPT))
    answer = client.answer()[1]
    expect(answer.startswith("OK"), answer)
    lines, answer = client.command('GETSCRIPT "test"')
    expect(answer.startswith("OK") and lines[:2] == ["{%d}" % len(SCRIPT), "keep;"], lines)
    contains("\n".join(client.command("LISTSCRIPTS")[0]), '"test"')
    expect(client.command("LOGOUT")[1].startswith("OK"), "logged out")
    client.close()


def logged_in(user, tls):
    client = Sieve(proxy.sieve)
    if tls:
        client.starttls()
    answer = client.login(user)
    expect(answer.startswith("OK"), answer)
    return client


@test
def scripts_on_dovecot():
    put_and_get(logged_in("alice", tls=True))
    proxy.wait_line(r"managesieve-login: Info: proxy\(alice,127.0.0.1:%d\): Started proxying to .*: user=<alice>, method=PLAIN, .*TLS" % backends["dovecot"].sieve)
    put_and_get(logged_in("plain", tls=False))
    proxy.wait_line(r"managesieve-login: Info: proxy\(plain,.*\): Disconnected by (client|server)")


@test
def scripts_on_dovecot_as_a_master_user():
    put_and_get(logged_in("master", tls=True))


@test
def scripts_on_cyrus():
    if "cyrus" not in backends:
        raise Skip(cyrus.missing())
    put_and_get(logged_in("cyrus", tls=True))


@test
def scripts_of_this_host():
    client = logged_in("local", tls=True)
    put_and_get(client)
    proxy.wait_line(r"managesieve-login: Info: Login: user=<local>, method=PLAIN, .* mpid=\d+")


@test
def capabilities_before_and_after_the_login():
    """SIEVE-8, SIEVE-33: ours before, the backend's after."""
    client = Sieve(proxy.sieve)
    contains("\n".join(client.capabilities), '"STARTTLS"')
    client.starttls()
    contains("\n".join(client.capabilities), '"SASL" "PLAIN"')
    expect('"STARTTLS"' not in client.capabilities, client.capabilities)
    expect(client.login("alice").startswith("OK"), "logged in")
    contains("\n".join(client.command("CAPABILITY")[0]), 'Pigeonhole"')
    client.close()


@test
def pipelined_commands_reach_the_backend():
    client = Sieve(proxy.sieve)
    client.starttls()
    initial = clients.b64("\0alice\0" + PASSWORD)
    client.send('AUTHENTICATE "PLAIN" {%d+}\r\n%s\r\nNOOP "one"\r\nLOGOUT\r\n' % (len(initial), initial))
    lines = client.rest()
    expect([line.split(" ")[0] for line in lines] == ["OK", "OK", "OK"], lines)
    contains(lines[1], 'TAG "one"')
    client.close()


@test
def refusals():
    """SIEVE-20, SIEVE-37, SIEVE-38, SIEVE-40: what happened is told apart as far as the client may know."""
    client = Sieve(proxy.sieve).starttls()
    for user, wanted in (("nobody", 'NO "Authentication failed."'), ("wrong", 'NO "Authentication failed."'),
                         ("down", 'NO (TRYLATER) "Account is temporarily unavailable."'),
                         ("strict", 'NO (TRYLATER) "Account is temporarily unavailable."'),
                         ("moved", 'NO (REFERRAL sieve://moved;AUTH=PLAIN@other.example.org) "Try this server instead."')):
        answer = client.login(user)
        expect(answer == wanted, "%s: %s" % (user, answer))
    expect(client.login("alice").startswith("OK"), "and in the end he gets in")
    client.close()


@test
def nothing_from_before_tls_counts():
    """SIEVE-16, SEC-1: what stood behind STARTTLS is not answered."""
    client = Sieve(proxy.sieve)
    client.send('STARTTLS\r\nNOOP "injected"\r\n')
    answer = client.line()
    contains(answer, "OK")
    said = client.said_inside_tls()
    expect(said is None, "answered inside TLS: %r" % said)  # closed: not even the capabilities come
    proxy.wait_line("managesieve-login: Info: Disconnected: Clear text behind STARTTLS")
    client.close()


@test
def sieve_connect_uploads_and_lists():
    name = clients.program("sieve-connect")
    script = world.write("upload.sieve", SCRIPT)
    common = [name, "--server", "localhost", "--port", str(proxy.sieve), "--user", "program", "--authmech", "PLAIN", "--4",
              "--tlscafile", world.certificates()[0], "--passwordfd", "0"]
    done = clients.run(common + ["--localsieve", script, "--remotesieve", "uploaded", "--upload"], typed=PASSWORD + "\n")
    expect(done.returncode == 0, done.stdout + done.stderr)
    done = clients.run(common + ["--list"], typed=PASSWORD + "\n")
    contains(done.stdout, "uploaded")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]) if proxy else "")
