/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When packets came that were read late, from the ids at known moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw/unread.h"

#define MS UINT64_C(1000000)

static void test_nothing_known(void **state)
{
	struct unread u = {0};

	(void)state;
	assert_int_equal(unread_moment(&u, 7, 5 * MS), 5 * MS);
	/* nor does a packet that came after the last mark count as late */
	unread_note(&u, 6 * MS, 7);
	assert_int_equal(unread_moment(&u, 8, 9 * MS), 9 * MS);
}

/* Five seconds in which nobody read: each packet came in its part of them. */
static void test_stall(void **state)
{
	struct unread u = {0};

	(void)state;
	unread_note(&u, 100 * MS, 10);
	unread_note(&u, 5100 * MS, 1010);
	assert_int_equal(unread_moment(&u, 11, 5101 * MS), 105 * MS);
	assert_int_equal(unread_moment(&u, 510, 5102 * MS), 2600 * MS);
	assert_int_equal(unread_moment(&u, 1010, 5103 * MS), 5100 * MS);
	assert_int_equal(unread_moment(&u, 1011, 5104 * MS), 5104 * MS);
}

/* Nothing came for long, then a packet: it did not wait since the mark before. */
static void test_idle(void **state)
{
	struct unread u = {0};

	(void)state;
	unread_note(&u, 0, 10);
	unread_note(&u, 9000 * MS, 10);
	unread_note(&u, 9001 * MS, 12);
	assert_true(unread_moment(&u, 11, 9002 * MS) >= 9000 * MS);
}

/* Ids that wrap, times and ids that lie: never after now, never backwards. */
static void test_hostile(void **state)
{
	struct unread u = {0};
	uint64_t last = 0, now = 0;

	(void)state;
	unread_note(&u, 1 * MS, UINT32_MAX - 1);
	unread_note(&u, 5 * MS, 2);
	assert_int_equal(unread_moment(&u, UINT32_MAX, 6 * MS), 2 * MS);
	assert_int_equal(unread_moment(&u, 0, 6 * MS), 3 * MS);
	unread_note(&u, 2 * MS, 3); /* back in time */
	unread_note(&u, 9 * MS, 1); /* back in ids */
	assert_int_equal(unread_moment(&u, 2, 10 * MS), 5 * MS);
	u = (struct unread){0};
	srand(1);
	for (int i = 0; i < 200000; i++) {
		uint32_t id = (uint32_t)rand() * 2654435761u;
		uint64_t at;

		now += (uint64_t)(rand() % 1000);
		if (rand() % 2)
			unread_note(&u, (uint64_t)rand() * 4, id);
		at = unread_moment(&u, id + (uint32_t)(rand() % 100), now);
		assert_true(at <= now);
		assert_true(at >= last);
		last = at;
	}
}

/* Far more marks than are kept, against the moments themselves. */
static void test_many_marks(void **state)
{
	struct unread u = {0};

	(void)state;
	for (uint32_t i = 0; i <= 1000; i++)
		unread_note(&u, i * MS, i * 10);
	for (uint32_t id = 1; id <= 10000; id++) {
		uint64_t is = id * MS / 10, at = unread_moment(&u, id, 1001 * MS);

		assert_true(at <= is + MS && at + MS >= is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_stall),
		cmocka_unit_test(test_idle),	      cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_many_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
