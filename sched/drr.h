/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deficit round robin over a list of children; used by sched_drr.c for all children
 * of a node and by sched_prio.c for the children of one priority.
 *
 * M. Shreedhar and G. Varghese, "Efficient Fair Queueing Using Deficit Round-Robin",
 * SIGCOMM 1995. On its turn a child's deficit grows by its quantum, and it sends
 * while its deficit covers its next packet; then it goes to the end of the list. A
 * child that has nothing left loses its deficit.
 *
 * Our implementation: a child that is held in its turn keeps its deficit and its place
 * in the round. Each time the round comes by while it is held it gets its quantum, as
 * long as it has less than one; with one it leaves the list until it has used of it, so
 * that those who are held cost nothing. Resumed, it goes at once if its deficit covers
 * its packet: it does not wait for the next round, which may come after its bucket has
 * run over.
 */
#ifndef WEIR_SCHED_DRR_H
#define WEIR_SCHED_DRR_H

#include "sched/sched.h"

enum drr_where { DRR_OUT, DRR_IN, DRR_HELD, DRR_DUE };

struct drr_child {
	uint32_t next, prev; /* in the list, where it is listed */
	uint32_t due;	     /* the next in the list of the due */
	uint8_t where;
	bool listed;
	int64_t quantum; /* in parts of a byte, drr_list.parts */
	int64_t deficit;
};

struct drr_list {
	int64_t parts;	     /* of a byte: quanta and deficits count these */
	uint32_t head, tail; /* SCHED_NONE: empty */
	uint32_t due, due_tail;
	bool granted; /* the head has its quantum of this turn */
};

static inline void drr_list_init(struct drr_list *l, int64_t parts)
{
	*l = (struct drr_list){.parts = parts,
			       .head = SCHED_NONE,
			       .tail = SCHED_NONE,
			       .due = SCHED_NONE,
			       .due_tail = SCHED_NONE};
}

/*
 * Sets the quanta, in proportion to weight, and returns the parts of a byte in which
 * they are counted: such that all are integers, for a quantum rounded to a byte would
 * let shares drift apart for ever. The lightest child gets a full packet, so that a
 * visit always sends (O(1)), unless that gave the heaviest more than DRR_QUANTUM_MAX
 * bytes: then all shrink, and the light ones save up over several rounds.
 */
#define DRR_QUANTUM_MAX 16384u
int64_t drr_quanta(struct drr_child *d, const struct sched_child *child, uint32_t n,
		   uint32_t mtu);

/* To the end of the list. */
static inline void drr_list_add(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	d[c].listed = true;
	d[c].next = SCHED_NONE;
	d[c].prev = l->tail;
	if (l->head == SCHED_NONE) {
		l->head = c;
		l->granted = false;
	} else {
		d[l->tail].next = c;
	}
	l->tail = c;
}

static inline void drr_unlist(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	uint32_t prev = d[c].prev, next = d[c].next;

	d[c].listed = false;
	if (prev != SCHED_NONE) {
		d[prev].next = next;
	} else {
		l->head = next;
		l->granted = false;
	}
	if (next != SCHED_NONE)
		d[next].prev = prev;
	else
		l->tail = prev;
}

/* The head's turn is over: it goes to the end. */
static inline void drr_rotate(struct drr_list *l, struct drr_child *d)
{
	uint32_t c = l->head;

	l->granted = false;
	if (c == l->tail)
		return;
	l->head = d[c].next;
	d[l->head].prev = SCHED_NONE;
	d[c].prev = l->tail;
	d[c].next = SCHED_NONE;
	d[l->tail].next = c;
	l->tail = c;
}

/* The round comes by a child that is held. */
static inline void drr_pass_held(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	if (d[c].deficit < d[c].quantum) {
		d[c].deficit += d[c].quantum;
		drr_rotate(l, d);
	} else {
		drr_unlist(l, d, c);
	}
}

/* The child whose turn it is: among the due the first, else by the round. */
static inline uint32_t drr_peek(struct drr_list *l, struct drr_child *d,
				const struct sched_child *child)
{
	uint32_t c;

	if (l->due != SCHED_NONE)
		return l->due;
	while ((c = l->head) != SCHED_NONE) {
		if (d[c].where == DRR_HELD) {
			drr_pass_held(l, d, c);
			continue;
		}
		if (!l->granted) {
			d[c].deficit += d[c].quantum;
			l->granted = true;
		}
		if (d[c].deficit >= child[c].len * l->parts)
			return c;
		drr_rotate(l, d);
	}
	return SCHED_NONE;
}

static inline void drr_activate(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	d[c].where = DRR_IN;
	drr_list_add(l, d, c);
}

bool drr_confirm(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		 uint32_t c);
void drr_remove(struct drr_list *l, struct drr_child *d, uint32_t c);
void drr_hold(struct drr_list *l, struct drr_child *d, uint32_t c);
void drr_resume(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		uint32_t c);
/* A due child sent its packet, or lost its deficit: see drr_charge(). */
void drr_charge_due(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		    uint32_t c, bool more);

static inline void drr_charge(struct drr_list *l, struct drr_child *d,
			      const struct sched_child *child, uint32_t c, uint32_t len,
			      bool more)
{
	d[c].deficit -= len * l->parts;
	if (d[c].where == DRR_DUE) {
		drr_charge_due(l, d, child, c, more);
	} else if (!more) {
		drr_unlist(l, d, c);
		d[c].where = DRR_OUT;
		d[c].deficit = 0;
	} else if (d[c].deficit < child[c].len * l->parts) {
		drr_rotate(l, d);
	}
}

#endif
