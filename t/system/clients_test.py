#!/usr/bin/env python3
"""Mail programs that people use fetch a message through the installed daemon, from a Dovecot and from a Cyrus: every
program with every protocol and kind of TLS it knows. The daemon reaches the server in the same kind of TLS."""
import collections, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import cyrus, daemon, dovecot, tap, world
from mail_programs import PROGRAMS, Account
from tap import Skip, contains, expect

SERVERS = {"dovecot": (dovecot, dovecot.Dovecot), "cyrus": (cyrus, cyrus.Cyrus)}
BACKEND_TLS = {"plain": "", "starttls": "starttls=yes", "implicit": "ssl=yes"}

Case = collections.namedtuple("Case", "program protocol tls server")
CASES = [Case(program, protocol, tls, server) for server in SERVERS
         for program, (_, protocols, kinds) in PROGRAMS.items() for protocol in protocols for tls in kinds]
backends, proxy = {}, None


def mailbox(case):
    return "-".join(case[:3])


def message(case):
    return "The message of %s." % " ".join(case)


def start_backend(server):
    module, kind = SERVERS[server]
    cases = [c for c in CASES if c.server == server]
    if module.missing():
        return
    backends[server] = kind(server, [mailbox(c) for c in cases]).start()
    for case in cases:
        backends[server].deliver(mailbox(case), "Hello", message(case) + "\r\n")


def set_up():
    global proxy
    why = daemon.missing() or (all(m.missing() for m, _ in SERVERS.values()) and "no IMAP server here")
    if why:
        return why
    for server in SERVERS:
        start_backend(server)
    users = {"-".join(c): backends[c.server].fields(c.protocol, BACKEND_TLS[c.tls], destuser=mailbox(c))
             for c in CASES if c.server in backends}
    proxy = daemon.Postern("proxy", users, ssl="yes", disable_plaintext_auth=False).start()
    return None


def port(case):
    return getattr(proxy, case.protocol + ("s" if case.tls == "implicit" else ""))


def fetch(case):
    if case.server not in backends:
        raise Skip(SERVERS[case.server][0].missing())
    name = "-".join(case)
    account = Account(name, case.protocol, case.tls, port(case))
    contains(PROGRAMS[case.program][0](account, world.folder("home-" + name)), message(case))
    started = proxy.wait_line(r"Started proxying to .*: user=<%s>" % name)
    expect((", TLS" in started) == (case.tls != "plain"), started)


def add(case):
    def run():
        fetch(case)
    run.__name__ = "%s %s %s, from %s" % case
    tap.test(run)


for each in CASES:
    add(each)
tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
