/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mtree.h"
#include "qemu_private.h"

#define REMEDY                                                                                 \
	"start QEMU with -object memory-backend-file,id=mem,size=SIZE,mem-path=/dev/shm/NAME," \
	"share=on -machine ...,memory-backend=mem"

/** One memory backend object. */
struct backend {
	char id[MIGC_REGION_NAME_BYTES];
	char type[64]; /**< "memory-backend-file", ... */
	uint64_t size;
	bool share;
};

static bool is_backend(const char *type)
{
	return type && strncmp(type, "child<memory-backend", strlen("child<memory-backend")) == 0;
}

static int read_backend(struct migc_qemu *q, json_t *object, struct backend *out,
			struct migc_error *err)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	const char *id = json_string_value(json_object_get(object, "name"));
	char path[MIGC_REGION_NAME_BYTES + 16];
	json_t *size = NULL, *share = NULL;
	int rc;

	if (id == NULL || strlen(id) >= sizeof(out->id))
		return migc_error_set(err, -EINVAL, "a memory backend has no usable id");
	strcpy(out->id, id);
	snprintf(out->type, sizeof(out->type), "%s", type + strlen("child<"));
	out->type[strcspn(out->type, ">")] = '\0';
	snprintf(path, sizeof(path), "/objects/%s", id);
	rc = qmp_execute(&q->qmp, "qom-get",
			 json_pack("{s:s,s:s}", "path", path, "property", "size"), &size, err);
	if (rc == 0)
		rc = qmp_execute(&q->qmp, "qom-get",
				 json_pack("{s:s,s:s}", "path", path, "property", "share"), &share,
				 err);
	out->size = (uint64_t)json_integer_value(size);
	out->share = json_is_true(share);
	json_decref(size);
	json_decref(share);
	return rc;
}

int qemu_list_backends(struct migc_qemu *q, char **out, struct migc_error *err)
{
	json_t *objects = NULL, *object;
	size_t index, length = 0;
	int rc = qmp_execute(&q->qmp, "qom-list", json_pack("{s:s}", "path", "/objects"), &objects,
			     err);

	*out = calloc(1, 1);
	json_array_foreach(objects, index, object)
	{
		struct backend b = {0};
		char *longer;

		if (rc != 0 || !is_backend(json_string_value(json_object_get(object, "type"))))
			continue;
		rc = read_backend(q, object, &b, err);
		if (rc != 0)
			continue;
		longer = *out ? realloc(*out, length + sizeof(b.id) + 32) : NULL;
		if (longer == NULL) {
			rc = migc_error_set(err, -ENOMEM,
					    "no memory for a list of memory backends");
			continue;
		}
		*out = longer;
		length += (size_t)sprintf(*out + length, "%s=%llu ", b.id,
					  (unsigned long long)b.size);
	}
	json_decref(objects);
	if (rc == 0 && *out == NULL)
		rc = migc_error_set(err, -ENOMEM, "no memory for a list of memory backends");
	return rc;
}

/** The name of a RAM block as `info mtree` shows it: the id, or the path of the object. */
static bool block_is(const char *block, const char *id)
{
	static const char prefix[] = "/objects/";

	if (strncmp(block, prefix, sizeof(prefix) - 1) == 0)
		block += sizeof(prefix) - 1;
	return strcmp(block, id) == 0;
}

/** Where QEMU has a guest-physical address. */
static int host_address(struct migc_qemu *q, uint64_t gpa, uint64_t *hva, struct migc_error *err)
{
	char line[64], *text = NULL, *at;
	int rc;

	snprintf(line, sizeof(line), "gpa2hva 0x%llx", (unsigned long long)gpa);
	rc = qmp_hmp(&q->qmp, line, &text, err);
	if (rc != 0)
		return rc;
	at = strstr(text, " is 0x");
	if (at)
		*hva = strtoull(at + 4, NULL, 16);
	free(text);
	return at ? 0
		  : migc_error_set(err, -EPROTO, "QEMU does not say where guest address 0x%llx is",
				   (unsigned long long)gpa);
}

/** The first range of a backend in the guest's address space. @return whether it is plugged in. */
static bool find_range(const char *mtree, const char *id, struct mtree_range *out)
{
	while (mtree_next(&mtree, out)) {
		if (out->ram && block_is(out->name, id))
			return true;
	}
	return false;
}

static int add_backend(struct migc_qemu *q, const struct backend *b, const char *mtree,
		       struct migc_guestmem *gm, struct migc_error *err)
{
	struct mtree_range range;
	uint64_t hva = 0;
	int rc;

	if (!find_range(mtree, b->id, &range)) {
		migc_log(q->config.log, MIGC_LOG_WARNING,
			 "memory backend %s is not plugged into the guest: it is left alone",
			 b->id);
		return 0;
	}
	if (!b->share)
		return migc_error_set(err, -EOPNOTSUPP, "memory backend %s is not shared: " REMEDY,
				      b->id);
	/* from 8.1 on QEMU leaves only named files out of its own stream */
	if ((q->version_major > 8 || (q->version_major == 8 && q->version_minor >= 1)) &&
	    strcmp(b->type, "memory-backend-file") != 0)
		return migc_error_set(
			err, -EOPNOTSUPP,
			"memory backend %s is a %s, which QEMU %s sends itself: " REMEDY
			" (a memfd may be given as mem-path=/proc/self/fd/N)",
			b->id, b->type, q->info.version);
	rc = host_address(q, range.first, &hva, err);
	if (rc != 0)
		return rc;
	q->ram_bytes += b->size;
	return migc_guestmem_add_process(gm, b->id, q->info.pid, hva - range.offset, b->size,
					 q->config.destination, err);
}

/** Is there RAM in the guest that no backend stands behind? The largest of such is named. */
static int check_all_backed(const char *mtree, json_t *objects, struct migc_error *err)
{
	struct mtree_range range;

	while (mtree_next(&mtree, &range)) {
		bool backed = false;
		json_t *object;
		size_t index;

		json_array_foreach(objects, index, object)
		{
			const char *id = json_string_value(json_object_get(object, "name"));

			backed |= id &&
				  is_backend(json_string_value(json_object_get(object, "type"))) &&
				  block_is(range.name, id);
		}
		/* ROMs and video memory are small, and go with the devices; main memory is called
		 * so */
		if (range.ram && !backed &&
		    (strcmp(range.name, "pc.ram") == 0 || strcmp(range.name, "ram") == 0))
			return migc_error_set(err, -EOPNOTSUPP,
					      "the guest's RAM (%s) is private to QEMU: " REMEDY,
					      range.name);
	}
	return 0;
}

static int add_all(struct migc_qemu *q, struct migc_guestmem *gm, struct migc_error *err)
{
	json_t *objects = NULL, *object;
	char *mtree = NULL;
	size_t index;
	int rc = qmp_execute(&q->qmp, "qom-list", json_pack("{s:s}", "path", "/objects"), &objects,
			     err);

	if (rc == 0)
		rc = qmp_hmp(&q->qmp, "info mtree -f", &mtree, err);
	if (rc == 0)
		rc = check_all_backed(mtree, objects, err);
	json_array_foreach(objects, index, object)
	{
		struct backend b = {0};

		if (rc != 0 || !is_backend(json_string_value(json_object_get(object, "type"))))
			continue;
		rc = read_backend(q, object, &b, err);
		if (rc == 0)
			rc = add_backend(q, &b, mtree, gm, err);
	}
	json_decref(objects);
	free(mtree);
	return rc;
}

int migc_qemu_discover(struct migc_qemu *q, struct migc_guestmem *gm, struct migc_error *err)
{
	int rc = qemu_refuse(q, err);

	if (rc == 0)
		rc = add_all(q, gm, err);
	if (rc == 0 && migc_guestmem_regions(gm) == 0)
		rc = migc_error_set(err, -EOPNOTSUPP, "this QEMU has no shared RAM: " REMEDY);
	if (rc == 0)
		rc = qemu_list_backends(q, &q->backends, err);
	return rc;
}

int migc_qemu_check_unchanged(struct migc_qemu *q, struct migc_error *err)
{
	char *now = NULL;
	int rc = qemu_list_backends(q, &now, err);

	if (rc == 0 && strcmp(now, q->backends) != 0)
		rc = migc_error_set(
			err, -ESTALE,
			"memory was plugged or unplugged during the migration: try again");
	free(now);
	return rc;
}
