/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#include "engine.h"

static int open_files(struct engine *e, struct migc_error *err)
{
	for (unsigned int i = 0; i < e->config->mem_count; i++) {
		const struct migc_engine_mem *m = &e->config->mem[i];
		int rc = migc_guestmem_add_file(e->gm, m->name, m->path, m->offset_bytes,
						m->length_bytes, !e->config->source, err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

int engine_open_guest(struct engine *e, struct migc_error *err)
{
	struct migc_qemu_config config = {
		.qmp_path = e->config->qmp_path,
		.destination = !e->config->source,
		.idle = engine_idle,
		.idle_ctx = e,
		.fault = e->faults.count ? engine_inject_command : NULL,
		.fault_ctx = e,
		.guardian = e->config->guardian,
		.log = e->config->log,
	};
	int rc = migc_guestmem_create(&e->gm);

	if (rc != 0)
		return migc_error_set(err, rc, "no memory for the guest's regions");
	migc_guestmem_guard(e->gm, e->config->bus_guard);
	if (e->config->qmp_path == NULL)
		return open_files(e, err);
	rc = migc_qemu_open(&config, &e->qemu, err);
	if (rc != 0)
		return rc;
	migc_qemu_info(e->qemu, &e->qemu_info);
	if (e->config->source && !e->qemu_info.running)
		migc_log(e->config->log, MIGC_LOG_WARNING,
			 "the source VM is paused: at the destination it will run");
	return migc_qemu_discover(e->qemu, e->gm, err);
}

void engine_poll_memory(struct engine *e, struct event_queue *events)
{
	struct migc_error error = {0};

	if (e->memory_lost || migc_guestmem_check_intact(e->gm, &error) == 0)
		return;
	e->memory_lost = true;
	event_queue_error(events, MIGC_EV_FAILED, &error);
}

int engine_hash(struct engine *e, struct migc_msg_digests *out)
{
	out->region_count = (uint16_t)migc_guestmem_regions(e->gm);
	for (unsigned int i = 0; i < out->region_count; i++) {
		/* in the source's order, which is its own */
		unsigned int own = e->config->source ? i : e->shared.own[i];
		int rc = migc_guestmem_digest(e->gm, own, engine_idle, e, out->digest[i]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

uint64_t engine_own_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	struct rte_malloc_socket_stats heap;
	unsigned long kib;
	uint64_t total = 0;
	char line[256];

	/* guest RAM is shared file memory (RssShmem, RssFile); what is anonymous is ours */
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %lu kB", &kib) == 1)
			total += (uint64_t)kib * 1024;
	}
	if (f)
		fclose(f);
	/* and so is what was taken from EAL's memory, which is shared file memory as well */
	for (unsigned int i = 0; i < rte_socket_count(); i++) {
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &heap) == 0)
			total += heap.heap_allocsz_bytes;
	}
	return total;
}
