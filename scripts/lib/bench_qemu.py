# SPDX-License-Identifier: BSD-3-Clause
"""One migration by QEMU's own multifd: a VM that never ran, with the image for its RAM."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

from bench_machine import MIB, BenchLink, clear, cpu_seconds, differing_pages
from harness.qmp import Qmp

QEMU = os.environ.get("BENCH_QEMU", "qemu-system-x86_64")


class Vm:
    def __init__(self, stack, link, side, directory, bench):
        memory = {"source": (bench.image, "off", "off"),
                  "destination": (bench.out, "on", "on")}[side]
        path = os.path.join(directory, side + ".qmp")
        words = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-S",
                 "-machine", "q35,memory-backend=ram", "-accel", "tcg", "-m", "%dM" % bench.ram,
                 "-object", "memory-backend-file,id=ram,size=%dM,mem-path=%s,share=%s,prealloc=%s"
                 % (bench.ram, *memory), "-qmp", "unix:%s,server=on,wait=off" % path]
        if side == "destination":
            words += ["-incoming", "defer"]
        self.process = subprocess.Popen([*link.inside(side), *words], stdin=subprocess.DEVNULL)
        stack.callback(self.process.wait)
        stack.callback(self.process.kill)
        self.qmp = Qmp(path, lambda: self.process.poll() is None)
        stack.callback(self.qmp.close)

    def set_up(self, method, channels):
        self.qmp.command("migrate-set-capabilities", capabilities=[
            {"capability": "multifd", "state": True}])
        self.qmp.command("migrate-set-parameters", **{
            "max-bandwidth": 1 << 40, "multifd-channels": channels,
            "multifd-compression": method, "multifd-zlib-level": 1, "multifd-zstd-level": 1})

    def status(self):
        return self.qmp.command("query-migrate").get("status")


def await_end(source, destination, timeout):
    """@return when both had said completed, to a millisecond or two."""
    end = time.monotonic() + timeout
    for vm in (source, destination):
        while vm.status() != "completed":
            if vm.status() in ("failed", "cancelled") or time.monotonic() > end:
                raise RuntimeError("QEMU's migration: %s" % vm.status())
            time.sleep(0.002)
    return time.monotonic()


def run_qemu(bench, method, gbit):
    codec, channels = method
    clear(bench.out, bench.ram)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="migcbench"))
        link = stack.enter_context(BenchLink(gbit, bench.mtu, kernel=True))
        source = Vm(stack, link, "source", directory, bench)
        destination = Vm(stack, link, "destination", directory, bench)
        for vm in (source, destination):
            vm.set_up(codec, channels)
        uri = "tcp:%s:4444" % link.ADDRESS["destination"]
        destination.qmp.command("migrate-incoming", uri=uri)
        sent = link.sent_bytes()
        cpu = [cpu_seconds(vm.process.pid) for vm in (source, destination)]
        begin = time.monotonic()
        source.qmp.command("migrate", uri=uri)
        seconds = await_end(source, destination, bench.timeout) - begin
        cpu = [cpu_seconds(vm.process.pid) - before
               for vm, before in zip((source, destination), cpu)]
        sent = link.sent_bytes() - sent
        for vm in (source, destination):
            vm.process.send_signal(signal.SIGTERM)
    return {"tool": "qemu", "method": codec, "channels": channels, "seconds": seconds,
            "send-cpu-s": cpu[0], "recv-cpu-s": cpu[1], "wire-bytes": sent,
            "filled-bytes": bench.fill * MIB,
            "differing-pages": differing_pages(bench.image, bench.out)}
