/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token buckets: bucket.h against closed forms in exact arithmetic, and the promise
 * "rate * t + max(burst, packet) in every interval" for every bucket of random trees.
 */
#include "sched/bucket.h"
#include "tests/props/rig.h"

static const __int128 byte = 8 * (__int128)RIG_SECOND;

static uint64_t any_rate(uint64_t *s)
{
	uint64_t rate = rig_random(s) >> rig_range(s, 24, 63);

	return rate % BUCKET_RATE_MAX + 1;
}

static __int128 div_up(__int128 a, __int128 b)
{
	return a <= 0 ? 0 : (a + b - 1) / b;
}

/*
 * Always as soon as it may: packet k goes when rate * t covers all before it and its own
 * length, less the burst that was there at first. The burst is larger than any packet by
 * what comes in a nanosecond, so that the cap never bites: this is a closed form, and one
 * lost unit shows. It is asked at random times between, too.
 */
static void one_busy(uint64_t seed)
{
	uint64_t s = seed * 77, rate = any_rate(&s), burst, now = rig_random(&s) >> 20;
	uint64_t start = now, want, when, t;
	__int128 before = 0;
	struct bucket b;
	uint32_t len, most;

	rig_seed = seed;
	most = rig_chance(&s, 10) ? 1 << 20 : RIG_MTU;
	burst = most + 1 + rate / byte + rig_range(&s, 0, 100000);
	bucket_init(&b, rate, burst, now);
	for (int k = 0; k < 300; k++) {
		len = (uint32_t)rig_range(&s, 1, most);
		want = start + (uint64_t)div_up((before + len - burst) * byte, rate);
		if (want < now)
			want = now;
		while (now < want) { /* asking changes nothing */
			when = bucket_when(&b, len, now);
			RIG_CHECK(when == want, "packet %d: when %" PRIu64 ", not %" PRIu64, k,
				  when, want);
			t = now + rig_range(&s, 1, (want - now) / 3 + 1);
			now = t < want ? t : want;
		}
		when = bucket_when(&b, len, now);
		RIG_CHECK(when == now, "packet %d: not let go at %" PRIu64, k, now);
		bucket_take(&b, len);
		before += len;
	}
}

/* Random gaps, with caps: a model that keeps the level as a fraction of its own. */
static void one_idle(uint64_t seed)
{
	uint64_t s = seed * 99, rate = any_rate(&s), burst = rig_range(&s, 1, 100000);
	uint64_t now = 0, at = 0, when, want;
	struct rig_meter meter = {0};
	const struct tree_bucket_conf conf = {.rate = rate, .burst = burst};
	__int128 spent = 0, lack; /* spent: below full, units, at time `at` */
	struct bucket b;
	uint32_t len;

	rig_seed = seed;
	bucket_init(&b, rate, burst, 0);
	for (int k = 0; k < 2000; k++) {
		len = (uint32_t)rig_range(&s, 1, RIG_MTU * 2);
		if (rig_chance(&s, 50))
			now += rig_range(&s, 0, (uint64_t)(byte * RIG_MTU * 3 / rate));
		spent -= (__int128)rate * (now - at);
		at = now;
		if (spent < 0)
			spent = 0;
		lack = (len < burst ? len : burst) * byte - (burst * byte - spent);
		want = now + (uint64_t)div_up(lack, rate);
		when = bucket_when(&b, len, now);
		RIG_CHECK(when == want, "step %d: when %" PRIu64 ", not %" PRIu64, k, when,
			  want);
		if (rig_chance(&s, 20))
			continue;
		now = when;
		RIG_CHECK(bucket_when(&b, len, now) == now, "step %d: not at its own time", k);
		bucket_take(&b, len);
		spent -= (__int128)rate * (now - at);
		at = now;
		if (spent < 0)
			spent = 0;
		spent += len * byte;
		RIG_CHECK(rig_meter_add(&meter, &conf, len, now),
			  "step %d: more than its bound", k);
	}
}

static void test_busy(void **state)
{
	(void)state;
	rig_seeds(one_busy, 2000);
}

static void test_idle(void **state)
{
	(void)state;
	rig_seeds(one_idle, 300);
}

#define FLOWS 8

struct meters {
	struct rig_meter class[RIG_CLASSES];
	struct rig_meter flow[RIG_CLASSES][FLOWS], host[RIG_CLASSES][FLOWS];
	uint64_t flow_id[RIG_CLASSES][FLOWS], host_id[RIG_CLASSES][FLOWS];
};

static struct rig_meter *meter_of(struct rig_meter *m, uint64_t *id, uint64_t want)
{
	for (int i = 0; i < FLOWS; i++) {
		if (!id[i])
			id[i] = want;
		if (id[i] == want)
			return &m[i];
	}
	fail();
	return NULL;
}

static void measure(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct meters *m = r->user;
	const struct tree_class_conf *c = &r->conf[leaf];

	for (uint32_t i = leaf;; i = r->parent[i]) {
		if (r->conf[i].max.rate)
			RIG_CHECK(
				rig_meter_add(&m->class[i], &r -> conf[i].max, p->len, r->now),
				"class %u beyond its max at %" PRIu64, i, r->now);
		if (!i)
			break;
	}
	if (c->flow_max.rate)
		RIG_CHECK(rig_meter_add(meter_of(m->flow[leaf], m->flow_id[leaf], p->flow),
					&c->flow_max, p->len, r->now),
			  "a flow of class %u beyond flow_max at %" PRIu64, leaf, r->now);
	if (c->host_max.rate)
		RIG_CHECK(rig_meter_add(meter_of(m->host[leaf], m->host_id[leaf], p->host),
					&c->host_max, p->len, r->now),
			  "a host of class %u beyond host_max at %" PRIu64, leaf, r->now);
}

static struct tree_bucket_conf any_bucket(struct rig *r, uint64_t most)
{
	struct tree_bucket_conf b;

	b.rate = rig_range(&r->random, most / 50 + 1, most);
	b.burst = rig_chance(&r->random, 30) ? RIG_MTU : rig_range(&r->random, 1, 20000);
	return b;
}

static void random_sources(struct rig *r, uint32_t leaf)
{
	struct rig_source *s;

	for (uint64_t k = rig_range(&r->random, 1, 2); k--;) {
		s = rig_source(r, leaf);
		s->flows = (uint32_t)rig_range(&r->random, 1, 4);
		if (rig_chance(&r->random, 50)) {
			s->greedy = 10;
			continue;
		}
		s->rate = rig_range(&r->random, 1000000, r->conf[0].max.rate / 2);
		s->poisson = true;
		s->train = (uint32_t)rig_range(&r->random, 1, 20);
	}
}

static void one_tree(uint64_t seed)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct meters *m = calloc(1, sizeof(*m));
	uint64_t rate = 100000000;
	uint32_t i, leaves;

	assert_non_null(r);
	assert_non_null(m);
	rig_init(r, seed, rate, seed / 5 % 2 ? 1 : 20000, seed % TREE_SCHED_N);
	r->user = m;
	r->sent = measure;
	for (i = rig_range(&r->random, 0, 4); i--;)
		rig_add(r, (uint32_t)rig_range(&r->random, 0, r->classes - 1),
			rig_inner((uint32_t)rig_range(&r->random, 1, 100),
				  rig_random(&r->random) % TREE_SCHED_N));
	leaves = r->classes + (uint32_t)rig_range(&r->random, 0, 10);
	for (i = 0; i < leaves; i++) {
		struct tree_class_conf c = rig_leaf((uint32_t)rig_range(&r->random, 1, 100));
		uint32_t inner = r->classes - i;

		c.queue = rig_random(&r->random) % TREE_QUEUE_N;
		c.isolation = rig_random(&r->random) % 5;
		if (rig_chance(&r->random, 40))
			c.min = any_bucket(r, rate / 20);
		if (rig_chance(&r->random, 30))
			c.flow_max = any_bucket(r, rate / 20);
		if (rig_chance(&r->random, 30))
			c.host_max = any_bucket(r, rate / 20);
		random_sources(r, rig_add(r, rig_parent(i, inner), c));
	}
	for (i = 1; i < r->classes; i++)
		if (rig_chance(&r->random, 50)) {
			r->conf[i].max = any_bucket(r, rate / 4);
			if (r->conf[i].max.rate < r->conf[i].min.rate)
				r->conf[i].max.rate = r->conf[i].min.rate;
		}
	rig_build(r, 20000);
	rig_start(r);
	rig_run(r, RIG_SECOND / 2);
	RIG_CHECK(r->out > 0, "nothing left the tree");
	rig_free(r);
	free(m);
	free(r);
}

static void test_trees(void **state)
{
	(void)state;
	rig_seeds(one_tree, 200);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_trees),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
