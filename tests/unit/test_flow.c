/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flow table and the table of first fragments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "packet_build.h"
#include "qos/flow.h"

static const uint8_t KEY[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#define SECOND 1000000000ULL

/* The example of the paper's appendix A: SipHash-2-4 of 00 01 ... 0e. */
static void test_siphash(void **state)
{
	struct siphash_key k = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	struct siphash s = siphash_begin(&k);

	(void)state;
	siphash_word(&s, 2, 0x0706050403020100);
	assert_true(siphash_end(&s, 2, 4, 0x0f0e0d0c0b0a0908) == 0xa129ca6149be45e5);
}

static struct flow_key key4(uint32_t src, uint32_t dst, unsigned sport, unsigned dport)
{
	struct flow_key k = {.sport = (uint16_t)sport,
			     .dport = (uint16_t)dport,
			     .proto = 17,
			     .nexthdr = 17,
			     .version = 4};

	packet_put32(k.src, src);
	packet_put32(k.dst, dst);
	return k;
}

static void test_hash(void **state)
{
	struct flow_table t, u;
	struct flow_key a = key4(1, 2, 3, 4), b;
	uint8_t other[16] = {1};
	uint64_t h;

	(void)state;
	assert_int_equal(flow_table_init(&t, 16, KEY), 0);
	assert_int_equal(flow_table_init(&u, 16, other), 0);
	h = flow_hash(&t, &a);
	assert_true(h == flow_hash(&t, &a));
	assert_true(h != flow_hash(&u, &a)); /* keyed */
	b = key4(2, 1, 3, 4);
	assert_true(h != flow_hash(&t, &b));
	b = key4(1, 2, 4, 3);
	assert_true(h != flow_hash(&t, &b));
	b = a;
	b.proto = 6;
	assert_true(h != flow_hash(&t, &b));
	b = a;
	b.version = 6;
	assert_true(h != flow_hash(&t, &b));
	b = a;
	b.nexthdr = 44; /* fragments and whole packets are one flow */
	assert_true(h == flow_hash(&t, &b));
	flow_table_fini(&t);
	flow_table_fini(&u);
}

/* The table against the simplest model: an array of what was put in. */
static void test_find_add(void **state)
{
	enum { N = 5000 };
	struct flow_table t;
	struct flow_key *k = calloc(N, sizeof(*k));
	uint64_t r = 5;

	(void)state;
	assert_non_null(k);
	assert_int_equal(flow_table_init(&t, N, KEY), 0);
	for (unsigned i = 0; i < N; i++) {
		k[i] = key4(packet_random(&r) % 40, i, 7, 8);
		k[i].version = i & 1 ? 6 : 4;
		if (i & 1)
			packet_put32(k[i].dst + 12, i * 3);
		assert_null(flow_find(&t, &k[i], flow_hash(&t, &k[i])));
		flow_add(&t, &k[i], flow_hash(&t, &k[i]), 0)->leaf = i;
	}
	assert_int_equal(t.used, N);
	assert_int_equal(t.evicted, 0);
	for (unsigned i = 0; i < N; i++) {
		struct flow *f = flow_find(&t, &k[i], flow_hash(&t, &k[i]));

		assert_non_null(f);
		assert_int_equal(f->leaf, i);
		assert_int_equal(f->acct.seen, 0);
	}
	free(k);
	flow_table_fini(&t);
}

/* Full: what is evicted is gone, all else is found, memory stays; idle ones go first. */
static void test_evict(void **state)
{
	enum { MAX = 1000, N = 20000 };
	struct flow_table t;
	unsigned found = 0, recent = 0;

	(void)state;
	assert_int_equal(flow_table_init(&t, MAX, KEY), 0);
	for (unsigned i = 0; i < N; i++) {
		struct flow_key k = key4(i, 9, 1, 2);

		flow_add(&t, &k, flow_hash(&t, &k), (uint64_t)i * SECOND / 10);
		assert_true(t.used <= MAX);
	}
	assert_int_equal(t.made, N);
	assert_int_equal(t.evicted, N - t.used);
	for (unsigned i = 0; i < N; i++) {
		struct flow_key k = key4(i, 9, 1, 2);
		struct flow *f = flow_find(&t, &k, flow_hash(&t, &k));

		found += f != NULL;
		if (f && i >= N - MAX / 2)
			recent++;
	}
	assert_int_equal(found, t.used);
	/* oldest of a window, not oldest of all: nearly all of the younger half must be there
	 */
	assert_true(recent > MAX / 2 * 9 / 10);
	flow_table_fini(&t);
}

static void test_idle(void **state)
{
	struct flow_table t;

	(void)state;
	assert_int_equal(flow_table_init(&t, 100000, KEY), 0);
	for (unsigned i = 0; i < 1000; i++) {
		struct flow_key k = key4(i, 9, 1, 2);

		flow_add(&t, &k, flow_hash(&t, &k), 0);
	}
	assert_int_equal(t.evicted, 0);
	for (unsigned i = 0; i < 1000; i++) {
		struct flow_key k = key4(i, 10, 1, 2);

		flow_add(&t, &k, flow_hash(&t, &k), FLOW_IDLE + SECOND);
	}
	assert_in_range(t.evicted, 900, 1000); /* the hand kept pace: the table did not grow */
	assert_in_range(t.fresh, 1000, 1100);
	flow_table_fini(&t);
}

/* One entry, and one bucket: every path of removal from the index. */
static void test_tiny(void **state)
{
	struct flow_table t;

	(void)state;
	assert_int_equal(flow_table_init(&t, 1, KEY), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct flow_key k = key4(i, 9, 1, 2), last = key4(i - 1, 9, 1, 2);

		assert_ptr_equal(flow_add(&t, &k, flow_hash(&t, &k), i), &t.flow[0]);
		assert_non_null(flow_find(&t, &k, flow_hash(&t, &k)));
		assert_null(flow_find(&t, &last, flow_hash(&t, &last)));
	}
	flow_table_fini(&t);
}

static struct dissected frag(uint32_t src, uint32_t id, unsigned version)
{
	struct dissected d = {.frag_id = id, .key = key4(src, 2, 0, 0)};

	d.key.version = (uint8_t)version;
	return d;
}

static void test_frags(void **state)
{
	struct flow_frags t;
	struct dissected d = frag(1, 7, 4), e;

	(void)state;
	assert_int_equal(flow_frags_init(&t, 4, KEY), 0);
	flow_frag_add(&t, &d, 0)->leaf = 77;
	assert_int_equal(flow_frag_find(&t, &d, SECOND)->leaf, 77);
	e = frag(1, 8, 4);
	assert_null(flow_frag_find(&t, &e, 0));
	e = frag(2, 7, 4);
	assert_null(flow_frag_find(&t, &e, 0));
	e = frag(1, 7, 6);
	assert_null(flow_frag_find(&t, &e, 0));
	e = d;
	e.key.proto = 6;
	assert_null(flow_frag_find(&t, &e, 0));
	assert_non_null(flow_frag_find(&t, &d, FLOW_FRAG_LIFE));
	assert_null(flow_frag_find(&t, &d, FLOW_FRAG_LIFE + 1));
	/* again with the same identification: the new one counts, and from now */
	flow_frag_add(&t, &d, 20 * SECOND)->leaf = 78;
	assert_int_equal(flow_frag_find(&t, &d, 45 * SECOND)->leaf, 78);
	/* IPv6: the protocol of a later fragment says nothing */
	d = frag(1, 9, 6);
	flow_frag_add(&t, &d, 20 * SECOND)->leaf = 79;
	d.key.proto = 60;
	assert_int_equal(flow_frag_find(&t, &d, 20 * SECOND)->leaf, 79);
	/* full: the oldest goes */
	for (unsigned i = 0; i < 5; i++) {
		d = frag(5, i, 4);
		flow_frag_add(&t, &d, 21 * SECOND)->leaf = i;
	}
	for (unsigned i = 0; i < 5; i++) {
		d = frag(5, i, 4);
		assert_int_equal(flow_frag_find(&t, &d, 21 * SECOND) != NULL, i > 0);
	}
	assert_int_equal(t.evicted, 3);
	flow_frags_fini(&t);
}

/* Many, against what must be there: the last `max` of the last 30 seconds. */
static void test_frags_many(void **state)
{
	enum { MAX = 64, N = 5000 };
	struct flow_frags t;
	uint64_t born[N], r = 3, now = 0;

	(void)state;
	assert_int_equal(flow_frags_init(&t, MAX, KEY), 0);
	for (unsigned i = 0; i < N; i++) {
		struct dissected d = frag(i % 7, i, i & 1 ? 6 : 4);

		now += packet_random(&r) % SECOND;
		born[i] = now;
		flow_frag_add(&t, &d, now)->leaf = i;
		for (unsigned k = i >= 2 * MAX ? i - 2 * MAX : 0; k <= i; k++) {
			const struct flow_frag *f;

			d = frag(k % 7, k, k & 1 ? 6 : 4);
			f = flow_frag_find(&t, &d, now);
			assert_int_equal(f != NULL,
					 i - k < MAX && now - born[k] <= FLOW_FRAG_LIFE);
			if (f)
				assert_int_equal(f->leaf, k);
		}
	}
	flow_frags_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),	 cmocka_unit_test(test_hash),
		cmocka_unit_test(test_find_add), cmocka_unit_test(test_evict),
		cmocka_unit_test(test_idle),	 cmocka_unit_test(test_tiny),
		cmocka_unit_test(test_frags),	 cmocka_unit_test(test_frags_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
