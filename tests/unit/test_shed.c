/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is shed and when, in time that is told: a look every 100 ms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gw/shed.h"

#define RATE 12500u
#define MS UINT64_C(1000000)

struct rig {
	struct shed s;
	struct shed_todo todo;
	struct heavy heavy;
	struct shed_seen seen;
	uint64_t now;
};

static struct heavy_host host(uint32_t n)
{
	struct heavy_host h = {.family = 4};

	memcpy(h.addr, &n, sizeof(n));
	return h;
}

static void send(struct rig *r, uint32_t n, unsigned packets)
{
	struct heavy_host h = host(n);

	for (unsigned i = 0; i < packets; i++)
		heavy_count(&r->heavy, &h);
}

/* 100 ms with what was sent by send(), and what came of that. */
static void look(struct rig *r, uint64_t unread, uint64_t dropped)
{
	r->now += SHED_EVERY;
	r->seen = (struct shed_seen){.now = r->now,
				     .ns = SHED_EVERY,
				     .unread = unread,
				     .dropped = dropped,
				     .drops_matter = true,
				     .heavy = &r->heavy};
	shed_look(&r->s, RATE, &r->seen, &r->todo);
	r->heavy = (struct heavy){0};
}

static void begin(struct rig *r)
{
	*r = (struct rig){.now = 1000 * MS};
}

static void test_rate(void **state)
{
	(void)state;
	assert_int_equal(shed_rate(20000000), 5000); /* of 500 bytes each */
	assert_int_equal(shed_rate(100000), SHED_RATE_LEAST);
	assert_int_equal(shed_rate(UINT64_C(10000000000)), SHED_RATE_MOST);
}

/* More than can be read: whoever sends most of it is shed at once, and nobody else. */
static void test_host(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	send(&r, 1, 4000);
	for (uint32_t n = 2; n < 50; n++)
		send(&r, n, 10);
	look(&r, SHED_LATE, 0);
	assert_int_equal(r.todo.n_put, 1);
	assert_false(r.todo.renew[0]);
	assert_false(r.s.limited);
	assert_int_equal(r.s.host[0].host.addr[0], 1);
	assert_true(r.s.host[0].active);
	assert_false(shed_calm(&r.s));
	/* and not again in the next look */
	send(&r, 1, 4000);
	look(&r, SHED_LATE, 0);
	assert_int_equal(r.todo.n_put, 0);
}

/* What is read for nothing costs as well, but a burst is none of it. */
static void test_drops(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	for (unsigned i = 1; i < SHED_DROPS_LOOKS; i++) {
		send(&r, 1, 2000);
		look(&r, 0, 2000);
		assert_int_equal(r.todo.n_put, 0);
	}
	look(&r, 0, 0);
	assert_true(shed_calm(&r.s));
	for (unsigned i = 1; i <= SHED_DROPS_LOOKS; i++) {
		send(&r, 1, 2000);
		look(&r, 0, 2000);
	}
	assert_int_equal(r.todo.n_put, 1);
}

/* Who sends less than the link carries is left alone, whatever there is to be seen. */
static void test_small(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	send(&r, 1, RATE / 10 / 4);
	look(&r, 10 * SHED_LATE, 0);
	assert_int_equal(r.todo.n_put, 0);
	assert_false(r.s.limited);
}

/* Nobody stands out: all together are held to the rate, for as long as that drops anything. */
static void test_crowd(void **state)
{
	struct rig r;
	uint64_t dropped = 0;
	unsigned looks;

	(void)state;
	begin(&r);
	for (uint32_t n = 0; n < 5000; n++)
		send(&r, n * 2654435761u, 1);
	look(&r, SHED_LATE, 0);
	assert_int_equal(r.todo.n_put, 0);
	assert_true(r.s.limited);
	assert_true(r.todo.limit_changed);
	for (unsigned i = 0; i < 100; i++) {
		dropped += 4000;
		shed_counted(&r.s, NULL, dropped, r.now);
		look(&r, 0, 0);
		assert_true(r.s.limited);
		assert_false(r.todo.limit_changed);
	}
	assert_int_equal(r.s.all.dropped, dropped);
	assert_in_range(r.s.all.pps, 39000, 41000);
	for (looks = 0; r.s.limited; looks++) {
		shed_counted(&r.s, NULL, dropped, r.now);
		look(&r, 0, 0);
		assert_true(looks < 100);
	}
	assert_true(r.todo.limit_changed);
	assert_in_range(looks, 38, 42);
	assert_true(shed_calm(&r.s));
	/* another time counts anew, though the counter goes on */
	for (uint32_t n = 0; n < 5000; n++)
		send(&r, n * 2654435761u, 1);
	look(&r, SHED_LATE, 0);
	assert_true(r.s.limited);
	shed_counted(&r.s, NULL, dropped + 7, r.now);
	assert_int_equal(r.s.all.dropped, 7);
}

/* Shedding the host is not enough: the crowd beside it. */
static void test_both(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	for (unsigned i = 0; i < SHED_OVERRUNS; i++) {
		assert_false(r.s.limited);
		send(&r, 1, 4000);
		for (uint32_t n = 0; n < 5000; n++)
			send(&r, 10 + n * 2654435761u, 1);
		look(&r, SHED_LATE, 0);
	}
	assert_true(r.s.limited);
	assert_true(r.s.host[0].active);
}

/* Put anew while it drops, with what it has counted; over when it does not. */
static void test_renewal(void **state)
{
	struct rig r;
	struct heavy_host one = host(1);
	uint64_t since_put = 0, all = 0;
	unsigned renewed = 0, looks;

	(void)state;
	begin(&r);
	send(&r, 1, 4000);
	look(&r, SHED_LATE, 0);
	for (unsigned i = 0; i < 100; i++) {
		since_put += 4000;
		all += 4000;
		shed_counted(&r.s, &one, since_put, r.now);
		look(&r, 0, 0);
		if (!r.todo.n_put)
			continue;
		assert_true(r.todo.renew[0]);
		since_put = 0; /* the entry is another one */
		renewed++;
	}
	assert_in_range(renewed, 4, 5);
	assert_int_equal(r.s.host[0].dropped, all);
	assert_in_range(r.s.host[0].pps, 39000, 41000);
	for (looks = 0; r.s.host[0].active; looks++) {
		look(&r, 0, 0);
		assert_true(looks < 100);
	}
	assert_in_range(looks, SHED_TIMEOUT / SHED_EVERY / 2, SHED_TIMEOUT / SHED_EVERY + 1);
	assert_true(shed_calm(&r.s));
	/* remembered for a while, and then forgotten */
	assert_int_equal(r.s.n, 1);
	r.now += SHED_KEEP;
	look(&r, 0, 0);
	assert_int_equal(r.s.n, 0);
}

/* More of them than there are places. */
static void test_many(void **state)
{
	struct rig r;

	(void)state;
	begin(&r);
	for (unsigned round = 0; round < 4; round++) {
		for (uint32_t n = 0; n < 7; n++)
			send(&r, round * 7 + n, 4000);
		look(&r, SHED_LATE, 0);
	}
	assert_int_equal(r.s.n, SHED_HOSTS);
	assert_true(r.s.limited);
	for (unsigned i = 0; i < r.s.n; i++)
		assert_true(r.s.host[i].active);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),	cmocka_unit_test(test_host),
		cmocka_unit_test(test_drops),	cmocka_unit_test(test_small),
		cmocka_unit_test(test_crowd),	cmocka_unit_test(test_both),
		cmocka_unit_test(test_renewal), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
