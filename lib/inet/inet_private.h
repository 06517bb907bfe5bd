/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef INET_PRIVATE_H
#define INET_PRIVATE_H

#include "migc_inet.h"

#define ETHER_BYTES 14u
#define IPV4_BYTES 20u
#define UDP_BYTES 8u
#define ARP_BYTES 28u
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_ARP 0x0806u
#define PROTOCOL_ICMP 1u
#define PROTOCOL_UDP 17u

#define NEIGHBOURS_MAX 64u

enum neighbour_state {
	NEIGHBOUR_FREE,
	NEIGHBOUR_WANTED, /**< asked for, no answer yet */
	NEIGHBOUR_KNOWN,
};

struct neighbour {
	enum neighbour_state state;
	uint32_t ip;
	uint8_t mac[6];
	uint64_t learned_ns; /**< when the mapping was last confirmed */
	uint64_t used_ns; /**< when it was last wanted */
	uint64_t asked_ns; /**< when the last request was sent; 0: never */
	uint32_t requests; /**< without an answer so far */
};

struct migc_inet {
	struct migc_inet_config config;
	struct migc_inet_stats stats;
	uint16_t identification;
	unsigned int announcements; /**< still to be made */
	uint64_t announce_ns; /**< the next, not before */
	struct neighbour neighbour[NEIGHBOURS_MAX];
};

/** The table's entry of an address, or NULL. */
struct neighbour *neighbour_find(struct migc_inet *inet, uint32_t ip);
/** The entry of an address, made (in place of the one used longest ago) when there is none. */
struct neighbour *neighbour_get(struct migc_inet *inet, uint32_t ip, uint64_t now_ns);
/** What is known of it is true no more: all on the link are asked, at once. */
void neighbour_doubt(struct neighbour *n);
/** Is an address on our link, or the gateway's? Nobody else's MAC is of use. */
bool on_link(const struct migc_inet *inet, uint32_t ip);
/** Handle an ARP frame. */
void arp_input(struct migc_inet *inet, uint8_t *frame, size_t length, size_t capacity,
	       uint64_t now_ns, struct migc_inet_rx *rx);
/** Handle an IPv4 frame. */
void ipv4_input(struct migc_inet *inet, uint8_t *frame, size_t length, unsigned int flags,
		struct migc_inet_rx *rx);

#endif
