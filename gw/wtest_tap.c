/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results of policy tests for CI systems: the Test Anything Protocol 13, and JUnit's XML. */
#include "gw/wtest.h"

#include <inttypes.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at s that XML 1.0 allows as a character, else 0. */
static size_t xml_char(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = s[0] & (n == 1 ? 0x7f : n == 2 ? 0x1f : n == 3 ? 0x0f : 0x07);

	if (s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c <= 0xdfff) || c == 0xfffe || c == 0xffff)
		return 0;
	/* C0 is forbidden but for three; C1 and DEL are only unwise, but move cursors */
	if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0))
		return 0;
	return n;
}

static void xml(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		size_t n = xml_char(s);

		if (!n)
			putc('?', out);
		else if (*s == '<')
			fputs("&lt;", out);
		else if (*s == '>')
			fputs("&gt;", out);
		else if (*s == '&')
			fputs("&amp;", out);
		else if (*s == '"')
			fputs("&quot;", out);
		else if (*s == '\t' || *s == '\n' || *s == '\r')
			fprintf(out, "&#%u;", *s);
		else
			fwrite(s, 1, n, out);
		s += n ? n : 1;
	}
}

static void junit_result(FILE *out, const char *path, const struct wtest_result *r)
{
	fputs("    <testcase classname=\"", out);
	xml(out, path);
	fputs("\" name=\"", out);
	xml(out, r->test->name);
	fputs(r->status == WTEST_OK ? "\"/>\n" : "\">\n", out);
	if (r->error) {
		fputs("      <error message=\"", out);
		xml(out, r->error);
		fputs("\"/>\n", out);
	} else if (r->n_failure) {
		/* one element for each test: some readers take no more */
		fputs("      <failure message=\"", out);
		xml(out, r->failure[0].what);
		fputs(": expected ", out);
		xml(out, r->failure[0].expected);
		fputs(", found ", out);
		xml(out, r->failure[0].found);
		fputs("\">", out);
		for (size_t i = 0; i < r->n_failure; i++) {
			const struct wtest_failure *f = &r->failure[i];

			xml(out, path);
			fprintf(out, ":%d:%d: ", f->at.line, f->at.col);
			xml(out, f->what);
			fputs(": expected ", out);
			xml(out, f->expected);
			fputs(", found ", out);
			xml(out, f->found);
			for (size_t k = 0; k < f->n_detail; k++) {
				fputs("\n  ", out);
				xml(out, f->detail[k]);
			}
			putc('\n', out);
		}
		fputs("</failure>\n", out);
	}
	if (r->status != WTEST_OK)
		fputs("    </testcase>\n", out);
}

int wtest_out_junit(FILE *out, const struct wtest_report *v, size_t n)
{
	struct wtest_totals all = wtest_total(v, n);

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
		all.ok + all.failed + all.errors, all.failed, all.errors);
	for (size_t i = 0; i < n; i++) {
		struct wtest_totals t = wtest_total(&v[i], 1);

		fputs("  <testsuite name=\"", out);
		xml(out, v[i].path);
		fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
			t.ok + t.failed + t.errors, t.failed, t.errors);
		if (v[i].broken) {
			fputs("    <testcase classname=\"", out);
			xml(out, v[i].path);
			fputs("\" name=\"the file can be read\">\n      <error message=\"",
			      out);
			xml(out, v[i].broken);
			fputs("\"/>\n    </testcase>\n", out);
		}
		for (size_t k = 0; k < v[i].n; k++)
			junit_result(out, v[i].path, &v[i].result[k]);
		fputs("  </testsuite>\n", out);
	}
	fputs("</testsuites>\n", out);
	return ferror(out) ? -1 : 0;
}

/* A description: no "#" (it would begin a directive) and no end of line. */
static void tap_name(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '#' || *s == '\\')
			putc('\\', out);
		putc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
	}
}

/* A double-quoted YAML scalar. */
static void yaml(FILE *out, const char *s)
{
	putc('"', out);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void tap_field(FILE *out, const char *indent, const char *key, const char *value)
{
	fprintf(out, "%s%s: ", indent, key);
	yaml(out, value);
	putc('\n', out);
}

static void tap_failure(FILE *out, const char *path, const struct wtest_failure *f)
{
	fputs("    - at: ", out);
	yaml(out, path);
	fprintf(out, "\n      line: %d\n      column: %d\n", f->at.line, f->at.col);
	tap_field(out, "      ", "what", f->what);
	tap_field(out, "      ", "expected", f->expected);
	tap_field(out, "      ", "found", f->found);
	if (f->n_detail)
		fputs("      details:\n", out);
	for (size_t i = 0; i < f->n_detail; i++) {
		fputs("        - ", out);
		yaml(out, f->detail[i]);
		putc('\n', out);
	}
}

static void tap_result(FILE *out, size_t number, const char *path, const struct wtest_result *r)
{
	fprintf(out, "%s %zu - ", r->status == WTEST_OK ? "ok" : "not ok", number);
	tap_name(out, path);
	fputs(": ", out);
	tap_name(out, r->test->name);
	putc('\n', out);
	if (r->status == WTEST_OK)
		return;
	fputs("  ---\n", out);
	if (r->error)
		tap_field(out, "  ", "error", r->error);
	if (r->n_failure)
		fputs("  failures:\n", out);
	for (size_t i = 0; i < r->n_failure; i++)
		tap_failure(out, path, &r->failure[i]);
	fputs("  ...\n", out);
}

int wtest_out_tap(FILE *out, const struct wtest_report *v, size_t n)
{
	struct wtest_totals t = wtest_total(v, n);
	size_t number = 0;

	fprintf(out, "TAP version 13\n1..%zu\n", t.ok + t.failed + t.errors);
	for (size_t i = 0; i < n; i++) {
		if (v[i].broken) {
			fprintf(out, "not ok %zu - ", ++number);
			tap_name(out, v[i].path);
			fputs(": the file can be read\n  ---\n", out);
			tap_field(out, "  ", "error", v[i].broken);
			fputs("  ...\n", out);
		}
		for (size_t k = 0; k < v[i].n; k++)
			tap_result(out, ++number, v[i].path, &v[i].result[k]);
	}
	return ferror(out) ? -1 : 0;
}
