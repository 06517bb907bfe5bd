#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""drivers-config/qat/setup on made-up trees of every generation."""

import argparse
import contextlib
import io
import os
import pwd
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import counted  # noqa: E402
from made_up_host import CONFIG, DEVICES, HERE, MEMORY, MadeUpHost  # noqa: E402

import host as host_module  # noqa: E402
import qat  # noqa: E402

PF = "0000:6b:00.0"
VF0, VF1 = "0000:6b:01.0", "0000:6b:01.1"
TABLE = {g.name: g for g in qat.generations()}
WITH_PF = [g for g in TABLE.values() if g.pf]


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="migc-sysfs-", dir=MEMORY)
        self.addCleanup(self.directory.cleanup)

    def host(self, name="4xxx", services="sym;asym", firmware=True, **arguments):
        """A host with one device whose driver can be loaded."""
        root = os.path.join(self.directory.name, "root%d" % len(os.listdir(self.directory.name)))
        host = MadeUpHost(root, **arguments)
        generation = TABLE[name]
        host.add_qat(PF, generation, services)
        if firmware:
            host.add_firmware(generation)
        host.provide(generation.module, generation.driver, (generation.pf,))
        return host

    def run_setup(self, host, status=0, undo=False, dry_run=False, **words):
        """@return what was said on both outputs"""
        options = argparse.Namespace(device=[], vfs=1, user=None, undo=undo, dry_run=dry_run)
        vars(options).update(words)
        host.dry_run, host.changes = dry_run, 0
        host.out.seek(0)
        host.out.truncate()
        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            got = host_module.main(qat.undo if undo else qat.setup, options, host)
        said = host.said() + error.getvalue()
        self.assertEqual(got, status, said)
        if status:
            self.assertRegex(said, r"problem: .+\n     do: .+")
        return said

    def driver(self, host, bdf):
        return host.link(DEVICES + bdf + "/driver")


class EachGeneration(Case):
    def test_bare_device_becomes_a_vf_of_vfio_pci(self):
        for generation in WITH_PF:
            with self.subTest(generation.name):
                host = self.host(generation.name)
                said = self.run_setup(host)
                self.assertEqual(self.driver(host, PF), generation.driver)
                self.assertEqual(self.driver(host, VF0), "vfio-pci")
                self.assertIsNone(self.driver(host, VF1))
                self.assertEqual(host.read(DEVICES + PF + "/sriov_numvfs"), str(generation.vfs))
                self.assertIn("EAL: -a %s\n" % VF0, said)
                if generation.services:
                    self.assertEqual(host.read(DEVICES + PF + "/qat/cfg_services"), "dc")
                    self.assertEqual(host.read(DEVICES + PF + "/qat/state"), "up")

    def test_second_run_changes_nothing(self):
        for generation in WITH_PF:
            with self.subTest(generation.name):
                host = self.host(generation.name)
                self.run_setup(host)
                host.written, before = [], host.tree()
                self.assertIn("already set up", self.run_setup(host))
                self.assertEqual(host.written, [])
                self.assertEqual(host.tree(), before)

    def test_dry_run_changes_nothing(self):
        for generation in WITH_PF:
            with self.subTest(generation.name):
                host = self.host(generation.name)
                before = host.tree()
                said = self.run_setup(host, dry_run=True)
                self.assertIn("would load a module: modprobe " + generation.module, said)
                self.assertEqual(host.tree(), before)

    def test_undo_puts_everything_back(self):
        for generation in WITH_PF:
            with self.subTest(generation.name):
                host = self.host(generation.name)
                host.load(generation.module)
                host.load("vfio-pci", "disable_denylist=1")
                before = host.tree()
                self.run_setup(host)
                self.run_setup(host)
                self.assertNotEqual(host.tree(), before)
                self.run_setup(host, undo=True)
                self.assertEqual(host.tree(), before)
                self.assertIn("nothing to do", self.run_setup(host, undo=True))

    def test_missing_firmware_is_named(self):
        for generation in [g for g in WITH_PF if g.firmware]:
            with self.subTest(generation.name):
                host = self.host(generation.name, firmware=False)
                self.assertIn(generation.firmware[0], self.run_setup(host, 1))
                self.assertEqual(host.written, [])

    def test_missing_module_is_named(self):
        for generation in WITH_PF:
            with self.subTest(generation.name):
                host = self.host(generation.name)
                host.make("/lib/modules/%s/modules.dep" % host.release(), "")
                self.assertIn("no module " + generation.module, self.run_setup(host, 1))
                self.assertEqual(host.written, [])

    def test_old_kernel_is_told_from_a_new_one(self):
        for generation in [g for g in WITH_PF if g.kernel]:
            major, minor = (int(n) for n in generation.kernel.split("."))
            older = "%d.%d.0" % ((major, minor - 1) if minor else (major - 1, 19))
            with self.subTest(generation.name):
                said = self.run_setup(self.host(generation.name, kernel=older), 1)
                self.assertIn("Linux %s or later" % generation.kernel, said)
                self.run_setup(self.host(generation.name, kernel=generation.kernel + ".0"))

    def test_denylist_is_switched_off_where_it_must_be_and_only_there(self):
        for generation in WITH_PF:
            with self.subTest(generation.name):
                said = self.run_setup(self.host(generation.name))
                self.assertEqual("disable_denylist=1" in said, generation.denied)
                host = self.host(generation.name)
                host.load("vfio-pci")
                said = self.run_setup(host, 1 if generation.denied else 0)
                self.assertEqual("modprobe -r vfio-pci" in said, generation.denied)
                self.assertEqual(host.written == [], generation.denied)

    def test_one_denied_device_of_two_is_enough(self):
        host = self.host("4xxx")
        host.add_qat("0000:70:00.0", TABLE["C62x"])
        host.add_firmware(TABLE["C62x"])
        host.provide("qat_c62x", "c6xx", ("37c8",))
        self.assertIn("modprobe vfio-pci disable_denylist=1", self.run_setup(host, dry_run=True))

    def test_nothing_is_changed_when_the_second_device_cannot_be_set_up(self):
        host = self.host("4xxx")
        host.add_qat("0000:70:00.0", TABLE["C62x"])
        host.provide("qat_c62x", "c6xx", ("37c8",))
        before = host.tree()
        self.assertIn("qat_c62x.bin", self.run_setup(host, 1))
        self.assertEqual(host.tree(), before)


class Checks(Case):
    def test_no_device_is_said(self):
        host = self.host()
        host.make(DEVICES + PF + "/device", "0x1572")
        self.assertIn("no QAT device", self.run_setup(host, 1))

    def test_other_vendors_device_is_left_alone(self):
        host = self.host()
        host.make(DEVICES + PF + "/vendor", "0x1234")
        self.assertIn("no QAT device", self.run_setup(host, 1))

    def test_not_root_may_look_only(self):
        host = self.host()
        host.is_root = False
        before = host.tree()
        self.assertIn("not root", self.run_setup(host, 1))
        self.assertIn("not root", self.run_setup(host, 1, undo=True))
        self.run_setup(host, dry_run=True)
        self.assertEqual(host.tree(), before)

    def test_iommu_off(self):
        host = self.host(iommu=False)
        self.assertIn("intel_iommu=on", self.run_setup(host, 1))
        self.assertEqual(host.written, [])

    def test_sriov_off_in_the_firmware_setup(self):
        host = self.host(services="dc")
        host.make(DEVICES + PF + "/sriov_totalvfs", "0")
        self.assertIn("SR-IOV", self.run_setup(host, 1))

    def test_compressed_firmware_is_firmware(self):
        for suffix in (".xz", ".zst"):
            host = self.host(firmware=False)
            host.add_firmware(TABLE["4xxx"], suffix=suffix)
            self.run_setup(host)

    def test_firmware_in_a_place_where_the_kernel_does_not_look(self):
        host = self.host(firmware=False)
        host.add_firmware(TABLE["4xxx"], directory="/lib/firmware/intel/qat/")
        self.assertIn("ln -s intel/qat/qat_4xxx.bin", self.run_setup(host, 1))

    def test_device_of_another_driver_is_not_taken_from_it(self):
        host = self.host()
        host.provide("pci-stub", "pci-stub", ())
        host.load("pci-stub")
        host.take(PF, "pci-stub")
        self.assertIn("bound to pci-stub", self.run_setup(host, 1))
        self.assertEqual(self.driver(host, PF), "pci-stub")

    def test_driver_that_does_not_take_the_device(self):
        host = self.host()
        host.modules["qat_4xxx"] = ("4xxx", ())
        self.assertIn("does not take it", self.run_setup(host, 1))

    def test_kernel_without_cfg_services(self):
        host = self.host(kernel="5.17.0")
        host.services = None
        self.assertIn("Linux 6.0 or later", self.run_setup(host, 1))

    def test_services_with_compression_among_them_are_kept(self):
        for services in ("dc", "sym;dc", "dc;asym"):
            host = self.host(services=services)
            said = self.run_setup(host)
            self.assertEqual(host.read(DEVICES + PF + "/qat/cfg_services"), services)
            self.assertEqual("more queue pairs" in said, services != "dc")

    def test_service_dcc_is_not_dc(self):
        host = self.host(services="dcc")
        self.run_setup(host)
        self.assertEqual(host.read(DEVICES + PF + "/qat/cfg_services"), "dc")

    def test_device_that_is_down_is_started(self):
        host = self.host(services="dc")
        host.load("qat_4xxx")
        host.make(DEVICES + PF + "/qat/state", "down")
        self.run_setup(host)
        self.assertEqual(host.read(DEVICES + PF + "/qat/state"), "up")

    def test_busy_device_is_said_to_be_in_use(self):
        host = self.host()
        host.load("qat_4xxx")
        host.busy = True
        self.assertIn("in use", self.run_setup(host, 1))
        self.assertEqual(host.read(DEVICES + PF + "/qat/cfg_services"), "sym;asym")

    def test_more_vfs_than_there_are(self):
        self.assertIn("--vfs 16", self.run_setup(self.host(), 1, vfs=17))

    def test_as_many_vfs_as_asked_for(self):
        host = self.host()
        said = self.run_setup(host, vfs=3)
        self.assertEqual(re.findall(r"-a (\S+)", said), [VF0, VF1, "0000:6b:01.2"])

    def test_only_the_named_device(self):
        host = self.host()
        other = "0000:70:00.0"
        host.add_qat(other, TABLE["4xxx"])
        self.run_setup(host, device=[PF])
        self.assertEqual(host.read(DEVICES + other + "/sriov_numvfs"), "0")
        self.assertIn("no QAT device", self.run_setup(host, 1, device=["0000:99:00.0"]))

    def test_vf_leaves_its_kernel_driver_and_gets_it_back(self):
        host = self.host("C62x")
        host.provide("qat_c62xvf", "c6xxvf", ("37c9",))
        host.load("qat_c62xvf")
        self.run_setup(host)
        self.assertEqual(self.driver(host, VF0), "vfio-pci")
        self.assertEqual(self.driver(host, VF1), "c6xxvf")
        host.make(DEVICES + PF + "/sriov_totalvfs", "16")
        self.run_setup(host, undo=True)
        self.assertEqual(host.read(DEVICES + PF + "/sriov_numvfs"), "0")

    def test_vfs_that_were_there_stay_at_undo(self):
        host = self.host("C62x")
        host.provide("qat_c62xvf", "c6xxvf", ("37c9",))
        host.load("qat_c62xvf")
        host.load("qat_c62x")
        host.load("vfio-pci", "disable_denylist=1")
        host.store(DEVICES + PF + "/sriov_numvfs", "16")
        before = host.tree()
        self.run_setup(host)
        self.assertEqual(self.driver(host, VF0), "vfio-pci")
        self.run_setup(host, undo=True)
        self.assertEqual(self.driver(host, VF0), "c6xxvf")
        after = host.tree()
        # a cleared driver_override reads as an empty line
        before[host.path(DEVICES + VF0 + "/driver_override")] = "\n"
        self.assertEqual(after, before)

    def test_device_that_has_gone_is_forgotten(self):
        host = self.host()
        self.run_setup(host)
        for name in ("vendor", "device"):
            os.unlink(host.path(DEVICES + PF + "/" + name))
        for vf in [e for e in host.list(DEVICES) if e != PF]:
            os.unlink(host.path(DEVICES + vf + "/device"))
        self.assertIn("has gone", self.run_setup(host, undo=True))
        self.assertFalse(host.exists("/run/dpdk-migcomp/qat.json"))

    @unittest.skipUnless(os.geteuid() == 0, "only root can give files away")
    def test_user_gets_the_group_file(self):
        host = self.host(services="dc")
        self.run_setup(host)
        name = "/dev/vfio/" + host.link(DEVICES + VF0 + "/iommu_group")
        host.make(name, "")
        self.run_setup(host, user="nobody")
        self.assertEqual(os.stat(host.path(name)).st_uid, pwd.getpwnam("nobody").pw_uid)
        self.assertIn("already set up", self.run_setup(host, user="nobody"))
        self.assertIn("adduser", self.run_setup(host, 1, user="no-such-user"))

    def test_generation_whose_pf_nobody_knows_is_found_by_its_vfs(self):
        host = self.host()
        host.make(DEVICES + PF + "/device", "0x9999")
        host.vf_id = "578b"
        host.store(DEVICES + PF + "/sriov_numvfs", "16")
        said = self.run_setup(host)
        self.assertIn("300xx", said)
        self.assertEqual(self.driver(host, VF0), "vfio-pci")

    def test_vf_that_was_given_to_a_virtual_machine(self):
        host = self.host()
        host.make(DEVICES + PF + "/device", "0x4941")
        self.assertIn("EAL: -a " + PF, self.run_setup(host))
        self.assertEqual(self.driver(host, PF), "vfio-pci")
        self.assertEqual(host.loaded, ["vfio-pci"])
        self.run_setup(host, undo=True)
        self.assertIsNone(self.driver(host, PF))


class InUse(Case):
    def in_use(self):
        host = self.host()
        self.run_setup(host)
        host.open_by(4711, "dpdk-migcomp", "/dev/vfio/" + host.link(
            DEVICES + VF0 + "/iommu_group"))
        return host

    def test_undo_refuses_and_names_the_process(self):
        host = self.in_use()
        before = host.tree()
        self.assertIn("dpdk-migcomp (4711)", self.run_setup(host, 1, undo=True))
        self.assertEqual(host.tree(), before)

    def test_undo_goes_on_when_it_has_ended(self):
        host = self.in_use()
        self.run_setup(host, 1, undo=True)
        os.unlink(host.path("/proc/4711/fd/7"))
        self.run_setup(host, undo=True)
        self.assertEqual(host.read(DEVICES + PF + "/sriov_numvfs"), "0")
        self.assertEqual(host.read(DEVICES + PF + "/qat/cfg_services"), "sym;asym")

    def test_services_are_not_changed_under_a_user(self):
        host = self.in_use()
        host.make(DEVICES + PF + "/qat/cfg_services", "sym")
        self.assertIn("dpdk-migcomp (4711)", self.run_setup(host, 1))
        self.assertEqual(host.read(DEVICES + PF + "/qat/cfg_services"), "sym")

    def test_second_run_leaves_a_user_alone(self):
        self.assertIn("already set up", self.run_setup(self.in_use()))


class CommandLine(Case):
    """The program itself."""

    def call(self, host, *words, **arguments):
        return subprocess.run([os.path.join(CONFIG, "qat", "setup"), "--sysroot", host.sysroot,
                               *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, **arguments)

    def test_dry_run_on_a_tree(self):
        done = self.call(self.host(), "--dry-run")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("would load a module: modprobe qat_4xxx", done.stdout)

    def test_modules_of_this_host_are_not_loaded_for_a_tree(self):
        done = self.call(self.host())
        self.assertEqual(done.returncode, 1)
        self.assertIn("use --dry-run" if os.geteuid() == 0 else "not root", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_somebody_else_is_not_root(self):
        host = self.host()
        os.chmod(self.directory.name, 0o755)
        done = self.call(host, user="nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not root", done.stderr)


class Tables(unittest.TestCase):
    def test_every_generation_that_is_planned_for_is_there(self):
        self.assertEqual(sorted(TABLE), sorted([
            "DH895xCC", "C62x", "C3xxx", "D15xx", "200xx", "C4xxx", "300xx", "4xxx", "401xx",
            "402xx", "420xx"]))

    def test_doctor_has_the_same_ids(self):
        path = os.path.join(HERE, "..", "..", "..", "lib", "doctor", "qat_table.c")
        with open(path, encoding="utf-8") as f:
            rows = re.findall(r'\{"(\w+)", (\d), 0x(\w{4}), 0x(\w{4}),', f.read())
        self.assertEqual(sorted(rows), sorted(
            (g.name, str(g.generation), g.pf or "0000", g.vf) for g in TABLE.values()))


if __name__ == "__main__":
    counted.main()
