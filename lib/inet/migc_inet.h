/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_INET_H
#define MIGC_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_parse.h"

/**
 * @file
 * Ethernet, ARP (RFC 826), IPv4 (RFC 791), ICMP echo (RFC 792) and UDP (RFC 768) of one end
 * station with one address. Sans-IO: works on frames in memory; never sees an mbuf. One object a
 * worker, used by one thread. No allocation after create.
 */

#define MIGC_INET_HEADROOM_BYTES 42u /**< Ethernet 14 + IPv4 20 + UDP 8 */
#define MIGC_INET_MTU_MIN 1280u
#define MIGC_INET_FRAME_MIN_BYTES 60u

struct migc_inet_config {
	uint8_t mac[6];
	struct migc_prefix address;
	uint32_t gateway; /**< host byte order; 0: none, everything must be on the link */
	uint16_t mtu; /**< largest IP packet */
};

/** What the port did or will do to checksums; bits. */
enum {
	MIGC_INET_IP_CHECKSUM_GOOD = 1, /**< input: the port checked it */
	MIGC_INET_UDP_CHECKSUM_GOOD = 2, /**< input */
	MIGC_INET_IP_CHECKSUM_OFFLOAD = 4, /**< output: leave zero, the port fills it */
	MIGC_INET_UDP_CHECKSUM_OFFLOAD =
		8, /**< output: pseudo-header sum only, the port fills it */
};

enum migc_inet_verdict {
	MIGC_INET_DROP, /**< counted; nothing to do */
	MIGC_INET_UDP, /**< a datagram for us: payload fields are set */
	MIGC_INET_REPLY, /**< the frame was turned into the reply: send its first reply_bytes */
	MIGC_INET_ARP, /**< an ARP reply or announcement: the table may have changed (tell the other
			* workers: give them a copy of the frame) */
	MIGC_INET_ARP_REPLY, /**< an ARP request for us: as REPLY, and tell the other workers the
			      * original frame's sender as for ARP (migc_inet_learn()) */
};

struct migc_inet_rx {
	enum migc_inet_verdict verdict;
	uint8_t *payload;
	uint16_t payload_bytes;
	uint16_t reply_bytes;
	struct migc_addr from;
	uint16_t to_port;
	uint32_t learned_ip; /**< ARP, ARP_REPLY: the mapping seen */
	uint8_t learned_mac[6];
};

struct migc_inet_stats {
	uint64_t rx_udp, rx_arp, rx_echo; /**< taken */
	uint64_t rx_not_ours; /**< other MAC, address, EtherType or protocol */
	uint64_t rx_arp_off_link; /**< ARP of an address that is neither on the link nor the gateway
				   */
	uint64_t rx_fragments;
	uint64_t rx_malformed; /**< short, bad lengths or header */
	uint64_t rx_bad_checksum;
	uint64_t rx_address_conflict; /**< ARP: somebody else says to have our address */
	uint64_t tx_udp;
	uint64_t tx_arp;
	uint64_t tx_unresolved; /**< datagrams not made: next hop's MAC not known yet */
	uint64_t tx_no_route; /**< not on the link and no gateway */
};

struct migc_inet;

int migc_inet_create(const struct migc_inet_config *config, struct migc_inet **out,
		     struct migc_error *err);
void migc_inet_free(struct migc_inet *inet);

/**
 * A frame came in.
 * @param frame    its bytes; may be changed
 * @param length   bytes of it
 * @param capacity bytes that may be written there (a reply is at least 60 long)
 * @param flags    MIGC_INET_*_GOOD
 */
void migc_inet_input(struct migc_inet *inet, uint8_t *frame, size_t length, size_t capacity,
		     unsigned int flags, uint64_t now_ns, struct migc_inet_rx *rx);
/** Put a mapping into the neighbour table, as if an ARP reply had said so. */
void migc_inet_learn(struct migc_inet *inet, uint32_t ip, const uint8_t mac[6], uint64_t now_ns);
/**
 * Put the headers in front of a datagram.
 * @param payload      UDP payload; the MIGC_INET_HEADROOM_BYTES before it are written
 * @param offload      MIGC_INET_*_OFFLOAD
 * @param frame_bytes  length of the frame that begins at payload - MIGC_INET_HEADROOM_BYTES
 * @return 0; -EHOSTUNREACH (no route), -EAGAIN (next hop not resolved yet: dropped, an ARP request
 *   will come from migc_inet_poll()), -EMSGSIZE (larger than the MTU).
 */
int migc_inet_output(struct migc_inet *inet, uint8_t *payload, size_t length,
		     const struct migc_addr *to, uint16_t from_port, unsigned int offload,
		     uint64_t now_ns, size_t *frame_bytes);
/**
 * Could a datagram go to that address now, or is its next hop still to be asked for? It is asked
 * for from then on. true as well where migc_inet_output() says that there is no route.
 * @param since_ns what was learned before is doubted: whoever was there may have been replaced by
 *   another with another MAC, and all on the link are asked again. 0: whatever is known will do.
 */
bool migc_inet_ready(struct migc_inet *inet, uint32_t ip, uint64_t since_ns, uint64_t now_ns);
/**
 * From now on migc_inet_poll() tells the link, twice, who has our address (RFC 5227, 2.3): a
 * neighbour that knew another MAC for it, ours before a restart, sends to the right one again.
 */
void migc_inet_announce(struct migc_inet *inet);
/**
 * An ARP request that is due (an announcement; first, repeated each second while unresolved and
 * wanted; or a refresh of an ageing entry in use), if any.
 * @param frame at least 60 bytes @return its length or 0.
 */
size_t migc_inet_poll(struct migc_inet *inet, uint8_t *frame, size_t capacity, uint64_t now_ns);
void migc_inet_stats(const struct migc_inet *inet, struct migc_inet_stats *out);

#endif
