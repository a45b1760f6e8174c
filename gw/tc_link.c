/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>

#include "gw/fail.h"

#define ROOM 1024u

static struct nl_msg *request(int type, int flags, uint32_t ifindex, unsigned set,
			      unsigned change)
{
	struct ifinfomsg i = {
		.ifi_index = (int)ifindex, .ifi_flags = set, .ifi_change = change};
	struct nl_msg *m = nlmsg_alloc_size(NLMSG_SPACE(sizeof(i)) + ROOM);

	if (!m || !nlmsg_put(m, 0, 0, type, sizeof(i), flags)) {
		nlmsg_free(m);
		return NULL;
	}
	memcpy(nlmsg_data(nlmsg_hdr(m)), &i, sizeof(i));
	return m;
}

static void text(const struct nlattr *a, char *to, size_t size)
{
	snprintf(to, size, "%.*s", a ? nla_len(a) : 0, a ? (const char *)nla_data(a) : "");
}

static void number(const struct nlattr *a, uint32_t *to)
{
	*to = a && nla_len(a) >= (int)sizeof(*to) ? nla_get_u32(a) : 0;
}

#define TRIES 10 /* dumps that were interrupted */

struct find {
	const char *name; /* NULL: by index */
	uint32_t ifindex;
	struct tc_link *l;
	bool found;
	char other[IFNAMSIZ]; /* whose altname it is */
};

/* Another name that people may call it by, which nothing but looking it up takes. */
static bool has_altname(const struct nlattr *list, const char *name)
{
	int left = list ? nla_len(list) : 0;
	const struct nlattr *a = list ? nla_data(list) : NULL;
	size_t size = strlen(name) + 1;

	for (; nla_ok(a, left); a = nla_next(a, &left))
		if (nla_type(a) == IFLA_ALT_IFNAME && nla_len(a) == (int)size &&
		    !memcmp(nla_data(a), name, size))
			return true;
	return false;
}

static int take(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	struct find *f = arg;
	struct tc_link l = {0};
	struct ifinfomsg i;

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(i)) ||
	    nla_parse(tb, IFLA_MAX, nlmsg_attrdata(h, sizeof(i)), nlmsg_attrlen(h, sizeof(i)),
		      NULL))
		return 0;
	memcpy(&i, nlmsg_data(h), sizeof(i));
	text(tb[IFLA_IFNAME], l.name, sizeof(l.name));
	if (f->name ? strcmp(l.name, f->name) != 0 : (uint32_t)i.ifi_index != f->ifindex) {
		if (f->name && has_altname(tb[IFLA_PROP_LIST], f->name))
			memcpy(f->other, l.name, sizeof(f->other));
		return 0;
	}
	l.ifindex = (uint32_t)i.ifi_index;
	l.type = i.ifi_type;
	l.up = i.ifi_flags & IFF_UP;
	number(tb[IFLA_MTU], &l.mtu);
	number(tb[IFLA_TXQLEN], &l.txqlen);
	number(tb[IFLA_NUM_TX_QUEUES], &l.tx_queues);
	text(tb[IFLA_IFALIAS], l.alias, sizeof(l.alias));
	if (tb[IFLA_LINKINFO] &&
	    !nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL))
		text(info[IFLA_INFO_KIND], l.kind, sizeof(l.kind));
	*f->l = l;
	f->found = true;
	return 0;
}

/* 0; or -1, and *error is the errno: ENODEV, without a word in err, when there is none. */
static int find(struct tc_nl *nl, struct find *f, int *error, char *err, size_t errsize)
{
	struct nl_msg *m = request(RTM_GETLINK, 0, 0, 0, 0);
	int status = TC_NL_INTERRUPTED;

	*error = ENOMEM;
	if (!m)
		return fail_with(err, errsize, "no memory");
	/* one that was left out of a dump is no interface that is gone */
	for (int i = 0; i < TRIES && status == TC_NL_INTERRUPTED && !f->found; i++)
		status = tc_nl_dump(nl, m, take, f, error, err, errsize);
	nlmsg_free(m);
	if (f->found) {
		*error = 0;
		return 0;
	}
	if (status == TC_NL_INTERRUPTED) {
		*error = EAGAIN;
		return fail_with(err, errsize,
				 "interfaces were changed by others all the time that they "
				 "were read");
	}
	if (status < 0)
		return -1;
	*error = ENODEV;
	return -1;
}

int tc_link_find(struct tc_nl *nl, const char *name, struct tc_link *l, int *error, char *err,
		 size_t errsize)
{
	struct find f = {.name = name, .l = l};
	int e, status = find(nl, &f, &e, err, errsize);

	if (e == ENODEV && *f.other) {
		e = EINVAL;
		fail_with(err, errsize,
			  "\"%.*s\" is another name of the interface \"%s\": that one "
			  "has to be said",
			  IFNAMSIZ, name, f.other);
	} else if (e == ENODEV) {
		fail_with(err, errsize, "there is no interface \"%.*s\"", IFNAMSIZ, name);
	}
	if (error)
		*error = e;
	return status;
}

int tc_link_at(struct tc_nl *nl, uint32_t ifindex, struct tc_link *l, char *err, size_t errsize)
{
	struct find f = {.ifindex = ifindex, .l = l};
	int e, status = find(nl, &f, &e, err, errsize);

	return !status ? 1 : e == ENODEV ? 0 : -1;
}

static int put_kind(struct nl_msg *m, const char *kind)
{
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);

	if (!info || nla_put_string(m, IFLA_INFO_KIND, kind))
		return -1;
	return nla_nest_end(m, info);
}

static int put_link(struct nl_msg *m, const struct tc_link *l)
{
	if ((*l->name && nla_put_string(m, IFLA_IFNAME, l->name)) ||
	    (l->mtu && nla_put_u32(m, IFLA_MTU, l->mtu)) ||
	    (l->txqlen && nla_put_u32(m, IFLA_TXQLEN, l->txqlen)) ||
	    (l->tx_queues && nla_put_u32(m, IFLA_NUM_TX_QUEUES, l->tx_queues)))
		return -1;
	return put_kind(m, l->kind);
}

static int ask(struct tc_nl *nl, struct nl_msg *m, char *err, size_t errsize)
{
	int e = m ? tc_nl_ask(nl, m, err, errsize) : ENOMEM;

	if (!m)
		fail_with(err, errsize, "no memory");
	nlmsg_free(m);
	return e;
}

int tc_link_add(struct tc_nl *nl, const struct tc_link *l, char *err, size_t errsize)
{
	struct nl_msg *m = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, l->ifindex, 0, 0);

	if (m && put_link(m, l) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return ask(nl, m, err, errsize);
}

int tc_link_set(struct tc_nl *nl, uint32_t ifindex, bool up, const char *alias, char *err,
		size_t errsize)
{
	struct nl_msg *m = request(RTM_NEWLINK, 0, ifindex, up ? IFF_UP : 0, IFF_UP);

	if (m && nla_put_string(m, IFLA_IFALIAS, alias)) {
		nlmsg_free(m);
		m = NULL;
	}
	return ask(nl, m, err, errsize);
}

int tc_link_delete(struct tc_nl *nl, uint32_t ifindex, char *err, size_t errsize)
{
	return ask(nl, request(RTM_DELLINK, 0, ifindex, 0, 0), err, errsize);
}
