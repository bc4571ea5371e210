"""A site's own service for nginx' mail proxy: answers as nginx' documentation of auth_http describes them."""
import hashlib, hmac, http.server, ssl, threading, urllib.parse

from tap import until


class AuthService:
    """`users`: name -> a dict of answer headers, or a function of the request's headers that returns such a dict. Who is not
    among them, or has another password than `password`, is refused as in the documentation. Keeps requests in `seen`: path, headers."""

    def __init__(self, password, users, tls=None):
        self.password, self.users, self.seen, self.gate = password, users, [], None
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                service.serve(self)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path="/auth", scheme="http", host="127.0.0.1"):
        return "%s://%s:%d%s" % (scheme, host, self.port, path)

    def serve(self, request):
        headers = {name: value for name, value in request.headers.items()}
        self.seen.append((request.path, headers))
        if self.gate:
            self.gate.wait(60)
        answer = self.answer(headers)
        request.send_response(answer.pop("status", 200))
        for name, value in answer.items():
            request.send_header(name, str(value))
        request.send_header("Content-Length", "0")
        request.end_headers()

    def answer(self, headers):
        user = urllib.parse.unquote(headers.get("Auth-User", ""))
        known = self.users.get(user)
        if callable(known):
            return dict(known(headers))
        method, shown = headers.get("Auth-Method"), urllib.parse.unquote(headers.get("Auth-Pass", ""))
        if known is None or not self.right(method, shown, urllib.parse.unquote(headers.get("Auth-Salt", ""))):
            return {"Auth-Status": "Invalid login or password"}
        # The backend is to be given the password, which the client has not sent.
        return {"Auth-Status": "OK", **({"Auth-Pass": self.password} if method != "plain" else {}), **known}

    def right(self, method, shown, salt):
        if method == "cram-md5":
            return shown == hmac.new(self.password.encode(), salt.encode(), "md5").hexdigest()
        if method == "apop":
            return shown == hashlib.md5((salt + self.password).encode()).hexdigest()
        return method in ("none", "external") or shown == self.password

    def last(self, user):
        """Headers of the last request for this user."""
        found = lambda: [h for _, h in self.seen if urllib.parse.unquote(h.get("Auth-User", "")) == user]
        return until(found, "the service was asked for " + user)[-1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
