# SPDX-License-Identifier: BSD-3-Clause
"""QEMU guests: shared RAM of each kind, two QMP sockets (the second is for the program under
test), the serial port as a growing text. Source and destination come from the same Shape."""

import os
import re
import socket
import subprocess
import threading
import time

from .qmp import Qmp
from .registry import Failure, check

HEARTBEAT = re.compile(r"HB seq=(\d+) up=([\d.]+) pages=(\d+) rate=([\d.]+) gap=([\d.]+)\r?\n")


class Shape:
    """What both ends of a migration must have in common."""

    def __init__(self, memory="shm", machine="pc", mib=256, fill=128, rate=10, working_set=0,
                 numa=False, dimm=False, disk=None, disk_rate=0, disk_cache="none", share=True,
                 sparse=0):
        self.memory, self.machine, self.mib = memory, machine, mib
        self.fill, self.rate, self.working_set = fill, rate, working_set
        self.numa, self.dimm, self.disk, self.disk_rate = numa, dimm, disk, disk_rate
        self.disk_cache = disk_cache
        """QEMU's word: with "none" the disk is read by O_DIRECT, otherwise through the page cache."""
        self.share = share
        self.sparse = sparse
        """Words of a page that are rewritten; 0: all."""

    def backends(self):
        """(id, MiB) of the RAM that is there from the start."""
        if self.numa:
            return [("ram0", self.mib // 2), ("ram1", self.mib - self.mib // 2)]
        return [("ram0", self.mib)]


class Vm:
    def __init__(self, context, name, shape, guest, destination=False):
        self.context, self.name, self.shape = context, name, shape
        self.destination = destination
        self.files = {}
        self.descriptors = []
        self.text_bytes = bytearray()
        self.qmp_path = context.path(name + ".qmp")
        self.error_path = context.path(name + ".stderr")
        own_qmp, serial = context.path(name + ".own-qmp"), context.path(name + ".serial")
        argv = [*context.vm_prefix, "qemu-system-x86_64", "-name", name, "-accel", "tcg,thread=single",
                "-cpu", "qemu64", "-nodefaults", "-display", "none", "-no-reboot",
                "-machine", shape.machine + ("" if shape.numa else ",memory-backend=ram0"),
                "-m", "%dM%s" % (shape.mib, ",slots=2,maxmem=2G" if shape.dimm else ""),
                "-chardev", "socket,id=serial0,path=%s,server=on,wait=off" % serial,
                "-serial", "chardev:serial0",
                "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path,
                "-qmp", "unix:%s,server=on,wait=off" % own_qmp,
                "-kernel", os.path.join(guest, "vmlinuz"),
                "-initrd", os.path.join(guest, "initramfs.img"),
                "-append", "console=ttyS0 quiet panic=-1 swiotlb=noforce "
                "cryptomgr.notests memhp_default_state=online "
                "workload.mib=%d workload.rate=%d workload.set=%d workload.disk=%d "
                "workload.sparse=%d" % (shape.fill, shape.rate, shape.working_set,
                                        shape.disk_rate, shape.sparse)]
        for node, (backend, mib) in enumerate(shape.backends()):
            argv += ["-object", self._backend(backend, mib)]
            if shape.numa:
                argv += ["-numa", "node,nodeid=%d,memdev=%s" % (node, backend)]
        if shape.disk:
            argv += ["-drive", "file=%s,format=raw,if=none,id=disk0,cache=%s,aio=%s,"
                     "file.locking=off,read-only=on" % (
                         shape.disk, shape.disk_cache,
                         "native" if shape.disk_cache == "none" else "threads"),
                     "-device", "virtio-blk-pci,drive=disk0"]
        if destination:
            argv += ["-incoming", "defer", "-S"]
        self.errors = open(self.error_path, "wb")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.errors,
                                        stderr=self.errors, pass_fds=self.descriptors)
        context.on_exit(self.kill)
        try:
            self.qmp = Qmp(own_qmp, lambda: self.process.poll() is None)
        except OSError as error:
            raise Failure("%s did not start: %s\n%s" % (name, error, self.stderr()))
        self.serial = socket.socket(socket.AF_UNIX)
        self.serial.connect(serial)
        threading.Thread(target=self._read_serial, daemon=True).start()

    # ---- RAM

    def _backend(self, backend, mib):
        share = "on" if self.shape.share else "off"
        return "memory-backend-file,id=%s,size=%dM,mem-path=%s,share=%s" % (
            backend, mib, self._ram_path(backend, mib), share)

    def _ram_path(self, backend, mib):
        kind = self.shape.memory
        name = "%s-%s-%s" % (self.context.token, self.name, backend)
        if kind == "memfd":
            descriptor = os.memfd_create(name)
            os.ftruncate(descriptor, mib << 20)
            os.set_inheritable(descriptor, True)
            self.descriptors.append(descriptor)
            self.files[backend] = "/proc/%d/fd/%d" % (os.getpid(), descriptor)
            return "/proc/self/fd/%d" % descriptor
        if kind.startswith("/"):
            directory = kind
        else:
            directory = "/dev/shm" if kind == "shm" else self.context.hugetlbfs()
        path = os.path.join(directory, name)
        self.files[backend] = path
        return path

    def plug_dimm(self, backend="dimm0", mib=128):
        self.qmp.command("object-add", qom_type="memory-backend-file", id=backend,
                         size=mib << 20, mem_path=self._ram_path(backend, mib), share=True)
        self.qmp.command("device_add", driver="pc-dimm", id="plugged-" + backend, memdev=backend)

    # ---- serial port

    def _read_serial(self):
        while True:
            try:
                data = self.serial.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.text_bytes += data

    def text(self):
        return bytes(self.text_bytes).decode("latin1")

    def stderr(self):
        with open(self.error_path, errors="replace") as file:
            return file.read()

    def wait_text(self, pattern, timeout=60, start=0):
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.text()[start:])
            if found:
                return found
            if self.process.poll() is not None:
                raise Failure("%s ended with %s: %s" % (self.name, self.process.returncode,
                                                        self.stderr()))
            if time.monotonic() > end:
                raise Failure("%s did not say %r within %d s; last: %r" % (
                    self.name, pattern, timeout, self.text()[-300:]))
            time.sleep(0.02)

    def ask(self, command, pattern, timeout=60):
        start = len(self.text_bytes)
        self.serial.sendall(command.encode() + b"\n")
        return self.wait_text(pattern + r".*\n", timeout, start)

    def wait_booted(self, timeout=90):
        self.wait_text(r"HB seq=3 ", timeout)

    def set_rate(self, mib_per_second):
        self.ask("rate %d" % mib_per_second, r"RATE %d" % mib_per_second)

    def verify(self, timeout=120):
        """The guest compares all its memory, and its disk reads, with what they must be."""
        line = self.ask("verify", r"VERIFY (OK|FAIL)", timeout).group(0).strip()
        check(line.startswith("VERIFY OK"), "%s: the guest's memory is wrong: %s", self.name, line)
        if self.shape.disk:
            disk = self.ask("disk", r"DISK (OK|FAIL|NONE)").group(0).strip()
            check(disk.startswith("DISK OK"), "%s: disk reads are wrong: %s", self.name, disk)
            line += ", " + disk
        return line

    def heartbeats(self, text=None):
        return [int(n) for n, *_ in HEARTBEAT.findall(self.text() if text is None else text)]

    def wait_beats(self, count=5, timeout=30):
        """The guest goes on: `count` more heartbeats."""
        start = len(self.text_bytes)
        end = time.monotonic() + timeout
        while len(self.heartbeats(self.text()[start:])) < count:
            check(time.monotonic() < end, "%s: no heartbeat for %d s (QEMU is %s)", self.name,
                  timeout, self.status())
            time.sleep(0.05)

    # ---- state

    def status(self):
        try:
            return self.qmp.command("query-status")["status"]
        except (OSError, RuntimeError) as error:
            return "gone (%s)" % error

    def settings(self):
        """What a migration changes and must put back."""
        parameters = self.qmp.command("query-migrate-parameters")
        return ({c["capability"]: c["state"]
                 for c in self.qmp.command("query-migrate-capabilities")},
                {name: parameters.get(name) for name in ("max-bandwidth", "tls-creds")})

    def check_untouched(self):
        """Nothing of a migration is left in QEMU: no userfaultfd, no tracer, no write protection, no
        limit to what its vCPUs may write."""
        base = "/proc/%d/" % self.process.pid
        for name in os.listdir(base + "fd"):
            try:
                target = os.readlink(base + "fd/" + name)
            except OSError:
                continue
            check("userfaultfd" not in target, "%s: a userfaultfd is left in QEMU", self.name)
        with open(base + "status") as file:
            check(re.search(r"TracerPid:\t0\n", file.read()), "%s is still traced", self.name)
        with open(base + "smaps") as file:
            flags = [line for line in file if line.startswith("VmFlags:")]
        check(not any(" uw" in line for line in flags), "%s: RAM is still tracked", self.name)
        limits = self.qmp.command("query-vcpu-dirty-limit")
        check(limits == [], "%s: its vCPUs are limited: %s", self.name, limits)

    def kill(self):
        for action in (self.process.kill, self.process.wait, self.errors.close):
            action()
        for resource in [getattr(self, "serial", None), getattr(self, "qmp", None)]:
            if resource:
                resource.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
        for path in self.files.values():
            if not path.startswith("/proc/") and os.path.exists(path):
                os.unlink(path)


def check_continuity(source, destination):
    """Both serial outputs one after the other are one guest's: each heartbeat follows the one
    before, and the destination goes on with the next. Returns (last of source, first of
    destination)."""
    both = source.text() + destination.text()
    beats = source.heartbeats(both)
    gaps = ["%d after %d" % (b, a) for a, b in zip(beats, beats[1:]) if b != a + 1]
    check(not gaps, "heartbeats are not continuous: %s", ", ".join(gaps[:5]))
    before = source.heartbeats()
    check(before and beats[-1] > before[-1], "the destination's guest has no heartbeat")
    return before[-1], before[-1] + 1

