/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CODEC_PRIVATE_H
#define CODEC_PRIVATE_H

#include <rte_mempool.h>

#include "migc_codec.h"
#include "migc_random.h"

#define CODEC_WORKERS_MAX MIGC_CODEC_WORKERS_MAX
/** Buffers of an engine. Compressed blocks stay in segments until the peer acknowledged them. */
#define CODEC_SEGMENTS 5120u
#define CODEC_BUFFERS 64u
#define CODEC_BOUNCES 8u
/** A tail that ends any stream: see tail.c. */
#define CODEC_TAIL_SEGMENTS 5u
#define CODEC_JOBS_MAX 256u
#define CODEC_LANES_MAX MIGC_CODEC_LANES_MAX
/** A device that falls silent again and again costs as much time each time. */
#define CODEC_REVIVALS_MAX 10u

struct codec_device {
	uint8_t id;
	char name[64];
	char driver[64];
	struct migc_codec_caps caps;
	struct migc_codec_plan plan;
	int socket; /**< NUMA node; negative: any */
	struct rte_device *bus; /**< NULL: the lcore does the work */
	unsigned int tier; /**< those of a tier share the work; the next is for what they fail */
	uint16_t queue_pairs;
	bool started;
	/* by the lcores, relaxed: what the main lcore says once (tell.c) */
	uint32_t lost, unusable, back;
	uint32_t lost_told, unusable_told, back_told;
	/** Queue pairs in which ops of an engine that is gone are left: for nobody. */
	uint32_t abandoned[CODEC_WORKERS_MAX];
	void *xform[CODEC_WORKERS_MAX]; /**< a queue pair's, or [0] for all: it can be shared */
};

/** Queue pairs of an engine. */
struct codec_share {
	unsigned int lanes;
	uint8_t device[CODEC_LANES_MAX];
	uint8_t queue_pair[CODEC_LANES_MAX];
};

/** Memory that hardware may read and write. */
struct codec_reach {
	const uint8_t *first, *end;
};

struct migc_codec_devices {
	struct migc_codec_devices_config config;
	struct codec_device device[MIGC_CODEC_DEVICES_MAX];
	unsigned int count;
	unsigned int named_tiers; /**< tiers of what was asked for by name */
	struct codec_share share[CODEC_WORKERS_MAX];
	struct codec_reach *reach; /**< by rising addresses */
	unsigned int reaches;
	bool physical; /**< devices are told physical addresses: they get at EAL's memory alone */
	unsigned int block_pages;
	uint64_t memory_bytes; /**< of all engines */
	uint32_t engines; /**< made so far */
};

/** What an op carries besides what compressdev knows of. */
struct codec_op {
	struct migc_codec_job *job; /**< NULL: free, or given up and to come back one day */
	uint8_t *packed; /**< of a decompression given up: the buffer that the device may read */
	unsigned int lane;
	bool copied; /**< the device has copies of the pages, in segments */
};

/** A device as one engine uses it. */
struct codec_lane {
	struct codec_device *device;
	unsigned int share; /**< its place among those of the worker */
	uint16_t queue_pair;
	void *xform;
	bool dead; /**< stopped answering, or cannot do its work */
	bool unusable; /**< and never will */
	bool refused; /**< took nothing the last time, with nothing in flight */
	unsigned int revivals;
	uint16_t in_flight;
	uint64_t progress_tsc; /**< when it last gave an op back, or got the first */
	unsigned int quiet_polls; /**< since then */
	struct rte_comp_op *pending[CODEC_JOBS_MAX]; /**< not enqueued yet */
	unsigned int pending_count;
};

struct migc_codec {
	struct migc_codec_devices *devices;
	unsigned int worker;
	uint32_t serial; /**< of all engines of the devices */
	uint64_t memory_bytes;
	bool decompress;
	struct codec_lane lane[CODEC_LANES_MAX];
	unsigned int lanes;
	struct rte_mempool *ops;
	struct rte_mempool *externals; /**< mbufs without data of their own, over guest pages */
	/** Compress: where compressed blocks live. Both: copies of pages for hardware. */
	struct rte_mempool *segments;
	struct rte_mempool *buffers; /**< decompress: where they come in */
	struct rte_mempool *bounces; /**< large buffers, where pages or segments do not do */
	struct rte_mbuf_ext_shared_info shared_info; /**< of externals: this lcore's alone */
	void *method[MIGC_CODEC_COUNT]; /**< contexts of what the lcore does itself */
	uint8_t *flat; /**< a block whose pages are no neighbours */
	uint8_t *packed; /**< a block on its way into segments */
	uint8_t *scratch; /**< what spills over a destination's end */
	uint8_t *zeros; /**< bytes of the tail */
	struct rte_mbuf *tail;
	struct migc_codec_job *finished[CODEC_JOBS_MAX];
	unsigned int finished_count;
	unsigned int at_once; /**< jobs that were done inline since the last poll */
	unsigned int jobs; /**< submitted and not yet polled */
	uint64_t dead_cycles; /**< of silence, and a device is given up */
	uint64_t dead_with_pages_cycles; /**< the same of one that may write to guest pages */
	uint64_t trial_cycles; /**< between two trials of a lost device */
	struct migc_random random;
	struct migc_codec_stats stats;
};

static inline struct codec_op *codec_op(struct rte_comp_op *op)
{
	return (struct codec_op *)(op + 1);
}

/* choose.c */

/** Fill in the devices to use, in the order of their tiers; none is started yet. */
int choose_devices(struct migc_codec_devices *devices, struct migc_error *err);

/* reach.c */

/** May hardware read and write all pages of a job where they are? */
bool reach_all(const struct migc_codec_devices *devices, const struct migc_codec_job *job);

/* chains.c */

/** Are each `step` of the job's pages neighbours in memory, in their order? */
bool chain_neighbours(const struct migc_codec_job *job, unsigned int step);
/**
 * Data-less mbufs over pages, with the scratch segment behind when asked. All others are equal, as
 * compress_isal truncates sources whose segments differ in length, and says SUCCESS; and as large
 * as neighbours among the pages allow, as it copies 32 KiB of history for each.
 */
struct rte_mbuf *chain_pages(struct migc_codec *codec, const struct migc_codec_job *job,
			     bool scratch);
/** The compressed block that came in; in pieces only where it must and may be. NULL: cannot be. */
struct rte_mbuf *chain_packed(struct migc_codec *codec, const struct migc_codec_job *job,
			      bool pieces);
/** One more external segment of any memory, or NULL. */
struct rte_mbuf *chain_external(struct migc_codec *codec, uint8_t *data, uint16_t length);
/**
 * Buffers that hold `bytes`, but for a byte a buffer at most; NULL: there are none. A device that
 * takes no chains has no more than one holds.
 */
struct rte_mbuf *chain_bounces(struct migc_codec *codec, uint32_t bytes);
/** The pages of a job, copied into segments; NULL: there are none. */
struct rte_mbuf *chain_copies(struct migc_codec *codec, const struct migc_codec_job *job);
/** A destination of `pages` pages in segments, or NULL. */
struct rte_mbuf *chain_segments(struct migc_codec *codec, unsigned int pages);
/** Cut a chain to its first `bytes` bytes and free the segments behind. */
void chain_trim(struct rte_mbuf *head, uint32_t bytes);
/** Copy linear bytes into a chain of segments that holds them. */
void chain_fill(struct rte_mbuf *head, const uint8_t *data, uint32_t bytes);

/* tail.c */

int tail_create(struct migc_codec *codec);
void tail_free(struct migc_codec *codec);
void tail_attach(const struct migc_codec *codec, struct rte_comp_op *op);
void tail_detach(const struct migc_codec *codec, struct rte_comp_op *op);

/* submit.c */

/** Make an op of a job for a lane and let it wait there. @return 0, -ENOBUFS. */
int submit_to_lane(struct migc_codec *codec, struct migc_codec_job *job, unsigned int lane);
/** The first lane at or after `from` that is alive; codec->lanes: none. */
unsigned int submit_next_lane(const struct migc_codec *codec, unsigned int from);
/** Free an op with the chains it had, but what belongs to the job's result. */
void submit_free_op(struct migc_codec *codec, struct rte_comp_op *op);

/** Make an op ready for a device, whatever it was used for before; chains and length are set. */
void submit_arm_op(struct rte_comp_op *op, const struct codec_lane *lane);

/* trial.c */

/** A lost lane that has nothing in its hands: try it, now and then. */
void trial_turn(struct migc_codec *codec, unsigned int lane);

/* inline_job.c */

int inline_create(struct migc_codec *codec);
void inline_free(struct migc_codec *codec);
/** Do a job here and now, by the method of its codec. */
void inline_job(struct migc_codec *codec, struct migc_codec_job *job);

/* complete.c */

/** An op came back (or never went): finish its job, or try it elsewhere. */
void complete_op(struct migc_codec *codec, struct rte_comp_op *op);
/** A lane stopped answering: do its jobs elsewhere. */
void complete_lost(struct migc_codec *codec, unsigned int lane);
/** A lost lane has given everything back: it is used again. */
void complete_found(struct migc_codec *codec, unsigned int lane);
void complete_job(struct migc_codec *codec, struct migc_codec_job *job, int status);
/** Testing: shall this one fail? Counts it. */
bool complete_injected(struct migc_codec *codec);
/** The device of that lane cannot: the next one, or raw. */
void complete_elsewhere(struct migc_codec *codec, struct migc_codec_job *job, unsigned int lane);

#endif
