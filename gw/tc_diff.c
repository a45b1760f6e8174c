/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wanted against what there is. Each kind of object is gone through once, and every
 * change falls into the phase in which it works (tc_diff.h); in the end the phases are put
 * one behind the other. Undone in reverse, each step works as well.
 *
 * A class that becomes a leaf or gets its first classes sends what comes for it past HTB's
 * classes (HTB_DIRECT) between two messages of one batch; the kernel offers no other way.
 */
#include "gw/tc_diff.h"

#include <stdlib.h>
#include <string.h>

void tc_emit(struct tc_differ *d, enum tc_phase phase, struct tc_change c)
{
	struct tc_changes *p = &d->phase[phase];

	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		struct tc_change *v = realloc(p->v, cap * sizeof(*v));

		if (!v) {
			d->no_memory = true;
			return;
		}
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n++] = c;
}

static size_t index_of(const struct tc_differ *d, const struct tc_object *o)
{
	return (size_t)(o - d->have.list->v);
}

static bool is_gone(const struct tc_differ *d, const struct tc_object *o)
{
	return d->gone[index_of(d, o)];
}

/*
 * All that hangs on `top`, from the last to the first, is gone. With `how` TC_DELETE the
 * first is deleted and the others go with it; else all go with the next change.
 */
static void drop_below(struct tc_differ *d, enum tc_phase phase, uint32_t top, bool explicitly)
{
	const struct tc_object **v = malloc((d->have.list->n + 1) * sizeof(*v));
	size_t n = v ? tc_tree_below(&d->have, top, v) : 0;

	if (!v)
		d->no_memory = true;
	while (n-- > 0) {
		if (is_gone(d, v[n]))
			continue;
		d->gone[index_of(d, v[n])] = 1;
		tc_emit(d, phase,
			(struct tc_change){
				.op = TC_DELETE, .o = v[n], .implied = n > 0 || !explicitly});
	}
	free(v);
}

/* Most leaves have one qdisc and nothing below it: no need to look through all. */
static void drop_leaf(struct tc_differ *d, enum tc_phase phase, uint32_t class, bool explicitly)
{
	const struct tc_object *q = tc_tree_leaf(&d->have, class);

	if (!q || is_gone(d, q))
		return;
	if (q->type == TC_OTHER || q->type == TC_HTB) {
		drop_below(d, phase, class, explicitly);
		return;
	}
	d->gone[index_of(d, q)] = 1;
	tc_emit(d, phase, (struct tc_change){.op = TC_DELETE, .o = q, .implied = !explicitly});
}

static void drop_class(struct tc_differ *d, enum tc_phase phase, const struct tc_object *c)
{
	drop_leaf(d, phase, c->handle, false);
	d->gone[index_of(d, c)] = 1;
	tc_emit(d, phase, (struct tc_change){.op = TC_DELETE, .o = c});
}

static bool moved(const struct tc_object *w, const struct tc_object *h)
{
	return h->type != w->type || tc_tree_above(w) != tc_tree_above(h);
}

/* Not of a qdisc that others hung on a leaf. */
static bool in_ours(const struct tc_object *o)
{
	return TC_H_MAJ(o->kind == TC_CLASS ? o->handle : o->parent) == TC_ROOT_HANDLE;
}

/* What filters lead to, or hang on: classes that have to be made anew. */
static bool touches(const struct tc_object *f, const uint8_t *minors)
{
	uint32_t to = f->type == TC_BPF ? TC_H_MIN(f->bpf.classid) : 0,
		 at = TC_H_MIN(f->parent);

	return minors[to] || minors[at];
}

/*
 * HTB cannot hang a class on another: it goes, with all that is below it, and what is
 * wanted of that is made anew.
 */
static void drop_moved(struct tc_differ *d)
{
	const struct tc_object **v = malloc((d->have.list->n + 1) * sizeof(*v));
	uint8_t *minors = calloc(1, 1u << 16);
	size_t n = 0;

	if (!v || !minors) {
		d->no_memory = true;
		goto end;
	}
	for (size_t i = 0; i < d->want.class.n; i++) {
		const struct tc_object *w = d->want.class.v[i];
		const struct tc_object *h = tc_tree_class(&d->have, w->handle);

		if (h && moved(w, h))
			n += minors[TC_H_MIN(h->handle)] = 1;
	}
	if (!n)
		goto end;
	/* parents come before children */
	n = tc_tree_below(&d->have, TC_H_ROOT, v);
	for (size_t i = 0; i < n; i++)
		if (v[i]->kind == TC_CLASS && minors[TC_H_MIN(tc_tree_above(v[i]))])
			minors[TC_H_MIN(v[i]->handle)] = 1;
	minors[0] = 0;
	for (size_t i = n; i-- > 0;) {
		if (is_gone(d, v[i]) || !in_ours(v[i]))
			continue;
		if (v[i]->kind == TC_FILTER && touches(v[i], minors)) {
			d->gone[index_of(d, v[i])] = 1;
			tc_emit(d, TC_EARLY, (struct tc_change){.op = TC_DELETE, .o = v[i]});
		} else if (v[i]->kind == TC_CLASS && minors[TC_H_MIN(v[i]->handle)]) {
			drop_class(d, TC_EARLY, v[i]);
		}
	}
end:
	free(minors);
	free(v);
}

/* A handle is one qdisc's on the whole device. */
static void drop_in_the_way(struct tc_differ *d)
{
	for (size_t i = 0; i < d->want.qdisc.n; i++) {
		const struct tc_object *w = d->want.qdisc.v[i];
		const struct tc_object *h = tc_tree_qdisc(&d->have, w->handle);

		if (h && h->parent != w->parent && h->parent != TC_H_ROOT &&
		    h->parent != TC_H_INGRESS)
			drop_leaf(d, TC_EARLY, h->parent, true);
	}
}

static bool same_top(const struct tc_object *w, const struct tc_object *h)
{
	return w->type == h->type && w->handle == h->handle &&
	       (w->type != TC_HTB || w->htb_qdisc.defcls == h->htb_qdisc.defcls);
}

/* The device's own qdisc at `point`; `anew`: whatever there is goes first. */
static void diff_top(struct tc_differ *d, uint32_t point, bool anew)
{
	const struct tc_object *w = tc_tree_leaf(&d->want, point);
	const struct tc_object *h = tc_tree_leaf(&d->have, point);

	if (!w)
		return;
	if (h && (anew || !same_top(w, h))) {
		drop_below(d, TC_EARLY, point, true);
		h = NULL;
	}
	if (!h)
		tc_emit(d, TC_TOP, (struct tc_change){.op = TC_ADD, .o = w});
	else if (!tc_same_value(w, h))
		tc_emit(d, TC_ROOT_SET, (struct tc_change){.op = TC_CHANGE, .o = w, .was = h});
}

/* Once there are classes below it, HTB forgets a class's quantum and priority. */
static bool same_class(const struct tc_differ *d, const struct tc_object *w,
		       const struct tc_object *h)
{
	struct tc_object a = *w;

	a.parent = h->parent; /* above both is the same */
	if (tc_tree_inner(&d->want, w->handle))
		a.htb.quantum = 0;
	return tc_same_value(&a, h);
}

static void diff_classes(struct tc_differ *d)
{
	for (size_t i = 0; i < d->want.list->n; i++) {
		const struct tc_object *w = &d->want.list->v[i], *h;
		uint32_t above;

		if (w->kind != TC_CLASS)
			continue;
		h = tc_tree_class(&d->have, w->handle);
		if (!h) {
			above = tc_tree_above(w);
			if (above && tc_tree_class(&d->have, above))
				drop_leaf(d, TC_GROW, above, false);
			tc_emit(d, TC_GROW, (struct tc_change){.op = TC_ADD, .o = w});
		} else if (!same_class(d, w, h)) {
			bool late = tc_tree_inner(&d->have, w->handle) &&
				    !tc_tree_inner(&d->want, w->handle);

			tc_emit(d, late ? TC_LATE : TC_SET,
				(struct tc_change){.op = TC_CHANGE, .o = w, .was = h});
		}
	}
}

/* Whether one can become the other and keep its packets. */
static bool changeable(const struct tc_object *w, const struct tc_object *h)
{
	return w->type == h->type && w->handle == h->handle && w->type != TC_OTHER &&
	       (w->type != TC_FQ_CODEL || w->fq_codel.flows == h->fq_codel.flows);
}

static void diff_leaves(struct tc_differ *d)
{
	for (size_t i = 0; i < d->want.leaf.n; i++) {
		const struct tc_object *w = d->want.leaf.v[i], *h;
		enum tc_phase phase;

		if (w->parent == TC_H_ROOT || w->parent == TC_H_INGRESS)
			continue;
		h = tc_tree_leaf(&d->have, w->parent);
		phase = tc_tree_inner(&d->have, w->parent) ? TC_LATE : TC_LEAF;
		if (h && !is_gone(d, h) && changeable(w, h)) {
			if (!tc_same_value(w, h))
				tc_emit(d, phase,
					(struct tc_change){.op = TC_CHANGE, .o = w, .was = h});
			continue;
		}
		drop_leaf(d, phase, w->parent, true);
		tc_emit(d, phase, (struct tc_change){.op = TC_ADD, .o = w});
	}
	/* of classes that stay leaves, and are to have what the kernel gives them */
	for (size_t i = 0; i < d->have.leaf.n; i++) {
		const struct tc_object *h = d->have.leaf.v[i];

		if (tc_tree_class(&d->want, h->parent) && !tc_tree_leaf(&d->want, h->parent))
			drop_leaf(d, TC_LEAF, h->parent, true);
	}
}

static void diff_parents(struct tc_differ *d)
{
	const struct tc_set *w = &d->want.filter, *h = &d->have.filter;
	size_t i = 0, k = 0;

	while (i < w->n || k < h->n) {
		uint32_t parent;

		if (i == w->n)
			parent = h->v[k]->parent;
		else if (k == h->n || w->v[i]->parent < h->v[k]->parent)
			parent = w->v[i]->parent;
		else
			parent = h->v[k]->parent;
		tc_diff_filters(d, parent);
		i += tc_tree_filters(&d->want, parent).n;
		k += tc_tree_filters(&d->have, parent).n;
	}
}

static void drop_classes(struct tc_differ *d)
{
	const struct tc_object **v = malloc((d->have.list->n + 1) * sizeof(*v));
	size_t n = v ? tc_tree_below(&d->have, TC_H_ROOT, v) : 0;

	if (!v)
		d->no_memory = true;
	while (n-- > 0)
		if (v[n]->kind == TC_CLASS && in_ours(v[n]) && !is_gone(d, v[n]) &&
		    !tc_tree_class(&d->want, v[n]->handle))
			drop_class(d, TC_SHRINK, v[n]);
	free(v);
}

/* `have` without what is gone. */
static int look_again(struct tc_differ *d)
{
	const struct tc_list *l = d->have.list;

	tc_tree_free(&d->have);
	return tc_tree_build(&d->have, l, d->gone);
}

/* What is not below a wanted top is as good as not there. */
static int leave_others(struct tc_differ *d)
{
	static const uint32_t points[] = {TC_H_ROOT, TC_H_INGRESS};
	const struct tc_object **v = malloc((d->have.list->n + 1) * sizeof(*v));

	if (!v)
		return -1;
	memset(d->gone, 1, d->have.list->n);
	for (size_t p = 0; p < 2; p++) {
		const struct tc_object *top = tc_tree_leaf(&d->have, points[p]);
		size_t n;

		/* without a handle, it is what the kernel gives by itself and takes by itself
		 */
		if (!top || !top->handle || !tc_tree_leaf(&d->want, points[p]))
			continue;
		n = tc_tree_below(&d->have, points[p], v);
		for (size_t i = 0; i < n; i++)
			d->gone[index_of(d, v[i])] = 0;
	}
	free(v);
	return look_again(d);
}

static int differ(struct tc_differ *d, bool anew)
{
	if (leave_others(d))
		return -1;
	diff_top(d, TC_H_ROOT, anew);
	diff_top(d, TC_H_INGRESS, anew);
	drop_moved(d);
	drop_in_the_way(d);
	if (d->no_memory || look_again(d))
		return -1;
	diff_classes(d);
	diff_leaves(d);
	diff_parents(d);
	drop_classes(d);
	return d->no_memory ? -1 : 0;
}

static void forget(struct tc_differ *d)
{
	for (size_t i = 0; i < TC_PHASES; i++) {
		free(d->phase[i].v);
		d->phase[i] = (struct tc_changes){0};
	}
	d->n_made = 0;
	d->no_room = false;
}

static int collect(struct tc_differ *d, struct tc_changes *c)
{
	size_t n = 0;

	for (size_t i = 0; i < TC_PHASES; i++)
		n += d->phase[i].n;
	c->v = malloc((n + 1) * sizeof(*c->v));
	if (!c->v)
		return -1;
	c->cap = n;
	for (size_t i = 0; i < TC_PHASES; i++) {
		if (d->phase[i].n)
			memcpy(c->v + c->n, d->phase[i].v, d->phase[i].n * sizeof(*c->v));
		c->n += d->phase[i].n;
	}
	c->made = d->made;
	d->made = NULL;
	return 0;
}

int tc_diff(const struct tc_list *want, const struct tc_state *have, struct tc_changes *changes)
{
	struct tc_differ d = {0};
	int status = -1;

	*changes = (struct tc_changes){0};
	d.gone = calloc(have->list.n + 1, 1);
	if (!d.gone || tc_tree_build(&d.want, want, NULL) ||
	    tc_tree_build(&d.have, &have->list, NULL))
		goto end;
	d.made = calloc(d.want.filter.n + 1, sizeof(*d.made));
	if (!d.made)
		goto end;
	status = differ(&d, false);
	if (!status && d.no_room) {
		forget(&d);
		tc_tree_free(&d.have);
		if (tc_tree_build(&d.have, &have->list, NULL))
			status = -1;
		else
			status = differ(&d, true);
	}
	if (!status)
		status = collect(&d, changes);
end:
	forget(&d);
	free(d.made);
	free(d.gone);
	tc_tree_free(&d.want);
	tc_tree_free(&d.have);
	return status;
}

void tc_changes_free(struct tc_changes *c)
{
	free(c->v);
	free(c->made);
	*c = (struct tc_changes){0};
}
