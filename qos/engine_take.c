/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One engine takes over from another, and packets that turn out to be gone. */
#include <stdlib.h>
#include <string.h>

#include "qos/engine_build.h"

static int by_arrival(const void *a, const void *b)
{
	const struct engine_left *x = a, *y = b;

	if (x->link != y->link)
		return x->link < y->link ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* One packet of a link, and all that was counted of it. */
static bool withdraw(struct engine *e, uint32_t link, struct engine_left *left)
{
	struct elink *l = &e->link[link];
	uint32_t leaf, w;
	struct pkt *p = tree_withdraw(l->tree, &leaf, e->now);

	if (!p)
		return false;
	w = (uint32_t)p->id;
	*left = (struct engine_left){.id = l->waiting[w].id,
				     .arrival = p->arrival,
				     .seq = p->seq,
				     .class = l->link->all[leaf],
				     .len = p->len,
				     .link = link};
	if (left->class->control)
		bucket_give(&l->control, p->len); /* it will be let in once more */
	account_withdrawn(&l->account[leaf], e->now, p->len);
	for (uint32_t c = l->live[leaf].parent; c != NO_PARENT; c = l->live[c].parent) {
		l->live[c].backlog--;
		l->live[c].bytes -= p->len;
	}
	l->waiting[w].next = l->free;
	l->free = w;
	tree_release(l->tree, p);
	e->n_waiting--;
	return true;
}

size_t engine_withdraw(struct engine *e, struct engine_left *v, size_t room)
{
	size_t n = 0;

	for (uint32_t i = 0; i < e->n_link && n < room; i++)
		while (n < room && withdraw(e, i, &v[n]))
			n++;
	qsort(v, n, sizeof(*v), by_arrival);
	return n;
}

/*
 * The class of a path; NULL: there is none. Most of a policy stays as it is when it is
 * changed, so the one that follows the last one found (*next) is tried first: a search for each
 * of thousands of classes would keep the link waiting.
 */
static const struct policy_class *same_path(const struct policy_link *l,
					    const struct policy_class *c, size_t *next)
{
	const struct policy_class *found;

	if (!c->parent)
		return l->root;
	if (*next < l->n_all && !strcmp(l->all[*next]->path, c->path))
		found = l->all[*next];
	else
		found = policy_find_class(l, c->path);
	if (found)
		*next = found->index + 1;
	return found;
}

static void inherit_class(struct elink *l, struct elink *old, const struct policy_class *c,
			  const struct policy_class *was, bool flows, uint64_t now)
{
	struct account *a = &old->account[was->index];
	struct live *v = &l->live[c->index];
	const struct live *u;

	tree_inherit(l->tree, c->index, old->tree, was->index, now);
	if (!c->n_child && !was->n_child) {
		/* of thousands of leaves most are idle: their accounts are all zero, as new
		 * ones */
		if (a->in.packets || a->backlog_max)
			account_move(&l->account[c->index], a);
		if (flows)
			tree_inherit_flows(l->tree, c->index, old->tree, was->index, now);
	}
	if (c->n_child && was->n_child) {
		u = &old->live[was->index];
		v->backlog_max = u->backlog_max;
		v->bytes_max = u->bytes_max;
		v->over_latency = u->over_latency;
	}
}

/* flows: they have the same identities in both. */
static void inherit_link(struct elink *l, struct elink *old, bool flows, uint64_t now)
{
	size_t next = 1;

	for (size_t i = 0; i < l->link->n_all; i++) {
		const struct policy_class *c = l->link->all[i],
					  *was = same_path(old->link, c, &next);

		if (was)
			inherit_class(l, old, c, was, flows, now);
	}
	bucket_inherit(&l->control, &old->control, now);
	account_move(&l->gone, &old->gone);
	next = 1;
	for (size_t i = 0; i < old->link->n_all; i++) {
		const struct policy_class *was = old->link->all[i],
					  *c = same_path(l->link, was, &next);

		if (!was->n_child && (!c || c->n_child))
			account_add(&l->gone, &old->account[i]);
	}
}

static void add_stats(struct engine_stats *s, const struct engine_stats *t)
{
	s->passed_packets += t->passed_packets;
	s->passed_bytes += t->passed_bytes;
	s->truncated += t->truncated;
	s->lying += t->lying;
	s->fragments += t->fragments;
	s->v4 += t->v4;
	s->v6 += t->v6;
}

void engine_inherit(struct engine *e, struct engine *old)
{
	bool flows = !memcmp(e->key, old->key, sizeof(e->key));

	if (e->now < old->now)
		e->now = old->now;
	add_stats(&e->stats, &old->stats);
	for (uint32_t i = 0; i < e->n_link; i++)
		for (uint32_t k = 0; k < old->n_link; k++)
			if (!strcmp(e->link[i].link->name, old->link[k].link->name))
				inherit_link(&e->link[i], &old->link[k], flows, e->now);
}

enum engine_what engine_dropped(struct engine *e, struct engine_event *ev)
{
	uint32_t leaf;

	if (e->told < e->n_pending)
		return engine_poll(e, e->now, ev);
	for (uint32_t i = 0; i < e->n_link; i++) {
		struct pkt *p = tree_reap(e->link[i].tree, &leaf);

		if (p) {
			engine_drop_event(e, &e->link[i], p, leaf, ev);
			return ENGINE_DROPPED;
		}
	}
	ev->what = ENGINE_NOTHING;
	return ENGINE_NOTHING;
}

void engine_vanished(struct engine *e, const struct policy_class *c, uint32_t len,
		     uint8_t by_min)
{
	for (uint32_t i = 0; i < e->n_link; i++) {
		struct elink *l = &e->link[i];

		if (l->link != c->link)
			continue;
		account_vanished(&l->account[c->index], len);
		tree_give_back(l->tree, c->index, len, by_min, e->now);
		if (e->n_waiting)
			timers_set(&e->due, i, e->now);
	}
}
