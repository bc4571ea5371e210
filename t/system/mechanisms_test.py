#!/usr/bin/env python3
"""Every mechanism with real clients (curl, mutt, poplib, imaplib, Python's TLS) and a real KDC; towards a Dovecot that offers SCRAM
(AUTH-13, AUTH-26, AUTH-27, AUTH-29, POP-10, PXI-55)."""
import base64, hashlib, hmac, imaplib, os, poplib, re, shutil, ssl, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, kerberos, scram, tap, world
from clients import CertImap, Imap, Line, Pop3, b64, trust
from mail_programs import Account, run_mutt
from stub import Stub
from tap import Skip, contains, expect, test, until

PASSWORD = daemon.PASSWORD
MECHANISMS = ["plain", "login", "cram-md5", "digest-md5", "apop", "scram-sha-1", "scram-sha-1-plus", "scram-sha-256", "scram-sha-256-plus",
              "external", "anonymous", "gssapi"]
backend, proxy, strict, kdc = None, None, None, None


class ScramDovecot(dovecot.Dovecot):
    """Takes SCRAM only."""

    def common(self):
        return super().common() + "auth_mechanisms = scram-sha-256 scram-sha-1\nauth_verbose = yes\n"


# --- stored passwords, as doveadm pw makes them -----------------------------------------

def scram_verifier(digest):
    salt = os.urandom(12)
    salted = hashlib.pbkdf2_hmac(digest, PASSWORD.encode(), salt, 4096)
    stored = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()
    return ",".join(("4096", b64(salt), b64(stored), b64(hmac.digest(salted, b"Server Key", digest))))


def doveadm_password(scheme):
    done = subprocess.run(["doveadm", "pw", "-s", scheme, "-p", PASSWORD], capture_output=True, text=True, timeout=20)
    return done.stdout.strip()


def stored_passwords():
    digest = hashlib.md5(("digested:realm.test:" + PASSWORD).encode()).hexdigest()
    return {"joe": "{PLAIN}" + PASSWORD, "scrammed": "{SCRAM-SHA-256}" + scram_verifier("sha256"), "scrammed1": "{SCRAM-SHA-1}" + scram_verifier("sha1"),
            "crammed": doveadm_password("CRAM-MD5"), "digested@realm.test": "{DIGEST-MD5}" + digest, "certified": "{PLAIN}other",
            "anonymous": "{PLAIN}other", "joe@postern.test": "{PLAIN}other", "pinned": "{PLAIN}" + PASSWORD}


def fields_of(user):
    mech = "SCRAM-SHA-1" if user == "scrammed1" else "SCRAM-SHA-256"
    more = ["check_client_cert_fp=" + fingerprint()] if user == "pinned" else []
    return backend.fields("imap", "", destuser="box", proxy_mech=mech) + more


def write_users():
    lines = []
    for user, stored in stored_passwords().items():
        words = [f for f in fields_of(user) if not f.startswith("port=")]
        lines.append("%s:%s::::::%s\n" % (user, stored, " ".join(words)))
    return world.write("users", "".join(lines))


# --- certificates -------------------------------------------------------------------------

def fingerprint():
    with open(world.path("certified.crt")) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def set_up():
    global backend, proxy, strict, kdc
    why = daemon.missing() or dovecot.missing()
    if why:
        return why
    world.certificates()
    world.client_certificate("certified", "/O=Test/CN=certified")
    world.client_certificate("nameless", "/O=Test")
    world.client_certificate("own", "/CN=certified", ca=False)
    backend = ScramDovecot("backend", ["box"]).start()
    backend.deliver("box", "Hello", "The message.\r\n")
    services = [name + "/localhost" for name in ("imap", "pop", "smtp", "sieve")]
    if not kerberos.missing():
        kdc = kerberos.Kdc("kdc", ["joe", "ann"], PASSWORD, services).start()
        shutil.chown(kdc.keytab, daemon.INTERNAL_USER if os.geteuid() == 0 else None)
    users = write_users()
    more = {"auth_krb5_keytab": kdc.keytab, "auth_gssapi_hostname": "localhost"} if kdc else {}
    common = dict(ssl="yes", disable_plaintext_auth=False, ssl_ca=world.path("ca.crt"), ssl_verify_client_cert=True,
                  auth_mechanisms=MECHANISMS, protocols=["imap", "pop3"], passdb=({"driver": "passwd-file", "args": users},), auth_debug=True, **more)
    proxy = daemon.Postern("proxy", **common)
    strict = daemon.Postern("strict", **{**common, "auth_ssl_require_client_cert": True, "auth_ssl_username_from_cert": True})
    for each in (proxy, strict):
        each.set(passdb=({"driver": "passwd-file", "args": users, "override_fields": "port=%d" % backend.imap},))
        each.start()
    return None


def logged_in(user, mechanism, port=None):
    proxy.wait_line(r"Started proxying.*user=<%s>.*method=%s" % (re.escape(user), mechanism))


def curl(url, user, mechanism, *more, **options):
    name = ["-u", user] if user else []
    done = subprocess.run(["curl", "-sS", "--cacert", world.path("ca.crt"), "--login-options", "AUTH=" + mechanism, *name, *more, url],
                          capture_output=True, text=True, timeout=30, **options)
    return done.stdout + done.stderr


def fetches(text):
    expect("Subject: Hello" in text, text)


def imap_url(tls=False):
    return "%s://localhost:%d/INBOX;MAILINDEX=1" % (("imaps", proxy.imaps) if tls else ("imap", proxy.imap))


def curl_mechanism(mechanism, user):
    def run():
        fetches(curl(imap_url(), user + ":" + PASSWORD, mechanism))
        logged_in(user, mechanism)
        expect("Login denied" in curl(imap_url(), user + ":wrong", mechanism), "a wrong password is refused")
    run.__name__ = "curl IMAP %s as %s" % (mechanism, user)
    test(run)


for each in (("PLAIN", "joe"), ("PLAIN", "crammed"), ("PLAIN", "digested@realm.test"), ("PLAIN", "scrammed"), ("LOGIN", "joe"), ("CRAM-MD5", "joe"),
             ("CRAM-MD5", "crammed"), ("DIGEST-MD5", "joe")):
    curl_mechanism(*each)


# --- SCRAM, -PLUS ---------------------------------------------------------------------------

def scram_login(client, mechanism, user, header="n,,", binding=b"", password=PASSWORD):
    """The last line of IMAP, and whether the server's signature was right."""
    me = scram.Client(user, password, "sha1" if "SHA-1" in mechanism else "sha256", header, binding)
    client.send("a AUTHENTICATE %s %s\r\n" % (mechanism, b64(me.first())))
    line = client.line()
    if not line.startswith("+ "):
        return line, False
    client.send(b64(me.final(base64.b64decode(line[2:]).decode())) + "\r\n")
    line = client.line()
    if not line.startswith("+ "):
        return line, False
    signed = base64.b64decode(line[2:]).decode() == me.expected
    client.send("\r\n")
    return client.answer("a")[1], signed


def accepted(outcome):
    expect(outcome[0].startswith("OK") and outcome[1], str(outcome))


def refused(outcome):
    expect("NO [AUTHENTICATIONFAILED]" in outcome[0], str(outcome))


@test
def SCRAM_without_channel_binding():
    for mechanism, user in (("SCRAM-SHA-256", "joe"), ("SCRAM-SHA-1", "joe"), ("SCRAM-SHA-256", "scrammed"), ("SCRAM-SHA-1", "scrammed1")):
        accepted(scram_login(Imap(proxy.imap), mechanism, user))
        accepted(scram_login(Imap(proxy.imaps, tls=True), mechanism, user))
        refused(scram_login(Imap(proxy.imap), mechanism, user, password="wrong"))


@test
def SCRAM_PLUS_is_offered_with_TLS_only():
    expect("-PLUS" not in Imap(proxy.imap).greeting, "no -PLUS in the clear")
    contains(Imap(proxy.imap).starttls().command("CAPABILITY")[0][0], "AUTH=SCRAM-SHA-256-PLUS")
    contains(Imap(proxy.imaps, tls=True).greeting, "AUTH=SCRAM-SHA-1-PLUS")
    expect("[ALERT]" in Imap(proxy.imap).command("AUTHENTICATE SCRAM-SHA-256-PLUS")[1], "and none is taken")


@test
def SCRAM_PLUS_bound_by_tls_unique_of_TLS_1_2():
    for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"):
        client = CertImap(proxy.imaps, version=ssl.TLSVersion.TLSv1_2)
        accepted(scram_login(client, mechanism, "joe", "p=tls-unique,,", client.socket.get_channel_binding("tls-unique")))
        other, client = client, CertImap(proxy.imaps, version=ssl.TLSVersion.TLSv1_2)
        # Whoever sits between client and us has another session with each.
        refused(scram_login(client, mechanism, "joe", "p=tls-unique,,", os.urandom(12)))


class Openssl:
    """A TLS 1.3 client that tells its exporter's key."""

    def __init__(self, port):
        self.process = subprocess.Popen(["openssl", "s_client", "-connect", "localhost:%d" % port, "-CAfile", world.path("ca.crt"), "-tls1_3", "-nbio",
                                         "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = ""
        while "Keying material:" not in line:
            line = self.line()
        self.key = bytes.fromhex(line.split(":")[1].strip())
        while not line.startswith("* OK"):
            line = self.line()

    def line(self):
        line = self.process.stdout.readline().decode()
        expect(line, "s_client ended")
        return line.rstrip("\r\n")

    def answer(self, tag):
        line = self.line()
        while not line.startswith(tag + " "):
            line = self.line()
        return [], line[len(tag) + 1:]

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        world.end(self.process)


@test
def SCRAM_PLUS_bound_by_tls_exporter_of_TLS_1_3():
    for change, outcome in ((0, accepted), (1, refused)):
        client = Openssl(proxy.imaps)
        key = bytes([client.key[0] ^ change]) + client.key[1:]
        outcome(scram_login(client, "SCRAM-SHA-256-PLUS", "joe", "p=tls-exporter,,", key))
        client.close()


@test
def a_client_who_was_not_shown_PLUS_is_refused():
    refused(scram_login(Imap(proxy.imaps, tls=True), "SCRAM-SHA-256", "joe", "y,,"))
    proxy.wait_line("somebody changes what is said")
    accepted(scram_login(Imap(proxy.imap), "SCRAM-SHA-256", "joe", "y,,"))


# --- certificates (AUTH-13, AUTH-9, SEC-15) --------------------------------------------------

def pair(name):
    return world.path(name + ".crt"), world.path(name + ".key")


@test
def EXTERNAL_by_certificate():
    client = CertImap(proxy.imaps, pair("certified"))
    contains(client.greeting, "AUTH=EXTERNAL")
    contains(client.command("AUTHENTICATE EXTERNAL =")[1], "OK")
    logged_in("certified", "EXTERNAL")
    fetches(curl(imap_url(True), "certified:", "EXTERNAL", "--cert", pair("certified")[0], "--key", pair("certified")[1]))


@test
def a_session_with_a_certificate_is_not_taken_up_again():
    client = CertImap(proxy.imaps, pair("certified"), ssl.TLSVersion.TLSv1_2)
    expect(not client.socket.session.has_ticket, "no ticket: the certificate is verified each time")


@test
def EXTERNAL_only_with_a_valid_certificate():
    for who in (None, pair("own")):
        client = CertImap(proxy.imaps, who)
        expect("EXTERNAL" not in client.greeting, "not offered")
        contains(client.command("AUTHENTICATE EXTERNAL " + b64("certified"))[1], "NO [ALERT] Unsupported")
        contains(client.login("joe"), "OK")  # a password is still good
    proxy.wait_line("Client certificate is not valid: .*CN=certified")
    contains(CertImap(proxy.imaps, pair("nameless")).command("AUTHENTICATE EXTERNAL =")[1], "NO [AUTHENTICATIONFAILED]")


@test
def EXTERNAL_for_another_user_is_a_master_login():
    contains(CertImap(proxy.imaps, pair("certified")).command("AUTHENTICATE EXTERNAL " + b64("joe"))[1], "NO [AUTHENTICATIONFAILED]")


@test
def a_certificate_is_required():
    answer = CertImap(strict.imaps).login("joe")
    contains(answer, "NO [ALERT] Client didn't present valid SSL certificate")
    contains(CertImap(strict.imaps, pair("own")).login("joe"), "NO [ALERT] Client didn't present valid SSL certificate")
    pop3 = Pop3(strict.pop3s, tls=True)
    pop3.command("USER joe")
    contains(str(pop3.command("PASS " + PASSWORD)), "Client didn't present valid SSL certificate")


@test
def the_certificates_name_takes_the_place_of_the_users():
    contains(CertImap(strict.imaps, pair("certified")).login("joe", "other"), "OK")  # the password of `certified`
    strict.wait_line(r"Started proxying.*user=<certified>")
    contains(CertImap(strict.imaps, pair("certified")).login("joe", PASSWORD), "NO [AUTHENTICATIONFAILED]")
    contains(CertImap(strict.imaps, pair("nameless")).login("joe", PASSWORD), "NO [AUTHENTICATIONFAILED]")


@test
def a_user_with_a_pinned_certificate():
    contains(CertImap(proxy.imaps, pair("certified")).login("pinned"), "OK")
    contains(CertImap(proxy.imaps, pair("nameless")).login("pinned"), "NO [AUTHENTICATIONFAILED]")
    contains(CertImap(proxy.imaps).login("pinned"), "NO [AUTHENTICATIONFAILED]")


# --- ANONYMOUS, DIGEST-MD5 with a stored digest, CRAM-MD5 by imaplib ---------------------------

@test
def ANONYMOUS_is_the_user_of_the_settings():
    contains(Imap(proxy.imap).command("AUTHENTICATE ANONYMOUS " + b64("me@example.org"))[1], "OK")
    logged_in("anonymous", "ANONYMOUS")


@test
def CRAM_MD5_by_imaplib():
    for user in ("joe", "crammed"):
        client = imaplib.IMAP4("127.0.0.1", proxy.imap)
        expect(client.login_cram_md5(user, PASSWORD)[0] == "OK", "imaplib logs in")
        client.select()
        contains(str(client.fetch("1", "(RFC822)")), "The message.")
        client.logout()


def digest_answer(challenge, user, realm, password):
    md5 = lambda data: hashlib.md5(data)
    nonce = re.search(r'nonce="([^"]*)"', challenge)[1]
    a1 = md5(("%s:%s:%s" % (user, realm, password)).encode()).digest() + (":%s:cn" % nonce).encode()
    a2 = md5(b"AUTHENTICATE:imap/localhost").hexdigest()
    response = md5(("%s:%s:00000001:cn:auth:%s" % (md5(a1).hexdigest(), nonce, a2)).encode()).hexdigest()
    return ('charset=utf-8,username="%s",realm="%s",nonce="%s",nc=00000001,cnonce="cn",digest-uri="imap/localhost",response=%s,qop=auth'
            % (user, realm, nonce, response))


@test
def DIGEST_MD5_with_a_stored_digest():
    for password, outcome in ((PASSWORD, "OK"), ("wrong", "NO [AUTHENTICATIONFAILED]")):
        client = Imap(proxy.imap)
        client.send("a AUTHENTICATE DIGEST-MD5\r\n")
        challenge = base64.b64decode(client.line()[2:]).decode()
        client.send(b64(digest_answer(challenge, "digested", "realm.test", password)) + "\r\n")
        line = client.line()
        if line.startswith("+ "):
            contains(base64.b64decode(line[2:]).decode(), "rspauth=")
            client.send("\r\n")
            line = client.line()
        while line.startswith("*"):
            line = client.line()
        contains(line, outcome)


# --- POP3 --------------------------------------------------------------------------------------

@test
def APOP_needs_a_stored_password_and_the_challenge_is_new_each_time():
    first, second = Pop3(proxy.pop3).greeting, Pop3(proxy.pop3).greeting
    expect(re.search(r"<[0-9a-f]{32}@proxy.test>$", first) and first != second, first + second)
    for user, password, good in (("joe", PASSWORD, True), ("joe", "wrong", False), ("nobody", PASSWORD, False), ("scrammed", PASSWORD, False)):
        client = poplib.POP3("127.0.0.1", proxy.pop3)
        try:
            client.apop(user, password)
            expect(good, "%s was let in" % user)
        except poplib.error_proto as error:
            text = str(error)
            # joe belongs to an IMAP server, which is no POP3 server: he has got past us.
            expect(("temporarily unavailable" in text) if good else ("[AUTH] Authentication failed." in text), text)


# --- GSSAPI ---------------------------------------------------------------------------------------

def needs_kdc():
    if kdc is None:
        raise Skip(kerberos.missing())


@test
def GSSAPI_by_curl():
    needs_kdc()
    text = curl(imap_url(), "joe@%s:" % kerberos.REALM, "GSSAPI", env=kdc.ticket("joe"))
    fetches(text)
    logged_in("joe@postern.test", "GSSAPI")


@test
def GSSAPI_by_mutt():
    needs_kdc()
    if not shutil.which("mutt"):
        raise Skip("no mutt here")
    ticket = {k: v for k, v in kdc.ticket("joe").items() if k.startswith("KRB5")}
    account = Account("joe@" + kerberos.REALM, "imap", "plain", proxy.imap)
    contains(run_mutt(account, world.folder("mutt"), 'set imap_authenticators="gssapi"\n', **ticket), "The message.")


@test
def GSSAPI_without_a_right_ticket():
    needs_kdc()
    expect("Subject" not in curl(imap_url(), "ann@%s:" % kerberos.REALM, "GSSAPI", env=kdc.ticket("ann")), "ann is no user")
    client = Imap(proxy.imap)
    client.send("a AUTHENTICATE GSSAPI " + b64(b"\x60\x05nonsense") + "\r\n")
    contains(client.line(), "NO [AUTHENTICATIONFAILED]")
    expect(Imap(proxy.imap).login("joe").startswith("OK"), "and all others go on (AUTH-30)")


@test
def a_keytab_that_cannot_be_read():
    """No ticket would ever be good."""
    other = daemon.Postern("keytab", auth_mechanisms=["plain", "gssapi"], auth_krb5_keytab=world.path("nothing.keytab"))
    done = daemon.run("-t", "-c", other.conf)
    expect(done.returncode != 0, "accepted")
    contains(done.stdout + done.stderr, "auth_krb5_keytab = %s: No such file or directory" % world.path("nothing.keytab"))
    other.set(auth_mechanisms=["plain"])
    expect(daemon.run("-t", "-c", other.conf).returncode == 0, "nobody needs it")


# --- towards the backend (PXI-55) ---------------------------------------------------------------

@test
def the_backend_was_told_no_password():
    Imap(proxy.imap).login("joe")
    until(lambda: "method=SCRAM-SHA-256" in world.read(backend.folder + "/log"), "the backend has seen SCRAM")
    Imap(proxy.imap).login("scrammed1")
    until(lambda: "method=SCRAM-SHA-1" in world.read(backend.folder + "/log"), "with SHA-1, too")
    expect("method=PLAIN" not in world.read(backend.folder + "/log"), "no password was sent")


@test
def SCRAM_in_POP3_and_ManageSieve():
    protocols = ["pop3"] + (["sieve"] if os.path.exists(dovecot.SIEVE_LOGIN) else [])
    users = {p: backend.fields(p, "", destuser="box", proxy_mech="SCRAM-SHA-256") for p in protocols}
    other = daemon.Postern("others", users, disable_plaintext_auth=False, protocols=protocols).start()
    pop3 = Pop3(other.pop3)
    pop3.command("USER pop3")
    contains(str(pop3.command("PASS " + PASSWORD)), "+OK Logged in.")
    if "sieve" in protocols:  # the server's proof comes with its OK
        client = Line(other.sieve)
        while not client.line().startswith("OK"):
            pass
        client.send('AUTHENTICATE "PLAIN" "%s"\r\n' % b64("\0sieve\0" + PASSWORD))
        contains(client.line(), "OK")
    until(lambda: world.read(backend.folder + "/log").count("method=SCRAM-SHA-256") > 2, "the backend has seen SCRAM")
    other.stop()


def liar(end):
    """A backend without our password: `end` follows its last word."""
    def talk(connection):
        lines = connection.makefile("rb")
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256] hello\r\n")
        first = base64.b64decode(lines.readline().split()[3]).decode()
        nonce = first[first.index("r=") + 2:]
        connection.sendall(b"+ " + b64("r=%sxyz,s=%s,i=4096" % (nonce, b64("salt"))).encode() + b"\r\n")
        lines.readline()
        connection.sendall(end)
        return lines.read()
    return Stub(talk)


@test
def a_backend_that_does_not_prove_itself_is_not_believed():
    for number, end in enumerate((b"L OK you are in\r\n", b"+ " + b64("v=" + b64(b"x" * 32)).encode() + b"\r\n")):
        server = liar(end)
        other = daemon.Postern("lied-%d" % number, {"joe": server.fields("pass=secret", "proxy_mech=SCRAM-SHA-256")}, disable_plaintext_auth=False).start()
        contains(Imap(other.imap).login("joe"), "NO [SERVERBUG]")
        other.wait_line("Server has not proved that it knows the password")
        other.stop()
        server.close()


# --- configuration --------------------------------------------------------------------------------

@test
def GSS_SPNEGO_is_not_accepted():
    bad = daemon.Postern("spnego", {}, auth_mechanisms=["plain", "gss-spnego"])
    done = daemon.run("-t", "-c", bad.conf)
    expect(done.returncode != 0, "a configuration error")
    contains(done.stdout + done.stderr, "gss-spnego")


tap.main(set_up, world.finish, lambda: "\n".join((proxy.output() if proxy else "").splitlines()[-40:]))
