/* SPDX-License-Identifier: BSD-3-Clause */
#include "sender_sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "migc_foot.h"
#include "migc_random.h"
#include "spare_cpu.h"

#define STEP_NS 50000.0
#define UNSENT_MAX (512.0 * 1024)
#define WINDOW_MAX (24.0 * 1024 * 1024)
#define PACKET_BYTES 8900.0
#define SLICE_NS 1000000.0 /* a core changes hands when someone waited so long */
#define SPARE_STEPS 400u /* 20 ms */
#define MEAN_STEPS 200u /* 10 ms */
#define FOOT_STEPS 20u /* 1 ms */
#define FIFO_BLOCKS 65536u
#define ACK_STEPS 2048u
#define DEVICE_DEPTH_NS 500000.0

#define MB_S(x) (1000.0 / (x))

const struct sim_data sim_silesia = {
	"silesia",
	0,
	{
		/* facts/compressdev.md: 64K for deflate, 128K for LZ4 and Zstandard 1 */
		[MIGC_CODEC_RAW] = {0, 0, 1},
		[MIGC_CODEC_DEFLATE] = {MB_S(644), MB_S(981), 1 / 3.38},
		[MIGC_CODEC_LZ4] = {MB_S(839), MB_S(4941), 1 / 2.55},
		[MIGC_CODEC_ZSTD] = {MB_S(544), MB_S(1940), 1 / 3.73},
		[MIGC_LADDER_LZ4_FAST] = {MB_S(1300), MB_S(4941), 1 / 1.90},
	}};
const struct sim_data sim_half = {
	"half",
	0.5,
	{
		[MIGC_CODEC_RAW] = {0, 0, 1},
		[MIGC_CODEC_DEFLATE] = {MB_S(644), MB_S(981), 1 / 3.38},
		[MIGC_CODEC_LZ4] = {MB_S(839), MB_S(4941), 1 / 2.55},
		[MIGC_CODEC_ZSTD] = {MB_S(544), MB_S(1940), 1 / 3.73},
		[MIGC_LADDER_LZ4_FAST] = {MB_S(1300), MB_S(4941), 1 / 1.90},
	}};
const struct sim_data sim_random = {
	"random", 1, {{0, 0, 1}, {0, 0, 1}, {0, 0, 1}, {0, 0, 1}, {0, 0, 1}}};

/* What a codec takes to find out that a block does not shrink. */
static const double random_compress[MIGC_LADDER_KINDS] = {
	[MIGC_CODEC_DEFLATE] = MB_S(500),
	[MIGC_CODEC_LZ4] = MB_S(3000),
	[MIGC_LADDER_LZ4_FAST] = MB_S(6000),
	[MIGC_CODEC_ZSTD] = MB_S(1500),
};

struct sim_block {
	double wire, guest, decode_ns;
};

struct sim_flow {
	struct sim *sim;
	struct migc_ladder ladder;
	struct migc_random random;
	double runtime_sender, runtime_receiver; /* for fair scheduling */

	/* the block that is being made */
	bool busy;
	double left_ns;
	struct sim_block block;
	uint32_t kind;
	uint32_t known, out_bytes, in_bytes;
	uint64_t block_index;
	enum migc_ladder_state state;

	/* transport */
	double unsent, in_flight, window, threshold, cut_until_ns;
	double window_lost, lost_ns; /* CUBIC */
	bool limited;
	double acks[ACK_STEPS];

	/* link and receiver */
	double queued, arrived;
	struct sim_block *fifo;
	unsigned int fifo_head, fifo_tail;
	double head_left;
};

struct sim_core {
	unsigned int last; /* entity that ran last */
	double since_ns; /* when it began */
	double idle_ns;
};

struct sim {
	const struct sim_setup *setup;
	int fixed;
	double now_ns, rate; /* bytes a nanosecond */
	const struct sim_data *data;
	uint64_t step;
	double device_busy_ns;
	struct sim_flow flow[SIM_WORKERS_MAX];
	struct sim_core core[2 * SIM_WORKERS_MAX];
	struct migc_foot foot;
	struct spare_cpu spare;
	double guest_sent;
	struct sim_result *out;
};

static double uniform(struct migc_random *r)
{
	return (double)(migc_random_next(r) >> 11) * 0x1p-53;
}

static void set_phase(struct sim *s)
{
	const struct sim_setup *setup = s->setup;
	unsigned int phases = 0, at;

	while (phases < SIM_PHASES_MAX && setup->phase[phases].gbit > 0)
		phases++;
	at = (unsigned int)(s->now_ns / (setup->seconds * 1e9) * phases);
	if (at >= phases)
		at = phases - 1;
	s->rate = setup->phase[at].gbit / 8;
	s->data = setup->phase[at].data;
}

/* Random blocks come in runs of 8. The same data whatever the codec. */
static bool is_random(const struct sim_flow *f)
{
	struct migc_random r;

	migc_random_seed(&r, f->sim->setup->seed + (f->block_index >> 3) * 977 +
				     (uint64_t)(f - f->sim->flow) * 7919);
	return uniform(&r) < f->sim->data->random_share;
}

static bool device_room(const struct sim *s)
{
	return s->setup->device_gbit > 0 && s->device_busy_ns < s->now_ns + DEVICE_DEPTH_NS;
}

static void begin_block(struct sim_flow *f)
{
	struct sim *s = f->sim;
	bool random = is_random(f);
	struct sim_codec_cost cost;
	double noise = 0.8 + 0.4 * uniform(&f->random);
	bool by_device;

	f->known = random && !s->setup->no_looks ? MIGC_LADDER_INCOMPRESSIBLE : 0;
	if (device_room(s))
		f->known |= MIGC_LADDER_DEVICE_ROOM;
	f->kind = s->fixed == SIM_AUTO ? migc_ladder_choose(&f->ladder, f->known)
				       : (uint32_t)s->fixed;
	by_device = s->setup->device_gbit > 0 && f->kind == MIGC_CODEC_DEFLATE;
	if (by_device && !device_room(s))
		f->kind = MIGC_CODEC_RAW; /* fixed deflate: what the device cannot take goes raw */
	s->out->blocks[f->kind]++;
	f->in_bytes = migc_ladder_codec(f->kind) == MIGC_CODEC_LZ4 || f->kind == MIGC_CODEC_ZSTD
			      ? 131072
			      : 65536;
	cost = s->data->codec[f->kind];
	if (random)
		cost = (struct sim_codec_cost){random_compress[f->kind], 0, 1};
	if (by_device && f->kind == MIGC_CODEC_DEFLATE) {
		cost.compress = cost.decompress = 0.02; /* the peer has one too */
		if (s->device_busy_ns < s->now_ns)
			s->device_busy_ns = s->now_ns;
		s->device_busy_ns += f->in_bytes * 8 / s->setup->device_gbit;
	}
	f->block_index += f->in_bytes / 65536;
	if (cost.wire < 1)
		cost.wire *= 0.7 + 0.6 * uniform(&f->random);
	f->block.guest = f->in_bytes;
	f->block.wire = f->in_bytes * cost.wire + 60;
	f->block.decode_ns = f->in_bytes * cost.decompress + 500;
	f->out_bytes = random ? 0 : (uint32_t)(f->in_bytes * cost.wire);
	f->left_ns = f->in_bytes * cost.compress * noise + f->block.wire * s->setup->send_ns + 1500;
	f->busy = true;
}

static void finish_block(struct sim_flow *f)
{
	f->busy = false;
	f->unsent += f->block.wire;
	f->sim->out->wire_bytes += f->block.wire;
	f->sim->guest_sent += f->block.guest;
	f->fifo[f->fifo_tail++ % FIFO_BLOCKS] = f->block;
	if (f->fifo_tail - f->fifo_head == 1)
		f->head_left = f->block.wire;
	if (f->sim->fixed == SIM_AUTO)
		migc_ladder_block(&f->ladder, f->kind, f->in_bytes, f->out_bytes, f->known);
}

static double queued_all(const struct sim *s)
{
	double sum = 0;

	for (unsigned int i = 0; i < s->setup->workers; i++)
		sum += s->flow[i].queued;
	return sum;
}

static void transmit(struct sim_flow *f)
{
	struct sim *s = f->sim;
	double rtt_ns = s->setup->rtt_us * 1000;
	double room = f->window - f->in_flight;
	double bytes = f->unsent < room ? f->unsent : room;
	double limit = s->rate * (s->setup->queue_ms * 1e6 + rtt_ns) + 131072;
	double over;

	f->limited = f->unsent >= room;
	if (bytes <= 0)
		return;
	over = queued_all(s) + bytes - limit;
	if (over > 0) {
		/* lost, and sent again */
		bytes = bytes > over ? bytes - over : 0;
		if (s->now_ns >= f->cut_until_ns) {
			f->window_lost = f->window;
			f->lost_ns = s->now_ns;
			f->window = fmax(f->window * 0.7, 4 * PACKET_BYTES);
			f->threshold = f->window;
			f->cut_until_ns = s->now_ns + rtt_ns + queued_all(s) / s->rate;
		}
	}
	f->unsent -= bytes;
	f->in_flight += bytes;
	f->queued += bytes;
}

/* CUBIC (RFC 9438) with the exit of slow start of HyStart++ (RFC 9406). */
static double window_wanted(const struct sim_flow *f, double acked)
{
	double lost = f->window_lost / PACKET_BYTES;
	double t = (f->sim->now_ns - f->lost_ns) * 1e-9 - cbrt(lost * 0.3 / 0.4);
	double cubic = (0.4 * t * t * t + lost) * PACKET_BYTES;
	double reno = f->window + acked * 0.53 * PACKET_BYTES / f->window;

	return fmax(reno, fmin(cubic, f->window + acked / 2));
}

static void take_acks(struct sim *s, struct sim_flow *f)
{
	double *acked = &f->acks[s->step % ACK_STEPS];
	double queue_ns = queued_all(s) / s->rate;

	f->in_flight -= *acked;
	if (f->window < f->threshold && queue_ns > fmax(4e6, s->setup->rtt_us * 125)) {
		f->threshold = f->window_lost = f->window;
		f->lost_ns = s->now_ns;
	}
	if (f->limited && *acked > 0) {
		f->window = f->window < f->threshold ? f->window + *acked
						     : window_wanted(f, *acked);
		f->window = fmin(f->window, WINDOW_MAX);
	}
	*acked = 0;
}

static double turn_ns(const struct sim *s, double budget_ns)
{
	return s->now_ns + STEP_NS - budget_ns + 1;
}

static double unsent_max(const struct sim_flow *f)
{
	return f->sim->setup->fixed_queue ? UNSENT_MAX
					  : fmin(UNSENT_MAX, fmax(f->window, UNSENT_MAX / 4));
}

/* @return the time it did not want. */
static double run_sender(struct sim_flow *f, double budget_ns)
{
	struct sim *s = f->sim;

	for (;;) {
		if (f->busy) {
			double use = fmin(budget_ns, f->left_ns);

			f->left_ns -= use;
			budget_ns -= use;
			s->out->sender_cpu_s += use * 1e-9;
			if (f->left_ns > 0)
				return 0;
			finish_block(f);
		}
		transmit(f);
		migc_ladder_turn(&f->ladder, (uint64_t)turn_ns(s, budget_ns), f->state);
		if (f->unsent >= unsent_max(f)) {
			f->state = MIGC_LADDER_HELD;
			return budget_ns;
		}
		migc_ladder_set_free_window(
			&f->ladder, (uint32_t)(1000 * fmax(0, 1 - f->in_flight / f->window)));
		f->state = f->unsent <= 0 && f->in_flight < f->window ? MIGC_LADDER_STARVED
								      : MIGC_LADDER_WORKING;
		begin_block(f);
	}
}

static double run_receiver(struct sim *s, struct sim_flow *f, double budget_ns)
{
	uint64_t at = s->step + 1 + (uint64_t)(s->setup->rtt_us * 1000 / STEP_NS);

	while (f->arrived > 0.5 && f->fifo_head != f->fifo_tail && budget_ns > 1) {
		struct sim_block *b = &f->fifo[f->fifo_head % FIFO_BLOCKS];
		double cost = s->setup->receive_ns + b->decode_ns / b->wire;
		double bytes = fmin(fmin(f->arrived, f->head_left), budget_ns / cost);

		f->arrived -= bytes;
		f->head_left -= bytes;
		f->acks[at % ACK_STEPS] += bytes;
		budget_ns -= bytes * cost;
		s->out->receiver_cpu_s += bytes * cost * 1e-9;
		if (f->head_left > 0.01)
			continue;
		s->out->guest_bytes += b->guest;
		f->fifo_head++;
		if (f->fifo_head != f->fifo_tail)
			f->head_left = f->fifo[f->fifo_head % FIFO_BLOCKS].wire;
	}
	return fmax(budget_ns - 1, 0);
}

static bool wants_core(const struct sim_flow *f, bool receiver)
{
	if (receiver)
		return f->arrived > 0.5;
	return f->busy || f->unsent < unsent_max(f) || f->in_flight < f->window;
}

/* Entity 2i: worker i; 2i + 1: its receiver. Of those that want to run, the one that had least. */
static void run_shared_core(struct sim *s, unsigned int core, unsigned int cores)
{
	struct sim_core *c = &s->core[core];
	double budget_ns = STEP_NS;

	for (unsigned int tries = 0; budget_ns > 1 && tries < 2 * s->setup->workers; tries++) {
		int best = -1;
		double least = 0, left;

		for (unsigned int e = 0; e < 2 * s->setup->workers; e++) {
			struct sim_flow *f = &s->flow[e / 2];
			double ran = e & 1 ? f->runtime_receiver : f->runtime_sender;

			if (e / 2 % cores != core || !wants_core(f, e & 1))
				continue;
			/* who runs goes on until its slice is over */
			if (e == c->last && s->now_ns - c->since_ns < SLICE_NS)
				ran = -1;
			if (best < 0 || ran < least) {
				best = (int)e;
				least = ran;
			}
		}
		if (best < 0)
			break;
		if ((unsigned int)best != c->last) {
			c->last = (unsigned int)best;
			c->since_ns = s->now_ns;
		}
		struct sim_flow *f = &s->flow[best / 2];
		double *ran = best & 1 ? &f->runtime_receiver : &f->runtime_sender;

		left = best & 1 ? run_receiver(s, f, budget_ns) : run_sender(f, budget_ns);
		*ran += budget_ns - left + 10;
		budget_ns = left;
		if (left > 1)
			c->since_ns = -1e18; /* it sleeps */
	}
	c->idle_ns += budget_ns;
}

/* A sleeper does not save up time. */
static void level_runtimes(struct sim *s)
{
	double most = 0;

	for (unsigned int i = 0; i < s->setup->workers; i++)
		most = fmax(most, fmax(s->flow[i].runtime_sender, s->flow[i].runtime_receiver));
	for (unsigned int i = 0; i < s->setup->workers; i++) {
		struct sim_flow *f = &s->flow[i];

		f->runtime_sender = fmax(f->runtime_sender, most - 3 * SLICE_NS);
		f->runtime_receiver = fmax(f->runtime_receiver, most - 3 * SLICE_NS);
	}
}

static unsigned int cores_of_senders(const struct sim *s)
{
	return s->setup->shared_cores ? s->setup->shared_cores : s->setup->workers;
}

static void tell_spare(struct sim *s)
{
	unsigned int cores = cores_of_senders(s);
	double idle_ns = 0;

	for (unsigned int i = 0; i < cores; i++)
		idle_ns += s->core[i].idle_ns;
	/* in microseconds, of which there were some before */
	spare_cpu_count(&s->spare, cores * (uint64_t)(s->now_ns / 1000 + 1),
			(uint64_t)(idle_ns / 1000));
	for (unsigned int i = 0; i < s->setup->workers; i++)
		migc_ladder_set_spare(&s->flow[i].ladder, s->spare.per_mille);
}

static void run_cores(struct sim *s)
{
	unsigned int cores = s->setup->shared_cores;

	if (cores == 0) {
		for (unsigned int i = 0; i < s->setup->workers; i++) {
			unsigned int at = (i + (unsigned int)s->step) % s->setup->workers;

			s->core[at].idle_ns += run_sender(&s->flow[at], STEP_NS);
			run_receiver(s, &s->flow[at], STEP_NS);
		}
	} else {
		level_runtimes(s);
		for (unsigned int i = 0; i < cores; i++)
			run_shared_core(s, i, cores);
	}
	if (s->step % SPARE_STEPS == 0)
		tell_spare(s);
}

static uint32_t mean_position(const struct sim *s)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < s->setup->workers; i++)
		sum += migc_ladder_position(&s->flow[i].ladder);
	return sum / s->setup->workers;
}

static void tell_mean(struct sim *s)
{
	for (unsigned int i = 0; i < s->setup->workers; i++)
		migc_ladder_set_mean(&s->flow[i].ladder, mean_position(s));
}

static void tell_foot(struct sim *s)
{
	uint32_t foot = migc_foot_turn(&s->foot, s->flow[0].ladder.rungs, (uint64_t)s->now_ns + 1,
				       (uint64_t)s->guest_sent, (uint64_t)s->out->guest_bytes,
				       mean_position(s), true);

	for (unsigned int i = 0; i < s->setup->workers; i++)
		migc_ladder_set_foot(&s->flow[i].ladder, foot);
}

static void run_link(struct sim *s)
{
	double all = queued_all(s);
	double drain = fmin(s->rate * STEP_NS, all);

	for (unsigned int i = 0; i < s->setup->workers && all > 0; i++) {
		struct sim_flow *f = &s->flow[i];
		double bytes = f->queued * drain / all;

		f->queued -= bytes;
		f->arrived += bytes;
	}
}

static struct sim *create(const struct sim_setup *setup, int codec, struct sim_result *out)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->setup = setup;
	s->fixed = codec;
	s->out = out;
	migc_foot_init(&s->foot);
	for (unsigned int i = 0; i < setup->workers; i++) {
		struct sim_flow *f = &s->flow[i];

		f->sim = s;
		f->fifo = calloc(FIFO_BLOCKS, sizeof(f->fifo[0]));
		if (!f->fifo)
			abort();
		migc_ladder_init(&f->ladder, setup->codecs, setup->device_gbit > 0, setup->flags);
		migc_random_seed(&f->random, setup->seed * 31 + i);
		f->window = 10 * PACKET_BYTES;
		f->threshold = WINDOW_MAX;
	}
	return s;
}

static void destroy(struct sim *s)
{
	for (unsigned int i = 0; i < s->setup->workers; i++) {
		s->out->turned += s->flow[i].ladder.stats.turned;
		free(s->flow[i].fifo);
	}
	free(s);
}

static double position(const struct sim *s)
{
	return migc_ladder_position(&s->flow[0].ladder) / 1000.0;
}

void sim_run(const struct sim_setup *setup, int codec, struct sim_result *out)
{
	struct sim *s = create(setup, codec, out);
	double sum = 0, squares = 0, n = 0;

	memset(out, 0, sizeof(*out));
	for (; s->now_ns < setup->seconds * 1e9; s->now_ns += STEP_NS, s->step++) {
		set_phase(s);
		for (unsigned int i = 0; i < setup->workers; i++)
			take_acks(s, &s->flow[i]);
		run_cores(s);
		run_link(s);
		if (!setup->alone && setup->workers > 1 && s->step % MEAN_STEPS == 0)
			tell_mean(s);
		if (s->step % FOOT_STEPS == 0)
			tell_foot(s);
		out->guest_at[(unsigned int)(s->now_ns / (setup->seconds * 1e9) * SIM_MARKS)] =
			out->guest_bytes;
		/* a trial is no oscillation */
		if (s->now_ns >= setup->settle_seconds * 1e9 && s->foot.phase == MIGC_FOOT_REST) {
			sum += position(s);
			squares += position(s) * position(s);
			n++;
		}
	}
	if (n > 0) {
		out->position = sum / n;
		out->deviation = sqrt(fmax(0, squares / n - out->position * out->position));
	}
	destroy(s);
}
