# SPDX-License-Identifier: BSD-3-Clause
"""Whoever dies, whenever: the source VM runs on, nothing is left behind, and the next try works."""

import re
import signal
import time

from harness.context import Shape, wait_until
from harness.registry import check, system_test

# slow enough that each part of a migration can be met: 50 MB/s, and a working set that is
# rewritten faster than it can be sent within the downtime limit
SLOW = ["--max-bandwidth", "400m", "--downtime-limit", "300"]
BUSY_RATE, BUSY_SET = 150, 96
# what the peer needs to notice a silent death, and more
DEAD_PEER_SECONDS = 45


class Attempt:
    """A migration under way, brought to the point where something is to happen."""

    def __init__(self, context, words=()):
        self.context = context
        self.link = context.link()
        self.source = context.source(Shape(rate=BUSY_RATE, working_set=BUSY_SET))
        self.source.wait_booted()
        self.settings = self.source.settings()
        self.destination = context.destination(self.source.shape)
        self.sender, self.receiver = self.start([*SLOW, *words])

    def reach(self, when):
        self.sender.wait_state("ROUND")
        if when == "first round":
            time.sleep(0.5)
            check(not self.seen("SCAN"), "the first round was over too soon")
        elif when == "later round":
            self.sender.wait_round(3)
        else:
            self.reach_switchover()
        return self

    def start(self, words):
        return self.context.start_migration(self.source, self.destination, words,
                                            port="af_packet", link=self.link)

    def seen(self, state):
        return any(re.match("state %s$" % state, line) for line in self.sender.err)

    def reach_switchover(self):
        """Stopped at the source, its state on the way: a destination QEMU that does not answer
        holds everything there."""
        self.sender.wait_round(2)
        self.destination.process.send_signal(signal.SIGSTOP)
        self.source.set_rate(1)
        self.sender.wait_state("READY")
        check(self.source.status() != "running", "the source runs in the switchover")

    def wake(self):
        self.destination.process.send_signal(signal.SIGCONT)

    def check_source_runs_on(self, settings=True):
        wait_until(lambda: self.source.status() == "running", "the source VM runs again")
        self.source.wait_beats(5)
        self.source.verify()
        self.source.check_untouched()
        if settings:
            check(self.source.settings() == self.settings, "QEMU's settings are now %s, were %s",
                  self.source.settings(), self.settings)

    def try_again(self):
        """The same migration, to a new destination, with a guest that can be caught."""
        self.destination.kill()
        self.source.set_rate(10)
        self.destination = self.context.destination(self.source.shape)
        sender, receiver = self.start(["--verify"])
        self.context.finish_migration(sender, receiver, self.source, self.destination)


def check_says(endpoint, result, pattern):
    lines = [line for line in result.stderr.splitlines() if line.startswith("dpdk-migcomp: ")]
    check(any(re.search(pattern, line) for line in lines), "%s does not say %r\n%s",
          endpoint.name, pattern, endpoint.log())


WHEN = ("first round", "later round", "switchover")


@system_test(timeout=180, cases=[dict(when=WHEN[0], full=True), dict(when=WHEN[1]),
                                 dict(when=WHEN[2])])
def interrupted_sender_leaves_the_source_running(context, when):
    attempt = Attempt(context).reach(when)
    attempt.sender.signal(signal.SIGINT)
    attempt.wake()
    result = attempt.sender.expect(2, 30)
    check_says(attempt.sender, result, r"cancelled")
    check(result.report["status"] == "cancelled", "status %s", result.report["status"])
    result = attempt.receiver.expect(2, DEAD_PEER_SECONDS)
    check_says(attempt.receiver, result, r"cancelled")
    attempt.check_source_runs_on()
    attempt.try_again()


@system_test(timeout=180, cases=[dict(when=WHEN[0], full=True), dict(when=WHEN[1], full=True),
                                 dict(when=WHEN[2])])
def killed_sender_leaves_the_source_running(context, when):
    attempt = Attempt(context).reach(when)
    attempt.sender.signal(signal.SIGKILL)
    attempt.sender.finish(10)
    attempt.wake()
    # nobody is left who could put QEMU's settings back; a next sender may
    attempt.check_source_runs_on(settings=False)
    attempt.receiver.expect(2, DEAD_PEER_SECONDS)
    attempt.try_again()


@system_test(timeout=180, cases=[dict(when=WHEN[0], full=True), dict(when=WHEN[1], full=True),
                                 dict(when=WHEN[2])])
def killed_receiver_leaves_the_source_running(context, when):
    attempt = Attempt(context).reach(when)
    attempt.receiver.signal(signal.SIGKILL)
    attempt.receiver.finish(10)
    attempt.wake()
    attempt.sender.expect(2, DEAD_PEER_SECONDS)
    attempt.check_source_runs_on()
    attempt.try_again()


@system_test(timeout=180, cases=[dict(when=WHEN[0], full=True), dict(when=WHEN[1], full=True),
                                 dict(when=WHEN[2])])
def killed_destination_qemu_leaves_the_source_running(context, when):
    attempt = Attempt(context).reach(when)
    attempt.destination.kill()
    result = attempt.receiver.expect(2, DEAD_PEER_SECONDS)
    check_says(attempt.receiver, result, r"QEMU")
    attempt.sender.expect(2, DEAD_PEER_SECONDS)
    attempt.check_source_runs_on()
    attempt.try_again()


@system_test()
def timeout_cancels_and_the_source_runs_on(context):
    attempt = Attempt(context, ["--timeout", "3"])
    check_says(attempt.sender, attempt.sender.expect(2, 40), r"--timeout")
    attempt.receiver.expect(2, DEAD_PEER_SECONDS)
    attempt.check_source_runs_on()
