/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WF2Q+ (Bennett and Zhang, "Hierarchical Packet Fair Queueing Algorithms", 1996) on a
 * serial link with classes that come and go. Class i has the rate r_i = C w_i / W, W the
 * sum of all weights. Held to:
 *
 *  - the guaranteed-rate clock: a packet has been sent no later than Lmax / C after
 *    F = max(arrival, F of the packet before) + L / r_i (theorem 4; for a class that is
 *    always backlogged beside others that are, F is its time under GPS). V counts a packet
 *    whole when it is chosen, as in the hierarchical form of the algorithm. A class that
 *    gets its first packet while one is on the line is thus heard at the end of that one,
 *    which is when the next is chosen: for it, the clock starts there;
 *  - the bit worst-case fair index (definition 2, theorem 4): from any boundary between
 *    packets to the end of a packet of class i, all the time backlogged, i falls behind its
 *    share r_i / C of the service by at most L_i + (Lmax - L_i) r_i / C. (At a boundary
 *    while its packet still waits, it may be behind by that packet's L_i (1 - r_i / C)
 *    more, which that packet then makes up.)
 *  - when all are backlogged, that no class is ever ahead of GPS by more than
 *    L (1 - r_i / C) (WF2Q, theorem 1: only packets that GPS has begun may start);
 *  - the algorithm itself, packet by packet: of those with S <= V the one with the least
 *    F. V grows by the length sent over the weights of those that wait and of those that
 *    have gone with F > V, these until V is at their F; it is never below the least S;
 *    when none waits it is at the last F. The reference looks through all classes for
 *    each of that, in long double. Where two of its times are as good as equal (a
 *    hundredth of a byte of weight 1), either will do: the scheduler may round 1/w, but it
 *    may not let that add up.
 */
#include <math.h>

#include "tests/props/rig.h"

#define NS_PER_BYTE 100 /* 80 Mbit/s */
#define NEAR 0.01L	/* of a byte of weight 1 */
#define DEEP 16384	/* packets of a class that may wait */

struct wfq_class {
	int64_t weight, lmax;
	uint32_t len[DEEP]; /* what waits, a ring */
	int64_t clock[DEEP];
	uint32_t head, n;
	int64_t last;		   /* guaranteed-rate clock, units of 1/w_i ns */
	int64_t sent, highest;	   /* bytes; the highest of sent * W - w_i * all */
	long double start, finish; /* bytes of weight 1 */
};

struct wfq {
	struct rig r;
	uint32_t n;
	int64_t weights, lmax, all;
	long double v;
	uint64_t heard; /* when the last packet came */
	uint64_t free;	/* when the packet on the line has been sent */
	bool always;	/* all are backlogged all the time */
	struct wfq_class c[RIG_CLASSES];
};

static void set_finish(struct wfq_class *c)
{
	c->finish = c->start + (long double)c->len[c->head % DEEP] / c->weight;
}

/* V is never below the least start of those that wait. */
static void lift_v(struct wfq *w)
{
	long double least = HUGE_VALL;

	for (uint32_t i = 1; i <= w->n; i++)
		if (w->c[i].n && w->c[i].start < least)
			least = w->c[i].start;
	if (least < HUGE_VALL && least > w->v)
		w->v = least;
}

/* V, while `left` bytes are sent: from one time at which one that has gone is done to the next.
 */
static void move_v(struct wfq *w, long double left)
{
	long double sum, done;

	for (;;) {
		sum = 0;
		done = HUGE_VALL;
		for (uint32_t i = 1; i <= w->n; i++) {
			const struct wfq_class *k = &w->c[i];

			if (!k->n && k->finish <= w->v)
				continue;
			sum += k->weight;
			if (!k->n && k->finish < done)
				done = k->finish;
		}
		if (done == HUGE_VALL || (done - w->v) * sum > left)
			break;
		left -= (done - w->v) * sum;
		w->v = done;
	}
	w->v += left / sum;
}

/* If none waits the fluid is done with all. */
static void rest_v(struct wfq *w)
{
	long double last = w->v;

	for (uint32_t i = 1; i <= w->n; i++) {
		if (w->c[i].n)
			return;
		last = fmaxl(last, w->c[i].finish);
	}
	w->v = last;
}

static int64_t behind(const struct wfq *w, const struct wfq_class *c)
{
	return c->sent * w->weights - c->weight * w->all;
}

static void wfq_arrived(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct wfq *w = r->user;
	struct wfq_class *c = &w->c[leaf];
	int64_t now, f;
	struct tree_state state;
	uint32_t at = (c->head + c->n) % DEEP;

	assert_true(c->n < DEEP);
	if (r->now != w->heard) /* the tree has been asked since the last one came */
		lift_v(w);
	w->heard = r->now;
	now = (int64_t)(!c->n && w->free > r->now ? w->free : r->now) * c->weight;
	f = c->last > now ? c->last : now;
	/* L / r_i = len * NS_PER_BYTE * W / w_i */
	f += (int64_t)p->len * NS_PER_BYTE * w->weights;
	c->last = f;
	c->len[at] = p->len;
	c->clock[at] = f;
	if (c->n++)
		return;
	tree_get_state(r->t, 0, &state);
	c->highest = behind(w, c);
	c->start = c->finish > w->v ? c->finish : w->v;
	set_finish(c);
}

static void check_bounds(struct wfq *w, struct wfq_class *c, uint32_t leaf)
{
	int64_t y, most;

	for (uint32_t i = 1; i <= w->n; i++) {
		struct wfq_class *k = &w->c[i];

		if (!k->n && k != c)
			continue;
		y = behind(w, k);
		most = k->lmax * w->weights + (w->lmax - k->lmax) * k->weight;
		if (k != c)
			most += k->lmax * (w->weights - k->weight);
		RIG_CHECK(k->highest - y <= most,
			  "at %" PRIu64
			  " class %u has fallen behind by %.1f bytes (lmax %" PRId64
			  ", of all %" PRId64 ", share %" PRId64 "/%" PRId64 ")",
			  w->r.now, i, (double)(k->highest - y) / w->weights, k->lmax, w->lmax,
			  k->weight, w->weights);
		if (y > k->highest)
			k->highest = y;
	}
	if (w->always)
		RIG_CHECK(behind(w, c) <= c->lmax * (w->weights - c->weight),
			  "at %" PRIu64 " class %u is ahead of GPS by %.1f bytes", w->r.now,
			  leaf, (double)behind(w, c) / w->weights);
}

/* The choice, by the algorithm's own rule, and what follows from it. */
static void check_choice(struct wfq *w, struct wfq_class *c, uint32_t leaf, uint32_t len)
{
	lift_v(w); /* also after a time of idleness */
	RIG_CHECK(c->start <= w->v + NEAR, "at %" PRIu64 " class %u goes %.3Lf before its time",
		  w->r.now, leaf, c->start - w->v);
	for (uint32_t i = 1; i <= w->n; i++) {
		const struct wfq_class *k = &w->c[i];

		RIG_CHECK(!k->n || k->start > w->v - NEAR || c->finish <= k->finish + NEAR,
			  "at %" PRIu64
			  " class %u goes, class %u should: it finishes %.3Lf earlier",
			  w->r.now, leaf, i, c->finish - k->finish);
	}
	move_v(w, len); /* its own weight counts for all of the packet */
	c->start = c->finish;
	c->head++;
	if (--c->n)
		set_finish(c);
	rest_v(w);
	lift_v(w);
}

static void wfq_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct wfq *w = r->user;
	struct wfq_class *c = &w->c[leaf];
	int64_t done = ((int64_t)r->now + (int64_t)p->len * NS_PER_BYTE) * c->weight;
	int64_t late = done - c->clock[c->head % DEEP] - w->lmax * NS_PER_BYTE * c->weight;

	RIG_CHECK(late <= 0, "at %" PRIu64 " a packet of class %u is %.1f bytes late", r->now,
		  leaf, (double)late / c->weight / NS_PER_BYTE);
	w->free = r->now + (uint64_t)p->len * NS_PER_BYTE;
	c->sent += p->len;
	w->all += p->len;
	check_choice(w, c, leaf, p->len);
	check_bounds(w, c, leaf);
}

static void add_class(struct wfq *w, uint64_t kind)
{
	struct rig *r = &w->r;
	uint32_t weight = (uint32_t)rig_range(&r->random, 1, 16);
	struct tree_class_conf conf = rig_leaf(weight);
	uint32_t leaf = rig_add(r, 0, conf);
	struct rig_source *s = rig_source(r, leaf);

	s->lo = (uint32_t)rig_range(&r->random, 64, RIG_MTU);
	s->hi = (uint32_t)rig_range(&r->random, s->lo, RIG_MTU);
	w->c[leaf].weight = weight;
	w->c[leaf].lmax = s->hi;
	if (s->hi > w->lmax)
		w->lmax = s->hi;
	if (kind == 0 || rig_chance(&r->random, 40)) {
		s->greedy = 2;
		return;
	}
	s->start = rig_range(&r->random, 0, 2000000);
	s->rate = rig_range(&r->random, 200000, 20000000);
	s->poisson = true;
	s->train = (uint32_t)rig_range(&r->random, 1, 30);
}

static void one_link(uint64_t seed)
{
	struct wfq *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	rig_init(&w->r, seed, 8 * RIG_SECOND / NS_PER_BYTE, 1, TREE_WFQ);
	w->r.user = w;
	w->r.arrived = wfq_arrived;
	w->r.sent = wfq_sent;
	w->always = seed % 3 == 0;
	w->n = (uint32_t)rig_range(&w->r.random, 2, seed % 7 ? 12 : 40);
	for (uint32_t i = 0; i < w->n; i++)
		add_class(w, seed % 3);
	for (uint32_t i = 1; i <= w->n; i++)
		w->weights += w->c[i].weight;
	rig_build(&w->r, 200000);
	rig_start(&w->r);
	rig_run(&w->r, RIG_SECOND);
	RIG_CHECK(w->r.out > 100, "only %" PRIu64 " packets left", w->r.out);
	rig_free(&w->r);
	free(w);
}

/*
 * Weights as different as they may be, all backlogged, for long: nothing may add up. Only
 * what needs no reference: theorem 1's bound ahead of GPS and one packet's behind it.
 */
struct far {
	struct rig r;
	uint32_t n;
	uint64_t weights, all;
	uint64_t sent[RIG_CLASSES];
};

static void far_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct far *f = r->user;
	long double share, ahead, least;

	f->sent[leaf] += p->len;
	f->all += p->len;
	/* all of them in turn, the one that has sent always */
	for (uint32_t i = leaf, k = 0; k < 2; k++, i = 1 + (uint32_t)(r->out % f->n)) {
		share = (long double)r->conf[i].weight / f->weights;
		ahead = f->sent[i] - share * f->all;
		least = -2 * (long double)RIG_MTU * (1 - share) - share * RIG_MTU;
		RIG_CHECK(ahead <= RIG_MTU * (1 - share) + 1,
			  "after %" PRIu64 " bytes class %u (%u of %" PRIu64
			  ") is ahead of GPS by %.3Lf bytes",
			  f->all, i, r->conf[i].weight, f->weights, ahead);
		RIG_CHECK(ahead >= least - 1,
			  "after %" PRIu64 " bytes class %u (%u of %" PRIu64
			  ") is behind GPS by %.3Lf bytes, bound %.3Lf",
			  f->all, i, r->conf[i].weight, f->weights, -ahead, -least);
	}
}

static void one_far(uint64_t seed)
{
	struct far *f = calloc(1, sizeof(*f));
	struct rig *r = &f->r;

	assert_non_null(f);
	rig_init(r, seed, 10000000000, 1, TREE_WFQ);
	r->user = f;
	r->sent = far_sent;
	f->n = (uint32_t)rig_range(&r->random, 3, 9);
	for (uint32_t i = 0; i < f->n; i++) {
		uint32_t weight = (uint32_t)rig_range(&r->random, i ? 1 : 900000,
						      i % 3 == 1 ? 20 : 1000000);
		struct rig_source *s = rig_source(r, rig_add(r, 0, rig_leaf(weight)));

		s->greedy = 2;
		s->lo = 1000;
		f->weights += weight;
	}
	rig_build(r, 1000);
	rig_start(r);
	rig_run(r, RIG_SECOND / 2);
	rig_free(r);
	free(f);
}

static void test_far(void **state)
{
	(void)state;
	rig_seeds(one_far, 6);
}

static void test_wfq(void **state)
{
	(void)state;
	rig_seeds(one_link, 60);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wfq),
		cmocka_unit_test(test_far),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
