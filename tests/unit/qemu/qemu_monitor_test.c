/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_qmp.h"
#include "migc_qemu.h"

static void count_idle(void *ctx)
{
	++*(unsigned int *)ctx;
}

/** Who is not to answer is waited for so long, and who is has all the time of a busy machine. */
#define SHORT_MS 300u
#define LONG_MS 30000u

/** Open against a script. @return its result; on success the connection is in *q. */
static int open_fake_within(struct fake_qmp *f, unsigned int answer_timeout_ms,
			    struct migc_qemu **q, struct migc_error *err, unsigned int *idles)
{
	struct migc_qemu_config config = {
		.answer_timeout_ms = answer_timeout_ms,
		.idle = idles ? count_idle : NULL,
		.idle_ctx = idles,
	};

	fake_qmp_start(f);
	config.qmp_path = f->path;
	return migc_qemu_open(&config, q, err);
}

static int open_fake(struct fake_qmp *f, struct migc_qemu **q, struct migc_error *err,
		     unsigned int *idles)
{
	return open_fake_within(f, LONG_MS, q, err, idles);
}

static void expect_open(struct fake_qmp *f, int expected, const char *words)
{
	struct migc_error err = {0};
	struct migc_qemu *q = NULL;
	int rc = open_fake_within(f, expected == -ETIMEDOUT ? SHORT_MS : LONG_MS, &q, &err, NULL);

	fake_qmp_stop(f);
	if (rc == 0)
		migc_qemu_close(q);
	assert_int_equal(rc, expected);
	assert_int_equal(err.code, expected);
	assert_true(err.text[0] != '\0');
	if (words)
		assert_non_null(strstr(err.text, words));
}

static void absent_socket_is_enoent(void **state)
{
	struct migc_qemu_config config = {.qmp_path = "/nonexistent/qmp"};
	struct migc_error err = {0};
	struct migc_qemu *q;

	(void)state;
	assert_int_equal(migc_qemu_open(&config, &q, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/qmp"));
}

static void dead_socket_is_refused(void **state)
{
	char directory[] = "/tmp/migc-qmp-test-XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct migc_qemu_config config = {.qmp_path = address.sun_path};
	struct migc_error err = {0};
	struct migc_qemu *q;
	int fd, rc;

	(void)state;
	assert_non_null(mkdtemp(directory));
	strcpy(address.sun_path, directory);
	strcat(address.sun_path, "/qmp");
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	rc = migc_qemu_open(&config, &q, &err);
	unlink(address.sun_path);
	rmdir(directory);
	assert_int_equal(rc, -ECONNREFUSED);
}

/** As a monitor is that serves somebody else, with one more in its queue. */
static void socket_with_a_full_queue_times_out(void **state)
{
	char directory[] = "/tmp/migc-qmp-test-XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct migc_qemu_config config = {.qmp_path = address.sun_path, .answer_timeout_ms = 300};
	struct migc_error err = {0};
	struct migc_qemu *q;
	int fd, other, rc;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/qmp", directory);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(connect(other, (struct sockaddr *)&address, sizeof(address)), 0);
	rc = migc_qemu_open(&config, &q, &err);
	close(other);
	close(fd);
	unlink(address.sun_path);
	rmdir(directory);
	assert_int_equal(rc, -ETIMEDOUT);
	assert_non_null(strstr(err.text, "another client"));
}

static void silent_socket_times_out(void **state)
{
	struct fake_qmp f = {.greeting = ""};

	(void)state;
	expect_open(&f, -ETIMEDOUT, "another client");
}

static void other_protocol_is_no_qmp(void **state)
{
	struct fake_qmp f = {.greeting = "220 mail.example ESMTP\r\n"};

	(void)state;
	expect_open(&f, -EPROTO, "QMP");
}

static void other_json_is_no_qmp(void **state)
{
	struct fake_qmp f = {.greeting = "{\"hello\": 1}\r\n"};

	(void)state;
	expect_open(&f, -EPROTO, "QMP");
}

static void closing_without_greeting_is_no_qmp(void **state)
{
	struct fake_qmp f = {.greeting = "-"};

	(void)state;
	expect_open(&f, -EPROTO, NULL);
}

static void refusal_is_told_in_qemus_words(void **state)
{
	static const struct fake_rule rules[] = {{"query-version", "!the moon is full"}, {0}};
	struct fake_qmp f = {.rules = rules};
	struct migc_error err = {0};
	struct migc_qemu *q;
	int rc;

	(void)state;
	rc = open_fake(&f, &q, &err, NULL);
	fake_qmp_stop(&f);
	assert_true(rc < 0);
	assert_non_null(strstr(err.text, "the moon is full"));
}

static void missing_answer_times_out(void **state)
{
	static const struct fake_rule rules[] = {{"query-name", "~"}, {0}};
	struct fake_qmp f = {.rules = rules};

	(void)state;
	expect_open(&f, -ETIMEDOUT, "query-name");
}

static void malformed_answer_is_eproto(void **state)
{
	static const struct fake_rule rules[] = {{"query-name", "#{\"return\": }\r\n"}, {0}};
	struct fake_qmp f = {.rules = rules};

	(void)state;
	expect_open(&f, -EPROTO, NULL);
}

static void endless_answer_is_eproto(void **state)
{
	const size_t length = 17u << 20;
	char *text = malloc(length + 1);
	struct fake_rule rules[] = {{"query-name", text}, {0}};
	struct fake_qmp f = {.rules = rules};

	(void)state;
	memset(text, 'x', length);
	memcpy(text, "#{\"return\": \"", 13);
	text[length] = '\0';
	expect_open(&f, -EPROTO, NULL);
	free(text);
}

static void events_without_end_are_no_answer(void **state)
{
	static const struct fake_rule rules[] = {{"query-name", "^"}, {0}};
	struct fake_qmp f = {.rules = rules};
	struct migc_error err = {0};
	struct migc_qemu *q = NULL;
	unsigned int idles = 0;

	(void)state;
	assert_int_equal(open_fake_within(&f, SHORT_MS, &q, &err, &idles), -ETIMEDOUT);
	fake_qmp_stop(&f);
	/* and others had their turn meanwhile */
	assert_true(idles > 20);
}

static void closing_in_a_command_is_told(void **state)
{
	static const struct fake_rule rules[] = {{"query-name", "-"}, {0}};
	struct fake_qmp f = {.rules = rules};

	(void)state;
	expect_open(&f, -ESRCH, NULL);
}

static void migration_of_somebody_else_is_busy(void **state)
{
	static const char *const answers[] = {"{\"status\": \"active\"}", "{\"status\": \"setup\"}",
					      "{\"status\": \"pre-switchover\"}"};

	(void)state;
	for (unsigned int i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct fake_rule rules[] = {{"\"query-migrate\"", answers[i]}, {0}};
		struct fake_qmp f = {.rules = rules};

		expect_open(&f, -EBUSY, "migrate_cancel");
	}
}

static void identity_is_read_between_events(void **state)
{
	struct fake_qmp f = {.events = true};
	struct migc_qemu_info info;
	struct migc_error err = {0};
	struct migc_qemu *q;
	unsigned int idles = 0;

	(void)state;
	assert_int_equal(open_fake(&f, &q, &err, &idles), 0);
	migc_qemu_info(q, &info);
	migc_qemu_close(q);
	fake_qmp_stop(&f);
	assert_string_equal(info.version, "7.2.2");
	assert_string_equal(info.machine, "pc-q35-7.2");
	assert_string_equal(info.name, "guest");
	assert_true(info.running);
	assert_int_equal(info.pid, getpid());
	assert_true(idles > 0);
}

static void late_answer_is_not_taken_for_the_next(void **state)
{
	/* an answer with an id nobody waits for, before the right one */
	static const struct fake_rule rules[] = {
		{"query-name", "#{\"return\": {\"name\": \"stale\"}, \"id\": 999999}\r\n"}, {0}};
	struct fake_qmp f = {.rules = rules};

	(void)state;
	expect_open(&f, -ETIMEDOUT, "query-name");
}

static void end_of_qemu_is_seen(void **state)
{
	struct fake_qmp f = {0};
	struct migc_error err = {0};
	struct migc_qemu *q;

	(void)state;
	assert_int_equal(open_fake(&f, &q, &err, NULL), 0);
	assert_int_equal(migc_qemu_poll(q, &err), 0);
	fake_qmp_stop(&f);
	assert_int_equal(migc_qemu_poll(q, &err), -ESRCH);
	/* and everything later says so too, without a wait or a crash */
	err = (struct migc_error){0};
	assert_int_equal(migc_qemu_resume(q, &err), -ESRCH);
	migc_qemu_restore(q);
	migc_qemu_close(q);
}

/** Discovery against a script that changes one thing. */
static void expect_refusal(const struct fake_rule *rules, const char *words)
{
	struct fake_qmp f = {.rules = rules};
	struct migc_error err = {0};
	struct migc_guestmem *gm;
	struct migc_qemu *q;
	int rc;

	assert_int_equal(migc_guestmem_create(&gm), 0);
	assert_int_equal(open_fake(&f, &q, &err, NULL), 0);
	rc = migc_qemu_discover(q, gm, &err);
	migc_qemu_close(q);
	fake_qmp_stop(&f);
	migc_guestmem_free(gm);
	assert_true(rc < 0);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void vhost_user_network_is_refused(void **state)
{
	static const struct fake_rule rules[] = {
		{"info network", "\"net0: index=0,type=vhost-user,connected\\r\\n\""}, {0}};

	(void)state;
	expect_refusal(rules, "vhost-user");
}

static void vhost_vdpa_network_is_refused(void **state)
{
	static const struct fake_rule rules[] = {
		{"info network", "\" \\\\ v0: index=0,type=vhost-vdpa\\r\\n\""}, {0}};

	(void)state;
	expect_refusal(rules, "vhost-vdpa");
}

static void devices_that_write_unseen_are_refused(void **state)
{
	static const char *const types[] = {"vfio-pci", "vhost-user-fs-pci", "vhost-user-blk-pci",
					    "vhost-vdpa-device-pci"};

	(void)state;
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char answer[128];
		struct fake_rule rules[] = {{"/machine/peripheral-anon", answer}, {0}};

		snprintf(answer, sizeof(answer),
			 "[{\"name\": \"device[0]\", \"type\": \"child<%s>\"}]", types[i]);
		expect_refusal(rules, types[i]);
	}
}

struct discarding {
	const char *type;
	bool discards;
};

static void devices_that_take_pages_away_are_told(void **state)
{
	static const struct discarding cases[] = {
		{"virtio-balloon-pci", true}, {"virtio-mem-pci", true}, {"virtio-net-pci", false}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char answer[128];
		struct fake_rule rules[] = {{"/machine/peripheral-anon", answer}, {0}};
		struct fake_qmp f = {.rules = rules};
		struct migc_error err = {0};
		struct migc_qemu *q;
		bool discards;

		snprintf(answer, sizeof(answer),
			 "[{\"name\": \"device[0]\", \"type\": \"child<%s>\"}]", cases[i].type);
		assert_int_equal(open_fake(&f, &q, &err, NULL), 0);
		assert_int_equal(migc_qemu_discards_memory(q, &discards, &err), 0);
		migc_qemu_close(q);
		fake_qmp_stop(&f);
		assert_int_equal(discards, cases[i].discards);
	}
}

static void migration_blocker_is_told(void **state)
{
	static const struct fake_rule rules[] = {
		{"\"query-migrate\"", "{\"blocked-reasons\": [\"the moon is full\"]}"}, {0}};

	(void)state;
	expect_refusal(rules, "the moon is full");
}

static void missing_capability_is_named(void **state)
{
	static const struct fake_rule rules[] = {
		{"query-migrate-capabilities", "[{\"capability\": \"events\", \"state\": false}]"},
		{0}};

	(void)state;
	expect_refusal(rules, "x-ignore-shared");
}

static void memfd_is_refused_from_8_1_on(void **state)
{
	static const struct fake_rule rules[] = {
		{"query-version", "{\"qemu\": {\"micro\": 0, \"minor\": 1, \"major\": 8}, "
				  "\"package\": \"\"}"},
		{0}};

	(void)state;
	expect_refusal(rules, "memory-backend-file");
}

static void private_memory_is_refused_with_the_remedy(void **state)
{
	static const struct fake_rule rules[] = {{"\"share\"", "false"}, {0}};

	(void)state;
	expect_refusal(rules, "share=on");
}

static void memory_of_another_process_is_refused(void **state)
{
	/* nothing is mapped at 0x1000 in this process, which holds the socket */
	static const struct fake_rule rules[] = {{0}};

	(void)state;
	expect_refusal(rules, "mem");
}

static void either_end_is_what_its_state_says(void **state)
{
	static const struct fake_rule waiting[] = {
		{"query-status", "{\"status\": \"inmigrate\", \"running\": false}"},
		{NULL, NULL},
	};
	struct migc_qemu_config config = {.answer_timeout_ms = 300, .either = true};
	struct migc_error err = {0};
	struct fake_qmp f = {0};
	struct migc_qemu_info info;
	struct migc_qemu *q;

	(void)state;
	fake_qmp_start(&f);
	config.qmp_path = f.path;
	assert_int_equal(migc_qemu_open(&config, &q, &err), 0);
	migc_qemu_info(q, &info);
	assert_false(info.incoming);
	migc_qemu_close(q);
	fake_qmp_stop(&f);
	f = (struct fake_qmp){.rules = waiting};
	fake_qmp_start(&f);
	config.qmp_path = f.path;
	/* a destination has to have been given -S, and this process was not */
	assert_int_equal(migc_qemu_open(&config, &q, &err), -EINVAL);
	fake_qmp_stop(&f);
	assert_non_null(strstr(err.text, "started without -S"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_socket_is_enoent),
		cmocka_unit_test(either_end_is_what_its_state_says),
		cmocka_unit_test(dead_socket_is_refused),
		cmocka_unit_test(socket_with_a_full_queue_times_out),
		cmocka_unit_test(silent_socket_times_out),
		cmocka_unit_test(other_protocol_is_no_qmp),
		cmocka_unit_test(other_json_is_no_qmp),
		cmocka_unit_test(closing_without_greeting_is_no_qmp),
		cmocka_unit_test(refusal_is_told_in_qemus_words),
		cmocka_unit_test(missing_answer_times_out),
		cmocka_unit_test(malformed_answer_is_eproto),
		cmocka_unit_test(endless_answer_is_eproto),
		cmocka_unit_test(events_without_end_are_no_answer),
		cmocka_unit_test(closing_in_a_command_is_told),
		cmocka_unit_test(migration_of_somebody_else_is_busy),
		cmocka_unit_test(identity_is_read_between_events),
		cmocka_unit_test(late_answer_is_not_taken_for_the_next),
		cmocka_unit_test(end_of_qemu_is_seen),
		cmocka_unit_test(vhost_user_network_is_refused),
		cmocka_unit_test(vhost_vdpa_network_is_refused),
		cmocka_unit_test(devices_that_write_unseen_are_refused),
		cmocka_unit_test(devices_that_take_pages_away_are_told),
		cmocka_unit_test(migration_blocker_is_told),
		cmocka_unit_test(missing_capability_is_named),
		cmocka_unit_test(memfd_is_refused_from_8_1_on),
		cmocka_unit_test(private_memory_is_refused_with_the_remedy),
		cmocka_unit_test(memory_of_another_process_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
