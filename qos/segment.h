/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Large segments: one packet that a host or its network card made of several (GRO), or leaves
 * to the card to cut (TSO, GSO). The line has the pieces, each with headers of its own.
 *
 * Below SEGMENT_WHOLE_FROM a link's packets are cut before they are scheduled: by the kernel
 * for the gateway, here for a replay. From that rate on they are scheduled whole, and pay for
 * their pieces. dissected.segment says how large the pieces are.
 *
 * The gateway is told the interface's MTU. A capture does not say how large the pieces were;
 * of TCP its handshake does (the MSS option, RFC 9293 section 3.7.1, without options of TCP,
 * RFC 6691), otherwise the MTU of the line is taken.
 */
#ifndef WEIR_QOS_SEGMENT_H
#define WEIR_QOS_SEGMENT_H

#include "qos/dissect.h"
#include "qos/policy.h"

#define SEGMENT_WHOLE_FROM UINT64_C(500000000) /* bit/s: 64 KB take about 1 ms */
#define SEGMENT_MTU 1500u		       /* of the line, unless said */
#define SEGMENT_BYTES 65536u		       /* no piece is larger */
#define SEGMENT_MOST (8u * SEGMENT_BYTES)      /* bytes of what is cut: as Linux makes them */

/* Whether large segments are scheduled whole on this link. */
bool segment_whole(const struct policy_link *l);

/* What the line counts for a packet: for a large segment, all its pieces. */
uint64_t segment_charge(const struct policy_link *l, const struct dissected *d);

/*
 * Into how many packets it is to be cut; 1: it is none that can be (not TCP, or a fragment, its
 * TCP header is not there, or it is larger than SEGMENT_MOST).
 */
uint32_t segment_count(const struct dissected *d);
/*
 * The ith of them, from 0 on: its bytes, as far as they were captured, are put together in
 * buf[SEGMENT_BYTES] as a network card would, but for the checksum of TCP.
 */
void segment_piece(const struct dissected *d, uint32_t i, uint8_t *buf,
		   struct dissected *piece);

/* What is known of the MSS of connections: a bounded table, whose loss costs no more than that.
 */
struct segment_mss;
/* key: of the hashes that the packets have, flow_load_key()'s bytes. NULL: no memory. */
struct segment_mss *segment_mss_new(const uint8_t key[16]);
void segment_mss_free(struct segment_mss *s);
/*
 * Looks at a packet that has its hash: a handshake is learned from, and one larger than mtu
 * gets its `segment`, if it is larger than its connection's packets can be.
 */
void segment_look(struct segment_mss *s, struct dissected *d, uint32_t mtu);

#endif
