/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "checksum.h"
#include "inet_private.h"
#include "migc_cursor.h"

#define ICMP_ECHO_REPLY 0u
#define ICMP_ECHO_REQUEST 8u
#define ICMP_HEADER_BYTES 8u
#define FRAGMENT_MASK 0x3fffu /**< more fragments, and the offset */

struct ipv4_header {
	uint8_t header_bytes;
	uint8_t protocol;
	uint16_t total_bytes;
	uint16_t fragment;
	uint32_t from, to;
};

static bool parse_header(const uint8_t *packet, size_t length, struct ipv4_header *h)
{
	struct migc_reader r;
	uint8_t version;

	migc_reader_init(&r, packet, length);
	version = migc_read_u8(&r);
	migc_read_u8(&r); /* type of service */
	h->total_bytes = migc_read_u16(&r);
	migc_read_u16(&r); /* identification */
	h->fragment = migc_read_u16(&r);
	migc_read_u8(&r); /* time to live: we are the last hop */
	h->protocol = migc_read_u8(&r);
	migc_read_u16(&r); /* checksum */
	h->from = migc_read_u32(&r);
	h->to = migc_read_u32(&r);
	h->header_bytes = (uint8_t)((version & 0x0f) * 4);
	return !r.failed && version >> 4 == 4 && h->header_bytes >= IPV4_BYTES &&
	       h->total_bytes >= h->header_bytes && h->total_bytes <= length;
}

/** Turn an echo request into its reply, in place: addresses swapped, type and checksum changed. */
static void echo_reply(struct migc_inet *inet, uint8_t *frame, const struct ipv4_header *h,
		       struct migc_inet_rx *rx)
{
	uint8_t *ip = frame + ETHER_BYTES;
	uint8_t *icmp = ip + h->header_bytes;
	size_t icmp_bytes = (size_t)h->total_bytes - h->header_bytes;
	uint16_t checksum;
	size_t end = ETHER_BYTES + (size_t)h->total_bytes;

	if (icmp_bytes < ICMP_HEADER_BYTES || icmp[0] != ICMP_ECHO_REQUEST || icmp[1] != 0) {
		inet->stats.rx_not_ours++;
		return;
	}
	if (checksum_fold(checksum_sum(icmp, icmp_bytes)) != 0xffff) {
		inet->stats.rx_bad_checksum++;
		return;
	}
	inet->stats.rx_echo++;
	icmp[0] = ICMP_ECHO_REPLY;
	icmp[2] = 0;
	icmp[3] = 0;
	checksum = (uint16_t)~checksum_fold(checksum_sum(icmp, icmp_bytes));
	icmp[2] = (uint8_t)(checksum >> 8);
	icmp[3] = (uint8_t)checksum;
	/* the header's checksum is a sum: swapping the addresses does not change it */
	memmove(ip + 12,
		(const uint8_t[8]){(uint8_t)(h->to >> 24), (uint8_t)(h->to >> 16),
				   (uint8_t)(h->to >> 8), (uint8_t)h->to, (uint8_t)(h->from >> 24),
				   (uint8_t)(h->from >> 16), (uint8_t)(h->from >> 8),
				   (uint8_t)h->from},
		8);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, inet->config.mac, 6);
	rx->verdict = MIGC_INET_REPLY;
	rx->reply_bytes = (uint16_t)end;
}

static void udp_input(struct migc_inet *inet, uint8_t *frame, const struct ipv4_header *h,
		      unsigned int flags, struct migc_inet_rx *rx)
{
	uint8_t *udp = frame + ETHER_BYTES + h->header_bytes;
	size_t have = (size_t)h->total_bytes - h->header_bytes;
	uint16_t length, checksum;
	struct migc_reader r;

	migc_reader_init(&r, udp, have);
	rx->from.ip = h->from;
	rx->from.port = migc_read_u16(&r);
	rx->to_port = migc_read_u16(&r);
	length = migc_read_u16(&r);
	checksum = migc_read_u16(&r);
	if (r.failed || length < UDP_BYTES || length > have) {
		inet->stats.rx_malformed++;
		return;
	}
	/* no checksum at all is allowed (RFC 768); QUIC has its own */
	if (checksum != 0 && !(flags & MIGC_INET_UDP_CHECKSUM_GOOD) &&
	    checksum_fold(checksum_pseudo(h->from, h->to, PROTOCOL_UDP, length) +
			  checksum_sum(udp, length)) != 0xffff) {
		inet->stats.rx_bad_checksum++;
		return;
	}
	inet->stats.rx_udp++;
	rx->verdict = MIGC_INET_UDP;
	rx->payload = udp + UDP_BYTES;
	rx->payload_bytes = (uint16_t)(length - UDP_BYTES);
}

void ipv4_input(struct migc_inet *inet, uint8_t *frame, size_t length, unsigned int flags,
		struct migc_inet_rx *rx)
{
	struct ipv4_header h;

	if (!parse_header(frame + ETHER_BYTES, length - ETHER_BYTES, &h)) {
		inet->stats.rx_malformed++;
		return;
	}
	if (!(flags & MIGC_INET_IP_CHECKSUM_GOOD) &&
	    checksum_fold(checksum_sum(frame + ETHER_BYTES, h.header_bytes)) != 0xffff) {
		inet->stats.rx_bad_checksum++;
		return;
	}
	if (h.to != inet->config.address.ip || memcmp(frame, inet->config.mac, 6) != 0) {
		inet->stats.rx_not_ours++;
		return;
	}
	if (h.fragment & FRAGMENT_MASK) {
		inet->stats.rx_fragments++;
		return;
	}
	if (h.protocol == PROTOCOL_UDP)
		udp_input(inet, frame, &h, flags, rx);
	else if (h.protocol == PROTOCOL_ICMP)
		echo_reply(inet, frame, &h, rx);
	else
		inet->stats.rx_not_ours++;
}
