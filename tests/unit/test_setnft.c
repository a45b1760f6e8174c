/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of a set of nftables, made by hand: intervals, timeouts, and nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/setnft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static uint8_t buf[8192] __attribute__((aligned(8)));
static struct nlmsghdr *nlh;
static struct nlattr *list;

static void begin(void)
{
	memset(buf, 0, sizeof(buf));
	nlh = mnl_nlmsg_put_header(buf);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void key(unsigned type, const void *addr, size_t size)
{
	struct nlattr *k = mnl_attr_nest_start(nlh, (uint16_t)type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, size, addr);
	mnl_attr_nest_end(nlh, k);
}

static void elem(uint32_t addr, bool end, uint64_t ms)
{
	struct nlattr *e = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	uint32_t net = htonl(addr);

	key(NFTA_SET_ELEM_KEY, &net, 4);
	if (end)
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	if (ms)
		mnl_attr_put_u64(nlh, NFTA_SET_ELEM_EXPIRATION, htobe64(ms));
	mnl_attr_nest_end(nlh, e);
}

static struct addrset *end(struct setnft_elems *e)
{
	mnl_attr_nest_end(nlh, list);
	setnft_take(e, nlh);
	assert_int_equal(e->error, 0);
	return setnft_join(e);
}

static bool has(const struct addrset *s, uint32_t addr)
{
	uint8_t a[4] = {(uint8_t)(addr >> 24), (uint8_t)(addr >> 16), (uint8_t)(addr >> 8),
			(uint8_t)addr};

	return addrset_has(s, a, 4);
}

static void single(void **state)
{
	struct setnft_elems e = {.version = 4, .expires = SETNFT_NEVER};
	struct addrset *s;

	(void)state;
	begin();
	elem(0x0a000005, false, 7000);
	elem(0x0a000001, false, 0);
	elem(0x0a000003, false, 3000);
	s = end(&e);
	assert_int_equal(addrset_ranges(s), 3);
	assert_true(has(s, 0x0a000001) && has(s, 0x0a000003) && has(s, 0x0a000005));
	assert_false(has(s, 0x0a000002) || has(s, 0x0a000004));
	assert_int_equal(e.expires, 3000000000u);
	addrset_free(s);
	free(e.v);
}

/* As the kernel has them: the first address, and the first behind, in any order. */
static void intervals(void **state)
{
	struct setnft_elems e = {.version = 4, .intervals = true, .expires = SETNFT_NEVER};
	struct addrset *s;

	(void)state;
	begin();
	elem(0xf0000000, false, 0); /* to the last of all */
	elem(0x0a000010, true, 0);
	elem(0x0a000008, false, 0);
	elem(0x0a000008, true, 0); /* the one before ends where this one begins */
	elem(0x0a000005, false, 0);
	elem(0x0a000003, true, 0); /* of one whose time was over */
	elem(0, true, 0);	   /* as nft puts it before the first */
	s = end(&e);
	assert_int_equal(addrset_ranges(s), 2);
	assert_false(has(s, 0) || has(s, 0x0a000002) || has(s, 0x0a000004));
	assert_true(has(s, 0x0a000005) && has(s, 0x0a00000f));
	assert_false(has(s, 0x0a000010) || has(s, 0xefffffff));
	assert_true(has(s, 0xf0000000) && has(s, 0xffffffff));
	addrset_free(s);
	free(e.v);
}

static void six(void **state)
{
	struct setnft_elems e = {.version = 6, .intervals = true, .expires = SETNFT_NEVER};
	uint8_t from[16] = {0x20, 1, 0xd, 0xb8}, to[16] = {0x20, 1, 0xd, 0xb9}, in[16];
	struct nlattr *a;
	struct addrset *s;

	(void)state;
	begin();
	a = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	key(NFTA_SET_ELEM_KEY, to, 16);
	mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(nlh, a);
	a = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	key(NFTA_SET_ELEM_KEY, from, 16);
	mnl_attr_nest_end(nlh, a);
	s = end(&e);
	memset(in, 0xff, sizeof(in));
	memcpy(in, from, 4);
	assert_true(addrset_has(s, from, 6) && addrset_has(s, in, 6));
	assert_false(addrset_has(s, to, 6));
	addrset_free(s);
	free(e.v);
	/* both ends in one */
	e = (struct setnft_elems){.version = 6, .expires = SETNFT_NEVER};
	begin();
	a = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	key(NFTA_SET_ELEM_KEY, from, 16);
	key(NFTA_SET_ELEM_KEY_END, in, 16);
	mnl_attr_nest_end(nlh, a);
	s = end(&e);
	assert_true(addrset_has(s, from, 6) && addrset_has(s, in, 6));
	assert_false(addrset_has(s, to, 6));
	addrset_free(s);
	free(e.v);
}

/* What is of another length, cut off, or not there says nothing. */
static void nonsense(void **state)
{
	struct setnft_elems e = {.version = 4, .expires = SETNFT_NEVER};
	struct nlattr *a;
	struct addrset *s;
	uint64_t seed = 1;
	uint32_t len;

	(void)state;
	begin();
	a = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	key(NFTA_SET_ELEM_KEY, "abcdefgh", 8);
	mnl_attr_nest_end(nlh, a);
	a = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, 0);
	mnl_attr_nest_end(nlh, a);
	s = end(&e);
	assert_int_equal(addrset_ranges(s), 0);
	addrset_free(s);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t *copy;

		begin();
		elem(0x0a000001, false, 9);
		elem(0x0a000002, true, 9);
		mnl_attr_nest_end(nlh, list);
		len = nlh->nlmsg_len;
		/* memory of its own, so that reading behind it is seen */
		copy = malloc(len);
		memcpy(copy, buf, len);
		for (unsigned k = 0; k < 3; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			copy[16 + (seed >> 33) % (len - 16)] = (uint8_t)(seed >> 50);
		}
		e.n = 0;
		setnft_take(&e, (const void *)copy);
		free(copy);
	}
	free(e.v);
}

static void names(void **state)
{
	struct setnft_name n;

	(void)state;
	assert_true(setnft_name("inet filter kids", &n));
	assert_int_equal(n.family, NFPROTO_INET);
	assert_string_equal(n.table, "filter");
	assert_string_equal(n.set, "kids");
	assert_true(setnft_name("ip6 a b", &n));
	assert_int_equal(n.family, NFPROTO_IPV6);
	assert_false(setnft_name("arp a b", &n));
	assert_false(setnft_name("ip a", &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single),   cmocka_unit_test(intervals), cmocka_unit_test(six),
		cmocka_unit_test(nonsense), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("setnft", tests, NULL, NULL);
}
