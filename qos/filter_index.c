/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index: for each field that keys ask for (a column) the values that they ask for, in one
 * hash table for all columns, and for each value the numbers of the filters, as a list. One
 * more list has those that are always candidates.
 *
 * Whoever sends packets chooses what is looked up, but not what is in the table: that is the
 * policy's.
 */
#include "qos/filter_index.h"

#include <stdlib.h>
#include <string.h>

#define NO_ITEM 0 /* items count from 1 */

struct column {
	uint16_t off;
	uint8_t size;
	bool l4;
	uint32_t mask;
};

struct list {
	uint32_t first, last; /* items */
};

struct slot {
	uint32_t value;
	uint32_t column; /* 1 + its number; 0: free */
	struct list list;
};

struct item {
	uint32_t number, next;
};

struct filter_index {
	struct column col[FILTER_COLUMNS_MAX];
	unsigned n_col;
	struct slot *slot; /* 1 << bits of them, at most half of them used */
	unsigned bits;
	size_t used;
	struct item *item;
	size_t n_item, cap;
	struct list always;
};

struct filter_index *filter_index_new(void)
{
	struct filter_index *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->bits = 5;
	x->n_item = NO_ITEM + 1;
	x->slot = calloc((size_t)1 << x->bits, sizeof(*x->slot));
	if (x->slot)
		return x;
	free(x);
	return NULL;
}

void filter_index_free(struct filter_index *x)
{
	if (!x)
		return;
	free(x->slot);
	free(x->item);
	free(x);
}

/* Its slot, or the free one where it would be. */
static struct slot *find(const struct filter_index *x, uint32_t column, uint32_t value)
{
	uint64_t hash = ((uint64_t)column << 32 | value) * 0x9e3779b97f4a7c15u;
	size_t mask = ((size_t)1 << x->bits) - 1, i = (size_t)(hash >> (64 - x->bits));

	while (x->slot[i].column &&
	       (x->slot[i].column != column + 1 || x->slot[i].value != value))
		i = (i + 1) & mask;
	return &x->slot[i];
}

static bool grow(struct filter_index *x)
{
	struct slot *old = x->slot;
	size_t n = (size_t)1 << x->bits;

	x->slot = calloc(2 * n, sizeof(*x->slot));
	if (!x->slot) {
		x->slot = old;
		return false;
	}
	x->bits++;
	for (size_t i = 0; i < n; i++)
		if (old[i].column)
			*find(x, old[i].column - 1, old[i].value) = old[i];
	free(old);
	return true;
}

static bool append(struct filter_index *x, struct list *l, uint32_t number)
{
	uint32_t item = (uint32_t)x->n_item;

	if (l->last && x->item[l->last].number == number)
		return true; /* by another filter of its list */
	if (x->n_item >= x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 64;
		struct item *more = realloc(x->item, cap * sizeof(*more));

		if (!more)
			return false;
		x->item = more;
		x->cap = cap;
	}
	x->item[x->n_item++] = (struct item){number, NO_ITEM};
	if (l->last)
		x->item[l->last].next = item;
	else
		l->first = item;
	l->last = item;
	return true;
}

/* Its number; FILTER_COLUMNS_MAX: there is no room for it. */
static uint32_t column_of(struct filter_index *x, const struct filter_key *k)
{
	const struct column c = {k->off, k->size, k->l4, k->mask};
	uint32_t i = 0;

	while (i < x->n_col && (x->col[i].off != c.off || x->col[i].size != c.size ||
				x->col[i].l4 != c.l4 || x->col[i].mask != c.mask))
		i++;
	if (i == x->n_col && i < FILTER_COLUMNS_MAX)
		x->col[x->n_col++] = c;
	return i;
}

static bool add_key(struct filter_index *x, const struct filter_key *k, uint32_t number)
{
	uint32_t column = column_of(x, k);
	struct slot *s;

	if (column == FILTER_COLUMNS_MAX)
		return filter_index_always(x, number);
	if (2 * (x->used + 1) > (size_t)1 << x->bits && !grow(x))
		return false;
	s = find(x, column, k->value);
	if (!s->column) {
		*s = (struct slot){.value = k->value, .column = column + 1};
		x->used++;
	}
	return append(x, &s->list, number);
}

bool filter_index_always(struct filter_index *x, uint32_t number)
{
	return append(x, &x->always, number);
}

bool filter_index_add(struct filter_index *x, const struct filter_list *l, uint32_t number)
{
	struct filter_key keys[FILTER_KEYS_MAX];
	bool good = l->n || filter_index_always(x, number);

	for (size_t i = 0; i < l->n && good; i++) {
		int n = filter_keys(&l->v[i], keys);

		if (n < 0)
			good = filter_index_always(x, number);
		for (int k = 0; k < n && good; k++)
			good = add_key(x, &keys[k], number);
	}
	return good;
}

/* As bpf_filter() would load it. false: the packet has no such bytes. */
static bool value_of(const struct column *c, const uint8_t *ip, uint32_t caplen, uint32_t *v)
{
	uint32_t off = c->off;

	if (!caplen)
		return false;
	if (c->l4)
		off += (ip[0] & 0xfu) * 4;
	if (off + c->size > caplen)
		return false;
	*v = 0;
	for (uint32_t i = 0; i < c->size; i++)
		*v = *v << 8 | ip[off + i];
	*v &= c->mask;
	return true;
}

void filter_index_ask(const struct filter_index *x, const uint8_t *ip, uint32_t caplen,
		      struct filter_candidates *c)
{
	c->x = x;
	c->n = 0;
	if (x->always.first)
		c->at[c->n++] = x->always.first;
	for (uint32_t i = 0; i < x->n_col; i++) {
		const struct slot *s;
		uint32_t v;

		if (!value_of(&x->col[i], ip, caplen, &v))
			continue;
		s = find(x, i, v);
		if (s->column)
			c->at[c->n++] = s->list.first;
	}
}

uint32_t filter_index_next(struct filter_candidates *c)
{
	const struct item *item = c->x->item;
	uint32_t least = FILTER_NONE;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (item[c->at[i]].number < least)
			least = item[c->at[i]].number;
	for (unsigned i = 0; i < c->n; i++) {
		uint32_t at = c->at[i];

		if (item[at].number == least)
			at = item[at].next;
		if (at != NO_ITEM)
			c->at[n++] = at;
	}
	c->n = n;
	return least;
}
