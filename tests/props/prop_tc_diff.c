/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From any tree to any other: the changes that tc_diff() says work one after the other by the
 * kernel's rules, end in what is wanted, and undone from the last to the first end in what
 * was. Meanwhile packets whose way stays are never classified otherwise, not between two of
 * them. And it does no more than it must: nothing for nothing, one change for one rate.
 */
#include "tests/props/tc_model.h"

#define STEPS 60
#define PACKETS 12

static void show(const struct tc_changes *c, size_t at)
{
	char text[256];

	for (size_t i = 0; i < c->n; i++)
		fprintf(stderr, "# %c%c%s %s\n", i == at ? '>' : ' ', "+~-"[c->v[i].op],
			c -> v[i].implied ? "*" : " ",
			tc_object_text(c->v[i].o, text, sizeof(text)));
}

static bool same_filters(struct model *a, struct model *b, uint32_t parent)
{
	uint32_t pa = 0, pb = 0;

	for (;;) {
		const struct tc_object *x = NULL, *y = NULL;

		for (size_t i = 0; i < a->n; i++)
			if (a->v[i].kind == TC_FILTER && a->v[i].parent == parent &&
			    a->v[i].handle > pa && (!x || a->v[i].handle < x->handle))
				x = &a->v[i];
		for (size_t i = 0; i < b->n; i++)
			if (b->v[i].kind == TC_FILTER && b->v[i].parent == parent &&
			    b->v[i].handle > pb && (!y || b->v[i].handle < y->handle))
				y = &b->v[i];
		if (!x || !y)
			return !x && !y;
		if (x->bpf.classid != y->bpf.classid || x->bpf.insn[0].k != y->bpf.insn[0].k)
			return false;
		pa = x->handle;
		pb = y->handle;
	}
}

/* Both have the same, but for the priorities of filters and what inner classes forget. */
static bool same_model(struct model *a, struct model *b)
{
	if (a->n != b->n || !same_filters(a, b, TC_ROOT_HANDLE))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct tc_object *x = &a->v[i], *y;

		if (x->kind == TC_FILTER)
			continue;
		y = model_find(b, x->kind, x->parent, x->handle);
		if (!y || x->type != y->type)
			return false;
		if (x->kind == TC_QDISC) {
			if (x->parent != y->parent ||
			    (x->parent != TC_H_ROOT && x->limit != y->limit))
				return false;
			if (x->parent == TC_H_ROOT &&
			    (x->htb_qdisc.stab.overhead != y->htb_qdisc.stab.overhead ||
			     x->htb_qdisc.defcls != y->htb_qdisc.defcls))
				return false;
			continue;
		}
		if (x->htb.rate != y->htb.rate || x->htb.ceil != y->htb.ceil ||
		    x->parent != y->parent || !same_filters(a, b, x->handle))
			return false;
		if (!model_inner(a, x->handle) &&
		    (x->htb.quantum != y->htb.quantum || x->htb.prio != y->htb.prio))
			return false;
	}
	return true;
}

static void model_of(struct model *m, const struct tc_list *l)
{
	m->n = 0;
	for (size_t i = 0; i < l->n; i++)
		RIG_CHECK(model_add(m, &l->v[i]), "a tree that cannot be: %s", m->refused);
}

struct packet {
	uint32_t bits, leaf;
	bool stays; /* the way is the same before and after, and its classes are what they were
		     */
};

static bool way_stays(struct model *a, struct model *b, const uint32_t *x, const uint32_t *y)
{
	for (size_t i = 0; x[i] || y[i]; i++)
		if (x[i] != y[i] ||
		    model_class(a, x[i])->parent != model_class(b, x[i])->parent ||
		    model_inner(a, x[i]) != model_inner(b, x[i]))
			return false;
	return true;
}

static void make_packets(struct packet *p, struct model *a, struct model *b, uint64_t *random)
{
	uint32_t x[TREES_DEEP + 2], y[TREES_DEEP + 2];

	for (size_t i = 0; i < PACKETS; i++) {
		p[i].bits = (uint32_t)(rig_random(random) & rig_random(random) &
				       rig_random(random));
		p[i].leaf = model_classify(a, p[i].bits, x);
		p[i].stays = model_classify(b, p[i].bits, y) == p[i].leaf && p[i].leaf &&
			     way_stays(a, b, x, y);
	}
}

static bool from_scratch(const struct tc_changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].op != TC_CHANGE && c->v[i].o->kind == TC_QDISC &&
		    c->v[i].o->parent == TC_H_ROOT)
			return true;
	return false;
}

static unsigned checked_packets;

static void check_packets(const struct packet *p, struct model *m, const struct tc_changes *c,
			  size_t at)
{
	uint32_t way[TREES_DEEP + 2];

	for (size_t i = 0; i < PACKETS; i++) {
		uint32_t leaf;

		if (!p[i].stays)
			continue;
		checked_packets++;
		leaf = model_classify(m, p[i].bits, way);
		if (leaf != p[i].leaf)
			show(c, at);
		RIG_CHECK(leaf == p[i].leaf, "packet %x went to %x, not to %x", p[i].bits, leaf,
			  p[i].leaf);
	}
}

static void step(const struct tc_list *want, struct model *m, uint64_t *random)
{
	struct model before = *m, goal;
	struct packet packets[PACKETS];
	struct tc_changes c;
	struct tc_state s;

	model_of(&goal, want);
	model_state(m, &s);
	assert_int_equal(tc_diff(want, &s, &c), 0);
	make_packets(packets, m, &goal, random);
	for (size_t i = 0; i < c.n; i++) {
		if (!model_apply(m, &c.v[i], false)) {
			show(&c, i);
			RIG_CHECK(false, "%s", m->refused);
		}
		if (!from_scratch(&c))
			check_packets(packets, m, &c, i);
	}
	if (!same_model(m, &goal))
		show(&c, c.n);
	RIG_CHECK(same_model(m, &goal), "this is not what was wanted");
	for (size_t i = c.n; i-- > 0;)
		if (!model_apply(m, &c.v[i], true)) {
			show(&c, i);
			RIG_CHECK(false, "undo: %s", m->refused);
		}
	RIG_CHECK(same_model(m, &before), "taken back, it is not what was");
	for (size_t i = 0; i < c.n; i++)
		model_apply(m, &c.v[i], false);
	tc_changes_free(&c);
	model_state_free(&s);
}

/* What is there is what is wanted. */
static void nothing(const struct tc_list *want, const struct model *m)
{
	struct tc_changes c;
	struct tc_state s;

	model_state(m, &s);
	assert_int_equal(tc_diff(want, &s, &c), 0);
	if (c.n)
		show(&c, c.n);
	RIG_CHECK(c.n == 0, "%zu changes where nothing differs", c.n);
	tc_changes_free(&c);
	model_state_free(&s);
}

static void one(uint64_t seed)
{
	struct tc_list want[STEPS + 1] = {0};
	struct model *m = calloc(1, sizeof(*m));
	uint64_t random = seed;
	struct trees t;

	assert_non_null(m);
	rig_seed = seed;
	trees_make(&t, seed);
	for (uint64_t i = 0; i < STEPS; i++) {
		trees_next(&t, seed * STEPS + i);
		trees_list(&t, &want[i]);
		step(&want[i], m, &random);
		nothing(&want[i], m);
	}
	for (size_t i = 0; i < STEPS; i++)
		tc_list_free(&want[i]);
	free(m);
}

static void any_tree_to_any_other(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 120; seed++)
		one(seed);
	assert_true(checked_packets > 10000);
}

/* The number of changes from one list to another; of what kind they must be. */
static size_t changes(const struct tc_list *from, const struct tc_list *to, enum tc_op op,
		      enum tc_kind kind)
{
	struct tc_state s = {.list = *from, .ours = true};
	struct tc_changes c;
	size_t n;

	assert_int_equal(tc_diff(to, &s, &c), 0);
	for (size_t i = 0; i < c.n; i++) {
		assert_int_equal(c.v[i].op, op);
		assert_int_equal(c.v[i].o->kind, kind);
	}
	n = c.n;
	tc_changes_free(&c);
	return n;
}

static void one_rate_is_one_change(void **state)
{
	struct tc_list a, b;
	struct trees t;

	(void)state;
	trees_make(&t, 11);
	trees_list(&t, &a);
	t.class[trees_any(&t)].rate++;
	trees_list(&t, &b);
	assert_int_equal(changes(&a, &b, TC_CHANGE, TC_CLASS), 1);
	tc_list_free(&a);
	tc_list_free(&b);
}

/* So many flat classes with a filter each, `without` left out. */
static void flat(struct tc_list *l, uint32_t n, uint32_t without)
{
	uint32_t prio = 0;

	*l = (struct tc_list){0};
	trees_put(l, (struct tc_object){.kind = TC_QDISC,
					.type = TC_HTB,
					.parent = TC_H_ROOT,
					.handle = TC_ROOT_HANDLE});
	for (uint32_t i = 1; i <= n; i++)
		if (i != without)
			trees_put(l, (struct tc_object){.kind = TC_CLASS,
							.type = TC_HTB,
							.parent = TC_ROOT_HANDLE,
							.handle = TC_ROOT_HANDLE | i,
							.htb = {.rate = 1000, .ceil = 1000}});
	for (uint32_t i = 1; i <= n; i++)
		if (i != without)
			trees_filter(l, TC_ROOT_HANDLE, ++prio, i, i);
}

static void one_class_more_is_one_filter_more(void **state)
{
	struct tc_list a, b;

	(void)state;
	flat(&a, 500, 250);
	flat(&b, 500, 0);
	{
		struct tc_state s = {.list = a, .ours = true};
		struct tc_changes c;

		/* the priorities that they would get have gaps */
		for (size_t i = 0; i < a.n; i++)
			if (a.v[i].kind == TC_FILTER)
				a.v[i].handle *= 2;
		s.list = a;
		assert_int_equal(tc_diff(&b, &s, &c), 0);
		assert_int_equal(c.n, 2);
		assert_int_equal(c.v[0].o->kind, TC_CLASS);
		assert_int_equal(c.v[1].o->kind, TC_FILTER);
		assert_int_equal(c.v[1].o->handle, 499);
		tc_changes_free(&c);
	}
	tc_list_free(&a);
	tc_list_free(&b);
}

/* Priorities 1 to n without gaps, at the bottom or the top of what there is. */
static void no_gap(uint32_t n, uint32_t first, size_t most, bool anew)
{
	struct tc_list a, b;
	struct tc_changes c;
	struct tc_state s;

	flat(&a, n, n / 2);
	flat(&b, n, 0);
	for (size_t i = 0; i < a.n; i++)
		if (a.v[i].kind == TC_FILTER)
			a.v[i].handle += first - 1;
	s = (struct tc_state){.list = a, .ours = true};
	assert_int_equal(tc_diff(&b, &s, &c), 0);
	assert_true(c.n <= most);
	assert_int_equal(from_scratch(&c), anew);
	for (size_t i = 0; i < c.n; i++)
		if (c.v[i].op != TC_DELETE && c.v[i].o->kind == TC_FILTER)
			assert_in_range(c.v[i].o->handle, 1, 65535);
	tc_changes_free(&c);
	tc_list_free(&a);
	tc_list_free(&b);
}

static void filters_are_numbered_anew(void **state)
{
	(void)state;
	no_gap(1000, 1, 2000, false);
	no_gap(1000, 64537, 2000, false); /* up to 65535 */
	no_gap(40000, 1, 200000, true);	  /* no place for both */
}

static struct tc_object ingress(enum tc_kind kind, enum tc_type type)
{
	return (struct tc_object){.kind = kind,
				  .type = type,
				  .parent = kind == TC_QDISC ? TC_H_INGRESS : 0xffff0000,
				  .handle = kind == TC_QDISC ? 0xffff0000 : 100};
}

/* A tree that is wanted nothing of is not looked at: neither side's changes touch the other's.
 */
static void root_and_ingress_are_apart(void **state)
{
	struct tc_list root, way = {0}, both;
	struct tc_object other = ingress(TC_FILTER, TC_OTHER);
	struct sock_filter insn = {.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	struct tc_object filter = ingress(TC_FILTER, TC_BPF);
	struct trees t;

	(void)state;
	filter.bpf = (struct tc_bpf){.insn = &insn, .n = 1, .redirect = 9};
	trees_put(&way, ingress(TC_QDISC, TC_INGRESS));
	trees_put(&way, filter);
	trees_make(&t, 5);
	trees_list(&t, &root);
	trees_list(&t, &both);
	trees_put(&both, way.v[0]);
	trees_put(&both, filter);
	assert_int_equal(changes(&both, &root, TC_ADD, TC_CLASS), 0);
	assert_int_equal(changes(&both, &way, TC_ADD, TC_CLASS), 0);
	other.handle = 200;
	trees_put(&both, other);
	assert_int_equal(changes(&both, &root, TC_ADD, TC_CLASS), 0);
	assert_int_equal(changes(&both, &way, TC_DELETE, TC_FILTER), 1);
	free(way.v);
	both.n -= 3;
	tc_list_free(&both);
	tc_list_free(&root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_tree_to_any_other),
		cmocka_unit_test(one_rate_is_one_change),
		cmocka_unit_test(one_class_more_is_one_filter_more),
		cmocka_unit_test(filters_are_numbered_anew),
		cmocka_unit_test(root_and_ingress_are_apart),
	};

	if (argc > 1) {
		one(strtoull(argv[1], NULL, 10));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
