/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A class that its `max` keeps from its turn goes on as soon as it may: it does not wait
 * for the next round, which can outlast the burst. Even with a burst of exactly one packet
 * it reaches its max, less what the bucket runs over while one packet of another class is
 * on the line: with k such classes at once a wait of k packets at most, so that with
 * max <= C / (200 k) half a percent is the most that can be lost.
 */
#include "tests/props/rig.h"

struct unblock {
	struct rig r;
	uint64_t bytes[RIG_CLASSES];
};

static void unblock_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	((struct unblock *)r->user)->bytes[leaf] += p->len;
}

static void one_link(uint64_t seed)
{
	static const enum tree_sched kinds[] = {TREE_DRR, TREE_WFQ, TREE_FAIR};
	struct unblock *u = calloc(1, sizeof(*u));
	struct rig *r = &u->r;
	const uint64_t rate = 1000000000;
	uint32_t limited = 1 + seed / 3 % 3, rivals, i;
	uint32_t inside = seed / 9 % 2; /* the limited ones one level down */
	uint32_t parent = 0, first;

	assert_non_null(u);
	rig_init(r, seed, rate, 1, kinds[seed % 3]);
	r->user = u;
	r->sent = unblock_sent;
	if (inside)
		parent = rig_add(r, 0, rig_inner(100, kinds[seed % 3]));
	first = r->classes;
	for (i = 0; i < limited; i++) {
		struct tree_class_conf c = rig_leaf((uint32_t)rig_range(&r->random, 50, 100));

		c.max.rate = rate / 200 / limited * rig_range(&r->random, 50, 100) / 100;
		c.max.burst = RIG_MTU;
		rig_source(r, rig_add(r, parent, c))->greedy = 3;
	}
	rivals = (uint32_t)rig_range(&r->random, 5, 20);
	for (i = 0; i < rivals; i++) {
		/* one light class makes the round long: the others' quanta are many packets */
		struct tree_class_conf c = rig_leaf(i ? 100 : 1);

		rig_source(r, rig_add(r, 0, c))->greedy = 3;
	}
	for (i = 0; i < r->sources; i++)
		r->source[i].lo = r->source[i].hi = RIG_MTU;
	rig_build(r, 1000);
	rig_start(r);
	rig_run(r, RIG_SECOND / 10);
	memset(u->bytes, 0, sizeof(u->bytes));
	rig_run(r, RIG_SECOND / 10 + 3 * RIG_SECOND);
	for (i = first; i < first + limited; i++) {
		uint64_t got = u->bytes[i] * 8 / 3, max = r->conf[i].max.rate;

		RIG_CHECK(got <= max + RIG_MTU * 8 && got + RIG_MTU * 8 >= max - max / 100,
			  "class %u of %u limited ones, %u rivals: %" PRIu64
			  " bit/s of %" PRIu64,
			  i, limited, rivals, got, max);
	}
	rig_free(r);
	free(u);
}

static void test_unblock(void **state)
{
	(void)state;
	rig_seeds(one_link, 18);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unblock),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
