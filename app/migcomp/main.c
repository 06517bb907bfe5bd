/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "console.h"
#include "control_command.h"
#include "control_offer.h"
#include "doctor_command.h"
#include "migc_engine.h"
#include "migc_guardian.h"
#include "migc_port.h"
#include "options.h"
#include "outcome.h"
#include "several.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

static volatile sig_atomic_t cancelled;
static volatile sig_atomic_t asked;
static struct migc_bus_guard *bus_guard; /**< for the handler, which has no argument of its own */

static void on_cancel(int signal)
{
	(void)signal;
	cancelled = 1;
}

static void on_ask(int signal)
{
	(void)signal;
	asked++;
}

/** A guest's memory fails that guest; any other is ours, and the end. */
static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	static const char text[] = "dpdk-migcomp: bus error: the huge pages or the file system "
				   "behind our own memory are used up: free some room and try "
				   "again\n";

	(void)signal;
	(void)context;
	/* who sends it by kill() gives no address */
	if (info->si_code > 0 && migc_bus_guard_handle(bus_guard, info->si_addr))
		return;
	control_offer_unlink();
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(MIGC_OUTCOME_FAILED);
	_exit(MIGC_OUTCOME_FAILED);
}

static void install_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_cancel;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = on_ask;
	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	/* without it each bus error is the end */
	if (migc_bus_guard_create(&bus_guard) != 0)
		bus_guard = NULL;
	action.sa_sigaction = on_bus_error;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGBUS, &action, NULL);
}

static int open_credentials(const struct options *o, struct migc_credentials **out,
			    struct migc_error *err)
{
	if (o->tls_creds)
		return migc_credentials_x509(o->tls_creds, !o->source, out, err);
	if (o->psk)
		return migc_credentials_psk(o->psk, !o->source, out, err);
	fprintf(stderr,
		"dpdk-migcomp: WARNING: --insecure: the peer is not authenticated. Anybody on "
		"the network can take the guest's memory or give it another.\n");
	return migc_credentials_insecure(!o->source, out, err);
}

static enum migc_dirty_kind dirty_kind(enum options_dirty dirty)
{
	switch (dirty) {
	case OPTIONS_DIRTY_PAGEMAP:
		return MIGC_DIRTY_PAGEMAP;
	case OPTIONS_DIRTY_HASH:
		return MIGC_DIRTY_HASH;
	case OPTIONS_DIRTY_NONE:
		return MIGC_DIRTY_NONE;
	default:
		return MIGC_DIRTY_AUTO;
	}
}

static enum migc_guest_read guest_read_kind(enum options_guest_read guest_read)
{
	switch (guest_read) {
	case OPTIONS_GUEST_READ_MMAP:
		return MIGC_GUEST_READ_MMAP;
	case OPTIONS_GUEST_READ_PREAD:
		return MIGC_GUEST_READ_PREAD;
	default:
		return MIGC_GUEST_READ_AUTO;
	}
}

static enum migc_codec_id codec_kind(enum options_codec codec)
{
	switch (codec) {
	case OPTIONS_CODEC_RAW:
		return MIGC_CODEC_RAW;
	case OPTIONS_CODEC_LZ4:
		return MIGC_CODEC_LZ4;
	case OPTIONS_CODEC_ZSTD:
		return MIGC_CODEC_ZSTD;
	default:
		return MIGC_CODEC_DEFLATE;
	}
}

static enum migc_huffman huffman_kind(enum options_huffman huffman)
{
	switch (huffman) {
	case OPTIONS_HUFFMAN_FIXED:
		return MIGC_HUFFMAN_FIXED;
	case OPTIONS_HUFFMAN_DEFAULT:
		return MIGC_HUFFMAN_DEFAULT;
	default:
		return MIGC_HUFFMAN_DYNAMIC;
	}
}

/** Words to an engine configuration. */
static int configure(const struct options *o, struct migc_engine_config *config,
		     struct migc_engine_mem *mem, struct migc_error *err)
{
	for (unsigned int i = 0; i < o->mem_count; i++) {
		mem[i].name = o->mem[i].name;
		mem[i].path = o->mem[i].path;
		mem[i].offset_bytes = o->mem[i].offset_bytes;
		mem[i].length_bytes = o->mem[i].length_bytes;
	}
	config->source = o->source;
	config->qmp_path = o->guest_count ? o->guest[0] : NULL;
	config->mem = mem;
	config->mem_count = o->mem_count;
	config->ethdev = o->ethdev;
	config->address = o->ip;
	config->gateway = o->gateway;
	config->mtu = o->mtu;
	config->udp_port = o->port;
	config->connect = o->connect;
	config->tls_hostname = o->tls_hostname;
	config->codec_auto = o->codec == OPTIONS_CODEC_AUTO;
	config->codec_id = codec_kind(o->codec);
	config->codec.level = o->level;
	config->zstd_level = o->level;
	config->codec.huffman = huffman_kind(o->huffman);
	config->codec.block_pages = o->block_pages;
	config->compressdev = o->compressdev;
	config->no_fallback = o->no_fallback;
	config->delta_cache_bytes = o->delta_cache_bytes;
	config->guest_read = guest_read_kind(o->guest_read);
	config->dirty = dirty_kind(o->dirty);
	config->settings = o->settings;
	config->recover_timeout_s = o->recover_timeout_s;
	config->verify = o->verify;
	config->process_ends = true;
	config->cancel = &cancelled;
	if (o->inject && migc_inject_parse(o->inject, &config->inject, err) != 0)
		return -EINVAL;
	return 0;
}

static int finish(const struct options *o, struct console *console, struct migc_report *report,
		  enum migc_outcome outcome, struct migc_error *err)
{
	outcome_report(report, outcome, cancelled != 0, err);
	console_end(console, report);
	if (outcome != MIGC_OUTCOME_DONE)
		fprintf(stderr, "dpdk-migcomp: %s\n", err->text[0] ? err->text : "failed");
	if (o->report) {
		struct migc_error write_error = {0};

		if (migc_report_write(report, o->report, &write_error) != 0) {
			fprintf(stderr, "dpdk-migcomp: %s\n", write_error.text);
			/* the VM has moved: that is what the status is about */
			return (int)outcome;
		}
	}
	return (int)outcome;
}

static int run(const struct options *o, struct migc_guardian *guardian)
{
	const char *guest = o->guest_count ? o->guest[0] : o->mem[0].name;
	struct migc_engine_mem mem[OPTIONS_MEM_MAX];
	struct migc_engine_config config = {0};
	struct migc_report *report = calloc(1, sizeof(*report));
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;
	struct migc_error err = {0};
	struct migc_credentials *credentials = NULL;
	struct control_offer control = {0};
	struct console console;
	bool ready;
	int status;

	if (report == NULL)
		return MIGC_OUTCOME_USAGE;
	console_init(&console, NULL, o->progress, &asked);
	config.log = &console.log;
	config.guardian = guardian;
	config.bus_guard = bus_guard;
	config.ctx = &console;
	config.progress = console_progress;
	config.state = console_state;
	config.listening = console_listening;
	ready = configure(o, &config, mem, &err) == 0 &&
		open_credentials(o, &credentials, &err) == 0 &&
		control_offer_open(&control, o, &console.log, &err) == 0;
	config.credentials = credentials;
	if (ready && o->guest_count > 1) {
		status = several_run(o, &config, &control, &asked);
		control_offer_close(&control);
	} else {
		if (ready &&
		    control_offer_guest(&control, guest, o->source, &config.control, &err) == 0)
			outcome = migc_engine_run(&config, report, &err);
		migc_control_remove(config.control);
		control_offer_close(&control);
		status = finish(o, &console, report, outcome, &err);
	}
	migc_credentials_free(credentials);
	free(report);
	return status;
}

/** Also of a run that was given up before it said which port it has. */
static bool has_memif(void)
{
	struct rte_devargs *device;

	RTE_EAL_DEVARGS_FOREACH("vdev", device)
	{
		if (strncmp(device->name, "net_memif", strlen("net_memif")) == 0)
			return true;
	}
	return false;
}

/**
 * Leave. memif puts off freeing its interrupt handles to EAL's interrupt thread, which looks at
 * them while rte_eal_cleanup() unmaps the memory they are in (seen: one run in five ended in
 * SIGSEGV, the VM long moved). All that the clean-up would give back, the kernel takes back.
 */
static void end(int status)
{
	if (has_memif()) {
		fflush(NULL);
#if defined(__SANITIZE_ADDRESS__)
		/* which is done on the way out that is not taken */
		__lsan_do_leak_check();
#endif
		_exit(status);
	}
	rte_eal_cleanup();
}

/** The place of "--" in argv: what comes after is ours, what comes before is EAL's. */
static int find_separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return i;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct migc_guardian *guardian = NULL;
	struct migc_error err = {0};
	struct options options;
	int separator = find_separator(argc, argv);
	int status;

	if (separator < 0 && argc > 1 && strcmp(argv[1], "doctor") == 0)
		return doctor_command(argc - 1, argv + 1, 0, NULL);
	if (argc > 1 && control_command_is(argv[1]))
		return control_command(argc - 1, argv + 1);
	/* our words are checked before EAL takes hugepages and devices for nothing */
	if (separator < 0) {
		if (argc == 2 && strcmp(argv[1], "--help") == 0) {
			fputs(options_usage(), stdout);
			return 0;
		}
		fprintf(stderr,
			"dpdk-migcomp: no `--`: EAL's options go before it, send or recv and "
			"theirs after (see --help)\n");
		return MIGC_OUTCOME_USAGE;
	}
	argv[separator] = argv[0];
	if (separator + 1 < argc && strcmp(argv[separator + 1], "doctor") == 0)
		return doctor_command(argc - separator - 1, argv + separator + 1, separator, argv);
	if (options_parse(argc - separator, argv + separator, &options, &err) != 0) {
		fprintf(stderr, "dpdk-migcomp: %s\n", err.text);
		return MIGC_OUTCOME_USAGE;
	}
	if (options.help || options.version) {
		fputs(options.help ? options_usage() : "dpdk-migcomp " MIGC_VERSION "\n", stdout);
		options_free(&options);
		return 0;
	}
	/* a fork: before EAL, its threads and its memory */
	if (options.source && options.guest_count &&
	    migc_guardian_start(options.guest[0], &guardian, &err) != 0) {
		fprintf(stderr, "dpdk-migcomp: %s\n", err.text);
		options_free(&options);
		return MIGC_OUTCOME_USAGE;
	}
	migc_port_clear_stale(separator, argv);
	if (rte_eal_init(separator, argv) < 0) {
		migc_guardian_stop(guardian);
		fprintf(stderr, "dpdk-migcomp: EAL does not start: %s (see its messages above)\n",
			rte_strerror(rte_errno));
		options_free(&options);
		return MIGC_OUTCOME_USAGE;
	}
	install_signals();
	status = run(&options, guardian);
	options_free(&options);
	migc_guardian_stop(guardian);
	end(status);
	return status;
}
