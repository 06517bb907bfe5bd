/* SPDX-License-Identifier: BSD-3-Clause */
/* Words of dpdk-test-migcomp-perf, one a line. */
#include <errno.h>
#include <stdlib.h>

#include "perf_options.h"
#include "words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct words w;
	struct migc_error err = {0};
	struct perf_options o;
	int rc;

	words_cut(&w, data, size);
	rc = perf_options_parse(w.count, w.word, &o, &err);
	if (rc != 0) {
		require(rc == -EINVAL && err.code == rc && err.text[0]);
	} else if (!o.help && !o.version) {
		require(o.level_count >= 1 && o.level_count <= PERF_LEVELS_MAX);
		require((uint64_t)o.mix.zero + o.mix.same + o.mix.random <= PERF_MIX_WHOLE);
		require(o.seg_bytes >= PERF_SEG_MIN && o.seg_bytes <= PERF_SEG_MAX);
	}
	words_free(&w);
	return 0;
}
