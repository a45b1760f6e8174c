/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sets of nftables hold: of addresses, with or without intervals and timeouts.
 *
 * The kernel tells of changes that are made from outside. It does not tell of an element whose
 * time is over, nor of what a rule adds to a set: for that a set has to be read again.
 */
#ifndef WEIR_GW_SETNFT_H
#define WEIR_GW_SETNFT_H

#include <linux/netlink.h>

#include "qos/addrset.h"
#include "qos/policy.h"

#define SETNFT_NEVER UINT64_MAX

/* By its name, "inet filter kids". */
struct setnft_name {
	uint8_t family; /* NFPROTO_* */
	char table[256], set[256];
};
bool setnft_name(const char *text, struct setnft_name *n);

/*
 * Asks the kernel. *again: ns until it may hold something else of which the kernel tells
 * nothing. NULL: told to r, at `at` of `file`, where it is named.
 */
struct addrset *setnft_read(const char *name, const char *file, struct policy_mark at,
			    struct policy_report *r, uint64_t *again);
/* Those of a policy. false: told to r. */
bool setnft_read_all(struct policy *p, struct policy_report *r);

/* A socket that is told of changes; -1 with errno. */
int setnft_watch(void);
/*
 * What it has been told: a call of fn for each set that may hold something else, with its name;
 * table "": of any; set "": of any of that table. 0, or -1 with errno.
 */
int setnft_changes(int fd, void (*fn)(void *arg, const struct setnft_name *n), void *arg);

/* ---- Of its parts, for tests. */

struct setnft_elem {
	uint8_t key[16], to[16]; /* `to`: with `range` alone */
	bool end;		 /* the first address behind an interval */
	bool range;
};

struct setnft_elems {
	unsigned version; /* 4 or 6 */
	bool intervals;
	struct setnft_elem *v;
	size_t n;
	uint64_t expires; /* ns: the next of which the time is over; SETNFT_NEVER */
	int error;	  /* errno */
};

/* A message of a dump of elements. Lengths within it are not believed. */
void setnft_take(struct setnft_elems *e, const struct nlmsghdr *nlh);
/* What they are together; NULL with errno. */
struct addrset *setnft_join(struct setnft_elems *e);

#endif
