/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dissecting: each link type, lengths that lie, extension headers, fragments, rewriting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>

#include "packet_build.h"
#include "qos/dissect.h"

/* A frame: bytes in hexadecimal, then an IPv4 ("4") or IPv6 ("6") packet or nothing (""). */
struct frame {
	int dlt;
	const char *head, *ip;
	int offset;	 /* -1: not IP */
	const char *why; /* of -1 */
};

#define MACS "020000000001 020000000002 "
#define SNAP "aaaa03 000000 "

static const struct frame FRAMES[] = {
	{DLT_EN10MB, MACS "0800", "4", 14, NULL},
	{DLT_EN10MB, MACS "86dd", "6", 14, NULL},
	{DLT_EN10MB, MACS "0800", "6", -1, "ip-version"},
	{DLT_EN10MB, MACS "8100 0005 0800", "4", 18, NULL},
	{DLT_EN10MB, MACS "88a8 0005 8100 0006 86dd", "6", 22, NULL},
	{DLT_EN10MB, MACS "9100 0005 8100 0006 0800", "4", 22, NULL},
	{DLT_EN10MB, MACS "8100 0001 8100 0002 8100 0003 0800", "4", 26, NULL},
	{DLT_EN10MB,
	 MACS "8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 "
	      "8100 0001 0800",
	 "4", -1, "tags"},
	{DLT_EN10MB, MACS "8864 1100 0001 0030 0021", "4", 22, NULL},
	{DLT_EN10MB, MACS "8100 0007 8864 1100 0001 0030 0057", "6", 26, NULL},
	{DLT_EN10MB, MACS "8864 1100 0001 0030 21", "4", 21, NULL},
	{DLT_EN10MB, MACS "8864 1100 0001 0030 c021 0101", "", -1, "ppp-control"},
	{DLT_EN10MB, MACS "8864 2100 0001 0030 0021", "4", -1, "pppoe"},
	{DLT_EN10MB, MACS "8847 00010140", "4", 18, NULL},
	{DLT_EN10MB, MACS "8848 00010040 00020140", "6", 22, NULL},
	{DLT_EN10MB, MACS "8847 00010140 00000000", "", -1, "not-ip"},
	{DLT_EN10MB, MACS "0040 " SNAP "0800", "4", 22, NULL},
	{DLT_EN10MB, MACS "0040 aaaa03 0000f8 86dd", "6", 22, NULL},
	{DLT_EN10MB, MACS "0040 aaaa03 00000c 2000", "", -1, "snap"},
	{DLT_EN10MB, MACS "0040 060603", "4", 17, NULL},
	{DLT_EN10MB, MACS "0040 424203 0000", "", -1, "llc"},
	{DLT_EN10MB, MACS "8100 0005 0040 " SNAP "0800", "4", 26, NULL},
	{DLT_EN10MB, MACS "0806 0001", "", -1, "arp"},
	{DLT_EN10MB, MACS "8863 1109 0000 0000", "", -1, "pppoe-discovery"},
	{DLT_EN10MB, MACS "88cc 00", "", -1, "lldp"},
	{DLT_EN10MB, MACS "1234", "4", -1, "not-ip"},
	{DLT_EN10MB, MACS, "", -1, "short"},
	{DLT_EN10MB, "", "", -1, "short"},
	{DLT_RAW, "", "4", 0, NULL},
	{14, "", "6", 0, NULL},
	{101, "", "6", 0, NULL},
	{101, "00", "", -1, "not-ip"},
	{DLT_IPV4, "", "4", 0, NULL},
	{DLT_IPV4, "", "6", -1, "ip-version"},
	{DLT_IPV6, "", "6", 0, NULL},
	{DLT_NULL, "02000000", "4", 4, NULL},
	{DLT_NULL, "00000002", "4", 4, NULL},
	{DLT_NULL, "1e000000", "6", 4, NULL},
	{DLT_NULL, "1c000000", "6", 4, NULL},
	{DLT_NULL, "07000000", "4", -1, "not-ip"},
	{DLT_LOOP, "00000018", "6", 4, NULL},
	{DLT_LINUX_SLL, "0000 0001 0006 0200000000010000 0800", "4", 16, NULL},
	{DLT_LINUX_SLL, "0000 0001 0006 0200000000010000 8100 0005 86dd", "6", 20, NULL},
	{DLT_LINUX_SLL, "0000 0001 0006 0200000000010000 0004 " SNAP "0800", "4", 24, NULL},
	{DLT_LINUX_SLL, "0000 0338 0006 0200000000010000 0000", "4", -1, "not-ip"},
	{DLT_LINUX_SLL2, "0800 0000 00000001 0001 00 06 0200000000010000", "4", 20, NULL},
	{DLT_LINUX_SLL2, "86dd 0000 00000001 0001 00 06 0200000000010000", "6", 20, NULL},
	{DLT_PPP, "0021", "4", 2, NULL},
	{DLT_PPP, "ff03 0057", "6", 4, NULL},
	{DLT_PPP, "21", "4", 1, NULL},
	{DLT_PPP, "ff03 c223 01", "", -1, "ppp-control"},
	{DLT_PPP_SERIAL, "ff03 0021", "4", 4, NULL},
	{DLT_PPP_SERIAL, "0f00 0800", "4", 4, NULL},
	{204, "01 ff03 0021", "4", 5, NULL},
	{DLT_PPP_ETHER, "1100 0001 0030 0021", "4", 8, NULL},
	{DLT_C_HDLC, "0f00 0800", "4", 4, NULL},
	{DLT_C_HDLC, "0f00 86dd", "6", 4, NULL},
	{DLT_FRELAY, "1841 03 cc", "4", 4, NULL},
	{DLT_FRELAY, "1841 03 8e", "6", 4, NULL},
	{DLT_FRELAY, "1841 03 00 80 000000 0800", "4", 10, NULL},
	{DLT_FRELAY, "1841 0800", "4", 4, NULL},
	{DLT_FRELAY, "18181818 0800", "4", -1, "frame-relay"},
	{DLT_ATM_RFC1483, SNAP "0800", "4", 8, NULL},
	{100, "fefe03 cc", "4", 4, NULL},
	{DLT_IEEE802_11, "0801 0000 020000000001 020000000002 020000000003 0000 " SNAP "0800",
	 "4", 32, NULL},
	{DLT_IEEE802_11,
	 "8803 0000 020000000001 020000000002 020000000003 0000 020000000004 0000 " SNAP "86dd",
	 "6", 40, NULL},
	{DLT_IEEE802_11, "8041 0000", "", -1, "not-data"},
	{DLT_IEEE802_11, "0841 0000 020000000001 020000000002", "4", -1, "encrypted"},
	{DLT_IEEE802_11_RADIO,
	 "00 00 0900 02000000 00 "
	 "0801 0000 020000000001 020000000002 020000000003 0000 " SNAP "0800",
	 "4", 41, NULL},
	{DLT_IEEE802_11_RADIO,
	 "00 00 1100 03000000 0000000000000000 20 "
	 "8801 0000 020000000001 020000000002 020000000003 0000 0000 0000 " SNAP "0800",
	 "4", 53, NULL},
	{DLT_IEEE802_11_RADIO, "00 00 ffff 00000000", "", -1, "short"},
	{DLT_ENC, "02000000 00000001 00000000", "4", 12, NULL},
	{DLT_PFLOG,
	 "3d 02 00 00" /* 61 bytes, padded to 64 */
	 "0000000000000000000000000000000000000000000000000000000000000000"
	 "00000000000000000000000000000000000000000000000000000000",
	 "4", 64, NULL},
	{DLT_NFLOG, "02 00 0000 0800 0100 08000300 0400 0900", "4", 16, NULL},
	{DLT_NFLOG, "02 00 0000 0000 0100", "4", -1, "nflog"},
	{DLT_NFLOG, "02 00 0000 0800 0100 08000300", "", -1, "short"},
	{DLT_MPLS, "00010140", "4", 4, NULL},
	{DLT_SLIP, "00000000000000000000000000000000", "4", 16, NULL},
	{DLT_APPLE_IP_OVER_IEEE1394, "0200000000010000 0200000000020000 0800", "4", 18, NULL},
	/* switches' tags: between addresses and type, before the frame, with a type of its own
	 */
	{DLT_DSA_TAG_BRCM, MACS "20000001 0800", "4", 18, NULL},
	{DLT_DSA_TAG_BRCM, MACS "20000001 8100 0005 86dd", "6", 22, NULL},
	{DLT_DSA_TAG_BRCM_PREPEND, "20000001 " MACS "0800", "4", 18, NULL},
	{DLT_DSA_TAG_DSA, MACS "c0080000 86dd", "6", 18, NULL},
	{DLT_DSA_TAG_DSA, MACS "c0080000 0806", "", -1, "arp"},
	{DLT_DSA_TAG_EDSA, MACS "dada 0000 c0080000 0800", "4", 22, NULL},
	{DLT_DSA_TAG_EDSA, MACS "9100 0000 c0080000 8100 0005 0800", "4", 26, NULL},
	{DLT_EN10MB, MACS "dada 0000 c0080000 0800", "4", 22, NULL},
	{DLT_EN10MB, MACS "dada 0000 c0080000 8864 1100 0001 0030 0021", "4", 30, NULL},
	{DLT_EN10MB, MACS "dada 0000 c0080000 0040 " SNAP "0800", "4", 30, NULL},
	{DLT_PPI, "00 00 0800 01000000 " MACS "0800", "4", 22, NULL},
	{DLT_PPI, "00 00 1400 0c000000 0200 0800 0000000000000000", "6", 20, NULL},
	{DLT_PPI,
	 "00 00 0800 69000000 "
	 "0801 0000 020000000001 020000000002 020000000003 0000 " SNAP "0800",
	 "4", 40, NULL},
	{DLT_PPI, "00 00 0700 01000000 " MACS "0800", "4", -1, "ppi"},
	{DLT_PPI, "00 00 ffff 01000000 ", "4", -1, "short"},
	/* one in another without end */
	{DLT_PPI, "00 00 0800 c0000000 00 00 0800 c0000000 00 00 0800 0c000000", "4", -1,
	 "link-type"},
	{DLT_PKTAP,
	 "6c000000 01000000 01000000 656e30000000000000000000000000000000000000000000 02000000 "
	 "02000000 0e000000 00000000 "
	 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000000 " MACS "0800",
	 "4", 122, NULL},
	{DLT_PKTAP,
	 "6c000000 01000000 0c000000 656e30000000000000000000000000000000000000000000 02000000 "
	 "02000000 0e000000 00000000 "
	 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000000",
	 "6", 108, NULL},
	{DLT_PKTAP,
	 "0000006c 00000001 0000000c 656e30000000000000000000000000000000000000000000 00000001 "
	 "00000002 0000000e 00000000 "
	 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000000",
	 "6", 108, NULL},
	{DLT_PKTAP,
	 "6c000000 00000000 01000000 656e30000000000000000000000000000000000000000000 02000000 "
	 "02000000 0e000000 00000000 "
	 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000000",
	 "4", -1, "not-data"},
	{DLT_PKTAP,
	 "08000000 01000000 01000000 656e30000000000000000000000000000000000000000000 02000000 "
	 "02000000 0e000000 00000000 "
	 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000000",
	 "4", -1, "pktap"},
	{147, "00", "4", -1, "link-type"},
};

static uint32_t unhex(uint8_t *out, const char *s)
{
	uint32_t n = 0;
	unsigned byte;

	while (*s) {
		if (*s == ' ') {
			s++;
			continue;
		}
		assert_int_equal(sscanf(s, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
		s += 2;
	}
	return n;
}

static uint32_t frame_build(const struct frame *f, uint8_t *out)
{
	uint32_t n = unhex(out, f->head);
	struct packet p = {.len = 0};

	if (*f->ip == '4')
		packet_v4(&p, 17, 0x0a000001, 0x0a000002, 1, 2, 10);
	else if (*f->ip == '6')
		packet_v6(&p, 17, 1, 2, 1, 2, 10);
	memcpy(out + n, p.b, p.len);
	return n + p.len;
}

static void test_link(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FRAMES) / sizeof(FRAMES[0]); i++) {
		const struct frame *f = &FRAMES[i];
		uint8_t b[512];
		uint32_t n = frame_build(f, b);
		const char *why = NULL;
		int off = dissect_link(f->dlt, b, n, n, &why);

		if (off != f->offset || (off < 0 && strcmp(why, f->why) != 0))
			fail_msg("frame %zu (%s): %d, %s", i, f->head, off, why ? why : "");
		if (f->dlt != DLT_PPI) /* which says itself what it holds */
			assert_int_equal(dissect_knows(f->dlt),
					 off >= 0 || strcmp(why, "link-type") != 0);
	}
	assert_false(dissect_knows(-1));
	assert_false(dissect_knows(1000));
}

static void test_way(void **state)
{
	static const struct {
		int dlt;
		const char *head;
		uint8_t direction;
		uint32_t ifindex;
		const char *ifname;
	} ways[] = {
		{DLT_LINUX_SLL, "0004 0001 0006 0200000000010000 0800", DISSECT_OUT, 0, ""},
		{DLT_LINUX_SLL, "0000 0001 0006 0200000000010000 0800", DISSECT_IN, 0, ""},
		{DLT_LINUX_SLL, "0003 0001 0006 0200000000010000 0800", DISSECT_IN, 0, ""},
		{DLT_LINUX_SLL, "0004 0001 0006 0200000000010000 08", DISSECT_NO_WAY, 0, ""},
		{DLT_LINUX_SLL2, "0800 0000 00000007 0001 04 06 0200000000010000", DISSECT_OUT,
		 7, ""},
		{DLT_LINUX_SLL2, "0800 0000 01020304 0001 00 06 0200000000010000", DISSECT_IN,
		 0x01020304, ""},
		{DLT_PPP_PPPD, "01 ff03 0021", DISSECT_OUT, 0, ""},
		{204, "00 ff03 0021", DISSECT_IN, 0, ""},
		{DLT_EN10MB, MACS "0800", DISSECT_NO_WAY, 0, ""},
		{DLT_PKTAP,
		 "6c000000 01000000 01000000 656e30000000000000000000000000000000000000000000 "
		 "02000000 02000000 0e000000 00000000 "
		 "00000000000000000000000000000000000000000000000000000000000000000000000000000"
		 "00000000000000000000000000000000000",
		 DISSECT_OUT, 0, "en0"},
		{DLT_PKTAP,
		 "0000006c 00000001 0000000c 656e30000000000000000000000000000000000000000000 "
		 "00000001 00000002 0000000e 00000000 "
		 "00000000000000000000000000000000000000000000000000000000000000000000000000000"
		 "00000000000000000000000000000000000",
		 DISSECT_IN, 0, "en0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct dissect_way way = {0};
		uint8_t b[512];
		uint32_t n = unhex(b, ways[i].head);

		dissect_way(ways[i].dlt, b, n, &way);
		assert_int_equal(way.direction, ways[i].direction);
		assert_int_equal(way.ifindex, ways[i].ifindex);
		assert_int_equal(way.ifname_len, strlen(ways[i].ifname));
		assert_memory_equal(way.ifname ? way.ifname : "", ways[i].ifname,
				    way.ifname_len);
	}
}

/* Every frame cut at every length, in memory of exactly that size (for the sanitizer). */
static void test_link_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FRAMES) / sizeof(FRAMES[0]); i++) {
		const struct frame *f = &FRAMES[i];
		uint8_t b[512];
		uint32_t n = frame_build(f, b);

		for (uint32_t cut = 0; cut < n; cut++) {
			uint8_t *copy = malloc(cut ? cut : 1);
			const char *why = NULL;
			struct dissected d;
			int off;

			assert_non_null(copy);
			memcpy(copy, b, cut);
			off = dissect_link(f->dlt, copy, cut, n, &why);
			dissect_way(f->dlt, copy, cut, &(struct dissect_way){0});
			assert_true(off >= 0 ? (uint32_t)off < cut : why != NULL);
			if (f->offset >= 0 && off < 0)
				assert_string_equal(why, "truncated");
			if (off >= 0)
				dissect_ip(copy + off, cut - (uint32_t)off, n - (uint32_t)off,
					   &d);
			free(copy);
		}
	}
}

static struct dissected dissect(const struct packet *p, uint32_t caplen, uint32_t wirelen)
{
	struct dissected d;

	assert_int_equal(dissect_ip(p->b, caplen, wirelen, &d), 0);
	assert_ptr_equal(d.ip, p->b);
	assert_true(d.caplen <= d.len && d.caplen <= caplen && d.len <= wirelen);
	return d;
}

/* Who sent a frame, as its link layer says; cut frames say nothing. */
static void test_mac(void **state)
{
	static const struct {
		int dlt;
		const char *frame, *mac; /* NULL: none */
	} t[] = {
		{DLT_EN10MB, "ffffffffffff 020000000001 0800", "020000000001"},
		{DLT_EN10MB, "ffffffffffff 020000000001 8100 0005 0800", "020000000001"},
		{DLT_LINUX_SLL, "0000 0001 0006 0200000000010000 0800", "020000000001"},
		{DLT_LINUX_SLL, "0003 0001 0006 0200000000020000 0800", "020000000002"},
		{DLT_LINUX_SLL, "0004 0001 0006 0200000000010000 0800", NULL},
		{DLT_LINUX_SLL, "0000 0001 0000 0000000000000000 0800", NULL},
		{DLT_LINUX_SLL, "0000 0001 0106 0200000000010000 0800", NULL},
		{DLT_LINUX_SLL2, "0800 0000 00000001 0001 00 06 0200000000010000",
		 "020000000001"},
		{DLT_LINUX_SLL2, "0800 0000 00000001 0001 04 06 0200000000010000", NULL},
		{DLT_LINUX_SLL2, "0800 0000 00000001 0200 00 00 0000000000000000", NULL},
		{DLT_RAW, "4500 0014 0000 0000 4011 0000 0a000001 0a000002", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t frame[64], mac[6], want[6];
		uint32_t n = unhex(frame, t[i].frame);

		assert_true(dissect_mac(t[i].dlt, frame, n, mac) == (t[i].mac != NULL));
		if (!t[i].mac)
			continue;
		unhex(want, t[i].mac);
		assert_memory_equal(mac, want, 6);
		for (uint32_t cut = 0; cut < 12; cut++) {
			uint8_t *exact = malloc(cut + 1);

			memcpy(exact, frame, cut);
			assert_false(dissect_mac(t[i].dlt, exact, cut, mac));
			free(exact);
		}
	}
}

static void test_v4(void **state)
{
	struct dissected d;
	struct packet p;

	(void)state;
	packet_v4(&p, 17, 0xc0a80102, 0x08080404, 40000, 53, 20);
	p.b[1] = 46 << 2 | 1;
	d = dissect(&p, p.len, p.len + 6); /* padded */
	assert_int_equal(d.flags, DISSECT_PORTS);
	assert_int_equal(d.len, 48);
	assert_int_equal(d.caplen, 48);
	assert_int_equal(d.dscp, 46);
	assert_int_equal(d.ecn, 1);
	assert_int_equal(d.l4, 20);
	assert_int_equal(d.key.sport, 40000);
	assert_int_equal(d.key.dport, 53);
	assert_int_equal(d.key.proto, 17);
	assert_int_equal(d.key.nexthdr, 17);
	assert_int_equal(d.key.version, 4);
	assert_memory_equal(d.key.src, "\xc0\xa8\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(d.key.dst, "\x08\x08\x04\x04\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	/* snapped */
	d = dissect(&p, 24, p.len);
	assert_int_equal(d.flags, DISSECT_PORTS);
	d = dissect(&p, 23, p.len);
	assert_int_equal(d.flags, DISSECT_TRUNCATED);
	assert_int_equal(d.key.sport, 0);
	d = dissect(&p, 20, p.len);
	assert_int_equal(d.flags, DISSECT_TRUNCATED);
	assert_int_equal(d.l4, 0);
	/* no ports */
	packet_v4(&p, 1, 1, 2, 0x0800, 0, 20);
	assert_int_equal(dissect(&p, p.len, p.len).flags, 0);
	assert_int_equal(dissect(&p, p.len, p.len).key.sport, 0);
}

static void test_v4_lengths(void **state)
{
	struct dissected d;
	struct packet p;

	(void)state;
	packet_v4(&p, 6, 1, 2, 3, 4, 20);
	packet_put16(p.b + 2, 0); /* segmentation offload */
	d = dissect(&p, p.len, 40000);
	assert_int_equal(d.flags, DISSECT_PORTS);
	assert_int_equal(d.len, 40000);
	packet_put16(p.b + 2, p.len + 1);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_LYING | DISSECT_PORTS);
	assert_int_equal(d.len, p.len);
	packet_put16(p.b + 2, 19);
	assert_int_equal(dissect(&p, p.len, p.len).flags & DISSECT_LYING, DISSECT_LYING);
	packet_put16(p.b + 2, 22); /* ports cut off by the packet's own length */
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_LYING);
	assert_int_equal(d.len, 22);
	assert_int_equal(d.caplen, 22);
	packet_put16(p.b + 2, p.len);
	p.b[0] = 0x44;
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_LYING);
	p.b[0] = 0x4f;
	d = dissect(&p, p.len, p.len); /* a header of 60 bytes, just there */
	assert_int_equal(d.flags, DISSECT_EXTHDR | DISSECT_LYING);
	packet_put16(p.b + 2, 59);
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_LYING);
	packet_v4(&p, 17, 1, 2, 3, 4, 20);
	packet_put16(p.b + 24, 29); /* a UDP length beyond the packet's */
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_LYING | DISSECT_PORTS);
	packet_put16(p.b + 24, 7);
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_LYING | DISSECT_PORTS);
	packet_put16(p.b + 24, 12); /* less than there is: allowed */
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_PORTS);
}

static void test_refused(void **state)
{
	struct dissected d;
	struct packet p;

	(void)state;
	packet_v4(&p, 17, 1, 2, 3, 4, 20);
	assert_int_equal(dissect_ip(p.b, 19, 48, &d), -1);
	assert_int_equal(dissect_ip(p.b, 48, 19, &d), -1);
	assert_int_equal(dissect_ip(p.b, 0, 0, &d), -1);
	p.b[0] = 0x55;
	assert_int_equal(dissect_ip(p.b, 48, 48, &d), -1);
	packet_v6(&p, 17, 1, 2, 3, 4, 20);
	assert_int_equal(dissect_ip(p.b, 39, 68, &d), -1);
	assert_int_equal(dissect_ip(p.b, 40, 68, &d), 0);
	assert_int_equal(d.flags, DISSECT_V6 | DISSECT_TRUNCATED);
}

static void test_v4_fragments(void **state)
{
	struct dissected d;
	struct packet p;

	(void)state;
	packet_v4(&p, 17, 1, 2, 3, 4, 24);
	packet_put16(p.b + 4, 0x1234);
	packet_put16(p.b + 24, 1000); /* the UDP length of the whole */
	packet_put16(p.b + 6, 0x4000);
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_LYING | DISSECT_PORTS);
	packet_put16(p.b + 6, 0x2000);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_FRAG_FIRST | DISSECT_PORTS);
	assert_int_equal(d.frag_id, 0x1234);
	packet_put16(p.b + 6, 0x2001);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_FRAG_LATER);
	assert_int_equal(d.key.sport, 0);
	assert_int_equal(d.l4, 0);
	packet_put16(p.b + 6, 0x0001);
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_FRAG_LATER);
}

static void test_v6(void **state)
{
	struct dissected d;
	struct packet p;
	uint8_t *e;

	(void)state;
	packet_v6(&p, 6, 1, 2, 50000, 443, 20);
	p.b[0] = 0x6b; /* traffic class 0xba: DSCP 46, ECN 2 */
	p.b[1] = 0xa0;
	d = dissect(&p, p.len, p.len + 4);
	assert_int_equal(d.flags, DISSECT_V6 | DISSECT_PORTS);
	assert_int_equal(d.dscp, 46);
	assert_int_equal(d.ecn, 2);
	assert_int_equal(d.len, p.len);
	assert_int_equal(d.l4, 40);
	assert_int_equal(d.key.dport, 443);
	assert_memory_equal(d.key.src, p.b + 8, 16);
	packet_ext(&p, 60, 16);
	packet_ext(&p, 43, 8);
	packet_ext(&p, 0, 8);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_V6 | DISSECT_EXTHDR | DISSECT_PORTS);
	assert_int_equal(d.l4, 72);
	assert_int_equal(d.key.proto, 6);
	assert_int_equal(d.key.nexthdr, 0);
	assert_int_equal(d.key.dport, 443);
	for (uint32_t cut = 40; cut < 76; cut++)
		assert_int_equal(dissect(&p, cut, p.len).flags,
				 DISSECT_V6 | DISSECT_EXTHDR | DISSECT_TRUNCATED);
	p.b[41] = 200; /* a header that goes beyond the packet */
	assert_int_equal(dissect(&p, p.len, p.len).flags,
			 DISSECT_V6 | DISSECT_EXTHDR | DISSECT_LYING);
	/* authentication header: its length counts in fours */
	packet_v6(&p, 17, 1, 2, 3, 4, 8);
	e = packet_ext(&p, 51, 24);
	e[1] = 4;
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_V6 | DISSECT_EXTHDR | DISSECT_PORTS);
	assert_int_equal(d.l4, 64);
	/* without end */
	packet_v6(&p, 0, 1, 2, 0, 0, 400);
	memset(p.b + 40, 0, 400);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_V6 | DISSECT_EXTHDR | DISSECT_LYING);
	/* a jumbogram or offload; no next header at all */
	packet_v6(&p, 6, 1, 2, 3, 4, 8);
	packet_put16(p.b + 4, 0);
	assert_int_equal(dissect(&p, p.len, 70000).len, 70000);
	p.b[6] = 59;
	assert_int_equal(dissect(&p, p.len, p.len).len, 40);
	packet_put16(p.b + 4, p.len);
	assert_int_equal(dissect(&p, p.len, p.len).flags, DISSECT_V6 | DISSECT_LYING);
}

static void test_v6_fragments(void **state)
{
	struct dissected d;
	struct packet p;
	uint8_t *e;

	(void)state;
	packet_v6(&p, 17, 1, 2, 3, 4, 24);
	e = packet_ext(&p, 44, 8);
	e[1] = 0;
	packet_put32(e + 4, 0xdeadbeef);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_V6 | DISSECT_EXTHDR | DISSECT_PORTS); /* atomic */
	packet_put16(e + 2, 1);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags,
			 DISSECT_V6 | DISSECT_EXTHDR | DISSECT_PORTS | DISSECT_FRAG_FIRST);
	assert_true(d.frag_id == 0xdeadbeef);
	assert_int_equal(d.key.dport, 4);
	packet_put16(e + 2, 8);
	d = dissect(&p, p.len, p.len);
	assert_int_equal(d.flags, DISSECT_V6 | DISSECT_EXTHDR | DISSECT_FRAG_LATER);
	assert_true(d.frag_id == 0xdeadbeef);
	assert_int_equal(d.key.proto, 17);
	assert_int_equal(d.key.dport, 0);
}

static void test_rewrite(void **state)
{
	uint64_t r = 99;
	struct packet p;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		struct packet q;
		unsigned dscp = packet_random(&r) & 63;

		packet_v4(&p, 6, packet_random(&r), packet_random(&r), 1, 2, 0);
		p.b[1] = (uint8_t)packet_random(&r);
		p.b[8] = (uint8_t)packet_random(&r);
		packet_put16(p.b + 10, packet_sum4(p.b));
		q = p;
		dissect_set_dscp(q.b, dscp);
		assert_int_equal(q.b[1], dscp << 2 | (p.b[1] & 3));
		assert_int_equal(q.b[10] << 8 | q.b[11], packet_sum4(q.b));
		q = p;
		dissect_set_ce(q.b);
		assert_int_equal(q.b[1], (p.b[1] & 3) ? p.b[1] | 3 : p.b[1]);
		assert_int_equal(q.b[10] << 8 | q.b[11], packet_sum4(q.b));
		packet_v6(&p, 6, 1, 2, 3, 4, 0);
		p.b[0] = (uint8_t)(0x60 | (packet_random(&r) & 0xf));
		p.b[1] = (uint8_t)packet_random(&r);
		q = p;
		dissect_set_dscp(q.b, dscp);
		assert_int_equal(dissect(&q, q.len, q.len).dscp, dscp);
		assert_int_equal(dissect(&q, q.len, q.len).ecn, dissect(&p, p.len, p.len).ecn);
		assert_int_equal(q.b[1] & 0xf, p.b[1] & 0xf); /* the flow label stays */
		q = p;
		dissect_set_ce(q.b);
		assert_int_equal(dissect(&q, q.len, q.len).dscp,
				 dissect(&p, p.len, p.len).dscp);
		assert_int_equal(dissect(&q, q.len, q.len).ecn,
				 dissect(&p, p.len, p.len).ecn ? 3 : 0);
	}
	/* the corner of RFC 1624: the sum comes to 0, and must not become 0xffff */
	packet_v4(&p, 6, 0, 0, 1, 2, 0);
	for (unsigned sum = 0; sum < 0x10000; sum++) {
		packet_put16(p.b + 4, sum);
		p.b[1] = 0;
		packet_put16(p.b + 10, packet_sum4(p.b));
		dissect_set_dscp(p.b, 63);
		assert_int_equal(p.b[10] << 8 | p.b[11], packet_sum4(p.b));
	}
}

/* Garbage in memory of its exact size; what is said of it must be consistent. */
static void test_garbage(void **state)
{
	uint64_t r = 4711;

	(void)state;
	for (unsigned n = 0; n < 200000; n++) {
		uint32_t caplen = packet_random(&r) % 120,
			 wirelen = caplen + packet_random(&r) % 50;
		uint8_t *b = malloc(caplen + 1);
		struct dissected d;

		assert_non_null(b);
		for (uint32_t i = 0; i < caplen; i++)
			b[i] = (uint8_t)packet_random(&r);
		if (caplen && n & 1)
			b[0] = n & 2 ? 0x60 : (uint8_t)(0x40 | (b[0] & 0xf));
		if (caplen > 7 && n & 4) {
			b[4] = 0;
			b[6] = n & 8 ? 0 : 44;
			b[2] = 0;
		}
		if (dissect_ip(b, caplen, wirelen, &d) == 0) {
			assert_true(d.caplen <= d.len && d.caplen <= caplen &&
				    d.len <= wirelen);
			assert_true(d.len >= (d.key.version == 4 ? 20u : 40u));
			assert_true(d.l4 == 0 || d.l4 < d.caplen);
			assert_true((d.flags & DISSECT_PORTS) ? d.l4 + 4u <= d.caplen
							      : !d.key.sport && !d.key.dport);
			assert_int_equal(!(d.flags & DISSECT_V6), d.key.version == 4);
		}
		free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),	cmocka_unit_test(test_link_cut),
		cmocka_unit_test(test_mac),	cmocka_unit_test(test_v4),
		cmocka_unit_test(test_way),	cmocka_unit_test(test_v4_lengths),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_v4_fragments),
		cmocka_unit_test(test_v6),	cmocka_unit_test(test_v6_fragments),
		cmocka_unit_test(test_rewrite), cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
