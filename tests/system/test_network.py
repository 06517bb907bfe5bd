# SPDX-License-Identifier: BSD-3-Clause
"""Ports, packet sizes, worker counts, and a network that loses, doubles and reorders."""

from harness import memory_image
from harness.context import Shape
from harness.registry import check, system_test

INJECT = "loss=0.02,reorder=0.02,dup=0.01,seed=7"


@system_test(cases=[
    dict(port="af_packet", mtu=1500, workers=1),
    dict(port="af_packet", mtu=9000, workers=2),
    dict(port="memif", mtu=1500, workers=2),
    dict(port="memif", mtu=9000, workers=0),
    dict(port="memif", mtu=9000, workers=1, full=True),
    dict(port="memif", mtu=1500, workers=1, full=True),
    dict(port="af_packet", mtu=1500, workers=2, full=True),
    dict(port="af_packet", mtu=9000, workers=1, full=True),
])
def moves_over(context, port, mtu, workers):
    link = context.link(mtu=mtu) if port == "af_packet" else None
    sent, received, *_ = context.migrate(Shape(rate=20), ["--verify"], port=port, mtu=mtu,
                                         workers=workers, link=link)
    largest = sent.report["network"]["wire-bytes"] / sent.report["network"]["packets"]
    check(mtu == 1500 or largest > 3000, "packets of %d bytes at MTU %d", largest, mtu)
    check(received.report["network"]["packets"] > 0, "the receiver counted no packets")


@system_test(cases=[dict(port="memif", workers=1), dict(port="af_packet", workers=2, full=True)])
def live_guest_survives_loss_reorder_and_duplicates(context, port, workers):
    link = context.link() if port == "af_packet" else None
    words = ["--inject", INJECT]
    sent, *_ = context.migrate(Shape(rate=10), ["--verify", *words], words, port=port,
                               workers=workers, link=link)
    check_injected(sent.report)


def check_injected(report):
    injected = report["inject"]
    for kind in ("dropped", "reordered", "duplicated"):
        check(injected[kind] > 0, "the report counts none %s: %s", kind, injected)
    check(report["network"]["lost"] > 0, "the transport noticed no loss: %s", report["network"])
    check(report["network"]["retransmitted"] > 0, "nothing was sent again")


@system_test(cases=[dict(spec=INJECT), dict(spec="corrupt=0.01,seed=3"),
                    dict(spec="codec-error=0.02,seed=5")])
def image_survives(context, spec):
    survives(context, spec)


@system_test(cases=[dict(read="mmap"), dict(read="pread")])
def raw_blocks_survive_and_stay_until_they_are_acknowledged(context, read):
    survives(context, INJECT, "--codec", "raw", "--guest-read", read)


def survives(context, spec, *sender_words):
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 96, memory_image.made_up(), 64)
    words = ["--inject", spec, "--mem"]
    # auto compresses nothing where the link is as fast as this one
    codec = ["--codec", "deflate"] if spec.startswith("codec") else []
    sender, receiver = context.start_pair([*sender_words, *codec, *words, "ram=" + source],
                                          [*words, "ram=" + destination])
    sent = sender.expect(0, 80)
    received = receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")
    if spec == INJECT:
        check_injected(sent.report)
    elif spec.startswith("corrupt"):
        check(sent.report["inject"]["corrupted"] > 0, "nothing was corrupted")
        check(sum(received.report["drops"].values()) > 0, "the receiver dropped nothing: %s",
              received.report["drops"])
    else:
        check(sent.report["inject"]["codec-errors"] > 0, "no codec error was made")


@system_test()
def damaged_truncated_and_replayed_datagrams_are_dropped(context):
    link = context.link()
    source, destination = context.shm("source.img"), context.shm("destination.img")
    memory_image.make_image(source, 96, memory_image.made_up(), 64)
    mangler = context.helper("mangler.py", link.inside("source"))
    sender, receiver = context.start_pair(["--mem", "ram=" + source],
                                          ["--mem", "ram=" + destination],
                                          port="af_packet", link=link)
    sender.expect(0)
    received = receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")
    context.stop_helper(mangler)
    drops = received.report["drops"]
    check(drops["rx-undecryptable"] > 0, "no replayed or damaged datagram was counted: %s", drops)
