/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CoDel: K. Nichols, V. Jacobson, A. McGregor, J. Iyengar, RFC 8289.
 *
 * The RFC writes a dequeue function that drops packets until one may go. Here the
 * packets are offered one at a time, because the one behind a dropped packet may have
 * another length and find a bucket without enough tokens: codel_offer() says what
 * becomes of a packet whose turn has come, and remembers where in the RFC's function
 * it stands.
 *
 * With ECN (RFC 8289 section 3, RFC 8290 section 5.2.1) a packet that allows it is
 * marked and sent where another would be dropped.
 */
#ifndef WEIR_SCHED_CODEL_H
#define WEIR_SCHED_CODEL_H

#include "sched/queue.h"

enum codel_phase {
	CODEL_FRESH,   /* a new call of the RFC's deque() */
	CODEL_LOOP,    /* within it, in the loop of the dropping state, behind a drop */
	CODEL_ENTERED, /* within it, behind the drop that began the dropping state */
};

/* All zero: nothing seen yet. Names as in the RFC. */
struct codel {
	uint64_t first_above_time; /* ns; 0: not above target */
	uint64_t drop_next;	   /* ns */
	uint32_t count, lastcount;
	bool dropping;
	uint8_t phase;
};

/*
 * p's turn has come at `now`, and `left` bytes wait behind it in the queue. Sets
 * p->drop to PKT_DROP_AQM or leaves it PKT_KEPT; may set PKT_MARKED.
 */
void codel_offer(struct codel *c, const struct queue_conf *conf, struct pkt *p, uint64_t now,
		 uint64_t left);

/*
 * A queue goes on from another one's state: if it has the same target and interval, for
 * `count` and the times are made with them; with others it begins anew.
 */
static inline void codel_inherit(struct codel *c, const struct queue_conf *conf,
				 const struct codel *from, const struct queue_conf *from_conf)
{
	if (conf->target == from_conf->target && conf->interval == from_conf->interval)
		*c = *from;
}

#endif
