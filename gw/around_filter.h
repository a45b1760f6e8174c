/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters of tc that send packets straight to an interface, below netfilter's hooks. */
#ifndef WEIR_GW_AROUND_FILTER_H
#define WEIR_GW_AROUND_FILTER_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

/* Those of one place (an interface's ingress, say) that do. */
struct around_filters {
	int to;	       /* the interface, by its index */
	unsigned n;    /* how many */
	uint32_t pref; /* of the first */
	char kind[16]; /* of the first: "u32", "flower" */
	bool copies;   /* all of them only copy (mirror), none redirects */
	bool hardware; /* one at least is carried out by the hardware */
};

/* Counts an RTM_NEWTFILTER message's filter in, if it sends to f->to by `mirred egress`.
 * Lengths in it are not believed. */
void around_filter_take(struct around_filters *f, const struct nlmsghdr *nlh);

/*
 * The filters of one place: `parent` is a qdisc's handle, or for ingress and clsact
 * TC_H_CLSACT with TC_H_MIN_INGRESS or TC_H_MIN_EGRESS. 0, or -1 with errno.
 */
int around_filters_get(struct around_filters *f, int index, uint32_t parent);

#endif
