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

#include "sched/fq.h"

#define DROP_BATCH 64 /* packets dropped at once at most, as in RFC 8290 section 4.1.3 */

static void list_push(struct fq_list *l, struct fq_ent *e, enum fq_where where)
{
	e->where = (uint8_t)where;
	e->next = NULL;
	if (l->head)
		l->tail->next = e;
	else
		l->head = e;
	l->tail = e;
}

static struct fq_list *first_list(struct fq_round *r)
{
	if (r->due.head)
		return &r->due;
	return r->neu.head ? &r->neu : &r->old;
}

static void go_idle(struct fq_flow *f)
{
	f->ent.where = FQ_IDLE;
	if (f->host)
		f->host->refs--;
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
		list_push(&r->old, e, FQ_OLD);
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
	list_push(&r->old, e, FQ_OLD);
	return true;
}

static struct fq_flow *pick_flow(struct fq *q, struct fq_round *r)
{
	struct fq_list *from;
	struct fq_ent *e;

	while ((e = turn(r, q->conf.quantum, &from))) {
		struct fq_flow *f = (struct fq_flow *)e;

		if (f->packets)
			return f;
		if (!pass_turn(r, from, e))
			go_idle(f);
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

		if (f->packets)
			return f;
		due->head = f->ent.next;
		go_idle(f);
	}
	while (q->order.n) {
		struct heap_ent *top = &q->order.a[0];
		struct fq_flow *f = &q->flow[top->id];

		if (!f->packets) {
			go_idle(f);
			vheap_pop(&q->order);
		} else if (f->list.head->seq != top->key) {
			vheap_replace(&q->order, f->list.head->seq, top->id);
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
	return q->host ? pick_by_host(q) : pick_flow(q, &q->root);
}

/* f, as picked, leaves the head of its list. */
static void unlist(struct fq *q, struct fq_flow *f)
{
	struct fq_round *r = f->host ? &f->host->round : &q->root;

	if (q->conf.by_order && f->ent.where == FQ_OLD)
		vheap_pop(&q->order);
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
			list_push(&q->root.neu, h, FQ_NEW);
		} else if (h->where == FQ_ASIDE) {
			list_push(&q->root.due, h, FQ_DUE);
		}
	}
	if (where == FQ_DUE) {
		list_push(&r->due, &f->ent, FQ_DUE);
	} else if (q->conf.by_order) {
		f->ent.where = FQ_OLD;
		vheap_push(&q->order, f->list.head->seq, fq_index(q, f));
	} else {
		list_push(where == FQ_NEW ? &r->neu : &r->old, &f->ent, where);
	}
}

static void open_gates(struct fq *q, uint64_t now)
{
	struct fq_flow *f;

	while ((f = fq_gate_opened(q, now))) {
		if (f->host)
			f->host->aside--;
		if (f->packets) {
			enlist(q, f, FQ_DUE);
		} else {
			fq_gates_leave(f);
			go_idle(f);
		}
	}
}

static struct pkt *fq_head(void *queue, uint64_t now, uint64_t *when)
{
	struct fq *q = queue;
	struct fq_gate *g;
	struct fq_flow *f;
	bool gated = fq_gated(q);

	q->now = now;
	if (q->head && !gated)
		return q->head->list.head; /* nothing has happened since it was found */
	do {
		if (gated)
			open_gates(q, now);
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
	} while (gated && timers_next(&q->timers) <= now);
	*when = gated ? timers_next(&q->timers) : NEVER;
	return NULL;
}

static struct pkt *pop(struct fq *q, struct fq_flow *f)
{
	struct pkt *p = pkt_list_pop(&f->list);

	f->packets--;
	q->packets--;
	q->bytes -= p->len;
	q->backlog[fq_index(q, f)] -= p->len;
	if (p->flags & PKT_FOREIGN)
		f->foreign--;
	return p;
}

struct pkt *fq_lose(struct fq *q, struct fq_flow *f, uint64_t now)
{
	struct pkt *p = pop(q, f);

	q->head = NULL;
	if (!fq_gated(q))
		return p;
	if (f->ent.where == FQ_ASIDE) {
		fq_gates_head_changed(q, f, now);
	} else if (!f->packets) {
		fq_gates_pass(q, f, 0, now);
		fq_gates_leave(f);
	}
	return p;
}

/* A flow that a gate had let through has had its turn (or lost its packet). */
static void after_due(struct fq *q, struct fq_flow *f)
{
	if (f->ent.deficit > 0 && f->packets && !q->conf.by_order)
		return;
	if (f->ent.deficit <= 0)
		f->ent.deficit += q->conf.quantum;
	unlist(q, f);
	if (f->packets || !q->conf.by_order)
		enlist(q, f, FQ_OLD);
	else
		go_idle(f);
}

static struct pkt *fq_take(void *queue, uint64_t now)
{
	struct fq *q = queue;
	struct fq_flow *f = q->head;
	struct pkt *p = pop(q, f);
	uint32_t sent;

	q->head = NULL;
	if (!queue_late(&q->conf, p, now) && q->conf.codel)
		codel_offer(&f->codel, &q->conf, p, now, q->backlog[fq_index(q, f)]);
	sent = p->drop == PKT_KEPT ? p->len : 0;
	if (fq_gated(q)) {
		if (sent || !f->packets)
			fq_gates_pass(q, f, sent, now);
		if (!f->packets)
			fq_gates_leave(f);
	}
	f->ent.deficit -= sent;
	if (f->host) {
		struct fq_ent *h = &f->host->ent;

		h->deficit -= sent;
		if (h->where == FQ_DUE) {
			q->root.due.head = h->next;
			list_push(&q->root.old, h, FQ_OLD);
		}
	}
	if (f->ent.where == FQ_DUE && (sent || !f->packets))
		after_due(q, f);
	return p;
}

static uint32_t longest(const struct fq *q)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < q->n_flows; i++)
		if (q->backlog[i] > q->backlog[best])
			best = i;
	return best;
}

static struct pkt *fq_shed(void *queue)
{
	struct fq *q = queue;

	return q->packets ? fq_lose(q, &q->flow[longest(q)], q->now) : NULL;
}

/* The queue is over its limit: RFC 8290 section 4.1.3, from the head of the longest flow. */
static void drop_longest(struct fq *q, struct pkt_list *dropped)
{
	uint32_t i = longest(q);
	uint64_t half = q->backlog[i] / 2;
	unsigned n = 0;

	do {
		struct pkt *p = fq_lose(q, &q->flow[i], q->now);

		p->drop = PKT_DROP_LIMIT;
		pkt_list_push(dropped, p);
	} while (++n < DROP_BATCH && q->backlog[i] > half);
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
	if (foreign) {
		p->flags |= PKT_FOREIGN;
		f->foreign++;
	}
	pkt_list_push(&f->list, p);
	changed = f->packets++ == 0;
	q->packets++;
	q->bytes += p->len;
	q->backlog[fq_index(q, f)] += p->len;
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

/*
 * Buckets are for flows or inside hosts, so a queue entry must not hold more than one
 * of these: what was one entry for a host becomes a round of its flows.
 */
static void split_hosts(struct queue_conf *conf)
{
	if (!conf->flow_rate && !conf->host_rate)
		return;
	if (conf->isolation == QUEUE_ISO_SRC)
		conf->isolation = QUEUE_ISO_DUAL_SRC;
	if (conf->isolation == QUEUE_ISO_DST)
		conf->isolation = QUEUE_ISO_DUAL_DST;
}

static uint32_t entries(uint32_t flows)
{
	uint32_t n = FQ_WAYS;

	while (n < flows && n < 1u << 20)
		n *= 2;
	return n;
}

static void fq_unmake(void *queue)
{
	struct fq *q = queue;

	free(q->flow);
	free(q->backlog);
	free(q->host);
	free(q->flow_gate);
	free(q->host_gate);
	free(q->flows.mem);
	free(q->hosts.mem);
	free(q->gates.mem);
	timers_fini(&q->timers);
	vheap_fini(&q->order);
	free(q);
}

static bool dual(const struct queue_conf *conf)
{
	return !conf->by_order &&
	       (conf->isolation == QUEUE_ISO_DUAL_SRC || conf->isolation == QUEUE_ISO_DUAL_DST);
}

static int make_gates(struct fq *q, uint32_t n)
{
	if (q->conf.flow_rate && !(q->flow_gate = calloc(n, sizeof(*q->flow_gate))))
		return -1;
	if (q->conf.host_rate) {
		q->host_gate = calloc(n, sizeof(*q->host_gate));
		if (!q->host_gate || fq_table_init(&q->gates, n))
			return -1;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (q->flow_gate)
			q->flow_gate[i].id = i;
		if (q->host_gate)
			q->host_gate[i].id = n + i;
	}
	return timers_init(&q->timers, 2 * n);
}

static void *fq_make(const struct queue_conf *conf)
{
	struct fq *q = calloc(1, sizeof(*q));
	uint32_t n = entries(conf->flows);
	bool ok;

	if (!q)
		return NULL;
	q->conf = *conf;
	split_hosts(&q->conf);
	q->n_flows = n;
	q->flow = calloc(n, sizeof(*q->flow));
	q->backlog = calloc(n, sizeof(*q->backlog));
	ok = q->flow && q->backlog && !fq_table_init(&q->flows, n);
	if (ok && dual(&q->conf)) {
		q->host = calloc(n, sizeof(*q->host));
		ok = q->host && !fq_table_init(&q->hosts, n);
	}
	if (ok && fq_gated(q))
		ok = !make_gates(q, n);
	if (ok && conf->by_order)
		ok = !vheap_init(&q->order, n);
	if (ok)
		return q;
	fq_unmake(q);
	return NULL;
}

static size_t fq_memory(const struct queue_conf *conf)
{
	size_t n = entries(conf->flows);
	size_t each = sizeof(struct fq_flow) + 2 * sizeof(uint64_t);
	struct queue_conf c = *conf;

	split_hosts(&c);
	if (dual(&c))
		each += sizeof(struct fq_host) + sizeof(uint64_t);
	if (conf->flow_rate)
		each += sizeof(struct fq_gate);
	if (conf->host_rate)
		each += sizeof(struct fq_gate) + sizeof(uint64_t);
	if (conf->flow_rate || conf->host_rate)
		each += 2 * (sizeof(struct heap_ent) + sizeof(uint32_t));
	if (conf->by_order)
		each += sizeof(struct heap_ent);
	return sizeof(struct fq) + n * each;
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
