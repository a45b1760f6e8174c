/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs of an engine in virtual time in which other engines take over, the record of what
 * became of each packet, and what must hold of it. Before it, cmocka.h.
 */
#ifndef WEIR_TESTS_RELOAD_RIG_H
#define WEIR_TESTS_RELOAD_RIG_H

#include "tests/unit/engine_rig.h"

#define MS 1000000ull
#define S (1000 * MS)
#define START (1700000000 * S)
#define FLOWS 12u
#define HOSTS 3u /* the flows of one go out together */

enum { PACKETS = 60000 };

struct come {
	uint64_t when;
	uint32_t flow, len;
};

struct went {
	uint64_t when; /* 0: it is still there */
	uint32_t len;
	uint8_t what, drop;
	bool ce;
};

struct world {
	struct rig r;
	uint64_t now;
	uint32_t n; /* packets that came */
	struct come come[PACKETS];
	struct went went[PACKETS];
	uint64_t drops, marks, changes;
};

/* When another policy takes over; `next` may be the same one. */
struct changes {
	const char *const *policy;
	unsigned n;
	uint64_t every; /* ns; 0: never */
	uint64_t seed;
};

static inline struct dissected packet_of(const struct world *w, uint32_t id)
{
	static struct packet p;
	const struct come *c = &w->come[id];

	/* half of them allow ECN */
	return rig_packet(&p, 17, 0x0a000001 + c->flow % HOSTS, 1000 + c->flow, 1, c->len,
			  id % 2 ? 1 : 0);
}

static inline void note(struct world *w, const struct engine_event *ev)
{
	struct went *to = &w->went[ev->id];

	assert_int_equal(to->when, 0);
	assert_int_equal(ev->arrival, w->come[ev->id].when);
	*to = (struct went){w->now, ev->len, (uint8_t)ev->what, (uint8_t)ev->drop, ev->set_ce};
	w->drops += ev->what == ENGINE_DROPPED;
	w->marks += ev->set_ce;
}

static inline void poll_all(struct world *w)
{
	struct engine_event ev;

	while (engine_poll(w->r.engine, w->now, &ev) != ENGINE_NOTHING)
		note(w, &ev);
}

static inline void drain(struct world *w, uint64_t until)
{
	uint64_t next;

	while ((next = engine_next(w->r.engine)) <= until) {
		if (next > w->now)
			w->now = next;
		poll_all(w);
	}
	w->now = until;
}

static inline void note_dropped(struct world *w, struct engine *e)
{
	struct engine_event ev;

	while (engine_dropped(e, &ev) != ENGINE_NOTHING) {
		assert_int_equal(ev.what, ENGINE_DROPPED);
		note(w, &ev);
	}
}

static inline void take_over(struct world *w, struct rig new)
{
	static struct engine_left left[PACKETS];
	uint64_t drops = w->drops;
	size_t n;

	poll_all(w);
	n = engine_withdraw(w->r.engine, left, PACKETS);
	assert_int_equal(engine_waiting(w->r.engine), 0);
	engine_inherit(new.engine, w->r.engine);
	for (size_t i = 0; i < n; i++) {
		struct dissected d = packet_of(w, (uint32_t)left[i].id);

		assert_int_equal(
			engine_return(new.engine, w->now, left[i].arrival, left[i].id, &d),
			ENGINE_QUEUED);
		if (i % 500 == 0 || i + 1 == n)
			note_dropped(w, new.engine);
	}
	/* nothing leaves while it is returned */
	assert_int_equal(engine_waiting(new.engine) + w->drops - drops, n);
	rig_close(&w->r);
	w->r = new;
	w->changes++;
	poll_all(w);
}

/* A packet comes at its time. */
static inline void come_in(struct world *w, uint32_t id)
{
	struct dissected d;

	drain(w, w->come[id].when);
	d = packet_of(w, id);
	assert_int_equal(engine_packet(w->r.engine, w->now, id, &d, NULL), ENGINE_QUEUED);
	poll_all(w);
}

static inline void run(struct world *w, const char *policy, const struct changes *c)
{
	uint64_t seed = c->seed, next = c->every ? START + c->every : NEVER;

	w->r = rig_open(policy, START, NULL);
	w->now = START;
	w->drops = w->marks = w->changes = 0;
	memset(w->went, 0, sizeof(w->went));
	for (uint32_t id = 0; id < w->n; id++) {
		while (next <= w->come[id].when) {
			drain(w, next);
			take_over(w, rig_open(c->policy[packet_random(&seed) % c->n], START,
					      NULL));
			/* from half of `every` to one and a half */
			next += c->every / 2 + packet_random(&seed) % c->every;
		}
		come_in(w, id);
	}
	drain(w, w->now + 1000 * S);
	assert_int_equal(engine_waiting(w->r.engine), 0);
	rig_close(&w->r);
}

/* Every flow comes in trains of packets, at `rate` bit/s in all, for a while, then pauses. */
static inline void traffic(struct world *w, uint64_t seed, uint64_t rate, uint64_t length)
{
	uint64_t at = START, bits = 0;

	w->n = 0;
	while (at < START + length) {
		uint32_t flow = packet_random(&seed) % FLOWS,
			 train = 1 + packet_random(&seed) % 8;
		/* a flow has nothing to say in some seconds */
		bool quiet = ((at - START) / S + flow) % 4 == 3;

		for (uint32_t i = 0; i < train; i++) {
			uint32_t len = 64 + packet_random(&seed) % 1437;

			bits += len * 8;
			if (quiet)
				continue;
			assert_true(w->n < PACKETS);
			w->come[w->n++] = (struct come){at, flow, len};
		}
		at = START + bits * S / rate + packet_random(&seed) % MS;
	}
	/* the noise must not turn time back */
	for (uint32_t i = 1; i < w->n; i++)
		if (w->come[i].when < w->come[i - 1].when)
			w->come[i].when = w->come[i - 1].when;
}

struct left {
	uint64_t when;
	uint32_t id;
};

static inline int by_time(const void *a, const void *b)
{
	const struct left *x = a, *y = b;

	return x->when != y->when ? (x->when > y->when) - (x->when < y->when)
				  : (x->id > y->id) - (x->id < y->id);
}

/*
 * No interval in which a flow (or a host) sent more than rate * t + most: with A(t) what it has
 * sent by t, A - rate * t is nowhere more than `most` above what it was before. In
 * bits times nanoseconds.
 */
static inline void bound(const struct world *w, bool hosts, uint64_t rate, uint32_t most)
{
	struct {
		__int128 sent, least;
		bool any;
	} f[FLOWS] = {0};
	static struct left order[PACKETS];
	uint32_t n = 0;

	/* by time of leaving: within a flow that is the order of coming, within a host not */
	for (uint32_t i = 0; i < w->n; i++)
		if (w->went[i].what == ENGINE_SENT)
			order[n++] = (struct left){w->went[i].when, i};
	qsort(order, n, sizeof(order[0]), by_time);
	for (uint32_t i = 0; i < n; i++) {
		const struct went *p = &w->went[order[i].id];
		uint32_t flow = w->come[order[i].id].flow, k = hosts ? flow % HOSTS : flow;
		__int128 now = f[k].sent - (__int128)rate * (p->when - START);

		if (!f[k].any || now < f[k].least)
			f[k].least = now;
		f[k].any = true;
		f[k].sent += (__int128)p->len * 8 * S;
		now += (__int128)p->len * 8 * S;
		if (now - f[k].least > (__int128)most * 8 * S)
			fail_msg("flow %u: %.0f bytes too many at %.3f ms, after %llu changes",
				 k, (double)(now - f[k].least) / 8 / S - most,
				 (double)(p->when - START) / MS,
				 (unsigned long long)w->changes);
	}
	assert_true(n > 1000);
}

static inline struct world *made(uint64_t seed, uint64_t rate, uint64_t length)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	traffic(w, seed, rate, length);
	return w;
}

/* The same packets leave, are dropped and are marked, at the same times. */
static inline void same(const struct world *a, const struct world *b, const char *policy)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (memcmp(&a->went[i], &b->went[i], sizeof(a->went[i])) != 0)
			fail_msg("%s\npacket %u, flow %u: %d at %.6f ms, without changes %d at "
				 "%.6f ms",
				 policy, i, a->come[i].flow, a->went[i].what,
				 (double)(a->went[i].when - START) / MS, b->went[i].what,
				 (double)(b->went[i].when - START) / MS);
}

#endif
