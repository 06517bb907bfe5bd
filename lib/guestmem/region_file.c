/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "guestmem_private.h"

static int check_place(const char *path, uint64_t offset, uint64_t length, uint32_t page,
		       struct migc_error *err)
{
	if (offset % page)
		return migc_error_set(err, -EINVAL,
				      "%s: the offset %llu is no multiple of its page of %u", path,
				      (unsigned long long)offset, page);
	if (length % page)
		return migc_error_set(
			err, -EINVAL,
			"%s: the length %llu is no multiple of its page of %u: pad the file, "
			"or give @OFFSET+LEN",
			path, (unsigned long long)length, page);
	if (length / MIGC_PAGE_BYTES > UINT32_MAX)
		return migc_error_set(err, -EFBIG, "%s: a region holds at most 16 TiB", path);
	/* the sum is an off_t, and not one that wrapped around */
	if (offset > (uint64_t)INT64_MAX - length)
		return migc_error_set(err, -EFBIG, "%s: the offset %llu is too far for a file",
				      path, (unsigned long long)offset);
	return 0;
}

/** Make the file large enough, without filling it. */
static int grow(int fd, const char *path, uint64_t have, uint64_t need, struct migc_error *err)
{
	if (have >= need)
		return 0;
	if (ftruncate(fd, (off_t)need) == 0)
		return 0;
	return migc_error_set(err, -errno, "%s cannot be made %llu bytes large: %s", path,
			      (unsigned long long)need, strerror(errno));
}

static int open_file(const char *path, bool writable, struct stat *st, struct migc_error *err)
{
	/* O_NONBLOCK is for what turns out to be no file: opening a FIFO waits for its writer */
	int fd =
		open(path, (writable ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NONBLOCK, 0600);

	if (fd < 0)
		return migc_error_set(err, -errno, "%s cannot be opened: %s", path,
				      strerror(errno));
	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return migc_error_set(err, -EINVAL, "%s is not a regular file", path);
	}
	return fd;
}

int migc_guestmem_add_file(struct migc_guestmem *gm, const char *name, const char *path,
			   uint64_t offset, uint64_t length, bool writable, struct migc_error *err)
{
	struct migc_region *region = guestmem_new_region(gm, name, err);
	struct stat st = {0};
	int fd, rc;

	if (region == NULL)
		return err ? err->code : -EINVAL;
	fd = open_file(path, writable, &st, err);
	if (fd < 0)
		return fd;
	region->fd = fd;
	region->writable = writable;
	region->backing_page_bytes = guestmem_backing_page(fd);
	region->file_offset_bytes = offset;
	if (length == 0 && (uint64_t)st.st_size > offset)
		length = (uint64_t)st.st_size - offset;
	rc = check_place(path, offset, length, region->backing_page_bytes, err);
	if (rc == 0 && !writable && (length == 0 || offset + length > (uint64_t)st.st_size))
		rc = migc_error_set(err, -EINVAL,
				    "%s has %lld bytes: too short for %llu bytes at %llu", path,
				    (long long)st.st_size, (unsigned long long)length,
				    (unsigned long long)offset);
	if (rc == 0 && writable)
		rc = grow(fd, path, (uint64_t)st.st_size, length ? offset + length : 0, err);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	region->size_bytes = length;
	return guestmem_map(gm, region, err);
}

int migc_guestmem_set_size(struct migc_guestmem *gm, unsigned int index, uint64_t length,
			   struct migc_error *err)
{
	struct migc_region *region = &gm->region[index];
	struct stat st;
	int rc;

	if (region->size_bytes == length)
		return 0;
	if (region->size_bytes)
		return migc_error_set(err, -EEXIST, "region %s has another size", region->name);
	rc = check_place(region->name, region->file_offset_bytes, length,
			 region->backing_page_bytes, err);
	if (rc == 0 && fstat(region->fd, &st) != 0)
		rc = migc_error_set(err, -errno, "region %s: its file is gone", region->name);
	if (rc == 0)
		rc = grow(region->fd, region->name, (uint64_t)st.st_size,
			  region->file_offset_bytes + length, err);
	if (rc != 0)
		return rc;
	region->size_bytes = length;
	rc = guestmem_map(gm, region, err);
	if (rc != 0) {
		region->fd = -1;
		region->size_bytes = 0;
		region->pages = 0;
	}
	return rc;
}
