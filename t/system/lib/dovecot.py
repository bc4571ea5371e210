"""A real Dovecot as the backend, on loopback. 2.3 and 2.4 have different configuration languages."""
import glob, grp, os, pwd, re, shutil, subprocess

import world
from tap import until

BINARY = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
PASSWORD = "backend-secret"
SIEVE_LOGIN = "/usr/lib/dovecot/managesieve-login"
LMTP = "/usr/lib/dovecot/lmtp"
SUBMISSION_LOGIN = "/usr/lib/dovecot/submission-login"


def missing():
    return None if BINARY else "no dovecot here"


def lmtp_missing():
    return missing() or (None if os.path.exists(LMTP) else "no dovecot-lmtpd here")


def version():
    text = subprocess.run([BINARY, "--version"], capture_output=True, text=True).stdout
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", text).groups())


def owner():
    """Who owns the mail, and runs Dovecot when we are not root."""
    user = pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam("nobody")
    return user.pw_name, user.pw_uid, user.pw_gid


class Dovecot:
    """Users `names` with PASSWORD; `masters` may log in as any of them ("user*master")."""

    def __init__(self, name, names, masters=(), address="127.0.0.1"):
        self.name, self.names, self.masters, self.address = name, names, masters, address
        self.folder = world.folder(name)
        self.imap, self.imaps, self.pop3, self.pop3s, self.sieve, self.sasl = (world.free_port() for _ in range(6))
        self.lmtp, self.lmtps, self.submission = (world.free_port() for _ in range(3))
        self.relay = 0  # port of the server that submitted mail goes to; 0: no submission
        self.lmtp_socket = self.folder + "/run/lmtp"
        self.process = None
        world.folder(name + "/run")
        world.write(name + "/users", "".join("%s:{PLAIN}%s::::::\n" % (n, PASSWORD) for n in names))
        world.write(name + "/masters", "".join("%s:{PLAIN}%s::::::\n" % (n, PASSWORD) for n in masters))
        for user in names:
            self.maildir(user)

    def maildir(self, user):
        _, uid, gid = owner()
        for part in ("", "/Maildir", "/Maildir/new", "/Maildir/cur", "/Maildir/tmp"):
            made = world.folder("%s/mail-%s%s" % (self.name, user, part), 0o700)
            os.chown(made, uid, gid)
        return world.path(self.name, "mail-" + user, "Maildir")

    def deliver(self, user, subject, body="Hello.\r\n"):
        """Puts a message into the inbox of `user`."""
        _, uid, gid = owner()
        box = self.maildir(user)
        file = "%s/new/%d.%s.localhost" % (box, len(os.listdir(box + "/new")) + 1700000000, subject.replace(" ", "_"))
        with open(file, "w", newline="") as f:
            f.write("From: sender@example.org\r\nTo: %s\r\nSubject: %s\r\n\r\n%s" % (user, subject, body))
        os.chown(file, uid, gid)

    def messages(self, user):
        """All in the inbox of `user`, as stored: with LF line ends."""
        box = "%s/mail-%s/Maildir/" % (self.folder, user)
        return [world.read(file) for part in ("new", "cur") for file in glob.glob(box + part + "/*")]

    def wait_message(self, user, part):
        return until(lambda: next((m for m in self.messages(user) if part in m), None), "the message %r for %s" % (part, user), 20)

    # --- configuration ---
    def services(self):
        def listener(name, port, tls):
            return "  inet_listener %s {\n    port = %d\n%s  }\n" % (name, port, "    ssl = yes\n" if tls else "")
        jail = "" if os.geteuid() == 0 else "  chroot =\n"
        out = ""
        for service, clear, tls in (("imap", self.imap, self.imaps), ("pop3", self.pop3, self.pop3s)):
            out += "service %s-login {\n%s%s%s}\n" % (
                service, listener(service, clear, False), listener(service + "s", tls, True), jail)
        if os.path.exists(SIEVE_LOGIN):
            out += "protocols = $protocols sieve\nservice managesieve-login {\n%s%s}\n" % (listener("sieve", self.sieve, False), jail)
        if os.path.exists(LMTP):  # the mail of alice@anywhere is alice's
            out += "protocols = $protocols lmtp\nprotocol lmtp {\n  auth_username_format = %s\n}\nservice lmtp {\n%s%s}\n" % (
                "%{user|username|lower}" if version() >= (2, 4) else "%Ln",
                listener("lmtp", self.lmtp, False), listener("lmtps", self.lmtps, True))
        if self.relay and os.path.exists(SUBMISSION_LOGIN):
            out += "protocols = $protocols submission\nsubmission_relay_host = 127.0.0.1\nsubmission_relay_port = %d\nservice submission-login {\n%s%s}\n" % (
                self.relay, listener("submission", self.submission, False), jail)
        out += "service auth {\n%s}\n" % listener("sasl", self.sasl, False)  # for a Postfix
        if jail:
            out += "".join("service %s {\n%s}\n" % (s, jail) for s in ("anvil", "stats"))
        return out

    def users(self):
        if os.geteuid() == 0:
            return ""
        name, _, gid = owner()
        return ("default_login_user = %s\ndefault_internal_user = %s\ndefault_internal_group = %s\n"
                % (name, name, grp.getgrgid(gid).gr_name))

    def common(self):
        return ("base_dir = %s/run\nlog_path = %s/log\nprotocols = imap pop3\nlisten = %s\nfirst_valid_uid = 1\n"
                "ssl = yes\nauth_master_user_separator = *\nmail_max_userip_connections = 1000\nlogin_trusted_networks = 127.0.0.0/8\n"
                % (self.folder, self.folder, self.address) + self.users() + self.services())

    def filled(self, template):
        ca, cert, key = world.certificates()
        _, uid, gid = owner()
        return template % {"d": self.folder, "cert": cert, "key": key, "uid": uid, "gid": gid}

    def config_23(self):
        return self.common() + self.filled("""\
state_dir = %(d)s/run
ssl_cert = <%(cert)s
ssl_key = <%(key)s
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
passdb {
  driver = passwd-file
  args = %(d)s/masters
  master = yes
  result_success = continue
}
passdb {
  driver = passwd-file
  args = %(d)s/users
}
userdb {
  driver = static
  args = uid=%(uid)s gid=%(gid)s home=%(d)s/mail-%%u
}
""")

    def config_24(self):
        return "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + self.common() + self.filled("""\
state_dir = %(d)s/run
ssl_server_cert_file = %(cert)s
ssl_server_key_file = %(key)s
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
passdb masters {
  driver = passwd-file
  passwd_file_path = %(d)s/masters
  master = yes
  result_success = continue
}
passdb users {
  driver = passwd-file
  passwd_file_path = %(d)s/users
}
userdb static {
  fields {
    uid = %(uid)s
    gid = %(gid)s
    home = %(d)s/mail-%%{user}
  }
}
""")

    # --- life ---
    def start(self):
        config = self.config_24() if version() >= (2, 4) else self.config_23()
        file = world.write(self.name + "/dovecot.conf", config)
        with open(self.folder + "/out", "ab") as out:
            self.process = world.spawn([BINARY, "-F", "-c", file], stdout=out, stderr=out)
        until(self.ready, "Dovecot listens", 20)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("Dovecot did not start: " + world.read(self.folder + "/out") + world.read(self.folder + "/log"))
        return all(world.listening(p, self.address) for p in (self.imap, self.pop3))

    def kill(self):
        """With all its processes, at once."""
        pids = [self.process.pid] + world.descendants(self.process.pid)
        for pid in pids:
            world.kill(pid)
        self.process.wait()
        until(lambda: world.reap_orphans() or not any(world.running(p) for p in pids), "the backend is gone")

    def stop(self):
        world.end(self.process)

    def fields(self, protocol="imap", tls="ssl=yes", **more):
        """Extra fields that send a user here."""
        port = getattr(self, protocol + ("s" if tls.startswith("ssl") else ""))
        words = ["proxy=y", "host=" + self.address, "port=%d" % port, "pass=" + PASSWORD] + ([tls] if tls else [])
        return words + ["%s=%s" % x for x in more.items()]
