"""A real Redis: a port and a unix socket, in a folder of its own."""
import shutil, socket

import world
from tap import until


def missing():
    return None if shutil.which("redis-server") else "no redis-server here"


class RedisServer:
    """`password`: what clients must say first. stop() and start() keep port and socket, not the data."""

    def __init__(self, name, password=None, **settings):
        self.folder, self.password, self.process = world.folder(name), password, None
        self.port, self.socket = world.free_port(), world.path(name, "socket")
        lines = ["bind 127.0.0.1", "port %d" % self.port, "unixsocket %s" % self.socket, "unixsocketperm 777", "dir %s" % self.folder,
                 "save \"\"", "daemonize no", "logfile %s/log" % self.folder]
        if password:
            lines.append("requirepass %s" % password)
        lines += ["%s %s" % (k.replace("_", "-"), v) for k, v in settings.items()]
        self.conf = world.write(name + "/redis.conf", "\n".join(lines) + "\n")

    def start(self):
        self.process = world.spawn(["redis-server", self.conf])
        until(lambda: world.listening(self.port), "redis listens", 20)
        return self

    def stop(self):
        world.end(self.process)

    def uri(self, database=0, password=None):
        password = password or self.password
        return "redis://%s127.0.0.1:%d/%d" % (":%s@" % password if password else "", self.port, database)

    def unix_uri(self, database=0):
        return "unix://%s%s?db=%d" % (":%s@" % self.password if self.password else "", self.socket, database)

    def command(self, *words, database=0):
        """One command on a connection of its own; the reply: bytes, None, an int or a list."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            stream = connection.makefile("rb")
            if self.password:
                ask(connection, stream, "AUTH", self.password)
            ask(connection, stream, "SELECT", str(database))
            return ask(connection, stream, *words)

    def user(self, key, database=0, **fields):
        self.command("DEL", key, database=database)
        self.command("HSET", key, *[text for pair in fields.items() for text in pair], database=database)


def ask(connection, stream, *words):
    raw = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    connection.sendall(b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in raw))
    return reply(stream)


def reply(stream):
    line = stream.readline().rstrip(b"\r\n")
    kind, rest = line[:1], line[1:]
    if kind == b"-":
        raise AssertionError("redis: " + rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [reply(stream) for _ in range(int(rest))]
    return rest
