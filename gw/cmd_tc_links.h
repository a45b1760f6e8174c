/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `weir tc apply`, `diff` and `remove` have in common: their options, and their links. */
#ifndef WEIR_GW_CMD_TC_LINKS_H
#define WEIR_GW_CMD_TC_LINKS_H

#include <jansson.h>

#include "gw/cmd.h"
#include "gw/tc_apply.h"
#include "gw/tc_nat.h"

struct tc_args {
	const char *policy, *link;
	bool strict, replace, json;
};
/* Whether to go on; if not, *status is the exit code. */
bool tc_args_get(struct tc_args *a, int argc, char **argv, int *status);

/* The links of the policy that are meant: those with an interface, or the one that is named. */
struct tc_links {
	struct policy *policy;
	const struct policy_link **link;
	struct tc_target **target; /* beside them; NULL until tc_links_open() */
	struct tc_nat_job *nat;	   /* likewise */
	struct tc_can can;	   /* what the kernel has, from tc_links_open() */
	int *changed;		   /* likewise: how many objects, once it is applied */
	size_t n;
};
/*
 * `check`: as `weir check` does; else only whether it can be read. CMD_OK, or an exit code,
 * and why is said.
 */
int tc_links_read(struct tc_links *l, const struct tc_args *a, bool check);
/*
 * Reads the devices and makes the plans, and complains of what the kernel does not do exactly
 * (with `strict` as of errors). CMD_OK, or an exit code.
 */
int tc_links_open(struct tc_links *l, const struct tc_args *a, bool complain);
/* Whether the other direction of a link's interface is another link's, or a running gateway's.
 */
bool tc_links_other(const struct policy *p, const struct policy_link *l);
void tc_links_close(struct tc_links *l);

/*
 * Under tc_lock(): whether a running gateway leaves a link's place, or all of them, to `weir tc
 * apply` (or to remove). CMD_OK, or CMD_FAIL, and who has it is said.
 */
int tc_link_unclaimed(const struct policy_link *l, bool apply);
int tc_links_unclaimed(const struct tc_links *l);
/* Whether a running gateway has, or may have, the other direction of the link's interface. */
bool tc_link_other_claimed(const struct policy_link *l);

/* A document with a list of links, which is borrowed; and its end. */
json_t *tc_links_document(const struct tc_links *l, json_t **links);
json_t *tc_links_entry(const struct policy_link *l, const char *device);

#endif
