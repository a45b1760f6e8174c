/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a packet has what a class asks for beside its bytes (policy_beside). What is not
 * known of a packet cannot match. Each may change within a flow.
 */
#ifndef WEIR_QOS_MATCH_BESIDE_H
#define WEIR_QOS_MATCH_BESIDE_H

#include "qos/dissect.h"
#include "qos/policy.h"

#include <string.h>

/* meta may be NULL: nothing is known. */
static inline bool match_knows(const struct dissect_meta *meta, unsigned what)
{
	return meta && (meta->known & what);
}

static inline bool match_mark(const struct policy_beside *b, const struct dissect_meta *meta)
{
	for (size_t i = 0; i < b->n_mark; i++)
		if ((meta->mark & b->mark[i].mask) == b->mark[i].value)
			return true;
	return false;
}

static inline bool match_mac(const struct policy_beside *b, const struct dissect_meta *meta)
{
	for (size_t i = 0; i < b->n_mac; i++)
		if (!memcmp(meta->mac, b->mac[i], sizeof(meta->mac)))
			return true;
	return false;
}

static inline bool match_in(const struct policy_beside *b, const struct dissect_meta *meta)
{
	for (size_t i = 0; i < b->n_in; i++) {
		const struct policy_ifname *n = &b->in[i];

		/* without "*" the NULs behind the name count, too */
		if (!memcmp(meta->in_name, n->name, n->prefix ? n->n : sizeof(n->name)))
			return true;
	}
	return false;
}

#endif
