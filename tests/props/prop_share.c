/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What classes get does not hang on siblings that are idle or held at their max.
 *
 * The reference is the fluid of the backlogged, added up as it happens: when a packet of
 * `len` bytes leaves below a parent, each of its classes that is backlogged and not kept at
 * its max is due len w_i / (sum of theirs). A class is off by what it was due less what it
 * sent; over any interval it is off by the range of that. What one that is held sends is
 * taken off the line before.
 * wfq: at most two largest packets, whatever the idle or the held weigh, at each level of a
 * tree, and, among those that stay, while others come and go. drr, and priority among
 * equals: the very same packets in the same order with and without one that sends nothing.
 */
#include <math.h>

#include "tests/props/rig.h"

#define NS_PER_BYTE 80 /* 100 Mbit/s */
#define MANY 50

struct share {
	struct rig r;
	uint32_t apart; /* this class is not of the fluid: idle or held; 0: none */
	uint32_t stay;	/* classes above this come and go and are not compared; 0: none do */
	int64_t waiting[RIG_CLASSES];
	long double off[RIG_CLASSES], high[RIG_CLASSES], low[RIG_CLASSES], worst;
	uint64_t hash; /* of who left, in order */
};

static bool takes_part(const struct share *u, uint32_t i)
{
	return u->waiting[i] > 0 && i != u->apart && (!u->stay || i <= u->stay);
}

/* One that becomes backlogged is measured from then on. */
static void share_arrived(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct share *u = r->user;

	(void)p;
	for (uint32_t i = leaf; i; i = r->parent[i])
		if (!u->waiting[i]++)
			u->off[i] = u->high[i] = u->low[i] = 0;
}

static void note(struct share *u, uint32_t i)
{
	u->high[i] = fmaxl(u->high[i], u->off[i]);
	u->low[i] = fminl(u->low[i], u->off[i]);
	u->worst = fmaxl(u->worst, fmaxl(u->high[i], -u->low[i]) / RIG_MTU);
}

static void share_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct share *u = r->user;

	u->hash = (u->hash ^ leaf) * 0x100000001b3ULL + p->len;
	for (uint32_t i = leaf; i; i = r->parent[i]) {
		long double sum = 0;

		for (uint32_t k = 1; k < r->classes; k++)
			if (r->parent[k] == r->parent[i] && takes_part(u, k))
				sum += r->conf[k].weight;
		for (uint32_t k = 1; takes_part(u, i) && k < r->classes; k++) {
			if (r->parent[k] != r->parent[i] || !takes_part(u, k))
				continue;
			u->off[k] += p->len * (r->conf[k].weight / sum) -
				     (k == i ? (long double)p->len : 0);
			note(u, k);
		}
		u->waiting[i]--;
	}
}

static struct share *begin(uint64_t seed, enum tree_sched sched)
{
	struct share *u = calloc(1, sizeof(*u));

	assert_non_null(u);
	rig_init(&u->r, seed, 8 * RIG_SECOND / NS_PER_BYTE, 1, sched);
	u->r.user = u;
	u->r.arrived = share_arrived;
	u->r.sent = share_sent;
	return u;
}

static struct rig_source *greedy(struct rig *r, uint32_t parent, uint32_t weight)
{
	struct rig_source *s = rig_source(r, rig_add(r, parent, rig_leaf(weight)));

	s->greedy = 2;
	return s;
}

static long double finish(struct share *u, uint64_t time)
{
	long double worst;

	rig_build(&u->r, 200000);
	rig_start(&u->r);
	rig_run(&u->r, time);
	RIG_CHECK(u->r.out > 100, "only %" PRIu64 " packets left", u->r.out);
	worst = u->worst;
	rig_free(&u->r);
	free(u);
	return worst;
}

static const uint32_t weights[] = {0, 1, 100, 10000}; /* of the one apart; 0: there is none */

static struct share *fifty(uint64_t seed, enum tree_sched sched)
{
	struct share *u = begin(seed, sched);

	for (uint32_t i = 0; i < MANY; i++)
		greedy(&u->r, 0, i ? 10 + i * 7 % 41 : 500); /* who has much has much to lose */
	return u;
}

static void test_idle(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < 4; k++) {
		struct share *u = fifty(k + 1, TREE_WFQ);
		long double off;

		if (weights[k])
			u->apart = rig_add(&u->r, 0, rig_leaf(weights[k]));
		off = finish(u, RIG_SECOND);
		printf("idle, weight %u: %.2Lf packets\n", weights[k], off);
		RIG_CHECK(off <= 2, "%.2Lf packets off beside an idle class of weight %u", off,
			  weights[k]);
	}
}

static void test_held(void **state)
{
	(void)state;
	for (uint32_t k = 1; k < 4; k++) {
		struct share *u = fifty(k + 1, TREE_WFQ);
		uint32_t held;
		long double off;

		greedy(&u->r, 0, weights[k]);
		held = u->r.classes - 1;
		u->r.conf[held].max = (struct tree_bucket_conf){1000000, 2 * RIG_MTU};
		/* of weight 1 it gets less than its max and is one as the others */
		u->apart = weights[k] > 1 ? held : 0;
		off = finish(u, RIG_SECOND);
		printf("held, weight %u: %.2Lf packets\n", weights[k], off);
		RIG_CHECK(off <= 2, "%.2Lf packets off beside a class of weight %u at its max",
			  off, weights[k]);
	}
}

static void one_changing(uint64_t seed)
{
	struct share *u = begin(seed, TREE_WFQ);
	long double off;

	for (uint32_t i = 0; i < 10; i++)
		greedy(&u->r, 0, (uint32_t)rig_range(&u->r.random, 10, 50));
	u->stay = 10;
	for (uint32_t i = 0; i < 30; i++) {
		struct rig_source *s =
			greedy(&u->r, 0, (uint32_t)rig_range(&u->r.random, 1, 50));

		s->greedy = 0;
		s->rate = rig_range(&u->r.random, 200000, 3000000);
		s->train = (uint32_t)rig_range(&u->r.random, 1, 8);
		s->poisson = true;
	}
	u->apart = rig_add(&u->r, 0, rig_leaf(seed % 2 ? 1 : 10000));
	off = finish(u, RIG_SECOND);
	printf("changing, seed %" PRIu64 ": %.2Lf packets\n", seed, off);
	RIG_CHECK(off <= 2, "%.2Lf packets off while classes come and go", off);
}

static void test_changing(void **state)
{
	(void)state;
	rig_seeds(one_changing, 12);
}

/* Three levels of three, at each one more that sends nothing. Against its siblings' parent. */
static long double three_levels(uint32_t idle, enum tree_sched sched)
{
	struct share *u = begin(1 + idle, sched);
	struct rig *r = &u->r;
	uint32_t a, b;

	for (uint32_t i = 0; i < 3; i++) {
		a = rig_add(r, 0, rig_inner(10 + 13 * i, sched));
		for (uint32_t j = 0; j < 3; j++) {
			b = rig_add(r, a, rig_inner(10 + 17 * j, sched));
			for (uint32_t k = 0; k < 3; k++)
				greedy(r, b, 10 + 11 * k);
			if (idle)
				rig_add(r, b, rig_leaf(idle));
		}
		if (idle)
			rig_add(r, a, rig_leaf(idle));
	}
	if (idle)
		rig_add(r, 0, rig_leaf(idle));
	return finish(u, RIG_SECOND);
}

static void test_levels(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < 4; k++) {
		long double off = three_levels(weights[k], TREE_WFQ);

		printf("three levels, idle of weight %u: %.2Lf packets\n", weights[k], off);
		RIG_CHECK(off <= 2, "%.2Lf packets off with idle classes of weight %u", off,
			  weights[k]);
	}
}

/* The same packets, in the same order. */
static uint64_t order(enum tree_sched sched, uint32_t idle)
{
	struct share *u = fifty(7, sched);
	uint64_t hash;

	if (idle)
		rig_add(&u->r, 0, rig_leaf(idle));
	rig_build(&u->r, 200000);
	rig_start(&u->r);
	rig_run(&u->r, RIG_SECOND / 2);
	hash = u->hash;
	rig_free(&u->r);
	free(u);
	return hash;
}

static void test_rounds(void **state)
{
	static const enum tree_sched kinds[] = {TREE_DRR, TREE_PRIORITY};

	(void)state;
	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t k = 1; k < 4; k++)
			RIG_CHECK(order(kinds[i], weights[k]) == order(kinds[i], 0),
				  "%s: an idle class of weight %u changes who goes",
				  i ? "priority" : "drr", weights[k]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),	 cmocka_unit_test(test_held),
		cmocka_unit_test(test_changing), cmocka_unit_test(test_levels),
		cmocka_unit_test(test_rounds),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
