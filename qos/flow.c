/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/flow.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_FIRST 1024u /* slots at the beginning */

struct siphash_key flow_load_key(const uint8_t key[16])
{
	struct siphash_key k = {0, 0};

	for (unsigned i = 0; i < 8; i++) {
		k.k0 |= (uint64_t)key[i] << 8 * i;
		k.k1 |= (uint64_t)key[8 + i] << 8 * i;
	}
	return k;
}

int flow_table_init(struct flow_table *t, uint32_t max, const uint8_t key[16])
{
	memset(t, 0, sizeof(*t));
	t->key = flow_load_key(key);
	t->max = max;
	t->flow = calloc(max, sizeof(*t->flow));
	t->index = calloc(INDEX_FIRST, sizeof(*t->index));
	t->mask = INDEX_FIRST - 1;
	if (t->flow && t->index)
		return 0;
	flow_table_fini(t);
	return -1;
}

void flow_table_fini(struct flow_table *t)
{
	free(t->flow);
	free(t->index);
	t->flow = NULL;
	t->index = NULL;
}

static void index_put(struct flow_slot *index, uint32_t mask, struct flow_slot s)
{
	uint32_t i = s.tag & mask;

	while (index[i].flow)
		i = (i + 1) & mask;
	index[i] = s;
}

static void index_grow(struct flow_table *t)
{
	size_t n = ((size_t)t->mask + 1) * 2;
	struct flow_slot *bigger = calloc(n, sizeof(*bigger));

	if (!bigger)
		return;
	for (size_t i = 0; i <= t->mask; i++)
		if (t->index[i].flow)
			index_put(bigger, (uint32_t)n - 1, t->index[i]);
	free(t->index);
	t->index = bigger;
	t->mask = (uint32_t)n - 1;
}

/* Takes an entry out of the index: the ones behind it in its run move up (Knuth 6.4, R). */
static void index_remove(struct flow_table *t, uint32_t number)
{
	uint32_t i = (uint32_t)t->flow[number].hash & t->mask, j;

	while (t->index[i].flow != number + 1)
		i = (i + 1) & t->mask;
	for (j = (i + 1) & t->mask; t->index[j].flow; j = (j + 1) & t->mask) {
		uint32_t home = t->index[j].tag & t->mask;

		if (((j - home) & t->mask) >= ((j - i) & t->mask)) {
			t->index[i] = t->index[j];
			i = j;
		}
	}
	t->index[i].flow = 0;
}

static void evict(struct flow_table *t, uint32_t number)
{
	struct flow *f = &t->flow[number];

	index_remove(t, number);
	f->state = 0;
	f->hash = 0;
	f->leaf = t->free;
	t->free = number + 1;
	t->used--;
	t->evicted++;
}

static inline uint32_t hand_next(struct flow_table *t)
{
	uint32_t n = t->hand++;

	if (t->hand >= t->fresh)
		t->hand = 0;
	return n;
}

/* The two entries that the hand meets go if they are idle: keeps pace with new flows. */
static void expire(struct flow_table *t, uint32_t clock)
{
	for (unsigned i = 0; i < 2 && t->fresh; i++) {
		uint32_t n = hand_next(t);
		const struct flow *f = &t->flow[n];

		if ((f->state & FLOW_USED) && clock - f->seen > flow_clock(FLOW_IDLE))
			evict(t, n);
	}
}

static void make_room(struct flow_table *t, uint32_t clock)
{
	uint32_t oldest = UINT32_MAX, age = 0;

	/* Past free entries too: when only the index is short of room, some are. */
	for (uint32_t i = 0, met = 0; met < FLOW_WINDOW && i < t->fresh; i++) {
		uint32_t n = hand_next(t);

		if (!(t->flow[n].state & FLOW_USED))
			continue;
		met++;
		if (oldest == UINT32_MAX || clock - t->flow[n].seen > age) {
			oldest = n;
			age = clock - t->flow[n].seen;
		}
	}
	if (oldest != UINT32_MAX)
		evict(t, oldest);
}

struct flow *flow_add(struct flow_table *t, const struct flow_key *k, uint64_t hash,
		      uint64_t now)
{
	uint32_t clock = flow_clock(now), n;
	struct flow *f;

	expire(t, clock);
	if (t->used >= t->mask / 2 && t->mask / 2 + 1 < t->max)
		index_grow(t);
	if (t->used == t->max || t->used >= t->mask - t->mask / 8)
		make_room(t, clock);
	if (t->free) {
		n = t->free - 1;
		t->free = t->flow[n].leaf;
	} else {
		n = t->fresh++;
	}
	f = &t->flow[n];
	memset(f, 0, sizeof(*f));
	f->hash = hash;
	f->seen = clock;
	f->sport = k->sport;
	f->dport = k->dport;
	f->proto = k->proto;
	f->version = k->version;
	f->state = FLOW_USED;
	if (k->version == 4) {
		f->u.v4.src = flow_word32(k->src);
		f->u.v4.dst = flow_word32(k->dst);
	} else {
		memcpy(f->u.v6.src, k->src, 16);
		memcpy(f->u.v6.dst, k->dst, 16);
	}
	index_put(t->index, t->mask, (struct flow_slot){(uint32_t)hash, n + 1});
	t->used++;
	t->made++;
	return f;
}

int flow_frags_init(struct flow_frags *t, uint32_t max, const uint8_t key[16])
{
	uint32_t buckets = 16;

	memset(t, 0, sizeof(*t));
	while (buckets < max && buckets < 1u << 30)
		buckets *= 2;
	t->key = flow_load_key(key);
	t->max = max;
	t->mask = buckets - 1;
	t->frag = calloc(max, sizeof(*t->frag));
	t->bucket = calloc(buckets, sizeof(*t->bucket));
	if (t->frag && t->bucket)
		return 0;
	flow_frags_fini(t);
	return -1;
}

void flow_frags_fini(struct flow_frags *t)
{
	free(t->frag);
	free(t->bucket);
	t->frag = NULL;
	t->bucket = NULL;
}

static uint8_t frag_proto(const struct dissected *d)
{
	return d->key.version == 4 ? d->key.proto : 0;
}

static uint32_t frag_bucket(const struct flow_frags *t, const uint8_t *src, const uint8_t *dst,
			    uint32_t id, unsigned proto, unsigned version)
{
	struct siphash s = siphash_begin(&t->key);

	siphash_word(&s, 1, flow_word64(src));
	siphash_word(&s, 1, flow_word64(src + 8));
	siphash_word(&s, 1, flow_word64(dst));
	siphash_word(&s, 1, flow_word64(dst + 8));
	return (uint32_t)siphash_end(&s, 1, 3,
				     id | (uint64_t)proto << 32 | (uint64_t)version << 40) &
	       t->mask;
}

static uint32_t frag_lookup(const struct flow_frags *t, const struct dissected *d,
			    uint32_t bucket)
{
	uint32_t n;

	for (n = t->bucket[bucket]; n; n = t->frag[n - 1].next) {
		const struct flow_frag *f = &t->frag[n - 1];

		if (f->id == d->frag_id && f->proto == frag_proto(d) &&
		    f->version == d->key.version && !memcmp(f->src, d->key.src, 16) &&
		    !memcmp(f->dst, d->key.dst, 16))
			break;
	}
	return n;
}

static void frag_remove(struct flow_frags *t, uint32_t n)
{
	struct flow_frag *f = &t->frag[n - 1];
	uint32_t *p = &t->bucket[frag_bucket(t, f->src, f->dst, f->id, f->proto, f->version)];

	while (*p != n)
		p = &t->frag[*p - 1].next;
	*p = f->next;
	if (f->newer)
		t->frag[f->newer - 1].older = f->older;
	else
		t->newest = f->older;
	if (f->older)
		t->frag[f->older - 1].newer = f->newer;
	else
		t->oldest = f->newer;
	f->next = t->free;
	t->free = n;
}

struct flow_frag *flow_frag_add(struct flow_frags *t, const struct dissected *d, uint64_t now)
{
	uint32_t b = frag_bucket(t, d->key.src, d->key.dst, d->frag_id, frag_proto(d),
				 d->key.version);
	uint32_t n = frag_lookup(t, d, b);
	struct flow_frag *f;

	if (n)
		frag_remove(t, n); /* its identification was used again */
	while (t->oldest && now - t->frag[t->oldest - 1].born > FLOW_FRAG_LIFE)
		frag_remove(t, t->oldest);
	if (!t->free && t->fresh == t->max) {
		frag_remove(t, t->oldest);
		t->evicted++;
	}
	if (t->free) {
		n = t->free;
		t->free = t->frag[n - 1].next;
	} else {
		n = ++t->fresh;
	}
	f = &t->frag[n - 1];
	memset(f, 0, sizeof(*f));
	memcpy(f->src, d->key.src, 16);
	memcpy(f->dst, d->key.dst, 16);
	f->id = d->frag_id;
	f->proto = frag_proto(d);
	f->version = d->key.version;
	f->born = now;
	f->next = t->bucket[b];
	t->bucket[b] = n;
	f->older = t->newest;
	if (t->newest)
		t->frag[t->newest - 1].newer = n;
	else
		t->oldest = n;
	t->newest = n;
	return f;
}

const struct flow_frag *flow_frag_find(const struct flow_frags *t, const struct dissected *d,
				       uint64_t now)
{
	uint32_t b = frag_bucket(t, d->key.src, d->key.dst, d->frag_id, frag_proto(d),
				 d->key.version);
	uint32_t n = frag_lookup(t, d, b);

	if (!n || now - t->frag[n - 1].born > FLOW_FRAG_LIFE)
		return NULL;
	return &t->frag[n - 1];
}
