/* SPDX-License-Identifier: BSD-3-Clause */
/* A line of the control socket: any bytes are taken or refused, what is taken is in its range, and
 * the answer is one line of JSON that gives the id back. */
#include <stdlib.h>
#include <string.h>

#include "control_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void require_in_range(const struct migc_settings_change *change)
{
	const struct migc_settings *to = &change->to;

	require(change->given != 0 && change->given < 1u << MIGC_SETTINGS);
	if (migc_settings_given(change, MIGC_SETTING_DOWNTIME_LIMIT))
		require(to->downtime_limit_ms >= 1 &&
			to->downtime_limit_ms <= MIGC_DOWNTIME_LIMIT_MS_MAX);
	require(to->max_bandwidth_bits <= MIGC_MAX_BANDWIDTH_BITS_MAX);
	require(to->timeout_s <= MIGC_TIMEOUT_S_MAX);
}

static void require_line(char *text, const json_t *id)
{
	size_t length;
	json_t *answer;

	require(text != NULL);
	length = strlen(text);
	require(length > 1 && strchr(text, '\n') == text + length - 1);
	answer = json_loads(text, 0, NULL);
	require(json_is_object(answer));
	require(id == NULL ? json_object_get(answer, "id") == NULL
			   : json_object_get(answer, "id") != NULL);
	json_decref(answer);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum control_error_class error_class;
	struct control_request request;
	struct migc_error err = {0};
	int rc = control_request_parse((const char *)data, size, &request, &error_class, &err);

	require((rc == 0) == (err.code == 0) && (rc == 0 || err.text[0] != '\0'));
	if (rc != 0) {
		require_line(control_answer_error(error_class, err.text, request.id), request.id);
	} else {
		require(memchr(request.guest, '\0', sizeof(request.guest)) != NULL);
		if (request.command == CONTROL_ORDER && request.order.type == MIGC_ORDER_SET)
			require_in_range(&request.order.change);
		require_line(control_answer_return(json_object(), request.id), request.id);
	}
	control_request_free(&request);
	return 0;
}
