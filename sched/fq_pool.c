/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "sched/fq.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A table of `entries`, each a chunk, and all that leads to them. */
static uint64_t whole_table(uint32_t entries)
{
	uint32_t sets = entries / FQ_WAYS;

	return entries + sets + fq_map_pages(sets);
}

static uint64_t whole_heap(uint32_t entries)
{
	uint32_t pages = entries / FQ_HEAP_PAGE + 1;

	return pages + fq_map_pages(pages);
}

void fq_need_add(struct fq_need *n, const struct queue_conf *conf)
{
	struct queue_conf c = fq_conf(conf);
	uint32_t entries = fq_entries(c.flows), sets = entries / FQ_WAYS;
	bool dual = fq_dual(&c);

	n->queues++;
	if (!c.flow_rate && !c.host_rate) {
		n->flows += entries;
		n->flow_sets += sets;
		n->pages += fq_map_pages(sets);
		if (dual) {
			n->hosts += entries;
			n->host_sets += sets;
			n->pages += fq_map_pages(sets);
		}
		return;
	}
	n->gated += whole_table(entries) + whole_heap(entries);
	if (dual)
		n->gated += whole_table(entries);
	if (c.flow_rate)
		n->gated += entries;
	if (c.host_rate)
		n->gated += whole_table(entries);
	if (c.by_order)
		n->gated += whole_heap(entries);
}

static uint64_t chunks(const struct fq_need *n, uint64_t packets)
{
	uint64_t sum = n->gated;

	if (!n->queues)
		return 0;
	sum += least(n->flows, packets) + least(n->flow_sets, packets);
	sum += least(n->hosts, packets) + least(n->host_sets, packets);
	/* at most three levels of them lead to a set */
	sum += least(n->pages, 6 * packets);
	sum += sum / 4 + 2 * FQ_RESERVE + 1;
	return sum < UINT32_MAX ? sum : UINT32_MAX;
}

size_t fq_pool_memory(const struct fq_need *n, uint64_t packets)
{
	return chunks(n, packets) * (FQ_CHUNK + sizeof(uint8_t)) +
	       (n->queues ? sizeof(struct fq_pool) + n->queues * sizeof(struct fq *) : 0);
}

struct fq_pool *fq_pool_new(const struct fq_need *n, uint64_t packets)
{
	struct fq_pool *pool = calloc(1, sizeof(*pool));
	uint64_t size = chunks(n, packets);

	assert(size); /* there are queues */
	if (!pool || size > SIZE_MAX / FQ_CHUNK)
		goto no_memory;
	pool->size = (uint32_t)size;
	pool->fresh = pool->hand = 1;
	pool->room = n->queues;
	/* not calloc(): what is never taken is never touched */
	pool->mem = aligned_alloc(FQ_CHUNK, (size_t)size * FQ_CHUNK);
	pool->kind = malloc((size_t)size);
	pool->queue = calloc(pool->room, sizeof(struct fq *));
	if (pool->mem && pool->kind && pool->queue)
		return pool;
no_memory:
	fq_pool_free(pool);
	return NULL;
}

void fq_pool_free(struct fq_pool *pool)
{
	if (!pool)
		return;
	free(pool->mem);
	free(pool->kind);
	free(pool->queue);
	free(pool);
}

uint32_t fq_pool_get(struct fq_pool *pool, enum fq_kind kind)
{
	uint32_t i = pool->free;

	if (i) {
		memcpy(&pool->free, fq_chunk(pool, i), sizeof(pool->free));
		pool->n_free--;
	} else {
		assert(pool->fresh < pool->size);
		i = pool->fresh++;
	}
	memset(fq_chunk(pool, i), 0, FQ_CHUNK);
	pool->kind[i] = (uint8_t)kind;
	pool->used++;
	return i;
}

void fq_pool_put(struct fq_pool *pool, uint32_t i)
{
	assert(i && pool->kind[i] != FQ_FREE);
	pool->kind[i] = FQ_FREE;
	memcpy(fq_chunk(pool, i), &pool->free, sizeof(pool->free));
	pool->free = i;
	pool->n_free++;
	pool->used--;
}
