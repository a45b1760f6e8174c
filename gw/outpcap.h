/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `-o OUT.pcap`: the packets that left, as a pcap file with nanoseconds, written
 * through libpcap; and the holder that keeps packets until they leave.
 */
#ifndef WEIR_GW_OUTPCAP_H
#define WEIR_GW_OUTPCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outpcap;

/*
 * `name` "-" is standard output. dlt: the link type of every packet to come, or -1
 * when they differ: the file is then raw IP, and holds each packet from ip_offset on.
 * NULL with one line in err.
 */
struct outpcap *outpcap_open(const char *name, int dlt, int snaplen, char *err, size_t errsize);
/* ip_offset: of the IP header in data; only read in a raw IP file. caplen <= wirelen. */
void outpcap_write(struct outpcap *o, uint64_t when_ns, const uint8_t *data, uint32_t caplen,
		   uint32_t wirelen, uint32_t ip_offset);
/* 0, or -1 with one line in err when not all could be written. Frees o in any case. */
int outpcap_close(struct outpcap *o, char *err, size_t errsize);

/* Copies of packets, by the id that the caller gave them. */
struct holder;

struct held {
	uint64_t id;
	uint32_t caplen, wirelen, ip_offset;
	uint8_t data[];
};

/* max_bytes: of packets held at once, overhead included. NULL: no memory. */
struct holder *holder_new(size_t max_bytes);
void holder_free(struct holder *h);
/* 0; -1 when that would be more than max_bytes, or there is no memory. id: not held now. */
int holder_put(struct holder *h, uint64_t id, const uint8_t *data, uint32_t caplen,
	       uint32_t wirelen, uint32_t ip_offset);
/* The packet, which then is the caller's to free(); NULL when it is not held. */
struct held *holder_take(struct holder *h, uint64_t id);
size_t holder_count(const struct holder *h);

#endif
