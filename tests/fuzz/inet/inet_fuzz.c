/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames: any bytes are taken, answered or dropped, and each is counted exactly once. */
#include <stdlib.h>
#include <string.h>

#include "migc_inet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_BYTES_MAX 9018u
#define SECOND UINT64_C(1000000000)

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint64_t counted(const struct migc_inet *inet)
{
	struct migc_inet_stats s;

	migc_inet_stats(inet, &s);
	return s.rx_udp + s.rx_arp + s.rx_arp_off_link + s.rx_echo + s.rx_not_ours +
	       s.rx_fragments + s.rx_malformed + s.rx_bad_checksum;
}

static void require_inside(const struct migc_inet_rx *rx, const uint8_t *frame, size_t size,
			   size_t capacity)
{
	switch (rx->verdict) {
	case MIGC_INET_UDP:
		require(rx->payload >= frame + MIGC_INET_HEADROOM_BYTES);
		require((size_t)(rx->payload - frame) + rx->payload_bytes <= size);
		break;
	case MIGC_INET_REPLY:
	case MIGC_INET_ARP_REPLY:
		require(rx->reply_bytes > 0 && rx->reply_bytes <= capacity);
		break;
	case MIGC_INET_ARP:
		break;
	default:
		require(rx->reply_bytes == 0);
		break;
	}
}

/* The first byte says which checksums the port is to have checked, and so how deep one gets. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct migc_inet_config config = {
		.mac = {2, 0, 0, 0, 0, 2}, .address = {0x0a000002u, 24}, .mtu = 9000};
	struct migc_error err = {0};
	struct migc_inet_rx rx;
	struct migc_inet *inet;
	size_t capacity;
	uint8_t *frame;
	unsigned int flags;

	if (size == 0 || size > FRAME_BYTES_MAX)
		return 0;
	flags = data[0] & (MIGC_INET_IP_CHECKSUM_GOOD | MIGC_INET_UDP_CHECKSUM_GOOD);
	data++;
	size--;
	capacity = size < MIGC_INET_FRAME_MIN_BYTES ? MIGC_INET_FRAME_MIN_BYTES : size;
	/* exactly as long as it may be: a sanitizer sees what goes beyond */
	frame = malloc(capacity);
	require(frame != NULL);
	require(migc_inet_create(&config, &inet, &err) == 0);
	memcpy(frame, data, size);
	migc_inet_input(inet, frame, size, capacity, flags, SECOND, &rx);
	require_inside(&rx, frame, size, capacity);
	require(counted(inet) == 1);
	migc_inet_free(inet);
	free(frame);
	return 0;
}
