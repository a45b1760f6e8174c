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
 * Our implementation: a sentinel travels with the list, so that rounds are counted.
 * A child that is held in its turn keeps its deficit and leaves the list. On resume
 * it is granted the quanta of the rounds that it missed, up to what its turn needs,
 * and if that covers its packet it goes at once: it does not wait for its place in
 * the next round, which may come after its bucket has run over.
 */
#ifndef WEIR_SCHED_DRR_H
#define WEIR_SCHED_DRR_H

#include "sched/sched.h"

enum drr_where { DRR_OUT, DRR_IN, DRR_HELD, DRR_DUE };

struct drr_child {
	uint32_t next;	  /* in the list, or in the list of the due */
	uint32_t prev;	  /* in the list */
	uint32_t quantum; /* bytes */
	uint32_t round;	  /* when it was held */
	int64_t deficit;  /* bytes */
	uint8_t where;
};

struct drr_list {
	uint32_t head, tail; /* SCHED_NONE: empty */
	uint32_t due, due_tail;
	uint32_t mark;	/* the child behind which this round ends */
	uint32_t round; /* rounds completed */
	bool granted;	/* the head has its quantum of this turn */
};

static inline void drr_list_init(struct drr_list *l)
{
	*l = (struct drr_list){.head = SCHED_NONE,
			       .tail = SCHED_NONE,
			       .due = SCHED_NONE,
			       .due_tail = SCHED_NONE,
			       .mark = SCHED_NONE};
}

/*
 * Quanta in proportion to weight. The lightest child gets a full packet, so that a
 * visit always sends (O(1)), unless that gave the heaviest more than DRR_QUANTUM_MAX:
 * then all shrink, and the light ones save up over several rounds.
 */
#define DRR_QUANTUM_MAX 65536u
void drr_quanta(struct drr_child *d, const struct sched_child *child, uint32_t n, uint32_t mtu);

static inline void drr_push(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	d[c].next = SCHED_NONE;
	d[c].prev = l->tail;
	d[c].where = DRR_IN;
	if (l->head == SCHED_NONE) {
		l->head = c;
		l->granted = false;
		l->mark = c;
	} else {
		d[l->tail].next = c;
	}
	l->tail = c;
}

static inline void drr_unlink(struct drr_list *l, struct drr_child *d, uint32_t c)
{
	uint32_t prev = d[c].prev, next = d[c].next;

	if (l->mark == c) {
		/* the round ends behind the one before it, or, if it was first, now */
		l->mark = prev != SCHED_NONE ? prev : l->tail;
		l->round += prev == SCHED_NONE;
	}
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
	if (c == l->mark) {
		l->round++;
		l->mark = l->tail;
	}
	if (c == l->tail)
		return;
	l->head = d[c].next;
	d[l->head].prev = SCHED_NONE;
	d[c].prev = l->tail;
	d[c].next = SCHED_NONE;
	d[l->tail].next = c;
	l->tail = c;
}

/* The child whose turn it is: among the due the first, else by the round. */
static inline uint32_t drr_peek(struct drr_list *l, struct drr_child *d,
				const struct sched_child *child)
{
	uint32_t c;

	if (l->due != SCHED_NONE)
		return l->due;
	while ((c = l->head) != SCHED_NONE) {
		if (!l->granted) {
			d[c].deficit += d[c].quantum;
			l->granted = true;
		}
		if (d[c].deficit >= child[c].len)
			return c;
		drr_rotate(l, d);
	}
	return SCHED_NONE;
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
	d[c].deficit -= len;
	if (d[c].where == DRR_DUE) {
		drr_charge_due(l, d, child, c, more);
	} else if (!more) {
		drr_unlink(l, d, c);
		d[c].where = DRR_OUT;
		d[c].deficit = 0;
	} else if (d[c].deficit < child[c].len) {
		drr_rotate(l, d);
	}
}

#endif
