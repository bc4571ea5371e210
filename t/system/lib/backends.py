"""Backends of each protocol that let everybody in and keep every byte they get. What one says is a table of words; a test
changes some: ImapServer(consent=b"@ NO\r\n"). A word is bytes, or a function of the peer."""
import socket, ssl

import world

TAG = b"@"  # where IMAP's tag goes


class Peer:
    """The proxy's connection to a backend: all that came, in the clear and inside TLS."""

    def __init__(self, connection):
        self.socket, self.buffer = connection, b""
        self.clear, self.inside, self.tls, self.ended = b"", b"", False, False
        self.login_at = None  # how much had come when the login was answered

    @property
    def heard(self):
        return self.clear + self.inside

    @property
    def after_login(self):
        return self.heard[self.login_at:]

    def receive(self):
        data = self.socket.recv(65536)
        if self.tls:
            self.inside += data
        else:
            self.clear += data
        self.buffer += data
        return data

    def take(self, end):
        """What has come up to and with `end`; nothing when the proxy closes before."""
        while end not in self.buffer:
            if not self.receive():
                return b""
        at = self.buffer.index(end) + len(end)
        taken, self.buffer = self.buffer[:at], self.buffer[at:]
        return taken

    def take_bytes(self, count):
        while len(self.buffer) < count and self.receive():
            pass
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def say(self, data):
        self.socket.sendall(data)

    def rest(self):
        while self.receive():
            pass

    def start_tls(self):
        _, cert, key = world.certificates()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.tls = True

    def hello_has_come(self):
        """Waits for the first byte of a ClientHello, and leaves it there."""
        return self.socket.recv(1, socket.MSG_PEEK)


class Server:
    words = {}
    commands = {}  # by name: a method that answers

    def __init__(self, **changed):
        assert set(changed) <= set(self.words), changed
        self.words, self.peers = {**self.words, **changed}, []

    def talk(self, connection):
        peer = Peer(connection)
        self.peers.append(peer)
        try:
            self.say(peer, "greeting")
            while line := peer.take(b"\n"):
                self.answer(peer, line)
        finally:
            peer.ended = True  # nothing more will be heard

    def say(self, peer, word, tag=b""):
        said = self.words[word]
        if callable(said):
            said(peer)
        else:
            peer.say(said.replace(TAG, tag))

    def answer(self, peer, line):
        name = (line.split() or [b""])[0].upper().decode(errors="replace")
        self.commands.get(name, Server.other)(self, peer, line, b"")

    def starttls(self, peer, _, tag):
        self.say(peer, "consent", tag)
        try:
            peer.start_tls()
        except (OSError, ValueError):
            peer.rest()

    def capabilities(self, peer, _, tag):
        self.say(peer, "capabilities_tls" if peer.tls else "capabilities", tag)

    def login(self, peer, _, tag):
        peer.login_at = len(peer.heard)
        self.say(peer, "accepted", tag)

    def other(self, peer, _, tag):
        self.say(peer, "done", tag)

    @property
    def heard(self):
        """All that all connections brought."""
        return b"".join(peer.heard for peer in self.peers)


class ImapServer(Server):
    words = {"greeting": b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID STARTTLS] stub ready\r\n",
             "capabilities": b"* CAPABILITY IMAP4rev1 X-CLEAR\r\n@ OK done\r\n", "capabilities_tls": b"* CAPABILITY IMAP4rev1\r\n@ OK done\r\n",
             "consent": b"@ OK go\r\n", "accepted": b"@ OK [CAPABILITY IMAP4rev1] in\r\n", "done": b"@ OK done\r\n"}
    commands = {"STARTTLS": Server.starttls, "CAPABILITY": Server.capabilities, "LOGIN": Server.login}

    def answer(self, peer, line):
        tag, name = (line.split() + [b"", b""])[:2]
        self.commands.get(name.upper().decode(errors="replace"), Server.other)(self, peer, line, tag)


class Pop3Server(Server):
    words = {"greeting": b"+OK stub ready\r\n", "capabilities": b"+OK\r\n.\r\n", "capabilities_tls": b"+OK\r\n.\r\n", "consent": b"+OK go\r\n",
             "accepted": b"+OK in\r\n", "done": b"+OK done\r\n"}
    commands = {"STLS": Server.starttls, "CAPA": Server.capabilities, "PASS": Server.login}


class SieveServer(Server):
    words = {"greeting": b'"SASL" "PLAIN"\r\n"STARTTLS"\r\nOK "stub ready"\r\n', "capabilities": b'"SASL" "PLAIN"\r\nOK "done"\r\n',
             "capabilities_tls": b'"SASL" "PLAIN"\r\nOK "done"\r\n', "consent": b'OK "go"\r\n', "accepted": b'OK "in"\r\n', "done": b'OK "done"\r\n'}

    def greet_in_tls(self, peer, line, tag):
        self.starttls(peer, line, tag)
        if peer.tls:
            self.capabilities(peer, line, tag)  # RFC 5804: unasked

    commands = {"STARTTLS": greet_in_tls, "CAPABILITY": Server.capabilities, "AUTHENTICATE": Server.login}


class SubmissionServer(Server):
    words = {"greeting": b"220 stub ready\r\n", "capabilities": b"250-stub\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
             "capabilities_tls": b"250-stub\r\n250 AUTH PLAIN\r\n", "consent": b"220 go\r\n", "accepted": b"235 2.7.0 in\r\n", "done": b"250 2.0.0 done\r\n"}
    commands = {"EHLO": Server.capabilities, "STARTTLS": Server.starttls, "AUTH": Server.login}


class LmtpServer(Server):
    """Ends data at CRLF.CRLF only; what it took as messages stands in `messages`. CHUNKING in `capabilities` makes the proxy use BDAT."""
    words = {"greeting": b"220 stub ready\r\n", "capabilities": b"250-stub\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n",
             "capabilities_tls": b"250-stub\r\n250 ENHANCEDSTATUSCODES\r\n", "consent": b"220 go\r\n", "accepted": b"250 2.1.5 OK\r\n",
             "saved": b"250 2.0.0 Saved\r\n", "done": b"250 2.0.0 done\r\n"}

    def __init__(self, **changed):
        super().__init__(**changed)
        self.messages, self.chunks = [], b""

    def data(self, peer, _, tag):
        peer.say(b"354 OK\r\n")
        text = peer.take(b"\r\n.\r\n")
        if text:
            self.messages.append(text[:-3])
            self.say(peer, "saved")

    def bdat(self, peer, line, tag):
        self.chunks += peer.take_bytes(int(line.split()[1]))
        if not line.upper().rstrip().endswith(b"LAST"):
            return peer.say(b"250 2.0.0 more\r\n")
        self.messages.append(self.chunks)
        self.chunks = b""
        self.say(peer, "saved")

    commands = {"LHLO": Server.capabilities, "STARTTLS": Server.starttls, "RCPT": Server.login, "DATA": data, "BDAT": bdat}


SERVERS = {"imap": ImapServer, "pop3": Pop3Server, "submission": SubmissionServer, "sieve": SieveServer, "lmtp": LmtpServer}
