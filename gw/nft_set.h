/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of addresses, counters and limits in transactions of nftables (nft_batch.h).
 *
 * An element of a set ends by itself, and carries a limit and a counter: it is only found by
 * packets beyond its rate, which it counts.
 */
#ifndef WEIR_GW_NFT_SET_H
#define WEIR_GW_NFT_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "gw/nft_batch.h"
#include "gw/nft_expr.h"

/* A set of keys of so many bytes, at most `size` of them, or its end. id: unlike others of b.
 */
void nft_set(struct nft_batch *b, const char *table, const char *name, uint32_t id,
	     uint32_t key_len, uint32_t size);
void nft_set_delete(struct nft_batch *b, const char *table, const char *name);
/* One that is there must be taken out before it is put anew. timeout: ms. */
void nft_set_put(struct nft_batch *b, const char *table, const char *name, const void *key,
		 uint32_t key_len, uint64_t timeout, uint64_t rate);
void nft_set_take(struct nft_batch *b, const char *table, const char *name, const void *key,
		  uint32_t key_len);
/* A counter that rules share, or its end. */
void nft_counter(struct nft_batch *b, const char *table, const char *name);
void nft_counter_delete(struct nft_batch *b, const char *table, const char *name);

/* The rule goes on with what the register names in the set. */
void nft_if_in_set(struct nft_draft *d, const char *set);
/* ... with packets beyond that rate, a second. */
void nft_if_beyond(struct nft_draft *d, uint64_t rate);
/* Counts the packet. */
void nft_count(struct nft_draft *d, const char *counter);

/* What a counter has; fn is called for each of the table. 0, or -1 with errno. */
int nft_counters(const char *table,
		 void (*fn)(void *arg, const char *name, uint64_t packets, uint64_t bytes),
		 void *arg);
/* What each element of a set has counted. */
int nft_set_counts(const char *table, const char *name,
		   void (*fn)(void *arg, const void *key, uint32_t key_len, uint64_t packets),
		   void *arg);

#endif
