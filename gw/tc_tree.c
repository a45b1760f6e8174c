/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_tree.h"

#include <stdlib.h>

#define SETS 5 /* two of qdiscs, two of classes, one of filters */

uint32_t tc_tree_above(const struct tc_object *class)
{
	return class->parent == TC_H_ROOT || !TC_H_MIN(class->parent) ? 0 : class->parent;
}

/* What hangs on the qdisc itself is found under its handle. */
static uint32_t point_of(const struct tc_object *class)
{
	uint32_t above = tc_tree_above(class);

	return above ? above : TC_H_MAJ(class->handle);
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Equal ones stay in the order of the list, whose elements they point to. */
static int by_handle(const void *a, const void *b)
{
	const struct tc_object *x = *(const struct tc_object *const *)a;
	const struct tc_object *y = *(const struct tc_object *const *)b;
	int d = order(x->handle, y->handle);

	return d ? d : order((uintptr_t)x, (uintptr_t)y);
}

static int by_parent(const void *a, const void *b)
{
	const struct tc_object *x = *(const struct tc_object *const *)a;
	const struct tc_object *y = *(const struct tc_object *const *)b;
	int d = order(x->parent, y->parent);

	return d ? d : by_handle(a, b);
}

static int by_point(const void *a, const void *b)
{
	const struct tc_object *x = *(const struct tc_object *const *)a;
	const struct tc_object *y = *(const struct tc_object *const *)b;
	int d = order(point_of(x), point_of(y));

	return d ? d : order((uintptr_t)x, (uintptr_t)y);
}

static void fill(struct tc_set *s, const struct tc_object **room, const struct tc_list *l,
		 const uint8_t *without, enum tc_kind kind,
		 int (*compare)(const void *, const void *))
{
	s->v = room;
	s->n = 0;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == kind && !(without && without[i]))
			s->v[s->n++] = &l->v[i];
	if (s->n)
		qsort(s->v, s->n, sizeof(const struct tc_object *), compare);
}

int tc_tree_build(struct tc_tree *t, const struct tc_list *l, const uint8_t *without)
{
	size_t n = l->n;

	t->list = l;
	t->all = malloc((SETS * n + 1) * sizeof(const struct tc_object *));
	if (!t->all)
		return -1;
	fill(&t->qdisc, t->all, l, without, TC_QDISC, by_handle);
	fill(&t->leaf, t->all + n, l, without, TC_QDISC, by_parent);
	fill(&t->class, t->all + 2 * n, l, without, TC_CLASS, by_handle);
	fill(&t->child, t->all + 3 * n, l, without, TC_CLASS, by_point);
	fill(&t->filter, t->all + 4 * n, l, without, TC_FILTER, by_parent);
	return 0;
}

void tc_tree_free(struct tc_tree *t)
{
	free(t->all);
	*t = (struct tc_tree){0};
}

static uint32_t handle_key(const struct tc_object *o)
{
	return o->handle;
}

static uint32_t parent_key(const struct tc_object *o)
{
	return o->parent;
}

/* The first whose key is not below `key`. */
static size_t lower(const struct tc_set *s, uint64_t key,
		    uint32_t (*key_of)(const struct tc_object *))
{
	size_t from = 0, to = s->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (key_of(s->v[middle]) < key)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static struct tc_set range(const struct tc_set *s, uint32_t key,
			   uint32_t (*key_of)(const struct tc_object *))
{
	size_t from = lower(s, key, key_of), to = lower(s, (uint64_t)key + 1, key_of);

	return (struct tc_set){s->v + from, to - from};
}

static const struct tc_object *first(struct tc_set s)
{
	return s.n ? s.v[0] : NULL;
}

const struct tc_object *tc_tree_class(const struct tc_tree *t, uint32_t handle)
{
	return first(range(&t->class, handle, handle_key));
}

const struct tc_object *tc_tree_qdisc(const struct tc_tree *t, uint32_t handle)
{
	return first(range(&t->qdisc, handle, handle_key));
}

const struct tc_object *tc_tree_leaf(const struct tc_tree *t, uint32_t parent)
{
	return first(range(&t->leaf, parent, parent_key));
}

bool tc_tree_inner(const struct tc_tree *t, uint32_t handle)
{
	return range(&t->child, handle, point_of).n > 0;
}

struct tc_set tc_tree_filters(const struct tc_tree *t, uint32_t parent)
{
	return range(&t->filter, parent, parent_key);
}

static size_t put(const struct tc_set *s, const struct tc_object **out, size_t n, size_t most)
{
	for (size_t i = 0; i < s->n && n < most; i++)
		out[n++] = s->v[i];
	return n;
}

/* The filters of a qdisc or class; clsact's hang on two points of their own. */
static size_t put_filters(const struct tc_tree *t, const struct tc_object *o,
			  const struct tc_object **out, size_t n)
{
	struct tc_set s;

	if (o->kind == TC_QDISC && o->parent == TC_H_INGRESS) {
		size_t from = lower(&t->filter, TC_H_MAJ(TC_H_INGRESS), parent_key);

		s = (struct tc_set){t->filter.v + from, t->filter.n - from};
	} else {
		s = tc_tree_filters(t, o->handle);
	}
	return put(&s, out, n, t->list->n);
}

/*
 * Breadth first: `out` is its own queue. Every object is under one parent only, and what is
 * told of a parent that is not in the list is not reached; the room ends what a lie about
 * parents could begin.
 */
size_t tc_tree_below(const struct tc_tree *t, uint32_t top, const struct tc_object **out)
{
	struct tc_set s = range(&t->leaf, top, parent_key);
	size_t n = put(&s, out, 0, t->list->n), nodes;

	for (size_t i = 0; i < n; i++) {
		if (out[i]->kind == TC_CLASS) {
			s = range(&t->leaf, out[i]->handle, parent_key);
			n = put(&s, out, n, t->list->n);
		}
		if (out[i]->handle) {
			s = range(&t->child, out[i]->handle, point_of);
			n = put(&s, out, n, t->list->n);
		}
		/* queues of a device with many: their parents are no classes in any dump */
		if (out[i]->kind == TC_QDISC && out[i]->handle &&
		    out[i]->handle < TC_H_MAJ(TC_H_ROOT)) {
			size_t from = lower(&t->leaf, out[i]->handle, parent_key);
			size_t to =
				lower(&t->leaf, (uint64_t)out[i]->handle + 0x10000, parent_key);

			for (size_t k = from; k < to && n < t->list->n; k++)
				if (!tc_tree_class(t, t->leaf.v[k]->parent))
					out[n++] = t->leaf.v[k];
		}
	}
	nodes = n;
	for (size_t i = 0; i < nodes; i++)
		if (out[i]->handle)
			n = put_filters(t, out[i], out, n);
	return n;
}
