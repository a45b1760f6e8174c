/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes round a queue although the policy means it: looked for at start and again for
 * `weir status`. Each finding is one line: what, and what helps.
 */
#ifndef WEIR_GW_AROUND_H
#define WEIR_GW_AROUND_H

#include <stddef.h>
#include <stdint.h>

/*
 * Looks at one interface: flowtables (nftables) that have it, hardware offload, a bridge (or
 * a port of one) without br_netfilter, XDP, a qdisc that shapes it below rate_bps, an
 * interface that is not there. Calls fn for each finding. What cannot be found out is no
 * finding, but is told as one when it is for lack of permission. Returns how many, or -1 with
 * errno.
 */
int around_look(const char *interface, uint64_t rate_bps,
		void (*fn)(void *arg, const char *text), void *arg);

#endif
