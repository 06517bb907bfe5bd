/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_common.h>

#include "qatlike_private.h"

/** What compress-and-verify could not verify comes as it is: so much of it, and the rest coded. */
#define STORED_BYTES 16384u
#define STORED_HEADER 5u

/** A place in a chain, and the bytes of it that may be used from there. */
struct place {
	const struct rte_mbuf *m;
	uint32_t offset, left;
};

static struct place place_at(const struct rte_mbuf *m, uint32_t offset, uint32_t length)
{
	while (m && offset >= m->data_len) {
		offset -= m->data_len;
		m = m->next;
	}
	return (struct place){m, offset, length};
}

/** The next piece of memory, at most so long; 0: there is none. */
static uint32_t next_piece(struct place *p, uint32_t most, uint8_t **out)
{
	uint32_t length;

	while (p->m && p->left && p->offset == p->m->data_len) {
		p->m = p->m->next;
		p->offset = 0;
	}
	if (p->m == NULL || p->left == 0)
		return 0;
	length = RTE_MIN(RTE_MIN(p->left, most), (uint32_t)p->m->data_len - p->offset);
	*out = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->offset);
	p->offset += length;
	p->left -= length;
	return length;
}

static bool copy_in(struct place *to, const uint8_t *data, uint32_t bytes)
{
	while (bytes) {
		uint8_t *piece;
		uint32_t length = next_piece(to, bytes, &piece);

		if (length == 0)
			return false;
		memcpy(piece, data, length);
		data += length;
		bytes -= length;
	}
	return true;
}

/** Through zlib from one chain into another. @return what zlib said last. */
static int pump(z_stream *z, int (*step)(z_stream *, int), struct place *from, struct place *to,
		int last_flush)
{
	int rc;

	z->avail_in = 0;
	z->avail_out = 0;
	do {
		uint8_t *piece;

		if (z->avail_in == 0 && (z->avail_in = next_piece(from, UINT32_MAX, &piece)) != 0)
			z->next_in = piece;
		if (z->avail_out == 0 && (z->avail_out = next_piece(to, UINT32_MAX, &piece)) != 0)
			z->next_out = piece;
		rc = step(z, from->left ? Z_NO_FLUSH : last_flush);
		/* flushed, with room left */
		if (last_flush == Z_FULL_FLUSH && z->avail_in == 0 && from->left == 0 &&
		    z->avail_out)
			break;
	} while (rc == Z_OK);
	/* what was not used is the next one's */
	from->offset -= z->avail_in;
	from->left += z->avail_in;
	to->offset -= z->avail_out;
	to->left += z->avail_out;
	return rc;
}

static bool put_stored(struct place *from, struct place *to, uint32_t bytes, bool last)
{
	uint8_t header[STORED_HEADER] = {last, (uint8_t)bytes, (uint8_t)(bytes >> 8),
					 (uint8_t)~bytes, (uint8_t)(~bytes >> 8)};

	if (!copy_in(to, header, sizeof(header)))
		return false;
	while (bytes) {
		uint8_t *piece;
		uint32_t length = next_piece(from, bytes, &piece);

		if (length == 0 || !copy_in(to, piece, length))
			return false;
		bytes -= length;
	}
	return true;
}

static int code(z_stream *z, const struct qatlike_xform *x, bool fixed, bool split,
		struct place *from, struct place *to)
{
	uint32_t rest;
	int rc;

	deflateReset(z);
	deflateParams(z, x->level, fixed ? Z_FIXED : Z_DEFAULT_STRATEGY);
	/* each part is an op of its own to the hardware, and ends at a byte */
	while (split && from->left > QATLIKE_DYNAMIC_BYTES) {
		rest = from->left - QATLIKE_DYNAMIC_BYTES;
		from->left = QATLIKE_DYNAMIC_BYTES;
		rc = pump(z, deflate, from, to, Z_FULL_FLUSH);
		if (rc != Z_OK)
			return rc;
		from->left = rest;
	}
	return pump(z, deflate, from, to, Z_FINISH);
}

void qatlike_compress(struct qatlike_pair *pair, const struct qatlike_xform *x,
		      struct rte_comp_op *op)
{
	struct qatlike *q = qatlike_get();
	uint32_t room = op->m_dst->pkt_len - op->dst.offset;
	struct place from = place_at(op->m_src, op->src.offset, op->src.length);
	struct place to = place_at(op->m_dst, op->dst.offset, room);
	bool too_long = op->src.length > QATLIKE_DYNAMIC_BYTES;
	bool fixed = x->fixed || (too_long && x->checksum);
	int rc = Z_OK;

	if (migc_random_chance(&pair->random, q->settings.stored)) {
		qatlike_count(&q->stats.stored);
		if (op->src.length <= STORED_BYTES)
			rc = put_stored(&from, &to, op->src.length, true) ? Z_STREAM_END
									  : Z_BUF_ERROR;
		else if (!put_stored(&from, &to, STORED_BYTES, false))
			rc = Z_BUF_ERROR;
	}
	if (rc == Z_OK)
		rc = code(fixed ? &pair->fixed : &pair->dynamic, x, fixed, too_long && !fixed,
			  &from, &to);
	op->consumed = op->src.length - from.left;
	op->produced = room - to.left;
	op->output_chksum = 0;
	if (rc == Z_STREAM_END)
		op->status = RTE_COMP_OP_STATUS_SUCCESS;
	else if (op->consumed)
		op->status = RTE_COMP_OP_STATUS_OUT_OF_SPACE_RECOVERABLE;
	else
		op->status = RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED;
}

void qatlike_decompress(struct qatlike_pair *pair, struct rte_comp_op *op)
{
	uint32_t room = op->m_dst->pkt_len - op->dst.offset;
	struct place from = place_at(op->m_src, op->src.offset, op->src.length);
	struct place to = place_at(op->m_dst, op->dst.offset, room);
	int rc;

	inflateReset(&pair->inflate);
	rc = pump(&pair->inflate, inflate, &from, &to, Z_NO_FLUSH);
	op->produced = room - to.left;
	op->consumed = op->src.length - from.left;
	if (rc == Z_STREAM_END)
		op->status = RTE_COMP_OP_STATUS_SUCCESS;
	else if (rc == Z_BUF_ERROR && to.left == 0)
		op->status = RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED;
	else
		op->status = RTE_COMP_OP_STATUS_ERROR;
}
