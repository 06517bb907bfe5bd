/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_malloc.h>

#include "codec_private.h"

/*
 * compress_isal, decompressing into a chain, loops until the stream says that it has ended. A
 * stream that does not (truncated, or made so by a hostile peer) never says so, and the call never
 * returns. So every stream gets a tail of zero bytes, and with it ends whatever state it is in:
 *
 * - at a block header, three zero bits say "stored block", whose length 0 and complement 0 do not
 *   match: error;
 * - within a stored block, at most 65535 zero bytes are copied, then comes a block header;
 * - within the header of a dynamic block, at most 320 code lengths of at most 7 + 7 bits are read,
 *   and then it is an error, or a block;
 * - within a block of codes, zero bits decode to one symbol over and over. No symbol: error. The
 *   end of the block: a block header, or the end. A literal, of at most 15 bits, makes a byte. A
 *   length and distance, of at most 15 + 5 + 15 + 13 bits, makes 3 bytes or more, or is an error.
 *
 * So 16 bits make at least one byte of output, and the destination of at most 32 pages and the
 * scratch is full after 2 * (131072 + 64) bytes at the most, which is OUT_OF_SPACE. With a block's
 * header (560 bytes) that is less than the 5 * 65535 bytes of the tail.
 *
 * An honest stream ends before its tail is looked at. The tail is one chain for all ops of an
 * engine: devices only read it.
 */
int tail_create(struct migc_codec *codec)
{
	struct rte_mbuf *last = NULL;

	codec->zeros = rte_zmalloc("codec_zeros", MIGC_CODEC_SEGMENT_BYTES_MAX, 64);
	if (codec->zeros == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < CODEC_TAIL_SEGMENTS; i++) {
		struct rte_mbuf *m =
			chain_external(codec, codec->zeros, MIGC_CODEC_SEGMENT_BYTES_MAX);

		if (m == NULL)
			return -ENOMEM;
		if (last)
			last->next = m;
		else
			codec->tail = m;
		last = m;
	}
	codec->tail->nb_segs = CODEC_TAIL_SEGMENTS;
	return 0;
}

void tail_free(struct migc_codec *codec)
{
	rte_pktmbuf_free(codec->tail);
	rte_free(codec->zeros);
}

void tail_attach(const struct migc_codec *codec, struct rte_comp_op *op)
{
	struct rte_mbuf *head = op->m_src;

	rte_pktmbuf_lastseg(head)->next = codec->tail;
	head->nb_segs = (uint16_t)(head->nb_segs + CODEC_TAIL_SEGMENTS);
	head->pkt_len += CODEC_TAIL_SEGMENTS * MIGC_CODEC_SEGMENT_BYTES_MAX;
	op->src.length = head->pkt_len;
}

void tail_detach(const struct migc_codec *codec, struct rte_comp_op *op)
{
	struct rte_mbuf *head = op->m_src, *m = head;

	if (codec->tail == NULL)
		return;
	while (m->next && m->next != codec->tail)
		m = m->next;
	if (m->next == NULL)
		return;
	m->next = NULL;
	head->nb_segs = (uint16_t)(head->nb_segs - CODEC_TAIL_SEGMENTS);
	head->pkt_len -= CODEC_TAIL_SEGMENTS * MIGC_CODEC_SEGMENT_BYTES_MAX;
}
