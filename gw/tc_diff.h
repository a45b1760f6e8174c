/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of tc_diff(): what its files share. */
#ifndef WEIR_GW_TC_DIFF_H
#define WEIR_GW_TC_DIFF_H

#include "gw/tc_state.h"
#include "gw/tc_tree.h"

/*
 * The order in which changes work, and in which no packet of a class that stays is ever
 * classified otherwise: what is new is there before what leads to it, and what leads somewhere
 * goes before what it led to.
 */
enum tc_phase {
	TC_EARLY,    /* what stands in the way: a handle that is wanted elsewhere */
	TC_TOP,	     /* a device's qdisc that is not there */
	TC_SET,	     /* rates of classes */
	TC_GROW,     /* new classes, parents first */
	TC_LEAF,     /* their queues */
	TC_LEAD,     /* new filters */
	TC_TURN,     /* filters that lead to the same class with another program */
	TC_UNLEAD,   /* filters, last ones first */
	TC_SHRINK,   /* classes, leaves first */
	TC_LATE,     /* classes that have become leaves, and their queues */
	TC_ROOT_SET, /* the root's size table */
	TC_PHASES
};

struct tc_differ {
	struct tc_tree want, have; /* have: what there is when TC_EARLY is done */
	uint8_t *gone;		   /* beside the objects that there are: not in `have` */
	struct tc_changes phase[TC_PHASES];
	struct tc_object *made; /* filters with their priorities; room for all that are wanted
				 */
	size_t n_made;
	bool no_memory, no_room;
};

void tc_emit(struct tc_differ *d, enum tc_phase phase, struct tc_change c);

/* The filters of one parent. Sets no_room when no priorities are left to do it with. */
void tc_diff_filters(struct tc_differ *d, uint32_t parent);

#endif
