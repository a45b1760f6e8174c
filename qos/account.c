/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/account.h"

#include <stdlib.h>

#define JITTER_MOST (1ULL << 58)

static inline void add128(uint64_t *lo, uint64_t *hi, unsigned __int128 v)
{
	unsigned __int128 sum = ((unsigned __int128)*hi << 64 | *lo) + v;

	*lo = (uint64_t)sum;
	*hi = (uint64_t)(sum >> 64);
}

/* Brings the integral of the backlog up to `now`. */
static inline void advance(struct account *a, uint64_t now)
{
	if (now <= a->depth_at)
		return;
	if (a->backlog)
		add128(&a->depth_lo, &a->depth_hi,
		       (unsigned __int128)a->backlog * (now - a->depth_at));
	a->depth_at = now;
}

/*
 * The largest backlog is noted when something changes it, not when a packet came: one
 * that is dropped at once, or drives others out, was never part of a longer queue.
 */
static inline void note_backlog(struct account *a)
{
	if (a->backlog > a->backlog_max)
		a->backlog_max = a->backlog;
	if (a->backlog_bytes > a->backlog_bytes_max)
		a->backlog_bytes_max = a->backlog_bytes;
}

void account_copy(struct account *to, const struct account *from)
{
	struct delays *copy = delays_copy(from->hist);

	*to = *from;
	to->room = NULL;
	if (from->hist && !copy)
		to->uncounted += delays_total(from->hist);
	to->hist = copy;
}

void account_move(struct account *to, struct account *from)
{
	int64_t *room = to->room;

	*to = *from;
	to->room = room;
	from->hist = NULL;
	if (room && to->hist)
		*room -= to->hist->n;
}

void account_clear(struct account *a)
{
	int64_t *room = a->room;

	if (room && a->hist)
		*room += a->hist->n;
	free(a->hist);
	*a = (struct account){.room = room};
}

void account_in(struct account *a, uint64_t now, uint32_t len)
{
	if (!a->in.packets) {
		a->first_in = now;
		a->depth_at = now;
	}
	advance(a, now);
	note_backlog(a);
	a->in.packets++;
	a->in.bytes += len;
	a->backlog++;
	a->backlog_bytes += len;
}

void account_sent(struct account *a, uint64_t now, uint32_t len, uint64_t delay,
		  uint64_t max_latency)
{
	advance(a, now);
	note_backlog(a);
	a->backlog--;
	a->backlog_bytes -= len;
	a->sent.packets++;
	a->sent.bytes += len;
	a->last_out = now;
	add128(&a->delay_sum_lo, &a->delay_sum_hi, delay);
	if (delay > a->delay_max)
		a->delay_max = delay;
	if (max_latency && delay > max_latency)
		a->over_latency++;
	a->uncounted += !delays_add(&a->hist, delays_bucket(delay), 1, a->room);
}

void account_dropped(struct account *a, uint64_t now, uint32_t len, enum pkt_drop why)
{
	advance(a, now);
	if (why != PKT_DROP_LIMIT && why != PKT_DROP_MEMORY)
		note_backlog(a);
	a->backlog--;
	a->backlog_bytes -= len;
	a->dropped[why].packets++;
	a->dropped[why].bytes += len;
}

void account_withdrawn(struct account *a, uint64_t now, uint32_t len)
{
	advance(a, now);
	note_backlog(a);
	a->backlog--;
	a->backlog_bytes -= len;
	a->in.packets--;
	a->in.bytes -= len;
}

void account_vanished(struct account *a, uint32_t len)
{
	a->sent.packets--;
	a->sent.bytes -= len;
	a->dropped[PKT_DROP_VANISHED].packets++;
	a->dropped[PKT_DROP_VANISHED].bytes += len;
}

/* RFC 3550, appendix A.8: the estimate is kept times 16, and rounded. */
void account_jitter(struct account *a, uint64_t difference)
{
	uint64_t d = difference < JITTER_MOST ? difference : JITTER_MOST;

	a->jitter16 += d;
	a->jitter16 -= (a->jitter16 - d + 8) >> 4;
	if (a->jitter16 >> 4 > a->jitter_max)
		a->jitter_max = a->jitter16 >> 4;
}

void account_add(struct account *a, const struct account *b)
{
	if (!b->in.packets)
		return;
	if (!a->in.packets || b->first_in < a->first_in)
		a->first_in = b->first_in;
	/* both integrals to the later of their times */
	if (b->depth_at > a->depth_at) {
		if (a->in.packets)
			advance(a, b->depth_at);
		a->depth_at = b->depth_at;
	}
	add128(&a->depth_lo, &a->depth_hi,
	       ((unsigned __int128)b->depth_hi << 64 | b->depth_lo) +
		       (unsigned __int128)b->backlog * (a->depth_at - b->depth_at));
	a->in.packets += b->in.packets;
	a->in.bytes += b->in.bytes;
	a->sent.packets += b->sent.packets;
	a->sent.bytes += b->sent.bytes;
	for (unsigned i = 0; i < PKT_DROP_N; i++) {
		a->dropped[i].packets += b->dropped[i].packets;
		a->dropped[i].bytes += b->dropped[i].bytes;
	}
	a->marked += b->marked;
	a->remarked += b->remarked;
	if (b->last_out > a->last_out)
		a->last_out = b->last_out;
	add128(&a->delay_sum_lo, &a->delay_sum_hi,
	       (unsigned __int128)b->delay_sum_hi << 64 | b->delay_sum_lo);
	if (b->delay_max > a->delay_max)
		a->delay_max = b->delay_max;
	a->over_latency += b->over_latency;
	if (b->jitter16 > a->jitter16)
		a->jitter16 = b->jitter16;
	if (b->jitter_max > a->jitter_max)
		a->jitter_max = b->jitter_max;
	a->backlog += b->backlog;
	a->backlog_bytes += b->backlog_bytes;
	a->uncounted += b->uncounted + delays_merge(&a->hist, b->hist, a->room);
}

void account_add_child(struct account *a, const struct account *child)
{
	uint64_t over = a->over_latency;

	account_add(a, child);
	a->over_latency = over;
}

uint64_t account_quantile(const struct account *a, unsigned permille)
{
	uint64_t rank, n = 0;
	unsigned i = 0;

	if (!a->sent.packets)
		return 0;
	/* the smallest rank that is at least that share of all, and at least the first */
	rank = (uint64_t)(((unsigned __int128)a->sent.packets * permille + 999) / 1000);
	if (!rank)
		rank = 1;
	for (; i < DELAYS_BUCKETS - 1; i++) {
		n += delays_get(a->hist, i);
		if (n >= rank)
			break;
	}
	n = delays_top(i);
	return n < a->delay_max ? n : a->delay_max;
}

uint64_t account_mean(const struct account *a)
{
	unsigned __int128 sum = (unsigned __int128)a->delay_sum_hi << 64 | a->delay_sum_lo;

	return a->sent.packets ? (uint64_t)(sum / a->sent.packets) : 0;
}

uint64_t account_jitter_now(const struct account *a)
{
	return a->jitter16 >> 4;
}

uint64_t account_depth_milli(const struct account *a, uint64_t now)
{
	unsigned __int128 sum = (unsigned __int128)a->depth_hi << 64 | a->depth_lo;

	if (!a->in.packets)
		return 0;
	if (now < a->depth_at)
		now = a->depth_at;
	sum += (unsigned __int128)a->backlog * (now - a->depth_at);
	if (now == a->first_in)
		return (uint64_t)a->backlog * 1000;
	return (uint64_t)(sum * 1000 / (now - a->first_in));
}

struct account_count account_all_dropped(const struct account *a)
{
	struct account_count all = {0};

	for (unsigned i = 0; i < PKT_DROP_N; i++) {
		all.packets += a->dropped[i].packets;
		all.bytes += a->dropped[i].bytes;
	}
	return all;
}

uint64_t account_throughput(const struct account *a)
{
	unsigned __int128 bits = (unsigned __int128)a->sent.bytes * 8 * 1000000000u;
	uint64_t time = a->last_out - a->first_in;

	if (!a->sent.packets || !time)
		return 0;
	bits /= time;
	return bits < UINT64_MAX ? (uint64_t)bits : UINT64_MAX;
}

const char *account_drop_name(enum pkt_drop why)
{
	static const char *const names[PKT_DROP_N] = {
		[PKT_KEPT] = "-",
		[PKT_DROP_LIMIT] = "limit",
		[PKT_DROP_AQM] = "aqm",
		[PKT_DROP_DEADLINE] = "deadline",
		[PKT_DROP_MEMORY] = "memory",
		[PKT_DROP_REMOVED] = "removed",
		[PKT_DROP_VANISHED] = "vanished",
		[PKT_DROP_EARLY] = "early",
	};

	return (unsigned)why < PKT_DROP_N ? names[why] : "-";
}
