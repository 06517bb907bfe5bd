/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CODEC_RIG_H
#define CODEC_RIG_H

#include "codec_private.h"

/** @file Real compress_isal and compress_zlib devices, engines on them, and pages to work on. */

#define RIG_PACKED_MAX 131072u

/** EAL without huge pages, devices or privileges, and two devices of each driver. */
int rig_init(void);

struct rig_engine {
	struct migc_codec_devices *devices;
	struct migc_codec *codec;
	unsigned int available[5]; /**< of each pool, when it was made */
};

/** What most tests want: one device, level 1, dynamic Huffman, 16 pages, no faults. */
struct migc_codec_devices_config rig_config(const char *device, bool compress);
void rig_open(struct rig_engine *e, const struct migc_codec_devices_config *config);
/** Checks that nothing leaked, then closes. */
void rig_close(struct rig_engine *e);
/** Closes, whatever is still in flight. */
void rig_discard(struct rig_engine *e);
/** A test has closed it itself. */
void rig_forget(const struct rig_engine *e);
struct migc_codec_stats rig_stats(const struct rig_engine *e);

/** Pages that are no neighbours, in no order, each between pages that cannot be touched. */
struct rig_pages {
	uint8_t *memory;
	unsigned int count;
	uint8_t *page[MIGC_BLOCK_PAGES_MAX];
};
void rig_pages_create(struct rig_pages *p, unsigned int count);
void rig_pages_free(struct rig_pages *p);

enum rig_content { RIG_TEXT, RIG_BINARY, RIG_MIXED, RIG_ZERO, RIG_RANDOM };
#define RIG_CONTENTS 5u
void rig_fill(struct rig_pages *p, enum rig_content content, uint64_t seed);

/** A compressed block, as it goes over the network. */
struct rig_packed {
	int status;
	uint32_t bytes;
	uint8_t data[RIG_PACKED_MAX];
};
/** One job through an engine, submitted and polled to its end. */
void rig_compress(struct rig_engine *e, const struct rig_pages *p, struct rig_packed *out);
int rig_decompress(struct rig_engine *e, const struct rig_pages *p, const uint8_t *data,
		   uint32_t bytes);
/** Put a compressed block into a job to be decompressed. @return whether there was room for it. */
bool rig_give(struct rig_engine *e, struct migc_codec_job *job, const uint8_t *data,
	      uint32_t bytes);
/** Take a compressed job's block out of its mbufs and free them. */
void rig_take(struct migc_codec_job *job, struct rig_packed *out);
/** Poll until `count` jobs are done. */
void rig_wait(struct rig_engine *e, struct migc_codec_job **done, unsigned int count);

/** What a device is made to do; reset by rig_reset(). */
struct rig_faults {
	int silent_device; /**< takes ops and gives none back; -1: none */
	int full_device; /**< takes one op at a time */
	int refusing_device; /**< never takes an op, and says that it never will */
	int boasting_device; /**< says that each block is a byte shorter than its source */
	/** Called with each op that goes to a device; NULL: nobody. */
	void (*watch)(uint8_t device, const struct rte_comp_op *op, void *ctx);
	void *ctx;
};
extern struct rig_faults rig_faults;
/** Nothing is made to fail any more, and what a failed test left open is closed. */
void rig_reset(void);

#endif
