/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a frame to its IP packet, and from an IP packet to what identifies its flow.
 *
 * Nothing here trusts a length in the packet: every read is inside what was
 * captured, and a packet whose lengths lie is dissected as far as it is true
 * (DISSECT_LYING is set). No allocation, no state.
 */
#ifndef WEIR_QOS_DISSECT_H
#define WEIR_QOS_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dissect_flags {
	DISSECT_V6 = 1,
	DISSECT_LYING = 2,	 /* a length field contradicts the packet */
	DISSECT_TRUNCATED = 4,	 /* captured less than the headers: ports unknown */
	DISSECT_PORTS = 8,	 /* sport, dport are there (TCP, UDP, UDP-Lite, DCCP, SCTP) */
	DISSECT_FRAG_FIRST = 16, /* first of several fragments */
	DISSECT_FRAG_LATER = 32, /* a later fragment: no ports of its own */
	DISSECT_EXTHDR = 64,	 /* IPv6 extension headers, or IPv4 options */
};

/*
 * Such a packet is plain when it has none of these: its header's fields are where
 * every filter looks for them, and its ports, if its protocol has any, were captured.
 * Only of plain packets may a decision be kept for the flow.
 */
#define DISSECT_NOT_PLAIN \
	(DISSECT_LYING | DISSECT_TRUNCATED | DISSECT_FRAG_FIRST | DISSECT_FRAG_LATER | \
	 DISSECT_EXTHDR)

#define DISSECT_PKTAP_LEAST 52u /* bytes of Apple's PKTAP header up to those not read here */

enum dissect_direction { DISSECT_NO_WAY, DISSECT_IN, DISSECT_OUT }; /* 0: not known */

/*
 * By which interface a packet of a capture went, and which way, seen from the host that
 * captured it. All zero where the capture does not tell.
 */
struct dissect_way {
	const char *ifname; /* ifname_len bytes, not ended; NULL: not known */
	uint32_t ifindex;   /* 0: not known */
	uint8_t ifname_len;
	uint8_t direction; /* enum dissect_direction */
};

/* What identifies a flow, one direction of it. IPv4 addresses fill 4 bytes of 16, rest 0. */
struct flow_key {
	uint8_t src[16], dst[16];
	uint16_t sport, dport; /* host order; 0 where there are none */
	uint8_t proto;	       /* upper protocol, extension headers skipped */
	uint8_t nexthdr;       /* as it stands in the IP header: what a filter reads */
	uint8_t version;       /* 4 or 6 */
	uint8_t spare;	       /* 0 */
};

/*
 * What is known of a packet beside its bytes. Whoever has the packet fills it in: the gateway
 * from the queue's attributes, a reader of captures from link layer and interface, a policy
 * test from what it says. A field counts only with its bit in `known`.
 */
#define DISSECT_IFNAME 16 /* bytes, a NUL included: IFNAMSIZ */
enum dissect_known {
	DISSECT_KNOWS_MARK = 1,
	DISSECT_KNOWS_IN = 2,	    /* in_name */
	DISSECT_KNOWS_IN_INDEX = 4, /* in_index */
	DISSECT_KNOWS_MAC = 8,
};
struct dissect_meta {
	uint8_t known;		      /* enum dissect_known */
	uint8_t mac[6];		      /* the sender's, of the frame by which it came */
	uint32_t mark;		      /* the firewall's */
	uint32_t in_index;	      /* the interface by which it came */
	char in_name[DISSECT_IFNAME]; /* its name, NULs behind it to the end */
	struct dissect_way way;	      /* of captures alone */
};

struct dissected {
	const uint8_t *ip; /* IP header */
	/*
	 * NULL: nothing is known. dissect_ip() leaves NULL; set it afterwards. Must be there as
	 * long as `ip`.
	 */
	const struct dissect_meta *meta;
	uint32_t caplen; /* captured bytes from ip, never beyond the IP packet */
	uint32_t len;	 /* true length of the IP packet in bytes */
	uint16_t flags;	 /* enum dissect_flags */
	uint8_t dscp, ecn;
	uint16_t l4; /* offset of the transport header from ip; 0 when not captured */
	/*
	 * 0: it goes as it is. Else the IP length of the packets that it is cut into before the
	 * line (a large segment): each of them pays for its headers.
	 */
	uint32_t segment;
	uint32_t frag_id; /* identification, with either FRAG flag */
	struct flow_key key;
	/* 0, or what flow_hash() makes of the key, by whoever had time for it */
	uint64_t hash;
};

/*
 * Finds the IP header in a frame of a link type (a DLT_ or LINKTYPE_ value of
 * libpcap): through VLAN and QinQ tags, PPPoE, PPP, MPLS, SNAP. `caplen` bytes are
 * there of `wirelen`. Returns the offset, or -1: not IP (*why says "arp", "not-ip",
 * "short", ...; a static string).
 */
int dissect_link(int dlt, const uint8_t *frame, uint32_t caplen, uint32_t wirelen,
		 const char **why);
/*
 * The sender's MAC address of such a frame: of Ethernet, and of Linux's cooked captures where
 * they have one of who sent it. false: there is none.
 */
bool dissect_mac(int dlt, const uint8_t *frame, uint32_t caplen, uint8_t mac[6]);
/*
 * What the frame itself tells of its way, for the link types that do (cooked, PKTAP, PPP and
 * others with a direction); *way stays as it is where the frame does not tell.
 */
void dissect_way(int dlt, const uint8_t *frame, uint32_t caplen, struct dissect_way *way);
/* Whether dissect_link() knows this link type. */
bool dissect_knows(int dlt);

/*
 * Dissects an IP packet. `caplen` bytes are there of the `wirelen` that the frame
 * had from the IP header on (padding included). 0, or -1: no IP header that could
 * be believed even in its version and addresses; *d is then undefined.
 */
int dissect_ip(const uint8_t *ip, uint32_t caplen, uint32_t wirelen, struct dissected *d);

/* Whether an upper protocol has ports (as DISSECT_PORTS means it). */
bool dissect_has_ports(unsigned proto);
/* Whether a next-header value is an IPv6 extension header that dissect_ip() walks through. */
bool dissect_is_exthdr(unsigned nexthdr);

/*
 * Rewrite in place, IPv4 header checksum mended (RFC 1624). ip: at least the
 * version's fixed header. set_ce only changes ECT(0), ECT(1) to CE.
 */
void dissect_set_dscp(uint8_t *ip, unsigned dscp);
void dissect_set_ce(uint8_t *ip);

#endif
