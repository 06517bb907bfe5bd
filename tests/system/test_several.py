# SPDX-License-Identifier: BSD-3-Clause
"""One receiver, several guests: each comes by itself, and what becomes of one touches no other."""

import json
import os
import re
import signal
import time

from harness.context import Shape, wait_until
from harness.migcomp import DESTINATION_ADDRESS
from harness.registry import check, system_test
from harness.vm import check_continuity

SMALL = dict(mib=128, fill=32, rate=1)
# so slow that the first round takes some seconds
SLOW = ["--max-bandwidth", "100m"]


class Party:
    """Guests at one source, as many empty QEMUs at one destination, and the receiver of all."""

    def __init__(self, context, count, shape, workers=1):
        self.context, self.count = context, count
        self.link = context.link()
        self.interfaces = [self.link.add_sender(i) for i in range(count)]
        self.sources, self.destinations, self.senders = [], [], [None] * count
        for _ in range(count):
            # one after the other: they share two cores
            self.sources.append(context.source(Shape(**shape)))
            self.sources[-1].wait_booted(180)
        self.destinations = [context.destination(s.shape) for s in self.sources]
        words = [w for d in self.destinations for w in ("--qmp", d.qmp_path)]
        self.receiver = context.endpoint("recv", words, workers=workers, port="af_packet",
                                         link=self.link, eal_mib=160 + 32 * count)
        self.workers = max(1, workers)

    def listening(self, i):
        """The port that guest i's line tells."""
        return int(self.receiver.wait_line(
            r"^listening on \S+:(\d+) %s$" % re.escape(self.destinations[i].qmp_path), 60,
            self.receiver.out).group(1))

    def send(self, i, words=()):
        self.senders[i] = self.context.endpoint(
            "send", ["--qmp", self.sources[i].qmp_path, *words], workers=1, port="af_packet",
            link=self.link, address="192.0.2.%d" % (100 + i), interface=self.interfaces[i],
            connect="%s:%d" % (DESTINATION_ADDRESS, self.listening(i)))
        return self.senders[i]

    def check_moved(self, i, timeout=120):
        """Guest i goes on at the destination and finds all of itself there."""
        self.senders[i].expect(0, timeout)
        self.destinations[i].wait_beats(3)
        self.destinations[i].verify()
        check_continuity(self.sources[i], self.destinations[i])
        self.sources[i].check_untouched()

    def check_stayed(self, i):
        wait_until(lambda: self.sources[i].status() == "running", "the source VM runs again")
        self.sources[i].wait_beats(3)
        self.sources[i].verify()

    def check_told(self, status, outcomes):
        """The receiver's exit status, and a line and a report for each guest."""
        result = self.receiver.finish(60)
        check(result.status == status, "exit status %s instead of %d\n%s", result.status, status,
              self.receiver.log())
        reports = {r["guest"]: r for r in result.report["guests"]}
        for destination, outcome in zip(self.destinations, outcomes):
            report = reports[destination.qmp_path]
            check(report["status"] == outcome, "%s: %s instead of %s\n%s", destination.name,
                  report["status"], outcome, self.receiver.log())
            check((outcome == "completed") == (report["error"] is None), "%s", report["error"])
            check(re.search(r"^dpdk-migcomp: %s: " % re.escape(destination.qmp_path),
                            result.stderr, re.M), "no line for %s\n%s", destination.name,
                  self.receiver.log())
        return reports


@system_test(timeout=300, cases=[dict(workers=1, full=True), dict(workers=0, full=True),
                                 dict(workers=2, full=True)])
def two_guests_arrive_at_one_receiver_at_the_same_time(context, workers):
    party = Party(context, 2, SMALL, workers)
    ports = [party.listening(i) for i in range(2)]
    check(ports[1] == ports[0] + party.workers, "ports %s", ports)
    for i in range(2):
        party.send(i, [*SLOW, "--verify"])
    for sender in party.senders:
        sender.wait_state("ROUND")
    check(all(s.process.poll() is None for s in party.senders), "not both were under way")
    for i in range(2):
        party.check_moved(i)
    reports = party.check_told(0, ["completed", "completed"])
    for source, destination in zip(party.sources, party.destinations):
        pages = reports[destination.qmp_path]["ram"]["normal"]
        check(pages >= source.shape.fill * 256, "%s pages of a guest with %d MiB", pages,
              source.shape.fill)


@system_test(timeout=300, cases=[dict(who="sender", full=True), dict(who="destination QEMU", full=True)])
def one_of_two_dies_and_the_other_completes(context, who):
    party = Party(context, 2, SMALL)
    for i in range(2):
        party.send(i, SLOW)
    for sender in party.senders:
        sender.wait_state("ROUND")
    time.sleep(0.5)
    if who == "sender":
        party.senders[0].signal(signal.SIGKILL)
        party.senders[0].finish(10)
    else:
        party.destinations[0].process.kill()
        party.senders[0].expect(2, 60)
    party.check_moved(1)
    party.check_stayed(0)
    party.check_told(2, ["failed", "completed"])


@system_test(timeout=300)
def a_guest_whose_memory_is_cut_short_fails_alone(context):
    party = Party(context, 2, SMALL)
    for i in range(2):
        party.send(i, SLOW)
    for sender in party.senders:
        sender.wait_state("ROUND")
    # the worker of both writes to it right now: that is a bus error
    os.truncate(party.destinations[0].files["ram0"], 0)
    party.senders[0].expect(2, 60)
    party.check_moved(1)
    party.check_stayed(0)
    reports = party.check_told(2, ["failed", "completed"])
    error = reports[party.destinations[0].qmp_path]["error"]
    check("cut short" in str(error), "the error is %s", error)


@system_test(timeout=120)
def a_guest_whose_qmp_is_not_there_keeps_no_other_from_coming(context):
    link = context.link()
    source = context.source(Shape(**SMALL))
    source.wait_booted()
    destination = context.destination(source.shape)
    nobody = context.path("nobody.qmp")
    receiver = context.endpoint("recv", ["--qmp", nobody, "--qmp", destination.qmp_path],
                                workers=1, port="af_packet", link=link, eal_mib=256)
    port = receiver.wait_line(r"^listening on \S+:(\d+) ", 30, receiver.out).group(1)
    check(port == "4434", "the second guest has port %s", port)
    sender = context.endpoint("send", ["--qmp", source.qmp_path], workers=1, port="af_packet",
                              link=link, connect=DESTINATION_ADDRESS + ":" + port)
    sender.expect(0)
    destination.wait_beats(3)
    result = receiver.expect(1)
    check(re.search(r"dpdk-migcomp: %s: " % re.escape(nobody), result.stderr), "%s",
          receiver.log())
    check([r["status"] for r in result.report["guests"]] == ["failed", "completed"], "%s",
          json.dumps(result.report)[:500])


@system_test(timeout=60)
def what_is_wrong_with_all_is_in_each_report(context):
    vms = [context.destination(Shape(**SMALL)) for _ in range(2)]
    words = [w for v in vms for w in ("--qmp", v.qmp_path)]
    receiver = context.endpoint("recv", [*words, "--port", "65535"], workers=1, port="af_packet",
                                link=context.link(), eal_mib=256)
    result = receiver.expect(1, 30)
    for report in result.report["guests"]:
        check(report["status"] == "failed" and "--port" in report["error"], "%s",
              json.dumps(report)[:300])


@system_test(timeout=60)
def sigint_cancels_all_that_wait(context):
    link = context.link()
    vms = [context.destination(Shape(**SMALL)) for _ in range(2)]
    receiver = context.endpoint("recv", [w for v in vms for w in ("--qmp", v.qmp_path)],
                                workers=1, port="af_packet", link=link, eal_mib=256)
    for vm in vms:
        receiver.wait_line(r"^listening on \S+ %s$" % re.escape(vm.qmp_path), 30, receiver.out)
    receiver.signal(signal.SIGINT)
    result = receiver.expect(2, 20)
    check([r["status"] for r in result.report["guests"]] == ["cancelled"] * 2, "%s",
          receiver.log())


@system_test(timeout=900, full=True, alone=True)
def ten_guests_move_at_once_and_one_that_is_killed_holds_up_none(context):
    party = Party(context, 10, dict(mib=256, fill=24, rate=1))
    for i in range(10):
        party.send(i, ["--max-bandwidth", "100m"])
    party.senders[3].wait_state("ROUND", timeout=240)
    party.senders[3].signal(signal.SIGKILL)
    party.senders[3].finish(10)
    for i in range(10):
        if i != 3:
            party.check_moved(i, 400)
    party.check_stayed(3)
    party.check_told(2, ["failed" if i == 3 else "completed" for i in range(10)])


@system_test(timeout=60)
def one_of_two_that_wait_is_cancelled_by_its_name(context):
    vms = [context.destination(Shape(**SMALL)) for _ in range(2)]
    names = [re.sub(r".*/|\.[^.]*$", "", vm.qmp_path) for vm in vms]
    receiver = context.endpoint("recv", [w for v in vms for w in ("--qmp", v.qmp_path)],
                                workers=1, port="af_packet", link=context.link(),
                                eal_mib=256)
    for vm in vms:
        receiver.wait_line(r"^listening on \S+ %s$" % re.escape(vm.qmp_path), 30, receiver.out)
    status, _, err = receiver.operate("cancel")
    check(status == 1 and "2 guests" in err, "cancel without a name: %d, %s", status, err)
    status, _, err = receiver.operate("cancel", "--guest", names[0] + "-")
    check(status == 1 and "no guest" in err, "another name: %d, %s", status, err)
    receiver.told("cancel", "--guest", names[0])
    receiver.wait_line(r"^dpdk-migcomp: %s: .*cancelled" % re.escape(vms[0].qmp_path))
    seen = json.loads(receiver.told("status", "--json"))
    check([guest["guest"] for guest in seen] == names[1:], "there are %s", seen)
    receiver.told("cancel")
    result = receiver.expect(2, 20)
    check([r["status"] for r in result.report["guests"]] == ["cancelled"] * 2, "%s",
          receiver.log())
