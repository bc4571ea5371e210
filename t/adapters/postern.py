"""How the conformance runner and the benchmark start Postern: what each wants is written in their own files,
conformance/adapter_postern.py and class Postern of bench/measure.py.

POSTERN names the binary, of an installed tree or of a build tree; without it the one in PATH is taken."""
import os, pwd, shutil, sqlite3, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import libconfig

NAME = "postern"
UNSUPPORTED = {}
CAN = ("imap", "imaps-ec", "imaps-rsa", "pop3", "submission", "sieve")

# protocol -> (service, listener in the clear, listener with TLS)
SERVICES = {"imap": ("imap-login", "imap", "imaps"), "pop3": ("pop3-login", "pop3", "pop3s"),
            "submission": ("submission-login", "submission", "submissions"),
            "sieve": ("managesieve-login", "sieve", ""),  # "": none with TLS
            "lmtp": ("lmtp", "lmtp", "")}
LOGIN_USER, INTERNAL_USER = "nobody", "daemon"  # the harnesses run as root on machines without our users
# Fields that a passwd-file cannot hold when their value has a space.
COLUMNS = ("host", "port", "nologin", "reason", "proxy", "destuser")


def binary():
    named = os.environ.get("POSTERN")
    if named and os.path.exists(named):
        return os.path.abspath(named)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])
    return shutil.which(named or "postern", path=path)


def available():
    return binary() is not None


def libexec_dir(program):
    """Where the role programs are when `program` does not stand where it was configured to be: a build tree has
    them beside it, a DESTDIR tree below ../libexec or ../lib."""
    here = os.path.dirname(program)
    for folder in (here, here + "/../libexec/postern", here + "/../lib/postern"):
        if os.path.exists(os.path.join(folder, "postern-login")):
            return os.path.abspath(folder)
    return None


def common(folder):
    out = {"base_dir": folder + "/run", "default_login_user": LOGIN_USER, "default_internal_user": INTERNAL_USER,
           "protocols": list(SERVICES)}
    if libexec_dir(binary()):
        out["libexec_dir"] = libexec_dir(binary())
    return out


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.chmod(folder, 0o755)


def hand_over(path):
    """A file that a process without root writes."""
    open(path, "ab").close()
    if os.geteuid() == 0:
        os.chown(path, pwd.getpwnam(INTERNAL_USER).pw_uid, -1)


def from_dovecot(name, value):
    """Names are the same; a bare number stays one, a file loses its "<"."""
    if value.isdigit():
        return int(value)
    return value[1:] if name.startswith("ssl_") and value.startswith("<") else value


def listeners(ports, haproxy):
    """Of the services that have a port."""
    out = {}
    for service, clear, tls in SERVICES.values():
        if clear not in ports:
            continue
        group = {clear: {"port": ports[clear]}}
        if tls:
            group[tls] = {"port": ports[tls], "ssl": True}
        if haproxy:
            for listener in group.values():
                listener["haproxy"] = True
        out[service] = {"inet_listener": group}
    return out


def write_users(path, users, scheme=""):
    with open(path, "wb") as f:
        for u in users:
            line = "%s:%s%s::::::%s\n" % (u["name"], scheme, u["password"], " ".join(u["fields"]))
            f.write(line.encode("latin-1"))


def write_table(path, users):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE users (userid TEXT, password TEXT, %s)" % ", ".join(c + " TEXT" for c in COLUMNS))
    for u in users:
        fields = dict(x.partition("=")[::2] for x in u["fields"])
        assert set(fields) <= set(COLUMNS), fields
        db.execute("INSERT INTO users VALUES (?,?%s)" % (",?" * len(COLUMNS)),
                   [u["name"], u["password"]] + [fields.get(c) for c in COLUMNS])
    db.commit()
    db.close()
    os.chmod(path, 0o644)


def passdbs(rundir):
    query = "SELECT userid AS user, password, %s FROM users WHERE userid = '%%u'" % ", ".join(COLUMNS)
    return ({"driver": "passwd-file", "args": rundir + "/masters", "master": True, "result_success": "continue"},
            {"driver": "passwd-file", "args": "scheme=PLAIN username_format=%%u %s/users" % rundir},
            {"driver": "sql", "sql_driver": "sqlite", "sql_connect": rundir + "/users.db",
             "sql_default_pass_scheme": "PLAIN", "sql_password_query": query})


def generate(profile, settings, users, masters, ports, certs, rundir):
    fresh(rundir)
    spaced = lambda u: any(" " in f for f in u["fields"])
    write_users(rundir + "/users", [u for u in users if not spaced(u)])
    write_users(rundir + "/masters", masters, "{PLAIN}")
    write_table(rundir + "/users.db", [u for u in users if spaced(u)])
    hand_over(rundir + "/log")
    conf = common(rundir)
    conf.update({"listen": ["127.0.0.1", "::1"], "log_path": rundir + "/log", "auth_verbose": True,
                 "shutdown_clients": True, "auth_penalty": settings.get("_penalty", "no"),
                 "submission_backend_capabilities": "8BITMIME BURL CHUNKING ENHANCEDSTATUSCODES PIPELINING SIZE",
                 "login_proxy_mask_auth_failures": "imap sieve"})
    conf.update({n: from_dovecot(n, v) for n, v in settings.items() if not n.startswith("_")})
    conf["passdb"] = passdbs(rundir)
    conf["service"] = listeners(ports, settings.get("_haproxy") == "yes")
    libconfig.write(rundir + "/postern.conf", conf)
    return [binary(), "-F", "-c", rundir + "/postern.conf"]


def bench_service(opt):
    if opt.get("service_count") == 1:
        return {"service_count": 1, "client_limit": 1, "process_limit": 6000, "process_min_avail": 8}
    return {"service_count": opt.get("service_count", 0), "client_limit": opt.get("client_limit", 9000),
            "process_limit": opt["nproc"], "process_min_avail": opt["nproc"]}


def bench(folder, port, cert, backend, opt):
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    conf = common(folder)
    for sink in ("error", "info"):
        hand_over("%s/%s.log" % (folder, sink))
    conf.update({"listen": ["127.0.0.1"], "log_path": folder + "/error.log", "info_log_path": folder + "/info.log",
                 "disable_plaintext_auth": False, "auth_mechanisms": ["plain", "login"], "hostname": "proxy.test",
                 "ssl": "yes", "ssl_cert": cert + "/ec.crt", "ssl_key": cert + "/ec.key", "auth_penalty": False})
    for name, key in (("login_source_ips", "source_ips"), ("login_proxy_max_disconnect_delay", "disc_delay")):
        if opt.get(key):
            conf[name] = opt[key]
    conf["local"] = ({"address": ["127.0.0.11"], "ssl_cert": cert + "/rsa.crt", "ssl_key": cert + "/rsa.key"},)
    conf["passdb"] = ({"driver": "static", "args": "proxy=y host=%s nopassword=y" % backend},)
    both = ["127.0.0.1", "127.0.0.11"]
    conf["service"] = {
        "imap-login": {**bench_service(opt), "inet_listener": {
            "imap": {"port": port("imap"), "address": both}, "imaps": {"port": port("imaps"), "address": both, "ssl": True}}},
        "pop3-login": {**bench_service(opt), "inet_listener": {
            "pop3": {"port": port("pop3"), "address": both}, "pop3s": {"port": 0}}},
        "submission-login": {**bench_service(opt), "inet_listener": {
            "submission": {"port": port("submission"), "address": both}, "submissions": {"port": 0}}},
        "managesieve-login": {**bench_service(opt), "inet_listener": {"sieve": {"port": port("sieve"), "address": both}}}}
    libconfig.write(folder + "/postern.conf", conf)
    return [binary(), "-F", "-c", folder + "/postern.conf"]
