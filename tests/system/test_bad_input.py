# SPDX-License-Identifier: BSD-3-Clause
"""Whatever is wrong with what we are given: one line that says what and what to do, and nothing
is lost."""

import os
import re
import socket
import subprocess
import threading

from harness import certs, memory_image
from harness.context import Shape
from harness.migcomp import DESTINATION_ADDRESS
from harness.registry import check, system_test

MESSAGE = "dpdk-migcomp: "


def small_image(context, name="source.img", mib=16, data_mib=8):
    path = context.shm(name)
    memory_image.make_image(path, mib, memory_image.made_up(), data_mib)
    return path


def check_said(endpoint, result, pattern):
    """Exactly one line is the reason, and it is this."""
    lines = [line for line in result.stderr.splitlines()
             if line.startswith(MESSAGE) and "warning:" not in line]
    check(any(re.search(pattern, line, re.I) for line in lines), "%s does not say %r\n%s",
          endpoint.name, pattern, endpoint.log())


def expect(context, role, words, pattern, status=1, **arguments):
    endpoint = context.endpoint(role, words, **arguments)
    result = endpoint.expect(status, 30)
    check_said(endpoint, result, pattern)
    return result


# ---- words

@system_test(cases=[dict(words="--no-such-option"), dict(words="--codec brotli"),
                    dict(words="--codec lz4 --level 3"), dict(words="--level eleven"),
                    dict(words="--max-bandwidth fast"), dict(words="--inject loss=2")])
def bad_word_is_a_usage_error(context, words):
    wrong = words.split()
    result = expect(context, "send", ["--mem", "ram=" + small_image(context), *wrong],
                    re.escape(wrong[0].lstrip("-").split("=")[0]))
    check(result.report is None or result.report["status"] == "failed", "a report says %s",
          result.report)


@system_test()
def neither_guest_nor_image_is_a_usage_error(context):
    expect(context, "send", [], r"--qmp|--mem")


# ---- files

@system_test()
def missing_memory_file(context):
    expect(context, "send", ["--mem", "ram=/nonexistent/ram"], r"/nonexistent/ram.*no such file")


@system_test()
def memory_file_shorter_than_its_region(context):
    path = small_image(context)
    expect(context, "send", ["--mem", "ram=%s@0+%d" % (path, 64 << 20)], r"short|end")


@system_test(cases=[dict(kind="missing"), dict(kind="readable by others"), dict(kind="no key"),
                    dict(kind="a directory")])
def unusable_key_file(context, kind):
    path = context.path("key")
    if kind == "readable by others":
        certs.make_psk(path, mode=0o644)
    elif kind == "no key":
        with open(path, "w") as file:
            file.write("this is no key\n")
        os.chmod(path, 0o600)
    elif kind == "a directory":
        os.mkdir(path, 0o700)
    expect(context, "send", ["--mem", "ram=" + small_image(context)], re.escape(path),
           security=["--psk", path])


# ---- QMP sockets

@system_test(cases=[dict(kind="missing"), dict(kind="file"), dict(kind="silent"),
                    dict(kind="talks something else"), dict(kind="nobody listens")])
def socket_that_is_not_qmp(context, kind):
    path = context.path("not-qmp")
    listener = socket.socket(socket.AF_UNIX)
    if kind == "file":
        with open(path, "w") as file:
            file.write("no socket\n")
    elif kind != "missing":
        listener.bind(path)
    if kind in ("silent", "talks something else"):
        listener.listen()
        threading.Thread(target=answer, args=(listener, kind != "silent"), daemon=True).start()
    expect(context, "send", ["--qmp", path], re.escape(path))
    listener.close()


def answer(listener, talk):
    peer, _ = listener.accept()
    if talk:
        peer.sendall(b"220 mail.example ESMTP\r\n")
    peer.recv(4096)
    peer.recv(4096)


# ---- guests that cannot be moved

@system_test()
def guest_with_private_memory_is_refused(context):
    source = context.source(Shape(share=False))
    source.wait_booted()
    expect(context, "send", ["--qmp", source.qmp_path], r"share=on")
    source.wait_beats(3)


@system_test()
def destination_that_does_not_wait_is_refused(context):
    vm = context.source(Shape())
    expect(context, "recv", ["--qmp", vm.qmp_path], r"-incoming defer|-S")
    vm.wait_booted()


@system_test(cases=[dict(what="size"), dict(what="machine", full=True)])
def receiver_with_another_guest_is_refused(context, what):
    source = context.source(Shape())
    source.wait_booted()
    other = Shape(mib=320) if what == "size" else Shape(machine="q35")
    destination = context.destination(other)
    sender, receiver = context.start_migration(source, destination)
    sent, received = sender.finish(30), receiver.finish(30)
    check(sent.status in (1, 2) and received.status in (1, 2), "statuses %s and %s",
          sent.status, received.status)
    check_said(sender, sent, "ram0|size|bytes|pages|MiB" if what == "size" else "machine")
    source.wait_beats(3)
    source.verify()
    source.check_untouched()


# ---- peers

@system_test()
def second_sender_is_turned_away_and_the_first_one_completes(context):
    link = context.link()
    image, destination = small_image(context, data_mib=14), context.shm("destination.img")
    slow = ["--mem", "ram=" + image, "--codec", "raw", "--max-bandwidth", "30m"]
    first, receiver = context.start_pair(slow, ["--mem", "ram=" + destination],
                                         port="af_packet", link=link)
    first.wait_state("ROUND")
    second = context.endpoint("send", ["--mem", "ram=" + image], port="af_packet",
                              link=link, address="192.0.2.3")
    check_said(second, second.expect(2), r"busy|refused|another")
    first.expect(0)
    receiver.expect(0)
    check(memory_image.first_difference(image, destination) is None, "the image differs")


@system_test()
def nobody_at_the_address(context):
    endpoint = context.endpoint("send", ["--mem", "ram=" + small_image(context)],
                                port="af_packet", link=context.link())
    check_said(endpoint, endpoint.expect(2, 60), re.escape(DESTINATION_ADDRESS))


@system_test()
def receiver_with_another_image_size_is_refused(context):
    source = small_image(context)
    destination = context.shm("destination.img")
    with open(destination, "wb") as file:
        file.truncate(8 << 20)
    sender, receiver = context.start_pair(
        ["--mem", "ram=" + source], ["--mem", "ram=%s@0+%d" % (destination, 8 << 20)])
    result = sender.finish(30)
    check(result.status in (1, 2), "status %s", result.status)
    check_said(sender, result, r"ram|size|pages")
    check(receiver.finish(30).status in (1, 2), "the receiver's status")
    check(memory_image.data_bytes(destination) == 0, "pages were written")


@system_test()
def region_of_another_name_is_refused(context):
    sender, receiver = context.start_pair(
        ["--mem", "ram=" + small_image(context)],
        ["--mem", "video=" + context.shm("destination.img")])
    result = sender.finish(30)
    check(result.status in (1, 2), "status %s", result.status)
    check_said(sender, result, r"ram|video")
    receiver.finish(30)


# ---- room

@system_test(cases=[dict(kind="tmpfs"), dict(kind="hugetlbfs")])
def full_destination_is_refused_before_anything_moves(context, kind):
    directory = context.path("full")
    if kind == "tmpfs":
        os.makedirs(directory)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", directory], check=True)
        context.on_exit(lambda: subprocess.run(["umount", directory], check=True))
    else:
        context.reserve_hugepages(128)
        context.mount_hugetlbfs(directory, mib=8)
    source = small_image(context, mib=64, data_mib=40)
    sender, receiver = context.start_pair(["--mem", "ram=" + source],
                                          ["--mem", "ram=%s/image" % directory])
    sent, received = sender.finish(30), receiver.finish(30)
    check(sent.status in (1, 2) and received.status in (1, 2), "statuses %s and %s",
          sent.status, received.status)
    check_said(receiver, received, r"MiB|bytes|room|huge pages|full")
    check_said(sender, sent, r"MiB|bytes|room|huge pages|full")
