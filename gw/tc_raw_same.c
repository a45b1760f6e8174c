/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dumps compared: each message is written again without what changes by itself, and the
 * results are compared byte for byte.
 */
#include "gw/tc_raw.h"

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_csum.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/tc_act/tc_pedit.h>
#include <linux/tc_act/tc_skbedit.h>
#include <linux/tc_act/tc_vlan.h>
#include <string.h>

#include "gw/tc_message.h"

/* Where a kind of filter has its actions and its counters. */
static const struct filter_kind {
	const char *kind;
	int act;
	int counters; /* 0: none */
} filters[] = {
	{"u32", TCA_U32_ACT, TCA_U32_PCNT},
	{"bpf", TCA_BPF_ACT, TCA_BPF_ID},
	{"fw", TCA_FW_ACT, 0},
	{"matchall", TCA_MATCHALL_ACT, TCA_MATCHALL_PCNT},
	{"flower", TCA_FLOWER_ACT, 0},
	{"basic", TCA_BASIC_ACT, TCA_BASIC_PCNT},
};

/* When an action was last used: an attribute of its own in each kind. */
static const struct action_kind {
	const char *kind;
	int times;
} actions[] = {
	{"mirred", TCA_MIRRED_TM}, {"gact", TCA_GACT_TM}, {"skbedit", TCA_SKBEDIT_TM},
	{"police", TCA_POLICE_TM}, {"csum", TCA_CSUM_TM}, {"pedit", TCA_PEDIT_TM},
	{"vlan", TCA_VLAN_TM},
};

static const struct filter_kind *filter_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (!strcmp(filters[i].kind, kind))
			return &filters[i];
	return NULL;
}

static int times_of(const struct nlattr *kind)
{
	for (size_t i = 0; kind && i < sizeof(actions) / sizeof(actions[0]); i++)
		if (nla_len(kind) == (int)strlen(actions[i].kind) + 1 &&
		    !memcmp(nla_data(kind), actions[i].kind, (size_t)nla_len(kind)))
			return actions[i].times;
	return 0;
}

static int copy(struct nl_msg *m, const struct nlattr *a)
{
	return nla_put(m, nla_type(a), nla_len(a), nla_data(a));
}

/* All attributes of a nest but one. */
static int copy_without(struct nl_msg *m, const struct nlattr *from, int without)
{
	struct nlattr *nest = nla_nest_start(m, nla_type(from));
	int left = nla_len(from);

	if (!nest)
		return -1;
	for (const struct nlattr *a = nla_data(from); nla_ok(a, left); a = nla_next(a, &left))
		if (nla_type(a) != without && copy(m, a))
			return -1;
	return nla_nest_end(m, nest);
}

static int copy_action(struct nl_msg *m, const struct nlattr *from)
{
	struct nlattr *tb[TCA_ACT_MAX + 1], *nest = nla_nest_start(m, nla_type(from));

	if (!nest || nla_parse(tb, TCA_ACT_MAX, nla_data(from), nla_len(from), NULL))
		return -1;
	if (tb[TCA_ACT_KIND] && copy(m, tb[TCA_ACT_KIND]))
		return -1;
	if (tb[TCA_ACT_COOKIE] && copy(m, tb[TCA_ACT_COOKIE]))
		return -1;
	if (tb[TCA_ACT_FLAGS] && copy(m, tb[TCA_ACT_FLAGS]))
		return -1;
	if (tb[TCA_ACT_OPTIONS] &&
	    copy_without(m, tb[TCA_ACT_OPTIONS], times_of(tb[TCA_ACT_KIND])) < 0)
		return -1;
	return nla_nest_end(m, nest);
}

static int copy_actions(struct nl_msg *m, const struct nlattr *from)
{
	struct nlattr *nest = nla_nest_start(m, nla_type(from));
	int left = nla_len(from);

	if (!nest)
		return -1;
	for (const struct nlattr *a = nla_data(from); nla_ok(a, left); a = nla_next(a, &left))
		if (copy_action(m, a) < 0)
			return -1;
	return nla_nest_end(m, nest);
}

static int copy_filter(struct nl_msg *m, const struct tc_parsed *p)
{
	const struct filter_kind *k = filter_of(p->kind);
	const struct nlattr *options = p->tb[TCA_OPTIONS];
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);
	int left = nla_len(options);

	if (!nest)
		return -1;
	for (const struct nlattr *a = nla_data(options); nla_ok(a, left);
	     a = nla_next(a, &left)) {
		if (k && k->counters && nla_type(a) == k->counters)
			continue;
		if (k && nla_type(a) == k->act ? copy_actions(m, a) < 0 : copy(m, a) != 0)
			return -1;
	}
	return nla_nest_end(m, nest);
}

static int copy_htb(struct nl_msg *m, const struct nlattr *options)
{
	struct nlattr *nest = nla_nest_start(m, TCA_OPTIONS);
	struct tc_htb_glob glob;
	int left = nla_len(options);

	if (!nest)
		return -1;
	for (const struct nlattr *a = nla_data(options); nla_ok(a, left);
	     a = nla_next(a, &left)) {
		if (nla_type(a) == TCA_HTB_INIT && nla_len(a) >= (int)sizeof(glob)) {
			memcpy(&glob, nla_data(a), sizeof(glob));
			glob.direct_pkts = 0;
			if (nla_put(m, TCA_HTB_INIT, sizeof(glob), &glob))
				return -1;
		} else if (copy(m, a)) {
			return -1;
		}
	}
	return nla_nest_end(m, nest);
}

static int copy_options(struct nl_msg *m, const struct nlmsghdr *h, const struct tc_parsed *p)
{
	const struct nlattr *options = p->tb[TCA_OPTIONS];

	if (!options)
		return 0;
	if (h->nlmsg_type == RTM_NEWTFILTER)
		return copy_filter(m, p);
	if (h->nlmsg_type == RTM_NEWQDISC && !strcmp(p->kind, "htb"))
		return copy_htb(m, options);
	return copy(m, options);
}

/* NULL: no memory, or it is no message of traffic control. */
static struct nl_msg *clean(const struct nlmsghdr *h)
{
	struct tc_parsed p;
	struct tcmsg t;
	struct nl_msg *m;

	if (tc_parse(h, &p))
		return NULL;
	t = p.t;
	t.tcm_ifindex = 0;
	/* of an ingress qdisc's filters, whichever was made last (see tc_state.c) */
	if (h->nlmsg_type == RTM_NEWTFILTER && TC_H_MAJ(t.tcm_parent) == TC_H_MAJ(TC_H_INGRESS))
		t.tcm_parent = TC_H_MAJ(TC_H_INGRESS);
	if (h->nlmsg_type == RTM_NEWQDISC)
		t.tcm_info = 0; /* how often it is referred to */
	m = tc_encode_header(h->nlmsg_type, 0, &t, 2u * h->nlmsg_len + 64u);
	if (!m)
		return NULL;
	if (nla_put_string(m, TCA_KIND, p.kind) ||
	    (p.chain && nla_put_u32(m, TCA_CHAIN, p.chain)) || copy_options(m, h, &p) < 0 ||
	    (p.tb[TCA_STAB] && copy(m, p.tb[TCA_STAB])) ||
	    (p.tb[TCA_INGRESS_BLOCK] && copy(m, p.tb[TCA_INGRESS_BLOCK])) ||
	    (p.tb[TCA_EGRESS_BLOCK] && copy(m, p.tb[TCA_EGRESS_BLOCK]))) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static bool same_message(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	struct nl_msg *x = clean(a), *y = clean(b);
	bool same = x && y && nlmsg_hdr(x)->nlmsg_len == nlmsg_hdr(y)->nlmsg_len &&
		    !memcmp(nlmsg_hdr(x), nlmsg_hdr(y), nlmsg_hdr(x)->nlmsg_len);

	nlmsg_free(x);
	nlmsg_free(y);
	return same;
}

bool tc_raw_same(const struct tc_object *a, const struct tc_object *b)
{
	const struct nlmsghdr *x = tc_raw_next(a, NULL), *y = tc_raw_next(b, NULL);

	while (x && y) {
		if (!same_message(x, y))
			return false;
		x = tc_raw_next(a, x);
		y = tc_raw_next(b, y);
	}
	return !x && !y;
}

const char *tc_raw_refused(const struct tc_object *o)
{
	const struct nlmsghdr *h = tc_raw_next(o, NULL);
	struct nlattr *tb[TCA_STAB_MAX + 1];
	struct tc_sizespec spec;
	struct tc_parsed p;

	if (!h || tc_parse(h, &p))
		return "the kernel does not tell what it is";
	if (p.tb[TCA_INGRESS_BLOCK] || p.tb[TCA_EGRESS_BLOCK])
		return "it shares its filters with other devices (a block)";
	if (!p.tb[TCA_STAB])
		return NULL;
	if (nla_parse_nested(tb, TCA_STAB_MAX, p.tb[TCA_STAB], NULL) || !tb[TCA_STAB_BASE] ||
	    nla_len(tb[TCA_STAB_BASE]) < (int)sizeof(spec))
		return "the kernel does not tell its size table";
	memcpy(&spec, nla_data(tb[TCA_STAB_BASE]), sizeof(spec));
	return spec.tsize ? "the kernel does not tell the entries of its size table (stab)"
			  : NULL;
}

static void action_target(const struct nlattr *act, void (*fn)(void *, uint32_t), void *arg)
{
	struct nlattr *tb[TCA_ACT_MAX + 1], *options[TCA_MIRRED_MAX + 1];
	struct tc_mirred m;

	if (nla_parse(tb, TCA_ACT_MAX, nla_data(act), nla_len(act), NULL) ||
	    !tb[TCA_ACT_OPTIONS] || times_of(tb[TCA_ACT_KIND]) != TCA_MIRRED_TM ||
	    nla_len(tb[TCA_ACT_KIND]) != (int)sizeof("mirred") ||
	    nla_parse_nested(options, TCA_MIRRED_MAX, tb[TCA_ACT_OPTIONS], NULL) ||
	    !options[TCA_MIRRED_PARMS] || nla_len(options[TCA_MIRRED_PARMS]) < (int)sizeof(m))
		return;
	memcpy(&m, nla_data(options[TCA_MIRRED_PARMS]), sizeof(m));
	fn(arg, m.ifindex);
}

void tc_raw_targets(const struct tc_object *o, void (*fn)(void *arg, uint32_t ifindex),
		    void *arg)
{
	for (const struct nlmsghdr *h = tc_raw_next(o, NULL); h; h = tc_raw_next(o, h)) {
		const struct filter_kind *k;
		struct tc_parsed p;
		int left;

		if (h->nlmsg_type != RTM_NEWTFILTER || tc_parse(h, &p) ||
		    !(k = filter_of(p.kind)) || !p.tb[TCA_OPTIONS])
			continue;
		left = nla_len(p.tb[TCA_OPTIONS]);
		for (const struct nlattr *a = nla_data(p.tb[TCA_OPTIONS]); nla_ok(a, left);
		     a = nla_next(a, &left)) {
			int inside = nla_len(a);

			if (nla_type(a) != k->act)
				continue;
			for (const struct nlattr *act = nla_data(a); nla_ok(act, inside);
			     act = nla_next(act, &inside))
				action_target(act, fn, arg);
		}
	}
}
