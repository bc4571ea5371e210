#!/usr/bin/env python3
"""Templates of Dovecot 2.3: what a real Dovecot makes of them, and what we do (AUTH-32, AUTH-33)."""
import os, re, shutil, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import daemon, dovecot, tap, world
from clients import Imap
from tap import contains, expect, test

DOVEADM = shutil.which("doveadm", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")

# Each is of a user of its own, Joe.tNNN@Example.ORG. No blanks: they end a field.
TABLES = {
    "names": """%u %n %d %s %{user} %{username} %{domain} %{domain_first} %{domain_last} %{service} %{lip} %l %{rip} %r %{lport} %a
        %{auth_user} %{auth_username} %{orig_user} %{orig_username} %{orig_domain} %% %%u a%nb%dc %{passdb:nope} %{passdb:nope:dflt}
        %{passdb:nope:a:b} %{userdb:nope:dflt} %{master_user} %{login_user} %{cert} %k %{hostname}""",
    "modifiers": """%Lu %Un %UEn %Xn %Xa %Rn %Hn %5Hn %16Hn %256Hu %4.16Hu %2.256Hd %Nn %5Nn %1.256Nn %2.256Nu %256Nd %16RHu %Mn %LMn
        %MLn %Dd %LDd %Tn %RLn %LRn %HLn %L{user} %U{domain} %LLLLLLLLLLn %X{service} %08Xa %8Xa %12Xa %1.1Xa %02Xa %0.12Xa""",
    "numbers": """%2n %.2n %1.2n %-2n %-3.2n %020n %02n %0n %0.20n %0.020n %1.020n %00.20n %020.3n %-30.2n %30.2n %-30n %1.0n %.0n
        %1.-2n %1.-20n %-1.-1n %0.-7n %0.-8n %0.-9n %1.-7n %1.-8n %0008n %010.020n %08a %20n %4Ln %1.3RLn %9.3n %0.-2u""",
    "hashes": """%{md4:user} %{md5:user} %{sha1:user} %{sha256:user} %{sha384:user} %{sha512:user} %{sha3-256:user} %{sha3-512:user}
        %{sha256;rounds=1:user} %{sha256;rounds=3:user} %{sha256;salt=x:user} %{sha256;rounds=2,salt=x:user} %{sha256;truncate=32:user}
        %{sha256;truncate=12:user} %{sha256;truncate=4:user} %{sha256;truncate=9:user} %{sha256;truncate=0:user} %{sha256;truncate=300:user}
        %{sha256;truncate=7,rounds=3:user} %{sha256;truncate=32,salt=x:user} %{sha256;salt=x,truncate=32:user} %{sha256;salt=%n:user}
        %{sha256;rounds=2,salt=x;truncate=32:user} %{sha256;salt=%%n:user} %{sha256;format=base64:user} %{sha256;format=hex:user}
        %{sha256;format=base64,truncate=32:user} %{sha256;:user} %L{md5:user} %4{md5:user} %1.4{sha256:user} %{md5:passdb:nope:x}
        %{md5:if;x;eq;x;a;b} %{md5:sha1:user}""",
    "conditions": r"""%{if;%u;eq;x;yes;no} %{if;%{user};*;Joe*;yes;no} %{if;%n;*;j*;yes;no} %{if;%n;!*;J*;yes;no} %{if;%n;*;?oe.*;yes;no}
        %{if;1;==;1;yes;no} %{if;1;!=;2;yes;no} %{if;1;<;2;yes;no} %{if;10;<;9;yes;no} %{if;1;<=;1;yes;no} %{if;1;>;1;yes;no} %{if;1;>=;2;yes;no}
        %{if;-5;>;-6;a;b} %{if;99999999999;>;1;yes;no} %{if;10;lt;9;yes;no} %{if;a;lt;b;%u;%n} %{if;a;le;b;yes;no} %{if;a;gt;b;yes;no}
        %{if;a;ge;b;yes;no} %{if;a;ne;b;yes;no} %{if;%n;~;J.*;yes;no} %{if;%n;!~;J.*;yes;no} %{if;%n;~;oe;yes;no} %{if;%n;~;^oe$;yes;no}
        %{if;x;~;^(y|x)$;a;b} %{if;x;~;X;a;b} %{if;x;~;x{1,2};a;b} %{if;x;~;^[a-z]+$;a;b} %{if;%d;eq;Example.ORG;%{if;1;==;2;a;b};no}
        %{if;%{if;%d;eq;x;a;b};eq;b;%Uu;no} %{if;x;eq;y;a} %{if;a\;b;eq;a\;b;yes;no} %{if;x;eq;x;a\:b;no} %{if;x;eq;x;{a};no} %{if;;eq;;a;b}
        %{if;x;*;;a;b} %{if;\%u;eq;\%u;a;b} %{if;a%%b;eq;a%%b;a%%;b} %{if;"x";eq;x;a;b} %{if;%{passdb:nope:d};eq;d;yes;no} %L{if;x;eq;x;YES;no}
        %3{if;x;eq;x;yes;no} %2.1{if;x;eq;x;yes;no} %M{if;x;eq;x;a;b} %5N{if;x;eq;x;a;b}""",
    # What Dovecot refuses when a user comes, we refuse as well, if it is in a file of users; elsewhere when we start.
    "errors": r"""%z %i %v %{nope} %{user:x} %{SHA256:user} %{sha256:u} %{sha256:literal} %{sha256;rounds=2} %{sha256;rounds=0:user} %{sha256;rounds=x:user}
        %{sha256;format=nope:user} %{if;x;nope;y;a;b} %{if} %{if;a;eq} %{if;a;eq;a;x;y;z} %{if;%n;~;(;yes;no} %{if;x;eq;x;%{nope};b} %{user %X2n %0-3.2n
        %LLLLLLLLLLLn""",
}
TEMPLATES = [(kind, template) for kind, text in TABLES.items() for template in text.split()]


def user_of(number):
    return "Joe.t%03d@Example.ORG" % number


class Oracle(dovecot.Dovecot):
    def config_23(self):
        return super().config_23() + "auth_username_format = %u\n"

    def reason(self, user, lport):
        words = ["service=imap", "lip=127.0.0.1", "rip=127.0.0.1", "lport=%d" % lport]
        done = subprocess.run([DOVEADM, "-c", world.path(self.name, "dovecot.conf"), "auth", "lookup", *(w for x in words for w in ("-x", x)), user],
                              capture_output=True, text=True, timeout=60)
        found = re.search(r"^  reason +: <(.*)>$", done.stdout, re.M)
        return found.group(1) if found else None


def set_up():
    global oracle, proxy
    why = daemon.missing() or dovecot.missing() or (None if DOVEADM else "no doveadm here") or ("Dovecot 2.4 has other variables" if dovecot.version() >= (2, 4) else None)
    if why:
        return why
    fields = {user_of(i): ["nologin=y", "reason=<%s>" % template] for i, (_, template) in enumerate(TEMPLATES)}
    oracle = Oracle("oracle", [])
    file = daemon.users_file("oracle/users", fields)
    os.chmod(file, 0o644)
    oracle.start()
    proxy = daemon.Postern("proxy", auth_username_format="%u", auth_internal_failure_delay=0, passdb=(
        {"driver": "passwd-file", "args": "username_format=%u " + daemon.users_file("users", fields)},)).start()
    return None


def ours(user):
    answer = Imap(proxy.imap).login(user, daemon.PASSWORD)
    found = re.search(r"<(.*)>", str(answer))
    return found.group(1) if found else None


def differences(kind):
    for i, (of, template) in enumerate(TEMPLATES):
        if of == kind:
            theirs, mine = oracle.reason(user_of(i), proxy.imap), ours(user_of(i))
            if theirs != mine or (theirs is None) != (kind == "errors"):
                yield "%s: Dovecot %r, here %r" % (template, theirs, mine)


def same(kind):
    different = list(differences(kind))
    expect(not different, "\n".join(different))


@test
def names():
    same("names")


@test
def modifiers():
    same("modifiers")


@test
def offsets_and_widths():
    same("numbers")


@test
def hash_functions():
    same("hashes")


@test
def conditions():
    same("conditions")


@test
def what_neither_takes():
    same("errors")


@test
def an_unknown_variable_is_found_before_the_start():
    """AUTH-32"""
    unknown = daemon.Postern("unknown", passdb=({"driver": "static", "args": "nopassword=y reason=x%{nope}"},))
    done = daemon.run("-t", "-c", unknown.conf)
    expect(done.returncode == 78, done)
    contains(done.stdout + done.stderr, "at position 2: unknown variable '%{nope}'")


tap.main(set_up, world.finish, lambda: "\n".join(proxy.output().splitlines()[-10:]))
