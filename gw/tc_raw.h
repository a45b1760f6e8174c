/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects that weir does not understand and can yet put back: what a dump says of a qdisc, a
 * class or a filter is nearly what one says to make it. "Nearly" is what this file knows. What
 * it does not know shows when what was made is compared with what was dumped, which everyone
 * who uses it does.
 */
#ifndef WEIR_GW_TC_RAW_H
#define WEIR_GW_TC_RAW_H

#include <linux/netlink.h>

#include <netlink/msg.h>

#include "gw/tc_object.h"

/* The messages of o->raw, one after the other: NULL first, then what came last. NULL: no more.
 */
const struct nlmsghdr *tc_raw_next(const struct tc_object *o, const struct nlmsghdr *last);

/*
 * The requests that make o on a device, in their order; none for what comes by itself (a
 * class of prio or mq). `out` has room for tc_raw_most(o); their number, or -1: no memory.
 */
size_t tc_raw_most(const struct tc_object *o);
int tc_raw_requests(const struct tc_object *o, uint32_t ifindex, struct nl_msg **out);

/* The request that deletes it; NULL: no memory. */
struct nl_msg *tc_raw_delete(const struct tc_object *o, uint32_t ifindex);

/*
 * Whether two dumps say the same, counters and times aside. What differs where the devices
 * differ (their index) is not looked at.
 */
bool tc_raw_same(const struct tc_object *a, const struct tc_object *b);

/*
 * Why it cannot be made again, as far as that is known without trying: a static text. NULL: it
 * may be possible.
 */
const char *tc_raw_refused(const struct tc_object *o);

/* The interfaces that its actions send packets to: fn for each. */
void tc_raw_targets(const struct tc_object *o, void (*fn)(void *arg, uint32_t ifindex),
		    void *arg);

#endif
