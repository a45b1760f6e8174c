/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First in, first out among classes: the child whose next packet came first goes
 * first. What its classes do to the order within them is theirs.
 */
#include <stdlib.h>

#include "sched/heap.h"
#include "sched/sched.h"

struct fifo {
	struct sched_child *child;
	struct timers by_seq; /* of those IN; keys are orders of arrival, not times */
};

static void fifo_unmake(void *s)
{
	struct fifo *f = s;

	timers_fini(&f->by_seq);
	free(f);
}

static void *fifo_make(struct sched_child *child, uint32_t n, uint32_t mtu)
{
	struct fifo *f = calloc(1, sizeof(*f));

	(void)mtu;
	if (!f)
		return NULL;
	f->child = child;
	if (timers_init(&f->by_seq, n)) {
		free(f);
		return NULL;
	}
	return f;
}

static void fifo_enter(void *s, uint32_t c)
{
	struct fifo *f = s;

	timers_set(&f->by_seq, c, f->child[c].seq);
}

static void fifo_leave(void *s, uint32_t c)
{
	struct fifo *f = s;

	timers_del(&f->by_seq, c);
}

static uint32_t fifo_peek(void *s)
{
	struct fifo *f = s;

	return f->by_seq.n ? f->by_seq.a[0].id : SCHED_NONE;
}

static bool fifo_confirm(void *s, uint32_t c)
{
	struct fifo *f = s;

	fifo_enter(s, c);
	return f->by_seq.a[0].id == c;
}

static void fifo_charge(void *s, uint32_t c, uint32_t len, bool more)
{
	(void)len;
	if (more)
		fifo_enter(s, c);
	else
		fifo_leave(s, c);
}

static size_t fifo_memory(uint32_t n)
{
	return sizeof(struct fifo) + ((size_t)n + 8) * sizeof(struct heap_ent) +
	       n * sizeof(uint32_t);
}

const struct sched_ops sched_fifo = {
	.name = "fifo",
	.make = fifo_make,
	.unmake = fifo_unmake,
	.activate = fifo_enter,
	.remove = fifo_leave,
	.peek = fifo_peek,
	.confirm = fifo_confirm,
	.hold = fifo_leave,
	.resume = fifo_enter,
	.charge = fifo_charge,
	.memory = fifo_memory,
};
