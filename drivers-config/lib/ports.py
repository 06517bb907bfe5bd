# SPDX-License-Identifier: BSD-3-Clause
"""A NIC out of the kernel's hands into vfio-pci's, and back."""

import ipaddress

import pci
from host import Problem, Record
from pci import DEVICES

# DPDK drives these together with the kernel's driver, which must stay
BIFURCATED = {"mlx5_core": "mlx5", "mlx4_core": "mlx4", "mana": "mana"}
NETWORK = "0x02"


def resolve(host, name):
    """A NIC by its PCI address or by its interface's name."""
    if host.exists(DEVICES + name):
        return name
    bdf = host.link("/sys/class/net/%s/device" % name)
    if bdf is None or not host.exists(DEVICES + bdf):
        raise Problem("there is no PCI device or interface of a PCI device named %s" % name,
                      "the names are those of: ls /sys/class/net, lspci -D")
    return bdf


def interfaces(host, bdf):
    return host.list(DEVICES + bdf + "/net")


def uses(host, interface):
    """What the kernel does with an interface that would break."""
    routes = (host.read("/proc/net/route") or "").splitlines()[1:]
    if any(line.split()[0] == interface for line in routes if line.split()):
        yield "it has IPv4 routes"
    for line in (host.read("/proc/net/if_inet6") or "").splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[5] == interface and \
                not ipaddress.ip_address(int(fields[0], 16).to_bytes(16, "big")).is_link_local:
            yield "it has an IPv6 address"
            break
    master = host.link("/sys/class/net/%s/master" % interface)
    if master:
        yield "it is part of %s" % master


def check_unneeded(host, bdf, force):
    for interface in interfaces(host, bdf):
        found = list(uses(host, interface))
        if found and not force:
            raise Problem("%s is %s and the kernel uses it: %s" % (bdf, interface,
                                                                  ", ".join(found)),
                          "take another port, or --force if you do not reach this host by it")


def setup_one(host, record, bdf, force):
    driver = pci.driver(host, bdf)
    if not (host.read(DEVICES + bdf + "/class") or "").startswith(NETWORK):
        raise Problem("%s is no network port" % bdf, "QAT devices are for ../qat/setup")
    if driver in BIFURCATED:
        host.say("%s: DPDK's %s works beside the kernel's driver: nothing to bind" % (
            bdf, BIFURCATED[driver]))
    elif driver != "vfio-pci":
        check_unneeded(host, bdf, force)
        pci.check_iommu(host)
        pci.check_vfio(host, False)
        pci.load_vfio(host, False)
        record.note(bdf, "driver", driver or "")
        pci.bind_vfio(host, bdf, "port")
    host.say("EAL: -a " + bdf)


def setup(host, options):
    if not options.port:
        raise Problem("no port given", "say which: its PCI address or its interface's name")
    host.must_be_root()
    record = Record(host, "ports")
    for name in options.port:
        setup_one(host, record, resolve(host, name), options.force)


def undo(host, options):
    host.must_be_root()
    record = Record(host, "ports")
    for bdf in [b for b in sorted(record.values) if not options.port or b in options.port]:
        if host.exists(DEVICES + bdf):
            pci.unbind_vfio(host, bdf, "port")
            if not host.dry_run and (pci.driver(host, bdf) or "") != record.values[bdf]["driver"]:
                raise Problem("%s did not go back to its driver %s" % (
                    bdf, record.values[bdf]["driver"]),
                              "modprobe %s; echo %s > /sys/bus/pci/drivers_probe" % (
                                  record.values[bdf]["driver"], bdf))
        record.forget(bdf)
