#!/usr/bin/env python3
"""Broken configurations, missing files, command lines: exit codes and what the message names."""
import os, re, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, tap, world
from tap import contains, expect, test

DONE, USAGE, RUNNING, SYSTEM, NO_CREATE, CONFIG = 0, 64, 69, 71, 73, 78
numbers = iter(range(1000))


def set_up():
    return daemon.missing()


def fresh(**settings):
    return daemon.Postern("c%d" % next(numbers), {"alice": ["proxy=y", "host=127.0.0.1"]}, **settings)


def check(postern, *more):
    done = daemon.run("-t", "-c", postern.conf, *more)
    return done.returncode, done.stdout + done.stderr


def line_of(file, text):
    for number, line in enumerate(world.read(file).splitlines(), 1):
        if text in line:
            return number
    raise AssertionError("%s has no %s" % (file, text))


def complains(name, value, *parts, written=None):
    """A setting with this value is an error that names file, line, setting, value, and the other parts."""
    postern = fresh()
    with open(postern.conf, "a") as f:
        f.write("%s = %s;\n" % (name, written or value))
    status, text = check(postern)
    expect(status == CONFIG, "exit %d: %s" % (status, text))
    contains(text, "%s:%d: " % (postern.conf, line_of(postern.conf, name)))
    for part in (name,) + parts:
        contains(text, part)


@test
def a_good_file():
    postern = fresh()
    status, text = check(postern)
    expect(status == DONE, text)
    contains(text, "%s: ok" % postern.conf)


@test
def an_unknown_setting():
    complains("login_greting", "x", "did you mean", "login_greeting", written='"x"')


@test
def a_time_without_unit():
    complains("login_timeout", "10", "units")


@test
def a_wrong_word():
    complains("ssl_min_protocol", "TLSv9", "accepted:", "TLSv1.2", written='"TLSv9"')


@test
def a_wrong_type():
    complains("auth_debug", "perhaps", "accepted:", written='"perhaps"')


def refused(addition):
    """A configuration with these lines at its end, and what is said of it."""
    postern = fresh()
    with open(postern.conf, "a") as f:
        f.write(addition)
    status, text = check(postern)
    expect(status == CONFIG, text)
    return postern, text


@test
def all_errors_in_one_run():
    _, text = refused('login_greting = "x";\nlogin_timeout = 10;\nauth_debug = "perhaps";\n')
    for name in ("login_greting", "login_timeout", "auth_debug"):
        contains(text, name)


@test
def bad_syntax():
    postern, text = refused("this is not = = libconfig\n")
    contains(text, "%s:%d" % (postern.conf, line_of(postern.conf, "this is not")))


@test
def a_missing_configuration_file():
    done = daemon.run("-t", "-c", world.path("nowhere.conf"))
    expect(done.returncode == CONFIG, done.returncode)
    contains(done.stderr + done.stdout, world.path("nowhere.conf"))


@test
def a_missing_certificate():
    postern = fresh(ssl_cert=world.path("nowhere.pem"))
    status, text = check(postern)
    expect(status == CONFIG, text)
    for part in (postern.conf, "ssl_cert", "nowhere.pem"):
        contains(text, part)


@test
def a_key_of_another_certificate():
    other = world.path("other.key")
    world.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", other)
    status, text = check(fresh(ssl_key=other))
    expect(status == CONFIG, text)
    contains(text, "ssl_key")


@test
def a_missing_passwd_file():
    postern = fresh(passdb=({"driver": "passwd-file", "args": world.path("no-users")},))
    status, text = check(postern)
    expect(status == CONFIG, text)
    contains(text, "%s:%d: passdb 1: " % (postern.conf, line_of(postern.conf, "no-users") - 2))
    contains(text, "no-users: No such file")


def complains_of_passdb(block, *parts):
    """What only auth can tell is an error of -t, too, with file and line."""
    postern = fresh(passdb=(block,))
    status, text = check(postern)
    expect(status == CONFIG, "exit %d: %s" % (status, text))
    contains(text, "%s:%d: passdb 1: " % (postern.conf, line_of(postern.conf, "driver =") - 1))
    for part in parts:
        contains(text, part)


@test
def an_sql_text_that_cannot_be_bound():
    sql = {"driver": "sql", "sql_driver": "sqlite", "sql_connect": world.path("u.db")}
    complains_of_passdb({**sql, "sql_password_query": "SELECT password FROM %d WHERE user = '%u'"}, "line 1")
    complains_of_passdb({**sql, "sql_password_query": "SELECT password FROM t WHERE user = '%{nonsense}'"}, "%{nonsense}")


@test
def a_template_with_an_unknown_variable():
    complains_of_passdb({"driver": "static", "args": "proxy=y host=%{nonsense}"}, "host", "%{nonsense}")
    status, text = check(fresh(auth_username_format="%{nonsense}"))
    expect(status == CONFIG, text)
    expect(re.search(r"\.conf:\d+: auth_username_format = \"%\{nonsense\}\": at position 1: unknown variable '%\{nonsense\}'; accepted: ", text), text)


# DECISIONS section 3: each with its place and value, also where only a role can judge.
@test
def log_templates_with_an_unknown_variable():
    for name, value, wrong in (("login_log_format_elements", "user=<%u> %{nonsense}", "unknown variable %nonsense; accepted: %{user}, "),
                               ("login_log_format", "%$ %q", "has an unknown variable %q; accepted: %$"),
                               ("login_log_format", "%s", "lacks %$, the text; accepted: %$")):
        status, text = check(fresh(**{name: value}))
        expect(status == CONFIG and re.search(r"\.conf:\d+: " + re.escape('%s = "%s": %s' % (name, value, wrong)), text), text)
        expect(text.count(wrong) == 1, text)
        status, text = check(fresh(local_name=({"name": "a.test", name: value},)))
        expect(status == CONFIG and re.search(r"\.conf:\d+: .*%s = " % name, text) and wrong in text, text)


@test
def a_mail_program_with_an_unknown_variable():
    status, text = check(fresh(service={"imap": {"executable": "/bin/true %{nonsense}"}}))
    expect(status == CONFIG, text)
    expect(re.search(r"\.conf:\d+: service\.imap\.executable = \"/bin/true %\{nonsense\}\": at position \d+: unknown variable", text), text)


@test
def all_errors_that_auth_sees_at_once():
    status, text = check(fresh(passdb=({"driver": "static", "args": "host=%{one}"}, {"driver": "static", "args": "host=%{two}"}),
                               auth_username_format="%{three}"))
    expect(status == CONFIG, text)
    for part in ("%{one}", "%{two}", "%{three}"):
        contains(text, part)


@test
def a_missing_user():
    if os.geteuid() != 0:
        raise tap.Skip("only root changes users")
    status, text = check(fresh(default_login_user="nosuchuser"))
    expect(status == CONFIG, text)
    contains(text, "nosuchuser")
    contains(text, "adduser --system")


@test
def start_with_a_broken_file():
    postern = fresh(ssl_min_protocol="TLSv9")
    done = daemon.run("-F", "-c", postern.conf)
    expect(done.returncode == CONFIG, done.returncode)
    contains(done.stderr + world.read(postern.log), "ssl_min_protocol")


@test
def a_taken_port():
    first = fresh().start()
    second = fresh()
    second.set(service={"imap-login": first.settings["service"]["imap-login"]})
    done = daemon.run("-F", "-c", second.conf)
    expect(done.returncode == SYSTEM, "exit %d" % done.returncode)
    contains(done.stderr + world.read(second.log), str(first.imap))
    first.stop()


@test
def two_with_one_base_dir():
    first = fresh().start()
    done = daemon.run("-F", "-c", first.conf)
    expect(done.returncode == RUNNING, "exit %d: %s" % (done.returncode, done.stderr))
    expect(world.listening(first.imap), "the first one goes on")
    first.stop()


@test
def wrong_usage():
    for args in (["--no-such-option"], ["-c"], ["surplus"]):
        done = daemon.run(*args)
        expect(done.returncode == USAGE, "%s: exit %d" % (args, done.returncode))
        expect(done.stderr, "something is said")


@test
def version_and_usage():
    done = daemon.run("-V")
    expect(done.returncode == DONE and re.search(r"postern \d+\.\d+", done.stdout), done.stdout)
    contains(done.stdout, "OpenSSL")
    done = daemon.run("-h")
    expect(done.returncode == DONE, done.returncode)
    contains(done.stdout, "-c")


@test
def the_dump_parses_back():
    postern = fresh(login_greeting='A "quoted" \\ greeting')
    for option in ("-n", "-a"):
        dump = daemon.run(option, "-c", postern.conf)
        expect(dump.returncode == DONE, dump.stderr)
        again = world.write("again.conf", dump.stdout)
        done = daemon.run("-n", "-c", again)
        expect(done.returncode == DONE, done.stdout + done.stderr)
        contains(done.stdout, 'login_greeting = "A \\"quoted\\" \\\\ greeting"')
        if option == "-n":
            expect(strip(done.stdout) == strip(dump.stdout), "not a fixed point")


def strip(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


@test
def a_setting_on_the_command_line():
    postern = fresh()
    done = daemon.run("-n", "-c", postern.conf, "-o", "login_greeting=From here.", "-o", "service.imap-login.service_count=7")
    contains(done.stdout, '"From here."')
    contains(done.stdout, "service_count = 7")
    done = daemon.run("-n", "-c", postern.conf, "-o", "no_such_thing=1")
    expect(done.returncode == CONFIG, done.returncode)


@test
def the_role_programs_refuse_to_start_by_hand():
    folder = daemon.adapter.libexec_dir(daemon.binary())
    if not folder:
        raise tap.Skip("libexec_dir unknown")
    import subprocess
    for role in daemon.ROLES:
        done = subprocess.run([os.path.join(folder, "postern-" + role)], capture_output=True, text=True, timeout=10,
                              stdin=subprocess.DEVNULL)
        expect(done.returncode == USAGE, "%s: exit %d" % (role, done.returncode))
        contains(done.stderr, "postern")


@test
def background_start_returns_when_ready():
    postern = fresh()
    done = daemon.run("-c", postern.conf)
    expect(done.returncode == DONE, done.stderr)
    expect(world.listening(postern.imap) and world.listening(postern.pop3s), "listens already")
    pid = int(world.read(postern.folder + "/run/master.pid"))
    os.kill(pid, 15)
    tap.until(lambda: world.reap_orphans() or not world.running(pid), "it ends")


@test
def background_start_tells_of_a_failure():
    postern = fresh(base_dir="/proc/nowhere")
    done = daemon.run("-c", postern.conf)
    expect(done.returncode in (NO_CREATE, CONFIG), "exit %d" % done.returncode)
    contains(done.stderr, "/proc/nowhere")


@test
def the_service_manager_is_told():
    import socket
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(world.path("notify"))
    os.chmod(world.path("notify"), 0o777)
    notify.settimeout(10)
    said = []

    def hears(word):
        while not any(line.startswith(word) for line in said):
            said.extend(notify.recv(4096).decode().splitlines())
        said.clear()
    postern = fresh().start(env=dict(os.environ, NOTIFY_SOCKET=world.path("notify")))
    hears("READY=1")
    postern.reload()
    hears("RELOADING=1")
    hears("READY=1")
    postern.process.terminate()
    hears("STOPPING=1")
    expect(postern.process.wait(10) == 0, "exit status 0")


tap.main(set_up, world.finish)
