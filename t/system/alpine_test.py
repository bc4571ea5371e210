#!/usr/bin/env python3
"""Alpine, the successor of Pine, follows login referrals (A9); a pseudo-terminal is its user."""
import errno, os, pty, re, select, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, daemon, mailhost, tap, world
from daemon import PASSWORD
from tap import contains, expect, test, until

here = there = None


def set_up():
    global here, there
    why = daemon.missing() or mailhost.missing()
    if why:
        return why
    clients.program("alpine")
    # Alpine asks about certificates it doesn't know: loopback is secure enough for passwords in the clear.
    there = mailhost.MailHost("there", {"alice": [], "ann": []}, ssl="no").start()
    there.deliver("alice", "Hello from there")
    target = ["host=127.0.0.1", "port=%d" % there.postern.imap]
    here = mailhost.MailHost("here", {"alice": target, "bob": target + ["nologin=y", "destuser=ann"], "carol": []}, ssl="no").start()
    return None


ANSWERS = {"PASSWORD: ": PASSWORD + "\r", "for next login?": "n"}


class Alpine:
    """Opens a mailbox; answers the questions for a password as often as they are asked."""

    def __init__(self, name, user):
        home = world.folder("alpine-" + name)
        inbox = "{127.0.0.1:%d/imap/user=%s}INBOX" % (here.postern.imap, user)
        rc = world.write("alpine-%s/pinerc" % name, "inbox-path=%s\npersonal-name=Test\nuser-domain=example.org\n"
                         "feature-list=quit-without-confirm,no-enable-newmail-in-xterm-icon\nuser-input-timeout=0\nlast-version-used=9.99\n" % inbox)
        self.ours, theirs = pty.openpty()
        env = {"HOME": home, "TERM": "vt100", "LC_ALL": "C", "PATH": os.environ["PATH"], "USER": "tester", "LOGNAME": "tester"}
        self.process = subprocess.Popen(["alpine", "-p", rc, "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
        world.STARTED.append(self.process)
        os.close(theirs)
        self.screen, self.answered = "", dict.fromkeys(ANSWERS, 0)

    def read(self):
        """What it has written so far, without the terminal's codes."""
        if select.select([self.ours], [], [], 0.05)[0]:
            try:
                self.screen += os.read(self.ours, 65536).decode(errors="replace")
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
        text = re.sub(r"\x1b[\[(][0-9;?]*[a-zA-Z]", "|", self.screen)
        for question, answer in ANSWERS.items():
            if text.count(question) > self.answered[question]:
                self.answered[question] += 1
                self.type(answer)
        return text

    def type(self, text):
        os.write(self.ours, text.encode())

    def shows(self, text):
        try:
            until(lambda: text in self.read(), "alpine shows %r" % text, 30)
        except AssertionError:
            raise AssertionError("alpine does not show %r but %s" % (text, self.read()[-3000:]))

    def quit(self):
        self.type("qy")
        until(lambda: self.read() is not None and self.process.poll() is not None, "alpine ends", 15)


@test
def it_reads_mail_here_without_a_referral():
    alpine = Alpine("carol", "carol")
    alpine.shows("Hello carol")
    alpine.quit()


@test
def it_follows_a_successful_referral():
    alpine = Alpine("alice", "alice")
    alpine.shows("Hello from there")
    here.postern.wait_line("Login: user=<alice>")
    there.postern.wait_line("Login: user=<alice>")
    alpine.quit()


@test
def it_follows_a_refusing_referral():
    alpine = Alpine("bob", "bob")
    alpine.shows("Hello ann")
    expect(not here.postern.lines("Login: user=<bob>"), "bob is not logged in here")
    there.postern.wait_line("Login: user=<ann>")
    alpine.quit()


tap.main(set_up, world.finish, lambda: "\n".join(host.postern.output() for host in (here, there) if host))
