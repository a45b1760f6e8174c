/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link in a gateway_snapshot, as far as it does not matter who looks after it: a running
 * gateway, or nobody, after `weir tc apply`.
 */
#ifndef WEIR_GW_SNAPSHOT_LINK_H
#define WEIR_GW_SNAPSHOT_LINK_H

#include "gw/gateway.h"
#include "gw/tc_apply.h"

/* Its classes, with what the policy says of each, and nothing counted. 0, or -1: no memory. */
int snapshot_names(struct gateway_link *to, const struct policy_link *l);
/* What the kernel has counted for its leaves, as tc_target_read() has read it. */
void snapshot_counters(struct gateway_link *to, const struct policy_link *l,
		       const struct tc_target *t);
/* Each class, the last first, to the one above it: that has all of its children then. */
void snapshot_sum(struct gateway_link *to, const struct policy_link *l);
/* The last class, what the link hangs on, is shown once any of it came. */
void snapshot_leave_out(struct gateway_link *to, const struct policy_link *l);

#endif
