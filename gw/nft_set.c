/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/nft_set.h"

#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>

#include "gw/nldump.h"

#define REG NFT_REG_1
#define SECONDS 1u

/* ---- Sets. */

static struct nftnl_set *named(const char *table, const char *name)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s)
		return NULL;
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_str(s, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(s, NFTNL_SET_NAME, name);
	return s;
}

static void put_set(struct nft_batch *b, struct nftnl_set *s, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = s ? nft_message(b, type, flags) : NULL;

	if (s && nlh) {
		nftnl_set_nlmsg_build_payload(nlh, s);
		nft_message_done(b, nlh);
	}
	b->failed |= !s;
	if (s)
		nftnl_set_free(s);
}

void nft_set(struct nft_batch *b, const char *table, const char *name, uint32_t id,
	     uint32_t key_len, uint32_t size)
{
	struct nftnl_set *s = named(table, name);

	if (s) {
		nftnl_set_set_u32(s, NFTNL_SET_ID, id);
		nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_TIMEOUT);
		/* what nft calls an IPv4 or IPv6 address: for those who list it */
		nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, key_len == 4 ? 7 : 8);
		nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, key_len);
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, size);
	}
	put_set(b, s, NFT_MSG_NEWSET, NLM_F_CREATE);
}

void nft_set_delete(struct nft_batch *b, const char *table, const char *name)
{
	put_set(b, named(table, name), NFT_MSG_DELSET, 0);
}

static void put_element(struct nft_batch *b, struct nftnl_set *s, struct nftnl_set_elem *e,
			uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = s && e ? nft_message(b, type, flags) : NULL;

	b->failed |= !s || !e;
	if (s && e)
		nftnl_set_elem_add(s, e); /* which owns it from here on */
	else if (e)
		nftnl_set_elem_free(e);
	if (nlh) {
		nftnl_set_elems_nlmsg_build_payload(nlh, s);
		nft_message_done(b, nlh);
	}
	if (s)
		nftnl_set_free(s);
}

static void set_limit(struct nftnl_expr *e, uint64_t rate)
{
	uint64_t burst = rate / 10;

	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, rate);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, SECONDS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, burst ? (uint32_t)burst : 1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

static struct nftnl_set_elem *element(const void *key, uint32_t key_len)
{
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();

	if (e)
		nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, key_len);
	return e;
}

void nft_set_put(struct nft_batch *b, const char *table, const char *name, const void *key,
		 uint32_t key_len, uint64_t timeout, uint64_t rate)
{
	struct nftnl_expr *limit = nftnl_expr_alloc("limit"),
			  *counter = nftnl_expr_alloc("counter");
	struct nftnl_set_elem *e = element(key, key_len);

	if (!limit || !counter || !e) {
		b->failed = true;
		if (limit)
			nftnl_expr_free(limit);
		if (counter)
			nftnl_expr_free(counter);
		if (e)
			nftnl_set_elem_free(e);
		return;
	}
	set_limit(limit, rate);
	nftnl_set_elem_set_u64(e, NFTNL_SET_ELEM_TIMEOUT, timeout);
	/* in this order: what the limit stops is not counted */
	nftnl_set_elem_add_expr(e, limit);
	nftnl_set_elem_add_expr(e, counter);
	put_element(b, named(table, name), e, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
}

void nft_set_take(struct nft_batch *b, const char *table, const char *name, const void *key,
		  uint32_t key_len)
{
	put_element(b, named(table, name), element(key, key_len), NFT_MSG_DELSETELEM, 0);
}

/* ---- Counters. */

static void put_counter(struct nft_batch *b, const char *table, const char *name, uint16_t type,
			uint16_t flags)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	struct nlmsghdr *nlh = o ? nft_message(b, type, flags) : NULL;

	if (o && nlh) {
		nftnl_obj_set_u32(o, NFTNL_OBJ_FAMILY, NFPROTO_INET);
		nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
		nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, table);
		nftnl_obj_set_str(o, NFTNL_OBJ_NAME, name);
		nftnl_obj_nlmsg_build_payload(nlh, o);
		nft_message_done(b, nlh);
	}
	b->failed |= !o;
	if (o)
		nftnl_obj_free(o);
}

void nft_counter(struct nft_batch *b, const char *table, const char *name)
{
	put_counter(b, table, name, NFT_MSG_NEWOBJ, NLM_F_CREATE);
}

void nft_counter_delete(struct nft_batch *b, const char *table, const char *name)
{
	put_counter(b, table, name, NFT_MSG_DELOBJ, 0);
}

/* ---- In rules. */

void nft_if_in_set(struct nft_draft *d, const char *set)
{
	struct nftnl_expr *e = nft_add(d, "lookup");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, REG);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
}

void nft_if_beyond(struct nft_draft *d, uint64_t rate)
{
	struct nftnl_expr *e = nft_add(d, "limit");

	if (e)
		set_limit(e, rate);
}

void nft_count(struct nft_draft *d, const char *counter)
{
	struct nftnl_expr *e = nft_add(d, "objref");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

/* ---- Looking. */

struct counters {
	const char *table;
	void (*fn)(void *arg, const char *name, uint64_t packets, uint64_t bytes);
	void *arg;
};

static void take_counter(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	struct counters *c = arg;

	if (o && !nftnl_obj_nlmsg_parse(nlh, o) &&
	    nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER) {
		const char *table = nftnl_obj_get_str(o, NFTNL_OBJ_TABLE),
			   *name = nftnl_obj_get_str(o, NFTNL_OBJ_NAME);

		if (table && name && !strcmp(table, c->table))
			c->fn(c->arg, name, nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS),
			      nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_BYTES));
	}
	if (o)
		nftnl_obj_free(o);
}

int nft_counters(const char *table,
		 void (*fn)(void *arg, const char *name, uint64_t packets, uint64_t bytes),
		 void *arg)
{
	struct counters c = {table, fn, arg};

	return nft_dump(NFT_MSG_GETOBJ, NFPROTO_INET, take_counter, &c);
}

struct counts {
	void (*fn)(void *arg, const void *key, uint32_t key_len, uint64_t packets);
	void *arg;
};

static int take_expression(struct nftnl_expr *e, void *arg)
{
	if (!strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "counter"))
		*(uint64_t *)arg = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

static int take_element(struct nftnl_set_elem *e, void *arg)
{
	struct counts *c = arg;
	uint32_t key_len = 0;
	const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &key_len);
	uint64_t packets = 0;

	nftnl_set_elem_expr_foreach(e, take_expression, &packets);
	if (key)
		c->fn(c->arg, key, key_len, packets);
	return 0;
}

static void take_elements(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (s && !nftnl_set_elems_nlmsg_parse(nlh, s))
		nftnl_set_elem_foreach(s, take_element, arg);
	if (s)
		nftnl_set_free(s);
}

int nft_set_counts(const char *table, const char *name,
		   void (*fn)(void *arg, const void *key, uint32_t key_len, uint64_t packets),
		   void *arg)
{
	uint8_t buf[512] __attribute__((aligned(8)));
	struct counts c = {fn, arg};
	struct nftnl_set *s = named(table, name);
	struct nlmsghdr *nlh;
	int status;

	if (!s)
		return -1;
	nlh = nftnl_nlmsg_build_hdr((char *)buf, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
				    1);
	nftnl_set_elems_nlmsg_build_payload(nlh, s);
	status = nldump(NETLINK_NETFILTER, nlh, take_elements, &c);
	nftnl_set_free(s);
	return status;
}
