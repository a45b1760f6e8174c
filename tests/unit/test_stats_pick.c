/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which classes of an answer are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gw/stats_pick.h"

/* NAME:IN:SENT:DROPPED, of classes without classes but those that end with a slash. */
static json_t *link_of(const char *name, const char *const *classes, size_t n)
{
	json_t *l = json_pack("{s:s}", "name", name), *list = json_array();

	for (size_t i = 0; i < n; i++) {
		char path[40];
		int in, sent, dropped;
		json_t *j;

		assert_int_equal(
			sscanf(classes[i], "%39[^:]:%d:%d:%d", path, &in, &sent, &dropped), 4);
		j = json_pack("{s:s, s:b, s:{s:i}, s:{s:i, s:i}, s:{s:i}, s:i, s:{s:i, s:i}}",
			      "class", path, "leaf", 1, "in", "packets", in, "sent", "packets",
			      sent, "bytes", 1000 - sent, "dropped", "packets", dropped,
			      "throughput_bps", 8 * sent, "delay_ns", "p99", in * 7, "max",
			      dropped + 1);
		if (path[strlen(path) - 1] == '/') {
			path[strlen(path) - 1] = '\0';
			json_object_set_new(j, "class", json_string(path));
			json_object_set_new(j, "leaf", json_false());
		}
		json_array_append_new(list, j);
	}
	json_object_set_new(l, "classes", list);
	return l;
}

static const char *const some[] = {"work/:9:9:0", "work/ssh:4:4:0", "work/web:5:3:2",
				   "rest:0:0:0",  "s[1]:7:7:1",	    "worker:1:1:0"};

static const char *rows(const struct stats_pick *p, const json_t *l)
{
	static char text[400];
	struct stats_rows r;

	text[0] = '\0';
	assert_int_equal(stats_pick_rows(p, l, &r), 0);
	for (size_t i = 0; i < r.n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
			 json_string_value(json_object_get(r.v[i], "class")));
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "+%zu+%zu", r.idle,
		 r.beyond);
	stats_rows_free(&r);
	return text;
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *rows;
		bool any, whole;
	} cases[] = {
		{"up", "work work/ssh work/web rest s[1] worker +0+0", true, true},
		{"u*", "work work/ssh work/web rest s[1] worker +0+0", true, true},
		{"up/work", "work work/ssh work/web +0+0", true, false},
		{"up/work/*", "work/ssh work/web +0+0", true, false},
		{"up/work/s*", "work/ssh +0+0", true, false},
		{"up/work*", "work work/ssh work/web worker +0+0", true, false},
		{"*/web", "work/web +0+0", true, false},
		{"up/s[1]", "s[1] +0+0", true, false},
		{"up/?est", "rest +0+0", true, false},
		{"up/nothing", "+0+0", false, false},
		{"down", "+0+0", false, false},
		{"", "+0+0", false, false},
	};
	json_t *l = link_of("up", some, 6), *all = json_pack("{s:[O]}", "links", l);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char pattern[40];
		char *list[] = {pattern};
		struct stats_pick p = {.pattern = list, .n_pattern = 1};
		bool whole;

		strcpy(pattern, cases[i].pattern);
		assert_int_equal(stats_pick_link(&p, l, &whole), cases[i].any);
		assert_int_equal(whole, cases[i].whole);
		assert_string_equal(rows(&p, l), cases[i].rows);
		if (cases[i].any)
			assert_null(stats_pick_vain(&p, all));
		else
			assert_string_equal(stats_pick_vain(&p, all), pattern);
	}
	json_decref(all);
	json_decref(l);
}

static void test_sort(void **state)
{
	static const struct {
		enum stats_sort sort;
		const char *rows;
	} cases[] = {
		{STATS_POLICY, "work work/ssh work/web rest s[1] worker +0+0"},
		{STATS_NAME, "rest s[1] work/ssh work/web worker +0+0"},
		{STATS_IN, "s[1] work/web work/ssh worker rest +0+0"},
		{STATS_SENT, "s[1] work/ssh work/web worker rest +0+0"},
		{STATS_BYTES, "rest worker work/web work/ssh s[1] +0+0"},
		{STATS_RATE, "s[1] work/ssh work/web worker rest +0+0"},
		{STATS_DELAY, "s[1] work/web work/ssh worker rest +0+0"},
		{STATS_MAX, "work/web s[1] work/ssh rest worker +0+0"},
		{STATS_DROPS, "work/web s[1] work/ssh rest worker +0+0"},
	};
	json_t *l = link_of("up", some, 6);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stats_pick p = {.sort = cases[i].sort};

		assert_string_equal(rows(&p, l), cases[i].rows);
	}
	for (unsigned i = 0; i < STATS_SORTS; i++)
		assert_non_null(stats_sort_name((enum stats_sort)i));
	assert_null(stats_sort_name(STATS_SORTS));
	json_decref(l);
}

/* Nothing is left out that the limit has room for; then those first to which nothing came. */
static void test_limit(void **state)
{
	static const struct {
		size_t limit;
		const char *rows;
	} cases[] = {
		{6, "work work/ssh work/web rest s[1] worker +0+0"},
		{5, "work work/ssh work/web s[1] worker +1+0"},
		{3, "work work/ssh work/web +1+2"},
		{1, "work +1+4"},
	};
	json_t *l = link_of("up", some, 6);
	struct stats_pick p = {.sort = STATS_DROPS, .limit = 2};

	(void)state;
	assert_string_equal(rows(&p, l), "work/web s[1] +1+2");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p = (struct stats_pick){.limit = cases[i].limit};
		assert_string_equal(rows(&p, l), cases[i].rows);
	}
	json_decref(l);
	/* an answer that makes no sense has no classes */
	l = json_pack("{s:i, s:s}", "name", 3, "classes", "none");
	assert_string_equal(rows(&p, l), "+0+0");
	json_decref(l);
	assert_string_equal(rows(&p, NULL), "+0+0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
