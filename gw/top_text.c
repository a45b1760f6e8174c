/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/top_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gw/top_frame.h"

#define SECOND UINT64_C(1000000000)
#define INDENT "    "

const char *top_per_second(uint64_t n, uint64_t ns, char buf[REPORT_TEXT])
{
	uint64_t v = top_ratio(n, 10 * SECOND, ns);

	if (!ns)
		return strcpy(buf, "-");
	if (n && !v)
		return strcpy(buf, "<0.1");
	if (v >= 100)
		return report_count(top_ratio(n, SECOND, ns), buf);
	/* "3", not "3.0", where it is exactly that */
	if (v % 10)
		snprintf(buf, REPORT_TEXT, "%u.%u", (unsigned)v / 10, (unsigned)v % 10);
	else
		snprintf(buf, REPORT_TEXT, "%u", (unsigned)v / 10);
	return buf;
}

const char *top_share(uint64_t part, uint64_t whole, char buf[REPORT_TEXT])
{
	uint64_t v = top_ratio(part, 1000, whole);

	if (!whole)
		return strcpy(buf, "-");
	if (part && !v)
		return strcpy(buf, "<0.1%");
	if (!v || v >= 1000)
		snprintf(buf, REPORT_TEXT, "%" PRIu64 "%%", top_ratio(part, 100, whole));
	else
		snprintf(buf, REPORT_TEXT, "%u.%u%%", (unsigned)v / 10, (unsigned)v % 10);
	return buf;
}

const char *top_duration(uint64_t ns, char buf[REPORT_TEXT])
{
	uint64_t s = ns / SECOND, m = s / 60, h = m / 60;

	if (s < 60)
		return report_time(ns, buf);
	if (m < 60)
		snprintf(buf, REPORT_TEXT, "%" PRIu64 "m %" PRIu64 "s", m, s % 60);
	else if (h < 24)
		snprintf(buf, REPORT_TEXT, "%" PRIu64 "h %" PRIu64 "m", h, m % 60);
	else
		snprintf(buf, REPORT_TEXT, "%" PRIu64 "d %" PRIu64 "h", h / 24, h % 24);
	return buf;
}

void top_cell(FILE *f, unsigned columns, const char *text)
{
	if (strlen(text) <= columns)
		fprintf(f, " %*s", (int)columns, text);
	else
		fprintf(f, " %*s", (int)columns, "###");
}

void top_name(FILE *f, size_t columns, const char *text)
{
	size_t width = screen_width(text);

	if (width <= columns)
		fprintf(f, "%s%*s", text, (int)(columns - width), "");
	else if (columns)
		fprintf(f, "%.*s~", (int)screen_cut(text, columns - 1), text);
}

/* ---- Sentences. */

static char *joined(char *a, const char *between, char *b)
{
	char *text = NULL;

	if (a && b && asprintf(&text, "%s%s%s", a, between, b) < 0)
		text = NULL;
	free(a);
	free(b);
	return text;
}

void top_flow_end(struct top_flow *w)
{
	w->line(w->arg, w->text, w->style);
	w->text = NULL;
}

void top_flow_say(struct top_flow *w, const char *fmt, ...)
{
	char *item;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&item, fmt, ap);
	va_end(ap);
	if (n < 0)
		item = NULL;
	if (!w->text) {
		w->text = item;
	} else if (item && w->columns &&
		   screen_width(w->text) + 2 + screen_width(item) >= w->columns) {
		/* the comma belongs to the line that it ends */
		w->text = joined(w->text, ",", strdup(""));
		top_flow_end(w);
		w->text = joined(strdup(INDENT), "", item);
	} else {
		w->text = joined(w->text, ", ", item);
	}
}
