/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a qdisc behind the queue is slower than its link. */
#ifndef WEIR_GW_AROUND_QDISC_H
#define WEIR_GW_AROUND_QDISC_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A qdisc or class of an interface. */
struct around_tc {
	int index; /* of the interface */
	bool class;
	char kind[16];
	uint32_t handle, parent; /* as tc counts: TC_H_ROOT, major and minor */
	uint64_t rate;		 /* bytes/s that it lets through; 0: no limit of its own */
};

struct around_tcs {
	struct around_tc *v;
	size_t n;
	bool no_memory;
};

/* What an RTM_NEWQDISC or RTM_NEWTCLASS message says; false: nothing of use. Lengths in it are
 * not believed. */
bool around_tc_parse(const struct nlmsghdr *nlh, struct around_tc *t);

/*
 * The qdisc that lets the least through, if that is less than `rate` bytes/s, wherever it is
 * in the interface's tree; NULL: none. What a qdisc lets through is its own rate (tbf, cake,
 * netem), or what all the classes at its top may together (htb, hfsc). A single class's limit
 * is none of the qdisc: who makes classes there means it.
 */
const struct around_tc *around_tc_slowest(const struct around_tcs *s, int index, uint64_t rate,
					  uint64_t *least);

/* Whether the root of an interface's tree is one that weir made. */
bool around_tc_own(const struct around_tcs *s, int index);

/* All qdiscs of all interfaces; their classes are added by around_tc_classes(). 0, or -1 with
 * errno and nothing to free. */
int around_tc_get(struct around_tcs *s);
int around_tc_classes(struct around_tcs *s, int index);
void around_tc_free(struct around_tcs *s);

#endif
