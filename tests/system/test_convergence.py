# SPDX-License-Identifier: BSD-3-Clause
"""A guest that writes faster than its pages can be sent is slowed down until they can, and let go on
every way out; nobody but its owner stops or continues it for good."""

import re
import signal
import time

from harness import memory_image
from harness.bare_vm import BareVm
from harness.context import Shape, wait_until
from harness.registry import check, system_test
from harness.vm import HEARTBEAT

# a working set that is rewritten faster than it is sent
BUSY = dict(rate=60, working_set=32, fill=40, mib=128)
NARROW = ["--max-bandwidth", "200m", "--codec", "raw"]
# expected downtime is always longer than this: rounds go on for ever
NEVER = ["--downtime-limit", "1"]


def written_pages(vm):
    beats = HEARTBEAT.findall(vm.text())
    return int(beats[-1][2]) if beats else 0


def writing_rate(vm, seconds=2):
    """MiB a second of the host's time."""
    begin, before = time.monotonic(), written_pages(vm)
    time.sleep(seconds)
    return (written_pages(vm) - before) / 256 / (time.monotonic() - begin)


class Throttled:
    """A migration that never ends, of a guest that is slowed down by at least so much."""

    def __init__(self, context, percent=20, words=()):
        self.link = context.link()
        self.source = context.source(Shape(**BUSY))
        self.source.wait_booted()
        self.settings = self.source.settings()
        self.destination = context.destination(self.source.shape)
        self.pair = context.start_migration(self.source, self.destination,
                                            [*NARROW, *NEVER, *words], port="af_packet",
                                            link=self.link)
        self.sender, self.receiver = self.pair
        self.sender.wait_line(r"guest throttled by (%d|[%d-9]\d) %%" % (percent, percent // 10), 80)

    def wait_status(self, status):
        """Until the guest has just become so: it was otherwise before."""
        wait_until(lambda: self.source.status() != status, "the guest is not %s" % status)
        wait_until(lambda: self.source.status() == status, "the guest is %s" % status)

    def check_let_go(self, settings=True):
        """It runs, all the time, at its own rate, and QEMU is as it was."""
        wait_until(lambda: self.source.status() == "running", "the source VM runs")
        for _ in range(50):
            check(self.source.status() == "running", "the source VM is %s", self.source.status())
            time.sleep(0.02)
        self.source.wait_beats(3)
        self.source.verify()
        self.source.check_untouched()
        if settings:
            check(self.source.settings() == self.settings, "QEMU's settings are now %s, were %s",
                  self.source.settings(), self.settings)


@system_test(alone=True, timeout=180, cases=[dict(workers=1), dict(workers=2, full=True)])
def a_guest_that_writes_too_fast_is_slowed_down_and_arrives(context, workers):
    shape = Shape(**BUSY)
    source = context.source(shape)
    source.wait_booted()
    before = writing_rate(source)
    destination = context.destination(shape)
    link = context.link()
    sender, receiver = context.start_migration(source, destination, [*NARROW, "--verify"],
                                               port="af_packet", workers=workers, link=link)
    sender.wait_line(r"guest throttled by [3-9]\d %", 90)
    during = writing_rate(source)
    source.set_rate(20)  # whatever this machine can do, let it end
    sent, _ = context.finish_migration(sender, receiver, source, destination, timeout=120)
    report = sent.report
    check(report["throttle"]["method"] == "stop-cont" and report["throttle"]["pulses"] >= 5,
          "throttle is %s", report["throttle"])
    check(report["cpu-throttle-percentage"] >= 30, "throttled by %s %%",
          report["cpu-throttle-percentage"])
    check(report["expected-downtime"] <= 300, "stopped though %s ms were expected",
          report["expected-downtime"])
    check(any(r["cpu-throttle-percentage"] for r in report["rounds"]), "rounds are %s",
          report["rounds"])
    check(during < 0.9 * before, "wrote %.0f MiB/s before and %.0f while slowed down", before, during)


@system_test(alone=True, timeout=150, full=True)
def off_never_slows_down(context):
    source = context.source(Shape(**BUSY))
    source.wait_booted()
    destination = context.destination(source.shape)
    sender, receiver = context.start_migration(
        source, destination, [*NARROW, *NEVER, "--throttle", "off", "--timeout", "15"])
    for _ in range(100):
        check(source.status() == "running", "the guest is %s", source.status())
        time.sleep(0.1)
    report = sender.expect(2, 60).report
    receiver.expect(2, 60)
    check(report["cpu-throttle-percentage"] == 0 and report["throttle"]["pulses"] == 0 and
          len(report["rounds"]) >= 3, "throttle %s, rounds %s", report["throttle"],
          report["rounds"])


@system_test(alone=True, timeout=180,
             cases=[dict(way="SIGINT", moment="paused", full=True),
                    dict(way="SIGINT", moment="running", full=True),
                    dict(way="SIGKILL", moment="paused"),
                    dict(way="SIGKILL", moment="running", full=True),
                    dict(way="timeout", moment="running", full=True),
                    dict(way="receiver", moment="paused", full=True),
                    dict(way="destination QEMU", moment="paused", full=True)])
def a_slowed_down_guest_is_let_go(context, way, moment):
    throttled = Throttled(context, 20, ["--timeout", "40"] if way == "timeout" else [])
    throttled.wait_status(moment)
    if way in ("SIGINT", "SIGKILL"):
        throttled.sender.signal(getattr(signal, way))
    elif way == "receiver":
        throttled.receiver.signal(signal.SIGKILL)
    elif way == "destination QEMU":
        throttled.destination.kill()
    result = throttled.sender.finish(90)
    check(result.status == (-signal.SIGKILL if way == "SIGKILL" else 2), "exit status %s\n%s",
          result.status, throttled.sender.log())
    throttled.check_let_go()


@system_test(alone=True, timeout=180, full=True)
def slowed_down_it_can_be_suspended_by_the_timeout(context):
    throttled = Throttled(context, 30, ["--timeout", "30", "--timeout-action", "suspend",
                                        "--verify"])
    sent, _ = context.finish_migration(*throttled.pair, throttled.source, throttled.destination)
    check(sent.report["cpu-throttle-percentage"] >= 30, "throttle %s", sent.report["throttle"])


@system_test(alone=True, timeout=180, full=True)
def a_guest_that_somebody_else_stops_stays_stopped(context):
    throttled = Throttled(context)
    throttled.wait_status("running")
    throttled.source.qmp.command("stop")
    for _ in range(100):
        check(throttled.source.status() == "paused", "it was continued: %s",
              throttled.source.status())
        time.sleep(0.02)
    throttled.sender.signal(signal.SIGINT)
    throttled.sender.expect(2, 60)
    check(throttled.source.status() == "paused", "the end continued it: %s",
          throttled.source.status())
    throttled.source.qmp.command("cont")
    throttled.check_let_go()


@system_test(alone=True, timeout=180, full=True)
def qemu_that_dies_while_it_slows_down_is_an_error(context):
    throttled = Throttled(context)
    throttled.source.process.kill()
    result = throttled.sender.expect(2, 60)
    check(re.search(r"QEMU closed its QMP socket", result.stderr), "it says %s", result.stderr)


def bare_rate(vm, seconds=1.5):
    """MB a second of the host's time."""
    begin, before = time.monotonic(), vm.written_pages()
    time.sleep(seconds)
    return (vm.written_pages() - before) * 4096 / 1e6 / (time.monotonic() - begin)


def move_bare(context, source, destination, words, slowest_after):
    """Until it is done. Returns the report and the lowest rate seen in a second."""
    sender, receiver = context.start_migration(source, destination, words, port="af_packet",
                                               mtu=9000, workers=1, link=context.link(mtu=9000))
    sender.wait_state("ROUND")
    lowest = slowest_after
    while not any(line.startswith("state STOP") for line in sender.err):
        check(sender.process.poll() is None, "the sender ended\n%s", sender.log())
        lowest = min(lowest, bare_rate(source, 1.0))
    report = sender.expect(0, 90).report
    receiver.expect(0, 30)
    before = destination.written_pages()
    wait_until(lambda: destination.written_pages() > before, "the guest writes at the destination")
    return report, lowest


@system_test(alone=True, full=True, timeout=240,
             cases=[dict(rate=rate) for rate in (10, 50, 200, 1000)])
def it_converges_at_1_gbit(context, rate):
    """MB/s written; with a core for each end 1000 takes throttling, and the rest none."""
    pieces = list(memory_image.made_up())
    source = BareVm(context, rate, pieces=pieces)
    destination = BareVm(context, rate, destination=True)
    time.sleep(1.5)
    reached = bare_rate(source)
    report, lowest = move_bare(context, source, destination,
                               ["--max-bandwidth", "1g", "--timeout", "150"], reached)
    percent = report["cpu-throttle-percentage"]
    print("%d MB/s asked, %.0f reached: %.1f s, %d rounds, downtime %d ms (expected %d), throttle "
          "%d %%, at the slowest %.0f MB/s" % (
              rate, reached, report["total-time"] / 1000, len(report["rounds"]),
              report["downtime"], report["expected-downtime"], percent, lowest))
    check(report["expected-downtime"] <= 300, "stopped though %s ms were expected",
          report["expected-downtime"])
    check(rate > 50 or percent == 0, "throttled by %s %%", percent)
    check(rate < 1000 or percent >= 20, "not throttled: %s", report["rounds"])
    check(percent == 0 or lowest < reached, "throttled, and not slower")
