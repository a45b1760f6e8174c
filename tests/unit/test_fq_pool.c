/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of a link's fq queues: what is taken for packets, what is forgotten when, and what
 * happens when there is no room. And its sparse arrays and heaps, beside plain ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sched/fq.h"
#include "sched/tree.h"

#define MS 1000000ull

static uint64_t rnd = 1;

static uint32_t draw(uint32_t n)
{
	rnd = rnd * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rnd >> 33) % n;
}

/* A pool of at least so many chunks. */
static struct fq_pool *pool_of(uint64_t chunks)
{
	struct fq_need need = {.gated = chunks, .queues = 4};
	struct fq_pool *pool = fq_pool_new(&need, 1);

	assert_non_null(pool);
	return pool;
}

static void same_map(const struct fq_pool *pool, const struct fq_map *m, const uint32_t *want,
		     uint32_t size)
{
	uint32_t next = fq_map_next(pool, m, 0), n = 0;

	for (uint32_t i = 0; i < size; i++) {
		assert_int_equal(fq_map_get(pool, m, i), want[i]);
		if (!want[i])
			continue;
		assert_int_equal(next, i);
		next = fq_map_next(pool, m, i + 1);
		n++;
	}
	assert_int_equal(next, UINT32_MAX);
	assert_int_equal(m->n, n);
}

static void test_map(void **state)
{
	static const uint32_t sizes[] = {1, 8, 9, 128, 256, 257, 8192, 8193};
	static uint32_t want[8193];

	(void)state;
	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t size = sizes[s], bound = (uint32_t)fq_map_pages(size);
		struct fq_pool *pool = pool_of(bound);
		struct fq_map m;

		fq_map_init(&m, size);
		memset(want, 0, sizeof(want));
		for (unsigned k = 0; k < 2000; k++) {
			/* few most of the time, then many, then none */
			bool more = k % 400 < 200 ? draw(20) > 8 : draw(20) > 11;
			uint32_t i = draw(size);

			if (more && !want[i])
				fq_map_put(pool, &m, i, want[i] = 1 + draw(1000000));
			else if (!more && (i = fq_map_next(pool, &m, i)) != UINT32_MAX)
				fq_map_del(pool, &m, i), want[i] = 0;
			assert_true(pool->used <= bound);
			if (k % 50 == 0)
				same_map(pool, &m, want, size);
		}
		for (uint32_t i = 0; i < size; i++)
			if (!want[i])
				fq_map_put(pool, &m, i, want[i] = i + 1);
		assert_true(pool->used <= bound);
		same_map(pool, &m, want, size);
		while (m.n)
			fq_map_del(pool, &m, fq_map_next(pool, &m, 0));
		assert_int_equal(pool->used, 0);
		fq_pool_free(pool);
	}
}

static void test_heap(void **state)
{
	enum { N = 300 };
	struct fq_pool *pool = pool_of(N);
	uint32_t place[N] = {0};
	uint64_t key[N];
	struct fq_heap h;

	(void)state;
	fq_heap_init(&h, N);
	fq_heap_room(pool, &h, N);
	for (unsigned k = 0; k < 20000; k++) {
		uint32_t i = draw(N);
		uint64_t least = NEVER;

		if (draw(3)) {
			key[i] = draw(1000);
			fq_heap_set(pool, &h, &place[i], key[i]);
		} else {
			fq_heap_del(pool, &h, &place[i]);
		}
		for (i = 0; i < N; i++) {
			if (place[i] && key[i] < least)
				least = key[i];
			if (place[i])
				assert_ptr_equal(fq_heap_at(pool, &h, place[i] - 1)->place,
						 &place[i]);
		}
		assert_true(fq_heap_next(pool, &h) == least);
	}
	for (uint32_t i = 0; i < N; i++)
		fq_heap_del(pool, &h, &place[i]);
	fq_heap_room(pool, &h, 0);
	assert_int_equal(pool->used, 0);
	fq_pool_free(pool);
}

/* ---- Queues. */

static struct queue_conf conf(struct fq_pool *pool)
{
	return (struct queue_conf){.limit_packets = 100,
				   .limit_bytes = UINT64_MAX,
				   .mtu = 1500,
				   .quantum = 1500,
				   .flows = 1024,
				   .target = 5 * MS,
				   .interval = 100 * MS,
				   .codel = true,
				   .pool = pool};
}

static struct pkt packet(uint64_t flow)
{
	return (struct pkt){.flow = flow * 0x9e3779b97f4a7c15ull,
			    .host = flow % 5 * 0xbf58476d1ce4e5b9ull,
			    .src = (uint32_t)flow % 7 * 0x9e3779b1u,
			    .len = 1000};
}

/* One packet comes and goes. False: it found no room. */
static bool pass(void *q, uint64_t flow, uint64_t now)
{
	struct pkt p = packet(flow);
	struct pkt_list dropped = {0};
	uint64_t at = now;

	p.arrival = now;
	queue_fq.enqueue(q, &p, now, &dropped);
	if (dropped.head) {
		assert_int_equal(p.drop, PKT_DROP_MEMORY);
		return false;
	}
	while (!queue_fq.head(q, at, &at))
		;
	assert_ptr_equal(queue_fq.take(q, at), &p);
	return true;
}

static enum queue_isolation isolations[] = {QUEUE_ISO_FLOWS, QUEUE_ISO_DUAL_SRC};

/* No flow has a packet but one: whatever came before makes room, and no memory is asked for. */
static void test_all_is_forgotten(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct fq_need need = {0};
		struct queue_conf c = conf(NULL);
		struct fq_pool *pool;
		void *q[8];

		c.isolation = isolations[k];
		for (unsigned i = 0; i < 8; i++)
			fq_need_add(&need, &c);
		pool = fq_pool_new(&need, 20);
		assert_non_null(pool);
		/* far less than their tables could hold */
		assert_true(pool->size < 1024);
		c.pool = pool;
		for (unsigned i = 0; i < 8; i++)
			assert_non_null(q[i] = queue_fq.make(&c));
		assert_int_equal(pool->used, 0);
		for (unsigned i = 0; i < 20000; i++)
			assert_true(pass(q[i % 8], i, i));
		assert_true(pool->forgotten > 0);
		for (unsigned i = 0; i < 8; i++)
			queue_fq.unmake(q[i]);
		fq_pool_free(pool);
	}
}

/*
 * All that may wait at once does, each packet in a flow of its own, after as many flows that
 * have left: there is room for all.
 */
static void test_bound(void **state)
{
	enum { QUEUES = 30, ALL = 2000 };
	static struct pkt waiting[ALL];
	struct pkt_list dropped = {0};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct queue_conf c = conf(NULL);
		struct fq_need need = {0};
		struct fq_pool *pool;
		void *q[QUEUES];

		c.isolation = isolations[k];
		c.limit_packets = ALL;
		c.flows = 65536;
		for (unsigned i = 0; i < QUEUES; i++)
			fq_need_add(&need, &c);
		pool = fq_pool_new(&need, ALL);
		assert_non_null(pool);
		c.pool = pool;
		for (unsigned i = 0; i < QUEUES; i++)
			assert_non_null(q[i] = queue_fq.make(&c));
		for (unsigned i = 0; i < 3 * ALL; i++)
			assert_true(pass(q[draw(QUEUES)], i, i));
		for (unsigned i = 0; i < ALL; i++) {
			waiting[i] = packet(1000000 + i);
			queue_fq.enqueue(q[draw(QUEUES)], &waiting[i], MS, &dropped);
			assert_null(dropped.head);
		}
		assert_true(pool->used <= pool->size);
		for (unsigned i = 0, n = 0; n < ALL; i = (i + 1) % QUEUES) {
			uint64_t when;

			if (!queue_fq.head(q[i], MS, &when))
				continue;
			assert_non_null(queue_fq.take(q[i], MS));
			n++;
		}
		for (unsigned i = 0; i < QUEUES; i++)
			queue_fq.unmake(q[i]);
		fq_pool_free(pool);
	}
}

/* A pool that was not made for what comes: said of each packet, and nothing else happens. */
static void test_exhausted(void **state)
{
	struct fq_need need = {.queues = 1};
	struct fq_pool *pool = fq_pool_new(&need, 1);
	struct queue_conf c = conf(pool);
	static struct pkt p[1000];
	struct pkt_list dropped = {0};
	unsigned in = 0, out = 0, lost = 0;
	uint64_t when;
	void *q;

	(void)state;
	assert_non_null(pool);
	c.limit_packets = 1000;
	assert_non_null(q = queue_fq.make(&c));
	for (unsigned i = 0; i < 1000; i++) {
		p[i] = packet(i);
		queue_fq.enqueue(q, &p[i], 0, &dropped);
		in += p[i].drop == PKT_KEPT;
		lost += p[i].drop == PKT_DROP_MEMORY;
	}
	assert_true(in > 0 && in < 1000);
	assert_int_equal(in + lost, 1000);
	while (queue_fq.head(q, MS, &when)) {
		assert_non_null(queue_fq.take(q, MS));
		out++;
	}
	assert_int_equal(out, in);
	assert_true(pass(q, 5000, MS));
	queue_fq.unmake(q);
	fq_pool_free(pool);
}

/* Buckets are never forgotten before they are full, however many flows come. */
static void test_buckets_stay(void **state)
{
	struct queue_conf c = conf(NULL);
	struct fq_need need = {0};
	struct fq_pool *pool;
	void *gated, *plain;
	uint64_t when = 0;
	struct pkt p = packet(1);
	struct pkt_list dropped = {0};

	(void)state;
	fq_need_add(&need, &c);
	c.flow_rate = 8000; /* a byte a ms */
	c.flow_burst = 1000;
	fq_need_add(&need, &c);
	pool = fq_pool_new(&need, 10);
	assert_non_null(pool);
	c.pool = pool;
	assert_non_null(gated = queue_fq.make(&c));
	c.flow_rate = 0;
	assert_non_null(plain = queue_fq.make(&c));
	assert_true(pass(gated, 1, 0));
	for (unsigned i = 0; i < 20000; i++)
		assert_true(pass(plain, i, MS));
	queue_fq.enqueue(gated, &p, MS, &dropped);
	assert_null(queue_fq.head(gated, MS, &when));
	assert_true(when == 1000 * MS);
	assert_ptr_equal(queue_fq.head(gated, when, &when), &p);
	assert_ptr_equal(queue_fq.take(gated, when), &p);
	queue_fq.unmake(gated);
	queue_fq.unmake(plain);
	fq_pool_free(pool);
}

/* What a bucket has lacked comes back to the pool when it is full, and so does the rest. */
static void test_given_back(void **state)
{
	struct queue_conf c = conf(NULL);
	struct fq_need need = {0};
	struct fq_pool *pool;
	uint32_t most = 0;
	void *q[40];

	(void)state;
	c.flow_rate = 8000000;
	c.flow_burst = 3000;
	c.host_rate = 80000000;
	c.host_burst = 30000;
	for (unsigned i = 0; i < 40; i++)
		fq_need_add(&need, &c);
	pool = fq_pool_new(&need, 1000);
	assert_non_null(pool);
	c.pool = pool;
	for (unsigned i = 0; i < 40; i++)
		assert_non_null(q[i] = queue_fq.make(&c));
	/* ten times what the pool has: a flow every ms, each at rest soon after */
	for (uint64_t i = 0; i < 400000; i++) {
		assert_true(pass(q[i % 40], i, i * MS));
		most = pool->used > most ? pool->used : most;
	}
	assert_int_equal(pool->forgotten, 0);
	/* it takes 16 intervals, 1,600 flows, until what they left in their round is gone */
	assert_true(most < 20000);
	assert_true(pool->size > 100000);
	for (unsigned i = 0; i < 40; i++)
		queue_fq.unmake(q[i]);
	fq_pool_free(pool);
}

/* Another policy takes over with a smaller pool: as much goes on as it has room for. */
static void test_inherit(void **state)
{
	struct queue_conf c = conf(NULL);
	struct fq_need need = {0};
	struct fq_pool *small;
	void *old, *q;

	(void)state;
	c.flows = 65536;
	c.limit_packets = 10000;
	assert_non_null(old = queue_fq.make(&c));
	for (unsigned i = 0; i < 8000; i++)
		assert_true(pass(old, i, i));
	c.limit_packets = 10;
	fq_need_add(&need, &c);
	small = fq_pool_new(&need, 10);
	assert_non_null(small);
	c.pool = small;
	assert_non_null(q = queue_fq.make(&c));
	queue_fq.inherit(q, old, 9000);
	queue_fq.unmake(old);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(pass(q, i, 10000 + i));
	queue_fq.unmake(q);
	fq_pool_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_heap),
		cmocka_unit_test(test_all_is_forgotten),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_exhausted),
		cmocka_unit_test(test_buckets_stay),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_inherit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
