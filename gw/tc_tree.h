/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of objects as the tree that it is: who hangs on whom. Pure; points into the list. */
#ifndef WEIR_GW_TC_TREE_H
#define WEIR_GW_TC_TREE_H

#include <linux/pkt_sched.h>

#include "gw/tc_object.h"

struct tc_set {
	const struct tc_object **v;
	size_t n;
};

struct tc_tree {
	const struct tc_list *list;
	struct tc_set qdisc;	      /* by handle */
	struct tc_set leaf;	      /* qdiscs by parent */
	struct tc_set class;	      /* by handle */
	struct tc_set child;	      /* classes by parent */
	struct tc_set filter;	      /* by parent, then priority */
	const struct tc_object **all; /* what the sets are made of */
};

/*
 * `without`, unless NULL, has a byte for each object of the list: those that are not 0 are
 * left out. 0, or -1: no memory.
 */
int tc_tree_build(struct tc_tree *t, const struct tc_list *l, const uint8_t *without);
void tc_tree_free(struct tc_tree *t);

/* NULL: there is none. */
const struct tc_object *tc_tree_class(const struct tc_tree *t, uint32_t handle);
const struct tc_object *tc_tree_qdisc(const struct tc_tree *t, uint32_t handle);
/* The qdisc that hangs on a class; on TC_H_ROOT or TC_H_INGRESS: the device's. */
const struct tc_object *tc_tree_leaf(const struct tc_tree *t, uint32_t parent);
/* Whether a class has classes. */
bool tc_tree_inner(const struct tc_tree *t, uint32_t handle);
/* The filters of a parent, as a part of t->filter. */
struct tc_set tc_tree_filters(const struct tc_tree *t, uint32_t parent);
/* The class that a class hangs on; 0: the qdisc. (The kernel says TC_H_ROOT for that.) */
uint32_t tc_tree_above(const struct tc_object *class);

/*
 * All that hangs on one point in the order in which it can be made: that of `top` (a qdisc's
 * parent: TC_H_ROOT, TC_H_INGRESS, or a class), then what is below it, filters last. Into
 * out, which has room for all of the list; the number.
 */
size_t tc_tree_below(const struct tc_tree *t, uint32_t top, const struct tc_object **out);

#endif
