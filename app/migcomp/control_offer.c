/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_offer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "migc_control_telemetry.h"

/** For control_offer_unlink(), which has nobody to ask. Set while there is a socket. */
static char socket_path[MIGC_CONTROL_PATH_BYTES];

/** What the operator calls a guest: as its QMP socket is called, or its memory. */
static void short_name(const char *path, char *out, size_t capacity)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');
	size_t length = slash && dot && dot != name ? (size_t)(dot - name) : strlen(name);

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
	int rc = migc_control_create(&offer->control, err);

	if (rc == 0)
		rc = migc_control_telemetry_start(offer->control, err);
	if (rc == 0 && !o->no_control)
		rc = serve(offer, o, log, err);
	return rc;
}

int control_offer_guest(struct control_offer *offer, const char *path, bool source,
			struct migc_control_session **out, struct migc_error *err)
{
	char guest[MIGC_CONTROL_GUEST_BYTES];
	int rc;

	short_name(path, guest, sizeof(guest));
	rc = migc_control_add(offer->control, guest, source, out);
	/* there is a guest of that name in another directory */
	if (rc == -EEXIST)
		rc = migc_control_add(offer->control, path, source, out);
	return rc ? migc_error_set(err, rc, "guest %s cannot be offered for control: %s", path,
				   strerror(-rc))
		  : 0;
}

void control_offer_close(struct control_offer *offer)
{
	migc_control_telemetry_stop();
	migc_control_server_stop(offer->server);
	socket_path[0] = '\0';
	migc_control_free(offer->control);
	memset(offer, 0, sizeof(*offer));
}

void control_offer_unlink(void)
{
	if (socket_path[0])
		unlink(socket_path);
}
