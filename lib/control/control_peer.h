/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <poll.h>

#include "control_request.h"

/** @file One client of the socket: its lines, and what it is answered. The server's thread. */

/** A client that does not read has so long. */
#define CONTROL_PEER_STUCK_NS UINT64_C(5000000000)

struct control_peer {
	struct migc_control *control;
	int fd; /**< -1: none */
	bool ended; /**< it has sent all that it will */
	char in[CONTROL_LINE_BYTES + 1]; /**< a line and its newline */
	size_t in_bytes;
	char *out; /**< an answer not written yet; NULL: none */
	size_t out_bytes, out_written;
	uint64_t since_ns; /**< when it last sent or took something */
	uint64_t ticket; /**< of an order that is to be answered; 0: none */
	json_t *id; /**< of that */
};

/** @param fd becomes the peer's; non-blocking */
void control_peer_open(struct control_peer *p, struct migc_control *control, int fd,
		       uint64_t now_ns);
/** Let it go; an order that it gave is carried out all the same. */
void control_peer_close(struct control_peer *p);
/** What to wait for. */
short control_peer_events(const struct control_peer *p);
/**
 * Read, answer, write as far as it goes now.
 * @return false: it has gone, or behaves badly: close it.
 */
bool control_peer_turn(struct control_peer *p, short events, uint64_t now_ns);

#endif
