/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migc_report.h"

/* What a disk has no room for shows in fflush() or fclose() only. @return 0, -errno. */
static int write_text(FILE *file, const char *text)
{
	errno = 0;
	if (fputs(text, file) < 0 || fputc('\n', file) == EOF || fflush(file))
		return errno ? -errno : -EIO;
	return 0;
}

static int write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	struct stat status;
	bool plain;
	int rc;

	if (!file)
		return -errno;
	plain = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
	rc = write_text(file, text);
	if (fclose(file) && !rc)
		rc = -errno;
	/* half a report is none, and looks like one */
	if (rc && plain)
		unlink(path);
	return rc;
}

int migc_report_write_text(const char *text, const char *path, struct migc_error *err)
{
	bool standard_output = !strcmp(path, "-");
	int rc = standard_output ? write_text(stdout, text) : write_file(path, text);

	if (rc)
		return migc_error_set(err, rc, "the report was not written to %s: %s",
				      standard_output ? "standard output" : path, strerror(-rc));
	return 0;
}

/* Takes `text`, when there is one. */
static int write_json(int rc, char *text, const char *path, struct migc_error *err)
{
	if (rc)
		return migc_error_set(err, rc, "the report was not written: out of memory");
	rc = migc_report_write_text(text, path, err);
	free(text);
	return rc;
}

int migc_report_write(const struct migc_report *report, const char *path, struct migc_error *err)
{
	char *text = NULL;
	int rc = migc_report_json(report, &text);

	return write_json(rc, text, path, err);
}

int migc_report_write_guests(const struct migc_report *reports, const char *const *guests,
			     unsigned int count, const char *path, struct migc_error *err)
{
	char *text = NULL;
	int rc = migc_report_guests_json(reports, guests, count, &text);

	return write_json(rc, text, path, err);
}
