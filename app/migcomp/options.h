/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_parse.h"
#include "migc_settings.h"

/** @file The words after `--` (doc/man/dpdk-migcomp.1), parsed and checked against each other. */

#define OPTIONS_MEM_MAX 64u
#define OPTIONS_GUESTS_MAX 32u
#define OPTIONS_DEFAULT_PORT 4433
/* longer than a spanning tree takes to find itself again, and a receiver to be started anew */
#define OPTIONS_DEFAULT_RECOVER_TIMEOUT_S 60u
#define OPTIONS_DEFAULT_DELTA_CACHE (UINT64_C(64) << 20) /* as QEMU's xbzrle-cache-size */

enum options_codec {
	OPTIONS_CODEC_AUTO, /**< each block by what holds the migration up */
	OPTIONS_CODEC_RAW,
	OPTIONS_CODEC_DEFLATE,
	OPTIONS_CODEC_LZ4,
	OPTIONS_CODEC_ZSTD,
};

enum options_huffman {
	OPTIONS_HUFFMAN_DYNAMIC,
	OPTIONS_HUFFMAN_FIXED,
	OPTIONS_HUFFMAN_DEFAULT,
};

enum options_dirty {
	OPTIONS_DIRTY_AUTO,
	OPTIONS_DIRTY_PAGEMAP,
	OPTIONS_DIRTY_HASH,
	OPTIONS_DIRTY_NONE,
};

enum options_guest_read {
	OPTIONS_GUEST_READ_AUTO,
	OPTIONS_GUEST_READ_MMAP,
	OPTIONS_GUEST_READ_PREAD,
};

enum options_progress {
	OPTIONS_PROGRESS_AUTO,
	OPTIONS_PROGRESS_PLAIN,
	OPTIONS_PROGRESS_NONE,
};

/** --mem NAME=FILE[@OFFSET+LEN]; name and path are copies that options_free() frees. */
struct options_mem {
	char *name;
	char *path;
	uint64_t offset_bytes;
	uint64_t length_bytes; /**< 0: to the end of the file */
};

/** Texts point into argv. */
struct options {
	bool help; /**< --help: print options_usage(), exit 0 */
	bool version; /**< --version */
	bool source; /**< send; else recv */

	struct migc_addr connect; /**< send */
	struct migc_prefix ip;
	uint32_t gateway; /**< 0: none */
	uint16_t port; /**< recv */
	uint16_t mtu; /**< 0: the port's */
	const char *ethdev; /**< NULL: the first */

	const char *guest[OPTIONS_GUESTS_MAX]; /**< QMP sockets; a sender has one, or none */
	unsigned int guest_count;
	struct options_mem mem[OPTIONS_MEM_MAX];
	unsigned int mem_count;

	const char *tls_creds, *tls_hostname, *psk;
	bool insecure;

	enum options_codec codec;
	int level;
	enum options_huffman huffman;
	const char *compressdev;
	bool no_fallback;
	unsigned int block_pages; /**< 0: from the device */
	uint64_t delta_cache_bytes; /**< 0: no deltas */

	enum options_guest_read guest_read;
	enum options_dirty dirty;
	struct migc_settings settings;
	uint32_t recover_timeout_s; /**< 0: a lost connection is a failure */
	bool verify;
	enum options_progress progress;
	const char *report; /**< NULL: none; "-": standard output */
	const char *control; /**< path of the control socket; NULL: the usual one */
	bool no_control; /**< --control none */
	const char *inject; /**< NULL: none; parsed by lib/port */
};

/**
 * Parse argv[1..] (argv[0] is the program's name).
 * @return 0; -EINVAL with one line that says what is wrong and what to do.
 */
int options_parse(int argc, char **argv, struct options *out, struct migc_error *err);
void options_free(struct options *options);
/** The text of --help. */
const char *options_usage(void);

#endif
