"""A real Postfix, on loopback: as submission server with AUTH against a Dovecot, as a relay that trusts us, and as one that has
mail to hand on by LMTP."""
import glob, os, pwd, re, shutil, subprocess

import world
from tap import until

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
BINARY = shutil.which("postfix", path=PATH)


def tool(name):
    """A program of its package, some of which are for root only."""
    return shutil.which(name, path=PATH) or name


MAIN = """\
compatibility_level = 3.6
queue_directory = %(d)s/queue
data_directory = %(d)s/data
maillog_file_prefixes = /tmp
maillog_file = %(d)s/log
mail_owner = postfix
setgid_group = postdrop
myhostname = backend.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.org
virtual_mailbox_base = %(d)s/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:%(uid)d
virtual_gid_maps = static:%(gid)d
virtual_minimum_uid = 1
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_tls_security_level = may
smtpd_tls_cert_file = %(cert)s
smtpd_tls_key_file = %(key)s
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:%(sasl)d
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
transport_maps = inline:{%(transports)s}
lmtp_host_lookup = native
lmtp_tls_CAfile = %(ca)s
"""

MASTER = """\
127.0.0.1:%(submission)d inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes
127.0.0.1:%(submissions)d inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_tls_wrappermode=yes
127.0.0.1:%(relay)d inet n - n - - smtpd -o smtpd_relay_restrictions=permit_mynetworks,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
lmtptls unix - - n - - lmtp -o lmtp_tls_security_level=verify -o lmtp_tls_verify_cert_match=nexthop
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def missing():
    if not BINARY:
        return "no postfix here"
    return "Postfix starts as root only" if os.geteuid() else None


class Postfix:
    """`sasl`: port of a Dovecot auth server that checks the passwords; `transports`: where mail for other domains than
    example.org goes, such as {"far.test": "lmtp:inet:127.0.0.1:24"} ("lmtptls:" insists on TLS)."""

    def __init__(self, name, sasl=0, transports=None):
        self.folder = world.folder(name)
        self.submission, self.submissions, self.relay = (world.free_port() for _ in range(3))
        self.process = None
        ca, cert, key = world.certificates()
        nobody = pwd.getpwnam("nobody")
        words = {"d": self.folder, "ca": ca, "cert": cert, "key": key, "sasl": sasl, "uid": nobody.pw_uid, "gid": nobody.pw_gid,
                 "submission": self.submission, "submissions": self.submissions, "relay": self.relay,
                 "transports": ", ".join("{%s = %s}" % row for row in (transports or {"none.invalid": "error:"}).items())}
        world.folder(name + "/queue")
        for part, owner in (("data", pwd.getpwnam("postfix").pw_uid), ("mail", nobody.pw_uid)):
            os.chown(world.folder(name + "/" + part), owner, -1)
        world.folder(name + "/conf")
        world.write(name + "/conf/main.cf", MAIN % words)
        world.write(name + "/conf/master.cf", MASTER % words)

    def start(self):
        with open(self.folder + "/out", "ab") as out:
            self.process = world.spawn([BINARY, "-c", self.folder + "/conf", "start-fg"], stdout=out, stderr=out)
        until(self.ready, "Postfix listens", 30)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("Postfix did not start: " + self.output())
        return all(world.listening(p) for p in (self.submission, self.submissions, self.relay))

    def output(self):
        return world.read(self.folder + "/out") + world.read(self.folder + "/log")

    def send(self, message, *recipients, sender="alice@example.org"):
        """Puts a message into its queue; its id there."""
        argv = [tool("sendmail"), "-C", self.folder + "/conf", "-i", "-f", sender, "--", *recipients]
        before = len(self.queued())
        subprocess.run(argv, input=message, text=True, check=True, timeout=20)
        return until(lambda: self.queued()[before:], "Postfix has taken the message", 20)[0]

    def queued(self):
        """Ids of all messages that came by `sendmail`."""
        return re.findall(r"pickup\[\d+\]: (\w+): uid=", self.output())

    def wait_status(self, queue_id, recipient):
        """What became of a message for one of its recipients: "sent (250 ...)", "deferred (...)", "bounced (...)"."""
        pattern = r" %s: to=<%s>.* status=(.*)" % (queue_id, re.escape(recipient))
        return until(lambda: re.findall(pattern, self.output()), "%s is tried" % recipient, 30)[-1]

    def messages(self):
        """All that was delivered."""
        return [world.read(file) for file in glob.glob(self.folder + "/mail/all/new/*")]

    def wait_message(self, part):
        return until(lambda: next((m for m in self.messages() if part in m), None), "the message %r" % part, 30)
