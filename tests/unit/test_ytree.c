/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qos/ytree.h"

#include <stdlib.h>
#include <string.h>

static char said[8192];

static void listen(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text)
{
	size_t n = strlen(said);

	(void)arg;
	assert_int_equal(sev, POLICY_ERROR);
	assert_string_equal(file, "t.yaml");
	snprintf(said + n, sizeof(said) - n, "%d:%d: %s\n", at.line, at.col, text);
}

static struct ynode *parse(const char *text, unsigned errors)
{
	struct policy_report r = {.fn = listen};
	struct ynode *t;

	said[0] = '\0';
	t = ytree_parse(text, strlen(text), "t.yaml", &r);
	if (r.errors != errors)
		fail_msg("%u errors, expected %u:\n%s", r.errors, errors, said);
	return t;
}

static void at(const struct ynode *n, int line, int col)
{
	assert_non_null(n);
	assert_int_equal(n->at.line, line);
	assert_int_equal(n->at.col, col);
}

static void places(void **state)
{
	struct ynode *t = parse("# comment\n"
				"a: 1\n"
				"\xc3\xa4\xc3\xb6: \"q\\u00e4\"\n"
				"list:\n"
				"  - x\n"
				"  - {k: v, e: }\n"
				"  - [y,\n"
				"     'z']\n"
				"text: |\n"
				"  two\n"
				"  lines\n",
				0);
	struct ynode *l = ytree_get(t, "list");

	(void)state;
	at(t, 2, 1);
	assert_int_equal(t->kind, Y_MAP);
	assert_int_equal(t->n, 4);
	at(ytree_get(t, "a"), 2, 4);
	assert_string_equal(ytree_get(t, "a")->text, "1");
	assert_true(ytree_get(t, "a")->plain);
	at(ytree_get(t, "\xc3\xa4\xc3\xb6"), 3, 5); /* characters, not bytes */
	assert_string_equal(ytree_get(t, "\xc3\xa4\xc3\xb6")->text, "q\xc3\xa4");
	assert_false(ytree_get(t, "\xc3\xa4\xc3\xb6")->plain);
	at(l, 5, 3);
	assert_int_equal(l->kind, Y_LIST);
	assert_int_equal(l->n, 3);
	at(l->item[0], 5, 5);
	at(l->item[1], 6, 5);
	at(ytree_get(l->item[1], "k"), 6, 9);
	assert_string_equal(ytree_get(l->item[1], "e")->text, "");
	at(l->item[2]->item[1], 8, 6);
	assert_false(l->item[2]->item[1]->plain);
	assert_string_equal(ytree_get(t, "text")->text, "two\nlines\n");
	assert_int_equal(ytree_key_mark(t, "list").line, 4);
	assert_int_equal(ytree_key_mark(t, "none").line, 2);
	assert_null(ytree_get(t, "none"));
	assert_null(ytree_get(l, "none"));
	assert_null(ytree_get(NULL, "none"));
	ytree_free(t);
}

static void empty(void **state)
{
	static const char *const docs[] = {"",	    "\n\n",	  "# c\n",
					   "---\n", "---\n...\n", "\xef\xbb\xbf"};

	(void)state;
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		struct ynode *t = parse(docs[i], 0);

		at(t, 1, 1);
		assert_int_equal(t->kind, Y_MAP);
		assert_int_equal(t->n, 0);
		ytree_free(t);
	}
}

static void byte_order_mark(void **state)
{
	struct ynode *t = parse("\xef\xbb\xbf{a: 1}", 0);

	(void)state;
	at(t, 1, 1);
	at(ytree_get(t, "a"), 1, 5);
	ytree_free(t);
}

static void duplicates(void **state)
{
	struct ynode *t = parse("a: 1\nb: 2\na: [3, {x: 4}]\nc: {d: 1, d: 2}\na: 5\n", 3);

	(void)state;
	assert_int_equal(t->n, 3);
	assert_string_equal(ytree_get(t, "a")->text, "1");
	assert_string_equal(ytree_get(ytree_get(t, "c"), "d")->text, "1");
	assert_non_null(strstr(said, "3:1: duplicate key \"a\" (first on line 1)\n"));
	assert_non_null(strstr(said, "5:1: duplicate key \"a\" (first on line 1)\n"));
	assert_non_null(strstr(said, "4:11: duplicate key \"d\" (first on line 4)\n"));
	assert_string_equal(t->key[2]->text, "c"); /* order is kept */
	ytree_free(t);
}

static void decorations(void **state)
{
	struct ynode *t = parse("a: &x 1\nb: *x\nc: !t {d: !!int 1}\ne: !u [*x]\n*x : 3\n", 7);

	(void)state;
	assert_string_equal(
		said,
		"1:4: anchors (\"&\") are not allowed: a text that begins with \"&\" needs "
		"quotes\n"
		"2:4: aliases (\"*\") are not allowed: a text that begins with \"*\" needs "
		"quotes\n"
		"3:4: tags (\"!\") are not allowed\n"
		"3:11: tags (\"!\") are not allowed: a text that begins with \"!\" needs "
		"quotes (\"not\" means the same in a filter)\n"
		"4:4: tags (\"!\") are not allowed\n"
		"4:8: aliases (\"*\") are not allowed: a text that begins with \"*\" needs "
		"quotes\n"
		"5:1: a key must be a plain word\n");
	/* what is behind them is not what was meant */
	assert_true(ytree_get(t, "a")->bad);
	assert_true(ytree_get(t, "b")->bad);
	assert_int_equal(t->n, 4);
	ytree_free(t);
}

static void keys_that_are_none(void **state)
{
	struct ynode *t = parse("{a: 1, [b, [c]]: [d], {e: f}: {g: {h: i}}, j: 2}", 2);

	(void)state;
	assert_int_equal(t->n, 2);
	assert_string_equal(ytree_get(t, "j")->text, "2");
	ytree_free(t);
}

static void documents(void **state)
{
	struct ynode *t = parse("a: 1\n---\nb: [\n", 1);

	(void)state;
	assert_string_equal(said, "2:1: only one document is allowed in a file\n");
	assert_string_equal(ytree_get(t, "a")->text, "1");
	ytree_free(t);
}

static void depth(void **state)
{
	char text[300];
	struct ynode *t;

	(void)state;
	for (size_t n = 62; n < 66; n++) {
		memset(text, '[', n);
		memset(text + n, ']', n);
		text[2 * n] = '\0';
		t = parse(text, n > YTREE_DEPTH_MAX);
		assert_non_null(t);
		ytree_free(t);
	}
	/* what comes after the deep part is read */
	memcpy(text, "{a: ", 4);
	memset(text + 4, '[', 70);
	memset(text + 74, ']', 70);
	strcpy(text + 144, ", b: &x 2}");
	t = parse(text, 2);
	assert_string_equal(ytree_get(t, "b")->text, "2");
	ytree_free(t);
}

static void not_well_formed(void **state)
{
	static const struct {
		const char *text, *begins;
	} t[] = {
		{"a: [1", "2:1: did not find expected"},
		{"a: \"b", "1:6: found unexpected end of stream"},
		{"a:\n\tb: 1", "2:1: YAML does not allow a tab here"},
		{"a: 1\n b: 2", "2:3: mapping values are not allowed"},
		{"a: b: c", "1:5: mapping values are not allowed"},
		{"a: 1\n\xc3\xa4: \xff", "2:4: invalid leading UTF-8 octet"},
		{"a: \x01", "1:4: control characters are not allowed"},
		{"a: \xed\xa0\x80", "1:4: invalid Unicode character"},
		{"a: \"\\ud800\"", "1:7: found invalid Unicode character"},
		{"%YAML 9.9\n---\n", "1:1: found incompatible YAML document"},
		{"{a: [b, {c: d", "2:1: did not find expected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_null(parse(t[i].text, 1));
		if (strncmp(said, t[i].begins, strlen(t[i].begins)) != 0)
			fail_msg("%zu: %s", i, said);
	}
}

/* A NUL in the text or in an escape, also in a key. */
static void nul(void **state)
{
	struct policy_report r = {.fn = listen};
	struct ynode *t = parse("{a: \"x\\0y\", \"b\\0\": 1, c: 2}", 2);

	(void)state;
	assert_true(ytree_get(t, "a")->bad);
	assert_string_equal(ytree_get(t, "c")->text, "2");
	ytree_free(t);
	assert_null(ytree_parse("a: \0 b", 6, "t.yaml", &r));
	assert_int_equal(r.errors, 1);
}

/* Every prefix of a document is parsed or refused with one complaint, without a leak. */
static void prefixes(void **state)
{
	static const char doc[] =
		"a: &x [1, {b: 'c'}, \"d\\n\"]\n? [k]\n: v\nl:\n  - !t x\n  - *x\n"
		"l: {m: n, m: o}\n--- \nz: 1\n";

	(void)state;
	for (size_t n = 0; n < sizeof(doc); n++) {
		struct policy_report r = {0};
		struct ynode *t = ytree_parse(doc, n, "t.yaml", &r);

		assert_true(t || r.errors);
		ytree_free(t);
	}
}

/* Complaints come sorted by place out of a gathering, and stay in order at one place. */
static void gathering(void **state)
{
	struct policy_report r = {.fn = listen};
	struct policy_gather g;

	(void)state;
	said[0] = '\0';
	policy_gather_begin(&g, &r);
	policy_complain(&g.report, POLICY_ERROR, "t.yaml", (struct policy_mark){2, 5}, "c");
	policy_complain(&g.report, POLICY_ERROR, "t.yaml", (struct policy_mark){1, 9}, "a");
	policy_complain(&g.report, POLICY_ERROR, "t.yaml", (struct policy_mark){2, 5}, "d %d",
			4);
	policy_complain(&g.report, POLICY_ERROR, "t.yaml", (struct policy_mark){2, 1}, "b\n");
	assert_int_equal(g.report.errors, 4);
	assert_int_equal(r.errors, 0);
	policy_gather_end(&g);
	assert_int_equal(r.errors, 4);
	assert_string_equal(said, "1:9: a\n2:1: b?\n2:5: c\n2:5: d 4\n");
	policy_complain(NULL, POLICY_ERROR, "t.yaml", (struct policy_mark){1, 1}, "nobody");
}

static void count_one(void *arg, enum policy_severity sev, const char *file,
		      struct policy_mark at_mark, const char *text)
{
	(void)sev;
	(void)file;
	(void)at_mark;
	(void)text;
	++*(unsigned *)arg;
}

static void gathering_is_bounded(void **state)
{
	unsigned calls = 0, n = POLICY_COMPLAINTS_MAX + 500;
	struct policy_report r = {.fn = count_one, .arg = &calls};
	struct policy_gather g;

	(void)state;
	policy_gather_begin(&g, &r);
	for (unsigned i = 0; i < n; i++)
		policy_complain(&g.report, i % 2 ? POLICY_WARNING : POLICY_ERROR, "t.yaml",
				(struct policy_mark){1, 1}, "x");
	policy_gather_end(&g);
	assert_int_equal(calls, POLICY_COMPLAINTS_MAX + 1);
	assert_true(r.errors >= n / 2 && r.warnings >= n / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(empty),
		cmocka_unit_test(byte_order_mark),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(decorations),
		cmocka_unit_test(keys_that_are_none),
		cmocka_unit_test(documents),
		cmocka_unit_test(depth),
		cmocka_unit_test(not_well_formed),
		cmocka_unit_test(nul),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(gathering),
		cmocka_unit_test(gathering_is_bounded),
	};

	return cmocka_run_group_tests_name("ytree", tests, NULL, NULL);
}
