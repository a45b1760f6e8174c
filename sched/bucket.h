/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token bucket, exact.
 *
 * A bucket fills at `rate` bits per second up to `burst` bytes. It lets a packet
 * go when it holds min(length, burst) bytes, and then goes down by the length,
 * below zero if need be. Hence over any interval of t seconds at most
 *     rate * t / 8 + max(burst, one packet)
 * bytes leave.
 *
 * Levels are kept in units of 1e-9 bit, so that one nanosecond at one bit per
 * second is one unit: filling is a multiplication, nothing is ever rounded, and
 * it does not matter how often the bucket is asked. One byte is 8e9 units; an
 * int64_t holds 1.15 GB either way, hence BUCKET_BURST_MAX.
 *
 * All functions are pure in (state, now). `now` must not run backwards; a `now`
 * before the last one is taken as the last one.
 */
#ifndef WEIR_SCHED_BUCKET_H
#define WEIR_SCHED_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_BYTE 8000000000LL	 /* units of level in a byte */
#define BUCKET_BURST_MAX 500000000ULL	 /* bytes */
#define BUCKET_RATE_MAX 1000000000000ULL /* bits per second */
#define NEVER UINT64_MAX		 /* a time that does not come */

struct bucket {
	int64_t level; /* units, at time `at`; at most `cap` */
	int64_t cap;   /* units: burst */
	uint64_t rate; /* bits per second, > 0; 0: no bucket, always ready */
	uint64_t at;   /* ns */
	uint64_t inv;  /* 2^64 / rate, about: a division costs more than all else here */
};

/* A full bucket. rate in bit/s (1..BUCKET_RATE_MAX), burst in bytes (1..BUCKET_BURST_MAX). */
static inline void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now)
{
	b->cap = (int64_t)burst * BUCKET_BYTE;
	b->level = b->cap;
	b->rate = rate;
	b->at = now;
	b->inv = rate ? UINT64_MAX / rate : 0;
}

/* lack / rate, rounded up, exactly: inv errs downward, by so little that two steps mend it. */
static inline uint64_t bucket_wait(const struct bucket *b, uint64_t lack)
{
	uint64_t ns = (uint64_t)(((unsigned __int128)lack * b->inv) >> 64);

	while (ns * b->rate < lack)
		ns++;
	return ns;
}

static inline void bucket_fill(struct bucket *b, uint64_t now)
{
	unsigned __int128 add;

	if (now <= b->at)
		return;
	add = (unsigned __int128)b->rate * (now - b->at);
	b->at = now;
	if (add >= (unsigned __int128)((__int128)b->cap - b->level))
		b->level = b->cap;
	else
		b->level += (int64_t)add;
}

/* What the bucket must hold before `len` bytes may go. */
static inline int64_t bucket_need(const struct bucket *b, uint32_t len)
{
	int64_t need = (int64_t)len * BUCKET_BYTE;

	return need < b->cap ? need : b->cap;
}

/*
 * The first time, not before `now`, at which `len` bytes may go: `now` itself if
 * they may go at once. Exact: at that nanosecond they may, at the one before not.
 */
static inline uint64_t bucket_when(struct bucket *b, uint32_t len, uint64_t now)
{
	int64_t lack;

	if (!b->rate)
		return now;
	bucket_fill(b, now);
	lack = bucket_need(b, len) - b->level;
	if (lack <= 0)
		return now;
	return b->at + bucket_wait(b, (uint64_t)lack);
}

/* Takes `len` bytes out, whether or not they are there. Call bucket_when() or fill first. */
static inline void bucket_take(struct bucket *b, uint32_t len)
{
	b->level -= (int64_t)len * BUCKET_BYTE;
}

/* Gives `len` bytes back (a packet that never left), up to the burst. */
static inline void bucket_give(struct bucket *b, uint32_t len)
{
	b->level += (int64_t)len * BUCKET_BYTE;
	if (b->level > b->cap)
		b->level = b->cap;
}

/*
 * b takes over from another bucket: from `now` on it holds as many bytes as that one (or lacks
 * as many), but no more than its own burst. Whatever their rates are, nothing is won by
 * it. Nothing happens if either has no rate: b stays full.
 */
static inline void bucket_inherit(struct bucket *b, const struct bucket *from, uint64_t now)
{
	struct bucket was = *from;

	if (!b->rate || !was.rate)
		return;
	bucket_fill(&was, now);
	bucket_fill(b, now);
	b->level = was.level < b->cap ? was.level : b->cap;
}

#endif
