# SPDX-License-Identifier: BSD-3-Clause
"""`dpdk-migcomp doctor` on this machine: what it says is so, and what it says to do helps. And the
privileges of the systemd unit are enough."""

import configparser
import json
import os
import pwd
import re
import shutil
import subprocess

from harness.context import Shape
from harness.leaks import NR_HUGEPAGES, read_number
from harness.registry import Skip, check, system_test

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "..", "..", "drivers-config")
SETCAP, CAPABILITIES = "/sbin/setcap", "cap_net_admin,cap_net_raw,cap_sys_ptrace+ep"
NOBODY = pwd.getpwnam("nobody").pw_uid


class Doctor:
    def __init__(self, done):
        self.status, self.text, self.errors = done.returncode, done.stdout, done.stderr
        self.lines = [re.match(r"(ok|warn|missing) +(\S+(?: \S+)*?)  +(.*)", line)
                      for line in done.stdout.splitlines()]

    def level(self, what):
        levels = [m.group(1) for m in self.lines if m and m.group(2) == what]
        return levels[0] if len(levels) == 1 else levels

    def says(self, what, level, words=""):
        text = " ".join(m.group(3) for m in self.lines if m and m.group(2) == what)
        check(self.level(what) == level and words in text, "%s is not %s with %r:\n%s%s", what,
              level, words, self.text, self.errors)


def doctor(context, *words, prefix=(), eal=()):
    done = subprocess.run([*prefix, context.program, *eal, *(["--"] if eal else []), "doctor",
                           *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False)
    return Doctor(done)


def nobody(capabilities=()):
    """Words that make a process nobody's, with some capabilities. As systemd does it: the bounding
    set as small, ambient capabilities, no new privileges."""
    names = [c.lower().replace("cap_", "", 1) for c in capabilities]
    plus = ",".join(["-all"] + ["+" + n for n in names])
    return ["setpriv", "--reuid", str(NOBODY), "--regid", "65534", "--clear-groups",
            "--no-new-privs", "--inh-caps", plus, "--ambient-caps", plus, "--bounding-set", plus]


def plain_nobody():
    """Nobody, as a login: new privileges may come from a file."""
    words = [w for w in nobody() if w != "--no-new-privs"]
    return words[:words.index("--bounding-set")]


def has_qat():
    return any(os.path.exists("/sys/bus/pci/drivers/" + d) for d in ("4xxx", "420xx", "c6xx"))


# ---- what there is

@system_test()
def truth_about_this_machine(context):
    found = doctor(context, "--report", context.path("report"))
    check(found.status == 0, "exit status %d\n%s%s", found.status, found.text, found.errors)
    check("a migration will work from this host" in found.text, "no verdict\n%s", found.text)
    groups = os.listdir("/sys/kernel/iommu_groups")
    found.says("IOMMU", "ok" if groups else "warn")
    if not has_qat():
        found.says("QAT", "warn", "software compresses")
    found.says("huge pages", "ok" if read_number(NR_HUGEPAGES) else "warn")
    found.says("compressdev", "ok", "compress_isal")
    found.says("EAL", "ok", "starts")
    found.says("privileges", "ok", "any QEMU")
    with open(context.path("report"), encoding="utf-8") as f:
        report = json.load(f)
    check(report["works"], "the report says that it does not work")
    listed = [(one["level"], one["what"]) for one in report["findings"]]
    printed = [(m.group(1), m.group(2)) for m in found.lines if m]
    check(listed == printed, "report and lines differ: %s, %s", listed, printed)


@system_test()
def every_line_that_is_not_ok_has_a_remedy(context):
    for prefix in ((), nobody()):
        found = doctor(context, prefix=prefix)
        for m in filter(None, found.lines):
            check(m.group(1) == "ok" or "; do: " in m.group(3) or m.group(2) == "QEMU",
                  "no remedy: %s", m.group(0))


@system_test()
def words_it_does_not_know_are_a_usage_error(context):
    for words in (["--mem", "ram=x"], ["more"], ["--qmp"]):
        found = doctor(context, *words)
        check(found.status == 1 and "--qmp PATH" in found.errors, "%s: %d, %s", words,
              found.status, found.errors)


# ---- after the EAL options

@system_test()
def ports_that_eal_was_given_are_listed(context):
    eal = ["--no-huge", "-m", "64", "--no-pci", "--no-telemetry", "--no-shconf", "--log-level=3"]
    found = doctor(context, eal=eal)
    found.says("port", "missing", "--vdev")
    check(found.status == 2, "exit status %d", found.status)
    socket = context.path("memif")
    found = doctor(context, eal=[*eal, "--vdev", "net_memif0,role=client,id=0,socket-abstract=no,"
                                 "socket=" + socket])
    found.says("port", "ok", "net_memif0")
    check(found.status == 0, "exit status %d\n%s", found.status, found.text)


@system_test()
def eal_that_does_not_start_is_missing(context):
    found = doctor(context, "--report", "-", eal=["--no-huge", "-m", "1", "--no-such-option"])
    check(found.status == 2, "exit status %d", found.status)
    check(not json.loads(found.text)["works"], "the report says that it works")


# ---- QEMU

@system_test()
def qemus_at_both_ends_are_looked_at_and_left_alone(context):
    source, destination = context.source(Shape()), context.destination(Shape())
    before = [vm.qmp.command("query-migrate-capabilities") for vm in (source, destination)]
    doctor(context, "--qmp", source.qmp_path).says("QEMU", "ok", "runs and can be moved")
    doctor(context, "--qmp", destination.qmp_path).says("QEMU", "ok", "waits for a guest")
    after = [vm.qmp.command("query-migrate-capabilities") for vm in (source, destination)]
    check(before == after, "capabilities were changed")
    check((source.status(), destination.status()) == ("running", "inmigrate"),
          "the guests are %s and %s", source.status(), destination.status())


@system_test()
def qemu_with_private_ram_is_refused_with_the_remedy(context):
    source = context.source(Shape(share=False))
    found = doctor(context, "--qmp", source.qmp_path)
    found.says("QEMU", "missing", "share=on")
    check(found.status == 2, "exit status %d", found.status)


# ---- remedies

@system_test(alone=True)
def huge_pages_as_it_says(context):
    if read_number(NR_HUGEPAGES):
        raise Skip("there are huge pages already")
    doctor(context).says("huge pages", "warn", "drivers-config/hugepages/setup")
    setup = os.path.join(CONFIG, "hugepages", "setup")
    context.on_exit(lambda: subprocess.run([setup, "--undo"], check=True,
                                           stdout=subprocess.DEVNULL))
    subprocess.run([setup, "--count", "16"], check=True, stdout=subprocess.DEVNULL)
    doctor(context).says("huge pages", "ok", "16 of 2 MiB, 16 free")


@system_test()
def capabilities_as_it_says(context):
    program = context.path("program")
    shutil.copy(context.program, program)
    os.chmod(context.scratch, 0o755)
    context.program = program
    found = doctor(context, prefix=nobody())
    check(found.status == 2, "exit status %d\n%s", found.status, found.text)
    found.says("network port", "missing", "setcap %s dpdk-migcomp" % CAPABILITIES)
    subprocess.run([SETCAP, CAPABILITIES, program], check=True)
    found = doctor(context, prefix=plain_nobody())
    check(found.status == 0, "exit status %d\n%s", found.status, found.text)
    found.says("af_packet", "ok", "possible")
    found.says("dirty tracker", "ok", "pagemap")


@system_test()
def memlock_limit_as_it_says(context):
    context.program = shutil.copy(context.program, context.path("program"))
    os.chmod(context.scratch, 0o755)
    limits = [("4096", "limit of 4 MiB")]
    if subprocess.run(["sh", "-c", "ulimit -l unlimited"], stderr=subprocess.DEVNULL,
                      check=False).returncode == 0:
        limits.append(("unlimited", "no limit"))
    for kib, words in limits:
        prefix = ["sh", "-c", "ulimit -l %s && exec \"$@\"" % kib, "sh", *nobody()]
        doctor(context, prefix=prefix).says("memlock", "ok", words)


def unit_capabilities():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(os.path.join(CONFIG, "systemd", "dpdk-migcomp-recv@.service"))
    service = unit["Service"]
    check(service["AmbientCapabilities"] == service["CapabilityBoundingSet"],
          "the unit's two sets of capabilities differ")
    return service["AmbientCapabilities"].split()


@system_test(timeout=180, cases=[dict(way="unit"), dict(way="setcap")])
def privileges_that_are_asked_for_are_enough_for_a_migration(context, way):
    os.chown(context.scratch, NOBODY, -1)
    os.chmod(context.scratch, 0o755)
    os.chown(context.psk(), NOBODY, -1)
    context.program = shutil.copy(context.program, context.path("program"))
    context.vm_prefix = nobody()
    if way == "unit":
        context.endpoint_prefix = nobody(unit_capabilities())
    else:
        subprocess.run([SETCAP, CAPABILITIES, context.program], check=True)
        context.endpoint_prefix = plain_nobody()
    sent, _, _, _ = context.migrate(Shape(), ["--dirty", "pagemap"], port="af_packet",
                                    link=context.link())
    check(sent.report["ram"]["normal"] > 0, "nothing was sent")
