#!/usr/bin/env python3
"""Smuggling and injection, a row for each trick and protocol: what the peer sends, and what must hold (SEC-1 to SEC-22, TST-6, TST-8).

A trick that a protocol has no room for has a row all the same, which says why and what is looked at instead. Behind each row the
workers are the same, nothing of a panic is in the log, and somebody else logs in (for LMTP: delivers)."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import tricks
from backends import TAG
from clients import b64
from daemon import PASSWORD
from trick_checks import (
    SMUGGLED, clean_text, dot_line_in_pieces, greeting_is_drowned, hears, logged_clean, login_fails, login_is_drowned, login_is_made,
    never_at_a_backend, never_behind_the_consent, never_inside_tls, not_shown, not_told, not_who_he_says, one_message, relayed_untouched,
    starts_afresh, stays_encoded, without_end)
from tricks import CLOSED, EVIL, OVER_TLS, PLAIN, TRUSTED, XCLIENT, Instead, back, every, plain, rows, trap, words

# --- the table: clients, STARTTLS (SEC-1) --------------------------------------------------------

rows("a login behind STARTTLS in one segment", never_inside_tls, **every(lambda s: ([s.starttls + s.login("trap")],)))
rows("a login behind STARTTLS, cut in its middle", never_inside_tls, **every(lambda s: ([s.starttls + s.login("trap")[:9], s.login("trap")[9:]],)))
rows("STARTTLS cut before its LF, a login behind it", never_inside_tls, **every(lambda s: ([s.starttls[:-1], b"\n" + s.login("trap")],)))
rows("STARTTLS and a login in segments of their own", never_inside_tls, **every(lambda s: ([s.starttls, s.login("trap")],)))
rows("a command before STARTTLS and a login behind it", never_inside_tls, **every(lambda s: ([s.noop + s.starttls + s.login("trap")], s.nooped)))
rows("STARTTLS with a bare LF, a login behind it", never_inside_tls, **every(lambda s: ([s.starttls[:-2] + b"\n" + s.login("trap")],)))
rows("STARTTLS twice", never_inside_tls, **every(lambda s: ([s.starttls + s.starttls],)))
rows("a login between our consent and the ClientHello", never_behind_the_consent, **every(lambda s: s.login("trap")))

# --- the table: clients, lines ------------------------------------------------------------------

SYNTAX = "500 5.5.2 Invalid command syntax"
UNKNOWN = "500 5.5.1 Unknown command"
IMAP_BAD, IMAP_NUL = "BAD Error in IMAP command received by server.", "BAD NULs not allowed in strings"
SIEVE_BAD, SIEVE_ATOM = 'NO "Error in MANAGESIEVE command received by server."', 'NO "Invalid character in atom"'
POP3_BAD, POP3_FAILED = "-ERR Unknown command.", "-ERR [AUTH] Authentication failed."
NO_AUTH = "530 5.7.0 Authentication required."

rows("bare LF ends a line, once", hears,
     imap=(b"a NOOP\nb NOOP\n", ["a OK NOOP completed.", "b OK NOOP completed."]), pop3=(b"USER a\nUSER b\n", ["+OK", "+OK"]),
     submission=(b"NOOP\nNOOP\n", ["250 2.0.0 OK"] * 2), sieve=(b"NOOP\nNOOP\n", ['OK "NOOP Completed"'] * 2), lmtp=(b"NOOP\nNOOP\n", ["250 2.0.0 OK"] * 2))
rows("a bare CR ends no line", hears,
     imap=(b"a NOOP\rb NOOP\r\n", ["a OK NOOP completed."]), pop3=(b"USER a\rUSER b\r\n", ["+OK"]),
     submission=(b"NOOP\rNOOP\r\n", [SYNTAX]), sieve=(b"NOOP\rNOOP\r\n", [SIEVE_ATOM]), lmtp=(b"NOOP\rNOOP\r\n", [SYNTAX]))
rows("CR CR LF", hears,
     imap=(b"a NOOP\r\r\n", ["a OK NOOP completed."]), pop3=(b"USER a\r\r\n", ["+OK"]), submission=(b"NOOP\r\r\n", [SYNTAX]),
     sieve=(b"NOOP\r\r\n", [SIEVE_ATOM]), lmtp=(b"NOOP\r\r\n", [SYNTAX]))
rows("NUL in a command", hears,
     imap=(b"a NO\0OP\r\n", ["a " + IMAP_BAD]), pop3=(b"US\0ER a\r\n", [POP3_BAD]), submission=(b"NO\0OP\r\n", [SYNTAX]),
     sieve=(b"NO\0OP\r\n", [SIEVE_ATOM]), lmtp=(b"NO\0OP\r\n", [SYNTAX]))
rows("NUL in a quoted string", hears,
     imap=(b'a LOGIN "tr\0ap" x\r\n', ["a " + IMAP_NUL]), pop3=Instead("an argument without quotes", b"USER tr\0ap\r\nPASS x\r\n", ["+OK", POP3_FAILED]),
     submission=Instead("a SASL response", b"AUTH PLAIN\r\nAA\0A\r\n", ["334 ", "500 5.5.2 Invalid AUTH response syntax"]),
     sieve=(b'AUTHENTICATE "PL\0AIN"\r\n', ['NO "Invalid character in quoted string"']), lmtp=(b'MAIL FROM:<"a\0b"@example.org>\r\n', [SYNTAX]))
rows("NUL in a literal", hears,
     imap=(b"a LOGIN {7+}\r\ntr\0\r\nap x\r\n", ["a " + IMAP_NUL]), pop3=Instead("a SASL response", b"AUTH PLAIN\r\nAA\0A\r\n", ["+ ", "-ERR [AUTH] Invalid base64 in response"]),
     submission=Instead("an initial response", b"AUTH PLAIN AA\0A\r\n", [SYNTAX]),
     sieve=(b'AUTHENTICATE "PLAIN" {4+}\r\nAA\0A\r\n', ['NO "Invalid base64 data in initial response"']), lmtp=Instead("the name of a client", b"LHLO a\0b\r\n", [SYNTAX]))
rows("a command in an over-long line", hears,
     imap=(b"a NOOP " + b"x" * 9000 + b" b NOOP\r\n", ["* BYE Input buffer full, aborting", CLOSED]), pop3=(b"USER " + b"x" * 9000 + b" USER b\r\n", ["-ERR Input buffer full, aborting", CLOSED]),
     submission=(b"NOOP " + b"x" * 9000 + b" NOOP\r\n", ["500 5.5.2 Line too long"]), sieve=(b"NOOP " + b"x" * 9000 + b" NOOP\r\n", ['BYE "Input buffer full, aborting"', CLOSED]),
     lmtp=(b"NOOP " + b"x" * 9000 + b" NOOP\r\n", ["500 5.5.2 Line too long"]))

rows("more line ends than commands", hears, imap=(b"\r\n" * 500, ["* " + IMAP_BAD] * 2 + ["* BYE Too many invalid IMAP commands.", CLOSED]),
     pop3=(b"\r\n" * 500, [POP3_BAD] * 3 + ["-ERR Too many invalid bad commands.", CLOSED]),
     submission=(b"\r\n" * 500, [UNKNOWN] * 10 + ["421 4.7.0 proxy.test Too many invalid commands.", CLOSED]),
     sieve=(b"\r\n" * 500, [SIEVE_BAD] * 2 + ['BYE "Too many invalid MANAGESIEVE commands."', CLOSED]),
     lmtp=(b"\r\n" * 500, [UNKNOWN] * 10 + ["421 4.7.0 proxy.test Too many invalid commands.", CLOSED]))
rows("ends of data in many forms, where there is no data", hears,
     imap=(b".\n", [". " + IMAP_BAD]), pop3=(b"\n.\r\n", [POP3_BAD] * 2),
     submission=(b"\n.\n\r\n.\n\n.\r\n", [UNKNOWN, SYNTAX] * 3), sieve=(b".\r\n.\n", [SIEVE_BAD] * 2), lmtp=(b"\n.\n\r\n.\n\n.\r\n", [UNKNOWN, SYNTAX] * 3))

# --- the table: clients, names and passwords (GEN-14, SEC-14) ----------------------------------


def by_sasl(user, password=PASSWORD, mechanism=b"PLAIN", response=None):
    """A login whose name and password hold anything; LMTP has no such encoding and gets a line of its own."""
    encoded = response if response is not None else plain(user, password)
    return {"imap": (b"a AUTHENTICATE %s %s\r\n" % (mechanism, encoded), ["a NO [AUTHENTICATIONFAILED] Authentication failed."]),
            "pop3": (b"AUTH %s %s\r\n" % (mechanism, encoded), [POP3_FAILED]),
            "submission": (b"AUTH %s %s\r\n" % (mechanism, encoded), ["535 5.7.8 Authentication failed."]),
            "sieve": (b'AUTHENTICATE "%s" "%s"\r\n' % (mechanism, encoded), ['NO "Authentication failed."'])}


def recipient(said, *heard):
    return Instead("no SASL, but a recipient", b"LHLO x\r\nMAIL FROM:<a@example.org>\r\n" + said, [*LHLO, "250 2.1.0 OK", *heard])


LHLO = ["250-proxy.test", "250-8BITMIME", "250-CHUNKING", "250-ENHANCEDSTATUSCODES", "250-PIPELINING", "250 STARTTLS"]
REST = "\r\nA NOOP\r\n"
rows("CR LF and a command in a user name, by SASL PLAIN", never_at_a_backend, **by_sasl("who" + REST),
     lmtp=recipient(b'RCPT TO:<"who\\\r\nNOOP"@example.org>\r\n', "501 5.5.4 Invalid TO: Invalid address", SYNTAX))
rows("CR LF and a command in a password, by SASL PLAIN", never_at_a_backend, **by_sasl("clean", "pass" + REST),
     lmtp=recipient(b"RCPT TO:<who> XRCPTFORWARD=YQ1B\r\n", "550 5.7.14 Unacceptable XRCPTFORWARD= parameter: You are not from trusted IP"))
rows("LF in a user name, by SASL PLAIN", never_at_a_backend, **by_sasl("who\nA NOOP"), lmtp=recipient(b"RCPT TO:<who\nNOOP\r\n", "501 5.5.4 Invalid TO: Missing '>' behind path", "250 2.0.0 OK"))
rows("a bare CR in a user name, by SASL PLAIN", never_at_a_backend, **by_sasl("who\rA NOOP"), lmtp=recipient(b'RCPT TO:<"who\rNOOP">\r\n', SYNTAX))
rows("NUL and a second password, by SASL PLAIN", never_at_a_backend, **by_sasl("clean", "pass\0more"), lmtp=recipient(b'RCPT TO:<"who\0">\r\n', SYNTAX))
rows("a control byte in a user name, by SASL PLAIN", never_at_a_backend, **by_sasl("who\x1b[31m"), lmtp=recipient(b'RCPT TO:<"who\x1b">\r\n', SYNTAX))
rows("CR LF in a name to act for, by SASL PLAIN", never_at_a_backend, **by_sasl("", response=plain("clean", authzid="who" + REST)),
     lmtp=Instead("no SASL, but an original recipient", b"a+0D+0AX-Smuggled:+20yes", holds=stays_encoded))
rows("CR LF in a user name, by SASL LOGIN", never_at_a_backend,
     imap=(b"a AUTHENTICATE LOGIN\r\n%s\r\n%s\r\n" % (b64("who" + REST).encode(), b64("x").encode()),
           ["+ VXNlcm5hbWU6", "+ UGFzc3dvcmQ6", "a NO [AUTHENTICATIONFAILED] Authentication failed."]),
     pop3=(b"AUTH LOGIN\r\n%s\r\n%s\r\n" % (b64("who" + REST).encode(), b64("x").encode()), ["+ VXNlcm5hbWU6", "+ UGFzc3dvcmQ6", POP3_FAILED]),
     submission=(b"AUTH LOGIN\r\n%s\r\n%s\r\n" % (b64("who" + REST).encode(), b64("x").encode()),
                 ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "535 5.7.8 Authentication failed."]),
     sieve=(b'AUTHENTICATE "LOGIN"\r\n"%s"\r\n"%s"\r\n' % (b64("who" + REST).encode(), b64("x").encode()),
            ['"VXNlcm5hbWU6"', '"UGFzc3dvcmQ6"', 'NO "Authentication failed."']),
     lmtp=recipient(b"RCPT TO:<who> ORCPT=rfc822;a\rb\r\n", SYNTAX))
rows("CR LF in a quoted string or a plain argument", never_at_a_backend,
     imap=(b'a LOGIN "who\r\nb NOOP" x\r\n', ['a BAD Missing \'"\'', "b " + IMAP_BAD]), pop3=(b"USER who\rNOOP\r\nPASS x\r\n", ["+OK", POP3_FAILED]),
     submission=(b"AUTH PLAIN\r\n\r\nNOOP\r\n", ["334 ", "535 5.7.8 Authentication failed.", "250 2.0.0 OK"]),
     sieve=(b'AUTHENTICATE "PLAIN" "AA\r\nNOOP\r\n', ['NO "Invalid character in quoted string"', 'OK "NOOP Completed"']), lmtp=recipient(b'RCPT TO:<"who\r\nNOOP\r\n', "501 5.5.4 Invalid TO: Invalid address", "250 2.0.0 OK"))
rows("CR LF and a command in a literal", never_at_a_backend,
     imap=(b"a LOGIN {13+}\r\nwho\r\nb NOOP\r\n x\r\n", ["a NO [AUTHENTICATIONFAILED] Authentication failed."]),
     pop3=Instead("no literals, but a password", b"USER who\r\nPASS a\rQUIT\r\n", ["+OK", POP3_FAILED]),
     submission=Instead("no literals, but a response", b"AUTH PLAIN\r\n%s\r\n" % plain("who" + REST), ["334 ", "535 5.7.8 Authentication failed."]),
     sieve=(b'AUTHENTICATE "PLAIN" {%d+}\r\n%s\r\n' % (len(plain("who" + REST)), plain("who" + REST)), ['NO "Authentication failed."']),
     lmtp=recipient(b'RCPT TO:<"who\\\r">\r\n', SYNTAX))

# --- the table: clients, payload of a refused command (SEC-10) -----------------------------------

rows("the payload of a refused command", hears,
     imap=(b"a XPUT {11+}\r\nb LOGOUT\r\n\r\n", ["a " + IMAP_BAD]),
     pop3=Instead("no payload, but a response", b"AUTH PLAIN\r\nQUIT\r\n", ["+ ", POP3_FAILED]),
     submission=(b"BDAT 6 LAST\r\nQUIT\r\n", [NO_AUTH]), sieve=(b'PUTSCRIPT "x" {8+}\r\nLOGOUT\r\n\r\n', [SIEVE_BAD]),
     lmtp=(b"BDAT 6 LAST\r\nQUIT\r\n", ["503 5.5.0 MAIL needed first"]))
rows("the payload of a refused login", hears,
     imap=(b"a LOGIN who {11+}\r\nb LOGOUT\r\n\0x\r\n", ["a " + IMAP_NUL]),
     pop3=Instead("no payload, but an argument", b"AUTH NOSUCH\r\nUSER x\r\n", ["-ERR [AUTH] Unsupported authentication mechanism.", "+OK"]),
     submission=Instead("no payload, but a message", b"DATA\r\nNOOP\r\n", [NO_AUTH, "250 2.0.0 OK"]),
     sieve=(b'AUTHENTICATE "NOSUCH" {8+}\r\nLOGOUT\r\n\r\n', ['NO "Unsupported authentication mechanism."']),
     lmtp=Instead("no login, but a message", b"DATA\r\nNOOP\r\n", ["503 5.5.0 MAIL needed first", "250 2.0.0 OK"]))
rows("the payload behind a syntax error", hears,
     imap=(b'a XPUT "x\x80" ( {11+}\r\nb LOGOUT\r\n\r\n', ["a " + IMAP_BAD]),
     pop3=Instead("no payload, but a response that is none", b"AUTH PLAIN\r\n\x80\r\n", ["+ ", "-ERR [AUTH] Invalid base64 in response"]),
     submission=Instead("its size is not known then", b"BDAT \x01\r\nNOOP\r\n", [SYNTAX, "250 2.0.0 OK"]),
     sieve=(b'PUTSCRIPT x(y {8+}\r\nLOGOUT\r\n\r\n', [SIEVE_ATOM]),
     lmtp=(b"MAIL FROM:<>\r\nRCPT TO:<good>\r\nBDAT 6 LAAST\r\nQUIT\r\n", ["250 2.1.0 OK", "250 2.1.5 OK", "501 5.5.4 Invalid end marker parameter"]))
rows("a payload larger than any", hears,
     imap=(b"a LOGIN {99999999999999999999+}\r\nb LOGOUT\r\n", ["* BYE Literal size too large", CLOSED]),
     pop3=Instead("no payload, but a response", b"AUTH PLAIN\r\n" + b"A" * 20000 + b"\r\n", ["+ ", CLOSED]),
     submission=(b"BDAT 99999999999999999999 LAST\r\nQUIT\r\n", [NO_AUTH, "221 2.0.0 Bye", CLOSED]),
     sieve=(b'PUTSCRIPT "x" {99999999999999999999+}\r\nLOGOUT\r\n', ['BYE "Literal size too large"', CLOSED]),
     lmtp=(b"BDAT 99999999999999999999 LAST\r\nQUIT\r\n", ["501 5.5.4 Invalid chunk size parameter", "221 2.0.0 Bye", CLOSED]))

# --- the table: clients, what was said before TLS (SEC-8) ----------------------------------------

TLS = (None, [])
rows("half a login in the clear, the other half in TLS", starts_afresh,
     imap=([(b"a AUTHENTICATE PLAIN\r\n", ["+ "]), (b"*\r\n", ["a BAD Authentication aborted by client."]), TLS,
            (plain("trap") + b"\r\n", [plain("trap").decode() + " " + IMAP_BAD])],),
     pop3=([(b"USER trap\r\n", ["+OK"]), TLS, (b"PASS %s\r\n" % PASSWORD.encode(), ["-ERR No username given."])],),
     submission=([(b"AUTH PLAIN\r\n", ["334 "]), (b"*\r\n", ["501 5.5.2 Authentication aborted by client."]), TLS, (plain("trap") + b"\r\n", [SYNTAX])],),
     sieve=([(b'AUTHENTICATE "PLAIN"\r\n', ['""']), (b'"*"\r\n', ['NO "Authentication aborted by client."']), TLS,
             (b'"%s"\r\n' % plain("trap"), [SIEVE_BAD])],),
     lmtp=([(b"MAIL FROM:<a@example.org>\r\nSTARTTLS\r\n", ["250 2.1.0 OK", "503 5.5.0 STARTTLS not permitted during a mail transaction"]),
            (b"RSET\r\n", ["250 2.0.0 OK"]), TLS, (b"RCPT TO:<trap>\r\n", ["503 5.5.0 MAIL needed first"])],))
CLAIM = b"XCLIENT ADDR=192.0.2.66 PORT=66 HELO=liar SESSION=liar\r\n"
rows("a stranger says in the clear who he is", not_who_he_says,
     imap=(b'a ID ("x-originating-ip" "192.0.2.66" "x-session-id" "liar" "name" "liar")\r\n', b""), pop3=(CLAIM, b""),
     submission=(b"EHLO liar\r\n" + CLAIM, b""), sieve=(b"XCLIENT ADDR=192.0.2.66 PORT=66 SESSION=liar\r\n", b""), lmtp=(b"LHLO liar\r\n" + CLAIM, b""))

# --- the table: backends, STARTTLS (SEC-2 to SEC-9) ----------------------------------------------


GOODBYE = {"lmtp": b"QUIT\r\n"}  # what a backend that refuses hears


def injected(side):
    w = side.server.words
    return w["capabilities_tls"] + w["accepted"].replace(TAG, b"L")


def while_shaking_hands(side):
    def consent(peer):
        peer.say(side.server.words["consent"].replace(TAG, b"S"))
        peer.hello_has_come()
        peer.say(injected(side))
    return consent


back("replies behind the consent to STARTTLS in one segment", login_fails, OVER_TLS,
     **every(lambda s: (words(consent=s.server.words["consent"] + injected(s)), s.to_tls)))
back("replies in the clear in place of a ServerHello", login_fails, OVER_TLS, **every(lambda s: (words(consent=while_shaking_hands(s)), s.to_tls)))
back("an incomplete reply behind the consent to STARTTLS", login_fails, OVER_TLS,
     **every(lambda s: (words(consent=s.server.words["consent"] + injected(s)[:5]), s.to_tls)))
REFUSALS = {"imap": b"@ NO later\r\n", "pop3": b"-ERR later\r\n", "submission": b"454 4.7.0 later\r\n", "sieve": b'NO "later"\r\n', "lmtp": b"454 4.7.0 later\r\n"}
back("STARTTLS is refused", login_fails, OVER_TLS, **every(lambda s: (words(consent=REFUSALS[s.name]), s.to_tls)))
back("STARTTLS is not offered", login_fails, OVER_TLS,
     imap=(words(greeting=b"* OK [CAPABILITY IMAP4rev1 SASL-IR] ready\r\n"), b""), pop3=Instead("no list, but it is unknown", words(consent=b"-ERR Unknown command\r\n"), b"STLS\r\n"),
     submission=(words(capabilities=b"250-STARTTLS\r\n250 AUTH PLAIN\r\n"), b"EHLO proxy.test\r\n"),
     sieve=(words(greeting=b'"SASL" "PLAIN"\r\nOK "ready"\r\n'), b""), lmtp=(words(capabilities=b"250-STARTTLS\r\n250 8BITMIME\r\n"), b"LHLO proxy.test\r\nQUIT\r\n"))
back("a login is offered in the clear only", login_fails, OVER_TLS,
     imap=Instead("no list is asked for inside TLS, and none from before shown", words(greeting=b"* OK [CAPABILITY IMAP4rev1 STARTTLS CLEAR] ready\r\n", accepted=b"@ OK in\r\n"),
                  "CLEAR", holds=not_shown),
     pop3=Instead("no list, the login is the one in TLS", words(), holds=login_is_made),
     submission=(words(capabilities_tls=b"250 stub\r\n"), b"EHLO proxy.test\r\nSTARTTLS\r\n", b"EHLO proxy.test\r\n"),
     sieve=(words(capabilities_tls=b'"SASL" ""\r\nOK "ready"\r\n'), b"STARTTLS\r\n"),
     lmtp=Instead("no login, but CHUNKING", words(capabilities=b"250-stub\r\n250-CHUNKING\r\n250 STARTTLS\r\n", capabilities_tls=b"250 stub\r\n"), b"BDAT", holds=not_told))
back("who the client is may be told in the clear only", not_told, TRUSTED,
     imap=Instead("the greeting says so for TLS, too", words(), b"ID", True), pop3=Instead("the greeting says so for TLS, too", words(greeting=b"+OK [XCLIENT] ready\r\n"), b"XCLIENT", True),
     submission=(words(capabilities=b"250-stub\r\n250-STARTTLS\r\n250-" + XCLIENT + b"\r\n250 AUTH PLAIN\r\n"), b"XCLIENT"),
     sieve=(words(greeting=b'"SASL" "PLAIN"\r\n"STARTTLS"\r\n"XCLIENT"\r\nOK "ready"\r\n'), b"XCLIENT"),
     lmtp=(words(capabilities=b"250-stub\r\n250-STARTTLS\r\n250 " + XCLIENT + b"\r\n"), b"XCLIENT"))
back("text in the clear is not shown", not_shown, OVER_TLS,
     imap=(words(greeting=b"* OK [ALERT] lie\r\n* OK [ALERT] lie\r\n", consent=b"* OK [ALERT] lie\r\n* 1 lie\r\n@ OK lie\r\n"), "lie"),
     pop3=(words(greeting=b"+OK lie\r\n", consent=b"+OK lie\r\n"), "lie"),
     submission=(words(greeting=b"220-lie\r\n220 lie\r\n", consent=b"220-lie\r\n220 lie\r\n"), "lie"),
     sieve=(words(greeting=b'"LIE" "lie"\r\n"SASL" "PLAIN"\r\n"STARTTLS"\r\nOK "lie"\r\n', consent=b'OK "lie"\r\n'), "lie"),
     lmtp=(words(greeting=b"220-lie\r\n220 lie\r\n", consent=b"220-lie\r\n220 lie\r\n"), "lie"))

# --- the table: backends, a login that is none (SEC-6) --------------------------------------------

back("a greeting that lets us in", login_fails, PLAIN,
     imap=(words(greeting=b"* PREAUTH [CAPABILITY IMAP4rev1] in\r\n"), b""),
     pop3=Instead("all greetings are like that, and the login is made", words(greeting=b"+OK Logged in.\r\n"), holds=login_is_made),
     submission=(words(greeting=b"235 2.7.0 in\r\n"), b""), sieve=(words(greeting=b'OK "Logged in."\r\n'), b""), lmtp=(words(greeting=b"250 2.1.5 OK\r\n"), b"QUIT\r\n"))
back("a login's success before it was asked", login_fails, PLAIN,
     imap=(words(greeting=b"* OK [CAPABILITY IMAP4rev1] ready\r\nL OK in\r\n"), b""), pop3=(words(greeting=b"+OK ready\r\n+OK\r\n+OK in\r\n"), b""),
     submission=(words(greeting=b"220 ready\r\n250-stub\r\n250 AUTH PLAIN\r\n235 2.7.0 in\r\n"), b""),
     sieve=(words(greeting=b'"SASL" "PLAIN"\r\nOK "ready"\r\nOK "in"\r\n'), b""),
     lmtp=(words(greeting=b"220 ready\r\n250 stub\r\n250 2.1.0 OK\r\n250 2.1.5 OK\r\n"), b""))
back("a greeting that sends us elsewhere", login_fails, PLAIN,
     imap=(words(greeting=b"* BYE [REFERRAL imap://trap@127.0.0.1:%d/] moved\r\n" % trap.port), b""),
     pop3=(words(greeting=b"-ERR [REFERRAL pop3://127.0.0.1:%d/] moved\r\n" % trap.port), b""),
     submission=(words(greeting=b"550 5.2.900 trap@127.0.0.1:%d moved\r\n" % trap.port), b""),
     sieve=(words(greeting=b'BYE (REFERRAL "sieve://127.0.0.1:%d") "moved"\r\n' % trap.port), b""),
     lmtp=(words(greeting=b"550 5.2.900 trap@127.0.0.1:%d moved\r\n" % trap.port), b"QUIT\r\n"))

# --- the table: backends, lines -------------------------------------------------------------------

def with_evil(**texts):
    return {name: text.replace(b"%", EVIL) for name, text in texts.items()}


NUL_IN = with_evil(imap=b"@ OK [CAPABILITY IMAP4rev1] i\0n\r\n", pop3=b"+OK i\0n\r\n", submission=b"235 2.7.0 i\0n\r\n", sieve=b'OK "i\0n"\r\n', lmtp=b"250 2.1.5 i\0n\r\n")
back("NUL in the success", login_fails, PLAIN, **every(lambda s: (words(accepted=NUL_IN[s.name]), s.to_login)))
back("NUL in the greeting", login_fails, PLAIN, **every(lambda s: (words(greeting=s.server.words["greeting"].replace(b"stub", b"st\0ub")), b"")))
OKS = with_evil(imap=b"@ OK %\r\n", pop3=b"+OK %\r\n", submission=b"235 2.7.0 %\r\n", sieve=b'OK "%"\r\n', lmtp=b"250 2.1.5 %\r\n")
BEGINS = {"imap": b"OK ", "pop3": b"+OK e", "submission": b"235 2.7.0 e", "sieve": b'OK "e', "lmtp": b"250 2.1.5 e"}
back("a bare CR and control bytes in the success", clean_text, PLAIN, **every(lambda s: (words(accepted=OKS[s.name]), BEGINS[s.name])))
NOS = with_evil(imap=b"@ NO [LIMIT] %\r\n", pop3=b"-ERR [IN-USE] %\r\n", submission=b"454 4.7.0 %\r\n", sieve=b'NO (LIMIT) "%"\r\n', lmtp=b"450 4.2.0 %\r\n")
NO_BEGINS = {"imap": b"NO [LIMIT] e", "pop3": b"-ERR [IN-USE] e", "submission": b"454 4.7.0 e", "sieve": b'NO "Authentication failed."', "lmtp": b"450 4.2.0 <"}
back("a bare CR and control bytes in a refusal", clean_text, PLAIN, **every(lambda s: (words(accepted=NOS[s.name]), NO_BEGINS[s.name])))
back("a bare CR and control bytes in a line that nobody asked for", clean_text, PLAIN,
     imap=(words(accepted=b"* OK [ALERT] " + EVIL + b"\r\n* " + EVIL + b"\r\n@ OK il\r\n"), b"OK "),
     pop3=Instead("none is read, but a code", words(accepted=b"+OK [" + EVIL + b"] in\r\n"), b"+OK ["),
     submission=(words(accepted=b"235-2.7.0 " + EVIL + b"\r\n235 2.7.0 il\r\n"), b"235 2.7.0 il"),
     sieve=Instead("none is read, but a code", words(accepted=b'OK (SASL "' + EVIL + b'") "il"\r\n'), b"OK (SASL "),
     lmtp=(words(accepted=b"250-2.1.5 " + EVIL + b"\r\n250 2.1.5 il\r\n"), b"250"))
GREETINGS = with_evil(imap=b"* BYE %\r\n", pop3=b"-ERR %\r\n", submission=b"554 %\r\n", sieve=b'NO "%"\r\n', lmtp=b"554 %\r\n")
back("a bare CR and control bytes in the greeting", logged_clean, PLAIN, **every(lambda s: (words(greeting=GREETINGS[s.name]), GOODBYE.get(s.name, b""))))
back("bare LF ends lines", login_is_made, PLAIN, **every(lambda s: words(**{n: s.server.words[n].replace(b"\r\n", b"\n") for n in ("greeting", "capabilities", "accepted")})))
back("lines that end with CR only", login_fails, PLAIN, **every(lambda s: (words(greeting=s.server.words["greeting"].replace(b"\r\n", b"\r") * 200), b"")))
back("a line that is too long", login_fails, PLAIN, **every(lambda s: (words(greeting=s.server.words["greeting"][:-2] + b"x" * 4200 + b"\r\n"), b"")))


ONE_LINE = "it has one line, and those behind it are not asked for"
back("a greeting without end", greeting_is_drowned, PLAIN,
     imap=Instead(ONE_LINE, words(greeting=without_end(b"* OK [CAPABILITY IMAP4rev1] ready\r\n"))), pop3=Instead(ONE_LINE, words(greeting=without_end(b"+OK\r\n"))),
     submission=words(greeting=without_end(b"220-noise\r\n")), sieve=words(greeting=without_end(b'"NOISE"\r\n')), lmtp=words(greeting=without_end(b"220-noise\r\n")))
ENDLESS = {"imap": b"* OK noise\r\n", "pop3": b"-ERR noise\r\n", "submission": b"235-noise\r\n", "sieve": b'""\r\n', "lmtp": b"250-noise\r\n"}


back("an answer to the login without end", login_is_drowned, PLAIN, **every(lambda s: words(accepted=without_end(ENDLESS[s.name]))))

# --- the table: messages (SEC-20, TST-8) ------------------------------------------------------------


def message(ending):
    """One message, cut in two, whose `ending` hides a second one."""
    return b"Subject: first\r\n\r\nHello." + ending[:1], ending[1:] + SMUGGLED


RELAY = "all is the backend's after the login"
ENDINGS = {"LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CR.CR": b"\r.\r", "CRLF.CR": b"\r\n.\r", "CR.CRLF": b"\r.\r\n",
           "CRLF NUL .CRLF": b"\r\n\0.\r\n", "CRLF. NUL CRLF": b"\r\n.\0\r\n", "CRLF..CRLF": b"\r\n..\r\n", "LF.. LF": b"\n..\n"}
for name, ending in ENDINGS.items():
    relayed = Instead(RELAY, ending, holds=relayed_untouched)
    rows("a second message behind " + name, one_message, imap=relayed, pop3=relayed, submission=relayed, sieve=relayed, lmtp=message(ending))


untouched = Instead(RELAY, b"\r\n.\r\n", holds=relayed_untouched)
rows("the end of a message cut at each byte", dot_line_in_pieces, imap=untouched, pop3=untouched, submission=untouched, sieve=untouched, lmtp=())

if __name__ == "__main__":
    tricks.run_all()
