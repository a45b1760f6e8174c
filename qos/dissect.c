/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an IP packet to its flow. The rules, all for hostile input:
 *  - nothing is read beyond what was captured, nor beyond the packet's own length;
 *  - where a length contradicts another, the smaller extent is dissected and
 *    DISSECT_LYING tells that the packet is not to be trusted (nor cached on).
 */
#include "qos/dissect.h"

#include <string.h>

enum {
	IP4_MIN = 20,
	IP6_MIN = 40,
	/* Extension headers followed. RFC 8200 recommends each at most once, and it
	 * knows fewer than this; more of them is an attempt to make us work. */
	EXT_MAX = 16,
};

/* Next-header values (IANA protocol numbers). */
enum {
	P_HOPOPTS = 0,
	P_TCP = 6,
	P_UDP = 17,
	P_DCCP = 33,
	P_ROUTING = 43,
	P_FRAGMENT = 44,
	P_AH = 51,
	P_NONE = 59,
	P_DSTOPTS = 60,
	P_SCTP = 132,
	P_MOBILITY = 135,
	P_UDPLITE = 136,
	P_HIP = 139,
	P_SHIM6 = 140,
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

bool dissect_has_ports(unsigned proto)
{
	return proto == P_TCP || proto == P_UDP || proto == P_SCTP || proto == P_UDPLITE ||
	       proto == P_DCCP;
}

bool dissect_is_exthdr(unsigned nexthdr)
{
	switch (nexthdr) {
	case P_HOPOPTS:
	case P_ROUTING:
	case P_FRAGMENT:
	case P_AH:
	case P_DSTOPTS:
	case P_MOBILITY:
	case P_HIP:
	case P_SHIM6:
		return true;
	default:
		return false;
	}
}

/* Ports at `off`, where the upper header of a packet that is no later fragment begins. */
static void ports(struct dissected *d, uint32_t off)
{
	unsigned proto = d->key.proto;

	if (off < d->caplen)
		d->l4 = (uint16_t)off;
	if (!dissect_has_ports(proto))
		return;
	if (off + 4 > d->caplen) {
		d->flags |= off + 4 > d->len ? DISSECT_LYING : DISSECT_TRUNCATED;
		return;
	}
	d->key.sport = get16(d->ip + off);
	d->key.dport = get16(d->ip + off + 2);
	d->flags |= DISSECT_PORTS;
	/* A UDP header that claims other bytes than IP has for it. 0 is a jumbogram's
	 * or an offloaded one's; a first fragment rightly claims more than it holds. */
	if (proto == P_UDP && off + 6 <= d->caplen && !(d->flags & DISSECT_FRAG_FIRST)) {
		uint16_t ulen = get16(d->ip + off + 4);

		if (ulen && (ulen < 8 || off + ulen > d->len))
			d->flags |= DISSECT_LYING;
	}
}

static int dissect4(const uint8_t *ip, uint32_t caplen, uint32_t wirelen, struct dissected *d)
{
	uint32_t hlen = (uint32_t)(ip[0] & 0xf) * 4, total = get16(ip + 2);
	unsigned frag = get16(ip + 6);

	d->flags = 0;
	if (!total) {
		/* Captured before segmentation offload cut it: only the wire knows. */
		d->len = wirelen;
	} else if (total > wirelen || total < IP4_MIN) {
		d->flags |= DISSECT_LYING;
		d->len = wirelen;
	} else {
		d->len = total;
	}
	d->caplen = caplen < d->len ? caplen : d->len;
	d->dscp = ip[1] >> 2;
	d->ecn = ip[1] & 3;
	memcpy(d->key.src, ip + 12, 4);
	memcpy(d->key.dst, ip + 16, 4);
	d->key.proto = d->key.nexthdr = ip[9];
	d->key.version = 4;
	if (hlen < IP4_MIN || hlen > d->len) {
		d->flags |= DISSECT_LYING;
		return 0;
	}
	if (hlen > IP4_MIN)
		d->flags |= DISSECT_EXTHDR;
	if (frag & 0x3fff) {
		d->frag_id = get16(ip + 4);
		if (frag & 0x1fff) {
			d->flags |= DISSECT_FRAG_LATER;
			return 0;
		}
		d->flags |= DISSECT_FRAG_FIRST;
	}
	ports(d, hlen);
	return 0;
}

/* A fragment header at `off`. Returns whether what follows is an upper header. */
static bool fragment6(struct dissected *d, uint32_t off)
{
	unsigned frag = get16(d->ip + off + 2);

	if (!(frag & 0xfff9))
		return true; /* an atomic fragment (RFC 6946): whole */
	d->frag_id = get32(d->ip + off + 4);
	if (frag & 0xfff8) {
		d->flags |= DISSECT_FRAG_LATER;
		return false;
	}
	d->flags |= DISSECT_FRAG_FIRST;
	return true;
}

/* Follows the chain from the next-header value of the fixed header. */
static void extensions6(struct dissected *d)
{
	const uint8_t *ip = d->ip;
	uint32_t off = IP6_MIN, size;
	unsigned next = d->key.nexthdr, n;

	for (n = 0; dissect_is_exthdr(next); n++) {
		d->flags |= DISSECT_EXTHDR;
		if (n == EXT_MAX || off + 8 > d->len) {
			d->flags |= DISSECT_LYING;
			break;
		}
		if (off + 8 > d->caplen) {
			d->flags |= DISSECT_TRUNCATED;
			break;
		}
		if (next == P_FRAGMENT) {
			d->key.proto = ip[off];
			if (!fragment6(d, off))
				return;
			size = 8;
		} else if (next == P_AH) {
			size = (ip[off + 1] + 2u) * 4;
		} else {
			size = (ip[off + 1] + 1u) * 8;
		}
		next = ip[off];
		off += size;
		d->key.proto = (uint8_t)next;
		if (off > d->len) {
			d->flags |= DISSECT_LYING;
			return;
		}
	}
	if (!dissect_is_exthdr(next))
		ports(d, off);
}

static int dissect6(const uint8_t *ip, uint32_t caplen, uint32_t wirelen, struct dissected *d)
{
	uint32_t payload = get16(ip + 4);
	unsigned traffic_class = (get16(ip) >> 4) & 0xff;

	d->flags = DISSECT_V6;
	if (!payload && ip[6] != P_NONE) {
		d->len = wirelen; /* a jumbogram, or segmentation offload */
	} else if (payload + IP6_MIN > wirelen) {
		d->flags |= DISSECT_LYING;
		d->len = wirelen;
	} else {
		d->len = payload + IP6_MIN;
	}
	d->caplen = caplen < d->len ? caplen : d->len;
	d->dscp = (uint8_t)(traffic_class >> 2);
	d->ecn = traffic_class & 3;
	memcpy(d->key.src, ip + 8, 16);
	memcpy(d->key.dst, ip + 24, 16);
	d->key.proto = d->key.nexthdr = ip[6];
	d->key.version = 6;
	extensions6(d);
	return 0;
}

int dissect_ip(const uint8_t *ip, uint32_t caplen, uint32_t wirelen, struct dissected *d)
{
	if (caplen > wirelen)
		caplen = wirelen;
	if (caplen < IP4_MIN)
		return -1;
	memset(&d->key, 0, sizeof(d->key));
	d->ip = ip;
	d->meta = NULL;
	d->l4 = 0;
	d->frag_id = 0;
	d->hash = 0;
	d->segment = 0;
	switch (ip[0] >> 4) {
	case 4:
		return dissect4(ip, caplen, wirelen, d);
	case 6:
		return caplen < IP6_MIN ? -1 : dissect6(ip, caplen, wirelen, d);
	default:
		return -1;
	}
}

/*
 * Puts a new type-of-service byte into an IPv4 header. RFC 1624, equation 3:
 * HC' = ~(~HC + ~m + m'). That form (and not RFC 1141's) never makes 0xffff of a
 * checksum that should be 0.
 */
static void set_tos4(uint8_t *ip, uint8_t tos)
{
	uint32_t sum = (uint16_t)~get16(ip + 10);

	sum += (uint16_t)~get16(ip);
	ip[1] = tos;
	sum += get16(ip);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, (uint16_t)~sum);
}

void dissect_set_dscp(uint8_t *ip, unsigned dscp)
{
	dscp &= 0x3f;
	switch (ip[0] >> 4) {
	case 4:
		set_tos4(ip, (uint8_t)(dscp << 2 | (ip[1] & 3)));
		break;
	case 6:
		put16(ip, (uint16_t)((get16(ip) & 0xf03f) | dscp << 6));
		break;
	default:
		break;
	}
}

void dissect_set_ce(uint8_t *ip)
{
	switch (ip[0] >> 4) {
	case 4:
		if (ip[1] & 3)
			set_tos4(ip, ip[1] | 3);
		break;
	case 6:
		if (ip[1] & 0x30)
			ip[1] |= 0x30;
		break;
	default:
		break;
	}
}
