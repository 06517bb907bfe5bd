/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FRAME_BYTES_H
#define FRAME_BYTES_H

#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * @return bytes of stream data in the frames of a packet's payload (RFC 9000 section 19), up to the
 *   first frame that is not known or cut short. Pure.
 */
uint64_t migc_frame_stream_bytes(const uint8_t *payload, size_t length_bytes);

#endif
