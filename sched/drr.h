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
 *
 * Quanta are by the weights of those that are backlogged: for one round after another the
 * lightest of them gets a full packet, unless that gave the heaviest more than
 * DRR_QUANTUM_MAX bytes: then all shrink, and the light ones save up over several rounds.
 * So a child that sends nothing changes nothing, nor does one that is held: it counts
 * again when it has sent by its turn. All get by weight in a round, and what a unit of
 * weight gets stays the same until the round is over, so that shares stay exact.
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
	bool counts;	 /* for the quanta of the round */
	int64_t deficit; /* in parts of a byte */
};

#define DRR_QUANTUM_MAX 16384u
#define DRR_PARTS (1 << 20) /* of a byte */

struct drr_list {
	int64_t unit; /* a round's quantum of weight 1, in parts of a byte */
	uint32_t mtu;
	uint32_t least, most;	    /* weights in the next round; most 0: none yet */
	uint32_t of_least, of_most; /* what unit is for */
	uint32_t last;		    /* with whom the round ends; SCHED_NONE: it is over */
	uint32_t head, tail;	    /* SCHED_NONE: empty */
	uint32_t due, due_tail;
	bool granted; /* the head has its quantum of this turn */
};

static inline void drr_list_init(struct drr_list *l, uint32_t mtu)
{
	*l = (struct drr_list){.mtu = mtu,
			       .last = SCHED_NONE,
			       .head = SCHED_NONE,
			       .tail = SCHED_NONE,
			       .due = SCHED_NONE,
			       .due_tail = SCHED_NONE};
}

/* A child of this weight will be in the next round. */
static inline void drr_note(struct drr_list *l, uint32_t weight)
{
	if (!l->most || weight < l->least)
		l->least = weight;
	if (weight > l->most)
		l->most = weight;
}

/* A round begins: those listed now. The list is not empty. */
void drr_round(struct drr_list *l, const struct sched_child *child);

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
	if (c == l->last)
		l->last = prev;
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
static inline void drr_rotate(struct drr_list *l, struct drr_child *d,
			      const struct sched_child *child)
{
	uint32_t c = l->head;

	l->granted = false;
	if (d[c].counts)
		drr_note(l, child[c].weight);
	if (c == l->last)
		l->last = SCHED_NONE;
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
static inline void drr_pass_held(struct drr_list *l, struct drr_child *d,
				 const struct sched_child *child, uint32_t c)
{
	if (d[c].deficit < l->unit * child[c].weight) {
		d[c].deficit += l->unit * child[c].weight;
		drr_rotate(l, d, child);
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
		if (l->last == SCHED_NONE)
			drr_round(l, child);
		if (d[c].where == DRR_HELD) {
			drr_pass_held(l, d, child, c);
			continue;
		}
		if (!l->granted) {
			d[c].deficit += l->unit * child[c].weight;
			l->granted = true;
		}
		if (d[c].deficit >= child[c].len * (int64_t)DRR_PARTS)
			return c;
		drr_rotate(l, d, child);
	}
	return SCHED_NONE;
}

static inline void drr_activate(struct drr_list *l, struct drr_child *d,
				const struct sched_child *child, uint32_t c)
{
	d[c].where = DRR_IN;
	d[c].counts = true;
	drr_note(l, child[c].weight);
	drr_list_add(l, d, c);
}

bool drr_confirm(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		 uint32_t c);
void drr_remove(struct drr_list *l, struct drr_child *d, uint32_t c);
void drr_hold(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
	      uint32_t c);
void drr_resume(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		uint32_t c);
/* A due child sent its packet, or lost its deficit: see drr_charge(). */
void drr_charge_due(struct drr_list *l, struct drr_child *d, const struct sched_child *child,
		    uint32_t c, bool more);

static inline void drr_charge(struct drr_list *l, struct drr_child *d,
			      const struct sched_child *child, uint32_t c, uint32_t len,
			      bool more)
{
	d[c].deficit -= len * (int64_t)DRR_PARTS;
	if (d[c].where == DRR_DUE) {
		drr_charge_due(l, d, child, c, more);
	} else if (!more) {
		drr_unlist(l, d, c);
		d[c].where = DRR_OUT;
		d[c].counts = false;
		d[c].deficit = 0;
		return;
	} else {
		d[c].counts = true;
		if (d[c].deficit < child[c].len * (int64_t)DRR_PARTS)
			drr_rotate(l, d, child);
	}
}

#endif
