/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a link holds: for every packet that waits in the kernel, its id there, its mark,
 * where it came from, and the copy of its headers by which another policy can classify it
 * again. A fixed number of places, taken at set-up; the number of a place is the packet's id
 * for the engine.
 */
#ifndef WEIR_GW_HELD_H
#define WEIR_GW_HELD_H

#include "gw/nfq.h"

#define HELD_NONE UINT32_MAX

struct held_packet {
	uint32_t id, mark, len;
	uint32_t indev; /* as in nfq_packet */
	uint8_t mac[6];
	bool has_mac;
	uint8_t lane; /* the owner's: by which of its queues it came */
	union {
		uint32_t caplen; /* in use */
		uint32_t next;	 /* free */
	};
	uint8_t data[NFQ_COPY];
};

struct held {
	struct held_packet *place;
	uint32_t size, fresh, free;
	uint64_t packets, bytes, packets_max;
};

/* 0, or -1: no memory. Pages that were never used take none. */
int held_init(struct held *h, uint32_t size);
void held_fini(struct held *h);
/* Keeps a packet. Its place, or HELD_NONE: all are taken. */
uint32_t held_put(struct held *h, const struct nfq_packet *p);
/* Gives a place back; what was there, but caplen, stays readable until the next held_put(). */
const struct held_packet *held_take(struct held *h, uint32_t place);

#endif
