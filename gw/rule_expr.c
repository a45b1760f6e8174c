/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules, expression by expression, as `nft --debug=netlink` shows them for the same rule.
 *
 * Marks are compared in the host's byte order, header fields in the network's. The two
 * bytes at the beginning of an IP header hold version, header length or traffic class, and
 * (IPv4) the whole TOS byte: both protocols are changed by writing these two.
 */
#include "gw/rule_expr.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>

#include <libnftnl/expr.h>

#define REG NFT_REG_1
#define IPV4_CHECKSUM 10 /* its offset in the header */

/* A rule that is being written; failed: an expression could not be had. */
struct draft {
	struct nftnl_rule *rule;
	bool failed;
};

static struct draft start(const char *chain)
{
	struct draft d = {.rule = nftnl_rule_alloc()};

	d.failed = !d.rule;
	if (d.rule) {
		nftnl_rule_set_str(d.rule, NFTNL_RULE_TABLE, RULE_TABLE);
		nftnl_rule_set_str(d.rule, NFTNL_RULE_CHAIN, chain);
		nftnl_rule_set_u32(d.rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	}
	return d;
}

static struct nftnl_rule *end(struct draft *d)
{
	if (!d->failed)
		return d->rule;
	if (d->rule)
		nftnl_rule_free(d->rule);
	return NULL;
}

static struct nftnl_expr *add(struct draft *d, const char *name)
{
	struct nftnl_expr *e = d->failed ? NULL : nftnl_expr_alloc(name);

	d->failed = !e;
	if (e)
		nftnl_rule_add_expr(d->rule, e);
	return e;
}

static void load_meta(struct draft *d, uint32_t key)
{
	struct nftnl_expr *e = add(d, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, REG);
}

static void store_mark(struct draft *d)
{
	struct nftnl_expr *e = add(d, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, REG);
}

/* reg = (reg & mask) ^ xor */
static void bits(struct draft *d, const void *mask, const void * xor, uint32_t len)
{
	struct nftnl_expr *e = add(d, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, xor, len);
}

static void compare(struct draft *d, uint32_t op, const void *with, uint32_t len)
{
	struct nftnl_expr *e = add(d, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, REG);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, with, len);
}

/* The rule goes on where mark & mask is (or is not) value. */
static void if_mark(struct draft *d, uint32_t mask, uint32_t op, uint32_t value)
{
	const uint32_t zero = 0;

	load_meta(d, NFT_META_MARK);
	bits(d, &mask, &zero, sizeof(mask));
	compare(d, op, &value, sizeof(value));
}

static void if_protocol(struct draft *d, uint8_t nfproto)
{
	load_meta(d, NFT_META_NFPROTO);
	compare(d, NFT_CMP_EQ, &nfproto, sizeof(nfproto));
}

static void verdict(struct draft *d, uint32_t code, const char *chain)
{
	struct nftnl_expr *e = add(d, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, code);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void load_header(struct draft *d, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = add(d, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, REG);
}

/* The first two bytes of the header become (those & mask) ^ xor. */
static void rewrite(struct draft *d, uint8_t nfproto, const uint8_t mask[2],
		    const uint8_t xor [2])
{
	struct nftnl_expr *e;

	load_header(d, 0, 2);
	bits(d, mask, xor, 2);
	e = add(d, "payload");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, 0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, 2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_SREG, REG);
	if (nfproto == NFPROTO_IPV4) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, IPV4_CHECKSUM);
	}
}

struct nftnl_rule *rule_accept_released(void)
{
	struct draft d = start(RULE_TAKE);

	if_mark(&d, RULE_RELEASED, NFT_CMP_NEQ, 0);
	verdict(&d, NF_ACCEPT, NULL);
	return end(&d);
}

static void queue_native(struct draft *d, uint16_t number)
{
	struct nftnl_expr *e = add(d, "queue");

	if (!e)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_NUM, number);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_TOTAL, 1);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_FLAGS, NFT_QUEUE_FLAG_BYPASS);
}

static void queue_xt(struct draft *d, uint16_t number)
{
	struct nftnl_expr *e = add(d, "target");
	struct xt_NFQ_info_v3 *info = calloc(1, XT_ALIGN(sizeof(*info)));

	if (!e || !info) {
		free(info);
		d->failed = true;
		return;
	}
	info->queuenum = number;
	info->queues_total = 1;
	info->flags = NFQ_FLAG_BYPASS;
	nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, "NFQUEUE");
	nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, 3);
	/* the expression owns it from here on */
	nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, info, XT_ALIGN(sizeof(*info)));
} // NOLINT(clang-analyzer-unix.Malloc)

struct nftnl_rule *rule_queue(const struct rule_link *link, enum rule_how how)
{
	struct draft d = start(RULE_TAKE);
	char name[IFNAMSIZ] = {0};

	memcpy(name, link->interface, strnlen(link->interface, IFNAMSIZ - 1));
	load_meta(&d, NFT_META_OIFNAME);
	compare(&d, NFT_CMP_EQ, name, sizeof(name));
	if (how == RULE_NATIVE)
		queue_native(&d, link->queue);
	else
		queue_xt(&d, link->queue);
	return end(&d);
}

struct nftnl_rule *rule_accept_others(void)
{
	struct draft d = start(RULE_RELEASE);

	if_mark(&d, RULE_RELEASED, NFT_CMP_EQ, 0);
	verdict(&d, NF_ACCEPT, NULL);
	return end(&d);
}

struct nftnl_rule *rule_set_ce(uint8_t nfproto)
{
	/* where the ECN field is: the low bits of IPv4's second byte, the middle of IPv6's */
	const uint8_t ecn = nfproto == NFPROTO_IPV4 ? 0x03 : 0x30, zero = 0;
	const uint8_t mask[2] = {0xff, (uint8_t)~ecn}, ce[2] = {0, ecn};
	struct draft d = start(RULE_RELEASE);

	if_mark(&d, RULE_CE, NFT_CMP_NEQ, 0);
	if_protocol(&d, nfproto);
	/* never on a packet whose sender does not know ECN */
	load_header(&d, 1, 1);
	bits(&d, &ecn, &zero, 1);
	compare(&d, NFT_CMP_NEQ, &zero, 1);
	rewrite(&d, nfproto, mask, ce);
	return end(&d);
}

struct nftnl_rule *rule_jump_remark(void)
{
	struct draft d = start(RULE_RELEASE);

	if_mark(&d, RULE_DSCP_SET, NFT_CMP_NEQ, 0);
	verdict(&d, (uint32_t)NFT_JUMP, RULE_REMARK);
	return end(&d);
}

struct nftnl_rule *rule_clear_mark(void)
{
	const uint32_t keep = ~RULE_MARK, zero = 0;
	struct draft d = start(RULE_RELEASE);

	load_meta(&d, NFT_META_MARK);
	bits(&d, &keep, &zero, sizeof(keep));
	store_mark(&d);
	return end(&d);
}

struct nftnl_rule *rule_set_dscp(uint8_t nfproto, unsigned dscp)
{
	/* six bits: at the top of IPv4's second byte; across both bytes of IPv6 */
	const uint8_t mask4[2] = {0xff, 0x03}, dscp4[2] = {0, (uint8_t)(dscp << 2)};
	const uint8_t mask6[2] = {0xf0, 0x3f},
		      dscp6[2] = {(uint8_t)(dscp >> 2), (uint8_t)((dscp & 3) << 6)};
	bool v4 = nfproto == NFPROTO_IPV4;
	struct draft d = start(RULE_REMARK);

	if_mark(&d, 63u << RULE_DSCP_SHIFT, NFT_CMP_EQ, (uint32_t)dscp << RULE_DSCP_SHIFT);
	if_protocol(&d, nfproto);
	rewrite(&d, nfproto, v4 ? mask4 : mask6, v4 ? dscp4 : dscp6);
	return end(&d);
}
