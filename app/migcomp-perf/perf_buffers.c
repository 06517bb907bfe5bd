/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

#include "perf_compressdev.h"

#define ZONE_BYTES (4u << 20)
#define SCRATCH_BYTES 64u
/*
 * What DEFLATE makes of data that it cannot compress: ISA-L's fixed codes need the most, 69115
 * bytes for 65536 (doc/design/decisions.md).
 */
#define PACKED_BYTES(plain) ((plain) + (plain) / 16 + 64)
/** --operation decomp: zeros behind the stream of the file, so that a chained one always ends. */
#define TAIL_EXTRA_BYTES 66200u
#define SCRUB 0xa5

static void zones_free(struct perf_zones *zones)
{
	for (unsigned int i = 0; i < zones->count; i++)
		rte_memzone_free(zones->zone[i]);
	free(zones->zone);
	memset(zones, 0, sizeof(*zones));
}

/** A pool whose mbufs have their data in memzones. */
static struct rte_mempool *external_pool(const char *name, uint32_t count, uint16_t room,
					 int socket, struct perf_zones *zones)
{
	/* not more than the room: a segment is as long as its element */
	unsigned int each = RTE_MAX(ZONE_BYTES / room, 1u);
	unsigned int wanted = (count + each - 1) / each;
	struct rte_pktmbuf_extmem *ext = calloc(wanted, sizeof(*ext));
	struct rte_mempool *pool = NULL;
	char zone_name[RTE_MEMZONE_NAMESIZE + 8];

	zones->zone = calloc(wanted, sizeof(zones->zone[0]));
	for (unsigned int i = 0; ext && zones->zone && i < wanted; i++) {
		snprintf(zone_name, sizeof(zone_name), "%s-%u", name, i);
		zones->zone[i] = rte_memzone_reserve_aligned(zone_name, (size_t)room * each, socket,
							     RTE_MEMZONE_IOVA_CONTIG, 64);
		if (zones->zone[i] == NULL)
			break;
		zones->count++;
		ext[i].buf_ptr = zones->zone[i]->addr;
		ext[i].buf_iova = zones->zone[i]->iova;
		ext[i].buf_len = (size_t)room * each;
		ext[i].elt_size = room;
	}
	if (zones->count == wanted)
		pool = rte_pktmbuf_pool_create_extbuf(name, count, 0, 0, room, socket, ext, wanted);
	free(ext);
	return pool;
}

static struct rte_mempool *make_pool(const struct perf_worker *w, const char *kind, uint32_t count,
				     uint32_t seg_bytes, struct perf_zones *zones)
{
	uint16_t room = (uint16_t)(seg_bytes + RTE_PKTMBUF_HEADROOM);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "perf-%s%u", kind, w->index);
	if (zones && w->run->options->external_mbufs)
		return external_pool(name, count, room, w->socket, zones);
	return rte_pktmbuf_pool_create(name, count, 0, 0, room, w->socket);
}

/** A chain of equal segments, empty. */
static struct rte_mbuf *make_chain(struct rte_mempool *pool, uint32_t segments)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *last = head;

	for (uint32_t i = 1; head && i < segments; i++) {
		last->next = rte_pktmbuf_alloc(pool);
		last = last->next;
		if (last == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		head->nb_segs++;
	}
	return head;
}

/** Lengths: `bytes` in all, each segment full but the last. */
static void set_length(struct rte_mbuf *head, uint32_t seg_bytes, uint32_t bytes)
{
	head->pkt_len = bytes;
	for (struct rte_mbuf *m = head; m; m = m->next) {
		m->data_len = (uint16_t)RTE_MIN(bytes, seg_bytes);
		bytes -= m->data_len;
	}
}

static void fill(struct rte_mbuf *head, const uint8_t *data)
{
	for (struct rte_mbuf *m = head; m; m = m->next) {
		memcpy(rte_pktmbuf_mtod(m, void *), data, m->data_len);
		data += m->data_len;
	}
}

static int make_arrays(struct perf_buffers *b)
{
	b->plain = calloc(b->count, sizeof(b->plain[0]));
	b->packed = calloc(b->count, sizeof(b->packed[0]));
	b->plain_bytes = calloc(b->count, sizeof(b->plain_bytes[0]));
	b->packed_bytes = calloc(b->count, sizeof(b->packed_bytes[0]));
	return b->plain && b->packed && b->plain_bytes && b->packed_bytes ? 0 : -ENOMEM;
}

/**
 * The input in chains of equal segments; what is left over of less than a segment is an op of its
 * own, because compress_isal cuts chains of unequal segments short.
 */
static int make_compressible(struct perf_worker *w, uint32_t seg, uint16_t segs_max,
			     struct perf_buffers *b)
{
	uint64_t full = w->run->input.bytes / seg, rest = w->run->input.bytes % seg;
	uint64_t segments = full + (rest != 0), at = 0;

	b->count = (uint32_t)((full + segs_max - 1) / segs_max + (rest != 0));
	b->plain_seg = seg;
	b->packed_seg = PACKED_BYTES(seg);
	b->plain_pool = make_pool(w, "plain", (uint32_t)segments, seg, &b->plain_zones);
	b->packed_pool =
		make_pool(w, "packed", (uint32_t)segments, b->packed_seg, &b->packed_zones);
	if (make_arrays(b) != 0 || b->plain_pool == NULL || b->packed_pool == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->count; i++) {
		uint32_t n = (uint32_t)RTE_MIN(full, segs_max);

		b->plain_bytes[i] = n ? n * seg : (uint32_t)rest;
		b->plain[i] = make_chain(b->plain_pool, n ? n : 1);
		b->packed[i] = make_chain(b->packed_pool, n ? n : 1);
		if (b->plain[i] == NULL || b->packed[i] == NULL)
			return -ENOMEM;
		set_length(b->plain[i], seg, b->plain_bytes[i]);
		fill(b->plain[i], w->run->input.data + at);
		at += b->plain_bytes[i];
		full -= n;
	}
	return 0;
}

/** The file is one stream that was compressed elsewhere: one op, as long as the chains are. */
static int make_compressed(struct perf_worker *w, uint32_t seg, const struct perf_devices *devices,
			   struct perf_buffers *b, struct migc_error *err)
{
	uint64_t bytes = w->run->input.bytes, out = (uint64_t)PACKED_BYTES(seg) * devices->segs_max;
	uint64_t tail = devices->isal && devices->segs_max > 1 ? 2 * out + TAIL_EXTRA_BYTES : 0;
	uint64_t segments = (bytes + tail + seg - 1) / seg;
	uint8_t *stream;

	if (bytes > (uint64_t)seg * devices->segs_max)
		return migc_error_set(
			err, -EINVAL,
			"--operation decomp: the input of %llu bytes is one operation, "
			"which takes %u segments of %u: more of --seg-sz or "
			"--max-num-sgl-segs",
			(unsigned long long)bytes, devices->segs_max, seg);
	b->count = 1;
	b->plain_seg = PACKED_BYTES(seg);
	b->packed_seg = seg;
	b->plain_pool = make_pool(w, "plain", devices->segs_max, b->plain_seg, &b->plain_zones);
	b->packed_pool = make_pool(w, "packed", (uint32_t)segments, seg, &b->packed_zones);
	stream = calloc(1, segments * seg);
	if (stream == NULL || make_arrays(b) != 0 || b->plain_pool == NULL ||
	    b->packed_pool == NULL) {
		free(stream);
		return -ENOMEM;
	}
	memcpy(stream, w->run->input.data, bytes);
	b->plain[0] = make_chain(b->plain_pool, devices->segs_max);
	b->packed[0] = make_chain(b->packed_pool, (uint32_t)segments);
	if (b->plain[0] && b->packed[0]) {
		b->packed_bytes[0] = (uint32_t)(bytes + tail);
		b->packed_stream_bytes = (uint32_t)bytes;
		set_length(b->packed[0], seg, b->packed_bytes[0]);
		fill(b->packed[0], stream);
	}
	free(stream);
	return b->plain[0] && b->packed[0] ? 0 : -ENOMEM;
}

int perf_buffers_create(struct perf_worker *w, const struct perf_devices *devices,
			struct perf_buffers *out, struct migc_error *err)
{
	const struct perf_options *o = w->run->options;
	int rc;

	memset(out, 0, sizeof(*out));
	if (o->operation == PERF_OPERATION_DECOMP)
		rc = make_compressed(w, o->seg_bytes, devices, out, err);
	else
		rc = make_compressible(w, o->seg_bytes, devices->segs_max, out);
	if (rc == 0) {
		out->scratch_pool = make_pool(w, "scratch", out->count, SCRATCH_BYTES, NULL);
		rc = out->scratch_pool ? 0 : -ENOMEM;
	}
	if (rc == -ENOMEM)
		migc_error_set(err, rc,
			       "no memory for the buffers of lcore %u: give EAL more (-m, or huge "
			       "pages), or a smaller input",
			       w->lcore);
	return rc;
}

void perf_buffers_free(struct perf_buffers *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		if (b->plain)
			rte_pktmbuf_free(b->plain[i]);
		if (b->packed)
			rte_pktmbuf_free(b->packed[i]);
	}
	rte_mempool_free(b->plain_pool);
	rte_mempool_free(b->packed_pool);
	rte_mempool_free(b->scratch_pool);
	zones_free(&b->plain_zones);
	zones_free(&b->packed_zones);
	free(b->plain);
	free(b->packed);
	free(b->plain_bytes);
	free(b->packed_bytes);
	memset(b, 0, sizeof(*b));
}

static struct rte_mbuf *last_but_one(struct rte_mbuf *head)
{
	while (head->next->next)
		head = head->next;
	return head;
}

/**
 * compress_isal, inflating into a chain that is exactly full, wants room behind it (a byte or two
 * of input still in its hands): a segment at the end that stays empty.
 */
static int set_scratch(struct perf_buffers *b, bool on)
{
	for (uint32_t i = 0; b->scratch != on && i < b->count; i++) {
		struct rte_mbuf *head = b->plain[i], *last;

		if (on && head->nb_segs > 1) {
			last = rte_pktmbuf_alloc(b->scratch_pool);
			if (last == NULL)
				return -ENOMEM;
			last->data_len = SCRATCH_BYTES;
			rte_pktmbuf_lastseg(head)->next = last;
			head->nb_segs++;
		} else if (!on && head->nb_segs > 2) {
			last = last_but_one(head);
			rte_pktmbuf_free_seg(last->next);
			last->next = NULL;
			head->nb_segs--;
		}
	}
	b->scratch = on;
	return 0;
}

static void scrub(struct rte_mbuf *head)
{
	for (struct rte_mbuf *m = head; m; m = m->next)
		memset(rte_pktmbuf_mtod(m, void *), SCRUB, m->data_len);
}

int perf_buffers_ready(struct perf_buffers *b, enum perf_direction direction, bool isal)
{
	int rc = set_scratch(b, false);

	for (uint32_t i = 0; rc == 0 && i < b->count; i++) {
		struct rte_mbuf *plain = b->plain[i], *packed = b->packed[i];

		if (direction == PERF_COMPRESS) {
			set_length(plain, b->plain_seg, b->plain_bytes[i]);
			set_length(packed, b->packed_seg, packed->nb_segs * b->packed_seg);
			b->packed_bytes[i] = 0;
		} else {
			set_length(plain, b->plain_seg,
				   b->plain_bytes[i] ? b->plain_bytes[i]
						     : plain->nb_segs * b->plain_seg);
			/* what is found there afterwards was decompressed */
			scrub(plain);
			set_length(packed, b->packed_seg, b->packed_bytes[i]);
		}
	}
	return rc == 0 && direction == PERF_DECOMPRESS && isal ? set_scratch(b, true) : rc;
}

bool perf_buffers_equal(const struct perf_buffers *b, const struct perf_input *input)
{
	const uint8_t *data = input->data;

	for (uint32_t i = 0; i < b->count; i++) {
		uint32_t left = b->plain_bytes[i];

		for (const struct rte_mbuf *m = b->plain[i]; m && left; m = m->next) {
			uint32_t n = RTE_MIN(left, (uint32_t)m->data_len);

			if (memcmp(rte_pktmbuf_mtod(m, const void *), data, n) != 0)
				return false;
			data += n;
			left -= n;
		}
		if (left)
			return false;
	}
	return true;
}
