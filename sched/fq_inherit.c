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
 * Those that are at rest (fq_rest.c) are as good as new ones and need not go on. The round
 * begins anew: which flow is next, and the deficits, are of the packets that wait, and those
 * come again.
 */
#include "sched/fq.h"

/* Flow after flow, so that many packets cost a look at each flow, not many. */
struct pkt *fq_withdraw(void *queue)
{
	struct fq *q = queue;
	const struct fq_map *sets = &q->flows.map;

	if (!q->packets)
		return NULL;
	for (;;) {
		uint32_t i = fq_map_next(q->pool, sets, q->emptied);
		const struct fq_set *s;

		q->emptied = i == UINT32_MAX ? 0 : i;
		if (i == UINT32_MAX)
			continue;
		s = fq_chunk(q->pool, fq_map_get(q->pool, sets, i));
		for (unsigned w = 0; w < FQ_WAYS; w++)
			if (s->backlog[w])
				return fq_lose(q, fq_chunk(q->pool, s->chunk[w]), q->now);
		q->emptied++;
	}
}

/*
 * An entry for an identity in the new table. gate: of an entry; the fullest makes room when
 * there is none, if it is fuller than b; NULL: none does. NULL: there is no entry for it.
 */
static void *place(struct fq *q, struct fq_table *t, enum fq_kind kind, uint64_t id,
		   struct fq_gate *(*gate)(void *entry), const struct bucket *b)
{
	const struct fq_set *s = fq_table_set(q, t, id, false);
	void *full = NULL;

	for (unsigned w = 0; w < FQ_WAYS; w++) {
		void *entry = s && s->chunk[w] ? fq_chunk(q->pool, s->chunk[w]) : NULL;

		if (!entry)
			return fq_pool_left(q->pool) >= FQ_RESERVE
				       ? fq_table_enter(q, t, kind, id, w)
				       : NULL;
		if (gate && (!full || gate(entry)->bucket.level > gate(full)->bucket.level))
			full = entry;
	}
	if (!full || gate(full)->bucket.level <= b->level)
		return NULL;
	fq_table_give(q, full, id);
	return full;
}

static struct fq_gate *gate_of_flow(void *entry)
{
	return ((struct fq_flow *)entry)->flow_gate;
}

static struct fq_gate *gate_of_host(void *entry)
{
	return entry;
}

/* What a bucket of this rate and burst holds that takes over from another. */
static struct bucket taken_over(uint64_t rate, uint64_t burst, const struct fq_gate *from,
				uint64_t now)
{
	struct bucket b;

	bucket_init(&b, rate, burst, now);
	if (from)
		bucket_inherit(&b, &from->bucket, now);
	return b;
}

static void inherit_flow(struct fq *q, const struct fq *from, void *entry, uint64_t now)
{
	struct fq_flow *was = entry, *f;
	bool gated = q->conf.flow_rate && from->conf.flow_rate;
	struct bucket b = {0};

	/* a full bucket is like a new one unless the new one is larger */
	if (fq_flow_rests(from, was, now) &&
	    (!gated || q->conf.flow_burst <= from->conf.flow_burst))
		return;
	if (gated)
		b = taken_over(q->conf.flow_rate, q->conf.flow_burst, was->flow_gate, now);
	f = place(q, &q->flows, FQ_FLOW, was->known.id, gated ? gate_of_flow : NULL, &b);
	if (!f)
		return;
	f->codel = (struct codel){0};
	if (q->conf.codel && from->conf.codel)
		codel_inherit(&f->codel, &q->conf, &was->codel, &from->conf);
	if (gated) {
		if (!f->flow_gate)
			fq_flow_gate_make(q, f, now);
		f->flow_gate->bucket = b;
	}
}

static void inherit_host(struct fq *q, const struct fq *from, void *entry, uint64_t now)
{
	struct fq_gate *was = entry, *g;
	struct bucket b;

	(void)from;
	if (!was->bucket.rate)
		return;
	b = taken_over(q->conf.host_rate, q->conf.host_burst, was, now);
	g = place(q, &q->gates, FQ_GATE, was->known.id, gate_of_host, &b);
	if (g)
		g->bucket = b;
}

/* By which field of a packet its entry is found: see identity() in fq_table.c. */
static enum queue_isolation told_apart(const struct fq *q)
{
	return q->conf.isolation == QUEUE_ISO_SRC || q->conf.isolation == QUEUE_ISO_DST
		       ? q->conf.isolation
		       : QUEUE_ISO_FLOWS;
}

static void inherit_table(struct fq *q, const struct fq *from, const struct fq_table *t,
			  uint64_t now,
			  void (*one)(struct fq *, const struct fq *, void *, uint64_t))
{
	for (uint32_t i = 0; (i = fq_map_next(from->pool, &t->map, i)) != UINT32_MAX; i++) {
		const struct fq_set *s =
			fq_chunk(from->pool, fq_map_get(from->pool, &t->map, i));

		for (unsigned w = 0; w < FQ_WAYS; w++)
			if (s->chunk[w])
				one(q, from, fq_chunk(from->pool, s->chunk[w]), now);
	}
}

void fq_inherit(void *queue, const void *other, uint64_t now)
{
	struct fq *q = queue;
	const struct fq *from = other;

	q->now = now;
	if (told_apart(q) == told_apart(from))
		inherit_table(q, from, &from->flows, now, inherit_flow);
	if (q->conf.host_rate && from->conf.host_rate)
		inherit_table(q, from, &from->gates, now, inherit_host);
}
