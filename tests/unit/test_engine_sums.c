/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an inner class has, summed up from copies of its parts as the gateway's snapshot does
 * it: the same as the engine's own answer, and as a plain sum over the leaves written
 * down here. On random trees, with drops, objectives, and changes of the policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/engine_rig.h"

#define MS 1000000ull
#define START (1700000000ull * 1000 * MS)
#define PORTS 64 /* of UDP, 1.., shared out among the classes */

enum { TEXT = 60000, LEFT = 4000 };

struct text {
	char s[TEXT];
	size_t n;
	uint64_t seed;
};

static unsigned one_of(uint64_t *seed, unsigned n)
{
	return packet_random(seed) % n;
}

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->n += (size_t)vsnprintf(t->s + t->n, TEXT - t->n, fmt, ap);
	va_end(ap);
	assert_true(t->n < TEXT);
}

/* Classes for the ports lo..hi-1, each for some of them, the last for the rest. */
static void say_classes(struct text *t, unsigned depth, unsigned lo, unsigned hi)
{
	unsigned n = 1 + one_of(&t->seed, 4), name = 0, latency;

	say(t, "classes: [");
	for (unsigned at = lo; at < hi; name++) {
		unsigned end = at + 1 + one_of(&t->seed, hi - lo);
		bool last = end >= hi || name == n;

		if (last)
			end = hi;
		/* the names of one policy are found again in the next, as a leaf or not */
		latency = 1 + one_of(&t->seed, 100);
		say(t, "{name: n%u, max-latency: %ums, ", name, latency);
		if (last)
			say(t, "default: true, ");
		else
			say(t, "match: udp portrange %u-%u, ", at, end - 1);
		if (depth < 5 && end - at > 1 && one_of(&t->seed, 3))
			say_classes(t, depth + 1, at, end);
		else
			say(t, "limit: %up, deadline: %ums", 2 + one_of(&t->seed, 30),
			    latency + 5 + one_of(&t->seed, 100));
		say(t, "}%s", last ? "" : ", ");
		at = end;
	}
	say(t, "]");
}

static struct rig open_random(uint64_t *seed)
{
	struct text *t = calloc(1, sizeof(*t));
	struct rig r;

	assert_non_null(t);
	t->seed = *seed;
	say(t, "links: [{name: l, rate: 8mbit, overhead: 0, ");
	say_classes(t, 1, 1, 1 + PORTS);
	say(t, "}]");
	*seed = t->seed;
	r = rig_open(t->s, START, NULL);
	free(t);
	return r;
}

/* ---- The plain sum: counts and the histogram, leaf by leaf. */

static bool is_below(const struct policy_class *c, const struct policy_class *above)
{
	while (c && c != above)
		c = c->parent;
	return c;
}

static void assert_same_delays(const struct account *a, const struct account *b)
{
	assert_int_equal(a->uncounted, b->uncounted);
	for (unsigned i = 0; i < DELAYS_BUCKETS; i++)
		assert_int_equal(delays_get(a->hist, i), delays_get(b->hist, i));
}

static void check_plain(const struct rig *r, const struct account *of_link,
			const struct policy_class *c, const struct account *a, bool changed)
{
	const struct policy_link *l = r->policy->link[0];
	struct account *sum = calloc(1, sizeof(*sum));

	assert_non_null(sum);
	for (size_t i = 0; i < l->n_all; i++) {
		const struct account *leaf = &of_link[i];

		if (l->all[i]->n_child || !is_below(l->all[i], c))
			continue;
		sum->in.packets += leaf->in.packets;
		sum->sent.bytes += leaf->sent.bytes;
		sum->dropped[PKT_DROP_DEADLINE].packets +=
			leaf->dropped[PKT_DROP_DEADLINE].packets;
		sum->dropped[PKT_DROP_LIMIT].bytes += leaf->dropped[PKT_DROP_LIMIT].bytes;
		sum->backlog += leaf->backlog;
		delays_merge(&sum->hist, leaf->hist, NULL);
	}
	assert_int_equal(a->backlog, sum->backlog);
	assert_true(a->backlog_max >= a->backlog && a->backlog_bytes_max >= a->backlog_bytes);
	assert_int_equal(a->in.packets,
			 a->sent.packets + account_all_dropped(a).packets + a->backlog);
	assert_int_equal(a->in.bytes,
			 a->sent.bytes + account_all_dropped(a).bytes + a->backlog_bytes);
	/* the link has besides what leaves counted that another policy had */
	if (c->parent || !changed) {
		assert_int_equal(a->in.packets, sum->in.packets);
		assert_int_equal(a->sent.bytes, sum->sent.bytes);
		assert_int_equal(a->dropped[PKT_DROP_DEADLINE].packets,
				 sum->dropped[PKT_DROP_DEADLINE].packets);
		assert_int_equal(a->dropped[PKT_DROP_LIMIT].bytes,
				 sum->dropped[PKT_DROP_LIMIT].bytes);
		assert_same_delays(a, sum);
		assert_true(changed || a->over_latency <= a->sent.packets);
	}
	account_clear(sum);
	free(sum);
}

static void assert_same(const struct account *a, const struct account *b)
{
	struct account x = *a, y = *b;

	assert_same_delays(a, b);
	x.hist = y.hist = NULL;
	x.room = y.room = NULL;
	assert_memory_equal(&x, &y, sizeof(x));
}

static void check(struct rig *r, bool changed)
{
	const struct policy_link *l = r->policy->link[0];
	struct account *part = calloc(l->n_all, sizeof(*part));

	assert_non_null(part);
	for (size_t i = 0; i < l->n_all; i++)
		engine_account_own(r->engine, l->all[i], &part[i]);
	for (size_t i = l->n_all; i-- > 1;)
		account_add_child(&part[l->all[i]->parent->index], &part[i]);
	for (size_t i = 0; i < l->n_all; i++) {
		assert_same(&part[i], engine_account(r->engine, l->all[i]));
		if (l->all[i]->n_child)
			check_plain(r, part, l->all[i], &part[i], changed);
	}
	for (size_t i = 0; i < l->n_all; i++)
		account_clear(&part[i]);
	free(part);
}

/* ---- Packets. */

static struct dissected packet_of(struct packet *p, uint64_t id)
{
	return rig_packet(p, 17, 0x0a000001, 1000 + id % 3, 1 + id * 7 % PORTS,
			  64 + (uint32_t)(id * 131 % 1400), 0);
}

static void poll_all(struct rig *r, uint64_t now)
{
	struct engine_event ev;

	while (engine_poll(r->engine, now, &ev) != ENGINE_NOTHING)
		;
}

static void change_policy(struct rig *r, uint64_t now, uint64_t *seed)
{
	struct rig to = open_random(seed);
	struct engine_left *left = calloc(LEFT, sizeof(*left));
	struct packet p;
	size_t n;

	assert_non_null(left);
	n = engine_withdraw(r->engine, left, LEFT);
	assert_int_equal(engine_waiting(r->engine), 0);
	engine_inherit(to.engine, r->engine);
	for (size_t i = 0; i < n; i++) {
		struct dissected d = packet_of(&p, left[i].id);

		engine_return(to.engine, now, left[i].arrival, left[i].id, &d);
	}
	free(left);
	rig_close(r);
	*r = to;
	poll_all(r, now);
}

static void one_tree(uint64_t seed)
{
	struct rig r = open_random(&seed);
	uint64_t now = START, in = 0;
	bool changed = false;

	for (uint64_t id = 0; id < 1500; id++) {
		struct packet p;
		struct dissected d = packet_of(&p, id * 11 + one_of(&seed, 40));

		now += one_of(&seed, 1300) * 1000ull;
		poll_all(&r, now);
		engine_packet(r.engine, now, id, &d, NULL);
		in++;
		poll_all(&r, now);
		if (one_of(&seed, 300) == 0) {
			change_policy(&r, now, &seed);
			changed = true;
		}
		if (one_of(&seed, 100) == 0)
			check(&r, changed);
	}
	check(&r, changed);
	assert_int_equal(rig_account(&r, 0, "")->in.packets, in);
	rig_close(&r);
}

static void test_sums(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		one_tree(seed * 0x9e3779b97f4a7c15ull);
}

/* A class of another engine has nothing, in parts as well. */
static void test_not_there(void **state)
{
	uint64_t seed = 77;
	struct rig one = open_random(&seed), other = open_random(&seed);
	struct account *a = calloc(2, sizeof(*a));

	(void)state;
	assert_non_null(a);
	engine_account_own(one.engine, other.policy->link[0]->root, &a[0]);
	assert_memory_equal(&a[0], &a[1], sizeof(*a));
	free(a);
	rig_close(&one);
	rig_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
