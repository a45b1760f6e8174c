/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gates: the token buckets of flow-max and host-max.
 *
 * A flow whose next packet finds a gate closed is taken out of the round and waits at
 * it, in the order of coming. When the bucket has filled, the first is let through; the
 * gate stays shut for all others until that one has gone, so that what it held for one
 * packet is not promised twice.
 */
#include "sched/fq.h"

unsigned fq_gate_rank(struct fq *q, void *entry, uint64_t now)
{
	struct fq_gate *g = entry;

	(void)q;
	if (g->refs || g->waiting.head || g->pending)
		return 0;
	return fq_bucket_full(&g->bucket, now) ? 2 : 0;
}

void fq_flow_gate_make(struct fq *q, struct fq_flow *f, uint64_t now)
{
	f->flow_gate = fq_chunk(q->pool, fq_pool_get(q->pool, FQ_PART));
	bucket_init(&f->flow_gate->bucket, q->conf.flow_rate, q->conf.flow_burst, now);
}

void fq_gates_join(struct fq *q, struct fq_flow *f, const struct pkt *p, uint64_t now)
{
	if (q->conf.flow_rate && !f->flow_gate)
		fq_flow_gate_make(q, f, now);
	if (q->conf.host_rate && !f->host_gate) {
		bool fresh;

		f->host_gate = fq_table_find(q, &q->gates, FQ_GATE, p->host, now, fq_gate_rank,
					     &fresh);
		f->host_gate->refs++;
		if (!f->host_gate->bucket.rate)
			bucket_init(&f->host_gate->bucket, q->conf.host_rate,
				    q->conf.host_burst, now);
	}
}

void fq_gates_leave(struct fq_flow *f)
{
	if (f->host_gate)
		f->host_gate->refs--;
	f->host_gate = NULL;
}

/* Sets the timer for the first that waits, when none is on its way. */
static void arm(struct fq *q, struct fq_gate *g, uint64_t now)
{
	const struct fq_flow *f = (const struct fq_flow *)g->waiting.head;
	uint64_t when = now;

	if (!f || g->pending)
		return;
	if (f->ent.n)
		when = bucket_when(&g->bucket, f->list.head->len, now);
	fq_heap_set(q->pool, &q->timers, &g->place, when);
}

/* f is no longer on its way through g. */
static void let_next(struct fq *q, struct fq_gate *g, const struct fq_flow *f, uint64_t now)
{
	if (!g)
		return;
	if (g->pending == f)
		g->pending = NULL;
	arm(q, g, now);
}

void fq_gates_renew(struct fq *q, struct fq_flow *f, uint64_t now)
{
	const struct pkt *p = f->list.head;
	struct fq_gate *g = f->host_gate;

	if (!g || g->known.id == p->host + !p->host || !fq_pool_reserve(q->pool, now))
		return;
	let_next(q, g, f, now);
	fq_gates_leave(f);
	fq_gates_join(q, f, p, now);
}

void fq_gates_head_changed(struct fq *q, struct fq_flow *f, uint64_t now)
{
	if (f->flow_gate && f->flow_gate->waiting.head == &f->ent)
		arm(q, f->flow_gate, now);
	if (f->host_gate && f->host_gate->waiting.head == &f->ent)
		arm(q, f->host_gate, now);
}

static bool closed(struct fq_gate *g, const struct fq_flow *f, uint64_t now)
{
	if (!g || g->pending == f)
		return g && bucket_when(&g->bucket, f->list.head->len, now) > now;
	return g->pending || g->waiting.head ||
	       bucket_when(&g->bucket, f->list.head->len, now) > now;
}

struct fq_gate *fq_gate_closed(struct fq_flow *f, uint64_t now)
{
	if (closed(f->flow_gate, f, now))
		return f->flow_gate;
	return closed(f->host_gate, f, now) ? f->host_gate : NULL;
}

void fq_gate_wait(struct fq *q, struct fq_gate *g, struct fq_flow *f, uint64_t now)
{
	f->ent.where = FQ_ASIDE;
	f->ent.next = NULL;
	if (g->pending == f) {
		/* its next packet is longer than the one that it was let through for */
		g->pending = NULL;
		f->ent.next = g->waiting.head;
		if (!g->waiting.head)
			g->waiting.tail = &f->ent;
		g->waiting.head = &f->ent;
	} else if (g->waiting.head) {
		g->waiting.tail->next = &f->ent;
		g->waiting.tail = &f->ent;
	} else {
		g->waiting.head = g->waiting.tail = &f->ent;
	}
	arm(q, g, now);
	if (g != f->flow_gate)
		let_next(q, f->flow_gate, f, now);
	else
		let_next(q, f->host_gate, f, now);
}

struct fq_flow *fq_gate_opened(struct fq *q, uint64_t now)
{
	while (fq_heap_next(q->pool, &q->timers) <= now) {
		uint32_t *place = fq_heap_at(q->pool, &q->timers, 0)->place;
		struct fq_gate *g = (void *)((char *)place - offsetof(struct fq_gate, place));
		struct fq_flow *f = (struct fq_flow *)g->waiting.head;

		fq_heap_del(q->pool, &q->timers, place);
		g->waiting.head = f->ent.next;
		if (f->ent.n)
			g->pending = f;
		else
			arm(q, g, now); /* it lost all its packets as it waited */
		return f;
	}
	return NULL;
}

void fq_gates_pass(struct fq *q, struct fq_flow *f, uint32_t len, uint64_t now)
{
	if (f->flow_gate) {
		bucket_take(&f->flow_gate->bucket, len);
		let_next(q, f->flow_gate, f, now);
	}
	if (f->host_gate) {
		bucket_take(&f->host_gate->bucket, len);
		let_next(q, f->host_gate, f, now);
	}
}
