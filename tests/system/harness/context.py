# SPDX-License-Identifier: BSD-3-Clause
"""What a test gets: a place for files, and everything it starts is stopped again."""

import contextlib
import os
import shutil
import subprocess
import time

from . import certs, disk_image
from .leaks import NR_HUGEPAGES, read_number, write_number
from .migcomp import (DESTINATION_ADDRESS, SOURCE_ADDRESS, Endpoint, af_packet_words, eal_words,
                      memif_words)
from .net import INTERFACE, Link
from .registry import Skip, check
from .vm import Shape, Vm, check_continuity


class Context:
    codec = None
    """--codec of senders whose words have none; None: the program's own choice."""
    recover_timeout = "0"
    """--recover-timeout of both ends whose words have none: who dies is to be noticed soon."""
    inject = None
    """--inject of both ends whose words have none."""
    qatlike, qatlike_program = None, None
    """Devices like QAT that all endpoints have (tests/qatlike); None: only those that ask."""
    hops = 100
    """Migrations of the guest that goes to and fro."""
    sanitized = False
    """The programs are built with sanitizers."""

    def __init__(self, token, scratch, program, guest, alone=True):
        self.token, self.scratch, self.program, self.guest = token, scratch, program, guest
        self.alone = alone
        self.stack = contextlib.ExitStack()
        self.endpoints, self.vms = [], []
        self.endpoint_prefix, self.vm_prefix = [], []  # words that drop privileges
        self._hugetlbfs = None
        self._numbers = {}

    def path(self, name):
        return os.path.join(self.scratch, name)

    def shm(self, name):
        """A path in memory, for images."""
        path = "/dev/shm/%s-%s" % (self.token, name)
        self.on_exit(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def on_exit(self, function):
        self.stack.callback(function)

    def number(self, name):
        """Names of a second and third attempt get a number."""
        self._numbers[name] = self._numbers.get(name, 0) + 1
        count = self._numbers[name]
        return name if count == 1 else "%s%d" % (name, count)

    def reserve_hugepages(self, mib):
        check(self.alone, "a test that reserves huge pages must be alone=True")
        before = read_number(NR_HUGEPAGES)
        self.on_exit(lambda: write_number(NR_HUGEPAGES, before))
        write_number(NR_HUGEPAGES, before + mib // 2)
        if read_number(NR_HUGEPAGES) != before + mib // 2:
            raise Skip("not enough free memory for %d MiB of huge pages" % mib)

    def hugetlbfs(self):
        if self._hugetlbfs is None:
            self._hugetlbfs = self.mount_hugetlbfs(self.path("huge"))
        return self._hugetlbfs

    def mount_hugetlbfs(self, directory, mib=None):
        os.makedirs(directory)
        options = "pagesize=2M" + (",size=%dM" % mib if mib else "")
        subprocess.run(["mount", "-t", "hugetlbfs", "-o", options, "none", directory], check=True)
        self.on_exit(lambda: subprocess.run(["umount", directory], check=True))
        return directory

    def tmpfs(self, mib):
        """A file system in memory of its own, so small."""
        directory = self.path(self.number("tmpfs"))
        os.makedirs(directory)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dM" % mib, "none", directory],
                       check=True)
        self.on_exit(lambda: subprocess.run(["umount", directory], check=True))
        return directory

    def disk(self, mib=64):
        path = self.path("disk.img")
        disk_image.make_disk(path, mib)
        return path

    # ---- guests

    def source(self, shape):
        if shape.memory == "hugetlbfs":
            self.reserve_hugepages(2 * (shape.mib + (128 if shape.dimm else 0)))
        return self._vm(shape, False)

    def destination(self, shape):
        return self._vm(shape, True)

    def _vm(self, shape, destination):
        name = self.number("destination" if destination else "source")
        vm = Vm(self, name, shape, self.guest, destination)
        self.vms.append(vm)
        return vm

    # ---- helpers

    def helper(self, script, prefix):
        """Start a program of ours, until it says that it is ready."""
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", script)
        process = subprocess.Popen([*prefix, "/usr/bin/python3", path], stdout=subprocess.PIPE)
        self.on_exit(lambda: self.stop_helper(process))
        process.stdout.readline()
        return process

    @staticmethod
    def stop_helper(process):
        process.kill()
        process.wait()
        process.stdout.close()

    # ---- migrations

    def psk(self):
        path = self.path("psk")
        if not os.path.exists(path):
            certs.make_psk(path)
        return path

    def link(self, name="", **arguments):
        return self.stack.enter_context(Link(self.token + name, **arguments))

    def endpoint(self, role, words, workers=0, port="memif", mtu=1500, link=None, security=None,
                 address=None, eal_mib=192, qatlike=None, environment=None, back=False,
                 telemetry=None, connect=None, interface=INTERFACE, usual_control=False):
        """Start `send` or `recv` with an address, a port and credentials; `back`: on each other's
        host; `telemetry`: EAL's file prefix, to have it at all; `usual_control`: the socket is
        where the program puts it by itself."""
        source = role == "send"
        side, peer = SOURCE_ADDRESS, DESTINATION_ADDRESS
        if source == back:
            side, peer = peer, side
        all_words = [role, "--ip", (address or side) + "/24"]
        if source:
            all_words += ["--connect", connect or peer]
        if self.inject and "--inject" not in words:
            all_words += ["--inject", self.inject]
        if self.recover_timeout and "--recover-timeout" not in words:
            all_words += ["--recover-timeout", self.recover_timeout]
        if source and self.codec and "--codec" not in words:
            all_words += ["--codec", self.codec]
        if mtu != 1500:
            all_words += ["--mtu", str(mtu)]
        all_words += ["--psk", self.psk()] if security is None else security
        all_words += words
        prefix = []
        if port == "memif":
            port_words = memif_words(self.path("memif.sock"), not source, mtu)
        else:
            port_words = af_packet_words(mtu, max(1, workers), interface)
            prefix = link.inside("source" if side == SOURCE_ADDRESS else "destination")
        words_of_eal = [*eal_words(workers, eal_mib), *port_words]
        if telemetry:
            words_of_eal.remove("--no-telemetry")
            words_of_eal += ["--file-prefix", telemetry]
            self.on_exit(lambda: shutil.rmtree("/run/dpdk/" + telemetry, ignore_errors=True))
        endpoint = Endpoint(self, self.number(role), words_of_eal, all_words,
                            [*prefix, *self.endpoint_prefix], qatlike or self.qatlike, environment,
                            usual_control)
        self.endpoints.append(endpoint)
        return endpoint

    def start_pair(self, source_words, destination_words, **arguments):
        """Receiver first, until it listens, then the sender: (sender, receiver)."""
        receiver = self.endpoint("recv", destination_words, **arguments)
        receiver.wait_listening()
        return self.endpoint("send", source_words, **arguments), receiver

    def start_migration(self, source, destination, words=(), receiver_words=(), **arguments):
        return self.start_pair(["--qmp", source.qmp_path, *words],
                               ["--qmp", destination.qmp_path, *receiver_words], **arguments)

    def finish_migration(self, sender, receiver, source, destination, timeout=90):
        """Both say done, the guest goes on at the destination and finds all of itself there."""
        sent = sender.expect(0, timeout)
        received = receiver.expect(0, 30)
        check("unexpectedly" not in sent.stderr, "a false alarm\n%s", sender.log())
        check(sent.report is not None and sent.report["status"] == "completed",
              "the sender's report does not say completed: %s", sent.report)
        destination.wait_beats(5)
        check(source.status() in ("postmigrate", "paused"),
              "the source is %s after the migration", source.status())
        destination.verify()
        check_continuity(source, destination)
        source.check_untouched()
        return sent, received

    def migrate(self, shape, words=(), receiver_words=(), **arguments):
        """A whole migration of a freshly booted guest; returns the results and the guests."""
        source = self.source(shape)
        source.wait_booted()
        destination = self.destination(shape)
        pair = self.start_migration(source, destination, words, receiver_words, **arguments)
        results = self.finish_migration(*pair, source, destination)
        return (*results, source, destination)

    def forget_past(self):
        """Of what has ended nothing is kept but the last."""
        self.endpoints, self.vms = self.endpoints[-2:], self.vms[-2:]

    def logs(self):
        """For the report of a failure."""
        text = [e.log() for e in self.endpoints[-4:]]
        for vm in self.vms[-2:]:
            text.append("--- %s: %s\n%s\n%s" % (vm.name, vm.status(), vm.stderr()[-500:],
                                                vm.text()[-300:]))
        return "\n".join(text)


def wait_until(condition, what, timeout=20):
    end = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < end, "%s: not within %d s", what, timeout)
        time.sleep(0.02)


__all__ = ["Context", "Shape", "wait_until"]
