"""Real database servers on loopback, each with a folder and a port of its own: MariaDB and PostgreSQL. As root they run as
`mysql` and `postgres`, else as the user of the test."""
import glob, os, pwd, shutil, signal, subprocess

import world
from tap import until

SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
USER, PASSWORD, DATABASE = "mailreader", "db;secret", "mails"


def tool(name, folders=""):
    return shutil.which(name, path=folders + SEARCH)


def run_as(name):
    """(words before a command that make it run as that user, his uid)."""
    if os.geteuid() != 0:
        return [], os.geteuid()
    user = pwd.getpwnam(name)
    return ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"], user.pw_uid


def made(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise AssertionError("%s: %s" % (argv, (done.stdout + done.stderr)[-2000:]))
    return done.stdout


class Server:
    """Listens at `port` of `address` and at `socket` in the file system. DATABASE is there, and USER with PASSWORD, who may
    read it."""

    def __init__(self, name, owner, address="127.0.0.1", port=None):
        self.name, self.folder, self.address, self.port, self.process = name, world.folder(name), address, port or world.free_port(), None
        self.prefix, self.uid = run_as(owner)
        os.chown(self.folder, self.uid, -1)
        self.data = self.folder + "/data"

    def start(self):
        if not os.path.exists(self.data):
            self.make()
            self.run()
            self.fill()
        elif self.process is None:
            self.run()
        return self

    def run(self):
        with open(self.folder + "/log", "ab") as log:
            self.process = world.spawn(self.prefix + self.argv(), stdout=log, stderr=log, cwd=self.folder)
        until(self.ready, self.name + " listens", 60)

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended: %s" % (self.name, world.read(self.folder + "/log")[-2000:]))
        return self.answers()

    def signal(self, number):
        """To the server and its processes for clients."""
        for pid in [self.process.pid, *world.descendants(self.process.pid)]:
            world.kill(pid, number)

    def stop(self):
        """At once, as a machine that loses its power; the data stay."""
        if self.process is not None:
            pids = world.descendants(self.process.pid)
            self.signal(signal.SIGKILL)
            self.process.wait()
            until(lambda: world.reap_orphans() or not any(world.running(pid) for pid in pids), self.name + " has ended")
        self.process = None

    def hang(self):
        """Connections are still taken, by the kernel; nobody answers."""
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)


class MariaDb(Server):
    def __init__(self, name, **where):
        super().__init__(name, "mysql", **where)
        self.socket = self.folder + "/socket"

    @staticmethod
    def missing():
        needed = ("mariadbd", "mariadb-install-db", "mariadb", "mariadb-admin")
        return next(("no %s here" % name for name in needed if not tool(name)), None)

    def make(self):
        made(self.prefix + [tool("mariadb-install-db"), "--no-defaults", "--datadir=" + self.data, "--skip-test-db",
                            "--auth-root-authentication-method=normal"])
        for name, file in zip(("ca", "cert", "key"), world.certificates()):
            shutil.copy(file, self.path(name))
            os.chown(self.path(name), self.uid, -1)

    def path(self, name):
        return os.path.join(self.folder, name)

    def argv(self):
        return [tool("mariadbd"), "--no-defaults", "--datadir=" + self.data, "--socket=" + self.socket, "--port=%d" % self.port,
                "--bind-address=" + self.address, "--skip-networking=0", "--pid-file=" + self.folder + "/pid", "--innodb-buffer-pool-size=8M",
                "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve",
                "--ssl-ca=" + self.path("ca"), "--ssl-cert=" + self.path("cert"), "--ssl-key=" + self.path("key")]

    def answers(self):
        return subprocess.run([tool("mariadb-admin"), "--no-defaults", "-uroot", "-S", self.socket, "ping"], capture_output=True).returncode == 0

    def fill(self):
        self.sql("CREATE DATABASE %s; CREATE USER %s@'%%' IDENTIFIED BY '%s'; GRANT SELECT ON %s.* TO %s@'%%'" % (
            DATABASE, USER, PASSWORD, DATABASE, USER), "mysql")

    def sql(self, text, database=DATABASE):
        return made([tool("mariadb"), "--no-defaults", "-N", "-B", "-uroot", "-S", self.socket, database, "-e", text])

    def clients(self):
        """How many connections USER has."""
        return int(self.sql("SELECT count(*) FROM information_schema.processlist WHERE user = '%s'" % USER))

    def connect(self, *more):
        """The rest of a connect string; the host comes before it."""
        return " ".join(("port=%d dbname=%s user=%s password=%s" % (self.port, DATABASE, USER, PASSWORD),) + more)


class PostgreSql(Server):
    def __init__(self, name, **where):
        super().__init__(name, "postgres", **where)
        self.socket = self.folder  # libpq wants the folder

    @staticmethod
    def folders():
        return "".join(folder + ":" for folder in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))

    @staticmethod
    def missing():
        return next(("no %s here" % name for name in ("initdb", "postgres", "psql") if not tool(name, PostgreSql.folders())), None)

    def make(self):
        made(self.prefix + [tool("initdb", self.folders()), "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"])
        hba = "local all postgres trust\nlocal all all scram-sha-256\nhost all postgres 127.0.0.0/8 trust\nhost all all 127.0.0.0/8 scram-sha-256\n"
        with open(self.data + "/pg_hba.conf", "w") as f:
            f.write(hba)

    def argv(self):
        return [tool("postgres", self.folders()), "-D", self.data, "-p", str(self.port), "-k", self.folder, "-c", "listen_addresses=" + self.address,
                "-c", "fsync=off", "-c", "shared_buffers=8MB"]

    def answers(self):
        return subprocess.run(self.psql("postgres") + ["-c", "SELECT 1"], capture_output=True).returncode == 0

    def psql(self, database):
        return [tool("psql", self.folders()), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", "postgres", database]

    def fill(self):
        self.sql("CREATE USER %s PASSWORD '%s'" % (USER, PASSWORD), "postgres")
        self.sql("CREATE DATABASE %s" % DATABASE, "postgres")
        self.sql("GRANT pg_read_all_data TO %s" % USER, "postgres")

    def sql(self, text, database=DATABASE):
        return made(self.psql(database) + ["-c", text])

    def connect(self, *more):
        return " ".join(("port=%d dbname=%s user=%s password='%s'" % (self.port, DATABASE, USER, PASSWORD),) + more)

    def clients(self):
        return int(self.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = '%s'" % USER))
