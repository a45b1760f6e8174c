/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_nat_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_bpf.h>

#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>

#include "gw/nft_batch.h"
#include "qos/siphash.h"

#define EXPR_TEXT 512 /* the longest of weir's is a comparison of 16 bytes */

/* ---- What a rule does. */

static void add_bytes(struct siphash *s, const void *data, size_t n)
{
	const uint8_t *p = data;

	siphash_word(s, 2, n);
	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		uint64_t word = 0;

		memcpy(&word, p + i, n - i < sizeof(word) ? n - i : sizeof(word));
		siphash_word(s, 2, word);
	}
}

static int add_expr(struct nftnl_expr *e, void *arg)
{
	struct siphash *s = arg;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	char text[EXPR_TEXT] = "";
	uint32_t size = 0;
	const void *info;

	add_bytes(s, name, strlen(name));
	nftnl_expr_snprintf(text, sizeof(text), e, NFTNL_OUTPUT_DEFAULT, 0);
	add_bytes(s, text, strlen(text));
	if (strcmp(name, "match") != 0)
		return 0;
	info = nftnl_expr_get(e, NFTNL_EXPR_MT_INFO, &size);
	/* what is behind the program is the kernel's own */
	if (size > offsetof(struct xt_bpf_info_v1, filter))
		size = offsetof(struct xt_bpf_info_v1, filter);
	add_bytes(s, info, info ? size : 0);
	return 0;
}

uint64_t tc_nat_content(struct nftnl_rule *r, const char *chain, uint32_t place)
{
	static const struct siphash_key key = {0x7765697220746361, 0x6e642072756c6573};
	struct siphash s = siphash_begin(&key);

	add_bytes(&s, chain, strlen(chain));
	nftnl_expr_foreach(r, add_expr, &s);
	return siphash_end(&s, 2, 4, place);
}

/* ---- What is there. */

void tc_nat_look_free(struct tc_nat_look *l)
{
	for (size_t i = 0; i < l->n_chain; i++)
		free(l->chain[i]);
	free(l->chain);
}

static int take_udata(const struct nftnl_udata *attr, void *arg)
{
	struct tc_nat_look *l = arg;

	if (nftnl_udata_type(attr) == NFTNL_UDATA_RULE_COMMENT)
		snprintf(l->digest, sizeof(l->digest), "%.*s", (int)nftnl_udata_len(attr),
			 (const char *)nftnl_udata_get(attr));
	return 0;
}

static void look_at_table(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct tc_nat_look *l = arg;

	if (t && !nftnl_table_nlmsg_parse(nlh, t)) {
		const char *name = nftnl_table_get_str(t, NFTNL_TABLE_NAME);

		if (name && !strcmp(name, l->table)) {
			l->there = true;
			l->dormant =
				nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
		}
	}
	if (t)
		nftnl_table_free(t);
}

/* The kernel tells of the rules of a chain one after the other, in their order. */
static void take_content(struct tc_nat_look *l, struct nftnl_rule *r, const char *chain)
{
	if (!l->rules || strcmp(l->in, chain) != 0) {
		snprintf(l->in, sizeof(l->in), "%s", chain);
		l->place = 0;
	}
	l->content += tc_nat_content(r, chain, l->place++);
	l->rules++;
}

static void look_at_rule(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct tc_nat_look *l = arg;

	if (r && !nftnl_rule_nlmsg_parse(nlh, r)) {
		const char *table = nftnl_rule_get_str(r, NFTNL_RULE_TABLE);
		const char *chain = nftnl_rule_get_str(r, NFTNL_RULE_CHAIN);
		bool mine = table && chain && !strcmp(table, l->table);
		uint32_t len = 0;
		const void *data = mine && !strcmp(chain, TC_NAT_BASE)
					   ? nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &len)
					   : NULL;

		if (mine)
			take_content(l, r, chain);
		if (data)
			nftnl_udata_parse(data, len, take_udata, l);
	}
	if (r)
		nftnl_rule_free(r);
}

static void look_at_chain(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct tc_nat_look *l = arg;
	char **v;

	if (c && !nftnl_chain_nlmsg_parse(nlh, c)) {
		const char *table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE);
		const char *name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);

		if (table && name && !strcmp(table, l->table)) {
			if (!strcmp(name, TC_NAT_BASE)) {
				l->base = true;
				l->drops =
					nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) != NF_ACCEPT;
			}
			v = strcmp(name, TC_NAT_BASE)
				    ? realloc(l->chain, (l->n_chain + 1) * sizeof(*v))
				    : NULL;
			if (v) {
				l->chain = v;
				v[l->n_chain] = strdup(name);
				l->failed |= !v[l->n_chain];
				l->n_chain += v[l->n_chain] != NULL;
			} else if (strcmp(name, TC_NAT_BASE) != 0) {
				l->failed = true;
			}
		}
	}
	if (c)
		nftnl_chain_free(c);
}

int tc_nat_look(struct tc_nat_look *l, const char *table)
{
	int error;

	*l = (struct tc_nat_look){.table = table};
	if (!nft_dump(NFT_MSG_GETTABLE, NFPROTO_INET, look_at_table, l) &&
	    !nft_dump(NFT_MSG_GETCHAIN, NFPROTO_INET, look_at_chain, l) &&
	    !nft_dump(NFT_MSG_GETRULE, NFPROTO_INET, look_at_rule, l)) {
		if (!l->failed)
			return 0;
		errno = ENOMEM;
	}
	error = errno;
	tc_nat_look_free(l);
	errno = error;
	return -1;
}
