/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has of a table of tc_nat.h, rule by rule. */
#ifndef WEIR_GW_TC_NAT_LOOK_H
#define WEIR_GW_TC_NAT_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule;

#define TC_NAT_BASE "classify" /* its base chain */
#define TC_NAT_COMMENT 120     /* the longest comment of a rule, as nft shows it */

struct tc_nat_look {
	const char *table; /* borrowed */
	bool there, dormant;
	bool base, drops; /* its base chain, and whether that drops what no rule takes */
	size_t rules;
	uint64_t content;		 /* the sum of tc_nat_content() */
	char digest[TC_NAT_COMMENT + 1]; /* the comment of the base chain's rule */
	char **chain;			 /* those that are jumped to; owned */
	size_t n_chain;
	char in[64]; /* while it looks: the chain that it is in, and how far */
	uint32_t place;
	bool failed;
};

/* 0: *l is the caller's; -1 with errno: see nft_missing(). */
int tc_nat_look(struct tc_nat_look *l, const char *table);
void tc_nat_look_free(struct tc_nat_look *l);

/*
 * What a rule does at its place of its chain (0: the first), as a number: what it was made
 * with and what the kernel tells of it have the same. It is only read.
 */
uint64_t tc_nat_content(struct nftnl_rule *r, const char *chain, uint32_t place);

#endif
