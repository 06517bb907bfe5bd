/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PACER_H
#define PACER_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Finds the rate of a slow link and stays just below it, so that no queue stands before the link.
 * The congestion controller alone keeps its window full: what the link does not take waits in a
 * queue, where it delays what others send, and where a queueing discipline that throttles costs
 * the kernel a timer a packet (doc/design/transport.md has the law, the constants and the
 * measurements). Never faster than the congestion controller, only slower; off until a queue
 * is seen.
 *
 * No clock, no memory: time comes in, everything is in the struct.
 */

enum pacer_phase {
	PACER_OFF, /**< no queue that would be ours: the congestion controller alone */
	PACER_DRAIN, /**< below the link's rate until the queue is gone */
	PACER_CRUISE, /**< just below it */
	PACER_PROBE, /**< above it for a moment: is there more by now? */
};

struct pacer {
	enum pacer_phase phase;
	uint64_t link; /**< the link's rate as last measured, bytes a second */
	uint64_t rate; /**< bytes a second that may go; 0: any number */
	uint64_t next_ns; /**< when what was sent is paid for */
	uint64_t turn_ns; /**< when it was last asked */
	uint64_t credit_ns; /**< so much of what was not sent may be caught up on */

	uint64_t heard_ns; /**< the last acknowledgement */

	/* the window that is being measured */
	uint64_t begin_ns, begin_delivered_bytes;
	uint64_t rtt_min_ns; /**< smallest round trip in it; UINT64_MAX: none yet */
	uint64_t gap_max_ns; /**< longest pause between two acknowledgements in it */
	unsigned int samples;
	bool starved; /**< there was nothing to send for a moment */

	unsigned int windows; /**< of this phase */
	unsigned int queued; /**< windows in a row with a queue */
	uint64_t drain_ns; /**< DRAIN: the shortest queue so far */
	uint64_t mean; /**< CRUISE: bytes a second, a mean of 8 windows; 0: none yet */
	unsigned int corrections; /**< of the link's rate downwards, since it was last right */
	uint64_t off_until_ns; /**< the queue was not ours: not tried again before */
};

/** Nothing was measured yet. */
void pacer_init(struct pacer *p, uint64_t now_ns);
/**
 * An acknowledgement came.
 * @param rtt_ns          round trip of the newest packet that it acknowledges
 * @param base_rtt_ns     smallest one since the connection began: that of an empty queue
 * @param delivered_bytes that are sent and not in flight any more, since the connection began
 */
void pacer_acknowledged(struct pacer *p, uint64_t rtt_ns, uint64_t base_rtt_ns,
			uint64_t delivered_bytes, uint64_t now_ns);
/** There is nothing to send: how much is delivered says nothing of the link. */
void pacer_starved(struct pacer *p);
/**
 * Asked at each turn, whether or not there is something to send: a turn that comes late may catch
 * up on what it missed, for it waited for a CPU.
 * @return whether a packet may go now.
 */
bool pacer_allows(struct pacer *p, uint64_t now_ns);
/** @return whether a packet has to wait: until p->next_ns. */
bool pacer_holds(const struct pacer *p, uint64_t now_ns);
/** A packet went. */
void pacer_charge(struct pacer *p, uint64_t bytes);

#endif
