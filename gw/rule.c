/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table: made, changed and looked at, in transactions (libnftnl's batches). */
#include "gw/rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/batch.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>

#include "gw/rule_expr.h"
#include "gw/fail.h"

#define MESSAGE_MAX 2048u /* of one rule, and more */

struct rules {
	struct mnl_socket *nl; /* owns the table */
	enum rule_how how;
	unsigned expected; /* rules in the table */
};

/* A transaction that is being written. */
struct batch {
	uint8_t *mem;
	size_t used, size;
	size_t last; /* where its last message begins */
	uint32_t seq;
	bool failed; /* no memory */
};

/* ---- Transactions. */

static void begin(struct batch *b, size_t messages)
{
	*b = (struct batch){.size = (messages + 2) * MESSAGE_MAX, .seq = 1};
	b->mem = calloc(1, b->size);
	b->failed = !b->mem;
	if (b->mem)
		b->used = nftnl_batch_begin((char *)b->mem, b->seq++)->nlmsg_len;
}

static struct nlmsghdr *message(struct batch *b, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh;

	if (b->failed || b->size - b->used < 2 * (size_t)MESSAGE_MAX) {
		b->failed = true;
		return NULL;
	}
	nlh = nftnl_nlmsg_build_hdr((char *)b->mem + b->used, type, NFPROTO_INET, flags,
				    b->seq++);
	return nlh;
}

static void done(struct batch *b, const struct nlmsghdr *nlh)
{
	b->last = b->used;
	b->used += nlh->nlmsg_len;
}

/*
 * The first error among the kernel's answers, all of which are there when it has returned. It
 * tells of every message that fails, and of the last one in any case: an answer for each
 * would be more than the socket holds, from some 250 rules on.
 */
static int answers(struct mnl_socket *nl)
{
	uint8_t buf[16384] __attribute__((aligned(8)));
	bool told = false, full = false;
	int first = 0, left;
	ssize_t n;

	/* to the end, so that nothing of it is taken for an answer to what is asked next */
	for (;;) {
		const struct nlmsghdr *nlh = (const void *)buf;

		n = recv(mnl_socket_get_fd(nl), buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS)
			full = true;
		else if (n < 0 && errno != EINTR)
			break;
		for (left = (int)n; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR ||
			    mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
				continue;
			told = true;
			if (e->error && !first)
				first = -e->error;
		}
	}
	if (!first && errno != EAGAIN)
		first = errno;
	if (!first && (full || !told))
		first = full ? ENOBUFS : EIO;
	return first;
}

/* All or nothing. 0 or an errno; the memory is given back. */
static int commit(struct rules *r, struct batch *b)
{
	int error = ENOMEM, size;

	if (!b->failed) {
		((struct nlmsghdr *)(void *)(b->mem + b->last))->nlmsg_flags |= NLM_F_ACK;
		b->used += nftnl_batch_end((char *)b->mem + b->used, b->seq++)->nlmsg_len;
		size = (int)b->used * 2;
		/* where it is refused, the default is enough for some hundred rules */
		if (setsockopt(mnl_socket_get_fd(r->nl), SOL_SOCKET, SO_SNDBUFFORCE, &size,
			       sizeof(size)))
			errno = 0;
		error = mnl_socket_sendto(r->nl, b->mem, b->used) < 0 ? errno : answers(r->nl);
	}
	free(b->mem);
	return error;
}

/* ---- What goes into them. */

static void put_table(struct batch *b, uint16_t type, uint16_t flags)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct nlmsghdr *nlh = message(b, type, flags);

	if (t && nlh) {
		nftnl_table_set_str(t, NFTNL_TABLE_NAME, RULE_TABLE);
		nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, NFPROTO_INET);
		if (type == NFT_MSG_NEWTABLE)
			nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, NFT_TABLE_F_OWNER);
		nftnl_table_nlmsg_build_payload(nlh, t);
		done(b, nlh);
	}
	b->failed |= !t;
	if (t)
		nftnl_table_free(t);
}

/* A base chain at postrouting, or (base false) one to jump to. */
static void put_chain(struct batch *b, const char *name, bool base, int32_t priority)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *nlh = message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);

	if (c && nlh) {
		nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, RULE_TABLE);
		nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
		if (base) {
			nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
			nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, NF_INET_POST_ROUTING);
			nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
			nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
		}
		nftnl_chain_nlmsg_build_payload(nlh, c);
		done(b, nlh);
	}
	b->failed |= !c;
	if (c)
		nftnl_chain_free(c);
}

/* Takes the rule over. */
static void put_rule(struct batch *b, struct nftnl_rule *rule)
{
	struct nlmsghdr *nlh = message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	if (rule && nlh) {
		nftnl_rule_nlmsg_build_payload(nlh, rule);
		done(b, nlh);
	}
	b->failed |= !rule;
	if (rule)
		nftnl_rule_free(rule);
}

/* Empties a chain. */
static void put_flush(struct batch *b, const char *chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nlmsghdr *nlh = message(b, NFT_MSG_DELRULE, 0);

	if (rule && nlh) {
		nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, RULE_TABLE);
		nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
		nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
		nftnl_rule_nlmsg_build_payload(nlh, rule);
		done(b, nlh);
	}
	b->failed |= !rule;
	if (rule)
		nftnl_rule_free(rule);
}

static unsigned put_release(struct batch *b)
{
	put_rule(b, rule_accept_others());
	put_rule(b, rule_set_ce(NFPROTO_IPV4));
	put_rule(b, rule_set_ce(NFPROTO_IPV6));
	put_rule(b, rule_jump_remark());
	put_rule(b, rule_clear_mark());
	return 5;
}

/* ---- Looking at it. */

struct count {
	unsigned rules;
	bool table;
};

static int count_rule(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct count *c = arg;

	if (r && !nftnl_rule_nlmsg_parse(nlh, r)) {
		const char *table = nftnl_rule_get_str(r, NFTNL_RULE_TABLE);

		c->rules += table && !strcmp(table, RULE_TABLE);
	}
	if (r)
		nftnl_rule_free(r);
	return MNL_CB_OK;
}

static int find_table(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct count *c = arg;

	if (t && !nftnl_table_nlmsg_parse(nlh, t)) {
		const char *name = nftnl_table_get_str(t, NFTNL_TABLE_NAME);

		c->table |= name && !strcmp(name, RULE_TABLE);
	}
	if (t)
		nftnl_table_free(t);
	return MNL_CB_OK;
}

static int dump(uint16_t type, mnl_cb_t fn, struct count *c)
{
	uint8_t buf[16384] __attribute__((aligned(8)));
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *nlh;
	int more = MNL_CB_OK;

	if (!nl)
		return -1;
	nlh = nftnl_nlmsg_build_hdr((char *)buf, type, NFPROTO_INET, NLM_F_DUMP, 1);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		more = MNL_CB_ERROR;
	while (more > 0) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		more = n < 0 ? MNL_CB_ERROR
			     : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), fn, c);
	}
	mnl_socket_close(nl);
	return more < 0 ? -1 : 0;
}

bool rules_intact(struct rules *r)
{
	struct count c = {0};

	/* a dump that somebody's change interrupts (EINTR) says nothing; the next one will */
	if (dump(NFT_MSG_GETRULE, count_rule, &c))
		return true;
	return c.rules == r->expected;
}

static bool table_exists(void)
{
	struct count c = {0};

	return !dump(NFT_MSG_GETTABLE, find_table, &c) && c.table;
}

/* ---- Life. */

/* Whether the kernel has nftables' own `queue`: a rule with it, gone before it is there. */
static int probe(struct rules *r)
{
	struct rule_link none = {.interface = "weir-probe", .queue = UINT16_MAX};
	struct batch b;
	int error;

	begin(&b, 2);
	put_rule(&b, rule_queue(&none, r->how));
	put_flush(&b, RULE_TAKE);
	error = commit(r, &b);
	if (!error || r->how == RULE_XT)
		return error;
	r->how = RULE_XT;
	return probe(r);
}

static int make_table(struct rules *r)
{
	struct batch b;

	begin(&b, 10);
	put_table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	put_chain(&b, RULE_TAKE, true, RULE_PRIORITY);
	put_chain(&b, RULE_RELEASE, true, RULE_PRIORITY + 1);
	put_chain(&b, RULE_REMARK, false, 0);
	r->expected = put_release(&b);
	return commit(r, &b);
}

struct rules *rules_open(bool *exists, char *err, size_t errsize)
{
	struct rules *r = calloc(1, sizeof(*r));
	int error;

	*exists = false;
	if (r)
		r->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!r || !r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		fail_with(err, errsize, "nftables: %s", strerror(errno));
		goto failed;
	}
	error = make_table(r);
	if (error == EEXIST || (error && table_exists())) {
		*exists = true;
		fail_with(
			err, errsize,
			"there is a table \"inet %s\" already: another weir runs here (in this "
			"network "
			"namespace); stop it first",
			RULE_TABLE);
		goto failed;
	}
	if (error == EPERM) {
		fail_with(err, errsize,
			  "nftables: not permitted: run as root, or with CAP_NET_ADMIN");
		goto failed;
	}
	if (error) {
		fail_with(err, errsize,
			  "nftables: cannot make a table (%s): weir needs nf_tables with the "
			  "family "
			  "\"inet\" and the table flag \"owner\" (Linux 5.12)",
			  strerror(error));
		goto failed;
	}
	error = probe(r);
	if (!error)
		return r;
	fail_with(err, errsize,
		  "nftables: no rule can send packets to a queue (%s): the kernel needs "
		  "CONFIG_NFT_QUEUE, "
		  "or CONFIG_NFT_COMPAT with CONFIG_NETFILTER_XT_TARGET_NFQUEUE",
		  strerror(error));
failed:
	if (r && r->nl)
		mnl_socket_close(r->nl); /* and with it goes the table */
	free(r);
	return NULL;
}

void rules_close(struct rules *r)
{
	struct batch b;

	if (!r)
		return;
	begin(&b, 1);
	put_table(&b, NFT_MSG_DELTABLE, 0);
	/* should that fail, closing the socket does it */
	(void)commit(r, &b);
	mnl_socket_close(r->nl);
	free(r);
}

int rules_set(struct rules *r, const struct rule_link *link, size_t n, uint64_t dscp, char *err,
	      size_t errsize)
{
	struct batch b;
	unsigned count = 5 + 1;
	int error;

	begin(&b, n + 2 * 64 + 4);
	put_flush(&b, RULE_TAKE);
	put_flush(&b, RULE_REMARK);
	for (unsigned d = 0; d < 64; d++) {
		if (!(dscp >> d & 1))
			continue;
		put_rule(&b, rule_set_dscp(NFPROTO_IPV4, d));
		put_rule(&b, rule_set_dscp(NFPROTO_IPV6, d));
		count += 2;
	}
	put_rule(&b, rule_accept_released());
	for (size_t i = 0; i < n; i++, count++)
		put_rule(&b, rule_queue(&link[i], r->how));
	error = commit(r, &b);
	if (error)
		return fail_with(err, errsize, "nftables: the rules could not be set: %s",
				 strerror(error));
	r->expected = count;
	return 0;
}

enum rule_how rules_how(const struct rules *r)
{
	return r->how;
}
