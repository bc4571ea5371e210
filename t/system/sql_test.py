#!/usr/bin/env python3
"""SQL users: MariaDB, PostgreSQL and SQLite behind the installed daemon. Published queries, values that are no names, and
databases that are gone, slow or wrong (AUTH-17 to AUTH-19; rows A7, A8, B21, B22)."""
import functools, os, sqlite3, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, databases, dovecot, stub, tap, temporary, world
from clients import Imap, b64
from daemon import PASSWORD
from tap import Skip, contains, expect, test, until

DEAD = "127.0.0.9"  # nobody listens there
HERE = "192.0.2.99"  # counts as this host
INJECTIONS = ["' OR '1'='1", "joe'--", "joe' #", "' UNION SELECT NULL,'Y','127.0.0.1','x','Y'--", "'; DROP TABLE proxy;--", "\\' OR 1=1 -- ", "\\", '" OR ""="',
              ":p0", "joe%", "_oe", "$1", "' || '", "joe\\'", "\xbf\x27 OR 1=1 -- ", "x" * 500 + "'"]
TELLER = """#!/bin/sh
printf '* PREAUTH [CAPABILITY X-TELLER] in\\r\\n'
read -r tag rest
printf '* %s %s\\r\\n%s OK done\\r\\n' "$USER" "$HOME" "$tag"
"""
kinds, proxy, backend, seen = {}, None, None, []


class Sqlite:
    def __init__(self):
        self.file = world.path("users.db")

    def start(self):
        if os.path.exists(self.file + ".away"):
            os.rename(self.file + ".away", self.file)
        return self

    def stop(self):
        os.rename(self.file, self.file + ".away")

    def sql(self, text):
        db = sqlite3.connect(self.file)
        db.executescript(text)
        db.commit()
        db.close()
        os.chmod(self.file, 0o644)


class Kind:
    """A driver with the server it talks to; the twin is equal to it, at another address with the same port."""

    def __init__(self, driver, server, twin=None):
        self.driver, self.server, self.twin = driver, server, twin
        self.user = '"user"' if driver == "pgsql" else "user"

    def connect(self, *hosts, more=""):
        if self.driver == "sqlite":
            return self.server.file
        hosts = hosts or (self.server.address,)
        return " ".join(["host=" + h for h in hosts] + [self.server.connect(), more]).strip()

    def fill(self):
        for server in filter(None, (self.server, self.twin)):
            server.start()
            server.sql(TABLES.replace("USER", self.user).replace("PW", PASSWORD).replace("KIND", self.driver).replace("PORT", str(backend.port)))

    def block(self, name, query, connect=None, **more):
        """For users of the domain `name`.driver."""
        domain = "%s.%s" % (name, self.driver)
        return {"driver": "sql", "name": domain, "sql_driver": self.driver, "sql_connect": connect or self.connect(), "sql_default_pass_scheme": "PLAIN",
                "sql_password_query": query, "username_filter": "*@" + domain, **more}

    def blocks(self):
        user, port = self.user, {"default_fields": "port=%d" % backend.port}
        b21 = "SELECT NULL AS password, 'Y' as nopassword, host, destuser, 'Y' AS proxy FROM proxy WHERE %s = '%%u'" % user
        b22 = "SELECT concat(%s, '@', domain) AS %s, password, host, port, 'Y' AS proxy_maybe FROM mailbox WHERE %s = '%%n' AND domain = '%%d'" % ((user,) * 3)
        out = [
            self.block("a7", "SELECT password, host, 'Y' as nologin FROM users WHERE userid = '%u'"),
            self.block("a8", "SELECT NULL AS password, 'Y' AS nopassword, 'mail2.example.org' AS host, 'We have moved.' AS reason, 'Y' AS nologin, 'Y' AS nodelay"),
            self.block("b21", b21, **port),
            self.block("y2007", "SELECT NULL AS password, host, destuser, 'Y' AS proxy FROM proxy WHERE %s = '%%u'" % user),
            self.block("b22", b22),
            self.block("director", "SELECT NULL AS password, 'Y' AS nopassword, 'Y' AS proxy, b.hostname AS host, b.hostip AS hostip "
                       "FROM user_backend u JOIN backends b ON b.id = u.backend_id WHERE u.user = '%u'", **port),
            self.block("parts", "SELECT concat(%s, '@', '%%d') AS destuser, NULL AS password, 'Y' AS nopassword, 'Y' AS proxy, '127.0.0.1' AS host" % (
                '"%n"' if self.driver == "mysql" else "'%n'"), **port),
            self.block("nocolumn", "SELECT password, nosuch FROM users WHERE userid = '%u' OR '%w' = ''"),
            self.block("tworows", "SELECT password FROM users"),
            self.block("nopassword", "SELECT host FROM users LIMIT 1")]
        if self.twin:
            out += [self.block("deadhost", b21.replace("%u", "%n"), self.connect(DEAD, self.server.address), **port),
                    self.block("equal", b21.replace("%u", "%n"), self.connect(self.server.address, self.twin.address, more="connect_timeout=2 read_timeout=1"), **port),
                    self.block("socket", b21.replace("%u", "%n"), self.connect(self.server.socket), **port)]
        return out

    def userdb(self):
        query = "SELECT concat(%s, '@', domain) AS %s, home FROM mailbox WHERE %s = '%%n' AND domain = '%%d'" % ((self.user,) * 3)
        return {"driver": "sql", "sql_driver": self.driver, "sql_connect": self.connect(), "sql_user_query": query}


TABLES = """
CREATE TABLE users (userid VARCHAR(100), password VARCHAR(100), host VARCHAR(100));
INSERT INTO users VALUES ('moved@a7.KIND', 'PW', 'imap.example.org');
INSERT INTO users VALUES ('other@a7.KIND', 'PW', 'imap.example.org');
CREATE TABLE proxy (USER VARCHAR(100), host VARCHAR(100), destuser VARCHAR(100));
INSERT INTO proxy VALUES ('joe@b21.KIND', '127.0.0.1', 'joe-there');
INSERT INTO proxy VALUES ('o''brien@b21.KIND', '127.0.0.1', 'brien');
INSERT INTO proxy VALUES ('ann', '127.0.0.1', 'ann-there');
INSERT INTO proxy VALUES ('joe@y2007.KIND', '127.0.0.1', NULL);
CREATE TABLE backends (id INTEGER, hostname VARCHAR(100), hostip VARCHAR(100), state INTEGER);
INSERT INTO backends VALUES (1, 'imap1.example.org', '127.0.0.9', 1);
INSERT INTO backends VALUES (2, 'imap2.example.org', '127.0.0.1', 1);
CREATE TABLE user_backend (backend_id INTEGER, USER VARCHAR(100));
INSERT INTO user_backend VALUES (2, 'joe@director.KIND');
CREATE TABLE mailbox (USER VARCHAR(100), domain VARCHAR(100), password VARCHAR(100), host VARCHAR(100), port INTEGER, home VARCHAR(100));
INSERT INTO mailbox VALUES ('far', 'b22.KIND', 'PW', '127.0.0.1', PORT, NULL);
INSERT INTO mailbox VALUES ('near', 'b22.KIND', 'PW', '192.0.2.99', NULL, '/tmp');
"""


def talk(connection):
    """An IMAP server that writes down what the login was made of."""
    lines = connection.makefile("rb")
    connection.sendall(b"* OK [CAPABILITY IMAP4rev1] stub ready\r\n")
    for line in lines:
        words = line.decode(errors="replace").split()
        if words[1] == "LOGIN":
            seen.append([word.strip('"') for word in words[2:]])
        connection.sendall((words[0] + " OK in\r\n").encode())


def set_up():
    global proxy, backend
    why = daemon.missing()
    if why:
        return why
    backend = stub.Stub(talk)
    kinds["sqlite"] = Kind("sqlite", Sqlite())
    for driver, server in (("mysql", databases.MariaDb), ("pgsql", databases.PostgreSql)):
        if server.missing() is None and built(driver):
            first = server(driver)
            kinds[driver] = Kind(driver, first, server(driver + "-twin", address="127.0.0.2", port=first.port))
    world.certificates()
    fillers = [threading.Thread(target=kind.fill) for kind in kinds.values()]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
    passdb = [block for kind in kinds.values() for block in kind.blocks()]
    if "mysql" in kinds:
        passdb += mysql_blocks(kinds["mysql"])
    _, uid, gid = dovecot.owner()
    teller = world.write("teller", TELLER, 0o755)
    proxy = daemon.Postern("proxy", passdb=tuple(passdb), userdb=tuple(kind.userdb() for kind in kinds.values()), auth_username_chars="",
                           auth_internal_failure_delay=0, auth_proxy_self=[HERE], protocols=["imap", "pop3", "submission", "sieve", "lmtp"], first_valid_uid=1,
                           mail_uid=str(uid), mail_gid=str(gid), service={"imap": {"executable": teller}}).start()
    return None


def mysql_blocks(kind):
    """TLS, and an option file of the library."""
    kind.server.sql("CREATE USER tlsuser@'%%' IDENTIFIED BY 'tls' REQUIRE SSL; GRANT SELECT ON %s.* TO tlsuser@'%%'" % databases.DATABASE)
    query = "SELECT NULL AS password, 'Y' AS nopassword, host, 'Y' AS nologin FROM users WHERE userid = 'moved@a7.mysql'"
    options = world.write("options.cnf", "[client]\nuser=%s\npassword=%s\n[postern]\nport=%d\nhost=127.0.0.1\n" % (
        databases.USER, databases.PASSWORD, kind.server.port))
    place = "host=127.0.0.1 port=%d dbname=%s " % (kind.server.port, databases.DATABASE)
    return [kind.block("tls", query, place + "user=tlsuser password=tls ssl_ca=" + world.certificates()[0]),
            kind.block("otherca", query, place + "user=tlsuser password=tls ssl_ca=/etc/hostname"),
            kind.block("options", query, "option_file=%s option_group=postern dbname=%s" % (options, databases.DATABASE))]


def built(driver):
    block = {"driver": "sql", "sql_driver": driver, "sql_connect": "host=h", "sql_password_query": "SELECT NULL AS password"}
    tried = daemon.Postern("tried", passdb=(block,))
    return "built without" not in daemon.run("-t", "-c", tried.conf).stderr


def imap(user, password=PASSWORD):
    client = Imap(proxy.imap)
    try:
        return client.command('LOGIN "%s" "%s"' % (user.replace("\\", "\\\\").replace('"', '\\"'), password))[1]
    finally:
        client.close()


def each(function):
    """One test per driver."""
    for driver in ("sqlite", "mysql", "pgsql"):
        def run(driver=driver):
            if driver not in kinds:
                raise Skip("no such database here")
            function(kinds[driver])
        run.__name__, run.__doc__ = "%s_%s" % (function.__name__, driver), function.__doc__
        test(run)
    return function


def each_server(function):
    def only_servers(kind):
        if kind.twin is None:
            raise Skip("a file has no hosts")
        function(kind)
    return each(functools.wraps(function)(only_servers))


@each
def row_a7(kind):
    answer = imap("moved@a7." + kind.driver)
    expect(answer == "NO [REFERRAL imap://moved%%40a7.%s;AUTH=PLAIN@imap.example.org/] Try this server instead." % kind.driver, answer)
    contains(imap("moved@a7." + kind.driver, "wrong"), "NO [AUTHENTICATIONFAILED]")
    contains(imap("nobody@a7." + kind.driver), "NO [AUTHENTICATIONFAILED]")


@each
def row_a8(kind):
    answer = imap("anybody@a8." + kind.driver, "anything")
    expect(answer == "NO [REFERRAL imap://anybody%%40a8.%s;AUTH=PLAIN@mail2.example.org/] We have moved." % kind.driver, answer)


@each
def row_b21(kind):
    contains(imap("joe@b21." + kind.driver, "theirs"), "OK")
    expect(seen[-1] == ["joe-there", "theirs"], seen[-1])
    contains(imap("nobody@b21." + kind.driver), "NO [AUTHENTICATIONFAILED]")


@each
def row_b21_as_written_in_2007(kind):
    contains(imap("joe@y2007." + kind.driver), "NO [AUTHENTICATIONFAILED]")
    proxy.wait_line("joe@y2007.%s.*No password returned.*'Y' AS nopassword" % kind.driver)


@each
def row_b22(kind):
    """Elsewhere with the name that concat() made; here with what user_query says."""
    contains(imap("far@b22." + kind.driver), "OK")
    expect(seen[-1] == ["far@b22." + kind.driver, PASSWORD], seen[-1])
    client = Imap(proxy.imap)
    contains(client.login("near@b22." + kind.driver), "OK [CAPABILITY X-TELLER]")
    told = client.command("WHO")[0]
    expect(told == ["* near@b22.%s /tmp" % kind.driver], told)
    client.close()
    contains(imap("far@b22." + kind.driver, "wrong"), "NO [AUTHENTICATIONFAILED]")


@each
def tables_of_lua_director(kind):
    """postern-passdb(5) has the query."""
    contains(imap("joe@director." + kind.driver, "theirs"), "OK")
    expect(seen[-1] == ["joe@director." + kind.driver, "theirs"], seen[-1])
    contains(imap("nobody@director." + kind.driver), "NO [AUTHENTICATIONFAILED]")


@each
def variables_as_arguments(kind):
    """PostgreSQL does not know the type of concat()'s, MySQL takes "..." for text."""
    contains(imap("a'b@parts." + kind.driver), "OK")
    expect(seen[-1][0] == "a'b@parts." + kind.driver, seen[-1])


@each
def names_that_are_no_names(kind):
    """AUTH-19, with auth_username_chars empty."""
    for name in INJECTIONS:
        answer = imap("%s@b21.%s" % (name, kind.driver))
        expect(answer.startswith(("NO [AUTHENTICATIONFAILED]", "BAD")), "%r: %s" % (name, answer))
    for name in INJECTIONS:
        answer = imap("%s@a7.%s" % (name, kind.driver))
        expect(answer.startswith(("NO [AUTHENTICATIONFAILED]", "BAD")), "%r: %s" % (name, answer))
    contains(imap("o'brien@b21." + kind.driver), "OK")
    expect(seen[-1][0] == "brien", seen[-1])
    contains(imap("joe@b21." + kind.driver), "OK")


@each
def names_that_are_no_text(kind):
    """They are nobody's, whatever the database thinks of the bytes."""
    for name in (b"\xff\xfe", b"\xbf' OR 1=1 -- ", b"joe\xc3", b"\xf0\x9f\x97\x9d"):
        client = Imap(proxy.imap)
        answer = client.command("AUTHENTICATE PLAIN " + b64(b"\0" + name + b"@b21." + kind.driver.encode() + b"\0pw"))[1]
        contains(answer, "NO [AUTHENTICATIONFAILED]")
        client.close()


def unavailable(kind, name, *parts):
    secret = "qqsecretqq"
    contains(imap("moved@%s.%s" % (name, kind.driver), secret), "NO [UNAVAILABLE]")
    for part in parts:
        proxy.wait_line("moved@%s.*%s.%s: .*%s" % (name, name, kind.driver, part))
    expect(secret not in proxy.output() and databases.PASSWORD not in proxy.output(), "a secret is in the log")


@each
def a_column_that_is_not_there(kind):
    """AUTH-17: the log names block and column; bound values are not shown."""
    unavailable(kind, "nocolumn", "nosuch")


@each
def several_rows(kind):
    unavailable(kind, "tworows", "Password query returned multiple matches")


@each
def no_password_column(kind):
    unavailable(kind, "nopassword", "Password query must return a field named 'password'")


def new_workers():
    """They begin with a host by chance. Without root nobody can tell which process is whose."""
    if os.geteuid() == 0:
        proxy.kill_role("auth-worker")
    else:
        proxy.reload_and_wait()


@each_server
def a_socket_in_the_file_system(kind):
    contains(imap("ann@socket." + kind.driver), "OK")


@test
def mysql_with_tls():
    if "mysql" not in kinds:
        raise Skip("no such database here")
    contains(imap("x@tls.mysql"), "REFERRAL")
    contains(imap("x@otherca.mysql"), "NO [UNAVAILABLE]")
    contains(imap("x@options.mysql"), "REFERRAL")


@each_server
def the_first_host_is_dead(kind):
    """AUTH-18: workers begin with one of the hosts, by chance, and go on with the other."""
    def dead_was_tried():
        contains(imap("ann@deadhost." + kind.driver), "OK")
        if proxy.lines("deadhost.%s: host %s: " % (kind.driver, DEAD)):
            return True
        new_workers()
        return False
    until(dead_was_tried, "somebody tries the dead host", 60)


def logs_in(kind):
    contains(imap("ann@equal." + kind.driver), "OK")


@each_server
def either_host_dies_in_the_middle(kind):
    logs_in(kind)
    kind.twin.stop()
    logs_in(kind)
    logs_in(kind)
    kind.twin.start()
    kind.server.stop()
    until(lambda: imap("ann@equal." + kind.driver).startswith("OK"), "the other one is taken", 20)
    logs_in(kind)
    kind.server.start()
    logs_in(kind)


def connected(kind, server):
    """Whether a new worker has its connection to this one of the hosts."""
    new_workers()
    until(lambda: not kind.server.clients() and not kind.twin.clients(), "the old ones are gone", 20)
    logs_in(kind)
    return server.clients()


@each_server
def a_host_that_hangs(kind):
    """It takes connections and never answers. Who is connected waits for read_timeout, who connects for connect_timeout."""
    for server in (kind.server, kind.twin):
        host = "equal.%s: host %s: " % (kind.driver, server.address)
        until(lambda: connected(kind, server), "a worker is connected to " + server.name, 60)
        server.hang()
        try:
            logs_in(kind)
            proxy.wait_line(host + "(no answer within 1 s|Lost connection to server during query)")

            def connecting():
                new_workers()
                logs_in(kind)
                return proxy.lines(host + "(Lost connection to server at 'handshake|.*timeout expired)")
            until(connecting, "a worker tries to connect", 60)
        finally:
            server.go_on()


@each
def stopped_in_the_middle(kind):
    user = "joe@b21." + kind.driver
    contains(imap(user), "OK")
    kind.server.stop()
    if kind.twin:
        kind.twin.stop()


def while_stopped(protocol):
    def told(kind):
        ask, answer = temporary.WAYS[protocol]
        contains(ask(proxy, "joe@b21." + kind.driver), answer)
    told.__name__ = "temporary_failure_of_%s_with" % protocol
    each(told)


for name in temporary.WAYS:
    while_stopped(name)


@each
def started_again(kind):
    kind.server.start()
    until(lambda: imap("joe@b21." + kind.driver).startswith("OK"), "users log in again", 40)


@test
def an_unquoted_user_of_postgresql():
    """Row B21: `postern -t` warns, and it is no error."""
    if "pgsql" not in kinds:
        raise Skip("no such database here")
    block = kinds["pgsql"].block("b21", "SELECT NULL AS password, host FROM proxy WHERE user = '%u'")
    done = daemon.run("-t", "-c", daemon.Postern("warned", passdb=(block,)).conf)
    expect(done.returncode == 0, done.stderr)
    contains(done.stderr + done.stdout, 'b21.pgsql: sql_password_query: line 1, column 48: user is the database\'s own user to PostgreSQL: write "user"')
    expect("user is the database" not in proxy.output(), "quoted ones are as they should be")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
