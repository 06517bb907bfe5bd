#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the system tests, each in a process of its own with a time limit, and looks after each for
what it left behind. Two at a time, for many do little but wait; then those that must be alone. Needs
root.
usage: run.py [--build DIR] [--full] [--filter REGEX] [--codec CODEC] [--inject SPEC]
[--qatlike SPEC] [--hops N] [--jobs N] [--list]
--build build-sanitize: the programs' sanitizers watch, and what they report fails the test."""

import argparse
import fcntl
import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from harness import sanitizer  # noqa: E402
from harness.context import Context  # noqa: E402
from harness.leaks import TOKEN_VARIABLE, Snapshot  # noqa: E402
from harness.registry import REGISTERED, Failure, Skip  # noqa: E402

PASSED, FAILED, SKIPPED = 0, 1, 77
# a program with sanitizers may take so much longer
SANITIZED_SLOWER = 3


def run_inside(test, context, log_path):
    """The test's own process: returns its exit status, writes the reason."""
    status, reason = PASSED, ""
    try:
        test.run(context)
    except Skip as skip:
        status, reason = SKIPPED, str(skip)
    except Failure as failure:
        status, reason = FAILED, "%s\n%s" % (failure, context.logs())
    except BaseException:  # pylint: disable=broad-except
        status, reason = FAILED, traceback.format_exc() + context.logs()
    try:
        context.stack.close()
    except Exception:  # pylint: disable=broad-except
        status, reason = FAILED, reason + "clean-up: " + traceback.format_exc()
    reports = sanitizer.said(context.endpoints)
    if reports:
        status, reason = FAILED, "%s\n%s" % (reason, reports)
    with open(log_path, "w", encoding="utf-8", errors="replace") as log:
        log.write(reason)
    return status


class Running:
    """A test in its process."""

    def __init__(self, test, number, program, guest):
        self.test = test
        self.token = "migc%dn%d" % (os.getpid(), number)
        self.scratch = tempfile.mkdtemp(prefix=self.token + "-")
        self.log_path = self.scratch + "-log"
        self.before = Snapshot()
        self.begin = time.monotonic()
        self.end = self.begin + test.timeout * (SANITIZED_SLOWER if Context.sanitized else 1)
        sys.stdout.flush()
        self.child = os.fork()
        if self.child == 0:
            self._run(program, guest)

    def _run(self, program, guest):
        """In the child."""
        status = FAILED
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.environ[TOKEN_VARIABLE] = self.token
            if Context.sanitized:
                os.environ.update(sanitizer.environment(self.scratch))
            context = Context(self.token, self.scratch, program, guest, self.test.alone)
            status = run_inside(self.test, context, self.log_path)
        finally:
            os._exit(status)

    def poll(self):
        """(status, reason), or None while it runs."""
        pid, status = os.waitpid(self.child, os.WNOHANG)
        if pid == self.child:
            self.child = None
            return self._ended(status)
        if time.monotonic() > self.end:
            self._kill()
            return FAILED, "not done within %d s" % (self.end - self.begin)
        return None

    def look_after(self, status, reason):
        """What it left behind, and what sanitizers wrote: (status, reason)."""
        reports = sanitizer.reports(self.scratch)
        if reports:
            return FAILED, "%s\n%s" % (reason, reports)
        if status == PASSED:
            leaks = self.before.leaks(self.token, self.scratch)
            if leaks:
                return FAILED, "left behind:\n  " + "\n  ".join(leaks)
        return status, reason

    def clean_up(self):
        """Whatever happened."""
        self._kill()
        if os.path.exists(self.log_path):
            os.unlink(self.log_path)
        self.before.clean_up(self.token, self.scratch)

    def _ended(self, status):
        reason = ""
        if os.path.exists(self.log_path):
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                reason = log.read()
            os.unlink(self.log_path)
        if not os.WIFEXITED(status):
            return FAILED, "the test was killed by signal %d" % os.WTERMSIG(status)
        status = os.WEXITSTATUS(status)
        return status if status in (PASSED, SKIPPED) else FAILED, reason

    def _kill(self):
        if self.child is not None:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            self.child = None


def run_side_by_side(tests, jobs, program, guest, finished):
    """So many at a time of (number, test); `finished(running, status, reason)` for each."""
    waiting, running = list(tests), []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number, test = waiting.pop(0)
                running.append(Running(test, number, program, guest))
            time.sleep(0.02)
            for one in list(running):
                result = one.poll()
                if result is None:
                    continue
                result = one.look_after(*result)
                one.clean_up()
                running.remove(one)
                finished(one, *result)
    finally:
        for one in running:
            one.clean_up()


def load():
    for name in sorted(os.listdir(HERE)):
        if name.startswith("test_") and name.endswith(".py"):
            importlib.import_module(name[:-3])


def take_turns():
    """Huge pages and leftovers belong to the whole machine: one run at a time. A lock without a
    file, let go when we end."""
    lock = os.open("/dev/shm", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("run.py: waiting for another run to end", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)


def arguments():
    parser = argparse.ArgumentParser(description="system tests of dpdk-migcomp")
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    parser.add_argument("--full", action="store_true", help="also the long ones")
    parser.add_argument("--filter", default="", help="only names that match this expression")
    parser.add_argument("--codec", help="of all migrations whose test asks for none")
    parser.add_argument("--inject", help="into both ends of all migrations whose test has none")
    parser.add_argument("--qatlike", help="all migrations have devices like QAT: as MIGC_QATLIKE, "
                        "see tests/qatlike/qatlike.h")
    parser.add_argument("--hops", type=int, default=Context.hops,
                        help="migrations of the guest that goes to and fro")
    parser.add_argument("--jobs", type=int, default=2, help="tests at a time")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs: at least 1 test at a time")
    return options


def main():
    options = arguments()
    load()
    tests = [t for t in REGISTERED if re.search(options.filter, t.name)
             and (options.full or not t.full)]
    if options.list:
        for test in tests:
            print(test.name)
        return 0
    program = os.path.abspath(os.path.join(options.build, "app", "migcomp", "dpdk-migcomp"))
    if os.geteuid() != 0 or not os.access(program, os.X_OK):
        print("run.py: needs root and %s" % program, file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    guest = subprocess.run([os.path.join(HERE, "..", "guest", "build-initramfs")], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.strip()
    take_turns()
    Context.codec, Context.inject = options.codec, options.inject
    Context.qatlike, Context.hops = options.qatlike, options.hops
    Context.sanitized = sanitizer.is_sanitized(options.build)
    Context.qatlike_program = os.path.abspath(
        os.path.join(options.build, "tests", "qatlike", "dpdk-migcomp-qatlike"))
    counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}

    def finished(running, status, reason):
        counts[status] += 1
        word = {PASSED: "PASS", FAILED: "FAIL", SKIPPED: "SKIP"}[status]
        print("%s %s (%.1f s)%s" % (word, running.test.name, time.monotonic() - running.begin,
                                    ": " + reason if reason else ""), flush=True)

    numbered = list(enumerate(tests))
    for alone in (False, True):
        run_side_by_side([t for t in numbered if t[1].alone == alone],
                         1 if alone else options.jobs, program, guest, finished)
    print("%d passed, %d failed%s" % (counts[PASSED], counts[FAILED], ", %d skipped" %
                                      counts[SKIPPED] if counts[SKIPPED] else ""))
    return 1 if counts[FAILED] or not counts[PASSED] else 0


if __name__ == "__main__":
    sys.exit(main())
