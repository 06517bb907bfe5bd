/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QAT_RIG_H
#define QAT_RIG_H

#include "codec_rig.h"
#include "qatlike.h"

/** @file Many blocks through an engine at a time, each of which must come back once and be whole.
 */

struct soak {
	unsigned int blocks;
	uint64_t seed;
	/** Called after so many blocks were submitted; NULL: nobody. */
	void (*at_half)(void *ctx);
	void *ctx;
};

struct soak_result {
	unsigned int compressed, raw, failed; /**< blocks that came back with 0, -ENOSPC, -EIO */
};

/** Configuration for devices like QAT, and compress_isal behind them. */
struct migc_codec_devices_config qat_config(bool compress);
/** Compress blocks of 1 to 12 pages, decompress with zlib what comes back, and compare. */
struct soak_result qat_soak(struct rig_engine *e, const struct soak *soak);
/** The other way: blocks of zlib's, decompressed by the engine. failed: not with status 0. */
struct soak_result qat_soak_decompress(struct rig_engine *e, const struct soak *soak);

/** One block of raw DEFLATE, by zlib. @return bytes made; 0: it does not shrink. */
uint32_t qat_zlib_deflate(const struct rig_pages *p, uint8_t *out, uint32_t room);
/** @return whether it is one whole block of these pages. */
bool qat_zlib_is(const struct rig_pages *p, const uint8_t *data, uint32_t bytes);

#endif
