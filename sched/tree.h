/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree of one link: classes, their schedulers, buckets and queues, joined.
 *
 * It is built once (tree_new, tree_add, tree_ready) and then driven with time as
 * an argument:
 *
 *     tree_enqueue(t, leaf, pkt, now)     a packet comes
 *     tree_dequeue(t, now, &when)         a packet to send now, or NULL and when to ask again
 *     tree_reap(t)                        packets dropped by either, until NULL
 *
 * `now` never runs backwards. All memory is taken by tree_ready().
 *
 * What leaves next is decided in this order (DESIGN, "min", "max", "weight"):
 *  0. a leaf that goes ahead;
 *  1. a class within its `min` whose own and whose parents' `max` allow it, the one
 *     that became able to go first;
 *  2. else by the schedulers from the root down, classes that `max` keeps back
 *     standing aside with their turn kept.
 * The link's own bucket is asked last. A packet sent by (1) is charged to the
 * buckets of its class and of all above, not to shares by weight above the class
 * whose `min` it was; one sent by (2) is charged to `max` and to weights, not to `min`.
 */
#ifndef WEIR_SCHED_TREE_H
#define WEIR_SCHED_TREE_H

#include "sched/bucket.h"
#include "sched/pkt.h"

#define TREE_DEPTH_MAX 9 /* the root and eight levels of classes */
#define TREE_NONE UINT32_MAX

enum tree_sched { TREE_FIFO, TREE_FAIR, TREE_DRR, TREE_WFQ, TREE_PRIORITY, TREE_SCHED_N };
enum tree_queue { TREE_Q_FIFO, TREE_Q_CODEL, TREE_Q_FQ, TREE_QUEUE_N };
enum tree_isolation {
	TREE_ISO_FLOWS,
	TREE_ISO_SRC,
	TREE_ISO_DST,
	TREE_ISO_DUAL_SRC,
	TREE_ISO_DUAL_DST
};

/* A token bucket wanted; rate 0: none. bit/s and bytes. */
struct tree_bucket_conf {
	uint64_t rate, burst;
};

struct tree_class_conf {
	uint32_t weight;  /* 1..1,000,000 */
	int32_t priority; /* below a TREE_PRIORITY parent; lower first */
	struct tree_bucket_conf min, max;
	/*
	 * A leaf with a min that goes before all other classes whenever that allows it; beyond
	 * it, it waits: it has no turn. For what somebody else bounds.
	 */
	bool ahead;

	bool leaf;
	enum tree_sched sched; /* not a leaf */

	/* a leaf */
	enum tree_queue queue;
	uint32_t limit_packets;	   /* 1..; required */
	uint64_t limit_bytes;	   /* 0: none */
	uint64_t target, interval; /* ns, CoDel */
	uint32_t mtu;		   /* bytes: CoDel lets the queue alone below one packet */
	bool ecn;
	uint32_t flows, quantum; /* fq; flows is rounded up to a power of two, at least 8 */
	enum tree_isolation isolation;
	struct tree_bucket_conf flow_max, host_max;
	uint64_t deadline; /* ns, 0: none */
};

struct tree;

/*
 * A tree with its root. `packets` bounds the descriptors that wait in it at once;
 * `mtu` is the largest ordinary charged length (DRR quanta are built on it).
 * root: min is ignored, max is the link's own bucket. NULL: no memory.
 */
struct tree *tree_new(const struct tree_class_conf *root, size_t packets, uint32_t mtu,
		      uint64_t now);
/*
 * Adds a class below `parent` (0 is the root). Returns its number, counting up from
 * 1, or TREE_NONE: no memory, too deep, parent is a leaf, or a value out of range.
 */
uint32_t tree_add(struct tree *t, uint32_t parent, const struct tree_class_conf *c);
/* Ends building: sizes every scheduler and queue. 0, or -1: no memory, or an inner class
 * without children. */
int tree_ready(struct tree *t);
void tree_free(struct tree *t);

/* A descriptor to fill in (arrival, id, flow, host, len, src, dst, flags), or NULL: the pool is
 * empty. */
struct pkt *tree_alloc(struct tree *t);
void tree_release(struct tree *t, struct pkt *p);

/*
 * Takes p over into a leaf. What has to be dropped for it (itself, or others of its
 * leaf) is to be fetched with tree_reap().
 */
void tree_enqueue(struct tree *t, uint32_t leaf, struct pkt *p, uint64_t now);

/*
 * The pool is empty: drops packets at the head of the longest queue, for
 * tree_reap() with PKT_DROP_MEMORY. The arriving packet may then be tried again.
 */
void tree_relieve(struct tree *t, uint64_t now);

/*
 * The packet that leaves now, given back to the caller with its class in *leaf, or
 * NULL. With NULL, *when is the earliest time at which another call can give one
 * if nothing is enqueued before: NEVER when nothing waits. Packets dropped on the
 * way (CoDel, deadline) are to be fetched with tree_reap() in either case.
 */
struct pkt *tree_dequeue(struct tree *t, uint64_t now, uint32_t *leaf, uint64_t *when);

/* A packet that was dropped, with p->drop saying why and *leaf its class; NULL: no more. */
struct pkt *tree_reap(struct tree *t, uint32_t *leaf);

/*
 * By which right the packet of the last tree_dequeue() went: 0 its turn, else the depth
 * (1: below the root) of the class whose `min` it was.
 */
uint8_t tree_by_min(const struct tree *t);

/*
 * A packet that tree_dequeue() gave did not leave after all: its bytes go back into the
 * buckets that they came from. by_min: as tree_by_min() said of it.
 */
void tree_give_back(struct tree *t, uint32_t leaf, uint32_t len, uint8_t by_min, uint64_t now);

/* Takes out any packet that waits, with its leaf in *leaf; NULL: none does. */
struct pkt *tree_withdraw(struct tree *t, uint32_t *leaf, uint64_t now);

/*
 * The buckets of a class become what they are in another tree's class at `now`: never
 * fuller than there, nor than their own burst. A bucket that was not there stays full.
 */
void tree_inherit(struct tree *t, uint32_t class, const struct tree *from, uint32_t from_class,
		  uint64_t now);

/*
 * A leaf in which nothing waits yet goes on from one in another tree from which all was
 * withdrawn: CoDel's state, and the flows with theirs and with their flow-max and host-max
 * buckets, as far as the queues are of the same kind (queue_ops.inherit). In both trees a
 * flow and a host must have the same identities (struct pkt).
 */
void tree_inherit_flows(struct tree *t, uint32_t leaf, const struct tree *from,
			uint32_t from_leaf, uint64_t now);

struct tree_state {
	uint32_t packets; /* waiting now, in it and below it */
	uint64_t bytes;
};
void tree_get_state(const struct tree *t, uint32_t class, struct tree_state *s);

/* Bytes taken at set-up, all of it. */
size_t tree_memory(const struct tree *t);

#endif
