/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/setnft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>

#include "gw/nft_batch.h"
#include "gw/nldump.h"

/* nft's numbers for what a set is of: TYPE_IPADDR, TYPE_IP6ADDR (include/datatype.h) */
#define TYPE_IPV4 7u
#define TYPE_IPV6 8u
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define RCVBUF (1 << 20)
#define TRIES 5 /* of a set that changes while it is read */

bool setnft_name(const char *text, struct setnft_name *n)
{
	static const struct {
		const char *name;
		uint8_t family;
	} v[] = {{"ip", NFPROTO_IPV4},
		 {"ip6", NFPROTO_IPV6},
		 {"inet", NFPROTO_INET},
		 {"bridge", NFPROTO_BRIDGE},
		 {"netdev", NFPROTO_NETDEV}};
	char family[8];

	*n = (struct setnft_name){0};
	if (sscanf(text, "%7s %255s %255s", family, n->table, n->set) != 3)
		return false;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (!strcmp(family, v[i].name))
			n->family = v[i].family;
	return n->family != 0;
}

/* ---- Elements. */

static struct setnft_elem *room(struct setnft_elems *e)
{
	struct setnft_elem *more;

	if (e->n >= 2 * (size_t)ADDRSET_MAX)
		e->error = E2BIG;
	if (e->error)
		return NULL;
	if (!(e->n & (e->n - 1))) {
		more = realloc(e->v, (e->n ? 2 * e->n : 1) * sizeof(*more));
		if (!more) {
			e->error = ENOMEM;
			return NULL;
		}
		e->v = more;
	}
	e->v[e->n] = (struct setnft_elem){0};
	return &e->v[e->n];
}

/* The address in a nest of nft_data_attributes; false: there is none of this version. */
static bool take_key(const struct setnft_elems *e, const struct nlattr *nest, uint8_t key[16])
{
	const struct nlattr *a;
	size_t size = e->version == 4 ? 4 : 16;

	mnl_attr_for_each_nested(a, nest)
	{
		if (mnl_attr_get_type(a) != NFTA_DATA_VALUE ||
		    mnl_attr_get_payload_len(a) != size)
			continue;
		memcpy(key, mnl_attr_get_payload(a), size);
		return true;
	}
	return false;
}

static void take_elem(struct setnft_elems *e, const struct nlattr *nest)
{
	struct setnft_elem *to = room(e);
	const struct nlattr *a;
	uint64_t ms = UINT64_MAX;
	uint32_t flags = 0;
	bool key = false;

	if (!to)
		return;
	mnl_attr_for_each_nested(a, nest)
	{
		unsigned type = mnl_attr_get_type(a), size = mnl_attr_get_payload_len(a);

		if (type == NFTA_SET_ELEM_KEY)
			key = take_key(e, a, to->key);
		else if (type == NFTA_SET_ELEM_KEY_END)
			to->range = take_key(e, a, to->to);
		else if (type == NFTA_SET_ELEM_FLAGS && size == sizeof(flags))
			flags = ntohl(mnl_attr_get_u32(a));
		else if (type == NFTA_SET_ELEM_EXPIRATION && size == sizeof(ms))
			ms = be64toh(mnl_attr_get_u64(a));
	}
	/* one without a key stands for all others (nft's "*"): no address of its own */
	if (!key)
		return;
	to->end = flags & NFT_SET_ELEM_INTERVAL_END;
	e->n++;
	if (ms < UINT64_MAX / MS && ms * MS < e->expires)
		e->expires = ms * MS;
}

void setnft_take(struct setnft_elems *e, const struct nlmsghdr *nlh)
{
	const struct nlattr *list, *a;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return;
	mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(a, list)
		{
			take_elem(e, a);
		}
	}
}

/* By address; where an interval ends and another begins, the end first. */
static int by_key(const void *a, const void *b)
{
	const struct setnft_elem *x = a, *y = b;
	int c = memcmp(x->key, y->key, sizeof(x->key));

	return c ? c : (int)y->end - (int)x->end;
}

/* The address before; there is one. */
static void step_back(uint8_t key[16], unsigned version)
{
	for (int i = version == 4 ? 3 : 15; i >= 0 && !key[i]--; i--)
		;
}

/* From one element to where the next one ends it, or to the last of all addresses. */
static int add_interval(struct addrset *s, const struct setnft_elems *e, size_t i)
{
	uint8_t to[16];

	memset(to, 0xff, sizeof(to));
	if (i + 1 < e->n) {
		memcpy(to, e->v[i + 1].key, sizeof(to));
		if (!memcmp(to, e->v[i].key, sizeof(to)))
			return 0; /* twice */
		step_back(to, e->version);
	}
	return addrset_add(s, e->version, e->v[i].key, to);
}

struct addrset *setnft_join(struct setnft_elems *e)
{
	struct addrset *s = addrset_new();
	int failed = s ? 0 : -1;

	if (e->n)
		qsort(e->v, e->n, sizeof(*e->v), by_key);
	for (size_t i = 0; i < e->n && !failed; i++) {
		const struct setnft_elem *x = &e->v[i];

		if (x->end)
			continue;
		if (x->range || !e->intervals)
			failed = addrset_add(s, e->version, x->key, x->range ? x->to : x->key);
		else
			failed = add_interval(s, e, i);
	}
	if (failed) {
		addrset_free(s);
		return NULL;
	}
	addrset_seal(s);
	return s;
}

/* ---- Asking. */

struct found {
	const struct setnft_name *name;
	bool there;
	uint32_t flags, type;
};

static void find(void *arg, const struct nlmsghdr *nlh)
{
	struct found *f = arg;
	struct nftnl_set *s = nftnl_set_alloc();

	if (s && !nftnl_set_nlmsg_parse(nlh, s)) {
		const char *table = nftnl_set_get_str(s, NFTNL_SET_TABLE);
		const char *name = nftnl_set_get_str(s, NFTNL_SET_NAME);

		if (table && name && !strcmp(table, f->name->table) &&
		    !strcmp(name, f->name->set)) {
			f->there = true;
			f->flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS);
			f->type = nftnl_set_get_u32(s, NFTNL_SET_KEY_TYPE);
		}
	}
	if (s)
		nftnl_set_free(s);
}

static void take(void *arg, const struct nlmsghdr *nlh)
{
	setnft_take(arg, nlh);
}

/* 0, or -1 with errno. */
static int read_elements(const struct setnft_name *n, struct setnft_elems *e)
{
	const struct timespec pause = {0, 20000000};
	uint8_t buf[1024] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;
	int failed = -1;

	errno = EINTR;
	for (unsigned i = 0; i < TRIES && failed && errno == EINTR; i++) {
		if (i)
			nanosleep(&pause, NULL);
		nlh = nftnl_nlmsg_build_hdr((char *)buf, NFT_MSG_GETSETELEM, n->family,
					    NLM_F_DUMP, 1);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, n->table);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, n->set);
		failed = nldump(NETLINK_NETFILTER, nlh, take, e);
	}
	if (!failed && e->error) {
		errno = e->error;
		failed = -1;
	}
	return failed;
}

/* When it has to be looked at again by itself, if ever. */
static uint64_t when_again(const struct found *f, const struct setnft_elems *e)
{
	if (f->flags & NFT_SET_EVAL)
		return SECOND; /* rules add to it */
	return e->expires;
}

/* Complains, and is NULL. */
static struct addrset *refuse(const char *name, const char *file, struct policy_mark at,
			      struct policy_report *r, const char *why)
{
	policy_complain(r, POLICY_ERROR, file, at, "the nft set \"%s\" cannot be read: %s",
			policy_shown(name).s, why);
	return NULL;
}

struct addrset *setnft_read(const char *name, const char *file, struct policy_mark at,
			    struct policy_report *r, uint64_t *again)
{
	struct setnft_elems e = {.expires = SETNFT_NEVER};
	struct setnft_name n;
	struct found f = {.name = &n};
	struct addrset *s;

	*again = SETNFT_NEVER;
	if (!setnft_name(name, &n))
		return refuse(name, file, at, r, "this is the name of none");
	if (nft_dump(NFT_MSG_GETSET, n.family, find, &f) && !nft_missing(errno))
		return refuse(name, file, at, r, strerror(errno));
	if (!f.there)
		return refuse(name, file, at, r,
			      "there is none: whoever makes it has to be first");
	if ((f.flags & NFT_SET_CONCAT) || (f.type != TYPE_IPV4 && f.type != TYPE_IPV6))
		return refuse(name, file, at, r,
			      "it is of something else than ipv4_addr or ipv6_addr");
	e.version = f.type == TYPE_IPV4 ? 4 : 6;
	e.intervals = f.flags & NFT_SET_INTERVAL;
	s = read_elements(&n, &e) ? NULL : setnft_join(&e);
	if (!s)
		refuse(name, file, at, r, strerror(errno));
	*again = when_again(&f, &e);
	free(e.v);
	return s;
}

bool setnft_read_all(struct policy *p, struct policy_report *r)
{
	unsigned before = r->errors;
	uint64_t again;

	for (size_t i = 0; i < p->n_set; i++) {
		const struct policy_set *s = p->set[i];
		struct addrset *a =
			s->nft ? setnft_read(s->text, p->file, s->at, r, &again) : NULL;

		if (a)
			policy_set_give(p, i, a);
	}
	return r->errors == before;
}

/* ---- Changes. */

int setnft_watch(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	int group = NFNLGRP_NFTABLES, size = RCVBUF, error;

	if (fd < 0)
		return -1;
	/* where it is refused, what is lost is asked for again */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		errno = 0;
	if (!bind(fd, (struct sockaddr *)&a, sizeof(a)) &&
	    !setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* false: it says nothing of a set. */
static bool concerns(const struct nlmsghdr *nlh, struct setnft_name *n)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;
	unsigned type = NFNL_MSG_TYPE(nlh->nlmsg_type);
	bool table = type == NFT_MSG_DELTABLE;

	*n = (struct setnft_name){0};
	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*g) ||
	    (!table && type != NFT_MSG_NEWSET && type != NFT_MSG_DELSET &&
	     type != NFT_MSG_NEWSETELEM && type != NFT_MSG_DELSETELEM))
		return false;
	n->family = g->nfgen_family;
	_Static_assert((int)NFTA_SET_ELEM_LIST_TABLE == (int)NFTA_SET_TABLE &&
			       (int)NFTA_SET_ELEM_LIST_SET == (int)NFTA_SET_NAME &&
			       (int)NFTA_TABLE_NAME == (int)NFTA_SET_TABLE,
		       "nftables' numbers of names");
	mnl_attr_for_each(a, nlh, sizeof(*g))
	{
		if (mnl_attr_get_type(a) == NFTA_SET_TABLE)
			nldump_get_text(a, n->table, sizeof(n->table));
		else if (mnl_attr_get_type(a) == NFTA_SET_NAME && !table)
			nldump_get_text(a, n->set, sizeof(n->set));
	}
	return n->table[0] != '\0';
}

int setnft_changes(int fd, void (*fn)(void *arg, const struct setnft_name *n), void *arg)
{
	const struct setnft_name all = {0};
	uint8_t buf[32768] __attribute__((aligned(8)));
	struct setnft_name n;

	for (;;) {
		const struct nlmsghdr *nlh = (const void *)buf;
		ssize_t got = recv(fd, buf, sizeof(buf), 0);
		int left = (int)got;

		if (got < 0 && errno == ENOBUFS)
			fn(arg, &all);
		else if (got < 0 && errno != EINTR)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
		for (; left > 0 && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (concerns(nlh, &n))
				fn(arg, &n);
	}
}
