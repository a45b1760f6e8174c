/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is understood of the kernel's answers about qdiscs, classes and filters, hostile ones
 * included; which qdisc is slower than a link; and how an answer in parts is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

#include "gw/around_filter.h"
#include "gw/around_qdisc.h"
#include "gw/nldump.h"
#include "tests/unit/netlink_build.h"

#define MBIT UINT64_C(125000) /* bytes/s */
#define GBIT UINT64_C(125000000)

static struct nlmsghdr *tc_message(uint16_t type, int index, uint32_t handle, uint32_t parent,
				   const char *kind)
{
	struct tcmsg m = {.tcm_ifindex = index, .tcm_handle = handle, .tcm_parent = parent};
	struct nlmsghdr *nlh = message(type, &m, sizeof(m));

	mnl_attr_put_strz(nlh, TCA_KIND, kind);
	return nlh;
}

/* ---- Rates, as each kind says them. */

static void put_tbf(struct nlmsghdr *nlh, uint32_t rate, uint64_t rate64)
{
	struct nlattr *o = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	struct tc_tbf_qopt q = {.rate.rate = rate, .peakrate.rate = 77, .limit = 99};

	mnl_attr_put(nlh, TCA_TBF_PARMS, sizeof(q), &q);
	if (rate64)
		mnl_attr_put_u64(nlh, TCA_TBF_RATE64, rate64);
	mnl_attr_nest_end(nlh, o);
}

static void put_htb(struct nlmsghdr *nlh, uint32_t ceil, uint64_t ceil64)
{
	struct nlattr *o = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	struct tc_htb_opt q = {.rate.rate = 1, .ceil.rate = ceil};

	mnl_attr_put(nlh, TCA_HTB_PARMS, sizeof(q), &q);
	mnl_attr_put_u64(nlh, TCA_HTB_RATE64, 1);
	if (ceil64)
		mnl_attr_put_u64(nlh, TCA_HTB_CEIL64, ceil64);
	mnl_attr_nest_end(nlh, o);
}

static void put_cake(struct nlmsghdr *nlh, uint64_t rate)
{
	struct nlattr *o = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	mnl_attr_put_u64(nlh, TCA_CAKE_BASE_RATE64, rate);
	mnl_attr_put_u32(nlh, TCA_CAKE_DIFFSERV_MODE, 3);
	mnl_attr_nest_end(nlh, o);
}

static void put_netem(struct nlmsghdr *nlh, uint32_t rate, uint64_t rate64)
{
	struct nlattr *o = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	struct tc_netem_qopt q = {.latency = 0x00080008, .limit = 1000};
	struct tc_netem_rate r = {.rate = rate};
	char *at = mnl_nlmsg_get_payload_tail(nlh);

	/* the struct stands bare in front of the attributes */
	memcpy(at, &q, sizeof(q));
	nlh->nlmsg_len += NLA_ALIGN(sizeof(q));
	if (rate64)
		mnl_attr_put_u64(nlh, TCA_NETEM_RATE64, rate64);
	mnl_attr_put(nlh, TCA_NETEM_RATE, sizeof(r), &r);
	mnl_attr_nest_end(nlh, o);
}

static void put_hfsc(struct nlmsghdr *nlh, uint32_t limit)
{
	struct nlattr *o = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	struct tc_service_curve c = {.m1 = 5, .m2 = 6}, u = {.m1 = 9 * limit, .m2 = limit};

	mnl_attr_put(nlh, TCA_HFSC_FSC, sizeof(c), &c);
	if (limit)
		mnl_attr_put(nlh, TCA_HFSC_USC, sizeof(u), &u);
	mnl_attr_nest_end(nlh, o);
}

static void test_rates(void **state)
{
	struct nlmsghdr *nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "tbf");
	struct around_tc t;

	(void)state;
	put_tbf(nlh, 625000, 0);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.index, 4);
	assert_int_equal(t.handle, 0x10000);
	assert_int_equal(t.parent, TC_H_ROOT);
	assert_string_equal(t.kind, "tbf");
	assert_false(t.class);
	assert_int_equal(t.rate, 625000);
	/* from 34 gbit/s on the 32 bits are all ones */
	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "tbf");
	put_tbf(nlh, UINT32_MAX, 40 * GBIT);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 40 * GBIT);

	nlh = tc_message(RTM_NEWTCLASS, 4, 0x10001, TC_H_ROOT, "htb");
	put_htb(nlh, 1000, 0);
	assert_true(around_tc_parse(nlh, &t));
	assert_true(t.class);
	assert_int_equal(t.rate, 1000);
	nlh = tc_message(RTM_NEWTCLASS, 4, 0x10001, TC_H_ROOT, "htb");
	put_htb(nlh, UINT32_MAX, 40 * GBIT);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 40 * GBIT);

	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "cake");
	put_cake(nlh, 20 * MBIT);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 20 * MBIT);
	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "cake");
	put_cake(nlh, 0); /* unlimited */
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 0);

	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "netem");
	put_netem(nlh, 3000, 0);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 3000);
	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "netem");
	put_netem(nlh, UINT32_MAX, 40 * GBIT);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 40 * GBIT);

	nlh = tc_message(RTM_NEWTCLASS, 4, 0x10001, 0x10000, "hfsc");
	put_hfsc(nlh, 5000);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 5000);

	/* a kind's attribute means nothing of another kind, nor a class's of a qdisc */
	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "fq_codel");
	put_tbf(nlh, 625000, 0);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 0);
	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "htb");
	put_htb(nlh, 1000, 0);
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 0);
	/* an attribute that is too short says nothing */
	nlh = tc_message(RTM_NEWQDISC, 4, 0x10000, TC_H_ROOT, "tbf");
	{
		struct nlattr *o = mnl_attr_nest_start(nlh, TCA_OPTIONS);

		mnl_attr_put(nlh, TCA_TBF_PARMS, 10, "0123456789");
		mnl_attr_put(nlh, TCA_TBF_RATE64, 4, "0123");
		mnl_attr_nest_end(nlh, o);
	}
	assert_true(around_tc_parse(nlh, &t));
	assert_int_equal(t.rate, 0);
	nlh->nlmsg_type = RTM_DELQDISC;
	assert_false(around_tc_parse(nlh, &t));
}

/* ---- Which qdisc is slower. */

#define ROOT TC_H_ROOT
#define Q(h, p, k, r) \
	{ \
		1, false, k, (h) << 16, p, (r)*MBIT \
	}
#define C(maj, min, p, k, r) \
	{ \
		1, true, k, (maj) << 16 | (min), p, (r)*MBIT \
	}

static void test_slowest(void **state)
{
	static const struct {
		const char *what;
		struct around_tc v[6];
		uint64_t link, least; /* mbit/s; least 0: nothing is slower */
		uint32_t handle;      /* major, of the one that is */
	} t[] = {
		{"nothing at all", {{0}}, 10, 0, 0},
		{"one without a rate", {Q(0, ROOT, "fq_codel", 0)}, 10, 0, 0},
		{"tbf", {Q(1, ROOT, "tbf", 5)}, 10, 5, 1},
		{"tbf as fast as the link", {Q(1, ROOT, "tbf", 10)}, 10, 0, 0},
		{"tbf faster", {Q(1, ROOT, "tbf", 11)}, 10, 0, 0},
		{"cake", {Q(1, ROOT, "cake", 5)}, 10, 5, 1},
		{"cake without a rate", {Q(1, ROOT, "cake", 0)}, 10, 0, 0},
		{"tbf below mq",
		 {Q(1, ROOT, "mq", 0), C(1, 1, ROOT, "mq", 0), Q(2, 0x10001, "pfifo", 0),
		  Q(3, 0x10002, "tbf", 5)},
		 10,
		 5,
		 3},
		{"the slowest of two below prio",
		 {Q(1, ROOT, "prio", 0), Q(2, 0x10001, "tbf", 5), Q(3, 0x10002, "cake", 4)},
		 10,
		 4,
		 3},
		{"htb whose classes together are slower",
		 {Q(1, ROOT, "htb", 0), C(1, 1, ROOT, "htb", 3), C(1, 2, ROOT, "htb", 4),
		  C(1, 3, 0x10001, "htb", 100)},
		 10,
		 7,
		 1},
		{"htb whose classes together are not",
		 {Q(1, ROOT, "htb", 0), C(1, 1, ROOT, "htb", 6), C(1, 2, ROOT, "htb", 4),
		  C(1, 3, 0x10001, "htb", 1)},
		 10,
		 0,
		 0},
		{"htb without classes", {Q(1, ROOT, "htb", 0)}, 10, 0, 0},
		{"htb below mq, by its own classes",
		 {Q(1, ROOT, "mq", 0), Q(2, 0x10001, "htb", 0), C(2, 1, ROOT, "htb", 5),
		  Q(3, 0x10002, "htb", 0), C(3, 1, ROOT, "htb", 50)},
		 10,
		 5,
		 2},
		{"tbf in a class of htb",
		 {Q(1, ROOT, "htb", 0), C(1, 1, ROOT, "htb", 20), Q(2, 0x10001, "tbf", 2)},
		 10,
		 2,
		 2},
		/* hfsc has a class of the qdisc's own handle above those that were made */
		{"hfsc",
		 {Q(1, ROOT, "hfsc", 0), C(1, 0, ROOT, "hfsc", 0), C(1, 1, 0x10000, "hfsc", 5),
		  C(1, 2, 0x10001, "hfsc", 1)},
		 10,
		 5,
		 1},
		{"hfsc with a class without limit",
		 {Q(1, ROOT, "hfsc", 0), C(1, 1, 0x10000, "hfsc", 5),
		  C(1, 2, 0x10000, "hfsc", 0)},
		 10,
		 0,
		 0},
		{"on the way in",
		 {Q(0xffff, TC_H_INGRESS, "ingress", 0), Q(2, TC_H_INGRESS, "tbf", 5)},
		 10,
		 0,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct around_tc v[6];
		struct around_tcs s = {.v = v};
		const struct around_tc *q;
		uint64_t least;

		memcpy(v, t[i].v, sizeof(v));
		while (s.n < 6 && v[s.n].index)
			s.n++;
		q = around_tc_slowest(&s, 1, t[i].link * MBIT, &least);
		if (!q != !t[i].least)
			fail_msg("%s: %s", t[i].what, q ? q->kind : "nothing");
		if (q && (least != t[i].least * MBIT || q->handle != t[i].handle << 16))
			fail_msg("%s: %s, %llu bytes/s", t[i].what, q->kind,
				 (unsigned long long)least);
		/* another interface's are none of this one's */
		assert_null(around_tc_slowest(&s, 2, t[i].link * MBIT, &least));
	}
}

static void test_slowest_overflow(void **state)
{
	struct around_tc v[] = {Q(1, ROOT, "htb", 0), C(1, 1, ROOT, "htb", 0),
				C(1, 2, ROOT, "htb", 0)};
	struct around_tcs s = {.v = v, .n = 3};
	uint64_t least;

	(void)state;
	/* a sum that does not fit is not a small one */
	v[1].rate = UINT64_MAX - 1;
	v[2].rate = 3;
	assert_null(around_tc_slowest(&s, 1, 10 * MBIT, &least));
}

static void any_tc(void *arg, const struct nlmsghdr *nlh)
{
	unsigned *n = arg;
	struct around_tc t;

	if (!around_tc_parse(nlh, &t))
		return;
	++*n;
	assert_true(strlen(t.kind) > 0 && strlen(t.kind) < sizeof(t.kind));
}

static void test_tc_lies(void **state)
{
	static const char *const kind[] = {"tbf", "cake", "netem", "htb", "hfsc"};
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct nlmsghdr *nlh = tc_message(i < 3 ? RTM_NEWQDISC : RTM_NEWTCLASS, 1,
						  0x10000, ROOT, kind[i]);

		switch (i) {
		case 0:
			put_tbf(nlh, 1, 2);
			break;
		case 1:
			put_cake(nlh, 1);
			break;
		case 2:
			put_netem(nlh, 1, 2);
			break;
		case 3:
			put_htb(nlh, 1, 2);
			break;
		default:
			put_hfsc(nlh, 1);
			break;
		}
		lie(nlh, sizeof(*nlh), any_tc, &n);
	}
	assert_true(n > 100);
	noise(RTM_NEWQDISC, sizeof(struct tcmsg), 50000, any_tc, &n);
	noise(RTM_NEWTCLASS, sizeof(struct tcmsg), 50000, any_tc, &n);
}

/* ---- Filters. */

struct action {
	const char *kind;
	int what; /* TCA_EGRESS_REDIR and so on */
	uint32_t to;
};

static struct nlmsghdr *filter_message(const char *kind, uint16_t actions,
				       const struct action *a, size_t n, uint16_t flags,
				       uint32_t set)
{
	struct tcmsg m = {.tcm_ifindex = 3, .tcm_info = TC_H_MAKE(49152u << 16, 8)};
	struct nlmsghdr *nlh = message(RTM_NEWTFILTER, &m, sizeof(m));
	struct nlattr *o, *list, *one, *inner;

	mnl_attr_put_strz(nlh, TCA_KIND, kind);
	o = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	list = mnl_attr_nest_start(nlh, actions);
	for (size_t i = 0; i < n; i++) {
		struct tc_mirred p = {.action = 4, .eaction = a[i].what, .ifindex = a[i].to};

		one = mnl_attr_nest_start(nlh, (uint16_t)(i + 1));
		mnl_attr_put_strz(nlh, TCA_ACT_KIND, a[i].kind);
		inner = mnl_attr_nest_start(nlh, TCA_ACT_OPTIONS);
		mnl_attr_put(nlh, TCA_MIRRED_PARMS, sizeof(p), &p);
		mnl_attr_nest_end(nlh, inner);
		mnl_attr_nest_end(nlh, one);
	}
	mnl_attr_nest_end(nlh, list);
	if (flags)
		mnl_attr_put_u32(nlh, flags, set);
	mnl_attr_nest_end(nlh, o);
	return nlh;
}

static void test_filters(void **state)
{
	static const struct {
		const char *kind;
		uint16_t actions, flags;
	} kinds[] = {
		{"u32", TCA_U32_ACT, TCA_U32_FLAGS},
		{"flower", TCA_FLOWER_ACT, TCA_FLOWER_FLAGS},
		{"matchall", TCA_MATCHALL_ACT, TCA_MATCHALL_FLAGS},
		{"bpf", TCA_BPF_ACT, TCA_BPF_FLAGS_GEN},
		{"fw", TCA_FW_ACT, 0},
		{"basic", TCA_BASIC_ACT, 0},
		{"flow", TCA_FLOW_ACT, 0},
		{"route", TCA_ROUTE4_ACT, 0},
		{"cgroup", TCA_CGROUP_ACT, 0},
	};
	static const struct action to7 = {"mirred", TCA_EGRESS_REDIR, 7};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct around_filters f = {.to = 7};

		around_filter_take(&f, filter_message(kinds[i].kind, kinds[i].actions, &to7, 1,
						      kinds[i].flags, TCA_CLS_FLAGS_NOT_IN_HW));
		assert_int_equal(f.n, 1);
		assert_string_equal(f.kind, kinds[i].kind);
		assert_int_equal(f.pref, 49152);
		assert_false(f.copies);
		assert_false(f.hardware);
		around_filter_take(&f,
				   filter_message(kinds[i].kind, kinds[i].actions, &to7, 1,
						  kinds[i].flags,
						  TCA_CLS_FLAGS_SKIP_SW | TCA_CLS_FLAGS_IN_HW));
		assert_int_equal(f.n, 2);
		assert_int_equal(f.hardware, kinds[i].flags != 0);
		/* the attribute of another number has no actions in it */
		around_filter_take(&f, filter_message(kinds[i].kind, kinds[i].actions + 40,
						      &to7, 1, 0, 0));
		assert_int_equal(f.n, 2);
	}
}

static void test_filter_actions(void **state)
{
	static const struct {
		struct action a[2];
		unsigned found;
		bool copies;
	} t[] = {
		{{{"mirred", TCA_EGRESS_REDIR, 7}}, 1, false},
		{{{"mirred", TCA_EGRESS_MIRROR, 7}}, 1, true},
		/* back into a stack is no way round it; nor is another interface */
		{{{"mirred", TCA_INGRESS_REDIR, 7}}, 0, false},
		{{{"mirred", TCA_INGRESS_MIRROR, 7}}, 0, false},
		{{{"mirred", TCA_EGRESS_REDIR, 8}}, 0, false},
		{{{"mirred", TCA_EGRESS_REDIR, 0}}, 0, false},
		/* another action has other parameters; the second one counts as well */
		{{{"gact", TCA_EGRESS_REDIR, 7}}, 0, false},
		{{{"mirred2", TCA_EGRESS_REDIR, 7}}, 0, false},
		{{{"gact", 0, 0}, {"mirred", TCA_EGRESS_REDIR, 7}}, 1, false},
		{{{"mirred", TCA_EGRESS_MIRROR, 7}, {"mirred", TCA_EGRESS_REDIR, 7}}, 1, false},
		{{{"mirred", TCA_EGRESS_MIRROR, 7}, {"mirred", TCA_EGRESS_REDIR, 8}}, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct around_filters f = {.to = 7};
		struct nlmsghdr *nlh = filter_message("u32", TCA_U32_ACT, t[i].a,
						      t[i].a[1].kind ? 2 : 1, 0, 0);

		around_filter_take(&f, nlh);
		if (f.n != t[i].found || f.copies != t[i].copies)
			fail_msg("%zu: %u found, copies %d", i, f.n, f.copies);
		nlh->nlmsg_type = RTM_DELTFILTER;
		around_filter_take(&f, nlh);
		assert_int_equal(f.n, t[i].found);
	}
}

/* All together: copies only when none redirects, whichever comes first; the first is named. */
static void test_filters_together(void **state)
{
	static const struct action copy = {"mirred", TCA_EGRESS_MIRROR, 7},
				   redirect = {"mirred", TCA_EGRESS_REDIR, 7};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct around_filters f = {.to = 7};

		around_filter_take(
			&f, filter_message("u32", TCA_U32_ACT, i ? &copy : &redirect, 1, 0, 0));
		assert_int_equal(f.copies, i);
		around_filter_take(&f, filter_message("flower", TCA_FLOWER_ACT,
						      i ? &redirect : &copy, 1, 0, 0));
		assert_int_equal(f.n, 2);
		assert_false(f.copies);
		assert_string_equal(f.kind, "u32");
	}
}

static void any_filter(void *arg, const struct nlmsghdr *nlh)
{
	unsigned *n = arg;
	struct around_filters f = {.to = 7};

	around_filter_take(&f, nlh);
	assert_true(f.n <= 1);
	*n += f.n;
}

static void test_filter_lies(void **state)
{
	static const struct action a[] = {{"mirred", TCA_EGRESS_MIRROR, 7},
					  {"mirred", TCA_EGRESS_REDIR, 7}};
	unsigned n = 0;

	(void)state;
	lie(filter_message("flower", TCA_FLOWER_ACT, a, 2, TCA_FLOWER_FLAGS, 4),
	    sizeof(struct nlmsghdr), any_filter, &n);
	assert_true(n > 100);
	noise(RTM_NEWTFILTER, sizeof(struct tcmsg), 100000, any_filter, &n);
}

/* ---- Answers in parts. */

static size_t put(uint8_t *at, uint16_t type, uint16_t flags, const void *data, size_t len)
{
	struct nlmsghdr h = {.nlmsg_type = type,
			     .nlmsg_flags = flags,
			     .nlmsg_len = (uint32_t)(sizeof(h) + len)};

	memcpy(at, &h, sizeof(h));
	if (len)
		memcpy(at + sizeof(h), data, len);
	return NLMSG_ALIGN(sizeof(h) + len);
}

static void test_parts(void **state)
{
	uint8_t part[256] __attribute__((aligned(8)));
	struct nldump_text t = {0};
	int32_t error;
	size_t n;

	(void)state;
	n = put(part, RTM_NEWLINK, NLM_F_MULTI, "abcdef", 6);
	n += put(part + n, NLMSG_NOOP, 0, NULL, 0);
	n += put(part + n, RTM_NEWLINK, NLM_F_MULTI, "ghijklmno", 9);
	assert_int_equal(nldump_take(&t, part, n), 1);
	assert_int_equal(t.used, 24 + 28);
	/* what is cut off in the middle of a message is none */
	assert_int_equal(nldump_take(&t, part, 20), 1);
	assert_int_equal(t.used, 24 + 28);
	/* the end, with and without a word about how it went */
	n = put(part, RTM_NEWLINK, NLM_F_MULTI, "p", 1);
	n += put(part + n, NLMSG_DONE, NLM_F_MULTI, NULL, 0);
	assert_int_equal(nldump_take(&t, part, n), 0);
	assert_int_equal(t.used, 24 + 28 + 20);
	error = 0;
	n = put(part, NLMSG_DONE, NLM_F_MULTI, &error, sizeof(error));
	assert_int_equal(nldump_take(&t, part, n), 0);
	error = -ENOBUFS;
	n = put(part, NLMSG_DONE, NLM_F_MULTI, &error, sizeof(error));
	errno = 0;
	assert_int_equal(nldump_take(&t, part, n), -1);
	assert_int_equal(errno, ENOBUFS);
	/* errors, of any size */
	error = -EPERM;
	n = put(part, NLMSG_ERROR, 0, &error, sizeof(error));
	assert_int_equal(nldump_take(&t, part, n), -1);
	assert_int_equal(errno, EPERM);
	n = put(part, NLMSG_ERROR, 0, "x", 1);
	assert_int_equal(nldump_take(&t, part, n), -1);
	assert_int_equal(errno, EBADMSG);
	error = INT32_MIN;
	n = put(part, NLMSG_ERROR, 0, &error, sizeof(error));
	assert_int_equal(nldump_take(&t, part, n), -1);
	assert_int_equal(errno, EBADMSG);
	/* something changed meanwhile, which only the last message may say */
	n = put(part, RTM_NEWLINK, NLM_F_MULTI, "p", 1);
	n += put(part + n, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, NULL, 0);
	assert_int_equal(nldump_take(&t, part, n), -1);
	assert_int_equal(errno, EINTR);
	free(t.mem);
}

/* More than one part can hold. */
static void test_parts_many(void **state)
{
	static uint8_t part[32768] __attribute__((aligned(8)));
	static const uint8_t data[1000] = {1};
	struct nldump_text t = {0};
	size_t n = 0, one = NLMSG_ALIGN(16 + sizeof(data));

	(void)state;
	while (n + one <= sizeof(part))
		n += put(part + n, RTM_NEWLINK, NLM_F_MULTI, data, sizeof(data));
	for (unsigned i = 1; i <= 50; i++) {
		assert_int_equal(nldump_take(&t, part, n), 1);
		assert_int_equal(t.used, i * n);
		assert_true(t.size >= t.used);
		assert_memory_equal(t.mem + (i - 1) * n, part, n);
	}
	free(t.mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_slowest),
		cmocka_unit_test(test_slowest_overflow),
		cmocka_unit_test(test_tc_lies),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_filter_actions),
		cmocka_unit_test(test_filters_together),
		cmocka_unit_test(test_filter_lies),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_parts_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
