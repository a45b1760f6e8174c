/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question to the kernel that many messages answer: netlink's dumps. */
#ifndef WEIR_GW_NLDUMP_H
#define WEIR_GW_NLDUMP_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

/* Where an answer is kept until it is complete, and what of it is whole messages. */
struct nldump_text {
	uint8_t *mem;
	size_t used, size;
};

/*
 * Asks (`ask` has a type and what follows it; the rest is written here) on a socket of its own
 * of that bus, NETLINK_ROUTE and the like. When the answer is complete, fn sees each of its
 * messages: the length in its header can be believed (zeros align it), nothing else. An answer
 * that a change made inconsistent is asked for again. 0, or -1 with errno, fn not called.
 */
int nldump(int bus, struct nlmsghdr *ask, void (*fn)(void *arg, const struct nlmsghdr *nlh),
	   void *arg);

/* A part of an answer: 1 there is more to come, 0 that was all, -1 with errno. Copies. */
int nldump_take(struct nldump_text *t, const void *part, size_t len);

/* An attribute's text, whether it ends with a 0 or not, cut to what fits. */
void nldump_get_text(const struct nlattr *a, char *to, size_t size);

#endif
