/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From changes to the kernel's messages. */
#include "gw/tc_message.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#define HTB_VERSION 3u
#define RATE_TO_QUANTUM 10u /* what tc sets; weir says every quantum that counts */
/* A class with classes has no quantum, and HTB would complain of a missing one (dmesg). */
#define QUANTUM_OF_INNER 1500u
#define ROOM 512u

struct nl_msg *tc_encode_header(int type, int flags, const struct tcmsg *t, size_t room)
{
	struct nl_msg *m = nlmsg_alloc_size(NLMSG_SPACE(sizeof(*t)) + room);

	if (!m || !nlmsg_put(m, 0, 0, type, sizeof(*t), flags)) {
		nlmsg_free(m);
		return NULL;
	}
	memcpy(nlmsg_data(nlmsg_hdr(m)), t, sizeof(*t));
	return m;
}

static int put_stab(struct nl_msg *m, const struct tc_stab *s)
{
	struct tc_sizespec spec = {.cell_log = s->cell_log,
				   .size_log = s->size_log,
				   .overhead = s->overhead,
				   .linklayer = s->linklayer,
				   .mpu = s->mpu,
				   .tsize = s->n};
	struct nlattr *nest = nla_nest_start(m, TCA_STAB);

	if (!nest || nla_put(m, TCA_STAB_BASE, sizeof(spec), &spec))
		return -1;
	if (s->n && (!s->size || nla_put(m, TCA_STAB_DATA, (int)(s->n * 2), s->size)))
		return -1; /* a table of which only the kernel knows the entries */
	return nla_nest_end(m, nest);
}

static int put_htb_qdisc(struct nl_msg *m, const struct tc_htb_qdisc *q, bool fresh)
{
	struct tc_htb_glob glob = {
		.version = HTB_VERSION, .rate2quantum = RATE_TO_QUANTUM, .defcls = q->defcls};
	struct nlattr *nest;

	/* one that is there takes a new size table, and nothing else (qdisc_change()) */
	if (fresh) {
		nest = nla_nest_start(m, TCA_OPTIONS);
		if (!nest || nla_put(m, TCA_HTB_INIT, sizeof(glob), &glob) ||
		    nla_nest_end(m, nest) < 0)
			return -1;
	}
	return q->has_stab ? put_stab(m, &q->stab) : 0;
}

/* With a link layer said, the kernel needs no rate table of the old kind. */
static struct tc_ratespec ratespec(uint64_t rate, const struct tc_htb_cost *cost)
{
	return (struct tc_ratespec){.linklayer = cost->atm ? TC_LINKLAYER_ATM
							   : TC_LINKLAYER_ETHERNET,
				    .overhead = cost->overhead,
				    .mpu = cost->mpu,
				    .rate = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX};
}

static int put_htb_class(struct nl_msg *m, const struct tc_htb_class *c)
{
	struct tc_htb_opt opt = {.rate = ratespec(c->rate, &c->rate_cost),
				 .ceil = ratespec(c->ceil, &c->ceil_cost),
				 .buffer = c->buffer,
				 .cbuffer = c->cbuffer,
				 .quantum = c->quantum ? c->quantum : QUANTUM_OF_INNER,
				 .prio = c->prio};
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);

	if (!nest || nla_put(m, TCA_HTB_PARMS, sizeof(opt), &opt) ||
	    (c->rate > UINT32_MAX && nla_put_u64(m, TCA_HTB_RATE64, c->rate)) ||
	    (c->ceil > UINT32_MAX && nla_put_u64(m, TCA_HTB_CEIL64, c->ceil)))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_fq_codel(struct nl_msg *m, const struct tc_fq_codel *c, bool fresh)
{
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);

	if (!nest || nla_put_u32(m, TCA_FQ_CODEL_LIMIT, c->limit) ||
	    nla_put_u32(m, TCA_FQ_CODEL_TARGET, c->target) ||
	    nla_put_u32(m, TCA_FQ_CODEL_INTERVAL, c->interval) ||
	    nla_put_u32(m, TCA_FQ_CODEL_ECN, c->ecn) ||
	    nla_put_u32(m, TCA_FQ_CODEL_QUANTUM, c->quantum) ||
	    /* somebody may have changed what nobody says */
	    nla_put_u32(m, TCA_FQ_CODEL_MEMORY_LIMIT,
			c->memory ? c->memory : TC_FQ_CODEL_MEMORY) ||
	    nla_put_u32(m, TCA_FQ_CODEL_DROP_BATCH_SIZE,
			c->drop_batch ? c->drop_batch : TC_FQ_CODEL_DROP_BATCH) ||
	    /* cannot be changed, not even to what it is */
	    (fresh && nla_put_u32(m, TCA_FQ_CODEL_FLOWS, c->flows)))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_codel(struct nl_msg *m, const struct tc_fq_codel *c)
{
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);

	if (!nest || nla_put_u32(m, TCA_CODEL_LIMIT, c->limit) ||
	    nla_put_u32(m, TCA_CODEL_TARGET, c->target) ||
	    nla_put_u32(m, TCA_CODEL_INTERVAL, c->interval) ||
	    nla_put_u32(m, TCA_CODEL_ECN, c->ecn))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_redirect(struct nl_msg *m, uint32_t ifindex)
{
	struct tc_mirred mirred = {
		.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = ifindex};
	struct nlattr *acts = nla_nest_start(m, TCA_BPF_ACT), *act, *options;

	if (!acts || !(act = nla_nest_start(m, 1)) ||
	    nla_put_string(m, TCA_ACT_KIND, "mirred") ||
	    !(options = nla_nest_start(m, TCA_ACT_OPTIONS)) ||
	    nla_put(m, TCA_MIRRED_PARMS, sizeof(mirred), &mirred))
		return -1;
	nla_nest_end(m, options);
	nla_nest_end(m, act);
	return nla_nest_end(m, acts);
}

static int put_bpf(struct nl_msg *m, const struct tc_bpf *f)
{
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);

	if (!nest || nla_put_u16(m, TCA_BPF_OPS_LEN, f->n) ||
	    nla_put(m, TCA_BPF_OPS, (int)(f->n * sizeof(*f->insn)), f->insn) ||
	    (f->classid && nla_put_u32(m, TCA_BPF_CLASSID, f->classid)) ||
	    (f->redirect && put_redirect(m, f->redirect)))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_value(struct nl_msg *m, const struct tc_object *o, bool fresh)
{
	struct tc_fifo_qopt fifo = {.limit = o->limit};

	if (nla_put_string(m, TCA_KIND, tc_type_name(o)))
		return -1;
	switch (o->type) {
	case TC_HTB:
		return o->kind == TC_CLASS ? put_htb_class(m, &o->htb)
					   : put_htb_qdisc(m, &o->htb_qdisc, fresh);
	case TC_FQ_CODEL:
		return put_fq_codel(m, &o->fq_codel, fresh);
	case TC_CODEL:
		return put_codel(m, &o->fq_codel);
	case TC_PFIFO:
	case TC_BFIFO:
		return nla_put(m, TCA_OPTIONS, sizeof(fifo), &fifo);
	case TC_BPF:
		return put_bpf(m, &o->bpf);
	case TC_INGRESS:
		return 0;
	case TC_OTHER:
		break;
	}
	return -1;
}

static size_t room_for(const struct tc_object *o)
{
	if (o->type == TC_BPF)
		return ROOM + o->bpf.n * sizeof(*o->bpf.insn);
	if (o->type == TC_HTB && o->kind == TC_QDISC)
		return ROOM + o->htb_qdisc.stab.n * 2u;
	return ROOM;
}

static struct tcmsg header_of(const struct tc_object *o, uint32_t ifindex)
{
	struct tcmsg t = {.tcm_family = AF_UNSPEC,
			  .tcm_ifindex = (int)ifindex,
			  .tcm_parent = o->parent,
			  .tcm_handle = o->handle};

	if (o->kind == TC_FILTER) {
		t.tcm_handle = TC_FILTER_ENTRY;
		t.tcm_info = TC_H_MAKE(o->handle << 16, htons(ETH_P_ALL));
	}
	return t;
}

static struct nl_msg *encode_delete(const struct tc_object *o, uint32_t ifindex)
{
	static const int types[] = {[TC_QDISC] = RTM_DELQDISC,
				    [TC_CLASS] = RTM_DELTCLASS,
				    [TC_FILTER] = RTM_DELTFILTER};
	struct tcmsg t = header_of(o, ifindex);
	struct nl_msg *m;

	if (o->kind == TC_FILTER && o->type == TC_OTHER)
		return NULL; /* tc_raw_delete() */
	m = tc_encode_header(types[o->kind], 0, &t, ROOM);
	if (m && o->kind == TC_FILTER && nla_put_string(m, TCA_KIND, tc_type_name(o))) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

struct nl_msg *tc_encode(enum tc_op op, const struct tc_object *o, const struct tc_object *was,
			 uint32_t ifindex)
{
	static const int types[] = {[TC_QDISC] = RTM_NEWQDISC,
				    [TC_CLASS] = RTM_NEWTCLASS,
				    [TC_FILTER] = RTM_NEWTFILTER};
	struct tcmsg t = header_of(o, ifindex);
	struct nl_msg *m;
	(void)was;

	if (op == TC_DELETE)
		return encode_delete(o, ifindex);
	m = tc_encode_header(types[o->kind], op == TC_ADD ? NLM_F_CREATE | NLM_F_EXCL : 0, &t,
			     room_for(o));
	if (m && put_value(m, o, op == TC_ADD) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}
