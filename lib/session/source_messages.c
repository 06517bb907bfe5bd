/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "source_machine.h"

static void hello_ack(struct migc_source *s, const struct migc_msg_hello_ack *ack)
{
	const struct migc_msg_hello *hello = &s->config.hello;

	if (ack->version < hello->version_min || ack->version > hello->version_max) {
		source_fail(s, MIGC_REASON_VERSION, -EPROTO,
			    "the receiver answers in a version that was not offered");
		return;
	}
	if (ack->block_pages == 0 || ack->block_pages > hello->block_pages || ack->workers == 0 ||
	    !(ack->codecs & 1u << MIGC_CODEC_RAW)) {
		source_fail(s, MIGC_REASON_FAILED, -EPROTO,
			    "the receiver accepts what was not offered");
		return;
	}
	s->ack = *ack;
	/* the destination says what it has, which may be more than this side has */
	s->ack.codecs &= hello->codecs;
	if (s->ack.workers > hello->workers)
		s->ack.workers = hello->workers;
	action_queue_add(&s->actions, MIGC_ACTION_ATTACH);
	source_enter(s, SOURCE_ATTACH, 1);
}

static bool pages_exist(const struct migc_source *s, const struct migc_page_list *pages)
{
	const struct migc_msg_hello *hello = &s->config.hello;

	if (pages->region >= hello->region_count || pages->count == 0 ||
	    pages->count > MIGC_BLOCK_PAGES_MAX)
		return false;
	for (unsigned int i = 0; i < pages->count; i++) {
		if (pages->page[i] >= hello->region[pages->region].pages)
			return false;
	}
	return true;
}

static void block_failed(struct migc_source *s, const struct migc_msg_block_failed *failed)
{
	if (!pages_exist(s, &failed->pages)) {
		source_fail(s, MIGC_REASON_FAILED, -EPROTO,
			    "the receiver reports pages that are not there");
		return;
	}
	if (failed->round != s->round) {
		source_fail(s, MIGC_REASON_FAILED, -EPROTO,
			    "the receiver reports a block of another round");
		return;
	}
	if (s->final)
		s->failed_pages += failed->pages.count;
	if (s->mark)
		s->mark(s->mark_ctx, &failed->pages);
}

static void round_done(struct migc_source *s, const struct migc_msg_round *round)
{
	if (round->round != s->round) {
		source_fail(s, MIGC_REASON_FAILED, -EPROTO, "the receiver closes another round");
		return;
	}
	s->sending_ns += s->now_ns - s->sent_ns;
	if (!s->final) {
		action_queue_add(&s->actions, MIGC_ACTION_SCAN);
		source_enter(s, SOURCE_SCAN, 0);
	} else if (s->failed_pages == 0) {
		action_queue_add(&s->actions, MIGC_ACTION_PUNCH);
		source_enter(s, SOURCE_PUNCH, 0);
	} else if (!s->retried) {
		s->retried = true;
		source_begin_round(s, true);
	} else {
		source_fail(s, MIGC_REASON_FAILED, -EIO,
			    "the receiver could not decompress blocks, not even when sent raw");
	}
}

void source_compare(struct migc_source *s)
{
	const struct migc_msg_hello *hello = &s->config.hello;
	char text[MIGC_REGION_NAME_BYTES + 96];

	if (!s->have_own || !s->have_theirs)
		return;
	if (s->theirs.region_count != s->own.region_count) {
		source_fail(s, MIGC_REASON_FAILED, -EPROTO,
			    "the receiver hashed another number of regions");
		return;
	}
	for (unsigned int i = 0; i < s->own.region_count; i++) {
		if (memcmp(s->own.digest[i], s->theirs.digest[i], MIGC_DIGEST_BYTES) == 0)
			continue;
		snprintf(text, sizeof(text), "--verify: region %s differs at the destination",
			 hello->region[i].name);
		source_fail(s, MIGC_REASON_FAILED, -EILSEQ, text);
		return;
	}
	source_ram_complete(s);
}

static void holdings(struct migc_source *s, const struct migc_msg *msg)
{
	const struct migc_msg_hello *hello = &s->config.hello;
	const struct migc_msg_holdings *h = &msg->holdings;
	uint64_t pages = hello->region[s->inventory_region].pages;

	if (h->region != s->inventory_region || h->first < s->inventory_page ||
	    h->first + (uint64_t)h->pages > pages) {
		source_fail(s, MIGC_REASON_FAILED, -EPROTO,
			    "the receiver tells of pages that it was not asked for");
		return;
	}
	s->current = *msg;
	action_queue_add(&s->actions, MIGC_ACTION_COMPARE)->msg = &s->current;
	s->inventory_page = h->first + (uint64_t)h->pages;
	if (s->inventory_page < pages) {
		source_enter(s, SOURCE_INVENTORY, 1);
		return;
	}
	s->inventory_page = 0;
	if (++s->inventory_region < hello->region_count)
		source_ask_inventory(s);
	else
		source_begin(s);
}

/** @return whether the message had a place in this state. */
static bool take(struct migc_source *s, const struct migc_msg *msg)
{
	switch (msg->type) {
	case MIGC_MSG_HELLO_ACK:
		if (s->state != SOURCE_HELLO)
			return false;
		hello_ack(s, &msg->hello_ack);
		return true;
	case MIGC_MSG_HOLDINGS:
		if (s->state != SOURCE_INVENTORY)
			return false;
		holdings(s, msg);
		return true;
	case MIGC_MSG_BLOCK_FAILED:
		if (s->state != SOURCE_ROUND && s->state != SOURCE_APPLY)
			return false;
		block_failed(s, &msg->block_failed);
		return true;
	case MIGC_MSG_ROUND_DONE:
		if (s->state != SOURCE_APPLY)
			return false;
		round_done(s, &msg->round);
		return true;
	case MIGC_MSG_DIGESTS:
		if (s->state != SOURCE_VERIFY || s->have_theirs)
			return false;
		s->theirs = msg->digests;
		s->have_theirs = true;
		source_compare(s);
		return true;
	case MIGC_MSG_READY:
		if (s->state != SOURCE_READY)
			return false;
		action_queue_send(&s->actions, MIGC_MSG_COMMIT);
		source_enter(s, SOURCE_COMMIT, 1);
		return true;
	case MIGC_MSG_COMMITTED:
		if (s->state != SOURCE_COMMIT)
			return false;
		action_queue_add(&s->actions, MIGC_ACTION_CLEAN_UP);
		action_queue_add(&s->actions, MIGC_ACTION_FINISH)->outcome = MIGC_OUTCOME_DONE;
		source_enter(s, SOURCE_END, 0);
		return true;
	default:
		return false;
	}
}

void source_message(struct migc_source *s, const struct migc_msg *msg)
{
	/* on the way out nothing that the peer says matters */
	if (s->state == SOURCE_RESUME)
		return;
	if (!take(s, msg))
		source_fail(s, MIGC_REASON_FAILED, -EPROTO,
			    "the receiver sent a message that has no place here");
}
