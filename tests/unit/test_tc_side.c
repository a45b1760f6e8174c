/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Failure in the middle: whatever a device has (nothing, a tree of weir's, somebody else's
 * that is replaced), and wherever the kernel says no, it has the same afterwards, as a dump
 * tells it. In a network namespace of its own; needs root.
 */
#include <sched.h>
#include <unistd.h>

#include "gw/tc_bpf.h"
#include "gw/tc_plan.h"
#include "gw/tc_rebuild.h"
#include "gw/tc_side.h"
#include "tests/props/tc_trees.h"

static struct tc_nl *nl;
static struct tc_link dev;
static struct tc_can can;
static char err[1024];

static void read_state(struct tc_state *s)
{
	RIG_CHECK(!tc_state_read(nl, dev.ifindex, s, err, sizeof(err)), "%s", err);
}

static void clear(void)
{
	struct tc_state s;

	read_state(&s);
	if (!s.unattended) {
		struct tc_object root = {.kind = TC_QDISC, .type = TC_HTB, .parent = TC_H_ROOT};
		struct tc_change change = {.op = TC_DELETE, .o = &root};
		struct tc_changes c = {.v = &change, .n = 1};
		int error;

		for (size_t i = 0; i < s.list.n; i++)
			if (s.list.v[i].kind == TC_QDISC && s.list.v[i].parent == TC_H_ROOT)
				root.handle = s.list.v[i].handle;
		RIG_CHECK(!tc_run(nl, dev.ifindex, &c, &error, err, sizeof(err)), "%s", err);
	}
	tc_state_free(&s);
}

static void put(struct tc_list *l, enum tc_kind kind, enum tc_type type, uint32_t parent,
		uint32_t handle)
{
	struct tc_object o = {.kind = kind, .type = type, .parent = parent, .handle = handle};

	if (kind == TC_CLASS)
		o.htb = (struct tc_htb_class){
			.rate = 1000, .ceil = 2000, .buffer = 9, .cbuffer = 9, .quantum = 1500};
	else if (type == TC_PFIFO)
		o.limit = 77;
	trees_put(l, o);
}

/* Somebody else's: HTB with a queue, classes in classes and a filter, by another handle. */
static void foreign(struct tc_list *l)
{
	struct sock_filter *insn = calloc(1, sizeof(*insn));

	*l = (struct tc_list){0};
	put(l, TC_QDISC, TC_HTB, TC_H_ROOT, 0x10000);
	l->v[0].htb_qdisc.defcls = 0x20;
	put(l, TC_CLASS, TC_HTB, 0x10000, 0x10001);
	put(l, TC_CLASS, TC_HTB, 0x10001, 0x10010);
	put(l, TC_CLASS, TC_HTB, 0x10001, 0x10020);
	put(l, TC_QDISC, TC_PFIFO, 0x10010, 0x200000);
	assert_non_null(insn);
	*insn = (struct sock_filter){.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	put(l, TC_FILTER, TC_BPF, 0x10000, 5);
	l->v[l->n - 1].bpf = (struct tc_bpf){.insn = insn, .n = 1, .classid = 0x10010};
}

static void add_all(const struct tc_list *l)
{
	struct tc_changes c = {.v = calloc(l->n, sizeof(*c.v)), .n = l->n};
	int error;

	assert_non_null(c.v);
	for (size_t i = 0; i < l->n; i++)
		c.v[i] = (struct tc_change){.op = TC_ADD, .o = &l->v[i]};
	RIG_CHECK(!tc_run(nl, dev.ifindex, &c, &error, err, sizeof(err)), "%s", err);
	free(c.v);
}

enum start { NOTHING, OURS, FOREIGN, STARTS };

static void begin(enum start start)
{
	struct tc_list l = {0};
	struct trees t;

	clear();
	if (start == OURS) {
		trees_make(&t, 77);
		t.overhead = 8;
		trees_list(&t, &l);
	} else if (start == FOREIGN) {
		foreign(&l);
	}
	if (l.n)
		add_all(&l);
	tc_list_free(&l);
}

enum fault { NO_RATE, TOO_DEEP, NO_KIND, NO_PARENT, BAD_PROGRAM, FAULTS };

static const char *const words[] = {
	[NO_RATE] = "adding class 7765:29",
	[TOO_DEEP] = "adding class 7765:10", /* 7765:107, or what the kernel says is deeper */
	[NO_KIND] = "adding qdisc 3f: parent 7765:29",
	/* HTB hangs such a class on the root without a word */
	[NO_PARENT] = "did not keep what it was told (class 7765:29",
	[BAD_PROGRAM] = "adding filter",
};

/* A tree in which one object cannot be, among many that can. false: here it can. */
static bool faulty(struct tc_list *l, enum fault fault)
{
	uint32_t above = TC_ROOT_HANDLE;
	struct trees t;

	trees_make(&t, 1234);
	trees_remove(&t, 0x29);
	trees_list(&t, l);
	put(l, TC_CLASS, TC_HTB, TC_ROOT_HANDLE, TC_ROOT_HANDLE | 0x29);
	switch (fault) {
	case NO_RATE:
		l->v[l->n - 1].htb.rate = 0;
		break;
	case TOO_DEEP:
		for (uint32_t i = 0; i < 9; i++) { /* TC_HTB_MAXDEPTH is 8 */
			put(l, TC_CLASS, TC_HTB, above, TC_ROOT_HANDLE | (0x100 + i));
			above = TC_ROOT_HANDLE | (0x100 + i);
		}
		break;
	case NO_PARENT:
		l->v[l->n - 1].parent = TC_ROOT_HANDLE | 0xeee;
		break;
	case NO_KIND:
		if (can.fq_codel && can.codel)
			return false;
		put(l, TC_QDISC, can.fq_codel ? TC_CODEL : TC_FQ_CODEL, TC_ROOT_HANDLE | 0x29,
		    0x3f0000);
		break;
	default:
		trees_filter(l, TC_ROOT_HANDLE, 1000, 1, 0x29);
		l->v[l->n - 1].bpf.insn[1].code = 0xffff;
		break;
	}
	put(l, TC_CLASS, TC_HTB, TC_ROOT_HANDLE, TC_ROOT_HANDLE | 0x200);
	return true;
}

static void insist_as_before(const struct tc_state *before, const char *what)
{
	const struct tc_object *o;
	struct tc_state now;
	char text[256] = "";

	read_state(&now);
	o = tc_differing(before, &now, TC_H_ROOT);
	RIG_CHECK(!o, "%s: not as before: %s", what, tc_object_text(o, text, sizeof(text)));
	tc_state_free(&now);
}

static void no_saved_file(void)
{
	struct tc_saved f;

	assert_int_equal(tc_saved_find(&f, &dev, TC_H_ROOT, err, sizeof(err)), 0);
	assert_int_not_equal(access(f.path, F_OK), 0);
}

static void fail_from(enum start start, enum fault fault)
{
	struct tc_side side = {.link = dev, .top = TC_H_ROOT};
	struct tc_state before;
	struct tc_list want = {0};

	if (!faulty(&want, fault)) {
		tc_list_free(&want);
		return;
	}
	begin(start);
	read_state(&before);
	side.want = &want;
	assert_int_equal(tc_side_read(nl, &side, err, sizeof(err)), 0);
	assert_int_equal(tc_side_run(nl, &side, err, sizeof(err)), -1);
	RIG_CHECK(strstr(err, words[fault]), "from %d, fault %d: %s", start, fault, err);
	RIG_CHECK(!strstr(err, "taking back"), "%s", err);
	insist_as_before(&before, err);
	no_saved_file();
	tc_side_forget(&side);
	tc_state_free(&before);
	tc_list_free(&want);
}

static void any_fault_leaves_all_as_it_was(void **state)
{
	(void)state;
	for (int start = 0; start < STARTS; start++)
		for (int fault = 0; fault < FAULTS; fault++)
			fail_from((enum start)start, (enum fault)fault);
}

/* All of it done, and taken back. */
static void revert_from(enum start start)
{
	struct tc_side side = {.link = dev, .top = TC_H_ROOT};
	struct tc_state before;
	struct tc_list want;
	struct trees t;

	trees_make(&t, 4321);
	trees_list(&t, &want);
	begin(start);
	read_state(&before);
	side.want = &want;
	assert_int_equal(tc_side_read(nl, &side, err, sizeof(err)), 0);
	RIG_CHECK(tc_side_run(nl, &side, err, sizeof(err)) > 0, "%s", err);
	RIG_CHECK(!tc_side_revert(nl, &side, err, sizeof(err)), "%s", err);
	insist_as_before(&before, "reverted");
	no_saved_file();
	tc_side_forget(&side);
	tc_state_free(&before);
	tc_list_free(&want);
}

static void what_was_done_is_taken_back(void **state)
{
	(void)state;
	for (int start = 0; start < STARTS; start++)
		revert_from((enum start)start);
}

/* A file of what was replaced brings it back, on the device that it is of. */
static void replaced_and_restored(void **state)
{
	struct tc_side side = {.link = dev, .top = TC_H_ROOT};
	struct tc_state before;
	struct tc_list want;
	struct trees t;

	(void)state;
	trees_make(&t, 4321);
	trees_list(&t, &want);
	begin(FOREIGN);
	read_state(&before);
	side.want = &want;
	assert_int_equal(tc_side_read(nl, &side, err, sizeof(err)), 0);
	assert_int_equal(tc_side_owner(&side), TC_SOMEBODY);
	assert_int_equal(tc_side_refuse(&side, false, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "--replace"));
	assert_int_equal(tc_side_refuse(&side, true, err, sizeof(err)), 0);
	RIG_CHECK(tc_side_run(nl, &side, err, sizeof(err)) > 0, "%s", err);
	assert_int_equal(tc_side_read(nl, &side, err, sizeof(err)), 0);
	assert_int_equal(tc_side_owner(&side), TC_WEIR);
	RIG_CHECK(tc_side_remove(nl, &side, err, sizeof(err)) == 1, "%s", err);
	insist_as_before(&before, "restored");
	no_saved_file();
	tc_side_forget(&side);
	tc_state_free(&before);
	tc_list_free(&want);
}

/* The longest program can be read back. */
static void longest_program(void **state)
{
	struct tc_side side = {.link = dev, .top = TC_H_ROOT};
	struct tc_list want = {0};
	struct sock_filter *insn = calloc(TC_BPF_MAX, sizeof(*insn));

	(void)state;
	assert_non_null(insn);
	for (size_t i = 0; i < TC_BPF_MAX; i++)
		insn[i] = (struct sock_filter){.code = BPF_LD | BPF_IMM, .k = (uint32_t)i};
	insn[TC_BPF_MAX - 1] = (struct sock_filter){.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	put(&want, TC_QDISC, TC_HTB, TC_H_ROOT, TC_ROOT_HANDLE);
	put(&want, TC_FILTER, TC_BPF, TC_ROOT_HANDLE, 65535);
	want.v[1].bpf =
		(struct tc_bpf){.insn = insn, .n = TC_BPF_MAX, .classid = TC_LINK_CLASS};
	begin(NOTHING);
	side.want = &want;
	assert_int_equal(tc_side_read(nl, &side, err, sizeof(err)), 0);
	RIG_CHECK(tc_side_run(nl, &side, err, sizeof(err)) == 2, "%s", err);
	tc_side_forget(&side);
	tc_list_free(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_program),
		cmocka_unit_test(any_fault_leaves_all_as_it_was),
		cmocka_unit_test(what_was_done_is_taken_back),
		cmocka_unit_test(replaced_and_restored),
	};
	struct tc_link make = {.name = "w0", .kind = "veth", .txqlen = 1000};

	if (unshare(CLONE_NEWNET) || tc_probe(&can, err, sizeof(err)) || !can.htb || !can.bpf ||
	    !(nl = tc_nl_open(err, sizeof(err))) || tc_link_add(nl, &make, err, sizeof(err)) ||
	    tc_link_find(nl, "w0", &dev, NULL, err, sizeof(err))) {
		printf("1..1\nok 1 # SKIP it takes root, and a kernel with HTB: %s\n", err);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
