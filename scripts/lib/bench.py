#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The measuring part of scripts/bench: all methods in turns, so that drift falls on all alike.
What it starts and makes goes away with it, whatever ends it."""

import json
import os
import platform
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "system"))

import bench_options  # noqa: E402
from bench_link import link_text  # noqa: E402
from bench_live import build_guest, live_by_migcomp, live_by_qemu  # noqa: E402
from bench_machine import HugePages, Unusable, check_room, clean_up, corpus, make_image  # noqa: E402
from bench_methods import estimate_s  # noqa: E402
from bench_migcomp import copy_by_migcomp  # noqa: E402
from bench_picture import draw  # noqa: E402
from bench_qemu import copy_by_qemu, version  # noqa: E402
from bench_summary import summarize  # noqa: E402
from bench_table import print_live_table, print_targets, print_table  # noqa: E402
from bench_targets import departures, evaluate, load  # noqa: E402
from harness.leaks import TOKEN_VARIABLE  # noqa: E402

COPY = {"migcomp": copy_by_migcomp, "qemu": copy_by_qemu}
LIVE = {"migcomp": live_by_migcomp, "qemu": live_by_qemu}
EAL_MIB = 512  # of both ends
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Not an Exception: no failed run swallows it."""


def interrupt(number, _frame):
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(number)


def say(text):
    print("bench: " + text, flush=True)


def eal_memory(bench):
    if all(bench.eal.values()):
        return "what its words say"
    return "2 MiB pages" if bench.huge_pages.there else "4 KiB pages"


def conditions(bench):
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if "model name" in line), "?")
    return {"ram-mib": bench.ram, "fill-mib": bench.fill,
            "destination": "cold" if bench.cold else "warm", "mtu": bench.mtu,
            "workers": bench.workers, "cpus": len(os.sched_getaffinity(0)), "cpu": model,
            "kernel": platform.release(), "qemu": bench.qemu,
            "eal-memory": eal_memory(bench),
            "tls": "dpdk-migcomp: on (pre-shared key); QEMU: off",
            "set-mib": bench.set, "downtime-limit-ms": bench.downtime_limit,
            "send-eal": bench.send_eal, "recv-eal": bench.recv_eal,
            "send-port": bench.send_port, "recv-port": bench.recv_port,
            "methods": {name: " ".join(m.words) or "multifd-compression=%s" % m.codec
                        for name, m in bench.methods.items()}}


def one_run(bench, word, gbit, rate):
    """Fields of a run; of one that failed, its error."""
    method = bench.methods[word]
    run = {"kind": "live" if rate else "copy", "link-gbit": gbit, "dirty-mb-s": rate,
           "method": word, "tool": method.tool,
           "channels": method.channels or bench.workers}
    try:
        if rate:
            run |= LIVE[method.tool](bench, method, gbit, rate)
        else:
            run |= COPY[method.tool](bench, method, gbit)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        run["error"] = "%s: %s" % (type(error).__name__, error)
    return run


def run_text(run):
    if "error" in run:
        return "FAILED: " + run["error"]
    text = "%.2f s, CPU %.1f + %.1f s" % (run["seconds"], run["send-cpu-s"], run["recv-cpu-s"])
    if run["kind"] == "copy":
        return text + (", MEMORY DIFFERS" if run["differing-pages"] else "")
    if not run["converged"]:
        return text + ", does not converge"
    return text + ", blackout %.0f ms, %d rounds" % (run["blackout-ms"], run["rounds"])


def measure(bench, runs):
    path = os.path.join(bench.out, "runs.json")
    jobs = [(gbit, 0, word) for gbit in bench.links for word in bench.methods_at[gbit]]
    jobs += [(*pair, word) for pair in bench.live for word in bench.live_methods]
    image_is_whole = False
    for turn in range(bench.repeat):
        for gbit, rate, word in jobs:
            # a live guest writes into the image; each makes it anew for itself
            if not rate and not image_is_whole:
                make_image(bench.image, bench.unit, bench.ram, bench.fill)
            image_is_whole = not rate
            run = one_run(bench, word, gbit, rate)
            runs.append(run)
            say("%d/%d %s%s %s: %s" % (turn + 1, bench.repeat, link_text(gbit),
                                       ", %d MB/s" % rate if rate else "", word, run_text(run)))
            with open(path, "w", encoding="utf-8") as f:
                json.dump(runs, f, indent=1)
            time.sleep(0.5)


def show(bench, runs):
    facts, rows = conditions(bench), summarize(runs)
    targets = load()
    verdicts, other = evaluate(rows, targets), departures(targets, facts, bench.repeat)
    print("\n%s destination; MTU %d; %d workers or 2 channels a side unless said; EAL on %s; %d "
          "CPUs (%s); %s; TLS on for dpdk-migcomp, off for QEMU" % (
              facts["destination"].capitalize(), bench.mtu, bench.workers, facts["eal-memory"],
              facts["cpus"], facts["cpu"], facts["qemu"]))
    print_table(rows)
    print_live_table(rows)
    print_targets(verdicts, other)
    with open(os.path.join(bench.out, "table.json"), "w", encoding="utf-8") as f:
        json.dump({"conditions": facts, "turns": bench.repeat, "rows": rows, "targets": verdicts,
                   "targets-mean-other-conditions": other}, f, indent=1)
    missing = draw(rows, os.path.join(bench.out, "bench.png"))
    print()
    say("%s: runs.json, table.json, %s" % (bench.out, "bench.png" if missing is None else
                                           "no picture: " + missing))


def plan(bench):
    seconds, lines = estimate_s(bench)
    for line in lines:
        say(line)
    say("%d turn%s: about %d minutes" % (bench.repeat, "s"[:bench.repeat != 1],
                                         -(-seconds // 60)))


def run_all(bench, runs):
    if not os.access(bench.program, os.X_OK):
        raise Unusable("no program %s: run scripts/build, or give --program" % bench.program)
    bench.unit = corpus(bench.corpus)
    check_room(bench.ram)
    # who gives EAL's words for both ends has said what memory it has
    if not all(bench.eal.values()):
        bench.huge_pages.reserve(EAL_MIB)
    bench.qemu = version()
    if bench.live:
        build_guest(bench.scratch)
    os.makedirs(bench.out, exist_ok=True)
    bench.key = os.path.join(bench.scratch, "key")
    with open(os.open(bench.key, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
        f.write("bench:%s\n" % os.urandom(32).hex())
    measure(bench, runs)


def main():
    bench = bench_options.parse()
    plan(bench)
    if bench.plan:
        return 0
    bench.token = "migcbench%d" % os.getpid()
    os.environ[TOKEN_VARIABLE] = bench.token
    bench.image = "/dev/shm/%s-source" % bench.token
    bench.destination = "/dev/shm/%s-destination" % bench.token
    for number in SIGNALS:
        signal.signal(number, interrupt)
    runs, status = [], 0
    bench.huge_pages = HugePages()
    bench.scratch = tempfile.mkdtemp(prefix=bench.token + "-")
    try:
        run_all(bench, runs)
    except Unusable as error:
        print("bench: %s" % error, file=sys.stderr)
        status = 1
    except Interrupted as interrupted:
        print("bench: %s: cleaned up" % signal.Signals(interrupted.args[0]).name, file=sys.stderr)
        status = 128 + interrupted.args[0]
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        clean_up(bench.token, bench.scratch)
        bench.huge_pages.give_back()
    if runs:
        show(bench, runs)
    if status == 0 and any("error" in run or run.get("differing-pages") for run in runs):
        status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
