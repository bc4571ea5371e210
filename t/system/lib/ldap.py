"""A real slapd, on loopback: users below ou=people, one service account that may read them, password policies."""
import base64, hashlib, os, shutil, subprocess, urllib.parse

import world
from tap import until

BINARY = shutil.which("slapd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/openldap:/usr/libexec")
SCHEMAS = next((f for f in ("/etc/ldap/schema", "/etc/openldap/schema") if os.path.isdir(f)), None)
MODULES = next((f for f in ("/usr/lib/ldap", "/usr/lib64/openldap", "/usr/libexec/openldap") if os.path.isdir(f)), None)
SUFFIX = "dc=example,dc=org"
PEOPLE = "ou=people," + SUFFIX
SERVICE, SERVICE_PASSWORD = "cn=postern," + SUFFIX, "service-secret"

CONFIG = """\
include %(schemas)s/core.schema
include %(schemas)s/cosine.schema
include %(schemas)s/nis.schema
include %(schemas)s/inetorgperson.schema
modulepath %(modules)s
moduleload back_mdb
moduleload ppolicy
pidfile %(d)s/slapd.pid
TLSCACertificateFile %(ca)s
TLSCertificateFile %(cert)s
TLSCertificateKeyFile %(key)s
database mdb
suffix "%(suffix)s"
rootdn "cn=admin,%(suffix)s"
directory %(d)s/db
maxsize 16777216
overlay ppolicy
ppolicy_use_lockout
access to attrs=userPassword by dn.exact="%(service)s" read by anonymous auth by * none
access to * by dn.exact="%(service)s" read by * none
"""


def missing():
    return None if BINARY and SCHEMAS and MODULES else "no slapd here"


def hashed(password):
    """{SSHA}, which slapd and Postern both know."""
    salt = os.urandom(8)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def entry(dn, *lines):
    """An entry in LDIF; values go as base64, so that they may be anything."""
    out = "dn:: %s\n" % base64.b64encode(dn.encode()).decode()
    for line in lines:
        name, value = line.split(": ", 1)
        out += "%s:: %s\n" % (name, base64.b64encode(value.encode()).decode())
    return out + "\n"


def escaped(name):
    """A name as value in a DN."""
    return "".join(c if c.isalnum() else "".join("\\%02x" % b for b in c.encode()) for c in name)


def person(name, password, *more, uid=1000, gid=1000, home="/nonexistent"):
    return entry("uid=%s,%s" % (escaped(name), PEOPLE), "objectClass: inetOrgPerson", "objectClass: posixAccount", "cn: " + name, "sn: " + name,
                 "uid: " + name, "uidNumber: %d" % uid, "gidNumber: %d" % gid, "homeDirectory: " + home,
                 "userPassword: " + hashed(password), *more)


def policy(name, *lines):
    return entry("cn=%s,%s" % (name, SUFFIX), "objectClass: device", "objectClass: pwdPolicy", "cn: " + name, "pwdAttribute: userPassword", *lines)


class Slapd:
    """`people` are entries that person() made."""

    def __init__(self, name, *people):
        self.name = name
        self.folder = world.folder(name)
        self.port, self.tls_port = world.free_port(), world.free_port()
        self.uri, self.tls_uri = "ldap://127.0.0.1:%d" % self.port, "ldaps://127.0.0.1:%d" % self.tls_port
        self.socket = self.folder + "/ldapi"
        self.socket_uri = "ldapi://" + urllib.parse.quote(self.socket, safe="")
        self.process = None
        world.folder(name + "/db", 0o755)
        ca, cert, key = world.certificates()
        own_key = world.write(name + "/key", world.read(key), 0o600)
        self.conf = world.write(name + "/slapd.conf", CONFIG % {
            "schemas": SCHEMAS, "modules": MODULES, "d": self.folder, "ca": ca, "cert": cert, "key": own_key, "suffix": SUFFIX, "service": SERVICE})
        base = [entry(SUFFIX, "objectClass: dcObject", "objectClass: organization", "o: Test", "dc: example"),
                entry(PEOPLE, "objectClass: organizationalUnit", "ou: people"),
                entry(SERVICE, "objectClass: organizationalRole", "objectClass: simpleSecurityObject", "cn: postern", "userPassword: " + hashed(SERVICE_PASSWORD))]
        self.add(*base, *people)

    def add(self, *entries):
        """While it does not run."""
        file = world.write(self.name + "/more.ldif", "".join(entries))
        done = subprocess.run([BINARY, "-T", "add", "-f", self.conf, "-l", file], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise AssertionError("slapadd: " + done.stderr)

    # --- life ---
    def start(self):
        with open(self.folder + "/out", "ab") as out:
            self.process = world.spawn([BINARY, "-d", "0", "-f", self.conf, "-h", "%s %s %s" % (self.uri, self.tls_uri, self.socket_uri)], stdout=out, stderr=out)
        until(self.ready, "slapd listens", 20)
        os.chmod(self.socket, 0o777)
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("slapd did not start: " + world.read(self.folder + "/out"))
        return world.listening(self.port) and world.listening(self.tls_port)

    def stop(self):
        world.end(self.process)

    # --- what a passdb needs ---
    def keys(self, **more):
        """The keys of Dovecot's file for a search in this server; those of `more` win."""
        keys = {"uris": self.uri, "dn": SERVICE, "dnpass": SERVICE_PASSWORD, "base": PEOPLE, "pass_filter": "(uid=%n)", "tls_require_cert": "demand"}
        keys.update(more)
        return {k: v for k, v in keys.items() if v is not None}

    def file(self, name, **more):
        """Dovecot's file itself."""
        return world.write(name, "# made by the test\n" + "".join("%s = %s\n" % x for x in self.keys(**more).items()))

    def block(self, **more):
        """The same as a block of the configuration."""
        return {"driver": "ldap", **{"ldap_" + k: v for k, v in self.keys(**more).items()}}
