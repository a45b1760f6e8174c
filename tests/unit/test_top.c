/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `weir top` makes of two answers of a gateway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/top_frame.h"
#include "tests/unit/top_made.h"

/* Two answers and what is between them. */
struct pair {
	struct top_answer *was, *is;
	struct top_frame *f;
};

/* Takes the documents; was may be NULL. */
static struct pair compare(json_t *was, json_t *is)
{
	struct pair p = {was ? top_answer_read(was, NULL) : NULL, top_answer_read(is, NULL),
			 NULL};

	assert_true(!was || p.was);
	assert_non_null(p.is);
	p.f = top_frame_new(p.was, p.is);
	assert_non_null(p.f);
	json_decref(was);
	json_decref(is);
	return p;
}

static void done(struct pair *p)
{
	top_frame_free(p->f);
	top_answer_free(p->was);
	top_answer_free(p->is);
}

static const struct top_row *row(const struct pair *p, const char *path)
{
	for (size_t i = 0; i < p->f->link[0].n_row; i++)
		if (!strcmp(p->f->link[0].row[i].class->path, path))
			return &p->f->link[0].row[i];
	fail_msg("no class %s", path);
	return NULL;
}

#define NONE \
	{ \
		.path = "" \
	}

/* ---- Rates and intervals. */

static void test_rates(void **state)
{
	const struct made all = {.packets = 1000, .bytes = 1000000},
			  later = {.packets = 1300, .bytes = 1300000, .aqm = 7};
	const struct made a = {.path = "a", .packets = 1000, .bytes = 1000000, .limit = 5},
			  b = {.path = "a",
			       .packets = 1300,
			       .bytes = 1300000,
			       .limit = 5,
			       .aqm = 7,
			       .marked = 9,
			       .waiting = 4};
	struct pair p = compare(made_answer(100 * S, 50 * S, 1, made_link("up", &all, &a, 1)),
				made_answer(100 * S + 500 * MS, 50 * S + 500 * MS, 1,
					    made_link("up", &later, &b, 1)));
	const struct top_row *r = row(&p, "a");

	(void)state;
	assert_int_equal(p.f->ns, 500 * MS);
	assert_false(p.f->restarted);
	assert_false(p.f->reloaded);
	assert_int_equal(r->packets, 300);
	assert_int_equal(r->bytes, 300000);
	assert_int_equal(r->bps, 4800000); /* 300 kB in half a second */
	assert_int_equal(r->dropped[PKT_DROP_AQM], 7);
	assert_int_equal(r->dropped[PKT_DROP_LIMIT], 0);
	assert_int_equal(r->marked, 9);
	assert_int_equal(r->class->waiting_packets, 4);
	assert_int_equal(p.f->link[0].all.bps, 4800000);
	assert_int_equal(p.f->link[0].all.dropped[PKT_DROP_AQM], 7);
	assert_false(r->delay.known);
	done(&p);
}

/* Each link has its own clock: they are not asked at the same moment. */
static void test_interval_of_the_link(void **state)
{
	const struct made a = {.path = "a"}, b = {.path = "a", .bytes = 1000};
	json_t *was = made_link("up", &a, &a, 1), *is = made_link("up", &b, &b, 1);
	struct pair p;

	(void)state;
	json_object_set_new(was, "now_ns", json_integer((json_int_t)(100 * S + 100 * MS)));
	json_object_set_new(is, "now_ns", json_integer((json_int_t)(101 * S)));
	p = compare(made_answer(100 * S, 50 * S, 1, was), made_answer(101 * S, 51 * S, 1, is));
	assert_int_equal(p.f->link[0].ns, 900 * MS);
	assert_int_equal(row(&p, "a")->bps, 8889);
	done(&p);
}

/* The first answer has no interval, and so no figures; nor have two of the same moment. */
static void test_no_interval(void **state)
{
	const struct made a = {.path = "a", .packets = 10, .bytes = 1000, .hist = "[5, 10]"};
	struct pair p = compare(NULL, made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)));

	(void)state;
	assert_int_equal(p.f->ns, 0);
	assert_int_equal(p.f->link[0].ns, 0);
	assert_int_equal(row(&p, "a")->bps, 0);
	assert_false(row(&p, "a")->delay.known);
	done(&p);
	for (uint64_t later = 8 * S; later <= 9 * S; later += S) {
		p = compare(made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)),
			    made_answer(later, later - 8 * S, 1, made_link("up", &a, &a, 1)));
		assert_int_equal(p.f->link[0].ns, 0);
		assert_int_equal(row(&p, "a")->bps, 0);
		done(&p);
	}
}

/* ---- Delays. */

static void test_delays_of_the_interval(void **state)
{
	/* since the start: 1000 quick ones; in the interval: 98 of at most 2 ms, 2 of 500 ms */
	const struct made a = {.path = "a", .packets = 1000, .hist = "[1000, 1000]"},
			  b = {.path = "a",
			       .packets = 1100,
			       .hist = "[1000, 1000, 2000000, 98, 500000000, 2]"};
	struct pair p = compare(made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)),
				made_answer(10 * S, 2 * S, 1, made_link("up", &b, &b, 1)));

	(void)state;
	assert_true(row(&p, "a")->delay.known);
	assert_int_equal(row(&p, "a")->delay.p50, 2 * MS);
	assert_int_equal(row(&p, "a")->delay.p99, 500 * MS);
	assert_int_equal(p.f->link[0].all.delay.p50, 2 * MS);
	done(&p);
	/* nothing was sent: there is nothing to tell */
	p = compare(made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)),
		    made_answer(10 * S, 2 * S, 1, made_link("up", &a, &a, 1)));
	assert_false(row(&p, "a")->delay.known);
	done(&p);
}

static void test_max_latency(void **state)
{
	const struct made a[] = {{.path = "old", .max_latency_ms = 20, .over = 100},
				 {.path = "set"},
				 {.path = "good", .max_latency_ms = 20, .over = 5}},
			  b[] = {{.path = "old", .max_latency_ms = 20, .over = 103},
				 /* the count may go on from one that was there before */
				 {.path = "set", .max_latency_ms = 20, .over = 5000},
				 {.path = "good", .max_latency_ms = 20, .over = 5},
				 {.path = "new", .max_latency_ms = 20, .over = 2}},
			  none = NONE;
	struct pair p = compare(made_answer(9 * S, S, 1, made_link("up", &none, a, 3)),
				made_answer(10 * S, 2 * S, 2, made_link("up", &none, b, 4)));

	(void)state;
	assert_int_equal(row(&p, "old")->over, 3);
	assert_int_equal(row(&p, "set")->over, 0);
	assert_int_equal(row(&p, "good")->over, 0);
	assert_int_equal(row(&p, "new")->over, 2);
	done(&p);
}

/* ---- A link's health. */

static void test_health(void **state)
{
	const struct made none = NONE;
	json_t *was = made_answer(9 * S, S, 1, made_link("up", &none, NULL, 0)),
	       *is = made_answer(10 * S, 2 * S, 1, made_link("up", &none, NULL, 0)), *h;
	struct pair p;

	(void)state;
	json_object_set_new(made_health(was), "vanished", json_integer(40));
	h = made_health(is);
	json_object_set_new(h, "vanished", json_integer(43));
	json_object_set_new(h, "missed", json_integer(2));
	json_object_set_new(h, "cpu_ns", json_integer((json_int_t)(300 * MS)));
	json_object_set_new(h, "wakeup_late_ns",
			    json_pack("{s:[i,i,i,i]}", "histogram", 64000, 7, 128000, 1));
	p = compare(was, is);
	assert_int_equal(p.f->link[0].cpu, 250 * MS);
	assert_int_equal(p.f->link[0].lost[0], 3);
	assert_int_equal(p.f->link[0].link->lost[0], 43);
	assert_int_equal(p.f->link[0].lost[1], 2);
	assert_true(p.f->link[0].late.known);
	assert_int_equal(p.f->link[0].late.p50, 128000);
	done(&p);
}

/* A link whose thread was made anew counts from 0. */
static void test_health_begins_anew(void **state)
{
	const struct made none = NONE;
	json_t *was = made_answer(9 * S, S, 1, made_link("up", &none, NULL, 0)),
	       *is = made_answer(10 * S, 2 * S, 2, made_link("up", &none, NULL, 0));
	struct pair p;

	(void)state;
	json_object_set_new(made_health(was), "vanished", json_integer(40));
	json_object_set_new(made_health(is), "vanished", json_integer(1));
	json_object_set_new(made_health(is), "cpu_ns", json_integer((json_int_t)MS));
	p = compare(was, is);
	assert_int_equal(p.f->link[0].lost[0], 1);
	assert_int_equal(p.f->link[0].cpu, MS);
	done(&p);
}

/* ---- Reloads and restarts. */

static void test_reload(void **state)
{
	const struct made all = {.packets = 1000, .bytes = 100000},
			  later = {.packets = 1150, .bytes = 115000};
	const struct made a[] =
		{{.path = "gone", .packets = 300, .bytes = 30000},
		 {.path = "work", .inner = true, .packets = 700, .bytes = 70000},
		 {.path = "work/x", .packets = 600, .bytes = 60000, .hist = "[1000, 600]"},
		 {.path = "work/y", .packets = 100, .bytes = 10000}},
			  /* x goes on, y is taken away, z is new, and "one" was "gone" */
		b[] = {{.path = "work", .inner = true, .packets = 650, .bytes = 65000},
		       {.path = "work/z", .packets = 30, .bytes = 3000, .hist = "[9000, 30]"},
		       {.path = "work/x",
			.packets = 620,
			.bytes = 62000,
			.hist = "[1000, 620]"},
		       {.path = "one", .packets = 70, .bytes = 7000}};
	struct pair p = compare(made_answer(9 * S, S, 1, made_link("up", &all, a, 4)),
				made_answer(10 * S, 2 * S, 2, made_link("up", &later, b, 4)));

	(void)state;
	assert_true(p.f->reloaded);
	assert_int_equal(p.f->link[0].n_row, 4);
	assert_int_equal(row(&p, "work/x")->bps, 2000 * 8);
	assert_int_equal(row(&p, "work/z")->bps, 3000 * 8);
	assert_int_equal(row(&p, "one")->bps, 7000 * 8);
	/* its own count went down from 700 to 650, and yet it sent */
	assert_int_equal(row(&p, "work")->bps, 5000 * 8);
	assert_int_equal(row(&p, "work")->packets, 50);
	assert_true(row(&p, "work")->delay.known);
	assert_in_range(row(&p, "work")->delay.p50, 9000, 9000 + 9000 / 32);
	assert_int_equal(p.f->link[0].all.bps, 15000 * 8);
	done(&p);
}

/* A leaf that gets classes, and one that loses them, begin to count anew. */
static void test_leaf_becomes_inner(void **state)
{
	const struct made none = NONE;
	const struct made a[] = {{.path = "a", .packets = 1000, .bytes = 100000},
				 {.path = "b", .inner = true, .packets = 10, .bytes = 1000},
				 {.path = "b/x", .packets = 10, .bytes = 1000}},
			  b[] = {{.path = "a", .inner = true, .packets = 5, .bytes = 500},
				 {.path = "a/x", .packets = 5, .bytes = 500},
				 {.path = "b", .packets = 20, .bytes = 2000}};
	struct pair p = compare(made_answer(9 * S, S, 1, made_link("up", &none, a, 3)),
				made_answer(10 * S, 2 * S, 2, made_link("up", &none, b, 3)));

	(void)state;
	assert_int_equal(row(&p, "a")->packets, 5);
	assert_int_equal(row(&p, "a/x")->packets, 5);
	assert_int_equal(row(&p, "b")->packets, 20);
	done(&p);
}

/* Two reloads between two answers took it away and brought it back. */
static void test_counters_go_backwards(void **state)
{
	const struct made a = {.path = "a",
			       .packets = 1000,
			       .bytes = 100000,
			       .hist = "[7, 1000]"},
			  b = {.path = "a", .packets = 3, .bytes = 300, .hist = "[9, 3]"};
	struct pair p = compare(made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)),
				made_answer(10 * S, 2 * S, 3, made_link("up", &b, &b, 1)));

	(void)state;
	assert_int_equal(row(&p, "a")->bps, 2400);
	assert_int_equal(row(&p, "a")->delay.p99, 9);
	assert_int_equal(p.f->link[0].all.bps, 2400);
	done(&p);
}

/* What was counted as sent and had vanished is taken back: that is no new beginning. */
static void test_vanished(void **state)
{
	const struct made a = {.path = "a", .packets = 1000, .bytes = 100000};
	struct made b = {.path = "a", .packets = 990, .bytes = 99000};
	json_t *link = made_link("up", &b, &b, 1), *c;
	struct pair p;

	(void)state;
	c = json_object_get(json_array_get(json_object_get(link, "classes"), 0), "dropped");
	json_object_set_new(c, "packets", json_integer(10));
	json_object_set_new(c, "vanished", json_pack("{s:i}", "packets", 10));
	p = compare(made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)),
		    made_answer(10 * S, 2 * S, 1, link));
	assert_int_equal(row(&p, "a")->packets, 0);
	assert_int_equal(row(&p, "a")->bps, 0);
	assert_int_equal(row(&p, "a")->dropped[PKT_DROP_VANISHED], 10);
	done(&p);
}

static void test_restart(void **state)
{
	const struct made a = {.path = "a", .packets = 10, .bytes = 1000, .hist = "[7, 10]"},
			  b = {.path = "a", .packets = 40, .bytes = 4000, .hist = "[7, 40]"};
	/* the other one began 250 ms before it was asked, and has sent more already */
	struct pair p = compare(made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)),
				made_answer(10 * S, 250 * MS, 1, made_link("up", &b, &b, 1)));

	(void)state;
	assert_true(p.f->restarted);
	assert_false(p.f->reloaded);
	assert_int_equal(p.f->ns, 250 * MS);
	assert_int_equal(row(&p, "a")->packets, 40);
	assert_int_equal(row(&p, "a")->bps, 4000 * 8 * 4);
	assert_int_equal(p.f->link[0].cpu, 50 * MS);
	done(&p);
}

static void test_links_come_and_go(void **state)
{
	const struct made a = {.path = "a", .packets = 10, .bytes = 1000};
	json_t *is = made_answer(10 * S, 2 * S, 2, made_link("new", &a, &a, 1));
	struct top_answer *only;
	struct pair p;

	(void)state;
	only = top_answer_read(is, "nobody");
	assert_int_equal(only->n_link, 0);
	top_answer_free(only);
	only = top_answer_read(is, "new");
	assert_int_equal(only->n_link, 1);
	top_answer_free(only);
	p = compare(made_answer(9 * S, S, 1, made_link("old", &a, &a, 1)), is);
	assert_int_equal(p.f->n_link, 1);
	assert_int_equal(row(&p, "a")->bps, 8000);
	assert_null(top_answer_link(p.is, "old"));
	done(&p);
}

/* ---- Order. */

static void expect_order(struct pair *p, enum top_sort sort, const char *want)
{
	char got[128] = "";

	top_frame_sort(p->f, sort);
	for (size_t i = 0; i < p->f->link[0].n_shown; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ",
			 p->f->link[0].shown[i]->class->path);
	assert_string_equal(got, want);
}

static void test_sort(void **state)
{
	const struct made none = NONE;
	const struct made a[] = {
		{.path = "a", .bytes = 10, .waiting = 5, .packets = 1, .hist = "[90, 1]"},
		{.path = "w", .inner = true},
		{.path = "w/x", .bytes = 30, .waiting = 1, .packets = 1, .hist = "[70, 1]"},
		{.path = "w/y", .bytes = 20, .waiting = 9},
		{.path = "z", .bytes = 20, .waiting = 1, .packets = 1, .hist = "[80, 1]"}};
	const struct made before[] = {{.path = "a"},
				      {.path = "w", .inner = true},
				      {.path = "w/x"},
				      {.path = "w/y"},
				      {.path = "z"}};
	struct pair p = compare(made_answer(9 * S, S, 1, made_link("up", &none, before, 5)),
				made_answer(10 * S, 2 * S, 1, made_link("up", &none, a, 5)));

	(void)state;
	expect_order(&p, TOP_FILE, "a w w/x w/y z ");
	expect_order(&p, TOP_RATE, "w/x w/y z a ");
	expect_order(&p, TOP_BACKLOG, "w/y a w/x z ");
	expect_order(&p, TOP_DELAY, "a z w/x w/y ");
	expect_order(&p, TOP_FILE, "a w w/x w/y z ");
	done(&p);
}

/* ---- Numbers that no gateway has. */

static void test_largest_numbers(void **state)
{
	const struct made none = NONE;
	json_t *list = json_array(), *is, *link, *max = json_integer(INT64_MAX);
	struct pair p;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		static const char *const path[] = {"w", "w/a", "w/b", "w/c"};

		json_array_append_new(
			list,
			json_pack("{s:s,s:b,s:{s:O,s:O},s:{s:O,s:{s:O}},s:{s:[I,O,O,O]}}",
				  "class", path[i], "leaf", i > 0, "sent", "packets", max,
				  "bytes", max, "dropped", "packets", max, "aqm", "packets",
				  max, "delay_ns", "histogram", (json_int_t)1, max, max, max));
	}
	link = made_link("up", &none, NULL, 0);
	json_object_set_new(link, "classes", list);
	is = made_answer(10 * S, 2 * S, 1, link);
	json_decref(max);
	p = compare(made_answer(10 * S - 1, 2 * S - 1, 1, made_link("up", &none, NULL, 0)), is);
	assert_int_equal(row(&p, "w/a")->packets, INT64_MAX);
	assert_int_equal(row(&p, "w/a")->bps, UINT64_MAX);
	assert_int_equal(row(&p, "w/a")->delay.p50, 1);
	assert_int_equal(row(&p, "w/a")->delay.p99, INT64_MAX);
	/* three of them are more than there is room for */
	assert_int_equal(row(&p, "w")->packets, UINT64_MAX);
	assert_int_equal(row(&p, "w")->dropped[PKT_DROP_AQM], UINT64_MAX);
	assert_true(row(&p, "w")->delay.known);
	done(&p);
}

static void test_bad_histograms(void **state)
{
	static const char *const bad[] = {"[5, 1, 5, 2]",  "[5, 1, 4, 2]", "[5]",
					  "[5, 1, 6]",	   "{}",	   "7",
					  "null",	   "\"x\"",	   "[[5, 1], [6, 1]]",
					  "[-5, 1, -6, 1]"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct made a = {.path = "a", .hist = "[1, 1]"};
		json_t *is = made_answer(10 * S, 2 * S, 1, made_link("up", &a, &a, 1)), *class;
		struct pair p;

		class = json_array_get(
			json_object_get(json_array_get(json_object_get(is, "links"), 0),
					"classes"),
			0);
		json_object_set_new(json_object_get(class, "delay_ns"), "histogram",
				    json_loads(bad[i], JSON_DECODE_ANY, NULL));
		p = compare(made_answer(9 * S, S, 1, made_link("up", &a, &a, 1)), is);
		if (row(&p, "a")->delay.known)
			fail_msg("%s is believed", bad[i]);
		done(&p);
	}
}

/* Parents that come late, twice or not at all, and classes deeper than any policy has. */
static void test_paths_out_of_order(void **state)
{
	static const struct made c[] = {
		{.path = "w/x", .packets = 1},	 {.path = "w", .inner = true},
		{.path = "", .packets = 1},	 {.path = "w", .inner = true},
		{.path = "w/x", .packets = 2},	 {.path = "/", .inner = true},
		{.path = "//", .packets = 4},	 {.path = "wx", .packets = 8},
		{.path = "w/q", .inner = true},	 {.path = "w/q/", .inner = true},
		{.path = "w/q//", .packets = 16}};
	const struct made none = NONE;
	/* what only begins like a class is not in it */
	static const struct made beside[] = {{.path = "w", .inner = true},
					     {.path = "w/x", .packets = 2},
					     {.path = "wx", .packets = 8}};
	char deep[200] = "d";
	struct made down[60];
	char names[60][200];
	struct pair p;

	(void)state;
	p = compare(made_answer(9 * S, S, 1, made_link("up", &none, NULL, 0)),
		    made_answer(10 * S, 2 * S, 1,
				made_link("up", &none, c, sizeof(c) / sizeof(c[0]))));
	assert_int_equal(row(&p, "w/q")->packets, 16);
	done(&p);
	p = compare(made_answer(9 * S, S, 1, made_link("up", &none, NULL, 0)),
		    made_answer(10 * S, 2 * S, 1, made_link("up", &none, beside, 3)));
	assert_int_equal(row(&p, "w")->packets, 2);
	done(&p);
	for (unsigned i = 0; i < 60; i++) {
		strcpy(names[i], deep);
		strcat(deep, "/d");
		down[i] = (struct made){.path = names[i], .inner = i < 59, .packets = 1};
	}
	p = compare(made_answer(9 * S, S, 1, made_link("up", &none, NULL, 0)),
		    made_answer(10 * S, 2 * S, 1, made_link("up", &none, down, 60)));
	assert_int_equal(row(&p, "d")->packets, 1);
	done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_interval_of_the_link),
		cmocka_unit_test(test_no_interval),
		cmocka_unit_test(test_delays_of_the_interval),
		cmocka_unit_test(test_max_latency),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_health_begins_anew),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_leaf_becomes_inner),
		cmocka_unit_test(test_counters_go_backwards),
		cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_links_come_and_go),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_largest_numbers),
		cmocka_unit_test(test_bad_histograms),
		cmocka_unit_test(test_paths_out_of_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
