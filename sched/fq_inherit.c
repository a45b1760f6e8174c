/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue goes on from another one (a policy was changed), from which all packets were
 * withdrawn. Its flows keep
 *
 *  - their entries, if both queues tell flows apart by the same isolation;
 *  - with them CoDel's state, see codel_inherit();
 *  - what their flow-max buckets hold or lack, in bytes, if both have flow-max; whether rate
 *    and burst have changed or not, see bucket_inherit();
 *
 * and hosts likewise what their host-max buckets do. Where there are fewer entries than
 * before, those go on that lack most: the others have the least to gain by a new bucket.
 * The round begins anew: which flow is next, and the deficits, are of the packets
 * that wait, and those come again.
 */
#include "sched/fq.h"

#define NO_ENTRY UINT32_MAX

/* Flow after flow, so that many packets cost a look at each flow, not many. */
struct pkt *fq_withdraw(void *queue)
{
	struct fq *q = queue;

	if (!q->packets)
		return NULL;
	while (!q->backlog[q->emptied])
		q->emptied = (q->emptied + 1) & (q->n_flows - 1);
	return fq_lose(q, &q->flow[q->emptied], q->now);
}

/*
 * A place for an identity in the new table. `gate`: the buckets of the table's entries, of
 * which the fullest makes room when there is none, if it is fuller than b; NULL: none does.
 */
static uint32_t place(struct fq_table *t, uint64_t tag, const struct fq_gate *gate,
		      const struct bucket *b)
{
	uint32_t first = ((uint32_t)tag & (t->sets - 1)) * FQ_WAYS, full = first;

	t->used = true;
	for (uint32_t i = first; i < first + FQ_WAYS; i++) {
		if (!t->tag[i]) {
			t->tag[i] = tag;
			return i;
		}
		if (gate && gate[i].bucket.level > gate[full].bucket.level)
			full = i;
	}
	if (!gate || gate[full].bucket.level <= b->level)
		return NO_ENTRY;
	t->tag[full] = tag;
	return full;
}

/* What a bucket of this rate and burst holds that takes over from another. */
static struct bucket taken_over(uint64_t rate, uint64_t burst, const struct fq_gate *from,
				uint64_t now)
{
	struct bucket b;

	bucket_init(&b, rate, burst, now);
	bucket_inherit(&b, &from->bucket, now);
	return b;
}

static void inherit_flow(struct fq *q, const struct fq *from, uint32_t k, uint64_t now)
{
	bool gated = q->flow_gate && from->flow_gate;
	struct bucket b = {0};
	struct fq_flow *f;
	uint32_t i;

	if (gated)
		b = taken_over(q->conf.flow_rate, q->conf.flow_burst, &from->flow_gate[k], now);
	i = place(&q->flows, from->flows.tag[k], gated ? q->flow_gate : NULL, &b);
	if (i == NO_ENTRY)
		return;
	f = &q->flow[i];
	f->codel = (struct codel){0};
	if (q->conf.codel && from->conf.codel)
		codel_inherit(&f->codel, &q->conf, &from->flow[k].codel, &from->conf);
	if (gated) {
		f->flow_gate = &q->flow_gate[i];
		f->flow_gate->bucket = b;
	}
}

static void inherit_host(struct fq *q, const struct fq *from, uint32_t k, uint64_t now)
{
	struct bucket b =
		taken_over(q->conf.host_rate, q->conf.host_burst, &from->host_gate[k], now);
	uint32_t i = place(&q->gates, from->gates.tag[k], q->host_gate, &b);

	if (i != NO_ENTRY)
		q->host_gate[i].bucket = b;
}

/* By which field of a packet its entry is found: see identity() in fq_table.c. */
static enum queue_isolation told_apart(const struct fq *q)
{
	return q->conf.isolation == QUEUE_ISO_SRC || q->conf.isolation == QUEUE_ISO_DST
		       ? q->conf.isolation
		       : QUEUE_ISO_FLOWS;
}

void fq_inherit(void *queue, const void *other, uint64_t now)
{
	struct fq *q = queue;
	const struct fq *from = other;

	q->now = now;
	if (from->flows.used && told_apart(q) == told_apart(from))
		for (uint32_t k = 0; k < from->n_flows; k++)
			if (from->flows.tag[k])
				inherit_flow(q, from, k, now);
	if (q->host_gate && from->host_gate && from->gates.used)
		for (uint32_t k = 0; k < from->n_flows; k++)
			if (from->gates.tag[k])
				inherit_host(q, from, k, now);
}
