# SPDX-License-Identifier: BSD-3-Clause
"""The link of a run: two namespaces, a veth pair, a rate."""

import json

from harness.net import INTERFACE, Link, run


def link_text(gbit):
    return "%g Gbit/s" % gbit if gbit else "unlimited"


class BenchLink(Link):
    """`kernel`: addresses for QEMU; without, the ends belong to DPDK."""

    ADDRESS = {"source": "192.0.2.1", "destination": "192.0.2.2"}

    def __init__(self, token, gbit, mtu, kernel):
        super().__init__(token, mtu)
        self.kernel = kernel
        if gbit:
            bits = gbit * 1e9
            # a millisecond of tokens, and not less than four GSO packets; 20 ms of queue
            self.rate = ["rate", "%dbit" % bits, "burst", str(int(max(1 << 18, bits / 8000))),
                         "limit", str(int(max(4 << 20, bits / 8 * 0.02)))]

    def _make(self):
        super()._make()
        for side, namespace in (("source", self.source), ("destination", self.destination)):
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            if self.kernel:
                run("ip", "-n", namespace, "addr", "add", self.ADDRESS[side] + "/24", "dev",
                    INTERFACE)

    def sent_bytes(self):
        """Of both ends. With a rate it is tbf's count, each frame with its headers; without, GSO
        packets count their headers once."""
        total = 0
        for namespace in (self.source, self.destination):
            if self.rate:
                disciplines = json.loads(run("tc", "-n", namespace, "-s", "-j", "qdisc", "show",
                                             "dev", INTERFACE))
                total += sum(d["bytes"] for d in disciplines if d["kind"] == "tbf")
            else:
                link = json.loads(run("ip", "-n", namespace, "-s", "-j", "link", "show",
                                      INTERFACE))
                total += link[0]["stats64"]["tx"]["bytes"]
        return total
