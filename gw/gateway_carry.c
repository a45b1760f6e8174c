/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a link's classes in the kernel had counted, and take along when a reload removes them:
 * it stays in the count of their link, as it does where weir schedules. HTB's own count of the
 * link's class would do for what was sent, but is read at another moment than those of its
 * leaves.
 */
#include <stdlib.h>

#include "gw/gateway_priv.h"

struct gkernel_before {
	size_t n;
	struct leaf {
		uint32_t classid;
		bool leaf, known; /* known: it was a class in the policy before */
		struct tc_counters is;
	} * v;
};

static int by_classid(const void *a, const void *b)
{
	uint32_t x = ((const struct leaf *)a)->classid, y = ((const struct leaf *)b)->classid;

	return (x > y) - (x < y);
}

static struct leaf *find(const struct gkernel_before *b, uint32_t classid)
{
	struct leaf key = {.classid = classid};

	return b->n ? bsearch(&key, b->v, b->n, sizeof(*b->v), by_classid) : NULL;
}

struct gkernel_before *gkernel_count(const struct gkernel *k)
{
	struct gkernel_before *b = calloc(1, sizeof(*b));
	const struct policy_link *l;
	char err[200];

	if (!b || !k->applied || tc_target_read(k->target, err, sizeof(err)))
		return b;
	l = tc_target_plan(k->target)->link;
	b->v = calloc(l->n_all, sizeof(*b->v));
	for (; b->v && b->n < l->n_all; b->n++)
		b->v[b->n] = (struct leaf){.classid = tc_target_plan(k->target)->classid[b->n],
					   .leaf = !l->all[b->n]->n_child,
					   .is = tc_target_counters(k->target, l->all[b->n])};
	if (b->n)
		qsort(b->v, b->n, sizeof(*b->v), by_classid);
	return b;
}

/* Signs: what is taken out again was, or will be, added elsewhere. */
static void add(struct gkernel_gone *g, const struct tc_counters *c, bool waits, bool out)
{
	uint64_t drops = c->drops + (waits ? c->backlog_packets : 0);

	g->packets += out ? -c->packets : c->packets;
	g->bytes += out ? -c->bytes : c->bytes;
	g->dropped += out ? -drops : drops;
}

void gkernel_carry(struct gkernel_before *b, const struct gkernel *k, struct gkernel_gone *g)
{
	const struct policy_link *l = k->applied ? tc_target_plan(k->target)->link : NULL;
	char err[200];

	if (!b || !l || tc_target_read(k->target, err, sizeof(err)))
		return;
	for (size_t i = 0; i < l->n_all; i++) {
		struct tc_counters now = tc_target_counters(k->target, l->all[i]);
		struct leaf *was = find(b, tc_target_plan(k->target)->classid[i]);

		if (!was || l->all[i]->n_child)
			continue;
		was->known = was->leaf;
		/* one with classes becomes one without: it goes on with what they sent */
		if (!was->leaf && now.packets >= was->is.packets)
			add(g, &was->is, false, true);
		/* the tree was made anew */
		if (was->leaf && now.packets < was->is.packets)
			was->known = false;
	}
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].leaf && !b->v[i].known)
			add(g, &b->v[i].is, true, false);
}

void gkernel_before_free(struct gkernel_before *b)
{
	if (b)
		free(b->v);
	free(b);
}
