/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rule of nftables, written expression by expression, as `nft --debug=netlink` shows them for
 * the same rule.
 *
 * One register serves all. Marks and priorities are in the host's byte order, header fields in
 * the network's.
 */
#ifndef WEIR_GW_NFT_EXPR_H
#define WEIR_GW_NFT_EXPR_H

#include <stdio.h> /* libnftnl/expr.h needs it */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

/* A rule that is being written; failed: an expression could not be had. */
struct nft_draft {
	struct nftnl_rule *rule;
	bool failed;
};

struct nft_draft nft_start(const char *table, const char *chain);
/* The rule, the caller's; NULL: no memory. */
struct nftnl_rule *nft_end(struct nft_draft *d);

/* An expression of that name, for its attributes to be set; NULL: noted in d. */
struct nftnl_expr *nft_add(struct nft_draft *d, const char *name);
/* register = meta key (NFT_META_*), and the other way */
void nft_load_meta(struct nft_draft *d, uint32_t key);
void nft_store_meta(struct nft_draft *d, uint32_t key);
void nft_load_value(struct nft_draft *d, uint32_t value);
/* register = (register & mask) ^ xor */
void nft_bits(struct nft_draft *d, const void *mask, const void *xor_with, uint32_t len);
/* The rule goes on where the register compares so (NFT_CMP_*). */
void nft_compare(struct nft_draft *d, uint32_t op, const void *with, uint32_t len);
/* ... where the packet leaves by this interface */
/* The same for the one by which it came. */
void nft_if_incoming(struct nft_draft *d, const char *interface);
void nft_if_outgoing(struct nft_draft *d, const char *interface);
/* NF_ACCEPT, NFT_JUMP, NFT_GOTO; chain NULL for those that need none */
void nft_verdict(struct nft_draft *d, uint32_t code, const char *chain);
/*
 * An extension of xtables within nftables: kind "target" or "match". info: `size` bytes from
 * calloc(), which the expression takes over; NULL: noted in d as missing memory.
 */
void nft_xt(struct nft_draft *d, const char *kind, const char *name, uint32_t rev, void *info,
	    uint32_t size);

#endif
