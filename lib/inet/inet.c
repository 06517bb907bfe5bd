/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "inet_private.h"
#include "migc_cursor.h"

#define TIME_TO_LIVE 64u
#define DO_NOT_FRAGMENT 0x4000u

int migc_inet_create(const struct migc_inet_config *config, struct migc_inet **out,
		     struct migc_error *err)
{
	struct migc_inet *inet;

	*out = NULL;
	if (config->address.ip == 0 || config->address.ip >> 28 >= 14)
		return migc_error_set(err, -EINVAL, "--ip: not the address of a host");
	if (config->mtu < MIGC_INET_MTU_MIN)
		return migc_error_set(err, -EINVAL, "an MTU of %u is too small: at least %u",
				      config->mtu, MIGC_INET_MTU_MIN);
	inet = calloc(1, sizeof(*inet));
	if (inet == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for the neighbour table");
	inet->config = *config;
	*out = inet;
	return 0;
}

void migc_inet_free(struct migc_inet *inet)
{
	free(inet);
}

void migc_inet_input(struct migc_inet *inet, uint8_t *frame, size_t length, size_t capacity,
		     unsigned int flags, uint64_t now_ns, struct migc_inet_rx *rx)
{
	struct migc_reader r;
	uint16_t type;

	memset(rx, 0, sizeof(*rx));
	rx->verdict = MIGC_INET_DROP;
	migc_reader_init(&r, frame, length);
	migc_read_bytes(&r, 12);
	type = migc_read_u16(&r);
	if (r.failed)
		inet->stats.rx_malformed++;
	else if (type == ETHERTYPE_ARP)
		arp_input(inet, frame, length, capacity, now_ns, rx);
	else if (type == ETHERTYPE_IPV4)
		ipv4_input(inet, frame, length, flags, rx);
	else
		inet->stats.rx_not_ours++;
}

static bool in_prefix(const struct migc_prefix *prefix, uint32_t ip)
{
	uint32_t mask = prefix->length ? UINT32_MAX << (32 - prefix->length) : 0;

	return ((ip ^ prefix->ip) & mask) == 0;
}

bool on_link(const struct migc_inet *inet, uint32_t ip)
{
	return in_prefix(&inet->config.address, ip) || ip == inet->config.gateway;
}

/** The address whose MAC a packet needs; 0: no way there. */
static uint32_t next_hop(const struct migc_inet *inet, uint32_t to)
{
	if (to == 0 || to == inet->config.address.ip)
		return 0;
	return in_prefix(&inet->config.address, to) ? to : inet->config.gateway;
}

static void write_headers(struct migc_inet *inet, uint8_t *frame, const struct neighbour *n,
			  const struct migc_addr *to, uint16_t from_port, size_t length,
			  unsigned int offload)
{
	uint16_t udp_bytes = (uint16_t)(length + UDP_BYTES);
	uint32_t own = inet->config.address.ip;
	uint64_t sum = checksum_pseudo(own, to->ip, PROTOCOL_UDP, udp_bytes);
	struct migc_writer w;
	uint16_t checksum;

	migc_writer_init(&w, frame, MIGC_INET_HEADROOM_BYTES);
	migc_write_bytes(&w, n->mac, 6);
	migc_write_bytes(&w, inet->config.mac, 6);
	migc_write_u16(&w, ETHERTYPE_IPV4);
	migc_write_u8(&w, 0x45);
	migc_write_u8(&w, 0);
	migc_write_u16(&w, (uint16_t)(udp_bytes + IPV4_BYTES));
	migc_write_u16(&w, inet->identification++);
	migc_write_u16(&w, DO_NOT_FRAGMENT);
	migc_write_u8(&w, TIME_TO_LIVE);
	migc_write_u8(&w, PROTOCOL_UDP);
	migc_write_u16(&w, 0);
	migc_write_u32(&w, own);
	migc_write_u32(&w, to->ip);
	migc_write_u16(&w, from_port);
	migc_write_u16(&w, to->port);
	migc_write_u16(&w, udp_bytes);
	migc_write_u16(&w, 0);
	if (!(offload & MIGC_INET_IP_CHECKSUM_OFFLOAD)) {
		checksum = (uint16_t)~checksum_fold(checksum_sum(frame + ETHER_BYTES, IPV4_BYTES));
		frame[ETHER_BYTES + 10] = (uint8_t)(checksum >> 8);
		frame[ETHER_BYTES + 11] = (uint8_t)checksum;
	}
	if (offload & MIGC_INET_UDP_CHECKSUM_OFFLOAD) {
		checksum = checksum_fold(sum);
	} else {
		sum += checksum_sum(frame + ETHER_BYTES + IPV4_BYTES, udp_bytes);
		checksum = (uint16_t)~checksum_fold(sum);
		/* zero would mean: none (RFC 768) */
		if (checksum == 0)
			checksum = 0xffff;
	}
	frame[MIGC_INET_HEADROOM_BYTES - 2] = (uint8_t)(checksum >> 8);
	frame[MIGC_INET_HEADROOM_BYTES - 1] = (uint8_t)checksum;
}

int migc_inet_output(struct migc_inet *inet, uint8_t *payload, size_t length,
		     const struct migc_addr *to, uint16_t from_port, unsigned int offload,
		     uint64_t now_ns, size_t *frame_bytes)
{
	uint32_t hop = next_hop(inet, to->ip);
	struct neighbour *n;

	if (length + IPV4_BYTES + UDP_BYTES > inet->config.mtu)
		return -EMSGSIZE;
	if (hop == 0) {
		inet->stats.tx_no_route++;
		return -EHOSTUNREACH;
	}
	n = neighbour_get(inet, hop, now_ns);
	if (n->state != NEIGHBOUR_KNOWN) {
		inet->stats.tx_unresolved++;
		return -EAGAIN;
	}
	write_headers(inet, payload - MIGC_INET_HEADROOM_BYTES, n, to, from_port, length, offload);
	*frame_bytes = length + MIGC_INET_HEADROOM_BYTES;
	inet->stats.tx_udp++;
	return 0;
}

bool migc_inet_ready(struct migc_inet *inet, uint32_t ip, uint64_t since_ns, uint64_t now_ns)
{
	uint32_t hop = next_hop(inet, ip);
	struct neighbour *n;

	if (hop == 0)
		return true;
	n = neighbour_get(inet, hop, now_ns);
	if (n->state == NEIGHBOUR_KNOWN && n->learned_ns < since_ns)
		neighbour_doubt(n);
	return n->state == NEIGHBOUR_KNOWN;
}

void migc_inet_stats(const struct migc_inet *inet, struct migc_inet_stats *out)
{
	*out = inet->stats;
}
