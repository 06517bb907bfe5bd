# SPDX-License-Identifier: BSD-3-Clause
"""A host as its sysfs and procfs show it: read, changed step by step, and put back.

All paths are those of the host; `sysroot` is put before each of them, so that a made-up tree can
stand for a host. What is changed is recorded first, in /run/dpdk-migcomp, for --undo."""

import argparse
import contextlib
import errno
import json
import os
import re
import subprocess
import sys

STATE_DIRECTORY = "/run/dpdk-migcomp"


class Problem(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, what, remedy):
        super().__init__("%s: %s" % (what, remedy))
        self.what, self.remedy = what, remedy


class Host:
    def __init__(self, sysroot="/", dry_run=False, out=sys.stdout):
        self.sysroot, self.dry_run, self.out = sysroot, dry_run, out
        self.changes = 0

    def say(self, text):
        print(text, file=self.out, flush=True)

    # ---- looking

    def path(self, name):
        return os.path.join(self.sysroot, name.lstrip("/"))

    def exists(self, name):
        return os.path.exists(self.path(name))

    def read(self, name):
        """A file's text without blanks around it; None when there is none."""
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return f.read().strip()
        except OSError:
            return None

    def list(self, name):
        try:
            return sorted(os.listdir(self.path(name)))
        except OSError:
            return []

    def link(self, name):
        """The last part of what a symbolic link points to; None when it is none."""
        try:
            return os.path.basename(os.readlink(self.path(name)))
        except OSError:
            return None

    def root(self):
        return os.geteuid() == 0

    def release(self):
        return self.read("/proc/sys/kernel/osrelease") or ""

    def kernel(self):
        """(major, minor)"""
        found = re.match(r"(\d+)\.(\d+)", self.release())
        return (int(found.group(1)), int(found.group(2))) if found else (0, 0)

    def module_there(self, module):
        """Is the module loaded, built in, or there to be loaded? Names have - and _ alike."""
        if self.exists("/sys/module/" + module.replace("-", "_")):
            return True
        pattern = re.compile(r"(^|/)%s\.ko\b" % module.replace("_", "-").replace("-", "[-_]"), re.M)
        return any(pattern.search(self.read("/lib/modules/%s/%s" % (self.release(), index)) or "")
                   for index in ("modules.dep", "modules.builtin"))

    def users(self, device):
        """Processes that have a file open, as "name (pid)"."""
        found = []
        for pid in filter(str.isdigit, self.list("/proc")):
            for fd in self.list("/proc/%s/fd" % pid):
                try:
                    target = os.readlink(self.path("/proc/%s/fd/%s" % (pid, fd)))
                except OSError:
                    continue
                if target == device:
                    found.append("%s (%s)" % (self.read("/proc/%s/comm" % pid) or "?", pid))
                    break
        return found

    # ---- changing

    def must_be_root(self):
        if not self.dry_run and not self.root():
            raise Problem("this changes the host, and you are not root",
                          "run it with sudo, or look first with --dry-run")

    def announce(self, text):
        self.changes += 1
        self.say(("would " if self.dry_run else "") + text)

    def store(self, name, value):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(value + "\n")

    def write(self, name, value, why, remedy="see dmesg"):
        """Write to a file of sysfs, and say so."""
        self.announce("%s: write '%s' to %s" % (why, value, name))
        if self.dry_run:
            return
        try:
            self.store(name, value)
        except OSError as error:
            raise Problem("%s: writing '%s' to %s: %s" % (why, value, name, error.strerror),
                          "it is in use: stop what uses it" if error.errno == errno.EBUSY
                          else remedy) from error

    def modprobe(self, module, *parameters):
        words = ["modprobe", module, *parameters]
        self.announce("load a module: " + " ".join(words))
        if not self.dry_run:
            self.run(words)

    def run(self, words):
        if os.path.realpath(self.sysroot) != "/":
            raise Problem("'%s' would act on this host, not on %s" % (
                " ".join(words), self.sysroot), "with --sysroot, use --dry-run")
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise Problem("'%s' failed: %s" % (" ".join(words), done.stdout.strip()),
                          "see dmesg")


class Record:
    """What was there before we changed it: {name: {key: value}}. The first value stays, however
    often a setup is run."""

    def __init__(self, host, kind):
        self.host, self.name = host, "%s/%s.json" % (STATE_DIRECTORY, kind)
        try:
            self.values = json.loads(host.read(self.name) or "{}")
        except ValueError as error:
            raise Problem("%s is damaged (%s)" % (self.name, error),
                          "remove it; what was set up before must be undone by hand") from error

    def note(self, name, key, value):
        if self.host.dry_run or key in self.values.get(name, {}):
            return
        self.values.setdefault(name, {})[key] = value
        self.save()

    def forget(self, name, key=None):
        if self.host.dry_run:
            return
        if key is None:
            self.values.pop(name, None)
        else:
            self.values[name].pop(key, None)
        self.save()

    def save(self):
        path = self.host.path(self.name)
        if not self.values:
            if os.path.exists(path):
                os.unlink(path)
                # of the last record
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(path))
            return
        # as dpdk-migcomp wants it, whose control sockets are there too
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(self.values, f, indent=1)
        os.rename(path + ".new", path)


def positive(text):
    """Of a number on the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("%d is less than 1" % number)
    return number


def parser(description):
    p = argparse.ArgumentParser(description=description,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    p.add_argument("--undo", action="store_true", help="put back what earlier runs changed")
    p.add_argument("--sysroot", default="/", metavar="DIR",
                   help="a tree to look at instead of this host (for tests)")
    return p


def main(run, options, host=None):
    """Run, say what is wrong, @return the exit status."""
    host = host or Host(options.sysroot, options.dry_run)
    try:
        run(host, options)
    except Problem as problem:
        print("problem: %s\n     do: %s" % (problem.what, problem.remedy), file=sys.stderr)
        return 1
    if not host.changes:
        host.say("nothing to do" if options.undo else "already set up: nothing to do")
    return 0
