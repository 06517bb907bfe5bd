/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "inet_private.h"
#include "migc_cursor.h"

#define ARP_HARDWARE_ETHERNET 1u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u
/** An entry in use is confirmed again after this, and forgotten after that. */
#define NEIGHBOUR_REFRESH_NS UINT64_C(30000000000)
#define NEIGHBOUR_FORGET_NS UINT64_C(120000000000)
/** Requests for one address are a second apart (RFC 1122, 2.3.2.1). */
#define ARP_INTERVAL_NS UINT64_C(1000000000)
/** The first ones may be lost to a link that is just coming up: these come sooner. */
#define ARP_FIRST_INTERVAL_NS UINT64_C(100000000)
#define ARP_FIRST_REQUESTS 10u
/** An address nobody asked for lately needs no more requests. */
#define ARP_WANTED_NS UINT64_C(5000000000)
/** RFC 5227, 1.1: ANNOUNCE_NUM and ANNOUNCE_INTERVAL. */
#define ANNOUNCEMENTS 2u
#define ANNOUNCE_INTERVAL_NS UINT64_C(2000000000)

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct neighbour *neighbour_find(struct migc_inet *inet, uint32_t ip)
{
	for (unsigned int i = 0; i < NEIGHBOURS_MAX; i++) {
		struct neighbour *n = &inet->neighbour[i];

		if (n->state != NEIGHBOUR_FREE && n->ip == ip)
			return n;
	}
	return NULL;
}

struct neighbour *neighbour_get(struct migc_inet *inet, uint32_t ip, uint64_t now_ns)
{
	struct neighbour *n = neighbour_find(inet, ip);

	if (n == NULL) {
		n = &inet->neighbour[0];
		for (unsigned int i = 0; i < NEIGHBOURS_MAX && n->state != NEIGHBOUR_FREE; i++) {
			struct neighbour *other = &inet->neighbour[i];

			if (other->state == NEIGHBOUR_FREE || other->used_ns < n->used_ns)
				n = other;
		}
		memset(n, 0, sizeof(*n));
		n->state = NEIGHBOUR_WANTED;
		n->ip = ip;
	}
	n->used_ns = now_ns;
	if (n->state == NEIGHBOUR_KNOWN && now_ns - n->learned_ns > NEIGHBOUR_FORGET_NS)
		n->state = NEIGHBOUR_WANTED;
	return n;
}

void neighbour_doubt(struct neighbour *n)
{
	n->state = NEIGHBOUR_WANTED;
	n->asked_ns = 0;
	n->requests = 0;
}

void migc_inet_learn(struct migc_inet *inet, uint32_t ip, const uint8_t mac[6], uint64_t now_ns)
{
	struct neighbour *n;

	/* a group address is nobody's */
	if (ip == 0 || ip == inet->config.address.ip || (mac[0] & 1))
		return;
	n = neighbour_find(inet, ip);
	if (n == NULL)
		n = neighbour_get(inet, ip, now_ns);
	n->state = NEIGHBOUR_KNOWN;
	memcpy(n->mac, mac, sizeof(n->mac));
	n->learned_ns = now_ns;
	n->requests = 0;
}

static size_t write_arp(const struct migc_inet *inet, uint8_t *frame, const uint8_t to[6],
			uint16_t operation, uint32_t target_ip)
{
	struct migc_writer w;

	migc_writer_init(&w, frame, MIGC_INET_FRAME_MIN_BYTES);
	migc_write_bytes(&w, to, 6);
	migc_write_bytes(&w, inet->config.mac, 6);
	migc_write_u16(&w, ETHERTYPE_ARP);
	migc_write_u16(&w, ARP_HARDWARE_ETHERNET);
	migc_write_u16(&w, ETHERTYPE_IPV4);
	migc_write_u8(&w, 6);
	migc_write_u8(&w, 4);
	migc_write_u16(&w, operation);
	migc_write_bytes(&w, inet->config.mac, 6);
	migc_write_u32(&w, inet->config.address.ip);
	migc_write_bytes(&w, operation == ARP_REPLY ? to : (const uint8_t[6]){0}, 6);
	migc_write_u32(&w, target_ip);
	memset(frame + w.length_bytes, 0, MIGC_INET_FRAME_MIN_BYTES - w.length_bytes);
	return MIGC_INET_FRAME_MIN_BYTES;
}

void arp_input(struct migc_inet *inet, uint8_t *frame, size_t length, size_t capacity,
	       uint64_t now_ns, struct migc_inet_rx *rx)
{
	uint32_t sender_ip, target_ip;
	const uint8_t *sender_mac;
	uint16_t operation;
	struct migc_reader r;
	bool ok;

	migc_reader_init(&r, frame + ETHER_BYTES, length - ETHER_BYTES);
	ok = migc_read_u16(&r) == ARP_HARDWARE_ETHERNET;
	ok = migc_read_u16(&r) == ETHERTYPE_IPV4 && ok;
	ok = migc_read_u8(&r) == 6 && ok;
	ok = migc_read_u8(&r) == 4 && ok;
	operation = migc_read_u16(&r);
	sender_mac = migc_read_bytes(&r, 6);
	sender_ip = migc_read_u32(&r);
	migc_read_bytes(&r, 6);
	target_ip = migc_read_u32(&r);
	if (r.failed || !ok || (operation != ARP_REQUEST && operation != ARP_REPLY)) {
		inet->stats.rx_malformed++;
		return;
	}
	/* who probes for an address has none yet (RFC 5227, 2.1.1) */
	if (sender_ip != 0 && !on_link(inet, sender_ip)) {
		inet->stats.rx_arp_off_link++;
		return;
	}
	inet->stats.rx_arp++;
	if (sender_ip == inet->config.address.ip) {
		if (memcmp(sender_mac, inet->config.mac, 6) != 0)
			inet->stats.rx_address_conflict++;
		return;
	}
	rx->verdict = MIGC_INET_ARP;
	rx->learned_ip = sender_ip;
	memcpy(rx->learned_mac, sender_mac, 6);
	/* RFC 826: whoever is known is updated; who is new is added only when it asks for us */
	if (target_ip == inet->config.address.ip || neighbour_find(inet, sender_ip))
		migc_inet_learn(inet, sender_ip, rx->learned_mac, now_ns);
	if (operation == ARP_REQUEST && target_ip == inet->config.address.ip &&
	    capacity >= MIGC_INET_FRAME_MIN_BYTES) {
		rx->reply_bytes =
			(uint16_t)write_arp(inet, frame, rx->learned_mac, ARP_REPLY, sender_ip);
		rx->verdict = MIGC_INET_ARP_REPLY;
	}
}

/** Does this entry want a request now? */
static bool wants_request(const struct neighbour *n, uint64_t now_ns)
{
	uint64_t interval = n->requests < ARP_FIRST_REQUESTS ? ARP_FIRST_INTERVAL_NS
							     : ARP_INTERVAL_NS;

	if (n->state == NEIGHBOUR_FREE || now_ns - n->used_ns > ARP_WANTED_NS)
		return false;
	if (n->state == NEIGHBOUR_KNOWN && now_ns - n->learned_ns < NEIGHBOUR_REFRESH_NS)
		return false;
	return n->asked_ns == 0 || now_ns - n->asked_ns >= interval;
}

void migc_inet_announce(struct migc_inet *inet)
{
	inet->announcements = ANNOUNCEMENTS;
	inet->announce_ns = 0;
}

size_t migc_inet_poll(struct migc_inet *inet, uint8_t *frame, size_t capacity, uint64_t now_ns)
{
	if (capacity < MIGC_INET_FRAME_MIN_BYTES)
		return 0;
	if (inet->announcements && now_ns >= inet->announce_ns) {
		inet->announcements--;
		inet->announce_ns = now_ns + ANNOUNCE_INTERVAL_NS;
		inet->stats.tx_arp++;
		return write_arp(inet, frame, broadcast, ARP_REQUEST, inet->config.address.ip);
	}
	for (unsigned int i = 0; i < NEIGHBOURS_MAX; i++) {
		struct neighbour *n = &inet->neighbour[i];

		if (!wants_request(n, now_ns))
			continue;
		n->asked_ns = now_ns;
		n->requests++;
		inet->stats.tx_arp++;
		/* a refresh goes to the one who is known (RFC 1122, 2.3.2.1), so nobody else wakes
		 */
		return write_arp(inet, frame, n->state == NEIGHBOUR_KNOWN ? n->mac : broadcast,
				 ARP_REQUEST, n->ip);
	}
	return 0;
}
