/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "console.h"
#include "migc_receiver.h"
#include "outcome.h"
#include "several.h"

/** How one guest is seen; begins with what the engine's callbacks take. */
struct view {
	struct console console;
	const volatile sig_atomic_t *cancel;
};

/** What the guests have of the program. */
struct several {
	struct console all; /**< of what concerns no single guest */
	struct view view[OPTIONS_GUESTS_MAX];
	struct migc_receiver_guest guest[OPTIONS_GUESTS_MAX];
	struct migc_report report[OPTIONS_GUESTS_MAX];
};

static void ended(struct migc_receiver_guest *guest)
{
	struct view *view = guest->ctx;

	migc_control_remove(guest->control);
	guest->control = NULL;
	outcome_report(guest->report, guest->outcome, *view->cancel != 0, &guest->error);
	console_end(&view->console, guest->report);
	if (guest->outcome == MIGC_OUTCOME_DONE)
		fprintf(stderr, "dpdk-migcomp: %s: done, it runs here\n", guest->qmp_path);
	else
		fprintf(stderr, "dpdk-migcomp: %s: %s\n", guest->qmp_path,
			guest->error.text[0] ? guest->error.text : "failed");
}

static int finish(const struct options *o, struct several *s, enum migc_outcome outcome)
{
	struct migc_error err = {0};

	if (o->report &&
	    migc_report_write_guests(s->report, o->guest, o->guest_count, o->report, &err) != 0)
		/* the VMs have moved: that is what the status is about */
		fprintf(stderr, "dpdk-migcomp: %s\n", err.text);
	return (int)outcome;
}

/** What each guest has of its own. @return 0, -errno. */
static int introduce(struct several *s, const struct options *o,
		     const struct migc_engine_config *config, struct control_offer *control,
		     const volatile sig_atomic_t *asked, struct migc_error *err)
{
	for (unsigned int i = 0; i < o->guest_count; i++) {
		struct migc_receiver_guest *guest = &s->guest[i];
		int rc;

		s->view[i].cancel = config->cancel;
		console_init(&s->view[i].console, o->guest[i], o->progress, asked);
		guest->qmp_path = o->guest[i];
		guest->log = &s->view[i].console.log;
		guest->ctx = &s->view[i];
		guest->report = &s->report[i];
		rc = control_offer_guest(control, o->guest[i], false, &guest->control, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int several_run(const struct options *o, struct migc_engine_config *config,
		struct control_offer *control, const volatile sig_atomic_t *asked)
{
	struct several *s = calloc(1, sizeof(*s));
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;
	struct migc_error err = {0};
	int status;

	if (s == NULL) {
		fprintf(stderr, "dpdk-migcomp: no memory\n");
		return MIGC_OUTCOME_USAGE;
	}
	console_init(&s->all, NULL, o->progress, asked);
	config->log = &s->all.log;
	if (introduce(s, o, config, control, asked, &err) == 0)
		outcome = migc_receiver_run(config, s->guest, o->guest_count, ended, &err);
	if (err.text[0])
		fprintf(stderr, "dpdk-migcomp: %s\n", err.text);
	for (unsigned int i = 0; i < o->guest_count; i++) {
		migc_control_remove(s->guest[i].control);
		/* none was begun: what is wrong with all is wrong with each */
		if (s->report[i].status[0] == '\0')
			outcome_report(&s->report[i], outcome, false, &err);
	}
	status = finish(o, s, outcome);
	free(s);
	return status;
}
