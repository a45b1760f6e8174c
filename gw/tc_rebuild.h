/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees that weir did not make, made again from what a dump said of them; and whether two
 * dumps are of the same. `top`: TC_H_ROOT or TC_H_INGRESS.
 */
#ifndef WEIR_GW_TC_REBUILD_H
#define WEIR_GW_TC_REBUILD_H

#include "gw/tc_link.h"
#include "gw/tc_state.h"

/*
 * Makes on a device what s has at `top`, reads it back and compares. 0; or -1 with one line in
 * err, and what was made of it is gone again.
 */
int tc_rebuild(struct tc_nl *nl, uint32_t ifindex, const struct tc_state *s, uint32_t top,
	       char *err, size_t errsize);

/*
 * Tries that on a device like l in a network namespace of its own. 0: it can be made again;
 * -1: it cannot, or it could not be tried, with the reason in err.
 */
int tc_rebuild_try(const struct tc_link *l, const struct tc_state *s, uint32_t top, char *err,
		   size_t errsize);

/*
 * The first object at `top` that the two do not have alike, counters aside; NULL: none. With
 * no memory to compare, one that says so.
 */
const struct tc_object *tc_differing(const struct tc_state *a, const struct tc_state *b,
				     uint32_t top);

#endif
