/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "qemu_private.h"

#define NS_PER_MS UINT64_C(1000000)

static int count_vcpus(struct migc_qemu *q, uint64_t *count, struct migc_error *err)
{
	json_t *cpus = NULL;
	int rc = qmp_execute(&q->qmp, "query-cpus-fast", NULL, &cpus, err);

	*count = json_array_size(cpus) ? json_array_size(cpus) : 1;
	json_decref(cpus);
	return rc;
}

/** Of what the guest wrote when it was first slowed down, what is left to each vCPU. */
static int limit_dirty_rate(struct migc_qemu *q, unsigned int percent, struct migc_error *err)
{
	uint64_t vcpus, mbytes;
	int rc = count_vcpus(q, &vcpus, err);

	if (rc != 0)
		return rc;
	mbytes = q->pulse.full_mbytes_per_s * (100 - percent) / 100 / vcpus;
	/* noted first, as everything that has to be undone */
	q->changes->dirty_limited = true;
	rc = qmp_execute(&q->qmp, "set-vcpu-dirty-limit",
			 json_pack("{s:I}", "dirty-rate", (json_int_t)(mbytes ? mbytes : 1)), NULL,
			 err);
	if (rc == -EREMOTEIO && q->pulse.method == MIGC_QEMU_THROTTLE_NONE)
		q->changes->dirty_limited = false;
	return rc;
}

int migc_qemu_throttle(struct migc_qemu *q, unsigned int percent, uint64_t dirty_bytes_per_s,
		       struct migc_error *err)
{
	struct migc_error why = {0};
	int rc = -EREMOTEIO;

	if (percent == 0) {
		rc = migc_qemu_unthrottle(q, err);
		q->pulse.percent = 0;
		return rc;
	}
	if (q->pulse.method == MIGC_QEMU_THROTTLE_NONE)
		q->pulse.full_mbytes_per_s = dirty_bytes_per_s >> 20;
	/* it needs KVM with a dirty ring, and a QEMU from 7.1 on: asking is how to know */
	if (q->pulse.method != MIGC_QEMU_THROTTLE_PULSES)
		rc = limit_dirty_rate(q, percent, &why);
	if (rc == 0) {
		q->pulse.method = MIGC_QEMU_THROTTLE_DIRTY_LIMIT;
		q->pulse.percent = percent;
		return 0;
	}
	if (rc != -EREMOTEIO) {
		*err = why;
		return rc;
	}
	if (q->pulse.method == MIGC_QEMU_THROTTLE_NONE)
		migc_log(q->config.log, MIGC_LOG_DEBUG, "%s: stop and cont it is", why.text);
	q->pulse.method = MIGC_QEMU_THROTTLE_PULSES;
	return qemu_pulse_start(q, percent, err);
}

int migc_qemu_throttle_poll(struct migc_qemu *q, uint64_t now_ns, struct migc_error *err)
{
	return qemu_pulse_poll(q, now_ns, err);
}

int migc_qemu_unthrottle(struct migc_qemu *q, struct migc_error *err)
{
	int rc = 0;

	if (q->qmp.closed && (q->changes->held || q->changes->dirty_limited)) {
		rc = qemu_reconnect(q, err);
		if (rc == 0)
			rc = qemu_pulse_reconnected(q, err);
	}
	if (rc == 0)
		rc = qemu_pulse_end(q, err);
	if (q->changes->dirty_limited && !q->qmp.closed) {
		int also = qmp_execute(&q->qmp, "cancel-vcpu-dirty-limit", NULL, NULL, err);

		q->changes->dirty_limited = also != 0;
		rc = rc != 0 ? rc : also;
	}
	return rc;
}

void migc_qemu_throttle_stats(const struct migc_qemu *q, struct migc_qemu_throttle *out)
{
	*out = (struct migc_qemu_throttle){
		.method = q->pulse.method,
		.percent = q->pulse.percent,
		.pulses = q->pulse.pulses,
		.stood_ms = q->pulse.stood_ns / NS_PER_MS,
	};
}
