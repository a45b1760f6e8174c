/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defaults and effective values. Runs before the checks, hence also over policies
 * with errors: it divides by nothing that may be 0 and complains of nothing but a
 * share that comes to nothing.
 */
#include "qos/policy_impl.h"

#include <stdlib.h>

#define LIMIT_FIFO 1000 /* packets; tc's for an interface, and for codel */
#define LIMIT_FQ 10240	/* RFC 8290 */
#define FLOWS 1024
#define TARGET 5000000	   /* ns, RFC 8289 */
#define INTERVAL 100000000 /* ns, RFC 8289 */
#define LIMIT_BYTES_PER_PACKET 64
#define LIMIT_PACKETS_LEAST 16
#define LIMIT_PACKETS_MOST 1000000

static uint32_t full_packet(const struct policy_link *l)
{
	return policy_charge(l, POLICY_FULL_PACKET);
}

uint64_t policy_default_burst(const struct policy_link *l, uint64_t bps)
{
	uint64_t two = 2ULL * full_packet(l), ms = bps / 8000;

	return two > ms ? two : ms;
}

static void fill_share(struct reader *rd, struct class_draft *d, enum class_key k,
		       struct policy_rate *rate)
{
	uint64_t of = rd->link->l->rate.bps;

	if (!rate->percent || !of)
		return;
	rate->bps = (uint64_t)((unsigned __int128)of * rate->percent / 10000);
	if (!rate->bps) {
		complain(rd, POLICY_ERROR, rate->mark,
			 "%s is less than one bit per second of the link's rate",
			 policy_class_keys[k].name);
		d->bad |= BIT(k);
	}
}

/* The rate at which a queue is at most emptied: its max, else that of the nearest class above.
 */
static uint64_t drain_rate(const struct policy_class *c)
{
	uint64_t rate = c->link->rate.bps;

	for (; c; c = c->parent) {
		if (c->max.bps)
			return c->max.bps;
	}
	return rate;
}

static void fill_limit(struct policy_class *c, bool written)
{
	unsigned __int128 bytes = c->limit.bytes;

	if (!written)
		c->limit.packets = c->queue == POLICY_QUEUE_FQ_CODEL ? LIMIT_FQ : LIMIT_FIFO;
	if (c->limit.packets) {
		c->limit_packets = c->limit.packets;
		return;
	}
	if (c->limit.ns)
		bytes = (unsigned __int128)c->limit.ns * drain_rate(c) / 8000000000u;
	if (bytes > POLICY_LIMIT_BYTES_MAX)
		bytes = POLICY_LIMIT_BYTES_MAX;
	c->limit_bytes = bytes ? (uint64_t)bytes : 1; /* 0 would be no limit */
	bytes = c->limit_bytes / LIMIT_BYTES_PER_PACKET;
	c->limit_packets = bytes < LIMIT_PACKETS_LEAST	? LIMIT_PACKETS_LEAST
			   : bytes > LIMIT_PACKETS_MOST ? LIMIT_PACKETS_MOST
							: (uint32_t)bytes;
}

static void fill_queue(struct class_draft *d)
{
	struct policy_class *c = d->c;
	uint64_t good = d->seen & ~d->bad;

	fill_limit(c, good & BIT(CK_LIMIT));
	if (!(good & BIT(CK_TARGET)))
		c->target = TARGET;
	if (!(good & BIT(CK_INTERVAL)))
		c->interval = INTERVAL;
	if (!(good & BIT(CK_FLOWS)))
		c->flows = FLOWS;
	if (!(good & BIT(CK_QUANTUM)))
		c->quantum = full_packet(c->link);
	if (!(good & BIT(CK_ECN)))
		c->ecn = c->queue != POLICY_QUEUE_FIFO;
}

static void fill_bursts(struct policy_class *c)
{
	const struct policy_link *l = c->link;

	if (c->min_bps)
		c->min_burst = c->burst ? c->burst : policy_default_burst(l, c->min_bps);
	if (c->max.bps)
		c->max_burst = c->burst ? c->burst : policy_default_burst(l, c->max.bps);
	if (c->flow_max.bps)
		c->flow_burst = policy_default_burst(l, c->flow_max.bps);
	if (c->host_max.bps)
		c->host_burst = policy_default_burst(l, c->host_max.bps);
}

static int by_priority(const void *a, const void *b)
{
	const struct policy_class *x = *(struct policy_class *const *)a;
	const struct policy_class *y = *(struct policy_class *const *)b;

	return (x->priority > y->priority) - (x->priority < y->priority);
}

/* Below priority, those that have their number with a sibling: they share by weight. */
static void fill_equals(struct reader *rd, const struct policy_class *parent)
{
	size_t n = parent->n_child;
	struct policy_class **v = calloc(n, sizeof(struct policy_class *));

	if (!v) {
		rd->no_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		v[i] = parent->child[i];
	qsort(v, n, sizeof(struct policy_class *), by_priority);
	for (size_t i = 1; i < n; i++)
		if (v[i]->priority == v[i - 1]->priority)
			v[i]->weighs = v[i - 1]->weighs = true;
	free(v);
}

static void fill_weighs(struct reader *rd, const struct policy_class *parent)
{
	enum policy_scheduler s = parent->scheduler;

	if (s == POLICY_SCHED_PRIORITY)
		fill_equals(rd, parent);
	else if (s == POLICY_SCHED_DRR || s == POLICY_SCHED_WFQ)
		for (size_t i = 0; i < parent->n_child; i++)
			parent->child[i]->weighs = true;
}

void policy_fill_link(struct reader *rd)
{
	struct link_draft *ld = rd->link;
	struct policy_link *l = ld->l;

	if (!l->burst)
		l->burst = policy_default_burst(l, l->rate.bps);
	/* children come after their parents: from the end, so that mins add up */
	for (size_t i = l->n_all; i-- > 0;) {
		struct class_draft *d = &ld->draft[i];
		struct policy_class *c = d->c;

		fill_share(rd, d, CK_MIN, &c->min);
		fill_share(rd, d, CK_MAX, &c->max);
		fill_share(rd, d, CK_FLOW_MAX, &c->flow_max);
		fill_share(rd, d, CK_HOST_MAX, &c->host_max);
		if (c->min.bps > c->min_bps)
			c->min_bps = c->min.bps;
		if (c->parent)
			c->parent->min_bps += c->min_bps;
	}
	/* a link guarantees itself nothing: its rate is its bucket */
	l->root->min_bps = 0;
	for (size_t i = 0; i < l->n_all; i++) {
		if (!l->all[i]->n_child)
			fill_queue(&ld->draft[i]);
		else
			fill_weighs(rd, l->all[i]);
		fill_bursts(l->all[i]);
	}
}
