/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "codec_private.h"

static void nothing_to_free(void *addr, void *opaque)
{
	(void)addr;
	(void)opaque;
}

struct rte_mbuf *chain_external(struct migc_codec *codec, uint8_t *data, uint16_t length)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(codec->externals);

	if (m == NULL)
		return NULL;
	/* guest memory is never freed by an mbuf: one count for all of an engine, which attaching
	 * sets and detaching lowers, and which nobody ever looks at to free anything */
	codec->shared_info.free_cb = nothing_to_free;
	rte_mbuf_ext_refcnt_set(&codec->shared_info, 2);
	rte_pktmbuf_attach_extbuf(m, data, (rte_iova_t)(uintptr_t)data, length,
				  &codec->shared_info);
	m->data_off = 0;
	m->data_len = length;
	m->pkt_len = length;
	return m;
}

static bool append(struct rte_mbuf **head, struct rte_mbuf **last, struct rte_mbuf *m)
{
	if (m == NULL) {
		rte_pktmbuf_free(*head);
		*head = NULL;
		return false;
	}
	if (*head == NULL) {
		*head = m;
	} else {
		(*last)->next = m;
		(*head)->nb_segs++;
		(*head)->pkt_len += m->data_len;
	}
	*last = m;
	return true;
}

bool chain_neighbours(const struct migc_codec_job *job, unsigned int step)
{
	for (unsigned int i = 1; i < job->pages; i++) {
		if (i % step && job->page[i] != job->page[i - 1] + MIGC_PAGE_BYTES)
			return false;
	}
	return true;
}

/** Most pages of a segment, so that all have as many and each is of neighbours. */
static unsigned int segment_pages(const struct migc_codec_job *job)
{
	for (unsigned int step = MIGC_CODEC_SEGMENT_BYTES_MAX / MIGC_PAGE_BYTES; step > 1; step--) {
		if (job->pages % step == 0 && chain_neighbours(job, step))
			return step;
	}
	return 1;
}

struct rte_mbuf *chain_pages(struct migc_codec *codec, const struct migc_codec_job *job,
			     bool scratch)
{
	struct rte_mbuf *head = NULL, *last = NULL;
	unsigned int step = segment_pages(job);

	for (unsigned int i = 0; i < job->pages; i += step) {
		if (!append(&head, &last,
			    chain_external(codec, job->page[i],
					   (uint16_t)(step * MIGC_PAGE_BYTES))))
			return NULL;
	}
	/* compress_isal: OUT_OF_SPACE when the last bits of a stream come after the destination is
	 * exactly full */
	if (scratch && !append(&head, &last, chain_external(codec, codec->scratch, 64)))
		return NULL;
	return head;
}

struct rte_mbuf *chain_packed(struct migc_codec *codec, const struct migc_codec_job *job,
			      bool pieces)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	if (job->data_bytes > MIGC_CODEC_SEGMENT_BYTES_MAX && !pieces)
		return NULL;
	for (uint32_t at = 0; at < job->data_bytes; at += MIGC_CODEC_SEGMENT_BYTES_MAX) {
		uint32_t length = RTE_MIN(job->data_bytes - at, MIGC_CODEC_SEGMENT_BYTES_MAX);

		if (!append(&head, &last,
			    chain_external(codec, job->packed + at, (uint16_t)length)))
			return NULL;
	}
	return head;
}

/** All of an mbuf's own room, or less of it. */
static struct rte_mbuf *room(struct rte_mempool *pool, uint16_t length)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		return NULL;
	m->data_off = 0;
	m->data_len = length;
	m->pkt_len = length;
	return m;
}

struct rte_mbuf *chain_segments(struct migc_codec *codec, unsigned int pages)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	for (unsigned int i = 0; i < pages; i++) {
		if (!append(&head, &last, room(codec->segments, MIGC_PAGE_BYTES)))
			return NULL;
	}
	return head;
}

struct rte_mbuf *chain_bounces(struct migc_codec *codec, uint32_t bytes)
{
	struct rte_mbuf *head = NULL, *last = NULL;
	uint32_t left = bytes;

	/* a block of 16 pages is a byte larger than one buffer, one of 32 two larger than two */
	for (uint32_t count = 0; left > count; count++) {
		uint32_t length = RTE_MIN(left, MIGC_CODEC_SEGMENT_BYTES_MAX);

		if (!append(&head, &last, room(codec->bounces, (uint16_t)length)))
			return NULL;
		left -= length;
	}
	return head;
}

struct rte_mbuf *chain_copies(struct migc_codec *codec, const struct migc_codec_job *job)
{
	struct rte_mbuf *head = chain_segments(codec, job->pages), *m = head;

	for (unsigned int i = 0; m; m = m->next)
		memcpy(rte_pktmbuf_mtod(m, uint8_t *), job->page[i++], MIGC_PAGE_BYTES);
	if (head)
		codec->stats.bounce_bytes += head->pkt_len;
	return head;
}

void chain_trim(struct rte_mbuf *head, uint32_t bytes)
{
	struct rte_mbuf *m = head;
	uint32_t left = bytes;
	uint16_t segments = 1;

	while (left > m->data_len && m->next) {
		left -= m->data_len;
		m = m->next;
		segments++;
	}
	rte_pktmbuf_free(m->next);
	m->next = NULL;
	m->data_len = (uint16_t)left;
	head->nb_segs = segments;
	head->pkt_len = bytes;
}

void chain_fill(struct rte_mbuf *head, const uint8_t *data, uint32_t bytes)
{
	for (struct rte_mbuf *m = head; m && bytes; m = m->next) {
		uint32_t piece = bytes < m->data_len ? bytes : m->data_len;

		memcpy(rte_pktmbuf_mtod(m, uint8_t *), data, piece);
		data += piece;
		bytes -= piece;
	}
}
