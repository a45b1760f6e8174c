/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: the thread that owns one link, its queue and its engine outright.
 *
 * It waits for packets and for the time at which the engine has something to do, and for
 * nothing else. Others reach it by worker_call(): a function that runs in its thread,
 * between two packets, while the caller waits.
 */
#ifndef WEIR_GW_WORKER_H
#define WEIR_GW_WORKER_H

#include "gw/nfq.h"
#include "gw/shed.h"
#include "qos/engine.h"

struct worker;

struct worker_conf {
	const struct policy *policy; /* must live until another is taken over */
	const struct policy_link *link;
	struct engine *engine; /* of that link only; the worker's from now on */
	struct nfq *queue;     /* likewise */
	struct nfq *first;     /* likewise; NULL, or one that is read before `queue` */
	unsigned held_max;     /* packets */
	int alarm;	       /* an eventfd that is told of an overload; -1: nobody is */
	uint32_t mtu;	       /* of the interface: what large segments are cut to */
	/*
	 * NULL, or for each class of the link (policy_class.index) the class of the kernel's
	 * HTB that schedules its packets: the worker only classifies, and lets each packet go
	 * at once with that as its priority. Must live until another is taken over.
	 */
	const uint32_t *classid;
};

#define WORKER_STALL UINT64_C(250000000)       /* ns */
#define WORKER_UNREAD_LATE UINT64_C(100000000) /* ns */

/* The link's own health, beside what the engine counts. All counts since the start. */
struct worker_health {
	struct nfq_stats queue;		   /* of both queues together */
	uint64_t first;			   /* packets that came by the one that is read first */
	uint64_t held_packets, held_bytes; /* now; IP bytes */
	uint64_t held_packets_max;
	uint64_t vanished;	     /* packets that went while they were held */
	uint64_t twice;		     /* packets that came although they had been here */
	uint64_t undissected;	     /* accepted at once: no IP header that can be believed */
	uint64_t segments;	     /* packets of several segments */
	uint64_t wakeups;	     /* for something that was due */
	uint64_t late_sum, late_max; /* ns: how late those were */
	uint64_t late_hist[32]; /* by powers of two of 1 us: [0] below 1 us, [1] below 2, ... */
	uint64_t cpu;		/* ns of processor time of the thread */
	bool realtime;		/* the thread goes before all that are not of real time */
	uint64_t unread;	/* packets in the kernel that were not read yet; now */
	uint64_t unread_max;	/* at most, as far as it was seen */
	uint64_t unread_wait;	/* ns: how long a packet waited to be read, at most */
	uint64_t unread_late;	/* packets that waited for WORKER_UNREAD_LATE and more */
	uint64_t stalls;	/* times at which the thread did not run for WORKER_STALL */
	uint64_t stall_max;	/* ns: the longest that it did not run when it was to */
	int error;		/* errno that ended it; 0: it runs */
};

/* What the queue for the rest was burdened with, since `since`: as in shed_seen. */
struct worker_load {
	uint64_t since, ns;
	uint64_t unread, lost, dropped;
	struct heavy heavy;
};

/* NULL with one line in err. The thread begins with worker_start(). */
struct worker *worker_new(const struct worker_conf *c, char *err, size_t errsize);
int worker_start(struct worker *w, char *err, size_t errsize);

/*
 * Runs fn in the worker's thread and returns when it has. fn must be short: the link waits.
 * When the thread has ended (error), it runs in the caller's.
 */
void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

/* Only in a function called by worker_call(): */
const struct engine *worker_engine(const struct worker *w);
const struct policy_link *worker_link(const struct worker *w);
void worker_get_health(struct worker *w, struct worker_health *h);
/* And it begins anew. */
void worker_take_load(struct worker *w, struct worker_load *to);

/*
 * A new policy (classid: as in worker_conf) takes over, between two packets: what waits goes
 * into `engine`, in the order in which it came, with the time at which it came; classes of
 * the same path go on as engine_inherit() says. With a classid, what waits goes to the kernel
 * at once, in that order, before all that comes. `left` is `room` places for what waits:
 * WORKER_LEFT(held_max) hold all that can. Returns the old engine, for the caller to free.
 */
#define WORKER_LEFT(held_max) ((size_t)(held_max) + ENGINE_UNPOLLED_MAX)
struct engine *worker_take_over(struct worker *w, const struct policy *p,
				const struct policy_link *link, struct engine *engine,
				const uint32_t *classid, struct engine_left *left, size_t room);
/*
 * A set of addresses holds something else (match_set()). Only in a function called by
 * worker_call().
 */
void worker_set(struct worker *w, size_t set, const struct addrset *to);
/*
 * The classes of the kernel alone: not NULL, and nor was it before. Only in a function called
 * by worker_call(), as the next one.
 */
void worker_set_classid(struct worker *w, const uint32_t *classid);
/*
 * While it holds, packets come and wait, and none leaves: somebody else is still sending what
 * came before them.
 */
void worker_hold(struct worker *w, bool hold);
/*
 * With it: whether large segments are taken whole from now on. health.queue says what the
 * kernel made of that. Only in a function called by worker_call().
 */
void worker_set_gso(struct worker *w, bool gso);
void worker_set_mtu(struct worker *w, uint32_t mtu); /* from any thread */

/*
 * Accepts all that is held, in order, and ends the thread. The rule must still be there or have
 * gone before, and stays the caller's to remove. worker_free() closes the queue.
 */
void worker_stop(struct worker *w);
void worker_free(struct worker *w);

#endif
