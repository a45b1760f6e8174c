/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report for people: for each link a table of what passed and one of how long it took. */
#include "gw/report.h"

#include "gw/ask_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_ALL 40 /* with more classes than this, those without packets are left out */
#define NAME_WIDTH 16
#define MISSED_MOST 20 /* lines on objectives that were missed */

struct row {
	const struct policy_class *class;
	const struct account *account;
	unsigned depth;
};

/* Characters, not bytes: names may be in UTF-8. */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void pad(FILE *f, int n)
{
	for (; n > 0; n--)
		fputc(' ', f);
}

static void left(FILE *f, const char *s, int columns)
{
	fputs(s, f);
	pad(f, columns - width(s));
}

static void right(FILE *f, const char *s, int columns)
{
	pad(f, columns - width(s));
	fputs(s, f);
}

static const char *row_name(const struct policy_class *c)
{
	return c->parent ? c->path : c->link->name;
}

static void print_name(FILE *f, const struct row *r, int columns)
{
	int indent = 2 * (int)(r->depth + 1);

	pad(f, indent);
	left(f, row_name(r->class), columns - indent);
}

static void print_dropped(FILE *f, const struct account *a)
{
	const char *between = "  ";

	if (!account_all_dropped(a).packets)
		fputs("  -", f);
	for (unsigned i = 0; i < PKT_DROP_N; i++) {
		if (!a->dropped[i].packets)
			continue;
		fprintf(f, "%s%" PRIu64 " %s", between, a->dropped[i].packets,
			account_drop_name((enum pkt_drop)i));
		between = ", ";
	}
	fputc('\n', f);
}

static void print_counts(FILE *f, const struct row *r, int columns)
{
	const struct account *a = r->account;
	char t[REPORT_TEXT];

	print_name(f, r, columns);
	fprintf(f, " %9" PRIu64 " %9" PRIu64, a->in.packets, a->sent.packets);
	right(f, report_size(a->sent.bytes, t), 9);
	right(f, report_rate(account_throughput(a), t), 10);
	fprintf(f, " %7" PRIu64 " %6" PRIu32, a->marked, a->backlog_max);
	print_dropped(f, a);
}

static bool misses_latency(const struct row *r)
{
	return r->class->max_latency && r->account->over_latency;
}

static bool misses_jitter(const struct row *r)
{
	return r->class->max_jitter && r->account->jitter_max > r->class->max_jitter;
}

static void print_delays(FILE *f, const struct row *r, int columns)
{
	const struct account *a = r->account;
	const struct policy_class *c = r->class;
	const uint64_t v[] = {account_quantile(a, 500), account_quantile(a, 950),
			      account_quantile(a, 990), a->delay_max,
			      account_mean(a),		a->jitter_max};
	char t[REPORT_TEXT];

	print_name(f, r, columns);
	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		right(f, a->sent.packets ? report_time(v[i], t) : "-", 9);
	if (!c->max_latency && !c->max_jitter)
		fputs("  -\n", f);
	else if (!a->sent.packets)
		fputs("  no packets\n", f);
	else
		fputs(misses_latency(r) || misses_jitter(r) ? "  MISSED\n" : "  met\n", f);
}

static void print_table(FILE *f, const struct row *v, size_t n, int columns)
{
	left(f, "  class", columns);
	fputs("        in      sent    bytes      rate  marked  queue  dropped\n", f);
	for (size_t i = 0; i < n; i++)
		print_counts(f, &v[i], columns);
	left(f, "  delay", columns);
	fputs("      p50      p95      p99      max     mean   jitter  objectives\n", f);
	for (size_t i = 0; i < n; i++)
		print_delays(f, &v[i], columns);
}

static int name_columns(const struct row *v, size_t n)
{
	int most = NAME_WIDTH;

	for (size_t i = 0; i < n; i++) {
		int w = 2 * (int)(v[i].depth + 1) + width(row_name(v[i].class));

		if (w > most)
			most = w;
	}
	return most;
}

struct missed {
	unsigned met, missed;
};

static void print_missed(FILE *f, const struct row *r, struct missed *m)
{
	const struct policy_class *c = r->class;
	char want[REPORT_TEXT], got[REPORT_TEXT];

	if (!r->account->sent.packets)
		return;
	if (misses_latency(r) && m->missed++ < MISSED_MOST)
		fprintf(f,
			"  MISSED: %s: max-latency %s: %" PRIu64 " of %" PRIu64
			" packets waited longer, up to %s\n",
			row_name(c), report_time(c->max_latency, want),
			r->account->over_latency, r->account->sent.packets,
			report_time(r->account->delay_max, got));
	if (misses_jitter(r) && m->missed++ < MISSED_MOST)
		fprintf(f, "  MISSED: %s: max-jitter %s: it was up to %s\n", row_name(c),
			report_time(c->max_jitter, want),
			report_time(r->account->jitter_max, got));
	m->met += c->max_latency && !misses_latency(r);
	m->met += c->max_jitter && !misses_jitter(r);
}

/* What the tables cannot say of a link: objectives, rewritten marks, what still waits. */
static void print_link_notes(FILE *f, const struct account *whole, const struct row *v,
			     size_t n, size_t left_out)
{
	struct missed m = {0, 0};

	for (size_t i = 0; i < n; i++)
		print_missed(f, &v[i], &m);
	if (m.missed > MISSED_MOST)
		fprintf(f, "  MISSED: %u more\n", m.missed - MISSED_MOST);
	if (m.missed || m.met)
		fprintf(f, "  objectives: %u met, %u missed\n", m.met, m.missed);
	if (whole->remarked)
		fprintf(f, "  DSCP changed: %" PRIu64 " packets\n", whole->remarked);
	if (left_out)
		fprintf(f, "  %zu classes without packets are not shown\n", left_out);
}

static unsigned depth_of(const struct policy_class *c)
{
	unsigned n = 0;

	for (; c->parent; c = c->parent)
		n++;
	return n;
}

/* Classes in the order of the file, each before its children. */
static void collect(const struct replay_result *r, const struct policy_class *c, struct row *v,
		    size_t *n, size_t *left_out, bool all)
{
	const struct account *a = engine_account(r->engine, c);

	if (all || a->in.packets || !c->parent)
		v[(*n)++] = (struct row){c, a, depth_of(c)};
	else
		++*left_out;
	for (size_t i = 0; i < c->n_child; i++)
		collect(r, c->child[i], v, n, left_out, all);
	/* what the link hangs on, if any of it came */
	if (!c->parent && c->link->control.class) {
		a = engine_account(r->engine, c->link->control.class);
		if (a->in.packets)
			v[(*n)++] = (struct row){c->link->control.class, a, 1};
	}
}

static int print_link(FILE *f, const struct replay_result *r, const struct policy_link *l)
{
	size_t n = 0, left_out = 0;
	struct row *v = calloc(l->n_all, sizeof(*v));
	char rate[POLICY_UNIT_TEXT];

	if (!v)
		return -1;
	collect(r, l->root, v, &n, &left_out, l->n_all <= SHOW_ALL);
	fprintf(f, "\nlink %s, %s\n", l->name, policy_rate_text(l->rate.bps, rate));
	print_table(f, v, n, name_columns(v, n));
	print_link_notes(f, engine_account(r->engine, l->root), v, n, left_out);
	free(v);
	return 0;
}

static void print_capture(FILE *f, const struct replay_result *r)
{
	const struct capture_stats *c = &r->capture;
	char t[REPORT_TEXT];

	if (c->backwards)
		fprintf(f,
			"time stamps that run backwards: %" PRIu64
			" packets, by up to %s; taken as the latest before\n",
			c->backwards, report_time(c->backwards_max, t));
	if (c->bad_stamps)
		fprintf(f, "time stamps that are none: %" PRIu64 " packets\n", c->bad_stamps);
	if (c->bad_lengths)
		fprintf(f, "captured longer than they were: %" PRIu64 " packets\n",
			c->bad_lengths);
	if (c->truncated)
		fprintf(f, "captures that end too early: %" PRIu64 "\n", c->truncated);
}

/* Packets larger than those of the line, and what was done with them. */
static void print_segments(FILE *f, const struct replay_result *r)
{
	const struct drive_segments *s = &r->segments;

	if (s->packets)
		fprintf(f,
			"large segments: %" PRIu64 " packets of the captures are %" PRIu64
			" packets on the line, and counted so\n",
			s->packets, s->pieces);
	if (s->whole)
		fprintf(f,
			"large segments: %" PRIu64 " packets, scheduled whole, as the gateway "
			"does from 500 mbit/s on, and "
			"charged in pieces\n",
			s->whole);
	if (s->unknown)
		fprintf(f,
			"larger than %u bytes and no TCP: %" PRIu64
			" packets, scheduled whole and charged in such pieces: the captures do "
			"not tell how they were cut\n",
			r->mtu, s->unknown);
}

static void print_notes(FILE *f, const struct replay_result *r)
{
	struct engine_stats s;

	engine_get_stats(r->engine, &s);
	fputc('\n', f);
	for (size_t i = 0; i < r->n_passed; i++)
		fprintf(f, "%s%s %" PRIu64,
			i ? ", " : "passed, on no link: ", r->passed[i].reason,
			r->passed[i].packets);
	if (r->n_passed)
		fputc('\n', f);
	print_capture(f, r);
	print_segments(f, r);
	if (s.lying)
		fprintf(f, "packets whose lengths lie: %" PRIu64 "\n", s.lying);
	if (s.truncated)
		fprintf(f, "packets captured without their ports: %" PRIu64 "\n", s.truncated);
	if (s.match.frags_orphan)
		fprintf(f, "fragments without their first: %" PRIu64 "\n",
			s.match.frags_orphan);
	fprintf(f, "flows: %" PRIu64, s.match.flows_made);
	if (s.match.flows_evicted)
		fprintf(f, ", of which %" PRIu64 " were forgotten", s.match.flows_evicted);
	fputc('\n', f);
}

int report_text(FILE *f, const struct replay_result *r)
{
	char t[REPORT_TEXT];

	fprintf(f, "%s: %" PRIu64 " packets in %s\n", ask_printable(r->policy->file),
		r->packets, report_time(r->last - r->first, t));
	if (r->link && print_link(f, r, r->link))
		return -1;
	for (size_t i = 0; !r->link && i < r->policy->n_link; i++)
		if (print_link(f, r, r->policy->link[i]))
			return -1;
	print_notes(f, r);
	return ferror(f) ? -1 : 0;
}
