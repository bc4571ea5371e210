#!/usr/bin/env python3
"""Against guessing: one attempt at a time for addresses that fail (AUTH-41 to AUTH-44), and a policy server (AUTH-45 to AUTH-48)."""
import http.server, json, os, queue, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, stub, tap, world
from clients import Imap, Pop3
from daemon import PASSWORD
from tap import contains, expect, test, until


class PolicyServer:
    """Speaks what weakforced does; `answers` maps login names to what it says."""

    def __init__(self):
        self.answers, self.seen, self.silent = {}, [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.seen.append((self.path, self.headers.get("X-API-Key"), body))
                if outer.silent.is_set():
                    return
                text = json.dumps(outer.answers.get(body["login"], {"status": 0})).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, user, command):
        return [body for path, _, body in self.seen if body["login"] == user and path.endswith("command=" + command)]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def serve(connection):
    lines = connection.makefile("rb")
    connection.sendall(b"* OK [CAPABILITY IMAP4rev1] stub ready\r\n")
    for line in lines:
        connection.sendall(line.split()[0] + b" OK done\r\n")


def set_up():
    global policy, asking, punishing
    why = daemon.missing()
    if why:
        return why
    backend = stub.Stub(serve)
    to = backend.fields
    policy = PolicyServer()
    users = {name: to() for name in ("carl", "banned", "later", "slow", "odd")}
    asking = daemon.Postern("asking", users, protocols=["imap", "pop3", "submission", "sieve"], auth_internal_failure_delay=0,
                            auth_policy_server_url="http://127.0.0.1:%d/" % policy.port, auth_policy_server_api_header="sesame",
                            auth_policy_hash_nonce="nonce", auth_policy_server_timeout_msecs=500).start()
    punishing = daemon.Postern("punishing", {"carl": to()}, auth_penalty=True, auth_penalty_max_waiting=20, service={
        "imap-login": {"service_count": 0, "process_min_avail": 2, "process_limit": 2, "client_limit": 200}}).start()
    return None


def imap(proxy, user, password=PASSWORD):
    return Imap(proxy.imap).login(user, password)


@test
def a_login_is_asked_for_twice_and_reported():
    contains(imap(asking, "carl"), "OK ")
    until(lambda: policy.of("carl", "report"), "the report")
    first, second = policy.of("carl", "allow")
    expect(first["pwhash"] == second["pwhash"] and len(first["pwhash"]) == 4 and first["pwhash"][0] == "0", first)
    expect(first["protocol"] == "imap" and first["remote"] == "127.0.0.1" and first["tls"] is False, first)
    expect(policy.of("carl", "report")[0]["success"] is True, policy.seen)
    expect(all(key == "sesame" for _, key, _ in policy.seen), policy.seen)


@test
def a_wrong_password_is_reported():
    before = len(policy.of("odd", "report"))
    contains(imap(asking, "odd", "wrong"), "NO [AUTHENTICATIONFAILED]")
    until(lambda: len(policy.of("odd", "report")) > before, "the report")
    expect(policy.of("odd", "report")[-1]["fail_type"] == "credentials", policy.seen[-1])


@test
def the_server_refuses():
    policy.answers["banned"] = {"status": -1, "msg": "Too many countries"}
    contains(imap(asking, "banned"), "NO [ALERT] Too many countries")
    until(lambda: policy.of("banned", "report"), "the report")
    expect(policy.of("banned", "report")[0]["policy_reject"] is True, policy.seen[-1])


@test
def the_server_lets_somebody_wait():
    policy.answers["later"] = {"status": 1}
    since = time.monotonic()
    contains(imap(asking, "later"), "OK ")
    expect(time.monotonic() - since >= 1, "at once")


@test
def without_an_answer_the_login_goes_on_or_is_a_temporary_failure():
    """AUTH-48, AUTH-4: never a wrong password."""
    policy.silent.set()
    try:
        contains(imap(asking, "slow"), "OK ")
        contains(asking.output(), "login goes on")
        asking.set(auth_policy_reject_on_fail=True)
        asking.reload_and_wait()
        contains(imap(asking, "slow"), "NO [UNAVAILABLE]")
        contains(Pop3(asking.pop3).login("slow"), "-ERR [SYS/TEMP]")
    finally:
        policy.silent.clear()


@test
def guesses_side_by_side_are_answered_one_by_one():
    """20 connections guess at once; within the time of the first delay of 4 s at most the first two are told."""
    answers = queue.Queue()
    clients = [Imap(punishing.imap) for _ in range(20)]
    for i, client in enumerate(clients):
        client.send("a LOGIN carl %s\r\n" % (PASSWORD if i == 19 else "guess%d" % i))

    def read(client):
        try:
            answers.put(client.line())
        except Exception:
            pass

    for client in clients:
        threading.Thread(target=read, args=(client,), daemon=True).start()
    first = answers.get(timeout=10)
    deadline = time.monotonic() + 3
    told = [first]
    while time.monotonic() < deadline:
        try:
            told.append(answers.get(timeout=deadline - time.monotonic()))
        except (queue.Empty, ValueError):
            break
    expect(len(told) <= 2, told)
    for client in clients:
        client.close()


def finish():
    policy.stop()
    world.finish()


tap.main(set_up, finish, lambda: "\n".join(asking.output().splitlines()[-25:]))
