/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a link itself hangs on: packets without which it stops to be one, whatever else is to be
 * sent. They are few and small, and have a way of their own before all classes
 * (policy_link.control), which a token bucket bounds: what is beyond it is classified like
 * everything else, so that nobody gains by looking like one of them.
 *
 * Each kind is a filter, with the guard that its protocol has: a hop limit of 255 cannot come
 * from beyond the link, one of 1 cannot go beyond it. Kinds also say of which protocol and
 * ports they are, so that most packets are told apart without running any filter. BGP is none
 * of them: it is a TCP connection, whose tables are as much as the link can carry.
 *
 * Sources: RFC 4861 (neighbour discovery), RFC 2710 and 3810 (MLD), RFC 3376 (IGMP), RFC 2131,
 * RFC 8415 (DHCP), RFC 2453 and 2080 (RIP), RFC 2328 and 5340 (OSPF), RFC 7868 (EIGRP),
 * RFC 7761 (PIM), RFC 9568 (VRRP), RFC 2281 (HSRP), RFC 5881, 5883 and 7130 (BFD).
 */
#ifndef WEIR_QOS_LINK_CONTROL_H
#define WEIR_QOS_LINK_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/dissect.h"

#define CONTROL_PORTS 4
struct control_kind {
	const char *name;
	const char *filter;
	uint8_t proto;		      /* upper protocol; 0: the end of the table */
	uint16_t port[CONTROL_PORTS]; /* of the receiver; all 0: it has none */
};
extern const struct control_kind control_kinds[]; /* the last has no name */

/* NULL: there is no such kind. */
const struct control_kind *control_find(const char *name);

/* Whether a packet can be of the kind; the filter decides. NULL: a filter alone, any may be. */
static inline bool control_may(const struct control_kind *k, const struct dissected *d)
{
	if (!k)
		return true;
	if (d->key.proto != k->proto)
		return false;
	for (unsigned i = 0; i < CONTROL_PORTS && k->port[i]; i++)
		if ((d->flags & DISSECT_PORTS) && d->key.dport == k->port[i])
			return true;
	return !k->port[0];
}

#endif
