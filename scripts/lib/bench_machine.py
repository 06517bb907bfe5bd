# SPDX-License-Identifier: BSD-3-Clause
"""What a run needs of the machine: guest memory, room for it, CPU time, and the machine as it was
afterwards."""

import os
import shutil
import signal
import time
import zipfile

from harness.leaks import HUGEPAGES, NR_HUGEPAGES, namespaces, processes, read_number, write_number
from harness.memory_image import corpus_directory
from harness.net import run

MIB = 1 << 20
HZ = os.sysconf("SC_CLK_TCK")
IMAGE_START_MIB = 16
OTHER_MIB = 1024  # QEMUs, dpdk-migcomp and this program, beside the images
HUGE_PAGE_MIB = 2


class Unusable(Exception):
    """This machine, as it is, cannot run the benchmark; the text says what to do."""


class RunFailed(RuntimeError):
    """One run did not end as it must; the others may."""


def corpus(path):
    """Bytes of the corpus: a file, the files of a directory, or the Silesia files that are next
    to the source tree."""
    path = path or corpus_directory()
    if not path or not os.path.exists(path):
        raise Unusable("no corpus%s: put the Silesia files into ../shared/data/silesia, or give "
                       "--corpus FILE or --corpus DIRECTORY" % (" at " + path if path else ""))
    names = [path]
    if os.path.isdir(path):
        names = [os.path.join(path, name) for name in sorted(os.listdir(path))]
    data = b""
    for name in names:
        if name.endswith(".zip"):
            with zipfile.ZipFile(name) as archive:
                data += b"".join(archive.read(n) for n in archive.namelist())
        elif os.path.isfile(name):
            with open(name, "rb") as f:
                data += f.read()
    if not data:
        raise Unusable("the corpus at %s is empty" % path)
    return data


def check_room(ram_mib):
    """Before anything is made: the two images must fit."""
    stat = os.statvfs("/dev/shm")
    free = stat.f_bavail * stat.f_frsize // MIB
    if free < 2 * ram_mib:
        raise Unusable("/dev/shm has %d MiB free, two images of %d MiB do not fit: smaller --ram "
                       "and --fill, or remount it larger" % (free, ram_mib))
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = dict(line.split(":", 1) for line in f)
    available = int(memory["MemAvailable"].split()[0]) // 1024
    if available < 2 * ram_mib + OTHER_MIB:
        raise Unusable("%d MiB of memory are available, two images of %d MiB and %d MiB for the "
                       "programs are needed: smaller --ram and --fill" % (
                           available, ram_mib, OTHER_MIB))


class HugePages:
    """For the memory of EAL's at both ends, as a host has them on which DPDK runs. Where there
    is no room for them `there` is false, and EAL goes without."""

    def __init__(self):
        self.before, self.there = read_number(NR_HUGEPAGES), False

    def reserve(self, mib):
        missing = mib // HUGE_PAGE_MIB - read_number(HUGEPAGES + "free_hugepages")
        try:
            if missing > 0:
                write_number(NR_HUGEPAGES, self.before + missing)
            self.there = read_number(HUGEPAGES + "free_hugepages") >= mib // HUGE_PAGE_MIB
        except OSError:
            pass
        if not self.there:
            self.give_back()

    def give_back(self):
        if read_number(NR_HUGEPAGES) > self.before:
            write_number(NR_HUGEPAGES, self.before)


def make_image(path, unit, ram_mib, fill_mib):
    """16 MiB of zeros, the corpus end to end (repeats do not fall on pages), zeros; all allocated,
    in place when the file is there."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "wb") as f:
        f.truncate(ram_mib * MIB)
        f.write(bytes(IMAGE_START_MIB * MIB))
        left = fill_mib * MIB
        while left:
            f.write(unit[:left])
            left -= min(left, len(unit))
        for _ in range(ram_mib - fill_mib - IMAGE_START_MIB):
            f.write(bytes(MIB))


def clear(path, ram_mib, cold):
    """The destination before a run. Warm: zeros, all allocated, the same pages in every run.
    Cold: no file."""
    if cold:
        if os.path.exists(path):
            os.unlink(path)
        return
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, ram_mib * MIB)
    for i in range(ram_mib):
        os.pwrite(fd, bytes(MIB), i * MIB)
    os.close(fd)


def differing_pages(a, b):
    bad = 0
    with open(a, "rb", buffering=0) as f, open(b, "rb", buffering=0) as g:
        while True:
            x, y = f.read(4 * MIB), g.read(4 * MIB)
            if x != y:
                bad += sum(x[i:i + 4096] != y[i:i + 4096]
                           for i in range(0, max(len(x), len(y)), 4096))
            if not x and not y:
                return bad


def cpu_seconds(pid, thread=None):
    """utime + stime of a process, its threads included, or of one thread. Also of a process that
    has ended and was not waited for."""
    task = "/task/%d" % thread if thread else ""
    with open("/proc/%d%s/stat" % (pid, task), encoding="ascii", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HZ


class MachineWatch:
    """CPU seconds of the whole machine from here on: the work of veth and of softirqs is not in
    any process's."""

    def __init__(self):
        self.before = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system, _, _, irq, softirq, steal = [
                int(x) / HZ for x in f.readline().split()[1:9]]
        own = os.times()
        return {"machine-busy-s": user + nice + system + irq + softirq - own.user - own.system,
                "machine-softirq-s": irq + softirq, "machine-steal-s": steal}

    def stop(self):
        """@return fields of a run; this program's own CPU time is not in the busy time."""
        now = self._read()
        return {name: round(now[name] - self.before[name], 3) for name in now}


def clean_up(token, scratch):
    """Whatever ended it: no process, namespace or file of ours is left. Processes are found by
    the token in their environment."""
    for _ in range(50):
        left = processes(token)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not left:
            break
        time.sleep(0.1)
    for name in namespaces():
        if name.startswith(token + "-"):
            run("ip", "netns", "del", name, check=False)
    for name in os.listdir("/dev/shm"):
        if name.startswith(token + "-"):
            os.unlink(os.path.join("/dev/shm", name))
    shutil.rmtree(scratch, ignore_errors=True)
