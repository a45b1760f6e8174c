/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet descriptor: all that the schedulers know of a packet.
 *
 * A descriptor is one cache line. The bytes of the packet are elsewhere (in a
 * capture, in the kernel); `id` is how the owner finds them again. Descriptors
 * come from a pool whose size is fixed when it is made, so that the memory of a
 * link is known from its policy.
 *
 * Ownership: whoever holds the pointer owns the descriptor. tree_enqueue()
 * takes it; tree_dequeue() and tree_reap() give it back; pkt_pool_put() ends it.
 */
#ifndef WEIR_SCHED_PKT_H
#define WEIR_SCHED_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a packet was dropped. PKT_KEPT means that it was not. */
enum pkt_drop {
	PKT_KEPT = 0,
	PKT_DROP_LIMIT,	   /* the queue's limit */
	PKT_DROP_AQM,	   /* CoDel's decision */
	PKT_DROP_DEADLINE, /* waited longer than the class's deadline */
	PKT_DROP_MEMORY,   /* no descriptor left on the link */
	PKT_DROP_REMOVED,  /* its class or link was taken away */
	PKT_DROP_VANISHED, /* it was gone when its turn came (gateway: others' doing) */
	PKT_DROP_EARLY, /* before it came to a queue here (gateway: a flood; of links alone) */
	PKT_DROP_N
};

enum pkt_flags {
	PKT_ECT = 1,	 /* ECN-capable transport: may be marked instead of dropped */
	PKT_MARKED = 2,	 /* CE was set by a queue here */
	PKT_FOREIGN = 4, /* fq: waits in the queue of another flow (hash set full) */
	PKT_CHECKED = 8, /* reserved for the queue that holds it */
};

struct pkt {
	struct pkt *next; /* the list that holds it */
	uint64_t arrival; /* ns, when it was enqueued */
	union {
		uint64_t seq;  /* order of arrival on its link; set by tree_enqueue() */
		uint32_t leaf; /* once it is dropped: the tree's, until tree_reap() */
	};
	uint64_t id;	   /* the owner's: number in the capture, kernel id, ... */
	uint64_t flow;	   /* identity of its flow: a keyed 64-bit hash */
	uint64_t host;	   /* identity of its inside host, likewise */
	uint32_t len;	   /* bytes charged: IP length with the link's overhead; never 0 */
	uint32_t src, dst; /* hashes of its two hosts, for fq isolation */
	uint8_t flags;	   /* enum pkt_flags */
	uint8_t drop;	   /* enum pkt_drop, set when it comes back from tree_reap() */
};

_Static_assert(sizeof(struct pkt) == 64, "a descriptor is one cache line");

/* A singly linked queue of descriptors. All zero is an empty list. */
struct pkt_list {
	struct pkt *head, *tail;
};

static inline void pkt_list_push(struct pkt_list *l, struct pkt *p)
{
	p->next = NULL;
	if (l->head)
		l->tail->next = p;
	else
		l->head = p;
	l->tail = p;
}

static inline struct pkt *pkt_list_pop(struct pkt_list *l)
{
	struct pkt *p = l->head;

	if (p)
		l->head = p->next;
	return p;
}

/* A fixed set of descriptors. Memory: 64 bytes for each, taken at pkt_pool_init(). */
struct pkt_pool {
	struct pkt *mem, *free;
	size_t size, fresh, used;
};

/* Makes room for `size` descriptors. 0, or -1 when there is no memory. */
int pkt_pool_init(struct pkt_pool *pool, size_t size);
void pkt_pool_fini(struct pkt_pool *pool);

/*
 * A descriptor with undefined contents, or NULL when all are in use. Those never
 * used before are handed out last, so that idle links touch little memory.
 */
static inline struct pkt *pkt_pool_get(struct pkt_pool *pool)
{
	struct pkt *p = pool->free;

	if (p)
		pool->free = p->next;
	else if (pool->fresh < pool->size)
		p = &pool->mem[pool->fresh++];
	else
		return NULL;
	pool->used++;
	return p;
}

static inline void pkt_pool_put(struct pkt_pool *pool, struct pkt *p)
{
	p->next = pool->free;
	pool->free = p;
	pool->used--;
}

#endif
