/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/link_control.h"

#include <netinet/in.h>
#include <string.h>

/* libpcap binds "and" no closer than "or": brackets everywhere. */
const struct control_kind control_kinds[] = {
	{"nd",
	 "ip6[6] = 58 and ip6[7] = 255 and ip6[40] >= 133 and ip6[40] <= 137",
	 IPPROTO_ICMPV6,
	 {0}},
	/* behind a hop-by-hop header of 8 bytes with the router alert */
	{"mld",
	 "ip6[6] = 0 and ip6[7] = 1 and ip6[40] = 58 and ip6[41] = 0 and ((ip6[48] >= 130 "
	 "and ip6[48] <= 132) or ip6[48] = 143)",
	 IPPROTO_ICMPV6,
	 {0}},
	{"igmp", "ip proto 2 and ip[8] = 1", IPPROTO_IGMP, {0}},
	{"dhcp",
	 "ip and udp and (src port 67 or src port 68) and (dst port 67 or dst port 68)",
	 IPPROTO_UDP,
	 {67, 68}},
	{"dhcpv6", "ip6 and udp and (dst port 546 or dst port 547)", IPPROTO_UDP, {546, 547}},
	{"rip",
	 "udp and ((src port 520 and dst port 520) or (src port 521 and dst port 521))",
	 IPPROTO_UDP,
	 {520, 521}},
	{"ospf", "(ip proto 89 and ip[8] = 1) or (ip6[6] = 89 and ip6[7] = 1)", 89, {0}},
	{"eigrp", "ip proto 88 or ip6[6] = 88", 88, {0}},
	{"pim",
	 "(ip proto 103 and ip[8] = 1) or (ip6[6] = 103 and ip6[7] = 1)",
	 IPPROTO_PIM,
	 {0}},
	{"vrrp", "(ip proto 112 and ip[8] = 255) or (ip6[6] = 112 and ip6[7] = 255)", 112, {0}},
	{"hsrp",
	 "(udp dst port 1985 and (ip[8] = 1 or ip[8] = 255)) or (udp dst port 2029 and "
	 "ip6[7] = 255)",
	 IPPROTO_UDP,
	 {1985, 2029}},
	{"bfd",
	 "udp dst port 4784 or ((udp dst port 3784 or udp dst port 3785 or udp dst port 6784) "
	 "and ((ip and ip[8] = 255) or (ip6 and ip6[7] = 255)))",
	 IPPROTO_UDP,
	 {3784, 3785, 4784, 6784}},
	{0},
};

const struct control_kind *control_find(const char *name)
{
	for (const struct control_kind *k = control_kinds; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}
