/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a frame to its IP header, for each link type that IP rides on.
 *
 * A frame is walked as a chain: each step takes (offset, what comes next) to the
 * next one, and every loop is bounded. The layouts are those of
 * https://www.tcpdump.org/linktypes.html and of the RFCs named beside them.
 */
#include "qos/dissect.h"

#include <pcap/dlt.h>

#include <limits.h>
#include <string.h>

/* LINKTYPE_ values of files where they differ from the DLT_ values of Linux. */
enum {
	LT_RAW = 101,
	LT_RAW_BSD = 14, /* DLT_RAW of OpenBSD */
	LT_ATM_RFC1483 = 100,
	LT_PPP_WITH_DIR = 204,
	LT_C_HDLC_WITH_DIR = 205,
	LT_FRELAY_WITH_DIR = 206,
};

#define TAGS_MAX 8    /* VLAN tags, PPPoE and the like, one in another */
#define LABELS_MAX 32 /* MPLS */
#define HEADERS_MAX 3 /* PPI and the like, one in another, and what they hold */

struct walk {
	const uint8_t *p;
	uint32_t caplen, wirelen;
	const char *why;
	unsigned headers;
	unsigned tags; /* EtherTypes followed: bounds every chain, as each goes through one */
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static int no(struct walk *w, const char *why)
{
	w->why = why;
	return -1;
}

/* Whether `n` bytes from `off` are there; says why not. */
static bool has(struct walk *w, uint32_t off, uint32_t n)
{
	if (off <= w->caplen && n <= w->caplen - off)
		return true;
	w->why = off <= w->wirelen && n <= w->wirelen - off ? "truncated" : "short";
	return false;
}

/* An IP header is announced; version 0: either. */
static int at_ip(struct walk *w, uint32_t off, unsigned version)
{
	unsigned v;

	if (!has(w, off, 1))
		return -1;
	v = w->p[off] >> 4;
	if (v != 4 && v != 6)
		return no(w, "not-ip");
	if (version && v != version)
		return no(w, "ip-version");
	return (int)off;
}

static int by_ethertype(struct walk *w, uint32_t off, unsigned type);

/* MPLS label stack (RFC 3032); what is below the bottom says its first nibble. */
static int mpls(struct walk *w, uint32_t off)
{
	for (unsigned n = 0; n < LABELS_MAX; n++) {
		if (!has(w, off, 4))
			return -1;
		off += 4;
		if (w->p[off - 2] & 1)
			return at_ip(w, off, 0);
	}
	return no(w, "mpls");
}

/* A PPP protocol number (RFC 1661), compressed to one byte or not. */
static int ppp_protocol(struct walk *w, uint32_t off)
{
	unsigned proto;

	if (!has(w, off, 1))
		return -1;
	if (w->p[off] & 1) {
		proto = w->p[off++];
	} else {
		if (!has(w, off, 2))
			return -1;
		proto = get16(w->p + off);
		off += 2;
	}
	switch (proto) {
	case 0x0021:
		return at_ip(w, off, 4);
	case 0x0057:
		return at_ip(w, off, 6);
	case 0x0281:
	case 0x0283:
		return mpls(w, off);
	default:
		return no(w, "ppp-control");
	}
}

/* Cisco HDLC: address, control, EtherType. */
static int chdlc(struct walk *w, uint32_t off)
{
	if (!has(w, off, 4))
		return -1;
	return by_ethertype(w, off + 4, get16(w->p + off + 2));
}

/* PPP, with or without the address and control bytes of RFC 1662. */
static int ppp(struct walk *w, uint32_t off)
{
	if (!has(w, off, 2))
		return -1;
	if (w->p[off] == 0xff && w->p[off + 1] == 0x03)
		off += 2;
	else if ((w->p[off] == 0x0f || w->p[off] == 0x8f) && !w->p[off + 1])
		return chdlc(w, off); /* as it may be on a serial line */
	return ppp_protocol(w, off);
}

/* PPPoE session (RFC 2516). */
static int pppoe(struct walk *w, uint32_t off)
{
	if (!has(w, off, 6))
		return -1;
	if (w->p[off] != 0x11 || w->p[off + 1] != 0)
		return no(w, "pppoe");
	return ppp_protocol(w, off + 6);
}

/* A network-layer protocol identifier (ISO/IEC TR 9577). */
static int nlpid(struct walk *w, uint32_t off)
{
	if (!has(w, off, 1))
		return -1;
	switch (w->p[off]) {
	case 0xcc:
		return at_ip(w, off + 1, 4);
	case 0x8e:
		return at_ip(w, off + 1, 6);
	case 0xcf:
		return ppp_protocol(w, off + 1);
	case 0x80: /* SNAP */
		if (!has(w, off + 1, 5))
			return -1;
		if (w->p[off + 1] || w->p[off + 2] || w->p[off + 3])
			return no(w, "snap");
		return by_ethertype(w, off + 6, get16(w->p + off + 4));
	default:
		return no(w, "not-ip");
	}
}

/* IEEE 802.2 with SNAP (RFC 1042), IP's own SAP, or routed ISO protocols (RFC 2684). */
static int llc(struct walk *w, uint32_t off)
{
	const uint8_t *p = w->p + off;

	if (!has(w, off, 3))
		return -1;
	if (p[2] != 0x03)
		return no(w, "llc");
	if (p[0] == 0x06 && p[1] == 0x06)
		return at_ip(w, off + 3, 4);
	if (p[0] == 0xfe && p[1] == 0xfe)
		return nlpid(w, off + 3);
	if (p[0] != 0xaa || p[1] != 0xaa)
		return no(w, "llc");
	if (!has(w, off, 8))
		return -1;
	/* 00-00-f8 is the bridge-tunnel encapsulation of IEEE 802.1H */
	if (p[3] || p[4] || (p[5] && p[5] != 0xf8))
		return no(w, "snap");
	return by_ethertype(w, off + 8, get16(p + 6));
}

static int by_ethertype(struct walk *w, uint32_t off, unsigned type)
{
	while (w->tags++ < TAGS_MAX) {
		switch (type) {
		case 0x0800:
			return at_ip(w, off, 4);
		case 0x86dd:
			return at_ip(w, off, 6);
		case 0x8100:
		case 0x88a8:
		case 0x9100:
		case 0x9200:
			if (!has(w, off, 4))
				return -1;
			type = get16(w->p + off + 2);
			off += 4;
			if (type <= 1500) /* a length: 802.3 below the tag */
				return llc(w, off);
			break;
		case 0xdada: /* a switch's tag with a type of its own, as Linux marks it */
			if (!has(w, off, 8))
				return -1;
			type = get16(w->p + off + 6);
			off += 8;
			if (type <= 1500)
				return llc(w, off);
			break;
		case 0x8864:
			return pppoe(w, off);
		case 0x8847:
		case 0x8848:
			return mpls(w, off);
		case 0x0806:
		case 0x8035:
			return no(w, "arp");
		case 0x8863:
			return no(w, "pppoe-discovery");
		case 0x888e:
			return no(w, "eapol");
		case 0x88cc:
			return no(w, "lldp");
		default:
			return no(w, "not-ip");
		}
	}
	return no(w, "tags");
}

/* An Ethernet frame with `tag` bytes of a switch between its addresses and its type. */
static int ethernet(struct walk *w, uint32_t off, uint32_t tag)
{
	unsigned type;

	if (!has(w, off, 14 + tag))
		return -1;
	off += 14 + tag;
	type = get16(w->p + off - 2);
	if (type <= 1500)
		return llc(w, off);
	return by_ethertype(w, off, type);
}

/*
 * BSD loopback: an address family, in the byte order of who wrote it (DLT_NULL) or of
 * the network (DLT_LOOP). The families are small, so both orders can be told apart.
 */
static int loopback(struct walk *w, uint32_t off)
{
	const uint8_t *p = w->p + off;
	uint32_t af;

	if (!has(w, off, 4))
		return -1;
	af = (uint32_t)get16(p) << 16 | get16(p + 2);
	if (af > 0xffff)
		af = (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
	switch (af) {
	case 2:
		return at_ip(w, off + 4, 4);
	case 10: /* AF_INET6 of Linux, Windows (23), NetBSD, FreeBSD, Darwin */
	case 23:
	case 24:
	case 28:
	case 30:
		return at_ip(w, off + 4, 6);
	default:
		return no(w, "not-ip");
	}
}

/* Linux cooked: the protocol is an EtherType but for a few small numbers. */
static int cooked(struct walk *w, uint32_t off, unsigned hatype, unsigned proto)
{
	enum { ARPHRD_NETLINK_ = 824, PROTO_802_2 = 4 };

	if (hatype == ARPHRD_NETLINK_)
		return no(w, "not-ip");
	if (proto == PROTO_802_2)
		return llc(w, off);
	return by_ethertype(w, off, proto);
}

/* Q.922 address of two to four bytes, then RFC 2427, or Cisco's EtherType. */
static int frame_relay(struct walk *w, uint32_t off)
{
	unsigned n;

	for (n = 0; n < 4; n++) {
		if (!has(w, off, 1))
			return -1;
		if (w->p[off++] & 1)
			break;
	}
	if (n == 4 || n == 0)
		return no(w, "frame-relay");
	if (!has(w, off, 2))
		return -1;
	if (w->p[off] != 0x03)
		return by_ethertype(w, off + 2, get16(w->p + off));
	off++;
	if (w->p[off] == 0) /* one byte of padding */
		off++;
	return nlpid(w, off);
}

/* An 802.11 data frame (IEEE 802.11 section 9.3.2.1); `datapad`: header padded to 4 bytes. */
static int wifi(struct walk *w, uint32_t off, bool datapad)
{
	uint32_t hlen = 24;
	unsigned fc0, fc1;

	if (!has(w, off, 2))
		return -1;
	fc0 = w->p[off];
	fc1 = w->p[off + 1];
	if ((fc0 & 0x0f) != 0x08 || (fc0 & 0x40))
		return no(w, "not-data"); /* management, control, null data */
	if (fc1 & 0x40)
		return no(w, "encrypted");
	if ((fc1 & 0x03) == 0x03)
		hlen += 6; /* a fourth address */
	if (fc0 & 0x80) {
		if (!has(w, off + hlen, 2))
			return -1;
		if (w->p[off + hlen] & 0x80)
			return no(w, "a-msdu");
		hlen += 2;
		if (fc1 & 0x80)
			hlen += 4; /* HT control */
	}
	if (datapad)
		hlen = (hlen + 3) & ~3u;
	return llc(w, off + hlen);
}

/* Radiotap (radiotap.org): its length, and from its flags whether the frame is padded. */
static int radiotap(struct walk *w, uint32_t off)
{
	uint32_t len, at = 4, present = 0, word;
	bool datapad = false;

	if (!has(w, off, 8))
		return -1;
	len = (uint32_t)w->p[off + 3] << 8 | w->p[off + 2];
	if (w->p[off] != 0 || len < 8)
		return no(w, "radiotap");
	if (!has(w, off, len))
		return -1;
	do { /* the present words: bit 31 says that another follows */
		const uint8_t *p = w->p + off + at;

		if (at + 4 > len)
			return no(w, "radiotap");
		word = (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
		if (at == 4)
			present = word;
		at += 4;
	} while (word >> 31);
	if (present & 1) /* TSFT: 8 bytes, aligned */
		at = ((at + 7) & ~7u) + 8;
	if ((present & 2) && at < len)
		datapad = w->p[off + at] & 0x20;
	return wifi(w, off + len, datapad);
}

/* Linux NFLOG: attributes in the byte order of the host; the packet is attribute 9. */
static int nflog(struct walk *w, uint32_t off)
{
	enum { NFULA_PAYLOAD_ = 9 };

	if (!has(w, off, 4))
		return -1;
	if (w->p[off + 1] != 0)
		return no(w, "nflog");
	off += 4;
	while (has(w, off, 4)) {
		uint16_t len, type;

		memcpy(&len, w->p + off, 2);
		memcpy(&type, w->p + off + 2, 2);
		if ((type & 0x7fff) == NFULA_PAYLOAD_)
			return at_ip(w, off + 4, 0);
		if (len < 4)
			return no(w, "nflog");
		off += (len + 3u) & ~3u;
	}
	return -1;
}

/* OpenBSD's packet filter log: the header's length is its first byte, padded to 4. */
static int pflog(struct walk *w, uint32_t off)
{
	if (!has(w, off, 1))
		return -1;
	return at_ip(w, off + ((w->p[off] + 3u) & ~3u), 0);
}

static int by_dlt(struct walk *w, uint32_t off, int dlt);

/* PPI (CACE, 1.0.10): version, flags, length, link type; all with the least byte first. */
static int ppi(struct walk *w, uint32_t off)
{
	const uint8_t *p = w->p + off;
	uint32_t len, dlt;

	if (!has(w, off, 8))
		return -1;
	len = (uint32_t)p[3] << 8 | p[2];
	dlt = (uint32_t)p[7] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[5] << 8 | p[4];
	if (len < 8 || dlt > INT_MAX)
		return no(w, "ppi");
	return by_dlt(w, off + len, (int)dlt);
}

/* Apple's PKTAP: length, kind (1: a packet), link type; numbers as the Mac's processor has
 * them. */
static int pktap(struct walk *w, uint32_t off)
{
	const uint8_t *p = w->p + off;
	uint32_t v[3];
	bool big;

	if (!has(w, off, DISSECT_PKTAP_LEAST))
		return -1;
	big = !p[0] && !p[1];
	for (unsigned i = 0; i < 3; i++, p += 4)
		v[i] = big ? (uint32_t)get16(p) << 16 | get16(p + 2)
			   : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 |
				       p[0];
	if (v[0] < DISSECT_PKTAP_LEAST || v[0] > UINT16_MAX || v[2] > INT_MAX)
		return no(w, "pktap");
	if (v[1] != 1)
		return no(w, "not-data");
	return by_dlt(w, off + v[0], (int)v[2]);
}

static int by_dlt(struct walk *w, uint32_t off, int dlt)
{
	if (w->headers++ >= HEADERS_MAX)
		return no(w, "link-type");
	switch (dlt) {
	case DLT_EN10MB:
		return ethernet(w, off, 0);
	case DLT_DSA_TAG_BRCM:
	case DLT_DSA_TAG_DSA:
		return ethernet(w, off, 4);
	case DLT_DSA_TAG_EDSA:
		return ethernet(w, off, 8);
	case DLT_DSA_TAG_BRCM_PREPEND:
		return ethernet(w, off + 4, 0);
	case DLT_PPI:
		return ppi(w, off);
	case DLT_PKTAP:
		return pktap(w, off);
	case DLT_RAW:
	case LT_RAW_BSD:
	case LT_RAW:
		return at_ip(w, off, 0);
	case DLT_IPV4:
		return at_ip(w, off, 4);
	case DLT_IPV6:
		return at_ip(w, off, 6);
	case DLT_NULL:
	case DLT_LOOP:
		return loopback(w, off);
	case DLT_LINUX_SLL:
		return has(w, off, 16) ? cooked(w, off + 16, get16(w->p + off + 2),
						get16(w->p + off + 14))
				       : -1;
	case DLT_LINUX_SLL2:
		return has(w, off, 20)
			       ? cooked(w, off + 20, get16(w->p + off + 8), get16(w->p + off))
			       : -1;
	case DLT_PPP:
	case DLT_PPP_SERIAL:
		return ppp(w, off);
	case LT_PPP_WITH_DIR:
	case DLT_PPP_PPPD:
		return ppp(w, off + 1);
	case DLT_PPP_ETHER:
		return pppoe(w, off);
	case DLT_C_HDLC:
		return chdlc(w, off);
	case LT_C_HDLC_WITH_DIR:
		return chdlc(w, off + 1);
	case DLT_FRELAY:
		return frame_relay(w, off);
	case LT_FRELAY_WITH_DIR:
		return frame_relay(w, off + 1);
	case DLT_ATM_RFC1483:
	case LT_ATM_RFC1483:
		return llc(w, off);
	case DLT_IEEE802_11:
		return wifi(w, off, false);
	case DLT_IEEE802_11_RADIO:
		return radiotap(w, off);
	case DLT_ENC:
		return at_ip(w, off + 12, 0);
	case DLT_PFLOG:
		return pflog(w, off);
	case DLT_NFLOG:
		return nflog(w, off);
	case DLT_MPLS:
		return mpls(w, off);
	case DLT_SLIP:
		return at_ip(w, off + 16, 0);
	case DLT_APPLE_IP_OVER_IEEE1394:
		return has(w, off, 18) ? by_ethertype(w, off + 18, get16(w->p + off + 16)) : -1;
	default:
		return no(w, "link-type");
	}
}

int dissect_link(int dlt, const uint8_t *frame, uint32_t caplen, uint32_t wirelen,
		 const char **why)
{
	struct walk w = {.p = frame,
			 .caplen = caplen < wirelen ? caplen : wirelen,
			 .wirelen = wirelen,
			 .why = "not-ip"};
	int off = by_dlt(&w, 0, dlt);

	if (off < 0 && why)
		*why = w.why;
	return off;
}

bool dissect_knows(int dlt)
{
	/* An empty frame is "short" for every link type but an unknown one. */
	static const uint8_t nothing[1];
	struct walk w = {.p = nothing, .why = "not-ip"};

	return by_dlt(&w, 0, dlt) >= 0 || strcmp(w.why, "link-type") != 0;
}
