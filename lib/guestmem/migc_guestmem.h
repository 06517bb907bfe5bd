/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_GUESTMEM_H
#define MIGC_GUESTMEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "migc_bus_guard.h"
#include "migc_error.h"
#include "migc_page.h"
#include "migc_wire.h"

/**
 * @file
 * The guest's RAM as mappings of its own shared memory: files (shm, hugetlbfs, plain images),
 * memfds of another process. A region is one RAMBlock. Pages here are always MIGC_PAGE_BYTES;
 * region offsets are page numbers of 32 bits. Holes are never read and never filled.
 */

struct migc_guestmem;

struct migc_region {
	char name[MIGC_REGION_NAME_BYTES];
	uint8_t *addr; /**< our mapping, page 0; aligned to backing_page_bytes */
	uint64_t size_bytes;
	uint64_t pages; /**< size_bytes / MIGC_PAGE_BYTES */
	uint32_t backing_page_bytes; /**< 4096 or the hugetlb page size */
	int fd;
	uint64_t file_offset_bytes;
	bool writable;
	bool in_memory; /**< tmpfs, memfd or hugetlbfs: nothing is written back */
	/* where QEMU has it; zero when there is none */
	pid_t pid;
	uint64_t qemu_addr; /**< host virtual address of page 0 in QEMU */
};

int migc_guestmem_create(struct migc_guestmem **out);
/** Before regions are added: what looks after them when pages of theirs are not there. */
void migc_guestmem_guard(struct migc_guestmem *gm, struct migc_bus_guard *guard);
/**
 * Is all memory still there? Not when a page was touched that was not (migc_bus_guard.h), nor when
 * a file is shorter than it was: what it had would be taken for holes. Costs little.
 * @return 0; -EFAULT with a message that names the region.
 */
int migc_guestmem_check_intact(const struct migc_guestmem *gm, struct migc_error *err);
/** Unmaps, unregisters and closes everything. */
void migc_guestmem_free(struct migc_guestmem *gm);

/**
 * Add a plain file.
 *
 * @param offset  where the region begins, multiple of 4096 (of the huge page size on hugetlbfs)
 * @param length  bytes; 0: to the file's end. A length that is no multiple of 4096 is refused.
 * @param writable destination: created when absent and grown (sparse) to offset + length; never
 *   truncated. length 0 with an absent file: the region is remembered by name and made by
 *   migc_guestmem_set_size() once the source has said how large it is.
 * @return 0; -errno with a message: no such file, shorter than offset + length, not a file, ...
 */
int migc_guestmem_add_file(struct migc_guestmem *gm, const char *name, const char *path,
			   uint64_t offset, uint64_t length, bool writable, struct migc_error *err);
/** Size a region that was added without one. -EEXIST when it has another size already. */
int migc_guestmem_set_size(struct migc_guestmem *gm, unsigned int region, uint64_t length,
			   struct migc_error *err);
/**
 * Add RAM of another process: the shared mapping at qemu_addr there, length bytes, found in
 * /proc/PID/maps by its inode and opened through /proc/PID/fd/N (map_files as a second try).
 * @return 0; -ENOENT (nothing mapped there), -EINVAL (private memory: "start QEMU with
 *   share=on ..."), -EACCES, ...
 */
int migc_guestmem_add_process(struct migc_guestmem *gm, const char *name, pid_t pid,
			      uint64_t qemu_addr, uint64_t length, bool writable,
			      struct migc_error *err);

unsigned int migc_guestmem_regions(const struct migc_guestmem *gm);
const struct migc_region *migc_guestmem_region(const struct migc_guestmem *gm, unsigned int i);
/** @return index of the region of that name, or -ENOENT. */
int migc_guestmem_find(const struct migc_guestmem *gm, const char *name);
uint64_t migc_guestmem_total_bytes(const struct migc_guestmem *gm);

/** Set bits for pages that are data (SEEK_DATA/SEEK_HOLE); others are left. @return 0, -errno. */
int migc_guestmem_data_map(const struct migc_guestmem *gm, unsigned int region, uint64_t *words);
/**
 * The same of a guest that stands still, and bits of holes are cleared: quicker where data and
 * holes alternate. While it runs, pages that come and go could make up for one that is swapped
 * out. @return 0, -errno.
 */
int migc_guestmem_still_map(const struct migc_guestmem *gm, unsigned int region, uint64_t *words);
/**
 * How many pages are data, about: with huge pages those that are not zero, which takes as long as
 * reading them; else what the file says it occupies, at most the region, at once.
 * @return 0, -errno.
 */
int migc_guestmem_count_data(const struct migc_guestmem *gm, unsigned int region, uint64_t *pages);
/**
 * Which of the pages in `known` are holes now? Each of them was read through our mapping since it
 * was data. Costs little for what is still there: this is asked while the guest is stopped.
 * @param holes set as a whole @return 0, -errno.
 */
int migc_guestmem_lost_map(const struct migc_guestmem *gm, unsigned int region,
			   const uint64_t *known, uint64_t *holes);
/**
 * Give a range of pages back to the file (FALLOC_FL_PUNCH_HOLE). Pages that a device has mapped
 * stay, and become zero: it would go on writing to those that had been taken away.
 * @return 0, -errno.
 */
int migc_guestmem_punch(const struct migc_guestmem *gm, unsigned int region, uint64_t first,
			uint64_t count);
/** Neighbours below which one call costs more than their faults. */
#define MIGC_PREFAULT_PAGES_MIN 4u
/**
 * Map pages that are about to be written, at one go (MADV_POPULATE_WRITE; Linux 5.14): a tenth of
 * what a fault each costs. Where that fails nothing is lost, pages are faulted in one by one. Any
 * thread.
 */
void migc_guestmem_prefault(uint8_t *addr, uint64_t pages);
/**
 * The same for pages of data in a region that is in_memory and writable: a fault that reads maps
 * the data around it as well, and such pages may be written after that. A fault that writes maps
 * one page, and MADV_POPULATE_READ looks at each. Of a hole it makes data. Any thread.
 */
void migc_guestmem_touch(const uint8_t *addr, uint64_t pages);
/** Looked at in one call: 5 ms where page tables are shadowed. */
#define MIGC_MAP_AHEAD_PAGES 1024u
/**
 * Map data ahead of its use, as migc_guestmem_touch() does: that of a writable region of 4 KiB
 * pages in memory; of others there is nothing to gain. Holes stay holes.
 * @param from page: MIGC_MAP_AHEAD_PAGES from the first one of data there are looked at
 * @return the page to go on from; the region's pages: there is no more
 */
uint64_t migc_guestmem_map_ahead(const struct migc_guestmem *gm, unsigned int region,
				 uint64_t from);

/* ---- read() instead of a mapping ---- */

/**
 * May pages of a region be read with migc_guestmem_read()? Those of 4 KiB in a file in memory, that
 * is guarded, where no device has guest memory mapped.
 */
bool migc_guestmem_can_read(const struct migc_guestmem *gm, unsigned int region);
/**
 * Copy pages out of a region's file: where page tables are shadowed, that costs a quarter of
 * mapping them (doc/design/performance.md). What is not there (the file was cut short, its memory
 * is broken) is zero, and the region is lost, as after SIGBUS (migc_guestmem_check_intact()). One
 * system call; any thread.
 */
void migc_guestmem_read(const struct migc_guestmem *gm, unsigned int region, uint64_t first,
			uint64_t count, uint8_t *to);

struct migc_read_cost {
	uint64_t mapped_ns; /**< a page of data, looked at in place for the first time */
	uint64_t read_ns; /**< the same page, copied with read() and looked at there */
};

/**
 * Measure it on a few hundred pages of data, which takes 1 to 3 ms. Holes stay holes.
 * @return 0; -ENODATA: there is not enough data; -ENOMEM.
 */
int migc_guestmem_read_cost(const struct migc_guestmem *gm, unsigned int region,
			    struct migc_read_cost *out);

/**
 * Hash a region: XXH3-128 over the XXH3-128 of each page (zero pages and holes count as the hash
 * of 4096 zero bytes; holes are not read).
 * @param idle called every few MiB, may be NULL
 */
int migc_guestmem_digest(const struct migc_guestmem *gm, unsigned int region,
			 void (*idle)(void *ctx), void *ctx, uint8_t digest[MIGC_DIGEST_BYTES]);

/**
 * Hash a page as HOLDINGS does (wire-format.md 5.3): XXH3-128 with a seed, in canonical form. The
 * page may be written meanwhile. Any thread.
 */
void migc_guestmem_page_digest(const void *page, uint64_t seed, uint8_t digest[MIGC_DIGEST_BYTES]);

/**
 * Before anything is touched: is there room for `data_pages` more pages behind these regions
 * (free space of each file system, huge pages free and of the mount, MemAvailable for shm and
 * memfd), and `own_bytes` for ourselves?
 * @return 0; -ENOSPC, -ENOMEM with a message that has both numbers and names the file system.
 */
int migc_guestmem_check_budget(const struct migc_guestmem *gm, uint64_t data_pages,
			       uint64_t own_bytes, struct migc_error *err);

/* ---- DMA ---- */

/**
 * VFIO has 256 maps in DPDK, of which EAL needs some. What is mapped is pinned: a hole would be
 * filled. So the largest runs of data are mapped, and a device that works on anything else is
 * given a copy.
 */
#define MIGC_DMA_MAPS_MAX 240u

struct migc_dma_cost {
	unsigned int maps;
	uint64_t mapped_bytes; /**< will be pinned */
	uint64_t scattered_bytes; /**< data in runs too small, or too many */
	uint64_t hole_bytes;
	uint64_t locked_bytes; /**< what this process has locked and pinned already */
	uint64_t limit_bytes; /**< RLIMIT_MEMLOCK; UINT64_MAX: none */
};

struct migc_dma_range {
	uint8_t *addr; /**< in our mapping of the region; what a device is told as well */
	uint64_t bytes;
};

/** Choose what to map, and what that costs. Nothing is touched. @return 0, -errno. */
int migc_guestmem_dma_plan(struct migc_guestmem *gm, struct migc_dma_cost *out);
/** What is mapped, by rising address; none before migc_guestmem_dma_map(). */
const struct migc_dma_range *migc_guestmem_dma_ranges(const struct migc_guestmem *gm,
						      unsigned int *count);

/* built with DPDK: guestmem_dma.c */
struct rte_device;
/**
 * Map what was planned for a device (devices behind one VFIO container: for one of them), at the
 * addresses where it is mapped for us.
 * @return 0; -ENOTSUP (the device does not map), -ENOMEM, -EPERM ... with a message: nothing is
 *   mapped then.
 */
int migc_guestmem_dma_map(struct migc_guestmem *gm, struct rte_device *device,
			  struct migc_error *err);
/** Undo it for all devices. Called before migc_guestmem_free(). */
void migc_guestmem_dma_unmap(struct migc_guestmem *gm);

#endif
