/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_QMP_H
#define FAKE_QMP_H

#include <pthread.h>
#include <stdbool.h>

/** @file A scripted QMP server in a thread, for one connection. */

/** A request that contains `request` gets the return value `answer`; the first match counts. */
struct fake_rule {
	const char *request;
	const char *answer; /**< JSON; "!TEXT": an error; "#TEXT": these bytes as they are;
			       "~": no answer; "^": events without end; "-": close */
};

struct fake_qmp {
	char directory[64];
	char path[96];
	const char *greeting; /**< NULL: QMP's; "": none; "-": close at once */
	const struct fake_rule *rules; /**< looked at first, ended by a NULL request */
	bool events; /**< send an event before each answer */
	int listen_fd;
	int stop[2];
	pthread_t thread;
};

/** `f` has its script; the rest is filled. */
void fake_qmp_start(struct fake_qmp *f);
void fake_qmp_stop(struct fake_qmp *f);

#endif
