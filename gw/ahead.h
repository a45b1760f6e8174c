/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading ahead: a thread of its own reads the captures, dissects each packet and hands
 * the packets over in batches, so that reading and inflating take no time of those who
 * work on the packets. What comes out is the same as without it, in the same order.
 *
 * No more than a few batches wait at any time; a batch is no larger than some hundred
 * packets or some hundred kilobytes, or is a single packet. Where no thread can be
 * had, ahead_next() reads itself.
 */
#ifndef WEIR_GW_AHEAD_H
#define WEIR_GW_AHEAD_H

#include "gw/capture.h"
#include "qos/dissect.h"

struct ahead;

struct ahead_packet {
	struct capture_packet pk; /* its data is the batch's */
	struct dissected d;	  /* with its flow's hash */
	const char *why; /* NULL, or why there is no IP packet in it; of d there is only a hash
			    of 0 */
	uint32_t ip;	 /* where in the data the IP packet begins */
};

/*
 * Reads from c until ahead_free(); until then c is nobody else's. `key` is that of the
 * matcher that the packets will be put to. mtu: packets larger than that are looked at as
 * large segments (segment_look()); 0: none is. NULL: no memory.
 */
struct ahead *ahead_new(struct capture *c, const uint8_t key[16], uint32_t mtu);
/* At any time: a reader that waits for a pipe is stopped. c may be closed afterwards. */
void ahead_free(struct ahead *a);

/*
 * The next packets, at least one: how many. They are there until the next call. 0: no
 * more come. What capture_next() has to tell is told before the packet that it gave
 * with it, by the thread that calls.
 */
size_t ahead_next(struct ahead *a, const struct ahead_packet **packets,
		  void (*warn)(void *arg, const char *text), void *arg);
/* Whether packets are missing since there was no memory for them. */
bool ahead_failed(const struct ahead *a);
/*
 * As after the last packet that ahead_next() gave; a packet read already, but not given,
 * is not among `packets`, though it may be in the other counts.
 */
void ahead_get_stats(const struct ahead *a, struct capture_stats *s);

#endif
