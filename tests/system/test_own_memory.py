# SPDX-License-Identifier: BSD-3-Clause
"""Sender and receiver stay small, however large the guest."""

import time

from harness.context import Shape
from harness.registry import Skip, check, system_test

LIMIT = 256 << 20


@system_test(timeout=180, cases=[dict(dirty="pagemap"), dict(dirty="hash", full=True)])
def both_ends_stay_under_256_mib_for_a_4_gib_guest(context, dirty):
    if context.sanitized:
        raise Skip("a sanitizer's memory is not the program's")
    shape = Shape(mib=4096, fill=512, rate=20, working_set=64)
    source = context.source(shape)
    source.wait_booted()
    destination = context.destination(shape)
    pair = context.start_migration(source, destination, ["--dirty", dirty], workers=2)
    names = [*source.files.values(), *destination.files.values()]
    while pair[0].process.poll() is None:
        for endpoint in pair:
            endpoint.sample_own_memory(names)
        time.sleep(0.1)
    results = context.finish_migration(*pair, source, destination)
    for endpoint, result in zip(pair, results):
        check(0 < endpoint.own_bytes < LIMIT, "%s: %.1f MiB resident", endpoint.name,
              endpoint.own_bytes / 2**20)
        reported = result.report["memory"]["own-bytes"]
        check(reported < LIMIT, "%s reports %s bytes", endpoint.name, reported)
