/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building an engine: a tree for each link, class by class, from the policy. */
#include "qos/engine_build.h"

#include <assert.h>
#include <stdlib.h>

#define PACKETS_LEAST 65536u /* that may wait on a link, if its leaves' limits allow it */
#define PACKETS_PER_LEAF 16u
#define DELAYS_PER_CLASS 16u /* chunks */
#define FULL_PACKET 1500     /* bytes of IP */

static const enum tree_sched scheds[] = {
	[POLICY_SCHED_FIFO] = TREE_FIFO,	 [POLICY_SCHED_FAIR] = TREE_FAIR,
	[POLICY_SCHED_DRR] = TREE_DRR,		 [POLICY_SCHED_WFQ] = TREE_WFQ,
	[POLICY_SCHED_PRIORITY] = TREE_PRIORITY,
};

static const enum tree_queue queues[] = {
	[POLICY_QUEUE_FIFO] = TREE_Q_FIFO,
	[POLICY_QUEUE_CODEL] = TREE_Q_CODEL,
	[POLICY_QUEUE_FQ_CODEL] = TREE_Q_FQ,
};

static const enum tree_isolation isolations[] = {
	[POLICY_ISO_FLOWS] = TREE_ISO_FLOWS,
	[POLICY_ISO_SRCHOST] = TREE_ISO_SRC,
	[POLICY_ISO_DSTHOST] = TREE_ISO_DST,
	[POLICY_ISO_DUAL_SRCHOST] = TREE_ISO_DUAL_SRC,
	[POLICY_ISO_DUAL_DSTHOST] = TREE_ISO_DUAL_DST,
};

static void class_conf(const struct policy_class *c, uint32_t mtu, struct tree_class_conf *t)
{
	*t = (struct tree_class_conf){
		.weight = c->weight,
		.priority = c->priority,
		.min = {c->min_bps, c->min_burst},
		.max = {c->max.bps, c->max_burst},
		.leaf = !c->n_child,
		.sched = scheds[c->scheduler],
	};
	if (!t->leaf)
		return;
	t->queue = queues[c->queue];
	t->limit_packets = c->limit_packets;
	t->limit_bytes = c->limit_bytes;
	t->target = c->target;
	t->interval = c->interval;
	t->mtu = mtu;
	t->ecn = c->ecn;
	t->flows = c->flows;
	t->quantum = c->quantum;
	t->isolation = isolations[c->isolation];
	t->flow_max = (struct tree_bucket_conf){c->flow_max.bps, c->flow_burst};
	t->host_max = (struct tree_bucket_conf){c->host_max.bps, c->host_burst};
	t->deadline = c->deadline;
	if (!c->control)
		return;
	/* what comes to it has been let in by a bucket: from there on nothing keeps it back */
	t->ahead = true;
	t->max = (struct tree_bucket_conf){0};
	t->min = (struct tree_bucket_conf){BUCKET_RATE_MAX, BUCKET_BURST_MAX};
}

/*
 * How many packets may wait on a link at once: what all its leaves may hold, but not
 * so many that every class of thousands has its full queue at the same time.
 */
static uint32_t packets_bound(const struct policy_link *l)
{
	uint64_t sum = 0, leaves = 0, most;

	for (size_t i = 0; i < l->n_all; i++) {
		if (l->all[i]->n_child)
			continue;
		leaves++;
		sum += l->all[i]->limit_packets;
	}
	most = PACKETS_PER_LEAF * leaves;
	if (most < PACKETS_LEAST)
		most = PACKETS_LEAST;
	/* and one that has just come, while its leaf makes room for it */
	return (uint32_t)((sum < most ? sum : most) + 1);
}

static struct tree *build_tree(const struct policy_link *l, size_t packets, uint64_t now)
{
	uint32_t mtu = policy_charge(l, FULL_PACKET);
	struct tree_class_conf conf;
	struct tree *t;

	class_conf(l->root, mtu, &conf);
	conf.leaf = false;
	conf.weight = 1;
	conf.min = (struct tree_bucket_conf){0};
	conf.max = (struct tree_bucket_conf){l->rate.bps, l->burst};
	t = tree_new(&conf, packets, mtu, now);
	for (size_t i = 1; t && i < l->n_all; i++) {
		const struct policy_class *c = l->all[i];

		class_conf(c, mtu, &conf);
		if (tree_add(t, c->parent->index, &conf) != c->index) {
			tree_free(t);
			return NULL;
		}
	}
	if (t && tree_ready(t)) {
		tree_free(t);
		return NULL;
	}
	return t;
}

/* But for few classes all that they may want. */
static size_t delay_chunks(const struct policy_link *l)
{
	size_t all = DELAYS_CHUNKS * l->n_all, some = DELAYS_PER_CLASS * l->n_all + 1000;

	return all < some ? all : some;
}

size_t engine_delays_memory(const struct policy_link *l)
{
	return l->n_all * DELAYS_BYTES(0) +
	       delay_chunks(l) * (DELAYS_BYTES(1) - DELAYS_BYTES(0));
}

static int build_link(struct elink *e, const struct policy_link *l, uint32_t packets_max,
		      uint64_t now)
{
	assert(l->n_all); /* a link has classes */
	e->link = l;
	e->room = packets_bound(l);
	if (packets_max && e->room > packets_max)
		e->room = packets_max;
	e->free = NO_WAITING;
	if (l->control.class)
		bucket_init(&e->control, l->control.rate.bps, l->control.class->max_burst, now);
	e->delays_room = (int64_t)delay_chunks(l);
	e->gone.room = &e->delays_room;
	e->tree = build_tree(l, e->room, now);
	e->account = calloc(l->n_all, sizeof(*e->account));
	e->live = calloc(l->n_all, sizeof(*e->live));
	e->waiting = calloc(e->room, sizeof(*e->waiting));
	if (!e->tree || !e->account || !e->live || !e->waiting)
		return -1;
	for (size_t i = 0; i < l->n_all; i++) {
		const struct policy_class *c = l->all[i];

		e->live[i].parent = c->parent ? c->parent->index : NO_PARENT;
		e->live[i].max_latency = c->max_latency;
		e->account[i].room = &e->delays_room;
	}
	return 0;
}

static int compare_links(const void *a, const void *b)
{
	const struct policy_link *x = (*(struct elink *const *)a)->link;
	const struct policy_link *y = (*(struct elink *const *)b)->link;

	return (x > y) - (x < y);
}

static int build_links(struct engine *e, const struct policy *p, const struct engine_opts *o)
{
	uint32_t n = o->only ? 1 : (uint32_t)p->n_link;

	e->link = calloc(n, sizeof(*e->link));
	e->by_address = calloc(n, sizeof(struct elink *));
	e->pending = calloc(ENGINE_UNPOLLED_MAX, sizeof(*e->pending));
	if (!e->link || !e->by_address || !e->pending || timers_init(&e->due, n))
		return -1;
	for (; e->n_link < n; e->n_link++) {
		const struct policy_link *l = o->only ? o->only : p->link[e->n_link];

		if (build_link(&e->link[e->n_link], l, o->packets_max, e->now)) {
			e->n_link++; /* what there is of it is freed with the others */
			return -1;
		}
		e->by_address[e->n_link] = &e->link[e->n_link];
	}
	qsort(e->by_address, n, sizeof(struct elink *), compare_links);
	return 0;
}

struct engine *engine_new(const struct policy *p, const struct engine_opts *o,
			  struct policy_report *r)
{
	struct match_opts m = {.only = o->only, .flows_max = o->flows_max};
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	for (size_t i = 0; i < sizeof(m.key); i++)
		m.key[i] = e->key[i] = o->key[i];
	e->now = o->now;
	e->flows_max = o->flows_max ? o->flows_max : MATCH_FLOWS_DEFAULT;
	e->match = match_new(p, &m, r);
	if (!e->match || build_links(e, p, o)) {
		engine_free(e);
		return NULL;
	}
	return e;
}

static void free_accounts(struct elink *l)
{
	account_clear(&l->gone);
	for (size_t i = 0; l->account && i < l->link->n_all; i++)
		account_clear(&l->account[i]);
	free(l->account);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	for (uint32_t i = 0; i < e->n_link; i++) {
		tree_free(e->link[i].tree);
		free_accounts(&e->link[i]);
		free(e->link[i].live);
		free(e->link[i].waiting);
	}
	if (e->match)
		match_free(e->match);
	timers_fini(&e->due);
	free(e->pending);
	free(e->by_address);
	free(e->link);
	free(e);
}
