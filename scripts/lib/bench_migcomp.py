# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-migcomp at both ends: over af_packet on the link, or over memif without one; the copy of a
plain image by it."""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

from bench_link import BenchLink
from bench_machine import MIB, MachineWatch, RunFailed, clear, cpu_seconds, differing_pages
from harness.migcomp import (DESTINATION_ADDRESS, SOURCE_ADDRESS, af_packet_words, eal_words,
                             memif_words)

START_TIMEOUT = 60
# a receiver that has nothing to do: so much CPU time in so long
IDLE_SECONDS, IDLE_CPU_SECONDS = 0.2, 0.02


class End:
    """One process. Gone at the end of `stack`."""

    def __init__(self, stack, bench, directory, role, prefix, port, words):
        self.role, self.ended, self.cpu = role, None, None
        self.report_path = os.path.join(directory, role + ".report")
        self.error_path = os.path.join(directory, role + ".stderr")
        eal = bench.eal[role] or eal_words(bench.workers, huge_pages=bench.huge_pages.there)
        argv = [*prefix, bench.program, *eal, *port, "--", role, *words, "--psk", bench.key,
                "--mtu", str(bench.mtu), "--progress", "none", "--report", self.report_path]
        with open(self.error_path, "wb") as errors:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=errors)
        stack.callback(self.process.stdout.close)
        stack.callback(self.process.wait)
        stack.callback(self.process.kill)

    def failure(self, what):
        with open(self.error_path, errors="replace", encoding="utf-8") as f:
            return RunFailed("dpdk-migcomp %s %s: %s" % (self.role, what, f.read()[-2000:]))

    def await_listening(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_TIMEOUT)
        if not ready or b"listening" not in self.process.stdout.readline():
            raise self.failure("does not listen")

    def await_idle(self):
        """A receiver maps the memory that is there (warm) before anybody comes, as QEMU has by
        the time that it can be told to migrate."""
        end = time.monotonic() + START_TIMEOUT
        before, now = -1.0, cpu_seconds(self.process.pid)
        while now - before > IDLE_CPU_SECONDS:
            if time.monotonic() > end:
                raise self.failure("listens and does not become idle within %d s" % START_TIMEOUT)
            time.sleep(IDLE_SECONDS)
            before, now = now, cpu_seconds(self.process.pid)

    def await_exit(self, timeout):
        """Its end and its CPU time are looked at before it is waited for. @return whether it has
        ended in time."""
        descriptor = os.pidfd_open(self.process.pid)
        try:
            ready, _, _ = select.select([descriptor], [], [], timeout)
        finally:
            os.close(descriptor)
        if not ready:
            return False
        self.ended, self.cpu = time.monotonic(), cpu_seconds(self.process.pid)
        return True

    def check_status(self):
        if self.process.wait() != 0:
            raise self.failure("ended with status %d" % self.process.returncode)

    def report(self):
        with open(self.report_path, encoding="utf-8") as f:
            return json.load(f)


def ports(stack, bench, directory, gbit):
    """(words for EAL, prefix) of the sender and of the receiver, and the link when there is one."""
    if all(bench.port.values()):
        return [(bench.port[role], []) for role in ("send", "recv")], None
    if not gbit:
        path = os.path.join(directory, "memif")
        return [(memif_words(path, server, bench.mtu), []) for server in (False, True)], None
    link = stack.enter_context(BenchLink(bench.token, gbit, bench.mtu, kernel=False))
    return [(af_packet_words(bench.mtu, bench.workers), link.inside(side))
            for side in ("source", "destination")], link


class MigcompMigration:
    """From the start of the sender, EAL's start included, until both ends have exited. The
    receiver listens and is idle by then: its start is not counted, as QEMU's is not.
    `vms`: the guest's QEMUs, source and destination, whose CPU time belongs to the migration."""

    def __init__(self, stack, bench, directory, gbit, guest, words, vms=()):
        self.vms = vms
        ends, self.link = ports(stack, bench, directory, gbit)
        self.receiver = End(stack, bench, directory, "recv", ends[1][1], ends[1][0],
                            ["--ip", DESTINATION_ADDRESS + "/24", *guest["recv"]])
        self.receiver.await_listening()
        self.receiver.await_idle()
        self.receiver_before = cpu_seconds(self.receiver.process.pid)
        self.sent = self.link.sent_bytes() if self.link else 0
        self.watch = MachineWatch()
        self.vms_before = [vm.cpu_seconds() for vm in vms]
        self.begin = time.monotonic()
        self.sender = End(stack, bench, directory, "send", ends[0][1], ends[0][0],
                          ["--ip", SOURCE_ADDRESS + "/24", "--connect", DESTINATION_ADDRESS,
                           *guest["send"], *words])

    def finish(self, timeout):
        """@return fields of the run; without an end in time it is cancelled, not converged."""
        if not self.sender.await_exit(timeout):
            fields = self._counters()
            self.sender.process.terminate()
            if not self.sender.await_exit(30):
                raise self.sender.failure("does not end when cancelled")
            return {**fields, "converged": False, "seconds": timeout,
                    "rounds": self.sender.report()["ram"]["dirty-sync-count"]}
        # a receiver whose sender failed may wait for the next one
        self.sender.check_status()
        if not self.receiver.await_exit(30):
            raise self.receiver.failure("does not end")
        fields = self._counters()
        self.receiver.check_status()
        report = self.sender.report()
        return {**fields, "seconds": max(self.sender.ended, self.receiver.ended) - self.begin,
                "converged": True, "downtime-ms": report["downtime"],
                "rounds": report["ram"]["dirty-sync-count"], "report": report}

    def _counters(self):
        machine = self.watch.stop()
        cpu = [end.cpu if end.ended else cpu_seconds(end.process.pid)
               for end in (self.sender, self.receiver)]
        cpu[1] -= self.receiver_before
        for i, vm in enumerate(self.vms):
            cpu[i] += vm.cpu_seconds() - self.vms_before[i]
        return {"send-cpu-s": cpu[0], "recv-cpu-s": cpu[1], **machine,
                "wire-bytes": self._wire_bytes()}

    def _wire_bytes(self):
        """The link's count of both ends; without a link what both ends say they sent, None when
        they have not said."""
        if self.link:
            return self.link.sent_bytes() - self.sent
        if not (self.sender.ended and self.receiver.ended):
            return None
        return sum(end.report()["network"]["wire-bytes"] for end in (self.sender, self.receiver))


def copy_by_migcomp(bench, method, gbit):
    clear(bench.destination, bench.ram, bench.cold)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=bench.scratch))
        guest = {"send": ["--mem", "ram=" + bench.image],
                 "recv": ["--mem", "ram=" + bench.destination]}
        migration = MigcompMigration(stack, bench, directory, gbit, guest, method.words)
        fields = migration.finish(bench.timeout)
        if not fields["converged"]:
            raise RunFailed("dpdk-migcomp is not done within %g s" % bench.timeout)
    return {**fields, "filled-bytes": bench.fill * MIB,
            "differing-pages": differing_pages(bench.image, bench.destination)}
