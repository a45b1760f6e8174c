/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By which interface a frame went and which way, for the link types whose header tells it
 * (https://www.tcpdump.org/linktypes.html). "In" is what the host received, also when the
 * frame was for others; "out" what it sent.
 */
#include "qos/dissect.h"

#include <pcap/dlt.h>

#include <string.h>

enum {
	LT_PPP_WITH_DIR = 204,
	LT_C_HDLC_WITH_DIR = 205,
	LT_FRELAY_WITH_DIR = 206,
	PACKET_OUTGOING_ = 4,
	IFNAME_PKTAP = 24,
};

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static uint8_t outgoing(bool out)
{
	return out ? DISSECT_OUT : DISSECT_IN;
}

/* flags bit 0: received, bit 1: sent; they and the rest in the byte order of the Mac. */
static void pktap(const uint8_t *p, struct dissect_way *way)
{
	uint8_t flags = !p[0] && !p[1] ? p[39] : p[36];

	if (flags & 3)
		way->direction = outgoing(flags & 2);
	if (!p[12])
		return;
	way->ifname = (const char *)p + 12;
	way->ifname_len = (uint8_t)strnlen(way->ifname, IFNAME_PKTAP);
}

void dissect_way(int dlt, const uint8_t *frame, uint32_t caplen, struct dissect_way *way)
{
	switch (dlt) {
	case DLT_LINUX_SLL:
		if (caplen >= 16)
			way->direction = outgoing(get16(frame) == PACKET_OUTGOING_);
		break;
	case DLT_LINUX_SLL2:
		if (caplen < 20)
			break;
		way->ifindex = get32(frame + 4);
		way->direction = outgoing(frame[10] == PACKET_OUTGOING_);
		break;
	case LT_PPP_WITH_DIR:
	case LT_C_HDLC_WITH_DIR:
	case LT_FRELAY_WITH_DIR:
	case DLT_PPP_PPPD:
		if (caplen >= 1)
			way->direction = outgoing(frame[0]);
		break;
	case DLT_SLIP:
		if (caplen >= 16)
			way->direction = outgoing(frame[0]);
		break;
	case DLT_PKTAP:
		if (caplen >= DISSECT_PKTAP_LEAST)
			pktap(frame, way);
		break;
	default:
		break;
	}
}
