/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics of the classes: what came, left and was lost, and how long it waited. */
#include "gw/metrics_text.h"

static const char counter[] = "counter", gauge[] = "gauge";

#define CLASS(name, expression) \
	static uint64_t class_##name(const struct gateway_class *c) \
	{ \
		return expression; \
	}
CLASS(min, c->min_bps)
CLASS(max, c->max_bps)
CLASS(in_packets, c->account.in.packets)
CLASS(in_bytes, c->account.in.bytes)
CLASS(sent_packets, c->account.sent.packets)
CLASS(sent_bytes, c->account.sent.bytes)
CLASS(marked, c->account.marked)
CLASS(remarked, c->account.remarked)
CLASS(backlog, c->account.backlog)
CLASS(backlog_bytes, c->account.backlog_bytes)
CLASS(backlog_peak, c->account.backlog_max)
CLASS(delay_max, c->account.delay_max)
CLASS(jitter_max, c->account.jitter_max)
CLASS(latency, c->max_latency)
CLASS(over_latency, c->account.over_latency)
CLASS(jitter, c->max_jitter)

static const struct class_family {
	const char *name, *type, *help;
	enum metrics_unit unit;
	uint64_t (*get)(const struct gateway_class *c);
	/* classes where this is not 0, or can have been otherwise; NULL: all */
	uint64_t (*only)(const struct gateway_class *c);
	bool ours; /* the kernel does not tell it */
} class_families[] = {
	{"weir_class_min_bytes_per_second", gauge, "What the class is guaranteed.", RATE,
	 class_min, class_min, false},
	{"weir_class_max_bytes_per_second", gauge, "What the class gets at most.", RATE,
	 class_max, class_max, false},
	{"weir_class_in_packets_total", counter, "Packets that came.", COUNT, class_in_packets,
	 class_in_packets, false},
	{"weir_class_in_bytes_total", counter, "Bytes that came, as the link counts them.",
	 COUNT, class_in_bytes, class_in_packets, false},
	{"weir_class_sent_packets_total", counter, "Packets that left.", COUNT,
	 class_sent_packets, NULL, false},
	{"weir_class_sent_bytes_total", counter, "Bytes that left, as the link counts them.",
	 COUNT, class_sent_bytes, NULL, false},
	{"weir_class_marked_packets_total", counter,
	 "Packets that had Congestion Experienced set instead of being dropped.", COUNT,
	 class_marked, class_marked, true},
	{"weir_class_dscp_changed_packets_total", counter, "Packets whose DSCP was changed.",
	 COUNT, class_remarked, class_remarked, true},
	{"weir_class_backlog_packets", gauge, "Packets that wait.", COUNT, class_backlog,
	 class_in_packets, false},
	{"weir_class_backlog_bytes", gauge, "Bytes that wait, as the link counts them.", COUNT,
	 class_backlog_bytes, class_in_packets, false},
	{"weir_class_backlog_peak_packets", gauge, "Most packets that ever waited.", COUNT,
	 class_backlog_peak, class_backlog_peak, true},
	{"weir_class_delay_max_seconds", gauge, "Longest that a packet that left had waited.",
	 SECONDS, class_delay_max, class_delay_max, true},
	{"weir_class_jitter_max_seconds", gauge,
	 "Largest estimate of the jitter of RFC 3550 within a flow.", SECONDS, class_jitter_max,
	 class_jitter_max, true},
	{"weir_class_latency_objective_seconds", gauge, "max-latency of the policy.", SECONDS,
	 class_latency, class_latency, false},
	{"weir_class_latency_missed_packets_total", counter,
	 "Packets that had waited longer than that.", COUNT, class_over_latency, class_latency,
	 true},
	{"weir_class_jitter_objective_seconds", gauge, "max-jitter of the policy.", SECONDS,
	 class_jitter, class_jitter, false},
};

static void print_labels(FILE *f, const char *family, const char *suffix,
			 const struct gateway_link *l, const struct gateway_class *c)
{
	fputs(family, f);
	fputs(suffix, f);
	fputc('{', f);
	metrics_label(f, "link", l->name);
	fputc(',', f);
	metrics_label(f, "class", c->path);
}

static void print_info(FILE *f, const struct gateway_link *l, const struct gateway_class *c)
{
	print_labels(f, "weir_class_info", "", l, c);
	fprintf(f, ",leaf=\"%d\"} 1\n", c->leaf);
}

/*
 * Of a link that the kernel schedules, it tells how many packets, and no more. The full queue
 * is there from the start, so that a class has a sum; other reasons when they were counted
 * first.
 */
static void print_drops(FILE *f, const char *family, const struct gateway_link *l,
			const struct gateway_class *c, bool bytes)
{
	bool ours = l->backend == POLICY_BACKEND_QUEUE;

	for (unsigned i = 0; i < PKT_DROP_N; i++) {
		const struct account_count *n = &c->account.dropped[i];

		if (i == PKT_KEPT || (!ours && (bytes || i != PKT_DROP_LIMIT)) ||
		    (i != PKT_DROP_LIMIT && !n->packets))
			continue;
		print_labels(f, family, "", l, c);
		fprintf(f, ",reason=\"%s\"}", account_drop_name((enum pkt_drop)i));
		metrics_value(f, COUNT, bytes ? n->bytes : n->packets);
	}
}

static const char dropped_packets[] = "weir_class_dropped_packets_total";
static const char dropped_bytes[] = "weir_class_dropped_bytes_total";

static void print_dropped_packets(FILE *f, const struct gateway_link *l,
				  const struct gateway_class *c)
{
	print_drops(f, dropped_packets, l, c, false);
}

static void print_dropped_bytes(FILE *f, const struct gateway_link *l,
				const struct gateway_class *c)
{
	print_drops(f, dropped_bytes, l, c, true);
}

/* ---- The delays. */

static const char delay[] = "weir_class_delay_seconds";

static const struct bound {
	uint64_t ns;
	const char *text;
} bounds[] = {
	{100000, "0.0001"},   {250000, "0.00025"}, {500000, "0.0005"},	{1000000, "0.001"},
	{2500000, "0.0025"},  {5000000, "0.005"},  {10000000, "0.01"},	{25000000, "0.025"},
	{50000000, "0.05"},   {100000000, "0.1"},  {250000000, "0.25"}, {500000000, "0.5"},
	{1000000000, "1"},    {2500000000, "2.5"}, {5000000000, "5"},	{10000000000, "10"},
	{UINT64_MAX, "+Inf"},
};

static void print_delay_labels(FILE *f, const char *suffix, const struct gateway_link *l,
			       const struct gateway_class *c)
{
	print_labels(f, delay, suffix, l, c);
}

/*
 * The account's buckets are finer than these, and no decimal bound is one of theirs. What
 * is in the one that a bound cuts is counted with the next bound: so "at most" is certain,
 * though delays up to 1/32 below a bound may be missing. It must not depend on anything that
 * changes (delay_max could tell some of them), as a bucket may never go down.
 */
static void print_delay(FILE *f, const struct gateway_link *l, const struct gateway_class *c)
{
	const struct account *a = &c->account;
	uint64_t n = 0;
	unsigned b = 0;

	/* all bounds or none: a sum over classes needs the same of each */
	if (l->backend != POLICY_BACKEND_QUEUE || !a->sent.packets)
		return;
	for (unsigned i = 0; i < LENGTH(bounds); i++) {
		while (b < DELAYS_BUCKETS && delays_top(b) <= bounds[i].ns)
			n += delays_get(a->hist, b++);
		if (i == LENGTH(bounds) - 1)
			n += a->uncounted;
		print_delay_labels(f, "_bucket", l, c);
		fprintf(f, ",le=\"%s\"}", bounds[i].text);
		metrics_value(f, COUNT, n);
	}
	print_delay_labels(f, "_sum", l, c);
	fputc('}', f);
	metrics_seconds(f, (unsigned __int128)a->delay_sum_hi << 64 | a->delay_sum_lo);
	print_delay_labels(f, "_count", l, c);
	fputc('}', f);
	metrics_value(f, COUNT, n);
}

/* ---- All of them. */

/* Families that are more than one number, in the order of the document. */
static const struct special {
	const char *name, *type, *help;
	void (*print)(FILE *f, const struct gateway_link *l, const struct gateway_class *c);
} first =
	{"weir_class_info", gauge,
	 "The classes of the policy; class \"\" is the whole link; leaf 0: the sum of others; "
	 "always 1.",
	 print_info},
  last[] = {
	  {dropped_packets, counter, "Packets that were dropped, by reason.",
	   print_dropped_packets},
	  {dropped_bytes, counter,
	   "Bytes that were dropped, as the link counts them, by reason.", print_dropped_bytes},
	  {delay, "histogram", "How long packets that left had waited.", print_delay},
};
#define SIMPLE LENGTH(class_families)
#define FAMILIES (1 + SIMPLE + LENGTH(last))

static void print_simple(FILE *f, const struct class_family *o, const struct gateway_link *l,
			 const struct gateway_class *c)
{
	if ((o->only && !o->only(c)) || (o->ours && l->backend != POLICY_BACKEND_QUEUE))
		return;
	print_labels(f, o->name, "", l, c);
	fputc('}', f);
	metrics_value(f, o->unit, o->get(c));
}

static void print_simple_family(FILE *f, const struct class_family *o,
				const struct gateway_link *l, const struct gateway_class *c)
{
	if (c)
		print_simple(f, o, l, c);
	else
		metrics_begin(f, o->name, o->type, o->help);
}

/* Its family at one class; NULL: at none, but the head of the family. */
static void print_family(FILE *f, size_t family, const struct gateway_link *l,
			 const struct gateway_class *c)
{
	const struct special *o = &first;

	if (family > SIMPLE)
		o = &last[family - 1 - SIMPLE];
	if (family && family <= SIMPLE)
		print_simple_family(f, &class_families[family - 1], l, c);
	else if (c)
		o->print(f, l, c);
	else
		metrics_begin(f, o->name, o->type, o->help);
}

bool metrics_class(FILE *f, const struct gateway_snapshot *s, struct metrics_at *at)
{
	if (at->family == FAMILIES)
		return false;
	if (!at->link && !at->class)
		print_family(f, at->family, NULL, NULL);
	while (at->link < s->n_link && at->class == s->link[at->link].n_class) {
		at->link++;
		at->class = 0;
	}
	if (at->link < s->n_link) {
		const struct gateway_link *l = &s->link[at->link];

		print_family(f, at->family, l, &l->class[at->class ++]);
	} else {
		*at = (struct metrics_at){.family = at->family + 1};
	}
	return true;
}
