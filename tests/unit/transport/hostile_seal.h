/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOSTILE_SEAL_H
#define HOSTILE_SEAL_H

#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * An authenticated peer gone bad: the linker puts hostile_seal.c in front of
 * migc_packet_watch_seal() (-Wl,--wrap), where the frames of the next packet can be exchanged for
 * any others before they are sealed.
 */

/** The next packet sealed has these frames, and padding behind them. Copied. */
void hostile_seal_next(const uint8_t *frames, size_t length);
/** @return whether such a packet still waits to be sealed. */
int hostile_seal_pending(void);
void hostile_seal_forget(void);

#endif
