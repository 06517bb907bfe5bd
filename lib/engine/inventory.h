/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef INVENTORY_H
#define INVENTORY_H

#include <stdint.h>

#include "migc_dirty.h"
#include "migc_guestmem.h"
#include "migc_wire.h"
#include "receive_path.h"
#include "rounds.h"

/**
 * @file
 * What a destination holds, page by page, when a session takes over from a lost one: told by the
 * one, compared by the other. The controllers' threads.
 */

/** @return the seed of the session's digests. */
uint64_t inventory_seed(const uint8_t session_id[MIGC_SESSION_ID_BYTES]);
/**
 * Destination: tell what is held of a region from a page on, holes before it left out.
 *
 * @param region   the source's number of it
 * @param page     where to go on: after the call, behind the last page told
 * @return whether that was the region's end
 */
bool inventory_tell(const struct receive_shared *shared, unsigned int region, uint64_t seed,
		    uint64_t *page, struct migc_msg_holdings *out);
/**
 * Source: take out of what is due what the destination holds already, zeros where it has a hole
 * included. Once rounds_settled().
 *
 * @param dirty    armed, or NULL: nothing changes
 * @param page     of the region, behind the last page that was told; after the call, behind these
 * @return pages taken out
 */
uint64_t inventory_compare(struct rounds *rounds, const struct migc_guestmem *gm,
			   struct migc_dirty *dirty, uint64_t seed, uint64_t *page,
			   const struct migc_msg_holdings *holdings);

#endif
