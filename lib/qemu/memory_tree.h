/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_QEMU_MEMORY_TREE_H
#define MIGC_QEMU_MEMORY_TREE_H

#include <stdint.h>

/** @file Texts of QEMU's human monitor that have no QMP counterpart. */

#define MEMORY_TREE_NAME_BYTES 256

/** One line of RAM in the address space "memory". */
struct memory_tree_range {
	uint64_t gpa, bytes;
	uint64_t offset_bytes; /**< into the RAMBlock */
	char name[MEMORY_TREE_NAME_BYTES]; /**< of its memory region */
};

/**
 * Walk the RAM ranges of `info mtree -f`.
 * @param cursor in: the text at first; out: where to go on
 * @return 1: range filled; 0: no more
 */
int memory_tree_next(const char **cursor, struct memory_tree_range *out);
/** @return where the view of the address space "memory" begins in the text, or NULL. */
const char *memory_tree_view(const char *text);
/**
 * Answer of `gpa2hva`: "Host virtual address for 0x0 (mem) is 0x7f...".
 * @return 0; -EPROTO (another text: what QEMU says instead).
 */
int memory_tree_address(const char *text, uint64_t *address);

#endif
