/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was measured against what was expected, and the words for what does not hold. */
#include "gw/wtest_watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ULL
#define OTHERS_MAX 4 /* classes shown beside one that got too little or too much */

static const char *label(enum wtest_metric m)
{
	switch (m) {
	case WTEST_P50:
	case WTEST_P90:
	case WTEST_P95:
	case WTEST_P99:
	case WTEST_P999:
	case WTEST_MAX:
	case WTEST_MEAN:
		return " delay";
	case WTEST_SHARE:
		return " of the link";
	case WTEST_PACKETS:
	case WTEST_CAME:
		return " that came";
	default:
		return "";
	}
}

/* "class voice from 2s to 10s" */
static char *subject(const struct wtest_expect *e)
{
	char from[WTEST_VALUE_TEXT], to[WTEST_VALUE_TEXT];
	char window[2 * WTEST_VALUE_TEXT + 16] = "";

	if (e->windowed && e->to != UINT64_MAX)
		snprintf(window, sizeof(window), " from %s to %s",
			 wtest_value_text(e->from, WTEST_TIME, from),
			 wtest_value_text(e->to, WTEST_TIME, to));
	else if (e->windowed)
		snprintf(window, sizeof(window), " from %s",
			 wtest_value_text(e->from, WTEST_TIME, from));
	if (e->filter_text)
		return watch_text("filter \"%s\"%s", e->filter_text, window);
	if (e->flow_text)
		return watch_text("flow %s%s", e->flow_text, window);
	return watch_text("%s %s%s", *e->class->path ? "class" : "link",
			  watch_class_name(e->class), window);
}

static struct wtest_failure *fail(struct wtest_result *res, struct policy_mark at, char *what,
				  char *expected, char *found)
{
	struct wtest_failure *f =
		realloc(res->failure, (res->n_failure + 1) * sizeof(*res->failure));

	if (!f) {
		fputs("weir: no memory\n", stderr);
		exit(2);
	}
	res->failure = f;
	f += res->n_failure++;
	*f = (struct wtest_failure){
		.at = at, .what = what, .expected = expected, .found = found};
	return f;
}

static void detail(struct wtest_failure *f, char *text)
{
	char **v = realloc(f->detail, (f->n_detail + 1) * sizeof(*v));

	if (!v) {
		fputs("weir: no memory\n", stderr);
		exit(2);
	}
	f->detail = v;
	v[f->n_detail++] = text;
}

/* Hands the texts over to the failure. */
static void show_offenders(struct wtest_failure *f, struct offenders *o)
{
	for (size_t i = 0; i < o->n; i++)
		detail(f, o->v[i]);
	if (o->total > o->n)
		detail(f, watch_text("and %" PRIu64 " more", o->total - o->n));
	o->n = 0;
}

static uint64_t all_dropped(const struct meter *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PKT_DROP_N; i++)
		n += m->dropped[i].packets;
	return n;
}

static uint64_t rate(uint64_t bytes, uint64_t ns)
{
	return ns ? (uint64_t)((unsigned __int128)bytes * 8 * SECOND / ns) : 0;
}

static uint64_t window_length(const struct watch *w, const struct wtest_expect *e,
			      const struct meter *m)
{
	uint64_t to = e->to == UINT64_MAX ? w->last - w->origin : e->to;

	if (!e->windowed)
		return m->sent.packets ? m->last_out - m->first_in : 0;
	return to > e->from ? to - e->from : 0;
}

/* Thousandths of a percent, rounded up: what is not nothing must not look so. */
static uint64_t percent(uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)(((unsigned __int128)part * 100000 + whole - 1) / whole) : 0;
}

static uint64_t measure(const struct watch *w, const struct wtest_expect *e,
			const struct meter *m, enum wtest_metric metric)
{
	static const unsigned permille[] = {500, 900, 950, 990, 999};

	switch (metric) {
	case WTEST_MAX:
		return m->delay.delay_max;
	case WTEST_MEAN:
		return account_mean(&m->delay);
	case WTEST_JITTER:
		/* of a whole class it is what the replay says: the highest of its leaves */
		if (!e->filter_text && !e->flow_text && !e->windowed)
			return engine_account(w->engine, e->class)->jitter_max;
		return m->delay.jitter_max;
	case WTEST_THROUGHPUT:
		return rate(m->sent.bytes, window_length(w, e, m));
	case WTEST_SHARE:
		return percent(m->sent.bytes, m->link_bytes);
	case WTEST_LOSS:
		return percent(all_dropped(m), m->came.packets);
	case WTEST_PACKETS:
		return m->came.packets;
	case WTEST_CAME:
		return m->came.bytes;
	case WTEST_SENT:
		return m->sent.packets;
	case WTEST_SENT_BYTES:
		return m->sent.bytes;
	case WTEST_MARKS:
		return m->marked;
	case WTEST_DROPS:
		return all_dropped(m);
	case WTEST_DROPS_LIMIT:
		return m->dropped[PKT_DROP_LIMIT].packets;
	case WTEST_DROPS_AQM:
		return m->dropped[PKT_DROP_AQM].packets;
	case WTEST_DROPS_DEADLINE:
		return m->dropped[PKT_DROP_DEADLINE].packets;
	case WTEST_DROPS_MEMORY:
		return m->dropped[PKT_DROP_MEMORY].packets;
	default:
		return account_quantile(&m->delay, permille[metric]);
	}
}

static char *summary(const struct meter *m, const char *who)
{
	char max[WTEST_VALUE_TEXT];

	return watch_text("%s: %" PRIu64 " packets came, %" PRIu64 " sent, %" PRIu64
			  " dropped, longest delay %s",
			  who, m->came.packets, m->sent.packets, all_dropped(m),
			  wtest_value_text(m->delay.delay_max, WTEST_TIME, max));
}

/* Who had the link's time: the leaves that sent most in the window. */
static void show_takers(const struct watch *w, const struct wtest_expect *e, struct meter *m,
			struct wtest_failure *f)
{
	const struct policy_link *l = e->class->link;
	uint64_t length = window_length(w, e, m);
	char t[WTEST_VALUE_TEXT];

	for (unsigned shown = 0; shown < OTHERS_MAX; shown++) {
		size_t best = 0;

		for (size_t i = 1; i < l->n_all; i++)
			if (m->by_leaf[i] > m->by_leaf[best])
				best = i;
		if (!m->by_leaf[best])
			return;
		detail(f, watch_text("class %s sent %" PRIu64 " bytes, %s",
				     watch_class_name(l->all[best]), m->by_leaf[best],
				     wtest_value_text(rate(m->by_leaf[best], length),
						      WTEST_RATE, t)));
		m->by_leaf[best] = 0;
	}
}

static bool needs_sent(enum wtest_metric m)
{
	return m <= WTEST_JITTER;
}

/* What kind of bad service a failing measure speaks of. */
static enum judge_kind kind_of(enum wtest_metric m)
{
	switch (m) {
	case WTEST_JITTER:
		return JUDGE_JITTER;
	case WTEST_LOSS:
	case WTEST_DROPS:
	case WTEST_DROPS_LIMIT:
	case WTEST_DROPS_AQM:
	case WTEST_DROPS_DEADLINE:
	case WTEST_DROPS_MEMORY:
		return JUDGE_DROPS;
	case WTEST_THROUGHPUT:
	case WTEST_SHARE:
	case WTEST_SENT:
	case WTEST_SENT_BYTES:
		return JUDGE_GUARANTEE;
	default:
		return JUDGE_LATENCY;
	}
}

/* Why those that it is about were served badly, if they were. */
static void tell_why(const struct watch *w, const struct wtest_expect *e, const struct meter *m,
		     enum judge_kind first, struct wtest_failure *f)
{
	const struct policy_class *c =
		e->class && !e->filter_text && !e->flow_text ? e->class : m->class;
	struct judge_finding why;
	size_t link = 0;

	while (c && link < w->policy->n_link && w->policy->link[link] != c->link)
		link++;
	if (!c || link == w->policy->n_link || !judge_why(w->judge[link], c, first, &why))
		return;
	detail(f, watch_text("why: class %s: %s", watch_class_name(why.class), why.what));
	if (*why.cause)
		detail(f, watch_text("why: %s", why.cause));
	if (*why.remedy)
		detail(f, watch_text("help: %s", why.remedy));
}

static void judge_check(struct watch *w, const struct wtest_expect *e, struct meter *m,
			unsigned i, struct wtest_result *res)
{
	const struct wtest_check *c = &e->check[i];
	uint64_t v = measure(w, e, m, c->metric);
	bool nothing = needs_sent(c->metric) && !m->sent.packets;
	char t[WTEST_VALUE_TEXT], *who;
	struct wtest_failure *f;

	res->expectations++;
	if (!nothing && v >= c->lo && v <= c->hi)
		return;
	who = subject(e);
	f = fail(res, c->at,
		 watch_text("%s%s of %s", wtest_metric_name(c->metric), label(c->metric), who),
		 watch_text("%s", c->text),
		 watch_text("%s",
			    nothing ? "no packet was sent"
				    : wtest_value_text(v, wtest_metric_unit(c->metric), t)));
	show_offenders(f, &m->per_check[i]);
	detail(f, summary(m, who));
	if (m->by_leaf && (c->metric == WTEST_THROUGHPUT || c->metric == WTEST_SHARE))
		show_takers(w, e, m, f);
	tell_why(w, e, m, kind_of(c->metric), f);
	free(who);
}

/* Whether the expectation says itself that nothing may come. */
static bool allows_none(const struct wtest_expect *e)
{
	for (unsigned i = 0; i < e->n_check; i++)
		if (e->check[i].metric == WTEST_PACKETS && !e->check[i].lo)
			return true;
	return false;
}

static bool judge_any(const struct wtest_expect *e, const struct meter *m,
		      struct wtest_result *res)
{
	char *who;

	if (m->came.packets || m->sent.packets || all_dropped(m) || allows_none(e))
		return true;
	who = subject(e);
	res->expectations++;
	fail(res, e->at, watch_text("packets of %s", who), watch_text("at least one"),
	     watch_text("no packet came"));
	free(who);
	return false;
}

static void judge_packets(const struct wtest_expect *e, struct meter *m,
			  struct wtest_result *res)
{
	char name[8], *who = subject(e);
	struct wtest_failure *f;

	if ((e->filter_text || e->flow_text) && (e->class || e->nowhere)) {
		res->expectations++;
		if (m->wrong.total) {
			f = fail(res, e->class_at, watch_text("class of %s", who),
				 e->nowhere ? watch_text("on no link")
					    : watch_text("%s", watch_class_name(e->class)),
				 watch_text("%" PRIu64 " of %" PRIu64 " packets elsewhere",
					    m->wrong.total, m->came.packets));
			show_offenders(f, &m->wrong);
		}
	}
	if (e->dscp >= 0) {
		res->expectations++;
		if (m->dscp.total || !m->sent.packets) {
			f = fail(res, e->dscp_at, watch_text("dscp of %s", who),
				 watch_text("%s", policy_dscp_name((unsigned)e->dscp, name)),
				 m->sent.packets ? watch_text("%" PRIu64 " of %" PRIu64
							      " packets with another",
							      m->dscp.total, m->sent.packets)
						 : watch_text("no packet was sent"));
			show_offenders(f, &m->dscp);
		}
	}
	free(who);
}

/* The missed objectives of one class as texts to v; how many of 2. */
static unsigned missed(const struct policy_class *c, const struct account *a, char *v[2])
{
	char want[WTEST_VALUE_TEXT], got[WTEST_VALUE_TEXT];
	unsigned n = 0;

	if (c->max_latency && a->over_latency)
		v[n++] = watch_text("class %s: max-latency %s: %" PRIu64 " of %" PRIu64
				    " packets waited longer, at most %s",
				    watch_class_name(c),
				    wtest_value_text(c->max_latency, WTEST_TIME, want),
				    a->over_latency, a->sent.packets,
				    wtest_value_text(a->delay_max, WTEST_TIME, got));
	if (c->max_jitter && a->jitter_max > c->max_jitter)
		v[n++] = watch_text("class %s: max-jitter %s: it was up to %s",
				    watch_class_name(c),
				    wtest_value_text(c->max_jitter, WTEST_TIME, want),
				    wtest_value_text(a->jitter_max, WTEST_TIME, got));
	return n;
}

static bool below(const struct policy_class *c, const struct policy_class *top)
{
	while (c && c != top)
		c = c->parent;
	return c != NULL;
}

static void judge_objectives(struct watch *w, const struct wtest_expect *e,
			     struct wtest_result *res)
{
	const struct policy_link *l = e->class->link;
	struct wtest_failure all = {0}, *f;
	bool any = false, fine;
	char *who = subject(e), *text[2];

	for (size_t i = e->class->index; i < l->n_all; i++) {
		const struct policy_class *c = l->all[i];
		const struct account *a = engine_account(w->engine, c);
		unsigned n;

		if (!below(c, e->class) || (!c->max_latency && !c->max_jitter))
			continue;
		any |= a->sent.packets != 0;
		n = missed(c, a, text);
		for (unsigned k = 0; k < n; k++)
			detail(&all, text[k]);
	}
	res->expectations++;
	fine = any && (e->objectives == WTEST_OBJ_MET) == !all.n_detail;
	if (!fine) {
		f = fail(res, e->objectives_at, watch_text("objectives of %s", who),
			 watch_text("%s", e->objectives == WTEST_OBJ_MET ? "met" : "missed"),
			 watch_text("%s", !any		 ? "no packet was sent"
					  : all.n_detail ? "missed"
							 : "met"));
		f->detail = all.detail;
		f->n_detail = all.n_detail;
		if (e->objectives == WTEST_OBJ_MET)
			tell_why(w, e, &w->meter[e - w->test->expect], JUDGE_LATENCY, f);
	} else {
		for (size_t i = 0; i < all.n_detail; i++)
			free(all.detail[i]);
		free(all.detail);
	}
	free(who);
}

void watch_judge(struct watch *w, struct wtest_result *res)
{
	watch_serve(w, w->last, true);
	for (size_t i = 0; i < w->test->n_expect; i++) {
		const struct wtest_expect *e = &w->test->expect[i];
		struct meter *m = &w->meter[i];

		if (!judge_any(e, m, res))
			continue;
		judge_packets(e, m, res);
		for (unsigned k = 0; k < e->n_check; k++)
			judge_check(w, e, m, k, res);
		if (e->objectives)
			judge_objectives(w, e, res);
	}
	res->status = res->n_failure ? WTEST_FAILED : WTEST_OK;
}
