/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of traffic control, both ways: what weir asks for is what it reads in the answer;
 * whatever else the kernel may say is somebody else's, and lengths that lie do no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>

#include "gw/tc_message.h"
#include "gw/tc_raw.h"

static struct sock_filter program[] = {{.code = BPF_LD | BPF_IMM, .k = 5},
				       {.code = BPF_RET | BPF_K, .k = UINT32_MAX}};

/* CoDel's times are multiples of 1024 ns: the kernel tells them as it was told */
static const struct tc_object samples[] = {
	{.kind = TC_CLASS,
	 .type = TC_HTB,
	 .parent = TC_ROOT_HANDLE | 1,
	 .handle = TC_ROOT_HANDLE | 0x2a,
	 .htb = {.rate = 125000,
		 .ceil = 1ull << 40,
		 .buffer = 77,
		 .cbuffer = 88,
		 .quantum = 99,
		 .prio = 3}},
	{.kind = TC_CLASS,
	 .type = TC_HTB,
	 .parent = TC_ROOT_HANDLE | 1,
	 .handle = TC_ROOT_HANDLE | 0x2b,
	 .htb = {.rate = UINT32_MAX, .ceil = (uint64_t)UINT32_MAX + 1, .quantum = 1}},
	{.kind = TC_QDISC,
	 .type = TC_PFIFO,
	 .parent = TC_ROOT_HANDLE | 2,
	 .handle = 0x20000,
	 .limit = 50},
	{.kind = TC_QDISC,
	 .type = TC_BFIFO,
	 .parent = TC_ROOT_HANDLE | 2,
	 .handle = 0x20000,
	 .limit = 50000},
	{.kind = TC_QDISC,
	 .type = TC_FQ_CODEL,
	 .parent = TC_ROOT_HANDLE | 2,
	 .handle = 0x20000,
	 .fq_codel = {.limit = 10,
		      .target = 5120,
		      .interval = 102400,
		      .ecn = true,
		      .flows = 1024,
		      .quantum = 1514}},
	{.kind = TC_QDISC,
	 .type = TC_CODEL,
	 .parent = TC_ROOT_HANDLE | 2,
	 .handle = 0x20000,
	 .fq_codel = {.limit = 10, .target = 5120, .interval = 102400}},
	{.kind = TC_QDISC, .type = TC_INGRESS, .parent = TC_H_INGRESS, .handle = 0xffff0000},
	{.kind = TC_FILTER,
	 .type = TC_BPF,
	 .parent = TC_ROOT_HANDLE,
	 .handle = 65535,
	 .bpf = {.insn = program, .n = 2, .classid = TC_ROOT_HANDLE | 5}},
	{.kind = TC_FILTER,
	 .type = TC_BPF,
	 .parent = 0xffff0000,
	 .handle = 1,
	 .bpf = {.insn = program, .n = 2, .redirect = 7}},
	{.kind = TC_CLASS,
	 .type = TC_HTB,
	 .parent = TC_ROOT_HANDLE | 1,
	 .handle = TC_ROOT_HANDLE | 0x2c,
	 .htb = {.rate = 1,
		 .ceil = 2,
		 .quantum = 1,
		 .rate_cost = {.overhead = (uint16_t)-4, .mpu = 64},
		 .ceil_cost = {.overhead = 7, .atm = true}}},
	{.kind = TC_QDISC,
	 .type = TC_FQ_CODEL,
	 .parent = TC_ROOT_HANDLE | 2,
	 .handle = 0x20000,
	 .fq_codel = {.limit = 10,
		      .target = 5120,
		      .interval = 102400,
		      .flows = 1024,
		      .quantum = 1514,
		      .memory = 5,
		      .drop_batch = 6}},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void asked_and_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct nl_msg *m = tc_encode(TC_ADD, &samples[i], NULL, 3);
		struct tc_counters c;
		struct tc_object o;

		assert_non_null(m);
		assert_int_equal(tc_decode(nlmsg_hdr(m), &o, &c), 1);
		assert_int_equal(o.type, samples[i].type);
		assert_true(tc_same_key(&o, &samples[i]));
		assert_true(tc_same_value(&o, &samples[i]));
		tc_object_free(&o);
		nlmsg_free(m);
	}
}

/* A message of a dump, put together by hand. */
static struct nl_msg *begin(int type, const char *kind, uint32_t parent, uint32_t handle,
			    uint32_t info)
{
	struct tcmsg t = {.tcm_parent = parent, .tcm_handle = handle, .tcm_info = info};
	struct nl_msg *m = tc_encode_header(type, 0, &t, 4096);

	assert_non_null(m);
	if (kind)
		assert_int_equal(nla_put_string(m, TCA_KIND, kind), 0);
	return m;
}

static void read_end(struct nl_msg *m, int want, struct tc_object *o, struct tc_counters *c)
{
	struct tc_counters ignored;

	assert_int_equal(tc_decode(nlmsg_hdr(m), o, c ? c : &ignored), want);
	nlmsg_free(m);
}

static void put_htb_root(struct nl_msg *m, uint32_t version)
{
	struct tc_htb_glob glob = {.version = version, .rate2quantum = 10, .direct_pkts = 5};
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);

	nla_put(m, TCA_HTB_INIT, sizeof(glob), &glob);
	nla_put_u32(m, TCA_HTB_DIRECT_QLEN, 1000);
	nla_nest_end(m, nest);
}

static void the_root_with_its_size_table(void **state)
{
	struct tc_sizespec spec = {
		.overhead = -4, .mpu = 64, .linklayer = TC_LINKLAYER_ATM, .tsize = 2064};
	struct nl_msg *m = begin(RTM_NEWQDISC, "htb", TC_H_ROOT, TC_ROOT_HANDLE, 2);
	struct nlattr *nest;
	struct tc_object o;

	(void)state;
	put_htb_root(m, 0x30011);
	nest = nla_nest_start(m, TCA_STAB);
	nla_put(m, TCA_STAB_BASE, sizeof(spec), &spec);
	nla_nest_end(m, nest);
	read_end(m, 1, &o, NULL);
	assert_int_equal(o.type, TC_HTB);
	assert_true(o.htb_qdisc.has_stab);
	assert_int_equal(o.htb_qdisc.stab.overhead, -4);
	assert_int_equal(o.htb_qdisc.stab.n, 2064);
	assert_null(o.htb_qdisc.stab.size);

	m = begin(RTM_NEWQDISC, "htb", TC_H_ROOT, TC_ROOT_HANDLE, 2);
	put_htb_root(m, 0x40000); /* a HTB of the future */
	read_end(m, 1, &o, NULL);
	assert_int_equal(o.type, TC_OTHER);
	assert_string_equal(o.other, "htb");
}

static void counters_of_a_class(void **state)
{
	struct gnet_stats_basic basic = {.bytes = 1ull << 40, .packets = 7};
	struct gnet_stats_queue queue = {.qlen = 3, .backlog = 4500, .drops = 9};
	struct nl_msg *m = begin(RTM_NEWTCLASS, "htb", TC_H_ROOT, TC_ROOT_HANDLE | 1, 0);
	struct tc_htb_opt opt = {.rate = {.rate = 5}, .ceil = {.rate = 6}};
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);
	struct tc_counters c;
	struct tc_object o;

	(void)state;
	nla_put(m, TCA_HTB_PARMS, sizeof(opt), &opt);
	nla_nest_end(m, nest);
	nest = nla_nest_start(m, TCA_STATS2);
	nla_put(m, TCA_STATS_BASIC, sizeof(basic), &basic);
	nla_put(m, TCA_STATS_QUEUE, sizeof(queue), &queue);
	nla_put_u64(m, TCA_STATS_PKT64, 1ull << 33);
	nla_nest_end(m, nest);
	read_end(m, 1, &o, &c);
	assert_int_equal(o.parent, TC_ROOT_HANDLE); /* told as hanging on nothing */
	assert_int_equal(c.bytes, 1ull << 40);
	assert_int_equal(c.packets, 1ull << 33);
	assert_int_equal(c.drops, 9);
	assert_int_equal(c.backlog_packets, 3);
	assert_int_equal(c.backlog_bytes, 4500);
}

struct filter {
	const char *kind;
	uint32_t handle, flags, gen, chain;
	uint16_t protocol, n, said; /* instructions that there are, and that are said */
	int action;		    /* of mirred; 0: none */
	bool fd, police, two;
};

static void put_action(struct nl_msg *m, int order, int eaction)
{
	struct tc_mirred_like {
		uint32_t index, capab;
		int action, refcnt, bindcnt, eaction;
		uint32_t ifindex;
	} parms = {.action = TC_ACT_STOLEN, .eaction = eaction, .ifindex = 4};
	struct nlattr *act = nla_nest_start(m, order), *options;

	nla_put_string(m, TCA_ACT_KIND, "mirred");
	options = nla_nest_start(m, TCA_ACT_OPTIONS);
	nla_put(m, 2 /* TCA_MIRRED_PARMS */, sizeof(parms), &parms);
	nla_nest_end(m, options);
	nla_nest_end(m, act);
}

static enum tc_type type_of(const struct filter *f)
{
	struct nl_msg *m = begin(RTM_NEWTFILTER, f->kind, TC_ROOT_HANDLE, f->handle,
				 TC_H_MAKE(100u << 16, htons(f->protocol)));
	struct nlattr *nest, *acts;
	struct tc_object o;
	enum tc_type type;

	if (f->chain)
		nla_put_u32(m, TCA_CHAIN, f->chain);
	nest = nla_nest_start(m, TCA_OPTIONS);
	nla_put_u32(m, TCA_BPF_CLASSID, TC_ROOT_HANDLE | 1);
	nla_put_u16(m, TCA_BPF_OPS_LEN, f->said);
	nla_put(m, TCA_BPF_OPS, (int)(f->n * sizeof(*program)), program);
	nla_put_u32(m, TCA_BPF_FLAGS, f->flags);
	nla_put_u32(m, TCA_BPF_FLAGS_GEN, f->gen);
	if (f->fd)
		nla_put_u32(m, TCA_BPF_FD, 3);
	if (f->police)
		nla_put_u32(m, TCA_BPF_POLICE, 3);
	if (f->action) {
		acts = nla_nest_start(m, TCA_BPF_ACT);
		put_action(m, 1, f->action);
		if (f->two)
			put_action(m, 2, f->action);
		nla_nest_end(m, acts);
	}
	nla_nest_end(m, nest);
	read_end(m, 1, &o, NULL);
	type = o.type;
	assert_int_equal(o.handle, 100);
	tc_object_free(&o);
	return type;
}

static void filters_that_are_not_weirs(void **state)
{
	const struct filter good = {.kind = "bpf",
				    .handle = 1,
				    .protocol = ETH_P_ALL,
				    .n = 2,
				    .said = 2,
				    .gen = TCA_CLS_FLAGS_NOT_IN_HW};
	struct filter f = good;

	(void)state;
	assert_int_equal(type_of(&f), TC_BPF);
	f.action = 1; /* TCA_EGRESS_REDIR */
	assert_int_equal(type_of(&f), TC_BPF);
	f.two = true;
	assert_int_equal(type_of(&f), TC_OTHER);
#define OTHER(change) \
	do { \
		f = good; \
		change; \
		assert_int_equal(type_of(&f), TC_OTHER); \
	} while (0)
	OTHER(f.action = 2); /* a mirror */
	OTHER(f.handle = 2);
	OTHER(f.protocol = ETH_P_IP);
	OTHER(f.chain = 3);
	OTHER(f.said = 1);
	OTHER(f.said = 4000);
	OTHER(f.n = f.said = 0);
	OTHER(f.flags = TCA_BPF_FLAG_ACT_DIRECT);
	OTHER(f.gen = TCA_CLS_FLAGS_SKIP_SW);
	OTHER(f.fd = true);
	OTHER(f.police = true);
	OTHER(f.kind = "u32");
	OTHER(f.kind = "bpfx");
}

/* CoDel's times in units of 1024 ns: what is said again is kept as it is kept now. */
static void codel_times(void **state)
{
	(void)state;
	for (uint32_t us = 0; us < 3000000; us = us < 5000 ? us + 1 : us + 997) {
		uint64_t kept = (uint64_t)us * 1000 >> 10;
		uint32_t told = (uint32_t)((kept << 10) / 1000);

		assert_int_equal((uint64_t)tc_codel_time(told) * 1000 >> 10, kept);
	}
	assert_int_equal(tc_codel_time(4999), 5000);
	assert_true(tc_codel_time(UINT32_MAX) > 4000000000u);
}

/* Each byte of each message changed and each length cut: a type, or a refusal. */
static void lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct nl_msg *m = tc_encode(TC_ADD, &samples[i], NULL, 3);
		uint32_t n = nlmsg_hdr(m)->nlmsg_len;

		for (uint32_t at = 4; at < n; at++) {
			/* a copy of just its size, so that a sanitizer sees what is behind it
			 */
			uint8_t *copy = malloc(n);
			struct nlmsghdr *h = (struct nlmsghdr *)(void *)copy;
			struct tc_counters c;
			struct tc_object o;

			assert_non_null(copy);
			memcpy(copy, nlmsg_hdr(m), n);
			copy[at] ^= 0xff;
			if (tc_decode(h, &o, &c) == 1)
				tc_object_free(&o);
			free(copy);
			copy = malloc(at > sizeof(*h) ? at : sizeof(*h));
			assert_non_null(copy);
			memcpy(copy, nlmsg_hdr(m), at > sizeof(*h) ? at : sizeof(*h));
			h = (struct nlmsghdr *)(void *)copy;
			h->nlmsg_len = at > sizeof(*h) ? at : sizeof(*h);
			if (tc_decode(h, &o, &c) == 1)
				tc_object_free(&o);
			free(copy);
		}
		nlmsg_free(m);
	}
}

static void no_messages_of_traffic_control(void **state)
{
	struct tc_object o;

	(void)state;
	read_end(begin(RTM_NEWLINK, "htb", 0, 0, 0), 0, &o, NULL);
	read_end(begin(RTM_DELQDISC, "htb", 0, 0, 0), 0, &o, NULL);
	read_end(begin(RTM_NEWQDISC, NULL, TC_H_ROOT, 0, 0), -1, &o, NULL);
	read_end(begin(RTM_NEWQDISC, "noqueue", TC_H_ROOT, 0, 2), 1, &o, NULL);
	assert_int_equal(o.type, TC_OTHER);
}

/* The messages of one device become its state again; a priority and its filters are one. */
static void from_messages(void **state)
{
	struct tc_state s;
	uint8_t buf[8192] __attribute__((aligned(8)));
	size_t n = 0;
	char err[256];
	struct nl_msg *m[4];

	(void)state;
	m[0] = begin(RTM_NEWQDISC, "htb", TC_H_ROOT, TC_ROOT_HANDLE, 2);
	put_htb_root(m[0], 0x30011);
	m[1] = begin(RTM_NEWTFILTER, "bpf", TC_ROOT_HANDLE, 0,
		     TC_H_MAKE(65535u << 16, htons(ETH_P_ALL)));
	m[2] = tc_encode(TC_ADD, &samples[7], NULL, 0);
	m[3] = tc_encode(TC_ADD, &samples[7], NULL, 0);
	((struct tcmsg *)nlmsg_data(nlmsg_hdr(m[3])))->tcm_handle = 2;
	for (size_t i = 0; i < 4; i++) {
		memcpy(buf + n, nlmsg_hdr(m[i]), nlmsg_hdr(m[i])->nlmsg_len);
		n += NLMSG_ALIGN(nlmsg_hdr(m[i])->nlmsg_len);
		if (i < 2) {
			nlmsg_free(m[i]);
			continue;
		}
		assert_int_equal(tc_state_from(buf, n, &s, err, sizeof(err)), 0);
		assert_true(s.ours);
		assert_int_equal(s.list.n, 2);
		/* a second filter of the priority is none of weir's making */
		assert_int_equal(s.list.v[1].type, i == 2 ? TC_BPF : TC_OTHER);
		assert_int_equal(tc_raw_most(&s.list.v[1]), i);
		tc_state_free(&s);
		nlmsg_free(m[i]);
	}
	assert_int_equal(tc_state_from(buf, n - 4, &s, err, sizeof(err)), -1);
	buf[0] = 20; /* shorter than a message of traffic control */
	assert_int_equal(tc_state_from(buf, n, &s, err, sizeof(err)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_and_read),
		cmocka_unit_test(the_root_with_its_size_table),
		cmocka_unit_test(counters_of_a_class),
		cmocka_unit_test(filters_that_are_not_weirs),
		cmocka_unit_test(codel_times),
		cmocka_unit_test(lies),
		cmocka_unit_test(no_messages_of_traffic_control),
		cmocka_unit_test(from_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
