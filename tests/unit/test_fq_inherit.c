/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of flows goes on from another one that had more or other entries: what each flow
 * may send next, from a calculation of its bucket in bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sched/queue.h"

#define MS 1000000ull
#define FLOWS 20u
#define LEN 1000u
#define BURST 20000u /* bytes; the rate is a byte a millisecond */

static struct pkt pool[4000];
static unsigned used;

static struct queue_conf conf(uint32_t flows, bool hosts)
{
	struct queue_conf c = {.limit_packets = 10000,
			       .limit_bytes = UINT64_MAX,
			       .mtu = 1500,
			       .quantum = 1500,
			       .flows = flows};

	if (hosts) {
		c.host_rate = 8000;
		c.host_burst = BURST;
	} else {
		c.flow_rate = 8000;
		c.flow_burst = BURST;
	}
	return c;
}

static void put(void *q, uint64_t id, uint32_t len, uint64_t now)
{
	struct pkt_list dropped = {0};
	struct pkt *p = &pool[used++];

	assert_true(used < sizeof(pool) / sizeof(pool[0]));
	*p = (struct pkt){.flow = id * 0x9e3779b97f4a7c15ull,
			  .host = id * 0xbf58476d1ce4e5b9ull,
			  .len = len,
			  .arrival = now};
	queue_fq.enqueue(q, p, now, &dropped);
	assert_null(dropped.head);
}

/* When a packet of `len` bytes of this flow may leave q, which is made and goes again. */
static uint64_t when(const void *from, const struct queue_conf *c, uint64_t id, uint32_t len,
		     uint64_t now)
{
	void *q = queue_fq.make(c);
	uint64_t at = now;
	struct pkt *p;

	assert_non_null(q);
	queue_fq.inherit(q, from, now);
	put(q, id, len, now);
	p = queue_fq.head(q, now, &at);
	if (p)
		at = now;
	assert_ptr_equal(queue_fq.withdraw(q), &pool[used - 1]);
	assert_null(queue_fq.withdraw(q));
	queue_fq.unmake(q);
	return at;
}

/* Flow k has sent k packets at 0. Its bucket then, in bytes, at `now`, at most `burst`. */
static int64_t level(unsigned k, uint64_t now, int64_t burst)
{
	int64_t bytes = (int64_t)BURST - (int64_t)k * LEN + (int64_t)(now / MS);

	bytes = bytes < BURST ? bytes : BURST;
	return bytes < burst ? bytes : burst;
}

static uint64_t expected(unsigned k, uint64_t now, int64_t burst, uint32_t len)
{
	int64_t lack = (len < burst ? len : burst) - level(k, now, burst);

	return lack > 0 ? now + (uint64_t)lack * MS : now;
}

static void *old_queue(bool hosts)
{
	struct queue_conf c = conf(4096, hosts);
	void *q = queue_fq.make(&c);
	uint64_t at;

	assert_non_null(q);
	used = 0;
	for (unsigned k = 1; k <= FLOWS; k++)
		for (unsigned i = 0; i < k; i++) {
			put(q, k, LEN, 0);
			assert_non_null(queue_fq.head(q, 0, &at));
			assert_int_equal(queue_fq.take(q, 0)->drop, PKT_KEPT);
		}
	return q;
}

static void test_entries(void **state)
{
	static const uint32_t entries[] = {4096, 8192, 1024, 65536};

	(void)state;
	for (unsigned hosts = 0; hosts < 2; hosts++) {
		void *old = old_queue(hosts);

		for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
			struct queue_conf c = conf(entries[i], hosts);
			uint64_t now = i * 700 * MS;

			for (unsigned k = 1; k <= FLOWS; k++)
				assert_int_equal(when(old, &c, k, 15000, now),
						 expected(k, now, BURST, 15000));
			/* another burst: never fuller than it was, nor than that */
			c.flow_burst = c.host_burst = 7000;
			for (unsigned k = 1; k <= FLOWS; k++)
				assert_int_equal(when(old, &c, k, 6000, now),
						 expected(k, now, 7000, 6000));
			c.flow_burst = c.host_burst = 100000;
			for (unsigned k = 1; k <= FLOWS; k++)
				assert_int_equal(when(old, &c, k, 25000, now),
						 expected(k, now, 100000, 25000));
		}
		queue_fq.unmake(old);
	}
}

/* Eight entries for twenty: those that sent most go on, and nobody has won by it. */
static void test_fewer_entries(void **state)
{
	(void)state;
	for (unsigned hosts = 0; hosts < 2; hosts++) {
		void *old = old_queue(hosts);
		struct queue_conf c = conf(8, hosts);

		for (unsigned k = 1; k <= FLOWS; k++) {
			uint64_t at = when(old, &c, k, 15000, 0);

			if (k > FLOWS - 8)
				assert_int_equal(at, expected(k, 0, BURST, 15000));
			else
				assert_true(at >= expected(k, 0, BURST, 15000));
		}
		queue_fq.unmake(old);
	}
}

/* Told apart otherwise than before, without buckets before, or with none now: all is new. */
static void test_nothing_to_keep(void **state)
{
	struct queue_conf c = conf(4096, false), none = c;
	void *old = old_queue(false), *plain;

	(void)state;
	c.flow_rate = 0;
	for (unsigned k = 1; k <= FLOWS; k++)
		assert_int_equal(when(old, &c, k, 15000, 0), 0);
	none.flow_rate = 0;
	plain = queue_fq.make(&none);
	assert_non_null(plain);
	c = conf(4096, false);
	for (unsigned k = 1; k <= FLOWS; k++)
		assert_int_equal(when(plain, &c, k, 15000, 0), 0);
	queue_fq.unmake(plain);
	queue_fq.unmake(old);
}

/* The bucket itself: bytes stay bytes, whatever the rates are, and no more than fits. */
static void test_bucket(void **state)
{
	static const struct {
		int64_t had, burst, has; /* bytes */
	} t[] = {
		{20000, 7000, 7000}, {6500, 7000, 7000}, {5000, 7000, 6000},
		{5000, 50000, 6000}, {-800, 7000, 200},	 {-9000, 50000, -8000},
	};
	struct bucket was, b;

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bucket_init(&was, 8000, BURST, 0);
		bucket_take(&was, (uint32_t)(BURST - t[i].had));
		/* a second later: a thousand bytes more */
		bucket_init(&b, 1 + i * 1000000, (uint64_t)t[i].burst, 500 * MS);
		bucket_inherit(&b, &was, 1000 * MS);
		assert_true(b.level == t[i].has * BUCKET_BYTE);
		assert_true(b.at == 1000 * MS && b.rate == 1 + i * 1000000);
		was.rate = 0;
		bucket_init(&b, 8000, BURST, 0);
		bucket_inherit(&b, &was, 1000 * MS);
		assert_true(b.level == b.cap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_fewer_entries),
		cmocka_unit_test(test_nothing_to_keep),
		cmocka_unit_test(test_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
