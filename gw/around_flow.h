/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flowtables of nftables: their flows are forwarded below the hooks that a queue needs. */
#ifndef WEIR_GW_AROUND_FLOW_H
#define WEIR_GW_AROUND_FLOW_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define AROUND_FLOW_NAME 64 /* longer names are cut */

struct around_flow {
	char name[AROUND_FLOW_NAME], table[AROUND_FLOW_NAME];
	const char *family;    /* of the table: "inet", "ip", "ip6" */
	char device[IFNAMSIZ]; /* one by which packets may come to leave by the interface */
	unsigned more;	       /* how many more of those there are */
	bool hardware;	       /* flag offload */
};

/*
 * Whether a NFT_MSG_NEWFLOWTABLE message tells of one that can take packets past `interface`:
 * some rule adds flows to it, and it has a device other than that one. Packets are looked for
 * in a flowtable where they come in, and leave by any interface from there, one of the
 * flowtable's or not. Lengths in the message are not believed.
 */
bool around_flow_parse(const struct nlmsghdr *nlh, const char *interface,
		       struct around_flow *f);

/* Calls fn for each of those. 0, or -1 with errno. */
int around_flows(const char *interface, void (*fn)(void *arg, const struct around_flow *f),
		 void *arg);

#endif
