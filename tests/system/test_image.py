# SPDX-License-Identifier: BSD-3-Clause
"""Plain memory images: identical, as sparse, well compressed, by either library."""

import os
import signal
import time

from harness import memory_image
from harness.registry import Skip, check, system_test

DEFLATE = ["--codec", "deflate", "--level", "1"]


def pieces():
    corpus = memory_image.corpus_directory()
    return memory_image.silesia(corpus) if corpus else memory_image.made_up()


def transfer(context, mib, data_mib, send_words=(), receive_words=(), **arguments):
    """Move an image and compare; returns the sender's report."""
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, mib, pieces(), data_mib)
    before = memory_image.data_bytes(source)
    sender, receiver = context.start_pair(["--mem", "ram=" + source, *send_words],
                                          ["--mem", "ram=" + destination, *receive_words],
                                          **arguments)
    report = sender.expect(0, 150).report
    receiver.expect(0)
    page = memory_image.first_difference(source, destination)
    check(page is None, "the image differs at offset %s", page)
    check(memory_image.data_bytes(source) == before, "holes of the source were filled")
    check(memory_image.data_bytes(destination) <= before, "the destination has fewer holes")
    return report


@system_test(timeout=240)
def one_gib_arrives_identical_and_sparse(context):
    report = transfer(context, 1024, 700, DEFLATE, workers=1)
    check(report["ram"]["total"] == 1 << 30, "total is %s", report["ram"]["total"])
    check(report["compression"]["codec"] == "deflate", "codec %s", report["compression"]["codec"])


@system_test(timeout=240, alone=True)
def auto_finds_out_which_rung_is_cheapest(context):
    if context.qatlike or context.codec:
        raise Skip("the codec is not auto's to choose")
    # fast enough that the position rests on one of the two feet, long enough for a trial
    report = transfer(context, 2048, 1600, ["--codec", "auto"], workers=1)
    compression = report["compression"]
    check(compression["ladder-foot-trials"] > 0 or compression["ladder-position"] > 1000,
          "no foot was tried: %s", compression)


@system_test(timeout=240)
def silesia_shrinks_as_deflate_level_1_does(context):
    if memory_image.corpus_directory() is None:
        raise Skip("no Silesia files in ../shared/data/silesia: the ratio is not asserted")
    report = transfer(context, 1024, 700, [*DEFLATE, "--block-pages", "16"], workers=2)
    rate = report["compression"]["compression-rate"]
    # QAT's driver cuts a block of 16 pages in two
    check(rate >= (3.1 if context.qatlike else 3.3), "compression-rate is %s", rate)


@system_test(timeout=240, cases=[
    dict(compress="compress_isal", decompress="compress_zlib"),
    dict(compress="compress_zlib", decompress="compress_isal"),
    dict(compress="compress_zlib", decompress="compress_zlib", full=True)])
def libraries_understand_each_other(context, compress, decompress):
    report = transfer(context, 256, 160, [*DEFLATE, "--compressdev", compress, "--no-fallback"],
                      ["--compressdev", decompress, "--no-fallback"], workers=1)
    check(report["compression"]["driver"] == compress, "driver %s",
          report["compression"]["driver"])
    check(report["compression"]["errors"] == 0, "errors: %s", report["compression"])


@system_test(cases=[dict(words="--codec auto"),
                    dict(words="--codec auto --compressdev compress_isal"),
                    dict(words="--codec raw"), dict(words="--codec deflate --huffman fixed"),
                    dict(words="--codec lz4"), dict(words="--codec zstd"),
                    dict(words="--codec zstd --level 5", full=True),
                    dict(words="--codec deflate --level 3", full=True),
                    dict(words="--codec deflate --block-pages 1", full=True)])
def arrives_with(context, words):
    transfer(context, 64, 40, words.split())


@system_test()
def several_regions_of_one_file_arrive(context):
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 64, pieces(), 40)
    half = 32 << 20
    words = {}
    for role, path in (("send", source), ("recv", destination)):
        words[role] = ["--mem", "low=%s@0+%d" % (path, half),
                       "--mem", "high=%s@%d+%d" % (path, half, half)]
    sender, receiver = context.start_pair(words["send"], words["recv"])
    sender.expect(0)
    receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")


@system_test()
def bandwidth_limit_holds_and_sigusr1_prints_statistics(context):
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 32, memory_image.made_up(), 16)
    sender, receiver = context.start_pair(
        ["--mem", "ram=" + source, "--codec", "raw", "--max-bandwidth", "40m"],
        ["--mem", "ram=" + destination])
    sender.wait_state("ROUND")
    time.sleep(1)
    lines = len(sender.err)
    sender.signal(signal.SIGUSR1)
    time.sleep(1)
    check(len(sender.err) > lines + 5, "SIGUSR1 printed no statistics\n%s", sender.log())
    report = sender.expect(0).report
    receiver.expect(0)
    bits = report["network"]["wire-bytes"] * 8
    rate = bits / (report["total-time"] / 1000)
    check(rate < 44e6, "%.0f bit/s over a limit of 40 million", rate)
    check(os.path.getsize(destination) == 32 << 20, "the destination has another size")


@system_test(cases=[dict(read="mmap", codec="raw"), dict(read="pread", codec="raw"),
                    dict(read="mmap", codec="zstd"), dict(read="pread", codec="zstd")])
def pages_are_read_as_it_was_asked_for(context, read, codec):
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 96, memory_image.made_up(), 64)
    sender, receiver = context.start_pair(
        ["--mem", "ram=" + source, "--guest-read", read, "--codec", codec],
        ["--mem", "ram=" + destination], workers=2)
    report = sender.expect(0).report
    receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")
    pages = report["ram"]["normal"] + report["ram"]["duplicate"]
    expected = pages if read == "pread" else 0
    check(report["compression"]["read-pages"] == expected, "%d of %d pages were read",
          report["compression"]["read-pages"], pages)


@system_test(timeout=120, cases=[dict(end="sender", read="mmap"), dict(end="sender", read="pread"),
                                 dict(end="receiver", read="auto")])
def an_image_that_is_cut_short_meanwhile_is_a_failure(context, end, read):
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 128, memory_image.made_up(), 120)
    sender, receiver = context.start_pair(
        ["--mem", "ram=" + source, "--max-bandwidth", "300m", "--codec", "raw", "--guest-read",
         read],
        ["--mem", "ram=" + destination], workers=1)
    sender.wait_state("ROUND")
    time.sleep(0.5)
    os.truncate(source if end == "sender" else destination, 0)
    results = {"sender": sender.expect(2, 30), "receiver": receiver.expect(2, 30)}
    check("(region ram) was cut short" in results[end].stderr, "the %s says\n%s", end,
          results[end].stderr)
    # the other end is told, and does not find out by itself
    other = results["receiver" if end == "sender" else "sender"]
    check("cut short" in other.stderr, "the other end says\n%s", other.stderr)
