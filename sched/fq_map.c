/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sched/fq_pool.h"

#define NO_NUMBER UINT32_MAX

static void clear(struct fq_map *m, bool tree)
{
	m->tree = tree;
	for (uint32_t k = 0; k < 2 * FQ_FEW; k++)
		m->at[k] = tree || k >= FQ_FEW ? 0 : NO_NUMBER;
}

void fq_map_init(struct fq_map *m, uint32_t size)
{
	*m = (struct fq_map){0};
	while (size > (uint64_t)8 << (m->depth * FQ_PAGE_BITS))
		m->depth++;
	clear(m, !m->depth);
}

uint64_t fq_map_pages(uint32_t size)
{
	uint64_t n = 0;

	for (uint64_t level = size; level > 8;) {
		level = (level + FQ_PAGE - 1) / FQ_PAGE;
		n += level;
	}
	return n;
}

static uint32_t *page(const struct fq_pool *pool, uint32_t i)
{
	return fq_chunk(pool, i);
}

/* Where a number's chunk stands in the tree. make: the pages on the way to it are made. */
static uint32_t *place(struct fq_pool *pool, struct fq_map *m, uint32_t i)
{
	uint32_t *at = &m->at[i >> (m->depth * FQ_PAGE_BITS)];

	for (uint32_t d = m->depth; d-- > 0;) {
		if (!*at)
			*at = fq_pool_get(pool, FQ_PART);
		at = &page(pool, *at)[i >> (d * FQ_PAGE_BITS) & (FQ_PAGE - 1)];
	}
	return at;
}

static void grow(struct fq_pool *pool, struct fq_map *m)
{
	struct fq_map few = *m;

	clear(m, true);
	for (uint32_t k = 0; k < few.n; k++)
		*place(pool, m, few.at[k]) = few.at[FQ_FEW + k];
}

static void insert_few(struct fq_map *m, uint32_t i, uint32_t chunk)
{
	uint32_t k = m->n++;

	for (; k > 0 && m->at[k - 1] > i; k--) {
		m->at[k] = m->at[k - 1];
		m->at[FQ_FEW + k] = m->at[FQ_FEW + k - 1];
	}
	m->at[k] = i;
	m->at[FQ_FEW + k] = chunk;
}

void fq_map_put(struct fq_pool *pool, struct fq_map *m, uint32_t i, uint32_t chunk)
{
	if (!m->tree && m->n == FQ_FEW)
		grow(pool, m);
	if (!m->tree) {
		insert_few(m, i, chunk);
		return;
	}
	*place(pool, m, i) = chunk;
	m->n++;
}

static bool empty(const uint32_t *p)
{
	for (uint32_t k = 0; k < FQ_PAGE; k++)
		if (p[k])
			return false;
	return true;
}

/* Takes a number out of the part of the tree at *at, and pages that are empty then. */
static void prune(struct fq_pool *pool, uint32_t *at, uint32_t depth, uint32_t i)
{
	if (!depth) {
		*at = 0;
		return;
	}
	prune(pool, &page(pool, *at)[i >> ((depth - 1) * FQ_PAGE_BITS) & (FQ_PAGE - 1)],
	      depth - 1, i);
	if (empty(page(pool, *at))) {
		fq_pool_put(pool, *at);
		*at = 0;
	}
}

static void prune_map(struct fq_pool *pool, struct fq_map *m, uint32_t i)
{
	prune(pool, &m->at[i >> (m->depth * FQ_PAGE_BITS)], m->depth, i);
}

/* Half of what makes it a tree, so that it does not become one, and none, at each change. */
static void shrink(struct fq_pool *pool, struct fq_map *m)
{
	struct fq_map few = {.depth = m->depth};
	uint32_t i = 0;

	clear(&few, false);
	while ((i = fq_map_next(pool, m, i)) != NO_NUMBER) {
		insert_few(&few, i, fq_map_get(pool, m, i));
		prune_map(pool, m, i);
	}
	*m = few;
}

void fq_map_del(struct fq_pool *pool, struct fq_map *m, uint32_t i)
{
	uint32_t k = 0;

	m->n--;
	if (m->tree) {
		prune_map(pool, m, i);
		if (m->depth && m->n == FQ_FEW / 2)
			shrink(pool, m);
		return;
	}
	while (m->at[k] != i)
		k++;
	for (; k < m->n; k++) {
		m->at[k] = m->at[k + 1];
		m->at[FQ_FEW + k] = m->at[FQ_FEW + k + 1];
	}
	m->at[k] = NO_NUMBER;
	m->at[FQ_FEW + k] = 0;
}

static uint32_t next_in(const struct fq_pool *pool, const uint32_t *at, uint32_t n,
			uint32_t depth, uint32_t i)
{
	uint32_t bits = depth * FQ_PAGE_BITS, found;

	for (uint32_t k = i >> bits; k < n; k++, i = k << bits) {
		if (!at[k])
			continue;
		if (!depth)
			return i;
		found = next_in(pool, page(pool, at[k]), FQ_PAGE, depth - 1,
				i & ((1u << bits) - 1));
		if (found != NO_NUMBER)
			return (k << bits) + found;
	}
	return NO_NUMBER;
}

uint32_t fq_map_next(const struct fq_pool *pool, const struct fq_map *m, uint32_t i)
{
	if (m->tree)
		return next_in(pool, m->at, 2 * FQ_FEW, m->depth, i);
	for (uint32_t k = 0; k < m->n; k++)
		if (m->at[k] >= i)
			return m->at[k];
	return NO_NUMBER;
}
