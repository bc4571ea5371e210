"""Clients: a raw line client that sees every byte, and real ones."""
import base64, errno, os, pty, select, shutil, socket, ssl, subprocess

import world
from daemon import PASSWORD
from tap import Skip, until


def trust():
    return ssl.create_default_context(cafile=world.certificates()[0])


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def connect(place, source, source_port, seconds):
    """A connection to a port of this host, or to a socket in the file system."""
    if isinstance(place, int):
        return socket.create_connection(("127.0.0.1", place), seconds, source_address=(source, source_port))
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(seconds)
    connection.connect(place)
    return connection


class Line:
    """A connection, to a port or a path, on which lines go to and fro."""

    def __init__(self, port, tls=False, source="127.0.0.1", source_port=0, seconds=20):
        self.socket = connect(port, source, source_port, seconds)
        self.ends = self.socket.getsockname(), self.socket.getpeername()
        self.buffer = b""
        if tls:
            self.start_tls()

    def start_tls(self):
        self.socket = trust().wrap_socket(self.socket, server_hostname="localhost")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def send_pieces(self, *pieces):
        """Each goes out alone: the other side has read what came before it."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(pieces):
            if number:
                until(lambda: not world.unread(*self.ends), "what was sent is read")
            self.send(piece)

    def said_inside_tls(self):
        """What the other side says first once TLS is up, unasked; nothing when it is silent, or closes before or then."""
        try:
            self.start_tls()
            self.socket.settimeout(3)
            return self.line()
        except (OSError, ValueError):
            return None

    def line(self):
        """The next line without its end; None when the other side has closed."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode(errors="replace")

    def ended(self, seconds=10):
        """Whether the other side closes within this time; what it still says is dropped."""
        self.socket.settimeout(seconds)
        try:
            while self.line() is not None:
                pass
            return True
        except (TimeoutError, ssl.SSLWantReadError):
            return False

    def rest(self):
        """All lines until the other side closes."""
        out = []
        while (line := self.line()) is not None:
            out.append(line)
        return out

    def close(self):
        self.socket.close()


class Imap(Line):
    def __init__(self, port, **how):
        super().__init__(port, **how)
        self.greeting = self.line()
        self.count = 0

    def command(self, text):
        """(untagged lines, tagged line without its tag)."""
        self.count += 1
        tag = "a%d" % self.count
        self.send("%s %s\r\n" % (tag, text))
        return self.answer(tag)

    def answer(self, tag):
        untagged = []
        while True:
            line = self.line()
            if line is None:
                raise ConnectionError("closed instead of an answer; before: %r" % untagged)
            if line.startswith(tag + " "):
                return untagged, line[len(tag) + 1:]
            untagged.append(line)

    def starttls(self):
        answer = self.command("STARTTLS")[1]
        assert answer.startswith("OK"), answer
        self.start_tls()
        return self

    def login(self, user, password=PASSWORD):
        return self.command('LOGIN "%s" "%s"' % (user, password))[1]

    def alive(self):
        """Whether a command still makes its way to the backend and back."""
        try:
            return self.command("NOOP")[1].startswith("OK")
        except OSError:
            return False


class CertImap(Imap):
    """Shows a certificate: `pair` is it and its key."""

    def __init__(self, port, pair=None, version=None):
        self.pair, self.version = pair, version
        super().__init__(port, tls=True)

    def start_tls(self):
        context = trust()
        if self.pair:
            context.load_cert_chain(*self.pair)
        if self.version:
            context.maximum_version = self.version
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")


class Pop3(Line):
    def __init__(self, port, **how):
        super().__init__(port, **how)
        self.greeting = self.line()

    def command(self, text):
        self.send(text + "\r\n")
        return self.line()

    def login(self, user, password=PASSWORD):
        first = self.command("USER " + user)
        return self.command("PASS " + password) if first.startswith("+OK") else first

    def alive(self):
        try:
            return (self.command("NOOP") or "").startswith("+OK")
        except OSError:
            return False


class Sieve(Line):
    def __init__(self, port, **how):
        super().__init__(port, **how)
        self.capabilities, self.greeting = self.answer()

    def answer(self):
        """(lines before, the line that says how it went)."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                raise ConnectionError("closed instead of an answer; before: %r" % lines)
            if line.split(" ")[0] in ("OK", "NO", "BYE"):
                return lines, line
            lines.append(line)

    def command(self, text):
        self.send(text + "\r\n")
        return self.answer()

    def starttls(self):
        answer = self.command("STARTTLS")[1]
        assert answer.startswith("OK"), answer
        self.start_tls()
        self.capabilities, _ = self.answer()
        return self

    def login(self, user, password=PASSWORD):
        return self.command('AUTHENTICATE "PLAIN" "%s"' % b64("\0%s\0%s" % (user, password)))[1]

    def alive(self):
        try:
            return self.command("NOOP")[1].startswith("OK")
        except OSError:
            return False


class Smtp(Line):
    def __init__(self, port, **how):
        super().__init__(port, **how)
        self.greeting = self.reply()

    def reply(self):
        """All lines of a reply; [None] when the other side has closed."""
        lines = [self.line()]
        while lines[-1] and lines[-1][3:4] == "-":
            lines.append(self.line())
        return lines

    def command(self, text):
        self.send(text + "\r\n")
        return self.reply()

    def plain(self, user, password=PASSWORD):
        return self.command("AUTH PLAIN " + b64("\0%s\0%s" % (user, password)))[-1]

    login = plain


def dotted(message):
    """As it goes behind DATA: with its dots doubled and the end."""
    return (b"." if message.startswith(b".") else b"") + message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


class Lmtp(Smtp):
    """Messages are bytes with CRLF line ends. A reply of one line is told as that line."""

    def lhlo(self, name="mta.test"):
        """What it offers, by name."""
        lines = self.command("LHLO " + name)
        return {line[4:].split(" ")[0]: line[4:].partition(" ")[2] for line in lines[1:]}

    def say(self, text):
        return self.command(text)[-1]

    def mail(self, *recipients, sender="sender@far.test", more=""):
        """MAIL and RCPTs; the answers to the latter."""
        answer = self.say("MAIL FROM:<%s>%s" % (sender, more))
        assert answer.startswith("250"), answer
        return [self.say("RCPT TO:<%s>" % r) for r in recipients]

    def data(self, message, replies=1):
        """The replies, one for each recipient that was taken."""
        answer = self.say("DATA")
        assert answer.startswith("354"), answer
        self.send(dotted(message))
        return [self.reply()[-1] for _ in range(replies)]

    def bdat(self, *chunks, replies=1):
        """The replies to the last of the chunks; the others must be taken."""
        for chunk in chunks[:-1]:
            self.send(b"BDAT %d\r\n" % len(chunk) + chunk)
            answer = self.reply()[-1]
            assert answer.startswith("250"), answer
        self.send(b"BDAT %d LAST\r\n" % len(chunks[-1]) + chunks[-1])
        return [self.reply()[-1] for _ in range(replies)]

    def login(self, user, _=""):
        """No password here: what a recipient of a new transaction hears."""
        for line in ("LHLO client", "RSET"):
            assert self.say(line).startswith("250"), line
        return self.mail(user, sender="sender@example.org")[0]


def session(port, user, tls=True):
    """A logged-in IMAP session over TLS."""
    client = Imap(port, tls=tls)
    answer = client.login(user)
    assert answer.startswith("OK"), answer
    return client


def program(name):
    if not shutil.which(name):
        raise Skip("no %s here" % name)
    return name


def run(argv, typed="", **environment):
    """A program that ends by itself; `typed` is its input."""
    program(argv[0])
    return subprocess.run(argv, input=typed, capture_output=True, text=True, timeout=30,
                          env=dict(os.environ, LC_ALL="C", **environment))


def curl(url, user, *more):
    """(exit status, standard output, transcript)."""
    done = run(["curl", "-sv", "--cacert", world.certificates()[0], "--user", "%s:%s" % (user, PASSWORD),
                "--max-time", "30", *more, url])
    return done.returncode, done.stdout, done.stderr


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, argv, env):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
        world.STARTED.append(self.process)
        os.close(theirs)
        self.screen = ""

    def step(self):
        """Takes what the program has written, waiting a moment for it."""
        if select.select([self.ours], [], [], 0.05)[0]:
            try:
                self.screen += os.read(self.ours, 65536).decode(errors="replace")
            except OSError as error:  # its end is closed
                if error.errno != errno.EIO:
                    raise

    def type(self, text):
        os.write(self.ours, text.encode())

    def ended(self):
        self.step()
        return self.process.poll() is not None

    def close(self):
        os.close(self.ours)


def in_terminal(argv, env, seconds=30):
    """Runs a program in a terminal of its own; (status, what it wrote)."""
    terminal = Terminal(argv, env)
    try:
        until(terminal.ended, "%s ends" % argv[0], seconds)
    except AssertionError:
        terminal.process.kill()
        terminal.process.wait()
    terminal.close()
    return terminal.process.returncode, terminal.screen
