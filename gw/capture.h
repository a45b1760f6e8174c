/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures: pcap and pcapng, micro- and nanoseconds, gzip-compressed or not, from
 * files or standard input, several at once in time order (capture_file.h reads them,
 * capture_source.h inflates). No more than a block of each capture is kept in memory.
 *
 * Time never runs backwards in what capture_next() gives: a packet stamped earlier
 * than one before it (in its own capture) is given the latest time so far, and
 * counted. A stamp that cannot be a time (before 1970, beyond 2106) is treated as one
 * that ran backwards, and counted of its own. A capture cut off in the middle gives the packets
 * so far, then counts as truncated (capture_stats), with a message.
 */
#ifndef WEIR_GW_CAPTURE_H
#define WEIR_GW_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gw/capture_file.h"
#include "qos/dissect.h"

struct capture;

struct capture_packet {
	uint64_t number; /* from 1, in the order given out */
	uint64_t when;	 /* ns since the epoch, never backwards */
	uint64_t stamp;	 /* as the capture has it; 0 or CAPTURE_TIME_MAX when beyond those */
	const uint8_t *data;
	uint32_t caplen, wirelen; /* caplen <= wirelen */
	int dlt;		  /* of the interface it came from */
	unsigned source;	  /* index of its capture in the list given to capture_open() */
	uint32_t interface;	  /* of that capture, from 0 on */
	/*
	 * The sender's MAC, and what else the capture's records say of the packet beside its
	 * bytes. Of its way, the frame may tell more: dissect_way().
	 */
	struct dissect_meta meta;
};

struct capture_stats {
	uint64_t packets;
	uint64_t backwards;	/* packets whose stamp ran backwards */
	uint64_t backwards_max; /* by how much at most, ns */
	uint64_t bad_stamps;	/* a fraction that is no fraction, before 1970, beyond 2106 */
	uint64_t bad_lengths;	/* more captured than there was on the wire */
	uint64_t truncated;	/* captures that could be read only in part */
	uint64_t broken; /* of them, those that did not just end in the middle of a packet */
	/* Of the files, compressed as they are; total 0: not known. */
	uint64_t bytes_read, bytes_total;
};

/*
 * Opens all of `names` ("-": standard input, once). NULL: one could not be read at
 * all, or has a link type that IP cannot be found in: one line in err that names it.
 */
struct capture *capture_open(const char *const *names, size_t n, char *err, size_t errsize);
void capture_close(struct capture *c);

/* The time of the packet that capture_next() will give first of all; false: there is none. */
bool capture_begins(const struct capture *c, uint64_t *when);
/* capture_source_stop_on() for all. */
void capture_stop_on(struct capture *c, int fd);

/*
 * The next packet; pk->data is valid until the next call. 1, 0 at the end. A capture
 * that turns out broken (cut off, or garbage after a good beginning) ends there; the
 * message is given to `warn` once.
 */
int capture_next(struct capture *c, struct capture_packet *pk,
		 void (*warn)(void *arg, const char *text), void *arg);

void capture_get_stats(const struct capture *c, struct capture_stats *s);
/*
 * The link type that an output must have to hold packets of all interfaces known so far: -1
 * when they differ. A pcapng may come to have more of them.
 */
int capture_dlt(const struct capture *c);
int capture_snaplen(const struct capture *c);
/* How many interfaces all captures have together, as far as is known. */
size_t capture_interfaces(const struct capture *c);

#endif
