# SPDX-License-Identifier: BSD-3-Clause
"""A made-up sysfs tree, and a kernel behind it that does what Linux does when it is written to."""

import errno
import io
import os
import shutil
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "..", "..", "..", "drivers-config")
sys.path.insert(0, os.path.join(CONFIG, "lib"))

from host import Host  # noqa: E402

# thousands of small files
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
DEVICES = "/sys/bus/pci/devices/"
DENIED = {"0435", "0443", "19e2", "19e3", "37c8", "37c9"}


class MadeUpHost(Host):
    """`modules`: name -> (PCI driver, ids it takes); those in `loaded` are loaded."""

    def __init__(self, root, kernel="6.12.1-amd64", iommu=True, **arguments):
        super().__init__(root, out=io.StringIO(), **arguments)
        self.is_root, self.busy, self.deny = True, False, True
        self.modules, self.loaded, self.written = {}, [], []
        self.make("/proc/sys/kernel/osrelease", kernel)
        self.make("/lib/modules/%s/modules.dep" % kernel, "")
        self.make("/sys/bus/pci/drivers_probe", "")
        os.makedirs(self.path(DEVICES))
        os.makedirs(self.path("/sys/kernel/iommu_groups"))
        self.iommu, self.groups = iommu, 0
        self.provide("vfio-pci", "vfio-pci", ())

    def root(self):
        return self.is_root

    def make(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")

    def point(self, name, target):
        if os.path.lexists(self.path(name)):
            os.unlink(self.path(name))
        os.symlink(target, self.path(name))

    # ---- hardware

    def add_device(self, bdf, device, vendor="8086", kind="0x0b4000"):
        self.make(DEVICES + bdf + "/vendor", "0x" + vendor)
        self.make(DEVICES + bdf + "/device", "0x" + device)
        self.make(DEVICES + bdf + "/class", kind)
        self.make(DEVICES + bdf + "/driver_override", "(null)")
        if self.iommu:
            self.groups += 1
            os.makedirs(self.path("/sys/kernel/iommu_groups/%d" % self.groups))
            self.point(DEVICES + bdf + "/iommu_group",
                       "/sys/kernel/iommu_groups/%d" % self.groups)

    def add_qat(self, bdf, generation, services="sym;asym"):
        """A physical function without a driver, of a Generation of the tables."""
        self.add_device(bdf, generation.pf)
        self.make(DEVICES + bdf + "/sriov_totalvfs", str(generation.vfs))
        self.make(DEVICES + bdf + "/sriov_numvfs", "0")
        self.vf_id = generation.vf
        self.services = services if generation.services else None

    def add_firmware(self, generation, directory="/lib/firmware/", suffix=""):
        for name in generation.firmware:
            self.make(directory + name + suffix, "")

    # ---- modules and drivers

    def provide(self, module, driver, ids):
        self.modules[module] = (driver, ids)
        name = "/lib/modules/%s/modules.dep" % self.release()
        self.make(name, (self.read(name) or "") + "\nkernel/drivers/%s.ko.xz: " % module)

    def load(self, module, *parameters):
        self.loaded.append(module)
        os.makedirs(self.path("/sys/module/" + module.replace("-", "_")), exist_ok=True)
        driver, ids = self.modules[module]
        self.make("/sys/bus/pci/drivers/%s/unbind" % driver, "")
        if module == "vfio-pci":
            self.deny = "disable_denylist=1" not in parameters
            self.make("/sys/module/vfio_pci/parameters/disable_denylist", "NY"[not self.deny])
        for bdf in self.list(DEVICES):
            if self.read(DEVICES + bdf + "/device").replace("0x", "") in ids:
                self.take(bdf, driver)

    def take(self, bdf, driver):
        device = self.read(DEVICES + bdf + "/device").replace("0x", "")
        if driver == "vfio-pci" and (self.refuses or self.deny and device in DENIED):
            return
        self.point(DEVICES + bdf + "/driver", "/sys/bus/pci/drivers/" + driver)
        if self.exists(DEVICES + bdf + "/sriov_totalvfs") and getattr(self, "services", None):
            self.make(DEVICES + bdf + "/qat/state", "up")
            self.make(DEVICES + bdf + "/qat/cfg_services", self.services)

    # ---- what the kernel does when it is written to

    def store(self, name, value):
        self.written.append((name, value))
        for ending, function in (("/drivers_probe", self.probe), ("/unbind", self.unbind),
                                 ("/sriov_numvfs", self.numvfs), ("/qat/state", self.state),
                                 ("/qat/cfg_services", self.cfg_services),
                                 ("/nr_hugepages", self.nr_hugepages)):
            if name.endswith(ending):
                function(name, value)
                return
        if not os.path.exists(self.path(name)):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        self.make(name, value)

    def probe(self, _name, bdf):
        if self.link(DEVICES + bdf + "/driver"):
            return
        override = self.read(DEVICES + bdf + "/driver_override")
        device = self.read(DEVICES + bdf + "/device").replace("0x", "")
        for module in self.loaded:
            driver, ids = self.modules[module]
            if driver == override or (override in ("", "(null)") and device in ids):
                self.take(bdf, driver)
                return

    def unbind(self, _name, bdf):
        os.unlink(self.path(DEVICES + bdf + "/driver"))

    def numvfs(self, name, value):
        pf = os.path.dirname(name)
        bdf = os.path.basename(pf)
        if self.busy or (value != "0" and self.read(name) != "0"):
            raise OSError(errno.EBUSY, "Device or resource busy")
        if value != "0" and not self.iommu:
            raise OSError(errno.EINVAL, "Invalid argument")
        for entry in self.list(pf):
            if entry.startswith("virtfn"):
                shutil.rmtree(self.path(DEVICES + self.link(pf + "/" + entry)))
                os.unlink(self.path(pf + "/" + entry))
        # the driver makes all of them, whatever the number
        total = int(self.read(pf + "/sriov_totalvfs")) if value != "0" else 0
        for i in range(total):
            vf = "%s:%02x.%d" % (bdf[:7], (i + 8) // 8, i % 8)
            self.add_device(vf, self.vf_id)
            self.point("%s/virtfn%d" % (pf, i), "../" + vf)
            self.point("%s/physfn" % (DEVICES + vf), "../" + bdf)
            self.probe("", vf)
        self.make(name, str(total))

    def state(self, name, value):
        if self.busy:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.make(name, value)

    def cfg_services(self, name, value):
        if self.read(os.path.dirname(name) + "/state") != "down":
            raise OSError(errno.EINVAL, "Invalid argument")
        self.make(name, value)

    free_hugepages = 1 << 30
    refuses = False  # vfio-pci, each device

    def nr_hugepages(self, name, value):
        self.make(name, str(min(int(value), self.free_hugepages)))

    def run(self, words):
        assert words[0] == "modprobe", words
        if words[1] not in self.modules:
            raise AssertionError("modprobe %s" % words[1])
        self.load(*words[1:])

    def open_by(self, pid, name, device):
        """A process that has a file open."""
        self.make("/proc/%d/comm" % pid, name)
        os.makedirs(self.path("/proc/%d/fd" % pid))
        self.point("/proc/%d/fd/7" % pid, device)

    def tree(self):
        """Everything there is, to see that nothing changed."""
        found = {}
        for directory, names, files in os.walk(self.sysroot):
            for name in names + files:
                path = os.path.join(directory, name)
                if os.path.islink(path):
                    found[path] = os.readlink(path)
                elif os.path.isfile(path):
                    with open(path, encoding="utf-8") as f:
                        found[path] = f.read()
        return found

    def said(self):
        return self.out.getvalue()
