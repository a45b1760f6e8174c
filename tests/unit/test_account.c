/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "qos/account.h"
#include "tests/unit/packet_build.h"

static struct account *make(void)
{
	struct account *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	return a;
}

static void end(struct account *a)
{
	account_clear(a);
	free(a);
}

/* But for the place where the histograms are. */
static void assert_same(const struct account *a, const struct account *b)
{
	struct account x = *a, y = *b;

	for (unsigned i = 0; i < DELAYS_BUCKETS; i++)
		assert_int_equal(delays_get(a->hist, i), delays_get(b->hist, i));
	x.hist = y.hist = NULL;
	x.room = y.room = NULL;
	assert_memory_equal(&x, &y, sizeof(x));
}

static void send_one(struct account *a, uint64_t arrival, uint64_t delay)
{
	account_in(a, arrival, 100);
	account_sent(a, arrival + delay, 100, delay, 0);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void test_quantiles_of_few(void **state)
{
	struct account *a = make();

	(void)state;
	assert_int_equal(account_quantile(a, 500), 0);
	assert_int_equal(account_mean(a), 0);
	for (uint64_t d = 1; d <= 60; d++)
		send_one(a, 0, d);
	/* exact below 64 ns */
	assert_int_equal(account_quantile(a, 0), 1);
	assert_int_equal(account_quantile(a, 500), 30);
	assert_int_equal(account_quantile(a, 950), 57);
	assert_int_equal(account_quantile(a, 990), 60);
	assert_int_equal(account_quantile(a, 1000), 60);
	assert_int_equal(account_mean(a), 30);
	end(a);
}

/* Against sorted delays of every size: never below the true quantile, at most 1/32 above. */
static void test_quantiles_of_many(void **state)
{
	enum { N = 20000 };
	uint64_t *v = calloc(N, sizeof(*v)), seed = 42;
	struct account *a = make();
	unsigned __int128 sum = 0;

	(void)state;
	assert_non_null(v);
	for (unsigned i = 0; i < N; i++) {
		uint64_t r = (uint64_t)packet_random(&seed) << 32 | packet_random(&seed);

		v[i] = r >> (packet_random(&seed) % 64);
		sum += v[i];
		account_in(a, 0, 1);
		account_sent(a, v[i], 1, v[i], 0);
	}
	qsort(v, N, sizeof(*v), compare);
	for (unsigned q = 1; q <= 1000; q++) {
		uint64_t want = v[(N * (uint64_t)q + 999) / 1000 - 1];
		uint64_t got = account_quantile(a, q);

		assert_true(got >= want);
		assert_true(got - want <= want / 32);
	}
	assert_true(a->delay_max == v[N - 1]);
	assert_true(account_quantile(a, 1000) == v[N - 1]);
	assert_true(account_mean(a) == (uint64_t)(sum / N));
	free(v);
	end(a);
}

static void test_extreme_delays(void **state)
{
	static const uint64_t v[] = {
		0, 63, 64, 65, 127, 128, 1u << 20, UINT32_MAX, UINT64_MAX / 2, UINT64_MAX};

	(void)state;
	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct account *a = make();

		send_one(a, 0, v[i]);
		assert_true(account_quantile(a, 500) == v[i]);
		assert_true(account_mean(a) == v[i]);
		send_one(a, 0, v[i]);
		assert_true(account_mean(a) == v[i]); /* a sum beyond 64 bits */
		end(a);
	}
}

static void test_conservation(void **state)
{
	struct account *a = make();
	struct account_count d;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		account_in(a, i, 100 + i);
	account_sent(a, 20, 100, 20, 15);
	account_sent(a, 21, 101, 15, 15);
	account_dropped(a, 22, 102, PKT_DROP_AQM);
	account_dropped(a, 23, 103, PKT_DROP_DEADLINE);
	d = account_all_dropped(a);
	assert_int_equal(a->in.packets, a->sent.packets + d.packets + a->backlog);
	assert_int_equal(a->in.bytes, a->sent.bytes + d.bytes + a->backlog_bytes);
	assert_int_equal(d.packets, 2);
	assert_int_equal(d.bytes, 205);
	assert_int_equal(a->over_latency, 1);
	assert_int_equal(a->backlog_max, 10);
	assert_int_equal(a->first_in, 0);
	assert_int_equal(a->last_out, 21);
	end(a);
}

/* A full queue of three: the fourth is dropped, or drives one out, and is never a fourth. */
static void test_largest_backlog(void **state)
{
	struct account *a = make();

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		account_in(a, 0, 10);
	account_in(a, 1, 10);
	account_dropped(a, 1, 10, PKT_DROP_LIMIT);
	account_sent(a, 2, 10, 2, 0);
	assert_int_equal(a->backlog_max, 3);
	assert_int_equal(a->backlog_bytes_max, 30);
	/* one that left by its age had been there */
	account_in(a, 3, 10);
	account_in(a, 3, 10);
	account_dropped(a, 9, 10, PKT_DROP_DEADLINE);
	assert_int_equal(a->backlog_max, 4);
	end(a);
}

static void test_mean_depth(void **state)
{
	struct account *a = make();

	(void)state;
	assert_int_equal(account_depth_milli(a, 100), 0);
	account_in(a, 1000, 1);
	assert_int_equal(account_depth_milli(a, 1000), 1000);
	account_in(a, 2000, 1);		/* one packet for 1000 ns */
	account_sent(a, 4000, 1, 0, 0); /* two for 2000 ns */
	account_sent(a, 5000, 1, 0, 0); /* one for 1000 ns */
	assert_int_equal(account_depth_milli(a, 5000), 1500);
	assert_int_equal(account_depth_milli(a, 7000), 1000);
	end(a);
}

/* 4 billion packets for 500 years do not run over */
static void test_depth_has_128_bits(void **state)
{
	struct account *a = make();

	(void)state;
	account_in(a, 0, 1);
	a->backlog = UINT32_MAX;
	assert_true(account_depth_milli(a, UINT64_MAX - 1) == UINT32_MAX * 1000ull);
	account_in(a, UINT64_MAX - 1, 1);
	assert_true(a->depth_hi != 0);
	a->backlog = 0;
	assert_true(account_depth_milli(a, UINT64_MAX - 1) == UINT32_MAX * 1000ull);
	end(a);
}

/* The C code of RFC 3550, A.8, in its own words */
static void test_jitter(void **state)
{
	struct account *a = make();
	uint64_t seed = 7, j = 0, max = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t d = packet_random(&seed) % 30000000;

		account_jitter(a, d);
		j += d - ((j + 8) >> 4);
		if (j >> 4 > max)
			max = j >> 4;
		assert_int_equal(account_jitter_now(a), j >> 4);
	}
	assert_int_equal(a->jitter_max, max);
	account_jitter(a, UINT64_MAX);
	account_jitter(a, UINT64_MAX);
	assert_true(account_jitter_now(a) < UINT64_MAX >> 4);
	end(a);
}

/* Two accounts added are as one that saw all of it. */
static void test_add(void **state)
{
	struct account *part[2] = {make(), make()}, *whole = make(), *sum = make();
	uint64_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now = 10 + 100ull * i, delay = packet_random(&seed) % 100;
		struct account *p = part[packet_random(&seed) % 2];
		uint32_t len = packet_random(&seed) % 1500;
		unsigned fate = packet_random(&seed) % 8;

		account_in(p, now, len);
		account_in(whole, now, len);
		if (!fate)
			continue;
		if (fate == 1) {
			account_dropped(p, now + delay, len, PKT_DROP_AQM);
			account_dropped(whole, now + delay, len, PKT_DROP_AQM);
		} else {
			account_sent(p, now + delay, len, delay, 50);
			account_sent(whole, now + delay, len, delay, 50);
		}
	}
	account_add(sum, part[0]);
	account_add(sum, part[1]);
	assert_int_equal(account_depth_milli(sum, 200000), account_depth_milli(whole, 200000));
	/* the integrals may be up to different times; at one time they are the same */
	sum->depth_lo = whole->depth_lo;
	sum->depth_hi = whole->depth_hi;
	sum->depth_at = whole->depth_at;
	sum->backlog_max = whole->backlog_max;
	sum->backlog_bytes_max = whole->backlog_bytes_max;
	assert_same(sum, whole);
	for (unsigned i = 0; i < 2; i++)
		end(part[i]);
	end(whole);
	end(sum);
}

/* The histogram takes memory for the powers of two that delays fall into, and for no others. */
static void test_histogram_follows_delays(void **state)
{
	struct account *a = make();

	(void)state;
	account_in(a, 0, 100);
	assert_null(a->hist);
	account_sent(a, 0, 100, 0, 0);
	assert_int_equal(a->hist->n, 1);
	for (unsigned i = 0; i < 1000; i++)
		send_one(a, 1, 1000 + i % 24);
	assert_int_equal(a->hist->n, 2 + (1000 % 1024 + 23 >= 1024));
	for (unsigned e = 0; e < 64; e++)
		send_one(a, 1, 1ull << e);
	assert_int_equal(a->hist->n, 1 + 1 + 64 - 6); /* up to 31, to 63, and 58 powers */
	for (unsigned i = 0; i < 1000; i++)
		send_one(a, 1, packet_random(&(uint64_t){i}) % UINT32_MAX);
	assert_int_equal(a->hist->n, DELAYS_CHUNKS);
	account_clear(a);
	assert_null(a->hist);
	assert_int_equal(a->in.packets, 0);
	end(a);
}

/* Delays that find no room any more are taken for the longest: no quantile is too small. */
static void test_no_room(void **state)
{
	struct account *a = make(), *copy = make(), *moved = make(), *sum = make();
	int64_t room = 2, other = 5;

	(void)state;
	a->room = &room;
	for (unsigned i = 0; i < 60; i++)
		send_one(a, 1, 10);
	for (unsigned i = 0; i < 20; i++)
		send_one(a, 1, 100);
	for (unsigned i = 0; i < 19; i++)
		send_one(a, 1, 300);
	assert_int_equal(room, 0);
	send_one(a, 1, 20); /* where there is room already */
	assert_int_equal(a->uncounted, 19);
	assert_int_equal(account_quantile(a, 610), 10 + 10);
	assert_in_range(account_quantile(a, 810), 100, 103);
	assert_int_equal(account_quantile(a, 820), 300);
	assert_int_equal(account_quantile(a, 1000), 300);
	account_copy(copy, a);
	assert_same(copy, a);
	assert_ptr_not_equal(copy->hist, a->hist);
	account_add(sum, a);
	assert_int_equal(account_quantile(sum, 820), 300);
	account_clear(a);
	assert_int_equal(room, 2);
	moved->room = &other;
	account_move(moved, copy);
	assert_null(copy->hist);
	assert_int_equal(other, 3);
	assert_int_equal(account_quantile(moved, 610), 20);
	end(a);
	end(copy);
	end(moved);
	end(sum);
	assert_int_equal(other, 5);
}

static void test_throughput(void **state)
{
	struct account *a = make();

	(void)state;
	assert_int_equal(account_throughput(a), 0);
	account_in(a, 1000000000, 1000);
	account_in(a, 1000000000, 1000);
	assert_int_equal(account_throughput(a), 0);
	account_sent(a, 1000000000, 1000, 0, 0);
	assert_int_equal(account_throughput(a), 0); /* no time at all */
	account_sent(a, 2000000000, 1000, 1000000000, 0);
	assert_int_equal(account_throughput(a), 16000);
	end(a);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(account_drop_name(PKT_DROP_LIMIT), "limit");
	assert_string_equal(account_drop_name(PKT_DROP_AQM), "aqm");
	assert_string_equal(account_drop_name(PKT_DROP_DEADLINE), "deadline");
	assert_string_equal(account_drop_name(PKT_DROP_MEMORY), "memory");
	assert_string_equal(account_drop_name(PKT_DROP_REMOVED), "removed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles_of_few),
		cmocka_unit_test(test_quantiles_of_many),
		cmocka_unit_test(test_extreme_delays),
		cmocka_unit_test(test_conservation),
		cmocka_unit_test(test_largest_backlog),
		cmocka_unit_test(test_mean_depth),
		cmocka_unit_test(test_depth_has_128_bits),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_histogram_follows_delays),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_throughput),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
