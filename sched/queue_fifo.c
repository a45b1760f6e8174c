/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First in, first out; what finds the queue full is dropped. */
#include <stdlib.h>

#include "sched/queue.h"

struct fifo {
	struct pkt_list list;
	uint64_t bytes;
	uint32_t packets;
	struct queue_conf conf;
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
	.memory = fifo_memory,
};
