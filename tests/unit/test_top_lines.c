/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `weir top` shows: lines that fit, and nothing that a terminal obeys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/top_lines.h"
#include "gw/top_text.h"
#include "tests/unit/top_made.h"

/* ---- Help: two documents become the lines of a window. */

static struct screen_lines lines_of(const json_t *was, const json_t *is, enum top_sort sort,
				    struct top_view *v)
{
	struct top_answer *a = was ? top_answer_read(was, NULL) : NULL,
			  *b = top_answer_read(is, NULL);
	struct top_frame *f = top_frame_new(a, b);
	struct screen_lines l = {0};

	assert_non_null(f);
	top_frame_sort(f, sort);
	assert_true(top_lines(f, v, &l));
	top_frame_free(f);
	top_answer_free(a);
	top_answer_free(b);
	return l;
}

/* No line is wider or lower than the window, and all of them are harmless. */
static void check_lines(const struct screen_lines *l, const struct top_view *v)
{
	assert_true(!v->columns || l->n <= v->rows);
	for (size_t i = 0; i < l->n; i++) {
		const unsigned char *t = (const unsigned char *)l->v[i].text;

		if (v->columns)
			assert_true(screen_width(l->v[i].text) <= v->columns);
		for (; *t; t++)
			if (*t < ' ' || *t == 0x7f || (*t == 0xc2 && t[1] < 0xa0))
				fail_msg("a control character in \"%s\"", l->v[i].text);
	}
}

static const char *find(const struct screen_lines *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strstr(l->v[i].text, text))
			return l->v[i].text;
	return NULL;
}

static void expect_line(const struct screen_lines *l, const char *want)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].text, want))
			return;
	for (size_t i = 0; i < l->n; i++)
		print_message("|%s|\n", l->v[i].text);
	fail_msg("no line \"%s\"", want);
}

/* ---- A table. */

static const struct made house_was[] = {
	{.path = "calls", .max_latency_ms = 20},
	{.path = "work", .inner = true},
	{.path = "work/ssh"},
	{.path = "rest"},
};
static const struct made house_is[] = {
	{.path = "calls",
	 .packets = 50,
	 .bytes = 10000,
	 .max_latency_ms = 20,
	 .over = 3,
	 .hist = "[999, 47, 24999999, 3]"},
	{.path = "work", .inner = true},
	{.path = "work/ssh"},
	{.path = "rest",
	 .packets = 1650,
	 .bytes = 2000000,
	 .waiting = 98,
	 .aqm = 12,
	 .limit = 3,
	 .marked = 5,
	 .hist = "[20000000, 1650]"},
};
static const struct made house_all = {.path = "", .packets = 1700, .bytes = 2010000};

static void house(json_t **was, json_t **is)
{
	const struct made none = {.path = ""};

	*was = made_answer(9 * S, 60 * S / 10, 1, made_link("up", &none, house_was, 4));
	*is = made_answer(10 * S, 70 * S / 10, 1, made_link("up", &house_all, house_is, 4));
}

static void test_plain(void **state)
{
	struct top_view v = {0};
	struct screen_lines l;
	json_t *was, *is;

	(void)state;
	house(&was, &is);
	l = lines_of(was, is, TOP_FILE, &v);
	check_lines(&l, &v);
	expect_line(&l, "weir 0.1.0, over the last 1.00s, running 7.00s, "
			"/etc/weir/policy.yaml");
	expect_line(&l, "  class                rate share pkt/s  wait  bytes    p50    p99 "
			"marks  drops/s");
	expect_line(&l, "link up: eth0 up, 16.1mbit of 20mbit, held 3 (4.50kb), cpu 0%");
	expect_line(&l, "  (all)            16.1mbit 80.4% 1.70k     0      0      -      - "
			"    0  -");
	expect_line(&l, "!   calls          80.0kbit  0.4%    50     0      0  999ns 25.0ms "
			"    0  -; 3 over 20.0ms");
	expect_line(&l, "      ssh                 0    0%     0     0      0      -      - "
			"    0  -");
	expect_line(&l, "    rest           16.0mbit 80.0% 1.65k    98 98.0kb 20.0ms 20.0ms "
			"    5  3 limit, 12 aqm");
	assert_int_equal(l.n, 8);
	screen_lines_free(&l);
	/* the first answer: no figures, but what waits */
	l = lines_of(NULL, is, TOP_FILE, &v);
	assert_non_null(find(&l, "measuring"));
	expect_line(&l, "    rest                  -     -     -    98 98.0kb      -      - "
			"    -  -");
	screen_lines_free(&l);
	json_decref(was);
	json_decref(is);
}

/* A link that the kernel schedules: what is not known is "-", and what it has not, not there.
 */
static void test_in_kernel(void **state)
{
	struct top_view v = {0};
	struct screen_lines l;
	json_t *was, *is, *link, *c;
	size_t i;

	(void)state;
	house(&was, &is);
	link = json_array_get(json_object_get(is, "links"), 0);
	json_object_set_new(link, "backend", json_string("kernel"));
	json_object_set_new(link, "device", json_string("wi-\033eth0"));
	json_object_set_new(link, "health", json_null());
	json_array_foreach(json_object_get(link, "classes"), i, c)
	{
		json_object_set_new(c, "marked", json_null());
		json_object_set_new(c, "delay_ns", json_null());
	}
	l = lines_of(was, is, TOP_FILE, &v);
	check_lines(&l, &v);
	expect_line(&l, "link up: eth0 up, 16.1mbit of 20mbit, backend kernel on wi-?eth0");
	expect_line(&l, "    rest           16.0mbit 80.0% 1.65k    98 98.0kb      -      - "
			"    -  3 limit, 12 aqm");
	screen_lines_free(&l);
	json_decref(was);
	json_decref(is);
}

static void test_styles(void **state)
{
	struct top_view v = {.columns = 80, .rows = 24};
	struct screen_lines l;
	json_t *was, *is;
	unsigned alarms = 0;

	(void)state;
	house(&was, &is);
	l = lines_of(was, is, TOP_FILE, &v);
	for (size_t i = 0; i < l.n; i++)
		if (l.v[i].style == SCREEN_ALARM) {
			alarms++;
			assert_non_null(strstr(l.v[i].text, "calls"));
		}
	assert_int_equal(alarms, 1);
	assert_int_equal(l.n, 24);
	screen_lines_free(&l);
	json_decref(was);
	json_decref(is);
}

static void test_sorted(void **state)
{
	struct top_view v = {0};
	struct screen_lines l;
	json_t *was, *is;

	(void)state;
	house(&was, &is);
	l = lines_of(was, is, TOP_RATE, &v);
	assert_non_null(find(&l, "    work/ssh "));
	assert_null(find(&l, "    work "));
	assert_non_null(strstr(l.v[4].text, "rest"));
	assert_non_null(strstr(l.v[5].text, "calls"));
	screen_lines_free(&l);
	json_decref(was);
	json_decref(is);
}

static void test_troubles(void **state)
{
	struct top_view v = {.columns = 70, .rows = 24, .trouble = "NO ANSWER", .paused = true};
	struct screen_lines l;
	json_t *was, *is, *link;

	(void)state;
	house(&was, &is);
	link = json_array_get(json_object_get(is, "links"), 0);
	json_object_set_new(link, "up", json_false());
	json_object_set_new(is, "intact", json_false());
	json_object_set_new(is, "reloads_failed", json_integer(2));
	json_object_set_new(is, "generation", json_integer(2));
	json_object_set_new(link, "warnings",
			    json_pack("[s]", "a flowtable goes round the queue of this link"));
	json_object_set_new(made_health(is), "vanished", json_integer(12));
	json_object_set_new(made_health(is), "kernel_queue_dropped", json_integer(4));
	json_object_set_new(made_health(was), "kernel_queue_dropped", json_integer(4));
	json_object_set_new(made_health(is), "error", json_integer(1));
	l = lines_of(was, is, TOP_FILE, &v);
	check_lines(&l, &v);
	expect_line(&l, "NO ANSWER");
	assert_non_null(find(&l, "over the last 1.00s, PAUSED, reloaded, reloads refused: 2"));
	assert_non_null(find(&l, "THE RULES ARE NOT AS THEY WERE MADE"));
	assert_non_null(find(&l, "eth0 DOWN, FAILED: Operation not permitted"));
	expect_line(&l, "  LOST since the start: 12 vanished (12 now), 4 queue full");
	expect_line(&l, "  WARNING a flowtable goes round the queue of this link");
	assert_non_null(find(&l, "space go on"));
	screen_lines_free(&l);
	json_decref(was);
	json_decref(is);
}

/* ---- Windows. */

static void test_any_window(void **state)
{
	json_t *was, *is;

	(void)state;
	house(&was, &is);
	for (unsigned columns = 1; columns < 130; columns += columns < 24 ? 1 : 7) {
		for (unsigned rows = 1; rows < 30; rows++) {
			struct top_view v = {.columns = columns, .rows = rows};
			struct screen_lines l = lines_of(was, is, TOP_FILE, &v);

			check_lines(&l, &v);
			assert_true(l.n > 0);
			if (columns < 20 || rows < 5)
				assert_non_null(strstr("window too small", l.v[0].text));
			else
				assert_int_equal(l.n, rows);
			screen_lines_free(&l);
			v.help = true;
			l = lines_of(was, is, TOP_FILE, &v);
			check_lines(&l, &v);
			screen_lines_free(&l);
		}
	}
	json_decref(was);
	json_decref(is);
}

static void test_scroll(void **state)
{
	static struct made many[100];
	static char names[100][8];
	const struct made none = {.path = ""};
	struct top_view v = {.columns = 80, .rows = 24};
	struct screen_lines l;
	json_t *is;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "c%u", i);
		many[i] = (struct made){.path = names[i]};
	}
	is = made_answer(10 * S, 2 * S, 1, made_link("up", &none, many, 100));
	/* the window has two lines above the table and one below: 21, of which 2 are the link's
	 */
	l = lines_of(NULL, is, TOP_FILE, &v);
	check_lines(&l, &v);
	assert_int_equal(v.page, 21);
	assert_non_null(find(&l, "    c18 "));
	assert_null(find(&l, "    c19 "));
	assert_non_null(strstr(l.v[23].text, "classes: 81 below"));
	screen_lines_free(&l);

	v.scroll = 10;
	l = lines_of(NULL, is, TOP_FILE, &v);
	assert_null(find(&l, "    c7 "));
	assert_non_null(find(&l, "    c8 "));
	assert_non_null(find(&l, "    c28 "));
	assert_non_null(strstr(l.v[23].text, "classes: 8 above, 71 below"));
	screen_lines_free(&l);

	v.scroll = 1000000;
	l = lines_of(NULL, is, TOP_FILE, &v);
	assert_int_equal(v.scroll, 81);
	assert_non_null(find(&l, "    c99 "));
	assert_non_null(strstr(l.v[23].text, "classes: 79 above"));
	screen_lines_free(&l);

	/* in a narrow one, that is told rather than the keys */
	v.columns = 40;
	v.scroll = 1000000;
	l = lines_of(NULL, is, TOP_FILE, &v);
	assert_non_null(strstr(l.v[23].text, "classes: 79 above"));
	screen_lines_free(&l);

	/* where all have room, nothing is scrolled */
	v.rows = 200;
	l = lines_of(NULL, is, TOP_FILE, &v);
	assert_int_equal(v.scroll, 0);
	assert_null(find(&l, "above"));
	screen_lines_free(&l);
	json_decref(is);
}

/* ---- Answers of somebody else. */

static void look_at(const json_t *was, const json_t *is)
{
	struct top_view plain = {0}, window = {.columns = 80, .rows = 24};

	for (unsigned sort = 0; sort < TOP_SORTS; sort++) {
		struct screen_lines l = lines_of(was, is, (enum top_sort)sort, &plain);

		check_lines(&l, &plain);
		screen_lines_free(&l);
		l = lines_of(was, is, (enum top_sort)sort, &window);
		check_lines(&l, &window);
		screen_lines_free(&l);
	}
}

static json_t *bad_value(unsigned i)
{
	switch (i) {
	case 0:
		return json_null();
	case 1:
		return json_integer(-1);
	case 2:
		return json_integer(INT64_MAX);
	case 3:
		return json_string("\x1b[2J\x1b]0;x\x07\n\r\t\xc2\x9b"
				   "31m\x7f\xc3\xbc");
	case 4:
		return json_array();
	case 5:
		return json_object();
	case 6:
		return json_real(1e300);
	case 7:
		return json_true();
	case 8:
		return json_pack("[[], {}, null, -5, s]", "\x1b");
	default:
		return NULL;
	}
}

/* Both ways round: what is bad may come first or second. */
static void look_both_ways(const json_t *a, const json_t *b, unsigned *n)
{
	look_at(a, b);
	look_at(b, a);
	++*n;
}

/* Puts every bad value in the place of everything in `in`, a part of the answer `whole`. */
static void spoil(json_t *in, const json_t *other, const json_t *whole, unsigned *n)
{
	json_t *same = json_copy(in), *v, *bad;
	const char *key;
	size_t i;

	json_object_foreach(same, key, v)
	{
		for (unsigned k = 0; (bad = bad_value(k)); k++) {
			json_object_set_new(in, key, bad);
			look_both_ways(other, whole, n);
		}
		json_object_del(in, key);
		look_both_ways(other, whole, n);
		json_object_set(in, key, v);
		spoil(v, other, whole, n);
	}
	json_array_foreach(same, i, v)
	{
		for (unsigned k = 0; (bad = bad_value(k)); k++) {
			json_array_set_new(in, i, bad);
			look_both_ways(other, whole, n);
		}
		json_array_set(in, i, v);
		spoil(v, other, whole, n);
	}
	json_decref(same);
}

static void test_spoiled(void **state)
{
	json_t *was, *is;
	unsigned n = 0;

	(void)state;
	house(&was, &is);
	spoil(is, was, is, &n);
	assert_true(n > 500);
	look_at(was, is);
	json_decref(was);
	json_decref(is);
}

/* Numbers that have no room become "###", so that those beside them stay where they are. */
static void test_no_room(void **state)
{
	struct made c = {.path = "c", .packets = 4000000000u, .bytes = 4000000000u};
	const struct made none = {.path = ""};
	struct top_view v = {0};
	struct screen_lines l;
	json_t *was = made_answer(10 * S - 1, 2 * S - 1, 1, made_link("up", &none, NULL, 0)),
	       *is = made_answer(10 * S, 2 * S, 1, made_link("up", &none, &c, 1));

	(void)state;
	l = lines_of(was, is, TOP_FILE, &v);
	expect_line(&l, "    c                   ###   ### 4000P     0      0      -      - "
			"    0  -");
	screen_lines_free(&l);
	json_decref(was);
	json_decref(is);
}

static void test_long_names(void **state)
{
	char name[700], path[1400];
	struct made c[] = {{.path = name, .inner = true}, {.path = path}};
	const struct made none = {.path = ""};
	struct top_view v = {.columns = 80, .rows = 24}, plain = {0};
	struct screen_lines l;
	json_t *is;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xbc", 3);
	snprintf(path, sizeof(path), "%s/%s", name, name);
	is = made_answer(10 * S, 2 * S, 1, made_link(name, &none, c, 2));
	l = lines_of(NULL, is, TOP_FILE, &v);
	check_lines(&l, &v);
	/* cut between two characters */
	assert_non_null(find(&l, "\xc3\xbc~ "));
	screen_lines_free(&l);
	/* nothing of them is lost where there is no window */
	l = lines_of(NULL, is, TOP_RATE, &plain);
	assert_non_null(find(&l, path));
	screen_lines_free(&l);
	json_decref(is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	  cmocka_unit_test(test_styles),
		cmocka_unit_test(test_in_kernel), cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_troubles),  cmocka_unit_test(test_any_window),
		cmocka_unit_test(test_scroll),	  cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_no_room),	  cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
