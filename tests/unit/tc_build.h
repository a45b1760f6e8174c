/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the compiler share: plans from text, and what is in them. */
#ifndef WEIR_TESTS_TC_BUILD_H
#define WEIR_TESTS_TC_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gw/tc_plan.h"
#include "tc_kernel.h"

static const struct tc_can CAN_ALL = {true, true, true, true, true, true, true};
static const struct tc_device ETHERNET = {14, 1500}, BARE = {0, 1500};

static char told[8192], refused[1024];

static inline void tell(void *arg, enum policy_severity sev, const char *file,
			struct policy_mark at, const char *text)
{
	size_t n = strlen(told);

	(void)arg;
	(void)file;
	if (sev == POLICY_ERROR)
		snprintf(told + n, sizeof(told) - n, "%d:%d %s\n", at.line, at.col, text);
}

static inline struct policy *read_text(const char *text)
{
	struct policy_report r = {.fn = tell};
	struct policy *p;

	told[0] = '\0';
	p = policy_read_mem(text, strlen(text), "p.yaml", &r);
	if (!p)
		fail_msg("%s", told);
	return p;
}

static inline struct policy *read_file(const char *name)
{
	struct policy_report r = {.fn = tell};
	FILE *f = fopen(name, "r");
	struct policy *p;

	told[0] = '\0';
	assert_non_null(f);
	p = policy_read(f, name, &r);
	fclose(f);
	if (!p)
		fail_msg("%s", told);
	return p;
}

/* NULL with what was said in `refused` and `told`. */
static inline struct tc_plan *try_plan(const struct policy *p, size_t link,
				       const struct tc_can *can, const struct tc_device *dev)
{
	struct policy_report r = {.fn = tell};

	told[0] = '\0';
	return tc_plan_new(p, p->link[link], can, dev, &r, refused, sizeof(refused));
}

static inline struct tc_plan *must_plan(const struct policy *p, size_t link,
					const struct tc_can *can, const struct tc_device *dev)
{
	struct tc_plan *t = try_plan(p, link, can, dev);

	if (!t)
		fail_msg("%s%s", refused, told);
	return t;
}

static inline const struct policy_class *class_at(const struct tc_plan *t, const char *path)
{
	const struct policy_class *c = policy_find_class(t->link, path);

	if (!c)
		fail_msg("no class %s", path);
	return c;
}

static inline const struct tc_object *object_of(const struct tc_plan *t, enum tc_kind kind,
						const struct policy_class *c)
{
	for (size_t i = 0; i < t->list.n; i++) {
		const struct tc_object *o = &t->list.v[i];
		uint32_t id = kind == TC_QDISC ? o->parent : o->handle;

		if (o->kind == kind && id == t->classid[c->index])
			return o;
	}
	fail_msg("no object of class %s", c->path);
	return NULL;
}

static inline const struct tc_htb_class *htb_at(const struct tc_plan *t, const char *path)
{
	return &object_of(t, TC_CLASS, class_at(t, path))->htb;
}

static inline const struct tc_object *queue_at(const struct tc_plan *t, const char *path)
{
	return object_of(t, TC_QDISC, class_at(t, path));
}

/* The filters that hang on `parent`, by their prio; *n of them, at most `room`. */
static inline size_t filters_at(const struct tc_list *l, uint32_t parent,
				const struct tc_object **v, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		size_t at = n;

		if (l->v[i].kind != TC_FILTER || l->v[i].parent != parent)
			continue;
		assert_true(n < room);
		for (; at && v[at - 1]->handle > l->v[i].handle; at--)
			v[at] = v[at - 1];
		v[at] = &l->v[i];
		n++;
	}
	return n;
}

static inline bool has_classes(const struct tc_list *l, uint32_t classid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == TC_CLASS && l->v[i].parent == classid)
			return true;
	return false;
}

/*
 * htb_classify() of net/sched/sch_htb.c on these objects: the classid of a leaf, or the root's
 * handle for what goes unshaped.
 */
static inline uint32_t classify(const struct tc_list *l, const struct tc_skb *skb)
{
	const struct tc_object *v[256];
	uint32_t at = TC_ROOT_HANDLE;

	for (unsigned hops = 0; hops <= 8; hops++) {
		size_t n = filters_at(l, at, v, 256), i = 0;

		while (i < n && tc_kernel_run(v[i]->bpf.insn, skb) != 0xffffffffu)
			i++;
		if (i == n)
			return TC_ROOT_HANDLE; /* "default 0" */
		at = v[i]->bpf.classid;
		if (at == TC_ROOT_HANDLE || !has_classes(l, at))
			return at;
	}
	fail_msg("a loop of filters");
	return 0;
}

#endif
