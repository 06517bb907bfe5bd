/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "migc_bitmap.h"
#include "rounds.h"
#include "scan_clock.h"
#include "send_path.h"

/** Scan ahead when what is left of the round takes so much longer than its pages will rest. */
#define SCAN_AHEAD_NS UINT64_C(20000000)

struct region_pages {
	uint64_t pages;
	uint64_t *due; /**< of this round, not handed out */
	uint64_t *fresh; /**< reported since */
	uint64_t *known; /**< were data at some time: the destination may hold something */
	uint64_t *failed; /**< were not applied; only where there are deltas */
};

/** Where a walk through the spans that are due is; each worker has its own, or all have one. */
struct feed {
	unsigned int region;
	struct migc_span_order order; /**< of those of the region that are this feed's */
	bool begun; /**< with the region */
	struct migc_span held; /**< taken from due, no ring had room */
	bool have_held;
};

struct rounds {
	const struct migc_guestmem *gm;
	struct migc_dirty *dirty;
	struct worker *workers;
	unsigned int worker_count, next_worker;
	void (*idle)(void *ctx);
	void *idle_ctx;
	unsigned int regions;
	struct region_pages region[MIGC_REGIONS_MAX];

	uint32_t round;
	bool final;
	bool scanned_ahead;
	bool all_due; /**< the map of all data was made */
	bool deltas; /**< rounds may have them */
	bool any_failed;
	/** Of this round. As many as workers: spans go to their owner; one: to whoever has room. */
	unsigned int feeds;
	struct feed feed[WORKERS_MAX];
	uint64_t pages; /**< of this round */
	uint64_t left; /**< of them, not handed out */
	struct scan_clock scans;
	uint64_t settled_ns; /**< when what is due may be read, and the round begins */
	uint64_t *holes; /**< rounds_next_holes(): map of the region being walked */
	unsigned int hole_region;
	uint64_t hole_cursor;

	unsigned int closed; /**< rounds */
	unsigned int record_count;
	struct rounds_record record[ROUNDS_RECORDS];
};

static uint64_t region_max_pages(const struct rounds *r)
{
	uint64_t most = 1;

	for (unsigned int i = 0; i < r->regions; i++) {
		if (r->region[i].pages > most)
			most = r->region[i].pages;
	}
	return most;
}

/** Before the pages of the last scan (or of all of the guest) are read, while it runs. */
static void rest(struct rounds *r)
{
	scan_clock_rest(&r->scans, r->dirty ? migc_dirty_settle_ns(r->dirty) : 0);
}

int rounds_create(const struct migc_guestmem *gm, struct migc_dirty *dirty, struct worker *workers,
		  unsigned int worker_count, void (*idle)(void *ctx), void *idle_ctx,
		  struct rounds **out, struct migc_error *err)
{
	struct rounds *r = calloc(1, sizeof(*r));
	bool ok = r != NULL;

	*out = r;
	if (!ok)
		return migc_error_set(err, -ENOMEM, "no memory for the dirty bitmaps");
	r->gm = gm;
	r->dirty = dirty;
	r->workers = workers;
	r->worker_count = worker_count;
	r->idle = idle;
	r->idle_ctx = idle_ctx;
	r->regions = migc_guestmem_regions(gm);
	scan_clock_armed(&r->scans, clock_now_ns());
	rest(r);
	for (unsigned int i = 0; i < r->regions; i++) {
		struct region_pages *p = &r->region[i];

		p->pages = migc_guestmem_region(gm, i)->pages;
		p->due = migc_bitmap_alloc(p->pages);
		p->fresh = migc_bitmap_alloc(p->pages);
		p->known = migc_bitmap_alloc(p->pages);
		ok = ok && p->due && p->fresh && p->known;
	}
	r->holes = migc_bitmap_alloc(region_max_pages(r));
	if (ok && r->holes)
		return 0;
	rounds_free(r);
	*out = NULL;
	return migc_error_set(err, -ENOMEM, "no memory for the dirty bitmaps");
}

void rounds_free(struct rounds *r)
{
	if (r == NULL)
		return;
	for (unsigned int i = 0; i < r->regions; i++) {
		free(r->region[i].due);
		free(r->region[i].fresh);
		free(r->region[i].known);
		free(r->region[i].failed);
	}
	free(r->holes);
	free(r);
}

int rounds_use_deltas(struct rounds *r)
{
	for (unsigned int i = 0; i < r->regions; i++) {
		struct region_pages *p = &r->region[i];

		if (p->failed == NULL)
			p->failed = migc_bitmap_alloc(p->pages);
		if (p->failed == NULL)
			return -ENOMEM;
	}
	r->deltas = true;
	return 0;
}

int rounds_all(struct rounds *r, struct migc_error *err)
{
	for (unsigned int i = 0; i < r->regions; i++) {
		int rc = migc_guestmem_data_map(r->gm, i, r->region[i].fresh);

		if (rc != 0)
			return migc_error_set(err, rc, "cannot find the holes of region %s",
					      migc_guestmem_region(r->gm, i)->name);
	}
	r->all_due = true;
	return 0;
}

int rounds_restart(struct rounds *r, struct worker *workers, unsigned int worker_count,
		   struct migc_error *err)
{
	for (unsigned int i = 0; i < r->regions; i++) {
		struct region_pages *p = &r->region[i];

		migc_bitmap_zero(p->due, p->pages);
		migc_bitmap_zero(p->fresh, p->pages);
		migc_bitmap_zero(p->known, p->pages);
		if (p->failed)
			migc_bitmap_zero(p->failed, p->pages);
	}
	r->workers = workers;
	r->worker_count = worker_count;
	r->next_worker = 0;
	r->deltas = false;
	r->any_failed = false;
	r->left = 0;
	r->hole_region = 0;
	r->hole_cursor = 0;
	scan_clock_armed(&r->scans, clock_now_ns());
	rest(r);
	return rounds_all(r, err);
}

bool rounds_settled(const struct rounds *r, uint64_t now_ns)
{
	return now_ns >= r->scans.scan_ns + r->scans.rest_ns;
}

bool rounds_is_due(const struct rounds *r, unsigned int region, uint64_t page)
{
	return migc_bitmap_test(r->region[region].fresh, page);
}

void rounds_have(struct rounds *r, unsigned int region, uint64_t page)
{
	migc_bitmap_clear(r->region[region].fresh, page);
	migc_bitmap_set(r->region[region].known, page);
}

static uint64_t fresh_pages(const struct rounds *r)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < r->regions; i++)
		pages += migc_bitmap_count(r->region[i].fresh, r->region[i].pages);
	return pages;
}

/** One scan of everything into `fresh`. */
static int scan(struct rounds *r, struct migc_error *err)
{
	uint64_t before = fresh_pages(r);

	if (r->dirty == NULL)
		return 0;
	for (unsigned int i = 0; i < r->regions; i++) {
		int rc =
			migc_dirty_scan(r->dirty, i, r->region[i].fresh, r->idle, r->idle_ctx, err);

		if (rc != 0)
			return rc;
	}
	scan_clock_scanned(&r->scans, clock_now_ns(), fresh_pages(r) - before);
	return 0;
}

/** The worker that a span comes to in each round that has deltas, for no other knows its pages. */
static unsigned int owner_of(const struct rounds *r, unsigned int region, uint64_t span)
{
	return (unsigned int)((span + region) % r->worker_count);
}

/** The workers are idle: their caches may be touched. */
static void forget_failed(struct rounds *r)
{
	for (unsigned int i = 0; r->any_failed && i < r->regions; i++) {
		struct region_pages *p = &r->region[i];
		uint64_t page = migc_bitmap_next(p->failed, p->pages, 0);

		for (; page != MIGC_BITMAP_NONE;
		     page = migc_bitmap_next(p->failed, p->pages, page + 1)) {
			unsigned int owner = owner_of(r, i, page / MIGC_SPAN_PAGES);

			send_path_forget(r->workers[owner].send, (uint16_t)i, (uint32_t)page);
		}
		migc_bitmap_zero(p->failed, p->pages);
	}
	r->any_failed = false;
}

static void begin_feeds(struct rounds *r, bool owned)
{
	r->feeds = owned ? r->worker_count : 1;
	for (unsigned int i = 0; i < r->feeds; i++)
		r->feed[i] = (struct feed){0};
}

int rounds_begin(struct rounds *r, uint32_t round, bool final, bool raw, struct migc_error *err)
{
	/* the first round is most of a guest: it is dealt to whoever has room */
	bool deltas = r->deltas && round > 1 && !raw;
	int rc = 0;

	/* no tracker: what is data is known when the guest has stopped, and not before */
	if (r->dirty == NULL && !r->all_due)
		rc = rounds_all(r, err);
	else if (final)
		rc = scan(r, err);
	if (rc != 0)
		return rc;
	r->round = round;
	r->final = final;
	r->scanned_ahead = false;
	begin_feeds(r, deltas);
	forget_failed(r);
	r->pages = 0;
	for (unsigned int i = 0; i < r->regions; i++) {
		struct region_pages *p = &r->region[i];

		migc_bitmap_or(p->due, p->fresh, p->pages);
		migc_bitmap_or(p->known, p->fresh, p->pages);
		migc_bitmap_zero(p->fresh, p->pages);
		r->pages += migc_bitmap_count(p->due, p->pages);
	}
	r->left = r->pages;
	r->settled_ns = clock_now_ns();
	/* QEMU drains I/O when it stops the guest: nothing lands any more */
	if (!final && r->settled_ns < r->scans.scan_ns + r->scans.rest_ns)
		r->settled_ns = r->scans.scan_ns + r->scans.rest_ns;
	for (unsigned int i = 0; i < r->worker_count; i++)
		send_path_begin_round(r->workers[i].send, round, final, raw, deltas);
	return 0;
}

static bool give(struct rounds *r, unsigned int feed, const struct migc_span *span)
{
	if (r->feeds == r->worker_count)
		return send_path_give(r->workers[feed].send, span);
	for (unsigned int i = 0; i < r->worker_count; i++) {
		struct worker *w = &r->workers[r->next_worker];

		r->next_worker = (r->next_worker + 1) % r->worker_count;
		if (send_path_give(w->send, span))
			return true;
	}
	return false;
}

/** A feed's first span of its region: it has those with the same remainder. */
static uint64_t first_span(const struct rounds *r, unsigned int index)
{
	return (index + r->feeds - r->feed[index].region % r->feeds) % r->feeds;
}

/**
 * The first round, which is most of a guest, goes through it in strides: what follows each other
 * is of all kinds, so that link and cores are busy at all times, and a few milliseconds tell how
 * fast the rest will go. In the others pages are few, and neighbours make fuller blocks.
 */
static void begin_region(struct rounds *r, unsigned int index)
{
	struct feed *f = &r->feed[index];
	uint64_t pages = r->region[f->region].pages, first = first_span(r, index);
	uint64_t spans = (pages + MIGC_SPAN_PAGES - 1) / MIGC_SPAN_PAGES;

	migc_span_order_begin(&f->order, spans > first ? (spans - first - 1) / r->feeds + 1 : 0,
			      r->round == 1);
	f->begun = true;
}

/** Take the next span of a feed that is due. */
static bool next_span(struct rounds *r, unsigned int index)
{
	struct feed *f = &r->feed[index];

	for (; f->region < r->regions; f->region++, f->begun = false) {
		struct region_pages *p = &r->region[f->region];
		uint64_t turn;

		if (!f->begun)
			begin_region(r, index);
		while (migc_span_order_next(&f->order, &turn)) {
			uint64_t span = first_span(r, index) + turn * r->feeds;
			uint64_t cursor = span * MIGC_SPAN_PAGES;
			uint64_t end = cursor + MIGC_SPAN_PAGES;

			if (migc_bitmap_next(p->due, end < p->pages ? end : p->pages, cursor) ==
			    MIGC_BITMAP_NONE)
				continue;
			migc_span_take(p->due, p->pages, &cursor, &f->held);
			f->held.region = (uint16_t)f->region;
			return true;
		}
	}
	return false;
}

static uint64_t span_pages(const struct migc_span *span)
{
	return migc_bitmap_count(span->mask, MIGC_SPAN_PAGES);
}

/** How long the rest of the round will take at the rate so far; 0 while nobody can tell. */
static uint64_t time_left_ns(const struct rounds *r, uint64_t now_ns)
{
	uint64_t sent = r->pages - r->left;
	uint64_t spent = now_ns - r->settled_ns;

	if (sent == 0 || now_ns <= r->settled_ns)
		return UINT64_MAX;
	return spent / sent * r->left + spent % sent * r->left / sent;
}

static int scan_ahead(struct rounds *r, uint64_t now_ns, struct migc_error *err)
{
	int rc;

	/* where pages need no rest, a scan is the better the later it is made */
	if (r->scans.rest_ns == 0 || r->final || r->scanned_ahead || r->left == 0 ||
	    now_ns - r->scans.scan_ns < ROUNDS_SCAN_INTERVAL_NS ||
	    time_left_ns(r, now_ns) > r->scans.rest_ns + SCAN_AHEAD_NS)
		return 0;
	r->scanned_ahead = true;
	rc = scan(r, err);
	if (rc != 0)
		return rc;
	rest(r);
	/* written again before it was sent: send it once, in the next round */
	r->left = 0;
	for (unsigned int i = 0; i < r->feeds; i++)
		r->left += r->feed[i].have_held ? span_pages(&r->feed[i].held) : 0;
	for (unsigned int i = 0; i < r->regions; i++) {
		migc_bitmap_andnot(r->region[i].due, r->region[i].fresh, r->region[i].pages);
		r->left += migc_bitmap_count(r->region[i].due, r->region[i].pages);
	}
	return 0;
}

/** @return whether all of the feed is handed out. */
static bool hand_out(struct rounds *r, unsigned int index)
{
	struct feed *f = &r->feed[index];

	while (f->have_held || next_span(r, index)) {
		f->have_held = !give(r, index, &f->held);
		if (f->have_held)
			return false;
		r->left -= span_pages(&f->held);
	}
	return true;
}

int rounds_feed(struct rounds *r, uint64_t now_ns, struct migc_error *err)
{
	bool all = true;
	int rc;

	if (now_ns < r->settled_ns && r->pages)
		return 0;
	rc = scan_ahead(r, now_ns, err);
	if (rc != 0)
		return rc;
	/* a worker whose ring is full does not hold up the others */
	for (unsigned int i = 0; i < r->feeds; i++)
		all &= hand_out(r, i);
	if (!all)
		return 0;
	for (unsigned int i = 0; i < r->worker_count; i++) {
		if (!send_path_idle(r->workers[i].send))
			return 0;
	}
	return 1;
}

void rounds_close(struct rounds *r, uint64_t now_ns, uint64_t wire_bytes)
{
	struct rounds_record *record;

	r->closed++;
	/* more rounds than records: the last one stands for the rest */
	if (r->record_count < ROUNDS_RECORDS)
		r->record_count++;
	record = &r->record[r->record_count - 1];
	record->pages = r->pages;
	record->guest_bytes = r->pages * MIGC_PAGE_BYTES;
	record->wire_bytes = wire_bytes;
	record->begin_ns = r->settled_ns;
	record->end_ns = now_ns;
	record->dirty_rate = 0;
	record->expected_downtime_ms = UINT32_MAX;
	record->throttle_percent = 0;
}

void rounds_note(struct rounds *r, uint32_t expected_downtime_ms, uint32_t throttle_percent)
{
	struct rounds_record *record;

	if (r->record_count == 0)
		return;
	record = &r->record[r->record_count - 1];
	record->dirty_rate = r->scans.dirty_rate;
	record->expected_downtime_ms = expected_downtime_ms;
	record->throttle_percent = throttle_percent;
}

int rounds_scan(struct rounds *r, uint64_t now_ns, uint64_t enough, uint64_t *pages,
		struct migc_error *err)
{
	bool recent = r->scanned_ahead || now_ns - r->scans.scan_ns < ROUNDS_SCAN_INTERVAL_NS;
	int rc;

	*pages = fresh_pages(r);
	if (recent && *pages > enough)
		return 0;
	rc = scan(r, err);
	if (rc == 0)
		rest(r);
	*pages = fresh_pages(r);
	return rc;
}

void rounds_mark(struct rounds *r, const struct migc_page_list *pages)
{
	if (pages->region >= r->regions)
		return;
	for (unsigned int i = 0; i < pages->count; i++) {
		struct region_pages *p = &r->region[pages->region];

		if (pages->page[i] >= p->pages)
			continue;
		migc_bitmap_set(p->fresh, pages->page[i]);
		if (!r->deltas)
			continue;
		/* the workers may be at work: their caches are told when the next round begins */
		migc_bitmap_set(p->failed, pages->page[i]);
		r->any_failed = true;
	}
}

uint64_t rounds_blocks(const struct rounds *r)
{
	uint64_t blocks = 0;

	for (unsigned int i = 0; i < r->worker_count; i++)
		blocks += send_path_blocks(r->workers[i].send);
	return blocks;
}

uint64_t rounds_pages(const struct rounds *r)
{
	return r->pages;
}

uint64_t rounds_sending_ns(const struct rounds *r, uint64_t now_ns)
{
	return now_ns > r->settled_ns ? now_ns - r->settled_ns : 0;
}

uint64_t rounds_left(const struct rounds *r)
{
	return r->left;
}

uint64_t rounds_dirty_rate(const struct rounds *r)
{
	return r->scans.dirty_rate;
}

unsigned int rounds_closed(const struct rounds *r)
{
	return r->closed;
}

unsigned int rounds_records(const struct rounds *r, const struct rounds_record **out)
{
	*out = r->record;
	return r->record_count;
}

/** Map of what is to be told about the region: holes now, that matter. */
static int load_holes(struct rounds *r, bool at_start)
{
	struct region_pages *p = &r->region[r->hole_region];

	if (!at_start)
		return migc_guestmem_lost_map(r->gm, r->hole_region, p->known, r->holes);
	/* what became data since the first round's map was made is sent in a later round */
	for (uint64_t i = 0; i < migc_bitmap_words(p->pages); i++)
		r->holes[i] = ~p->known[i];
	if (p->pages % 64)
		r->holes[p->pages / 64] &= (UINT64_C(1) << (p->pages % 64)) - 1;
	return 0;
}

int rounds_next_holes(struct rounds *r, bool at_start, struct migc_msg_punch *out)
{
	while (r->hole_region < r->regions) {
		uint64_t pages = r->region[r->hole_region].pages;
		int rc = r->hole_cursor == 0 ? load_holes(r, at_start) : 0;

		if (rc != 0)
			return rc;
		out->region = (uint16_t)r->hole_region;
		out->count = 0;
		while (out->count < MIGC_MSG_PUNCH_RANGES_MAX) {
			uint64_t first = migc_bitmap_next(r->holes, pages, r->hole_cursor);
			uint64_t end;

			if (first == MIGC_BITMAP_NONE) {
				r->hole_cursor = pages;
				break;
			}
			end = migc_bitmap_next_clear(r->holes, pages, first);
			if (end - first > UINT32_MAX)
				end = first + UINT32_MAX;
			out->range[out->count].first = (uint32_t)first;
			out->range[out->count].count = (uint32_t)(end - first);
			out->count++;
			r->hole_cursor = end;
		}
		if (r->hole_cursor >= pages) {
			r->hole_region++;
			r->hole_cursor = 0;
		}
		if (out->count)
			return 1;
	}
	r->hole_region = 0;
	r->hole_cursor = 0;
	return 0;
}
