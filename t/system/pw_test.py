#!/usr/bin/env python3
"""posternctl pw against doveadm pw, both ways, in every scheme (AUTH-26)."""
import os, pty, shutil, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, tap, world
from clients import Imap
from tap import contains, expect, test

CTL = os.path.join(os.environ["POSTERN_BUILDDIR"], "posternctl")
DOVEADM = shutil.which("doveadm", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")
USER, PASSWORD = "joe@example.org", "päss w0rd"
HERE = {"user": ["-u", USER, "-p", PASSWORD]}
# Theirs are not of that form, which they refuse themselves; there is no such mechanism here.
NOT_FROM_THEM = {"PLAIN-TRUNC", "OTP"}


def run(program, *words, **more):
    return subprocess.run([program, "pw", *words], stdin=more.pop("stdin", subprocess.DEVNULL), capture_output=True, timeout=60, **more)


def ours(*words, **more):
    return run(CTL, *words, **more)


def theirs(*words):
    # They want a configuration, of which nothing is used here.
    return run(DOVEADM, *words)


def schemes(tool):
    return tool("-l").stdout.decode().split()


def checked(tool, made):
    expect(made.returncode == 0, made.stderr)
    hash_ = made.stdout.decode().rstrip("\n")
    right, wrong = (tool("-t", hash_, "-u", USER, "-p", p) for p in (PASSWORD, PASSWORD.upper()))
    expect(right.returncode == 0 and right.stdout.decode() == hash_ + " (verified)\n", "%s: %s" % (hash_, right.stderr))
    expect(wrong.returncode != 0 and not wrong.stdout, hash_)


def set_up():
    return None if DOVEADM and run(DOVEADM, "-l").returncode == 0 else "no doveadm that runs here"


@test
def theirs_are_all_here():
    missing = set(schemes(theirs)) - set(schemes(ours)) - NOT_FROM_THEM
    missing -= {s for s in missing if s.startswith("ARGON2")}  # without libsodium
    expect(not missing, sorted(missing))


@test
def they_check_what_we_make():
    known = set(schemes(theirs))
    for scheme in schemes(ours):
        if scheme in known:
            checked(theirs, ours("-s", scheme, *HERE["user"]))


@test
def we_check_what_they_make():
    for scheme in sorted(set(schemes(theirs)) & set(schemes(ours)) - NOT_FROM_THEM):
        checked(ours, theirs("-s", scheme, *HERE["user"]))


@test
def encodings_and_rounds():
    for words in (["SSHA256.hex"], ["SHA1.B64"], ["PLAIN.b64"], ["CRAM-MD5.b64"], ["SHA512-CRYPT", "-r", "2000"], ["BLF-CRYPT", "-r", "6"], ["PBKDF2", "-r", "10"]):
        checked(theirs, ours("-s", *words, *HERE["user"]))
        checked(ours, theirs("-s", *words, *HERE["user"]))


@test
def crypt_is_the_usual_one():
    for tool in (ours, theirs):
        contains(tool("-p", "x").stdout.decode(), "{CRYPT}$2y$05$")


@test
def a_line_from_a_pipe():
    made = subprocess.run([CTL, "pw", "-s", "SHA1"], input=b"secret\nmore\n", capture_output=True, timeout=60)
    expect(made.stdout == b"{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=\n", made)


@test
def twice_from_a_terminal_and_unseen():
    for again, status in ((b"secret", 0), (b"other", 64)):
        master, slave = pty.openpty()
        process = subprocess.Popen([CTL, "pw", "-s", "SHA1"], stdin=slave, stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        seen = b""
        for asked, word in ((b"new password: ", b"secret"), (b"Retype new password: ", again)):
            while not seen.endswith(asked):
                seen += os.read(master, 1024)
            os.write(master, word + b"\n")
        out = process.stdout.read()
        expect(process.wait() == status, (out, seen))
        expect(out == (b"{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" if status == 0 else b""), out)
        expect(b"secret" not in seen, seen)
        os.close(master)
        process.stdout.close()


@test
def what_is_wrong():
    for words, status, text in ((["-s", "SKEY", "-p", "x"], 64, "Unknown scheme: SKEY"), (["-s", "DIGEST-MD5", "-p", "x"], 64, "user name is needed"),
                                (["-t", "x", "-p", "x"], 64, "Missing {scheme} prefix from hash"), (["-t", "{SHA1}x", "-p", "x"], 65, "cannot be checked"),
                                (["-t", "{OTP}x", "-p", "x"], 64, "Unknown scheme OTP"), (["-r", "many", "-p", "x"], 64, "not a number"),
                                (["-t", "{PLAIN}y", "-p", "x"], 67, "does not match"), (["x"], 64, "too many arguments"), (["-x"], 64, "Usage: posternctl pw")):
        done = ours(*words)
        expect(done.returncode == status, (words, done))
        contains(done.stderr.decode(), text)


@test
def what_was_made_logs_in():
    """Among them what is compared in the jail of auth: PLAIN-MD4 loads a provider of OpenSSL there."""
    why = daemon.missing()
    if why:
        raise tap.Skip(why)
    made = {scheme: ours("-s", scheme, "-u", scheme.lower(), "-p", "secret").stdout.decode().strip() for scheme in schemes(ours)}
    file = world.write("users", "".join("%s:%s::::::nologin=y reason=known\n" % (scheme.lower(), hash_) for scheme, hash_ in made.items()))
    passdb = ({"driver": "passwd-file", "args": file},)
    weak = {"des-crypt", "md5-crypt", "cram-md5", "hmac-md5", "md5", "smd5", "plain-md4", "plain-md5", "ldap-md5"}
    for name, settings, refused in (("lenient", {}, set()), ("strict", {"auth_allow_weak_schemes": False}, weak)):
        proxy = daemon.Postern(name, passdb=passdb, **settings).start()
        for scheme in made:
            answer = Imap(proxy.imap).login(scheme.lower(), "secret")
            expect(("known" in answer) != (scheme.lower() in refused), "%s: %s\n%s" % (scheme, answer, proxy.output()[-400:]))
            expect("known" not in Imap(proxy.imap).login(scheme.lower(), "Secret"), scheme)
        proxy.stop()


tap.main(set_up, world.finish)
