/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "perf_pipeline.h"

/* Room of a packet: the largest --mtu and its headers. */
#define MEMIF_BUFFER_BYTES 9216

static int no_memory(struct migc_error *err)
{
	return migc_error_set(err, -ENOMEM, "no memory for the words of EAL");
}

/** Does any of the words begin like that? */
static bool says(char **argv, int count, const char *beginning)
{
	for (int i = 1; i < count; i++) {
		if (strncmp(argv[i], beginning, strlen(beginning)) == 0)
			return true;
	}
	return false;
}

/** --receiver-eal, cut at blanks; words of EAL have none. */
static int cut(struct perf_pipeline_eal *eal, const char *words)
{
	char *place = NULL;

	eal->receiver_copy = strdup(words);
	/* not more words than half the characters */
	eal->receiver_argv = calloc(strlen(words) / 2 + 2, sizeof(char *));
	if (eal->receiver_copy == NULL || eal->receiver_argv == NULL)
		return -ENOMEM;
	for (char *word = strtok_r(eal->receiver_copy, " ", &place); word;
	     word = strtok_r(NULL, " ", &place))
		eal->receiver_argv[eal->receiver_argc++] = word;
	return 0;
}

static int same(struct perf_pipeline_eal *eal, char **argv, int count)
{
	eal->receiver_argv = calloc((size_t)count, sizeof(char *));
	if (eal->receiver_argv == NULL)
		return -ENOMEM;
	for (int i = 1; i < count; i++)
		eal->receiver_argv[eal->receiver_argc++] = argv[i];
	eal->choose_main_lcore = !says(argv, count, "--main-lcore");
	eal->says_lcores = says(argv, count, "-l") || says(argv, count, "-c") ||
			   says(argv, count, "--lcores");
	return 0;
}

static int make_socket(struct perf_pipeline_eal *eal, struct migc_error *err)
{
	const char *parent = getenv("TMPDIR");
	static const char *const roles[] = {"client", "server"};
	int length = snprintf(eal->directory, sizeof(eal->directory), "%s/migcomp-perf-XXXXXX",
			      parent && parent[0] ? parent : "/tmp");

	if (length >= (int)sizeof(eal->directory) || mkdtemp(eal->directory) == NULL) {
		int rc = length >= (int)sizeof(eal->directory) ? -ENAMETOOLONG : -errno;

		eal->directory[0] = '\0';
		return migc_error_set(err, rc, "no directory for a socket in %s: %s",
				      parent && parent[0] ? parent : "/tmp", strerror(-rc));
	}
	for (unsigned int i = 0; i < 2; i++)
		snprintf(eal->vdev[i], sizeof(eal->vdev[i]),
			 "--vdev=" PERF_PIPELINE_PORT ",role=%s,id=0,socket=%s/socket,"
			 "socket-abstract=no,bsize=%d,rsize=10",
			 roles[i], eal->directory, MEMIF_BUFFER_BYTES);
	return 0;
}

int perf_pipeline_eal(const struct perf_options *o, char **argv, int count,
		      struct perf_pipeline_eal *out, struct migc_error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	/* the port, and the NULL at the end */
	out->argv = calloc((size_t)count + 2, sizeof(char *));
	if (out->argv == NULL)
		return no_memory(err);
	memcpy(out->argv, argv, (size_t)count * sizeof(char *));
	out->argc = count;
	if (o->ptest != PERF_PIPELINE)
		return 0;
	rc = o->receiver_eal ? cut(out, o->receiver_eal) : same(out, argv, count);
	rc = rc ? no_memory(err) : make_socket(out, err);
	if (rc != 0) {
		perf_pipeline_eal_free(out);
		return rc;
	}
	out->argv[out->argc++] = out->vdev[0];
	return 0;
}

void perf_pipeline_remove_socket(struct perf_pipeline_eal *eal)
{
	char path[sizeof(eal->directory) + sizeof("/socket")];

	if (eal->directory[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s/socket", eal->directory);
	unlink(path);
	rmdir(eal->directory);
	eal->directory[0] = '\0';
}

void perf_pipeline_eal_free(struct perf_pipeline_eal *eal)
{
	perf_pipeline_remove_socket(eal);
	free(eal->argv);
	free(eal->receiver_argv);
	free(eal->receiver_copy);
	memset(eal, 0, sizeof(*eal));
}
