/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue: the packets of one leaf class, and which of them comes next.
 *
 * One algorithm, one file, one const struct queue_ops at its end. A queue owns the
 * packets that it was given until it hands them back from take() or puts them on a
 * list of dropped ones with p->drop set. `now` (ns) never runs backwards.
 */
#ifndef WEIR_SCHED_QUEUE_H
#define WEIR_SCHED_QUEUE_H

#include "sched/bucket.h"
#include "sched/pkt.h"

struct fq_pool; /* sched/fq_pool.h */

enum queue_isolation {
	QUEUE_ISO_FLOWS,
	QUEUE_ISO_SRC,
	QUEUE_ISO_DST,
	QUEUE_ISO_DUAL_SRC,
	QUEUE_ISO_DUAL_DST,
};

struct queue_conf {
	uint32_t limit_packets; /* 1.. */
	uint64_t limit_bytes;	/* UINT64_MAX: none */
	uint64_t deadline;	/* ns; 0: none */
	uint64_t target;	/* ns, CoDel */
	uint64_t interval;	/* ns, CoDel */
	uint32_t mtu;		/* bytes: CoDel does nothing while no more than this waits */
	bool ecn;		/* mark packets that allow it instead of dropping them */
	/* fq */
	bool codel;    /* CoDel on each flow; otherwise tail drop only */
	bool by_order; /* among flows that may go: the packet that came first, not round robin
			*/
	uint32_t flows;
	uint32_t quantum; /* bytes */
	enum queue_isolation isolation;
	uint64_t flow_rate, flow_burst; /* bit/s, bytes; rate 0: none */
	uint64_t host_rate, host_burst;
	/* of the link; it was made for this queue among others. NULL: one of the queue's own */
	struct fq_pool *pool;
};

struct queue_ops {
	const char *name;
	/* NULL: no memory. The queue keeps its own copy of the configuration. */
	void *(*make)(const struct queue_conf *conf);
	void (*unmake)(void *q); /* the packets in it are forgotten: they are the pool's */
	/*
	 * Takes p. Those that have to go for it (it, or others) are put on `dropped`.
	 * True when what head() answers may have changed.
	 */
	bool (*enqueue)(void *q, struct pkt *p, uint64_t now, struct pkt_list *dropped);
	/*
	 * The packet that comes next; it stays the queue's. NULL: none may go, and *when
	 * says from when on one may (NEVER when there is none).
	 */
	struct pkt *(*head)(void *q, uint64_t now, uint64_t *when);
	/*
	 * Takes out the packet that head() gave for this `now`, its turn having come.
	 * p->drop == PKT_KEPT: it is to be sent (PKT_MARKED may have been set). Otherwise
	 * it is to be dropped, and head() is to be asked again.
	 */
	struct pkt *(*take)(void *q, uint64_t now);
	/* Takes out the packet at the head of the longest flow, to make room; NULL: empty. */
	struct pkt *(*shed)(void *q);
	/* Takes out some packet, of a flow the first; NULL: empty. For those who want all. */
	struct pkt *(*withdraw)(void *q);
	/* bytes that make() takes, the pool left out */
	size_t (*memory)(const struct queue_conf *conf);
	/*
	 * q, which is new, goes on from another queue of the same ops, from which all packets
	 * were taken out and whose flows and hosts have the same identities (struct pkt).
	 * What that one knows stays known as far as it means the same in q: see the
	 * files for what that is. `from` is as before. NULL: there is nothing to know.
	 */
	void (*inherit)(void *q, const void *from, uint64_t now);
};

extern const struct queue_ops queue_fifo;
extern const struct queue_ops queue_codel;
extern const struct queue_ops queue_fq;

/* Whether its deadline makes a packet too late to be sent: then p->drop says so. */
static inline bool queue_late(const struct queue_conf *conf, struct pkt *p, uint64_t now)
{
	if (!conf->deadline || now - p->arrival <= conf->deadline)
		return false;
	p->drop = PKT_DROP_DEADLINE;
	return true;
}

#endif
