# SPDX-License-Identifier: BSD-3-Clause
"""A guest without an operating system (tests/guest/bench_guest.c): its RAM is a file with data in it, of
which it rewrites a word of each page of a working set, at a rate that Linux under TCG does not reach."""

import os
import struct
import subprocess

from .qmp import Qmp
from .registry import Failure

STATUS_ADDRESS = 0x6000
SET_BASE_MIB = 64
HERE = os.path.dirname(os.path.abspath(__file__))


def build(context):
    path = context.path("bare-guest.elf")
    if not os.path.exists(path):
        subprocess.run([os.path.join(HERE, "..", "..", "guest", "build-bench-guest"), path],
                       check=True, stdout=subprocess.DEVNULL)
    return path


class BareVm:
    def __init__(self, context, rate, working_set=256, mib=512, accel="tcg,thread=single",
                 destination=False, pieces=()):
        name = context.number("bare-destination" if destination else "bare-source")
        self.ram_path = context.shm(name + "-ram")
        self.qmp_path, own = context.path(name + ".qmp"), context.path(name + ".own-qmp")
        self.fill(mib, pieces)
        argv = ["qemu-system-x86_64", "-name", name, "-accel", accel, "-cpu", "qemu64",
                "-nodefaults", "-display", "none", "-m", "%dM" % mib,
                "-object", "memory-backend-file,id=ram0,size=%dM,mem-path=%s,share=on" % (
                    mib, self.ram_path), "-machine", "pc,memory-backend=ram0",
                "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path,
                "-qmp", "unix:%s,server=on,wait=off" % own, "-kernel", build(context),
                "-append", "rate=%d set=%d base=%d" % (rate, working_set, SET_BASE_MIB)]
        if destination:
            argv += ["-incoming", "defer", "-S"]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        context.on_exit(self.kill)
        try:
            self.qmp = Qmp(own, lambda: self.process.poll() is None)
        except OSError as error:
            raise Failure("%s did not start: %s" % (name, error))

    def fill(self, mib, pieces):
        data = b"".join(pieces)
        with open(self.ram_path, "wb") as file:
            file.truncate(mib << 20)
            file.seek(SET_BASE_MIB << 20)
            while data and file.tell() < mib << 20:
                file.write(data[:(mib << 20) - file.tell()])

    def written_pages(self):
        with open(self.ram_path, "rb") as file:
            file.seek(STATUS_ADDRESS)
            return struct.unpack("<III", file.read(12))[1]

    def status(self):
        return self.qmp.command("query-status")["status"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        if getattr(self, "qmp", None):
            self.qmp.close()
            self.qmp = None
