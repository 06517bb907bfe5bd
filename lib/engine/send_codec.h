/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SEND_CODEC_H
#define SEND_CODEC_H

#include "send_block.h"

/**
 * @file
 * Which codec a block of the source gets: the one that was asked for, or what the ladder says
 * (`--codec auto`, doc/design/auto-codec.md). Private to the send path.
 */

/** Codecs, and pages of a block, that both ends take. */
void send_codec_agree(struct send_path *path, const struct migc_msg_hello_ack *ack);
/** What a block whose pages are known gets: its job's codec and acceleration. */
void send_codec_choose(struct send_path *path, struct send_block *block);
/** The codec is done with a block that was not raw. */
void send_codec_done(struct send_path *path, const struct send_block *block);
/** Once a turn, before blocks are begun: what has the time since the last one been spent on? */
void send_codec_turn(struct send_path *path, uint64_t now_ns);

#endif
