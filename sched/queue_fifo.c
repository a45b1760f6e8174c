/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First in, first out, and what finds the queue full is dropped: plain (queue_fifo), or
 * with CoDel (RFC 8289, codel.h) deciding on each packet whose turn has come (queue_codel).
 */
#include <stdlib.h>

#include "sched/codel.h"

struct fifo {
	struct pkt_list list;
	uint64_t bytes;
	uint32_t packets;
	struct queue_conf conf;
	struct codel codel; /* queue_codel's */
};

static void *fifo_make(const struct queue_conf *conf)
{
	struct fifo *f = calloc(1, sizeof(*f));

	if (f)
		f->conf = *conf;
	return f;
}

static bool fifo_enqueue(void *q, struct pkt *p, uint64_t now, struct pkt_list *dropped)
{
	struct fifo *f = q;

	(void)now;
	if (f->packets >= f->conf.limit_packets || f->bytes + p->len > f->conf.limit_bytes) {
		p->drop = PKT_DROP_LIMIT;
		pkt_list_push(dropped, p);
		return false;
	}
	pkt_list_push(&f->list, p);
	f->bytes += p->len;
	return f->packets++ == 0;
}

static struct pkt *fifo_head(void *q, uint64_t now, uint64_t *when)
{
	struct fifo *f = q;

	(void)now;
	if (!f->list.head)
		*when = NEVER;
	return f->list.head;
}

static struct pkt *fifo_shed(void *q)
{
	struct fifo *f = q;
	struct pkt *p = pkt_list_pop(&f->list);

	if (p) {
		f->packets--;
		f->bytes -= p->len;
	}
	return p;
}

static struct pkt *fifo_take(void *q, uint64_t now)
{
	struct fifo *f = q;
	struct pkt *p = fifo_shed(q);

	queue_late(&f->conf, p, now);
	return p;
}

static struct pkt *codel_take(void *q, uint64_t now)
{
	struct fifo *f = q;
	struct pkt *p = fifo_shed(q);

	if (!queue_late(&f->conf, p, now))
		codel_offer(&f->codel, &f->conf, p, now, f->bytes);
	return p;
}

static void inherit_codel(void *q, const void *from, uint64_t now)
{
	struct fifo *f = q;
	const struct fifo *was = from;

	(void)now;
	codel_inherit(&f->codel, &f->conf, &was->codel, &was->conf);
}

static size_t fifo_memory(const struct queue_conf *conf)
{
	(void)conf;
	return sizeof(struct fifo);
}

const struct queue_ops queue_fifo = {
	.name = "fifo",
	.make = fifo_make,
	.unmake = free,
	.enqueue = fifo_enqueue,
	.head = fifo_head,
	.take = fifo_take,
	.shed = fifo_shed,
	.withdraw = fifo_shed,
	.memory = fifo_memory,
};

const struct queue_ops queue_codel = {
	.name = "codel",
	.make = fifo_make,
	.unmake = free,
	.enqueue = fifo_enqueue,
	.head = fifo_head,
	.take = codel_take,
	.shed = fifo_shed,
	.withdraw = fifo_shed,
	.memory = fifo_memory,
	.inherit = inherit_codel,
};
