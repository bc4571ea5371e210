"""The daemon under test: an installed tree, or a build tree (POSTERN names the binary)."""
import os, re, signal, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../adapters"))
import libconfig
import postern as adapter
import world
from tap import until

LOGIN_USER, INTERNAL_USER = adapter.LOGIN_USER, adapter.INTERNAL_USER
ROLES = ("login", "auth-worker", "auth", "state", "log")
PASSWORD = "client-secret"


def missing():
    return None if adapter.available() else "no postern binary (POSTERN names it)"


def binary():
    return adapter.binary()


def run(*args, **options):
    """A command that ends by itself, such as `postern -t`."""
    options.setdefault("timeout", 30)
    return subprocess.run([binary(), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)


def users_file(name, users):
    """A passwd-file of {user: fields}; everybody has PASSWORD."""
    return world.write(name, "".join("%s:{PLAIN}%s::::::%s\n" % (u, PASSWORD, " ".join(f)) for u, f in users.items()))


def ctl_binary():
    """posternctl of the same tree: beside postern in a build tree, in bin beside sbin in an installed one."""
    here = os.path.dirname(binary())
    return next((p for p in (here + "/posternctl", here + "/../bin/posternctl") if os.path.exists(p)), "posternctl")


class Postern:
    def __init__(self, name, users=None, **settings):
        self.folder = world.folder(name)
        self.name = name
        self.conf = self.folder + "/postern.conf"
        self.log = self.folder + "/log"
        self.imap, self.imaps, self.pop3, self.pop3s, self.submission, self.submissions, self.sieve, self.lmtp = (
            world.free_port() for _ in range(8))
        self.process = None
        ca, cert, key = world.certificates()
        adapter.hand_over(self.log)
        self.settings = adapter.common(self.folder)
        self.settings.update({
            "listen": ["127.0.0.1"], "log_path": self.log, "auth_verbose": True, "hostname": "proxy.test",
            "ssl_cert": cert, "ssl_key": key, "ssl_client_ca_file": ca, "auth_failure_delay": 0, "auth_penalty": False,
            "login_proxy_timeout": "5 secs", "protocols": ["imap", "pop3"]})
        if users is not None:
            file = users_file(name + "/users", users)
            self.settings["passdb"] = ({"driver": "passwd-file", "args": file},)
        self.settings["service"] = adapter.listeners(
            {"imap": self.imap, "imaps": self.imaps, "pop3": self.pop3, "pop3s": self.pop3s, "submission": self.submission,
             "submissions": self.submissions, "sieve": self.sieve, "lmtp": self.lmtp}, False)
        self.set(**settings)

    def set(self, **settings):
        """Changes settings; dicts below `service` are merged. Takes effect at the next start or reload."""
        for service, keys in settings.pop("service", {}).items():
            self.settings["service"].setdefault(service, {}).update(keys)
        self.settings.update(settings)
        libconfig.write(self.conf, self.settings)

    # --- life ---
    def start(self, argv=None, wait=True, **options):
        with open(self.folder + "/out", "ab") as out:
            self.process = world.spawn((argv or [binary()]) + ["-F", "-c", self.conf], stdout=out, stderr=out, **options)
        if wait:
            until(self.ready, "postern listens", 20)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("postern ended with %d: %s" % (self.process.returncode, self.output()))
        ports = {"imap": self.imap, "pop3": self.pop3, "submission": self.submission, "sieve": self.sieve, "lmtp": self.lmtp}
        return all(world.listening(ports[p]) for p in self.settings["protocols"] if p in ports) and all(map(os.path.exists, self.sockets()))

    def sockets(self):
        """Paths of the unix_listeners that are on; they come after the ports."""
        listeners = (l for keys in self.settings["service"].values() for l in keys.get("unix_listener", ()))
        return [os.path.join(self.folder, "run", l["path"]) for l in listeners if int(l.get("mode", "0600"), 8)]

    def output(self):
        return world.read(self.folder + "/out") + world.read(self.log)

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        self.signal(signal.SIGHUP)

    def reload_and_wait(self, outcome="Configuration reloaded"):
        """Until the new configuration is in use, or the log tells of another outcome. A master that is still starting is asked again."""
        before, ignored = len(self.lines(outcome)), -1

        def done():
            nonlocal ignored
            if (now := len(self.lines("Reload ignored"))) > ignored:
                ignored = now
                self.reload()
            return len(self.lines(outcome)) > before
        until(done, outcome)

    def stop(self):
        return world.end(self.process)

    def ctl(self, *arguments, status=0):
        """What posternctl writes; its exit status must be `status`."""
        done = subprocess.run([ctl_binary(), "-s", self.folder + "/run/admin.sock", *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30)
        if done.returncode != status:
            raise AssertionError("posternctl %s: exit status %d, not %d: %s%s" % (
                " ".join(arguments), done.returncode, status, done.stdout, done.stderr))
        return done.stdout + done.stderr

    # --- processes ---
    def processes(self, role):
        """Pids of the live processes of a role."""
        wanted = "postern-" + role
        roots = world.descendants(self.process.pid)
        return sorted(p for p in roots if world.command_line(p)[:1] and os.path.basename(self.executable(p)) == wanted)

    @staticmethod
    def executable(pid):
        try:
            return os.readlink("/proc/%d/exe" % pid).removesuffix(" (deleted)")
        except OSError:
            return ""

    def one(self, role):
        return until(lambda: self.processes(role), "there is a " + role)[0]

    def kill_role(self, role):
        """Kills all processes of a role and waits for others in their place."""
        old = self.processes(role)
        for pid in old:
            world.kill(pid)
        until(lambda: not set(old) & set(self.processes(role)), "the killed %s is gone" % role)

    def lines(self, pattern):
        """Log lines that match."""
        return [line for line in world.read(self.log).splitlines() if re.search(pattern, line)]

    def wait_line(self, pattern, seconds=10):
        return until(lambda: self.lines(pattern), "log line " + pattern, seconds)[-1]


def holder(client, candidates):
    """Which of the processes has the other end of our connection."""
    ours, theirs = client.ends
    row = world.tcp_row(theirs, ours)
    for pid in candidates:
        try:
            names = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
        except OSError:
            continue
        if row and "socket:[%s]" % row[9] in names:
            return pid
    return None
