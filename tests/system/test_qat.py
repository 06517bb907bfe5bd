# SPDX-License-Identifier: BSD-3-Clause
"""Whole migrations with devices that behave like QAT (tests/qatlike), and one that dies."""

import os
import re

from harness import memory_image
from harness.context import Shape
from harness.registry import check, system_test

DEFLATE = ["--codec", "deflate"]
QAT, SOFTWARE = "0000:6b:00.0_qat_comp", "compress_isal"


def check_compression(report, fallback=False):
    compression = report["compression"]
    check(compression["driver"] == "compress_qat", "driver %s", compression["driver"])
    check(compression["compression-rate"] > 1.2, "rate %s", compression["compression-rate"])
    if not fallback:
        check(compression["fallback-blocks"] == 0, "%s blocks fell back",
              compression["fallback-blocks"])


def check_shares(report, *devices):
    """Each of the devices did some blocks, and together they did all."""
    shares = report["compression"]["by-device"]
    for device in devices:
        check(shares.get(device, 0) > 0, "%s did nothing: %s", device, shares)
    check(sum(shares[device] for device in devices) == sum(shares.values()), "others: %s", shares)
    blocks = report["compression"]["by-codec"]["deflate"]
    check(sum(shares.values()) >= blocks, "%s for %d blocks", shares, blocks)


def check_said(endpoint, pattern, times):
    lines = [line for line in endpoint.err if re.search(pattern, line)]
    check(len(lines) == times, "said %d times, not %d: %s\n%s", len(lines), times, pattern,
          endpoint.log())


@system_test(timeout=240, cases=[dict(generation=g, workers=1 + g % 2) for g in range(1, 6)])
def image_moves_between_devices_of_each_generation(context, generation, workers):
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 128, memory_image.made_up(), 80)
    sender, receiver = context.start_pair(["--mem", "ram=" + source, *DEFLATE],
                                          ["--mem", "ram=" + destination], workers=workers,
                                          qatlike="gen=%d,reach=1" % generation)
    report = sender.expect(0, 150).report
    received = receiver.expect(0).report
    page = memory_image.first_difference(source, destination)
    check(page is None, "the image differs at offset %s", page)
    # generation 3 has one queue pair, and the second worker compress_isal
    check_compression(report)
    check_shares(report, QAT, *([SOFTWARE] if generation == 3 else []))
    check_shares(received, QAT, *([SOFTWARE] if generation == 3 else []))
    check_said(sender, r"pins \d+ MiB of guest memory in \d+ maps", 1)
    # nothing is there yet that could be pinned
    check_said(receiver, r"pins \d+ MiB", 0)


def start_guest(context, qatlike):
    """A guest on its way: sender, receiver, and the two QEMUs."""
    source = context.source(Shape())
    source.wait_booted()
    destination = context.destination(Shape())
    pair = context.start_migration(source, destination, ["--verify", *DEFLATE], workers=1,
                                   qatlike=qatlike)
    return (*pair, source, destination)


@system_test(timeout=120, cases=[dict(specification="gen=4,reach=1"),
                                 dict(specification="gen=2,dma=0,reach=1", full=True)])
def guest_moves_live(context, specification):
    sent, *_ = context.migrate(Shape(rate=20), ["--verify", *DEFLATE], workers=1,
                               qatlike=specification)
    check(sent.report["downtime"] < 1000, "downtime of %s ms", sent.report["downtime"])
    check_compression(sent.report)


@system_test(timeout=240, cases=[dict(fault="silent", at="source"),
                                 dict(fault="silent", at="destination", full=True),
                                 dict(fault="vanish", at="source", full=True),
                                 dict(fault="vanish", at="destination")])
def device_dies_while_the_guest_moves(context, fault, at):
    """In round 2. The migration completes, blocks go elsewhere, are counted, and it is said once;
    the guest is stopped no longer than it would be otherwise."""
    mark = context.path("now")
    faulty = "gen=4,reach=1,%s=1,when=%s" % (fault, mark)
    # so much is written that round 2 takes long enough to be met
    shape = Shape(rate=40, working_set=96)
    source = context.source(shape)
    source.wait_booted()
    destination = context.destination(shape)
    receiver = context.endpoint("recv", ["--qmp", destination.qmp_path], workers=1,
                                qatlike=faulty if at == "destination" else "gen=4,reach=1")
    receiver.wait_listening()
    # slow enough that there is a round 2, and a third
    sender = context.endpoint("send", ["--qmp", source.qmp_path, "--verify", *DEFLATE,
                                       "--max-bandwidth", "600m"], workers=1,
                              qatlike=faulty if at == "source" else "gen=4,reach=1")
    sender.wait_round(2)
    with open(mark, "w", encoding="ascii"):
        pass
    # from here on a slow machine must come to an end too
    source.set_rate(10)
    sent, received = context.finish_migration(sender, receiver, source, destination)
    print("%s at the %s: downtime of %d ms, expected %d" % (
        fault, at, sent.report["downtime"], sent.report["expected-downtime"]))
    # what the sender stops the guest for is within its limit; what that takes is the machine's
    check(sent.report["expected-downtime"] <= 300 and sent.report["downtime"] < 1000,
          "downtime of %s ms, expected %s", sent.report["downtime"],
          sent.report["expected-downtime"])
    check(sent.report["ram"]["dirty-sync-count"] >= 3, "rounds are %s", sent.report["rounds"])
    check_compression(sent.report, fallback=True)
    hit, well = (sent, received) if at == "source" else (received, sent)
    check(hit.report["compression"]["fallback-blocks"] > 0, "none fell back: %s",
          hit.report["compression"])
    check(well.report["compression"]["fallback-blocks"] == 0, "these fell back too: %s",
          well.report["compression"])
    check_shares(hit.report, QAT, SOFTWARE)
    check_said(sender if at == "source" else receiver, "stopped answering", 1)
    os.unlink(mark)


@system_test(timeout=120)
def pages_that_changed_a_little_go_as_deltas_of_a_device(context):
    """Neither the cache nor what it makes is mapped for DMA: the device is given copies."""
    sent, received, *_ = context.migrate(
        Shape(rate=8, working_set=24, sparse=6), ["--verify", *DEFLATE, "--max-bandwidth", "150m"],
        workers=1, qatlike="gen=4,reach=1")
    check(sent.report["xbzrle-cache"]["pages"] > 0, "deltas are %s", sent.report["xbzrle-cache"])
    for report in (sent.report, received.report):
        # an op with memory that is not mapped comes back as an error
        check(report["compression"]["errors"] == 0, "errors: %s", report["compression"])
        check_shares(report, QAT)
    check(sent.report["compression"]["bounce-bytes"] > 0, "no copy was made")


@system_test(timeout=120)
def guest_that_may_not_be_pinned_is_copied(context):
    """The memlock limit is too low, and the process may not go over it."""
    context.endpoint_prefix = ["prlimit", "--memlock=%d" % (4 << 20), "setpriv",
                               "--inh-caps=-ipc_lock", "--bounding-set=-ipc_lock"]
    sender, receiver, *vms = start_guest(context, "gen=4,reach=1")
    sent, _ = context.finish_migration(sender, receiver, *vms)
    check_said(sender, r"\d+ MiB of guest memory cannot be pinned: \d+ of the 4 MiB that may be "
               "locked are in use .*LimitMEMLOCK=.*; pages are copied", 1)
    check_said(sender, r"pins \d+ MiB", 0)
    check(sent.report["compression"]["errors"] == 0, "errors: %s", sent.report["compression"])
    check_shares(sent.report, QAT)
    check(sent.report["compression"]["bounce-bytes"] >= sent.report["ram"]["normal-bytes"] / 2,
          "few were copied: %s", sent.report["compression"])
