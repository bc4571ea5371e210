#!/usr/bin/env python3
"""Second half of ./demo: `start BUILD` starts Dovecot and Postern and logs in through them, `stop BUILD` ends them."""
import os, re, signal, socket, sqlite3, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["KEEP"] = "demo"
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "../system/lib"))
sys.path.insert(0, os.path.join(HERE, "../adapters"))

USER, PASSWORD = "alice@example.org", "open-sesame"
PORTS = {"imap": 10143, "imaps": 10993, "pop3": 10110, "pop3s": 10995}


def say(text):
    print("\n== " + text, flush=True)


def port_is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


# --- stop -----------------------------------------------------------------------

def end(pid, name):
    """Ends a process by its pid, if that is still the one we started."""
    try:
        with open("/proc/%d/comm" % pid) as f:
            if f.read().strip() != name:
                return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    except (OSError, ProcessLookupError):
        pass


def stop(build):
    note = build + "/running"
    if not os.path.exists(note):
        return False
    with open(note) as f:
        folder, postern_pid, dovecot_pid = f.read().split()
    end(int(postern_pid), "postern")
    end(int(dovecot_pid), "dovecot")
    subprocess.run(["rm", "-rf", "--", folder], check=False)
    os.unlink(note)
    return True


# --- start ----------------------------------------------------------------------

def hashed(password):
    return "{SHA512-CRYPT}" + subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, text=True, check=True,
                                             capture_output=True).stdout.strip()


def make_users(file, backend, backend_password):
    """The SQL database: who may log in, and where their mail is."""
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE users (user TEXT PRIMARY KEY, password TEXT, host TEXT, imap_port INT, pop3_port INT,"
               " backend_user TEXT, backend_password TEXT)")
    db.execute("INSERT INTO users VALUES (?,?,?,?,?,?,?)",
               (USER, hashed(PASSWORD), backend.address, backend.imaps, backend.pop3s, "alice", backend_password))
    db.commit()
    db.close()
    os.chmod(file, 0o644)


QUERY = ("SELECT password, 'y' AS proxy, host, 'yes' AS ssl, backend_user AS destuser, backend_password AS pass,"
         " CASE '%s' WHEN 'pop3' THEN pop3_port ELSE imap_port END AS port FROM users WHERE user = '%u'")


def configuration(folder, world, adapter, libexec):
    ca, cert, key = world.certificates()
    ports = {name: port if port_is_free(port) else world.free_port() for name, port in PORTS.items()}
    conf = {
        "base_dir": folder + "/run", "libexec_dir": libexec, "log_path": folder + "/postern.log", "listen": ["127.0.0.1"],
        "protocols": ["imap", "pop3"], "ssl": "required", "ssl_cert": cert, "ssl_key": key, "ssl_client_ca_file": ca,
        "auth_verbose": True, "service": adapter.listeners(ports, False),
        "passdb": ({"driver": "sql", "sql_driver": "sqlite", "sql_connect": folder + "/users.db",
                    "sql_password_query": QUERY},)}
    if os.geteuid() == 0:  # the users of an installation don't exist here
        conf.update(default_login_user=adapter.LOGIN_USER, default_internal_user=adapter.INTERNAL_USER)
        adapter.hand_over(folder + "/postern.log")
    return conf, ports


def show(title, *argv):
    """Runs a command as an operator would; shows what it said."""
    say(title)
    print("$ " + " ".join("'%s'" % a if re.search(r"[;&' *]", a) else a for a in argv), flush=True)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    for line in done.stderr.splitlines():
        if re.match(r"[<>] |\* SSL connection| *subject:|\* Connected", line):
            print("   " + line)
    print(done.stdout, end="")
    if done.returncode:
        print(done.stderr)
        sys.exit("demo: this failed with status %d" % done.returncode)


def start(build):
    stop(build)
    import world, dovecot, libconfig
    import postern as adapter
    binary = build + "/root/sbin/postern"
    folder = world.FOLDER

    say("Starting Dovecot %d.%d, the mail server behind, in %s" % (*dovecot.version(), folder))
    backend = dovecot.Dovecot("dovecot", ["alice"]).start()
    backend.deliver("alice", "It works", "You read this through Postern.\r\n")

    say("Starting Postern")
    make_users(folder + "/users.db", backend, dovecot.PASSWORD)
    conf, ports = configuration(folder, world, adapter, build + "/root/libexec/postern")
    libconfig.write(folder + "/postern.conf", conf)
    for argv in ([binary, "-t", "-c", folder + "/postern.conf"], [binary, "-c", folder + "/postern.conf"]):
        print("$ " + " ".join(argv), flush=True)
        if subprocess.run(argv, stdin=subprocess.DEVNULL).returncode:
            world.end(backend.process)
            sys.exit("demo: Postern did not start")
    with open(folder + "/run/master.pid") as f:
        pid = int(f.read())
    with open(build + "/running", "w") as f:
        f.write("%s %d %d\n" % (folder, pid, backend.process.pid))

    ca = world.certificates()[0]
    login = ["curl", "-sv", "--cacert", ca, "--user", "%s:%s" % (USER, PASSWORD)]
    imaps = "imaps://localhost:%d/INBOX;UID=1" % ports["imaps"]
    show("A mail client reads a message over IMAP with TLS", *login, imaps)
    show("and over POP3 with STLS", *login, "--ssl-reqd", "pop3://localhost:%d/1" % ports["pop3"])
    show("What runs", "ps", "-o", "pid,user,args", "--pid", str(pid), "--ppid", str(pid))
    say("What the log says")
    with open(folder + "/postern.log") as f:
        print(f.read(), end="")

    say("It goes on running. User %s, password %s; IMAP %d (STARTTLS) and %d (TLS), POP3 %d and %d."
        % (USER, PASSWORD, *(ports[p] for p in ("imap", "imaps", "pop3", "pop3s"))))
    print("Configuration: %s/postern.conf" % folder)
    print("Try:   curl --cacert %s --user %s:%s '%s'" % (ca, USER, PASSWORD, imaps))
    print("Stop:  ./demo stop")


def main():
    what, build = sys.argv[1:]
    if what == "stop":
        print("stopped" if stop(build) else "nothing runs")
    else:
        start(build)


main()
