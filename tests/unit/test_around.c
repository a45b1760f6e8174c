/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is understood of the kernel's answers about interfaces and flowtables, hostile ones
 * included. Those about qdiscs and filters: test_around_tc.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h> /* before the headers of the kernel */
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include "gw/around_flow.h"
#include "gw/around_link.h"
#include "tests/unit/netlink_build.h"

/* ---- Interfaces. */

static struct nlmsghdr *link_message(int index, const char *name, unsigned flags)
{
	struct ifinfomsg m = {.ifi_index = index, .ifi_flags = flags, .ifi_type = ARPHRD_ETHER};
	struct nlmsghdr *nlh = message(RTM_NEWLINK, &m, sizeof(m));

	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return nlh;
}

static void put_kind(struct nlmsghdr *nlh, const char *kind, const char *port_of)
{
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);

	if (kind)
		mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
	if (port_of)
		mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, port_of);
	mnl_attr_nest_end(nlh, info);
}

static void test_link(void **state)
{
	struct nlmsghdr *nlh = link_message(7, "eth0", IFF_UP | IFF_RUNNING);
	struct nlattr *xdp;
	struct around_link l;

	(void)state;
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.index, 7);
	assert_string_equal(l.name, "eth0");
	assert_true(l.up);
	assert_false(l.ppp || l.spare || l.nf_ip || l.nf_ip6);
	assert_string_equal(l.kind, "");
	assert_string_equal(l.port_of, "");
	assert_int_equal(l.master, 0);
	assert_int_equal(l.below, 0);
	assert_int_equal(l.xdp, XDP_ATTACHED_NONE);

	/* without a carrier it is not up */
	assert_true(around_link_parse(link_message(7, "eth0", IFF_UP), &l));
	assert_false(l.up);

	/* every interface says that it has no XDP program; one with a program says its id */
	nlh = link_message(7, "eth0", IFF_UP);
	xdp = mnl_attr_nest_start(nlh, IFLA_XDP);
	mnl_attr_put_u8(nlh, IFLA_XDP_ATTACHED, XDP_ATTACHED_NONE);
	mnl_attr_nest_end(nlh, xdp);
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.xdp, XDP_ATTACHED_NONE);
	nlh = link_message(7, "eth0", IFF_UP);
	xdp = mnl_attr_nest_start(nlh, IFLA_XDP);
	mnl_attr_put_u32(nlh, IFLA_XDP_SKB_PROG_ID, 4711);
	mnl_attr_put_u8(nlh, IFLA_XDP_ATTACHED, XDP_ATTACHED_SKB);
	mnl_attr_nest_end(nlh, xdp);
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.xdp, XDP_ATTACHED_SKB);
	assert_int_equal(l.xdp_id, 4711);
}

static void test_link_below(void **state)
{
	struct nlmsghdr *nlh = link_message(8, "eth0.5", IFF_UP);
	struct around_link l;

	(void)state;
	mnl_attr_put_u32(nlh, IFLA_LINK, 7);
	put_kind(nlh, "vlan", NULL);
	assert_true(around_link_parse(nlh, &l));
	assert_string_equal(l.kind, "vlan");
	assert_int_equal(l.below, 7);

	/* an index of another namespace is none of ours */
	nlh = link_message(8, "eth0.5", IFF_UP);
	mnl_attr_put_u32(nlh, IFLA_LINK, 7);
	mnl_attr_put_u32(nlh, IFLA_LINK_NETNSID, 0);
	put_kind(nlh, "vlan", NULL);
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.below, 0);

	/* the other end of a pair is no way out */
	nlh = link_message(8, "veth0", IFF_UP);
	mnl_attr_put_u32(nlh, IFLA_LINK, 7);
	put_kind(nlh, "veth", NULL);
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.below, 0);

	/* nor is an interface below itself, nor one of no index */
	nlh = link_message(8, "gre0", IFF_UP);
	mnl_attr_put_u32(nlh, IFLA_LINK, 8);
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.below, 0);
	nlh = link_message(8, "gre0", IFF_UP);
	mnl_attr_put_u32(nlh, IFLA_LINK, 0xffffffff);
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.below, 0);
}

static void test_link_masters(void **state)
{
	struct nlmsghdr *nlh = link_message(9, "p1", IFF_UP);
	struct nlattr *info, *data;
	struct around_link l;

	(void)state;
	mnl_attr_put_u32(nlh, IFLA_MASTER, 3);
	put_kind(nlh, NULL, "bridge");
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(l.master, 3);
	assert_string_equal(l.port_of, "bridge");

	/* a bridge's own switches */
	nlh = link_message(3, "br0", IFF_UP);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	/* the numbers mean that only of a bridge, which may be said behind them */
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u8(nlh, IFLA_BR_NF_CALL_IPTABLES, 0);
	mnl_attr_put_u8(nlh, IFLA_BR_NF_CALL_IP6TABLES, 1);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(nlh, info);
	assert_true(around_link_parse(nlh, &l));
	assert_false(l.nf_ip);
	assert_true(l.nf_ip6);

	/* members of a bond, in use and spare; of something else the number means nothing */
	for (unsigned i = 0; i < 4; i++) {
		nlh = link_message(5, "eth1", IFF_UP);
		mnl_attr_put_u32(nlh, IFLA_MASTER, 4);
		info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
		mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, i & 2 ? "bridge" : "bond");
		data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
		mnl_attr_put_u8(nlh, IFLA_BOND_SLAVE_STATE, i & 1);
		mnl_attr_nest_end(nlh, data);
		mnl_attr_nest_end(nlh, info);
		assert_true(around_link_parse(nlh, &l));
		assert_int_equal(l.spare, i == 1);
	}
}

static void test_link_useless(void **state)
{
	struct ifinfomsg m = {.ifi_index = 7, .ifi_family = AF_BRIDGE};
	struct nlmsghdr *nlh;
	struct around_link l;

	(void)state;
	assert_false(around_link_parse(link_message(7, NULL, IFF_UP), &l)); /* no name */
	assert_false(around_link_parse(link_message(7, "", IFF_UP), &l));
	assert_false(around_link_parse(link_message(0, "eth0", IFF_UP), &l));
	assert_false(around_link_parse(link_message(-7, "eth0", IFF_UP), &l));
	nlh = link_message(7, "eth0", IFF_UP);
	nlh->nlmsg_type = RTM_DELLINK;
	assert_false(around_link_parse(nlh, &l));
	nlh->nlmsg_type = NLMSG_ERROR;
	assert_false(around_link_parse(nlh, &l));
	nlh = message(RTM_NEWLINK, &m, sizeof(m));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
	assert_false(around_link_parse(nlh, &l)); /* what a bridge tells of its port */
	nlh = message(RTM_NEWLINK, &m, sizeof(m) - 1);
	nlh->nlmsg_len = sizeof(*nlh) + sizeof(m) - 1;
	assert_false(around_link_parse(nlh, &l));

	/* names and kinds that do not end, or are too long; numbers of the wrong size */
	nlh = link_message(7, NULL, IFF_UP);
	mnl_attr_put(nlh, IFLA_IFNAME, 4, "eth0");
	mnl_attr_put(nlh, IFLA_MASTER, 2, "\1\1");
	mnl_attr_put(nlh, IFLA_LINK, 8, "\1\1\1\1\1\1\1\1");
	put_kind(nlh, "a-kind-that-is-longer-than-any", NULL);
	assert_true(around_link_parse(nlh, &l));
	assert_string_equal(l.name, "eth0");
	assert_string_equal(l.kind, "a-kind-that-is-");
	assert_int_equal(l.master, 0);
	assert_int_equal(l.below, 0);
	nlh = link_message(7, "a-name-that-is-longer-than-any", IFF_UP);
	assert_true(around_link_parse(nlh, &l));
	assert_int_equal(strlen(l.name), IFNAMSIZ - 1);
}

static void any_link(void *arg, const struct nlmsghdr *nlh)
{
	unsigned *n = arg;
	struct around_link l;

	if (!around_link_parse(nlh, &l))
		return;
	++*n;
	assert_true(l.index > 0);
	assert_true(strlen(l.name) > 0 && strlen(l.name) < sizeof(l.name));
	assert_true(strlen(l.kind) < sizeof(l.kind));
	assert_true(strlen(l.port_of) < sizeof(l.port_of));
	assert_true(l.below >= 0);
}

static void test_link_lies(void **state)
{
	struct nlmsghdr *nlh = link_message(7, "eth0", IFF_UP);
	struct nlattr *nest;
	unsigned n = 0;

	(void)state;
	mnl_attr_put_u32(nlh, IFLA_LINK, 6);
	put_kind(nlh, "bridge", "bond");
	nest = mnl_attr_nest_start(nlh, IFLA_XDP);
	mnl_attr_put_u8(nlh, IFLA_XDP_ATTACHED, XDP_ATTACHED_DRV);
	mnl_attr_put_u32(nlh, IFLA_XDP_PROG_ID, 1);
	mnl_attr_nest_end(nlh, nest);
	lie(nlh, sizeof(*nlh), any_link, &n);
	assert_true(n > 100); /* most lies hurt only themselves */
	noise(RTM_NEWLINK, sizeof(struct ifinfomsg), 100000, any_link, &n);
}

/* Of this namespace, whatever it is: it has a loopback interface of index 1. */
static void test_links(void **state)
{
	struct around_links s;
	const struct around_link *lo;

	(void)state;
	assert_int_equal(around_links_get(&s), 0);
	lo = around_link_named(&s, "lo");
	assert_non_null(lo);
	assert_int_equal(lo->index, 1);
	assert_ptr_equal(around_link_of(&s, 1), lo);
	assert_null(around_link_named(&s, "no such one"));
	assert_null(around_link_of(&s, 0));
	around_links_free(&s);
	assert_int_equal(s.n, 0);
}

static void test_pppoe(void **state)
{
	char name[IFNAMSIZ];

	(void)state;
	assert_false(around_pppoe_line("Id       Address              Device\n", name));
	assert_true(around_pppoe_line("00000001 00:11:22:AA:bb:cc     eth0\n", name));
	assert_string_equal(name, "eth0");
	assert_true(around_pppoe_line("0000BEEF 00:11:22:aa:bb:cc eth0.35-and-more", name));
	assert_string_equal(name, "eth0.35-and-mor");
	assert_false(around_pppoe_line("", name));
	assert_false(around_pppoe_line("\n", name));
	assert_false(around_pppoe_line("00000001 00:11:22:aa:bb:cc\n", name));
	assert_false(around_pppoe_line("00000001 eth0 00:11:22:aa:bb:cc\n", name));
}

/* ---- Flowtables. */

static struct nlmsghdr *flow_message(uint8_t family, const char *name)
{
	struct nfgenmsg m = {.nfgen_family = family};
	struct nlmsghdr *nlh =
		message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWFLOWTABLE, &m, sizeof(m));

	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE, "filter");
	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_NAME, name);
	return nlh;
}

/* Devices of the type that is given: by name, or by prefix. */
static void put_devices(struct nlmsghdr *nlh, uint16_t type, const char *const *name)
{
	struct nlattr *hook = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK), *devs;

	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_NUM, 0);
	devs = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK_DEVS);
	for (; *name; name++)
		mnl_attr_put_strz(nlh, type, *name);
	mnl_attr_nest_end(nlh, devs);
	mnl_attr_nest_end(nlh, hook);
}

static void put_use(struct nlmsghdr *nlh, uint32_t use, uint32_t flags)
{
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_USE, htonl(use));
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_FLAGS, htonl(flags));
}

static void test_flow(void **state)
{
	static const char *const both[] = {"wan", "lan", "dmz", NULL},
				 *const lan[] = {"lan", NULL}, *const wan[] = {"wan", NULL},
				 *const none[] = {NULL};
	struct nlmsghdr *nlh = flow_message(NFPROTO_INET, "ft");
	struct around_flow f;

	(void)state;
	put_devices(nlh, NFTA_DEVICE_NAME, both);
	put_use(nlh, 2, NFT_FLOWTABLE_HW_OFFLOAD);
	assert_true(around_flow_parse(nlh, "wan", &f));
	assert_string_equal(f.table, "filter");
	assert_string_equal(f.name, "ft");
	assert_string_equal(f.family, "inet");
	assert_string_equal(f.device, "lan");
	assert_int_equal(f.more, 1);
	assert_true(f.hardware);

	/* that the way out is not among its devices is no help */
	nlh = flow_message(NFPROTO_IPV4, "ft");
	put_devices(nlh, NFTA_DEVICE_NAME, lan);
	put_use(nlh, 1, 0);
	assert_true(around_flow_parse(nlh, "wan", &f));
	assert_string_equal(f.family, "ip");
	assert_int_equal(f.more, 0);
	assert_false(f.hardware);
	/* but what comes in by wan alone leaves by others */
	nlh = flow_message(NFPROTO_IPV6, "ft");
	put_devices(nlh, NFTA_DEVICE_NAME, wan);
	put_use(nlh, 1, 0);
	assert_false(around_flow_parse(nlh, "wan", &f));
	assert_true(around_flow_parse(nlh, "lan", &f));
	assert_string_equal(f.family, "ip6");
	/* a prefix may stand for any */
	nlh = flow_message(NFPROTO_INET, "ft");
	put_devices(nlh, NFTA_DEVICE_NAME + 1, wan);
	put_use(nlh, 1, 0);
	assert_true(around_flow_parse(nlh, "wan", &f));

	/* no rule adds flows to it; no device; a kernel that does not say how it is used */
	nlh = flow_message(NFPROTO_INET, "ft");
	put_devices(nlh, NFTA_DEVICE_NAME, both);
	put_use(nlh, 0, 0);
	assert_false(around_flow_parse(nlh, "wan", &f));
	nlh = flow_message(NFPROTO_INET, "ft");
	put_devices(nlh, NFTA_DEVICE_NAME, none);
	put_use(nlh, 1, 0);
	assert_false(around_flow_parse(nlh, "wan", &f));
	nlh = flow_message(NFPROTO_INET, "ft");
	put_use(nlh, 1, 0);
	assert_false(around_flow_parse(nlh, "wan", &f));
	nlh = flow_message(NFPROTO_INET, "ft");
	put_devices(nlh, NFTA_DEVICE_NAME, both);
	assert_true(around_flow_parse(nlh, "wan", &f));
	/* another message */
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE;
	assert_false(around_flow_parse(nlh, "wan", &f));
}

static void any_flow(void *arg, const struct nlmsghdr *nlh)
{
	unsigned *n = arg;
	struct around_flow f;

	if (!around_flow_parse(nlh, "wan", &f))
		return;
	++*n;
	assert_true(strlen(f.device) > 0 && strlen(f.device) < sizeof(f.device));
	assert_true(strlen(f.name) < sizeof(f.name));
	assert_true(strlen(f.table) < sizeof(f.table));
	assert_non_null(f.family);
}

static void test_flow_lies(void **state)
{
	static const char *const both[] = {"wan", "lan", NULL};
	struct nlmsghdr *nlh;
	unsigned n = 0;
	char name[2000];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	nlh = flow_message(NFPROTO_INET, name);
	put_devices(nlh, NFTA_DEVICE_NAME, both);
	any_flow(&n, nlh);
	assert_int_equal(n, 1);
	nlh = flow_message(NFPROTO_INET, "ft");
	put_devices(nlh, NFTA_DEVICE_NAME, both);
	put_use(nlh, 1, 0);
	lie(nlh, sizeof(*nlh), any_flow, &n);
	assert_true(n > 100);
	noise(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWFLOWTABLE, sizeof(struct nfgenmsg), 100000,
	      any_flow, &n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),	     cmocka_unit_test(test_link_below),
		cmocka_unit_test(test_link_masters), cmocka_unit_test(test_link_useless),
		cmocka_unit_test(test_link_lies),    cmocka_unit_test(test_links),
		cmocka_unit_test(test_pppoe),	     cmocka_unit_test(test_flow),
		cmocka_unit_test(test_flow_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
