/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_CODEC_H
#define MIGC_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_compressdev.h>
#include <rte_mbuf.h>

#include "migc_error.h"
#include "migc_log.h"
#include "migc_page.h"
#include "migc_wire.h"

/**
 * @file
 * Codecs, with guest memory as source and destination: DEFLATE through compressdev, LZ4 and
 * Zstandard by the lcore itself (method.h). Three parts: a plan (pure function of capabilities), a
 * device set (main lcore: find, create, configure, start), and one engine a worker lcore (submit,
 * poll). The codec is a matter of each job. Raw is what remains when nothing shrinks or works.
 */

/* ---- plan ---- */

enum migc_huffman {
	MIGC_HUFFMAN_DYNAMIC,
	MIGC_HUFFMAN_FIXED,
	MIGC_HUFFMAN_DEFAULT, /**< the device chooses */
};

struct migc_codec_request {
	bool compress; /**< else decompress */
	int level; /**< 1..9; ignored for decompression */
	enum migc_huffman huffman;
	unsigned int block_pages; /**< most wanted, 1..MIGC_BLOCK_PAGES_MAX; 0: the default */
	bool checksum; /**< compress: CRC32 of the source in op->output_chksum */
};

/** What a device tells of itself, as plain data so that tests can write it out. */
struct migc_codec_caps {
	const char *driver; /**< "compress_isal", "compress_qat", ... */
	uint64_t comp_feature_flags; /**< RTE_COMP_FF_* of DEFLATE */
	uint64_t dev_feature_flags; /**< RTE_COMPDEV_FF_* */
	uint8_t window_min, window_max; /**< window_size range of DEFLATE */
	bool deflate;
	uint16_t max_queue_pairs; /**< 0: no limit stated */
	unsigned int qat_generation; /**< 0: not QAT; 1..5: limits of that generation */
	uint16_t pci_device_id; /**< 0: not known, or no PCI device */
};

struct migc_codec_plan {
	struct rte_comp_xform xform;
	unsigned int block_pages; /**< most pages in one op */
	bool source_chain; /**< source may be a chain of pages; else bounce copy */
	bool destination_chain; /**< destination may be a chain; else linear */
	/**
	 * Of a destination. Compression: MIGC_PAGE_BYTES, and a block stays in the segments it was
	 * made in; else MIGC_CODEC_SEGMENT_BYTES_MAX, and it is copied to segments.
	 */
	uint32_t segment_bytes;
	uint16_t in_flight; /**< ops a queue pair takes */
	uint16_t descriptors; /**< to configure */
	uint16_t burst_max; /**< most ops given at a time */
	bool scratch_segment; /**< append one to a decompression's destination chain */
	bool source_tail; /**< give decompression a tail that ends any stream (compress_isal) */
	bool shareable_xform;
	bool hardware; /**< works by itself, reads and writes memory by DMA, may vanish */
	bool splits; /**< QAT: takes two descriptors and a copy for a block of most pages */
	uint8_t search_depth; /**< QAT: what its hardware makes of the level; 0: not QAT */
};

/**
 * Capabilities and a wish to a plan. Pure. All limits of devices live here (facts: 12 or 16 pages
 * on QAT, 16 segments, window 15 of ISA-L, linear-only zlib: at most 15 pages ...).
 * @return 0, -ENOTSUP with the reason.
 */
int migc_codec_plan(const struct migc_codec_caps *caps, const struct migc_codec_request *request,
		    struct migc_codec_plan *plan, struct migc_error *err);
/** Read a device's capabilities (looks for DEFLATE in all of them). */
int migc_codec_caps_read(uint8_t dev_id, struct migc_codec_caps *out);

/* ---- devices ---- */

#define MIGC_CODEC_DEVICES_MAX 64
/** Devices of one worker: two that share the work, and what is fallen back to. */
#define MIGC_CODEC_LANES_MAX 6u
#define MIGC_CODEC_WORKERS_MAX 128u
#define MIGC_CODEC_BLOCK_PAGES_DEFAULT 32u
/** mbuf data_len has 16 bits. */
#define MIGC_CODEC_SEGMENT_BYTES_MAX 65535u
/** The largest compressed block, and one byte. */
#define MIGC_CODEC_BUFFER_BYTES (MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)
#define MIGC_ZSTD_LEVEL_MIN 1
#define MIGC_ZSTD_LEVEL_MAX 19

struct migc_codec_devices;

struct migc_codec_devices_config {
	uint32_t codecs; /**< bits of enum migc_codec_id; no device is opened without DEFLATE */
	struct migc_codec_request request; /**< of DEFLATE */
	int zstd_level; /**< MIGC_ZSTD_LEVEL_MIN to _MAX */
	unsigned int workers; /**< at most MIGC_CODEC_WORKERS_MAX */
	const int *worker_socket; /**< NUMA node of each worker; NULL: any. Only while opening. */
	/**
	 * Names of devices and drivers, with commas between. A driver of hardware means all its
	 * devices, which share the work. NULL: all of QAT, else compress_isal, else compress_zlib.
	 * A software vdev is created when there is none.
	 */
	const char *compressdev;
	bool no_fallback; /**< only those devices; their errors are errors */
	bool hardware_only; /**< without compressdev: no software device; none at all is no error */
	uint32_t inject_error_per_billion; /**< testing: ops made to fail, as a device would */
	uint64_t inject_seed;
	const struct migc_log *log;
};

/**
 * Find (or create), plan, configure and start the devices: the chosen ones first, then those that
 * blocks fall back to. Workers are spread over the queue pairs of the chosen ones, those of their
 * own NUMA node first; a worker that gets none uses what others fall back to.
 * @return 0; -ENODEV (named and not there: the message lists those there are), -ENOTSUP (why not).
 */
int migc_codec_devices_open(const struct migc_codec_devices_config *config,
			    struct migc_codec_devices **out, struct migc_error *err);
void migc_codec_devices_close(struct migc_codec_devices *devices);
unsigned int migc_codec_devices_count(const struct migc_codec_devices *devices);
const char *migc_codec_device_name(const struct migc_codec_devices *devices, unsigned int i);
/** Is the chosen device, the first, one that does not use this host's cores? */
bool migc_codec_has_hardware(const struct migc_codec_devices *devices);
const char *migc_codec_device_driver(const struct migc_codec_devices *devices, unsigned int i);
struct rte_device;
/** The bus device that reads and writes memory for it; NULL: the lcore does so itself. */
struct rte_device *migc_codec_device_bus(const struct migc_codec_devices *devices, unsigned int i);
/** The device that a worker uses as its `lane`th. @return -ENOENT: it has no more. */
int migc_codec_lane_device(const struct migc_codec_devices *devices, unsigned int worker,
			   unsigned int lane);
/**
 * Memory besides EAL's own that all hardware of the set may read and write, at its address. Pages
 * that are in none are copied into EAL's. Before engines are created; by rising addresses.
 * @return 0, -ENOMEM.
 */
int migc_codec_devices_reach(struct migc_codec_devices *devices, const uint8_t *addr,
			     uint64_t bytes);
/**
 * Most pages a block of that codec may have: of DEFLATE so that every device of the set takes it;
 * of the others, which the lcore does, as many as are asked for, or MIGC_BLOCK_PAGES_MAX.
 */
unsigned int migc_codec_block_pages(const struct migc_codec_devices *devices,
				    enum migc_codec_id codec);
/** Main lcore, now and then: says once of each device that it was lost, and that it is back. */
void migc_codec_devices_tell(struct migc_codec_devices *devices);
uint64_t migc_codec_memory_bytes(const struct migc_codec_devices *devices);

/* ---- engine: one a worker lcore ---- */

/** What was asked for, in or out. Owned by the caller until the result. */
struct migc_codec_job {
	uint8_t *page[MIGC_BLOCK_PAGES_MAX]; /**< addresses, MIGC_PAGE_BYTES each */
	uint16_t pages;
	enum migc_codec_id codec; /**< one of the engine's; not RAW */
	int acceleration; /**< of LZ4: faster and less dense; 0 or 1: its default */
	void *cookie;
	/** Decompress: the compressed block, in a buffer of migc_codec_buffer(). */
	uint8_t *packed;
	struct rte_mbuf *data; /**< compress: the compressed block, out */
	uint32_t data_bytes; /**< of packed or data; 0 after compression: send raw */
	int status; /**< result: 0; compress: -ENOSPC (did not shrink), -EIO (no device could: only
		     * with no_fallback is that an error of the migration); decompress: -EBADMSG;
		     * -EIO: the device fell silent and may write to the pages at any later time */
};

struct migc_codec_stats {
	uint64_t ops, pages, in_bytes, out_bytes;
	uint64_t did_not_shrink; /**< sent raw because it would be larger */
	uint64_t fallback_blocks; /**< done by another device than the first, or raw for want of one
				   */
	uint64_t errors; /**< ops that came back with an error status */
	uint64_t short_consumed; /**< ops that said SUCCESS but had not read all (isal defect) */
	uint64_t short_produced; /**< decompression made less than the pages hold */
	uint64_t devices_lost; /**< times that a device stopped answering, or had no use */
	uint64_t devices_back; /**< ... and answered again */
	uint64_t enqueue_full; /**< bursts the device did not take whole */
	uint64_t gathered_bytes; /**< copied because LZ4 and Zstandard want neighbours */
	/** copied: the device takes no chains, or few segments faster, or cannot get at pages */
	uint64_t bounce_bytes;
	uint64_t injected;
	uint64_t lane_blocks[MIGC_CODEC_LANES_MAX]; /**< of each device: _lane_device() */
};

struct migc_codec;

/**
 * @param decompress  what this engine does (an engine does one of the two)
 * @param socket      NUMA node of its pools, SOCKET_ID_ANY
 */
int migc_codec_create(struct migc_codec_devices *devices, unsigned int worker, bool decompress,
		      int socket, struct migc_codec **out, struct migc_error *err);
void migc_codec_free(struct migc_codec *codec);
/** @return jobs that may be submitted now (window, ops and buffers left). */
unsigned int migc_codec_room(const struct migc_codec *codec);
/** Compress: would a device begin a DEFLATE job at once? */
bool migc_codec_device_room(const struct migc_codec *codec);
/** Jobs submitted and not yet polled. */
unsigned int migc_codec_in_flight(const struct migc_codec *codec);
/** Submit one job; room is required (-ENOBUFS). Decompression: its buffer is handed over. */
int migc_codec_submit(struct migc_codec *codec, struct migc_codec_job *job);
/**
 * Enqueue what waits, dequeue what is done, retry on the next device what failed.
 * @return number of finished jobs put into `done`, in any order. A compressed block is a chain of
 *   mbufs of the engine's own pool, data_bytes in all, each segment's data_len set right; whoever
 *   has it frees it with rte_pktmbuf_free().
 */
unsigned int migc_codec_poll(struct migc_codec *codec, struct migc_codec_job **done,
			     unsigned int max);
/** Compress: blocks of the engine's pool that are still free, in segments. */
unsigned int migc_codec_free_segments(const struct migc_codec *codec);
void migc_codec_stats(const struct migc_codec *codec, struct migc_codec_stats *out);
/**
 * Decompress: a buffer for a compressed block to come, MIGC_CODEC_BUFFER_BYTES long; NULL when
 * none is left. A submitted job gives it back.
 */
uint8_t *migc_codec_buffer(struct migc_codec *codec);

#endif
