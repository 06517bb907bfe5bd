/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migc_page.h"
#include "migc_random.h"

static int read_all(int fd, uint8_t *out, uint64_t bytes)
{
	while (bytes) {
		ssize_t n = read(fd, out, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		out += n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int open_input(const char *path, uint64_t *bytes, struct migc_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return migc_error_set(err, -errno, "--input-file %s cannot be opened: %s", path,
				      strerror(errno));
	if (fstat(fd, &st) != 0)
		rc = migc_error_set(err, -errno, "--input-file %s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		rc = migc_error_set(err, -EINVAL, "--input-file %s is not a regular file", path);
	else if (st.st_size == 0)
		rc = migc_error_set(err, -EINVAL, "--input-file %s is empty", path);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	*bytes = (uint64_t)st.st_size;
	return fd;
}

void perf_input_mix(struct perf_input *input, const struct perf_mix *mix, uint64_t seed)
{
	uint64_t pages = input->bytes / MIGC_PAGE_BYTES;
	uint64_t zero = pages * mix->zero / PERF_MIX_WHOLE;
	uint64_t same = pages * mix->same / PERF_MIX_WHOLE;
	uint64_t random = pages * mix->random / PERF_MIX_WHOLE;
	struct migc_random r;

	migc_random_seed(&r, seed);
	input->zero_pages = zero;
	input->same_pages = same;
	input->random_pages = random;
	/* of what is left, each page takes what is left of each kind as its chance: exact shares */
	for (uint64_t left = pages; left; left--) {
		uint8_t *page = input->data + (pages - left) * MIGC_PAGE_BYTES;
		uint64_t draw = migc_random_next(&r) % left;
		uint64_t word = migc_random_next(&r);

		if (draw < zero) {
			zero--;
			memset(page, 0, MIGC_PAGE_BYTES);
		} else if (draw < zero + same) {
			same--;
			for (unsigned int i = 0; i < MIGC_PAGE_BYTES; i += sizeof(word))
				memcpy(page + i, &word, sizeof(word));
		} else if (draw < zero + same + random) {
			random--;
			for (unsigned int i = 0; i < MIGC_PAGE_BYTES; i += sizeof(word)) {
				memcpy(page + i, &word, sizeof(word));
				word = migc_random_next(&r);
			}
		}
	}
}

int perf_input_load(const struct perf_options *o, struct perf_input *out, struct migc_error *err)
{
	uint64_t file_bytes = 0;
	int fd = open_input(o->input_file, &file_bytes, err), rc;
	uint64_t first;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return fd;
	out->bytes = o->extended_bytes ? o->extended_bytes : file_bytes;
	out->padded_bytes = (out->bytes + MIGC_PAGE_BYTES - 1) & ~(uint64_t)(MIGC_PAGE_BYTES - 1);
	out->data = mmap(NULL, out->padded_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out->data == MAP_FAILED) {
		out->data = NULL;
		close(fd);
		return migc_error_set(err, -ENOMEM, "no memory for %llu bytes of input",
				      (unsigned long long)out->bytes);
	}
	first = file_bytes < out->bytes ? file_bytes : out->bytes;
	rc = read_all(fd, out->data, first);
	close(fd);
	if (rc != 0) {
		perf_input_free(out);
		return migc_error_set(err, rc, "--input-file %s cannot be read: %s", o->input_file,
				      strerror(-rc));
	}
	for (uint64_t at = first; at < out->bytes; at += first)
		memcpy(out->data + at, out->data,
		       first < out->bytes - at ? first : out->bytes - at);
	perf_input_mix(out, &o->mix, o->mix_seed);
	return 0;
}

void perf_input_free(struct perf_input *input)
{
	if (input->data)
		munmap(input->data, input->padded_bytes);
	input->data = NULL;
}
