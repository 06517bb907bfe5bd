/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_tree.h"
#include "qemu_private.h"
#include "qemu_process.h"

#define BACKENDS_MAX 64
/** Ranges of one RAMBlock that are looked up; a guest's BIOS cuts up its first MiB. */
#define LOOKED_UP_BYTES_MIN (2u << 20)
/** memfds have no name: from this version on QEMU sends their RAM in the stream. */
#define VERSION_NAMED_ONLY 801

struct backend {
	char id[MIGC_REGION_NAME_BYTES];
	char type[64];
	uint64_t bytes;
	bool share;
	bool mapped;
	uint64_t gpa; /**< the lowest */
	uint64_t address; /**< of its first byte in QEMU */
};

struct discovery {
	struct backend backend[BACKENDS_MAX];
	unsigned int count;
};

static int get_property(struct migc_qemu *q, const char *id, const char *property, json_t **out,
			struct migc_error *err)
{
	char path[MIGC_REGION_NAME_BYTES + 16];

	snprintf(path, sizeof(path), "/objects/%s", id);
	return qmp_command(&q->qmp, "qom-get",
			   json_pack("{s:s, s:s}", "path", path, "property", property), out, err);
}

static int read_backend(struct migc_qemu *q, struct backend *b, struct migc_error *err)
{
	json_t *size = NULL, *share = NULL;
	int rc = get_property(q, b->id, "size", &size, err);

	if (rc == 0)
		rc = get_property(q, b->id, "share", &share, err);
	if (rc == 0 && (json_integer_value(size) <= 0 || !json_is_boolean(share)))
		rc = migc_error_set(err, -EPROTO,
				    "QEMU's words on the memory backend %s are "
				    "malformed",
				    b->id);
	b->bytes = (uint64_t)json_integer_value(size);
	b->share = json_is_true(share);
	json_decref(size);
	json_decref(share);
	return rc;
}

static int add_backend(struct migc_qemu *q, struct discovery *d, const json_t *property,
		       struct migc_error *err)
{
	static const char prefix[] = "child<memory-backend-";
	const char *name = json_string_value(json_object_get(property, "name"));
	const char *type = json_string_value(json_object_get(property, "type"));
	struct backend *b = &d->backend[d->count];

	if (name == NULL || type == NULL || strncmp(type, prefix, strlen(prefix)) != 0)
		return 0;
	if (d->count == BACKENDS_MAX)
		return migc_error_set(err, -E2BIG, "more than %u memory backends", BACKENDS_MAX);
	if (strlen(name) >= sizeof(b->id))
		return migc_error_set(err, -ENAMETOOLONG, "the memory backend's id %s is too long",
				      name);
	*b = (struct backend){0};
	snprintf(b->id, sizeof(b->id), "%s", name);
	snprintf(b->type, sizeof(b->type), "%.*s", (int)strcspn(type + 6, ">"), type + 6);
	d->count++;
	return read_backend(q, b, err);
}

static int read_backends(struct migc_qemu *q, struct discovery *d, struct migc_error *err)
{
	json_t *list = NULL, *property;
	size_t i;
	int rc = qmp_command(&q->qmp, "qom-list", json_pack("{s:s}", "path", "/objects"), &list,
			     err);

	json_array_foreach(list, i, property)
	{
		if (rc == 0)
			rc = add_backend(q, d, property, err);
	}
	json_decref(list);
	return rc;
}

/** A RAMBlock is named by the backend's id or by its path, as the machine's version has it. */
static struct backend *find_backend(struct discovery *d, const char *region)
{
	static const char prefix[] = "/objects/";
	const char *id = strncmp(region, prefix, strlen(prefix)) == 0 ? region + strlen(prefix)
								      : region;

	for (unsigned int i = 0; i < d->count; i++) {
		if (strcmp(d->backend[i].id, id) == 0)
			return &d->backend[i];
	}
	return NULL;
}

static int look_up_range(struct migc_qemu *q, struct backend *b,
			 const struct memory_tree_range *range, struct migc_error *err)
{
	uint64_t address = 0;
	char line[64], *text = NULL;
	int rc;

	if (range->offset_bytes > b->bytes || range->bytes > b->bytes - range->offset_bytes)
		return migc_error_set(err, -EPROTO, "QEMU maps more of %s than there is", b->id);
	/* the first ranges move while a BIOS runs; but a small backend has no other */
	if (range->bytes < LOOKED_UP_BYTES_MIN && range->bytes != b->bytes)
		return 0;
	snprintf(line, sizeof(line), "gpa2hva 0x%" PRIx64, range->gpa);
	rc = qmp_human(&q->qmp, line, &text, err);
	if (rc != 0)
		return rc;
	rc = memory_tree_address(text, &address);
	free(text);
	if (rc != 0 || address < range->offset_bytes)
		return migc_error_set(err, -EPROTO, "QEMU does not tell where RAM %s is", b->id);
	address -= range->offset_bytes;
	if (b->mapped && b->address != address)
		return migc_error_set(err, -EPROTO, "QEMU's RAM %s is not in one piece", b->id);
	if (!b->mapped || range->gpa < b->gpa)
		b->gpa = range->gpa;
	b->mapped = true;
	b->address = address;
	return 0;
}

static int look_up(struct migc_qemu *q, struct discovery *d, struct migc_error *err)
{
	struct memory_tree_range range;
	char *text = NULL;
	const char *at;
	int rc = qmp_human(&q->qmp, "info mtree -f", &text, err);

	if (rc != 0)
		return rc;
	at = memory_tree_view(text);
	if (at == NULL)
		rc = migc_error_set(err, -EPROTO,
				    "QEMU's `info mtree -f` has no address space \"memory\"");
	while (rc == 0 && memory_tree_next(&at, &range)) {
		struct backend *b = find_backend(d, range.name);

		if (b)
			rc = look_up_range(q, b, &range, err);
	}
	free(text);
	return rc;
}

static int refuse_backend(const struct migc_qemu *q, const struct backend *b,
			  struct migc_error *err)
{
	bool named = strcmp(b->type, "memory-backend-file") == 0;
	/* made by QEMU itself for a plain -m */
	bool plain = strcmp(b->type, "memory-backend-ram") == 0 && strchr(b->id, '.');

	if (b->share && (named || q->version < VERSION_NAMED_ONLY))
		return 0;
	if (b->share)
		return migc_error_set(
			err, -EINVAL,
			"RAM %s is a %s, which QEMU %s (8.1 or later) sends in its own stream: "
			"start QEMU with -object memory-backend-file,id=%s,size=%" PRIu64
			",mem-path=/dev/shm/NAME,share=on (an inherited memfd: "
			"mem-path=/proc/self/fd/N)",
			b->id, b->type, q->info.version, b->id, b->bytes);
	return migc_error_set(err, -EINVAL,
			      "RAM %s is private to QEMU: start QEMU with -object "
			      "memory-backend-file,id=%s,size=%" PRIu64
			      ",mem-path=/dev/shm/NAME,share=on%s",
			      b->id, plain ? "mem" : b->id, b->bytes,
			      plain ? " -machine memory-backend=mem" : "");
}

/** All the RAM the guest has must be in backends we found: what is left out would be lost. */
static int check_sum(struct migc_qemu *q, uint64_t found, struct migc_error *err)
{
	json_int_t base = 0, plugged = 0;
	json_t *result = NULL;
	int rc = qmp_command(&q->qmp, "query-memory-size-summary", NULL, &result, err);

	if (rc != 0)
		return rc;
	if (json_unpack(result, "{s:I, s?I}", "base-memory", &base, "plugged-memory", &plugged) !=
		    0 ||
	    base < 0 || plugged < 0)
		rc = migc_error_set(err, -EPROTO,
				    "QEMU's answer to query-memory-size-summary is malformed");
	else if (found < (uint64_t)base + (uint64_t)plugged)
		rc = migc_error_set(
			err, -EINVAL,
			"only %" PRIu64 " of %" PRIu64
			" bytes of guest RAM are in memory backends: start QEMU with -object "
			"memory-backend-file,id=mem,size=%" PRIu64
			",mem-path=/dev/shm/NAME,share=on -machine memory-backend=mem",
			found, (uint64_t)base + (uint64_t)plugged, (uint64_t)base);
	json_decref(result);
	return rc;
}

static int by_gpa(const void *a, const void *b)
{
	const struct backend *x = a, *y = b;

	return (x->gpa > y->gpa) - (x->gpa < y->gpa);
}

static int add_region(struct migc_qemu *q, const struct backend *b, struct migc_guestmem *gm,
		      struct migc_error *err)
{
	struct migc_error cause = {0};
	int rc = migc_guestmem_add_process(gm, b->id, q->info.pid, b->address, b->bytes,
					   q->destination, &cause);

	if (rc == -ENOENT)
		return migc_error_set(err, rc,
				      "%s (the QMP socket belongs to that process: is it QEMU, or "
				      "one that passed the socket on to QEMU?)",
				      cause.text);
	return rc ? migc_error_set(err, rc, "%s", cause.text) : 0;
}

static int add_regions(struct migc_qemu *q, struct discovery *d, struct migc_guestmem *gm,
		       struct migc_error *err)
{
	uint64_t found = 0;
	int rc = 0;

	qsort(d->backend, d->count, sizeof(d->backend[0]), by_gpa);
	for (unsigned int i = 0; rc == 0 && i < d->count; i++) {
		const struct backend *b = &d->backend[i];

		if (!b->mapped) {
			migc_log(q->log, MIGC_LOG_WARNING,
				 "the memory backend %s is not plugged into the guest: ignored",
				 b->id);
			continue;
		}
		rc = refuse_backend(q, b, err);
		found += b->bytes;
	}
	if (rc == 0)
		rc = check_sum(q, found, err);
	for (unsigned int i = 0; rc == 0 && i < d->count; i++) {
		if (d->backend[i].mapped)
			rc = add_region(q, &d->backend[i], gm, err);
	}
	q->ram_bytes = found;
	return rc;
}

static int check_source_state(struct migc_qemu *q, struct migc_error *err)
{
	char status[32];
	bool running;
	int rc = qemu_query_running(q, &running, status, err);

	if (rc != 0)
		return rc;
	if (strcmp(status, "inmigrate") == 0)
		return migc_error_set(err, -EINVAL,
				      "this QEMU waits for a guest (-incoming): it can be a "
				      "destination, not a source");
	if (strcmp(status, "postmigrate") == 0)
		return migc_error_set(err, -EINVAL,
				      "this guest was moved away already; what is here is its old "
				      "copy (`cont` makes it run again, if the other does not)");
	return 0;
}

static int check_destination_state(struct migc_qemu *q, struct migc_error *err)
{
	struct qemu_words words;
	char status[32], *text = NULL;
	size_t length = 0;
	bool running;
	int rc = qemu_query_running(q, &running, status, err);

	if (rc != 0)
		return rc;
	if (strcmp(status, "inmigrate") != 0)
		return migc_error_set(err, -EINVAL,
				      "this QEMU does not wait for a guest (it is %s): start the "
				      "destination with -incoming defer -S",
				      status);
	rc = qemu_process_command_line(q->info.pid, &text, &length);
	if (rc != 0) {
		/* prepare_destination() keeps QEMU from starting by itself all the same */
		migc_log(q->log, MIGC_LOG_WARNING, "cannot read QEMU's command line: %s",
			 strerror(-rc));
		return 0;
	}
	qemu_process_words(text, length, &words);
	if (words.incoming && strcmp(words.incoming, "defer") != 0)
		rc = migc_error_set(err, -EINVAL,
				    "this QEMU has -incoming %s: start the destination with "
				    "-incoming defer -S",
				    words.incoming);
	else if (!words.stopped)
		rc = migc_error_set(err, -EINVAL,
				    "this QEMU would run the guest by itself: start the "
				    "destination with -S (and -incoming defer)");
	free(text);
	return rc;
}

static int append_answer(struct migc_qemu *q, const char *command, json_t *all,
			 struct migc_error *err)
{
	json_t *result = NULL;
	int rc = qmp_command(&q->qmp, command, NULL, &result, err);

	if (rc == 0)
		json_array_append_new(all, result);
	return rc;
}

int qemu_memory_signature(struct migc_qemu *q, char **out, struct migc_error *err)
{
	json_t *all = json_array();
	int rc = append_answer(q, "query-memory-devices", all, err);

	if (rc == 0)
		rc = append_answer(q, "query-memory-size-summary", all, err);
	if (rc == 0) {
		*out = json_dumps(all, JSON_SORT_KEYS | JSON_COMPACT);
		if (*out == NULL)
			rc = migc_error_set(err, -ENOMEM, "no memory for QEMU's answers");
	}
	json_decref(all);
	return rc;
}

int migc_qemu_discover(struct migc_qemu *q, struct migc_guestmem *gm, struct migc_error *err)
{
	struct discovery *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for the list of backends");
	rc = q->destination ? check_destination_state(q, err) : check_source_state(q, err);
	if (rc == 0)
		rc = qemu_refuse_unmovable(q, err);
	free(q->memory_signature);
	q->memory_signature = NULL;
	if (rc == 0)
		rc = qemu_memory_signature(q, &q->memory_signature, err);
	if (rc == 0)
		rc = read_backends(q, d, err);
	if (rc == 0)
		rc = look_up(q, d, err);
	if (rc == 0)
		rc = add_regions(q, d, gm, err);
	free(d);
	return rc;
}

int migc_qemu_check_unchanged(struct migc_qemu *q, struct migc_error *err)
{
	char *now = NULL;
	int rc = qemu_memory_signature(q, &now, err);

	if (rc == 0 && (q->memory_signature == NULL || strcmp(now, q->memory_signature) != 0))
		rc = migc_error_set(err, -ESTALE,
				    "RAM was plugged or unplugged while the guest was being "
				    "moved: begin again");
	free(now);
	return rc;
}
