/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures what the expectations of a test ask about, packet by packet. */
#include "gw/wtest_watch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_SETS 65536u /* of DELAY_WAYS flows: enough that a test loses none */
#define DELAY_WAYS 4
#define JUDGE_EVERY (JUDGE_SECOND / 2)

/* The delay that the latest packet of a flow had, for jitter. */
struct flow_delay {
	uint64_t id; /* 0: free */
	uint64_t delay, used;
};

char *watch_text(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		fputs("weir: no memory\n", stderr);
		exit(2);
	}
	return s;
}

static bool asks(const struct wtest_expect *e, enum wtest_metric m)
{
	for (unsigned i = 0; i < e->n_check; i++)
		if (e->check[i].metric == m)
			return true;
	return false;
}

int watch_init(struct watch *w, const struct wtest *t, const struct policy *p, struct engine *e,
	       uint64_t origin)
{
	bool jitter = false;

	*w = (struct watch){
		.test = t, .policy = p, .engine = e, .origin = origin, .last = origin};
	w->meter = calloc(t->n_expect, sizeof(*w->meter));
	w->judge = calloc(p->n_link, sizeof(struct judge *));
	if (!w->meter || !w->judge)
		return -1;
	for (size_t i = 0; i < p->n_link; i++) {
		w->judge[i] = judge_new(p->link[i], true);
		if (!w->judge[i])
			return -1;
	}
	watch_serve(w, origin, false);
	for (size_t i = 0; i < t->n_expect; i++) {
		const struct wtest_expect *x = &t->expect[i];

		jitter |= asks(x, WTEST_JITTER);
		if (!x->class || (!asks(x, WTEST_THROUGHPUT) && !asks(x, WTEST_SHARE)))
			continue;
		w->meter[i].by_leaf = calloc(x->class->link->n_all, sizeof(uint64_t));
		if (!w->meter[i].by_leaf)
			return -1;
	}
	if (jitter) {
		w->delays = calloc((size_t)DELAY_SETS * DELAY_WAYS, sizeof(*w->delays));
		if (!w->delays)
			return -1;
	}
	return 0;
}

static void offenders_fini(struct offenders *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i]);
}

void watch_fini(struct watch *w)
{
	for (size_t i = 0; w->meter && i < w->test->n_expect; i++) {
		for (unsigned k = 0; k < WTEST_CHECKS_MAX; k++)
			offenders_fini(&w->meter[i].per_check[k]);
		offenders_fini(&w->meter[i].wrong);
		offenders_fini(&w->meter[i].dscp);
		free(w->meter[i].by_leaf);
		account_clear(&w->meter[i].delay);
	}
	for (size_t i = 0; w->judge && i < w->policy->n_link; i++)
		judge_free(w->judge[i]);
	free(w->judge);
	free(w->meter);
	free(w->delays);
}

void watch_serve(struct watch *w, uint64_t now, bool last)
{
	for (size_t i = 0; i < w->policy->n_link; i++) {
		const struct policy_link *l = w->policy->link[i];
		struct judge_counts *to = judge_next(w->judge[i]);

		for (size_t k = 0; k < l->n_all; k++) {
			const struct policy_class *c = l->all[k];
			struct account inner = {0};

			if (c->n_child)
				engine_account_own(w->engine, c, &inner);
			judge_count(&to[k], c->n_child ? &inner : engine_account(w->engine, c),
				    c->n_child > 0);
			account_clear(&inner);
		}
		judge_window(w->judge[i], now, NULL, last);
	}
	w->judged = now;
}

/* Time has come to `when`. */
static void pass(struct watch *w, uint64_t when)
{
	if (when > w->last)
		w->last = when;
	if (when >= w->judged + JUDGE_EVERY)
		watch_serve(w, when, false);
}

/* A link without classes is its own leaf, and has no path. */
const char *watch_class_name(const struct policy_class *c)
{
	return *c->path ? c->path : c->link->name;
}

static bool inside(const struct policy_class *c, const struct policy_class *top)
{
	if (!c || c->link != top->link)
		return false;
	while (c && c != top)
		c = c->parent;
	return c != NULL;
}

static bool in_window(const struct watch *w, const struct wtest_expect *e, uint64_t when)
{
	return !e->windowed || (when - w->origin >= e->from && when - w->origin < e->to);
}

static bool same_flow(const struct flow_key *a, const struct flow_key *b)
{
	return a->proto == b->proto && a->version == b->version && a->sport == b->sport &&
	       a->dport == b->dport && !memcmp(a->src, b->src, 16) &&
	       !memcmp(a->dst, b->dst, 16);
}

static bool selects(const struct wtest_expect *e, const struct wpacket *p,
		    const struct dissected *d, const struct policy_class *c)
{
	if (e->filter_text)
		return d && filter_match(&e->filter, d->ip, d->len, d->caplen);
	if (e->stream >= 0)
		return p->stream == e->stream;
	if (e->has_key)
		return d && same_flow(&e->key, &p->key);
	return inside(c, e->class);
}

/* "packet 12 of call, udp 10.0.0.1:5 > 10.0.0.2:6, at 1.5s" */
static char *packet_text(const struct watch *w, const struct wpacket *p, const char *more)
{
	char flow[WTEST_FLOW_TEXT], at[WTEST_VALUE_TEXT];

	return watch_text("packet %" PRIu64 " of %s, %s, at %s: %s", p->number,
			  p->stream < 0 ? "the capture" : w->test->stream[p->stream].name,
			  p->key.version ? wtest_flow_text(&p->key, flow) : "no IP",
			  wtest_value_text(p->when - w->origin, WTEST_TIME, at), more);
}

/* Whether one more is to be shown. */
static bool offend(struct offenders *o)
{
	return ++o->total <= WTEST_DETAILS_MAX;
}

static void show(const struct watch *w, struct offenders *o, const struct wpacket *p,
		 char *more)
{
	o->v[o->n++] = packet_text(w, p, more);
	free(more);
}

/* Why a packet went where it did: the criteria that took it, and those that should have. */
struct why {
	const struct policy_class *want;
	char took[512], missed[512];
};

static void append(char buf[512], const struct policy_class *c, const char *criterion)
{
	size_t n = strlen(buf);

	snprintf(buf + n, 512 - n, "%s%s (%s)", n ? ", " : "", watch_class_name(c), criterion);
}

static void explain(void *arg, const struct policy_class *c, const char *criterion,
		    bool matched)
{
	struct why *why = arg;

	if (matched)
		append(why->took, c, criterion);
	else if (why->want && inside(why->want, c))
		append(why->missed, c, criterion);
}

static void wrong_class(struct watch *w, struct offenders *o, const struct wtest_expect *e,
			const struct wpacket *p, const struct dissected *d,
			const struct policy_class *c)
{
	struct why why = {.want = e->class};

	if (!offend(o))
		return;
	if (d)
		match_explain(engine_match(w->engine), d, explain, &why);
	show(w, o, p,
	     watch_text("went to %s%s%s%s%s%s", c ? "class " : "no link",
			c ? watch_class_name(c) : "", *why.took ? "; taken by " : "", why.took,
			*why.missed ? "; did not match " : "", why.missed));
}

void watch_came(struct watch *w, struct wpacket *p, const struct dissected *d,
		const struct engine_ticket *ticket)
{
	memset(p->member, 0, sizeof(p->member));
	pass(w, p->when);
	for (size_t i = 0; i < w->test->n_expect; i++) {
		const struct wtest_expect *e = &w->test->expect[i];
		struct meter *m = &w->meter[i];
		bool asserts = e->filter_text || e->flow_text;

		if (!selects(e, p, d, ticket->class))
			continue;
		p->member[i / 64] |= 1ULL << i % 64;
		if (ticket->class)
			m->class = ticket->class;
		if (!in_window(w, e, p->when))
			continue;
		m->came.packets++;
		m->came.bytes += p->len;
		if (!m->any_in)
			m->first_in = p->when;
		m->any_in = true;
		if (!asserts || (!e->class && !e->nowhere))
			continue;
		if (e->nowhere ? ticket->class != NULL : !inside(ticket->class, e->class))
			wrong_class(w, &m->wrong, e, p, d, ticket->class);
	}
}

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const uint8_t *b = data;

	while (n--)
		h = (h ^ *b++) * 0x100000001b3ULL;
	return h ^ h >> 29;
}

/* The difference to the delay of the flow's packet before; false for its first. */
static bool delay_change(struct watch *w, const struct flow_key *k, uint64_t when,
			 uint64_t delay, uint64_t *diff)
{
	uint64_t id = mix(mix(0xcbf29ce484222325ULL, k->src, 16), k->dst, 16);
	struct flow_delay *set, *f, *oldest;
	bool known;

	id = mix(mix(mix(id, &k->sport, 2), &k->dport, 2), &k->proto, 1);
	id = id ? id : 1;
	f = oldest = set = &w->delays[(id >> 32) % DELAY_SETS * DELAY_WAYS];
	for (; f < set + DELAY_WAYS && f->id != id; f++)
		if (f->used < oldest->used)
			oldest = f;
	known = f < set + DELAY_WAYS;
	if (!known)
		f = oldest;
	*diff = f->delay > delay ? f->delay - delay : delay - f->delay;
	*f = (struct flow_delay){id, delay, when + 1};
	return known;
}

static void over_bound(struct watch *w, const struct wtest_expect *e, struct meter *m,
		       const struct wpacket *p, const struct engine_event *ev)
{
	uint64_t delay = ev->when - ev->arrival;
	char t[WTEST_VALUE_TEXT];

	for (unsigned i = 0; i < e->n_check; i++) {
		if (e->check[i].metric <= WTEST_MEAN && delay > e->check[i].hi &&
		    offend(&m->per_check[i]))
			show(w, &m->per_check[i], p,
			     watch_text("class %s, waited %s", watch_class_name(ev->class),
					wtest_value_text(delay, WTEST_TIME, t)));
	}
}

static void sent(struct watch *w, const struct wtest_expect *e, struct meter *m,
		 const struct wpacket *p, const struct engine_event *ev)
{
	int dscp = ev->set_dscp >= 0 ? ev->set_dscp : p->dscp;
	char has[8], name[8];

	account_in(&m->delay, ev->when, ev->len);
	account_sent(&m->delay, ev->when, ev->len, ev->when - ev->arrival, 0);
	m->sent.packets++;
	m->sent.bytes += ev->len;
	m->marked += ev->set_ce;
	m->last_out = ev->when;
	over_bound(w, e, m, p, ev);
	if (e->dscp >= 0 && dscp != e->dscp && offend(&m->dscp))
		show(w, &m->dscp, p,
		     watch_text("class %s, left with dscp %s, came with %s",
				watch_class_name(ev->class),
				policy_dscp_name((unsigned)dscp, name),
				policy_dscp_name(p->dscp, has)));
}

static void dropped(struct watch *w, const struct wtest_expect *e, struct meter *m,
		    const struct wpacket *p, const struct engine_event *ev)
{
	static const enum pkt_drop reason[] = {PKT_DROP_LIMIT, PKT_DROP_AQM, PKT_DROP_DEADLINE,
					       PKT_DROP_MEMORY};
	char t[WTEST_VALUE_TEXT];

	m->dropped[ev->drop].packets++;
	m->dropped[ev->drop].bytes += ev->len;
	for (unsigned i = 0; i < e->n_check; i++) {
		enum wtest_metric metric = e->check[i].metric;
		bool about = metric == WTEST_DROPS || metric == WTEST_LOSS ||
			     (metric >= WTEST_DROPS_LIMIT && metric <= WTEST_DROPS_MEMORY &&
			      reason[metric - WTEST_DROPS_LIMIT] == ev->drop);

		if (!about || e->check[i].hi == UINT64_MAX || !offend(&m->per_check[i]))
			continue;
		show(w, &m->per_check[i], p,
		     watch_text("class %s, dropped (%s) after %s", watch_class_name(ev->class),
				account_drop_name(ev->drop),
				wtest_value_text(ev->when - ev->arrival, WTEST_TIME, t)));
	}
}

void watch_event(struct watch *w, const struct wpacket *p, const struct engine_event *ev)
{
	bool left = ev->what == ENGINE_SENT, change = false;
	uint64_t diff = 0;

	pass(w, ev->when);
	if (left && w->delays)
		change = delay_change(w, &p->key, ev->when, ev->when - ev->arrival, &diff);
	for (size_t i = 0; i < w->test->n_expect; i++) {
		const struct wtest_expect *e = &w->test->expect[i];
		struct meter *m = &w->meter[i];

		if (!in_window(w, e, ev->when))
			continue;
		if (left && (!e->class || ev->class->link == e->class->link)) {
			m->link_bytes += ev->len;
			if (m->by_leaf)
				m->by_leaf[ev->class->index] += ev->len;
		}
		if (!(p->member[i / 64] >> i % 64 & 1))
			continue;
		if (!left) {
			dropped(w, e, m, p, ev);
			continue;
		}
		sent(w, e, m, p, ev);
		if (change)
			account_jitter(&m->delay, diff);
	}
}
