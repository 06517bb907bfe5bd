/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_pipeline.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "migc_engine.h"
#include "perf_codec.h"

#define START_MS 60000u
#define END_MS 30000u
#define GIB 1073741824.0

/** The sending end, and what holds both together. */
struct sending {
	struct perf_run *run;
	struct perf_pipeline_eal *eal;
	struct perf_receiver receiver;
	struct perf_receiver_said said;
	struct perf_pipeline_result result;
	int source_fd, target_fd;
	bool began, ended; /**< to send pages */
	uint64_t begin_ns, cpu_ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/** What is measured is from the first round's begin until all that was sent is in place. */
static void on_state(void *ctx, const char *name)
{
	static const char *const moving[] = {"ROUND", "APPLY", "SCAN", "STOP", "PUNCH"};
	struct sending *s = ctx;
	bool moves = false;

	for (unsigned int i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
		moves |= strcmp(name, moving[i]) == 0;
	if (!s->began && strcmp(name, "ROUND") == 0) {
		s->began = true;
		s->begin_ns = now_ns();
		s->cpu_ns = perf_process_cpu_ns();
		perf_pipeline_remove_socket(s->eal);
	} else if (s->began && !s->ended && !moves) {
		s->ended = true;
		s->result.ns = now_ns() - s->begin_ns;
		s->result.send_cpu_ns = perf_process_cpu_ns() - s->cpu_ns;
	}
}

static void on_log(void *ctx, enum migc_log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	fprintf(stderr, "dpdk-test-migcomp-perf: %s\n", text);
}

/** Memory like a guest's: a file in memory, which both ends map. All of it is written, so that
 * zero pages are found by looking and not because they are holes. */
static int make_memory(struct sending *s, struct migc_error *err)
{
	size_t bytes = s->run->input.padded_bytes;
	void *memory;

	s->source_fd = memfd_create("migcomp-perf-source", MFD_CLOEXEC);
	s->target_fd = memfd_create("migcomp-perf-target", MFD_CLOEXEC);
	if (s->source_fd < 0 || s->target_fd < 0 || ftruncate(s->source_fd, (off_t)bytes) != 0)
		return migc_error_set(err, -errno, "no memory file: %s", strerror(errno));
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->source_fd, 0);
	if (memory == MAP_FAILED)
		return migc_error_set(err, -errno, "the memory file cannot be mapped: %s",
				      strerror(errno));
	memcpy(memory, s->run->input.data, bytes);
	munmap(memory, bytes);
	return 0;
}

static int compare(const struct sending *s, struct migc_error *err)
{
	size_t bytes = s->run->input.padded_bytes;
	const void *memory;
	off_t length = lseek(s->target_fd, 0, SEEK_END);
	bool equal;

	if (length != (off_t)bytes)
		return migc_error_set(err, -EBADMSG, "%lld bytes were received of %zu",
				      (long long)length, bytes);
	memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, s->target_fd, 0);
	if (memory == MAP_FAILED)
		return migc_error_set(err, -errno, "the memory file cannot be mapped: %s",
				      strerror(errno));
	equal = memcmp(memory, s->run->input.data, bytes) == 0;
	munmap((void *)(uintptr_t)memory, bytes);
	if (!equal)
		return migc_error_set(err, -EBADMSG, "what was received is not what was sent");
	return 0;
}

static enum migc_outcome send_all(struct sending *s, struct migc_credentials *credentials,
				  struct migc_error *err)
{
	const struct migc_log log = {.write = on_log, .level = MIGC_LOG_WARNING};
	const struct perf_options *o = s->run->options;
	char path[64];
	const struct migc_engine_mem mem = {.name = PERF_PIPELINE_REGION, .path = path};
	struct migc_engine_config config = {
		.source = true,
		.mem = &mem,
		.mem_count = 1,
		.ethdev = PERF_PIPELINE_PORT,
		.address = {.ip = PERF_PIPELINE_SENDER, .length = PERF_PIPELINE_PREFIX},
		.connect = {.ip = PERF_PIPELINE_RECEIVER, .port = PERF_PIPELINE_UDP_PORT},
		.mtu = o->mtu,
		.credentials = credentials,
		.codec_auto = o->codec == PERF_CODEC_AUTO,
		.codec_id = perf_codec_id(o->codec),
		.codec =
			{
				.level = o->level[0],
				.huffman = perf_codec_huffman(o->huffman),
				.block_pages = o->segs_max,
			},
		.zstd_level = o->level[0],
		.compressdev = o->driver_name,
		.no_fallback = true, /* what is named is what is measured */
		.dirty = MIGC_DIRTY_NONE,
		.settings = {.downtime_limit_ms = 300},
		.cancel = s->run->stop,
		.state = on_state,
		.ctx = s,
		.log = &log,
	};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->source_fd);
	return migc_engine_run(&config, &s->result.sender, err);
}

static int status_of(enum migc_outcome outcome)
{
	if (outcome == MIGC_OUTCOME_DONE)
		return PERF_STATUS_DONE;
	return outcome == MIGC_OUTCOME_USAGE ? PERF_STATUS_USAGE : PERF_STATUS_FAILED;
}

/** @return exit status */
static int wait_for_start(struct sending *s, struct migc_error *err)
{
	int rc = perf_receiver_listen(&s->receiver, START_MS, s->run->stop, &s->said);

	if (rc == -ECANCELED) {
		migc_error_set(err, rc, "interrupted");
		return PERF_STATUS_FAILED;
	}
	if (rc == 0 && !s->said.ended)
		return PERF_STATUS_DONE;
	migc_error_set(err, rc ? rc : -EIO, "the receiving end did not start: %s",
		       rc == 0 && s->said.err.text[0] ? s->said.err.text
						      : "see its messages above");
	return PERF_STATUS_USAGE;
}

/** @return exit status */
static int wait_for_end(struct sending *s, struct migc_error *err)
{
	int rc = perf_receiver_listen(&s->receiver, END_MS, s->run->stop, &s->said);

	if (rc != 0 || s->said.outcome != MIGC_OUTCOME_DONE) {
		migc_error_set(err, rc ? rc : -EIO, "the receiving end failed: %s",
			       rc == 0 && s->said.err.text[0] ? s->said.err.text
							      : "it did not say why");
		return PERF_STATUS_FAILED;
	}
	s->result.receiver = s->said.report;
	s->result.receive_cpu_ns = s->said.cpu_ns;
	return compare(s, err) == 0 ? PERF_STATUS_DONE : PERF_STATUS_FAILED;
}

static int run_both(struct sending *s, struct migc_error *err)
{
	struct migc_credentials *credentials = NULL;
	int status = PERF_STATUS_USAGE;

	if (make_memory(s, err) == 0 && migc_credentials_insecure(false, &credentials, err) == 0 &&
	    perf_receiver_start(s->run->options, s->eal, s->target_fd, &s->receiver, err) == 0)
		status = wait_for_start(s, err);
	if (status == PERF_STATUS_DONE)
		status = status_of(send_all(s, credentials, err));
	if (status == PERF_STATUS_DONE)
		status = wait_for_end(s, err);
	perf_receiver_stop(&s->receiver);
	migc_credentials_free(credentials);
	return status;
}

static void print(const struct perf_table *table, const struct sending *s)
{
	const struct perf_pipeline_result *r = &s->result;
	const struct perf_options *o = s->run->options;
	double seconds = (double)r->ns / 1e9, gib = (double)r->guest_bytes / GIB;

	fprintf(table->out, "\n%12s%6s%15s%15s%14s%13s%12s%18s%18s\n", "Codec", "Level",
		"Guest [bytes]", "Wire [bytes]", "Guest [Gbps]", "Wire [Gbps]", "Guest/wire",
		"Send CPU [s/GiB]", "Recv CPU [s/GiB]");
	fprintf(table->out, "%12s%6u%15" PRIu64 "%15" PRIu64 "%14.2f%13.2f%12.2f%18.3f%18.3f\n",
		perf_codec_text(o->codec), o->level[0], r->guest_bytes, r->wire_bytes,
		(double)r->guest_bytes * 8 / 1e9 / seconds,
		(double)r->wire_bytes * 8 / 1e9 / seconds,
		(double)r->guest_bytes / (double)r->wire_bytes, (double)r->send_cpu_ns / 1e9 / gib,
		(double)r->receive_cpu_ns / 1e9 / gib);
	fprintf(table->out,
		"\n%" PRIu64 " zero pages, %" PRIu64 " others; the received memory is equal, byte "
		"for byte\n",
		r->sender.ram.duplicate_pages, r->sender.ram.normal_pages);
}

int perf_pipeline(struct perf_run *run, struct perf_table *table, struct perf_json *json,
		  struct perf_pipeline_eal *eal, struct migc_error *err)
{
	struct sending s = {.run = run, .eal = eal, .source_fd = -1, .target_fd = -1};
	int status;

	perf_table_begin(table, run);
	perf_json_begin(json, run);
	fflush(NULL); /* or the other process would write it too */
	status = run_both(&s, err);
	s.result.guest_bytes = run->input.padded_bytes;
	s.result.wire_bytes = s.result.sender.network.wire_bytes;
	if (status == PERF_STATUS_DONE && (s.result.ns == 0 || s.result.wire_bytes == 0)) {
		migc_error_set(err, -EIO, "the engine did not say when it sent, or what");
		status = PERF_STATUS_FAILED;
	}
	if (status == PERF_STATUS_DONE) {
		print(table, &s);
		perf_json_pipeline(json, &s.result);
	}
	if (s.source_fd >= 0)
		close(s.source_fd);
	if (s.target_fd >= 0)
		close(s.target_fd);
	return status;
}
