/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MADE_UP_TREE_H
#define MADE_UP_TREE_H

/** @file A directory that looks like a host's /proc, /sys and /dev. */

struct made_up_tree {
	char root[64];
};

/** A host with nothing special: a CPU that has all, memory, one NIC with its kernel driver. */
void made_up_tree_make(struct made_up_tree *t);
void made_up_tree_remove(struct made_up_tree *t);
/** Write a file, its directories made. */
void made_up_tree_write(struct made_up_tree *t, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** Make a symbolic link. */
void made_up_tree_link(struct made_up_tree *t, const char *target, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** A PCI device. @param driver NULL: none */
void made_up_tree_pci(struct made_up_tree *t, const char *bdf, unsigned int device,
		      unsigned int class, const char *driver);
/** A virtual function of a device, number `i`, in an IOMMU group of its own that may be opened. */
void made_up_tree_vf(struct made_up_tree *t, const char *pf, unsigned int i, const char *bdf,
		     unsigned int device, const char *driver);

#endif
