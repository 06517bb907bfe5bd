# SPDX-License-Identifier: BSD-3-Clause
"""What a run needs of the machine: guest memory, a link with a rate, CPU time of processes."""

import os
import subprocess
import zipfile

MIB = 1 << 20
HZ = os.sysconf("SC_CLK_TCK")
SILESIA = "../shared/data/silesia"


def corpus(path):
    """Bytes of the corpus: a file, or the Silesia files next to the source tree."""
    if path:
        with open(path, "rb") as f:
            return f.read()
    data = b""
    for name in sorted(os.listdir(SILESIA)):
        with zipfile.ZipFile(os.path.join(SILESIA, name)) as archive:
            data += b"".join(archive.read(n) for n in archive.namelist())
    return data


def make_image(path, unit, ram_mib, fill_mib):
    """16 MiB of zeros, the corpus end to end (repeats do not fall on pages), zeros; all allocated.
    """
    with open(path, "wb") as f:
        f.write(bytes(16 * MIB))
        left = fill_mib * MIB
        while left:
            f.write(unit[:left])
            left -= min(left, len(unit))
        for _ in range(ram_mib - fill_mib - 16):
            f.write(bytes(MIB))


def clear(path, ram_mib):
    """A warm destination: zeros, all allocated, the same pages in every run."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, ram_mib * MIB)
    for i in range(ram_mib // 4):
        os.pwrite(fd, bytes(4 * MIB), i * 4 * MIB)
    os.close(fd)


def differing_pages(a, b):
    bad = 0
    with open(a, "rb", buffering=0) as f, open(b, "rb", buffering=0) as g:
        while True:
            x, y = f.read(4 * MIB), g.read(4 * MIB)
            if x != y:
                bad += sum(x[i:i + 4096] != y[i:i + 4096] for i in range(0, len(x), 4096))
            if not x:
                return bad


def cpu_seconds(pid):
    """utime + stime of a process, its threads included. Also of one that has ended and was not
    waited for."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HZ


def run(*argv, check=True):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if check and done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(argv), done.stderr.strip()))
    return done.stdout


class BenchLink:
    """Two namespaces joined by a veth pair, a rate by tbf at both ends. `kernel`: addresses for
    QEMU; without, the ends belong to DPDK."""

    INTERFACE = "v0"
    ADDRESS = {"source": "192.0.2.1", "destination": "192.0.2.2"}

    def __init__(self, gbit, mtu, kernel):
        self.gbit, self.mtu, self.kernel = gbit, mtu, kernel
        self.name = {side: "migcbench%d-%s" % (os.getpid(), side[:3]) for side in self.ADDRESS}

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self):
        names = [self.name["source"], self.name["destination"]]
        for name in names:
            run("ip", "netns", "add", name)
        run("ip", "link", "add", self.INTERFACE, "netns", names[0], "type", "veth",
            "peer", "name", self.INTERFACE, "netns", names[1])
        for side, name in self.name.items():
            if self.kernel:
                run("ip", "-n", name, "addr", "add", self.ADDRESS[side] + "/24",
                    "dev", self.INTERFACE)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", self.INTERFACE, "mtu", str(self.mtu), "up")
            if self.gbit:
                bits = self.gbit * 1e9
                # a millisecond of tokens, and not less than four GSO packets; 20 ms of queue
                run("tc", "-n", name, "qdisc", "add", "dev", self.INTERFACE, "root", "tbf",
                    "rate", "%dbit" % bits, "burst", str(int(max(1 << 18, bits / 8000))),
                    "limit", str(int(max(4 << 20, bits / 8 * 0.02))))

    def __exit__(self, *exc):
        for name in self.name.values():
            run("ip", "netns", "del", name, check=False)

    def inside(self, side):
        return ["ip", "netns", "exec", self.name[side]]

    def sent_bytes(self):
        """Of both ends."""
        total = 0
        for name in self.name.values():
            text = run("ip", "netns", "exec", name, "cat",
                       "/sys/class/net/%s/statistics/tx_bytes" % self.INTERFACE)
            total += int(text)
        return total
