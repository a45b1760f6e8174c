/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fq_codel: a queue for each flow, CoDel on each, deficit round robin among them with
 * new flows first. T. Hoeiland-Joergensen et al., RFC 8290.
 *
 * Our implementation: flows are found in a set-associative table, so that they hardly
 * ever share a queue (fq_table.c). With dual isolation the round is one of hosts, each
 * with a round of its own flows. Flows and hosts may have token buckets (fq_gate.c).
 * With by_order the flow whose packet came first goes first instead: that is how a
 * fifo or codel queue serves flow-max and host-max.
 */
#include <stdlib.h>

#include "sched/fq_list.h"

#define DROP_BATCH 64 /* packets dropped at once at most, as in RFC 8290 section 4.1.3 */

static struct fq_list *first_list(struct fq_round *r)
{
	if (r->due.head)
		return &r->due;
	return r->neu.head ? &r->neu : &r->old;
}

void fq_go_idle(struct fq_flow *f)
{
	f->ent.where = FQ_IDLE;
	if (f->host)
		f->host->ent.n--;
	f->host = NULL;
}

/*
 * The head of a round that has a positive deficit, RFC 8290 section 4.2. Those without
 * get a quantum and go to the end of the old.
 */
static struct fq_ent *turn(struct fq_round *r, uint32_t quantum, struct fq_list **from)
{
	struct fq_list *l;
	struct fq_ent *e;

	while ((e = (l = first_list(r))->head)) {
		if (l == &r->due || e->deficit > 0) {
			*from = l;
			return e;
		}
		e->deficit += quantum;
		l->head = e->next;
		fq_list_push(&r->old, e, FQ_OLD);
	}
	return NULL;
}

/* A turn that cannot be used. True: e goes to the old (so that a new one that empties
 * does not come back as new at once); false: it is out of the lists. */
static bool pass_turn(struct fq_round *r, struct fq_list *from, struct fq_ent *e)
{
	from->head = e->next;
	if (from != &r->neu || !r->old.head)
		return false;
	fq_list_push(&r->old, e, FQ_OLD);
	return true;
}

static struct fq_flow *pick_flow(struct fq *q, struct fq_round *r)
{
	struct fq_list *from;
	struct fq_ent *e;

	while ((e = turn(r, q->conf.quantum, &from))) {
		struct fq_flow *f = (struct fq_flow *)e;

		if (f->ent.n)
			return f;
		if (!pass_turn(r, from, e))
			fq_go_idle(f);
	}
	return NULL;
}

static struct fq_flow *pick_by_host(struct fq *q)
{
	struct fq_list *from;
	struct fq_ent *e;

	while ((e = turn(&q->root, q->conf.quantum, &from))) {
		struct fq_host *h = (struct fq_host *)e;
		struct fq_flow *f = pick_flow(q, &h->round);

		if (f)
			return f;
		if (!pass_turn(&q->root, from, e))
			e->where = h->aside ? FQ_ASIDE : FQ_IDLE;
	}
	return NULL;
}

/* by_order: those for which a gate opened, then the oldest packet. */
static struct fq_flow *pick_oldest(struct fq *q)
{
	struct fq_list *due = &q->root.due;

	while (due->head) {
		struct fq_flow *f = (struct fq_flow *)due->head;

		if (f->ent.n)
			return f;
		due->head = f->ent.next;
		fq_go_idle(f);
	}
	while (q->order.n) {
		struct fq_heap_ent *top = fq_heap_at(q->pool, &q->order, 0);
		struct fq_flow *f =
			(void *)((char *)top->place - offsetof(struct fq_flow, ent.place));

		if (!f->ent.n) {
			fq_heap_del(q->pool, &q->order, &f->ent.place);
			fq_go_idle(f);
		} else if (f->list.head->seq != top->key) {
			fq_heap_set(q->pool, &q->order, &f->ent.place, f->list.head->seq);
		} else {
			return f;
		}
	}
	return NULL;
}

static struct fq_flow *pick(struct fq *q)
{
	if (q->conf.by_order)
		return pick_oldest(q);
	return q->dual ? pick_by_host(q) : pick_flow(q, &q->root);
}

/* f, as picked, leaves the head of its list. */
static void unlist(struct fq *q, struct fq_flow *f)
{
	struct fq_round *r = f->host ? &f->host->round : &q->root;

	if (q->conf.by_order && f->ent.where == FQ_OLD)
		fq_heap_del(q->pool, &q->order, &f->ent.place);
	else
		first_list(r)->head = f->ent.next;
}

/* f, in no list, is in its round again; its host too. */
static void enlist(struct fq *q, struct fq_flow *f, enum fq_where where)
{
	struct fq_round *r = f->host ? &f->host->round : &q->root;

	if (f->host) {
		struct fq_ent *h = &f->host->ent;

		if (h->where == FQ_IDLE) {
			h->deficit = q->conf.quantum;
			fq_list_push(&q->root.neu, h, FQ_NEW);
		} else if (h->where == FQ_ASIDE) {
			fq_list_push(&q->root.due, h, FQ_DUE);
		}
	}
	if (where == FQ_DUE) {
		fq_list_push(&r->due, &f->ent, FQ_DUE);
	} else if (q->conf.by_order) {
		f->ent.where = FQ_OLD;
		f->ent.place = 0;
		fq_heap_set(q->pool, &q->order, &f->ent.place, f->list.head->seq);
	} else {
		fq_list_push(where == FQ_NEW ? &r->neu : &r->old, &f->ent, where);
	}
}

void fq_open_gates(struct fq *q, uint64_t now)
{
	struct fq_flow *f;

	while ((f = fq_gate_opened(q, now))) {
		if (f->host)
			f->host->aside--;
		if (f->ent.n) {
			enlist(q, f, FQ_DUE);
		} else {
			fq_gates_leave(f);
			fq_go_idle(f);
		}
	}
}

static struct pkt *fq_head(void *queue, uint64_t now, uint64_t *when)
{
	struct fq *q = queue;
	struct fq_gate *g;
	struct fq_flow *f;
	bool gated = q->gated;

	q->now = now;
	if (q->head && !gated)
		return q->head->list.head; /* nothing has happened since it was found */
	do {
		if (gated)
			fq_open_gates(q, now);
		while ((f = pick(q))) {
			if (gated && f->foreign)
				fq_gates_renew(q, f, now);
			g = gated ? fq_gate_closed(f, now) : NULL;
			if (!g) {
				q->head = f;
				return f->list.head;
			}
			unlist(q, f);
			if (f->host)
				f->host->aside++;
			fq_gate_wait(q, g, f, now);
		}
	} while (gated && fq_heap_next(q->pool, &q->timers) <= now);
	*when = gated ? fq_heap_next(q->pool, &q->timers) : NEVER;
	return NULL;
}

static struct pkt *pop(struct fq *q, struct fq_flow *f)
{
	struct pkt *p = pkt_list_pop(&f->list);

	f->ent.n--;
	q->packets--;
	q->bytes -= p->len;
	*fq_backlog(q, f) -= p->len;
	if (p->flags & PKT_FOREIGN)
		f->foreign--;
	return p;
}

struct pkt *fq_lose(struct fq *q, struct fq_flow *f, uint64_t now)
{
	struct pkt *p = pop(q, f);

	q->head = NULL;
	if (!q->gated)
		return p;
	if (f->ent.where == FQ_ASIDE) {
		fq_gates_head_changed(q, f, now);
	} else if (!f->ent.n) {
		fq_gates_pass(q, f, 0, now);
		fq_gates_leave(f);
	}
	return p;
}

/* A flow that a gate had let through has had its turn (or lost its packet). */
static void after_due(struct fq *q, struct fq_flow *f)
{
	if (f->ent.deficit > 0 && f->ent.n && !q->conf.by_order)
		return;
	if (f->ent.deficit <= 0)
		f->ent.deficit += q->conf.quantum;
	unlist(q, f);
	if (f->ent.n || !q->conf.by_order)
		enlist(q, f, FQ_OLD);
	else
		fq_go_idle(f);
}

static struct pkt *fq_take(void *queue, uint64_t now)
{
	struct fq *q = queue;
	struct fq_flow *f = q->head;
	struct pkt *p = pop(q, f);
	uint32_t sent;

	q->head = NULL;
	if (!queue_late(&q->conf, p, now) && q->conf.codel)
		codel_offer(&f->codel, &q->conf, p, now, *fq_backlog(q, f));
	sent = p->drop == PKT_KEPT ? p->len : 0;
	if (q->gated) {
		if (sent || !f->ent.n)
			fq_gates_pass(q, f, sent, now);
		if (!f->ent.n)
			fq_gates_leave(f);
	}
	f->ent.deficit -= sent;
	if (f->host) {
		struct fq_ent *h = &f->host->ent;

		h->deficit -= sent;
		if (h->where == FQ_DUE) {
			q->root.due.head = h->next;
			fq_list_push(&q->root.old, h, FQ_OLD);
		}
	}
	if (f->ent.where == FQ_DUE && (sent || !f->ent.n))
		after_due(q, f);
	return p;
}

/* Of several, the one whose entry comes first. */
static struct fq_flow *longest(const struct fq *q)
{
	const struct fq_map *sets = &q->flows.map;
	uint64_t most = 0;
	uint32_t best = 0;

	for (uint32_t i = 0; (i = fq_map_next(q->pool, sets, i)) != UINT32_MAX; i++) {
		const struct fq_set *s = fq_chunk(q->pool, fq_map_get(q->pool, sets, i));

		for (unsigned w = 0; w < FQ_WAYS; w++)
			if (s->backlog[w] > most) {
				most = s->backlog[w];
				best = s->chunk[w];
			}
	}
	return fq_chunk(q->pool, best);
}

static struct pkt *fq_shed(void *queue)
{
	struct fq *q = queue;

	return q->packets ? fq_lose(q, longest(q), q->now) : NULL;
}

/* The queue is over its limit: RFC 8290 section 4.1.3, from the head of the longest flow. */
static void drop_longest(struct fq *q, struct pkt_list *dropped)
{
	struct fq_flow *f = longest(q);
	const uint64_t *backlog = fq_backlog(q, f);
	uint64_t half = *backlog / 2;
	unsigned n = 0;

	do {
		struct pkt *p = fq_lose(q, f, q->now);

		p->drop = PKT_DROP_LIMIT;
		pkt_list_push(dropped, p);
	} while (++n<DROP_BATCH && * backlog> half);
}

static bool over(const struct fq *q, const struct pkt *p, uint32_t packets)
{
	return q->packets + packets > q->conf.limit_packets ||
	       q->bytes + (packets ? p->len : 0) > q->conf.limit_bytes;
}

static bool fq_enqueue(void *queue, struct pkt *p, uint64_t now, struct pkt_list *dropped)
{
	struct fq *q = queue;
	struct fq_flow *f;
	bool foreign, changed;

	q->now = now;
	if ((q->conf.by_order && over(q, p, 1)) || p->len > q->conf.limit_bytes) {
		p->drop = PKT_DROP_LIMIT;
		pkt_list_push(dropped, p);
		return false;
	}
	f = fq_flow_of(q, p, now, &foreign);
	if (!f) {
		p->drop = PKT_DROP_MEMORY;
		pkt_list_push(dropped, p);
		return false;
	}
	if (foreign) {
		p->flags |= PKT_FOREIGN;
		f->foreign++;
	}
	pkt_list_push(&f->list, p);
	changed = f->ent.n++ == 0;
	q->packets++;
	q->bytes += p->len;
	*fq_backlog(q, f) += p->len;
	if (changed)
		q->head = NULL;
	if (f->ent.where == FQ_IDLE) {
		f->ent.deficit = q->conf.quantum;
		enlist(q, f, FQ_NEW);
	}
	while (over(q, p, 0)) {
		drop_longest(q, dropped);
		changed = true;
	}
	return changed;
}

struct queue_conf fq_conf(const struct queue_conf *conf)
{
	struct queue_conf c = *conf;

	if (!c.flow_rate && !c.host_rate)
		return c;
	if (c.isolation == QUEUE_ISO_SRC)
		c.isolation = QUEUE_ISO_DUAL_SRC;
	if (c.isolation == QUEUE_ISO_DST)
		c.isolation = QUEUE_ISO_DUAL_DST;
	return c;
}

uint32_t fq_entries(uint32_t flows)
{
	uint32_t n = FQ_WAYS;

	while (n < flows && n < 1u << 20)
		n *= 2;
	return n;
}

bool fq_dual(const struct queue_conf *conf)
{
	return !conf->by_order &&
	       (conf->isolation == QUEUE_ISO_DUAL_SRC || conf->isolation == QUEUE_ISO_DUAL_DST);
}

static void fq_unmake(void *queue)
{
	struct fq *q = queue;

	if (q->own)
		fq_pool_free(q->pool);
	free(q);
}

/* For a queue that is not in a tree. */
static struct fq_pool *own_pool(const struct queue_conf *conf)
{
	struct fq_need need = {0};

	fq_need_add(&need, conf);
	return fq_pool_new(&need, (uint64_t)conf->limit_packets + 1);
}

static void *fq_make(const struct queue_conf *conf)
{
	struct fq *q = calloc(1, sizeof(*q));
	uint32_t n = fq_entries(conf->flows);

	if (!q)
		return NULL;
	q->conf = fq_conf(conf);
	q->own = !conf->pool;
	q->pool = q->own ? own_pool(conf) : conf->pool;
	if (!q->pool) {
		fq_unmake(q);
		return NULL;
	}
	assert(q->pool->n_queue < q->pool->room);
	q->number = q->pool->n_queue++;
	q->pool->queue[q->number] = q;
	q->gated = conf->flow_rate || conf->host_rate;
	q->dual = fq_dual(&q->conf);
	fq_table_init(&q->flows, n);
	fq_table_init(&q->hosts, n);
	fq_table_init(&q->gates, n);
	fq_heap_init(&q->timers, n);
	fq_heap_init(&q->order, n);
	return q;
}

static size_t fq_memory(const struct queue_conf *conf)
{
	(void)conf;
	return sizeof(struct fq);
}

const struct queue_ops queue_fq = {
	.name = "fq_codel",
	.make = fq_make,
	.unmake = fq_unmake,
	.enqueue = fq_enqueue,
	.head = fq_head,
	.take = fq_take,
	.shed = fq_shed,
	.withdraw = fq_withdraw,
	.memory = fq_memory,
	.inherit = fq_inherit,
};
