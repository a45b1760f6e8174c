/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decision is a walk: the link, then from its root down, at each level the first
 * child whose criteria hold, else the default. The walk notes what it consulted. The
 * decision may be kept for the flow when every filter that was run on the way is
 * per-flow (filter.h) and the packet is plain (dissect.h): then the same walk would be
 * gone for every other plain packet of the flow with the same DSCP, since each step
 * hangs on nothing else; and without "with the same DSCP" if that was never asked.
 */
#include "qos/match.h"

#include "qos/addrset.h"
#include "qos/link_control.h"
#include "qos/flow.h"
#include "qos/match_beside.h"
#include "qos/match_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LEAF UINT32_MAX /* on no link */
#define FLOWS_CEILING (1u << 30)

struct match {
	struct match_nodes nodes;
	const struct policy_net *inside;
	size_t n_inside;
	uint64_t now;
	struct flow_table flows;
	struct flow_frags frags;
	struct match_stats stats;
	const struct addrset **set; /* by policy_set.number */
	/*
	 * When a set changed last, in the flows' units of time: what was decided of a flow
	 * whose last packet came then or before is of no use any more. Those of the same unit
	 * are asked once more than they need to be.
	 */
	uint32_t sets_changed;
	bool sets_ever;
};

/* What a walk consulted, and who wants to hear of it (match_explain()). */
struct walk {
	const struct dissected *d;
	const struct match *m;
	bool per_flow, dscp, control;
	unsigned unknown; /* enum dissect_known: asked for, and not known of this packet */
	uint64_t filters_run;
	void (*fn)(void *arg, const struct policy_class *c, const char *criterion,
		   bool matched);
	void *arg;
};

/* Inside, where the policy does not say: addresses that are not routed in the Internet. */
static const struct policy_net PRIVATE_NETS[] = {
	{4, 8, {10}},	     {4, 12, {172, 16}}, {4, 16, {192, 168}},
	{4, 16, {169, 254}}, {6, 7, {0xfc}},	 {6, 10, {0xfe, 0x80}},
};

static void told(const struct walk *w, const struct policy_class *c, const char *criterion,
		 bool matched)
{
	if (w->fn)
		w->fn(w->arg, c, criterion, matched);
}

static bool any_filter(struct walk *w, const struct policy_class *c,
		       const struct filter_list *f, const struct policy_filters *texts)
{
	for (size_t i = 0; i < f->n; i++) {
		bool hit = filter_match(&f->v[i], w->d->ip, w->d->len, w->d->caplen);

		if (f->v[i].way.set)
			hit &= filter_way_match(&f->v[i].way, w->d->meta);
		w->filters_run++;
		w->per_flow &= f->v[i].per_flow;
		told(w, c, texts->v[i].text, hit);
		if (hit)
			return true;
	}
	return false;
}

/* One kind of what is not in the packet's bytes; n: entries, 0: it is not asked for. */
static bool takes_kind(struct walk *w, const struct match_node *node, const char *name,
		       size_t n, unsigned known,
		       bool (*has)(const struct policy_beside *, const struct dissect_meta *))
{
	bool hit;

	if (!n)
		return true;
	w->per_flow = false;
	if (!match_knows(w->d->meta, known))
		w->unknown |= known;
	hit = match_knows(w->d->meta, known) && has(node->beside, w->d->meta);
	told(w, node->class, name, hit);
	return hit;
}

static bool in_set(const struct walk *w, const struct policy_set_use *u)
{
	const struct addrset *s = w->m->set[u->set->number];
	const struct flow_key *k = &w->d->key;

	return (u->side != POLICY_DST && addrset_has(s, k->src, k->version)) ||
	       (u->side != POLICY_SRC && addrset_has(s, k->dst, k->version));
}

/* By its addresses alone: that is the same for all of a flow while the sets are. */
static bool takes_set(struct walk *w, const struct match_node *n)
{
	const struct policy_beside *b = n->beside;

	for (size_t i = 0; i < b->n_set; i++) {
		bool hit = in_set(w, &b->set[i]);

		told(w, n->class, b->set[i].set->text, hit);
		if (hit)
			return true;
	}
	return !b->n_set;
}

static bool takes_beside(struct walk *w, const struct match_node *n)
{
	const struct policy_beside *b = n->beside;

	return takes_kind(w, n, "mark", b->n_mark, DISSECT_KNOWS_MARK, match_mark) &&
	       takes_kind(w, n, "mac", b->n_mac, DISSECT_KNOWS_MAC, match_mac) &&
	       takes_kind(w, n, "in-interface", b->n_in, DISSECT_KNOWS_IN, match_in) &&
	       takes_set(w, n);
}

/* DSCP first: it costs next to nothing. */
static bool takes(struct walk *w, const struct match_node *n)
{
	if (n->dscp) {
		bool hit = n->dscp >> w->d->dscp & 1;

		w->dscp = true;
		if (w->fn) {
			char name[8], text[16];

			snprintf(text, sizeof(text), "dscp %s",
				 policy_dscp_name(w->d->dscp, name));
			told(w, n->class, text, hit);
		}
		if (!hit)
			return false;
	}
	if (n->beside && !takes_beside(w, n))
		return false;
	return !n->match.n || any_filter(w, n->class, &n->match, &n->class->match);
}

/* The child that takes the packet first by its criteria; NO_LEAF: none does. */
static uint32_t try_all(const struct match *m, struct walk *w, uint32_t at)
{
	const struct match_node *node = m->nodes.node;
	uint32_t child, end = node[at].skip;

	for (child = at + 1; child < end; child = node[child].skip) {
		if (node[child].class->is_default && !node[child].criteria)
			continue;
		if (takes(w, &node[child]))
			return child;
	}
	return NO_LEAF;
}

/* The same, without those that cannot take it. */
static uint32_t try_candidates(const struct match *m, struct walk *w, uint32_t at)
{
	const struct match_node *node = m->nodes.node;
	struct filter_candidates c;
	uint32_t child;

	filter_index_ask(node[at].index, w->d->ip, w->d->caplen, &c);
	do
		child = filter_index_next(&c);
	while (child != FILTER_NONE && !takes(w, &node[child]));
	if (child == FILTER_NONE ? node[at].below_varies : node[child].varies)
		w->per_flow = false;
	return child == FILTER_NONE ? NO_LEAF : child;
}

static uint32_t descend(const struct match *m, struct walk *w, uint32_t at)
{
	const struct match_node *node = m->nodes.node;

	while (!match_node_leaf(&m->nodes, at)) {
		/* who wants to hear why, hears of all */
		uint32_t child =
			node[at].index && !w->fn ? try_candidates(m, w, at) : try_all(m, w, at);

		if (child == NO_LEAF) {
			child = node[at].last;
			told(w, node[child].class, "default", true);
		}
		at = child;
	}
	return at;
}

/* Not of a fragment or of what was cut: its headers would have to be believed. */
#define CONTROL_NOT (DISSECT_NOT_PLAIN & ~DISSECT_EXTHDR)

/* Whether the link itself hangs on the packet. */
static bool is_control(struct walk *w, const struct match_link *l)
{
	const struct policy_control *c = &l->link->control;

	if (w->d->flags & CONTROL_NOT)
		return false;
	for (size_t i = 0; i < l->control.n; i++) {
		const struct filter *f = &l->control.v[i];
		bool hit;

		if (!control_may(c->kind[i], w->d))
			continue;
		hit = filter_match(f, w->d->ip, w->d->len, w->d->caplen);
		w->filters_run++;
		w->per_flow &= f->per_flow;
		told(w, c->class, c->kind[i] ? c->kind[i]->name : c->class->match.v[i].text,
		     hit);
		if (hit)
			return true;
	}
	return false;
}

/* The link that the packet is on, or NULL. */
static const struct match_link *link_of(const struct match *m, struct walk *w)
{
	for (size_t i = 0; i < m->nodes.n_link; i++) {
		const struct match_link *l = &m->nodes.link[i];

		if (!l->capture.n ||
		    any_filter(w, l->link->root, &l->capture, &l->link->capture))
			return l;
	}
	return NULL;
}

/* The leaf that takes the packet, or NO_LEAF. */
static uint32_t decide(const struct match *m, struct walk *w)
{
	const struct match_link *l = link_of(m, w);

	if (!l)
		return NO_LEAF;
	w->control = is_control(w, l);
	return descend(m, w, l->root);
}

const struct policy_link *match_link(const struct match *m, const struct dissected *d)
{
	struct walk w = {.m = m, .d = d, .per_flow = true};
	const struct match_link *l = link_of(m, &w);

	return l ? l->link : NULL;
}

static bool in_net(const struct policy_net *net, const uint8_t *addr, unsigned version)
{
	unsigned whole = net->plen / 8, rest = net->plen % 8;

	if (net->family != version || memcmp(net->addr, addr, whole) != 0)
		return false;
	return !rest || !((net->addr[whole] ^ addr[whole]) >> (8 - rest));
}

static bool is_inside(const struct match *m, const uint8_t *addr, unsigned version)
{
	for (size_t i = 0; i < m->n_inside; i++)
		if (in_net(&m->inside[i], addr, version))
			return true;
	return false;
}

static struct flow *new_flow(struct match *m, const struct flow_key *k, uint64_t hash)
{
	struct flow *f = flow_add(&m->flows, k, hash, m->now);

	if (is_inside(m, k->src, k->version))
		f->state |= FLOW_SRC_IN;
	if (is_inside(m, k->dst, k->version))
		f->state |= FLOW_DST_IN;
	if (k->version == 4) {
		f->u.v4.src_hash = flow_host_hash(&m->flows, k->src, 4);
		f->u.v4.dst_hash = flow_host_hash(&m->flows, k->dst, 4);
	}
	return f;
}

/* The identity of what counts as a host: an address's first `bits`. */
static uint64_t prefix_hash(const struct match *m, const uint8_t addr[16], unsigned version,
			    unsigned bits)
{
	uint8_t a[16] = {0};

	memcpy(a, addr, bits / 8);
	if (bits % 8)
		a[bits / 8] = addr[bits / 8] & (uint8_t)(0xff00u >> bits % 8);
	return flow_host_hash(&m->flows, a, version);
}

static void set_hosts(const struct match *m, const struct dissected *d, const struct flow *f,
		      uint32_t leaf, struct match_result *res)
{
	uint64_t src, dst;
	unsigned in = f->state & (FLOW_SRC_IN | FLOW_DST_IN);
	bool by_dst = in == FLOW_DST_IN;

	if (leaf == NO_LEAF || !m->nodes.node[leaf].hosts) {
		res->src = res->dst = 0;
		res->host = 0;
		return;
	}
	if (d->key.version == 4 && m->nodes.node[leaf].prefix[0] == 32) {
		src = f->u.v4.src_hash;
		dst = f->u.v4.dst_hash;
	} else { /* there is no room for them beside IPv6 addresses */
		unsigned bits = m->nodes.node[leaf].prefix[d->key.version == 6];

		src = prefix_hash(m, d->key.src, d->key.version, bits);
		dst = prefix_hash(m, d->key.dst, d->key.version, bits);
	}
	if (in == 0 || in == (FLOW_SRC_IN | FLOW_DST_IN))
		by_dst = m->nodes.node[leaf].dst_hosts;
	res->src = (uint32_t)src;
	res->dst = (uint32_t)dst;
	res->host = by_dst ? dst : src;
}

static void set_leaf(const struct match *m, uint32_t leaf, struct match_result *res)
{
	res->class = leaf == NO_LEAF ? NULL : m->nodes.node[leaf].class;
	res->link = leaf == NO_LEAF ? NULL : res->class->link;
}

/* A later fragment goes where its first one went. */
static bool follow(struct match *m, const struct dissected *d, struct match_result *res)
{
	const struct flow_frag *f = flow_frag_find(&m->frags, d, m->now);

	if (!f) {
		m->stats.frags_orphan++;
		return false;
	}
	m->stats.frags_followed++;
	set_leaf(m, f->leaf, res);
	res->flow = f->flow;
	res->host = f->host;
	res->src = f->src_host;
	res->dst = f->dst_host;
	res->slot = f->slot;
	return true;
}

static void remember_first(struct match *m, const struct dissected *d, uint32_t leaf,
			   const struct match_result *res)
{
	struct flow_frag *f = flow_frag_add(&m->frags, d, m->now);

	f->leaf = leaf;
	f->flow = res->flow;
	f->host = res->host;
	f->src_host = res->src;
	f->dst_host = res->dst;
	f->slot = res->slot;
}

/* Whether what was decided of a flow may be used, before this packet counts as its last. */
static bool is_decided(const struct match *m, const struct flow *f, const struct dissected *d)
{
	uint32_t now = flow_clock(m->now);

	if (!(f->state & FLOW_DECIDED) || ((f->state & FLOW_DSCP) && f->dscp != d->dscp))
		return false;
	return !m->sets_ever || now - f->seen < now - m->sets_changed;
}

void match_set(struct match *m, size_t set, const struct addrset *to)
{
	m->set[set] = to;
	m->sets_changed = flow_clock(m->now);
	m->sets_ever = true;
}

void match_packet(struct match *m, const struct dissected *d, uint64_t now,
		  struct match_result *res)
{
	bool plain = !(d->flags & DISSECT_NOT_PLAIN);
	struct flow *f;
	uint64_t hash;
	uint32_t leaf;
	bool decided;

	if (now > m->now)
		m->now = now;
	m->stats.packets++;
	res->control = false;
	if ((d->flags & DISSECT_FRAG_LATER) && follow(m, d, res))
		return;
	hash = d->hash ? d->hash : flow_hash(&m->flows, &d->key);
	f = flow_find(&m->flows, &d->key, hash);
	if (!f)
		f = new_flow(m, &d->key, hash);
	decided = plain && is_decided(m, f, d);
	f->seen = flow_clock(m->now);
	if (decided) {
		leaf = f->leaf;
		res->control = (f->state & FLOW_CONTROL) != 0;
		m->stats.hits++;
	} else {
		struct walk w = {.m = m, .d = d, .per_flow = true};

		leaf = decide(m, &w);
		m->stats.evaluated++;
		m->stats.filters_run += w.filters_run;
		m->stats.unknown_mark += (w.unknown & DISSECT_KNOWS_MARK) != 0;
		m->stats.unknown_mac += (w.unknown & DISSECT_KNOWS_MAC) != 0;
		m->stats.unknown_in += (w.unknown & DISSECT_KNOWS_IN) != 0;
		if (plain && w.per_flow) {
			f->leaf = leaf;
			f->dscp = d->dscp;
			f->state &= (uint8_t) ~(FLOW_DSCP | FLOW_CONTROL);
			f->state |= FLOW_DECIDED | (w.dscp ? FLOW_DSCP : 0) |
				    (w.control ? FLOW_CONTROL : 0);
		}
		res->control = w.control;
	}
	set_leaf(m, leaf, res);
	res->flow = hash;
	res->slot = flow_number(&m->flows, f);
	set_hosts(m, d, f, leaf, res);
	if (d->flags & DISSECT_FRAG_FIRST)
		remember_first(m, d, leaf, res);
}

void match_prefetch(const struct match *m, const struct dissected *sooner,
		    const struct dissected *later)
{
	flow_prefetch_entry(&m->flows, sooner->hash);
	flow_prefetch_place(&m->flows, later->hash);
}

struct match_flow *match_flow(struct match *m, uint32_t slot, uint64_t flow)
{
	struct flow *f;

	if (slot >= m->flows.fresh)
		return NULL;
	f = &m->flows.flow[slot];
	return (f->state & FLOW_USED) && f->hash == flow ? &f->acct : NULL;
}

void match_get_stats(const struct match *m, struct match_stats *s)
{
	*s = m->stats;
	s->flows = m->flows.used;
	s->flows_made = m->flows.made;
	s->flows_evicted = m->flows.evicted;
	s->frags_evicted = m->frags.evicted;
}

void match_explain(struct match *m, const struct dissected *d,
		   void (*fn)(void *arg, const struct policy_class *c, const char *criterion,
			      bool matched),
		   void *arg)
{
	struct walk w = {.m = m, .d = d, .per_flow = true, .fn = fn, .arg = arg};

	if (d->flags & DISSECT_FRAG_LATER) {
		const struct flow_frag *f = flow_frag_find(&m->frags, d, m->now);

		if (f) {
			if (f->leaf != NO_LEAF)
				fn(arg, m->nodes.node[f->leaf].class,
				   "follows its first fragment", true);
			return;
		}
	}
	decide(m, &w);
}

struct match *match_new(const struct policy *p, const struct match_opts *opts,
			struct policy_report *r)
{
	uint32_t flows = opts->flows_max ? opts->flows_max : MATCH_FLOWS_DEFAULT;
	uint32_t frags = opts->frags_max ? opts->frags_max : MATCH_FRAGS_DEFAULT;
	struct match *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->inside = p->n_inside ? p->inside : PRIVATE_NETS;
	m->n_inside =
		p->n_inside ? p->n_inside : sizeof(PRIVATE_NETS) / sizeof(PRIVATE_NETS[0]);
	m->set = match_sets(p, opts->only, r);
	if (!m->set || match_nodes_build(&m->nodes, p, opts->only, r) ||
	    !match_nodes_index(&m->nodes) ||
	    flow_table_init(&m->flows, flows < FLOWS_CEILING ? flows : FLOWS_CEILING,
			    opts->key) ||
	    flow_frags_init(&m->frags, frags < FLOWS_CEILING ? frags : FLOWS_CEILING,
			    opts->key)) {
		match_free(m);
		return NULL;
	}
	return m;
}

void match_free(struct match *m)
{
	if (!m)
		return;
	match_nodes_free(&m->nodes);
	flow_table_fini(&m->flows);
	flow_frags_fini(&m->frags);
	free(m->set);
	free(m);
}
