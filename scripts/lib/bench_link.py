# SPDX-License-Identifier: BSD-3-Clause
"""The link of a run: two namespaces, a veth pair, a rate."""

import json

from bench_machine import run


def link_text(gbit):
    return "%g Gbit/s" % gbit if gbit else "unlimited"


class BenchLink:
    """Two namespaces joined by a veth pair, a rate by tbf at both ends. `kernel`: addresses for
    QEMU; without, the ends belong to DPDK."""

    INTERFACE = "v0"
    ADDRESS = {"source": "192.0.2.1", "destination": "192.0.2.2"}

    def __init__(self, token, gbit, mtu, kernel):
        self.gbit, self.mtu, self.kernel = gbit, mtu, kernel
        self.name = {side: "%s-%s" % (token, side[:3]) for side in self.ADDRESS}

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
        """Of both ends. With a rate it is tbf's count, each frame with its headers; without, GSO
        packets count their headers once."""
        total = 0
        for name in self.name.values():
            if self.gbit:
                disciplines = json.loads(run("tc", "-n", name, "-s", "-j", "qdisc", "show", "dev",
                                             self.INTERFACE))
                total += sum(d["bytes"] for d in disciplines if d["kind"] == "tbf")
            else:
                link = json.loads(run("ip", "-n", name, "-s", "-j", "link", "show",
                                      self.INTERFACE))
                total += link[0]["stats64"]["tx"]["bytes"]
        return total
