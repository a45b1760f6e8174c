/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a log that come without end: the first are said, the others counted, none is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gw/quiet.h"

#define SECOND UINT64_C(1000000000)

static const char down[] = "down", up[] = "up"; /* two places of a program */

static void test_few(void **state)
{
	struct quiet q = {0};
	char text[QUIET_TEXT];

	(void)state;
	/* five a minute, for ever */
	for (uint64_t t = 0; t < 3600; t += 12)
		assert_true(quiet_says(&q, t * SECOND, down, "link a: it is down"));
	assert_int_equal(quiet_over(&q, 4000 * SECOND, text), 0);
}

static void test_many(void **state)
{
	struct quiet q = {0};
	char text[QUIET_TEXT], line[64];
	unsigned said = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "link a: down for the %uth time", i);
		said += quiet_says(&q, i * SECOND / 10, down, line);
	}
	assert_int_equal(said, QUIET_LINES);
	/* not before the minute is over; then once, with what was last */
	assert_int_equal(quiet_over(&q, 59 * SECOND, text), 0);
	assert_int_equal(quiet_over(&q, 60 * SECOND, text), 100 - QUIET_LINES);
	assert_string_equal(text, "link a: down for the 99th time");
	assert_int_equal(quiet_over(&q, 60 * SECOND, text), 0);
	/* a new minute */
	assert_true(quiet_says(&q, 61 * SECOND, down, "link a: down again"));
}

/* Another link, or another thing of the same link, is another kind. */
static void test_kinds(void **state)
{
	struct quiet q = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		quiet_says(&q, i, down, "link a: down");
	assert_false(quiet_says(&q, 100, down, "link a: down"));
	assert_true(quiet_says(&q, 100, down, "link b: down"));
	/* a digit of a name tells one from another */
	for (unsigned i = 0; i < 100; i++)
		quiet_says(&q, 100, down, "link a0: down");
	assert_true(quiet_says(&q, 100, down, "link a1: down"));
	assert_true(quiet_says(&q, 100, up, "link a: up"));
	assert_true(quiet_says(&q, 100, down, "no colon at all"));
	assert_true(quiet_says(&q, 100, down, ""));
}

/* Whatever comes in whatever order: said and told together are all. */
static void test_sums(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct quiet q = {0};
		char text[QUIET_TEXT], line[64];
		uint64_t now = 0, said = 0, told = 0, n;

		srand(seed);
		for (unsigned i = 0; i < 20000; i++) {
			now += (uint64_t)rand() % (SECOND / 4);
			/* more kinds than are known at a time */
			snprintf(line, sizeof(line), "link %c%c: %d", 'a' + rand() % (int)seed,
				 'a' + rand() % 16, rand());
			said += quiet_says(&q, now, rand() % 2 ? down : up, line);
			if (!(rand() % 8))
				while ((n = quiet_over(&q, now, text)))
					told += n;
		}
		while ((n = quiet_over(&q, UINT64_MAX, text)))
			told += n;
		assert_int_equal(said + told, 20000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
