/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fluid model of sharing, calculated from its formula and from nothing else:
 *
 *     r_i = min(demand_i, max_i, min(min_i, demand_i) + weight_i * theta)
 *
 * among the children of one parent, theta such that the r_i sum to the parent's rate or
 * to all that is asked for, when that is less. Level by level from the root down.
 */
#ifndef WEIR_TESTS_PROPS_FLUID_H
#define WEIR_TESTS_PROPS_FLUID_H

#include <math.h>
#include <stddef.h>

#define FLUID_GREEDY HUGE_VALL

struct fluid_node {
	size_t parent;		      /* lower than its own place; the root is 0 */
	long double weight, min, max; /* max: HUGE_VALL when there is none */
	long double demand;	      /* of a leaf; calculated for the others */
	long double rate;	      /* the result */
	long double children;	      /* sum of the children's min */
};

static inline long double fluid_share(const struct fluid_node *n, long double theta)
{
	long double r = fminl(n->min, n->demand) + n->weight * theta;

	return fminl(fminl(n->demand, n->max), r);
}

static inline long double fluid_sum(const struct fluid_node *n, size_t count, size_t parent,
				    long double theta)
{
	long double sum = 0;

	for (size_t i = parent + 1; i < count; i++)
		if (n[i].parent == parent)
			sum += fluid_share(&n[i], theta);
	return sum;
}

/* Gives the children of `parent` their rates: theta by bisection. */
static inline void fluid_split(struct fluid_node *n, size_t count, size_t parent)
{
	long double lo = 0, hi = 1, mid, c = n[parent].rate;
	int i;

	for (i = 0; i < 200 && fluid_sum(n, count, parent, hi) < c; i++)
		hi *= 2; /* ends without reaching c when less is asked for: all get all */
	for (i = 0; i < 300; i++) {
		mid = (lo + hi) / 2;
		if (fluid_sum(n, count, parent, mid) < c)
			lo = mid;
		else
			hi = mid;
	}
	for (size_t k = parent + 1; k < count; k++)
		if (n[k].parent == parent)
			n[k].rate = fluid_share(&n[k], hi);
}

/* Fills in every rate. n[0].max is the link's rate. leaf[i]: node i has no children. */
static inline void fluid_solve(struct fluid_node *n, size_t count, const unsigned char *leaf)
{
	size_t i;

	for (i = 0; i < count; i++) {
		n[i].children = 0;
		if (!leaf[i])
			n[i].demand = 0;
	}
	for (i = count; i-- > 0;) {
		n[i].min = fmaxl(n[i].min, n[i].children);
		if (i == 0)
			break;
		n[n[i].parent].children += n[i].min;
		n[n[i].parent].demand += fminl(n[i].demand, n[i].max);
	}
	n[0].rate = fminl(n[0].demand, n[0].max);
	for (i = 0; i < count; i++)
		if (!leaf[i])
			fluid_split(n, count, i);
}

#endif
