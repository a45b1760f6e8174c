/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sched/drr.h"

int64_t drr_quanta(struct drr_child *d, const struct sched_child *child, uint32_t n,
		   uint32_t mtu)
{
	uint32_t least = SCHED_WEIGHT_MAX, most = 1;
	int64_t unit = mtu, parts;

	for (uint32_t i = 0; i < n; i++) {
		if (child[i].weight < least)
			least = child[i].weight;
		if (child[i].weight > most)
			most = child[i].weight;
	}
	parts = least;
	if ((uint64_t)mtu * most > (uint64_t)DRR_QUANTUM_MAX * least && most > least) {
		unit = DRR_QUANTUM_MAX;
		parts = most;
	}
	for (uint32_t i = 0; i < n; i++)
		d[i].quantum = unit * child[i].weight;
	return parts;
}

static void due_push(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	d[c].where = DRR_DUE;
	d[c].due = SCHED_NONE;
	if (l->due == SCHED_NONE)
		l->due = c;
	else
		d[l->due_tail].due = c;
	l->due_tail = c;
}

static void due_unlink(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	uint32_t *at = &l->due, last = SCHED_NONE;

	while (*at != c) {
		last = *at;
		at = &d[*at].due;
	}
	*at = d[c].due;
	if (l->due_tail == c)
		l->due_tail = last;
}

/* A child that is due, or was held, takes its place in the round again. */
static void rejoin(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	d[c].where = DRR_IN;
	if (!d[c].listed)
		drr_list_add(l, d, c);
}

bool drr_confirm(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		 uint32_t c)
{
	if (d[c].deficit >= child[c].len * l->parts)
		return true;
	if (d[c].where == DRR_DUE) {
		due_unlink(l, d, c);
		rejoin(l, d, c);
	} else {
		drr_rotate(l, d);
	}
	return false;
}

void drr_remove(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	if (d[c].where == DRR_DUE)
		due_unlink(l, d, c);
	if (d[c].listed)
		drr_unlist(l, d, c);
	d[c].where = DRR_OUT;
	d[c].deficit = 0;
}

void drr_hold(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	if (d[c].where == DRR_DUE)
		due_unlink(l, d, c);
	else
		drr_rotate(l, d);
	d[c].where = DRR_HELD;
	if (!d[c].listed && d[c].deficit < d[c].quantum)
		drr_list_add(l, d, c);
}

void drr_resume(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		uint32_t c)
{
	if (d[c].deficit >= child[c].len * l->parts)
		due_push(l, d, c);
	else
		rejoin(l, d, c);
}

void drr_charge_due(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		    uint32_t c, bool more)
{
	if (!more)
		drr_remove(l, d, c);
	else if (d[c].deficit < child[c].len * l->parts) {
		due_unlink(l, d, c);
		rejoin(l, d, c);
	}
}
