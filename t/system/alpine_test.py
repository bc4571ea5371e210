#!/usr/bin/env python3
"""Alpine, the successor of Pine, follows login referrals (A9)."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import clients, daemon, mailhost, tap, world
from alpine import Alpine
from tap import expect, test

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


def opened_by(user):
    return Alpine(world.path("alpine-" + user), "{127.0.0.1:%d/imap/user=%s}INBOX" % (here.postern.imap, user))


@test
def it_reads_mail_here_without_a_referral():
    alpine = opened_by("carol")
    alpine.shows("Hello carol")
    alpine.quit()


@test
def it_follows_a_successful_referral():
    alpine = opened_by("alice")
    alpine.shows("Hello from there")
    here.postern.wait_line("Login: user=<alice>")
    there.postern.wait_line("Login: user=<alice>")
    alpine.quit()


@test
def it_follows_a_refusing_referral():
    alpine = opened_by("bob")
    alpine.shows("Hello ann")
    expect(not here.postern.lines("Login: user=<bob>"), "bob is not logged in here")
    there.postern.wait_line("Login: user=<ann>")
    alpine.quit()


tap.main(set_up, world.finish, lambda: "\n".join(host.postern.output() for host in (here, there) if host))
