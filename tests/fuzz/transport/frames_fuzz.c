/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of an opened packet: no more stream bytes are counted than there are bytes. */
#include <stdlib.h>

#include "frame_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (migc_frame_stream_bytes(data, size) > size)
		abort();
	return 0;
}
