/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a link's `capture` may say before its filter: which way the packet went, and by which
 * interface, in pcap-filter's words, joined by "and":
 *
 *     outbound and ifname eth0 and src net 192.168.0.0/16
 *
 * libpcap compiles these words for a few link types only, and not against the IP header. Here
 * they are asked of what the capture says (dissect_way); where it does not say, they are false.
 */
#ifndef WEIR_QOS_FILTER_WAY_H
#define WEIR_QOS_FILTER_WAY_H

#include "qos/dissect.h"

struct filter_way {
	bool set;	    /* some of these is asked */
	uint8_t direction;  /* enum dissect_direction; DISSECT_NO_WAY: any */
	uint32_t ifindex;   /* 0: any */
	const char *ifname; /* in the text; NULL: any */
	uint8_t ifname_len;
};

/*
 * Takes these words off the beginning of a text, which must outlive *way. The rest, empty when
 * nothing else is asked; NULL with a message: something is wrong with them.
 */
const char *filter_way_parse(const char *text, struct filter_way *way, const char **why);
bool filter_way_match(const struct filter_way *way, const struct dissect_meta *meta);

#endif
