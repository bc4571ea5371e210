#!/usr/bin/env python3
"""Logins through the installed daemon to a real Dovecot, TLS on both sides (clients_test.py: with real mail programs)."""
import imaplib, os, sqlite3, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, daemon, dovecot, tap, world
from clients import Imap, Line, Pop3, session
from daemon import PASSWORD
from tap import contains, expect, test

PEOPLE = ["alice", "bob", "carol", "dave", "erin"]


def sqlite_users(name, rows):
    """The table of an SQL passdb; (user, password, host, port, tls, pass)."""
    file = world.path(name)
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE proxy (user TEXT PRIMARY KEY, password TEXT, host TEXT, port INT, ssl TEXT, pass TEXT)")
    db.executemany("INSERT INTO proxy VALUES (?,?,?,?,?,?)", rows)
    db.commit()
    db.close()
    os.chmod(file, 0o644)
    return file


def set_up():
    global backend, proxy
    why = daemon.missing() or dovecot.missing()
    if why:
        return why
    backend = dovecot.Dovecot("backend", PEOPLE + ["max"], masters=["proxymaster"]).start()
    for person in PEOPLE:
        backend.deliver(person, "Hello %s" % person)
    to = backend.fields
    file = daemon.users_file("users", {
        "alice": to(), "pia": to("pop3", destuser="alice"),               # verified by address
        "nameless": to(destuser="carol", host="localhost"),               # verified by name
        "anycert": to(tls="ssl=any-cert", destuser="carol", host="127.0.0.1"),
        "proxied": to(destuser="dave", master="proxymaster"),             # logs in as master user
        "erin": [f for f in to() if not f.startswith("pass=")],           # her own password is forwarded
        "wrongport": ["proxy=y", "host=127.0.0.1", "port=%d" % world.free_port(), "pass=x"],
    })
    rows = [("sqlite", "{SHA512-CRYPT}" + crypted(), "127.0.0.1", backend.imaps, "yes", dovecot.PASSWORD)]
    query = ("SELECT password, host, port, 'y' AS proxy, ssl, pass, 'bob' AS destuser FROM proxy WHERE user = '%u'")
    proxy = daemon.Postern("proxy", auth_mechanisms=["plain", "login"], passdb=(
        {"driver": "passwd-file", "args": file},
        {"driver": "sql", "sql_driver": "sqlite", "sql_connect": sqlite_users("users.db", rows),
         "sql_password_query": query})).start()
    return None


def crypted():
    import subprocess
    return subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True).stdout.strip()


def read_inbox(mailbox):
    status, _ = mailbox.select("INBOX")
    expect(status == "OK", "select: " + status)
    _, data = mailbox.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    mailbox.logout()
    return data[0][1].decode()


def imaps():
    return imaplib.IMAP4_SSL("localhost", proxy.imaps, ssl_context=clients.trust(), timeout=30)


def reads(user, text):
    mailbox = imaps()
    mailbox.login(user, PASSWORD)
    contains(read_inbox(mailbox), text)


@test
def imaplib_authenticate_plain():
    mailbox = imaps()
    mailbox.authenticate("PLAIN", lambda _: b"\0alice\0" + PASSWORD.encode())
    contains(read_inbox(mailbox), "Hello alice")


@test
def backend_verified_by_name():
    reads("nameless", "Hello carol")


@test
def any_certificate_when_asked_for():
    reads("anycert", "Hello carol")


@test
def authorities_from_file_folder_and_ssl_ca():
    """PXI-71: each of the three is enough; a folder may hold other files, too."""
    ca = world.certificates()[0]
    folder = world.folder("authorities")
    for name, text in (("ca.pem", world.read(ca)), ("README", "Authorities of the backends.\n")):
        os.chmod(world.write("authorities/" + name, text), 0o644)
    for number, setting in enumerate(({"ssl_client_ca_dir": folder}, {"ssl_ca": ca})):
        postern = daemon.Postern("trusts%d" % number, {"alice": backend.fields()}, ssl_client_ca_file="", **setting).start()
        session(postern.imaps, "alice").close()
        postern.stop()


@test
def a_backend_nobody_vouches_for_is_tried_once():
    postern = daemon.Postern("trusts-nobody", {"alice": backend.fields()}, ssl_client_ca_file="").start()
    client = Imap(postern.imaps, tls=True)
    contains(client.login("alice"), "NO [UNAVAILABLE]")
    client.close()
    line = postern.wait_line("Received invalid SSL certificate")
    expect("reconnects" not in line, line)
    postern.stop()


def resumed(postern, version, *session_file):
    argv = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % postern.imaps, "-ign_eof", version, *session_file]
    said = clients.run(argv, "a LOGOUT\r\n").stdout  # until we close: in TLS 1.3 the ticket comes after the handshake
    return "Reused, TLSv1" in said


@test
def a_tls_session_is_resumed_at_every_worker():
    """ARCHITECTURE 7: the keys of tickets are the same in all processes, and after a reload."""
    two = {"service_count": 0, "process_min_avail": 2, "process_limit": 2}
    postern = daemon.Postern("tickets", {"alice": backend.fields()})
    postern.set(service={"imap-login": two})
    postern.start()
    file = world.path("ticket")
    for version in ("-tls1_2", "-tls1_3"):
        expect(not resumed(postern, version, "-sess_out", file), "a new session")
        for _ in range(6):
            expect(resumed(postern, version, "-sess_in", file), "whoever takes the connection knows the key: " + version)
    postern.reload_and_wait()
    expect(resumed(postern, "-tls1_3", "-sess_in", file), "after a reload")
    postern.stop()


@test
def who_speaks_before_auth_is_there_is_heard():
    """He waits for the greeting, or does not: what he said is answered behind it."""
    real, folder, gate = daemon.adapter.libexec_dir(daemon.adapter.binary()), world.path("late"), world.path("gate")
    os.mkdir(folder)
    os.mkfifo(gate)
    os.chmod(gate, 0o666)
    for name in os.listdir(real):
        if name != "postern-auth":
            os.symlink(os.path.join(real, name), os.path.join(folder, name))
    # The first run is the master's trial of the program; the second one waits.
    script = '#!/bin/sh\nmkdir %s/tried 2>/dev/null || read go <%s\nexec %s/postern-auth "$@"\n'
    world.write("late/postern-auth", script % (folder, gate, real))
    os.chmod(folder + "/postern-auth", 0o755)
    os.chmod(folder, 0o777)
    one = {"service_count": 0, "process_min_avail": 1, "process_limit": 1}
    late = daemon.Postern("late-auth", {"alice": backend.fields()}, libexec_dir=folder, service={"imap-login": one}).start()
    early = [Line(late.imaps, tls=True), Line(late.imap)]
    for client in early:
        client.send("a LOGOUT\r\n")
    fence = Line(late.imaps, tls=True)  # by the same process, which has seen what they said before it
    with open(gate, "w") as opened:
        opened.write("go\n")
    for client in early:
        for expected in ("* OK", "* BYE", "a OK"):
            contains(client.line(), expected)
    contains(fence.line(), "* OK")
    late.stop()


@test
def login_as_master_user():
    reads("proxied", "Hello dave")


@test
def own_password_is_forwarded():
    world.write("users", world.read(world.path("users")).replace(
        "erin:{PLAIN}" + PASSWORD, "erin:{PLAIN}" + dovecot.PASSWORD))
    mailbox = imaps()
    tap.until(lambda: mailbox.login("erin", dovecot.PASSWORD)[0] == "OK", "the changed file is read")
    contains(read_inbox(mailbox), "Hello erin")


@test
def user_from_sqlite_with_a_hashed_password():
    reads("sqlite", "Hello bob")


@test
def wrong_password_and_unknown_user_look_the_same():
    answers = set()
    for user, password in (("alice", "wrong"), ("nobody-here", PASSWORD), ("sqlite", "wrong")):
        client = Imap(proxy.imaps, tls=True)
        answers.add(client.login(user, password))
        client.close()
    expect(len(answers) == 1, answers)
    contains(answers.pop(), "NO [AUTHENTICATIONFAILED]")


@test
def unreachable_backend_is_a_temporary_failure():
    client = Imap(proxy.imaps, tls=True)
    answer = client.login("wrongport")
    contains(answer, "NO [UNAVAILABLE]")
    client.close()


@test
def plaintext_is_refused_without_tls():
    client = Imap(proxy.imap, source="127.0.0.9")  # from our own address nothing is overheard
    untagged, _ = client.command("CAPABILITY")
    contains(untagged[0], "STARTTLS")
    contains(untagged[0], "LOGINDISABLED")
    expect("AUTH=PLAIN" not in untagged[0], untagged)
    answer = client.login("alice")
    contains(answer, "NO [PRIVACYREQUIRED]")
    client.close()


@test
def pop3_wrong_password():
    client = Pop3(proxy.pop3s, tls=True)
    contains(client.login("pia", "wrong"), "-ERR [AUTH] ")
    client.close()


@test
def curl_wrong_password():
    status, _, log = clients.curl("imaps://localhost:%d/INBOX;UID=1" % proxy.imaps, "unknown")
    expect(status == 67, "curl says login denied with 67, not %d: %s" % (status, log))


@test
def pipelined_commands_arrive_once():
    client = Imap(proxy.imaps, tls=True)
    client.send("a1 LOGIN alice %s\r\na2 SELECT INBOX\r\na3 LOGOUT\r\n" % PASSWORD)
    lines = client.rest()
    for tag in ("a1 OK", "a2 OK", "a3 OK"):
        expect(sum(line.startswith(tag) for line in lines) == 1, "%s once in %r" % (tag, lines))


@test
def log_lines_tell_of_a_session():
    client = clients.session(proxy.imaps, "alice")
    client.command("LOGOUT")
    client.close()
    started = proxy.wait_line(r"imap-login: Info: proxy\(alice.*Started proxying")
    for part in ("user=<alice>", "rip=127.0.0.1", "lip=127.0.0.1", "TLS", "session=<"):
        contains(started, part)
    proxy.wait_line(r"imap-login: Info: proxy\(alice.*: Disconnected by client.*in=\d+.*out=\d+|: Disconnected.*alice")
    expect(not proxy.lines(PASSWORD), "a password is in the log")
    expect(not proxy.lines(dovecot.PASSWORD), "a backend's password is in the log")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
