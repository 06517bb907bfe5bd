/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_offer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "migc_control_telemetry.h"

/** For control_offer_unlink(), which has nobody to ask. Set while there is a socket. */
static char socket_path[MIGC_CONTROL_PATH_BYTES];

/** What the operator calls the guest: as its QMP socket or its memory is called. */
static void guest_name(const struct options *o, char *out, size_t capacity)
{
	const char *slash = o->qmp ? strrchr(o->qmp, '/') : NULL;
	const char *name = o->qmp ? (slash ? slash + 1 : o->qmp) : o->mem[0].name;
	const char *dot = o->qmp ? strrchr(name, '.') : NULL;
	size_t length = dot && dot != name ? (size_t)(dot - name) : strlen(name);

	snprintf(out, capacity, "%.*s", (int)length, name);
}

static int serve(struct control_offer *offer, const struct options *o, const struct migc_log *log,
		 struct migc_error *err)
{
	struct migc_error failure = {0};
	int rc = migc_control_serve(offer->control, o->control, o->source ? "send" : "recv",
				    &offer->server, &failure);

	if (rc == 0) {
		snprintf(socket_path, sizeof(socket_path), "%s",
			 migc_control_server_path(offer->server));
		return 0;
	}
	if (o->control)
		return migc_error_set(err, rc, "--control: %s", failure.text);
	migc_log(log, MIGC_LOG_WARNING, "no control socket: %s", failure.text);
	return 0;
}

int control_offer_open(struct control_offer *offer, const struct options *o,
		       const struct migc_log *log, struct migc_error *err)
{
	char guest[MIGC_CONTROL_GUEST_BYTES];
	int rc;

	guest_name(o, guest, sizeof(guest));
	rc = migc_control_create(&offer->control, err);
	if (rc == 0)
		rc = migc_control_add(offer->control, guest, o->source, &offer->session);
	if (rc == 0)
		rc = migc_control_telemetry_start(offer->control, err);
	if (rc == 0 && !o->no_control)
		rc = serve(offer, o, log, err);
	return rc ? migc_error_set(err, rc, "no memory for the control socket") : 0;
}

void control_offer_close(struct control_offer *offer)
{
	migc_control_telemetry_stop();
	migc_control_server_stop(offer->server);
	socket_path[0] = '\0';
	migc_control_remove(offer->session);
	migc_control_free(offer->control);
	memset(offer, 0, sizeof(*offer));
}

void control_offer_unlink(void)
{
	if (socket_path[0])
		unlink(socket_path);
}
