/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A leaf that keeps within its `min` waits, wherever in the tree it is, for the packet
 * that is on the line and for what the other classes may send as within theirs: at most
 * the burst of each (one packet where that is larger).
 *
 * Its bucket must be full again when it comes, also when the packets before have waited
 * so long: so it pauses for that time more than its rate asks for.
 *
 * "Whichever became able to go first" goes first, so what another `min` adds meanwhile
 * does not count: between a class's becoming able and its going, every other can use at
 * most what it had saved.
 */
#include "tests/props/rig.h"

struct guard {
	struct rig r;
	bool within[RIG_CLASSES]; /* sends no more than its min allows */
	uint64_t most[RIG_CLASSES];
};

static void guard_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	const struct guard *g = r->user;

	if (g->within[leaf])
		RIG_CHECK(r->now - p->arrival <= g->most[leaf],
			  "class %u: a packet of %u waited %" PRIu64 " ns, bound %" PRIu64,
			  leaf, p->len, r->now - p->arrival, g->most[leaf]);
}

static void guard_lost(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	(void)p;
	RIG_CHECK(false, "class %u dropped a packet at %" PRIu64, leaf, r->now);
}

static void add_leaf(struct guard *g, uint32_t parent, bool mins, uint32_t packets)
{
	struct rig *r = &g->r;
	struct tree_class_conf c = rig_leaf((uint32_t)rig_range(&r->random, 1, 100));
	struct rig_source *s = rig_source(r, r->classes);

	c.priority = (int32_t)rig_range(&r->random, 0, 3);
	if (mins && rig_chance(&r->random, 40)) {
		c.min.rate = rig_range(&r->random, 64000, 3000000);
		c.min.burst = packets * RIG_MTU;
		if (rig_chance(&r->random, 60)) {
			g->within[r->classes] = true;
			/* a train that the bucket holds, then a gap that fills it again */
			s->rate = c.min.rate;
			s->train = (uint32_t)rig_range(&r->random, 1, packets);
			s->start = rig_range(&r->random, 0, 100000000);
		}
	}
	if (!s->rate)
		s->greedy = 4;
	rig_add(r, parent, c);
}

/* min of inner classes: at least their children's, and their burst likewise. */
static void sum_up(struct guard *g)
{
	struct rig *r = &g->r;

	for (uint32_t i = r->classes; i-- > 1;) {
		struct tree_bucket_conf *up = &r->conf[r->parent[i]].min;

		if (!r->parent[i] || !r->conf[i].min.rate)
			continue;
		up->rate += r->conf[i].min.rate;
		up->burst += r->conf[i].min.burst;
	}
}

static void bounds(struct guard *g)
{
	struct rig *r = &g->r;
	uint64_t sum = RIG_MTU, all = 0;

	for (uint32_t i = 1; i < r->classes; i++)
		all += r->conf[i].min.burst;
	for (uint32_t k = 0; k < r->sources; k++) {
		uint32_t i = r->source[k].leaf;

		if (!g->within[i])
			continue;
		/* its own train goes before its last packet, too: its own burst is in `all` */
		g->most[i] = (sum + all) * 8 * RIG_SECOND / r->conf[0].max.rate;
		r->source[k].pause = g->most[i];
	}
}

static void one_tree(uint64_t seed)
{
	struct guard *g = calloc(1, sizeof(*g));
	struct rig *r = &g->r;
	uint32_t inner, i, packets = 1 + seed % 3;

	assert_non_null(g);
	rig_init(r, seed, 80000000, 1, seed % TREE_SCHED_N);
	r->user = g;
	r->sent = guard_sent;
	r->lost = guard_lost;
	inner = 1 + (uint32_t)rig_range(&r->random, 0, 6);
	for (i = 1; i < inner; i++)
		rig_add(r, (uint32_t)rig_range(&r->random, 0, i - 1),
			rig_inner((uint32_t)rig_range(&r->random, 1, 100),
				  rig_random(&r->random) % TREE_SCHED_N));
	for (i = 0; i < inner + 10; i++)
		add_leaf(g, rig_parent(i, inner), true, packets);
	sum_up(g);
	bounds(g);
	rig_build(r, 200000);
	rig_start(r);
	rig_run(r, 2 * RIG_SECOND);
	RIG_CHECK(r->out > 100, "only %" PRIu64 " packets left", r->out);
	rig_free(r);
	free(g);
}

static void test_min(void **state)
{
	(void)state;
	rig_seeds(one_tree, 60);
}

/* A call at the bottom of eight levels of greedy classes, with no other min: one packet. */
static void one_call(uint64_t seed)
{
	struct guard *g = calloc(1, sizeof(*g));
	struct rig *r = &g->r;
	struct tree_class_conf c;
	struct rig_source *s;
	uint32_t parent = 0;

	assert_non_null(g);
	rig_init(r, seed, 8000000, 1, seed % TREE_SCHED_N);
	r->user = g;
	r->sent = guard_sent;
	for (int i = 0; i < 7; i++) {
		add_leaf(g, parent, false, 1);
		c = rig_inner(1, rig_random(&r->random) % TREE_SCHED_N);
		c.priority = 9;
		parent = rig_add(r, parent, c);
	}
	add_leaf(g, parent, false, 1);
	c = rig_leaf(1);
	c.priority = 9;
	c.min.rate = 200000;
	c.min.burst = 400;
	for (uint32_t i = parent; i; i = r->parent[i])
		r->conf[i].min = c.min;
	parent = rig_add(r, parent, c);
	s = rig_source(r, parent);
	s->lo = s->hi = 200;
	s->rate = 100000;
	s->poisson = false;
	g->within[parent] = true;
	g->most[parent] = RIG_MTU * 1000;
	rig_build(r, 1000);
	rig_start(r);
	rig_run(r, 10 * RIG_SECOND);
	RIG_CHECK(r->source[r->sources - 1].count > 600, "the call sent nothing");
	rig_free(r);
	free(g);
}

static void test_call(void **state)
{
	(void)state;
	rig_seeds(one_call, 20);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_min),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
