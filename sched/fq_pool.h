/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fq queues of a link know of their flows is in one pool: chunks of 128 bytes, taken
 * when a packet comes and given back when it does not matter any more. A queue without
 * packets has none of them in the end, and a link that is idle has touched none.
 *
 * How many chunks there are is said when the pool is made, by what its queues are (struct
 * fq_need), so that no packet ever waits for memory: flows with packets are at most as many
 * as packets may wait on the link, and all others can be forgotten; but where flows have
 * buckets (flow-max, host-max), which must not be forgotten, all entries of a queue's tables
 * have a place. A quarter more is there for what need not be known and is known: see
 * fq_rest.c for how long, and for what happens when there is no room for it.
 *
 * A chunk has a number, 1.. (0: none). Free ones are taken before those that were never used.
 */
#ifndef WEIR_SCHED_FQ_POOL_H
#define WEIR_SCHED_FQ_POOL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FQ_CHUNK 128u
/* What the tables of one queue take at most for one packet. */
#define FQ_RESERVE 96u

struct fq;
struct queue_conf;

/* Whose is a chunk: for those who look at all of them (fq_rest.c). */
enum fq_kind { FQ_FREE, FQ_PART, FQ_FLOW, FQ_HOST, FQ_GATE };

struct fq_pool {
	char *mem;
	uint8_t *kind; /* of each chunk */
	uint32_t size; /* chunks, number 0 included */
	uint32_t free, n_free;
	uint32_t fresh; /* the first that was never used */
	uint32_t used;
	uint32_t hand; /* the chunk that is looked at next */
	struct fq **queue;
	uint32_t n_queue, room;
	uint64_t forgotten; /* flows whose state would still have mattered */
};

/* What the queues of a link need together, in chunks. All zero: there are none. */
struct fq_need {
	/* of queues without buckets, if all their tables were full */
	uint64_t flows, hosts, flow_sets, host_sets, pages;
	uint64_t gated; /* all that those with buckets may need */
	uint32_t queues;
};
/* Adds what a queue of this configuration may need. */
void fq_need_add(struct fq_need *n, const struct queue_conf *conf);
/* Bytes of the pool for them, if at most `packets` wait at once. */
size_t fq_pool_memory(const struct fq_need *n, uint64_t packets);
/* NULL: no memory. */
struct fq_pool *fq_pool_new(const struct fq_need *n, uint64_t packets);
void fq_pool_free(struct fq_pool *pool);

static inline void *fq_chunk(const struct fq_pool *pool, uint32_t i)
{
	return pool->mem + (size_t)i * FQ_CHUNK;
}

static inline uint32_t fq_chunk_of(const struct fq_pool *pool, const void *chunk)
{
	return (uint32_t)((size_t)((const char *)chunk - pool->mem) / FQ_CHUNK);
}

/* Chunks that can be had at once. */
static inline uint32_t fq_pool_left(const struct fq_pool *pool)
{
	return pool->n_free + (pool->size - pool->fresh);
}

/* A chunk, all zero. There is one: see fq_pool_reserve() in fq.h. */
uint32_t fq_pool_get(struct fq_pool *pool, enum fq_kind kind);
void fq_pool_put(struct fq_pool *pool, uint32_t i);

/*
 * A sparse array of chunks by number 0..size-1, which takes chunks of the pool itself: none as
 * long as few are in it, else a tree of pages with 32 numbers in each.
 */
struct fq_map {
	uint32_t n;	/* in it */
	uint8_t depth;	/* of the tree: levels of pages */
	bool tree;	/* else `at` is up to four numbers, in order, and their chunks */
	uint32_t at[8]; /* the tree's uppermost level */
};

#define FQ_FEW 4u
#define FQ_PAGE 32u
#define FQ_PAGE_BITS 5u

void fq_map_init(struct fq_map *m, uint32_t size);
/* Pages for a map of this size, at most. */
uint64_t fq_map_pages(uint32_t size);
void fq_map_put(struct fq_pool *pool, struct fq_map *m, uint32_t i, uint32_t chunk);
void fq_map_del(struct fq_pool *pool, struct fq_map *m, uint32_t i);
/* The first number from i on that is in it; UINT32_MAX: none. */
uint32_t fq_map_next(const struct fq_pool *pool, const struct fq_map *m, uint32_t i);

static inline uint32_t fq_map_get(const struct fq_pool *pool, const struct fq_map *m,
				  uint32_t i)
{
	uint32_t c;

	if (!m->tree) {
		for (uint32_t k = 0; k < FQ_FEW; k++)
			if (m->at[k] == i)
				return m->at[FQ_FEW + k];
		return 0;
	}
	c = m->at[i >> (m->depth * FQ_PAGE_BITS)];
	for (uint32_t d = m->depth; d-- > 0 && c;)
		c = ((const uint32_t *)fq_chunk(pool,
						c))[i >> (d * FQ_PAGE_BITS) & (FQ_PAGE - 1)];
	return c;
}

#endif
