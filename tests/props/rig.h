/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rig to drive a tree in virtual time: classes, sources of packets, and the loop that
 * a link would be. What it knows of the scheduler is sched/tree.h and nothing else.
 *
 * Everything random comes from one seed, which every failed check prints; a program
 * that is given a seed as its argument runs that one only.
 */
#ifndef WEIR_TESTS_PROPS_RIG_H
#define WEIR_TESTS_PROPS_RIG_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sched/tree.h"

#define RIG_CLASSES 64
#define RIG_SOURCES 512
#define RIG_SECOND 1000000000ULL
#define RIG_MTU 1514u

static uint64_t rig_seed;

#define RIG_CHECK(cond, ...) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "seed %" PRIu64 ": ", rig_seed); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
			fail_msg("seed %" PRIu64 ": %s", rig_seed, #cond); \
		} \
	} while (0)

/* splitmix64 */
static inline uint64_t rig_random(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* lo..hi, both included */
static inline uint64_t rig_range(uint64_t *s, uint64_t lo, uint64_t hi)
{
	return lo + rig_random(s) % (hi - lo + 1);
}

static inline bool rig_chance(uint64_t *s, unsigned percent)
{
	return rig_random(s) % 100 < percent;
}

/* Sizes as they are on real lines: mostly small or full, some between. */
static inline uint32_t rig_size(uint64_t *s, uint32_t lo, uint32_t hi)
{
	unsigned what = rig_random(s) % 4;

	return what == 0 ? lo : what == 1 ? hi : (uint32_t)rig_range(s, lo, hi);
}

struct rig_source {
	uint32_t leaf;
	uint32_t greedy;     /* packets it keeps waiting; 0: sends at `rate` */
	uint64_t rate;	     /* bit/s, charged */
	bool poisson;	     /* gaps vary (uniformly from nothing to twice the mean) */
	uint32_t train;	     /* packets that come at once; 0: one */
	uint64_t pause;	     /* ns more before the next */
	uint32_t lo, hi;     /* sizes */
	uint32_t flows;	     /* 0: one */
	uint64_t flow, host; /* of the first flow; the others count up */
	uint32_t src, dst;   /* 0: from host and flow */
	uint8_t flags;
	uint64_t start, stop; /* stop 0: never */
	/* the rig's own */
	uint64_t next, rest, count;
};

struct rig {
	struct tree *t;
	uint64_t random, now, when;
	uint32_t classes; /* with the root, which is 0 */
	uint32_t parent[RIG_CLASSES];
	uint32_t level[RIG_CLASSES];
	struct tree_class_conf conf[RIG_CLASSES];
	uint32_t sources;
	struct rig_source source[RIG_SOURCES];
	uint32_t timed[RIG_SOURCES], ntimed; /* those not greedy */
	uint64_t in, out, dropped,
		wanting; /* wanting: arrivals for which there was no descriptor */
	void (*arrived)(struct rig *r, const struct pkt *p, uint32_t leaf);
	void (*sent)(struct rig *r, const struct pkt *p, uint32_t leaf);
	void (*lost)(struct rig *r, const struct pkt *p, uint32_t leaf);
	void *user;
};

/* A link of this rate that is a serial line: burst 1 byte makes the bucket exactly that. */
static inline void rig_init(struct rig *r, uint64_t seed, uint64_t rate, uint64_t burst,
			    enum tree_sched sched)
{
	memset(r, 0, sizeof(*r));
	rig_seed = seed;
	r->random = seed * 0x2545f4914f6cdd1dULL + 1;
	r->classes = 1;
	r->conf[0].weight = 1;
	r->conf[0].sched = sched;
	r->conf[0].max.rate = rate;
	r->conf[0].max.burst = burst;
}

static inline struct tree_class_conf rig_inner(uint32_t weight, enum tree_sched sched)
{
	struct tree_class_conf c = {.weight = weight, .sched = sched};

	return c;
}

static inline struct tree_class_conf rig_leaf(uint32_t weight)
{
	struct tree_class_conf c = {
		.weight = weight,
		.leaf = true,
		.queue = TREE_Q_FIFO,
		.limit_packets = 10000,
		.target = 5000000,
		.interval = 100000000,
		.mtu = RIG_MTU,
		.flows = 1024,
		.quantum = RIG_MTU,
	};

	return c;
}

/* The parent of leaf i of a tree with so many inner classes: each has one leaf at least. */
static inline uint32_t rig_parent(uint32_t i, uint32_t inner)
{
	return inner ? i % inner : 0;
}

static inline uint32_t rig_add(struct rig *r, uint32_t parent, struct tree_class_conf c)
{
	uint32_t id = r->classes++;

	assert_true(id < RIG_CLASSES);
	r->parent[id] = parent;
	r->level[id] = r->level[parent] + 1;
	r->conf[id] = c;
	return id;
}

static inline struct rig_source *rig_source(struct rig *r, uint32_t leaf)
{
	struct rig_source *s = &r->source[r->sources++];

	assert_true(r->sources <= RIG_SOURCES);
	s->leaf = leaf;
	s->lo = 64;
	s->hi = RIG_MTU;
	s->flow = s->host = r->sources * 1000003ULL * 1000003ULL;
	return s;
}

static inline void rig_build(struct rig *r, size_t packets)
{
	r->t = tree_new(&r->conf[0], packets, RIG_MTU, 0);
	assert_non_null(r->t);
	for (uint32_t i = 1; i < r->classes; i++)
		assert_int_equal(tree_add(r->t, r->parent[i], &r->conf[i]), i);
	assert_int_equal(tree_ready(r->t), 0);
	r->when = NEVER;
}

static inline void rig_free(struct rig *r)
{
	tree_free(r->t);
	r->t = NULL;
}

static inline void rig_reap(struct rig *r);

/* One packet of source `i` comes now. */
static inline void rig_arrive(struct rig *r, uint32_t i)
{
	struct rig_source *s = &r->source[i];
	struct pkt *p = tree_alloc(r->t);
	uint64_t k;

	if (!p) {
		r->wanting++;
		return;
	}
	k = s->flows > 1 ? rig_random(&r->random) % s->flows : 0;
	memset(p, 0, sizeof(*p));
	p->arrival = r->now;
	p->id = ((uint64_t)i << 40) | s->count++;
	p->flow = (s->flow + k) * 0x9e3779b97f4a7c15ULL;
	p->host = (s->host + k) * 0xbf58476d1ce4e5b9ULL;
	p->src = s->src ? s->src : (uint32_t)(p->host >> 32);
	p->dst = s->dst ? s->dst : (uint32_t)(p->flow >> 32);
	p->len = rig_size(&r->random, s->lo, s->hi);
	p->flags = s->flags;
	r->in++;
	if (r->arrived)
		r->arrived(r, p, s->leaf);
	tree_enqueue(r->t, s->leaf, p, r->now);
	rig_reap(r);
}

/* The next arrival of a timed source: the line before it sends at `rate`, exactly. */
static inline void rig_schedule(struct rig *r, struct rig_source *s, uint64_t bytes)
{
	unsigned __int128 gap = (unsigned __int128)bytes * 8 * RIG_SECOND;

	if (s->poisson)
		gap = gap * (rig_random(&r->random) % 2049) / 1024;
	gap += s->rest;
	s->next += (uint64_t)(gap / s->rate) + s->pause;
	s->rest = (uint64_t)(gap % s->rate);
	if (s->stop && s->next >= s->stop)
		s->next = NEVER;
}

static inline void rig_train(struct rig *r, uint32_t i)
{
	struct rig_source *s = &r->source[i];
	uint64_t bytes = 0, random;

	for (uint32_t k = 0; k < (s->train ? s->train : 1); k++) {
		random = r->random;
		if (s->flows > 1)
			rig_random(&random);
		bytes += rig_size(&random, s->lo, s->hi); /* the size that it will have */
		rig_arrive(r, i);
	}
	rig_schedule(r, s, bytes);
}

static inline void rig_refill(struct rig *r, const struct pkt *p)
{
	struct rig_source *s = &r->source[p->id >> 40];

	if (s->greedy && (!s->stop || r->now < s->stop))
		rig_arrive(r, (uint32_t)(p->id >> 40));
}

static inline void rig_reap(struct rig *r)
{
	struct pkt *p, copy;
	uint32_t leaf = 0;

	while ((p = tree_reap(r->t, &leaf)) != NULL) {
		r->dropped++;
		if (r->lost)
			r->lost(r, p, leaf);
		copy = *p;
		tree_release(r->t, p);
		rig_refill(r, &copy);
	}
}

static inline void rig_drain(struct rig *r)
{
	struct tree_state state;
	struct pkt *p, copy;
	uint32_t leaf = 0;

	for (;;) {
		p = tree_dequeue(r->t, r->now, &leaf, &r->when);
		rig_reap(r);
		if (!p)
			break;
		r->out++;
		if (r->sent)
			r->sent(r, p, leaf);
		copy = *p;
		tree_release(r->t, p);
		rig_refill(r, &copy);
	}
	/* what a drop made room for may have come since */
	tree_get_state(r->t, 0, &state);
	RIG_CHECK(r->when > r->now, "at %" PRIu64 ": asked to come back at %" PRIu64, r->now,
		  r->when);
	RIG_CHECK((r->when == NEVER) == (state.packets == 0), "%u packets wait, when %" PRIu64,
		  state.packets, r->when);
}

/* The time of the next arrival. */
static inline uint64_t rig_next(const struct rig *r)
{
	uint64_t next = NEVER;

	for (uint32_t k = 0; k < r->ntimed; k++)
		if (r->source[r->timed[k]].next < next)
			next = r->source[r->timed[k]].next;
	return next;
}

static inline void rig_start(struct rig *r)
{
	r->ntimed = 0;
	for (uint32_t i = 0; i < r->sources; i++) {
		struct rig_source *s = &r->source[i];

		s->next = s->start;
		if (!s->greedy)
			r->timed[r->ntimed++] = i;
		else
			for (uint32_t k = 0; k < s->greedy; k++)
				rig_arrive(r, i);
	}
	rig_drain(r);
}

/* Lets time pass up to and including `until`. rig_start() comes first. */
static inline void rig_run(struct rig *r, uint64_t until)
{
	uint64_t next;

	for (;;) {
		next = rig_next(r);
		if (r->when < next)
			next = r->when;
		if (next > until)
			break;
		r->now = next;
		for (uint32_t k = 0; k < r->ntimed; k++)
			while (r->source[r->timed[k]].next == r->now)
				rig_train(r, r->timed[k]);
		rig_drain(r);
	}
	r->now = until;
}

/* Runs `one` for each seed, or for the one in argv. */
static int rig_argc;
static char **rig_argv;

static inline void rig_seeds(void (*one)(uint64_t seed), uint64_t seeds)
{
	if (rig_argc > 1) {
		one(strtoull(rig_argv[1], NULL, 0));
		return;
	}
	for (uint64_t seed = 1; seed <= seeds; seed++)
		one(seed);
}

/*
 * A meter of one token bucket's promise: over every interval that ends with a packet,
 * at most rate * t + max(burst, that packet) bytes. The largest excess over all the
 * intervals that end now follows from the one before: a leaky bucket without a bottom.
 */
struct rig_meter {
	__int128 x; /* units of 1e-9 bit */
	uint64_t at;
};

static inline bool rig_meter_add(struct rig_meter *m, const struct tree_bucket_conf *b,
				 uint32_t len, uint64_t now)
{
	const __int128 byte = 8 * (__int128)RIG_SECOND;

	m->x -= (__int128)b->rate * (now - m->at);
	if (m->x < 0)
		m->x = 0;
	m->at = now;
	m->x += len * byte;
	return m->x <= (b->burst > len ? b->burst : len) * byte;
}

#endif
