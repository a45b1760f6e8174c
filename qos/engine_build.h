/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine from inside, for engine.c (driving), engine_build.c and engine_take.c only. */
#ifndef WEIR_QOS_ENGINE_BUILD_H
#define WEIR_QOS_ENGINE_BUILD_H

#include "qos/engine.h"
#include "sched/heap.h"
#include "sched/sched.h"
#include "sched/tree.h"

#define NO_PARENT UINT32_MAX
#define NO_WAITING UINT32_MAX

/* What is kept of a packet while it waits, beside its descriptor; its number is pkt.id. */
struct waiting {
	uint64_t id; /* the caller's */
	uint32_t slot;
	union {
		uint32_t dscp; /* in use */
		uint32_t next; /* free */
	};
};

/* What is kept of a class as packets pass, by its index. Leaves have it in their account. */
struct live {
	uint64_t max_latency, over_latency;
	uint64_t bytes, bytes_max;
	uint32_t backlog, backlog_max;
	uint32_t parent;
};

struct elink {
	const struct policy_link *link;
	struct tree *tree;
	struct account *account; /* by the class's index */
	struct live *live;	 /* likewise */
	struct waiting *waiting;
	uint32_t room, fresh, free; /* of `waiting` */
	struct bucket control;	    /* what may go by link->control.class */
	struct account gone;	    /* what leaves counted that another policy had */
	int64_t delays_room;	    /* see engine_delays_memory() */
};

struct engine {
	uint64_t now;
	struct match *match;
	struct elink *link;
	struct elink **by_address; /* of their policy_link: to find one in log n */
	uint32_t n_link;
	/* by the number of a link: when its tree is to be asked again */
	struct timers due;
	uint64_t n_waiting;
	uint32_t flows_max;
	uint8_t key[16]; /* of the hashes */
	struct engine_stats stats;
	/* events that came to be outside engine_poll(), from `told` on */
	uint32_t told, n_pending;
	struct engine_event *pending;
	struct account none; /* of a class that is not of this engine */
};

/*
 * What the histograms of a link's classes may take together, in bytes. Delays of one class
 * spread over some ten powers of two; a link has room for all of them in sixteen.
 */
size_t engine_delays_memory(const struct policy_link *l);

/* A packet that the tree gave up is dropped: counted, and told. */
void engine_drop_event(struct engine *e, struct elink *l, struct pkt *p, uint32_t leaf,
		       struct engine_event *ev);

#endif
