/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results of policy tests: for people, and as JSON. */
#include "gw/wtest.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct wtest_totals wtest_total(const struct wtest_report *v, size_t n)
{
	struct wtest_totals t = {0};

	for (size_t i = 0; i < n; i++) {
		t.errors += v[i].broken != NULL;
		t.tests += v[i].n;
		for (size_t k = 0; k < v[i].n; k++) {
			enum wtest_status s = v[i].result[k].status;

			t.ok += s == WTEST_OK;
			t.failed += s == WTEST_FAILED;
			t.errors += s == WTEST_ERROR;
		}
	}
	return t;
}

/* Names come from files: nothing in them may move a terminal's cursor. */
static void put(FILE *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];
		bool control =
			c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);

		putc(control ? '?' : c, out);
		if (control && c == 0xc2)
			s++;
	}
}

static void text_failure(FILE *out, const char *path, const struct wtest_failure *f)
{
	fputs("        ", out);
	put(out, path);
	fprintf(out, ":%d:%d: ", f->at.line, f->at.col);
	put(out, f->what);
	fputs(": expected ", out);
	put(out, f->expected);
	fputs(", found ", out);
	put(out, f->found);
	putc('\n', out);
	for (size_t i = 0; i < f->n_detail; i++) {
		fputs("            ", out);
		put(out, f->detail[i]);
		putc('\n', out);
	}
}

static void text_result(FILE *out, const char *path, const struct wtest_result *r, bool verbose)
{
	static const char *const word[] = {"ok     ", "FAILED ", "ERROR  "};
	char t[WTEST_VALUE_TEXT];

	fprintf(out, "  %s ", word[r->status]);
	put(out, r->test->name);
	putc('\n', out);
	if (r->error) {
		fputs("        ", out);
		put(out, path);
		fprintf(out, ":%d:%d: ", r->error_at.line, r->error_at.col);
		put(out, r->error);
		putc('\n', out);
	}
	for (size_t i = 0; i < r->n_failure; i++)
		text_failure(out, path, &r->failure[i]);
	if (verbose && !r->error)
		fprintf(out,
			"        %zu condition%s; %" PRIu64 " packet%s in %s: %" PRIu64
			" sent, %" PRIu64 " dropped, %" PRIu64 " on no link\n",
			r->expectations, r->expectations == 1 ? "" : "s", r->packets,
			r->packets == 1 ? "" : "s", wtest_value_text(r->time, WTEST_TIME, t),
			r->sent, r->dropped, r->passed);
}

int wtest_out_text(FILE *out, const struct wtest_report *v, size_t n, bool verbose)
{
	struct wtest_totals t = wtest_total(v, n);

	for (size_t i = 0; i < n; i++) {
		put(out, v[i].path);
		putc('\n', out);
		if (v[i].broken)
			fputs("  ERROR   could not be read\n", out);
		for (size_t k = 0; k < v[i].n; k++)
			text_result(out, v[i].path, &v[i].result[k], verbose);
	}
	fprintf(out, "%zu test%s: %zu ok, %zu failed", t.tests, t.tests == 1 ? "" : "s", t.ok,
		t.failed);
	if (t.errors)
		fprintf(out, ", %zu could not run", t.errors);
	putc('\n', out);
	return ferror(out) ? -1 : 0;
}

/* Bytes that are no UTF-8 must not lose us the whole object. */
static json_t *text_json(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("?");
}

static json_t *failure_json(const struct wtest_failure *f)
{
	json_t *details = json_array();

	for (size_t i = 0; i < f->n_detail; i++)
		json_array_append_new(details, text_json(f->detail[i]));
	return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o}", "line", f->at.line, "column",
			 f->at.col, "what", text_json(f->what), "expected",
			 text_json(f->expected), "found", text_json(f->found), "details",
			 details);
}

static json_t *result_json(const struct wtest_result *r)
{
	static const char *const word[] = {"ok", "failed", "error"};
	json_t *failures = json_array(), *j;

	for (size_t i = 0; i < r->n_failure; i++)
		json_array_append_new(failures, failure_json(&r->failure[i]));
	j = json_pack("{s:o, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
		      text_json(r->test->name), "line", r->test->at.line, "status",
		      word[r->status], "conditions", (json_int_t)r->expectations, "packets",
		      (json_int_t)r->packets, "sent", (json_int_t)r->sent, "dropped",
		      (json_int_t)r->dropped, "passed", (json_int_t)r->passed, "waiting",
		      (json_int_t)r->waiting, "time_ns", (json_int_t)r->time, "failures",
		      failures);
	if (j && r->error)
		json_object_set_new(j, "error", text_json(r->error));
	return j;
}

int wtest_out_json(FILE *out, const struct wtest_report *v, size_t n)
{
	struct wtest_totals t = wtest_total(v, n);
	json_t *files = json_array(), *root;
	int bad;

	for (size_t i = 0; i < n; i++) {
		json_t *tests = json_array(), *file;

		for (size_t k = 0; k < v[i].n; k++)
			json_array_append_new(tests, result_json(&v[i].result[k]));
		file = json_pack("{s:o, s:o}", "file", text_json(v[i].path), "tests", tests);
		if (file && v[i].broken)
			json_object_set_new(file, "error", text_json(v[i].broken));
		json_array_append_new(files, file);
	}
	root = json_pack("{s:I, s:I, s:I, s:I, s:o}", "tests", (json_int_t)t.tests, "ok",
			 (json_int_t)t.ok, "failed", (json_int_t)t.failed, "errors",
			 (json_int_t)t.errors, "files", files);
	bad = !root || json_dumpf(root, out, JSON_INDENT(2));
	json_decref(root);
	putc('\n', out);
	return bad || ferror(out) ? -1 : 0;
}
