# SPDX-License-Identifier: BSD-3-Clause
"""Whole migrations with devices that behave like QAT (tests/qatlike), and one that dies."""

import os
import re

from harness import memory_image
from harness.context import Shape
from harness.registry import check, system_test

DEFLATE = ["--codec", "deflate"]


def check_compression(report, fallback=False):
    compression = report["compression"]
    check(compression["driver"] == "compress_qat", "driver %s", compression["driver"])
    check(compression["compression-rate"] > 1.2, "rate %s", compression["compression-rate"])
    if not fallback:
        check(compression["fallback-blocks"] == 0, "%s blocks fell back",
              compression["fallback-blocks"])


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
    receiver.expect(0)
    page = memory_image.first_difference(source, destination)
    check(page is None, "the image differs at offset %s", page)
    # generation 3 has one queue pair, and the second worker compress_isal
    check_compression(report)
    check_said(sender, r"pins \d+ MiB of guest memory in \d+ maps", 1)
    # nothing is there yet that could be pinned
    check_said(receiver, r"pins \d+ MiB", 0)


@system_test(timeout=120, cases=[dict(specification="gen=4,reach=1"),
                                 dict(specification="gen=2,dma=0,reach=1")])
def guest_moves_live(context, specification):
    sent, *_ = context.migrate(Shape(rate=20), ["--verify", *DEFLATE], workers=1,
                               qatlike=specification)
    check(sent.report["downtime"] < 1000, "downtime of %s ms", sent.report["downtime"])
    check_compression(sent.report)


@system_test(timeout=120, cases=[dict(fault=f, at=a) for f in ("silent", "vanish")
                                 for a in ("source", "destination")])
def device_dies_while_the_guest_moves(context, fault, at):
    """In round 2. Blocks go elsewhere, are counted, and it is said once."""
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
    sent, _ = context.finish_migration(sender, receiver, source, destination)
    check(sent.report["downtime"] < 1000, "downtime of %s ms", sent.report["downtime"])
    check_compression(sent.report, fallback=True)
    if at == "source":
        check(sent.report["compression"]["fallback-blocks"] > 0, "none fell back: %s",
              sent.report["compression"])
    check_said(sender if at == "source" else receiver, "stopped answering", 1)
    os.unlink(mark)
