/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/around_filter.h"

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stddef.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "gw/nldump.h"

/* Each kind of filter has its own numbers for its actions and its flags. */
static const struct kind {
	const char *name;
	uint16_t actions, flags; /* flags 0: it knows no hardware */
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

static bool is(const struct nlattr *a, const char *text)
{
	size_t len = mnl_attr_get_payload_len(a);
	const char *said = mnl_attr_get_payload(a);

	return strnlen(said, len) == strlen(text) && !memcmp(said, text, strlen(text));
}

/* What one action does: TCA_EGRESS_REDIR or TCA_EGRESS_MIRROR to that interface, or 0. */
static int sends(const struct nlattr *action, int to)
{
	const struct nlattr *a, *options = NULL;
	struct tc_mirred m;
	bool mirred = false;

	mnl_attr_for_each_nested(a, action)
	{
		if (mnl_attr_get_type(a) == TCA_ACT_KIND)
			mirred = is(a, "mirred");
		else if (mnl_attr_get_type(a) == TCA_ACT_OPTIONS)
			options = a;
	}
	if (!mirred || !options)
		return 0;
	mnl_attr_for_each_nested(a, options)
	{
		if (mnl_attr_get_type(a) != TCA_MIRRED_PARMS ||
		    mnl_attr_get_payload_len(a) < sizeof(m))
			continue;
		memcpy(&m, mnl_attr_get_payload(a), sizeof(m));
		if (m.ifindex == (uint32_t)to &&
		    (m.eaction == TCA_EGRESS_REDIR || m.eaction == TCA_EGRESS_MIRROR))
			return m.eaction;
	}
	return 0;
}

static void count(struct around_filters *f, const struct kind *k, uint32_t pref,
		  const struct nlattr *options)
{
	const struct nlattr *a, *action;
	bool redirects = false, copies = false;
	uint32_t flags = 0;

	mnl_attr_for_each_nested(a, options)
	{
		if (k->flags && mnl_attr_get_type(a) == k->flags &&
		    mnl_attr_get_payload_len(a) == sizeof(flags))
			memcpy(&flags, mnl_attr_get_payload(a), sizeof(flags));
		if (mnl_attr_get_type(a) != k->actions)
			continue;
		mnl_attr_for_each_nested(action, a)
		{
			int what = sends(action, f->to);

			redirects |= what == TCA_EGRESS_REDIR;
			copies |= what == TCA_EGRESS_MIRROR;
		}
	}
	if (!redirects && !copies)
		return;
	if (!f->n++) {
		f->pref = pref;
		f->copies = true;
		memcpy(f->kind, k->name, strlen(k->name) + 1);
	}
	f->copies &= !redirects;
	f->hardware |= (flags & TCA_CLS_FLAGS_IN_HW) != 0;
}

void around_filter_take(struct around_filters *f, const struct nlmsghdr *nlh)
{
	const struct tcmsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *kind = NULL, *options = NULL;

	if (nlh->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return;
	mnl_attr_for_each(a, nlh, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == TCA_KIND)
			kind = a;
		else if (mnl_attr_get_type(a) == TCA_OPTIONS)
			options = a;
	}
	for (size_t i = 0; kind && options && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is(kind, kinds[i].name))
			count(f, &kinds[i], TC_H_MAJ(m->tcm_info) >> 16, options);
}

static void take(void *arg, const struct nlmsghdr *nlh)
{
	around_filter_take(arg, nlh);
}

int around_filters_get(struct around_filters *f, int index, uint32_t parent)
{
	uint8_t buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *ask = mnl_nlmsg_put_header(buf);
	struct tcmsg *m = mnl_nlmsg_put_extra_header(ask, sizeof(*m));

	ask->nlmsg_type = RTM_GETTFILTER;
	m->tcm_ifindex = index;
	m->tcm_parent = parent;
	return nldump(NETLINK_ROUTE, ask, take, f);
}
