# SPDX-License-Identifier: BSD-3-Clause
"""Live runs: a running guest whose RAM has the image in it and that rewrites a working set at a
steady rate, moved by either tool. Its blackout is measured alike for both, by QEMU's events."""

import contextlib
import mmap
import os
import struct
import subprocess
import tempfile
import time

from bench_link import BenchLink
from bench_machine import IMAGE_START_MIB, MIB, RunFailed, Unusable, clear, make_image
from bench_migcomp import MigcompMigration
from bench_qemu import QemuMigration, Vm, ram_words
from bench_qmp import stamp

BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "guest",
                     "build-bench-guest")
# tests/guest/bench_guest.c has these two and the struct
STATUS_ADDRESS, MAGIC = 0x6000, 0x6d696763
PAGE = 4096
GUEST_TIMEOUT = 20


class GuestStatus:
    """What the guest says of itself in its RAM, through the file that is that RAM."""

    def __init__(self, stack, path):
        with open(path, "rb") as f:
            self.map = mmap.mmap(f.fileno(), STATUS_ADDRESS + PAGE, prot=mmap.PROT_READ)
        stack.callback(self.map.close)

    def _words(self):
        return struct.unpack_from("<III", self.map, STATUS_ADDRESS)

    def pages(self):
        return self._words()[1]

    def wait(self, condition, what):
        end = time.monotonic() + GUEST_TIMEOUT
        while not condition(*self._words()):
            if time.monotonic() > end:
                raise RunFailed("the guest %s" % what)
            time.sleep(0.01)


def build_guest(scratch):
    path = os.path.join(scratch, "bench-guest.elf")
    if not os.path.exists(path):
        done = subprocess.run([BUILD, path], stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Unusable("the guest of live runs cannot be built: " + done.stderr)
    return path


def guest_words(bench, rate):
    return ["-kernel", build_guest(bench.scratch), "-append",
            "rate=%d set=%d base=%d" % (rate, bench.set, IMAGE_START_MIB)]


def megabytes_per_second(pages, seconds):
    return pages % (1 << 32) * PAGE / 1e6 / seconds


class LivePair:
    """Source, running, and destination, waiting for it."""

    def __init__(self, stack, bench, directory, rate, prefixes, destination_words):
        make_image(bench.image, bench.unit, bench.ram, bench.fill)
        clear(bench.destination, bench.ram, bench.cold)
        words = guest_words(bench, rate)
        self.source = Vm(stack, bench, prefixes[0], directory, "source",
                         [*words, *ram_words(bench, bench.image, "on", "on")])
        self.destination = Vm(stack, bench, prefixes[1], directory, "destination", [
            *words, "-incoming", "defer", *destination_words,
            *ram_words(bench, bench.destination, "on", "off" if bench.cold else "on")])
        self.here = GuestStatus(stack, bench.image)
        self.here.wait(lambda magic, pages, ticks: magic == MAGIC, "does not start")
        self.there = GuestStatus(stack, bench.destination)
        begin, pages = time.monotonic(), self.here.pages()
        time.sleep(1)
        self.rate = megabytes_per_second(self.here.pages() - pages, time.monotonic() - begin)
        self.begin, self.pages = 0.0, 0

    def mark_begin(self):
        self.begin, self.pages = time.time(), self.here.pages()

    def confirm(self, fields):
        """@return more fields, once the guest was seen to go on where it went to."""
        fields = {**fields, "dirtied-before-mb-s": round(self.rate, 1)}
        if not fields["converged"]:
            return {**fields, "goes-on": False}
        resumed = self.destination.qmp.wait_event(GUEST_TIMEOUT, "RESUME")
        self.source.qmp.command("query-status")
        # the last: a guest that is slowed down by stop and cont has many
        stopped = self.source.qmp.last_event("STOP")
        if not resumed or not stopped:
            raise RunFailed("no STOP at the source, or no RESUME at the destination")
        last = self.here.pages()
        seen = self.there.pages()
        self.there.wait(lambda magic, pages, ticks: magic == MAGIC and pages not in (last, seen),
                        "does not go on at the destination")
        moved = (self.there.pages() - last) % (1 << 32)
        if moved > 1 << 31:
            raise RunFailed("the destination's guest is older than the source's")
        return {**fields, "goes-on": True,
                "blackout-ms": round((stamp(resumed) - stamp(stopped)) * 1e3, 3),
                "dirtied-mb-s": round(megabytes_per_second(
                    last - self.pages, stamp(stopped) - self.begin), 1)}


def finish(bench, pair, migration):
    pair.mark_begin()
    fields = pair.confirm(migration.finish(bench.live_timeout))
    return {**fields, "filled-bytes": bench.fill * MIB}


def live_by_qemu(bench, method, gbit, rate):
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=bench.scratch))
        link = stack.enter_context(BenchLink(bench.token, gbit, bench.mtu, kernel=True))
        pair = LivePair(stack, bench, directory, rate,
                        [link.inside("source"), link.inside("destination")], [])
        migration = QemuMigration(bench, link, pair.source, pair.destination, method.codec,
                                  method.channels)
        return finish(bench, pair, migration)


def live_by_migcomp(bench, method, gbit, rate):
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=bench.scratch))
        pair = LivePair(stack, bench, directory, rate, [[], []], ["-S"])
        guest = {"send": ["--qmp", pair.source.qmp_path,
                          "--downtime-limit", str(bench.downtime_limit)],
                 "recv": ["--qmp", pair.destination.qmp_path]}
        migration = MigcompMigration(stack, bench, directory, gbit, guest, method.words,
                                     (pair.source, pair.destination))
        return finish(bench, pair, migration)
