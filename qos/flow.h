/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table: what was decided for a flow, and what its accounting remembers.
 *
 * An entry is one cache line. Entries are taken with one calloc(), so that pages
 * that no flow ever needed cost nothing; the index grows by doubling, so that few
 * flows stay in the cache. A flow is identified by its whole key; the keyed 64-bit
 * hash of it is what other modules know it by.
 *
 * Eviction: a new flow first looks at a few entries by a hand that goes round, and
 * frees those idle for FLOW_IDLE. When the table is full nonetheless, the entry idle
 * longest among the FLOW_WINDOW next to the hand makes room. An exact order by age
 * would cost two more cache misses on every packet.
 */
#ifndef WEIR_QOS_FLOW_H
#define WEIR_QOS_FLOW_H

#include "qos/dissect.h"
#include "qos/match.h"
#include "qos/siphash.h"

#include <string.h>

#define FLOW_IDLE 300000000000ULL /* ns after which a flow may be forgotten */
#define FLOW_WINDOW 16

enum flow_state {
	FLOW_USED = 1,
	FLOW_DECIDED = 2, /* leaf is valid for plain packets */
	FLOW_DSCP = 4,	  /* ... with this dscp only */
	FLOW_SRC_IN = 8,  /* its source is an inside host */
	FLOW_DST_IN = 16,
	FLOW_CONTROL = 32, /* with FLOW_DECIDED: what its link hangs on */
};

struct flow {
	uint64_t hash;
	struct match_flow acct;
	uint32_t leaf; /* the matcher's number of link and class */
	uint32_t seen; /* time of its last packet, in units of 2^24 ns */
	uint16_t sport, dport;
	uint8_t proto, version;
	uint8_t state; /* enum flow_state */
	uint8_t dscp;
	union {
		struct {
			uint32_t src, dst;
			uint64_t src_hash, dst_hash; /* of the hosts */
		} v4;
		struct {
			uint8_t src[16], dst[16];
		} v6;
	} u;
};
_Static_assert(sizeof(struct flow) == 64, "a flow is one cache line");

struct flow_slot {
	uint32_t tag;  /* low half of the flow's hash */
	uint32_t flow; /* number of the entry plus one; 0: empty */
};

struct flow_table {
	struct siphash_key key;
	struct flow *flow;
	uint32_t max, fresh; /* entries; those never used begin at `fresh` */
	uint32_t free;	     /* list of freed entries by number plus one, through `leaf` */
	uint32_t hand;
	uint32_t used;
	struct flow_slot *index;
	uint32_t mask; /* slots of the index less one */
	uint64_t made, evicted;
};

/* The key of the hashes from that of the options. */
struct siphash_key flow_load_key(const uint8_t key[16]);

/* 0, or -1: no memory. max: 1..2^30. */
int flow_table_init(struct flow_table *t, uint32_t max, const uint8_t key[16]);
void flow_table_fini(struct flow_table *t);

static inline uint64_t flow_word64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint32_t flow_word32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/*
 * The identity of a packet's flow: protocol, addresses and ports. Not of the raw
 * next-header value, so that a flow's fragments and its whole packets are one flow.
 *
 * The words are taken in the machine's byte order: a hash is of use on this machine
 * only, and the results of a replay do not hang on its value (on its order of
 * collisions, yes: a big-endian machine may show other ones). The version is part of
 * the last word, so no IPv4 flow collides with an IPv6 flow by construction.
 */
static inline uint64_t flow_key_hash(const struct siphash_key *key, const struct flow_key *k)
{
	struct siphash s = siphash_begin(key);
	uint64_t last = (uint64_t)k->sport << 16 | k->dport | (uint64_t)k->proto << 32;

	if (k->version == 4) {
		siphash_word(&s, 1, (uint64_t)flow_word32(k->dst) << 32 | flow_word32(k->src));
		return siphash_end(&s, 1, 3, last | 13ULL << 56);
	}
	siphash_word(&s, 1, flow_word64(k->src));
	siphash_word(&s, 1, flow_word64(k->src + 8));
	siphash_word(&s, 1, flow_word64(k->dst));
	siphash_word(&s, 1, flow_word64(k->dst + 8));
	return siphash_end(&s, 1, 3, last | 37ULL << 56);
}

static inline uint64_t flow_hash(const struct flow_table *t, const struct flow_key *k)
{
	return flow_key_hash(&t->key, k);
}

/* The identity of a host. */
static inline uint64_t flow_host_hash(const struct flow_table *t, const uint8_t addr[16],
				      unsigned version)
{
	struct siphash s = siphash_begin(&t->key);

	if (version == 4)
		return siphash_end(&s, 1, 3, flow_word32(addr) | 4ULL << 56);
	siphash_word(&s, 1, flow_word64(addr));
	siphash_word(&s, 1, flow_word64(addr + 8));
	return siphash_end(&s, 1, 3, 16ULL << 56);
}

static inline bool flow_same(const struct flow *f, const struct flow_key *k, uint64_t hash)
{
	if (f->hash != hash || f->sport != k->sport || f->dport != k->dport ||
	    f->proto != k->proto || f->version != k->version)
		return false;
	if (k->version == 4)
		return f->u.v4.src == flow_word32(k->src) && f->u.v4.dst == flow_word32(k->dst);
	return !memcmp(f->u.v6.src, k->src, 16) && !memcmp(f->u.v6.dst, k->dst, 16);
}

/*
 * The flow, or NULL when the table does not know it. Linear probing, at most half full unless
 * memory for a larger index is refused.
 */
static inline struct flow *flow_find(struct flow_table *t, const struct flow_key *k,
				     uint64_t hash)
{
	uint32_t tag = (uint32_t)hash;

	for (uint32_t i = tag & t->mask; t->index[i].flow; i = (i + 1) & t->mask) {
		struct flow *f = &t->flow[t->index[i].flow - 1];

		if (t->index[i].tag == tag && flow_same(f, k, hash))
			return f;
	}
	return NULL;
}

/*
 * A packet of the flow will come soon: what flow_find() will read of it comes nearer to
 * the processor, first its place in the index, then, asked again, its entry.
 */
static inline void flow_prefetch_place(const struct flow_table *t, uint64_t hash)
{
	__builtin_prefetch(&t->index[(uint32_t)hash & t->mask]);
}

static inline void flow_prefetch_entry(const struct flow_table *t, uint64_t hash)
{
	const struct flow_slot *s = &t->index[(uint32_t)hash & t->mask];

	/* it is the first entry there, but for a few */
	if (s->flow)
		__builtin_prefetch(&t->flow[s->flow - 1], 1);
}

/* A new entry for a flow that flow_find() does not know, accounting and state zero but
 * FLOW_USED. */
struct flow *flow_add(struct flow_table *t, const struct flow_key *k, uint64_t hash,
		      uint64_t now);

static inline uint32_t flow_number(const struct flow_table *t, const struct flow *f)
{
	return (uint32_t)(f - t->flow);
}

static inline uint32_t flow_clock(uint64_t now)
{
	return (uint32_t)(now >> 24);
}

/*
 * First fragments, so that later ones can follow them. Bounded; an entry lives for
 * FLOW_FRAG_LIFE (RFC 791 and 8200 allow a reassembly no more than 15 to 60 s; Linux
 * gives it 30), the oldest goes when there is no room.
 */
#define FLOW_FRAG_LIFE 30000000000ULL

struct flow_frag {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint8_t proto, version; /* IPv6: 0, as later fragments do not tell it */
	uint32_t leaf, src_host, dst_host, slot;
	uint64_t flow, host, born;
	uint32_t next;	       /* in its bucket, number plus one */
	uint32_t newer, older; /* by age, number plus one */
};

struct flow_frags {
	struct siphash_key key;
	struct flow_frag *frag;
	uint32_t max, fresh, free; /* `free`: through `next` */
	uint32_t *bucket;
	uint32_t mask;
	uint32_t newest, oldest; /* number plus one */
	uint64_t evicted;
};

int flow_frags_init(struct flow_frags *t, uint32_t max, const uint8_t key[16]);
void flow_frags_fini(struct flow_frags *t);
/* A first fragment: an entry to fill in from `leaf` to `host`, any older one of its packet
 * gone. */
struct flow_frag *flow_frag_add(struct flow_frags *t, const struct dissected *d, uint64_t now);
/* What a later fragment follows, or NULL. Never changes the table. */
const struct flow_frag *flow_frag_find(const struct flow_frags *t, const struct dissected *d,
				       uint64_t now);

#endif
