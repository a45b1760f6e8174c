/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the fq queue, for its own files only: queue_fq.c (which flow goes
 * next), fq_table.c (which entry is a flow's), fq_gate.c (flow-max and host-max),
 * fq_inherit.c (going on from another one).
 */
#ifndef WEIR_SCHED_FQ_H
#define WEIR_SCHED_FQ_H

#include "sched/codel.h"
#include "sched/heap.h"

enum fq_where {
	FQ_IDLE,  /* in no list */
	FQ_NEW,	  /* in the list of new ones (RFC 8290 section 4.2) */
	FQ_OLD,	  /* in the list of old ones; with by_order, in the heap */
	FQ_DUE,	  /* a gate opened for it: it goes before all */
	FQ_ASIDE, /* waits at a gate; of a host: all its flows do */
};

/* What goes round: a flow, or a host with flows in a round of its own. */
struct fq_ent {
	struct fq_ent *next;
	int64_t deficit; /* bytes */
	uint8_t where;
};

struct fq_list {
	struct fq_ent *head, *tail;
};

struct fq_round {
	struct fq_list due, neu, old;
};

/* A token bucket, and the flows that wait for it, first come first served. */
struct fq_gate {
	struct bucket bucket;
	struct fq_list waiting;
	struct fq_flow *pending; /* let through, and not yet gone */
	uint32_t refs;		 /* flows with packets that have to pass it */
	uint32_t id;		 /* among the timers */
};

struct fq_host {
	struct fq_ent ent; /* in the round of hosts */
	struct fq_round round;
	uint32_t refs;	/* flows that are not idle */
	uint32_t aside; /* of them, at a gate */
};

struct fq_flow {
	struct fq_ent ent;
	struct pkt_list list;
	uint32_t packets;
	uint32_t foreign; /* packets of other flows in it */
	struct codel codel;
	struct fq_host *host; /* with a round of hosts; NULL when idle */
	struct fq_gate *flow_gate;
	struct fq_gate *host_gate; /* NULL when it has no packets */
};

/*
 * Which entry belongs to a 64-bit identity: sets of eight, so that two flows share an
 * entry only when nine meet in one set (the idea of cake's set-associative hash).
 */
#define FQ_WAYS 8
struct fq_table {
	void *mem;
	uint64_t *tag; /* of each entry; 0: never used */
	uint32_t sets; /* a power of two */
	bool used;     /* some entry is */
};

struct fq {
	struct queue_conf conf;
	struct fq_flow *flow;
	uint64_t *backlog; /* bytes of each flow, together for the search of the longest */
	struct fq_table flows;
	struct fq_host *host; /* with dual isolation */
	struct fq_table hosts;
	struct fq_gate *flow_gate, *host_gate;
	struct fq_table gates;
	struct timers timers; /* of gates with waiting flows and none pending */
	struct vheap order;   /* with by_order: flows by their head's seq */
	struct fq_round root;
	struct fq_flow *head; /* found by head(), for take(); NULL when that may have changed */
	uint64_t now;	      /* the latest time heard of */
	uint32_t n_flows;
	uint32_t emptied; /* where fq_withdraw() took a packet last */
	uint32_t packets;
	uint64_t bytes;
};

int fq_table_init(struct fq_table *t, uint32_t entries);

/* How good an entry is to be given to another identity: 0 it is in use. */
typedef unsigned fq_table_rank(struct fq *q, uint32_t entry, uint64_t now);
/*
 * The entry of `id`: its own, else the best free one of its set, which becomes its
 * own (*fresh), else the one that it shares with a stranger: always the same one.
 */
uint32_t fq_table_find(struct fq_table *t, struct fq *q, uint64_t id, uint64_t now,
		       fq_table_rank *rank, bool *fresh);

/* The flow entry for p, its host and its gates set; *foreign: it is another flow's. */
struct fq_flow *fq_flow_of(struct fq *q, const struct pkt *p, uint64_t now, bool *foreign);

static inline uint32_t fq_index(const struct fq *q, const struct fq_flow *f)
{
	return (uint32_t)(f - q->flow);
}

static inline bool fq_gated(const struct fq *q)
{
	return q->conf.flow_rate || q->conf.host_rate;
}

/* Takes the gates for a flow that gets its first packet, and leaves them when it is empty. */
void fq_gates_join(struct fq *q, struct fq_flow *f, const struct pkt *p, uint64_t now);
void fq_gates_leave(struct fq_flow *f);
/* f shares its entry with strangers: sets the host's gate for the packet at its head. */
void fq_gates_renew(struct fq *q, struct fq_flow *f, uint64_t now);
/* f, which waits at a gate, lost the packet at its head. */
void fq_gates_head_changed(struct fq *q, struct fq_flow *f, uint64_t now);
/* The gate at which f must wait before its next packet may go, or NULL. */
struct fq_gate *fq_gate_closed(struct fq_flow *f, uint64_t now);
/* f, taken out of the lists by the caller, waits at g. */
void fq_gate_wait(struct fq *q, struct fq_gate *g, struct fq_flow *f, uint64_t now);
/* The next flow for which a gate has opened by `now`; NULL: none. It is no more in any list. */
struct fq_flow *fq_gate_opened(struct fq *q, uint64_t now);
/* f sent `len` bytes (0: it lost its packets): charges its gates and lets the next come. */
void fq_gates_pass(struct fq *q, struct fq_flow *f, uint32_t len, uint64_t now);

/* Takes the first packet out of a flow that has some, whose turn it need not be. */
struct pkt *fq_lose(struct fq *q, struct fq_flow *f, uint64_t now);

/* queue_ops.withdraw and .inherit */
struct pkt *fq_withdraw(void *queue);
void fq_inherit(void *queue, const void *other, uint64_t now);

#endif
