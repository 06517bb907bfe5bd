/* SPDX-License-Identifier: BSD-3-Clause */
/* Words of dpdk-migcomp, one a line: taken whole and within their bounds, or refused in words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "migc_page.h"
#include "migc_port.h"
#include "options.h"
#include "words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_inject(const char *text)
{
	struct migc_inject_spec spec;
	struct migc_error err = {0};
	int rc = migc_inject_parse(text, &spec, &err);

	if (rc != 0) {
		require(rc == -EINVAL && err.code == rc && err.text[0]);
		return;
	}
	require(spec.loss <= 1000000000 && spec.reorder <= 1000000000 &&
		spec.duplicate <= 1000000000 && spec.corrupt <= 1000000000 &&
		spec.codec_error <= 1000000000);
}

static void check_taken(const struct options *o)
{
	if (o->help || o->version)
		return;
	require(o->ip.ip && o->ip.length >= 1 && o->ip.length <= 32);
	require(!o->source || (o->connect.ip && o->connect.port));
	require(o->source || o->port);
	require((o->guest_count > 0) != (o->mem_count > 0));
	require(!o->source || o->guest_count <= 1);
	require(o->mem_count <= OPTIONS_MEM_MAX);
	for (unsigned int i = 0; i < o->mem_count; i++)
		require(o->mem[i].name[0] && o->mem[i].path[0] &&
			o->mem[i].offset_bytes % MIGC_PAGE_BYTES == 0 &&
			o->mem[i].length_bytes % MIGC_PAGE_BYTES == 0);
	require(o->insecure + (o->psk != NULL) + (o->tls_creds != NULL) == 1);
	require(o->block_pages <= MIGC_BLOCK_PAGES_MAX);
	if (o->inject)
		check_inject(o->inject);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct words w;
	struct migc_error err = {0};
	struct options o;
	int rc;

	words_cut(&w, data, size);
	rc = options_parse(w.count, w.word, &o, &err);
	if (rc == 0) {
		check_taken(&o);
		options_free(&o);
	} else {
		require(rc == -EINVAL && err.code == rc && err.text[0]);
	}
	words_free(&w);
	return 0;
}
