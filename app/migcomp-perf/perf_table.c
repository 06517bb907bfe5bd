/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_table.h"

#include <inttypes.h>

#include <rte_common.h>
#include <rte_lcore.h>

#include "perf_numbers.h"

#define COMMON_HEADER "%12s%6s%12s%17s"
#define COMMON_WORDS "lcore id", "Level", "Comp size", "Comp ratio [%]"

void perf_table_begin(struct perf_table *table, const struct perf_run *run)
{
	const struct perf_options *o = run->options;

	fprintf(table->out, "\nApp uses socket: %u\n", rte_socket_id());
	if (o->codec == PERF_CODEC_NONE)
		fprintf(table->out, "Burst size = %u\n", o->burst);
	fprintf(table->out, "Input data size = %" PRIu64 "\n", run->input.bytes);
	if (o->ptest == PERF_CYCLECOUNT)
		fprintf(table->out, "Cycle-count delay = %u [us]\n", o->cc_delay_us);
	if (run->input.zero_pages || run->input.same_pages || run->input.random_pages)
		fprintf(table->out,
			"Pages replaced: %" PRIu64 " zero, %" PRIu64 " same, %" PRIu64 " random\n",
			run->input.zero_pages, run->input.same_pages, run->input.random_pages);
	fputc('\n', table->out);
	if (o->ptest == PERF_PIPELINE)
		fprintf(table->out,
			"    workers: %u, codec: %s, pages a block: at most %u, MTU: %u\n",
			run->worker_count, perf_codec_text(o->codec), o->segs_max, o->mtu);
	for (unsigned int i = 0; o->ptest != PERF_PIPELINE && i < run->worker_count; i++) {
		const struct perf_worker *w = &run->workers[i];

		if (w->device[0])
			fprintf(table->out,
				"    lcore: %u, driver name: %s, device name: %s, socket id: %d, "
				"queue pair id: %u, ops: %" PRIu64 "\n",
				w->lcore, o->driver_name, w->device, w->socket, w->queue_pair,
				w->ops);
		else
			fprintf(table->out, "    lcore: %u, codec: %s, ops: %" PRIu64 "\n",
				w->lcore, perf_codec_text(o->codec), w->ops);
	}
}

static void common(const struct perf_table *table, const struct perf_worker *w)
{
	fprintf(table->out, "%12u%6u%12" PRIu64 "%17.2f", w->lcore, w->run->level,
		w->result[PERF_COMPRESS].ran ? w->packed_bytes : 0, perf_ratio_percent(w));
}

/* ---- verify and throughput: the original's columns ---- */

static void throughput(struct perf_table *table, const struct perf_run *run)
{
	uint64_t packed = 0, bytes = 0;
	char name[32];

	if (!table->headed)
		fprintf(table->out, "\n" COMMON_HEADER "%15s%16s\n", COMMON_WORDS, "Comp [Gbps]",
			"Decomp [Gbps]");
	for (unsigned int i = 0; i < run->worker_count; i++) {
		const struct perf_worker *w = &run->workers[i];

		common(table, w);
		fprintf(table->out, "%15.2f%16.2f\n", perf_gbps(&w->result[PERF_COMPRESS]),
			perf_gbps(&w->result[PERF_DECOMPRESS]));
		packed += w->packed_bytes;
		bytes += w->result[PERF_COMPRESS].bytes;
	}
	if (run->worker_count < 2)
		return;
	snprintf(name, sizeof(name), "total of %u", run->worker_count);
	fprintf(table->out, "%12s%6u%12" PRIu64 "%17.2f%15.2f%16.2f\n", name, run->level, packed,
		bytes ? (double)packed * 100 / (double)bytes : 0,
		perf_total_gbps(run, PERF_COMPRESS), perf_total_gbps(run, PERF_DECOMPRESS));
}

static void note_cpu(struct perf_table *table, const struct perf_run *run)
{
	unsigned int i = table->cpu_count++;

	table->cpu[i].level = run->level;
	for (unsigned int d = 0; d < PERF_DIRECTIONS; d++)
		table->cpu[i].s_per_gib[d] = perf_total_cpu_s_per_gib(run, (enum perf_direction)d);
}

void perf_table_end(struct perf_table *table)
{
	static const char *const names[] = {"compression", "decompression"};

	for (unsigned int i = 0; i < table->cpu_count; i++) {
		fprintf(table->out, "%sCPU seconds a GiB, level %u:", i ? "" : "\n",
			table->cpu[i].level);
		for (unsigned int d = 0; d < PERF_DIRECTIONS; d++) {
			if (table->cpu[i].s_per_gib[d] > 0)
				fprintf(table->out, " %s %.3f", names[d],
					table->cpu[i].s_per_gib[d]);
		}
		fputc('\n', table->out);
	}
}

static void verify(struct perf_table *table, const struct perf_run *run)
{
	if (!table->headed)
		fprintf(table->out, "\n" COMMON_HEADER "\n", COMMON_WORDS);
	for (unsigned int i = 0; i < run->worker_count; i++) {
		common(table, &run->workers[i]);
		fputc('\n', table->out);
	}
}

/* ---- pmd-cyclecount: the original's columns ---- */

static void cycles(struct perf_table *table, const struct perf_run *run)
{
	if (!table->headed) {
		fprintf(table->out,
			"\nC: compression, D: decompression, e: enqueue, d: dequeue. Retries: "
			"calls "
			"that did not take\nor give all. Cycles: for one operation; setup: taking "
			"it, filling it in, giving it back.\n");
		fprintf(table->out,
			"\n" COMMON_HEADER "  |%10s %6s %8s %6s %8s  |%9s %9s %9s %9s %9s %9s\n",
			COMMON_WORDS, "Retries:", "[C-e]", "[C-d]", "[D-e]", "[D-d]",
			"Cycles:", "setup/op", "[C-e]", "[C-d]", "[D-e]", "[D-d]");
	}
	for (unsigned int i = 0; i < run->worker_count; i++) {
		const struct perf_result *c = &run->workers[i].result[PERF_COMPRESS];
		const struct perf_result *d = &run->workers[i].result[PERF_DECOMPRESS];
		const struct perf_result *s = d->ran ? d : c;

		common(table, &run->workers[i]);
		fprintf(table->out,
			"  |%10s %6" PRIu64 " %8" PRIu64 " %6" PRIu64 " %8" PRIu64
			"  |%9s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
			"", c->enqueue_retries, c->dequeue_retries, d->enqueue_retries,
			d->dequeue_retries, "", perf_cycles_per_op(s, s->setup_cycles),
			perf_cycles_per_op(c, c->enqueue_cycles),
			perf_cycles_per_op(c, c->dequeue_cycles),
			perf_cycles_per_op(d, d->enqueue_cycles),
			perf_cycles_per_op(d, d->dequeue_cycles));
	}
}

/* ---- latency: ours ---- */

static void latency(struct perf_table *table, const struct perf_run *run)
{
	static const unsigned int per_mille[] = {500, 900, 990, 999};
	static const char *const names[] = {"comp", "decomp"};

	if (!table->headed)
		fprintf(table->out, "\n" COMMON_HEADER "%8s%11s%11s%11s%11s%11s%11s\n",
			COMMON_WORDS, "Op", "mean [us]", "p50 [us]", "p90 [us]", "p99 [us]",
			"p99.9 [us]", "max [us]");
	for (unsigned int i = 0; i < run->worker_count * PERF_DIRECTIONS; i++) {
		const struct perf_worker *w = &run->workers[i / PERF_DIRECTIONS];
		const struct perf_histogram *h = &w->result[i % PERF_DIRECTIONS].latency;

		if (!w->result[i % PERF_DIRECTIONS].ran)
			continue;
		common(table, w);
		fprintf(table->out, "%8s%11.1f", names[i % PERF_DIRECTIONS],
			h->count ? perf_us(h->sum) / (double)h->count : 0);
		for (unsigned int k = 0; k < RTE_DIM(per_mille); k++)
			fprintf(table->out, "%11.1f",
				perf_us(perf_histogram_percentile(h, per_mille[k])));
		fprintf(table->out, "%11.1f\n", perf_us(h->max));
	}
}

void perf_table_level(struct perf_table *table, const struct perf_run *run)
{
	switch (run->options->ptest) {
	case PERF_THROUGHPUT:
		throughput(table, run);
		break;
	case PERF_LATENCY:
		latency(table, run);
		break;
	case PERF_CYCLECOUNT:
		cycles(table, run);
		break;
	default:
		verify(table, run);
		break;
	}
	table->headed = true;
	if (run->options->ptest == PERF_THROUGHPUT)
		note_cpu(table, run);
	fflush(table->out);
}
