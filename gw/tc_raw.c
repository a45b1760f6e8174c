/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_raw.h"

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdlib.h>
#include <string.h>

#include "gw/tc_message.h"

/* What a dump tells of offload is no flag that may be set. */
#define SETTABLE (TCA_CLS_FLAGS_SKIP_HW | TCA_CLS_FLAGS_SKIP_SW)

const struct nlmsghdr *tc_raw_next(const struct tc_object *o, const struct nlmsghdr *last)
{
	const uint8_t *p = o->raw;
	const struct nlmsghdr *h;
	size_t left;

	if (last)
		p = (const uint8_t *)last + NLMSG_ALIGN(last->nlmsg_len);
	left = o->raw ? o->n_raw - (size_t)(p - o->raw) : 0;
	h = (const struct nlmsghdr *)(const void *)p;
	return left >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= left ? h
											: NULL;
}

/* The flags attribute of a filter's options; 0: it has none. */
static int flags_of(const char *kind)
{
	static const struct {
		const char *kind;
		int attr;
	} known[] = {{"u32", TCA_U32_FLAGS},
		     {"bpf", TCA_BPF_FLAGS_GEN},
		     {"flower", TCA_FLOWER_FLAGS},
		     {"matchall", TCA_MATCHALL_FLAGS}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(kind, known[i].kind))
			return known[i].attr;
	return 0;
}

/* Attributes that are times in the 1024 ns of CoDel (see codel_time() in tc_decode.c). */
static bool is_codel_time(const struct tc_parsed *p, int attr)
{
	if (!strcmp(p->kind, "fq_codel"))
		return attr == TCA_FQ_CODEL_TARGET || attr == TCA_FQ_CODEL_INTERVAL ||
		       attr == TCA_FQ_CODEL_CE_THRESHOLD;
	return !strcmp(p->kind, "codel") &&
	       (attr == TCA_CODEL_TARGET || attr == TCA_CODEL_INTERVAL ||
		attr == TCA_CODEL_CE_THRESHOLD);
}

/* Whose options are attributes that have to be looked at; those of others are copied. */
static bool has_attributes(const struct tc_parsed *p, bool filter)
{
	return filter || !strcmp(p->kind, "fq_codel") || !strcmp(p->kind, "codel") ||
	       !strcmp(p->kind, "htb");
}

static int put_option(struct nl_msg *m, const struct tc_parsed *p, bool filter,
		      const struct nlattr *a)
{
	int type = nla_type(a);
	struct tc_htb_glob glob;
	uint32_t v;

	if (!filter && !strcmp(p->kind, "htb") && type == TCA_HTB_INIT &&
	    nla_len(a) >= (int)sizeof(glob)) {
		memcpy(&glob, nla_data(a), sizeof(glob));
		glob.version >>= 16; /* told with its minor, wanted without */
		glob.direct_pkts = 0;
		return nla_put(m, type, sizeof(glob), &glob);
	}
	if (nla_len(a) == (int)sizeof(v) &&
	    ((filter && type == flags_of(p->kind)) || (!filter && is_codel_time(p, type)))) {
		memcpy(&v, nla_data(a), sizeof(v));
		v = filter ? v & SETTABLE : tc_codel_time(v);
		return nla_put_u32(m, type, v);
	}
	if (filter && !strcmp(p->kind, "u32") && type == TCA_U32_PCNT)
		return 0; /* counters */
	return nla_put(m, a->nla_type, nla_len(a), nla_data(a));
}

/*
 * A limit that is told to sfq lowers the number of flows, its own one does not: with more flows
 * than packets, nobody has told it one (sfq_change() in net/sched/sch_sfq.c).
 */
static int put_sfq(struct nl_msg *m, const struct nlattr *options)
{
	struct nlattr *copy = nla_reserve(m, TCA_OPTIONS, nla_len(options));
	struct tc_sfq_qopt q;

	if (!copy)
		return -1;
	memcpy(nla_data(copy), nla_data(options), (size_t)nla_len(options));
	memcpy(&q, nla_data(options), sizeof(q));
	if (q.flows > q.limit)
		q.limit = 0;
	memcpy(nla_data(copy), &q, sizeof(q));
	return 0;
}

static int put_options(struct nl_msg *m, const struct tc_parsed *p, bool filter)
{
	const struct nlattr *options = p->tb[TCA_OPTIONS];
	struct nlattr *nest;
	const struct nlattr *a;
	int left = nla_len(options);

	if (!filter && !strcmp(p->kind, "sfq") && left >= (int)sizeof(struct tc_sfq_qopt))
		return put_sfq(m, options);
	if (!has_attributes(p, filter))
		return nla_put(m, options->nla_type, nla_len(options), nla_data(options));
	nest = nla_nest_start(m, TCA_OPTIONS);
	if (!nest)
		return -1;
	for (a = nla_data(options); nla_ok(a, left); a = nla_next(a, &left))
		if (put_option(m, p, filter, a))
			return -1;
	return nla_nest_end(m, nest);
}

/* A new object with the dumped one's name, place and options. */
static struct nl_msg *request(const struct nlmsghdr *h, const struct tc_parsed *p,
			      uint32_t ifindex)
{
	bool filter = h->nlmsg_type == RTM_NEWTFILTER;
	struct tcmsg t = {.tcm_family = p->t.tcm_family,
			  .tcm_ifindex = (int)ifindex,
			  .tcm_handle = p->t.tcm_handle,
			  .tcm_parent = p->t.tcm_parent,
			  .tcm_info = filter ? p->t.tcm_info : 0};
	struct nl_msg *m = tc_encode_header(h->nlmsg_type, NLM_F_CREATE | NLM_F_EXCL, &t,
					    h->nlmsg_len + 64u);
	const struct nlattr *stab = p->tb[TCA_STAB];

	if (!m)
		return NULL;
	if (nla_put_string(m, TCA_KIND, p->kind) ||
	    (p->chain && nla_put_u32(m, TCA_CHAIN, p->chain)) ||
	    (p->tb[TCA_OPTIONS] && put_options(m, p, filter) < 0) ||
	    (stab && nla_put(m, stab->nla_type, nla_len(stab), nla_data(stab)))) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

/* Kinds whose classes are made by people; those of others come with the qdisc. */
static bool makes_classes(const char *kind)
{
	return !strcmp(kind, "htb") || !strcmp(kind, "hfsc") || !strcmp(kind, "drr") ||
	       !strcmp(kind, "qfq");
}

/* A hash table of u32: it has the node number 0. */
static bool is_u32_table(const struct tc_parsed *p)
{
	return !strcmp(p->kind, "u32") && p->t.tcm_handle && !TC_U32_NODE(p->t.tcm_handle) &&
	       !TC_U32_HASH(p->t.tcm_handle);
}

size_t tc_raw_most(const struct tc_object *o)
{
	size_t n = 0;

	for (const struct nlmsghdr *h = tc_raw_next(o, NULL); h; h = tc_raw_next(o, h))
		n++;
	return n;
}

struct requests {
	struct nl_msg **out;
	int n;
	uint32_t ifindex;
	bool failed;
};

static void ask(struct requests *r, const struct nlmsghdr *h, const struct tc_parsed *p)
{
	struct nl_msg *m = request(h, p, r->ifindex);

	if (m)
		r->out[r->n++] = m;
	else
		r->failed = true;
}

/*
 * The kernel puts a new hash table in front of the others, and tells of them from the front:
 * the last that is told is the one that came with the priority.
 */
static void ask_tables(struct requests *r, const struct tc_object *o)
{
	const struct nlmsghdr *after = NULL, *h, *last;
	struct tc_parsed p;
	bool root = true;

	do {
		last = NULL;
		for (h = tc_raw_next(o, NULL); h && h != after; h = tc_raw_next(o, h))
			if (!tc_parse(h, &p) && is_u32_table(&p))
				last = h;
		if (last && !root && !tc_parse(last, &p))
			ask(r, last, &p);
		root = false;
		after = last;
	} while (last);
}

static void ask_filters(struct requests *r, const struct tc_object *o)
{
	const struct nlmsghdr *first = tc_raw_next(o, NULL), *h;
	struct tc_parsed p;

	ask_tables(r, o);
	for (h = first; h; h = tc_raw_next(o, h)) {
		if (tc_parse(h, &p) || is_u32_table(&p))
			continue;
		/* the priority itself, told before its filters; fw may have none */
		if (!p.tb[TCA_OPTIONS] && (tc_raw_next(o, h) || strcmp(p.kind, "fw") != 0))
			continue;
		ask(r, h, &p);
	}
}

int tc_raw_requests(const struct tc_object *o, uint32_t ifindex, struct nl_msg **out)
{
	struct requests r = {.out = out, .ifindex = ifindex};
	const struct nlmsghdr *h = tc_raw_next(o, NULL);
	struct tc_parsed p;

	if (!h || tc_parse(h, &p))
		return 0;
	if (o->kind == TC_FILTER)
		ask_filters(&r, o);
	else if (o->kind == TC_QDISC ? o->handle != 0
				     : makes_classes(p.kind) && TC_H_MIN(o->handle))
		ask(&r, h, &p);
	if (!r.failed)
		return r.n;
	while (r.n > 0)
		nlmsg_free(out[--r.n]);
	return -1;
}

struct nl_msg *tc_raw_delete(const struct tc_object *o, uint32_t ifindex)
{
	const struct nlmsghdr *h = tc_raw_next(o, NULL);
	struct tc_parsed p;
	struct tcmsg t;
	struct nl_msg *m;

	if (!h || tc_parse(h, &p))
		return NULL;
	/* handle 0: all filters of the priority */
	t = (struct tcmsg){.tcm_ifindex = (int)ifindex,
			   .tcm_parent = o->parent,
			   .tcm_handle = o->kind == TC_FILTER ? 0 : o->handle,
			   .tcm_info = o->kind == TC_FILTER ? p.t.tcm_info : 0};
	m = tc_encode_header(o->kind == TC_QDISC   ? RTM_DELQDISC
			     : o->kind == TC_CLASS ? RTM_DELTCLASS
						   : RTM_DELTFILTER,
			     0, &t, 64);
	if (m && o->kind == TC_FILTER &&
	    (nla_put_string(m, TCA_KIND, p.kind) ||
	     (p.chain && nla_put_u32(m, TCA_CHAIN, p.chain)))) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}
