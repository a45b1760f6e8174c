/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict priority. On a serial link that never interrupts a packet: whenever a class's
 * packet starts, no sibling of a lower number has one waiting, at every level. So a packet
 * waits for one packet of lower priority at most.
 */
#include "tests/props/rig.h"

struct prio {
	struct rig r;
	int64_t waiting[RIG_CLASSES];
	bool held[RIG_CLASSES]; /* a max in it or below it may keep it back */
	uint64_t worst;		/* longest wait in the highest leaf, ns */
	uint32_t highest;
};

static void add(struct prio *u, uint32_t leaf, int64_t n)
{
	for (uint32_t i = leaf; i; i = u->r.parent[i])
		u->waiting[i] += n;
}

static void prio_arrived(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	(void)p;
	add(r->user, leaf, 1);
}

static void prio_lost(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	(void)p;
	add(r->user, leaf, -1);
}

static void prio_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct prio *u = r->user;

	for (uint32_t i = leaf; i; i = r->parent[i]) {
		if (r->conf[r->parent[i]].sched != TREE_PRIORITY)
			continue;
		for (uint32_t k = 1; k < r->classes; k++)
			RIG_CHECK(r->parent[k] != r->parent[i] || u->held[k] ||
					  r->conf[k].priority >= r->conf[i].priority ||
					  u->waiting[k] == 0,
				  "at %" PRIu64 " class %u (priority %d) goes while %" PRId64
				  " packets of class %u (priority %d) wait",
				  r->now, i, r->conf[i].priority, u->waiting[k], k,
				  r->conf[k].priority);
	}
	if (leaf == u->highest && r->now - p->arrival > u->worst)
		u->worst = r->now - p->arrival;
	add(u, leaf, -1);
}

static void one_tree(uint64_t seed)
{
	struct prio *u = calloc(1, sizeof(*u));
	struct rig *r = &u->r;
	uint32_t inner, i, leaf;

	assert_non_null(u);
	rig_init(r, seed, 80000000, seed % 3 ? 1 : 20000, TREE_PRIORITY);
	r->user = u;
	r->arrived = prio_arrived;
	r->sent = prio_sent;
	r->lost = prio_lost;
	inner = 1 + (uint32_t)rig_range(&r->random, 0, 5);
	for (i = 1; i < inner; i++)
		rig_add(r, (uint32_t)rig_range(&r->random, 0, i - 1),
			rig_inner((uint32_t)rig_range(&r->random, 1, 9),
				  rig_chance(&r->random, 70) ? TREE_PRIORITY : TREE_WFQ));
	for (i = 0; i < inner + 6; i++) {
		struct rig_source *s;

		leaf = rig_add(r, rig_parent(i, inner), rig_leaf(1));
		s = rig_source(r, leaf);
		if (rig_chance(&r->random, 20)) {
			s->greedy = 3;
			continue;
		}
		s->rate = rig_range(&r->random, 200000, 12000000);
		s->poisson = true;
		s->train = (uint32_t)rig_range(&r->random, 1, 20);
	}
	for (i = 1; i < r->classes; i++) {
		r->conf[i].priority = (int32_t)rig_range(&r->random, 0, 5) - 2;
		if (!rig_chance(&r->random, 15))
			continue;
		r->conf[i].max.rate = rig_range(&r->random, 1000000, 20000000);
		r->conf[i].max.burst = rig_range(&r->random, 1, 5000);
		for (leaf = i; leaf; leaf = r->parent[leaf])
			u->held[leaf] = true;
	}
	rig_build(r, 200000);
	rig_start(r);
	rig_run(r, RIG_SECOND);
	RIG_CHECK(r->out > 100, "only %" PRIu64 " packets left", r->out);
	rig_free(r);
	free(u);
}

static void test_order(void **state)
{
	(void)state;
	rig_seeds(one_tree, 100);
}

/* One packet of the highest now and then, all others greedy: one full packet at most. */
static void one_delay(uint64_t seed)
{
	struct prio *u = calloc(1, sizeof(*u));
	struct rig *r = &u->r;
	struct rig_source *s;

	assert_non_null(u);
	rig_init(r, seed, 8000000, 1, TREE_PRIORITY);
	r->user = u;
	r->arrived = prio_arrived;
	r->sent = prio_sent;
	r->lost = prio_lost;
	for (int i = 0; i < 5; i++) {
		struct tree_class_conf c = rig_leaf(1);

		c.priority = i;
		s = rig_source(r, rig_add(r, 0, c));
		s->greedy = i ? 4 : 0;
	}
	u->highest = 1;
	r->source[0].hi = 200;
	r->source[0].rate = 64000;
	r->source[0].poisson = false;
	rig_build(r, 1000);
	rig_start(r);
	rig_run(r, 10 * RIG_SECOND);
	RIG_CHECK(u->worst > 0 && u->worst <= RIG_MTU * 1000, "waited %" PRIu64 " ns",
		  u->worst);
	rig_free(r);
	free(u);
}

static void test_delay(void **state)
{
	(void)state;
	rig_seeds(one_delay, 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_delay),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
