"""nginx' own mail proxy, to be compared with: unprivileged, in the foreground."""
import os, shutil, subprocess

import world
from tap import until

MODULES = "/usr/lib/nginx/modules"


def binary():
    return shutil.which("nginx") or "/usr/sbin/nginx"


def missing():
    if not os.access(binary(), os.X_OK):
        return "no nginx"
    return None if os.path.exists(MODULES + "/ngx_mail_module.so") else "nginx has no mail module"


class Nginx:
    """`mail`: the block's directives; servers for IMAP and POP3 (STARTTLS), IMAP and SMTP with TLS at once."""

    def __init__(self, name, mail):
        self.folder = world.folder(name, 0o777)
        self.imap, self.pop3, self.imaps, self.submissions = (world.free_port() for _ in range(4))
        servers = ((self.imap, "", "imap"), (self.pop3, "", "pop3"), (self.imaps, " ssl", "imap"), (self.submissions, " ssl", "smtp"))
        listen = "".join("  server { listen 127.0.0.1:%d%s; protocol %s; }\n" % server for server in servers)
        self.conf = world.write(name + ".conf", "load_module %s/ngx_mail_module.so;\ndaemon off; master_process off;\npid %s/pid;\n"
                                "error_log %s/log info;\nevents {}\nmail {\n%s\n%s}\n" % (MODULES, self.folder, self.folder, mail, listen))

    def start(self):
        self.process = world.spawn([binary(), "-p", self.folder, "-c", self.conf], stderr=subprocess.DEVNULL)
        until(lambda: world.listening(self.submissions), "nginx listens")
        return self
