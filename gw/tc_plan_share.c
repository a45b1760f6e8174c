/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who goes before whom, and in what shares, in HTB's terms: a prio and a quantum for each leaf.
 *
 * HTB lends to all leaves of a prio before those of the next, over the whole tree. That is
 * `scheduler: priority` at the root, and below a class that has its number alone among its
 * siblings, and so on downwards; below any other scheduler it is not: there it would make a
 * class with urgent leaves go before its siblings.
 *
 * Among leaves of one prio HTB is deficit round robin, level by level: a class with classes has
 * its turn as long as its leaves have theirs. So its share is the sum of their quanta, and each
 * leaf's quantum is the product of the shares on its way up.
 */
#include "gw/tc_plan_impl.h"

#include <stdlib.h>

/* A share of everything, as a fraction of 2^96: 8 levels of weights, multiplied, fit. */
typedef unsigned __int128 part;
#define WHOLE ((part)1 << 96)
#define QUANTUM_MAX (1u << 30) /* HTB counts with an int, and goes below zero */

struct sharing {
	struct tc_build *b;
	/* by policy_class.index */
	part *of;
	uint64_t
		*peers; /* weights of its siblings of the same number (priority), its own too */
	uint64_t *alike; /* how many these are */
	part least[TC_PRIOS];
	uint64_t sum[TC_PRIOS];
};

static uint32_t weight_of(const struct policy_class *c)
{
	return c->weighs ? c->weight : 1;
}

static int by_priority(const void *a, const void *b)
{
	const struct policy_class *x = *(const struct policy_class *const *)a;
	const struct policy_class *y = *(const struct policy_class *const *)b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* The children of c, by number; to be freed. NULL: no memory. */
static struct policy_class **sorted(const struct policy_class *c)
{
	struct policy_class **v = malloc(c->n_child * sizeof(struct policy_class *));

	if (!v)
		return NULL;
	for (size_t i = 0; i < c->n_child; i++)
		v[i] = c->child[i];
	qsort(v, c->n_child, sizeof(struct policy_class *), by_priority);
	return v;
}

static void set_prio(struct sharing *s, const struct policy_class *c, uint32_t rank)
{
	struct tc_share *sh = &s->b->share[c->index];

	sh->last = rank >= TC_PRIOS;
	sh->prio = rank < TC_PRIOS ? rank : TC_PRIOS - 1;
	for (size_t i = 0; i < c->n_child; i++)
		set_prio(s, c->child[i], rank);
}

/*
 * Ranks what is below c from `rank` on; c is alone with its number at each level above. How
 * many ranks were taken; -1: no memory. Depth: POLICY_DEPTH_MAX.
 */
static int64_t rank_below(struct sharing *s, const struct policy_class *c, uint32_t rank)
{
	struct policy_class **v;
	int64_t used = 0, more;

	if (!c->n_child || c->scheduler != POLICY_SCHED_PRIORITY) {
		set_prio(s, c, rank);
		return 1;
	}
	s->b->share[c->index].strict = true;
	v = sorted(c);
	if (!v)
		return -1;
	for (size_t i = 0, next; i < c->n_child && used >= 0; i = next) {
		uint32_t from = rank + (uint32_t)used;

		for (next = i + 1; next < c->n_child && v[next]->priority == v[i]->priority;)
			next++;
		more = next == i + 1 ? rank_below(s, v[i], from) : 1;
		for (size_t k = i; next > i + 1 && k < next; k++)
			set_prio(s, v[k], from);
		used = more < 0 ? -1 : used + more;
	}
	free(v);
	return used;
}

/* Of n classes, in the order of their numbers, who shares with whom; without numbers, all. */
static void find_peers(struct sharing *s, struct policy_class *const *v, size_t n, bool numbers)
{
	for (size_t i = 0, next; i < n; i = next) {
		uint64_t sum = 0;

		for (next = i; next < n && (!numbers || v[next]->priority == v[i]->priority);)
			sum += weight_of(v[next++]);
		for (size_t k = i; k < next; k++) {
			s->peers[v[k]->index] = sum;
			s->alike[v[k]->index] = next - i;
		}
	}
}

static int look_at_peers(struct sharing *s, const struct policy_class *c)
{
	bool numbers = c->scheduler == POLICY_SCHED_PRIORITY;
	struct policy_class **v;

	if (!numbers) {
		find_peers(s, c->child, c->n_child, false);
		return 0;
	}
	v = sorted(c);
	if (!v)
		return -1;
	find_peers(s, v, c->n_child, true);
	free(v);
	return 0;
}

/* Parents come before their children. 0, or -1: no memory. */
static int divide(struct sharing *s)
{
	const struct policy_link *l = s->b->l;

	s->of[0] = WHOLE;
	for (size_t i = 0; i < l->n_all; i++) {
		const struct policy_class *c = l->all[i];

		if (c->n_child && look_at_peers(s, c))
			return -1;
		for (size_t k = 0; k < c->n_child; k++) {
			size_t at = c->child[k]->index;
			part *to = &s->of[at];

			/* strictly one after the other: those of a number as if they were alone
			 */
			*to = s->of[i] * weight_of(c->child[k]) / s->peers[at];
			/* or numbers that HTB cannot tell apart: each has an equal part */
			if (!s->b->share[i].strict)
				*to = *to * s->alike[at] / c->n_child;
			if (!*to)
				*to = 1;
		}
		if (!c->n_child && !c->control && s->of[i] < s->least[s->b->share[i].prio])
			s->least[s->b->share[i].prio] = s->of[i];
	}
	return 0;
}

/* The lightest of a prio gets a packet: less than that, and HTB would send a packet anyway. */
static void set_quanta(struct sharing *s)
{
	const struct policy_link *l = s->b->l;

	for (size_t i = 0; i < l->n_all; i++) {
		struct tc_share *sh = &s->b->share[i];
		part least = s->least[sh->prio], q;

		if (l->all[i]->n_child || l->all[i]->control)
			continue;
		q = (s->of[i] * s->b->packet + least / 2) / least;
		sh->clamped = q > QUANTUM_MAX;
		sh->quantum = sh->clamped ? QUANTUM_MAX : (uint32_t)q;
		s->sum[sh->prio] += sh->quantum;
	}
	for (unsigned k = 0; k < TC_PRIOS; k++)
		if (s->sum[k] > s->b->round)
			s->b->round = s->sum[k];
}

/* What the link hangs on is before all others, while HTB has a prio for it. */
static void put_ahead(struct tc_build *b, int64_t ranks)
{
	const struct policy_link *l = b->l;

	if (!l->control.class)
		return;
	for (size_t i = 0; ranks < TC_PRIOS && i < l->n_all; i++)
		b->share[i].prio++;
	b->share[l->control.class->index] = (struct tc_share){.quantum = b->packet};
}

int tc_share_build(struct tc_build *b)
{
	struct sharing s = {.b = b};
	int64_t ranks;
	int failed;

	for (unsigned k = 0; k < TC_PRIOS; k++)
		s.least[k] = WHOLE;
	s.of = calloc(b->l->n_all, sizeof(*s.of));
	s.peers = calloc(b->l->n_all, sizeof(*s.peers));
	s.alike = calloc(b->l->n_all, sizeof(*s.alike));
	ranks = s.of && s.peers && s.alike ? rank_below(&s, b->l->root, 0) : -1;
	b->crowded = ranks > TC_PRIOS;
	failed = ranks < 0 || divide(&s) ? -1 : 0;
	if (!failed) {
		set_quanta(&s);
		put_ahead(b, ranks);
	}
	free(s.of);
	free(s.peers);
	free(s.alike);
	return failed;
}
