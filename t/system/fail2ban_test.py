#!/usr/bin/env python3
"""fail2ban bans who fails to log in, and nobody else: its stock filter for Dovecot reads our file log and a syslog with
Dovecot's name, the filter that we install a syslog with ours (LOG-20, LOG-21, LOG-31)."""
import base64, collections, os, re, shutil, socket, ssl, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, syslogd, tap, world
from clients import Imap, Pop3
from daemon import PASSWORD
from tap import expect, test

STOCK = "/etc/fail2ban"
OURS = os.path.join(os.environ.get("POSTERN_SRCDIR", "."), "etc/fail2ban/filter.d/postern.conf")
INJECTED = "127.9.9.9"  # an address that only text of clients names
POSTERNS = {}


# --- what clients do: each function gets a daemon and the address to come from --------------------------------------------

def plain_token(user, password):
    return base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()


def imap(proxy, source, tls=True):
    return Imap(proxy.imaps if tls else proxy.imap, tls=tls, source=source)


def pop3(proxy, source, tls=True):
    return Pop3(proxy.pop3s if tls else proxy.pop3, tls=tls, source=source)


def commands_of(connect, commands, tls):
    def act(proxy, source):
        client = connect(proxy, source, tls)
        for command in commands:
            client.command(command)
        client.close()
    return act


def imap_commands(*commands, tls=True):
    return commands_of(imap, commands, tls)


def pop3_commands(*commands, tls=True):
    return commands_of(pop3, commands, tls)


def imap_dialogue(*lines):
    """Lines to which the server answers one each."""
    def act(proxy, source):
        client = imap(proxy, source)
        for line in lines:
            client.send(line + "\r\n")
            client.line()
        client.close()
    return act


def login(user, password):
    return 'LOGIN "%s" "%s"' % (user, password)


def connects_and_leaves(proxy, source):
    imap(proxy, source).close()


def no_handshake(proxy, source):
    client = socket.create_connection(("127.0.0.1", proxy.imaps), 20, source_address=(source, 0))
    client.sendall(b"a1 LOGIN alice wrong\r\n")
    while client.recv(4096):
        pass
    client.close()


def certificate_refused(proxy, source):
    client = socket.create_connection(("127.0.0.1", proxy.imaps), 20, source_address=(source, 0))
    try:
        ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
    except ssl.SSLError:
        client.close()
        return
    raise AssertionError("a certificate of an unknown authority was taken")


# What it does; lines that the filter must match: of the login process, and of auth (only with auth_verbose).
Case = collections.namedtuple("Case", "does matches verbose")
CASES = {
    "IMAP LOGIN, wrong password": Case(imap_commands(login("alice", "wrong")), 1, 1),
    "IMAP LOGIN, then LOGOUT": Case(imap_commands(login("alice", "wrong"), "LOGOUT"), 1, 1),
    "IMAP LOGIN, three times on a connection": Case(imap_commands(*[login("alice", "wrong%d" % n) for n in range(3)]), 1, 3),
    "IMAP LOGIN, unknown user": Case(imap_commands(login("nobody-here", PASSWORD)), 1, 1),
    "IMAP AUTHENTICATE PLAIN": Case(imap_commands("AUTHENTICATE PLAIN " + plain_token("alice", "wrong")), 1, 1),
    "IMAP AUTHENTICATE LOGIN": Case(imap_dialogue("a AUTHENTICATE LOGIN", "YWxpY2U=", "d3Jvbmc="), 1, 1),
    "IMAP, the backend refuses": Case(imap_commands(login("refused", PASSWORD)), 1, 0),
    "IMAP LOGIN without TLS": Case(imap_commands(login("alice", PASSWORD), tls=False), 1, 0),
    "IMAP AUTHENTICATE without TLS": Case(imap_commands("AUTHENTICATE PLAIN " + plain_token("alice", PASSWORD), tls=False), 1, 0),
    "POP3 PASS, wrong password": Case(pop3_commands("USER pia", "PASS wrong"), 1, 1),
    "POP3 PASS, then QUIT": Case(pop3_commands("USER pia", "PASS wrong", "QUIT"), 1, 1),
    "POP3 AUTH PLAIN": Case(pop3_commands("AUTH PLAIN " + plain_token("pia", "wrong")), 1, 1),
    "POP3, the backend refuses": Case(pop3_commands("USER pop-refused", "PASS " + PASSWORD), 1, 0),
    "POP3 USER without TLS": Case(pop3_commands("USER pia", tls=False), 1, 0),
    "a user name like a log line": Case(imap_commands(login("x>, method=PLAIN, rip=%s, lip=127.0.0.1, session=<x" % INJECTED, "y")), 1, 0),
    "a user name like a line of auth": Case(imap_commands(login("x,%s" % INJECTED, "y")), 1, 0),

    "connects and leaves": Case(connects_and_leaves, 0, 0),
    "no TLS handshake": Case(no_handshake, 0, 0),
    "the client refuses our certificate": Case(certificate_refused, 0, 0),
    "commands before a login": Case(imap_commands("CAPABILITY", "NOOP", "LOGOUT"), 0, 0),
    "three bad commands": Case(imap_dialogue("a X (auth failed, 1 attempts): rip=%s" % INJECTED, "b X", "c X"), 0, 0),
    "POP3 QUIT": Case(pop3_commands("CAPA", "QUIT"), 0, 0),
    "an unknown mechanism": Case(imap_commands("AUTHENTICATE X-NONE"), 0, 0),
    "AUTHENTICATE taken back": Case(imap_dialogue("a AUTHENTICATE PLAIN", "*"), 0, 0),
    "the backend cannot be reached": Case(imap_commands(login("unreachable", PASSWORD)), 0, 0),
    "a login": Case(imap_commands(login("alice", PASSWORD), "LOGOUT"), 0, 0),
    "a failure, then a login": Case(imap_commands(login("alice", "wrong"), login("alice", PASSWORD), "LOGOUT"), 0, 1),
}
SOURCES = {name: "127.0.7.%d" % number for number, name in enumerate(CASES, 1)}


# --- backends ---------------------------------------------------------------------------------------------------------------

def refuses_imap(connection):
    lines = connection.makefile("rb")
    connection.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    for line in lines:
        word = line.split()[1].upper()
        answer = b" NO [AUTHENTICATIONFAILED] no.\r\n" if word in (b"LOGIN", b"AUTHENTICATE") else b" OK done\r\n"
        connection.sendall(line.split()[0] + answer)


def refuses_pop3(connection):
    lines = connection.makefile("rb")
    connection.sendall(b"+OK ready\r\n")
    for line in lines:
        connection.sendall(b"+OK\r\n" if line.upper().startswith(b"USER") else b"-ERR [AUTH] no.\r\n")


# --- daemons: name -> (settings, filter, auth_verbose) -----------------------------------------------------------------------

KINDS = {"file": ({"auth_verbose": False}, "dovecot", False),
         "file-verbose": ({"auth_verbose": True}, "dovecot", True),
         "syslog-postern": ({"auth_verbose": True, "log_path": "syslog"}, "postern", True),
         "syslog-dovecot": ({"auth_verbose": False, "log_path": "syslog", "syslog_ident": "dovecot"}, "dovecot", False)}


def set_up():
    global users
    why = daemon.missing() or (not shutil.which("fail2ban-regex") and "no fail2ban here")
    if why:
        return why
    to = stub.Stub(stub.imap_server).fields()
    users = {"alice": to, "pia": to, "refused": stub.Stub(refuses_imap).fields(),
             "pop-refused": stub.Stub(refuses_pop3).fields(),
             "unreachable": ["proxy=y", "host=127.0.0.1", "port=%d" % world.free_port(), "proxy_timeout=500ms"]}
    return None


class Run:
    """All cases against a daemon of one kind; `log` is what fail2ban reads."""

    def __init__(self, kind):
        settings, self.filter, self.verbose = KINDS[kind]
        self.proxy = daemon.Postern(kind, users, auth_mechanisms=["plain", "login"], **settings)
        if settings.get("log_path") == "syslog":
            if syslogd.missing():
                raise tap.Skip(syslogd.missing())
            sink = syslogd.Syslog("log-" + kind)
            self.log = sink.file
            self.proxy.start(argv=sink.argv(daemon.binary()))
        else:
            self.log = self.proxy.log
            self.proxy.start()
        for name, case in CASES.items():
            case.does(self.proxy, SOURCES[name])
            tap.until(lambda: self.is_told(SOURCES[name]), "the log tells of the end of: " + name)
        self.proxy.stop()

    def is_told(self, source):
        return re.search(r"(Disconnected|Aborted).* rip=%s, " % re.escape(source), world.read(self.log))


def run(kind):
    POSTERNS[kind] = POSTERNS.get(kind) or Run(kind)
    return POSTERNS[kind]


def filters():
    """A folder like /etc/fail2ban with our filter in it, as an installation has it."""
    folder = world.path("fail2ban")
    if not os.path.exists(folder):
        shutil.copytree(STOCK, folder)
        shutil.copy(OURS, folder + "/filter.d")
    return folder


def matched(log, name):
    """How many lines a filter matches, by the address that it would ban."""
    done = subprocess.run(["fail2ban-regex", "-c", filters(), "--out", "ip", log, name], capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0, done.stdout + done.stderr)
    return collections.Counter(done.stdout.split())


def compare(kind, name=None):
    one = run(kind)
    got = matched(one.log, name or one.filter)
    wanted = collections.Counter({SOURCES[n]: c.matches + (c.verbose if one.verbose else 0) for n, c in CASES.items()})
    names = {source: n for n, source in SOURCES.items()}
    wrong = ["%s: %d matches, not %d" % (names.get(s, s), got[s], wanted[s]) for s in got | wanted if got[s] != wanted[s]]
    expect(not wrong, "; ".join(wrong) + "\n" + world.read(one.log))


@test
def stock_filter_on_a_file():
    compare("file")


@test
def stock_filter_on_a_file_with_auth_verbose():
    compare("file-verbose")


@test
def our_filter_on_syslog():
    compare("syslog-postern")


@test
def our_filter_on_a_file():
    compare("file", "postern")


@test
def stock_filter_on_syslog_with_its_name():
    compare("syslog-dovecot")


@test
def stock_filter_leaves_syslog_with_our_name_alone():
    """Why there is a filter of ours."""
    expect(not matched(run("syslog-postern").log, "dovecot"), "matches")


tap.main(set_up, world.finish)
