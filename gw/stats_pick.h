/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which classes of a gateway's answer are shown, and in which order. Pure; nothing is believed
 * of the answer.
 *
 * A pattern is "LINK" or "LINK/CLASS", with * ? [...] as in a shell (a * goes over slashes
 * too): it takes what it matches and all below that. No pattern: everything.
 */
#ifndef WEIR_GW_STATS_PICK_H
#define WEIR_GW_STATS_PICK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define STATS_LIMIT 100u /* classes of a link that are shown if nothing else is said */

/* In the order of the policy; or the largest first, and then only classes without classes. */
enum stats_sort {
	STATS_POLICY,
	STATS_NAME,
	STATS_IN,
	STATS_SENT,
	STATS_BYTES,
	STATS_RATE,
	STATS_WAITING,
	STATS_DELAY,
	STATS_MAX,
	STATS_DROPS,
	STATS_SORTS
};
/* "policy", "name", ...; NULL: there is no such. */
const char *stats_sort_name(enum stats_sort s);

struct stats_pick {
	char *const *pattern;
	size_t n_pattern;
	enum stats_sort sort;
	size_t limit; /* classes of a link; 0: all */
};

/* Whether it takes something of a link, and whether the link as a whole. */
bool stats_pick_link(const struct stats_pick *p, const json_t *link, bool *whole);
/* The first pattern that takes nothing of any link; NULL: each takes something. */
const char *stats_pick_vain(const struct stats_pick *p, const json_t *answer);

struct stats_rows {
	const json_t **v; /* of the answer */
	size_t n;
	size_t idle;   /* more, left out because of the limit: no packet has come to them */
	size_t beyond; /* and those that it cut off */
};
/* 0, or -1: no memory. */
int stats_pick_rows(const struct stats_pick *p, const json_t *link, struct stats_rows *r);
void stats_rows_free(struct stats_rows *r);

#endif
