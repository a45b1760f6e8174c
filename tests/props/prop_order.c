/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold for every tree, queue and option: nothing is lost, nothing comes twice,
 * the counts are right at every level at every packet, a flow's packets leave in the
 * order in which they came, also when flows share a queue, and asking too often changes
 * nothing.
 */
#include "tests/props/rig.h"

#define MARKS (1u << 16) /* packets of a source that are told apart */

struct ledger {
	struct rig r;
	uint64_t last[RIG_SOURCES]; /* count of the last packet that left, plus one */
	uint8_t *gone[RIG_SOURCES]; /* a bit for each packet that has come back */
	uint32_t packets[RIG_CLASSES];
	uint64_t bytes[RIG_CLASSES];
	uint64_t digest;
	bool ask; /* ask at times at which nothing can happen, too */
};

static void book(struct ledger *l, const struct pkt *p, uint32_t leaf, int n)
{
	for (uint32_t i = leaf;; i = l->r.parent[i]) {
		l->packets[i] += (uint32_t)n;
		l->bytes[i] += (uint64_t)((int64_t)n * p->len);
		if (!i)
			break;
	}
}

static void compare(struct ledger *l)
{
	struct tree_state s;

	for (uint32_t i = 0; i < l->r.classes; i++) {
		tree_get_state(l->r.t, i, &s);
		RIG_CHECK(s.packets == l->packets[i] && s.bytes == l->bytes[i],
			  "at %" PRIu64 " class %u: %u packets of %" PRIu64
			  " bytes wait, it says %u of %" PRIu64,
			  l->r.now, i, l->packets[i], l->bytes[i], s.packets, s.bytes);
	}
}

static void note(struct ledger *l, const struct pkt *p, uint32_t leaf, bool sent)
{
	uint32_t source = (uint32_t)(p->id >> 40);
	uint64_t n = p->id & (((uint64_t)1 << 40) - 1);
	uint8_t bit = (uint8_t)(1 << n % 8);

	RIG_CHECK(source < l->r.sources && n < l->r.source[source].count,
		  "a packet that never came");
	RIG_CHECK(l->r.source[source].leaf == leaf, "a packet of class %u left class %u",
		  l->r.source[source].leaf, leaf);
	assert_true(n < MARKS);
	RIG_CHECK(!(l->gone[source][n / 8] & bit), "packet %" PRIu64 " of source %u came twice",
		  n, source);
	l->gone[source][n / 8] |= bit;
	l->digest =
		(l->digest ^ p->id ^ (l->r.now << 20) ^ (uint64_t)sent) * 0x9e3779b97f4a7c15ULL;
	book(l, p, leaf, -1);
	if (!sent)
		return;
	RIG_CHECK(n >= l->last[source],
		  "at %" PRIu64 " packet %" PRIu64
		  " of source %u (class %u, queue %d) after %" PRIu64,
		  l->r.now, n, source, leaf, (int)l->r.conf[leaf].queue, l->last[source] - 1);
	l->last[source] = n + 1;
}

static void ledger_arrived(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	book(r->user, p, leaf, 1);
}

static void ledger_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	const struct tree_class_conf *c = &r->conf[leaf];

	RIG_CHECK(p->drop == PKT_KEPT, "a packet was sent that is marked dropped (%d)",
		  p->drop);
	RIG_CHECK(!(p->flags & PKT_MARKED) || (p->flags & PKT_ECT && c->ecn),
		  "a packet of class %u was marked that may not be", leaf);
	RIG_CHECK(!c->deadline || r->now - p->arrival <= c->deadline,
		  "class %u sent a packet after its deadline", leaf);
	note(r->user, p, leaf, true);
	compare(r->user);
}

static void ledger_lost(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	const struct tree_class_conf *c = &r->conf[leaf];

	RIG_CHECK(p->drop > PKT_KEPT && p->drop < PKT_DROP_N, "dropped for reason %d", p->drop);
	RIG_CHECK(p->drop != PKT_DROP_AQM || (c->queue != TREE_Q_FIFO), "class %u has no CoDel",
		  leaf);
	RIG_CHECK(p->drop != PKT_DROP_DEADLINE ||
			  (c->deadline && r->now - p->arrival > c->deadline),
		  "class %u: late after %" PRIu64 " ns of %" PRIu64, leaf, r->now - p->arrival,
		  c->deadline);
	note(r->user, p, leaf, false);
}

static struct tree_bucket_conf any_bucket(struct rig *r)
{
	struct tree_bucket_conf b = {.rate = rig_range(&r->random, 500000, 20000000),
				     .burst = rig_range(&r->random, 1, 10000)};

	return b;
}

static struct tree_class_conf any_leaf(struct rig *r)
{
	struct tree_class_conf c = rig_leaf((uint32_t)rig_range(&r->random, 1, 100));

	c.queue = rig_random(&r->random) % TREE_QUEUE_N;
	c.limit_packets = (uint32_t)rig_range(&r->random, 1, 200);
	if (rig_chance(&r->random, 30))
		c.limit_bytes = rig_range(&r->random, 1, 100000);
	c.target = rig_range(&r->random, 100000, 5000000);
	c.interval = rig_range(&r->random, c.target, 50000000);
	c.ecn = rig_chance(&r->random, 50);
	c.flows = (uint32_t)rig_range(&r->random, 1, 32);
	c.quantum = (uint32_t)rig_range(&r->random, 64, 3000);
	c.isolation = rig_random(&r->random) % 5;
	if (rig_chance(&r->random, 25))
		c.flow_max = any_bucket(r);
	if (rig_chance(&r->random, 25))
		c.host_max = any_bucket(r);
	if (rig_chance(&r->random, 30))
		c.deadline = rig_range(&r->random, 1, 30000000);
	if (rig_chance(&r->random, 30))
		c.min = any_bucket(r);
	return c;
}

static void any_sources(struct rig *r, uint32_t leaf)
{
	for (uint64_t k = rig_range(&r->random, 1, 12); k--;) {
		struct rig_source *s = rig_source(r, leaf);

		s->lo = (uint32_t)rig_range(&r->random, 1, RIG_MTU);
		s->hi = (uint32_t)rig_range(&r->random, s->lo,
					    rig_chance(&r->random, 5) ? 9000 : RIG_MTU);
		s->rate = rig_range(&r->random, 100000, 10000000);
		s->poisson = true;
		s->train = (uint32_t)rig_range(&r->random, 1, 30);
		s->start = rig_range(&r->random, 0, 20000000);
		s->stop = rig_range(&r->random, 20000001, 400000000);
		s->host = rig_range(&r->random, 1, 4) * 7777777;
		s->src = (uint32_t)rig_range(&r->random, 1, 4);
		s->dst = (uint32_t)rig_range(&r->random, 1, 4);
		s->flags = rig_chance(&r->random, 50) ? PKT_ECT : 0;
	}
}

static void plant(struct ledger *l, uint64_t seed)
{
	struct rig *r = &l->r;
	uint32_t inner;

	rig_init(r, seed, 50000000, seed % 2 ? 1 : 12500, seed % TREE_SCHED_N);
	r->user = l;
	r->arrived = ledger_arrived;
	r->sent = ledger_sent;
	r->lost = ledger_lost;
	inner = 1 + (uint32_t)rig_range(&r->random, 0, 6);
	for (uint32_t i = 1; i < inner; i++)
		rig_add(r, (uint32_t)rig_range(&r->random, 0, i - 1),
			rig_inner((uint32_t)rig_range(&r->random, 1, 100),
				  rig_random(&r->random) % TREE_SCHED_N));
	for (uint32_t i = 0; i < inner + 6; i++)
		any_sources(r, rig_add(r, rig_parent(i, inner), any_leaf(r)));
	for (uint32_t i = 1; i < r->classes; i++) {
		r->conf[i].priority = (int32_t)rig_range(&r->random, 0, 3);
		if (rig_chance(&r->random, 30))
			r->conf[i].max = any_bucket(r);
	}
	for (uint32_t i = 0; i < r->sources; i++) {
		l->gone[i] = calloc(1, MARKS / 8);
		assert_non_null(l->gone[i]);
	}
}

/* Runs until all is out; the digest is of every packet, its fate and its time. */
static uint64_t run(uint64_t seed, bool ask)
{
	struct ledger *l = calloc(1, sizeof(*l));
	struct rig *r = &l->r;
	uint64_t digest, until = 0, before;
	uint32_t leaf = 0;

	assert_non_null(l);
	plant(l, seed);
	rig_build(r, seed % 4 ? 20000 : 300);
	rig_start(r);
	while (until < 400000000 || r->when != NEVER) {
		until += 997001;
		rig_run(r, until);
		compare(l);
		RIG_CHECK(until < 3600 * RIG_SECOND, "does not come to an end");
		if (!ask || r->when == NEVER)
			continue;
		/* nothing is due before r->when: asking gives nothing and changes nothing */
		before = r->when;
		RIG_CHECK(!tree_dequeue(r->t, r->now, &leaf, &r->when),
			  "at %" PRIu64
			  " a packet of class %u, said to be possible at %" PRIu64,
			  r->now, leaf, before);
		rig_reap(r);
	}
	RIG_CHECK(r->in == r->out + r->dropped && r->in > 100,
		  "%" PRIu64 " came, %" PRIu64 " left, %" PRIu64 " dropped", r->in, r->out,
		  r->dropped);
	digest = l->digest;
	for (uint32_t i = 0; i < r->sources; i++)
		free(l->gone[i]);
	rig_free(r);
	free(l);
	return digest;
}

static void one_tree(uint64_t seed)
{
	RIG_CHECK(run(seed, false) == run(seed, false), "the same input, another output");
}

static void test_ledger(void **state)
{
	(void)state;
	rig_seeds(one_tree, 100);
}

static void one_asked(uint64_t seed)
{
	RIG_CHECK(run(seed, false) == run(seed, true), "asking has changed the output");
}

static void test_asking(void **state)
{
	(void)state;
	rig_seeds(one_asked, 40);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_asking),

	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
