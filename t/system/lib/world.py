"""What a test makes and must take away again: a folder, processes, ports, certificates."""
import atexit, ctypes, os, random, shutil, signal, socket, subprocess, sys, tempfile

from tap import until

PR_SET_CHILD_SUBREAPER = 36
# Orphans (the children of a master that was killed) become ours, so that they can be ended by their pid.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

KEEP = "KEEP" in os.environ  # the folder stays, and what is still running
FOLDER = tempfile.mkdtemp(prefix="postern-%s-" % os.environ.get("KEEP", "system"), dir="/tmp")
os.chmod(FOLDER, 0o755)  # the daemons' users must get in
STARTED = []


def path(*names):
    return os.path.join(FOLDER, *names)


def folder(name, mode=0o755):
    os.makedirs(path(name), exist_ok=True)
    os.chmod(path(name), mode)
    return path(name)


def write(name, text, mode=0o644):
    with open(path(name), "w") as f:
        f.write(text)
    os.chmod(path(name), mode)
    return path(name)


def read(file):
    try:
        with open(file, errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


given_out = set()


def free_port():
    """A port that nobody listens on, outside the range of outgoing connections; never the same twice."""
    while True:
        port = random.randrange(20000, 32000)
        if port in given_out:
            continue
        given_out.add(port)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def listening(port, address="127.0.0.1"):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


def tcp_row(local, remote):
    """The fields that /proc/net/tcp has on the socket with these ends; nothing when it is gone."""
    def words(address):
        return "%08X:%04X" % (int.from_bytes(socket.inet_aton(address[0]), sys.byteorder), address[1])
    with open("/proc/net/tcp") as f:
        for line in f:
            fields = line.split()
            if fields[1:3] == [words(local), words(remote)]:
                return fields
    return None


def unread(ours, theirs):
    """Whether bytes of this connection are on their way, or wait at the other end for somebody to read them."""
    sender, reader = tcp_row(ours, theirs), tcp_row(theirs, ours)
    return bool(sender and reader and (int(sender[4].split(":")[0], 16) or int(reader[4].split(":")[1], 16)))


# --- processes ----------------------------------------------------------------

def spawn(argv, **options):
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    STARTED.append(process)
    return process


def stat_of(pid):
    """(command, state, parent), or nothing when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            text = f.read()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    return text[text.index("(") + 1:text.rindex(")")], fields[0], int(fields[1])


def running(pid):
    stat = stat_of(pid)
    return stat is not None and stat[1] not in "ZX"


def descendants(root):
    """Processes below `root`, by pid; zombies left out."""
    children = {}
    for name in os.listdir("/proc"):
        stat = stat_of(int(name)) if name.isdigit() else None
        if stat and stat[1] != "Z":
            children.setdefault(stat[2], []).append(int(name))
    found, todo = [], [root]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def status_of(pid):
    """/proc/PID/status as a dict."""
    with open("/proc/%d/status" % pid) as f:
        return {k: v.strip() for k, v in (line.split(":", 1) for line in f if ":" in line)}


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def end(process, seconds=10):
    """Ends one process that spawn() started; its exit status."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def reap_orphans():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def finish():
    """Ends everything below this process, by pid."""
    for process in STARTED:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
    for process in STARTED:
        end(process, 6)
    for pid in descendants(os.getpid()):
        kill(pid)
    until(lambda: reap_orphans() or not descendants(os.getpid()), "everything ended", 5)


def emergency():
    for pid in descendants(os.getpid()):
        kill(pid)
    shutil.rmtree(FOLDER, ignore_errors=True)


if not KEEP:
    atexit.register(emergency)


# --- certificates ---------------------------------------------------------------

def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificates():
    """A CA and a certificate for localhost; (ca, certificate, key), made once."""
    ca, ca_key, cert, key = (path(n) for n in ("ca.crt", "ca.key", "server.crt", "server.key"))
    if os.path.exists(cert):
        return ca, cert, key
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-days", "30", "-subj", "/CN=Test CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *curve, "-keyout", key, "-out", path("server.csr"), "-subj", "/CN=localhost")
    names = write("names", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2,IP:::1\n")
    openssl("x509", "-req", "-in", path("server.csr"), "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-out", cert + ".new", "-days", "30", "-extfile", names)
    os.chmod(key, 0o600)
    os.rename(cert + ".new", cert)
    return ca, cert, key


def client_certificate(name, subject, ca=True):
    """(certificate, key), signed by the CA of the tests or by itself."""
    cert, key, request = path(name + ".crt"), path(name + ".key"), path(name + ".csr")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject]
    if not ca:
        openssl("req", "-x509", *curve, "-keyout", key, "-out", cert, "-days", "30")
        return cert, key
    openssl("req", *curve, "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-CAcreateserial", "-out", cert, "-days", "30")
    return cert, key
