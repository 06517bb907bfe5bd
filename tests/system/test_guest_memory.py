# SPDX-License-Identifier: BSD-3-Clause
"""Guests with each kind of shared memory move live, with each tracker, while their disk is read."""

import re

from harness.context import Shape
from harness.registry import check, system_test

# so slow that there are rounds after the second, in which deltas begin
SLOW = ["--max-bandwidth", "150m"]
# rounds go on until then: a page comes again and again
ON_AND_ON = ["--downtime-limit", "1", "--timeout", "9", "--timeout-action", "suspend"]


def compressing(context, codec=None):
    """Words for a codec that is not raw, also when the whole run is."""
    codec = codec or ("auto" if context.codec == "raw" else None)
    return ["--codec", codec] if codec else []


@system_test(cases=[dict(memory="shm", machine="pc"), dict(memory="shm", machine="q35", full=True),
                    dict(memory="memfd", machine="pc", full=True),
                    dict(memory="memfd", machine="q35"), dict(memory="hugetlbfs", machine="pc"),
                    dict(memory="hugetlbfs", machine="q35", full=True)])
def moves_live(context, memory, machine):
    shape = Shape(memory=memory, machine=machine, rate=20)
    sent, _, source, _ = context.migrate(shape, ["--verify"], workers=1)
    check(sent.report["downtime"] < 1000, "downtime of %s ms", sent.report["downtime"])
    check(sent.report["ram"]["total"] == shape.mib << 20, "total is %s",
          sent.report["ram"]["total"])
    check(source.status() == "postmigrate", "the source is %s", source.status())


@system_test()
def moves_two_numa_backends_and_a_plugged_dimm(context):
    shape = Shape(numa=True, dimm=True, fill=140)
    source = context.source(shape)
    source.wait_booted()
    source.plug_dimm()
    # more than the first two backends can hold
    source.ask("grow 110", r"GROWN pages=64000")
    destination = context.destination(shape)
    destination.plug_dimm()
    pair = context.start_migration(source, destination, ["--verify"])
    sent, _ = context.finish_migration(*pair, source, destination)
    check(sent.report["ram"]["total"] == (shape.mib + 128) << 20, "the DIMM is not in %s",
          sent.report["ram"])


@system_test(cases=[dict(dirty="pagemap", memory="shm", read="mmap"),
                    dict(dirty="pagemap", memory="shm", read="pread"),
                    dict(dirty="hash", memory="shm"), dict(dirty="none", memory="shm"),
                    dict(dirty="hash", memory="hugetlbfs", full=True),
                    dict(dirty="none", memory="hugetlbfs", full=True)])
def tracker_misses_nothing(context, dirty, memory, read="auto"):
    shape = Shape(memory=memory, rate=40, working_set=48)
    sent, *_ = context.migrate(shape, ["--verify", "--dirty", dirty, "--guest-read", read])
    if read != "auto":
        pages = sent.report["compression"]["read-pages"]
        check((pages > 0) == (read == "pread"), "%d pages were read", pages)
    rounds = sent.report["ram"]["dirty-sync-count"]
    check(rounds == 1 if dirty == "none" else rounds >= 2, "%s rounds", rounds)


@system_test(timeout=120, cases=[
    dict(memory="shm", workers=2, on_and_on=True),
    dict(memory="memfd", workers=1, codec="deflate", full=True),
    dict(memory="hugetlbfs", workers=2), dict(memory="shm", workers=1, dirty="hash"),
    dict(memory="shm", workers=2, inject="loss=0.01,reorder=0.01,codec-error=0.02,seed=9"),
    dict(memory="shm", workers=0, codec="zstd", full=True),
    dict(memory="hugetlbfs", workers=1, dirty="hash", full=True,
         inject="loss=0.01,codec-error=0.02,seed=4"),
])
def pages_that_changed_a_little_go_as_deltas(context, memory, workers, dirty="auto", codec=None,
                                             inject=None, on_and_on=False):
    shape = Shape(memory=memory, rate=8, working_set=24, sparse=6)
    faults = ["--inject", inject] if inject else []
    words = ["--verify", "--dirty", dirty, *compressing(context, codec), *SLOW, *faults]
    if on_and_on:
        words += ON_AND_ON
    sent, received, *_ = context.migrate(shape, words, faults, workers=workers)
    deltas = sent.report["xbzrle-cache"]
    check(deltas["pages"] > 0 and deltas["encoding-rate"] > 4, "deltas are %s", deltas)
    check(not on_and_on or len(sent.report["rounds"]) >= 5, "rounds are %s", sent.report["rounds"])
    # blocks that failed at the receiver were sent, and not applied
    check(0 < received.report["xbzrle-cache"]["pages"] <= deltas["pages"] and
          (inject or received.report["xbzrle-cache"]["pages"] == deltas["pages"]),
          "sent %s, applied %s", deltas, received.report["xbzrle-cache"])
    # what a device could not do, another one may have
    failed = received.report["drops"]["blocks-failed"] + (
        received.report["compression"]["fallback-blocks"] if context.qatlike else 0)
    check(not inject or failed > 0, "no block failed")


@system_test()
def without_a_delta_cache_pages_go_whole(context):
    shape = Shape(rate=8, working_set=24, sparse=6)
    words = ["--verify", "--delta-cache", "0", *compressing(context), *SLOW]
    sent, received, *_ = context.migrate(shape, words)
    for report in (sent.report, received.report):
        check(report["xbzrle-cache"]["pages"] == 0 and report["xbzrle-cache"]["cache-size"] == 0,
              "deltas are %s", report["xbzrle-cache"])


@system_test(timeout=120, cases=[dict(memory="shm"), dict(memory="shm", cache="writeback"),
                                 dict(memory="memfd", full=True),
                                 dict(memory="hugetlbfs", full=True)])
def disk_reads_across_the_switchover_land(context, memory, cache="none"):
    shape = Shape(memory=memory, disk=context.disk(), disk_rate=40, disk_cache=cache, rate=5,
                  mib=320)
    sent, *_, destination = context.migrate(shape, ["--verify"], workers=1)
    # O_DIRECT lands when the disk has it, a copy out of the page cache at once
    rests = re.search(r"pages rest 200 ms .*disk\.img \(O_DIRECT\)", sent.stderr)
    check(bool(rests) == (cache == "none"), "cache=%s\n%s", cache, sent.stderr)
    # buffers that were read before the switchover are looked at again when they are used again
    destination.wait_beats(20)
    destination.verify()


@system_test(full=True, timeout=600, cases=[dict(cache="none"), dict(cache="writeback")])
def disk_reads_land_twenty_times(context, cache):
    shape = Shape(disk=context.disk(), disk_rate=80, disk_cache=cache, rate=5, mib=320)
    source = context.source(shape)
    source.wait_booted()
    for _ in range(20):
        destination = context.destination(shape)
        pair = context.start_migration(source, destination)
        context.finish_migration(*pair, source, destination)
        source.kill()
        source = destination
