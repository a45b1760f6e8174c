/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict priority: while a child of a lower number has something to send, none of a
 * higher number goes. Children of the same number share by deficit round robin, in
 * proportion to their weights.
 *
 * The levels that have children IN are bits in words, the words that are not 0 bits
 * in words above, so that the first is found in three steps whatever their number.
 * A held child has no claim on those above it: resumed, it is one of its level.
 */
#include <stdlib.h>

#include "sched/drr.h"

#define STEPS 3 /* 64^3 levels are more than there can be children in a tree */

struct prio {
	struct sched_child *child;
	struct drr_list *level; /* by rank */
	uint32_t *rank;		/* of a child: index into level */
	uint64_t *bits[STEPS];	/* bits[0]: one for each level */
	struct drr_child *d;
	uint32_t levels;
};

static int by_number(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static void prio_unmake(void *s)
{
	struct prio *p = s;

	free(p->level);
	free(p->rank);
	free(p->bits[0]);
	free(p->d);
	free(p);
}

static size_t words(uint32_t levels, unsigned step)
{
	size_t n = levels;

	for (unsigned i = 0; i <= step; i++)
		n = (n + 63) / 64;
	return n;
}

/* Ranks the numbers that occur: level 0 is the lowest number. */
static int rank_children(struct prio *p, const struct sched_child *child, uint32_t n)
{
	int32_t *number = malloc(n * sizeof(*number));

	if (!number)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		number[i] = child[i].priority;
	qsort(number, n, sizeof(*number), by_number);
	p->levels = 0;
	for (uint32_t i = 0; i < n; i++)
		if (!i || number[i] != number[p->levels - 1])
			number[p->levels++] = number[i];
	for (uint32_t i = 0; i < n; i++) {
		const int32_t *at = bsearch(&child[i].priority, number, p->levels,
					    sizeof(*number), by_number);

		p->rank[i] = (uint32_t)(at - number);
	}
	free(number);
	return 0;
}

static void *prio_make(struct sched_child *child, uint32_t n, uint32_t mtu)
{
	struct prio *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->child = child;
	p->level = calloc(n, sizeof(*p->level));
	p->rank = calloc(n, sizeof(*p->rank));
	p->d = calloc(n, sizeof(*p->d));
	p->bits[0] = calloc(words(n, 0) + words(n, 1) + words(n, 2), sizeof(uint64_t));
	if (!p->level || !p->rank || !p->d || !p->bits[0] || rank_children(p, child, n)) {
		prio_unmake(p);
		return NULL;
	}
	p->bits[1] = p->bits[0] + words(n, 0);
	p->bits[2] = p->bits[1] + words(n, 1);
	for (uint32_t i = 0; i < n; i++)
		drr_list_init(&p->level[i], mtu);
	return p;
}

/* Brings the bits of a level up to date with its lists. */
static void note(struct prio *p, uint32_t level)
{
	const struct drr_list *l = &p->level[level];
	bool set = l->head != SCHED_NONE || l->due != SCHED_NONE;

	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t *word = &p->bits[i][level / 64], bit = 1ULL << (level % 64);

		*word = set ? *word | bit : *word & ~bit;
		set = *word != 0;
		level /= 64;
	}
}

static void prio_activate(void *s, uint32_t c)
{
	struct prio *p = s;

	drr_activate(&p->level[p->rank[c]], p->d, p->child, c);
	note(p, p->rank[c]);
}

static void prio_remove(void *s, uint32_t c)
{
	struct prio *p = s;

	drr_remove(&p->level[p->rank[c]], p->d, c);
	note(p, p->rank[c]);
}

static uint32_t prio_peek(void *s)
{
	struct prio *p = s;
	uint32_t i, c;

	while (p->bits[2][0]) {
		i = 0;
		for (unsigned k = STEPS; k-- > 0;)
			i = i * 64 + (uint32_t)__builtin_ctzll(p->bits[k][i]);
		c = drr_peek(&p->level[i], p->d, p->child);
		if (c != SCHED_NONE)
			return c;
		note(p, i); /* all that were listed are held */
	}
	return SCHED_NONE;
}

static bool prio_confirm(void *s, uint32_t c)
{
	struct prio *p = s;

	return drr_confirm(&p->level[p->rank[c]], p->d, p->child, c);
}

static void prio_hold(void *s, uint32_t c)
{
	struct prio *p = s;

	drr_hold(&p->level[p->rank[c]], p->d, p->child, c);
	note(p, p->rank[c]);
}

static void prio_resume(void *s, uint32_t c)
{
	struct prio *p = s;

	drr_resume(&p->level[p->rank[c]], p->d, p->child, c);
	note(p, p->rank[c]);
}

static void prio_charge(void *s, uint32_t c, uint32_t len, bool more)
{
	struct prio *p = s;

	drr_charge(&p->level[p->rank[c]], p->d, p->child, c, len, more);
	if (!more)
		note(p, p->rank[c]);
}

static size_t prio_memory(uint32_t n)
{
	return sizeof(struct prio) +
	       n * (sizeof(struct drr_list) + sizeof(uint32_t) + sizeof(struct drr_child)) +
	       (words(n, 0) + words(n, 1) + words(n, 2)) * sizeof(uint64_t);
}

const struct sched_ops sched_prio = {
	.name = "priority",
	.make = prio_make,
	.unmake = prio_unmake,
	.activate = prio_activate,
	.remove = prio_remove,
	.peek = prio_peek,
	.confirm = prio_confirm,
	.hold = prio_hold,
	.resume = prio_resume,
	.charge = prio_charge,
	.memory = prio_memory,
};
