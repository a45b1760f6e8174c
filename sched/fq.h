/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the fq queue, for its own files only: queue_fq.c (which flow goes next),
 * fq_list.h (its lists), fq_table.c (which entry is a flow's), fq_gate.c (flow-max and
 * host-max), fq_heap.c (their times), fq_inherit.c (going on from another one), fq_rest.c (what
 * is forgotten, and when), fq_pool.h (where all of it is).
 */
#ifndef WEIR_SCHED_FQ_H
#define WEIR_SCHED_FQ_H

#include "sched/codel.h"
#include "sched/fq_pool.h"

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
	union {
		struct fq_ent *prev; /* not of the first of a list, nor of those that wait */
		uint32_t place;	     /* in the heap */
	};
	int64_t deficit; /* bytes */
	uint8_t where;
	uint32_t n; /* a flow's packets; a host's flows that are not idle */
};

struct fq_list {
	struct fq_ent *head, *tail;
};

struct fq_round {
	struct fq_list due, neu, old;
};

/* Who has an entry of a table. It is at the same place in all that are in tables. */
struct fq_known {
	uint64_t id;  /* never 0 */
	uint32_t set; /* its chunk */
	uint32_t at;  /* the number of the entry */
};
#define FQ_KNOWN_AT 32

/* A token bucket, and the flows that wait for it, first come first served. */
struct fq_gate {
	struct fq_list waiting;
	struct fq_flow *pending; /* let through, and not yet gone */
	uint32_t refs;		 /* flows with packets that have to pass it */
	uint32_t place;		 /* among the timers, plus one; 0: not there */
	struct fq_known known;	 /* a host's */
	struct bucket bucket;
	uint32_t queue; /* its number in the pool */
};

struct fq_host {
	struct fq_ent ent; /* in the round of hosts */
	struct fq_known known;
	struct fq_round round;
	uint32_t aside; /* of its flows, at a gate */
	uint32_t queue;
};

struct fq_flow {
	/* what most packets touch: a line */
	struct fq_ent ent;
	struct fq_known known;
	struct pkt_list list;
	/* and what they touch when they leave */
	struct codel codel;
	struct fq_host *host; /* with a round of hosts; NULL when idle */
	struct fq_gate *flow_gate;
	struct fq_gate *host_gate; /* NULL when it has no packets */
	uint32_t foreign;	   /* packets of other flows in it */
	uint32_t queue;
};

/*
 * Which entry belongs to a 64-bit identity: sets of eight, so that two flows share an
 * entry only when nine meet in one set (the idea of cake's set-associative hash).
 */
#define FQ_WAYS 8
struct fq_set {
	uint32_t tag[FQ_WAYS];	   /* of the identity, to find it sooner */
	uint32_t chunk[FQ_WAYS];   /* 0: nobody's */
	uint64_t backlog[FQ_WAYS]; /* a flow's bytes, together for the search of the longest */
};

_Static_assert(sizeof(struct fq_set) == FQ_CHUNK, "a set is a chunk");
_Static_assert(sizeof(struct fq_flow) == FQ_CHUNK, "a flow is a chunk");
_Static_assert(sizeof(struct fq_host) <= FQ_CHUNK, "a host is in a chunk");
_Static_assert(sizeof(struct fq_gate) <= FQ_CHUNK, "a gate is in a chunk");
_Static_assert(offsetof(struct fq_flow, known) == FQ_KNOWN_AT, "as in the others");
_Static_assert(offsetof(struct fq_host, known) == FQ_KNOWN_AT, "as in the others");
_Static_assert(offsetof(struct fq_gate, known) == FQ_KNOWN_AT, "as in the others");

struct fq_table {
	uint32_t sets;	   /* a power of two */
	struct fq_map map; /* of sets with an entry */
};

/*
 * A min-heap of (key, place), 4-ary: whoever is in it knows its place, so that its key can be
 * moved. It is in pages of the pool.
 */
#define FQ_HEAP_PAGE 8u
struct fq_heap_ent {
	uint64_t key;
	uint32_t *place; /* its number plus one is kept there; 0: it is not in */
};
_Static_assert(FQ_HEAP_PAGE * sizeof(struct fq_heap_ent) == FQ_CHUNK, "a page is a chunk");
struct fq_heap {
	struct fq_map pages;
	uint32_t n, room;
};

struct fq {
	struct fq_pool *pool;
	struct fq_flow *head; /* found by head(), for take(); NULL when that may have changed */
	uint64_t bytes;
	uint32_t packets;
	uint32_t number; /* in the pool */
	bool gated;	 /* flows or hosts have buckets */
	bool dual;	 /* the round is one of hosts */
	bool own;	 /* so is the pool */
	uint64_t now;	 /* the latest time heard of */
	struct fq_round root;
	struct fq_table flows;
	struct queue_conf conf;
	uint32_t emptied; /* the set where fq_withdraw() took a packet last */
	uint32_t live;	  /* flows with an entry */
	struct fq_table hosts;
	struct fq_table gates; /* of hosts */
	struct fq_heap timers; /* of gates with waiting flows and none pending */
	struct fq_heap order;  /* with by_order: flows by their head's seq */
};

/* ---- queue_fq.c */

/*
 * A configuration as it is carried out. Buckets are for flows or inside hosts, so an entry must
 * not hold more than one of these: what was one entry for a host becomes a round of its flows.
 */
struct queue_conf fq_conf(const struct queue_conf *conf);
bool fq_dual(const struct queue_conf *conf); /* of fq_conf() */
uint32_t fq_entries(uint32_t flows);
void fq_go_idle(struct fq_flow *f);
/* Lets those flows go on for which a gate has opened. */
void fq_open_gates(struct fq *q, uint64_t now);
/* Takes the first packet out of a flow that has some, whose turn it need not be. */
struct pkt *fq_lose(struct fq *q, struct fq_flow *f, uint64_t now);

/* ---- fq_table.c */

void fq_table_init(struct fq_table *t, uint32_t entries);
/* How good an entry is to be given to another identity: 0 it is in use. */
typedef unsigned fq_table_rank(struct fq *q, void *entry, uint64_t now);
/*
 * The entry of `id`: its own, else the best free one of its set, which becomes its
 * own (*fresh), else the one that it shares with a stranger: always the same one.
 * There is room in the pool: fq_pool_reserve().
 */
void *fq_table_find(struct fq *q, struct fq_table *t, enum fq_kind kind, uint64_t id,
		    uint64_t now, fq_table_rank *rank, bool *fresh);
/* Its set; make: also if there is none so far. NULL. */
struct fq_set *fq_table_set(struct fq *q, struct fq_table *t, uint64_t id, bool make);
/* A new entry that is nobody's so far, in this way of the set of `id`. */
void *fq_table_enter(struct fq *q, struct fq_table *t, enum fq_kind kind, uint64_t id,
		     unsigned way);
/* Another identity of the same set gets an entry. */
void fq_table_give(struct fq *q, void *entry, uint64_t id);
/* It is gone, and its chunk given back. */
void fq_table_leave(struct fq *q, struct fq_table *t, void *entry);

/* The flow entry for p, its host and its gates set; *foreign: it is another flow's. NULL: there
 * is no room in the pool, and nothing was changed. */
struct fq_flow *fq_flow_of(struct fq *q, const struct pkt *p, uint64_t now, bool *foreign);
unsigned fq_host_rank(struct fq *q, void *entry, uint64_t now);
/* Whether a bucket is full, and so like a new one. */
bool fq_bucket_full(struct bucket *b, uint64_t now);

static inline struct fq_known *fq_known(void *entry)
{
	return (void *)((char *)entry + FQ_KNOWN_AT);
}

static inline uint64_t *fq_backlog(const struct fq *q, const struct fq_flow *f)
{
	struct fq_set *s = fq_chunk(q->pool, f->known.set);

	return &s->backlog[f->known.at % FQ_WAYS];
}

/* ---- fq_heap.c */

void fq_heap_init(struct fq_heap *h, uint32_t size);
/* Makes room for n entries, and gives back what is more than that. */
void fq_heap_room(struct fq_pool *pool, struct fq_heap *h, uint32_t n);
struct fq_heap_ent *fq_heap_at(const struct fq_pool *pool, const struct fq_heap *h, uint32_t i);
void fq_heap_set(struct fq_pool *pool, struct fq_heap *h, uint32_t *place, uint64_t key);
void fq_heap_del(struct fq_pool *pool, struct fq_heap *h, uint32_t *place);

/* The earliest time, NEVER when there is none. */
static inline uint64_t fq_heap_next(const struct fq_pool *pool, const struct fq_heap *h)
{
	return h->n ? fq_heap_at(pool, h, 0)->key : NEVER;
}

/* ---- fq_gate.c */

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
/* A flow's own gate, with a full bucket. */
void fq_flow_gate_make(struct fq *q, struct fq_flow *f, uint64_t now);
unsigned fq_gate_rank(struct fq *q, void *entry, uint64_t now);

/* ---- fq_rest.c */

/* Sees to it that there are FQ_RESERVE chunks. False: nothing can be forgotten for them. */
bool fq_pool_reserve(struct fq_pool *pool, uint64_t now);
/* Whether a flow without packets is like a new one. */
bool fq_flow_rests(const struct fq *q, struct fq_flow *f, uint64_t now);

/* queue_ops.withdraw and .inherit */
struct pkt *fq_withdraw(void *queue);
void fq_inherit(void *queue, const void *other, uint64_t now);

#endif
