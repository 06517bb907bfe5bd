# SPDX-License-Identifier: BSD-3-Clause
"""From a QAT device as the firmware leaves it to virtual functions that DPDK can open, and back.
What differs between generations is in ../qat/<generation>/device.conf."""

import configparser
import glob
import os
import pwd

import pci
from host import Problem, Record
from pci import DEVICES

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICE = "dc"
SERVICES_KERNEL = (6, 0)
VF = "vf "  # begins the key of a record of a virtual function's driver
FIRMWARE = ("/lib/firmware/updates/{release}/", "/lib/firmware/updates/",
            "/lib/firmware/{release}/", "/lib/firmware/")


class Generation:
    def __init__(self, path):
        conf = configparser.ConfigParser()
        with open(path, encoding="utf-8") as f:
            conf.read_file(f)
        device = conf["device"]
        self.name, self.generation = device["name"], device.getint("generation")
        self.pf, self.vf = device["pf"], device["vf"]
        self.queue_pairs = device.getint("queue-pairs")
        self.driver, self.module = device["driver"], device["module"]
        self.kernel = device["kernel"]
        self.firmware = device["firmware"].split()
        self.services, self.denied = device.getboolean("services"), device.getboolean("denylist")
        self.vfs = int(device["vfs"] or 0)
        self.dpdk, self.note = device["dpdk"], device["note"]


def generations():
    return [Generation(path) for path in sorted(glob.glob(
        os.path.join(HERE, "..", "qat", "*", "device.conf")))]


class Device:
    """A physical function and what it is."""

    def __init__(self, host, bdf, generation):
        self.host, self.bdf, self.generation = host, bdf, generation
        self.sysfs = DEVICES + bdf

    def text(self):
        return "%s %s" % (self.bdf, self.generation.name)

    def alone(self):
        """A virtual function that was given to this (virtual) machine."""
        return pci.ids(self.host, self.bdf)[1] == self.generation.vf

    def vfs(self):
        if self.alone():
            return [self.bdf]
        names = [n for n in self.host.list(self.sysfs) if n.startswith("virtfn")]
        names.sort(key=lambda n: int(n[len("virtfn"):]))
        return [self.host.link("%s/%s" % (self.sysfs, n)) for n in names]


def scan(host):
    """BDF -> Generation of all devices, by the id of the physical function or of its virtual ones.
    """
    table, found = generations(), {}
    for bdf in host.list(DEVICES):
        vendor, device = pci.ids(host, bdf)
        for generation in table if vendor == "8086" else ():
            if generation.pf and device == generation.pf:
                found[bdf] = generation
            elif device == generation.vf:
                found.setdefault(host.link(DEVICES + bdf + "/physfn") or bdf, generation)
    return found


def find(host, only=()):
    """The devices there are, or those that are named."""
    found = scan(host)
    for bdf in only:
        if bdf not in found:
            raise Problem("%s is no QAT device" % bdf, "QAT devices here: %s" % (
                " ".join(sorted(found)) or "none"))
    if not found:
        raise Problem("there is no QAT device here",
                      "switch it on in the firmware setup if the machine has one; without, "
                      "compression is done by software and needs nothing of this")
    return [Device(host, bdf, found[bdf]) for bdf in sorted(found) if not only or bdf in only]


# ---- steps; each looks first, and says what it does

def check_kernel(device):
    host, generation = device.host, device.generation
    if not generation.kernel:
        return
    least = tuple(int(n) for n in generation.kernel.split("."))
    # a driver from elsewhere (tainted O) may be for older kernels
    if host.kernel() < least and "O" not in taint(device):
        raise Problem("%s: Linux %s has no driver that compresses on it" % (
            device.text(), host.release()), "Linux %s or later, or Intel's own driver" %
                      generation.kernel)


def taint(device):
    return device.host.read("/sys/module/%s/taint" % device.generation.module) or ""


def check_firmware(device):
    host = device.host
    directories = [d.format(release=host.release()) for d in FIRMWARE]
    for name in device.generation.firmware:
        if any(host.exists(d + name + suffix) for d in directories for suffix in ("", ".xz", ".zst")):
            continue
        elsewhere = "/lib/firmware/intel/qat/" + name
        if host.exists(elsewhere):
            raise Problem("%s: its firmware is where the kernel does not look" % device.text(),
                          "ln -s intel/qat/%s /lib/firmware/%s" % (name, name))
        raise Problem("%s: the firmware file %s is missing" % (device.text(), name),
                      "put it into /lib/firmware: from linux-firmware (in intel/qat there), or "
                      "from Intel's driver where linux-firmware has none")


def check_driver(device):
    """The kernel's driver runs the physical function, or could."""
    host, generation = device.host, device.generation
    bound = pci.driver(host, device.bdf)
    if bound == generation.driver or not generation.driver:
        return
    if bound:
        raise Problem("%s is bound to %s" % (device.text(), bound),
                      "give it to its own driver: echo %s > %s/driver/unbind; modprobe %s" % (
                          device.bdf, device.sysfs, generation.module))
    check_kernel(device)
    if not host.module_there(generation.module):
        raise Problem("%s: this kernel has no module %s" % (device.text(), generation.module),
                      "Linux %s or later with that module" % generation.kernel
                      if generation.kernel else "install Intel's driver")
    check_firmware(device)


def check(device):
    """All that can be known before anything is changed."""
    if not device.alone():
        check_driver(device)
    pci.check_vfio(device.host, device.generation.denied)


def start_driver(device):
    host, generation = device.host, device.generation
    if not generation.driver or pci.driver(host, device.bdf) == generation.driver:
        return
    if not host.exists("/sys/module/" + generation.module):
        host.modprobe(generation.module)
    if not host.dry_run and pci.driver(host, device.bdf) != generation.driver:
        raise Problem("%s: module %s is loaded and does not take it" % (
            device.text(), generation.module), "see dmesg: firmware? NUMA node without memory?")


def set_services(device, record):
    """Compression has to be among the services; only a device that is down takes others."""
    host, path = device.host, device.sysfs + "/qat/"
    if not device.generation.services:
        return
    services = host.read(path + "cfg_services")
    if services is None:
        if host.dry_run and not pci.driver(host, device.bdf):
            host.say("%s: would then look at its services" % device.text())
            return
        raise Problem("%s: its services cannot be seen (%scfg_services)" % (device.text(), path),
                      "Linux %d.%d or later; before, every second device does compression" %
                      SERVICES_KERNEL)
    if SERVICE in services.split(";"):
        if services != SERVICE:
            host.say("%s: does '%s': with '%s' alone it would have more queue pairs for "
                     "compression" % (device.text(), services, SERVICE))
        if host.read(path + "state") == "down":
            host.write(path + "state", "up", "%s: start it" % device.text())
        return
    remove_vfs(device, record)
    record.note(device.bdf, "services", services)
    if host.read(path + "state") != "down":
        host.write(path + "state", "down", "%s: stop it, to change its services" % device.text())
    host.write(path + "cfg_services", SERVICE, "%s: compress instead of '%s'" % (
        device.text(), services))
    host.write(path + "state", "up", "%s: start it again" % device.text())


def make_vfs(device, record):
    """All of them, or none: the driver ignores the number."""
    host, path = device.host, device.sysfs + "/sriov_"
    if device.vfs() or not device.generation.pf:
        return
    total = host.read(path + "totalvfs")
    if total is None or total == "0":
        raise Problem("%s has no virtual functions" % device.text(),
                      "switch on SR-IOV in the firmware setup")
    record.note(device.bdf, "numvfs", host.read(path + "numvfs") or "0")
    host.write(path + "numvfs", total, "%s: make its virtual functions" % device.text(),
               "is the IOMMU on? see dmesg")


def remove_vfs(device, record):
    host = device.host
    vfs = device.vfs()
    if not vfs:
        return
    for vf in vfs:
        pci.check_unused(host, vf)
    record.note(device.bdf, "numvfs", host.read(device.sysfs + "/sriov_numvfs") or "0")
    host.write(device.sysfs + "/sriov_numvfs", "0", "%s: remove its virtual functions" %
               device.text())


def bind_vfs(device, record, count):
    """@return those that DPDK can have"""
    host = device.host
    vfs = device.vfs()
    if not vfs and host.dry_run:
        host.say("%s: would then bind %d virtual function(s) to vfio-pci" % (device.text(), count))
        return []
    if len(vfs) < count:
        raise Problem("%s has %d virtual functions, not %d" % (device.text(), len(vfs), count),
                      "--vfs %d" % len(vfs))
    for vf in vfs[:count]:
        before = pci.driver(host, vf) or ""
        if before != "vfio-pci":
            record.note(device.bdf, VF + vf, before)
        pci.bind_vfio(host, vf, "virtual function")
    return vfs[:count]


def hand_over(host, vfs, user):
    """The group files in /dev/vfio, to a user that is not root."""
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError as error:
        raise Problem("there is no user %s" % user, "adduser --system %s" % user) from error
    for vf in vfs:
        name = "/dev/vfio/%s" % pci.group(host, vf)
        if not host.exists(name) or os.stat(host.path(name)).st_uid == uid:
            continue
        host.announce("%s: give %s to %s" % (vf, name, user))
        if not host.dry_run:
            os.chown(host.path(name), uid, -1)


def setup(host, options):
    host.must_be_root()
    devices = find(host, options.device)
    record = Record(host, "qat")
    pci.check_iommu(host)
    for device in devices:
        check(device)
    # one module for all: without its denylist if a single device is on that
    pci.load_vfio(host, any(device.generation.denied for device in devices))
    ready = []
    for device in devices:
        generation = device.generation
        if generation.note:
            host.say("%s: note: %s" % (device.text(), generation.note))
        if not device.alone():
            start_driver(device)
            set_services(device, record)
            make_vfs(device, record)
        vfs = bind_vfs(device, record, options.vfs)
        if options.user:
            hand_over(host, vfs, options.user)
        ready += vfs
        host.say("%s: generation %d, up to %d compression queue pairs a virtual function, DPDK %s "
                 "or later" % (device.text(), generation.generation, generation.queue_pairs,
                               generation.dpdk))
    if ready:
        host.say("EAL: " + " ".join("-a " + vf for vf in ready))


def undo(host, options):
    host.must_be_root()
    record = Record(host, "qat")
    for bdf in [b for b in sorted(record.values) if not options.device or b in options.device]:
        generation = scan(host).get(bdf)
        if generation:
            undo_device(Device(host, bdf, generation), record)
            continue
        record.forget(bdf)
        host.say("%s has gone: there is nothing to put back" % bdf)
    host.say("modules that were loaded stay loaded")


def undo_device(device, record):
    host, before = device.host, record.values[device.bdf]
    bound = sorted(key[len(VF):] for key in before if key.startswith(VF))
    for vf in bound:
        pci.check_unused(host, vf)
    for vf in bound:
        pci.unbind_vfio(host, vf, "virtual function")
    if "numvfs" in before and (before["numvfs"] == "0" or "services" in before):
        remove_vfs(device, record)
    if "services" in before:
        path = device.sysfs + "/qat/"
        if host.read(path + "state") != "down":
            host.write(path + "state", "down", "%s: stop it" % device.text())
        host.write(path + "cfg_services", before["services"], "%s: its services as before" %
                   device.text())
        host.write(path + "state", "up", "%s: start it again" % device.text())
    if before.get("numvfs", "0") != "0" and not device.vfs():
        host.write(device.sysfs + "/sriov_numvfs", before["numvfs"],
                   "%s: its virtual functions as before" % device.text())
    record.forget(device.bdf)
