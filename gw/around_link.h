/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces of this network namespace, as far as they matter to what goes round a queue.
 */
#ifndef WEIR_GW_AROUND_LINK_H
#define WEIR_GW_AROUND_LINK_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a kind ("vlan", "bridge", "veth"); longer ones are cut, none that is looked for is. */
#define AROUND_KIND 16

struct around_link {
	int index;
	char name[IFNAMSIZ];
	bool up;		   /* IFF_UP and IFF_RUNNING */
	bool ppp;		   /* ARPHRD_PPP */
	char kind[AROUND_KIND];	   /* "" for a device of hardware */
	char port_of[AROUND_KIND]; /* the kind of its master; "" none */
	int master;		   /* index; 0 none */
	int below;	    /* the device of this namespace that its packets leave by; 0 none */
	bool spare;	    /* a member of a bond that is not to be used now */
	bool nf_ip, nf_ip6; /* a bridge whose own switches bring its packets to netfilter */
	uint8_t xdp;	    /* XDP_ATTACHED_NONE and so on */
	uint32_t xdp_id;    /* of (one of) its program(s); 0 not said */
};

struct around_links {
	struct around_link *v;
	size_t n;
	bool no_memory;
};

/* What an RTM_NEWLINK message says; false: nothing of use. Lengths in it are not believed. */
bool around_link_parse(const struct nlmsghdr *nlh, struct around_link *l);

/* All of them. 0, or -1 with errno and nothing to free. */
int around_links_get(struct around_links *s);
void around_links_free(struct around_links *s);
const struct around_link *around_link_named(const struct around_links *s, const char *name);
const struct around_link *around_link_of(const struct around_links *s, int index);

/*
 * What a line of /proc/net/pppoe says: the name of the device below a session. False: it is
 * the heading, or nothing.
 */
bool around_pppoe_line(const char *line, char name[IFNAMSIZ]);

#endif
