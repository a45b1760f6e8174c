/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Complaints: made from text of unknown origin, counted, and brought into the order
 * of the file.
 */
#include "qos/policy.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024  /* bytes of one complaint */
#define SHOWN_CHARS 60 /* characters of foreign text in it */

struct policy_gathered {
	enum policy_severity sev;
	const char *file;
	struct policy_mark at;
	size_t order; /* as it was told */
	char *text;
};

/* Length of the valid UTF-8 sequence at s, 0 when there is none. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* C0, DEL and C1: they would move a terminal's cursor, or forge a line. */
static bool is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

/* Copies at most max_chars characters and size - 1 bytes, made printable. */
static void copy_printable(char *out, size_t size, const char *text, size_t max_chars)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t o = 0;

	for (size_t chars = 0; *s; chars++) {
		size_t n = utf8_len(s);

		if (chars == max_chars || o + (n ? n : 1) + 4 > size) {
			memcpy(out + o, "...", 3);
			o += 3;
			break;
		}
		if (!n || is_control(s)) {
			out[o++] = '?';
			s += n ? n : 1;
			continue;
		}
		memcpy(out + o, s, n);
		o += n;
		s += n;
	}
	out[o] = '\0';
}

struct policy_shown policy_shown(const char *text)
{
	struct policy_shown p = {""};

	copy_printable(p.s, sizeof(p.s), text, SHOWN_CHARS);
	return p;
}

void policy_printable(char *out, size_t size, const char *text)
{
	copy_printable(out, size, text, SIZE_MAX);
}

void policy_complain(struct policy_report *r, enum policy_severity sev, const char *file,
		     struct policy_mark at, const char *fmt, ...)
{
	char raw[TEXT_MAX], text[TEXT_MAX];
	va_list ap;

	if (!r)
		return;
	if (sev == POLICY_ERROR)
		r->errors++;
	else
		r->warnings++;
	if (!r->fn)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	copy_printable(text, sizeof(text), raw, sizeof(text));
	r->fn(r->arg, sev, file, at, text);
}

static void gather(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text)
{
	struct policy_gather *g = arg;
	char *copy = g->n < POLICY_COMPLAINTS_MAX ? strdup(text) : NULL;

	if (copy && g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 16;
		struct policy_gathered *v = realloc(g->v, cap * sizeof(*v));

		if (v) {
			g->v = v;
			g->cap = cap;
		} else {
			free(copy);
			copy = NULL;
		}
	}
	if (copy)
		g->v[g->n] = (struct policy_gathered){sev, file, at, g->n, copy};
	else if (sev == POLICY_ERROR)
		g->lost_errors++;
	else
		g->lost_warnings++;
	g->n += copy != NULL;
}

void policy_gather_begin(struct policy_gather *g, struct policy_report *to)
{
	*g = (struct policy_gather){.to = to};
	g->report.fn = gather;
	g->report.arg = g;
	g->report.stop = to ? to->stop : NULL;
}

static int by_place(const void *a, const void *b)
{
	const struct policy_gathered *x = a, *y = b;

	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.col != y->at.col)
		return x->at.col < y->at.col ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void policy_gather_end(struct policy_gather *g)
{
	struct policy_gathered last = {0};

	if (g->n)
		qsort(g->v, g->n, sizeof(*g->v), by_place);
	for (size_t i = 0; i < g->n; i++) {
		last = g->v[i];
		policy_complain(g->to, last.sev, last.file, last.at, "%s", last.text);
		free(last.text);
	}
	if (g->lost_errors || g->lost_warnings) {
		policy_complain(g->to, g->lost_errors ? POLICY_ERROR : POLICY_WARNING,
				last.file, (struct policy_mark){0, 0},
				"%u more errors and %u more warnings are not shown",
				g->lost_errors, g->lost_warnings);
		if (g->to) {
			g->to->errors += g->lost_errors;
			g->to->warnings += g->lost_warnings;
		}
	}
	free(g->v);
	g->v = NULL;
	g->n = g->cap = 0;
}
