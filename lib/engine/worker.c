/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "receive_path.h"
#include "send_path.h"
#include "seqlock.h"
#include "worker.h"

void worker_fail(struct worker *w, int code, const char *text)
{
	if (__atomic_load_n(&w->failed, __ATOMIC_RELAXED))
		return;
	migc_error_set(&w->failure, code, "%s", text);
	/* pairs with the acquire of the controller: failure is written */
	__atomic_store_n(&w->failed, 1, __ATOMIC_RELEASE);
}

void worker_publish(struct worker *w)
{
	struct worker_counters *c = &w->counters;

	migc_transport_stats(w->transport, &c->transport);
	if (w->send)
		send_path_counters(w->send, c);
	if (w->receive)
		receive_path_counters(w->receive, c);
	seqlock_write(&w->published_sequence, &w->published, c, sizeof(*c));
}

void worker_read_counters(const struct worker *w, struct worker_counters *out)
{
	seqlock_read(&w->published_sequence, out, &w->published, sizeof(*out));
}

void worker_publish_state(struct worker *w)
{
	enum migc_transport_state state = migc_transport_state(w->transport);
	const struct migc_error *error = migc_transport_error(w->transport);

	if (state == MIGC_TRANSPORT_CLOSED && !w->failed) {
		worker_fail(w, error->code ? error->code : -ECONNRESET,
			    error->text[0] ? error->text : "the connection was closed");
	}
	if (w->counters.transport.handshakes_failed != w->refusals) {
		seqlock_write(&w->refusal_sequence, &w->refusal, error, sizeof(*error));
		/* pairs with the acquire of the controller: refusal is written */
		__atomic_store_n(&w->refusals, (uint32_t)w->counters.transport.handshakes_failed,
				 __ATOMIC_RELEASE);
	}
	/* pairs with the acquire of the controller: failure is written before CLOSED is seen */
	__atomic_store_n(&w->transport_state, (uint32_t)state, __ATOMIC_RELEASE);
}

bool worker_turn(struct worker *w, uint64_t now_ns)
{
	bool busy;

	/* pairs with the release in engine_start_worker(): the transport is set up */
	if (!__atomic_load_n(&w->started, __ATOMIC_ACQUIRE))
		return false;
	/* pairs with the release in engine_disconnect(): close_text is written */
	if (!w->closing && __atomic_load_n(&w->close, __ATOMIC_ACQUIRE)) {
		migc_transport_close(w->transport, 0, w->close_text, now_ns);
		w->closing = true;
	}
	if (migc_transport_expiry(w->transport) <= now_ns)
		migc_transport_expire(w->transport, now_ns);
	busy = worker_control(w);
	if (w->send)
		busy |= send_path_turn(w->send, now_ns);
	if (w->receive)
		busy |= receive_path_turn(w->receive);
	return busy;
}
