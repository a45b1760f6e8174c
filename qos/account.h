/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting of one class: what came, what left, what was lost and why, and what
 * delay it saw.
 *
 * Delays go into a histogram (delays.h), so that a quantile is at most 1/32 (3.2 %) off
 * and never below the true one. Mean and maximum are exact. Jitter is that of RFC 3550
 * section 6.4.1, between packets of one flow: J += (|D| - J) / 16.
 * At all times in == sent + dropped + waiting, in packets and in bytes.
 * A packet that is dropped when it comes does not count for the largest backlog, nor
 * does one whose coming drives another out.
 */
#ifndef WEIR_QOS_ACCOUNT_H
#define WEIR_QOS_ACCOUNT_H

#include "qos/delays.h"
#include "sched/pkt.h"

struct account_count {
	uint64_t packets, bytes;
};

struct account {
	struct account_count in, sent;
	struct account_count dropped[PKT_DROP_N]; /* by reason */
	uint64_t marked;			  /* packets, CE set here */
	uint64_t remarked;			  /* packets whose DSCP was changed */
	uint64_t first_in, last_out;		  /* ns; 0 when none */
	uint64_t delay_sum_lo, delay_sum_hi;	  /* ns, 128 bits */
	uint64_t delay_max;
	uint64_t over_latency; /* packets that waited longer than max-latency */
	uint64_t jitter16;     /* RFC 3550 estimate times 16, ns */
	uint64_t jitter_max;   /* largest estimate, ns */
	uint32_t backlog;      /* now, packets */
	uint64_t backlog_bytes;
	uint32_t backlog_max;
	uint64_t backlog_bytes_max;
	/* integral of the backlog over time, in packet·ns, for its mean */
	uint64_t depth_lo, depth_hi, depth_at;
	/*
	 * What the delays were. Those that found no room in it are taken to be delay_max
	 * each, so that no quantile comes out too small.
	 */
	struct delays *hist; /* the account's; NULL: nothing is counted */
	uint64_t uncounted;
	int64_t *room; /* chunks that accounts may still take together; NULL: any number */
};

/*
 * Accounts begin all zero, and are not to be copied by `=`: hist has one owner.
 * account_copy(): `to`, which is all zero, has the same as `from`, with a histogram of its own.
 * account_move(): takes `from`'s, which is not to be used any more but by account_clear(),
 * into `to`, which has counted nothing; within to->room if that is not NULL.
 * account_clear(): all zero again, nothing held.
 */
void account_copy(struct account *to, const struct account *from);
void account_move(struct account *to, struct account *from);
void account_clear(struct account *a);

/* One packet came, with its charged length. */
void account_in(struct account *a, uint64_t now, uint32_t len);
/* It left after `delay`. max_latency 0: no such objective. */
void account_sent(struct account *a, uint64_t now, uint32_t len, uint64_t delay,
		  uint64_t max_latency);
void account_dropped(struct account *a, uint64_t now, uint32_t len, enum pkt_drop why);
/* One that waits is taken out again, as if it had never come. */
void account_withdrawn(struct account *a, uint64_t now, uint32_t len);
/* One that was counted as sent had not left: it counts as dropped. Its delay stays counted. */
void account_vanished(struct account *a, uint32_t len);
/*
 * Adds what b has, as for a class that is made of several. Its jitter becomes the larger
 * of the two, since packets of one flow are in one of them. Not added: backlog_max and
 * backlog_bytes_max, as the two need not have been longest at the same time.
 */
void account_add(struct account *a, const struct account *b);
/*
 * Adds to a class what a class right below it has, as account_add() does. Not added either:
 * over_latency, which is against the max-latency of each class's own.
 */
void account_add_child(struct account *a, const struct account *child);
/* |D| of RFC 3550: the difference of the delays of two successive packets of a flow. */
void account_jitter(struct account *a, uint64_t difference);

/* The delay that `permille` thousandths of the sent packets did not exceed; 0 when none were
 * sent. */
uint64_t account_quantile(const struct account *a, unsigned permille);
uint64_t account_mean(const struct account *a);
uint64_t account_jitter_now(const struct account *a); /* ns */
/* Mean number of waiting packets from the first arrival to `now`, times 1000. */
uint64_t account_depth_milli(const struct account *a, uint64_t now);
struct account_count account_all_dropped(const struct account *a);
/* bit/s: bytes sent over first arrival to last departure; 0 when that is no time at all. */
uint64_t account_throughput(const struct account *a);
/* A name for scripts: "limit", "aqm", "deadline", "memory", "removed",
 * "vanished". */
const char *account_drop_name(enum pkt_drop why);

#endif
