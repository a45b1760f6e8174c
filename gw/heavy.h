/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hosts are behind most of a stream of packets, in bounded memory: the space-saving
 * algorithm (A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and
 * Top-k Elements in Data Streams", 2005). A host that has no place takes that of the one with
 * the least, and its count with it, which is noted as error. So for each host that is there,
 * count - error <= true count <= count, and each host with more than total / HEAVY_PLACES is
 * there.
 */
#ifndef WEIR_GW_HEAVY_H
#define WEIR_GW_HEAVY_H

#include <stdint.h>

#define HEAVY_PLACES 64u

struct heavy_host {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16];
};

struct heavy {
	uint64_t key[HEAVY_PLACES]; /* of the host: another one may have the same */
	uint64_t count[HEAVY_PLACES], error[HEAVY_PLACES];
	struct heavy_host host[HEAVY_PLACES];
	unsigned n;
	uint64_t total;
};

/* All zero: nothing was counted. */
void heavy_count(struct heavy *h, const struct heavy_host *host);
/*
 * The sender of an IP packet of which `caplen` bytes are there. 0, or -1: it has no header that
 * can be read.
 */
int heavy_sender(const uint8_t *ip, uint32_t caplen, struct heavy_host *host);
/*
 * The next of those that have `least` and more for sure, from place *i on, which goes on behind
 * it; in no order. The place, or -1.
 */
int heavy_next(const struct heavy *h, uint64_t least, unsigned *i);
/* How much a place has for sure. */
static inline uint64_t heavy_sure(const struct heavy *h, int i)
{
	return h->count[i] - h->error[i];
}

#endif
