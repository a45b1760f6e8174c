/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "sched/heap.h"

#define LINE 64

/* Room for `size` entries and four more behind them, all with the largest key, placed so that
 * entry 1 begins a cache line. */
static struct heap_ent *entries(uint32_t size, void **mem)
{
	size_t bytes = ((size_t)size + 8) * sizeof(struct heap_ent);
	struct heap_ent *a;

	*mem = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
	if (!*mem)
		return NULL;
	a = (struct heap_ent *)*mem + LINE / sizeof(struct heap_ent) - 1;
	for (uint32_t i = 0; i < size + 4; i++)
		a[i].key = UINT64_MAX;
	return a;
}

int vheap_init(struct vheap *h, uint32_t size)
{
	h->n = 0;
	h->a = entries(size, &h->mem);
	if (!h->a)
		return -1;
	return 0;
}

void vheap_fini(struct vheap *h)
{
	free(h->mem);
	*h = (struct vheap){0};
}

int timers_init(struct timers *t, uint32_t size)
{
	*t = (struct timers){0};
	t->at = calloc(size, sizeof(*t->at));
	t->a = entries(size, &t->mem);
	if (t->a && t->at)
		return 0;
	timers_fini(t);
	return -1;
}

void timers_fini(struct timers *t)
{
	free(t->at);
	free(t->mem);
	*t = (struct timers){0};
}

static inline void place(struct timers *t, uint32_t i, struct heap_ent e)
{
	t->a[i] = e;
	t->at[e.id] = i + 1;
}

static void rise(struct timers *t, uint32_t i, struct heap_ent e)
{
	while (i > 0 && e.key < t->a[(i - 1) / 4].key) {
		place(t, i, t->a[(i - 1) / 4]);
		i = (i - 1) / 4;
	}
	place(t, i, e);
}

static void sink(struct timers *t, uint32_t i, struct heap_ent e)
{
	uint32_t c;

	for (c = 4 * i + 1; c < t->n; c = 4 * i + 1) {
		c = heap_min4(t->a, c);
		if (t->a[c].key >= e.key)
			break;
		place(t, i, t->a[c]);
		i = c;
	}
	place(t, i, e);
}

/* Puts e at place i, whose neighbours may be on either side of it. */
static void settle(struct timers *t, uint32_t i, struct heap_ent e)
{
	if (i > 0 && e.key < t->a[(i - 1) / 4].key)
		rise(t, i, e);
	else
		sink(t, i, e);
}

void timers_set(struct timers *t, uint32_t id, uint64_t when)
{
	struct heap_ent e = {.key = when, .id = id};

	if (!t->at[id])
		rise(t, t->n++, e);
	else if (t->a[t->at[id] - 1].key != when)
		settle(t, t->at[id] - 1, e);
}

void timers_del(struct timers *t, uint32_t id)
{
	uint32_t i = t->at[id];
	struct heap_ent last;

	if (!i)
		return;
	t->at[id] = 0;
	last = t->a[--t->n];
	t->a[t->n].key = UINT64_MAX;
	if (i - 1 < t->n)
		settle(t, i - 1, last);
}
