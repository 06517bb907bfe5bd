/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "doctor_private.h"
#include "migc_report.h"

/** Texts hold what files hold, which may be no UTF-8. */
static json_t *string(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("?");
}

static json_t *to_json(const struct migc_doctor *d)
{
	json_t *findings = json_array();

	for (unsigned int i = 0; i < d->count; i++) {
		const struct migc_doctor_finding *f = &d->finding[i];

		json_array_append_new(findings,
				      json_pack("{s:s,s:s,s:o,s:o}", "level",
						migc_doctor_level_name(f->level), "what", f->what,
						"text", string(f->text), "remedy",
						f->remedy[0] ? string(f->remedy) : json_null()));
	}
	return json_pack("{s:b,s:o}", "works", (int)migc_doctor_works(d), "findings", findings);
}

int migc_doctor_write(const struct migc_doctor *d, const char *path, struct migc_error *err)
{
	json_t *json = to_json(d);
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	int rc = text ? migc_report_write_text(text, path, err)
		      : migc_error_set(err, -ENOMEM, "no memory for the report");

	free(text);
	json_decref(json);
	return rc;
}
