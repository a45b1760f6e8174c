/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sets of the policy in force, as they change (setwatch.h). What a set holds now is handed
 * to each worker between two packets, and then what it held goes: packets that come from then
 * on are decided anew, those that wait stay where they are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/gateway_priv.h"
#include "gw/setwatch.h"

#define TELL_EVERY (UINT64_C(10) * 1000000000) /* ns; of one set */

struct swap {
	size_t set;
	const struct addrset *to;
};

static void swap(struct worker *w, void *arg)
{
	const struct swap *s = arg;

	worker_set(w, s->set, s->to);
}

static bool may_tell(struct gset *s)
{
	uint64_t now = clock_now();

	if (s->told && now - s->told < TELL_EVERY)
		return false;
	s->told = now;
	return true;
}

static void holds_now(void *arg, size_t number, struct addrset *holds)
{
	struct gateway *g = arg;
	const struct policy_set *is = g->policy->set[number];
	struct gset *s = &g->set[number];
	struct swap to = {number, holds};
	size_t before = addrset_ranges(is->addrs);

	if (s->trouble) {
		gateway_say(g, 6, "set %s: it can be read again", is->text);
		free(s->trouble);
		s->trouble = NULL;
	}
	if (addrset_equal(is->addrs, holds)) {
		addrset_free(holds);
		return;
	}
	for (size_t i = 0; i < g->n_link; i++)
		if (g->link[i].worker)
			worker_call(g->link[i].worker, swap, &to);
	policy_set_give(g->policy, number, holds);
	s->changed = clock_now();
	if (may_tell(s))
		gateway_say(g, 6,
			    "set %s: it has changed: %zu ranges of addresses (%zu before)",
			    is->text, addrset_ranges(holds), before);
}

static void failed(void *arg, size_t number, const char *why)
{
	struct gateway *g = arg;
	struct gset *s = &g->set[number];
	bool same = s->trouble && !strcmp(s->trouble, why);

	if (same)
		return;
	if (!s->trouble)
		s->failed = clock_now();
	free(s->trouble);
	s->trouble = strdup(why);
	if (may_tell(s))
		gateway_say(g, 4, "set %s: %s: what it held before stays",
			    g->policy->set[number]->text, why);
}

int gateway_sets_follow(struct gateway *g, char *err, size_t errsize)
{
	const struct setwatch_ops ops = {holds_now, failed, g};

	gateway_sets_end(g);
	if (!g->policy->n_set)
		return 0;
	g->set = calloc(g->policy->n_set, sizeof(*g->set));
	if (!g->set)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	g->n_set = g->policy->n_set;
	g->sets = setwatch_open(g->policy, &ops, err, errsize);
	return g->sets ? 0 : -1;
}

void gateway_sets_end(struct gateway *g)
{
	setwatch_close(g->sets);
	for (size_t i = 0; i < g->n_set; i++)
		free(g->set[i].trouble);
	free(g->set);
	g->sets = NULL;
	g->set = NULL;
	g->n_set = 0;
}

int gateway_sets_fd(const struct gateway *g)
{
	return g->sets ? setwatch_fd(g->sets) : -1;
}

void gateway_sets_event(struct gateway *g)
{
	if (g->sets)
		setwatch_event(g->sets);
}

int gateway_sets_copy(const struct gateway *g, struct gateway_snapshot *s)
{
	s->set = calloc(g->n_set + 1, sizeof(*s->set));
	if (!s->set)
		return -1;
	for (; s->n_set < g->n_set; s->n_set++) {
		const struct policy_set *is = g->policy->set[s->n_set];

		s->set[s->n_set] = (struct gateway_set){.name = strdup(is->text),
							.nft = is->nft,
							.ranges = addrset_ranges(is->addrs),
							.changed = g->set[s->n_set].changed};
		if (!s->set[s->n_set].name)
			return -1;
	}
	return 0;
}
