"""An LMTP (or SMTP) server that keeps every byte it is told, and does at each point what a test wants."""
import re, socket, ssl, threading

import stub, world
from tap import until

ALL = ("PIPELINING", "8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "SIZE")
NO_CHUNKING = tuple(word for word in ALL if word != "CHUNKING")


class Gone(OSError):
    """Raised at a point: the server dies there."""


def die(_):
    raise Gone()


class Gate:
    """Stops a server at a point until the test opens it."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, _):
        self.reached.set()
        self.opened.wait(60)

    def wait(self):
        until(self.reached.is_set, "the server is at its gate", 20)

    def open(self):
        self.opened.set()


class Transaction:
    def __init__(self, mail):
        self.mail, self.recipients, self.rcpts = mail, [], []  # MAIL's argument, addresses taken, all RCPT arguments
        self.wire, self.message, self.by, self.chunks = b"", None, None, 0


class Server(stub.Stub):
    """`answers`: reply by verb, or a function of the argument; "banner" too, and "end" for what is said of each recipient
    (a function of the address). `at`: what is called with the conversation at one of these points:
      connect (before the banner), rcpt (a recipient was answered), data (the message is about to come), received (it is here),
      replied (each time a recipient's reply went out)."""

    def __init__(self, offers=ALL, answers=None, at=None, smtp=False, tls=None):
        self.offers, self.answers, self.at, self.smtp, self.tls = offers, answers or {}, at or {}, smtp, tls
        self.conversations = []
        super().__init__(lambda connection: Conversation(self, connection).run())

    @property
    def transactions(self):
        return [t for c in list(self.conversations) for t in list(c.transactions)]

    def messages(self):
        return [t.message for t in self.transactions if t.message is not None]

    def lines(self):
        """All commands of all connections."""
        return [line for c in list(self.conversations) for line in list(c.lines)]

    def last(self):
        """The last transaction whose message came whole."""
        return until(lambda: [t for t in self.transactions if t.message is not None], "a message came")[-1]

    def all_ended(self):
        until(lambda: all(c.over for c in list(self.conversations)), "connections to this server are closed")


class Conversation:
    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        self.lines, self.transactions, self.over, self.in_tls = [], [], False, False
        self.reader = None
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.conversations.append(self)

    def run(self):
        try:
            if self.server.tls == "implicit":
                self.start_tls()
            self.reader = self.connection.makefile("rb")
            self.talk()
        finally:
            self.over = True
            if self.reader:
                self.reader.close()
            self.connection.close()

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*world.certificates()[1:])
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.in_tls = True

    def say(self, text):
        self.connection.sendall(text.encode() + b"\r\n")

    def point(self, name):
        if name in self.server.at:
            self.server.at[name](self)

    def answer(self, name, otherwise, argument=""):
        given = self.server.answers.get(name, otherwise)
        return given(argument) if callable(given) else given

    def talk(self):
        self.point("connect")
        self.say(self.answer("banner", "220 stub.test ready"))
        while line := self.reader.readline():
            text = line.decode(errors="replace").rstrip("\r\n")
            self.lines.append(text)
            verb, _, argument = text.partition(" ")
            handler = getattr(self, "on_" + verb.lower(), None)
            if handler:
                handler(argument)
            else:
                self.say(self.answer(verb.upper(), "250 2.0.0 done", argument))
            if verb.upper() == "QUIT":
                return

    # --- commands ---
    def on_lhlo(self, argument, verb="LHLO"):
        words = [w for w in self.server.offers if w != "STARTTLS" or not self.in_tls]
        lines = ["stub.test", *words]
        given = "\r\n".join("250%s%s" % ("-" if n + 1 < len(lines) else " ", w) for n, w in enumerate(lines))
        self.say(self.answer(verb, given, argument))

    def on_ehlo(self, argument):
        self.on_lhlo(argument, "EHLO")

    def on_xclient(self, argument):
        self.say(self.answer("XCLIENT", "220 stub.test ready", argument))

    def on_starttls(self, argument):
        said = self.answer("STARTTLS", "220 2.0.0 go ahead", argument)
        self.say(said)
        if said.startswith("220"):
            self.start_tls()
            self.reader = self.connection.makefile("rb")

    def on_mail(self, argument):
        self.transactions.append(Transaction(argument))
        self.say(self.answer("MAIL", "250 2.1.0 ok", argument))

    def on_rcpt(self, argument):
        said = self.answer("RCPT", "250 2.1.5 ok", argument)
        transaction = self.transactions[-1]
        transaction.rcpts.append(argument)
        if said.startswith("2"):
            transaction.recipients.append(re.match(r"TO:<([^>]*)>", argument).group(1))
        self.say(said)
        self.point("rcpt")

    def on_quit(self, argument):
        self.say(self.answer("QUIT", "221 2.0.0 bye", argument))

    # --- the message ---
    def on_data(self, argument):
        said = self.answer("DATA", "354 go ahead", argument)
        self.say(said)
        if not said.startswith("3"):
            return
        self.point("data")
        lines = []
        while (line := self.reader.readline()) != b".\r\n":
            if not line:
                raise Gone()
            lines.append(line)
        transaction = self.transactions[-1]
        transaction.wire = b"".join(lines)
        self.received("DATA", re.sub(rb"(^|\r\n)\.", rb"\1", transaction.wire))

    def on_bdat(self, argument):
        transaction, words = self.transactions[-1], argument.split()
        self.point("data")
        chunk = self.reader.read(int(words[0]))
        if len(chunk) < int(words[0]):
            raise Gone()
        transaction.wire += chunk
        transaction.chunks += 1
        if words[1:] == ["LAST"]:
            self.received("BDAT", transaction.wire)
        else:
            self.say(self.answer("BDAT", "250 2.0.0 more", argument))

    def received(self, by, message):
        transaction = self.transactions[-1]
        transaction.by, transaction.message = by, message
        self.point("received")
        for recipient in transaction.recipients[:1] if self.server.smtp else transaction.recipients:
            self.say(self.answer("end", "250 2.0.0 <%s> stored" % recipient, recipient))
            self.point("replied")
