/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/nft_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libnftnl/batch.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>

#include "gw/nldump.h"

#define MESSAGE_MAX 2048u /* of one rule, and more */

void nft_begin(struct nft_batch *b, size_t messages)
{
	*b = (struct nft_batch){.size = (messages + 2) * MESSAGE_MAX, .seq = 1};
	b->mem = calloc(1, b->size);
	b->failed = !b->mem;
	if (b->mem)
		b->used = nftnl_batch_begin((char *)b->mem, b->seq++)->nlmsg_len;
}

struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, uint16_t flags)
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

void nft_message_done(struct nft_batch *b, const struct nlmsghdr *nlh)
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

int nft_commit(struct mnl_socket *nl, struct nft_batch *b)
{
	int error = ENOMEM, size;

	if (!b->failed) {
		((struct nlmsghdr *)(void *)(b->mem + b->last))->nlmsg_flags |= NLM_F_ACK;
		b->used += nftnl_batch_end((char *)b->mem + b->used, b->seq++)->nlmsg_len;
		size = (int)b->used * 2;
		/* where it is refused, the default is enough for some hundred rules */
		if (setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUFFORCE, &size,
			       sizeof(size)))
			errno = 0;
		error = mnl_socket_sendto(nl, b->mem, b->used) < 0 ? errno : answers(nl);
	}
	free(b->mem);
	return error;
}

/* ---- What goes into them. */

void nft_table(struct nft_batch *b, const char *table, uint16_t type, uint16_t flags,
	       uint32_t table_flags)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct nlmsghdr *nlh = nft_message(b, type, flags);

	if (t && nlh) {
		nftnl_table_set_str(t, NFTNL_TABLE_NAME, table);
		nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, NFPROTO_INET);
		if (type == NFT_MSG_NEWTABLE)
			nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, table_flags);
		nftnl_table_nlmsg_build_payload(nlh, t);
		nft_message_done(b, nlh);
	}
	b->failed |= !t;
	if (t)
		nftnl_table_free(t);
}

static void chain(struct nft_batch *b, const char *table, const char *name, bool base,
		  uint32_t hook, int32_t priority)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	/* a base chain that is there is told its policy again */
	uint16_t flags = base ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_EXCL;
	struct nlmsghdr *nlh = nft_message(b, NFT_MSG_NEWCHAIN, flags);

	if (c && nlh) {
		nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, table);
		nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
		if (base) {
			nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
			nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
			nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
			nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
		}
		nftnl_chain_nlmsg_build_payload(nlh, c);
		nft_message_done(b, nlh);
	}
	b->failed |= !c;
	if (c)
		nftnl_chain_free(c);
}

void nft_chain(struct nft_batch *b, const char *table, const char *name)
{
	chain(b, table, name, false, 0, 0);
}

void nft_base_chain(struct nft_batch *b, const char *table, const char *name, int32_t priority)
{
	chain(b, table, name, true, NF_INET_POST_ROUTING, priority);
}

void nft_base_chain_at(struct nft_batch *b, const char *table, const char *name, uint32_t hook,
		       int32_t priority)
{
	chain(b, table, name, true, hook, priority);
}

void nft_delete_chain(struct nft_batch *b, const char *table, const char *name)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *nlh = nft_message(b, NFT_MSG_DELCHAIN, 0);

	if (c && nlh) {
		nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, table);
		nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
		nftnl_chain_nlmsg_build_payload(nlh, c);
		nft_message_done(b, nlh);
	}
	b->failed |= !c;
	if (c)
		nftnl_chain_free(c);
}

static void put_rule(struct nft_batch *b, struct nftnl_rule *rule, uint16_t type,
		     uint16_t flags)
{
	struct nlmsghdr *nlh = rule ? nft_message(b, type, flags) : NULL;

	if (rule && nlh) {
		nftnl_rule_nlmsg_build_payload(nlh, rule);
		nft_message_done(b, nlh);
	}
	b->failed |= !rule;
	if (rule)
		nftnl_rule_free(rule);
}

void nft_rule(struct nft_batch *b, struct nftnl_rule *rule)
{
	put_rule(b, rule, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
}

void nft_flush(struct nft_batch *b, const char *table, const char *name)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (rule) {
		nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
		if (name)
			nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, name);
		nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	}
	put_rule(b, rule, NFT_MSG_DELRULE, 0);
}

/* ---- Looking. */

int nft_dump(uint16_t type, uint16_t family, void (*fn)(void *arg, const struct nlmsghdr *nlh),
	     void *arg)
{
	uint8_t buf[256] __attribute__((aligned(8)));

	return nldump(NETLINK_NETFILTER,
		      nftnl_nlmsg_build_hdr((char *)buf, type, family, NLM_F_DUMP, 1), fn, arg);
}

bool nft_missing(int error)
{
	/* the last: without netfilter's netlink at all */
	return error == EOPNOTSUPP || error == ENOENT || error == EPROTONOSUPPORT;
}
