/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes round a queue although the policy means it, and what stands behind it and would be
 * the queue instead: looked for at start and again for `weir status`. Each finding is one
 * line: what, and what helps. IPv4 and IPv6 alike, unless it says otherwise.
 *
 *     interface   is not there, or down
 *     bridge      a port of one (its packets leave by the bridge), or one whose bridged packets
 *                 do not come to netfilter
 *     flowtable   of nftables, that a rule adds flows to
 *     XDP         a program on any interface, which may send packets out by this one
 *     tc filter   anywhere, with `mirred egress redirect` or `mirror` to this interface
 *     qdisc       slower than the link: on the interface, wherever in its tree, or on what
 *                 its packets go out by (VLAN and the like, the active members of a bond, the
 *                 device below PPPoE)
 *
 * Where the kernel classifies (backend kernel), what does not come to netfilter may well come
 * to its classes; and where it schedules (mark, too), the interface's own qdisc is weir's. What
 * a BPF program of tc does with packets cannot be seen from outside.
 */
#ifndef WEIR_GW_AROUND_H
#define WEIR_GW_AROUND_H

#include <stddef.h>
#include <stdint.h>

#include "qos/policy.h"

#define AROUND_TEXT 512 /* no finding is longer */

/*
 * Told with POLICY_AROUND_N: what nobody can mean. The interface is not there or down, weir's
 * own classes of another time are in the way, or it could not be looked.
 *
 * Looks at one interface, of a link of rate_bps, for what concerns its backend. Calls fn for
 * each finding. What cannot be found out is no finding, but is told as one when it is for lack
 * of permission. Returns how many, or -1 with errno.
 */
int around_look(const char *interface, uint64_t rate_bps, enum policy_backend backend,
		void (*fn)(void *arg, enum policy_around what, const char *text), void *arg);

#endif
