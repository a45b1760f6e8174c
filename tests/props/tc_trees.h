/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random trees of traffic control, and others made from them by a few edits: what a policy
 * would want, for tests of what leads from one to the other. Few handles, so that they meet
 * again in other places.
 */
#ifndef WEIR_TESTS_PROPS_TC_TREES_H
#define WEIR_TESTS_PROPS_TC_TREES_H

#include <linux/bpf_common.h>

#include "gw/tc_tree.h"
#include "tests/props/rig.h"

#define TREES_CLASSES 48u
#define TREES_DEEP 6 /* HTB has 8 levels */
#define TREES_PROGRAMS 24u
#define TREES_FILTERS 3

struct trees_class {
	bool there;
	uint32_t above; /* minor; 0: the root */
	int depth;
	uint32_t rate;
	uint32_t queue; /* 0: the kernel's own, else its major */
	bool bytes;	/* bfifo */
	uint32_t limit;
	uint32_t program[TREES_FILTERS]; /* 0: no more filters that lead to it */
	uint64_t place;			 /* of its filters among those of its siblings */
};

struct trees {
	uint64_t random;
	struct trees_class class[TREES_CLASSES]; /* by minor; [0] is not used */
	int32_t overhead;			 /* 0: no size table */
	uint32_t defcls;			 /* weir wants 0; another takes a new root */
};

static inline uint32_t trees_free(struct trees *t)
{
	uint32_t m = (uint32_t)rig_range(&t->random, 1, TREES_CLASSES - 1);

	for (uint32_t i = 0; i < TREES_CLASSES; i++, m = m % (TREES_CLASSES - 1) + 1)
		if (!t->class[m].there)
			return m;
	return 0;
}

static inline uint32_t trees_any(struct trees *t)
{
	uint32_t m = (uint32_t)rig_range(&t->random, 1, TREES_CLASSES - 1);

	for (uint32_t i = 0; i < TREES_CLASSES; i++, m = m % (TREES_CLASSES - 1) + 1)
		if (t->class[m].there)
			return m;
	return 0;
}

static inline bool trees_inner(const struct trees *t, uint32_t minor)
{
	for (uint32_t i = 1; i < TREES_CLASSES; i++)
		if (t->class[i].there && t->class[i].above == minor)
			return true;
	return false;
}

static inline void trees_programs(struct trees *t, struct trees_class *c)
{
	uint32_t n = rig_chance(&t->random, 70) ? 1 : (uint32_t)rig_range(&t->random, 0, 3);

	memset(c->program, 0, sizeof(c->program));
	for (uint32_t i = 0; i < n; i++)
		c->program[i] = (uint32_t)rig_range(&t->random, 1, TREES_PROGRAMS);
}

static inline void trees_queue(struct trees *t, struct trees_class *c)
{
	uint32_t q = rig_chance(&t->random, 80) ? (uint32_t)rig_range(&t->random, 1, 60) : 0;

	for (uint32_t i = 1; i < TREES_CLASSES; i++)
		if (t->class[i].there && t->class[i].queue == q)
			q = 0;
	c->queue = q;
	c->bytes = rig_chance(&t->random, 30);
	c->limit = (uint32_t)rig_range(&t->random, 1, 1000);
}

static inline void trees_add(struct trees *t)
{
	uint32_t m = trees_free(t), above = rig_chance(&t->random, 25) ? 0 : trees_any(t);
	struct trees_class *c = &t->class[m];

	if (!m || (above && t->class[above].depth >= TREES_DEEP))
		return;
	*c = (struct trees_class){.above = above,
				  .depth = above ? t->class[above].depth + 1 : 1,
				  .rate = (uint32_t)rig_range(&t->random, 1000, 1000000),
				  .place = rig_random(&t->random)};
	trees_queue(t, c);
	trees_programs(t, c);
	c->there = true;
}

static inline void trees_remove(struct trees *t, uint32_t m)
{
	t->class[m].there = false;
	for (uint32_t i = 1; i < TREES_CLASSES; i++)
		if (t->class[i].there && t->class[i].above == m)
			trees_remove(t, i);
}

static inline void trees_edit(struct trees *t)
{
	uint32_t m = trees_any(t);
	struct trees_class *c = &t->class[m];

	if (!m) {
		trees_add(t);
		return;
	}
	switch (rig_range(&t->random, 0, 8)) {
	case 0:
	case 1:
		trees_add(t);
		break;
	case 2:
		trees_remove(t, m);
		break;
	case 3:
		c->rate = (uint32_t)rig_range(&t->random, 1000, 1000000);
		break;
	case 4:
		trees_queue(t, c);
		break;
	case 5:
		trees_programs(t, c);
		break;
	case 6:
		c->place = rig_random(&t->random);
		break;
	case 7: /* elsewhere */
		if (!trees_inner(t, m)) {
			uint32_t above = trees_any(t);

			if (above == m || t->class[above].depth >= TREES_DEEP)
				above = 0;
			c->above = above;
			c->depth = above ? t->class[above].depth + 1 : 1;
		}
		break;
	default:
		t->overhead = (int32_t)rig_range(&t->random, 0, 3) * 4;
		if (rig_chance(&t->random, 20))
			t->defcls ^= 1;
		break;
	}
}

static inline void trees_make(struct trees *t, uint64_t seed)
{
	uint32_t n;

	*t = (struct trees){.random = seed};
	n = (uint32_t)rig_range(&t->random, 0, TREES_CLASSES - 8);
	for (uint32_t i = 0; i < n; i++)
		trees_add(t);
	t->overhead = rig_chance(&t->random, 30) ? 4 : 0;
}

static inline void trees_put(struct tc_list *l, struct tc_object o)
{
	assert_int_equal(tc_list_add(l, &o), 0);
}

static inline void trees_filter(struct tc_list *l, uint32_t parent, uint32_t prio,
				uint32_t program, uint32_t minor)
{
	struct sock_filter *insn = calloc(2, sizeof(*insn));

	assert_non_null(insn);
	insn[0] = (struct sock_filter){.code = BPF_LD | BPF_IMM, .k = program};
	insn[1] = (struct sock_filter){.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	trees_put(l, (struct tc_object){
			     .kind = TC_FILTER,
			     .type = TC_BPF,
			     .parent = parent,
			     .handle = prio,
			     .bpf = {.insn = insn, .n = 2, .classid = TC_ROOT_HANDLE | minor}});
}

/* The filters of the children of a class (0: the root), in the order of their places. */
static inline void trees_filters(const struct trees *t, struct tc_list *l, uint32_t above)
{
	uint64_t last = 0;
	uint32_t prio = 0;

	for (;;) {
		uint32_t next = 0;

		for (uint32_t i = 1; i < TREES_CLASSES; i++)
			if (t->class[i].there && t->class[i].above == above &&
			    t->class[i].place > last &&
			    (!next || t->class[i].place < t->class[next].place))
				next = i;
		if (!next)
			return;
		last = t->class[next].place;
		for (int k = 0; k < TREES_FILTERS && t->class[next].program[k]; k++)
			trees_filter(l, TC_ROOT_HANDLE | above, ++prio,
				     t->class[next].program[k], next);
	}
}

static inline void trees_class(const struct trees *t, struct tc_list *l, uint32_t m)
{
	const struct trees_class *c = &t->class[m];
	struct tc_htb_class htb = {.rate = c->rate,
				   .ceil = c->rate * 2u,
				   .buffer = 100000,
				   .cbuffer = 200000,
				   .quantum = 1000 + c->rate % 64,
				   .prio = c->rate % 8};

	trees_put(l,
		  (struct tc_object){.kind = TC_CLASS,
				     .type = TC_HTB,
				     .parent = c->above ? TC_ROOT_HANDLE | c->above : TC_H_ROOT,
				     .handle = TC_ROOT_HANDLE | m,
				     .htb = htb});
}

/* As a plan would list it: parents first. */
static inline void trees_list(const struct trees *t, struct tc_list *l)
{
	*l = (struct tc_list){0};
	trees_put(l, (struct tc_object){.kind = TC_QDISC,
					.type = TC_HTB,
					.parent = TC_H_ROOT,
					.handle = TC_ROOT_HANDLE,
					.htb_qdisc = {.defcls = t->defcls,
						      .has_stab = t->overhead != 0,
						      .stab = {.overhead = t->overhead}}});
	for (int depth = 1; depth <= TREES_DEEP + 1; depth++)
		for (uint32_t i = 1; i < TREES_CLASSES; i++)
			if (t->class[i].there && t->class[i].depth == depth)
				trees_class(t, l, i);
	for (uint32_t i = 1; i < TREES_CLASSES; i++)
		if (t->class[i].there && t->class[i].queue && !trees_inner(t, i))
			trees_put(l, (struct tc_object){.kind = TC_QDISC,
							.type = t->class[i].bytes ? TC_BFIFO
										  : TC_PFIFO,
							.parent = TC_ROOT_HANDLE | i,
							.handle = t->class[i].queue << 16,
							.limit = t->class[i].limit});
	for (uint32_t i = 0; i < TREES_CLASSES; i++)
		if (!i || t->class[i].there)
			trees_filters(t, l, i);
}

/* What one step of a test starts from: a few edits, or another tree altogether. */
static inline void trees_next(struct trees *t, uint64_t seed)
{
	uint32_t n;

	if (seed % 8 == 0) {
		trees_make(t, seed);
		return;
	}
	t->random ^= seed;
	n = (uint32_t)rig_range(&t->random, 0, 8);
	for (uint32_t i = 0; i < n; i++)
		trees_edit(t);
}

#endif
