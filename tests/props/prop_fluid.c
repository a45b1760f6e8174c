/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Throughput of every leaf of random trees against the fluid model.
 *
 * A leaf may differ from the fluid by 1 % and by what the packet algorithms owe at the two
 * ends of the measurement: a few packets for each level, a quantum for each DRR above it
 * (quanta are proportional to the weights, the smallest at most the mtu), and what its
 * buckets may hold saved up. Runs are long enough for that to be small beside the 1 %
 * where the packets at hand allow it.
 */
#include "tests/props/fluid.h"
#include "tests/props/rig.h"

#define PACKETS 150000 /* of a run, about */

struct run {
	struct rig r;
	struct fluid_node fluid[RIG_CLASSES];
	unsigned char is_leaf[RIG_CLASSES];
	uint64_t bytes[RIG_CLASSES];
	uint64_t rate;
};

static void count(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	((struct run *)r->user)->bytes[leaf] += p->len;
}

/* What a turn of class i may bring it below DRR, 0 below the others. */
static uint64_t quantum(const struct rig *r, uint32_t i)
{
	uint32_t least = UINT32_MAX;

	if (r->conf[r->parent[i]].sched != TREE_DRR)
		return 0;
	for (uint32_t k = 1; k < r->classes; k++)
		if (r->parent[k] == r->parent[i] && r->conf[k].weight < least)
			least = r->conf[k].weight;
	return (uint64_t)RIG_MTU * r->conf[i].weight / least + 1;
}

/* The larger of two packets and one millisecond, as a policy has it when it does not say. */
static uint64_t usual_burst(uint64_t rate)
{
	uint64_t ms = rate / 8000;

	return ms > 2 * RIG_MTU ? ms : 2 * RIG_MTU;
}

static enum tree_sched any_sched(uint64_t *s, uint64_t seed)
{
	static const enum tree_sched one[] = {TREE_WFQ, TREE_DRR, TREE_FAIR};

	/* one tree in two is all of a kind, so that a fault says whose it is */
	return one[seed % 2 ? (seed / 2) % 3 : rig_random(s) % 3];
}

/* Inner classes first, a chain down to `depth`, then leaves anywhere; nobody without a child.
 */
static void grow(struct run *u, uint64_t seed)
{
	struct rig *r = &u->r;
	uint64_t *s = &r->random;
	uint32_t depth = (uint32_t)rig_range(s, 1, 5);
	uint32_t inner = depth - 1 + (depth > 1 ? (uint32_t)rig_range(s, 0, 6) : 0);
	uint32_t leaves = (uint32_t)rig_range(s, 2, 40), parent, i;

	for (i = 0; i < inner; i++) {
		parent = i < depth - 1 ? i : (uint32_t)rig_range(s, 0, i);
		while (r->level[parent] >= depth - 1)
			parent = r->parent[parent];
		rig_add(r, parent,
			rig_inner((uint32_t)rig_range(s, 1, 100), any_sched(s, seed)));
	}
	for (i = 0; i < leaves || i <= inner; i++) {
		struct tree_class_conf c = rig_leaf((uint32_t)rig_range(s, 1, 100));

		c.limit_packets = 3000;
		parent = i <= inner ? i : (uint32_t)rig_range(s, 0, inner);
		u->is_leaf[rig_add(r, parent, c)] = 1;
	}
}

/* min for some, so that they fit into `share` of the link; counted upward as DESIGN has it. */
static void set_min(struct run *u, long double share)
{
	struct rig *r = &u->r;
	long double want[RIG_CLASSES] = {0}, below[RIG_CLASSES] = {0};
	uint32_t i;

	for (i = r->classes; i-- > 1;) {
		if (rig_chance(&r->random, u->is_leaf[i] ? 40 : 20))
			want[i] = below[i] + (long double)rig_range(&r->random, 1, 1000);
		else
			want[i] = below[i];
		below[r->parent[i]] += want[i];
	}
	if (below[0] <= 0)
		return;
	for (i = 1; i < r->classes; i++) {
		r->conf[i].min.rate = (uint64_t)(want[i] / below[0] * share * u->rate);
		if (r->conf[i].min.rate)
			r->conf[i].min.burst = usual_burst(r->conf[i].min.rate);
	}
}

/*
 * A parent that has its own turns by DRR gets its share a quantum at a time, at the speed of
 * the link. A max below it must be able to save up for that, or it takes from the class
 * what the fluid would give it: hence the burst.
 */
static void set_max(struct run *u, unsigned percent)
{
	struct rig *r = &u->r;
	uint64_t rate;

	for (uint32_t i = 1; i < r->classes; i++) {
		if (!rig_chance(&r->random, percent))
			continue;
		rate = u->rate / 1000 * rig_range(&r->random, 20, 600);
		if (rate < r->conf[i].min.rate + r->conf[i].min.rate / 20 + r->classes)
			rate = r->conf[i].min.rate + r->conf[i].min.rate / 20 + r->classes;
		r->conf[i].max.rate = rate;
		r->conf[i].max.burst = usual_burst(rate);
		for (uint32_t up = r->parent[i]; up; up = r->parent[up])
			r->conf[i].max.burst += 2 * quantum(r, up);
	}
}

/* The fluid's view of the tree with these demands. */
static void solve(struct run *u)
{
	struct rig *r = &u->r;

	for (uint32_t i = 0; i < r->classes; i++) {
		struct fluid_node *n = &u->fluid[i];
		bool equal = i && r->conf[r->parent[i]].sched == TREE_FAIR;

		n->parent = r->parent[i];
		n->weight = equal ? 1 : r->conf[i].weight;
		n->min = r->conf[i].min.rate;
		n->max = r->conf[i].max.rate ? r->conf[i].max.rate : HUGE_VALL;
	}
	fluid_solve(u->fluid, r->classes, u->is_leaf);
}

/* Some leaves greedy, some at a constant rate about what they would get, some idle. */
static void set_demand(struct run *u)
{
	struct rig *r = &u->r;
	long double greedy[RIG_CLASSES];
	struct rig_source *s;

	for (uint32_t i = 1; i < r->classes; i++)
		u->fluid[i].demand = FLUID_GREEDY;
	solve(u);
	for (uint32_t i = 1; i < r->classes; i++)
		greedy[i] = u->fluid[i].rate;
	for (uint32_t i = 1; i < r->classes; i++) {
		unsigned what = rig_random(&r->random) % 10;

		if (!u->is_leaf[i])
			continue;
		u->fluid[i].demand = 0;
		if (what == 9)
			continue;
		s = rig_source(r, i);
		s->lo = (uint32_t)rig_range(&r->random, 64, RIG_MTU);
		s->hi = (uint32_t)rig_range(&r->random, s->lo, RIG_MTU);
		if (what < 5) {
			s->greedy = 4;
			u->fluid[i].demand = FLUID_GREEDY;
			continue;
		}
		s->rate = (uint64_t)(greedy[i] * rig_range(&r->random, 20, 300) / 100) + 1000;
		s->start = rig_range(&r->random, 0, 1000000);
		u->fluid[i].demand = s->rate;
	}
	solve(u);
}

/* Bytes by which the packet schedule may be off at the ends of a measurement. */
static long double slack(const struct run *u, uint32_t leaf)
{
	const struct rig *r = &u->r;
	long double sum = 4 * RIG_MTU;

	for (uint32_t i = leaf; i; i = r->parent[i])
		sum += 2 * RIG_MTU + r->conf[i].max.burst + r->conf[i].min.burst +
		       quantum(r, i);
	return sum;
}

/*
 * What comes to a leaf because others miss their max by as much as they may: 1 %. (Whoever
 * must wait for the line with a full bucket loses what it can not save.)
 */
static long double lent(const struct run *u, uint32_t leaf)
{
	long double sum = 0;

	for (uint32_t i = leaf; i; i = u->r.parent[i])
		for (uint32_t k = 1; k < u->r.classes; k++)
			if (k != i && u->r.parent[k] == u->r.parent[i] &&
			    u->fluid[k].rate >= u->fluid[k].max * 0.999999L)
				sum += u->fluid[k].rate / 100;
	return sum;
}

static void check(struct run *u, uint64_t time)
{
	for (uint32_t i = 1; i < u->r.classes; i++) {
		long double want = u->fluid[i].rate * time / 8 / RIG_SECOND;
		long double off = u->bytes[i] - want;

		if (!u->is_leaf[i])
			continue;
		RIG_CHECK(off >= -want / 100 - slack(u, i) &&
				  off <= want / 100 + slack(u, i) +
						  lent(u, i) * time / 8 / RIG_SECOND,
			  "leaf %u of %u: fluid %.0Lf bit/s, got %.0Lf (%.2Lf %%), slack %.2Lf "
			  "%%",
			  i, u->r.classes, u->fluid[i].rate,
			  u->bytes[i] * 8.0L * RIG_SECOND / time, off * 100 / want,
			  slack(u, i) * 100 / want);
	}
}

static void describe(const struct run *u)
{
	for (uint32_t i = 0; i < u->r.classes; i++)
		fprintf(stderr,
			"%u: parent %u sched %d weight %u min %" PRIu64 " max %" PRIu64
			" demand %.0Lf fluid %.0Lf\n",
			i, u->r.parent[i], u->is_leaf[i] ? -1 : (int)u->r.conf[i].sched,
			u->r.conf[i].weight, u->r.conf[i].min.rate, u->r.conf[i].max.rate,
			u->fluid[i].demand, u->fluid[i].rate);
}

static void one_tree(uint64_t seed)
{
	struct run *u = calloc(1, sizeof(*u));
	uint64_t warm, time;

	assert_non_null(u);
	rig_init(&u->r, seed, 1, 1, TREE_WFQ);
	u->rate = rig_range(&u->r.random, 1, 1000) * 1000000;
	u->r.conf[0].max.rate = u->rate;
	u->r.conf[0].max.burst = usual_burst(u->rate);
	u->r.conf[0].sched = any_sched(&u->r.random, seed);
	u->r.user = u;
	u->r.sent = count;
	grow(u, seed);
	if (seed % 3)
		set_min(u, rig_range(&u->r.random, 10, 90) / 100.0L);
	if (seed % 4)
		set_max(u, 25);
	set_demand(u);
	if (getenv("WEIR_PROP_VERBOSE"))
		describe(u);
	rig_build(&u->r, 200000);

	time = (uint64_t)(PACKETS * 700.0L * 8 * RIG_SECOND / u->rate);
	warm = time / 4;
	rig_start(&u->r);
	rig_run(&u->r, warm);
	memset(u->bytes, 0, sizeof(u->bytes));
	rig_run(&u->r, warm + time);
	check(u, time);
	rig_free(&u->r);
	free(u);
}

static void test_trees(void **state)
{
	(void)state;
	rig_seeds(one_tree, 60);
}

/* The calculator itself, against sums done by hand. */
static void test_calculator(void **state)
{
	/* 10 to share: a asks 1; b min 4, weight 1; c weight 2, max 3; d weight 1: theta 1.25
	 */
	struct fluid_node n[] = {
		{.max = 10},
		{.weight = 5, .max = HUGE_VALL, .demand = 1},
		{.weight = 1, .min = 4, .max = HUGE_VALL, .demand = FLUID_GREEDY},
		{.weight = 2, .max = 3, .demand = FLUID_GREEDY},
		{.weight = 1, .max = HUGE_VALL, .demand = FLUID_GREEDY},
	};
	/* 10 to share: inner (min 1, children's 4, weight 1) and a leaf of weight 2 */
	struct fluid_node m[] = {
		{.max = 10},
		{.weight = 1, .min = 1, .max = HUGE_VALL},
		{.weight = 2, .max = HUGE_VALL, .demand = FLUID_GREEDY},
		{.parent = 1, .weight = 1, .min = 4, .max = HUGE_VALL, .demand = FLUID_GREEDY},
		{.parent = 1, .weight = 3, .max = HUGE_VALL, .demand = 0.5L},
	};
	static const unsigned char leaf_n[] = {0, 1, 1, 1, 1}, leaf_m[] = {0, 0, 1, 1, 1};

	(void)state;
	fluid_solve(n, 5, leaf_n);
	assert_true(fabsl(n[1].rate - 1) < 1e-9L);
	assert_true(fabsl(n[2].rate - 5.25L) < 1e-9L); /* 1 + 4+t + 2t + t = 10: t = 1.25 */
	assert_true(fabsl(n[3].rate - 2.5L) < 1e-9L);
	assert_true(fabsl(n[4].rate - 1.25L) < 1e-9L);
	fluid_solve(m, 5, leaf_m);
	assert_true(fabsl(m[1].rate - 6) < 1e-9L); /* 4 + t + 2t = 10 */
	assert_true(fabsl(m[2].rate - 4) < 1e-9L);
	assert_true(fabsl(m[3].rate - 5.5L) < 1e-9L);
	assert_true(fabsl(m[4].rate - 0.5L) < 1e-9L);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calculator),
		cmocka_unit_test(test_trees),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
