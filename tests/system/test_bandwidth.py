# SPDX-License-Identifier: BSD-3-Clause
"""--max-bandwidth is the rate on the wire, headers included, however many workers share it."""

import time

from harness import memory_image
from harness.net import INTERFACE
from harness.registry import check, system_test

SAMPLE_SECONDS = 0.02
WINDOW_SECONDS = 1.0
TOLERANCE = 0.05


def sent_bytes(pid):
    """What the interface of the namespace that a process is in has sent."""
    with open("/proc/%d/net/dev" % pid) as file:
        for line in file:
            name, _, numbers = line.partition(":")
            if name.strip() == INTERFACE:
                return int(numbers.split()[8])
    raise RuntimeError("no interface " + INTERFACE)


def watch(sender):
    """(time, bytes sent) until the process ends."""
    samples = []
    while sender.process.poll() is None:
        try:
            samples.append((time.monotonic(), sent_bytes(sender.process.pid)))
        except OSError:
            break
        time.sleep(SAMPLE_SECONDS)
    return samples


def window_rates(samples, seconds=WINDOW_SECONDS):
    """Bits a second of each window of so long, from when data flows."""
    rates, first = [], 0
    for now, sent in samples:
        while now - samples[first + 1][0] >= seconds:
            first += 1
        if now - samples[first][0] >= seconds:
            rates.append((sent - samples[first][1]) * 8 / (now - samples[first][0]))
    return rates


@system_test(timeout=120, alone=True, cases=[
    dict(rate="200m", workers=1, full=True), dict(rate="200m", workers=2),
    dict(rate="1g", workers=1, full=True), dict(rate="1g", workers=2, full=True),
    dict(rate="200m", workers=2, receivers=1, full=True)])
def wire_rate_is_the_limit(context, rate, workers, receivers=None):
    bits = 1e9 if rate == "1g" else 200e6
    source, destination = context.shm("source.img"), context.shm("destination.img")
    mib = int(bits / 8 * 2.5) >> 20
    memory_image.make_image(source, mib + 16, memory_image.made_up(), mib)
    link = context.link(mtu=9000)
    receiver = context.endpoint("recv", ["--mem", "ram=" + destination], port="af_packet",
                                mtu=9000, workers=receivers or workers, link=link)
    receiver.wait_listening()
    sender = context.endpoint("send", ["--mem", "ram=" + source, "--codec", "raw",
                                       "--max-bandwidth", rate],
                              port="af_packet", mtu=9000, workers=workers, link=link)
    sender.wait_state("ROUND")
    rates = window_rates(watch(sender))
    sender.expect(0)
    receiver.expect(0)
    print("%s, %d workers: " % (rate, workers) + " ".join("%.0f" % (r / 1e6) for r in rates[::5]))
    # a machine that is busy with other things may send less at times
    check(max(rates) <= bits * (1 + TOLERANCE), "%.1f Mbit/s in a second", max(rates) / 1e6)
    check(max(rates) >= bits * (1 - TOLERANCE), "at most %.1f Mbit/s", max(rates) / 1e6)
