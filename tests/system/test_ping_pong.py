# SPDX-License-Identifier: BSD-3-Clause
"""One guest to and fro between two hosts, many times: its memory is right each time, and nothing
grows. Each hop has a new QEMU at its end, as migrations do. What is compared is that QEMU, once it
has taken the guest over and verified it, early and at the end: whatever a hop handed on to the next
(RAM, device state, settings) would have grown by then."""

import os
import re

from harness.context import Shape
from harness.matrix import SENDER_WORDS
from harness.registry import check, system_test

EARLY = 10
# memory is taken in pieces, and TCG translates as the guest happens to run
OWN_SLACK_BYTES, GUEST_SLACK_BYTES, MAPS_SLACK = 24 << 20, 1 << 20, 8


class Taken:
    """What a QEMU holds, its guest's RAM files included."""

    def __init__(self, vm):
        pid = vm.process.pid
        with open("/proc/%d/status" % pid, encoding="ascii") as file:
            kib = {name: int(value) for name, value in
                   re.findall(r"^(\w+):\s+(\d+)(?: kB)?$", file.read(), re.M)}
        self.own = kib["RssAnon"] << 10
        self.guest = sum(os.stat(path).st_blocks * 512 for path in vm.files.values())
        self.descriptors = len(os.listdir("/proc/%d/fd" % pid))
        with open("/proc/%d/maps" % pid, encoding="ascii") as file:
            self.maps = len(file.readlines())

    def __str__(self):
        return "%.1f MiB of its own, %.1f MiB of guest RAM, %d descriptors, %d maps" % (
            self.own / (1 << 20), self.guest / (1 << 20), self.descriptors, self.maps)


def check_no_growth(early, late):
    told = "%s early, %s at the end" % (early, late)
    check(late.descriptors <= early.descriptors, "descriptors: %s", told)
    check(late.maps <= early.maps + MAPS_SLACK, "maps: %s", told)
    check(late.own <= early.own + OWN_SLACK_BYTES, "memory: %s", told)
    check(late.guest <= early.guest + GUEST_SLACK_BYTES, "guest RAM: %s", told)


def ram_files(context):
    return [name for name in os.listdir("/dev/shm") if name.startswith(context.token)]


@system_test(full=True, timeout=1800)
def one_guest_goes_to_and_fro(context):
    link = context.link()
    source = context.source(Shape(mib=160, fill=24, rate=4))
    source.wait_booted()
    taken = {}
    for hop in range(1, context.hops + 1):
        destination = context.destination(source.shape)
        pair = context.start_migration(source, destination, SENDER_WORDS, port="af_packet",
                                       link=link, back=hop % 2 == 0)
        context.finish_migration(*pair, source, destination)
        source.kill()
        check(len(ram_files(context)) == 1, "hop %d: these are left: %s", hop, ram_files(context))
        taken[hop] = Taken(destination)
        context.forget_past()
        source = destination
    # two different hops, however few there are
    early = min(EARLY, max(1, context.hops // 2))
    print("hop %d: %s\nhop %d: %s" % (early, taken[early], context.hops, taken[context.hops]))
    check_no_growth(taken[early], taken[context.hops])
