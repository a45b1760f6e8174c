/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "sched/fq.h"

int fq_table_init(struct fq_table *t, uint32_t entries)
{
	const size_t line = FQ_WAYS * sizeof(*t->tag);

	/* calloc(), so that pages of tables that stay empty are never touched; a set is a line
	 */
	t->sets = entries / FQ_WAYS;
	t->mem = calloc((size_t)t->sets + 1, line);
	if (!t->mem)
		return -1;
	t->tag = (void *)((char *)t->mem + (-(uintptr_t)t->mem & (line - 1)));
	return 0;
}

uint32_t fq_table_find(struct fq_table *t, struct fq *q, uint64_t id, uint64_t now,
		       fq_table_rank *rank, bool *fresh)
{
	uint32_t first = ((uint32_t)id & (t->sets - 1)) * FQ_WAYS, best = 0, shared;
	unsigned most = 0, r;

	id += !id; /* 0 stands for an entry that was never used */
	*fresh = false;
	for (uint32_t i = first; i < first + FQ_WAYS; i++)
		if (t->tag[i] == id)
			return i;
	/*
	 * A flow that shares must go on sharing the same entry as long as strangers wait
	 * in it, for some may be its own: rank 0 and the first choice in that case.
	 */
	shared = first + (uint32_t)(id >> 40) % FQ_WAYS;
	if (t == &q->flows && q->flow[shared].foreign)
		return shared;
	for (uint32_t i = first; i < first + FQ_WAYS && most < 2; i++) {
		r = rank(q, i, now);
		if (r > most) {
			most = r;
			best = i;
		}
	}
	if (!most)
		return shared;
	t->tag[best] = id;
	t->used = true;
	*fresh = true;
	return best;
}

static bool bucket_full(struct bucket *b, uint64_t now)
{
	if (!b->rate)
		return true;
	bucket_fill(b, now);
	return b->level == b->cap;
}

/* An entry without packets whose bucket is full is like new, whoever had it. */
static unsigned flow_rank(struct fq *q, uint32_t i, uint64_t now)
{
	struct fq_flow *f = &q->flow[i];

	if (f->packets || f->ent.where == FQ_ASIDE || f->ent.where == FQ_DUE)
		return 0;
	if (f->flow_gate && !bucket_full(&f->flow_gate->bucket, now))
		return 0;
	if (f->ent.where == FQ_IDLE)
		return 2;
	return q->host ? 0 : 1; /* in the round of another host it cannot be ours */
}

static unsigned host_rank(struct fq *q, uint32_t i, uint64_t now)
{
	(void)now;
	return q->host[i].refs || q->host[i].ent.where != FQ_IDLE ? 0 : 2;
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

struct fq_flow *fq_flow_of(struct fq *q, const struct pkt *p, uint64_t now, bool *foreign)
{
	uint64_t id = identity(q, p);
	bool fresh;
	uint32_t i = fq_table_find(&q->flows, q, id, now, flow_rank, &fresh);
	struct fq_flow *f = &q->flow[i];

	*foreign = q->flows.tag[i] != id + !id;
	if (fresh)
		f->codel = (struct codel){0};
	if (q->host && f->ent.where == FQ_IDLE) {
		uint32_t h = q->conf.isolation == QUEUE_ISO_DUAL_SRC ? p->src : p->dst;

		i = fq_table_find(&q->hosts, q, h * 0x9e3779b97f4a7c15ULL >> 7, now, host_rank,
				  &fresh);
		f->host = &q->host[i];
		f->host->refs++;
	}
	if (!f->packets && fq_gated(q) && f->ent.where != FQ_ASIDE)
		fq_gates_join(q, f, p, now);
	return f;
}
