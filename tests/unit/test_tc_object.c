/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects of traffic control: lists of them, when two are the same, and how they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/pkt_sched.h>
#include <stdlib.h>
#include <string.h>

#include "gw/tc_message.h"
#include "gw/tc_object.h"

static struct sock_filter *program(size_t n)
{
	struct sock_filter *p = calloc(n, sizeof(*p));

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (struct sock_filter){6, 0, 0, (uint32_t)i};
	return p;
}

static const struct tc_object ROOT = {
	.kind = TC_QDISC, .type = TC_HTB, .parent = TC_H_ROOT, .handle = TC_ROOT_HANDLE};
static const struct tc_object CLASS = {
	.kind = TC_CLASS,
	.type = TC_HTB,
	.parent = TC_LINK_CLASS,
	.handle = TC_ROOT_HANDLE | 0x2a,
	.htb = {125000, 250000, 15625, 31250, 1514, 3},
};
static const struct tc_object FQ = {
	.kind = TC_QDISC,
	.type = TC_FQ_CODEL,
	.parent = TC_ROOT_HANDLE | 0x2a,
	.handle = 0x2a0000,
	.fq_codel = {10240, 5000, 100000, true, 1024, 1514},
};

static void lists_own(void **state)
{
	struct tc_list l = {0};
	struct tc_object stab = ROOT;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct tc_object o = {.kind = TC_FILTER,
				      .type = TC_BPF,
				      .handle = i,
				      .bpf = {.insn = program(3), .n = 3}};

		assert_int_equal(tc_list_add(&l, &o), 0);
	}
	stab.htb_qdisc.has_stab = true;
	stab.htb_qdisc.stab.size = calloc(8, 2);
	assert_int_equal(tc_list_add(&l, &stab), 0);
	assert_int_equal(l.n, 1001);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(l.v[i].handle, i);
	tc_list_free(&l); /* all of it: a leak is an error under ASan */
	assert_int_equal(l.n, 0);
	tc_list_free(&l);
}

static void keys(void **state)
{
	struct tc_object a = CLASS, b = CLASS;

	(void)state;
	b.parent = 1;
	assert_true(tc_same_key(&a, &b)); /* a class is the same wherever it hangs */
	b.kind = TC_QDISC;
	assert_false(tc_same_key(&a, &b));
	b = CLASS;
	b.handle++;
	assert_false(tc_same_key(&a, &b));
	a = b = (struct tc_object){.kind = TC_FILTER, .type = TC_BPF, .parent = 1, .handle = 7};
	assert_true(tc_same_key(&a, &b));
	b.parent = 2;
	assert_false(tc_same_key(&a, &b)); /* prio 7 is there at each of them */
}

#define DIFFERS(base, change) \
	do { \
		struct tc_object x = (base), y = (base); \
		assert_true(tc_same_value(&x, &y)); \
		change; \
		assert_false(tc_same_value(&x, &y)); \
		assert_false(tc_same_value(&y, &x)); \
	} while (0)

static void values(void **state)
{
	struct tc_object fifo = {.kind = TC_QDISC, .type = TC_PFIFO, .limit = 100};
	struct tc_object other = {.kind = TC_QDISC, .type = TC_OTHER, .other = "cake"};

	(void)state;
	DIFFERS(CLASS, y.htb.rate++);
	DIFFERS(CLASS, y.htb.ceil++);
	DIFFERS(CLASS, y.htb.buffer++);
	DIFFERS(CLASS, y.htb.cbuffer++);
	DIFFERS(CLASS, y.htb.quantum++);
	DIFFERS(CLASS, y.htb.prio++);
	DIFFERS(CLASS, y.htb.rate_cost.overhead++);
	DIFFERS(CLASS, y.htb.rate_cost.mpu++);
	DIFFERS(CLASS, y.htb.rate_cost.atm = true);
	DIFFERS(CLASS, y.htb.ceil_cost.overhead++);
	DIFFERS(CLASS, y.htb.ceil_cost.mpu++);
	DIFFERS(CLASS, y.htb.ceil_cost.atm = true);
	DIFFERS(CLASS, y.parent++);
	DIFFERS(FQ, y.fq_codel.limit++);
	DIFFERS(FQ, y.fq_codel.target += 4);
	DIFFERS(FQ, y.fq_codel.interval += 4);
	DIFFERS(FQ, y.fq_codel.ecn = false);
	DIFFERS(FQ, y.fq_codel.flows++);
	DIFFERS(FQ, y.fq_codel.quantum++);
	DIFFERS(FQ, y.fq_codel.memory++);
	DIFFERS(FQ, y.fq_codel.drop_batch++);
	DIFFERS(FQ, y.type = TC_CODEL);
	DIFFERS(fifo, y.limit++);
	DIFFERS(fifo, y.type = TC_BFIFO);
	DIFFERS(ROOT, y.htb_qdisc.defcls++);
	DIFFERS(ROOT, y.htb_qdisc.has_stab = true);
	DIFFERS(other, strcpy(y.other, "sfq"));
}

/* HTB keeps what a class had before it got classes, and looks at it no more. */
static void inner_class(void **state)
{
	struct tc_object want = CLASS, is = CLASS;

	(void)state;
	want.htb.quantum = want.htb.prio = 0;
	assert_true(tc_same_value(&want, &is));
	assert_true(tc_same_value(&is, &want));
	is.htb.rate++;
	assert_false(tc_same_value(&want, &is));
}

static void stabs(void **state)
{
	struct tc_object base = ROOT;
	uint16_t one[4] = {1, 2, 3, 4}, two[4] = {1, 2, 3, 5};

	(void)state;
	base.htb_qdisc.has_stab = true;
	base.htb_qdisc.stab = (struct tc_stab){4, 64, 1, 0, 0, 4, one};
	DIFFERS(base, y.htb_qdisc.stab.overhead++);
	DIFFERS(base, y.htb_qdisc.stab.mpu++);
	DIFFERS(base, y.htb_qdisc.stab.linklayer++);
	DIFFERS(base, y.htb_qdisc.stab.cell_log++);
	DIFFERS(base, y.htb_qdisc.stab.size_log++);
	DIFFERS(base, y.htb_qdisc.stab.n--);
	DIFFERS(base, y.htb_qdisc.stab.size = two);
	{
		struct tc_object told = base; /* by the kernel: without its entries */

		told.htb_qdisc.stab.size = NULL;
		assert_true(tc_same_value(&told, &base) && tc_same_value(&base, &told));
	}
}

static void filters(void **state)
{
	struct sock_filter *one = program(4), *two = program(4);
	struct tc_object f = {.kind = TC_FILTER,
			      .type = TC_BPF,
			      .parent = 1,
			      .handle = 5,
			      .bpf = {one, 4, TC_LINK_CLASS, 0}};

	(void)state;
	DIFFERS(f, y.bpf.classid++);
	DIFFERS(f, y.bpf.redirect++);
	DIFFERS(f, y.bpf.n--);
	DIFFERS(f, {
		y.bpf.insn = two;
		two[3].k = 99;
	});
	free(one);
	free(two);
}

/* What the kernel makes of a time: units of 1024 ns, rounded down both ways. */
static uint32_t through_the_kernel(uint32_t us)
{
	uint32_t kept = (uint32_t)((uint64_t)us * 1000 >> 10);

	return (uint32_t)((uint64_t)kept * 1024 / 1000);
}

static void codel_times(void **state)
{
	static const uint32_t times[] = {1,    2,     5,     500,    999,     1000,
					 5000, 10000, 77777, 100000, 1000000, 2000000000};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct tc_object want = FQ, is = FQ;

		want.fq_codel.target = want.fq_codel.interval = times[i];
		is.fq_codel.target = is.fq_codel.interval =
			tc_codel_time(through_the_kernel(times[i]));
		assert_true(tc_same_value(&want, &is) && tc_same_value(&is, &want));
		want.type = is.type = TC_CODEL;
		assert_true(tc_same_value(&want, &is));
		is.fq_codel.target = times[i] + 3;
		assert_false(tc_same_value(&want, &is));
	}
	assert_int_equal(through_the_kernel(5000), 4999); /* as tc shows it everywhere */
}

static void reads(const struct tc_object *o, const char *want)
{
	char buf[512];

	assert_string_equal(tc_object_text(o, buf, sizeof(buf)), want);
	/* cut, at any length, and never beyond */
	for (size_t size = 0; size <= strlen(want) + 1; size++) {
		memset(buf, 'x', sizeof(buf));
		assert_ptr_equal(tc_object_text(o, buf, size), buf);
		assert_int_equal(buf[size], 'x');
		if (size) {
			assert_int_equal(strlen(buf), size - 1);
			assert_memory_equal(buf, want, size - 1);
		}
	}
}

static void texts(void **state)
{
	struct tc_object o = ROOT;
	struct sock_filter *code = program(12);

	(void)state;
	reads(&o, "qdisc 7765: parent root htb default 0x0");
	o.htb_qdisc.has_stab = true;
	o.htb_qdisc.stab = (struct tc_stab){.overhead = -4};
	reads(&o, "qdisc 7765: parent root htb default 0x0 stab overhead -4 linklayer "
		  "unaware");
	o.htb_qdisc.stab.linklayer = TC_LINKLAYER_ETHERNET;
	reads(&o, "qdisc 7765: parent root htb default 0x0 stab overhead -4");
	o.htb_qdisc.stab.linklayer = 9;
	o.htb_qdisc.stab.mpu = 64;
	reads(&o, "qdisc 7765: parent root htb default 0x0 stab overhead -4 mpu 64 linklayer "
		  "9");
	o.htb_qdisc.stab = (struct tc_stab){26, 84, TC_LINKLAYER_ATM, 0, 0, 2064, NULL};
	reads(&o,
	      "qdisc 7765: parent root htb default 0x0 stab overhead 26 mpu 84 linklayer atm "
	      "tsize 2064");
	o = CLASS;
	reads(&o, "class 7765:2a parent 7765:1 htb rate 1mbit burst 125b (15625 ticks) ceil "
		  "2mbit cburst 500b (31250 ticks) prio 3 quantum 1514");
	o.htb.quantum = 0;
	reads(&o, "class 7765:2a parent 7765:1 htb rate 1mbit burst 125b (15625 ticks) ceil "
		  "2mbit cburst 500b (31250 ticks)");
	o.htb.rate_cost = (struct tc_htb_cost){(uint16_t)-4, 0, false};
	o.htb.ceil_cost = (struct tc_htb_cost){0, 64, true};
	reads(&o, "class 7765:2a parent 7765:1 htb rate 1mbit burst 125b (15625 ticks) "
		  "overhead -4 ceil 2mbit cburst 500b (31250 ticks) mpu 64 linklayer atm");
	o = FQ;
	o.fq_codel.memory = 4096;
	o.fq_codel.drop_batch = 1;
	reads(&o, "qdisc 2a: parent 7765:2a fq_codel limit 10240p flows 1024 quantum 1514 "
		  "target 5000us interval 100000us ecn memory_limit 4096b drop_batch 1");
	reads(&FQ, "qdisc 2a: parent 7765:2a fq_codel limit 10240p flows 1024 quantum 1514 "
		   "target 5000us interval 100000us ecn");
	o = FQ;
	o.type = TC_CODEL;
	o.fq_codel.ecn = false;
	reads(&o,
	      "qdisc 2a: parent 7765:2a codel limit 10240p target 5000us interval 100000us");
	o.type = TC_BFIFO;
	o.limit = 9000;
	reads(&o, "qdisc 2a: parent 7765:2a bfifo limit 9000b");
	o.type = TC_PFIFO;
	reads(&o, "qdisc 2a: parent 7765:2a pfifo limit 9000p");
	o = (struct tc_object){.kind = TC_FILTER,
			       .type = TC_BPF,
			       .parent = TC_ROOT_HANDLE,
			       .handle = 100,
			       .bpf = {code, 12, TC_ROOT_HANDLE | 0x2a, 0}};
	reads(&o, "filter pref 100 parent 7765: bpf classid 7765:2a bytecode of 12");
	o.bpf.classid = 0;
	o.bpf.redirect = 5;
	reads(&o, "filter pref 100 parent 7765: bpf redirect to interface 5 bytecode of 12");
	o.bpf.redirect = TC_REDIRECT_GONE;
	reads(&o, "filter pref 100 parent 7765: bpf redirect to an interface that is not there "
		  "bytecode of 12");
	o = (struct tc_object){.kind = TC_QDISC,
			       .type = TC_INGRESS,
			       .parent = TC_H_INGRESS,
			       .handle = 0xffff0000};
	reads(&o, "qdisc ffff: parent ingress ingress");
	o = (struct tc_object){.kind = TC_QDISC, .type = TC_OTHER, .other = "cake"};
	reads(&o, "qdisc none parent none cake");
	free(code);
}

static void numbers(void **state)
{
	char buf[POLICY_UNIT_TEXT];

	(void)state;
	assert_int_equal(tc_ticks_bytes(15625, 1000000), 1000); /* a millisecond */
	assert_int_equal(tc_ticks_bytes(UINT32_MAX, 1), 275);
	assert_true(tc_ticks_bytes(UINT32_MAX, UINT64_MAX) == UINT64_MAX);
	assert_string_equal(tc_rate_text(125, buf), "1kbit");
	assert_string_equal(tc_rate_text(UINT64_MAX, buf), "18446744073709551615bit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_own),   cmocka_unit_test(keys),
		cmocka_unit_test(values),      cmocka_unit_test(inner_class),
		cmocka_unit_test(stabs),       cmocka_unit_test(filters),
		cmocka_unit_test(codel_times), cmocka_unit_test(texts),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
