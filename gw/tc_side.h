/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One point of one device (its root, or its ingress), and what is wanted there: what
 * tc_apply.h is made of. An egress link has one, an ingress link two: the ifb's root and the
 * interface's ingress.
 */
#ifndef WEIR_GW_TC_SIDE_H
#define WEIR_GW_TC_SIDE_H

#include "gw/tc_link.h"
#include "gw/tc_saved.h"
#include "gw/tc_state.h"

struct tc_side {
	struct tc_link link;
	uint32_t top;
	const struct tc_list *want;
	bool ifb;		/* of the ingress: weir's ifb is there */
	uint32_t header;	/* of the packets there: tc_plan.h */
	struct tc_state state;	/* as last read; from tc_side_run() on: as it was before */
	struct tc_changes done; /* what tc_side_run() did */
	bool ran, saved;	/* and wrote down what was there */
};

/* Reads it anew; what was done before cannot be taken back from then on. */
int tc_side_read(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize);
/* Frees what it holds, and is as new. */
void tc_side_forget(struct tc_side *s);

/* What is at the point: nothing of anybody's, weir's, or somebody else's. */
enum tc_owner { TC_NOBODY, TC_WEIR, TC_SOMEBODY };
enum tc_owner tc_side_owner(const struct tc_side *s);
/* 0; or -1 with err: it is somebody else's, and that is not to be replaced. */
int tc_side_refuse(const struct tc_side *s, bool replace, char *err, size_t errsize);

/*
 * Makes it so, all or nothing: what is somebody else's is tried and written down first; what
 * was done is read back. The number of objects that were changed, or -1 with err.
 */
int tc_side_run(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize);
/* Takes that back, and looks whether all is as it was. 0, or -1 with err. */
int tc_side_revert(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize);

/* Deletes what is weir's, restores what is written down. 1: done; 0: nothing to do; -1. */
int tc_side_remove(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize);

#endif
