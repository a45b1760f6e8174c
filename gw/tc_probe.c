/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel has: each kind is put on the loopback of a new network namespace. That
 * loads the modules that it takes, as it would on the device.
 */
#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/pkt_sched.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/tc_link.h"
#include "gw/tc_message.h"
#include "gw/tc_nl.h"
#include "gw/tc_plan.h"

#define LOOPBACK 1u /* the index of lo in every namespace */
#define ROOT TC_ROOT_HANDLE

struct probe {
	struct tc_nl *nl;
	char *err;
	size_t errsize;
	bool failed;
};

/* An error that says no more than that the kernel has no such kind. */
static bool missing(int error)
{
	return error == ENOENT || error == EOPNOTSUPP || error == EINVAL;
}

static bool try(struct probe *p, enum tc_op op, const struct tc_object *o)
{
	struct nl_msg *m = tc_encode(op, o, NULL, LOOPBACK);
	char words[256];
	int error;

	if (p->failed || !m) {
		nlmsg_free(m);
		p->failed = true;
		return false;
	}
	error = tc_nl_ask(p->nl, m, words, sizeof(words));
	nlmsg_free(m);
	if (error && !missing(error)) {
		p->failed = true;
		fail_with(p->err, p->errsize, "trying %s: %s", tc_type_name(o), words);
	}
	return !error;
}

static bool try_leaf(struct probe *p, const struct tc_object *o)
{
	bool there = try(p, TC_ADD, o);

	if (there)
		try(p, TC_DELETE, o);
	return there;
}

static void try_egress(struct probe *p, struct tc_can *can)
{
	static struct sock_filter all = {.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	struct tc_fq_codel codel = {
		.limit = 100, .target = 5000, .interval = 100000, .flows = 16, .quantum = 1514};
	struct tc_object root = {.kind = TC_QDISC,
				 .type = TC_HTB,
				 .parent = TC_H_ROOT,
				 .handle = ROOT},
			 class = {.kind = TC_CLASS,
				  .type = TC_HTB,
				  .parent = ROOT,
				  .handle = ROOT | 1u,
				  .htb = {.rate = 125000,
					  .ceil = 125000,
					  .buffer = 1000000,
					  .cbuffer = 1000000,
					  .quantum = 1514}},
			 fq = {.kind = TC_QDISC,
			       .type = TC_FQ_CODEL,
			       .parent = ROOT | 1u,
			       .handle = 0x10000,
			       .fq_codel = codel},
			 plain = {.kind = TC_QDISC,
				  .type = TC_CODEL,
				  .parent = ROOT | 1u,
				  .handle = 0x10000,
				  .fq_codel = codel},
			 filter = {.kind = TC_FILTER,
				   .type = TC_BPF,
				   .parent = ROOT,
				   .handle = 1,
				   .bpf = {.insn = &all, .n = 1, .classid = ROOT | 1u}};

	can->htb = try(p, TC_ADD, &root) && try(p, TC_ADD, &class);
	if (!can->htb)
		return;
	can->bpf = try(p, TC_ADD, &filter);
	can->fq_codel = try_leaf(p, &fq);
	can->codel = try_leaf(p, &plain);
}

static void try_ingress(struct probe *p, struct tc_can *can)
{
	static struct sock_filter all = {.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	struct tc_object ingress = {.kind = TC_QDISC,
				    .type = TC_INGRESS,
				    .parent = TC_H_INGRESS,
				    .handle = TC_H_MAJ(TC_H_INGRESS)},
			 filter = {.kind = TC_FILTER,
				   .type = TC_BPF,
				   .parent = TC_H_MAJ(TC_H_INGRESS),
				   .handle = 1,
				   .bpf = {.insn = &all, .n = 1, .redirect = LOOPBACK}};
	struct tc_link ifb = {.name = "ifb", .kind = "ifb"};
	char words[256];

	can->ingress = try(p, TC_ADD, &ingress);
	if (can->ingress)
		can->mirred = try(p, TC_ADD, &filter);
	can->ifb = !tc_link_add(p->nl, &ifb, words, sizeof(words));
}

int tc_probe(struct tc_can *can, char *err, size_t errsize)
{
	struct probe p = {.err = err, .errsize = errsize};

	*can = (struct tc_can){0};
	fail_with(err, errsize, "no memory");
	p.nl = tc_nl_open_scratch(err, errsize);
	if (!p.nl)
		return -1;
	try_egress(&p, can);
	try_ingress(&p, can);
	tc_nl_close(p.nl);
	return p.failed ? -1 : 0;
}
