# SPDX-License-Identifier: BSD-3-Clause
"""PCI devices and vfio-pci, by sysfs alone."""

from host import Problem

DEVICES = "/sys/bus/pci/devices/"
DENYLIST = "/sys/module/vfio_pci/parameters/disable_denylist"
RELOAD = ("unbind what uses vfio-pci, then: modprobe -r vfio-pci && modprobe vfio-pci "
          "disable_denylist=1 (for good: echo 'options vfio-pci disable_denylist=1' > "
          "/etc/modprobe.d/dpdk-migcomp.conf)")


def ids(host, bdf):
    """(vendor, device) as "8086", "4940"."""
    return tuple((host.read(DEVICES + bdf + "/" + name) or "").replace("0x", "").lower()
                 for name in ("vendor", "device"))


def driver(host, bdf):
    return host.link(DEVICES + bdf + "/driver")


def group(host, bdf):
    return host.link(DEVICES + bdf + "/iommu_group")


def users(host, bdf):
    """Processes that have the device open through VFIO."""
    number = group(host, bdf)
    return host.users("/dev/vfio/" + number) if number else []


def check_unused(host, bdf):
    found = users(host, bdf)
    if found:
        raise Problem("%s is in use by %s" % (bdf, ", ".join(found)), "stop that first")


def check_iommu(host):
    if not host.list("/sys/kernel/iommu_groups"):
        raise Problem("the IOMMU is off: vfio-pci and QAT's VFs need it",
                      "switch on VT-d (AMD: IOMMU) in the firmware setup, boot Linux with "
                      "'intel_iommu=on iommu=pt' (AMD: 'iommu=pt')")


def check_vfio(host, denied):
    """Can vfio-pci take the device? `denied`: it is on the kernel's denylist."""
    if host.exists("/sys/module/vfio_pci"):
        if denied and host.read(DENYLIST) == "N":
            raise Problem("vfio-pci is loaded with its denylist, and this device is on it", RELOAD)
    elif not host.module_there("vfio-pci"):
        raise Problem("this kernel has no module vfio-pci",
                      "install the kernel's full set of modules, or build it with "
                      "CONFIG_VFIO_PCI=m")


def load_vfio(host, denied):
    if not host.exists("/sys/module/vfio_pci"):
        host.modprobe("vfio-pci", *(["disable_denylist=1"] if denied else []))


def bind_vfio(host, bdf, what):
    """@return whether it had to be done."""
    if driver(host, bdf) == "vfio-pci":
        return False
    host.write(DEVICES + bdf + "/driver_override", "vfio-pci", "%s %s: choose vfio-pci" % (
        bdf, what))
    rebind(host, bdf, what)
    if not host.dry_run and driver(host, bdf) != "vfio-pci":
        raise Problem("vfio-pci does not take %s" % bdf,
                      "see dmesg; if it says denylist: " + RELOAD)
    return True


def rebind(host, bdf, what):
    if driver(host, bdf):
        host.write("%s%s/driver/unbind" % (DEVICES, bdf), bdf, "%s %s: leave its driver %s" % (
            bdf, what, driver(host, bdf)))
    host.write("/sys/bus/pci/drivers_probe", bdf, "%s %s: take the driver that is chosen" % (
        bdf, what))


def unbind_vfio(host, bdf, what):
    """Back to the driver the kernel would choose; also a device that vfio-pci was to take and did
    not."""
    bound = driver(host, bdf)
    if bound != "vfio-pci" and host.read(DEVICES + bdf + "/driver_override") != "vfio-pci":
        return
    check_unused(host, bdf)
    host.write(DEVICES + bdf + "/driver_override", "", "%s %s: choose no driver" % (bdf, what))
    if bound in (None, "vfio-pci"):
        rebind(host, bdf, what)
