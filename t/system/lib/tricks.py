"""Rows of tricks: one for each trick and protocol, run one after the other at one daemon."""
import os, sqlite3, types

import backends, clients, daemon, stub, tap, world
from clients import b64
from daemon import PASSWORD
from tap import expect, test, until

PROTOCOLS = ("imap", "pop3", "submission", "sieve", "lmtp")
ROWS, USERS = [], {}
here = types.SimpleNamespace(proxy=None, workers=[])
STRANGER = "127.0.0.9"
EVIL = b"e\rv\x1b[31mil"  # in a backend's text
UNAVAILABLE = "Account is temporarily unavailable."
CLOSED = None  # in place of a line: the connection has ended


# --- the protocols -----------------------------------------------------------------

class Side:
    """What the tricks need to know of a protocol. `to_tls`: what a backend hears before STARTTLS is agreed."""

    def __init__(self, name, client, **more):
        self.name, self.client = name, client
        self.starttls, self.consent, self.noop, self.nooped, self.to_tls, self.unavailable = (
            more[k] for k in ("starttls", "consent", "noop", "nooped", "to_tls", "unavailable"))
        self.login, self.to_login, self.accepted = more["login"], more["to_login"], more["accepted"]
        self.server = backends.SERVERS[name]

    def open(self, **how):
        return self.client(getattr(here.proxy, self.name), **how)


def plain(user, password=PASSWORD, authzid=""):
    return b64("%s\0%s\0%s" % (authzid, user, password)).encode()


def sub(text, *parts):
    for part in parts:
        text = text.replace(b"%", part if isinstance(part, bytes) else part.encode(), 1)
    return text


SIDES = {s.name: s for s in (
    Side("imap", clients.Imap, starttls=b"s STARTTLS\r\n", consent="s OK Begin TLS negotiation now.", noop=b"n NOOP\r\n", nooped=["n OK NOOP completed."],
         login=lambda u: sub(b"l LOGIN % %\r\n", u, PASSWORD), unavailable=UNAVAILABLE,
         accepted="OK [CAPABILITY IMAP4rev1] in", to_tls=b"S STARTTLS\r\n", to_login=lambda u: sub(b'L LOGIN "%" "%"\r\n', u, PASSWORD)),
    Side("pop3", clients.Pop3, starttls=b"STLS\r\n", consent="+OK Begin TLS negotiation now.", noop=b"USER noop\r\n", nooped=["+OK"],
         login=lambda u: sub(b"USER %\r\nPASS %\r\n", u, PASSWORD), unavailable=UNAVAILABLE,
         accepted="+OK in", to_tls=b"STLS\r\n", to_login=lambda u: sub(b"USER %\r\nPASS %\r\n", u, PASSWORD)),
    Side("submission", clients.Smtp, starttls=b"STARTTLS\r\n", consent="220 2.0.0 Begin TLS negotiation now.", noop=b"NOOP\r\n", nooped=["250 2.0.0 OK"],
         login=lambda u: sub(b"AUTH PLAIN %\r\n", plain(u)), unavailable=UNAVAILABLE,
         accepted="235 2.7.0 in", to_tls=b"EHLO proxy.test\r\nSTARTTLS\r\n",
         to_login=lambda u: sub(b"EHLO proxy.test\r\nAUTH PLAIN %\r\n", plain(u, authzid=u))),
    Side("sieve", clients.Sieve, starttls=b"STARTTLS\r\n", consent='OK "Begin TLS negotiation now."', noop=b"NOOP\r\n", nooped=['OK "NOOP Completed"'],
         login=lambda u: sub(b'AUTHENTICATE "PLAIN" "%"\r\n', plain(u)), unavailable=UNAVAILABLE,
         accepted='OK "in"', to_tls=b"STARTTLS\r\n", to_login=lambda u: sub(b'AUTHENTICATE "PLAIN" "%"\r\n', plain(u, authzid=u))),
    Side("lmtp", clients.Lmtp, starttls=b"STARTTLS\r\n", consent="220 2.0.0 Begin TLS negotiation now.", noop=b"NOOP\r\n", nooped=["250 2.0.0 OK"],
         login=lambda u: sub(b"MAIL FROM:<sender@example.org>\r\nRCPT TO:<%>\r\n", u), unavailable="451 4.4.0 Proxy failed",
         accepted="250 2.1.5 OK", to_tls=b"LHLO proxy.test\r\nSTARTTLS\r\n",
         to_login=lambda u: sub(b"LHLO proxy.test\r\nMAIL FROM:<sender@example.org>\r\nRCPT TO:<%>\r\n", u)))}


# --- rows --------------------------------------------------------------------------

def words(**names):
    """What a backend says in place of the usual."""
    return names


class Instead:
    """The trick means nothing here: why, and what is looked at in its place."""

    def __init__(self, why, *says, holds=None):
        self.why, self.says, self.holds = why, says, holds


def rows(trick, holds, **says):
    """A row for each protocol; `holds` gets its Side and what the row says."""
    assert set(says) == set(PROTOCOLS), trick
    for name in PROTOCOLS:
        said = says[name]
        if isinstance(said, Instead):
            ROWS.append((name, "%s: %s" % (trick, said.why), said.holds or holds, said.says))
        else:
            ROWS.append((name, trick, holds, said if isinstance(said, tuple) else (said,)))


def every(make):
    """The same for each protocol."""
    return {name: make(SIDES[name]) for name in PROTOCOLS}


# --- backends with words of their own ----------------------------------------------

trap = stub.Stub(lambda connection: connection.close())  # nobody must ever come here


class Backend:
    """A backend with these words, and a user whose fields name it."""

    def __init__(self, side, fields, words):
        self.user, self.server = "back%d" % len(USERS), side.server(**words)
        USERS[self.user] = stub.Stub(self.server.talk).fields("proxy_timeout=2", *fields)
        self.side = side

    def login(self):
        """(the answer, all bytes that came to the client, the backend's one connection)"""
        client = self.side.open()
        answer = client.login(self.user)
        if len(self.server.peers) > 1:
            raise AssertionError("several connections")
        return answer, client


PLAIN, OVER_TLS, TRUSTED = ["proxy_not_trusted=y"], ["proxy_not_trusted=y", "starttls=any-cert"], ["starttls=any-cert"]


def back(trick, holds, fields, **says):
    """Rows whose first part is what a backend says instead of the usual."""
    for name, said in says.items():
        parts = said.says if isinstance(said, Instead) else said if isinstance(said, tuple) else (said,)
        made = (Backend(SIDES[name], fields, parts[0]), *parts[1:])
        says[name] = Instead(said.why, *made, holds=said.holds) if isinstance(said, Instead) else made
    rows(trick, holds, **says)


# --- running it ------------------------------------------------------------------------

XCLIENT = b"XCLIENT ADDR PORT SESSION TTL HELO"
ASKS = {"imap": {}, "pop3": {"greeting": b"+OK [XCLIENT] ready\r\n"}, "sieve": {"greeting": b'"SASL" "PLAIN"\r\n"XCLIENT"\r\nOK "ready"\r\n'},
        "submission": {"capabilities": b"250-stub\r\n250-AUTH PLAIN\r\n250 " + XCLIENT + b"\r\n"},
        "lmtp": {"capabilities": b"250-stub\r\n250-ENHANCEDSTATUSCODES\r\n250 " + XCLIENT + b"\r\n"}}


# A clean backend of each protocol: for whoever is "good", for the one who is to be told of, and for all other names.
good, anybody = ({name: side.server() for name, side in SIDES.items()} for _ in range(2))
told = {name: side.server(**ASKS[name]) for name, side in SIDES.items()}
chunking = backends.LmtpServer(capabilities=b"250-stub\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n")


def set_up():
    why = daemon.missing()
    if why:
        return why
    here.proxy = daemon.Postern("proxy", None, protocols=list(PROTOCOLS), **settings()).start()
    here.workers = until(lambda: len(found := here.proxy.processes("login")) == len(PROTOCOLS) and found, "the workers are there")
    return None


QUERY = ("SELECT NULL AS password, 'y' AS nopassword, 'y' AS proxy, '127.0.0.1' AS host, port, "
         "CASE user WHEN 'told' THEN NULL ELSE 'y' END AS proxy_not_trusted, CASE service WHEN 'lmtp' THEN 'lmtp' ELSE NULL END AS protocol "
         "FROM backends WHERE service = '%s' AND user IN ('%u', '') ORDER BY user DESC LIMIT 1")


def settings():
    one = {"process_min_avail": 1, "process_limit": 1, "service_count": 0}
    services = ("imap-login", "pop3-login", "submission-login", "managesieve-login", "lmtp")
    file = daemon.users_file("users", {"trap": trap.fields(), "chunking": stub.Stub(chunking.talk).fields(*PLAIN), **USERS})
    rows_of = [(p, kind, stub.Stub(server[p].talk).port) for p in PROTOCOLS
               for kind, server in (("good", good), ("told", told), ("", anybody))]
    return {"passdb": ({"driver": "passwd-file", "args": file},
                       {"driver": "sql", "sql_driver": "sqlite", "sql_connect": everybody(rows_of), "sql_password_query": QUERY}),
            "lmtp_hdr_delivery_address": "original", "auth_username_chars": "", "auth_mechanisms": ["plain", "login"],
            "disable_plaintext_auth": False, "login_proxy_max_reconnects": 0, "service": {name: one for name in services}}


def everybody(rows_of):
    """A table in which every name has a backend."""
    db = sqlite3.connect(world.path("backends.db"))
    db.execute("CREATE TABLE backends (service TEXT, user TEXT, port INT)")
    db.executemany("INSERT INTO backends VALUES (?,?,?)", rows_of)
    db.commit()
    db.close()
    os.chmod(world.path("backends.db"), 0o644)
    return world.path("backends.db")


def nobody_noticed(side):
    expect(here.proxy.processes("login") == here.workers, "other workers than before")
    expect(not trap.connections, "a connection where none must go")
    died = here.proxy.lines(r"killed with signal|Panic|Fatal")
    expect(not died, died)
    client = side.open()
    answer = client.login("good")
    expect(answer == side.accepted, answer)
    client.close()


def add(name, trick, holds, says):
    def run():
        try:
            holds(SIDES[name], *says)
        finally:
            nobody_noticed(SIDES[name])
    run.__name__ = "%s: %s" % (name, trick)
    test(run)


def run_all():
    for each in ROWS:
        add(*each)
    tap.main(set_up, world.finish, lambda: "\n".join(here.proxy.output().splitlines()[-15:]))
