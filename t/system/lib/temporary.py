"""What clients are told while a user's database cannot answer: never that a password is wrong (AUTH-4)."""
from clients import Imap, Lmtp, Pop3, Sieve, Smtp
from tap import contains, expect


def _submission(proxy, user):
    client = Smtp(proxy.submissions, tls=True)
    client.command("EHLO client")
    return client.login(user)


WAYS = {"imap": (lambda proxy, user: Imap(proxy.imaps, tls=True).login(user), "NO [UNAVAILABLE]"),
        "pop3": (lambda proxy, user: Pop3(proxy.pop3s, tls=True).login(user), "-ERR [SYS/TEMP]"),
        "submission": (_submission, "454 "),
        "sieve": (lambda proxy, user: Sieve(proxy.sieve).starttls().login(user), "NO (TRYLATER)"),
        "lmtp": (lambda proxy, user: Lmtp(proxy.lmtp).login(user), "451 4.")}


def expect_temporary(proxy, user):
    """In every protocol that `proxy` serves."""
    served = [p for p in WAYS if p in proxy.settings["protocols"]]
    expect(served, "no protocol")
    for protocol in served:
        ask, answer = WAYS[protocol]
        contains(ask(proxy, user), answer)
