#!/usr/bin/env python3
"""PROXY headers, in both directions: from a load balancer to us, and from us to a backend."""
import os, socket, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import Imap, Line, Pop3
from tap import contains, expect, test

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 143\r\n"
ADDRESSES = socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 50000, 143)
BALANCER, STRANGER = "127.0.0.8", "127.0.0.9"


def v2(command=0x21, family=0x11, block=ADDRESSES):
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) + struct.pack(">H", len(block)) + block


def tlv(kind, value):
    return bytes([kind]) + struct.pack(">H", len(value)) + value


TLS = tlv(0x20, b"\x01\0\0\0\x01" + tlv(0x21, b"TLSv1.3"))


def header_then_imap(connection):
    """A backend behind a PROXY header; what it saw before its greeting."""
    head = connection.recv(16, socket.MSG_WAITALL)
    if head.startswith(b"PROXY"):
        while not head.endswith(b"\r\n"):
            head += connection.recv(1)
    else:
        head += connection.recv(struct.unpack(">H", head[14:])[0], socket.MSG_WAITALL)
    heads.append(head)
    return stub.imap_server(connection)


def set_up():
    global proxy, backend, heads
    if daemon.missing():
        return daemon.missing()
    heads = []
    backend = stub.Stub(header_then_imap)
    plain = stub.Stub(stub.imap_server)
    listeners = {name: {"inet_listener": {l: {"haproxy": True} for l in (name[:4], name[:4] + "s")}} for name in ("imap-login", "pop3-login")}
    proxy = daemon.Postern("proxy", {
        "joe": plain.fields(), "v1": backend.fields("proxy_haproxy=v1"), "v2": backend.fields("proxy_haproxy=v2"),
        "bad": backend.fields("proxy_haproxy=v3")}, haproxy_trusted_networks=BALANCER + "/32", haproxy_timeout="500 ms")
    for service, keys in listeners.items():
        for name, more in keys["inet_listener"].items():
            proxy.settings["service"][service]["inet_listener"][name].update(more)
    proxy.set()
    proxy.start()
    return None


def imap(header, source=BALANCER, port=None):
    """A connection that has sent its header, before the greeting is read."""
    line = Line(port or proxy.imap, source=source)
    line.send(header)
    return line


def greeted(line):
    """The line as an IMAP client that has its greeting."""
    line.__class__ = Imap
    line.greeting, line.count = line.line(), 0
    expect(line.greeting and line.greeting.startswith("* OK"), line.greeting)
    return line


def closed_without_a_word(line, pattern):
    expect(line.rest() == [], "something was said")
    return proxy.wait_line(pattern)


@test
def addresses_of_version_1_are_the_clients():
    client = greeted(imap(V1))
    client.close()
    contains(proxy.wait_line(r"Disconnected.*rip=192\.0\.2\.7"), "lip=192.0.2.1")


@test
def nothing_of_the_client_is_lost_with_the_header():
    line = Line(proxy.imap, source=BALANCER)
    line.send(V1 + b"a1 CAPABILITY\r\na2 LOGOUT\r\n")
    lines = line.rest()
    expect([l[:5] for l in lines if l[0] == "a"] == ["a1 OK", "a2 OK"], lines)


@test
def a_header_in_pieces():
    line = Line(proxy.imap, source=BALANCER)
    line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(len(V1)):
        line.send(V1[i:i + 1])
    greeted(line).close()


@test
def the_client_behind_a_balancer_is_not_secured():
    client = greeted(imap(V1))
    contains(client.greeting, "LOGINDISABLED")
    contains(client.greeting, "STARTTLS")
    contains(client.login("joe"), "NO [PRIVACYREQUIRED]")
    client.close()


@test
def tls_at_the_balancer_counts_as_secured():
    client = greeted(imap(v2(block=ADDRESSES + TLS)))
    expect("LOGINDISABLED" not in client.greeting and "STARTTLS" not in client.greeting, client.greeting)
    contains(client.login("joe"), "OK")
    contains(proxy.wait_line(r"proxy\(joe.*Started proxying.*rip=192\.0\.2\.7"), "secured")
    client.close()


@test
def the_header_comes_before_implicit_tls():
    line = imap(V1, port=proxy.imaps)
    line.start_tls()
    client = greeted(line)
    contains(client.login("joe"), "OK")
    client.close()


@test
def local_and_unknown_keep_the_real_address():
    for header in (v2(command=0x20, family=0, block=b""), b"PROXY UNKNOWN\r\n"):
        client = greeted(imap(header))
        client.command("LOGOUT")
        client.close()
    expect(tap.until(lambda: len(proxy.lines(r"Aborted login by logging out.*rip=127\.0\.0\.8")) == 2, "both lines"), "")


@test
def pop3_too():
    line = imap(v2(block=ADDRESSES + TLS), port=proxy.pop3)
    line.__class__ = Pop3
    contains(line.line(), "+OK")
    contains(line.command("CAPA"), "+OK")
    line.close()


@test
def a_stranger_is_closed_without_a_word():
    closed_without_a_word(imap(V1, source=STRANGER), r"PROXY header refused: not in haproxy_trusted_networks.*rip=127\.0\.0\.9")


@test
def garbage_is_closed_without_a_word():
    closed_without_a_word(imap(b"a1 CAPABILITY\r\n"), "PROXY header refused: not a PROXY header")


@test
def a_missing_header_is_closed_without_a_word():
    closed_without_a_word(imap(b""), "PROXY header refused: no header within haproxy_timeout")


@test
def one_process_per_connection_reads_it_too():
    proxy.set(service={"imap-login": {"service_count": 1, "process_limit": 20}})
    proxy.reload_and_wait()
    client = greeted(imap(v2(block=ADDRESSES + TLS)))
    contains(client.login("joe"), "OK")
    client.close()


def told(user):
    client = greeted(imap(v2(block=ADDRESSES + tlv(2, b"mail.example") + TLS)))
    contains(client.login(user), "OK")
    client.close()
    return heads[-1]


@test
def a_backend_is_told_with_version_1():
    expect(told("v1") == V1, heads[-1])


@test
def a_backend_is_told_with_version_2():
    expect(told("v2") == v2(block=ADDRESSES + tlv(2, b"mail.example") + tlv(0x20, b"\x01\0\0\0\x01")), heads[-1])


@test
def a_version_that_is_none_is_a_temporary_failure():
    client = greeted(imap(v2(block=ADDRESSES + TLS)))
    contains(client.login("bad"), "NO [UNAVAILABLE]")
    proxy.wait_line("invalid proxy_haproxy value 'v3'")
    client.close()


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-25:]))
