#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The moving part of scripts/demo. What it starts and makes goes away with it, whatever ends it."""

import argparse
import os
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "system"))

from harness.context import Context  # noqa: E402
from harness.leaks import TOKEN_VARIABLE, Snapshot  # noqa: E402
from harness.migcomp import DESTINATION_ADDRESS, SOURCE_ADDRESS  # noqa: E402
from harness.registry import Failure, check  # noqa: E402
from harness.vm import Shape, check_continuity  # noqa: E402

DOWNTIME_MS = 300
# what the sender expects is an estimate: what it may be wrong by
DOWNTIME_LIMIT_MS = DOWNTIME_MS - 40
SHAPE = Shape(mib=1024, fill=768, rate=50, working_set=256)


class Interrupted(Exception):
    pass


def interrupt(number, _frame):
    raise Interrupted(signal.Signals(number).name)


def say(text):
    print("demo: %s" % text, flush=True)


def mib(count):
    return "%.1f MiB" % (count / 2**20)


def rows(report):
    ram, compression, network = report["ram"], report["compression"], report["network"]
    yield "status", report["status"]
    yield "total time", "%d ms" % report["total-time"]
    yield "downtime", "%d ms" % report["downtime"]
    yield "guest RAM", mib(ram["total"])
    yield "rounds", "%d" % ram["dirty-sync-count"]
    yield "pages sent", "%d (%s)" % (ram["normal"], mib(ram["normal-bytes"]))
    yield "zero pages", "%d" % ram["duplicate"]
    yield "on the wire", "%s in %d packets" % (mib(network["wire-bytes"]), network["packets"])
    yield "lost packets", "%d" % network["lost"]
    device = compression["device"]
    yield "codec", compression["codec"] + (" on " + device if device else "")
    yield "compression-rate", "%.2f" % compression["compression-rate"]
    yield "raw blocks", "%d" % compression["raw-blocks"]
    yield "CPU time", "%.1f s user, %.1f s system" % (report["cpu"]["user-s"],
                                                     report["cpu"]["system-s"])


def print_table(report):
    lines = list(rows(report))
    width = max(len(name) for name, _ in lines)
    rule = "+-%s-+-%s-+" % ("-" * width, "-" * 34)
    print(rule)
    for name, value in lines:
        print("| %-*s | %-34s |" % (width, name, value))
    print(rule, flush=True)


def watch(sender, timeout=120):
    """The sender's own progress, as it comes."""
    seen, end = 0, time.monotonic() + timeout
    while sender.process.poll() is None:
        check(time.monotonic() < end, "the migration is not done within %d s\n%s", timeout,
              sender.log())
        for line in sender.err[seen:]:
            print("      %s" % line, flush=True)
            seen += 1
        time.sleep(0.05)


def migrate(context):
    link = context.link(mtu=9000)
    say("two network namespaces, joined by a veth pair: %s (%s), %s (%s); the kernel has no "
        "address there" % (link.source, SOURCE_ADDRESS, link.destination, DESTINATION_ADDRESS))
    source = context.source(SHAPE)
    source.wait_text(r"WORKLOAD ready", 120)
    source.wait_booted()
    source.wait_beats(10)
    say("source: Linux runs in %d MiB, %d MiB filled, %d MiB/s rewritten; heartbeat %d" % (
        SHAPE.mib, SHAPE.fill, SHAPE.rate, source.heartbeats()[-1]))
    destination = context.destination(SHAPE)
    say("destination: QEMU waits, stopped and empty")
    context.psk()
    say("a pre-shared key for both ends: made")
    words = ["--verify", "--downtime-limit", str(DOWNTIME_LIMIT_MS)]
    receiver = context.endpoint("recv", ["--qmp", destination.qmp_path], workers=0,
                                port="af_packet", mtu=9000, link=link)
    say("receiver: %s" % receiver.wait_listening().group(0))
    sender = context.endpoint("send", ["--qmp", source.qmp_path, *words], workers=0,
                              port="af_packet", mtu=9000, link=link)
    say("sender: started; what it says:")
    watch(sender)
    sent = sender.expect(0)
    receiver.expect(0, 30)
    return source, destination, sent.report


def confirm(source, destination, report):
    destination.wait_beats(10)
    before, after = check_continuity(source, destination)
    say("heartbeat: the source's last was %d, the destination goes on with %d; none is missing" % (
        before, after))
    check(source.status() == "postmigrate", "the source VM is %s", source.status())
    say("source: its VM is stopped for good (%s)" % source.status())
    say("the guest's own verification, at the destination: %s" % destination.verify())
    check(report["verified"], "RAM was not compared at the switchover")
    say("all RAM was compared at the switchover: equal at both ends")
    check(report["downtime"] < DOWNTIME_MS, "downtime was %d ms, over %d",
          report["downtime"], DOWNTIME_MS)
    say("downtime: %d ms" % report["downtime"])


def run(context):
    source, destination, report = migrate(context)
    confirm(source, destination, report)
    print_table(report)
    say("done: the guest has moved and never noticed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--guest", required=True)
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    token = "migcdemo%d" % os.getpid()
    before = Snapshot()
    scratch = tempfile.mkdtemp(prefix=token + "-")
    os.environ[TOKEN_VARIABLE] = token
    program = os.path.abspath(os.path.join(options.build, "app", "migcomp", "dpdk-migcomp"))
    context = Context(token, scratch, program, options.guest)
    status = 1
    try:
        with context.stack:
            run(context)
        status = 0
    except Failure as failure:
        print("demo: FAILED: %s" % failure, file=sys.stderr)
    except Interrupted as interrupted:
        print("demo: %s: cleaned up" % interrupted, file=sys.stderr)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        left = before.leaks(token, scratch)
        before.clean_up(token, scratch)
    if left:
        print("demo: left behind (removed now): %s" % ", ".join(left), file=sys.stderr)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
