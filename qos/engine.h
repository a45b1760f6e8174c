/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: packet in, class, schedule, packet out. The one object that replay,
 * gateway and tests drive; whatever they do, they do by these calls.
 *
 * An engine serves one link of a policy or all of them. Time comes in as an
 * argument and never runs backwards (an earlier `now` counts as the latest one).
 * The engine keeps no packet bytes: `id` is how the caller finds them.
 *
 *     engine_packet()  a packet comes: it is put in its class's queue, or is on no link
 *     engine_poll()    what happens at `now`: packets that leave and packets that are
 *                      dropped, one a call, until ENGINE_NOTHING
 *     engine_next()    when to call engine_poll() again
 *
 * After every engine_packet() call engine_poll() until it says ENGINE_NOTHING, so
 * that a packet that meets an idle link leaves at once. Whoever takes packets in
 * batches may do so for at most ENGINE_UNPOLLED_MAX of them.
 */
#ifndef WEIR_QOS_ENGINE_H
#define WEIR_QOS_ENGINE_H

#include "qos/account.h"
#include "qos/dissect.h"
#include "qos/match.h"
#include "qos/policy.h"
#include "sched/bucket.h"

#define ENGINE_UNPOLLED_MAX 1024u

struct engine;

struct engine_opts {
	const struct policy_link *only; /* NULL: all links, `capture` decides */
	uint32_t flows_max;		/* 0: default of match.h */
	uint32_t packets_max; /* that may wait on a link; 0: what its leaves' limits allow */
	uint8_t key[16];      /* of the hashes; zero for replay: same input, same output */
	uint64_t now;	      /* start of time */
};

enum engine_what {
	ENGINE_NOTHING, /* nothing (more) happens at this time */
	ENGINE_SENT,	/* the packet leaves */
	ENGINE_DROPPED, /* it is dropped: `drop` says why */
};

struct engine_event {
	enum engine_what what;
	uint64_t id; /* as given to engine_packet() */
	const struct policy_class *class;
	uint64_t arrival, when; /* ns */
	uint32_t len;		/* charged bytes */
	enum pkt_drop drop;
	int set_dscp;	/* -1, or what its DSCP field must become */
	bool set_ce;	/* its ECN field must become CE */
	uint8_t by_min; /* by which right it left: see tree_by_min(); for engine_vanished() */
};

enum engine_took { ENGINE_PASSED, ENGINE_QUEUED };

/* What engine_packet() decided at once; for traces. */
struct engine_ticket {
	const struct policy_link *link; /* NULL with ENGINE_PASSED */
	const struct policy_class *class;
	uint32_t len; /* charged bytes; 0 with ENGINE_PASSED */
};

/* NULL: no memory, or the policy cannot be matched with (told to r). */
struct engine *engine_new(const struct policy *p, const struct engine_opts *o,
			  struct policy_report *r);
void engine_free(struct engine *e);

/*
 * A packet comes. d is only read during the call. A packet that finds no room is
 * ENGINE_QUEUED and comes back as ENGINE_DROPPED: every queued id comes back exactly
 * once. ticket may be NULL.
 */
enum engine_took engine_packet(struct engine *e, uint64_t now, uint64_t id,
			       const struct dissected *d, struct engine_ticket *ticket);

/*
 * The same for one that came earlier than it is given: `arrival` is when. Its delay counts from
 * there; later than `now` counts as now.
 */
enum engine_took engine_arrived(struct engine *e, uint64_t now, uint64_t arrival, uint64_t id,
				const struct dissected *d);

/* match_prefetch() of the matcher: for those who know what packets come. */
void engine_prefetch(const struct engine *e, const struct dissected *sooner,
		     const struct dissected *later);

/* Lets time come to `now` and tells the next thing that happens. */
enum engine_what engine_poll(struct engine *e, uint64_t now, struct engine_event *ev);

/* The next time at which something can happen without a new packet; NEVER: nothing waits. */
uint64_t engine_next(const struct engine *e);

/* Packets that wait, over all links. */
uint64_t engine_waiting(const struct engine *e);

/* Bytes that the engine took at set-up, or may come to take. */
size_t engine_memory(const struct engine *e);

/*
 * A packet that engine_poll() gave as ENGINE_SENT was not there any more. Its bytes go back
 * into the buckets of its class and of all above, and it counts as dropped
 * (PKT_DROP_VANISHED) instead of sent; the delay that it had stays in the histogram.
 */
void engine_vanished(struct engine *e, const struct policy_class *c, uint32_t len,
		     uint8_t by_min);

/*
 * One engine takes over from another (a policy was changed), with nothing lost:
 *
 *     engine_poll() the old one until ENGINE_NOTHING
 *     engine_withdraw() all that waits in it
 *     engine_inherit() counters, buckets, and what queues know of their flows
 *     engine_return() what was withdrawn, in that order, and engine_poll() the new one
 *
 * Every packet is classified anew, so that the packets of a flow stay in order whatever
 * became of its class. Of more than ENGINE_UNPOLLED_MAX of them, engine_dropped() is to be
 * asked in between: were the first sent before the last is there, the queues would
 * seem short.
 */
struct engine_left {
	uint64_t id, arrival, seq;
	const struct policy_class *class; /* of the old policy */
	uint32_t len;
	uint32_t link;
};
/*
 * Takes out up to `room` packets that wait, uncounted as if they had never come, sorted by
 * the order in which they came (link by link). All of them need room for engine_waiting().
 */
size_t engine_withdraw(struct engine *e, struct engine_left *v, size_t room);
/*
 * Classes of the same path on a link of the same name keep their counters and the state of
 * their buckets. What leaves counted that are none any more stays in the count of their
 * link, so that it never goes backwards. Time goes on from that of the old engine.
 * If both engines have the same key, leaves whose queues are of the same kind keep
 * CoDel's state, where target and interval are the same, and flows and hosts what their
 * flow-max and host-max buckets hold. A flow that comes into another class is new there.
 * The counters are moved: what is left of `old` is only to be freed.
 */
void engine_inherit(struct engine *e, struct engine *old);
/* As engine_packet(), for one that came at `arrival` and is not counted as a packet again. */
enum engine_took engine_return(struct engine *e, uint64_t now, uint64_t arrival, uint64_t id,
			       const struct dissected *d);
/* What was dropped for what was returned so far, one a call; lets nothing leave. */
enum engine_what engine_dropped(struct engine *e, struct engine_event *ev);

/*
 * Accounting: of a class (leaf, inner class, or a link's root). Always there; of a class
 * that is not in this engine, zero. That of a leaf is as it is at any time; the one of an
 * inner class is summed up from its leaves by the call, and its jitter is the largest of
 * theirs.
 */
const struct account *engine_account(const struct engine *e, const struct policy_class *c);

/*
 * The same in parts, for those who must not keep the engine waiting while thousands of leaves
 * are summed up: what cannot be learned from the classes below. Of a leaf that is all. Of an
 * inner class it is backlog_max, backlog_bytes_max and over_latency; of a link also what
 * leaves of earlier policies counted. `a` must be all zero; it is to be account_clear()ed.
 * account_add_child() of the
 * whole accounts of its children then makes it what engine_account() says.
 */
void engine_account_own(const struct engine *e, const struct policy_class *c,
			struct account *a);

struct engine_stats {
	struct match_stats match;
	uint64_t passed_packets, passed_bytes; /* on no link, IP bytes */
	uint64_t truncated, lying, fragments;  /* of the packets that came */
	uint64_t v4, v6;
};
void engine_get_stats(const struct engine *e, struct engine_stats *s);

/* The matcher behind it, for match_explain(). */
struct match *engine_match(struct engine *e);

#endif
