/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A matcher, a tree for each link, and the accounts.
 *
 * A packet costs one account, that of its leaf. What an inner class or a link has is
 * summed up from its leaves when somebody asks; only what cannot be summed up later is
 * kept for them as packets pass (struct live).
 */
#include "qos/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "qos/engine_build.h"
#include "qos/flow.h"
#include "qos/segment.h"

static inline bool at_once(enum pkt_drop why)
{
	return why == PKT_DROP_LIMIT || why == PKT_DROP_MEMORY;
}

static inline void note_backlog(struct live *v)
{
	if (v->backlog > v->backlog_max)
		v->backlog_max = v->backlog;
	if (v->bytes > v->bytes_max)
		v->bytes_max = v->bytes;
}

static void count_in(struct elink *l, uint32_t leaf, uint64_t now, uint32_t len)
{
	account_in(&l->account[leaf], now, len);
	for (uint32_t c = l->live[leaf].parent; c != NO_PARENT; c = l->live[c].parent) {
		struct live *v = &l->live[c];

		note_backlog(v);
		v->backlog++;
		v->bytes += len;
	}
}

static void count_dropped(struct elink *l, uint32_t leaf, uint64_t now, uint32_t len,
			  enum pkt_drop why)
{
	account_dropped(&l->account[leaf], now, len, why);
	for (uint32_t c = l->live[leaf].parent; c != NO_PARENT; c = l->live[c].parent) {
		struct live *v = &l->live[c];

		if (!at_once(why))
			note_backlog(v);
		v->backlog--;
		v->bytes -= len;
	}
}

static void count_sent(struct elink *l, uint32_t leaf, uint64_t now, uint32_t len,
		       uint64_t delay)
{
	account_sent(&l->account[leaf], now, len, delay, l->live[leaf].max_latency);
	for (uint32_t c = l->live[leaf].parent; c != NO_PARENT; c = l->live[c].parent) {
		struct live *v = &l->live[c];

		note_backlog(v);
		v->backlog--;
		v->bytes -= len;
		v->over_latency += v->max_latency && delay > v->max_latency;
	}
}

/* The jitter of RFC 3550 is between packets of one flow, as long as the table knows it. */
static void count_jitter(struct engine *e, struct account *a, uint32_t slot, uint64_t flow,
			 uint64_t delay)
{
	struct match_flow *f = match_flow(e->match, slot, flow);

	if (!f)
		return;
	if (f->seen) {
		uint64_t last = f->last_delay;

		account_jitter(a, delay > last ? delay - last : last - delay);
	}
	f->last_delay = delay & (UINT64_MAX >> 1);
	f->seen = true;
}

/* Ends a packet's wait: what is known of it goes, its id stays. */
static struct waiting forget(struct elink *l, struct pkt *p)
{
	uint32_t w = (uint32_t)p->id;
	struct waiting was = l->waiting[w];

	l->waiting[w].next = l->free;
	l->free = w;
	tree_release(l->tree, p);
	return was;
}

static void fill_event(const struct elink *l, struct engine_event *ev, enum engine_what what,
		       const struct pkt *p, uint32_t leaf, uint64_t now)
{
	*ev = (struct engine_event){.what = what,
				    .class = l->link->all[leaf],
				    .arrival = p->arrival,
				    .when = now,
				    .len = p->len,
				    .drop = (enum pkt_drop)p->drop,
				    .set_dscp = -1};
}

void engine_drop_event(struct engine *e, struct elink *l, struct pkt *p, uint32_t leaf,
		       struct engine_event *ev)
{
	count_dropped(l, leaf, e->now, p->len, (enum pkt_drop)p->drop);
	fill_event(l, ev, ENGINE_DROPPED, p, leaf, e->now);
	ev->id = forget(l, p).id;
	e->n_waiting--;
}

static void sent_event(struct engine *e, struct elink *l, struct pkt *p, uint32_t leaf,
		       struct engine_event *ev)
{
	struct account *a = &l->account[leaf];
	uint64_t delay = e->now - p->arrival, flow = p->flow;
	struct waiting was;

	count_sent(l, leaf, e->now, p->len, delay);
	fill_event(l, ev, ENGINE_SENT, p, leaf, e->now);
	ev->set_dscp = ev->class->set_dscp;
	ev->set_ce = (p->flags & PKT_MARKED) != 0;
	ev->by_min = tree_by_min(l->tree);
	a->marked += ev->set_ce;
	was = forget(l, p);
	ev->id = was.id;
	a->remarked += ev->set_dscp >= 0 && (unsigned)ev->set_dscp != was.dscp;
	count_jitter(e, a, was.slot, flow, delay);
	e->n_waiting--;
}

/*
 * A descriptor. When all are in use, the tree lets some packets go; the first of them
 * comes out here already, since its descriptor is needed, and is told by engine_poll().
 */
static struct pkt *get_pkt(struct engine *e, struct elink *l)
{
	struct pkt *p = tree_alloc(l->tree);
	uint32_t leaf;

	if (p)
		return p;
	p = tree_reap(l->tree, &leaf);
	if (!p) {
		tree_relieve(l->tree, e->now);
		p = tree_reap(l->tree, &leaf);
		if (!p)
			return NULL;
	}
	assert(e->n_pending < ENGINE_UNPOLLED_MAX);
	engine_drop_event(e, l, p, leaf, &e->pending[e->n_pending++]);
	return tree_alloc(l->tree);
}

/* There was no descriptor to be had: the packet itself is dropped. */
static void refuse(struct engine *e, struct elink *l, uint32_t leaf, uint64_t id, uint32_t len)
{
	struct engine_event *ev;

	assert(e->n_pending < ENGINE_UNPOLLED_MAX);
	ev = &e->pending[e->n_pending++];
	count_dropped(l, leaf, e->now, len, PKT_DROP_MEMORY);
	*ev = (struct engine_event){.what = ENGINE_DROPPED,
				    .id = id,
				    .class = l->link->all[leaf],
				    .arrival = e->now,
				    .when = e->now,
				    .len = len,
				    .drop = PKT_DROP_MEMORY,
				    .set_dscp = -1};
}

static void remember(struct elink *l, struct pkt *p, uint64_t id, uint32_t slot, uint8_t dscp)
{
	uint32_t w = l->free;

	if (w != NO_WAITING)
		l->free = l->waiting[w].next;
	else
		w = l->fresh++;
	assert(w < l->room);
	l->waiting[w] = (struct waiting){.id = id, .slot = slot, .dscp = dscp};
	p->id = w;
}

static void enqueue(struct engine *e, struct elink *l, uint64_t arrival, uint64_t id,
		    uint32_t len, const struct dissected *d, const struct match_result *res)
{
	uint32_t leaf = res->class->index;
	struct pkt *p;

	count_in(l, leaf, e->now, len);
	p = get_pkt(e, l);
	if (!p) {
		refuse(e, l, leaf, id, len);
		return;
	}
	remember(l, p, id, res->slot, d->dscp);
	p->arrival = arrival;
	p->flow = res->flow;
	p->host = res->host;
	p->len = len;
	p->src = res->src;
	p->dst = res->dst;
	p->flags = d->ecn ? PKT_ECT : 0;
	e->n_waiting++;
	tree_enqueue(l->tree, leaf, p, e->now);
	timers_set(&e->due, (uint32_t)(l - e->link), e->now);
}

static void count_packet(struct engine *e, const struct dissected *d)
{
	e->stats.truncated += (d->flags & DISSECT_TRUNCATED) != 0;
	e->stats.lying += (d->flags & DISSECT_LYING) != 0;
	e->stats.fragments += (d->flags & (DISSECT_FRAG_FIRST | DISSECT_FRAG_LATER)) != 0;
	if (d->flags & DISSECT_V6)
		e->stats.v6++;
	else
		e->stats.v4++;
}

static inline struct elink *find_link(const struct engine *e, const struct policy_link *link)
{
	struct elink *const *base = e->by_address;

	for (uint32_t n = e->n_link; n > 1; n -= n / 2)
		if ((*(base + n / 2))->link <= link)
			base += n / 2;
	return *base;
}

/* What the line counts for a packet, as the tree takes it. */
static uint32_t charge(const struct policy_link *l, const struct dissected *d)
{
	uint64_t len = segment_charge(l, d);

	return len < SCHED_LEN_MAX ? (uint32_t)len : SCHED_LEN_MAX;
}

/* The class by which a packet goes that the link hangs on, as far as the bucket allows it. */
static const struct policy_class *let_in(struct elink *l, const struct match_result *res,
					 uint32_t len, uint64_t now)
{
	if (bucket_when(&l->control, len, now) > now)
		return res->class;
	bucket_take(&l->control, len);
	return l->link->control.class;
}

/* The packet's link and class, and its way into the queue. */
static enum engine_took place(struct engine *e, uint64_t arrival, uint64_t id,
			      const struct dissected *d, struct engine_ticket *ticket)
{
	struct match_result res;
	struct elink *l;
	uint32_t len;

	match_packet(e->match, d, e->now, &res);
	if (!res.link) {
		e->stats.passed_packets++;
		e->stats.passed_bytes += d->len;
		if (ticket)
			*ticket = (struct engine_ticket){0};
		return ENGINE_PASSED;
	}
	len = charge(res.link, d);
	l = find_link(e, res.link);
	if (res.control)
		res.class = let_in(l, &res, len, e->now);
	if (ticket)
		*ticket = (struct engine_ticket){res.link, res.class, len};
	enqueue(e, l, arrival, id, len, d, &res);
	return ENGINE_QUEUED;
}

enum engine_took engine_packet(struct engine *e, uint64_t now, uint64_t id,
			       const struct dissected *d, struct engine_ticket *ticket)
{
	if (now > e->now)
		e->now = now;
	count_packet(e, d);
	return place(e, e->now, id, d, ticket);
}

enum engine_took engine_arrived(struct engine *e, uint64_t now, uint64_t arrival, uint64_t id,
				const struct dissected *d)
{
	count_packet(e, d);
	return engine_return(e, now, arrival, id, d);
}

enum engine_took engine_return(struct engine *e, uint64_t now, uint64_t arrival, uint64_t id,
			       const struct dissected *d)
{
	if (now > e->now)
		e->now = now;
	return place(e, arrival < e->now ? arrival : e->now, id, d, NULL);
}

void engine_prefetch(const struct engine *e, const struct dissected *sooner,
		     const struct dissected *later)
{
	match_prefetch(e->match, sooner, later);
}

enum engine_what engine_poll(struct engine *e, uint64_t now, struct engine_event *ev)
{
	if (now > e->now)
		e->now = now;
	if (e->told < e->n_pending) {
		*ev = e->pending[e->told++];
		if (e->told == e->n_pending)
			e->told = e->n_pending = 0;
		return ev->what;
	}
	while (e->due.n && timers_next(&e->due) <= e->now) {
		uint32_t i = e->due.a[0].id, leaf;
		struct elink *l = &e->link[i];
		uint64_t when;
		struct pkt *p = tree_reap(l->tree, &leaf);

		if (p) {
			engine_drop_event(e, l, p, leaf, ev);
			return ENGINE_DROPPED;
		}
		p = tree_dequeue(l->tree, e->now, &leaf, &when);
		if (p) {
			sent_event(e, l, p, leaf, ev);
			return ENGINE_SENT;
		}
		/* what this last call has dropped on its way is told first */
		p = tree_reap(l->tree, &leaf);
		if (p) {
			engine_drop_event(e, l, p, leaf, ev);
			return ENGINE_DROPPED;
		}
		assert(when > e->now || when == NEVER);
		if (when == NEVER)
			timers_del(&e->due, i);
		else
			timers_set(&e->due, i, when);
	}
	ev->what = ENGINE_NOTHING;
	return ENGINE_NOTHING;
}

uint64_t engine_next(const struct engine *e)
{
	return e->told < e->n_pending ? e->now : timers_next(&e->due);
}

uint64_t engine_waiting(const struct engine *e)
{
	return e->n_waiting;
}

size_t engine_memory(const struct engine *e)
{
	/* an entry of the flow table, and four places for it in an index of twice the size */
	size_t flows =
		(size_t)e->flows_max * (sizeof(struct flow) + 4 * sizeof(struct flow_slot));
	size_t frags = MATCH_FRAGS_DEFAULT * (sizeof(struct flow_frag) + 2 * sizeof(uint32_t));
	size_t n = sizeof(*e) + flows + frags;

	for (uint32_t i = 0; i < e->n_link; i++) {
		const struct elink *l = &e->link[i];

		n += sizeof(*l) + tree_memory(l->tree) + l->room * sizeof(*l->waiting) +
		     l->link->n_all * (sizeof(*l->account) + sizeof(*l->live)) +
		     engine_delays_memory(l->link);
	}
	return n;
}

static void add_leaves(struct elink *l, struct account *sum, const struct policy_class *c)
{
	if (!c->parent && l->link->control.class)
		account_add(sum, &l->account[l->link->control.class->index]);
	if (!c->n_child)
		account_add(sum, &l->account[c->index]);
	for (size_t i = 0; i < c->n_child; i++)
		add_leaves(l, sum, c->child[i]);
}

/* What an inner class has beside its leaves, into an account that is all zero. */
static void own_part(struct elink *l, const struct policy_class *c, struct account *a)
{
	struct live *v = &l->live[c->index];

	if (!c->parent)
		account_copy(a, &l->gone);
	note_backlog(v);
	a->backlog_max = v->backlog_max;
	a->backlog_bytes_max = v->bytes_max;
	a->over_latency = v->over_latency;
}

void engine_account_own(const struct engine *e, const struct policy_class *c, struct account *a)
{
	struct elink *l = find_link(e, c->link);

	if (l->link != c->link)
		return;
	if (c->n_child)
		own_part(l, c, a);
	else
		account_copy(a, &l->account[c->index]);
}

const struct account *engine_account(const struct engine *e, const struct policy_class *c)
{
	struct elink *l = find_link(e, c->link);
	struct account *a;

	if (l->link != c->link)
		return &e->none;
	a = &l->account[c->index];
	if (!c->n_child)
		return a;
	account_clear(a);
	own_part(l, c, a);
	add_leaves(l, a, c);
	a->over_latency = l->live[c->index].over_latency;
	return a;
}

void engine_get_stats(const struct engine *e, struct engine_stats *s)
{
	*s = e->stats;
	match_get_stats(e->match, &s->match);
}

struct match *engine_match(struct engine *e)
{
	return e->match;
}
