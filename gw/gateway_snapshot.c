/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of what the workers own, and of what the kernel counts, taken between two packets and
 * a few classes at a time, so that asking never holds up the line for long. What inner classes
 * and links have is summed up here, from the copies.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw/gateway_priv.h"
#include "gw/snapshot_link.h"

#define LEAVES_AT_ONCE 32u /* some 3 KB each where packets have left: less than 100 us */

/* One visit to a worker. */
struct visit {
	struct gateway_link *to;
	size_t left; /* classes not yet copied: the first so many */
};

/*
 * From the last class to the first: children before their parents, so that the largest
 * backlog of a class is never older than what waits below it. Of an inner class hardly
 * anything is copied, and between two leaves there are no more of them than levels.
 */
static void copy_accounts(struct worker *w, void *arg)
{
	struct visit *v = arg;
	const struct policy_link *l = worker_link(w);
	unsigned leaves = 0;

	while (v->left && leaves < LEAVES_AT_ONCE) {
		const struct policy_class *c = l->all[--v->left];

		engine_account_own(worker_engine(w), c, &v->to->class[v->left].account);
		leaves += !c->n_child;
	}
	if (!v->left) {
		engine_get_stats(worker_engine(w), &v->to->engine);
		worker_get_health(w, &v->to->health);
		v->to->now = clock_now();
	}
}

static int copy_texts(char ***to, size_t *n_to, char *const *v, size_t n)
{
	*to = calloc(n + 1, sizeof(**to));
	if (!*to)
		return -1;
	for (; *n_to < n; ++*n_to) {
		(*to)[*n_to] = strdup(v[*n_to]);
		if (!(*to)[*n_to])
			return -1;
	}
	return 0;
}

static int copy_warnings(struct gateway_link *to, const struct glink *l)
{
	return copy_texts(&to->warning, &to->n_warning, l->warning, l->n_warning) ||
			       copy_texts(&to->accepted, &to->n_accepted, l->accepted,
					  l->n_accepted)
		       ? -1
		       : 0;
}

/* The queue, its thread and, where that schedules, its accounts. */
static void copy_worker(struct gateway_link *to, const struct gateway *g, const struct glink *l)
{
	struct visit v = {.to = to};

	to->queue = l->queue;
	to->first_queue = l->first;
	to->first_rules = l->first_rules;
	to->untold = l->untold;
	to->shed_pps = shed_rate(l->link->rate.bps);
	to->shed = l->shed;
	to->shed_counts = l->shed_counts;
	to->linear = g->linear;
	to->held_max = l->held_max;
	to->kernel_dropped = l->kernel.dropped;
	to->kernel_user_dropped = l->kernel.user_dropped;
	/* reloads are done by this thread too: the policy stays the same meanwhile */
	v.left = gateway_in_kernel(l->link) ? 0 : to->n_class;
	do
		worker_call(l->worker, copy_accounts, &v);
	while (v.left);
	to->segments = to->health.queue.gso;
}

static void copy_kernel(struct gateway_link *to, const struct glink *l)
{
	char err[200];

	to->now = clock_now();
	if (!l->tc.applied || tc_target_read(l->tc.target, err, sizeof(err)))
		return;
	to->now = clock_now();
	to->programmed = true;
	snapshot_counters(to, l->link, l->tc.target);
}

/* What classes had that are no more, to the link itself. */
static void add_gone(struct account *a, const struct gkernel_gone *g)
{
	a->sent.packets += g->packets;
	a->sent.bytes += g->bytes;
	a->dropped[PKT_DROP_LIMIT].packets += g->dropped;
	a->in.packets += g->packets + g->dropped;
	a->in.bytes += g->bytes;
}

/*
 * What never came to a class: shed by the rules, and what had no room unread. Of the latter no
 * bytes are known; of the former those of IP, charged as if all packets had their mean length.
 */
static void add_early(struct gateway_link *to, const struct policy_link *l)
{
	struct account *a = &to->class[0].account;
	const struct rule_shed_counts *c = &to->shed_counts;
	uint64_t packets = c->shed_packets + c->limit_packets;
	uint64_t bytes = c->shed_bytes + c->limit_bytes;
	uint64_t lost = to->health.queue.missed;

	if (packets)
		bytes = packets * policy_charge(l, (uint32_t)(bytes / packets));
	a->dropped[PKT_DROP_EARLY].packets += packets + lost;
	a->dropped[PKT_DROP_EARLY].bytes += bytes;
	a->in.packets += packets + lost;
	a->in.bytes += bytes;
}

static int copy_link(struct gateway_link *to, const struct gateway *g, const struct glink *l)
{
	to->name = strdup(l->link->name);
	if (!to->name || !gateway_iface_names(l->link, &to->interface) ||
	    snapshot_names(to, l->link) || copy_warnings(to, l))
		return -1;
	if (l->tc.target) {
		to->device = strdup(tc_target_device(l->tc.target));
		if (!to->device)
			return -1;
	}
	to->rate_bps = l->link->rate.bps;
	to->up = l->iface.there && l->iface.up;
	for (; to->n_each < policy_interfaces(l->link); to->n_each++) {
		const struct ifwatch_state *s = &l->each[to->n_each];

		snprintf(to->each[to->n_each].name, IFNAMSIZ, "%s",
			 policy_interface(l->link, to->n_each));
		to->each[to->n_each].up = s->there && s->up;
	}
	to->mtu = l->iface.mtu;
	to->backend = l->link->backend;
	if (l->worker)
		copy_worker(to, g, l);
	if (gateway_in_kernel(l->link))
		copy_kernel(to, l);
	snapshot_sum(to, l->link);
	snapshot_leave_out(to, l->link);
	if (l->worker && !gateway_in_kernel(l->link))
		add_early(to, l->link);
	if (to->programmed)
		add_gone(&to->class[0].account, &l->gone);
	return 0;
}

struct gateway_snapshot *gateway_snapshot(struct gateway *g)
{
	struct gateway_snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->now = clock_now();
	s->wall = clock_ns(CLOCK_REALTIME);
	s->started = g->started;
	s->policy = strdup(g->policy->file);
	s->generation = g->generation;
	s->reloads_failed = g->reloads_failed;
	s->reloaded = g->reloaded;
	s->native = rules_how(g->rules) == RULE_NATIVE;
	s->intact = g->intact;
	s->link = calloc(g->n_link, sizeof(*s->link));
	if (!s->policy || !s->link) {
		gateway_snapshot_free(s);
		return NULL;
	}
	for (; s->n_link < g->n_link; s->n_link++) {
		if (g->link[s->n_link].worker)
			gateway_shed_read(&g->link[s->n_link]);
		if (copy_link(&s->link[s->n_link], g, &g->link[s->n_link])) {
			s->n_link++; /* what there is of it goes with the others */
			gateway_snapshot_free(s);
			return NULL;
		}
	}
	if (gateway_sets_copy(g, s) || gateway_findings(g, s)) {
		gateway_snapshot_free(s);
		return NULL;
	}
	return s;
}

static void free_link(struct gateway_link *l)
{
	for (size_t i = 0; i < l->n_class; i++) {
		free(l->class[i].path);
		account_clear(&l->class[i].account);
	}
	gateway_free_texts(l->warning, l->n_warning);
	gateway_free_texts(l->accepted, l->n_accepted);
	free(l->class);
	free(l->name);
	free(l->interface);
	free(l->device);
	free(l->policy);
}

void gateway_snapshot_free(struct gateway_snapshot *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_link; i++)
		free_link(&s->link[i]);
	gateway_findings_free(s);
	for (size_t i = 0; i < s->n_set; i++)
		free(s->set[i].name);
	free(s->set);
	free(s->link);
	free(s->policy);
	free(s);
}
