/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two min-heaps of (key, id), both 4-ary with the four children of an entry in one
 * cache line.
 *
 * struct vheap  only the top can be removed or replaced.
 * struct timers every id knows its place, so that its key can be moved and it can be
 *               removed.
 *
 * Behind the last entry stand four with the largest key, so that the smallest of four
 * is found without asking how many there are, and without a branch on keys, which no
 * processor predicts.
 *
 * Keys are below UINT64_MAX. Ids are 0..n-1, each at most once in a heap. Memory is
 * taken by init.
 */
#ifndef WEIR_SCHED_HEAP_H
#define WEIR_SCHED_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/bucket.h"

struct heap_ent {
	uint64_t key;
	uint32_t id;
	uint32_t spare;
};

struct vheap {
	struct heap_ent *a; /* a[1] begins a cache line */
	uint32_t n;
	void *mem;
};

/* Room for ids 0..size-1. 0, or -1: no memory. */
int vheap_init(struct vheap *h, uint32_t size);
void vheap_fini(struct vheap *h);

/* The place of the smallest of the four from i on. */
static inline uint32_t heap_min4(const struct heap_ent *a, uint32_t i)
{
	uint64_t k0 = a[i].key, k1 = a[i + 1].key, k2 = a[i + 2].key, k3 = a[i + 3].key;
	uint32_t l = k1 < k0, r = k3 < k2;
	uint64_t left = k1 < k0 ? k1 : k0, right = k3 < k2 ? k3 : k2;
	uint32_t take = -(uint32_t)(right < left);

	return i + ((l & ~take) | ((2 + r) & take));
}

/* Puts an entry in place of the top and lets it sink. The heap is not empty. */
static inline void vheap_replace(struct vheap *h, uint64_t key, uint32_t id)
{
	struct heap_ent *a = h->a;
	uint32_t n = h->n, i = 0, c;

	for (c = 1; c < n; c = 4 * i + 1) {
		c = heap_min4(a, c);
		if (a[c].key >= key)
			break;
		a[i] = a[c];
		i = c;
	}
	a[i].key = key;
	a[i].id = id;
}

static inline void vheap_push(struct vheap *h, uint64_t key, uint32_t id)
{
	struct heap_ent *a = h->a;
	uint32_t i = h->n++, up;

	while (i > 0) {
		up = (i - 1) / 4;
		if (a[up].key <= key)
			break;
		a[i] = a[up];
		i = up;
	}
	a[i].key = key;
	a[i].id = id;
}

/* Removes the top. */
static inline void vheap_pop(struct vheap *h)
{
	struct heap_ent *last = &h->a[--h->n], e = *last;

	last->key = UINT64_MAX;
	if (h->n)
		vheap_replace(h, e.key, e.id);
}

struct timers {
	struct heap_ent *a;
	uint32_t *at; /* place of an id plus one; 0: not in */
	uint32_t n;
	void *mem;
};

int timers_init(struct timers *t, uint32_t size);
void timers_fini(struct timers *t);
/* Puts id in at this time, or moves it to it. */
void timers_set(struct timers *t, uint32_t id, uint64_t when);
/* Takes id out; nothing happens when it is not in. */
void timers_del(struct timers *t, uint32_t id);

static inline bool timers_has(const struct timers *t, uint32_t id)
{
	return t->at[id] != 0;
}

/* The earliest time, NEVER when there is none. */
static inline uint64_t timers_next(const struct timers *t)
{
	return t->n ? t->a[0].key : NEVER;
}

#endif
