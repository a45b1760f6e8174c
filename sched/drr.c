/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sched/drr.h"

void drr_round(struct drr_list *l, const struct sched_child *child)
{
	if (!l->most)
		drr_note(l, child[l->head].weight); /* none counts: by the first */
	if (l->least != l->of_least || l->most != l->of_most) {
		uint64_t unit = l->mtu, of = l->least;

		if (unit * l->most > (uint64_t)DRR_QUANTUM_MAX * l->least &&
		    l->most > l->least) {
			unit = DRR_QUANTUM_MAX;
			of = l->most;
		}
		/* rounded up, so that the lightest may send a full packet */
		l->unit = (int64_t)((unit * DRR_PARTS + of - 1) / of);
		l->of_least = l->least;
		l->of_most = l->most;
	}
	l->most = 0;
	l->last = l->tail;
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
	if (d[c].deficit >= child[c].len * (int64_t)DRR_PARTS)
		return true;
	if (d[c].where == DRR_DUE) {
		due_unlink(l, d, c);
		rejoin(l, d, c);
	} else {
		drr_rotate(l, d, child);
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
	d[c].counts = false;
	d[c].deficit = 0;
}

void drr_hold(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
	      uint32_t c)
{
	d[c].counts = false;
	if (d[c].where == DRR_DUE)
		due_unlink(l, d, c);
	else
		drr_rotate(l, d, child);
	d[c].where = DRR_HELD;
	if (!d[c].listed && d[c].deficit < l->unit * child[c].weight)
		drr_list_add(l, d, c);
}

void drr_resume(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		uint32_t c)
{
	int64_t most = 2 * l->unit * child[c].weight;

	/* what it saved while quanta were larger is of the past */
	if (d[c].deficit > most)
		d[c].deficit = most;
	if (d[c].deficit >= child[c].len * (int64_t)DRR_PARTS)
		due_push(l, d, c);
	else
		rejoin(l, d, c);
}

void drr_charge_due(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		    uint32_t c, bool more)
{
	if (!more)
		drr_remove(l, d, c);
	else if (d[c].deficit < child[c].len * (int64_t)DRR_PARTS) {
		due_unlink(l, d, c);
		rejoin(l, d, c);
	}
}
