# SPDX-License-Identifier: BSD-3-Clause
"""A network that goes and comes back, a receiver that is started anew: the migration goes on with
what the destination holds. The guest runs all the time."""

import signal
import time

from harness import memory_image
from harness.context import Shape, wait_until
from harness.registry import check, system_test

# at 37 MB/s the first round of some 200 MB takes more than five seconds
SLOW = ["--max-bandwidth", "300m", "--codec", "raw"]
RECOVER = ["--recover-timeout", "40"]
# until QUIC gives a silent peer up, and more
SILENCE_SECONDS = 20
WHEN = ("first round", "later round")


class Lost:
    """A migration under way, brought to the point where its session is to be lost."""

    def __init__(self, context, when, recover=RECOVER, shape=(), words=(), **arguments):
        self.context, self.when, self.recover = context, when, list(recover)
        self.arguments = dict(dict(port="af_packet"), **arguments)
        self.link = None
        if self.arguments["port"] == "af_packet":
            self.link = self.arguments["link"] = context.link()
        self.source = context.source(Shape(**{"rate": 5, "working_set": 16, **dict(shape)}))
        self.source.wait_booted()
        self.settings = self.source.settings()
        self.destination = context.destination(self.source.shape)
        self.sender, self.receiver = context.start_migration(
            self.source, self.destination, [*SLOW, "--verify", *self.recover, *words],
            self.recover, **self.arguments)
        self.sender.wait_state("ROUND")
        if when == "first round":
            time.sleep(3)
            check(not self.seen("SCAN"), "the first round was over too soon")
        else:
            self.source.set_rate(40)
            self.sender.wait_round(3)

    def seen(self, state):
        return "state " + state in self.sender.err

    def restart_receiver(self, words=()):
        self.receiver = self.context.endpoint(
            "recv", ["--qmp", self.destination.qmp_path, *self.recover, *words], **self.arguments)
        self.receiver.wait_listening()

    def wait_recovering(self):
        self.sender.wait_state("RECOVER", timeout=SILENCE_SECONDS)
        # nobody stopped the guest for that
        self.source.wait_beats(3)

    def finish(self):
        self.source.set_rate(5)
        sent, received = self.context.finish_migration(
            self.sender, self.receiver, self.source, self.destination)
        check(sent.report["verified"], "RAM was not compared")
        check(self.source.settings() == self.settings, "QEMU's settings are now %s, were %s",
              self.source.settings(), self.settings)
        return sent.report, received.report

    def check_recovered(self, report):
        """Pages are counted, not time: what was there was not sent again."""
        check(report["recoveries"] == 1, "recoveries: %s", report["recoveries"])
        # a round in which a session is lost is none that is told
        due = report["rounds"][0 if self.when == "first round" else 2]["pages"]
        held = report["recovery"]["held-pages"]
        # after a first round all but what was written is there; in it, what got through
        share = held / (held + due)
        check(share > (0.25 if self.when == "first round" else 0.8),
              "%d pages were found at the destination and %d were sent", held, due)

    def check_source_runs_on(self):
        wait_until(lambda: self.source.status() == "running", "the source VM runs")
        self.source.wait_beats(5)
        self.source.verify()
        self.source.check_untouched()
        check(self.source.settings() == self.settings, "QEMU's settings are now %s, were %s",
              self.source.settings(), self.settings)


@system_test(timeout=180, cases=[dict(when=WHEN[0], workers=1),
                                 dict(when=WHEN[1], workers=2, full=True)])
def a_network_that_comes_back_is_used_again(context, when, workers):
    lost = Lost(context, when, workers=workers)
    lost.link.cut()
    lost.wait_recovering()
    lost.link.mend()
    report, received = lost.finish()
    lost.check_recovered(report)
    check(received["recoveries"] == 1, "the receiver counts %s", received["recoveries"])


@system_test(timeout=180, cases=[dict(when=WHEN[0], workers=0, full=True),
                                 dict(when=WHEN[1], workers=1),
                                 dict(when=WHEN[0], workers=1, port="memif", full=True),
                                 dict(when=WHEN[1], workers=0, port="memif", full=True),
                                 dict(when=WHEN[0], workers=2, port="memif", full=True)])
def a_receiver_that_was_killed_is_started_again(context, when, workers, port="af_packet"):
    lost = Lost(context, when, workers=workers, port=port)
    lost.receiver.signal(signal.SIGKILL)
    lost.receiver.finish(10)
    lost.restart_receiver()
    report, received = lost.finish()
    lost.check_recovered(report)
    # what it did not see it does not count
    check(received["recoveries"] == 0, "the new receiver counts %s", received["recoveries"])


@system_test(full=True, timeout=180, cases=[dict(dirty="hash", memory="shm"),
                                            dict(dirty="pagemap", memory="hugetlbfs")])
def each_tracker_finds_what_was_written_meanwhile(context, dirty, memory):
    # a guest with huge pages converges in its second round, and is stopped then
    when = WHEN[0] if memory == "hugetlbfs" else WHEN[1]
    lost = Lost(context, when, shape=dict(memory=memory), words=["--dirty", dirty])
    lost.link.cut()
    lost.wait_recovering()
    lost.link.mend()
    report, _ = lost.finish()
    lost.check_recovered(report)


@system_test(full=True, timeout=180)
def a_short_cut_is_no_loss(context):
    lost = Lost(context, WHEN[0])
    lost.link.cut()
    time.sleep(4)
    lost.link.mend()
    report, received = lost.finish()
    check(report["recoveries"] == 0 and received["recoveries"] == 0, "a session was lost")


@system_test(full=True, timeout=240)
def lost_twice_is_found_twice(context):
    lost = Lost(context, WHEN[0])
    for count in (1, 2):
        lost.link.cut()
        wait_until(lambda: lost.sender.err.count("state RECOVER") == count, "RECOVER",
                   SILENCE_SECONDS)
        lost.link.mend()
        wait_until(lambda: lost.sender.err.count("state INVENTORY") == count, "INVENTORY",
                   SILENCE_SECONDS)
    report, _ = lost.finish()
    check(report["recoveries"] == 2, "recoveries: %s", report["recoveries"])


@system_test(full=True, timeout=240, cases=[dict(recover=["--recover-timeout", "3"]),
                                            dict(recover=["--recover-timeout", "0"])])
def who_does_not_come_back_in_time_is_a_failure(context, recover):
    lost = Lost(context, WHEN[1], recover)
    lost.link.cut()
    result = lost.sender.expect(2, SILENCE_SECONDS + 10)
    check(("--recover-timeout" in result.stderr) == (recover[1] != "0"), "it says\n%s",
          lost.sender.log())
    check(result.report["status"] == "failed" and result.report["recoveries"] == 0, "report: %s",
          result.report)
    lost.receiver.expect(2, SILENCE_SECONDS + 10)
    lost.check_source_runs_on()
    # and a new try finds everything as the first did
    lost.link.mend()
    lost.source.set_rate(5)
    again = context.start_migration(lost.source, lost.destination, ["--verify"],
                                    **lost.arguments)
    context.finish_migration(*again, lost.source, lost.destination)


@system_test(full=True, timeout=180)
def cancelled_while_it_recovers_the_source_runs_on(context):
    lost = Lost(context, WHEN[0])
    lost.link.cut()
    lost.wait_recovering()
    lost.sender.signal(signal.SIGINT)
    check(lost.sender.expect(2, 10).report["status"] == "cancelled", "status %s",
          lost.sender.log())
    lost.receiver.signal(signal.SIGTERM)
    lost.receiver.expect(2, 10)
    lost.check_source_runs_on()


@system_test(full=True, timeout=180)
def lost_in_the_switchover_the_source_runs_on_at_once(context):
    lost = Lost(context, WHEN[1])
    # a destination QEMU that does not answer holds everything there
    lost.destination.process.send_signal(signal.SIGSTOP)
    lost.source.set_rate(1)
    lost.sender.wait_state("READY")
    lost.link.cut()
    lost.sender.expect(2, SILENCE_SECONDS + 5)
    lost.destination.process.send_signal(signal.SIGCONT)
    check(not lost.seen("RECOVER"), "it went into recovery with the guest stopped")
    lost.receiver.expect(2, SILENCE_SECONDS + 30)
    lost.check_source_runs_on()


@system_test(timeout=120)
def an_image_is_copied_on(context):
    """Without a guest any moment will do, and one lcore."""
    link = context.link()
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 128, memory_image.made_up(), 96)
    receive = ["--mem", "ram=" + destination, *RECOVER]
    sender, receiver = context.start_pair(["--mem", "ram=" + source, *RECOVER, *SLOW], receive,
                                          port="af_packet", link=link)
    sender.wait_state("ROUND")
    time.sleep(1.5)
    receiver.signal(signal.SIGKILL)
    receiver.finish(10)
    receiver = context.endpoint("recv", receive, port="af_packet", link=link)
    report = sender.expect(0, 60).report
    receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")
    check(memory_image.data_bytes(destination) <= memory_image.data_bytes(source),
          "the destination has fewer holes")
    held, due = report["recovery"]["held-pages"], report["rounds"][0]["pages"]
    check(held + due == memory_image.data_bytes(source) // 4096, "%d held, %d sent", held, due)
    check(held > due // 4, "%d pages were there, and %d were sent", held, due)
