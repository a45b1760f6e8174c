/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of many filters can take a packet, without running them all.
 *
 * Most filters of a long list ask for something in particular: an address, a port. From the
 * program of each, keys are taken: comparisons of a field of the packet with a constant, such
 * that every way to "yes" goes through one of them that holds. A packet for which none of a
 * filter's keys holds is not taken by it, and that is looked up for all filters at once. A
 * filter without such keys ("less 100", "not host 10.0.0.1") is always a candidate.
 *
 * The index never says that a filter takes a packet: candidates have to be run. What it leaves
 * out would have said no, whatever the packet and however short it was cut.
 */
#ifndef WEIR_QOS_FILTER_INDEX_H
#define WEIR_QOS_FILTER_INDEX_H

#include "qos/filter.h"

/* A field of the packet, from the IP header or from 4 * ([0] & 0xf) on, and what it is to be.
 */
struct filter_key {
	uint16_t off;
	uint8_t size; /* bytes: 1, 2 or 4 */
	bool l4;
	uint32_t mask, value; /* (field & mask) == value */
};

#define FILTER_KEYS_MAX 8
/* How many keys a filter has, 0 if it takes nothing; -1: it has no keys that would help. */
int filter_keys(const struct filter *f, struct filter_key keys[FILTER_KEYS_MAX]);

struct filter_index;
struct filter_index *filter_index_new(void); /* NULL: no memory */
void filter_index_free(struct filter_index *x);
/*
 * Adds a list of filters under a number that is larger than those before; an empty list takes
 * everything. false: no memory, and the index is of no use any more.
 */
bool filter_index_add(struct filter_index *x, const struct filter_list *l, uint32_t number);
/* Adds a number that is a candidate for every packet. */
bool filter_index_always(struct filter_index *x, uint32_t number);

/* The candidates for one packet, in the order of their numbers. */
#define FILTER_COLUMNS_MAX 15
struct filter_candidates {
	const struct filter_index *x;
	uint32_t at[FILTER_COLUMNS_MAX + 1]; /* where each list of numbers is */
	unsigned n;
};
#define FILTER_NONE UINT32_MAX
void filter_index_ask(const struct filter_index *x, const uint8_t *ip, uint32_t caplen,
		      struct filter_candidates *c);
/* The next one, or FILTER_NONE. */
uint32_t filter_index_next(struct filter_candidates *c);

#endif
