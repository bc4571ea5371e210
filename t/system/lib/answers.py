"""How IMAP tells right, wrong and temporary, for tests of what is behind the passwords."""
from tap import expect


def answers(login, wait_line):
    """(right, wrong, temporary): each logs in with `login` and expects that answer; temporary waits for a line of the log, too."""

    def right(user, *password):
        answer = login(user, *password)
        expect(answer.startswith("OK"), "%s: %s" % (user, answer))

    def wrong(user, *password):
        answer = login(user, *password)
        expect(answer == "NO [AUTHENTICATIONFAILED] Authentication failed.", "%s: %s" % (user, answer))

    def temporary(user, log=None, *password):
        answer = login(user, *password)
        expect(answer.startswith("NO [UNAVAILABLE]"), "%s: %s" % (user, answer))
        if log:
            wait_line(log)
    return right, wrong, temporary
