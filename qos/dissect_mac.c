/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sender's MAC address of a captured frame, where its link type has one. */
#include "qos/dissect.h"

#include <pcap/dlt.h>
#include <string.h>

enum {
	ETHER_ADDR = 6,
	ETHER_SRC = 6, /* behind the receiver's */
	/* LINKTYPE_LINUX_SLL: packet type, ARPHRD_, length of the address, eight bytes of it */
	SLL_TYPE = 0,
	SLL_LEN = 4,
	SLL_ADDR = 6,
	/* LINKTYPE_LINUX_SLL2: protocol, 0, interface, ARPHRD_, packet type, length, address */
	SLL2_TYPE = 10,
	SLL2_LEN = 11,
	SLL2_ADDR = 12,
	SLL_ADDR_SIZE = 8,
	OUTGOING = 4, /* packet type: the address is this host's own, not that of who sent it */
};

#ifndef DLT_LINUX_SLL2
#define DLT_LINUX_SLL2 276
#endif

static bool take(const uint8_t *frame, uint32_t caplen, uint32_t at, uint8_t mac[6])
{
	if (caplen < at + ETHER_ADDR)
		return false;
	memcpy(mac, frame + at, ETHER_ADDR);
	return true;
}

bool dissect_mac(int dlt, const uint8_t *frame, uint32_t caplen, uint8_t mac[6])
{
	switch (dlt) {
	case DLT_EN10MB:
		return take(frame, caplen, ETHER_SRC, mac);
	case DLT_LINUX_SLL:
		return caplen >= SLL_ADDR + SLL_ADDR_SIZE && frame[SLL_LEN] == 0 &&
		       frame[SLL_LEN + 1] == ETHER_ADDR && frame[SLL_TYPE + 1] != OUTGOING &&
		       take(frame, caplen, SLL_ADDR, mac);
	case DLT_LINUX_SLL2:
		return caplen >= SLL2_ADDR + SLL_ADDR_SIZE && frame[SLL2_LEN] == ETHER_ADDR &&
		       frame[SLL2_TYPE] != OUTGOING && take(frame, caplen, SLL2_ADDR, mac);
	default:
		return false;
	}
}
