/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read raw: libnftnl 1.2 gives up on a flowtable with a device by prefix ("eth*"), which
 * kernels have since 6.16, and such a one must not be overlooked.
 */
#include "gw/around_flow.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "gw/nldump.h"

static uint32_t number(const struct nlattr *a, uint32_t otherwise)
{
	uint32_t v;

	if (mnl_attr_get_payload_len(a) != sizeof(v))
		return otherwise;
	memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return ntohl(v);
}

static void devices(const struct nlattr *nest, const char *interface, struct around_flow *f)
{
	const struct nlattr *a;
	char name[IFNAMSIZ];

	mnl_attr_for_each_nested(a, nest)
	{
		nldump_get_text(a, name, sizeof(name));
		/* one by prefix (another type) stands for several, whatever it is */
		if (!name[0] ||
		    (mnl_attr_get_type(a) == NFTA_DEVICE_NAME && !strcmp(name, interface)))
			continue;
		if (f->device[0])
			f->more++;
		else
			memcpy(f->device, name, sizeof(name));
	}
}

static const char *family(uint8_t nfproto)
{
	switch (nfproto) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	default:
		return "inet";
	}
}

bool around_flow_parse(const struct nlmsghdr *nlh, const char *interface, struct around_flow *f)
{
	const struct nfgenmsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *d;
	uint32_t use = 1;

	*f = (struct around_flow){0};
	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWFLOWTABLE) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return false;
	f->family = family(m->nfgen_family);
	mnl_attr_for_each(a, nlh, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case NFTA_FLOWTABLE_TABLE:
			nldump_get_text(a, f->table, sizeof(f->table));
			break;
		case NFTA_FLOWTABLE_NAME:
			nldump_get_text(a, f->name, sizeof(f->name));
			break;
		case NFTA_FLOWTABLE_HOOK:
			mnl_attr_for_each_nested(d, a)
			{
				if (mnl_attr_get_type(d) == NFTA_FLOWTABLE_HOOK_DEVS)
					devices(d, interface, f);
			}
			break;
		case NFTA_FLOWTABLE_USE:
			use = number(a, use);
			break;
		case NFTA_FLOWTABLE_FLAGS:
			f->hardware = number(a, 0) & NFT_FLOWTABLE_HW_OFFLOAD;
			break;
		default:
			break;
		}
	}
	return use && f->device[0];
}

struct each {
	const char *interface;
	void (*fn)(void *arg, const struct around_flow *f);
	void *arg;
};

static void take(void *arg, const struct nlmsghdr *nlh)
{
	const struct each *e = arg;
	struct around_flow f;

	if (around_flow_parse(nlh, e->interface, &f))
		e->fn(e->arg, &f);
}

int around_flows(const char *interface, void (*fn)(void *arg, const struct around_flow *f),
		 void *arg)
{
	struct each e = {interface, fn, arg};
	uint8_t buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *ask = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *m = mnl_nlmsg_put_extra_header(ask, sizeof(*m));

	ask->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETFLOWTABLE;
	m->nfgen_family = NFPROTO_UNSPEC;
	m->version = NFNETLINK_V0;
	return nldump(NETLINK_NETFILTER, ask, take, &e);
}
