/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sched/fq.h"

void fq_heap_init(struct fq_heap *h, uint32_t size)
{
	*h = (struct fq_heap){0};
	fq_map_init(&h->pages, size / FQ_HEAP_PAGE + 1);
}

void fq_heap_room(struct fq_pool *pool, struct fq_heap *h, uint32_t n)
{
	while (h->room < n) {
		fq_map_put(pool, &h->pages, h->room / FQ_HEAP_PAGE, fq_pool_get(pool, FQ_PART));
		h->room += FQ_HEAP_PAGE;
	}
	/* a page more, so that none comes and goes at each change */
	while (n ? h->room >= n + 2 * FQ_HEAP_PAGE : h->room > 0) {
		uint32_t last = (h->room -= FQ_HEAP_PAGE) / FQ_HEAP_PAGE;
		uint32_t chunk = fq_map_get(pool, &h->pages, last);

		fq_map_del(pool, &h->pages, last);
		fq_pool_put(pool, chunk);
	}
}

struct fq_heap_ent *fq_heap_at(const struct fq_pool *pool, const struct fq_heap *h, uint32_t i)
{
	struct fq_heap_ent *page =
		fq_chunk(pool, fq_map_get(pool, &h->pages, i / FQ_HEAP_PAGE));

	return &page[i % FQ_HEAP_PAGE];
}

static void put(const struct fq_pool *pool, struct fq_heap *h, uint32_t i, struct fq_heap_ent e)
{
	*fq_heap_at(pool, h, i) = e;
	*e.place = i + 1;
}

static void rise(const struct fq_pool *pool, struct fq_heap *h, uint32_t i,
		 struct fq_heap_ent e)
{
	while (i > 0) {
		struct fq_heap_ent up = *fq_heap_at(pool, h, (i - 1) / 4);

		if (e.key >= up.key)
			break;
		put(pool, h, i, up);
		i = (i - 1) / 4;
	}
	put(pool, h, i, e);
}

/* Of four from i on, as far as there are so many: the first of those with the least key. */
static uint32_t min4(const struct fq_pool *pool, const struct fq_heap *h, uint32_t i)
{
	uint32_t best = i;

	for (uint32_t k = i + 1; k < i + 4 && k < h->n; k++)
		if (fq_heap_at(pool, h, k)->key < fq_heap_at(pool, h, best)->key)
			best = k;
	return best;
}

static void sink(const struct fq_pool *pool, struct fq_heap *h, uint32_t i,
		 struct fq_heap_ent e)
{
	for (uint32_t c = 4 * i + 1; c < h->n; c = 4 * i + 1) {
		struct fq_heap_ent down;

		c = min4(pool, h, c);
		down = *fq_heap_at(pool, h, c);
		if (down.key >= e.key)
			break;
		put(pool, h, i, down);
		i = c;
	}
	put(pool, h, i, e);
}

/* Puts e at place i, whose neighbours may be on either side of it. */
static void settle(const struct fq_pool *pool, struct fq_heap *h, uint32_t i,
		   struct fq_heap_ent e)
{
	if (i > 0 && e.key < fq_heap_at(pool, h, (i - 1) / 4)->key)
		rise(pool, h, i, e);
	else
		sink(pool, h, i, e);
}

void fq_heap_set(struct fq_pool *pool, struct fq_heap *h, uint32_t *place, uint64_t key)
{
	struct fq_heap_ent e = {.key = key, .place = place};

	if (!*place)
		rise(pool, h, h->n++, e);
	else if (fq_heap_at(pool, h, *place - 1)->key != key)
		settle(pool, h, *place - 1, e);
}

void fq_heap_del(struct fq_pool *pool, struct fq_heap *h, uint32_t *place)
{
	uint32_t i = *place;
	struct fq_heap_ent last;

	if (!i)
		return;
	*place = 0;
	last = *fq_heap_at(pool, h, --h->n);
	if (i - 1 < h->n)
		settle(pool, h, i - 1, last);
}
