/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/nft_expr.h"

#include <linux/netfilter.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define REG NFT_REG_1

struct nft_draft nft_start(const char *table, const char *chain)
{
	struct nft_draft d = {.rule = nftnl_rule_alloc()};

	d.failed = !d.rule;
	if (d.rule) {
		nftnl_rule_set_str(d.rule, NFTNL_RULE_TABLE, table);
		nftnl_rule_set_str(d.rule, NFTNL_RULE_CHAIN, chain);
		nftnl_rule_set_u32(d.rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	}
	return d;
}

struct nftnl_rule *nft_end(struct nft_draft *d)
{
	if (!d->failed)
		return d->rule;
	if (d->rule)
		nftnl_rule_free(d->rule);
	return NULL;
}

struct nftnl_expr *nft_add(struct nft_draft *d, const char *name)
{
	struct nftnl_expr *e = d->failed ? NULL : nftnl_expr_alloc(name);

	d->failed = !e;
	if (e)
		nftnl_rule_add_expr(d->rule, e);
	return e;
}

static void meta(struct nft_draft *d, uint32_t key, uint16_t reg)
{
	struct nftnl_expr *e = nft_add(d, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, reg, REG);
}

void nft_load_meta(struct nft_draft *d, uint32_t key)
{
	meta(d, key, NFTNL_EXPR_META_DREG);
}

void nft_store_meta(struct nft_draft *d, uint32_t key)
{
	meta(d, key, NFTNL_EXPR_META_SREG);
}

void nft_load_value(struct nft_draft *d, uint32_t value)
{
	struct nftnl_expr *e = nft_add(d, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, REG);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &value, sizeof(value));
}

void nft_bits(struct nft_draft *d, const void *mask, const void *xor_with, uint32_t len)
{
	struct nftnl_expr *e = nft_add(d, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, xor_with, len);
}

void nft_compare(struct nft_draft *d, uint32_t op, const void *with, uint32_t len)
{
	struct nftnl_expr *e = nft_add(d, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, with, len);
}

static void if_name(struct nft_draft *d, uint32_t key, const char *interface)
{
	char name[IFNAMSIZ] = {0};

	memcpy(name, interface, strnlen(interface, IFNAMSIZ - 1));
	nft_load_meta(d, key);
	nft_compare(d, NFT_CMP_EQ, name, sizeof(name));
}

void nft_if_outgoing(struct nft_draft *d, const char *interface)
{
	if_name(d, NFT_META_OIFNAME, interface);
}

void nft_if_incoming(struct nft_draft *d, const char *interface)
{
	if_name(d, NFT_META_IIFNAME, interface);
}

void nft_verdict(struct nft_draft *d, uint32_t code, const char *chain)
{
	struct nftnl_expr *e = nft_add(d, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, code);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

void nft_xt(struct nft_draft *d, const char *kind, const char *name, uint32_t rev, void *info,
	    uint32_t size)
{
	struct nftnl_expr *e = info ? nft_add(d, kind) : NULL;

	if (!e) {
		free(info);
		d->failed = true;
		return;
	}
	/* the attributes of a target and of a match have the same numbers */
	_Static_assert((int)NFTNL_EXPR_TG_NAME == (int)NFTNL_EXPR_MT_NAME &&
			       (int)NFTNL_EXPR_TG_INFO == (int)NFTNL_EXPR_MT_INFO,
		       "libnftnl's targets and matches");
	nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, name);
	nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, rev);
	/* the expression owns it from here on */
	nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, info, size);
}
