"""What the LMTP tests share: a daemon that serves LMTP, recipients that are made as they are needed, and how a transaction goes."""
import re

import daemon, world
from clients import Lmtp
from tap import expect, until

MESSAGE = b"From: sender@far.test\r\nSubject: %s\r\n\r\nHello.\r\n"
BIG = MESSAGE % b"big" + (b"x" * 76 + b"\r\n") * 60000  # more than sockets hold
DOTS = MESSAGE % b"dots" + b".\r\n..\r\n.x\r\nQUIT\r\n\r\n.\r\nRSET\r\n.\r\n"
MIB = 1 << 20
count = 0
proxy = None  # what connect() connects to unless told otherwise

world.write("users", "")


def user(fields, name=None):
    """The address of a (new) recipient with these fields."""
    global count
    count += 1
    address = name or "r%d@example.org" % count
    with open(world.path("users"), "a") as f:
        f.write("%s:{PLAIN}x::::::%s\n" % (address, " ".join(fields)))
    return address


def behind(server, *more, name=None):
    """A recipient whose mail goes to a small server."""
    return user(server.fields("protocol=smtp" if server.smtp else "protocol=lmtp", *more), name)


def postern(name, **settings):
    """Not started yet."""
    settings.setdefault("passdb", ({"driver": "passwd-file", "args": world.path("users")},))
    settings.setdefault("login_trusted_networks", ["127.77.0.0/16"])
    made = daemon.Postern(name, None, protocols=["lmtp"], lmtp_proxy=True, mail_temp_dir=world.folder(name + "/temp", 0o1777), **settings)
    made.set(service={"lmtp": {"inet_listener": {"lmtp": {"port": made.lmtp}}}})
    return made


def serve(made):
    """Starts a daemon and waits until it serves LMTP."""
    made.start()
    until(lambda: world.listening(made.lmtp), "LMTP is served")
    return made


def started(name, **settings):
    return serve(postern(name, **settings))


def serve_all(made):
    """The same with the one that all tests of a script share."""
    global proxy
    proxy = serve(made)
    return proxy


def connect(to=None, **how):
    client = Lmtp((to or proxy).lmtp, **how)
    client.offers = client.lhlo()
    return client


def taken(client, *recipients, **how):
    """Begins a transaction with these."""
    answers = client.mail(*recipients, **how)
    expect(all(a.startswith("250 ") for a in answers), answers)


def delivered(recipients, message=MESSAGE % b"x", way="data", client=None):
    """The replies to the data of one transaction to these."""
    client = client or connect()
    taken(client, *recipients)
    return getattr(client, way)(message, replies=len(recipients))


def saved(reply, recipient):
    expect(re.fullmatch(r"250 2\.\d\.\d <%s> \S+ Saved" % re.escape(recipient), reply), reply)


def failed(reply, why="connection lost, "):
    expect(re.fullmatch(r"451 4\.4\.0 (<\S+> )?Proxy failed \(%ssession=\S+\)" % why, reply), reply)


def one_reply_each(client):
    """Nothing more than was already read: the next reply is that to this command."""
    expect(client.say("NOOP").startswith("250"), "a reply too many")


def worker_of(client, of=None):
    of = of or proxy
    return until(lambda: daemon.holder(client, of.processes("login")), "a worker has the connection")


def body_of(stored):
    """What the sender wrote, without what was put in front."""
    return stored[stored.index(b"From: sender@far.test"):]
