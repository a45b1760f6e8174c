/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftables transactions (libnftnl's batches): tables, chains and rules of the family inet that
 * come, go and change all at once, or not at all.
 *
 *     nft_begin() ... nft_table() nft_chain() nft_rule() ... nft_commit()
 *
 * A call that finds no memory makes the commit fail with ENOMEM; none needs to be checked.
 */
#ifndef WEIR_GW_NFT_BATCH_H
#define WEIR_GW_NFT_BATCH_H

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_batch {
	uint8_t *mem;
	size_t used, size;
	size_t last; /* where its last message begins */
	uint32_t seq;
	bool failed; /* no memory */
};

/* For about so many messages; more are taken as long as they are small. */
void nft_begin(struct nft_batch *b, size_t messages);
/* type NFT_MSG_NEWTABLE (table_flags: NFT_TABLE_F_*) or NFT_MSG_DELTABLE. */
void nft_table(struct nft_batch *b, const char *table, uint16_t type, uint16_t flags,
	       uint32_t table_flags);
/* A chain to jump to, or a base chain at postrouting, which accepts what no rule decides. */
void nft_chain(struct nft_batch *b, const char *table, const char *name);
void nft_base_chain(struct nft_batch *b, const char *table, const char *name, int32_t priority);
/* One at another hook (NF_INET_*). */
void nft_base_chain_at(struct nft_batch *b, const char *table, const char *name, uint32_t hook,
		       int32_t priority);
/* Behind the others of its chain. Takes the rule over; NULL: there was no memory for it. */
void nft_rule(struct nft_batch *b, struct nftnl_rule *rule);
/* A chain that was jumped to; it must be empty and nothing jump to it any more. */
void nft_delete_chain(struct nft_batch *b, const char *table, const char *name);
/* For other kinds (nft_set.h): a message to be filled in (NULL: no memory), and that it is. */
struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, uint16_t flags);
void nft_message_done(struct nft_batch *b, const struct nlmsghdr *nlh);
/* Empties a chain; all chains of the table where name is NULL. */
void nft_flush(struct nft_batch *b, const char *table, const char *name);
/* All or nothing. 0 or an errno; the memory is given back. */
int nft_commit(struct mnl_socket *nl, struct nft_batch *b);

/*
 * Asks for all of one kind (NFT_MSG_GETRULE, ...) of a family; fn is called for each message.
 * As nldump(), by which it is done.
 */
int nft_dump(uint16_t type, uint16_t family, void (*fn)(void *arg, const struct nlmsghdr *nlh),
	     void *arg);
/* Whether that errno of nft_dump() says that the kernel is without nf_tables: it has no table.
 */
bool nft_missing(int error);

/*
 * Has the kernel load what nft_xt() (nft_expr.h) of the same arguments takes; a rule does not
 * do that by itself. 0, or an errno: it has no such thing, or not of that revision (ENOENT,
 * EPROTONOSUPPORT), or may not be asked.
 */
int nft_xt_load(const char *kind, const char *name, uint32_t rev);

#endif
