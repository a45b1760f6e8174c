/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates are read raw: libnl 3.7 keeps TBF's as an int. What counts is what holds all of the
 * interface: a TBF anywhere in the chain from the root, or HTB's classes below the root,
 * whose ceilings together are then the most that leaves.
 */
#include "gw/around_qdisc.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>

#define BUFFER 32768u

struct search {
	int index;
	uint64_t tbf, htb; /* bytes/s; 0: none */
	bool error;
};

static uint64_t get_u64(const struct nlattr *a)
{
	uint64_t v = 0;

	if (mnl_attr_get_payload_len(a) >= sizeof(v))
		memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return v;
}

/* The rate of a nested attribute: a struct whose first member is tc_ratespec, and a 64-bit one.
 */
static uint64_t rate_of(const struct nlattr *options, uint16_t parms, size_t offset,
			uint16_t rate64)
{
	const struct nlattr *a;
	struct tc_ratespec spec;
	uint64_t rate = 0, wide = 0;

	mnl_attr_for_each_nested(a, options)
	{
		if (mnl_attr_get_type(a) == parms &&
		    mnl_attr_get_payload_len(a) >= offset + sizeof(spec)) {
			memcpy(&spec, (const char *)mnl_attr_get_payload(a) + offset,
			       sizeof(spec));
			rate = spec.rate;
		} else if (mnl_attr_get_type(a) == rate64) {
			wide = get_u64(a);
		}
	}
	return wide ? wide : rate;
}

static int take(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *options = NULL;
	struct search *s = arg;
	char kind[16] = "";

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*t) || t->tcm_ifindex != s->index)
		return MNL_CB_OK;
	mnl_attr_for_each(a, nlh, sizeof(*t))
	{
		if (mnl_attr_get_type(a) == TCA_KIND)
			snprintf(kind, sizeof(kind), "%.*s", (int)mnl_attr_get_payload_len(a),
				 (const char *)mnl_attr_get_payload(a));
		else if (mnl_attr_get_type(a) == TCA_OPTIONS)
			options = a;
	}
	if (!options)
		return MNL_CB_OK;
	if (nlh->nlmsg_type == RTM_NEWQDISC && !strcmp(kind, "tbf") &&
	    t->tcm_parent == TC_H_ROOT)
		s->tbf = rate_of(options, TCA_TBF_PARMS, offsetof(struct tc_tbf_qopt, rate),
				 TCA_TBF_RATE64);
	if (nlh->nlmsg_type == RTM_NEWTCLASS && !strcmp(kind, "htb") &&
	    t->tcm_parent == TC_H_ROOT)
		s->htb += rate_of(options, TCA_HTB_PARMS, offsetof(struct tc_htb_opt, ceil),
				  TCA_HTB_CEIL64);
	return MNL_CB_OK;
}

static int dump(uint16_t type, struct search *s)
{
	uint8_t buf[BUFFER] __attribute__((aligned(8)));
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *t;
	int more = MNL_CB_OK;

	if (!nl)
		return -1;
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	t = mnl_nlmsg_put_extra_header(nlh, sizeof(*t));
	t->tcm_family = AF_UNSPEC;
	t->tcm_ifindex = s->index;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		more = MNL_CB_ERROR;
	while (more > 0) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		more = n < 0 ? MNL_CB_ERROR
			     : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), take,
					  s);
	}
	mnl_socket_close(nl);
	return more < 0 ? -1 : 0;
}

bool around_qdisc(const char *interface, uint64_t *bps, char *kind, size_t size)
{
	struct search s = {.index = (int)if_nametoindex(interface)};
	uint64_t bytes;

	if (!s.index || dump(RTM_GETQDISC, &s) || dump(RTM_GETTCLASS, &s))
		return false;
	bytes = s.tbf ? s.tbf : s.htb;
	if (!bytes)
		return false;
	snprintf(kind, size, "%s", s.tbf ? "tbf" : "htb");
	*bps = bytes > UINT64_MAX / 8 ? UINT64_MAX : bytes * 8;
	return true;
}
