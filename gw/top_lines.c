/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/top_lines.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/report.h"
#include "gw/top_text.h"
#include "qos/account.h"
#include "qos/policy.h"

#define NAME_LEAST 16u	/* columns of the names, with room; see cmd_stats.c */
#define NAME_SHORT 8u	/* and without */
#define NAME_STUB 4u	/* of a name that is further in than that */
#define MARK 2u		/* columns before them: "! " */
#define FIGURES 54u	/* columns from them to the drops */
#define DROPS_LEAST 11u /* columns for those: "  120 limit" */
#define COLUMNS_LEAST 20u
#define ROWS_LEAST 5u

struct layout {
	const struct top_frame *f;
	struct top_view *v;
	struct screen_lines *out;
	size_t name;	     /* columns of the names */
	size_t at, from, to; /* the table's next line, and those that are wanted */
	size_t above, below; /* classes on lines that are not */
};

static char *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *text_of(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

/* A line of the window that does not scroll. */
static void fixed(struct layout *l, char *text, enum screen_style style)
{
	if (text && l->v->columns)
		text[screen_cut(text, l->v->columns)] = '\0';
	screen_lines_add(l->out, text, style);
}

/* The same over all of the window's width. */
static void bar(struct layout *l, const char *left, const char *right)
{
	size_t columns = l->v->columns, used = screen_width(left) + screen_width(right);

	if (used < columns)
		fixed(l, text_of("%s%*s%s", left, (int)(columns - used), "", right),
		      SCREEN_BAR);
	else
		fixed(l, text_of("%-*s", (int)columns, left), SCREEN_BAR);
}

/* ---- The table: all its lines are counted, and made where they are wanted. */

static bool wanted(const struct layout *l)
{
	return l->at >= l->from && l->at < l->to;
}

static void scrolled(void *arg, char *text, enum screen_style style)
{
	struct layout *l = arg;

	if (wanted(l))
		fixed(l, text, style);
	else
		free(text);
	l->at++;
}

static void print_drops(FILE *f, const struct top_row *r, uint64_t ns)
{
	const char *between = "";
	char t[REPORT_TEXT], u[REPORT_TEXT];

	fputs("  ", f);
	for (unsigned i = 0; i < PKT_DROP_N; i++) {
		if (!r->dropped[i])
			continue;
		fprintf(f, "%s%s %s", between, top_per_second(r->dropped[i], ns, t),
			i == PKT_KEPT ? "other" : account_drop_name((enum pkt_drop)i));
		between = ", ";
	}
	if (!*between)
		fputc('-', f);
	if (r->over)
		fprintf(f, "; %s over %s", top_per_second(r->over, ns, t),
			report_time(r->class->max_latency, u));
}

static void print_figures(FILE *f, const struct top_row *r, const struct top_flink *l)
{
	const struct top_class *c = r->class;
	char t[REPORT_TEXT];

	top_cell(f, 8, l->ns ? report_rate(r->bps, t) : "-");
	top_cell(f, 5, l->ns ? top_share(r->bps, l->link->rate_bps, t) : "-");
	top_cell(f, 5, top_per_second(r->packets, l->ns, t));
	top_cell(f, 5, report_count(c->waiting_packets, t));
	top_cell(f, 6, report_size(c->waiting_bytes, t));
	top_cell(f, 6, r->delay.known ? report_time(r->delay.p50, t) : "-");
	top_cell(f, 6, r->delay.known ? report_time(r->delay.p99, t) : "-");
	top_cell(f, 5, c->marks_known ? top_per_second(r->marked, l->ns, t) : "-");
	print_drops(f, r, l->ns);
}

/* "work/ssh" in the policy's order is "ssh", further in; in another order it is itself. */
static const char *shown_name(const struct layout *l, const struct top_class *c, unsigned *in)
{
	const char *slash = l->f->sort == TOP_FILE ? strrchr(c->path, '/') : NULL;

	*in = l->f->sort == TOP_FILE ? 2 * c->depth : 2;
	return slash ? slash + 1 : c->path;
}

static void say_row(struct layout *l, const struct top_flink *k, const struct top_row *r)
{
	unsigned in = 0;
	const char *name = r->class->depth ? shown_name(l, r->class, &in) : "(all)";
	char *text = NULL;
	size_t size;
	FILE *f;

	if (!wanted(l)) {
		l->above += l->at < l->from && r->class->depth;
		l->below += l->at >= l->to && r->class->depth;
		l->at++;
		return;
	}
	/* however deep it is, something of the name stays */
	if (in + NAME_STUB > l->name)
		in = (unsigned)(l->name - NAME_STUB);
	f = open_memstream(&text, &size);
	if (f) {
		fprintf(f, "%c %*s", r->over ? '!' : ' ', (int)in, "");
		top_name(f, l->name - in, name);
		print_figures(f, r, k);
		if (fclose(f)) {
			free(text);
			text = NULL;
		}
	}
	scrolled(l, text, r->over ? SCREEN_ALARM : SCREEN_PLAIN);
}

static void say_lost(struct layout *l, const struct top_flink *k)
{
	struct top_flow w = {l->v->columns, SCREEN_ALARM, scrolled, l, NULL};
	bool any = false;

	for (unsigned i = 0; i < ASK_LOSSES; i++) {
		const char *begin = any ? "" : "  LOST since the start: ";
		uint64_t all = k->link->lost[i];

		if (k->lost[i])
			top_flow_say(&w, "%s%" PRIu64 " %s (%" PRIu64 " now)", begin, all,
				     ask_losses[i].brief, k->lost[i]);
		else if (all)
			top_flow_say(&w, "%s%" PRIu64 " %s", begin, all, ask_losses[i].brief);
		any |= all != 0;
	}
	if (any)
		top_flow_end(&w);
}

static void say_link(struct layout *l, const struct top_flink *k)
{
	const struct top_link *n = k->link;
	bool well = n->up && !n->error;
	struct top_flow w = {l->v->columns, well ? SCREEN_BOLD : SCREEN_ALARM, scrolled, l,
			     NULL};
	char t[REPORT_TEXT], u[REPORT_TEXT];

	top_flow_say(&w, "link %s: %s %s", n->name, n->interface, n->up ? "up" : "DOWN");
	if (n->error)
		top_flow_say(&w, "FAILED: %s", strerror(n->error));
	top_flow_say(&w, "%s of %s", k->ns ? report_rate(k->all.bps, t) : "-",
		     policy_rate_text(n->rate_bps, u));
	if (strcmp(n->backend, "queue") != 0)
		top_flow_say(&w, "backend %s%s%s", n->backend, n->device ? " on " : "",
			     n->device ? n->device : "");
	if (n->has_queue)
		top_flow_say(&w, "held %s (%s)", report_count(n->held_packets, t),
			     report_size(n->held_bytes, u));
	if (n->has_queue && k->ns)
		top_flow_say(&w, "cpu %s", top_share(k->cpu, k->ns, t));
	if (k->late.known)
		top_flow_say(&w, "late %s", report_time(k->late.p99, t));
	top_flow_end(&w);
	say_lost(l, k);
	for (size_t i = 0; i < n->n_warning; i++) {
		w.style = SCREEN_ALARM;
		top_flow_say(&w, "  WARNING %s", n->warning[i]);
		top_flow_end(&w);
	}
}

static void say_table(struct layout *l)
{
	l->at = l->above = l->below = 0;
	for (size_t i = 0; i < l->f->n_link; i++) {
		const struct top_flink *k = &l->f->link[i];

		say_link(l, k);
		say_row(l, k, &k->all);
		for (size_t n = 0; n < k->n_shown; n++)
			say_row(l, k, k->shown[n]);
	}
}

/* ---- What is above and below it. */

static void say_heading(struct layout *l)
{
	static const struct {
		unsigned columns;
		const char *text;
	} head[] = {{8, "rate"},  {5, "share"}, {5, "pkt/s"}, {5, "wait"},
		    {6, "bytes"}, {6, "p50"},	{6, "p99"},   {5, "marks"}};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f) {
		fputs("  ", f);
		top_name(f, l->name, "class");
		for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
			top_cell(f, head[i].columns, head[i].text);
		fputs("  drops/s", f);
		if (fclose(f)) {
			free(text);
			text = NULL;
		}
	}
	if (l->v->columns && text)
		bar(l, text, "");
	else
		screen_lines_add(l->out, text, SCREEN_BAR);
	if (l->v->columns)
		free(text);
}

static void say_head(struct layout *l)
{
	const struct top_answer *a = l->f->answer;
	char running[REPORT_TEXT], over[REPORT_TEXT], refused[64] = "";

	if (a->reloads_failed)
		snprintf(refused, sizeof(refused), ", reloads refused: %" PRIu64,
			 a->reloads_failed);
	fixed(l,
	      text_of("weir %s, %s%s%s%s%s, running %s, %s", a->weir,
		      l->f->ns ? "over the last " : "measuring",
		      l->f->ns ? top_duration(l->f->ns, over) : "",
		      l->v->paused ? ", PAUSED" : "",
		      l->f->restarted  ? ", started anew"
		      : l->f->reloaded ? ", reloaded"
				       : "",
		      refused, top_duration(a->now - a->started, running), a->policy),
	      SCREEN_BOLD);
	if (l->v->trouble)
		fixed(l, strdup(l->v->trouble), SCREEN_ALARM);
	if (!a->intact)
		fixed(l, strdup("THE RULES ARE NOT AS THEY WERE MADE: see weir status"),
		      SCREEN_ALARM);
	say_heading(l);
}

static void say_foot(struct layout *l)
{
	char keys[128], more[96] = "";

	if (l->above && l->below)
		snprintf(more, sizeof(more), "classes: %zu above, %zu below ", l->above,
			 l->below);
	else if (l->above || l->below)
		snprintf(more, sizeof(more), "classes: %zu %s ", l->above + l->below,
			 l->above ? "above" : "below");
	snprintf(keys, sizeof(keys), " q quit  space %s  s sort: %s  ? help ",
		 l->v->paused ? "go on" : "pause", top_sort_name(l->f->sort));
	/* that something has no room must be seen; the keys are in the help too */
	if (*more && strlen(keys) + strlen(more) > l->v->columns)
		strcpy(keys, " ? help ");
	bar(l, keys, more);
}

static void say_help(struct layout *l)
{
	static const char *const text[] = {
		"q, Ctrl-C      quit",
		"space          pause: nothing is asked until it is pressed again",
		"s              sort: as in the policy, by rate, by backlog, by delay",
		"arrows, j k, page up and down, home, end    what has no room",
		"",
		"All figures are of the interval that the first line tells.",
		"rate, share    sent, as the link counts it; of the link's rate",
		"pkt/s          packets sent",
		"wait, bytes    what waits now",
		"p50, p99       half, and 99 of 100, of the packets sent had waited no longer",
		"marks          packets that got Congestion Experienced, a second",
		"drops/s        by reason; then those that waited longer than max-latency",
		"!              some did",
		"late           99 of 100 of the wake-ups of the link were late by no more",
		"",
		"Any key goes back.",
	};

	fixed(l, strdup("weir top"), SCREEN_BAR);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		fixed(l, strdup(text[i]), SCREEN_PLAIN);
}

/* ---- Together. */

static size_t name_columns(const struct layout *l)
{
	size_t most = NAME_LEAST, room;

	for (size_t i = 0; i < l->f->n_link; i++) {
		for (size_t k = 0; k < l->f->link[i].n_shown; k++) {
			unsigned in;
			const char *name = shown_name(l, l->f->link[i].shown[k]->class, &in);
			size_t w = in + screen_width(name);

			most = w > most ? w : most;
		}
	}
	if (!l->v->columns)
		return most;
	room = MARK + FIGURES + DROPS_LEAST;
	room = l->v->columns > room + NAME_SHORT ? l->v->columns - room : NAME_SHORT;
	return most < room ? most : room;
}

static void say_window(struct layout *l)
{
	size_t head = l->out->n, rows = l->v->rows, all;

	say_table(l); /* nothing is wanted yet */
	all = l->at;
	l->v->page = rows > head + 2 ? rows - head - 1 : 1;
	if (l->v->scroll + l->v->page > all)
		l->v->scroll = all > l->v->page ? all - l->v->page : 0;
	l->from = l->v->scroll;
	l->to = l->from + l->v->page;
	say_table(l);
	while (l->out->n + 1 < rows && !l->out->failed)
		screen_lines_add(l->out, strdup(""), SCREEN_PLAIN);
	say_foot(l);
}

bool top_lines(const struct top_frame *f, struct top_view *v, struct screen_lines *out)
{
	struct layout l = {.f = f, .v = v, .out = out};

	v->page = 1;
	l.name = name_columns(&l);
	if (!v->columns) {
		l.to = SIZE_MAX;
		say_head(&l);
		say_table(&l);
	} else if (v->columns < COLUMNS_LEAST || v->rows < ROWS_LEAST) {
		fixed(&l, strdup("window too small"), SCREEN_PLAIN);
	} else if (v->help) {
		say_help(&l);
	} else {
		say_head(&l);
		say_window(&l);
	}
	while (v->columns && out->n > v->rows)
		free(out->v[--out->n].text);
	return !out->failed;
}
