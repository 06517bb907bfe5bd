# SPDX-License-Identifier: BSD-3-Clause
"""One copy of the image by dpdk-migcomp: over af_packet on the link, or over memif without one."""

import contextlib
import json
import os
import subprocess
import tempfile
import time

from bench_machine import MIB, BenchLink, clear, cpu_seconds, differing_pages
from harness.migcomp import af_packet_words, eal_words, memif_words

USER = "bench"


def start(stack, bench, prefix, port, words, report):
    argv = [*prefix, bench.program, *eal_words(bench.workers), *port, "--", *words,
            "--mtu", str(bench.mtu), "--progress", "none", "--report", report]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def await_exit(process, timeout):
    """@return (when, CPU seconds) of its end; it stays to be waited for."""
    end = time.monotonic() + timeout
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > end:
            raise RuntimeError("dpdk-migcomp does not end")
        time.sleep(0.002)
    when, cpu = time.monotonic(), cpu_seconds(process.pid)
    if process.wait() != 0:
        raise RuntimeError("dpdk-migcomp: " + process.stderr.read())
    return when, cpu


def write_key(directory):
    path = os.path.join(directory, "key")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
        f.write("%s:%s\n" % (USER, os.urandom(32).hex()))
    return path


def ports(stack, bench, directory, gbit, unlimited_memif):
    """(words for EAL, prefix) of both ends, and the link when there is one."""
    if not gbit and unlimited_memif:
        path = os.path.join(directory, "memif")
        return [(memif_words(path, server, bench.mtu), []) for server in (False, True)], None
    link = stack.enter_context(BenchLink(gbit, bench.mtu, kernel=False))
    return [(af_packet_words(bench.mtu, bench.workers), link.inside(side))
            for side in ("source", "destination")], link


def run_migcomp(bench, method, gbit):
    clear(bench.out, bench.ram)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="migcbench"))
        key = write_key(directory)
        ends, link = ports(stack, bench, directory, gbit, True)
        receiver = start(stack, bench, ends[1][1], ends[1][0],
                         ["recv", "--ip", "192.0.2.2/24", "--psk", key,
                          "--mem", "ram=" + bench.out], os.path.join(directory, "recv"))
        if "listening" not in receiver.stdout.readline():
            raise RuntimeError("dpdk-migcomp recv: " + receiver.stderr.read())
        receiver_before = cpu_seconds(receiver.pid)
        begin = time.monotonic()
        sender = start(stack, bench, ends[0][1], ends[0][0],
                       ["send", "--ip", "192.0.2.1/24", "--connect", "192.0.2.2", "--psk", key,
                        "--mem", "ram=" + bench.image, *method], os.path.join(directory, "send"))
        sender_end, sender_cpu = await_exit(sender, bench.timeout)
        receiver_end, receiver_cpu = await_exit(receiver, bench.timeout)
        sent = link.sent_bytes() if link else None
        with open(os.path.join(directory, "send"), encoding="utf-8") as f:
            report = json.load(f)
    return {"tool": "migcomp", "method": " ".join(method[1:]), "channels": bench.workers,
            "seconds": max(sender_end, receiver_end) - begin,
            "send-cpu-s": sender_cpu, "recv-cpu-s": receiver_cpu - receiver_before,
            "wire-bytes": sent or report["network"]["wire-bytes"],
            "filled-bytes": bench.fill * MIB, "report": report,
            "differing-pages": differing_pages(bench.image, bench.out)}
