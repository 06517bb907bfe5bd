#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The measuring part of scripts/bench: all methods in turns, so that drift falls on all alike."""

import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "system"))

from bench_machine import clear, corpus, make_image  # noqa: E402
from bench_migcomp import run_migcomp  # noqa: E402
from bench_qemu import run_qemu  # noqa: E402
from bench_table import draw, link_text, print_table, summarize  # noqa: E402

METHODS = {
    "auto": (run_migcomp, ["--codec", "auto"]),
    "raw": (run_migcomp, ["--codec", "raw"]),
    "lz4": (run_migcomp, ["--codec", "lz4"]),
    "deflate": (run_migcomp, ["--codec", "deflate"]),
    "zstd": (run_migcomp, ["--codec", "zstd"]),
    "qemu-none": (run_qemu, ("none", 2)),
    "qemu-zlib": (run_qemu, ("zlib", 2)),
    "qemu-zstd": (run_qemu, ("zstd", 2)),
    "qemu-none-4": (run_qemu, ("none", 4)),
    "qemu-zlib-4": (run_qemu, ("zlib", 4)),
    "qemu-zstd-4": (run_qemu, ("zstd", 4)),
}
DEFAULT = "raw,lz4,deflate,zstd,qemu-none,qemu-zlib,qemu-zstd"


def parse():
    p = argparse.ArgumentParser(prog="bench", description=__doc__)
    p.add_argument("--program", default="build/app/migcomp/dpdk-migcomp")
    p.add_argument("--links", default="1,2.5,5,10,unlimited",
                   help="Gbit/s; ours on an unlimited link is memif")
    p.add_argument("--methods", default=DEFAULT, help="of: " + ", ".join(METHODS))
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--ram", type=int, default=4096, help="MiB")
    p.add_argument("--fill", type=int, default=3584, help="MiB of it with the corpus")
    p.add_argument("--corpus", help="a file; default: the Silesia files in ../shared/data")
    p.add_argument("--mtu", type=int, default=9000)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--timeout", type=float, default=300)
    p.add_argument("--out", default="bench-results")
    bench = p.parse_args()
    bench.links = [None if w == "unlimited" else float(w) for w in bench.links.split(",")]
    bench.methods = bench.methods.split(",")
    for word in bench.methods:
        if word not in METHODS:
            p.error("no method %s; there are: %s" % (word, ", ".join(METHODS)))
    if bench.fill + 16 > bench.ram:
        p.error("--fill and 16 MiB do not fit --ram")
    return bench


def measure(bench, runs, path):
    for turn in range(bench.repeat):
        for gbit in bench.links:
            for word in bench.methods:
                function, method = METHODS[word]
                run = function(bench, method, gbit)
                run["link-gbit"] = gbit
                runs.append(run)
                print("bench: %d/%d %s %s: %.2f s, CPU %.1f + %.1f s%s" % (
                    turn + 1, bench.repeat, link_text(gbit), word, run["seconds"],
                    run["send-cpu-s"], run["recv-cpu-s"],
                    ", MEMORY DIFFERS" if run["differing-pages"] else ""), flush=True)
                with open(path, "w", encoding="utf-8") as f:
                    json.dump(runs, f, indent=1)
                time.sleep(0.5)


def main():
    bench = parse()
    os.makedirs(bench.out, exist_ok=True)
    bench.image = "/dev/shm/migcbench%d-source" % os.getpid()
    bench.out_dir, bench.out = bench.out, "/dev/shm/migcbench%d-destination" % os.getpid()
    runs = []
    unit = corpus(bench.corpus)
    if not unit:
        sys.exit("bench: the corpus is empty: give --corpus FILE")
    try:
        make_image(bench.image, unit, bench.ram, bench.fill)
        clear(bench.out, bench.ram)
        measure(bench, runs, os.path.join(bench.out_dir, "runs.json"))
    finally:
        for path in (bench.image, bench.out):
            if os.path.exists(path):
                os.unlink(path)
    rows = summarize(runs)
    print_table(rows)
    with open(os.path.join(bench.out_dir, "table.json"), "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=1)
    if draw(rows, os.path.join(bench.out_dir, "bench.png")):
        print("\nbench: %s/bench.png, table.json, runs.json" % bench.out_dir)
    return 1 if any(r["differing-pages"] for r in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
