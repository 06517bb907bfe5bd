#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""drivers-config/ports/setup and drivers-config/hugepages/setup on made-up trees."""

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import counted  # noqa: E402
from made_up_host import CONFIG, DEVICES, MEMORY, MadeUpHost  # noqa: E402

import host as host_module  # noqa: E402
import hugepages  # noqa: E402
import ports  # noqa: E402

NIC = "0000:17:00.0"
POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
LINK_LOCAL = "fe80000000000000000000fffe000001 02 40 20 80 eth1"
GLOBAL = "20010db8000000000000000000000001 02 40 00 80 eth1"


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="migc-sysfs-", dir=MEMORY)
        self.addCleanup(directory.cleanup)
        self.root = os.path.join(directory.name, "root")

    def call(self, module, host, status=0, dry_run=False, **words):
        options = argparse.Namespace(**words)
        host.dry_run, host.changes = dry_run, 0
        host.out.seek(0)
        host.out.truncate()
        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            got = host_module.main(module.undo if words.get("undo") else module.setup, options,
                                   host)
        said = host.said() + error.getvalue()
        self.assertEqual(got, status, said)
        return said


class Ports(Case):
    def host(self, driver="ice", **arguments):
        host = MadeUpHost(self.root, **arguments)
        host.add_device(NIC, "1592", kind="0x020000")
        host.make(DEVICES + NIC + "/net/eth1/operstate", "up")
        os.makedirs(host.path("/sys/class/net/eth1"))
        host.point("/sys/class/net/eth1/device", "../../../" + NIC)
        host.make("/proc/net/route", "Iface Destination\neth0 00000000")
        host.make("/proc/net/if_inet6", LINK_LOCAL)
        host.provide(driver, driver, ("1592",))
        host.load(driver)
        return host

    def run_setup(self, host, status=0, port=(NIC,), undo=False, force=False, dry_run=False):
        return self.call(ports, host, status, dry_run, port=list(port), undo=undo, force=force)

    def driver(self, host):
        return host.link(DEVICES + NIC + "/driver")

    def test_each_driver_gives_its_nic_up_and_gets_it_back(self):
        for driver in ("ice", "i40e", "ixgbe"):
            with self.subTest(driver):
                self.root += driver
                host = self.host(driver)
                self.assertIn("EAL: -a " + NIC, self.run_setup(host))
                self.assertEqual(self.driver(host), "vfio-pci")
                self.assertIn("already set up", self.run_setup(host))
                self.run_setup(host, undo=True)
                self.assertEqual(self.driver(host), driver)
                self.assertIn("nothing to do", self.run_setup(host, undo=True))

    def test_interface_name_will_do(self):
        self.assertIn("EAL: -a " + NIC, self.run_setup(self.host(), port=["eth1"]))

    def test_mellanox_nic_stays_with_its_driver(self):
        host = self.host("mlx5_core")
        self.assertIn("nothing to bind", self.run_setup(host))
        self.assertEqual(self.driver(host), "mlx5_core")

    def test_port_in_use_by_the_kernel_is_refused_unless_forced(self):
        for name, text in (("/proc/net/route", "Iface Destination\neth1 00000000"),
                           ("/proc/net/if_inet6", GLOBAL), ("master", "../br0")):
            with self.subTest(name):
                self.root += name.replace("/", "-")
                host = self.host()
                if name == "master":
                    host.point("/sys/class/net/eth1/master", text)
                else:
                    host.make(name, text)
                before = host.tree()
                self.assertIn("--force", self.run_setup(host, 1))
                self.assertEqual(host.tree(), before)
                self.run_setup(host, force=True)
                self.assertEqual(self.driver(host), "vfio-pci")

    def test_iommu_off(self):
        self.assertIn("intel_iommu=on", self.run_setup(self.host(iommu=False), 1))

    def test_unknown_port(self):
        self.assertIn("no PCI device or interface", self.run_setup(self.host(), 1, port=["eth9"]))

    def test_no_port(self):
        self.assertIn("no port given", self.run_setup(self.host(), 1, port=[]))

    def test_other_device_is_refused(self):
        host = self.host()
        host.make(DEVICES + NIC + "/class", "0x0b4000")
        self.assertIn("no network port", self.run_setup(host, 1))

    def test_not_root_may_look_only(self):
        host = self.host()
        host.is_root = False
        before = host.tree()
        self.assertIn("not root", self.run_setup(host, 1))
        self.assertIn("would", self.run_setup(host, dry_run=True))
        self.assertEqual(host.tree(), before)

    def test_undo_refuses_under_a_user(self):
        host = self.host()
        self.run_setup(host)
        host.open_by(4711, "dpdk-migcomp", "/dev/vfio/" + host.link(
            DEVICES + NIC + "/iommu_group"))
        self.assertIn("dpdk-migcomp (4711)", self.run_setup(host, 1, undo=True))
        self.assertEqual(self.driver(host), "vfio-pci")

    def test_undo_after_vfio_did_not_take_it(self):
        host = self.host()
        before = self.driver(host)
        host.refuses = True
        self.assertIn("does not take", self.run_setup(host, 1))
        self.assertIsNone(self.driver(host))
        self.run_setup(host, undo=True)
        self.assertEqual(self.driver(host), before)
        self.assertEqual(host.read(DEVICES + NIC + "/driver_override"), "")

    def test_kernel_without_vfio(self):
        host = self.host()
        host.make("/lib/modules/%s/modules.dep" % host.release(), "")
        self.assertIn("no module vfio-pci", self.run_setup(host, 1))

    def test_damaged_record_is_said(self):
        host = self.host()
        host.make("/run/dpdk-migcomp/ports.json", "{")
        self.assertIn("is damaged", self.run_setup(host, 1))


class HugePages(Case):
    def host(self):
        host = MadeUpHost(self.root)
        host.make(POOL, "3")
        return host

    def run_setup(self, host, status=0, count=128, node=None, size="2M", **words):
        words.setdefault("undo", False)
        return self.call(hugepages, host, status, count=count, node=node, size=size, **words)

    def test_pages_come_and_go(self):
        host = self.host()
        self.run_setup(host)
        self.assertEqual(host.read(POOL), "128")
        self.run_setup(host, count=256)
        self.assertEqual(host.read(POOL), "256")
        self.run_setup(host, undo=True)
        self.assertEqual(host.read(POOL), "3")
        self.assertFalse(host.exists("/run/dpdk-migcomp"))
        self.assertIn("nothing to do", self.run_setup(host, undo=True))

    def test_dpdk_migcomp_takes_the_directory(self):
        host = self.host()
        self.run_setup(host)
        self.assertEqual(os.stat(host.path("/run/dpdk-migcomp")).st_mode & 0o777, 0o700)

    def test_more_than_enough_is_left(self):
        host = self.host()
        host.make(POOL, "500")
        self.assertIn("already set up", self.run_setup(host))
        self.assertEqual(host.read(POOL), "500")

    def test_too_little_memory_leaves_all_as_it_was(self):
        host = self.host()
        host.free_hugepages = 40
        self.assertIn("in one piece for 40", self.run_setup(host, 1))
        self.assertEqual(host.read(POOL), "3")
        self.assertFalse(host.exists("/run/dpdk-migcomp/hugepages.json"))

    def test_too_little_memory_does_not_forget_what_was_there_first(self):
        host = self.host()
        self.run_setup(host, count=20)
        host.free_hugepages = 40
        self.assertIn("in one piece for 40", self.run_setup(host, 1))
        self.assertEqual(host.read(POOL), "20")
        self.run_setup(host, undo=True)
        self.assertEqual(host.read(POOL), "3")

    def test_numbers_that_are_none_are_usage_errors(self):
        for script, words in (("hugepages", ["--count", "-5"]), ("qat", ["--vfs", "-1"]),
                              ("qat", ["--vfs", "0"])):
            with self.subTest(words):
                done = subprocess.run([os.path.join(CONFIG, script, "setup"), "--dry-run", *words],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn("less than 1", done.stderr)

    def test_a_node_of_its_own(self):
        host = self.host()
        name = POOL.replace("/sys/kernel/mm", "/sys/devices/system/node/node1")
        host.make(name, "0")
        self.run_setup(host, node=1)
        self.assertEqual((host.read(name), host.read(POOL)), ("128", "3"))
        self.assertIn("pdpe1gb", self.run_setup(host, 1, node=7))

    def test_size_that_the_cpu_has_not(self):
        self.assertIn("no huge pages of 1G", self.run_setup(self.host(), 1, size="1G"))

    def test_dry_run_and_not_root(self):
        host = self.host()
        before = host.tree()
        self.run_setup(host, dry_run=True)
        host.is_root = False
        self.assertIn("not root", self.run_setup(host, 1))
        self.assertEqual(host.tree(), before)


if __name__ == "__main__":
    counted.main()
