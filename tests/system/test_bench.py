# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench moves an image and a running guest by either tool, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import time

from harness.leaks import namespaces, processes
from harness.registry import check, system_test

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "lib",
                     "bench.py")
SMALL = ["--ram", "64", "--fill", "32", "--set", "8", "--repeat", "1"]
NUMBERS = ("seconds", "send-cpu-s", "recv-cpu-s", "machine-busy-s", "wire-bytes", "filled-bytes",
           "downtime-ms", "rounds")


def start(context, *words):
    corpus = context.path("corpus")
    with open(corpus, "wb") as file:
        for i in range(16384):
            file.write(b"page %d of what is moved " % (i * i))
        file.write(os.urandom(1 << 18))
    process = subprocess.Popen(
        ["/usr/bin/python3", "-B", BENCH, "--program", context.program, "--corpus", corpus, "--out",
         context.path("out"), *SMALL, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
    context.on_exit(lambda: stop(process))
    return process


def stop(process):
    """It cleans up after itself, unless it is killed."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def nothing_is_left(process):
    token = "migcbench%d" % process.pid
    left = list(processes(token).values()) + [n for n in namespaces() if n.startswith(token)]
    left += [n for directory in ("/dev/shm", "/tmp") for n in os.listdir(directory)
             if n.startswith(token)]
    check(not left, "left behind: %s", left)


def load(context, name):
    with open(context.path(os.path.join("out", name)), encoding="utf-8") as file:
        return json.load(file)


def check_run(run):
    check("error" not in run, "%s: %s", run["method"], run.get("error"))
    for name in NUMBERS:
        check(isinstance(run.get(name), (int, float)) and run[name] >= 0, "%s: %s is %s",
              run["method"], name, run.get(name))
    check(run["seconds"] > 0 and run["wire-bytes"] > 1 << 18, "%s: %s s, %s bytes",
          run["method"], run["seconds"], run["wire-bytes"])
    check(run["converged"], "%s does not converge", run["method"])


@system_test(alone=True)
def copies_and_live_runs_of_both_tools_are_measured(context):
    process = start(context, "--links", "2", "--methods", "raw,qemu-none", "--live", "20",
                    "--live-links", "2", "--live-methods", "raw,qemu-none")
    text, _ = process.communicate(timeout=80)
    check(process.returncode == 0, "exit status %s\n%s", process.returncode, text)
    runs, table = load(context, "runs.json"), load(context, "table.json")
    check([(run["kind"], run["method"]) for run in runs] == [
        (kind, method) for kind in ("copy", "live") for method in ("raw", "qemu-none")],
        "other runs: %s", text)
    for run in runs:
        check_run(run)
        if run["kind"] == "copy":
            check(run["differing-pages"] == 0, "%s: memory differs", run["method"])
        else:
            check(run["goes-on"] and run["blackout-ms"] > 0 and run["rounds"] > 1 and
                  run["dirtied-before-mb-s"] > 10, "%s: the guest: %s", run["method"], run)
    check(len(table["rows"]) == 4 and table["conditions"]["destination"] == "warm" and
          table["targets"] and table["targets-mean-other-conditions"], "table: %s", table)
    check(table["rows"][1]["to-best"] == 1 and table["rows"][0]["to-best"] > 0, "no ratios: %s",
          table["rows"])
    nothing_is_left(process)


@system_test(alone=True)
def a_failed_method_does_not_stop_the_others(context):
    process = start(context, "--links", "unlimited", "--method", "wrong=--codec nonsense",
                    "--methods", "wrong,raw", "--cold")
    text, _ = process.communicate(timeout=80)
    check(process.returncode == 2, "exit status %s\n%s", process.returncode, text)
    wrong, good = load(context, "runs.json")
    check("nonsense" in wrong.get("error", ""), "no reason: %s", wrong)
    check_run(good)
    check(good["differing-pages"] == 0, "memory differs")
    check(load(context, "table.json")["conditions"]["destination"] == "cold", "not cold")


@system_test(alone=True, cases=[dict(method="raw", number=signal.SIGTERM),
                                dict(method="qemu-none", number=signal.SIGINT)])
def interrupted_it_leaves_nothing_behind(context, method, number):
    process = start(context, "--links", "0.02", "--methods", method)
    token, end = "migcbench%d" % process.pid, time.monotonic() + 30
    # the namespaces and the programs of a run are there
    while len(processes(token)) < 2:
        check(time.monotonic() < end and process.poll() is None, "no run begins")
        time.sleep(0.05)
    process.send_signal(number)
    text, _ = process.communicate(timeout=20)
    check(process.returncode == 128 + number, "exit status %s\n%s", process.returncode, text)
    nothing_is_left(process)
