/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One queue under CoDel (RFC 8289, codel.h); what finds it full is dropped. */
#include <stdlib.h>

#include "sched/codel.h"

struct codel_queue {
	struct pkt_list list;
	uint64_t bytes;
	uint32_t packets;
	struct codel codel;
	struct queue_conf conf;
};

static void *codel_make(const struct queue_conf *conf)
{
	struct codel_queue *c = calloc(1, sizeof(*c));

	if (c)
		c->conf = *conf;
	return c;
}

static bool codel_enqueue(void *q, struct pkt *p, uint64_t now, struct pkt_list *dropped)
{
	struct codel_queue *c = q;

	(void)now;
	if (c->packets >= c->conf.limit_packets || c->bytes + p->len > c->conf.limit_bytes) {
		p->drop = PKT_DROP_LIMIT;
		pkt_list_push(dropped, p);
		return false;
	}
	pkt_list_push(&c->list, p);
	c->bytes += p->len;
	return c->packets++ == 0;
}

static struct pkt *codel_head(void *q, uint64_t now, uint64_t *when)
{
	struct codel_queue *c = q;

	(void)now;
	if (!c->list.head)
		*when = NEVER;
	return c->list.head;
}

static struct pkt *codel_shed(void *q)
{
	struct codel_queue *c = q;
	struct pkt *p = pkt_list_pop(&c->list);

	if (p) {
		c->packets--;
		c->bytes -= p->len;
	}
	return p;
}

static struct pkt *codel_take(void *q, uint64_t now)
{
	struct codel_queue *c = q;
	struct pkt *p = codel_shed(q);

	if (!queue_late(&c->conf, p, now))
		codel_offer(&c->codel, &c->conf, p, now, c->bytes);
	return p;
}

static size_t codel_memory(const struct queue_conf *conf)
{
	(void)conf;
	return sizeof(struct codel_queue);
}

const struct queue_ops queue_codel = {
	.name = "codel",
	.make = codel_make,
	.unmake = free,
	.enqueue = codel_enqueue,
	.head = codel_head,
	.take = codel_take,
	.shed = codel_shed,
	.memory = codel_memory,
};
