/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A histogram of delays whose memory follows what is counted in it.
 *
 * Buckets are log-linear: exact below 64 ns, and from there 32 to each power of two, so
 * that a quantile is at most 1/32 (3.2 %) off and never below the true one. They come in
 * chunks of 32, that is of one power of two, each taken when the first delay falls into it: a
 * class that has sent nothing holds none, one with delays from 1 us to 1 s holds 20 of 60.
 */
#ifndef WEIR_QOS_DELAYS_H
#define WEIR_QOS_DELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELAYS_EXACT 64	    /* delays below are a bucket each */
#define DELAYS_CHUNK_BITS 5 /* a chunk has 32 buckets */
#define DELAYS_CHUNK (1u << DELAYS_CHUNK_BITS)
#define DELAYS_BUCKETS (DELAYS_EXACT + (64 - 6) * 32)
#define DELAYS_CHUNKS (DELAYS_BUCKETS / DELAYS_CHUNK)

struct delays {
	uint8_t at[DELAYS_CHUNKS]; /* place of a chunk in `count` plus one; 0: not there */
	uint32_t n;		   /* chunks */
	uint64_t count[][DELAYS_CHUNK];
};

/* Bytes of one with n chunks. */
#define DELAYS_BYTES(n) (sizeof(struct delays) + (n)*DELAYS_CHUNK * sizeof(uint64_t))

/* The bucket of a delay, and the largest delay that is counted in bucket b. */
static inline unsigned delays_bucket(uint64_t delay)
{
	unsigned e;

	if (delay < DELAYS_EXACT)
		return (unsigned)delay;
	e = 63u - (unsigned)__builtin_clzll(delay);
	return DELAYS_EXACT + ((e - 6) << DELAYS_CHUNK_BITS) +
	       (unsigned)(delay >> (e - DELAYS_CHUNK_BITS) & (DELAYS_CHUNK - 1));
}

uint64_t delays_top(unsigned b);

/* What is counted in bucket b; h may be NULL: nothing is. */
static inline uint64_t delays_get(const struct delays *h, unsigned b)
{
	unsigned c = h ? h->at[b >> DELAYS_CHUNK_BITS] : 0;

	return c ? h->count[c - 1][b & (DELAYS_CHUNK - 1)] : 0;
}

/*
 * Makes room for the chunk of bucket b in *h (NULL: an empty one). *left, unless `left` is
 * NULL, is how many more chunks may be taken, and goes down by one. False: none may, or there
 * is no memory; then nothing has changed.
 */
bool delays_grow(struct delays **h, unsigned b, int64_t *left);

/* Counts n delays in bucket b. False: delays_grow() failed. */
static inline bool delays_add(struct delays **h, unsigned b, uint64_t n, int64_t *left)
{
	struct delays *d = *h;
	unsigned c = d ? d->at[b >> DELAYS_CHUNK_BITS] : 0;

	if (!c) {
		if (!delays_grow(h, b, left))
			return false;
		d = *h;
		c = d->at[b >> DELAYS_CHUNK_BITS];
	}
	d->count[c - 1][b & (DELAYS_CHUNK - 1)] += n;
	return true;
}

/* Adds all of b to *a. How many delays had no room. */
uint64_t delays_merge(struct delays **a, const struct delays *b, int64_t *left);

/* A copy, the caller's to free(); NULL: h is NULL, or there is no memory. */
struct delays *delays_copy(const struct delays *h);
/* All that is counted. */
uint64_t delays_total(const struct delays *h);

#endif
