/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The matcher: packet in, link and class out, with the flow table behind it.
 *
 * Classes are tried in file order, the first match wins, and matching goes on
 * inside a class that has classes; where none matches, the default takes it. What
 * was decided for a flow is kept in the flow table and used again where nothing
 * that was consulted can change within the flow (filter.h) and the DSCP is the
 * same or was not asked. So the table never changes a decision, only its cost, and
 * evicting a flow is harmless. Later fragments follow their first fragment.
 *
 * The flow table is bounded: `flows_max` entries of FLOW_ENTRY bytes, hashed with a
 * key (SipHash), the oldest evicted when it is full. It also keeps what accounting
 * needs per flow.
 */
#ifndef WEIR_QOS_MATCH_H
#define WEIR_QOS_MATCH_H

#include "qos/dissect.h"
#include "qos/filter.h"
#include "qos/policy.h"

struct match;

struct match_opts {
	const struct policy_link
		*only;	    /* every packet is on this link; NULL: `capture` decides */
	uint32_t flows_max; /* 0: MATCH_FLOWS_DEFAULT */
	uint32_t frags_max; /* 0: MATCH_FRAGS_DEFAULT */
	uint8_t key[16];    /* hash key: fixed for replay, random for the gateway */
};
#define MATCH_FLOWS_DEFAULT (1u << 20)
#define MATCH_FRAGS_DEFAULT 4096u

/* What a flow remembers for the accounting of its class; zero for a new flow. */
struct match_flow {
	uint64_t last_delay : 63; /* ns, of the packet that left last */
	uint64_t seen : 1;	  /* last_delay is valid */
};

struct match_result {
	const struct policy_link *link;	  /* NULL: on no link of the policy */
	const struct policy_class *class; /* a leaf; NULL with link NULL */
	uint64_t flow;			  /* keyed hash of the flow: its identity */
	/* Where the class has host-max, or isolation between hosts; elsewhere 0: */
	uint64_t host;	   /* keyed hash of its inside host */
	uint32_t src, dst; /* of its two hosts */
	uint32_t slot;	   /* of the flow table, for match_flow(); MATCH_NO_SLOT */
	/* what the link hangs on: it may go by link->control.class; `class` is where it goes
	 * else */
	bool control;
};
#define MATCH_NO_SLOT UINT32_MAX

struct match_stats {
	uint64_t packets, hits, evaluated; /* decided from the table; by running filters */
	uint64_t flows;			   /* now in the table */
	uint64_t flows_made, flows_evicted;
	uint64_t frags_followed, frags_orphan; /* later fragments with and without a first */
	uint64_t frags_evicted;
	uint64_t filters_run;
	/* evaluated packets of which a criterion asked for what is not known (dissect_meta) */
	uint64_t unknown_mark, unknown_mac, unknown_in;
};

/*
 * For the policy, or for opts->only of it; both must outlive it, and what the policy's sets
 * hold, too. NULL when there is no memory, or when the policy's filters are not compiled, or a
 * set that a class asks for is not known: told to r with its place.
 */
struct match *match_new(const struct policy *p, const struct match_opts *opts,
			struct policy_report *r);
void match_free(struct match *m);

/* Decides. `now` (ns) ages the table. Never fails: a full table only costs time. */
void match_packet(struct match *m, const struct dissected *d, uint64_t now,
		  struct match_result *res);

/*
 * The set of that number (policy_set.number) holds something else from now on, which must live
 * until the next such call for it or match_free(). Packets that come are decided anew; what was
 * decided of those that came stays.
 */
void match_set(struct match *m, size_t set, const struct addrset *to);

/* The link that a packet would be on, or NULL; nothing is counted, nothing remembered. */
const struct policy_link *match_link(const struct match *m, const struct dissected *d);

/*
 * Packets that will come soon, one sooner than the other: what match_packet() will read
 * of their flows comes nearer to the processor. Changes nothing else. Only for packets
 * whose hash is there.
 */
void match_prefetch(const struct match *m, const struct dissected *sooner,
		    const struct dissected *later);

/* The flow behind a slot, if it still is that flow; NULL otherwise. */
struct match_flow *match_flow(struct match *m, uint32_t slot, uint64_t flow);

void match_get_stats(const struct match *m, struct match_stats *s);

/* What the link's classes ask for beside a packet's bytes: of enum dissect_known. */
unsigned match_asked(const struct policy_link *l);

/*
 * Why: calls fn for every criterion that was tried for this packet, in order, with
 * its outcome. For `weir test` and for people who doubt. No effect on the table.
 */
void match_explain(struct match *m, const struct dissected *d,
		   void (*fn)(void *arg, const struct policy_class *c, const char *criterion,
			      bool matched),
		   void *arg);

/*
 * The check behind `weir check`: looks for classes that can never match. Errors and
 * warnings to r.
 */
void match_check(const struct policy *p, struct policy_report *r);

#endif
