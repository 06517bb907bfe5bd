# SPDX-License-Identifier: BSD-3-Clause
"""What a test left behind: found by the token that is in its processes' environment and in the
names it made, and by comparing the machine before and after."""

import os
import re
import shutil
import signal
import subprocess
import time

TOKEN_VARIABLE = "MIGC_TEST_TOKEN"
# longer than a sender is held at its switchover by any test
NEIGHBOUR_S = 60
HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
NR_HUGEPAGES = HUGEPAGES + "nr_hugepages"
OURS = re.compile(r"migc|^rte|dpdk", re.I)
# made by another run of these tests, by the demo, the benchmark or unit tests
OTHERS = re.compile(r"migc(demo|bench)?\d+|migc-(control|dma|doctor-test|guestmem|port-test|process|"
                    r"late|qemu-test|qmp-fuzz|qmp-test|report|revive|stale|sysfs|transport-test|"
                    r"x509-fuzz)-")


def read_number(path):
    try:
        with open(path) as file:
            return int(file.read())
    except OSError:
        return 0


def write_number(path, number):
    with open(path, "w") as file:
        file.write(str(number))


def processes_of_tests():
    """Processes with a token in their environment, ourselves aside: {pid: (token, command)}."""
    found = {}
    needle = re.compile(rb"(?:^|\0)%s=([^\0]*)" % TOKEN_VARIABLE.encode())
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open("/proc/%s/environ" % entry, "rb") as file:
                match = needle.search(file.read())
            if not match:
                continue
            with open("/proc/%s/cmdline" % entry, "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")[:120]
        except OSError:
            continue
        # a zombie has no command line, and is its parent's business
        if command:
            found[int(entry)] = (match.group(1).decode(errors="replace"), command)
    return found


def processes(token):
    """Those of this token: {pid: command}."""
    return {pid: command for pid, (whose, command) in processes_of_tests().items()
            if whose == token}


def namespaces():
    out = subprocess.run(["ip", "netns", "list"], stdout=subprocess.PIPE, text=True, check=False)
    return {line.split()[0] for line in out.stdout.splitlines() if line}


def mounts():
    with open("/proc/self/mounts") as file:
        return {line.split()[1] for line in file}


class Snapshot:
    """The parts of the machine that tests and the program under test touch."""

    def __init__(self):
        self.namespaces = namespaces()
        self.hugepages = read_number(NR_HUGEPAGES)
        self.hugepages_used = self.hugepages - read_number(HUGEPAGES + "free_hugepages")
        self.files = set()
        for directory in ("/dev/shm", "/tmp", "/run", "/run/dpdk"):
            try:
                self.files |= {os.path.join(directory, n) for n in os.listdir(directory)
                               if directory == "/dev/shm" or OURS.search(n)}
            except OSError:
                pass
        # DPDK makes these by itself and leaves them, empty; the last for who is not root
        self.files -= {"/run/dpdk", "/run/dpdk/rte", "/tmp/dpdk"}
        # the directory of control sockets stays; those in it are looked for by the tests that make them
        self.files -= {"/run/dpdk-migcomp"}

    def leaks(self, token, scratch):
        """Lines about what is there now and was not then, of this token. The program gives some
        of its files names that do not tell whose they are (/run/dpdk-migcomp-XXXXXX): what goes
        away while the test beside this one runs on, or with it, was that one's."""
        end = time.monotonic() + NEIGHBOUR_S
        while True:
            neighbours = any(whose != token for whose, _ in processes_of_tests().values())
            lines = self.leaks_now(token, scratch)
            if not lines or not neighbours or time.monotonic() > end or \
                    any(not line.startswith("file ") for line in lines):
                return lines
            time.sleep(0.2)

    def leaks_now(self, token, scratch):
        now = Snapshot()
        lines = ["process %d: %s" % item for item in processes(token).items()]
        lines += ["namespace " + n for n in now.namespaces - self.namespaces if token in n]
        lines += ["mount " + m for m in mounts() if token in m]
        if now.hugepages != self.hugepages:
            lines.append("%d huge pages instead of %d" % (now.hugepages, self.hugepages))
        if now.hugepages_used > self.hugepages_used:
            lines.append("%d huge pages still used" % (now.hugepages_used - self.hugepages_used))
        lines += ["file " + f for f in sorted(now.files - self.files)
                  if f != scratch and (token in f or not OTHERS.search(f))]
        return lines

    def clean_up(self, token, scratch):
        """Whatever happened: the machine as it was."""
        for _ in range(50):
            left = processes(token)
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)
        for name in namespaces() - self.namespaces:
            if token in name:
                subprocess.run(["ip", "netns", "del", name], check=False)
        for path in sorted((m for m in mounts() if token in m), reverse=True):
            subprocess.run(["umount", "-l", path], check=False)
        if read_number(NR_HUGEPAGES) != self.hugepages:
            write_number(NR_HUGEPAGES, self.hugepages)
        for name in os.listdir("/dev/shm"):
            if token in name:
                os.unlink(os.path.join("/dev/shm", name))
        shutil.rmtree(scratch, ignore_errors=True)
