/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fq queues of a link forget, and when.
 *
 * At rest, so that it makes no difference to the packets to come whether it is known or not, is
 *
 *  - a flow without packets, in no list, whose flow-max bucket is full and whose CoDel state is
 *    as good as a new one's: not dropping, not above target, and nothing in `count` that RFC
 *    8289 takes up again (it does for 16 intervals);
 *  - a host without flows, in no list;
 *  - the gate of a host for which nobody waits, and whose bucket is full.
 *
 * A queue that has been empty for 16 intervals may begin anew: what is left of its round (flows
 * that have sent their last packet stay in it until their turn comes, and nobody asks an empty
 * queue for a turn) and CoDel's states are forgotten then. Buckets are not.
 *
 * What is at rest stays known until there is need of its chunks. Whoever takes some for a new
 * flow, when few are free and KEPT have been taken already, moves the hand on by some chunks of
 * the pool, and what is found at rest there is given back. So memory that was never used is
 * touched only when that which was is in use, or is found to be so more slowly than it is
 * needed. Known or not makes one difference: to which entry of a full set of eight a flow
 * comes.
 *
 * If that leaves too little, flows without packets that are not at rest are forgotten as well,
 * in the order of the hand, and counted. That is never so for those with buckets, for which the
 * pool has room for all that their tables hold.
 */
#include "sched/fq_list.h"

#define KEPT 2048u		/* chunks: below that nothing is worth looking for */
#define LOOKS 4u		/* at things that might be at rest, for a new flow */
#define CHUNKS 64u		/* and at chunks, for these */
#define MEMORY 16u		/* intervals: RFC 8289, section 5.5 */
#define MEMORY_ELSE 1600000000u /* ns, where there is no interval */

static bool codel_rests(const struct codel *c, const struct queue_conf *conf, uint64_t now)
{
	if (c->dropping || c->first_above_time || c->phase != CODEL_FRESH)
		return false;
	return c->count - c->lastcount <= 1 ||
	       (now >= c->drop_next && now - c->drop_next >= MEMORY * conf->interval);
}

bool fq_flow_rests(const struct fq *q, struct fq_flow *f, uint64_t now)
{
	return !f->ent.n && f->ent.where == FQ_IDLE && codel_rests(&f->codel, &q->conf, now) &&
	       (!f->flow_gate || fq_bucket_full(&f->flow_gate->bucket, now));
}

static void end_flow(struct fq *q, struct fq_flow *f)
{
	if (f->flow_gate)
		fq_pool_put(q->pool, fq_chunk_of(q->pool, f->flow_gate));
	fq_table_leave(q, &q->flows, f);
	q->live--;
	if (q->gated)
		fq_heap_room(q->pool, &q->timers, q->live);
	if (q->gated && q->conf.by_order)
		fq_heap_room(q->pool, &q->order, q->live);
}

/* Whether q begins anew. */
static bool rests(const struct fq *q, uint64_t now)
{
	uint64_t memory = q->conf.interval ? MEMORY * q->conf.interval : MEMORY_ELSE;

	return !q->packets && now >= q->now && now - q->now >= memory;
}

static void end_list(struct fq_list *l)
{
	struct fq_ent *e;

	while ((e = l->head)) {
		l->head = e->next;
		fq_go_idle((struct fq_flow *)e);
	}
}

static void end_round(struct fq_round *r)
{
	end_list(&r->due);
	end_list(&r->neu);
	end_list(&r->old);
}

static void end_hosts(struct fq_list *l)
{
	struct fq_ent *e;

	while ((e = l->head)) {
		struct fq_host *h = (struct fq_host *)e;

		l->head = e->next;
		end_round(&h->round);
		e->where = h->aside ? FQ_ASIDE : FQ_IDLE;
	}
}

static void end_order(struct fq *q)
{
	while (q->order.n) {
		uint32_t *place = fq_heap_at(q->pool, &q->order, 0)->place;

		fq_heap_del(q->pool, &q->order, place);
		fq_go_idle((void *)((char *)place - offsetof(struct fq_flow, ent.place)));
	}
}

/* Calls fn for each entry of a table, which fn may take out. */
static void each(struct fq *q, struct fq_table *t, uint64_t now,
		 void (*fn)(struct fq *q, void *entry, uint64_t now))
{
	for (uint32_t i = 0; (i = fq_map_next(q->pool, &t->map, i)) != UINT32_MAX; i++) {
		struct fq_set s =
			*(struct fq_set *)fq_chunk(q->pool, fq_map_get(q->pool, &t->map, i));

		for (unsigned w = 0; w < FQ_WAYS; w++)
			if (s.chunk[w])
				fn(q, fq_chunk(q->pool, s.chunk[w]), now);
	}
}

static void rest_flow(struct fq *q, void *entry, uint64_t now)
{
	struct fq_flow *f = entry;

	f->codel = (struct codel){0};
	if (fq_flow_rests(q, f, now))
		end_flow(q, f);
}

static void rest_host(struct fq *q, void *entry, uint64_t now)
{
	if (fq_host_rank(q, entry, now))
		fq_table_leave(q, &q->hosts, entry);
}

static void rest_gate(struct fq *q, void *entry, uint64_t now)
{
	if (fq_gate_rank(q, entry, now))
		fq_table_leave(q, &q->gates, entry);
}

static void begin_anew(struct fq *q, uint64_t now)
{
	q->head = NULL;
	q->now = now;
	if (q->gated)
		fq_open_gates(q, now);
	if (q->dual) {
		end_hosts(&q->root.due);
		end_hosts(&q->root.neu);
		end_hosts(&q->root.old);
	} else {
		end_round(&q->root);
		end_order(q);
	}
	each(q, &q->flows, now, rest_flow);
	each(q, &q->hosts, now, rest_host);
	each(q, &q->gates, now, rest_gate);
}

/* ---- The hand. */

static struct fq_list *list_of(struct fq_round *r, const struct fq_ent *e)
{
	return e->where == FQ_NEW ? &r->neu : &r->old;
}

static bool listed(const struct fq_ent *e)
{
	return e->where == FQ_NEW || e->where == FQ_OLD;
}

static void forget_flow(struct fq *q, struct fq_flow *f)
{
	if (listed(&f->ent))
		fq_list_remove(list_of(f->host ? &f->host->round : &q->root, &f->ent), &f->ent);
	fq_go_idle(f);
	end_flow(q, f);
	q->pool->forgotten++;
}

static void look_at_flow(struct fq *q, struct fq_flow *f, uint64_t now, bool press)
{
	if (f->ent.n)
		return;
	if (rests(q, now))
		begin_anew(q, now);
	else if (fq_flow_rests(q, f, now))
		end_flow(q, f);
	else if (press && !q->gated)
		forget_flow(q, f);
}

static void look_at_host(struct fq *q, struct fq_host *h, bool press)
{
	if (h->ent.n)
		return;
	if (press && !q->gated && listed(&h->ent)) {
		fq_list_remove(list_of(&q->root, &h->ent), &h->ent);
		h->ent.where = FQ_IDLE;
	}
	if (h->ent.where == FQ_IDLE)
		fq_table_leave(q, &q->hosts, h);
}

/* At one chunk. False: there is nothing in it that might be at rest. */
static bool look(struct fq_pool *pool, uint64_t now, bool press)
{
	uint32_t i = pool->hand;
	void *at = fq_chunk(pool, i);

	if (i >= pool->fresh) {
		pool->hand = 1;
		return false;
	}
	pool->hand++;
	switch ((enum fq_kind)pool->kind[i]) {
	case FQ_FLOW:
		look_at_flow(pool->queue[((struct fq_flow *)at)->queue], at, now, press);
		return true;
	case FQ_HOST:
		look_at_host(pool->queue[((struct fq_host *)at)->queue], at, press);
		return true;
	case FQ_GATE:
		rest_gate(pool->queue[((struct fq_gate *)at)->queue], at, now);
		return true;
	default:
		return false;
	}
}

bool fq_pool_reserve(struct fq_pool *pool, uint64_t now)
{
	unsigned looks = LOOKS;
	uint64_t most = 2 * (uint64_t)pool->size;

	if (pool->n_free >= FQ_RESERVE)
		return true;
	for (unsigned i = 0; i < CHUNKS && looks && pool->fresh > KEPT; i++)
		looks -= look(pool, now, false);
	while (fq_pool_left(pool) < FQ_RESERVE && most--)
		look(pool, now, true);
	return fq_pool_left(pool) >= FQ_RESERVE;
}
