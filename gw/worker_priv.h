/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker from inside, for worker*.c only. */
#ifndef WEIR_GW_WORKER_PRIV_H
#define WEIR_GW_WORKER_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "gw/held.h"
#include "gw/unread.h"
#include "gw/ifname.h"
#include "gw/worker.h"

struct call {
	void (*fn)(struct worker *w, void *arg);
	void *arg;
};

/*
 * A queue of the kernel's and what is known of it. Packets of classes that are promised
 * something have one of their own where the kernel can tell them apart (protect.h): it is read
 * first, and what floods the other one costs them no place.
 */
enum { LANE_FIRST, LANE_REST, LANES };
struct lane {
	struct worker *worker;
	struct nfq *queue; /* NULL: there is none, or it was closed */
	struct nfq_ops ops;
	struct nfq_stats last; /* of a queue that was closed */
	struct unread unread;
	uint64_t noted;	   /* when the kernel's last id was looked at */
	uint64_t n_unread; /* then */
	uint32_t held;	   /* packets that came by it and wait */
	uint8_t number;	   /* LANE_* */
	bool more;	   /* the last receive found as much as it takes */
};

struct worker {
	const struct policy *policy;
	const struct policy_link *link;
	struct engine *engine;
	const uint32_t *classid; /* not NULL: others schedule, and nothing waits here */
	struct lane lane[LANES];
	struct held held;
	struct worker_health health;
	struct worker_load load;
	uint64_t load_looked, load_missed;
	int alarm;
	uint64_t now;		  /* of the packet that comes */
	int watch;		  /* of the queues' ids; -1: they cannot be seen */
	uint64_t received;	  /* when packets came last */
	uint64_t awake_by;	  /* when the thread is to run again */
	unsigned asked;		  /* enum dissect_known: what the link's classes ask for */
	struct dissect_meta meta; /* of the packet that is worked on */
	struct ifname names;
	uint32_t generation; /* of the engine, for verdicts that fail later */
	atomic_uint mtu;
	bool closing; /* nothing is scheduled any more, only let go */
	bool holding; /* nothing is let go */

	pthread_t thread;
	bool started;
	int wake; /* eventfd */
	atomic_bool called;
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct call call; /* fn NULL: none */
	bool stop, ended;
};

/* worker_load.c: a packet was dropped; one came, after it had waited; and once a round. */
void worker_load_dropped(struct worker *w, const struct lane *of, const struct held_packet *p);
void worker_load_came(struct lane *l, const struct nfq_packet *p, uint64_t waited);
void worker_load_look(struct worker *w, uint64_t now);

#define WORKER_BATCH 64u /* packets taken from a queue before verdicts are sent */

void lane_make(struct worker *w, unsigned number, struct nfq *queue,
	       void (*packet)(void *arg, const struct nfq_packet *p),
	       void (*failed)(void *arg, uint64_t token, int error));
/* What has come by one queue. How many messages, or -1 with errno. */
int lane_take(struct lane *l);
/* All of a queue was read by then: what comes after the last of it came after that. */
void lane_note_empty(struct lane *l, uint64_t at);
/* What is in the kernel and was not read, as far as it can be seen. */
void worker_look_unread(struct worker *w, uint64_t now);
int worker_flush(struct worker *w);
/* Unbound, the rule's bypass lets packets pass. */
void worker_close_queues(struct worker *w);

/* 0, or -1: it cannot be classified. */
int worker_dissect(struct worker *w, const uint8_t *data, uint32_t caplen, uint32_t len,
		   struct dissected *d);
/*
 * What the kernel says of the packet beside its bytes, where a class of the link asks for it;
 * for as long as no other packet is worked on.
 */
void worker_know(struct worker *w, struct dissected *d, uint32_t mark, uint32_t indev,
		 const uint8_t *mac);
/* A packet leaves its place; by which queue it came is in *of. */
const struct held_packet *worker_take_held(struct worker *w, uint32_t place, struct lane **of);
/* The engine has decided about a packet. */
void worker_let_go(struct worker *w, const struct engine_event *ev);
/* All that the engine has to say at `now`. */
void worker_poll(struct worker *w, uint64_t now);
/* The kernel schedules: it is told the class, and the packet goes on. */
void worker_hand_over(struct lane *l, uint32_t id, uint32_t mark, const struct dissected *d);

#endif
