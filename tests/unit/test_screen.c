/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys, widths and numbers for a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gw/screen.h"
#include "gw/top_text.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* ---- Numbers. */

static void test_numbers(void **state)
{
	char t[REPORT_TEXT];

	(void)state;
	assert_string_equal(top_per_second(0, S, t), "0");
	assert_string_equal(top_per_second(5, 0, t), "-");
	assert_string_equal(top_per_second(1, 100 * S, t), "<0.1");
	assert_string_equal(top_per_second(1, 10 * S, t), "0.1");
	assert_string_equal(top_per_second(3, S, t), "3");
	assert_string_equal(top_per_second(5, 2 * S, t), "2.5");
	assert_string_equal(top_per_second(10, S, t), "10");
	assert_string_equal(top_per_second(123456, S, t), "123k");
	assert_string_equal(top_per_second(1, 200 * MS, t), "5");
	assert_string_equal(top_share(0, 10, t), "0%");
	assert_string_equal(top_share(1, 0, t), "-");
	assert_string_equal(top_share(1, 100000, t), "<0.1%");
	assert_string_equal(top_share(4, 100, t), "4.0%");
	assert_string_equal(top_share(999, 1000, t), "99.9%");
	assert_string_equal(top_share(1, 1, t), "100%");
	assert_string_equal(top_share(3, 1, t), "300%");
	assert_string_equal(top_duration(1500 * MS, t), "1.50s");
	assert_string_equal(top_duration(75 * S, t), "1m 15s");
	assert_string_equal(top_duration(3 * 3600 * S + 20 * 60 * S, t), "3h 20m");
	assert_string_equal(top_duration(25 * 3600 * S, t), "1d 1h");
	assert_string_equal(report_count(999, t), "999");
	assert_string_equal(report_count(1234, t), "1.23k");
	assert_string_equal(report_count(UINT64_MAX, t), "18447P");
}

/* ---- Keys. */

static int key_of(const char *s, size_t *used)
{
	int key = -1;

	*used = screen_key(s, strlen(s), &key);
	return key;
}

static void test_keys(void **state)
{
	static const struct {
		const char *text;
		size_t used;
		int key;
	} k[] = {
		{"q", 1, 'q'},
		{" s", 1, ' '},
		{"\x1b[A", 3, SCREEN_UP},
		{"\x1bOB", 3, SCREEN_DOWN},
		{"\x1b[5~q", 4, SCREEN_PAGE_UP},
		{"\x1b[6~", 4, SCREEN_PAGE_DOWN},
		{"\x1b[H", 3, SCREEN_HOME},
		{"\x1b[4~", 4, SCREEN_LAST},
		{"\x1b[1;5Aq", 6, SCREEN_OTHER},
		{"\x1b[200~", 6, SCREEN_OTHER},
		{"\x1bq", 1, SCREEN_OTHER},
	};
	static const char *const begun[] = {"\x1b", "\x1b[", "\x1bO", "\x1b[5", "\x1b[1;5"};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(k) / sizeof(k[0]); i++) {
		assert_int_equal(key_of(k[i].text, &used), k[i].key);
		assert_int_equal(used, k[i].used);
	}
	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
		key_of(begun[i], &used);
		assert_int_equal(used, 0);
	}
	/* what never ends is not waited for */
	assert_int_equal(key_of("\x1b[1111111111111111111111", &used), SCREEN_OTHER);
	assert_true(used > 0);
}

/* ---- Text. */

static void test_width(void **state)
{
	static const char text[] = "a\xc3\xbc\xe2\x82\xac"
				   "b";

	(void)state;
	assert_int_equal(screen_width(""), 0);
	assert_int_equal(screen_width(text), 4);
	assert_int_equal(screen_cut(text, 0), 0);
	assert_int_equal(screen_cut(text, 1), 1);
	assert_int_equal(screen_cut(text, 2), 3);
	assert_int_equal(screen_cut(text, 3), 6);
	assert_int_equal(screen_cut(text, 100), 7);
}

static void test_lines(void **state)
{
	struct screen_lines l = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		screen_lines_add(&l, strdup("x"), SCREEN_PLAIN);
	assert_int_equal(l.n, 1000);
	assert_false(l.failed);
	screen_lines_add(&l, NULL, SCREEN_PLAIN); /* no memory for a text */
	assert_true(l.failed);
	assert_int_equal(l.n, 1000);
	screen_lines_free(&l);
}

/* ---- Sentences. */

static void collect(void *arg, char *text, enum screen_style style)
{
	screen_lines_add(arg, text, style);
}

static void test_flow(void **state)
{
	struct screen_lines l = {0};
	struct top_flow w = {20, SCREEN_BOLD, collect, &l, NULL};

	(void)state;
	top_flow_say(&w, "link %s", "up");
	top_flow_say(&w, "%d of %d", 1, 2);
	top_flow_say(&w, "held 4000");
	top_flow_say(&w, "a thing that is too long for it");
	top_flow_end(&w);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.v[0].text, "link up, 1 of 2,");
	assert_string_equal(l.v[1].text, "    held 4000,");
	assert_string_equal(l.v[2].text, "    a thing that is too long for it");
	assert_int_equal(l.v[2].style, SCREEN_BOLD);
	screen_lines_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_keys),
		cmocka_unit_test(test_width),	cmocka_unit_test(test_lines),
		cmocka_unit_test(test_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
