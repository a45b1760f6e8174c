/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The streams of a test: when each has its next packet, and of what size. */
#include "gw/synth.h"

#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ULL
#define NONE UINT64_MAX

/* A packet that a greedy stream owes: no earlier than `at`, of this flow. */
struct due {
	uint64_t at;
	uint32_t flow;
};

/* Times in a ring never run backwards, so its head is its earliest. */
struct ring {
	struct due *v;
	uint32_t head, n, size;
	uint64_t last;
};

struct source {
	const struct synth_stream *s;
	struct synth_rand rand;
	uint64_t weights;	    /* sum over the mix of sizes */
	unsigned __int128 mean_num; /* mean gap in ns = mean_num / mean_den */
	uint64_t mean_den;
	uint64_t start, end; /* with the origin */
	uint64_t next;	     /* open loops; NONE: over */
	uint64_t nth;	     /* packets so far */
	/* open loops: bits (or packets, by interval) since `since` */
	unsigned __int128 sent;
	uint64_t since, until;	  /* the on period, or the whole stream */
	struct ring leave, retry; /* greedy: replacements at once, and those that wait */
};

struct synth {
	struct source *v;
	size_t n;
};

static bool ring_init(struct ring *r, uint32_t size)
{
	r->v = calloc(size, sizeof(*r->v));
	r->size = size;
	return r->v != NULL;
}

static void ring_push(struct ring *r, uint64_t at, uint32_t flow)
{
	uint32_t i = r->head + r->n;

	if (r->n == r->size) /* more answers than packets: the caller's mistake, harmless */
		return;
	if (at < r->last)
		at = r->last;
	r->last = at;
	r->v[i < r->size ? i : i - r->size] = (struct due){at, flow};
	r->n++;
}

static uint64_t ring_when(const struct ring *r)
{
	return r->n ? r->v[r->head].at : NONE;
}

static struct due ring_pop(struct ring *r)
{
	struct due d = r->v[r->head];

	if (++r->head == r->size)
		r->head = 0;
	r->n--;
	return d;
}

static uint64_t period(struct source *o, uint64_t mean)
{
	uint64_t t = mean;

	if (o->s->random_periods)
		t = (uint64_t)(((unsigned __int128)synth_rand_exp(&o->rand) * mean) >> 32);
	return t ? t : 1;
}

static uint64_t sat_add(uint64_t a, uint64_t b)
{
	return a > NONE - b ? NONE : a + b;
}

/* After the one that left at o->next, with `bits`: when does the next packet go? */
static uint64_t after(struct source *o, uint32_t bits)
{
	const struct synth_stream *s = o->s;
	uint64_t t;

	if (s->kind == SYNTH_POISSON) {
		unsigned __int128 gap =
			(unsigned __int128)synth_rand_exp(&o->rand) * o->mean_num / o->mean_den;

		t = sat_add(o->next, (uint64_t)(gap >> 32));
		return t < o->end ? t : NONE;
	}
	o->sent += s->rate ? bits : 1;
	t = sat_add(o->since, s->rate ? (uint64_t)(o->sent * SECOND / s->rate)
				      : (uint64_t)(o->sent * s->interval));
	if (t >= o->until && s->kind == SYNTH_ON_OFF) {
		o->since = t = sat_add(o->until, period(o, s->off));
		o->until = sat_add(t, period(o, s->on));
		o->sent = 0;
	}
	return t < o->end ? t : NONE;
}

static uint32_t pick_size(struct source *o)
{
	const struct synth_stream *s = o->s;
	const struct synth_size *z = s->size;
	uint64_t w;

	if (s->n_size > 1) {
		w = synth_rand_below(&o->rand, o->weights);
		for (; w >= z->weight; z++)
			w -= z->weight;
	}
	if (z->lo == z->hi)
		return z->lo;
	return z->lo + (uint32_t)synth_rand_below(&o->rand, z->hi - z->lo + 1);
}

static bool source_init(struct source *o, const struct synth_stream *s, uint64_t origin)
{
	uint64_t bits = 0; /* weights times mean bits */

	o->s = s;
	o->start = sat_add(origin, s->start);
	o->end = sat_add(origin, s->end);
	synth_rand_init(&o->rand, s->seed);
	for (unsigned i = 0; i < s->n_size; i++) {
		o->weights += s->size[i].weight;
		bits += 4ULL * s->size[i].weight * (s->size[i].lo + s->size[i].hi);
	}
	if (s->rate) {
		o->mean_num = (unsigned __int128)bits * SECOND / o->weights;
		o->mean_den = s->rate;
	} else {
		o->mean_num = s->interval;
		o->mean_den = 1;
	}
	o->next = s->start < s->end ? o->start : NONE;
	o->since = o->start;
	o->until = s->kind == SYNTH_ON_OFF ? sat_add(o->start, period(o, s->on)) : o->end;
	if (s->kind == SYNTH_POISSON && o->next != NONE)
		o->next = after(o, 0);
	if (s->kind != SYNTH_GREEDY)
		return true;
	o->next = NONE;
	if (!ring_init(&o->leave, s->flows * s->window) ||
	    !ring_init(&o->retry, s->flows * s->window))
		return false;
	for (uint32_t i = 0; i < s->flows * s->window; i++)
		ring_push(&o->leave, o->start, i % s->flows);
	return true;
}

struct synth *synth_new(const struct synth_stream *v, size_t n, uint64_t origin)
{
	struct synth *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->v = calloc(n ? n : 1, sizeof(*s->v));
	s->n = s->v ? n : 0;
	for (size_t i = 0; i < s->n; i++) {
		if (!source_init(&s->v[i], &v[i], origin)) {
			synth_free(s);
			return NULL;
		}
	}
	if (!s->v) {
		free(s);
		return NULL;
	}
	return s;
}

void synth_free(struct synth *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].leave.v);
		free(s->v[i].retry.v);
	}
	free(s->v);
	free(s);
}

static uint64_t source_when(const struct source *o)
{
	uint64_t a, b;

	if (o->s->kind != SYNTH_GREEDY)
		return o->next;
	a = ring_when(&o->leave);
	b = ring_when(&o->retry);
	a = a < b ? a : b;
	return a < o->end ? a : NONE;
}

uint64_t synth_when(const struct synth *s)
{
	uint64_t best = NONE;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t t = source_when(&s->v[i]);

		if (t < best)
			best = t;
	}
	return best;
}

bool synth_next(struct synth *s, struct synth_packet *pk)
{
	struct source *best = NULL;
	uint64_t when = NONE;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t t = source_when(&s->v[i]);

		if (t < when) {
			when = t;
			best = &s->v[i];
		}
	}
	if (!best)
		return false;
	pk->when = when;
	pk->stream = (unsigned)(best - s->v);
	pk->len = pick_size(best);
	if (best->s->kind == SYNTH_GREEDY) {
		struct ring *r = ring_when(&best->leave) == when ? &best->leave : &best->retry;

		pk->flow = ring_pop(r).flow;
	} else {
		pk->flow = (uint32_t)(best->nth % best->s->flows);
		best->next = after(best, pk->len * 8);
	}
	pk->caplen =
		synth_build(best->s, pk->flow, pk->len, best->nth / best->s->flows, pk->data);
	best->nth++;
	return true;
}

void synth_sent(struct synth *s, unsigned stream, uint32_t flow, uint64_t when)
{
	if (stream < s->n && s->v[stream].s->kind == SYNTH_GREEDY)
		ring_push(&s->v[stream].leave, when, flow);
}

void synth_dropped(struct synth *s, unsigned stream, uint32_t flow, uint64_t when, uint64_t gap)
{
	struct source *o;

	if (stream >= s->n || s->v[stream].s->kind != SYNTH_GREEDY)
		return;
	o = &s->v[stream];
	if (when < o->retry.last)
		when = o->retry.last;
	ring_push(&o->retry, when + (gap ? gap : 1), flow);
}
