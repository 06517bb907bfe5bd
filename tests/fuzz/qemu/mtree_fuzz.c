/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of `info mtree -f`: every range has a name, and the text comes to its end. */
#include <stdlib.h>
#include <string.h>

#include "mtree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct mtree_range range;
	const char *at = text;
	size_t ranges = 0;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	while (mtree_next(&at, &range)) {
		size_t length = strnlen(range.name, sizeof(range.name));

		if (length == 0 || length == sizeof(range.name) || strpbrk(range.name, " \r\n"))
			abort();
		if (at < text || at > text + size || ++ranges > size)
			abort();
	}
	if (*at != '\0')
		abort();
	free(text);
	return 0;
}
