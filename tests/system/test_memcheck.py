# SPDX-License-Identifier: BSD-3-Clause
"""Whole live migrations with both ends under valgrind's memcheck. It shows the program a CPU without
AVX-512, so those variants (pages, deltas, DEFLATE of ISA-L, AES of IPsec-MB) do not run here, and its
3.19 does not know userfaultfd(2), so the pagemap tracker does not: the sanitizer build has both."""

import glob
import re
import shutil

from harness.context import Shape
from harness.registry import Skip, check, system_test

MEMCHECK = ["valgrind", "--fair-sched=yes", "--leak-check=full", "--error-exitcode=87",
            # what a library keeps until the end is no leak
            "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]


@system_test(full=True, timeout=540, cases=[
    dict(port="memif", workers=0, codec="deflate"),
    dict(port="af_packet", workers=1, codec="zstd"),
])
def finds_nothing_in_a_live_migration(context, port, workers, codec):
    if not shutil.which("valgrind"):
        raise Skip("there is no valgrind: apt-get install valgrind")
    if context.sanitized:
        raise Skip("valgrind and AddressSanitizer do not run together")
    shape = Shape(fill=16, rate=1)
    source = context.source(shape)
    source.wait_booted()
    destination = context.destination(shape)
    context.endpoint_prefix = [*MEMCHECK, "--log-file=" + context.path("memcheck.%p")]
    link = context.link() if port == "af_packet" else None
    receiver = context.endpoint("recv", ["--qmp", destination.qmp_path], workers=workers, port=port,
                                link=link)
    receiver.wait_listening(60)
    sender = context.endpoint("send", ["--qmp", source.qmp_path, "--verify", "--codec", codec,
                                       "--dirty", "hash", "--downtime-limit", "60000"],
                              workers=workers, port=port, link=link)
    context.finish_migration(sender, receiver, source, destination, 400)
    logs = glob.glob(context.path("memcheck.*"))
    check(len(logs) >= 2, "%d logs of memcheck", len(logs))
    for path in logs:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        check("ERROR SUMMARY: " in text, "memcheck did not come to its end:\n%s", text[-3000:])
        check(not re.search(r"ERROR SUMMARY: [1-9]", text), "memcheck found:\n%s", text[:6000])
