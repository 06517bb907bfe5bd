/* SPDX-License-Identifier: BSD-3-Clause */
#include "bandwidth.h"

#define NS_PER_S UINT64_C(1000000000)
/** So much time that a worker was late is made up for, a quarter faster; at once only this. */
#define CATCH_UP_NS UINT64_C(40000000)
#define BURST_NS UINT64_C(2000000)
/** More is no limit, and its credit would not fit its type. */
#define SHARE_MAX UINT64_C(400000000000)
/** What all did not use is kept for so long, and what is owed either way is paid back over this. */
#define KEEP_NS UINT64_C(10000000)
#define OWE_NS UINT64_C(100000000)
#define PAY_BACK_NS UINT64_C(200000000)

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/** Millionths of bits in so much time, which is at most CATCH_UP_NS. */
static int64_t credit(uint64_t bits_per_s, uint64_t ns)
{
	return (int64_t)(bits_per_s * ns / 1000);
}

bool bandwidth_allows(struct bandwidth_pace *pace, uint64_t share_bits_per_s, uint64_t now_ns)
{
	uint64_t spent_ns = now_ns > pace->last_ns ? now_ns - pace->last_ns : 0;
	int64_t more;

	if (share_bits_per_s == 0)
		return true;
	if (share_bits_per_s > SHARE_MAX)
		share_bits_per_s = SHARE_MAX;
	/* the first one: nothing is owed for the time before */
	if (pace->last_ns == 0)
		spent_ns = 0;
	more = credit(share_bits_per_s, spent_ns < CATCH_UP_NS ? spent_ns : CATCH_UP_NS);
	pace->last_ns = now_ns;
	pace->even = least(pace->even + more, credit(share_bits_per_s, CATCH_UP_NS));
	pace->peak = least(pace->peak + more + more / 4, credit(share_bits_per_s, BURST_NS));
	return pace->even >= 0 && pace->peak >= 0;
}

void bandwidth_charge(struct bandwidth_pace *pace, uint64_t share_bits_per_s, uint32_t frame_bytes)
{
	if (share_bits_per_s == 0)
		return;
	pace->even -= (int64_t)frame_bytes * 8 * 1000000;
	pace->peak -= (int64_t)frame_bytes * 8 * 1000000;
}

void bandwidth_set(struct bandwidth *b, uint64_t bits_per_s, unsigned int workers)
{
	b->bits_per_s = bits_per_s;
	b->last_ns = 0;
	b->debt_bits = 0;
	for (unsigned int i = 0; i < workers; i++)
		b->share_bits_per_s[i] = bits_per_s ? bits_per_s / workers + 1 : 0;
}

/** Bits that `ns` allow; ns at most a few seconds. */
static int64_t allowed_bits(uint64_t bits_per_s, uint64_t ns)
{
	return (int64_t)(bits_per_s / 1000000 * ns / 1000 + bits_per_s % 1000000 * ns / NS_PER_S);
}

/** Keep the account. @return what all may send in the next period, bits a second. */
static uint64_t settle(struct bandwidth *b, int64_t sent_bits, uint64_t spent_ns)
{
	int64_t kept = -allowed_bits(b->bits_per_s, KEEP_NS);
	int64_t owed = allowed_bits(b->bits_per_s, OWE_NS);
	int64_t budget;

	b->debt_bits += sent_bits - allowed_bits(b->bits_per_s, spent_ns);
	if (b->debt_bits < kept)
		b->debt_bits = kept;
	b->debt_bits = least(b->debt_bits, owed);
	budget = (int64_t)b->bits_per_s - b->debt_bits * (int64_t)(NS_PER_S / PAY_BACK_NS);
	return budget > 0 ? (uint64_t)budget : 1;
}

void bandwidth_share(struct bandwidth *b, unsigned int workers, const uint64_t *sent_bytes,
		     uint64_t now_ns)
{
	uint64_t spent_ns = now_ns - b->last_ns;
	uint64_t used[BANDWIDTH_WORKERS_MAX], budget, modest = 0;
	bool counted = b->last_ns != 0, hungry[BANDWIDTH_WORKERS_MAX];
	unsigned int hungry_count = 0;
	int64_t sent_bits = 0;

	b->last_ns = now_ns;
	for (unsigned int i = 0; i < workers; i++) {
		/* there is another one, or none, in its place */
		if (sent_bytes[i] < b->sent_bytes[i])
			b->sent_bytes[i] = 0;
		used[i] = (sent_bytes[i] - b->sent_bytes[i]) * 8;
		b->sent_bytes[i] = sent_bytes[i];
		sent_bits += (int64_t)used[i];
	}
	/* a main lcore that was away for long knows nothing of the time between */
	if (b->bits_per_s == 0 || !counted || spent_ns == 0 || spent_ns > NS_PER_S)
		return;
	budget = settle(b, sent_bits, spent_ns);
	for (unsigned int i = 0; i < workers; i++) {
		used[i] = (uint64_t)((double)used[i] * (double)NS_PER_S / (double)spent_ns);
		/* who used seven eighths would have used more */
		hungry[i] = used[i] >= b->share_bits_per_s[i] / 8 * 7;
		hungry_count += hungry[i];
		modest += hungry[i] ? 0 : used[i];
	}
	for (unsigned int i = 0; i < workers; i++) {
		uint64_t rest = budget > modest ? budget - modest : 0;
		uint64_t share = hungry[i] ? rest / hungry_count : budget / workers;
		uint64_t floor = b->bits_per_s / (8 * workers);

		b->share_bits_per_s[i] = share > floor ? share : floor + 1;
	}
}
