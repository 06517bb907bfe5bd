# SPDX-License-Identifier: BSD-3-Clause
"""QEMU: the VM of a run, and the migration by its own multifd of one that never ran."""

import contextlib
import os
import subprocess
import tempfile
import time

from bench_link import BenchLink
from bench_machine import (MIB, MachineWatch, RunFailed, Unusable, clear, cpu_seconds,
                           differing_pages)
from bench_qmp import EventQmp, stamp

QEMU = os.environ.get("BENCH_QEMU", "qemu-system-x86_64")
PORT = 4444


def version():
    try:
        done = subprocess.run([QEMU, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unusable("%s does not run: %s" % (QEMU, error)) from error
    return done.stdout.splitlines()[0]


def ram_words(bench, path, share, prealloc):
    return ["-object", "memory-backend-file,id=ram,size=%dM,mem-path=%s,share=%s,prealloc=%s" % (
        bench.ram, path, share, prealloc)]


class Vm:
    """Without firmware's choices: no devices, RAM from a file, TCG. Gone at the end of `stack`."""

    def __init__(self, stack, bench, prefix, directory, side, words):
        path = os.path.join(directory, side + ".qmp")
        self.side, self.error_path = side, os.path.join(directory, side + ".stderr")
        self.qmp_path = os.path.join(directory, side + ".other-qmp")
        argv = [*prefix, QEMU, "-nodefaults", "-no-user-config", "-display", "none",
                "-machine", "q35,memory-backend=ram", "-accel", "tcg", "-cpu", "qemu64",
                "-m", "%dM" % bench.ram, "-qmp", "unix:%s,server=on,wait=off" % path,
                "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path, *words]
        with open(self.error_path, "wb") as errors:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=errors)
        stack.callback(self.process.wait)
        stack.callback(self.process.kill)
        try:
            self.qmp = EventQmp(path, lambda: self.process.poll() is None)
        except OSError as error:
            raise RunFailed("%s QEMU: %s %s" % (side, error, self.errors())) from error
        stack.callback(self.qmp.close)
        self.vcpu = self.qmp.command("query-cpus-fast")[0]["thread-id"]

    def errors(self):
        with open(self.error_path, errors="replace", encoding="utf-8") as f:
            return f.read()

    def cpu_seconds(self):
        """Of all its threads but the guest's own."""
        return cpu_seconds(self.process.pid) - cpu_seconds(self.process.pid, self.vcpu)

    def set_up(self, method, channels, downtime_limit_ms):
        self.qmp.command("migrate-set-capabilities", capabilities=[
            {"capability": "multifd", "state": True}, {"capability": "events", "state": True}])
        self.qmp.command("migrate-set-parameters", **{
            "max-bandwidth": 1 << 40, "downtime-limit": downtime_limit_ms,
            "multifd-channels": channels, "multifd-compression": method,
            "multifd-zlib-level": 1, "multifd-zstd-level": 1})

    def await_completed(self, timeout):
        """@return when, of the machine's clock; None when it does not end in time."""
        event = self.qmp.wait_event(timeout, "MIGRATION", "completed", "failed", "cancelled")
        if event and event["data"]["status"] != "completed":
            raise RunFailed("%s QEMU's migration: %s %s" % (
                self.side, event["data"]["status"], self.errors()))
        return stamp(event) if event else None


class QemuMigration:
    """From the migrate command until both ends have said completed."""

    def __init__(self, bench, link, source, destination, method, channels):
        self.link, self.vms = link, (source, destination)
        for vm in self.vms:
            vm.set_up(method, channels, bench.downtime_limit)
        uri = "tcp:%s:%d" % (link.ADDRESS["destination"], PORT)
        destination.qmp.command("migrate-incoming", uri=uri)
        self.sent = link.sent_bytes()
        self.watch = MachineWatch()
        self.cpu = [vm.cpu_seconds() for vm in self.vms]
        self.begin = time.time()
        source.qmp.command("migrate", uri=uri)

    def finish(self, timeout):
        """@return fields of the run; without an end in time it is cancelled, not converged."""
        source, destination = self.vms
        ends = [source.await_completed(timeout)]
        if ends[0] is None:
            return {**self._counters(), **self._cancel(source), "seconds": timeout}
        ends.append(destination.await_completed(30))
        if ends[1] is None:
            raise RunFailed("the destination's QEMU does not complete")
        fields = self._counters()
        answer = source.qmp.command("query-migrate")
        return {**fields, "seconds": max(ends) - self.begin, "converged": True,
                "downtime-ms": answer["downtime"], "rounds": answer["ram"]["dirty-sync-count"]}

    def _counters(self):
        machine = self.watch.stop()
        cpu = [vm.cpu_seconds() - before for vm, before in zip(self.vms, self.cpu)]
        return {"send-cpu-s": cpu[0], "recv-cpu-s": cpu[1], **machine,
                "wire-bytes": self.link.sent_bytes() - self.sent}

    @staticmethod
    def _cancel(source):
        rounds = source.qmp.command("query-migrate")["ram"]["dirty-sync-count"]
        source.qmp.command("migrate_cancel")
        return {"converged": False, "rounds": rounds}


def copy_by_qemu(bench, method, gbit):
    clear(bench.destination, bench.ram, bench.cold)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=bench.scratch))
        link = stack.enter_context(BenchLink(bench.token, gbit, bench.mtu, kernel=True))
        source = Vm(stack, bench, link.inside("source"), directory, "source",
                    ["-S", *ram_words(bench, bench.image, "off", "off")])
        destination = Vm(stack, bench, link.inside("destination"), directory, "destination",
                         ["-S", "-incoming", "defer", *ram_words(
                             bench, bench.destination, "on", "off" if bench.cold else "on")])
        migration = QemuMigration(bench, link, source, destination, method.codec, method.channels)
        fields = migration.finish(bench.timeout)
        if not fields["converged"]:
            raise RunFailed("QEMU's migration is not done within %g s" % bench.timeout)
        for vm in (source, destination):
            vm.process.kill()
            vm.process.wait()
    return {**fields, "filled-bytes": bench.fill * MIB,
            "differing-pages": differing_pages(bench.image, bench.destination)}
