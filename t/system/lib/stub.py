"""Backends that misbehave: a thread per connection runs what the test wants."""
import base64, socket, threading


class Stub:
    """Calls `talk(connection)` for each connection; keeps what `talk` returns in `seen`."""

    def __init__(self, talk):
        self.talk, self.seen, self.connections = talk, [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.seen.append(self.talk(connection))
        except OSError:
            pass

    def fields(self, *more):
        return ["proxy=y", "host=127.0.0.1", "port=%d" % self.port, *more]

    def close(self):
        for s in [self.listener] + self.connections:
            try:
                s.shutdown(socket.SHUT_RDWR)  # closing alone does not wake who waits in accept()
            except OSError:
                pass
            s.close()


def wait_for_close(connection):
    while connection.recv(65536):
        pass


def endless(connection, noise=b"x" * 65536):
    while True:
        connection.sendall(noise)


def says(*answers, then=wait_for_close):
    """One answer for each line of ours, the first at once."""
    def talk(connection):
        lines = connection.makefile("rb")
        for number, answer in enumerate(answers):
            if number:
                lines.readline()
            connection.sendall(answer)
        return then(connection)
    return talk


def imap_server(connection, after_login=None):
    """A small IMAP server that lets everybody in and then answers every command with OK."""
    lines = connection.makefile("rb")
    connection.sendall(b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID] stub ready\r\n")
    for line in lines:
        words = line.split()
        if len(words) < 2:
            continue
        tag, name = words[0], words[1].upper()
        if name == b"AUTHENTICATE" and len(words) == 3:
            connection.sendall(b"+ \r\n")
            lines.readline()
        if name == b"ID":
            connection.sendall(b"* ID NIL\r\n")
        if name in (b"AUTHENTICATE", b"LOGIN") and after_login:
            connection.sendall(tag + b" OK [CAPABILITY IMAP4rev1] in\r\n")
            return after_login(connection)
        connection.sendall(tag + b" OK done\r\n")
        if name == b"LOGOUT":
            return None
    return None


def login_arguments(words, lines, connection):
    """Name and password behind LOGIN, atoms and quoted strings or literals, as nginx sends them."""
    found = []
    while words:
        word, words = words[0], words[1:]
        if word.endswith("}"):
            if not word.endswith("+}"):
                connection.sendall(b"+ go on\r\n")
            word, words = lines.read(int(word.strip("{+}"))).decode(), lines.readline().decode().split()
        found.append(word.strip('"'))
    return found


def imap_with_logins(logins):
    """An IMAP server that lets everybody in; [name, password] of each goes to `logins`."""
    def talk(connection):
        lines = connection.makefile("rb")
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+] ready\r\n")
        for line in lines:
            tag, command, *words = line.decode().split()
            if command == "LOGIN":
                logins.append(login_arguments(words, lines, connection))
            elif command == "AUTHENTICATE":
                logins.append(base64.b64decode(words[-1]).decode().split("\0")[1:])
            connection.sendall(tag.encode() + b" OK done\r\n")
    return talk
