/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef INET_FRAMES_H
#define INET_FRAMES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "migc_inet.h"

/** @file Frames made from the RFCs, byte by byte, not by the code under test. */

#define FRAME_BYTES 2048u
#define SECOND UINT64_C(1000000000)
#define OWN_IP 0x0a000002u
#define PEER_IP 0x0a000001u
#define FAR_IP 0xc0a80101u
#define GATEWAY_IP 0x0a0000feu

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 2}, peer_mac[6] = {2, 0, 0, 0, 0, 1},
		     other_mac[6] = {2, 0, 0, 0, 0, 9},
		     broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static inline void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static inline unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

/** RFC 1071 as it is written: sixteen bits at a time. */
static inline uint32_t plain_sum(const uint8_t *data, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++) {
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline uint32_t pseudo_sum(const uint8_t *ip, size_t udp_bytes)
{
	return plain_sum(ip + 12, 8, 17 + (uint32_t)udp_bytes);
}

static inline struct migc_inet *new_inet(uint16_t mtu)
{
	struct migc_inet_config config = {.address = {OWN_IP, 24}, .mtu = mtu};
	struct migc_error err = {0};
	struct migc_inet *inet;

	config.gateway = GATEWAY_IP;
	memcpy(config.mac, own_mac, 6);
	assert_int_equal(migc_inet_create(&config, &inet, &err), 0);
	return inet;
}

/** Ethernet and IPv4 around `bytes` at frame + 34. @return the frame's length. */
static inline size_t make_ipv4(uint8_t *frame, uint8_t protocol, uint32_t from, uint32_t to,
			       size_t bytes)
{
	memcpy(frame, own_mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	put16(frame + 12, 0x0800);
	memset(frame + 14, 0, 20);
	frame[14] = 0x45;
	put16(frame + 16, (unsigned int)(20 + bytes));
	frame[22] = 64;
	frame[23] = protocol;
	put32(frame + 26, from);
	put32(frame + 30, to);
	put16(frame + 24, ~plain_sum(frame + 14, 20, 0) & 0xffff);
	return 34 + bytes;
}

/** A datagram of `bytes` bytes of payload (0, 1, 2, ...) for us. @return the frame's length. */
static inline size_t make_udp(uint8_t *frame, size_t bytes)
{
	uint8_t *udp = frame + 34;
	size_t length = make_ipv4(frame, 17, PEER_IP, OWN_IP, bytes + 8);

	put16(udp, 4433);
	put16(udp + 2, 4444);
	put16(udp + 4, (unsigned int)(bytes + 8));
	put16(udp + 6, 0);
	for (size_t i = 0; i < bytes; i++)
		udp[8 + i] = (uint8_t)i;
	put16(udp + 6, ~plain_sum(udp, bytes + 8, pseudo_sum(frame + 14, bytes + 8)) & 0xffff);
	return length;
}

static inline size_t make_echo(uint8_t *frame, size_t bytes)
{
	uint8_t *icmp = frame + 34;
	size_t length = make_ipv4(frame, 1, PEER_IP, OWN_IP, bytes + 8);

	memset(icmp, 0, 8);
	icmp[0] = 8;
	put16(icmp + 4, 77);
	put16(icmp + 6, 1);
	for (size_t i = 0; i < bytes; i++)
		icmp[8 + i] = (uint8_t)(i * 3);
	put16(icmp + 2, ~plain_sum(icmp, bytes + 8, 0) & 0xffff);
	return length;
}

static inline size_t make_arp(uint8_t *frame, const uint8_t to[6], unsigned int operation,
			      const uint8_t sender_mac[6], uint32_t sender_ip, uint32_t target_ip)
{
	memset(frame, 0, 60);
	memcpy(frame, to, 6);
	memcpy(frame + 6, sender_mac, 6);
	put16(frame + 12, 0x0806);
	put16(frame + 14, 1);
	put16(frame + 16, 0x0800);
	frame[18] = 6;
	frame[19] = 4;
	put16(frame + 20, operation);
	memcpy(frame + 22, sender_mac, 6);
	put32(frame + 28, sender_ip);
	put32(frame + 38, target_ip);
	return 60;
}

static inline struct migc_inet_rx input_at(struct migc_inet *inet, uint8_t *frame, size_t length,
					   unsigned int flags, uint64_t now_ns)
{
	struct migc_inet_rx rx;

	migc_inet_input(inet, frame, length, FRAME_BYTES, flags, now_ns, &rx);
	return rx;
}

#endif
