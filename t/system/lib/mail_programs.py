"""Programs with which people and their scripts fetch mail. Each entry of PROGRAMS logs in as `account`, fetches what is in
its inbox and gives back what it stored (or showed), as text."""
import collections, glob, imaplib, os, poplib, re
from urllib.parse import quote

import clients, world
from alpine import Alpine
from daemon import PASSWORD
from tap import expect

# tls: "plain", "starttls" or "implicit"
Account = collections.namedtuple("Account", "name protocol tls port")


def filled(template, account, **more):
    return template % {"user": account.name, "password": PASSWORD, "port": account.port, "ca": world.certificates()[0], **more}


def stored(pattern, done):
    """All that a program stored, or an error with what it said."""
    text = "".join(world.read(f) for f in sorted(glob.glob(pattern)))
    expect(text, "nothing stored, status %d: %s" % (done.returncode, (done.stdout + done.stderr)[-1500:]))
    return text


def run_imaplib(account, _):
    if account.tls == "implicit":
        mailbox = imaplib.IMAP4_SSL("localhost", account.port, ssl_context=clients.trust(), timeout=30)
    else:
        mailbox = imaplib.IMAP4("localhost", account.port, timeout=30)
    if account.tls == "starttls":
        mailbox.starttls(clients.trust())
    mailbox.login(account.name, PASSWORD)
    mailbox.select("INBOX")
    _, data = mailbox.fetch("1", "(BODY.PEEK[])")
    mailbox.logout()
    return data[0][1].decode()


def run_poplib(account, _):
    if account.tls == "implicit":
        mailbox = poplib.POP3_SSL("localhost", account.port, context=clients.trust(), timeout=30)
    else:
        mailbox = poplib.POP3("localhost", account.port, timeout=30)
    if account.tls == "starttls":
        mailbox.stls(clients.trust())
    mailbox.user(account.name)
    mailbox.pass_(PASSWORD)
    lines = mailbox.retr(1)[1]
    mailbox.quit()
    return b"\n".join(lines).decode()


def run_curl(account, _):
    scheme = account.protocol + ("s" if account.tls == "implicit" else "")
    path = "INBOX;UID=1" if account.protocol == "imap" else "1"
    more = ["--ssl-reqd"] if account.tls == "starttls" else []
    status, text, transcript = clients.curl("%s://localhost:%d/%s" % (scheme, account.port, path), account.name, *more)
    expect(status == 0, transcript)
    return text


def run_mutt(account, home, more="", **environment):
    """Mutt wants a terminal: it opens the mailbox, saves a copy of the first message and leaves. `more`: of its settings."""
    clients.program("mutt")
    os.mkdir(home + "/Mail")  # else mutt asks whether to make it, and takes our keys for the answer
    copy = home + "/copy"
    rc = world.write(home + "/muttrc", filled("""\
set imap_user="%(user)s" imap_pass="%(password)s" pop_user="%(user)s" pop_pass="%(password)s"
set certificate_file="%(ca)s" ssl_force_tls=%(force)s ssl_starttls=%(starttls)s
set confirmcreate=no confirmappend=no mbox_type=mbox copy=no move=no delete=no quit=yes timeout=1 abort_noattach=no
set header_cache="" message_cachedir="" record="" postponed="" beep=no
""" + more, account, force="no" if account.tls == "plain" else "yes", starttls="no" if account.tls == "plain" else "yes"))
    scheme = account.protocol.rstrip("3") + ("s" if account.tls == "implicit" else "")
    url = "%s://%s@localhost:%d/%s" % (scheme, quote(account.name, safe=""), account.port, "INBOX" if account.protocol == "imap" else "")
    argv = ["mutt", "-n", "-F", rc, "-f", url, "-e", 'push "<copy-message>%s<enter><exit>"' % copy]
    status, screen = clients.in_terminal(argv, dict(os.environ, HOME=home, TERM="xterm", LC_ALL="C", **environment))
    if not os.path.exists(copy):
        raise AssertionError("mutt (status %s) saved nothing; its screen: %s" % (status, re.sub(r"\x1b[^a-zA-Z]*.", " ", screen)[-800:]))
    return world.read(copy)


def run_alpine(account, home):
    """Shows the first message on its screen."""
    kind = {"plain": "notls", "starttls": "tls", "implicit": "ssl"}[account.tls]
    alpine = Alpine(home, "{localhost:%d/%s/%s/user=%s}INBOX" % (account.port, account.protocol, kind, account.name))
    alpine.shows("sender@example")
    alpine.view()
    alpine.shows("The message of")
    return alpine.quit()


def run_fetchmail(account, home):
    tls = {"plain": "sslproto ''", "starttls": "sslproto 'TLS1.2+'", "implicit": "ssl sslproto 'TLS1.2+'"}[account.tls]
    rc = world.write(home + "/rc", filled("""\
poll localhost protocol %(protocol)s service %(port)d auth password user "%(user)s" password "%(password)s"
  %(tls)s sslcertck sslcertfile "%(ca)s" fetchall keep mda "cat >>%(home)s/box"
""", account, protocol=account.protocol, tls=tls, home=home), 0o600)
    done = clients.run(["fetchmail", "--nodetach", "--nosyslog", "-v", "-f", rc, "-i", home + "/ids"], FETCHMAILHOME=home)
    return stored(home + "/box", done)


def run_mbsync(account, home):
    os.makedirs(home + "/near")
    tls = {"plain": "None", "starttls": "STARTTLS", "implicit": "IMAPS"}[account.tls]
    rc = world.write(home + "/rc", filled("""\
IMAPAccount far
Host localhost
Port %(port)d
User %(user)s
Pass %(password)s
SSLType %(tls)s
CertificateFile %(ca)s

IMAPStore far
Account far

MaildirStore near
Path %(home)s/near/
Inbox %(home)s/near/inbox

Channel all
Far :far:
Near :near:
Create Near
Sync Pull
SyncState *
""", account, tls=tls, home=home), 0o600)
    return stored(home + "/near/inbox/*/*", clients.run(["mbsync", "-c", rc, "all"], HOME=home))


def run_getmail(account, home):
    """It stores nothing as root, but hands messages to a command."""
    kind = "Simple%s%sRetriever" % (account.protocol.upper(), "SSL" if account.tls == "implicit" else "")
    world.write(home + "/getmailrc", filled("""\
[retriever]
type = %(kind)s
server = localhost
port = %(port)d
username = %(user)s
password = %(password)s
%(trust)s
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >>%(home)s/box")
allow_root_commands = true

[options]
delete = false
read_all = true
""", account, kind=kind, home=home, trust="ca_certs = %s\n" % world.certificates()[0] if account.tls == "implicit" else ""), 0o600)
    return stored(home + "/box", clients.run(["getmail", "--getmaildir", home], HOME=home))


# name: (what runs it, protocols, kinds of TLS)
ALL = ("plain", "starttls", "implicit")
PROGRAMS = {
    "imaplib": (run_imaplib, ("imap",), ALL),
    "poplib": (run_poplib, ("pop3",), ALL),
    "curl": (run_curl, ("imap", "pop3"), ALL),
    "mutt": (run_mutt, ("imap", "pop3"), ALL),
    "alpine": (run_alpine, ("imap", "pop3"), ALL),
    "fetchmail": (run_fetchmail, ("imap", "pop3"), ALL),
    "mbsync": (run_mbsync, ("imap",), ALL),
    "getmail": (run_getmail, ("imap", "pop3"), ("plain", "implicit")),  # it knows no STARTTLS
}
