/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packets of one capture file: pcap (microseconds, nanoseconds, and the modified one with
 * interface and packet type in each record) and pcapng, in either byte order.
 *
 * libpcap is not used: it gives a file one link type and one snapshot length and refuses any
 * pcapng that has interfaces of several, which are what one gets from several interfaces at
 * once. Here each interface of each section has its own link type, snapshot length, resolution
 * and offset of time. Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 *
 * Nothing in a file is believed: lengths are bounded by what is there and by CAPTURE_BLOCK_MAX,
 * and memory by the size of the largest block and the number of interfaces.
 */
#ifndef WEIR_GW_CAPTURE_FILE_H
#define WEIR_GW_CAPTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw/capture_source.h"
#include "qos/dissect.h"

/* Bytes of a pcapng block, and of a packet of a pcap file, as libpcap bounds them. */
#define CAPTURE_BLOCK_MAX (UINT32_C(16) << 20)
#define CAPTURE_PACKET_MAX UINT32_C(262144)
/* What a pcap file can hold, and all that is believed: ns, some time in 2106. */
#define CAPTURE_TIME_MAX (((uint64_t)1 << 32) * 1000000000 - 1)

struct capture_file;

struct capture_record {
	const uint8_t *data;
	uint32_t caplen, wirelen; /* as the file has them: wirelen may be the smaller */
	int dlt;		  /* a DLT_ value */
	uint32_t interface;	  /* of the file, from 0 on, sections counted through */
	/* ns since the epoch; 0 or CAPTURE_TIME_MAX when it is beyond those */
	uint64_t stamp;
	bool bad_stamp; /* a fraction that is none, no time at all, or beyond belief */
	bool believed;	/* `stamp` is a time */
	struct dissect_way
		way; /* as the file's records tell it; names live as long as the file */
};

/*
 * Reads what comes before the first packet, so that the interfaces known by then are known.
 * NULL with one line in err (without the file's name), empty when there is no memory. The
 * source stays the caller's, and is to be freed after the file.
 */
struct capture_file *capture_file_open(struct capture_source *source, char *err,
				       size_t errsize);
void capture_file_close(struct capture_file *f);

/*
 * The next packet; its data is there until the next call. 1, 0 at a good end, -1 when nothing
 * more can be read: capture_file_why() says why, capture_file_cut() whether the file just ends
 * too early.
 */
int capture_file_next(struct capture_file *f, struct capture_record *rec);
const char *capture_file_why(const struct capture_file *f);
bool capture_file_cut(const struct capture_file *f);

/* The interfaces known so far. dlt: of the ith; at least one is there. */
size_t capture_file_interfaces(const struct capture_file *f);
int capture_file_dlt(const struct capture_file *f, size_t i);
/* The largest snapshot length of them, 0 where one has none. */
uint32_t capture_file_snaplen(const struct capture_file *f);

#endif
