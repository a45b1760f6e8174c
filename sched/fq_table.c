/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sched/fq.h"

void fq_table_init(struct fq_table *t, uint32_t entries)
{
	t->sets = entries / FQ_WAYS;
	fq_map_init(&t->map, t->sets);
}

static inline uint32_t set_number(const struct fq_table *t, uint64_t id)
{
	return (uint32_t)id & (t->sets - 1);
}

static inline uint32_t tag_of(uint64_t id)
{
	return (uint32_t)(id ^ id >> 32);
}

struct fq_set *fq_table_set(struct fq *q, struct fq_table *t, uint64_t id, bool make)
{
	uint32_t n = set_number(t, id), chunk = fq_map_get(q->pool, &t->map, n);

	if (!chunk && make) {
		chunk = fq_pool_get(q->pool, FQ_PART);
		fq_map_put(q->pool, &t->map, n, chunk);
	}
	return chunk ? fq_chunk(q->pool, chunk) : NULL;
}

/* The entry that is of this identity now; NULL: none is. */
static inline void *known(struct fq *q, const struct fq_set *s, uint64_t id)
{
	uint32_t tag;

	id += !id; /* 0 stands for nobody */
	tag = tag_of(id);
	for (unsigned w = 0; w < FQ_WAYS; w++)
		if (s->tag[w] == tag && s->chunk[w]) {
			void *entry = fq_chunk(q->pool, s->chunk[w]);

			if (fq_known(entry)->id == id)
				return entry;
		}
	return NULL;
}

void fq_table_give(struct fq *q, void *entry, uint64_t id)
{
	struct fq_known *k = fq_known(entry);
	struct fq_set *s = fq_chunk(q->pool, k->set);

	k->id = id + !id;
	s->tag[k->at % FQ_WAYS] = tag_of(k->id);
}

void *fq_table_enter(struct fq *q, struct fq_table *t, enum fq_kind kind, uint64_t id,
		     unsigned way)
{
	uint32_t chunk = fq_pool_get(q->pool, kind);
	struct fq_set *s = fq_table_set(q, t, id, true);
	void *entry = fq_chunk(q->pool, chunk);
	struct fq_known *k = fq_known(entry);

	s->chunk[way] = chunk;
	s->backlog[way] = 0;
	k->set = fq_chunk_of(q->pool, s);
	k->at = set_number(t, id) * FQ_WAYS + way;
	fq_table_give(q, entry, id);
	if (kind == FQ_GATE) {
		((struct fq_gate *)entry)->queue = q->number;
	} else if (kind == FQ_HOST) {
		((struct fq_host *)entry)->queue = q->number;
	} else {
		((struct fq_flow *)entry)->queue = q->number;
		q->live++;
		if (q->gated)
			fq_heap_room(q->pool, &q->timers, q->live);
		if (q->gated && q->conf.by_order)
			fq_heap_room(q->pool, &q->order, q->live);
	}
	return entry;
}

void fq_table_leave(struct fq *q, struct fq_table *t, void *entry)
{
	struct fq_known k = *fq_known(entry);
	struct fq_set *s = fq_chunk(q->pool, k.set);
	bool left = false;

	s->chunk[k.at % FQ_WAYS] = 0;
	for (unsigned w = 0; w < FQ_WAYS; w++)
		left |= s->chunk[w] != 0;
	if (!left) {
		fq_map_del(q->pool, &t->map, k.at / FQ_WAYS);
		fq_pool_put(q->pool, k.set);
	}
	fq_pool_put(q->pool, fq_chunk_of(q->pool, entry));
}

void *fq_table_find(struct fq *q, struct fq_table *t, enum fq_kind kind, uint64_t id,
		    uint64_t now, fq_table_rank *rank, bool *fresh)
{
	struct fq_set *s = fq_table_set(q, t, id, true);
	void *entry = known(q, s, id);
	unsigned shared, best = 0, most = 0;

	*fresh = false;
	if (entry)
		return entry;
	/*
	 * A flow that shares must go on sharing the same entry as long as strangers wait
	 * in it, for some may be its own: rank 0 and the first choice in that case.
	 */
	shared = (unsigned)((id + !id) >> 40) % FQ_WAYS;
	entry = s->chunk[shared] ? fq_chunk(q->pool, s->chunk[shared]) : NULL;
	if (t == &q->flows && entry && ((struct fq_flow *)entry)->foreign)
		return entry;
	for (unsigned w = 0; w < FQ_WAYS && most < 2; w++) {
		unsigned r = s->chunk[w] ? rank(q, fq_chunk(q->pool, s->chunk[w]), now) : 2;

		if (r > most) {
			most = r;
			best = w;
		}
	}
	if (!most)
		return entry;
	*fresh = true;
	if (!s->chunk[best])
		return fq_table_enter(q, t, kind, id, best);
	entry = fq_chunk(q->pool, s->chunk[best]);
	fq_table_give(q, entry, id);
	return entry;
}

bool fq_bucket_full(struct bucket *b, uint64_t now)
{
	if (!b->rate)
		return true;
	bucket_fill(b, now);
	return b->level == b->cap;
}

/* An entry without packets whose bucket is full is like new, whoever had it. */
static unsigned flow_rank(struct fq *q, void *entry, uint64_t now)
{
	struct fq_flow *f = entry;

	if (f->ent.n || f->ent.where == FQ_ASIDE || f->ent.where == FQ_DUE)
		return 0;
	if (f->flow_gate && !fq_bucket_full(&f->flow_gate->bucket, now))
		return 0;
	if (f->ent.where == FQ_IDLE)
		return 2;
	return q->dual ? 0 : 1; /* in the round of another host it cannot be ours */
}

unsigned fq_host_rank(struct fq *q, void *entry, uint64_t now)
{
	const struct fq_host *h = entry;

	(void)q;
	(void)now;
	return h->ent.n || h->ent.where != FQ_IDLE ? 0 : 2;
}

static uint64_t identity(const struct fq *q, const struct pkt *p)
{
	/* the low bits choose the set: spread the host hashes, which are 32 bits, over 64 */
	switch (q->conf.isolation) {
	case QUEUE_ISO_SRC:
		return p->src * 0x9e3779b97f4a7c15ULL >> 7;
	case QUEUE_ISO_DST:
		return p->dst * 0x9e3779b97f4a7c15ULL >> 7;
	default:
		return p->flow;
	}
}

static void join_host(struct fq *q, struct fq_flow *f, const struct pkt *p, uint64_t now)
{
	uint32_t h = q->conf.isolation == QUEUE_ISO_DUAL_SRC ? p->src : p->dst;
	bool fresh;

	f->host = fq_table_find(q, &q->hosts, FQ_HOST, h * 0x9e3779b97f4a7c15ULL >> 7, now,
				fq_host_rank, &fresh);
	f->host->ent.n++;
}

struct fq_flow *fq_flow_of(struct fq *q, const struct pkt *p, uint64_t now, bool *foreign)
{
	uint64_t id = identity(q, p);
	struct fq_set *s = fq_table_set(q, &q->flows, id, false);
	struct fq_flow *f = s ? known(q, s, id) : NULL;
	bool fresh = false;

	/* one that has packets has all that it needs; who comes anew may need chunks */
	if (!f || (!f->ent.n && (q->dual || q->gated))) {
		if (!fq_pool_reserve(q->pool, now))
			return NULL;
		f = fq_table_find(q, &q->flows, FQ_FLOW, id, now, flow_rank, &fresh);
	}
	*foreign = f->known.id != id + !id;
	if (fresh)
		f->codel = (struct codel){0};
	if (q->dual && f->ent.where == FQ_IDLE)
		join_host(q, f, p, now);
	if (!f->ent.n && q->gated && f->ent.where != FQ_ASIDE)
		fq_gates_join(q, f, p, now);
	return f;
}
