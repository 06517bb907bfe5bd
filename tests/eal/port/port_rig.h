/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PORT_RIG_H
#define PORT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>

#include "migc_port.h"

/** @file EAL without hugepages or PCI, and the devices a test names. */

static inline int rig_eal(unsigned int vdevs, char **vdev)
{
	static char program[] = "port_test", huge[] = "--no-huge", m[] = "-m", megabytes[] = "256",
		    pci[] = "--no-pci", iova[] = "--iova-mode=va", l[] = "-l", lcores[] = "0",
		    telemetry[] = "--no-telemetry", level[] = "--log-level=error",
		    shared[] = "--no-shconf";
	char *arguments[24] = {program, huge,   m,         megabytes, pci,   iova,
			       l,       lcores, telemetry, level,     shared};

	for (unsigned int i = 0; i < vdevs; i++)
		arguments[11 + i] = vdev[i];
	return rte_eal_init((int)(11 + vdevs), arguments) < 0 ? -1 : 0;
}

#endif
