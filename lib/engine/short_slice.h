/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SHORT_SLICE_H
#define SHORT_SLICE_H

#include <stdint.h>

/**
 * Ask the kernel to run this thread in slices of that length (Linux 6.12; older ones, and threads
 * that are not of the fair class, stay as they are): when workers of both ends, guests and others
 * share CPUs, an acknowledgement waits for as many slices as there are others.
 */
void short_slice(uint64_t slice_ns);

#endif
