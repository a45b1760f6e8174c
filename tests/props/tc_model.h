/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's rules about traffic control, as a model: what it refuses, what goes with what,
 * and where a packet would go. Written from net/sched/sch_api.c, sch_htb.c and cls_api.c, and
 * from nothing of gw/.
 *
 * A program of tests/props/tc_trees.h matches a packet when bit (its number) is set.
 */
#ifndef WEIR_TESTS_PROPS_TC_MODEL_H
#define WEIR_TESTS_PROPS_TC_MODEL_H

#include "gw/tc_state.h"
#include "tests/props/tc_trees.h"

#define MODEL_OBJECTS 1024
#define MODEL_DIRECT 0u /* past all classes */

struct model {
	struct tc_object v[MODEL_OBJECTS]; /* what they own is borrowed */
	size_t n;
	const char *refused; /* why, of the last change that was not possible */
};

static inline struct tc_object *model_find(struct model *m, enum tc_kind kind, uint32_t parent,
					   uint32_t handle)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].kind == kind && m->v[i].handle == handle &&
		    (kind != TC_FILTER || m->v[i].parent == parent))
			return &m->v[i];
	return NULL;
}

static inline struct tc_object *model_class(struct model *m, uint32_t handle)
{
	return model_find(m, TC_CLASS, 0, handle);
}

static inline struct tc_object *model_at(struct model *m, uint32_t parent)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].kind == TC_QDISC && m->v[i].parent == parent)
			return &m->v[i];
	return NULL;
}

static inline bool model_on_root(const struct tc_object *class)
{
	return class->parent == TC_H_ROOT || class->parent == TC_ROOT_HANDLE;
}

static inline bool model_inner(const struct model *m, uint32_t handle)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].kind == TC_CLASS && m->v[i].parent == handle)
			return true;
	return false;
}

static inline void model_forget(struct model *m, struct tc_object *o)
{
	*o = m->v[--m->n];
}

/* A class's own queue goes without a word. */
static inline void model_drop_leaf(struct model *m, uint32_t class)
{
	struct tc_object *q = model_at(m, class);

	if (q)
		model_forget(m, q);
}

static inline bool model_no(struct model *m, const char *why)
{
	m->refused = why;
	return false;
}

static inline bool model_put(struct model *m, const struct tc_object *o)
{
	assert_true(m->n < MODEL_OBJECTS);
	m->v[m->n++] = *o;
	return true;
}

static inline bool model_add(struct model *m, const struct tc_object *o)
{
	const struct tc_object *up;

	if (o->kind == TC_QDISC && o->parent == TC_H_ROOT) {
		if (model_at(m, TC_H_ROOT))
			return model_no(m, "a root is there");
		return model_put(m, o);
	}
	if (!model_at(m, TC_H_ROOT))
		return model_no(m, "there is no root");
	up = model_class(m, o->parent);
	switch (o->kind) {
	case TC_QDISC:
		if (!up || model_inner(m, o->parent))
			return model_no(m, "no leaf to hang a qdisc on");
		if (model_at(m, o->parent))
			return model_no(m, "the leaf has a qdisc");
		if (model_find(m, TC_QDISC, 0, o->handle))
			return model_no(m, "the handle is another qdisc's");
		break;
	case TC_CLASS:
		if (!model_on_root(o) && !up)
			return model_no(m, "the class's parent is not there");
		if (model_class(m, o->handle))
			return model_no(m, "the class is there");
		if (!model_on_root(o))
			model_drop_leaf(m, o->parent);
		break;
	case TC_FILTER:
		if (o->parent != TC_ROOT_HANDLE && !up)
			return model_no(m, "the filter's parent is not there");
		if (o->handle < 1 || o->handle > 65535)
			return model_no(m, "no such priority");
		if (model_find(m, TC_FILTER, o->parent, o->handle))
			return model_no(m, "the priority is taken");
		break;
	}
	return model_put(m, o);
}

static inline bool model_change(struct model *m, const struct tc_object *o)
{
	struct tc_object *is = model_find(m, o->kind, o->parent, o->handle), was;

	if (!is)
		return model_no(m, "what is to be changed is not there");
	if (is->type != o->type)
		return model_no(m, "a kind cannot be changed");
	if (o->kind == TC_QDISC && o->parent == TC_H_ROOT &&
	    is->htb_qdisc.defcls != o->htb_qdisc.defcls)
		return model_no(m, "HTB cannot be changed");
	was = *is;
	*is = *o;
	if (o->kind == TC_CLASS && model_inner(m, o->handle)) {
		is->htb.quantum = was.htb.quantum;
		is->htb.prio = was.htb.prio;
	}
	return true;
}

static inline bool model_delete(struct model *m, const struct tc_object *o)
{
	struct tc_object *is = model_find(m, o->kind, o->parent, o->handle);

	if (!is)
		return model_no(m, "what is to be deleted is not there");
	if (o->kind == TC_QDISC && o->parent == TC_H_ROOT) {
		m->n = 0;
		return true;
	}
	if (o->kind == TC_CLASS) {
		if (model_inner(m, o->handle))
			return model_no(m, "the class has classes");
		for (size_t i = 0; i < m->n; i++)
			if (m->v[i].kind == TC_FILTER && m->v[i].bpf.classid == o->handle)
				return model_no(m, "a filter leads to the class");
		for (size_t i = m->n; i-- > 0;)
			if (m->v[i].kind == TC_FILTER && m->v[i].parent == o->handle)
				model_forget(m, &m->v[i]);
		model_drop_leaf(m, o->handle);
		is = model_class(m, o->handle);
	}
	model_forget(m, is);
	return true;
}

/* One change, or (undo) its inverse; what is implied must have gone by itself. */
static inline bool model_apply(struct model *m, const struct tc_change *c, bool undo)
{
	if (c->op == TC_CHANGE)
		return model_change(m, undo ? c->was : c->o);
	if ((c->op == TC_ADD) != undo)
		return model_add(m, c->o);
	if (undo || !c->implied)
		return model_delete(m, c->o);
	return true;
}

static inline void model_state(const struct model *m, struct tc_state *s)
{
	*s = (struct tc_state){.unattended = true};
	for (size_t i = 0; i < m->n; i++) {
		assert_int_equal(tc_list_add(&s->list, &m->v[i]), 0);
		if (m->v[i].kind == TC_QDISC && m->v[i].parent == TC_H_ROOT) {
			s->unattended = false;
			s->ours = true;
		}
	}
}

/* The list alone: what the objects own is somebody else's. */
static inline void model_state_free(struct tc_state *s)
{
	free(s->list.v);
}

/* The first filter of a level that takes the packet; NULL: none. */
static inline const struct tc_object *model_filter(const struct model *m, uint32_t parent,
						   uint32_t packet)
{
	const struct tc_object *best = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct tc_object *f = &m->v[i];

		if (f->kind == TC_FILTER && f->parent == parent &&
		    packet & 1u << f->bpf.insn[0].k && (!best || f->handle < best->handle))
			best = f;
	}
	return best;
}

/* htb_classify(): the leaf, and the classes on the way there. */
static inline uint32_t model_classify(struct model *m, uint32_t packet,
				      uint32_t way[TREES_DEEP + 2])
{
	uint32_t at = TC_ROOT_HANDLE;
	size_t n = 0;

	memset(way, 0, (TREES_DEEP + 2) * sizeof(*way));
	for (;;) {
		const struct tc_object *f = model_filter(m, at, packet);

		if (!f || !model_class(m, f->bpf.classid) || n > TREES_DEEP)
			return MODEL_DIRECT;
		at = f->bpf.classid;
		way[n++] = at;
		if (!model_inner(m, at))
			return at;
	}
}

#endif
