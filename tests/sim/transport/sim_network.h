/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "migc_random.h"
#include "migc_transport.h"

/**
 * @file
 * A network of transport endpoints in virtual time: every datagram is lost, doubled, damaged,
 * overtaken or delayed as the seed says, the same way each time.
 */

#define SIM_ENDS_MAX 4u
#define SIM_DATAGRAM_BYTES 65536u

struct sim_link {
	uint32_t loss_per_billion;
	uint32_t duplicate_per_billion;
	uint32_t corrupt_per_billion;
	uint32_t reorder_per_billion; /**< held back by up to four delays */
	uint64_t delay_ns; /**< one way */
	uint64_t bits_per_s; /**< 0: any number */
	uint64_t queue_bytes; /**< waiting for the link; more is lost; 0: any number */
};

struct sim_datagram {
	struct sim_datagram *next;
	uint64_t due_ns;
	struct migc_addr from, to;
	size_t length;
	uint8_t data[];
};

struct sim_end {
	struct migc_transport *transport;
	struct migc_addr addr;
	uint64_t free_at_ns; /**< when its link has sent what it was given */
	bool cut; /**< nothing it sends arrives any more */
};

struct sim_network {
	struct sim_link link;
	struct migc_random random;
	uint64_t now_ns;
	struct sim_end ends[SIM_ENDS_MAX];
	unsigned int ends_count;
	struct sim_datagram *in_flight; /**< by due time */
	uint64_t sent, lost, corrupted, duplicated;
	/** Sees each datagram before it is sent; may be NULL. @return false: drop it. */
	bool (*tap)(void *ctx, const struct migc_addr *from, const struct migc_addr *to,
		    const uint8_t *data, size_t length);
	void *tap_ctx;
	uint8_t buffer[SIM_DATAGRAM_BYTES];
};

struct sim_network *sim_network_create(const struct sim_link *link, uint64_t seed);
/** Frees the endpoints too. */
void sim_network_free(struct sim_network *net);
/** @return its index. */
unsigned int sim_network_add(struct sim_network *net, struct migc_transport *transport,
			     struct migc_addr addr);
/** A datagram out of nowhere, delivered at once. */
void sim_network_inject(struct sim_network *net, struct migc_addr from, struct migc_addr to,
			const uint8_t *data, size_t length);
/** Send what there is, then go to the next event. @return false: there is none before limit_ns. */
bool sim_network_step(struct sim_network *net, uint64_t limit_ns);
/** Step until `done` or until `limit_ns` of virtual time from now. @return whether done. */
bool sim_network_run(struct sim_network *net, bool (*done)(void *ctx), void *ctx,
		     uint64_t limit_ns);

#endif
