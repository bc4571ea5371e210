"""A real Cyrus IMAP as the backend, on loopback. Debian lets only one IMAP server be installed, so this one is not: `test`
unpacks its packages into build/cyrus, whose programs are copied to where the server's user may read them."""
import glob, imaplib, os, shutil, subprocess

import dovecot, world
from tap import until

TREE = os.path.join(os.environ.get("POSTERN_SRCDIR", "."), "build/cyrus")
PROGRAMS = ("usr/sbin/cyrmaster", "usr/sbin/saslpasswd2", "usr/lib/cyrus/bin/imapd", "usr/lib/cyrus/bin/pop3d",
            "usr/lib/cyrus/bin/timsieved", "usr/lib/cyrus/bin/lmtpd")
ADMIN, PASSWORD = "cyradm", "backend-secret"
FOLDERS = ("conf", "conf/db", "conf/proc", "conf/lock", "conf/socket", "conf/log", "conf/msg", "sieve", "spool", "run")


def missing():
    absent = [p for p in PROGRAMS if not os.path.exists(os.path.join(TREE, p))]
    return "no Cyrus IMAP in build/cyrus (./test puts it there)" if absent else None


class Cyrus:
    """Users `names` with PASSWORD, each with an inbox."""

    def __init__(self, name, names):
        self.name, self.names = name, names
        self.folder = world.folder(name)
        self.imap, self.imaps, self.pop3, self.pop3s, self.sieve, self.lmtp = (world.free_port() for _ in range(6))
        self.process = None
        self.user, self.uid, self.gid = dovecot.owner()
        for part in FOLDERS:
            self.give(world.folder("%s/%s" % (name, part), 0o700))
        for file in list(PROGRAMS) + glob.glob("usr/lib/*/libcyrus*.so.0", root_dir=TREE):
            shutil.copy(os.path.join(TREE, file), world.folder(name + "/bin"))
        self.environment = dict(os.environ, LD_LIBRARY_PATH=self.folder + "/bin")

    def give(self, file):
        os.chown(file, self.uid, self.gid)
        return file

    # --- configuration ---
    def passwords(self):
        file = self.folder + "/sasldb2"
        for user in [ADMIN, *self.names]:
            subprocess.run([self.folder + "/bin/saslpasswd2", "-p", "-c", "-f", file, "-u", "localhost", user],
                           input=PASSWORD, text=True, check=True)
        return self.give(file)

    def key(self):
        """A copy that the user of Cyrus may read."""
        copy = shutil.copy(world.certificates()[2], self.folder + "/key")
        os.chmod(copy, 0o400)
        return self.give(copy)

    def imapd_conf(self):
        return world.write(self.name + "/imapd.conf", """\
configdirectory: %(d)s/conf
partition-default: %(d)s/spool
sievedir: %(d)s/sieve
defaultpartition: default
servername: localhost
cyrus_user: %(user)s
admins: %(admin)s
unixhierarchysep: yes
virtdomains: off
popminpoll: 0
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: %(passwords)s
sasl_mech_list: PLAIN LOGIN
tls_server_cert: %(cert)s
tls_server_key: %(key)s
syslog_prefix: postern-test
""" % {"d": self.folder, "user": self.user, "admin": ADMIN, "passwords": self.passwords(), "cert": world.certificates()[1], "key": self.key()})

    def cyrus_conf(self, imapd_conf):
        rows = [("imap", "imapd", self.imap), ("imaps", "imapd -s", self.imaps),
                ("pop3", "pop3d", self.pop3), ("pop3s", "pop3d -s", self.pop3s),
                ("sieve", "timsieved", self.sieve), ("lmtp", "lmtpd -a", self.lmtp)]
        services = "".join('  %s cmd="%s -C %s" listen="127.0.0.1:%d" prefork=0 proto="tcp4"\n'
                           % (name, self.folder + "/bin/" + command, imapd_conf, port) for name, command, port in rows)
        return world.write(self.name + "/cyrus.conf", "START {\n}\nSERVICES {\n%s}\nEVENTS {\n}\n" % services)

    # --- life ---
    def start(self):
        imapd_conf = self.imapd_conf()
        argv = [self.folder + "/bin/cyrmaster", "-D", "-C", imapd_conf, "-M", self.cyrus_conf(imapd_conf), "-p", self.folder + "/run/pid"]
        with open(self.folder + "/out", "ab") as out:
            self.process = world.spawn(argv, stdout=out, stderr=out, env=self.environment)
        until(self.ready, "Cyrus listens", 20)
        admin = self.session(ADMIN)
        for user in self.names:
            status, answer = admin.create("user/" + user)
            assert status == "OK", answer
        admin.logout()
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("Cyrus did not start: " + world.read(self.folder + "/out"))
        return all(world.listening(p) for p in (self.imap, self.imaps, self.pop3, self.pop3s, self.lmtp))

    def session(self, user):
        mailbox = imaplib.IMAP4("127.0.0.1", self.imap, timeout=20)
        mailbox.login(user, PASSWORD)
        return mailbox

    def deliver(self, user, subject, body="Hello.\r\n"):
        """Puts a message into the inbox of `user`."""
        message = "From: sender@example.org\r\nTo: %s\r\nSubject: %s\r\n\r\n%s" % (user, subject, body)
        mailbox = self.session(user)
        status, answer = mailbox.append("INBOX", None, None, message.encode())
        assert status == "OK", answer
        mailbox.logout()

    def messages(self, user):
        """All in the inbox of `user`."""
        mailbox = self.session(user)
        mailbox.select("INBOX", readonly=True)
        _, data = mailbox.fetch("1:*", "(BODY.PEEK[])")
        mailbox.logout()
        return [part[1].decode(errors="replace") for part in data if isinstance(part, tuple)]

    def wait_message(self, user, part):
        return until(lambda: next((m for m in self.messages(user) if part in m), None), "the message %r for %s" % (part, user), 20)

    def fields(self, protocol="imap", tls="ssl=yes", **more):
        """Extra fields that send a user here."""
        port = getattr(self, protocol + ("s" if tls.startswith("ssl") else ""))
        words = ["proxy=y", "host=127.0.0.1", "port=%d" % port, "pass=" + PASSWORD] + ([tls] if tls else [])
        return words + ["%s=%s" % x for x in more.items()]
