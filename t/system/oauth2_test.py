#!/usr/bin/env python3
"""passdb oauth2 (AUTH-24, AUTH-25): tokens from a small authorization server, and signed ones, in each protocol; a Dovecot that gets
them too (row B5 of the features)."""
import base64, json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import authorization, clients, daemon, dovecot, stub, tap, world
from authorization import CLIENT, CLIENT_SECRET, Key
from clients import b64
from tap import contains, expect, test, until

DOMAINS = ["auth", "get", "post", "info", "jwks", "dir", "grant", "gone", "slow", "tls", "untrusted"]
DISCOVERY = "https://id.example.org/.well-known/openid-configuration"
server, dead, secure = authorization.Server(), authorization.Server(), authorization.Server(tls=True)
backend, proxy, submission, heard, keys, given = None, None, None, [], {}, set()


class TokenDovecot(dovecot.Dovecot):
    """Asks the authorization server, too, about tokens it is given."""

    def config_23(self):
        file = world.write(self.name + "/oauth2", "introspection_mode = auth\nintrospection_url = %s\nusername_attribute = email\n" % server.url("/me"))
        return super().config_23() + "auth_mechanisms = plain xoauth2 oauthbearer\npassdb {\n  driver = oauth2\n  args = %s\n}\n" % file


def take_mail(connection):
    """A submission server that lets every token in."""
    reader = connection.makefile("rb")
    connection.sendall(b"220 stub\r\n")
    while line := reader.readline().decode().strip():
        heard.append(line)
        connection.sendall(b"250-stub\r\n250 AUTH XOAUTH2 OAUTHBEARER\r\n" if line.startswith("EHLO") else b"235 2.7.0 in\r\n")


def passdb(domain, **keys_):
    block = {"driver": "oauth2", "name": domain, "mechanisms": ["xoauth2", "oauthbearer"], "username_filter": "*@%s.test" % domain}
    block.update(("oauth2_" + k, v) for k, v in keys_.items())
    return block


def passdbs():
    rules = {"scope": "mail", "client_id": CLIENT, "client_secret": CLIENT_SECRET, "issuers": "https://other.example.org https://id.example.org",
             "openid_configuration_url": DISCOVERY, "timeout_msecs": 30000,
             "pass_attrs": "proxy=y proxy_mech=%m host=127.0.0.1 port=%{oauth2:port} pass=%{oauth2:access_token}"}
    folder = world.folder("keys")
    for key in (keys["RS256"], keys["ES256"], keys["HS256"], keys["slash"]):
        place = "%s/default/%s/%s" % (folder, key.alg, key.kid.replace("%", "%25").replace("/", "%2f"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        world.write(os.path.relpath(place, world.FOLDER), key.pem)
    world.write("jwks.json", json.dumps({"keys": [key.jwk for name, key in keys.items() if name != "stranger"]}))
    file = world.write("post.conf.ext", "# as Dovecot has it\nintrospection_mode = post\nintrospection_url = %s\nmax_parallel_connections = 3\n" % server.url("/introspect")
                       + "".join("%s = %s\n" % (k, v) for k, v in rules.items()), 0o640)
    daemon.adapter.hand_over(file)
    return (passdb("auth", introspection_mode="auth", introspection_url=server.url("/me"), **rules),
            passdb("get", introspection_mode="get", introspection_url=server.url("/get?token="), **rules),
            {**passdb("post"), "args": file},
            passdb("info", tokeninfo_url=server.url("/tokeninfo?access_token="), introspection_mode="auth", introspection_url=server.url("/me"), **rules),
            passdb("jwks", introspection_mode="local", jwks_file=world.path("jwks.json"), **rules),
            passdb("dir", introspection_mode="local", local_validation_key_dict="fs:posix:prefix=%s/" % folder, **rules),
            passdb("gone", introspection_mode="auth", introspection_url=dead.url("/me"), **rules),
            passdb("slow", introspection_mode="get", introspection_url=server.url("/get?token="), **{**rules, "timeout_msecs": 200}),
            passdb("tls", introspection_mode="auth", introspection_url=secure.url("/me"), tls_ca_cert_file=world.certificates()[0], **rules),
            passdb("untrusted", introspection_mode="auth", introspection_url=secure.url("/me"), **rules),
            {**passdb("grant", grant_url=server.url("/token"), use_grant_password="yes", introspection_mode="auth", introspection_url=server.url("/me"),
                      **{**rules, "pass_attrs": rules["pass_attrs"].replace("%m", "xoauth2")}), "mechanisms": ["plain", "login"]})


def set_up():
    global backend, proxy, submission
    why = daemon.missing() or dovecot.missing() or (dovecot.version() >= (2, 4) and "the configuration is for Dovecot 2.3")
    if why:
        return why
    for name, key in {"RS256": Key("RS256", "rsa"), "PS256": Key("PS256", "pss"), "ES256": Key("ES256", "ec"), "ES384": Key("ES384", "ec384"),
                      "HS256": Key("HS256", "secret"), "slash": Key("RS256", "a/b%c"), "stranger": Key("RS256", "rsa")}.items():
        keys[name] = key
    server.start()
    dead.start()
    secure.start()
    secure.tokens = server.tokens
    submission = stub.Stub(take_mail)
    backend = TokenDovecot("backend", ["joe@%s.test" % d for d in DOMAINS]).start()
    proxy = daemon.Postern("proxy", protocols=["imap", "pop3", "submission", "sieve"], disable_plaintext_auth=False, passdb=passdbs(),
                           auth_mechanisms=["plain", "xoauth2", "oauthbearer"], auth_internal_failure_delay=0).start()
    return None


def port_for(protocol):
    return submission.port if protocol == "submission" else getattr(backend, protocol)


def token_for(user, key=None, header=None, protocol="imap", **changed):
    """A token that is good at the backend, too; signed when there is a key."""
    claims = authorization.claims(user, port=port_for(protocol), **changed)
    token = key.token(claims, **(header or {})) if key else "opaque-%d" % len(given)
    given.add(token)
    server.tokens[token] = {k: v for k, v in claims.items() if v is not None}
    return token


def xoauth2(user, token):
    return b64("user=%s\1auth=Bearer %s\1\1" % (user, token))


def oauthbearer(user, token):
    return b64("n,a=%s,\1host=proxy.test\1auth=Bearer %s\1\1" % (user, token))


def challenge(text):
    return json.loads(base64.b64decode(text))


# Each: (whether logged in, what the refusal's challenge said or None, the last answer).

def by_imap(user, token, mechanism="XOAUTH2"):
    client = clients.Imap(proxy.imap)
    client.send("a AUTHENTICATE %s %s\r\n" % (mechanism, (xoauth2 if mechanism == "XOAUTH2" else oauthbearer)(user, token)))
    told, line = None, client.line()
    if line.startswith("+ "):
        told = challenge(line[2:])
        client.send(b64("\1") + "\r\n")
        line = client.line()
    while line.startswith("* "):
        line = client.line()
    good = line.startswith("a OK")
    if good:
        contains(client.command("SELECT INBOX")[1], "OK")
    client.close()
    return good, told, line


def by_pop3(user, token, mechanism="XOAUTH2"):
    client = clients.Pop3(proxy.pop3)
    told, line = None, client.command("AUTH %s %s" % (mechanism, xoauth2(user, token)))
    if line.startswith("+ "):
        told, line = challenge(line[2:]), client.command(b64("\1"))
    good = line.startswith("+OK") and client.command("STAT").startswith("+OK")
    client.close()
    return good, told, line


def by_submission(user, token, mechanism="XOAUTH2"):
    client = clients.Smtp(proxy.submission)
    client.command("EHLO laptop")
    told, line = None, client.command("AUTH %s %s" % (mechanism, xoauth2(user, token)))[-1]
    if line.startswith("334 "):
        told, line = challenge(line[4:]), client.command(b64("\1"))[-1]
    client.close()
    return line.startswith("235"), told, line


def by_sieve(user, token, mechanism="XOAUTH2"):
    client = clients.Sieve(proxy.sieve)
    client.send('AUTHENTICATE "%s" "%s"\r\n' % (mechanism, xoauth2(user, token)))
    told, line = None, client.line()
    if line.startswith('"'):
        told = challenge(line.strip('"'))
        line = client.command('"%s"' % b64("\1"))[1]
    good = line.startswith("OK") and client.command("LISTSCRIPTS")[1].startswith("OK")
    client.close()
    return good, told, line


PROTOCOLS = {"imap": by_imap, "pop3": by_pop3, "submission": by_submission, "sieve": by_sieve}
TEMPORARY = {"imap": "a NO [UNAVAILABLE]", "pop3": "-ERR [SYS/TEMP]", "submission": "454 4.7.0", "sieve": "NO (TRYLATER)"}


def accepted(user, token, protocol="imap", **how):
    good, told, line = PROTOCOLS[protocol](user, token, **how)
    expect(good, (protocol, user, told, line))


def refused(user, token, why, status="invalid_token", protocol="imap"):
    """With RFC 7628's challenge; the log says what was wrong."""
    before = len(proxy.lines(why))
    good, told, line = by_imap(user, token, "OAUTHBEARER") if protocol == "imap" else PROTOCOLS[protocol](user, token, mechanism="OAUTHBEARER")
    expect(not good and "AUTHENTICATIONFAILED" in line, (user, line))
    expect(told == {"status": status, "scope": "mail", "openid-configuration": DISCOVERY}, told)
    until(lambda: len(proxy.lines(why)) > before, "a log line with " + why)


def unavailable(user, token, protocol="imap"):
    good, told, line = PROTOCOLS[protocol](user, token)
    expect(not good and told is None and line.startswith(TEMPORARY[protocol]), (protocol, user, told, line))


# --- servers ------------------------------------------------------------------------

@test
def tokens_are_introspected_in_each_mode():
    for domain, asked in (("auth", ["GET /me"]), ("get", ["GET /get"]), ("post", ["POST /introspect"])):
        user = "joe@%s.test" % domain
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            del server.requests[:]
            accepted(user, token_for(user), mechanism=mechanism)
            expect(server.requests == asked + ["GET /me"], server.requests)  # the second is the backend's question


@test
def tokeninfo_comes_first_and_introspection_when_something_is_missing():
    user = "joe@info.test"
    asked_of_all = ["GET /me"]  # the backend's question
    del server.requests[:]
    accepted(user, token_for(user))
    expect(server.requests == ["GET /tokeninfo"] + asked_of_all, server.requests)
    for missing in ("email", "port"):
        token = token_for(user)
        server.tokeninfo[token] = {k: v for k, v in server.tokens[token].items() if k != missing}
        del server.requests[:]
        accepted(user, token)
        expect(server.requests == ["GET /tokeninfo", "GET /me"] + asked_of_all, server.requests)
    refused(user, "unknown", "the server says: invalid_token")


@test
def a_token_reaches_each_protocols_backend():
    for protocol in PROTOCOLS:
        accepted("joe@auth.test", token_for("joe@auth.test", protocol=protocol), protocol)
    last = token_for("joe@auth.test", protocol="submission")
    accepted("joe@auth.test", last, "submission")
    words = next(line for line in reversed(heard) if line.startswith("AUTH XOAUTH2")).split()
    expect(base64.b64decode(words[2]).decode() == "user=joe@auth.test\1auth=Bearer %s\1\1" % last, words)


@test
def what_is_wrong_with_a_token_is_told_in_the_challenge():
    """RFC 7628 section 3.2.2, in both spellings."""
    for domain in ("auth", "get", "post", "info"):
        user = "joe@%s.test" % domain
        refused(user, token_for(user, exp=1700000000, iat=1600000000), "Token has expired")
        refused(user, token_for(user, scope="openid contacts"), "not valid for scope 'mail'", "insufficient_scope")
        refused(user, token_for(user, aud="somebody else"), "is not oauth2_client_id")
        refused(user, token_for(user, iss="https://evil.example.org"), "Issuer .* is not one of oauth2_issuers")
        refused(user, token_for("jim@%s.test" % domain), "Username 'joe@%s.test' did not match 'jim@%s.test'" % (domain, domain))
        refused(user, token_for(user, active=False), "Token is not active")
    told = by_imap("joe@auth.test", "unknown", "XOAUTH2")[1]
    expect(told == {"status": "401", "schemes": "bearer", "scope": "mail", "openid-configuration": DISCOVERY}, told)


@test
def every_protocol_has_the_challenge():
    for protocol, by in PROTOCOLS.items():
        good, told, line = by("joe@get.test", "unknown")
        expect(not good and told["status"] == "401" and not line.startswith(TEMPORARY[protocol]), (protocol, told, line))


@test
def a_server_in_trouble_is_a_temporary_failure():
    """Never a wrong password (AUTH-4)."""
    troubles = {"500": (500, {"error": "invalid_token"}), "no JSON": (200, b"<html>"), "a list": (200, b"[]"), "nobody": authorization.claims(None),
                "not found": (404, b""), "too long": (200, b'{"x":"' + b"x" * 200000 + b'"}'), "redirect": (302, b"")}
    for said in troubles.values():
        server.tokens["trouble"] = {k: v for k, v in said.items() if v} if isinstance(said, dict) else said
        unavailable("joe@auth.test", "trouble")
    for protocol in PROTOCOLS:
        server.tokens["trouble"] = (503, b"")
        unavailable("joe@get.test", "trouble", protocol)


@test
def a_server_that_is_too_slow_is_a_temporary_failure():
    token = token_for("joe@slow.test")
    accepted("joe@slow.test", token)
    server.hangs.add(token)
    for protocol in PROTOCOLS:
        unavailable("joe@slow.test", token, protocol)


@test
def a_server_shows_its_certificate():
    accepted("joe@tls.test", token_for("joe@tls.test"))
    unavailable("joe@untrusted.test", token_for("joe@untrusted.test"))
    proxy.wait_line("introspection_url: .*certificate")


@test
def a_server_that_stops_is_a_temporary_failure_in_each_protocol():
    for protocol in PROTOCOLS:
        good, _, line = PROTOCOLS[protocol]("joe@gone.test", "unknown")
        expect(not good and not line.startswith(TEMPORARY[protocol]), (protocol, line))
    dead.stop()
    for protocol in PROTOCOLS:
        unavailable("joe@gone.test", "unknown", protocol)
    dead.start()
    dead.tokens["back"] = authorization.claims("joe@gone.test", port=backend.imap)
    server.tokens["back"] = dead.tokens["back"]
    accepted("joe@gone.test", "back")


@test
def a_server_that_hangs_delays_only_its_own_logins():
    """Point 7: `post` has three connections, all of them busy."""
    waiting = []
    for number in range(5):
        token = token_for("joe@post.test")
        server.hangs.add(token)
        client = clients.Imap(proxy.imap)
        client.send("a AUTHENTICATE XOAUTH2 %s\r\n" % xoauth2("joe@post.test", token))
        waiting.append(client)
    until(lambda: server.requests[-3:] == ["POST /introspect"] * 3, "the server is busy")
    for domain in ("auth", "get", "jwks"):
        user = "joe@%s.test" % domain
        accepted(user, token_for(user, keys["RS256"] if domain == "jwks" else None))
    server.released.set()
    for client in waiting:
        line = client.line()
        while line.startswith("* "):
            line = client.line()
        expect(line.startswith("a OK"), line)
        client.close()


@test
def a_password_gets_a_token():
    """RFC 6749 section 4.3; the backend is given the token."""
    token = token_for("joe@grant.test")
    server.passwords["joe@grant.test", "sesame"] = token
    client = clients.Imap(proxy.imap)
    expect(client.login("joe@grant.test", "sesame").startswith("OK"), "refused")
    contains(client.command("SELECT INBOX")[1], "OK")
    client.close()
    client = clients.Imap(proxy.imap)
    contains(client.login("joe@grant.test", "wrong"), "AUTHENTICATIONFAILED")
    client.close()


# --- signed tokens ---------------------------------------------------------------------

@test
def signed_tokens():
    for name in ("RS256", "PS256", "ES256", "ES384", "HS256"):
        accepted("joe@jwks.test", token_for("joe@jwks.test", keys[name]))
    for name in ("RS256", "ES256", "HS256", "slash"):
        accepted("joe@dir.test", token_for("joe@dir.test", keys[name]))
    accepted("joe@jwks.test", token_for("joe@jwks.test", keys["RS256"], {"kid": None}), mechanism="OAUTHBEARER")


@test
def signed_tokens_that_are_not_good():
    """AUTH-25."""
    for domain in ("jwks", "dir"):
        user, key = "joe@%s.test" % domain, keys["RS256"]
        refused(user, token_for(user, key, exp=1700000000, iat=1600000000), "Token has expired")
        refused(user, token_for(user, key, exp=None), "'exp' is missing")
        refused(user, token_for(user, key, sub=None), "'sub' is missing")
        refused(user, token_for(user, key, nbf=4000000000, exp=4000000001), "Token is not valid yet")
        refused(user, token_for(user, key, iat=4000000000, exp=4000000001), "Token was issued in the future")
        refused(user, token_for(user, key, scope="openid"), "not valid for scope 'mail'", "insufficient_scope")
        refused(user, token_for(user, key, aud=["other"]), "is not oauth2_client_id")
        refused(user, token_for(user, key, iss=None), "is not one of oauth2_issuers")
        refused(user, token_for("jim@%s.test" % domain, key), "did not match")
        refused(user, token_for(user, keys["stranger"]), "JWT signature is not valid")
        refused(user, token_for(user, key)[:-4] + "AAAA", "JWT signature is not valid")
        refused(user, token_for(user, key, {"kid": "nobody's"}), "RS256 key 'nobody's' not found")
        refused(user, "opaque", "Not a JWT")


@test
def tokens_without_a_signature_or_with_the_wrong_kind_of_it():
    for domain in ("jwks", "dir"):
        user = "joe@%s.test" % domain
        good = token_for(user, keys["RS256"])
        head, body, _ = good.split(".")
        for alg in ("none", "None", "NONE", "nOnE", ""):
            unsigned = authorization.b64url(json.dumps({"alg": alg, "typ": "JWT"})) + "." + body
            refused(user, unsigned + ".", "algorithm .* is not accepted")
            refused(user, unsigned + "." + good.split(".")[2], "algorithm .* is not accepted")
        refused(user, head + "." + body + ".", "JWT without a signature")
        # The public key as a secret: it is nobody's secret here.
        confused = Key("HS256", "rsa")
        confused.secret = keys["RS256"].pem.encode()
        refused(user, token_for(user, confused), "HS256 key 'rsa' not found")
        refused(user, token_for(user, keys["RS256"], {"alg": "HS256"}), "HS256 key 'rsa' not found")
        refused(user, token_for(user, keys["RS256"], {"alg": "ES256"}), "ES256 key 'rsa' not found")
        refused(user, token_for(user, keys["RS256"], {"kid": "../../RS256/rsa"}), "not found")
        refused(user, token_for(user, keys["RS256"], {"kid": ".."}, azp=".."), "not found")


@test
def new_keys_are_taken_without_a_reload():
    fresh = Key("RS256", "fresh")
    user = "joe@jwks.test"
    refused(user, token_for(user, fresh), "key 'fresh' not found")
    world.write("jwks.new", json.dumps({"keys": [keys["RS256"].jwk, fresh.jwk]}))
    os.rename(world.path("jwks.new"), world.path("jwks.json"))
    accepted(user, token_for(user, fresh))
    world.write("keys/default/RS256/fresh", fresh.pem)
    accepted("joe@dir.test", token_for("joe@dir.test", fresh))


@test
def a_key_file_that_cannot_be_used_is_a_temporary_failure():
    user = "joe@dir.test"
    world.write("keys/default/RS256/broken", "-----BEGIN PUBLIC KEY-----\n")
    unavailable(user, token_for(user, keys["RS256"], {"kid": "broken"}))
    short = Key("RS256", "short", 1024)
    world.write("keys/default/RS256/short", short.pem)
    unavailable(user, token_for(user, short))
    proxy.wait_line("is an RSA key of 1024 bits; accepted: 2048 to 16384")
    os.rename(world.path("jwks.json"), world.path("jwks.away"))
    unavailable("joe@jwks.test", token_for("joe@jwks.test", keys["RS256"]))
    os.rename(world.path("jwks.away"), world.path("jwks.json"))
    accepted("joe@jwks.test", token_for("joe@jwks.test", keys["RS256"]))


# --- clients and operators ----------------------------------------------------------------

@test
def curl_logs_in_with_a_token():
    user = "joe@auth.test"
    backend.deliver(user, "for curl")
    for url in ("imap://127.0.0.1:%d/INBOX" % proxy.imap, "pop3://127.0.0.1:%d/" % proxy.pop3):
        token = token_for(user, protocol=url.split(":")[0])
        done = clients.run(["curl", "-sS", "--user", user, "--oauth2-bearer", token, "-m", "20", url])
        expect(done.returncode == 0, done)


@test
def mistakes_in_the_configuration_are_found_before_a_start():
    good = dict(introspection_mode="auth", introspection_url="http://localhost/me")
    wrong = [({**good, "introspection_url": "ftp://localhost/"}, "is not an http or https URL"), ({**good, "introspection_mode": "put"}, "accepted: auth, get, post, local"),
             ({"introspection_mode": "local"}, "needs oauth2_local_validation_key_dict"), ({**good, "introspektion_url": "x"}, "did you mean"),
             ({**good, "pass_attrs": "a=%{nonsense}"}, "unknown variable"), ({**good, "rawlog_dir": "/tmp"}, "tokens are never written"),
             ({**good, "max_parallel_connections": 0}, "is not a number from 1"), ({}, "needs oauth2_tokeninfo_url")]
    for number, (keys_, why) in enumerate(wrong):
        other = daemon.Postern("wrong-%d" % number, passdb=(passdb("x", **keys_),))
        done = daemon.run("-t", "-c", other.conf)
        expect(done.returncode == 78, (keys_, done))
        contains(done.stdout + done.stderr, why)


@test
def no_token_is_logged():
    for text in [proxy.output()]:
        leaked = [token for token in given if token in text or token.split(".")[-1] in text and "." in token]
        expect(not leaked and CLIENT_SECRET not in text, leaked)
    expect(not proxy.lines("Panic|Fatal"), proxy.lines("Panic|Fatal"))


tap.main(set_up, world.finish, lambda: "\n".join(world.read(proxy.log).splitlines()[-25:]) if proxy else "")
