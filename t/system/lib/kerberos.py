"""A Kerberos realm of our own: a KDC on a free port of this host, in the test's folder."""
import os, shutil, subprocess

import world
from tap import until

REALM = "POSTERN.TEST"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def tool(name):
    return shutil.which(name, path=PATH)


def missing():
    absent = [n for n in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit") if not tool(n)]
    return "no %s here" % " ".join(absent) if absent else None


class Kdc:
    """Principals `users` with `password`, and `services` ("imap/localhost") in the keytab."""

    def __init__(self, name, users, password, services):
        self.folder = world.folder(name)
        self.port = world.free_port()
        self.keytab = self.folder + "/keytab"
        self.password, self.services, self.users = password, services, users
        world.write(name + "/krb5.conf", "[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n rdns = false\n dns_canonicalize_hostname = false\n"
                    "[realms]\n %s = {\n  kdc = 127.0.0.1:%d\n }\n[domain_realm]\n localhost = %s\n" % (REALM, REALM, self.port, REALM))
        world.write(name + "/kdc.conf", "[kdcdefaults]\n kdc_listen = 127.0.0.1:%d\n kdc_tcp_listen = 127.0.0.1:%d\n[realms]\n %s = {\n"
                    "  database_name = %s/principal\n  key_stash_file = %s/stash\n  acl_file = %s/acl\n }\n"
                    "[logging]\n kdc = FILE:%s/log\n admin_server = FILE:%s/log\n" % (self.port, self.port, REALM, *[self.folder] * 5))
        self.environment = {**os.environ, "KRB5_CONFIG": self.folder + "/krb5.conf", "KRB5_KDC_PROFILE": self.folder + "/kdc.conf"}

    def run(self, *argv, **options):
        done = subprocess.run([tool(argv[0]), *argv[1:]], env=options.pop("env", self.environment), capture_output=True, text=True, timeout=30, **options)
        if done.returncode:
            raise AssertionError("%s: %s%s" % (" ".join(argv), done.stdout, done.stderr))

    def start(self):
        self.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master-key")
        for user in self.users:
            self.run("kadmin.local", "-q", "addprinc -pw %s %s" % (self.password, user))
        for service in self.services:
            self.run("kadmin.local", "-q", "addprinc -randkey " + service)
            self.run("kadmin.local", "-q", "ktadd -k %s %s" % (self.keytab, service))
        world.spawn([tool("krb5kdc"), "-n"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: world.listening(self.port), "the KDC listens")
        return self

    def ticket(self, user):
        """The environment of a program that has a ticket of `user`."""
        env = {**self.environment, "KRB5CCNAME": "FILE:%s/ticket-%s" % (self.folder, user)}
        self.run("kinit", user, env=env, input=self.password + "\n")
        return env
