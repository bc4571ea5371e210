"""A daemon whose users have their mail on this host, served by Debian's Dovecot programs."""
import os

import daemon, dovecot, world

IMAP, POP3 = "/usr/lib/dovecot/imap", "/usr/lib/dovecot/pop3"

# Says what it has in its environment, as untagged lines.
TELLER = """#!/bin/sh
if [ "$USER" != bob ]; then exec "$@"; fi
printf '* PREAUTH [CAPABILITY X-ENVIRONMENT] Logged in as %s\\r\\n' "$USER"
read -r tag rest
env | while read -r line; do printf '* %s\\r\\n' "$line"; done
printf '%s OK done\\r\\n' "$tag"
read -r tag rest
exit 0
"""


def missing():
    return None if os.access(IMAP, os.X_OK) and os.access(POP3, os.X_OK) else "no dovecot-imapd and dovecot-pop3d here"


def prefetch_fields(user):
    _, uid, gid = dovecot.owner()
    return ["userdb_uid=%d" % uid, "userdb_gid=%d" % gid, "userdb_home=" + world.path("host", user), "userdb_mail=maildir:~/Maildir"]


class MailHost:
    """Everybody of `users` {name: passdb fields} has a home with a Maildir and a message."""

    def __init__(self, name, users, **settings):
        self.name, self.folder = name, world.folder(name)
        for user in users:
            self.deliver(user)
        owner, uid, gid = dovecot.owner()
        self.dovecot_conf = world.write(name + "/programs.conf", "mail_location = maildir:~/Maildir\nlog_path = /dev/stderr\n"
                                        "first_valid_uid = 1\nmail_uid = %s\nmail_gid = %d\nbase_dir = %s/run-dovecot\n" % (owner, gid, self.folder))
        self.users = daemon.users_file(name + "/users", users)
        self.program(TELLER, "teller")
        settings.setdefault("auth_proxy_self", ["192.0.2.99"])
        settings.setdefault("login_log_format_elements", "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}> rport=%b")
        self.postern = daemon.Postern(name, None, passdb=self.passdb(), userdb=(self.userdb(),), first_valid_uid=1, service={
            "imap": {"executable": self.imap_program()}, "pop3": {"executable": "%s -c %s" % (POP3, self.dovecot_conf)}}, **settings)

    def passdb(self):
        return ({"driver": "passwd-file", "args": self.users},)

    def userdb(self):
        _, uid, gid = dovecot.owner()
        return {"driver": "static", "fields": {"uid": str(uid), "gid": str(gid), "home": self.folder + "/%n", "mail": "maildir:~/Maildir",
                                               "quota_rule": "*:storage=1G"}}

    def imap_program(self):
        return "%s %s -c %s" % (self.path("teller"), IMAP, self.dovecot_conf)

    def start(self):
        self.postern.start()
        return self

    def path(self, name):
        return self.folder + "/" + name

    def home(self, user):
        return self.path(user)

    def program(self, text, name):
        world.write(self.name + "/" + name, text, 0o755)

    def deliver(self, user, subject=None):
        _, uid, gid = dovecot.owner()
        for part in ("", "/Maildir", "/Maildir/new", "/Maildir/cur", "/Maildir/tmp"):
            os.chown(world.folder(self.name + "/" + user + part, 0o700), uid, gid)
        box = "%s/%s/Maildir/new" % (self.name, user)
        file = world.write("%s/%d.1.localhost" % (box, 1700000000 + len(os.listdir(world.path(box)))),
                           "From: sender@example.org\r\nTo: %s\r\nSubject: %s\r\n\r\nHello.\r\n" % (user, subject or "Hello " + user))
        os.chown(file, uid, gid)

    def program_of(self, client):
        """The pid of the mail program that this connection got."""
        line = self.postern.wait_line("Login: user=.*, rport=%d$" % client.ends[0][1])
        return int(line.split("mpid=")[1].split(",")[0])
