"""Alpine, the successor of Pine, with a pseudo-terminal as its user."""
import os, re

import clients, world
from daemon import PASSWORD
from tap import until

# "mail" exists, and it is told of new features: else it says so first, for seconds. With a delay of -1 no message holds
# it up, where each would for three seconds: a refused referral has six of them.
PINERC = """\
inbox-path=%s
personal-name=Test
user-domain=example.org
feature-list=quit-without-confirm,no-enable-newmail-in-xterm-icon
user-input-timeout=0
last-version-used=9.99
status-message-delay=-1
"""
ANSWERS = {"PASSWORD: ": PASSWORD + "\r", "for next login?": "n"}


class Alpine:
    """Opens `inbox`, such as "{localhost:143/imap/user=ann}INBOX", with files in `home`; answers the questions for a password as
    often as they are asked."""

    def __init__(self, home, inbox):
        clients.program("alpine")
        os.makedirs(home + "/mail")
        rc = world.write(home + "/pinerc", PINERC % inbox)
        self.terminal = clients.Terminal(["alpine", "-p", rc, "-i"], {
            "HOME": home, "TERM": "vt100", "LC_ALL": "C", "PATH": os.environ["PATH"], "USER": "tester", "LOGNAME": "tester",
            "SSL_CERT_FILE": world.certificates()[0]})
        self.answered = dict.fromkeys(ANSWERS, 0)

    def read(self):
        """What it has written so far, without the terminal's codes."""
        self.terminal.step()
        text = re.sub(r"\x1b[\[(][0-9;?]*[a-zA-Z]", "|", self.terminal.screen.replace("\0", ""))
        for question, answer in ANSWERS.items():
            if text.count(question) > self.answered[question]:
                self.answered[question] += 1
                self.terminal.type(answer)
        return text

    def shows(self, text):
        try:
            until(lambda: text in self.read(), "alpine shows %r" % text, 30)
        except AssertionError:
            raise AssertionError("alpine does not show %r but %s" % (text, self.read()[-3000:]))

    def view(self):
        """Opens the message that the index is at."""
        self.terminal.type("\r")

    def quit(self):
        """All that it has written."""
        self.terminal.type("qy")
        until(lambda: self.read() is not None and self.terminal.ended(), "alpine ends", 30)
        text = self.read()
        self.terminal.close()
        return text
