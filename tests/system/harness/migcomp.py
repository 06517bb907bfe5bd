# SPDX-License-Identifier: BSD-3-Clause
"""Runs dpdk-migcomp: EAL words for memif and af_packet, output as it comes, exit status, report,
memory of its own."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from .net import INTERFACE
from .registry import Failure, check

# where control sockets are that are given no place
USUAL_DIRECTORY = "/run/dpdk-migcomp"
SOURCE_ADDRESS, DESTINATION_ADDRESS = "192.0.2.1", "192.0.2.2"


def eal_words(workers, mib=192, huge_pages=False):
    """Leaves no files. workers 0: one lcore does everything. No word is there twice: DPDK 25.11
    refuses that."""
    cpus = "(%s)" % ",".join(str(c) for c in sorted(os.sched_getaffinity(0)))
    lcores = ",".join("%d@%s" % (i, cpus) for i in range(workers + 1))
    memory = ["--in-memory"] if huge_pages else ["--no-huge", "-m", str(mib)]
    return [*memory, "--no-pci", "--iova-mode=va", "--no-telemetry",
            "--no-shconf", "--log-level=3", "--lcores", lcores]


def memif_words(path, server, mtu):
    size = 2048 if mtu <= 1500 else 9216
    return ["--vdev", "net_memif0,role=%s,id=0,socket=%s,socket-abstract=no,bsize=%d,rsize=10" % (
        "server" if server else "client", path, size)]


def af_packet_words(mtu, queues=1, interface=INTERFACE):
    frame, block = (2048, 65536) if mtu <= 1500 else (10240, 40960)
    # through the queueing discipline: a veth takes what fits, and tbf and taps see the packets
    return ["--vdev", "net_af_packet0,iface=%s,framesz=%d,blocksz=%d,framecnt=1024,qpairs=%d,"
            "qdisc_bypass=0" % (interface, frame, block, queues)]


class Result:
    def __init__(self, status, stdout, stderr, report, own_bytes):
        self.status, self.stdout, self.stderr = status, stdout, stderr
        self.report, self.own_bytes = report, own_bytes


class Endpoint:
    """One process of dpdk-migcomp. `argv`: all words; `prefix`: e.g. a namespace's."""

    def __init__(self, context, name, eal, words, prefix=(), qatlike=None, environment=None,
                 usual_control=False):
        self.context, self.name = context, name
        self.report_path = context.path(name + ".report")
        if os.path.exists(self.report_path):
            os.unlink(self.report_path)
        program = context.qatlike_program if qatlike else context.program
        self.program = program
        self.argv = [*prefix, program, *eal, "--", *words,
                     "--progress", "plain"]
        if "--report" not in words:
            self.argv += ["--report", self.report_path]
        self.control = None if usual_control else context.path(name + ".control")
        if self.control:
            self.argv += ["--control", self.control]
        self.out, self.err = [], []
        self.own_bytes = 0
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, "MIGC_QATLIKE": qatlike or "",
                                             **(environment or {})})
        context.on_exit(self.kill)
        if usual_control:
            self.control = "%s/%s-%d.sock" % (USUAL_DIRECTORY, words[0], self.process.pid)
            context.on_exit(self._remove_control)
        self.threads = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out),
                                     (self.process.stderr, self.err))]
        for thread in self.threads:
            thread.start()

    def _remove_control(self):
        """Of one that was killed; the directory is not of the test."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.control)

    @staticmethod
    def _read(pipe, lines):
        for raw in pipe:
            lines.append(raw.decode(errors="replace").rstrip("\r\n"))

    def wait_line(self, pattern, timeout=30, lines=None):
        """Until a line of stderr (or of `lines`) matches; returns the match."""
        lines = self.err if lines is None else lines
        end = time.monotonic() + timeout
        seen = 0
        while True:
            while seen < len(lines):
                found = re.search(pattern, lines[seen])
                if found:
                    return found
                seen += 1
            if self.process.poll() is not None and seen == len(lines):
                raise Failure("%s ended with status %d before it said %r\n%s" % (
                    self.name, self.process.returncode, pattern, self.log()))
            if time.monotonic() > end:
                raise Failure("%s did not say %r within %d s\n%s" % (
                    self.name, pattern, timeout, self.log()))
            time.sleep(0.005)

    def wait_listening(self, timeout=30):
        return self.wait_line(r"^listening on \S+:\d+$", timeout, self.out)

    def wait_state(self, *names, timeout=60):
        return self.wait_line(r"^state (%s)\b" % "|".join(names), timeout).group(1)

    def wait_round(self, number, timeout=60):
        """Until the `number`th round goes on."""
        end = time.monotonic() + timeout
        while sum(bool(re.match(r"state ROUND\b", line)) for line in self.err) < number:
            check(self.process.poll() is None, "%s ended before round %d\n%s", self.name, number,
                  self.log())
            check(time.monotonic() < end, "%s: no round %d within %d s\n%s", self.name, number,
                  timeout, self.log())
            time.sleep(0.005)

    def sample_own_memory(self, guest_files):
        """Resident memory that is not the guest's RAM, the largest so far."""
        total, counted = 0, False
        try:
            with open("/proc/%d/smaps" % self.process.pid) as file:
                for line in file:
                    if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                        counted = not any(path in line for path in guest_files)
                    elif line.startswith("Rss:") and counted:
                        total += int(line.split()[1]) * 1024
        except (OSError, IndexError):
            return
        self.own_bytes = max(self.own_bytes, total)

    def log(self):
        return "--- %s: %s\n%s\n" % (self.name, " ".join(self.argv),
                                     "\n".join((self.out + self.err)[-40:]))

    def operate(self, *words, prefix=()):
        """Run `dpdk-migcomp status|cancel|continue|set ...` on this process: (exit status, stdout,
        stderr)."""
        done = subprocess.run([*prefix, self.program, *words, "--control", self.control],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def told(self, *words):
        """The same, and it must be obeyed."""
        status, out, err = self.operate(*words)
        check(status == 0, "%s: %s: exit status %d: %s\n%s", self.name, " ".join(words), status,
              err, self.log())
        return out

    def query(self, command="query-status"):
        """What the control socket says of the one guest."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(self.control)
            connection.sendall(json.dumps({"execute": command}).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        return answer["return"][0]

    def signal(self, number):
        os.kill(self.process.pid, number)

    def finish(self, timeout=60):
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure("%s did not end within %d s\n%s" % (self.name, timeout, self.log()))
        for thread in self.threads:
            thread.join(5)
        check(status < 0 or not os.path.exists(self.control), "%s left its control socket",
              self.name)
        report = None
        if os.path.exists(self.report_path) and os.path.getsize(self.report_path) > 0:
            with open(self.report_path) as file:
                try:
                    report = json.load(file)
                except ValueError as error:
                    raise Failure("%s: the report is no JSON: %s" % (self.name, error))
        return Result(status, "\n".join(self.out), "\n".join(self.err), report, self.own_bytes)

    def expect(self, status, timeout=60):
        result = self.finish(timeout)
        check(result.status == status, "%s: exit status %s instead of %d\n%s", self.name,
              result.status, status, self.log())
        if status == 0 and self.context.inject and result.report:
            self.check_injected(result.report)
        return result

    def check_injected(self, report):
        """What was injected into all of a run is counted, where there was enough to hit."""
        if report["network"]["packets"] < 2000:
            return
        for kind in ("dropped", "reordered", "duplicated"):
            check(report["inject"][kind] > 0, "%s: the report counts none %s: %s", self.name, kind,
                  report["inject"])

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            for thread in self.threads:
                thread.join(2)
            pipe.close()
