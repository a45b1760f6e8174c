/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules, expression by expression, as `nft --debug=netlink` shows them for the same rule.
 *
 * Marks are compared in the host's byte order, header fields in the network's. The two
 * bytes at the beginning of an IP header hold version, header length or traffic class, and
 * (IPv4) the whole TOS byte: both protocols are changed by writing these two.
 */
#include "gw/rule_expr.h"

#include "gw/protect.h" /* before linux/netfilter.h, for netinet/in.h */

#include "gw/nft_expr.h"

#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_bpf.h>
#include <linux/netfilter/xt_NFQUEUE.h>

#define IPV4_CHECKSUM 10 /* its offset in the header */

static struct nft_draft start(const char *chain)
{
	return nft_start(RULE_TABLE, chain);
}

/* The rule goes on where mark & mask is (or is not) value. */
static void if_mark(struct nft_draft *d, uint32_t mask, uint32_t op, uint32_t value)
{
	const uint32_t zero = 0;

	nft_load_meta(d, NFT_META_MARK);
	nft_bits(d, &mask, &zero, sizeof(mask));
	nft_compare(d, op, &value, sizeof(value));
}

static void if_protocol(struct nft_draft *d, uint8_t nfproto)
{
	nft_load_meta(d, NFT_META_NFPROTO);
	nft_compare(d, NFT_CMP_EQ, &nfproto, sizeof(nfproto));
}

static void load_header(struct nft_draft *d, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = nft_add(d, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

/* The first two bytes of the header become (those & mask) ^ xor. */
static void rewrite(struct nft_draft *d, uint8_t nfproto, const uint8_t mask[2],
		    const uint8_t xor [2])
{
	struct nftnl_expr *e;

	load_header(d, 0, 2);
	nft_bits(d, mask, xor, 2);
	e = nft_add(d, "payload");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, 0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, 2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1);
	if (nfproto == NFPROTO_IPV4) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, IPV4_CHECKSUM);
	}
}

struct nftnl_rule *rule_accept_released(void)
{
	struct nft_draft d = start(RULE_TAKE);

	if_mark(&d, RULE_RELEASED, NFT_CMP_NEQ, 0);
	nft_verdict(&d, NF_ACCEPT, NULL);
	return nft_end(&d);
}

static void queue_native(struct nft_draft *d, uint16_t number)
{
	struct nftnl_expr *e = nft_add(d, "queue");

	if (!e)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_NUM, number);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_TOTAL, 1);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_FLAGS, NFT_QUEUE_FLAG_BYPASS);
}

static void queue_xt(struct nft_draft *d, uint16_t number)
{
	struct xt_NFQ_info_v3 *info = calloc(1, XT_ALIGN(sizeof(*info)));

	if (info) {
		info->queuenum = number;
		info->queues_total = 1;
		info->flags = NFQ_FLAG_BYPASS;
	}
	nft_xt(d, "target", "NFQUEUE", 3, info, XT_ALIGN(sizeof(*info)));
}

static struct nft_draft start_link(const struct rule_link *link)
{
	struct nft_draft d = start(RULE_TAKE);

	if (link->direction == POLICY_INGRESS)
		nft_if_incoming(&d, link->interface);
	else
		nft_if_outgoing(&d, link->interface);
	return d;
}

static void to_queue(struct nft_draft *d, uint16_t number, enum rule_how how)
{
	if (how == RULE_NATIVE)
		queue_native(d, number);
	else
		queue_xt(d, number);
}

struct nftnl_rule *rule_queue(const struct rule_link *link, enum rule_how how)
{
	struct nft_draft d = start_link(link);

	to_queue(&d, link->queue, how);
	return nft_end(&d);
}

/* The rule goes on with what all of the programs take. */
static void if_programs(struct nft_draft *d, const struct protect_rule *p)
{
	for (unsigned i = 0; i < PROTECT_AND; i++) {
		struct xt_bpf_info_v1 *info;

		if (!p->n[i])
			continue;
		info = calloc(1, XT_ALIGN(sizeof(*info)));
		if (info) {
			info->mode = XT_BPF_MODE_BYTECODE;
			info->bpf_program_num_elem = p->n[i];
			memcpy(info->bpf_program, p->insn[i], p->n[i] * sizeof(*p->insn[i]));
		}
		nft_xt(d, "match", "bpf", 1, info, XT_ALIGN(sizeof(*info)));
	}
}

struct nftnl_rule *rule_first(const struct rule_link *link, const struct protect_rule *p,
			      enum rule_how how)
{
	struct nft_draft d = start_link(link);

	if_programs(&d, p);
	to_queue(&d, link->first, how);
	return nft_end(&d);
}

struct nftnl_rule *rule_jump_control(const struct rule_link *link,
				     const struct protect_rule *look)
{
	struct nft_draft d = start_link(link);

	if_programs(&d, look);
	nft_verdict(&d, (uint32_t)NFT_JUMP, RULE_CONTROL(link->direction));
	return nft_end(&d);
}

struct nftnl_rule *rule_accept_others(void)
{
	struct nft_draft d = start(RULE_RELEASE);

	if_mark(&d, RULE_RELEASED, NFT_CMP_EQ, 0);
	nft_verdict(&d, NF_ACCEPT, NULL);
	return nft_end(&d);
}

struct nftnl_rule *rule_set_ce(uint8_t nfproto)
{
	/* where the ECN field is: the low bits of IPv4's second byte, the middle of IPv6's */
	const uint8_t ecn = nfproto == NFPROTO_IPV4 ? 0x03 : 0x30, zero = 0;
	const uint8_t mask[2] = {0xff, (uint8_t)~ecn}, ce[2] = {0, ecn};
	struct nft_draft d = start(RULE_RELEASE);

	if_mark(&d, RULE_CE, NFT_CMP_NEQ, 0);
	if_protocol(&d, nfproto);
	/* never on a packet whose sender does not know ECN */
	load_header(&d, 1, 1);
	nft_bits(&d, &ecn, &zero, 1);
	nft_compare(&d, NFT_CMP_NEQ, &zero, 1);
	rewrite(&d, nfproto, mask, ce);
	return nft_end(&d);
}

struct nftnl_rule *rule_jump_remark(void)
{
	struct nft_draft d = start(RULE_RELEASE);

	if_mark(&d, RULE_DSCP_SET, NFT_CMP_NEQ, 0);
	nft_verdict(&d, (uint32_t)NFT_JUMP, RULE_REMARK);
	return nft_end(&d);
}

struct nftnl_rule *rule_clear_mark(void)
{
	const uint32_t keep = ~RULE_MARK, zero = 0;
	struct nft_draft d = start(RULE_RELEASE);

	nft_load_meta(&d, NFT_META_MARK);
	nft_bits(&d, &keep, &zero, sizeof(keep));
	nft_store_meta(&d, NFT_META_MARK);
	return nft_end(&d);
}

struct nftnl_rule *rule_set_dscp(uint8_t nfproto, unsigned dscp)
{
	/* six bits: at the top of IPv4's second byte; across both bytes of IPv6 */
	const uint8_t mask4[2] = {0xff, 0x03}, dscp4[2] = {0, (uint8_t)(dscp << 2)};
	const uint8_t mask6[2] = {0xf0, 0x3f},
		      dscp6[2] = {(uint8_t)(dscp >> 2), (uint8_t)((dscp & 3) << 6)};
	bool v4 = nfproto == NFPROTO_IPV4;
	struct nft_draft d = start(RULE_REMARK);

	if_mark(&d, 63u << RULE_DSCP_SHIFT, NFT_CMP_EQ, (uint32_t)dscp << RULE_DSCP_SHIFT);
	if_protocol(&d, nfproto);
	rewrite(&d, nfproto, v4 ? mask4 : mask6, v4 ? dscp4 : dscp6);
	return nft_end(&d);
}
