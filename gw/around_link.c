/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By rtnetlink, not by /sys, which shows the network namespace of whoever mounted it. */
#include "gw/around_link.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "gw/nldump.h"

/* A number of `size` bytes; as it was where the attribute has another length. */
static void number(const struct nlattr *a, void *to, size_t size)
{
	if (mnl_attr_get_payload_len(a) == size)
		memcpy(to, mnl_attr_get_payload(a), size);
}

static bool flag(const struct nlattr *a)
{
	uint8_t v = 0;

	number(a, &v, sizeof(v));
	return v;
}

/* The two nests below IFLA_LINKINFO, whose numbers mean something for a kind only. */
struct info {
	const struct nlattr *data, *port;
};

static void parse_info(const struct nlattr *nest, struct around_link *l, struct info *i)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_INFO_KIND:
			nldump_get_text(a, l->kind, sizeof(l->kind));
			break;
		case IFLA_INFO_SLAVE_KIND:
			nldump_get_text(a, l->port_of, sizeof(l->port_of));
			break;
		case IFLA_INFO_DATA:
			i->data = a;
			break;
		case IFLA_INFO_SLAVE_DATA:
			i->port = a;
			break;
		default:
			break;
		}
	}
}

static void parse_kind(const struct info *i, struct around_link *l)
{
	const struct nlattr *a;

	if (i->data && !strcmp(l->kind, "bridge"))
		mnl_attr_for_each_nested(a, i->data)
		{
			if (mnl_attr_get_type(a) == IFLA_BR_NF_CALL_IPTABLES)
				l->nf_ip = flag(a);
			else if (mnl_attr_get_type(a) == IFLA_BR_NF_CALL_IP6TABLES)
				l->nf_ip6 = flag(a);
		}
	if (i->port && !strcmp(l->port_of, "bond"))
		mnl_attr_for_each_nested(a, i->port)
		{
			/* 0 BOND_STATE_ACTIVE, 1 BOND_STATE_BACKUP */
			if (mnl_attr_get_type(a) == IFLA_BOND_SLAVE_STATE)
				l->spare = flag(a);
		}
}

static void parse_xdp(const struct nlattr *nest, struct around_link *l)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_XDP_ATTACHED:
			number(a, &l->xdp, sizeof(l->xdp));
			break;
		case IFLA_XDP_PROG_ID:
		case IFLA_XDP_SKB_PROG_ID:
		case IFLA_XDP_DRV_PROG_ID:
		case IFLA_XDP_HW_PROG_ID:
			number(a, &l->xdp_id, sizeof(l->xdp_id));
			break;
		default:
			break;
		}
	}
}

/* An index in another namespace is no index here, and a pair's other end is no way out. */
static int below(const struct around_link *l, int link, bool elsewhere)
{
	if (elsewhere || link == l->index || !strcmp(l->kind, "veth") ||
	    !strcmp(l->kind, "netkit"))
		return 0;
	return link > 0 ? link : 0;
}

bool around_link_parse(const struct nlmsghdr *nlh, struct around_link *l)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;
	struct info i = {0};
	bool elsewhere = false;
	int link = 0;

	*l = (struct around_link){0};
	/* bridges tell of their ports as AF_BRIDGE */
	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) ||
	    m->ifi_family != AF_UNSPEC || m->ifi_index <= 0)
		return false;
	l->index = m->ifi_index;
	l->up = (m->ifi_flags & IFF_UP) && (m->ifi_flags & IFF_RUNNING);
	l->ppp = m->ifi_type == ARPHRD_PPP;
	mnl_attr_for_each(a, nlh, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			nldump_get_text(a, l->name, sizeof(l->name));
			break;
		case IFLA_MASTER:
			number(a, &l->master, sizeof(l->master));
			break;
		case IFLA_LINK:
			number(a, &link, sizeof(link));
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		case IFLA_LINKINFO:
			parse_info(a, l, &i);
			break;
		case IFLA_XDP:
			parse_xdp(a, l);
			break;
		default:
			break;
		}
	}
	parse_kind(&i, l);
	l->below = below(l, link, elsewhere);
	return l->name[0] != '\0';
}

static void take(void *arg, const struct nlmsghdr *nlh)
{
	struct around_links *s = arg;
	struct around_link l, *v;

	if (!around_link_parse(nlh, &l))
		return;
	/* a power of two is full */
	if (!(s->n & (s->n - 1))) {
		v = realloc(s->v, (s->n ? 2 * s->n : 1) * sizeof(*v));
		if (!v) {
			s->no_memory = true;
			return;
		}
		s->v = v;
	}
	s->v[s->n++] = l;
}

int around_links_get(struct around_links *s)
{
	uint8_t buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *ask = mnl_nlmsg_put_header(buf);

	*s = (struct around_links){0};
	ask->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(ask, sizeof(struct ifinfomsg));
	if (nldump(NETLINK_ROUTE, ask, take, s))
		return -1;
	if (!s->no_memory)
		return 0;
	around_links_free(s);
	errno = ENOMEM;
	return -1;
}

void around_links_free(struct around_links *s)
{
	free(s->v);
	*s = (struct around_links){0};
}

const struct around_link *around_link_named(const struct around_links *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i].name, name))
			return &s->v[i];
	return NULL;
}

const struct around_link *around_link_of(const struct around_links *s, int index)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].index == index)
			return &s->v[i];
	return NULL;
}

bool around_pppoe_line(const char *line, char name[IFNAMSIZ])
{
	/* "%08X %pM %8s" below a heading (pppoe_seq_show() of the kernel's pppoe.c) */
	_Static_assert(IFNAMSIZ == 16, "the width below");
	name[0] = '\0';
	return sscanf(line, "%*8[0-9A-F] %*17[0-9a-fA-F:]%*[ ]%15s", name) == 1;
}
