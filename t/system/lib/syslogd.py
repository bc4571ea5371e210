"""A stand-in for syslogd, seen only by what is started with `argv`: a private /dev whose log is our socket. Takes root."""
import os, shutil, socket, subprocess, threading

import world

NODES = ("null", "zero", "full", "random", "urandom", "tty")
SCRIPT = """set -e
dev=$1 log=$2; shift 2
mount -t tmpfs -o mode=755 none "$dev"
for node in %s; do : >"$dev/$node"; mount --bind "/dev/$node" "$dev/$node"; done
ln -s /proc/self/fd "$dev/fd"; ln -s fd/2 "$dev/stderr"; ln -s "$log" "$dev/log"
mount --bind "$dev" /dev
exec "$@"
""" % " ".join(NODES)


def missing():
    if os.geteuid() or not shutil.which("unshare"):
        return "a private /dev takes root and unshare"
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True)
    return done.stderr.strip() or None if done.returncode else None


class Syslog:
    def __init__(self, name):
        self.folder = world.folder(name)
        self.file = self.folder + "/syslog"
        world.write(self.file, "")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.folder + "/socket")
        os.chmod(self.folder + "/socket", 0o666)
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        """As syslogd writes a file: the priority goes, the host's name comes behind the time."""
        while True:
            text = self.socket.recv(16384).decode(errors="replace")
            line = text[text.index(">") + 1:].rstrip("\n")
            with open(self.file, "a") as f:
                f.write("%s mailhost %s\n" % (line[:15], line[16:]))

    def argv(self, *argv):
        return ["unshare", "-m", "sh", "-c", SCRIPT, "sh", world.folder(os.path.basename(self.folder) + "/dev"),
                self.folder + "/socket", *argv]
