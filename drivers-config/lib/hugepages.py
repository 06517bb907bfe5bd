# SPDX-License-Identifier: BSD-3-Clause
"""Huge pages for EAL (and for a guest that has them): at least so many, and what was there back."""

from host import Problem, Record

KIB = {"2M": 2048, "1G": 1048576}


def place(options):
    base = "/sys/devices/system/node/node%d" % options.node if options.node is not None else \
        "/sys/kernel/mm"
    return "%s/hugepages/hugepages-%dkB/nr_hugepages" % (base, KIB[options.size])


def number(host, name, size):
    text = host.read(name)
    if text is None:
        raise Problem("this kernel has no huge pages of %s there (%s)" % (size, name),
                      "for 1G the CPU needs pdpe1gb; --node takes the number of a NUMA node")
    return int(text)


def setup(host, options):
    name = place(options)
    before = number(host, name, options.size)
    if before >= options.count:
        host.say("%d huge pages of %s are there" % (before, options.size))
        return
    host.must_be_root()
    record = Record(host, "hugepages")
    first = name not in record.values
    record.note(name, "before", before)
    host.write(name, str(options.count), "huge pages of %s: %d instead of %d" % (
        options.size, options.count, before))
    if host.dry_run:
        return
    now = number(host, name, options.size)
    if now < options.count:
        host.write(name, str(before), "only %d came: as before" % now)
        # what an earlier run has changed is still to be put back
        if first:
            record.forget(name)
        raise Problem("there is memory in one piece for %d huge pages of %s, not for %d" % (
            now, options.size, options.count),
                      "ask for fewer, free memory, or reserve them at boot: hugepagesz=%s "
                      "hugepages=%d on the kernel's command line" % (options.size, options.count))


def undo(host, _options):
    host.must_be_root()
    record = Record(host, "hugepages")
    for name in sorted(record.values):
        host.write(name, str(record.values[name]["before"]), "huge pages as before")
        record.forget(name)
