# SPDX-License-Identifier: BSD-3-Clause
"""Two network namespaces joined by a veth pair, whose ends belong to DPDK alone: no address of the
kernel's, no IPv6, so that the kernel answers for nothing."""

import subprocess

INTERFACE = "v0"


def run(*argv, check=True):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    if check and done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(argv), done.stderr.strip()))
    return done.stdout


class Link:
    def __init__(self, token, mtu=1500, rate_mbit=None):
        self.mtu = mtu
        # what tbf is told, at both ends
        self.rate = ["rate", "%dmbit" % rate_mbit, "burst", "256k", "limit", "4m"] if rate_mbit \
            else []
        self.source, self.destination = token + "-src", token + "-dst"

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self):
        for namespace in (self.source, self.destination):
            run("ip", "netns", "add", namespace)
            run("ip", "netns", "exec", namespace, "sh", "-c",
                "for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done")
        run("ip", "link", "add", INTERFACE, "netns", self.source, "type", "veth",
            "peer", "name", INTERFACE, "netns", self.destination)
        for namespace in (self.source, self.destination):
            run("ip", "-n", namespace, "link", "set", INTERFACE, "mtu", str(self.mtu), "up")
            if self.rate:
                run("tc", "-n", namespace, "qdisc", "add", "dev", INTERFACE, "root", "tbf",
                    *self.rate)

    def add_sender(self, number):
        """One more interface of the source's, with a MAC of its own: a name."""
        name = "s%d" % number
        # af_packet's fan-out group is pid ^ index: neighbours of both kinds would share one
        run("ip", "-n", self.source, "link", "add", "link", INTERFACE, "name", name, "index",
            str(4096 * (number + 1)), "mtu", str(self.mtu), "type", "macvlan", "mode", "private")
        run("ip", "-n", self.source, "link", "set", name, "up")
        return name

    def __exit__(self, *exc):
        for namespace in (self.source, self.destination):
            run("ip", "netns", "del", namespace, check=False)

    def cut(self):
        """Nothing gets through until mend()."""
        run("ip", "-n", self.source, "link", "set", INTERFACE, "down")

    def mend(self):
        run("ip", "-n", self.source, "link", "set", INTERFACE, "up")

    def inside(self, side):
        """The words that put a command into a side's namespace."""
        return ["ip", "netns", "exec", self.source if side == "source" else self.destination]
