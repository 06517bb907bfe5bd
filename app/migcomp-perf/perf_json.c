/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "perf_numbers.h"

/* Digits of a real: those behind are noise, and 17 of them are hard to read. */
#define REAL_DIGITS 9

struct perf_json {
	json_t *root;
	json_t *results; /**< of root */
};

/* jansson takes NULL values as failures of its own: a lack of memory shows when it is written */
static void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void put_number(json_t *object, const char *key, uint64_t value)
{
	put(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static void put_real(json_t *object, const char *key, double value)
{
	put(object, key, json_real(value));
}

/* File names need not be UTF-8: those are shown without the bytes that are not. */
static void put_text(json_t *object, const char *key, const char *text)
{
	json_t *value = json_string(text);
	char *plain = value ? NULL : strdup(text);

	for (char *c = plain; c && *c; c++)
		*c = (unsigned char)*c < 0x80 ? *c : '?';
	put(object, key, value ? value : json_string(plain ? plain : ""));
	free(plain);
}

static json_t *options_object(const struct perf_options *o)
{
	static const char *const operations[] = {"", "comp", "decomp", "comp_and_decomp"};
	static const char *const huffmans[] = {"default", "fixed", "dynamic"};
	json_t *object = json_object();

	put_number(object, "seg-sz", o->seg_bytes);
	put_number(object, "max-num-sgl-segs", o->segs_max);
	if (o->codec == PERF_CODEC_NONE) {
		put_number(object, "burst-sz", o->burst);
		put_number(object, "pool-sz", o->pool);
		put(object, "external-mbufs", json_boolean(o->external_mbufs));
	}
	if (o->ptest != PERF_PIPELINE) {
		put_number(object, "num-iter", o->num_iter);
		put_text(object, "operation", operations[o->operation]);
	}
	if (o->codec != PERF_CODEC_RAW && o->codec != PERF_CODEC_LZ4 && o->codec != PERF_CODEC_ZSTD)
		put_text(object, "huffman-enc", huffmans[o->huffman]);
	if (o->ptest == PERF_CYCLECOUNT)
		put_number(object, "cc-delay-us", o->cc_delay_us);
	return object;
}

int perf_json_create(const struct perf_options *o, struct perf_json **out)
{
	struct perf_json *json = calloc(1, sizeof(*json));

	*out = NULL;
	if (json == NULL)
		return -ENOMEM;
	json->root = json_object();
	json->results = json_array();
	put_text(json->root, "ptest", perf_ptest_text(o->ptest));
	put_text(json->root, "path",
		 o->codec == PERF_CODEC_NONE ? "compressdev"
		 : o->ptest == PERF_PIPELINE ? "pipeline"
					     : "codec");
	put_text(json->root, "codec",
		 o->codec == PERF_CODEC_NONE ? "deflate" : perf_codec_text(o->codec));
	if (o->driver_name)
		put_text(json->root, "driver-name", o->driver_name);
	put_text(json->root, "input-file", o->input_file);
	put(json->root, "options", options_object(o));
	if (json->root == NULL || json_object_set(json->root, "results", json->results) != 0) {
		perf_json_free(json);
		return -ENOMEM;
	}
	*out = json;
	return 0;
}

void perf_json_free(struct perf_json *json)
{
	if (json == NULL)
		return;
	json_decref(json->results);
	json_decref(json->root);
	free(json);
}

void perf_json_begin(struct perf_json *json, const struct perf_run *run)
{
	json_t *input;

	if (json == NULL)
		return;
	input = json_object();
	put_number(input, "bytes", run->input.bytes);
	put_number(input, "zero-pages", run->input.zero_pages);
	put_number(input, "same-pages", run->input.same_pages);
	put_number(input, "random-pages", run->input.random_pages);
	put(json->root, "input", input);
	put_number(json->root, "workers", run->worker_count);
}

static json_t *latency_object(const struct perf_histogram *h)
{
	json_t *object = json_object();

	put_number(object, "ops", h->count);
	put_real(object, "mean", h->count ? perf_us(h->sum) / (double)h->count : 0);
	put_real(object, "p50", perf_us(perf_histogram_percentile(h, 500)));
	put_real(object, "p90", perf_us(perf_histogram_percentile(h, 900)));
	put_real(object, "p99", perf_us(perf_histogram_percentile(h, 990)));
	put_real(object, "p99.9", perf_us(perf_histogram_percentile(h, 999)));
	put_real(object, "max", perf_us(h->max));
	return object;
}

static json_t *direction_object(const struct perf_run *run, const struct perf_result *r)
{
	json_t *object = json_object();

	put_number(object, "ops", r->ops);
	put_number(object, "bytes", r->bytes);
	put_number(object, "passes", r->passes);
	switch (run->options->ptest) {
	case PERF_THROUGHPUT:
		put_real(object, "gbps", perf_gbps(r));
		put_real(object, "cpu-s-per-gib", perf_cpu_s_per_gib(r));
		break;
	case PERF_LATENCY:
		put(object, "latency-us", latency_object(&r->latency));
		break;
	case PERF_CYCLECOUNT:
		put_number(object, "setup-cycles-per-op", perf_cycles_per_op(r, r->setup_cycles));
		put_number(object, "enqueue-cycles-per-op",
			   perf_cycles_per_op(r, r->enqueue_cycles));
		put_number(object, "dequeue-cycles-per-op",
			   perf_cycles_per_op(r, r->dequeue_cycles));
		put_number(object, "enqueue-retries", r->enqueue_retries);
		put_number(object, "dequeue-retries", r->dequeue_retries);
		break;
	default:
		break;
	}
	return object;
}

static void put_directions(json_t *object, const struct perf_worker *w)
{
	static const char *const names[] = {"compress", "decompress"};

	for (unsigned int d = 0; d < PERF_DIRECTIONS; d++) {
		if (w->result[d].ran)
			put(object, names[d], direction_object(w->run, &w->result[d]));
	}
}

static json_t *worker_object(const struct perf_worker *w)
{
	json_t *object = json_object();

	put_number(object, "lcore", w->lcore);
	if (w->device[0]) {
		put_text(object, "device", w->device);
		put_number(object, "queue-pair", w->queue_pair);
	}
	if (w->result[PERF_COMPRESS].ran) {
		put_number(object, "comp-size", w->packed_bytes);
		put_real(object, "comp-ratio-percent", perf_ratio_percent(w));
		put_number(object, "raw-blocks", w->raw_blocks);
	}
	put_directions(object, w);
	return object;
}

static json_t *total_object(const struct perf_run *run)
{
	json_t *object = json_object();
	struct perf_histogram *h;

	put_real(object, "comp-gbps", perf_total_gbps(run, PERF_COMPRESS));
	put_real(object, "decomp-gbps", perf_total_gbps(run, PERF_DECOMPRESS));
	put_real(object, "comp-cpu-s-per-gib", perf_total_cpu_s_per_gib(run, PERF_COMPRESS));
	put_real(object, "decomp-cpu-s-per-gib", perf_total_cpu_s_per_gib(run, PERF_DECOMPRESS));
	if (run->options->ptest != PERF_LATENCY)
		return object;
	for (unsigned int d = 0; d < PERF_DIRECTIONS; d++) {
		h = calloc(1, sizeof(*h));
		for (unsigned int i = 0; h && i < run->worker_count; i++)
			perf_histogram_merge(h, &run->workers[i].result[d].latency);
		if (h && h->count)
			put(object, d ? "decomp-latency-us" : "comp-latency-us", latency_object(h));
		free(h);
	}
	return object;
}

void perf_json_level(struct perf_json *json, const struct perf_run *run)
{
	json_t *object, *lcores;

	if (json == NULL)
		return;
	object = json_object();
	lcores = json_array();
	for (unsigned int i = 0; i < run->worker_count; i++)
		json_array_append_new(lcores, worker_object(&run->workers[i]));
	put_number(object, "level", run->level);
	put(object, "verified", json_boolean(run->options->operation == PERF_OPERATION_BOTH));
	put(object, "lcores", lcores);
	if (run->options->ptest == PERF_THROUGHPUT || run->options->ptest == PERF_LATENCY)
		put(object, "total", total_object(run));
	json_array_append_new(json->results, object);
}

static json_t *report_object(const struct migc_report *report)
{
	char *text = NULL;
	json_t *object = NULL;

	if (migc_report_json(report, &text) == 0)
		object = json_loads(text, 0, NULL);
	free(text);
	return object;
}

void perf_json_pipeline(struct perf_json *json, const struct perf_pipeline_result *r)
{
	double seconds = (double)r->ns / 1e9, gib = (double)r->guest_bytes / 1073741824.0;
	json_t *object;

	if (json == NULL)
		return;
	object = json_object();
	put(object, "verified", json_true());
	put_number(object, "guest-bytes", r->guest_bytes);
	put_number(object, "wire-bytes", r->wire_bytes);
	put_real(object, "seconds", seconds);
	put_real(object, "guest-gbps", (double)r->guest_bytes * 8 / 1e9 / seconds);
	put_real(object, "wire-gbps", (double)r->wire_bytes * 8 / 1e9 / seconds);
	put_real(object, "guest-to-wire", (double)r->guest_bytes / (double)r->wire_bytes);
	put_real(object, "send-cpu-s-per-gib", (double)r->send_cpu_ns / 1e9 / gib);
	put_real(object, "recv-cpu-s-per-gib", (double)r->receive_cpu_ns / 1e9 / gib);
	put(object, "sender", report_object(&r->sender));
	put(object, "receiver", report_object(&r->receiver));
	json_array_append_new(json->results, object);
}

static int write_file(const json_t *root, const char *path)
{
	const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS);
	FILE *file = strcmp(path, "-") != 0 ? fopen(path, "w") : stdout;
	int rc = 0;

	if (file == NULL)
		return -errno;
	errno = 0;
	if (json_dumpf(root, file, flags) != 0 || fputc('\n', file) == EOF || fflush(file) != 0)
		rc = errno ? -errno : -EIO;
	if (file != stdout && fclose(file) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int perf_json_write(struct perf_json *json, const char *path, const struct migc_error *error,
		    struct migc_error *err)
{
	int rc;

	if (error && error->code)
		put_text(json->root, "error", error->text);
	else
		put(json->root, "error", json_null());
	rc = write_file(json->root, path);
	if (rc != 0)
		return migc_error_set(err, rc, "--json %s was not written: %s", path,
				      strerror(-rc));
	return 0;
}
