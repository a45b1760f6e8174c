/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the kernel's messages to objects. An object has the type of what weir makes only if it
 * is so in everything that weir sets: one unknown option, and it is somebody else's (TC_OTHER).
 */
#include "gw/tc_message.h"

#include <arpa/inet.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTB_VERSION 3u
#define OFFLOAD_ONLY (TCA_CLS_FLAGS_SKIP_HW | TCA_CLS_FLAGS_SKIP_SW)

int tc_parse(const struct nlmsghdr *h, struct tc_parsed *p)
{
	const struct nlattr *kind;

	memset(p, 0, sizeof(*p));
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(p->t)) ||
	    nla_parse(p->tb, TCA_MAX, nlmsg_attrdata(h, sizeof(p->t)),
		      nlmsg_attrlen(h, sizeof(p->t)), NULL) < 0)
		return -1;
	memcpy(&p->t, nlmsg_data(h), sizeof(p->t));
	kind = p->tb[TCA_KIND];
	if (!kind || nla_len(kind) < 2)
		return -1;
	snprintf(p->kind, sizeof(p->kind), "%.*s", nla_len(kind), (const char *)nla_data(kind));
	if (p->tb[TCA_CHAIN]) {
		if (nla_len(p->tb[TCA_CHAIN]) < (int)sizeof(uint32_t))
			return -1;
		p->chain = nla_get_u32(p->tb[TCA_CHAIN]);
	}
	return 0;
}

/* A fixed structure in an attribute: false where it is missing or too short. */
static bool get(const struct nlattr *a, void *to, size_t size)
{
	if (!a || nla_len(a) < (int)size)
		return false;
	memcpy(to, nla_data(a), size);
	return true;
}

static bool get_u32(const struct nlattr *a, uint32_t *to)
{
	return get(a, to, sizeof(*to));
}

static bool nested(const struct nlattr *a, struct nlattr **tb, int max)
{
	return a && !nla_parse(tb, max, nla_data(a), nla_len(a), NULL);
}

static void counters(const struct nlattr *stats, struct tc_counters *c)
{
	struct nlattr *tb[TCA_STATS_MAX + 1];
	struct gnet_stats_basic basic;
	struct gnet_stats_queue queue;
	uint64_t wide;

	*c = (struct tc_counters){0};
	if (!nested(stats, tb, TCA_STATS_MAX))
		return;
	/* the padding behind the last member may be missing */
	if (get(tb[TCA_STATS_BASIC], &basic, offsetof(struct gnet_stats_basic, packets) + 4)) {
		c->bytes = basic.bytes;
		c->packets = basic.packets;
	}
	if (get(tb[TCA_STATS_PKT64], &wide, sizeof(wide)))
		c->packets = wide;
	if (get(tb[TCA_STATS_QUEUE], &queue, sizeof(queue))) {
		c->drops = queue.drops;
		c->backlog_packets = queue.qlen;
		c->backlog_bytes = queue.backlog;
	}
}

static bool stab(const struct nlattr *a, struct tc_stab *s)
{
	struct nlattr *tb[TCA_STAB_MAX + 1];
	struct tc_sizespec spec;

	if (!nested(a, tb, TCA_STAB_MAX) || !get(tb[TCA_STAB_BASE], &spec, sizeof(spec)) ||
	    spec.linklayer > UINT8_MAX)
		return false;
	*s = (struct tc_stab){.overhead = spec.overhead,
			      .mpu = spec.mpu,
			      .linklayer = (uint8_t)spec.linklayer,
			      .cell_log = spec.cell_log,
			      .size_log = spec.size_log,
			      .n = spec.tsize};
	return true;
}

static bool htb_qdisc(const struct tc_parsed *p, struct tc_htb_qdisc *q)
{
	struct nlattr *tb[TCA_HTB_MAX + 1];
	struct tc_htb_glob glob;

	if (!nested(p->tb[TCA_OPTIONS], tb, TCA_HTB_MAX) ||
	    !get(tb[TCA_HTB_INIT], &glob, sizeof(glob)) || glob.version >> 16 != HTB_VERSION ||
	    tb[TCA_HTB_OFFLOAD])
		return false;
	q->defcls = glob.defcls;
	q->has_stab = p->tb[TCA_STAB] != NULL;
	return !q->has_stab || stab(p->tb[TCA_STAB], &q->stab);
}

static struct tc_htb_cost cost_of(const struct tc_ratespec *r)
{
	return (struct tc_htb_cost){.overhead = r->overhead,
				    .mpu = r->mpu,
				    .atm = (r->linklayer & TC_LINKLAYER_MASK) ==
					   TC_LINKLAYER_ATM};
}

static bool htb_class(const struct tc_parsed *p, struct tc_htb_class *c)
{
	struct nlattr *tb[TCA_HTB_MAX + 1];
	struct tc_htb_opt opt;

	if (!nested(p->tb[TCA_OPTIONS], tb, TCA_HTB_MAX) ||
	    !get(tb[TCA_HTB_PARMS], &opt, sizeof(opt)) || tb[TCA_HTB_OFFLOAD])
		return false;
	*c = (struct tc_htb_class){.rate = opt.rate.rate,
				   .ceil = opt.ceil.rate,
				   .buffer = opt.buffer,
				   .cbuffer = opt.cbuffer,
				   .quantum = opt.quantum,
				   .prio = opt.prio,
				   .rate_cost = cost_of(&opt.rate),
				   .ceil_cost = cost_of(&opt.ceil)};
	if (tb[TCA_HTB_RATE64] && !get(tb[TCA_HTB_RATE64], &c->rate, sizeof(c->rate)))
		return false;
	return !tb[TCA_HTB_CEIL64] || get(tb[TCA_HTB_CEIL64], &c->ceil, sizeof(c->ceil));
}

uint32_t tc_codel_time(uint32_t told)
{
	uint64_t kept = ((uint64_t)told * 1000 + 1023) >> 10;
	uint64_t us = ((kept << 10) + 999) / 1000;

	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static bool fq_codel(const struct nlattr *options, struct tc_fq_codel *c)
{
	struct nlattr *tb[TCA_FQ_CODEL_MAX + 1];
	uint32_t ecn;

	if (!nested(options, tb, TCA_FQ_CODEL_MAX) || tb[TCA_FQ_CODEL_CE_THRESHOLD] ||
	    !get_u32(tb[TCA_FQ_CODEL_LIMIT], &c->limit) ||
	    !get_u32(tb[TCA_FQ_CODEL_TARGET], &c->target) ||
	    !get_u32(tb[TCA_FQ_CODEL_INTERVAL], &c->interval) ||
	    !get_u32(tb[TCA_FQ_CODEL_ECN], &ecn) ||
	    !get_u32(tb[TCA_FQ_CODEL_FLOWS], &c->flows) ||
	    !get_u32(tb[TCA_FQ_CODEL_QUANTUM], &c->quantum))
		return false;
	c->ecn = ecn != 0;
	c->target = tc_codel_time(c->target);
	c->interval = tc_codel_time(c->interval);
	if (get_u32(tb[TCA_FQ_CODEL_MEMORY_LIMIT], &c->memory) &&
	    c->memory == TC_FQ_CODEL_MEMORY)
		c->memory = 0;
	if (get_u32(tb[TCA_FQ_CODEL_DROP_BATCH_SIZE], &c->drop_batch) &&
	    c->drop_batch == TC_FQ_CODEL_DROP_BATCH)
		c->drop_batch = 0;
	return true;
}

static bool codel(const struct nlattr *options, struct tc_fq_codel *c)
{
	struct nlattr *tb[TCA_CODEL_MAX + 1];
	uint32_t ecn;

	if (!nested(options, tb, TCA_CODEL_MAX) || tb[TCA_CODEL_CE_THRESHOLD] ||
	    !get_u32(tb[TCA_CODEL_LIMIT], &c->limit) ||
	    !get_u32(tb[TCA_CODEL_TARGET], &c->target) ||
	    !get_u32(tb[TCA_CODEL_INTERVAL], &c->interval) || !get_u32(tb[TCA_CODEL_ECN], &ecn))
		return false;
	c->ecn = ecn != 0;
	c->target = tc_codel_time(c->target);
	c->interval = tc_codel_time(c->interval);
	return true;
}

/* The one action that weir makes: all that matches goes out by another interface. */
static bool redirect(const struct nlattr *acts, uint32_t *ifindex)
{
	struct nlattr *list[TCA_ACT_MAX_PRIO + 1], *act[TCA_ACT_MAX + 1],
		*tb[TCA_MIRRED_MAX + 1];
	struct tc_mirred m;

	if (!nested(acts, list, TCA_ACT_MAX_PRIO) || !nested(list[1], act, TCA_ACT_MAX))
		return false;
	for (int i = 2; i <= TCA_ACT_MAX_PRIO; i++)
		if (list[i])
			return false;
	if (!act[TCA_ACT_KIND] || nla_len(act[TCA_ACT_KIND]) != (int)sizeof("mirred") ||
	    memcmp(nla_data(act[TCA_ACT_KIND]), "mirred", sizeof("mirred")) != 0 ||
	    !nested(act[TCA_ACT_OPTIONS], tb, TCA_MIRRED_MAX) ||
	    !get(tb[TCA_MIRRED_PARMS], &m, sizeof(m)) || m.eaction != TCA_EGRESS_REDIR ||
	    m.action != TC_ACT_STOLEN)
		return false;
	*ifindex = m.ifindex ? m.ifindex : TC_REDIRECT_GONE;
	return true;
}

static bool bpf_options(const struct nlattr *options, struct tc_bpf *f)
{
	struct nlattr *tb[TCA_BPF_MAX + 1];
	uint32_t flags = 0;
	uint16_t n;

	if (!nested(options, tb, TCA_BPF_MAX) || !tb[TCA_BPF_OPS] ||
	    !get(tb[TCA_BPF_OPS_LEN], &n, sizeof(n)) || !n || n > BPF_MAXINSNS ||
	    nla_len(tb[TCA_BPF_OPS]) != (int)(n * sizeof(struct sock_filter)) ||
	    tb[TCA_BPF_FD] || tb[TCA_BPF_POLICE])
		return false;
	if (get_u32(tb[TCA_BPF_FLAGS], &flags) && flags & TCA_BPF_FLAG_ACT_DIRECT)
		return false;
	if (get_u32(tb[TCA_BPF_FLAGS_GEN], &flags) && flags & OFFLOAD_ONLY)
		return false;
	get_u32(tb[TCA_BPF_CLASSID], &f->classid);
	if (tb[TCA_BPF_ACT] && !redirect(tb[TCA_BPF_ACT], &f->redirect))
		return false;
	f->insn = malloc(n * sizeof(*f->insn));
	if (!f->insn)
		return false;
	memcpy(f->insn, nla_data(tb[TCA_BPF_OPS]), n * sizeof(*f->insn));
	f->n = n;
	return true;
}

static bool bpf(const struct tc_parsed *p, struct tc_object *o)
{
	if (p->t.tcm_handle != TC_FILTER_ENTRY || p->chain ||
	    ntohs((uint16_t)TC_H_MIN(p->t.tcm_info)) != ETH_P_ALL)
		return false;
	return bpf_options(p->tb[TCA_OPTIONS], &o->bpf);
}

static bool fifo(const struct nlattr *options, uint32_t *limit)
{
	struct tc_fifo_qopt q;

	if (!get(options, &q, sizeof(q)))
		return false;
	*limit = q.limit;
	return true;
}

static bool qdisc(const struct tc_parsed *p, struct tc_object *o)
{
	const struct nlattr *options = p->tb[TCA_OPTIONS];

	if (o->type == TC_HTB)
		return htb_qdisc(p, &o->htb_qdisc);
	if (p->tb[TCA_STAB])
		return false;
	switch (o->type) {
	case TC_FQ_CODEL:
		return fq_codel(options, &o->fq_codel);
	case TC_CODEL:
		return codel(options, &o->fq_codel);
	case TC_PFIFO:
	case TC_BFIFO:
		return fifo(options, &o->limit);
	case TC_INGRESS:
		return !p->tb[TCA_INGRESS_BLOCK];
	default:
		return false;
	}
}

static enum tc_type type_of(const char *kind, enum tc_kind what)
{
	static const struct {
		const char *name;
		enum tc_type type;
	} qdiscs[] = {{"htb", TC_HTB},	   {"fq_codel", TC_FQ_CODEL}, {"codel", TC_CODEL},
		      {"pfifo", TC_PFIFO}, {"bfifo", TC_BFIFO},	      {"ingress", TC_INGRESS}};

	if (what == TC_FILTER)
		return strcmp(kind, "bpf") ? TC_OTHER : TC_BPF;
	if (what == TC_CLASS)
		return strcmp(kind, "htb") ? TC_OTHER : TC_HTB;
	for (size_t i = 0; i < sizeof(qdiscs) / sizeof(qdiscs[0]); i++)
		if (!strcmp(kind, qdiscs[i].name))
			return qdiscs[i].type;
	return TC_OTHER;
}

int tc_decode(const struct nlmsghdr *h, struct tc_object *o, struct tc_counters *c)
{
	struct tc_parsed p;
	bool known = false;

	memset(o, 0, sizeof(*o));
	if (h->nlmsg_type == RTM_NEWQDISC)
		o->kind = TC_QDISC;
	else if (h->nlmsg_type == RTM_NEWTCLASS)
		o->kind = TC_CLASS;
	else if (h->nlmsg_type == RTM_NEWTFILTER)
		o->kind = TC_FILTER;
	else
		return 0;
	if (tc_parse(h, &p))
		return -1;
	counters(p.tb[TCA_STATS2], c);
	o->parent = p.t.tcm_parent;
	o->handle = o->kind == TC_FILTER ? TC_H_MAJ(p.t.tcm_info) >> 16 : p.t.tcm_handle;
	o->type = type_of(p.kind, o->kind);
	if (o->kind == TC_QDISC)
		known = qdisc(&p, o);
	else if (o->type == TC_HTB)
		known = htb_class(&p, &o->htb);
	else if (o->type == TC_BPF)
		known = bpf(&p, o);
	/* one that hangs on the qdisc itself is told as one that hangs on nothing */
	if (known && o->kind == TC_CLASS && o->parent == TC_H_ROOT)
		o->parent = TC_H_MAJ(o->handle);
	if (!known) {
		*o = (struct tc_object){.kind = o->kind,
					.type = TC_OTHER,
					.parent = o->parent,
					.handle = o->handle};
		memcpy(o->other, p.kind, sizeof(o->other));
	}
	return 1;
}
