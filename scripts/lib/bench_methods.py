# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: methods, which of them at which link, and how long that takes."""

from bench_link import link_text

FIXED = ["raw", "lz4", "deflate", "zstd"]
# a set-up, a destination made ready and a comparison, beside each migration
OVERHEAD_S, OVERHEAD_S_PER_GIB, LIVE_OVERHEAD_S_PER_GIB = 1.5, 1.5, 2.0
WIRE_SHARE = 0.95  # of a link's bits that are not headers


class Method:
    """One row of the table. `gib_s` and `ratio` are rough: they only serve the estimate."""

    def __init__(self, tool, gib_s, ratio, words=(), codec=None, channels=None):
        self.tool, self.words, self.codec, self.channels = tool, list(words), codec, channels
        self.gib_s, self.ratio = gib_s, ratio

    def copy_seconds(self, gib, gbit):
        seconds = gib / self.gib_s
        if gbit:
            seconds = max(seconds, gib / self.ratio * 8.59 / gbit / WIRE_SHARE)
        return seconds


def migcomp(codec, gib_s, ratio):
    return Method("migcomp", gib_s, ratio, words=["--codec", codec])


def qemu(codec, channels, gib_s, ratio):
    return Method("qemu", gib_s, ratio, codec=codec, channels=channels)


METHODS = {
    "auto": migcomp("auto", 1.0, 3.6),
    "raw": migcomp("raw", 1.0, 1),
    "lz4": migcomp("lz4", 0.9, 2.1),
    "deflate": migcomp("deflate", 0.5, 3.3),
    "zstd": migcomp("zstd", 0.5, 3.6),
    "qemu-none": qemu("none", 2, 2.2, 1),
    "qemu-zlib": qemu("zlib", 2, 0.15, 3.3),
    "qemu-zstd": qemu("zstd", 2, 0.55, 3.6),
    "qemu-none-4": qemu("none", 4, 2.2, 1),
    "qemu-zlib-4": qemu("zlib", 4, 0.15, 3.3),
    "qemu-zstd-4": qemu("zstd", 4, 0.55, 3.6),
}
ALWAYS = ["auto", *FIXED, "qemu-none", "qemu-zstd"]
LIVE = ["auto", *FIXED, "qemu-none", "qemu-zlib", "qemu-zstd"]


def default_methods(gbit):
    """zlib is QEMU's slowest, and only compared with at two links."""
    return ALWAYS + (["qemu-zlib"] if gbit in (1, None) else [])


def estimate_s(bench):
    """Seconds of all runs of all turns, and a line for each link."""
    gib, lines, total = bench.fill / 1024, [], 0
    overhead = OVERHEAD_S + OVERHEAD_S_PER_GIB * bench.ram / 1024
    for gbit in bench.links:
        seconds = sum(overhead + bench.methods[word].copy_seconds(gib, gbit)
                      for word in bench.methods_at[gbit])
        lines.append("%s: %d methods, about %d s" % (
            link_text(gbit), len(bench.methods_at[gbit]), seconds))
        total += seconds
    for gbit, rate in bench.live:
        seconds = sum(live_seconds(bench, bench.methods[word], gbit, rate, gib) + overhead +
                      LIVE_OVERHEAD_S_PER_GIB * bench.ram / 1024 for word in bench.live_methods)
        lines.append("%s, %d MB/s dirtied: %d methods, about %d s" % (
            link_text(gbit), rate, len(bench.live_methods), seconds))
        total += seconds
    return total * bench.repeat, lines


def live_seconds(bench, method, gbit, rate, gib):
    """Rounds are a geometric series; one that does not converge runs into the limit."""
    once = method.copy_seconds(gib, gbit)
    share = rate * 1e6 / (gib * 2**30 / once)
    return min(bench.live_timeout, once / (1 - share)) if share < 1 else bench.live_timeout
