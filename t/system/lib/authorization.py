"""An authorization server: introspection in three ways, tokeninfo and the password grant (RFC 6749, RFC 7662), and signed tokens
(RFC 7519), made with the openssl program."""
import base64, hashlib, hmac, http.server, itertools, json, socket, ssl, subprocess, threading, time, urllib.parse

import world

CLIENT, CLIENT_SECRET = "mail proxy", "s3cret/%"
LONGEST = 60  # seconds that a request hangs when nobody releases it


def b64url(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


class Server:
    """`tokens` has what is said of each: claims, or a status and the bytes of the body. An unknown one is not active.
    `tokeninfo` has what is said there, where that is something else."""

    def __init__(self, tls=False):
        self.tokens, self.tokeninfo, self.requests, self.passwords, self.tls = {}, {}, [], {}, tls
        self.hangs, self.released = set(), threading.Event()
        self.port = world.free_port()
        self.http, self.connections = None, []

    def start(self):
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                owner.connections.append(self.connection)

            def do_GET(self):
                self.reply(*owner.get(self))

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.reply(*owner.post(self, {k: v[0] for k, v in form.items()}))

            def reply(self, status, body):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 64

            def handle_error(self, *_):
                pass  # a proxy that no longer waits

        self.http = Listener(("127.0.0.1", self.port), Handler)
        if self.tls:
            _, cert, key = world.certificates()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        for connection in self.connections:  # a proxy keeps them for its next question
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connections.clear()

    def url(self, path):
        return "%s:%d%s" % ("https://localhost" if self.tls else "http://127.0.0.1", self.port, path)

    def about(self, token, unknown):
        if token in self.hangs:
            self.released.wait(LONGEST)
        said = self.tokens.get(token, unknown)
        return said if isinstance(said, tuple) else (200, said)

    def get(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        self.requests.append("GET " + url.path)
        if url.path == "/tokeninfo":
            token = query.get("access_token")
            return (200, self.tokeninfo[token]) if token in self.tokeninfo else self.about(token, (400, {"error": "invalid_token", "error_description": "no such token"}))
        if url.path == "/get":
            return self.about(query.get("token"), {"active": False})
        word, _, token = request.headers.get("Authorization", "").partition(" ")
        return self.about(token if word == "Bearer" else "", (401, b""))

    def post(self, request, form):
        self.requests.append("POST " + request.path)
        if request.path == "/token":
            good = form["grant_type"] == "password" and form["client_id"] == CLIENT and form["client_secret"] == CLIENT_SECRET
            token = self.passwords.get((form["username"], form["password"]))
            if not good:
                return 401, {"error": "invalid_client"}
            return (200, {"access_token": token, "token_type": "bearer"}) if token else (400, {"error": "invalid_grant"})
        quoted = ":".join(urllib.parse.quote(part, safe="") for part in (CLIENT, CLIENT_SECRET))
        if request.headers.get("Authorization") != "Basic " + base64.b64encode(quoted.encode()).decode():
            return 401, {"error": "invalid_client"}
        return self.about(form["token"], {"active": False})


# --- signed tokens ------------------------------------------------------------------

NUMBERS = itertools.count()
CURVES = {"ES256": ("prime256v1", "P-256", 32), "ES384": ("secp384r1", "P-384", 48)}


def openssl(*args, given=b""):
    return subprocess.run(["openssl", *args], input=given, check=True, capture_output=True).stdout


def raw_ecdsa(der, size):
    """r and s without DER around them (RFC 7518 section 3.4)."""
    out, at = b"", 2 + (der[1] & 0x80 and der[1] & 0x7f)
    for _ in range(2):
        length = der[at + 1]
        out += int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(size, "big")
        at += 2 + length
    return out


class Key:
    """A private key for one algorithm; `jwk` and `pem` are what others may know of it."""

    def __init__(self, alg, kid, bits=2048):
        self.alg, self.kid = alg, kid
        self.file = world.path("key-%d" % next(NUMBERS))
        if alg.startswith("HS"):
            self.secret = hashlib.sha512(kid.encode()).digest()
            self.jwk = {"kty": "oct", "k": b64url(self.secret)}
            self.pem = base64.b64encode(self.secret).decode()
        elif alg.startswith("ES"):
            curve, name, size = CURVES[alg]
            openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", self.file)
            point = openssl("ec", "-in", self.file, "-pubout", "-outform", "DER")[-2 * size:]
            self.jwk = {"kty": "EC", "crv": name, "x": b64url(point[:size]), "y": b64url(point[size:])}
            self.pem = openssl("ec", "-in", self.file, "-pubout").decode()
        else:
            openssl("genrsa", "-out", self.file, str(bits))
            modulus = openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().split("=")[1]
            self.jwk = {"kty": "RSA", "n": b64url(bytes.fromhex(modulus)), "e": "AQAB"}
            self.pem = openssl("rsa", "-in", self.file, "-pubout").decode()
        self.jwk.update(kid=kid, use="sig")

    def sign(self, text):
        bits = self.alg[2:]
        if self.alg.startswith("HS"):
            return hmac.new(self.secret, text, "sha" + bits).digest()
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"] if self.alg.startswith("PS") else []
        signature = openssl("dgst", "-sha" + bits, "-sign", self.file, *pss, given=text)
        return raw_ecdsa(signature, CURVES[self.alg][2]) if self.alg.startswith("ES") else signature

    def token(self, claims, **header):
        head = {"typ": "JWT", "alg": self.alg, "kid": self.kid, **header}
        text = ".".join(b64url(json.dumps({k: v for k, v in part.items() if v is not None})) for part in (head, claims))
        return text + "." + b64url(self.sign(text.encode()))


def claims(user, **changed):
    """Those of a good token; None takes one out."""
    now = int(time.time())
    return {"sub": "1234", "email": user, "iss": "https://id.example.org", "aud": ["other", CLIENT], "scope": "openid mail",
            "iat": now, "exp": now + 600, **changed}
