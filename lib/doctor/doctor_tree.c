/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor_private.h"

static void place(const struct migc_doctor *d, const char *path, char *out)
{
	snprintf(out, DOCTOR_PATH_BYTES, "%s%s", d->root, path);
}

int doctor_read(const struct migc_doctor *d, const char *path, char *out, size_t capacity)
{
	char name[DOCTOR_PATH_BYTES];
	size_t length;
	FILE *f;

	out[0] = '\0';
	place(d, path, name);
	f = fopen(name, "re");
	if (f == NULL)
		return -errno;
	length = fread(out, 1, capacity - 1, f);
	fclose(f);
	while (length && out[length - 1] == '\n')
		length--;
	out[length] = '\0';
	return 0;
}

uint64_t doctor_number(const struct migc_doctor *d, const char *path)
{
	char text[64];

	return doctor_read(d, path, text, sizeof(text)) == 0 ? strtoull(text, NULL, 0) : 0;
}

int doctor_link(const struct migc_doctor *d, const char *path, char *out, size_t capacity)
{
	char name[DOCTOR_PATH_BYTES], target[DOCTOR_PATH_BYTES];
	const char *last;
	ssize_t length;

	out[0] = '\0';
	place(d, path, name);
	length = readlink(name, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	last = strrchr(target, '/');
	snprintf(out, capacity, "%s", last ? last + 1 : target);
	return 0;
}

void doctor_each(struct migc_doctor *d, const char *path,
		 void (*entry)(struct migc_doctor *d, const char *name, void *ctx), void *ctx)
{
	char name[DOCTOR_PATH_BYTES];
	struct dirent **list = NULL;
	int count;

	place(d, path, name);
	count = scandir(name, &list, NULL, versionsort);
	for (int i = 0; i < count; i++) {
		if (list[i]->d_name[0] != '.')
			entry(d, list[i]->d_name, ctx);
		free(list[i]);
	}
	free(list);
}

int doctor_line(const struct migc_doctor *d, const char *path, const char *name, char *out,
		size_t capacity)
{
	char file[DOCTOR_PATH_BYTES], *line = NULL;
	size_t room = 0, length = strlen(name);
	int rc = -ENOENT;
	FILE *f;

	out[0] = '\0';
	place(d, path, file);
	f = fopen(file, "re");
	while (f && rc != 0 && getline(&line, &room, f) > 0) {
		const char *at = line + length;

		if (strncmp(line, name, length) != 0)
			continue;
		/* /proc/cpuinfo has blanks before the colon */
		at += strspn(at, " \t");
		if (*at != ':')
			continue;
		at += 1 + strspn(at + 1, " \t");
		snprintf(out, capacity, "%.*s", (int)strcspn(at, "\n"), at);
		rc = 0;
	}
	free(line);
	if (f)
		fclose(f);
	return rc;
}
