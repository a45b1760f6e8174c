/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges the service of a link: which class is served badly, since when, why, and what would
 * help. One judge for the gateway, for policy tests and for whoever else has counters; it
 * knows no clock and no socket, and the same counters give the same findings.
 *
 *     judge_window()    what each class had counted by now: the window since the last call is
 *                       judged
 *     judge_findings()  what is wrong, the worst first
 *
 * A finding is an episode: bad windows of one kind and class of which no two are further apart
 * than JUDGE_HOLD. What was bad stays a finding for as long after its last bad window, so that
 * an admin who comes a little later still sees it.
 *
 * What is bad:
 *     latency    more than 1 % of the packets that a window sent had waited longer than the
 *                class's max-latency (a smaller part is a notice)
 *     jitter     the estimate of RFC 3550 is above max-jitter at the window's end
 *     guarantee  a class had packets waiting at both ends, and got less than 9/10 of its `min`
 *     starved    packets waited at both ends, and none was sent, for JUDGE_STARVED and more
 *     drops      more than 10 % of what came was dropped, or 1 % where the class has a `min`, a
 *                `deadline` or an objective; at least JUDGE_DROPS_LEAST packets
 *     wait       packets waited for JUDGE_WAITED and more on average: nothing is wrong with
 * that by itself, so it is looked for only where episodes are kept, for who expected less
 * (judge_why) loss       a counter of the host grew that should stay as it is (judge_host)
 *
 * The cause is taken from the same window: what reached its rate. A class, or one above it,
 * that got 95 % of its `max` is held by that; a link that got 95 % of its rate is full, and the
 * classes that got most of it are named; else flow-max and host-max; else what the host says of
 * itself (late, unread); else the traffic comes in bursts that its limits do not hold.
 */
#ifndef WEIR_QOS_JUDGE_H
#define WEIR_QOS_JUDGE_H

#include <sys/types.h>

#include "qos/account.h"
#include "qos/policy.h"

#define JUDGE_SECOND UINT64_C(1000000000)
#define JUDGE_HOLD (60 * JUDGE_SECOND)
#define JUDGE_STARVED (2 * JUDGE_SECOND)
#define JUDGE_WAITED (JUDGE_SECOND / 1000)
#define JUDGE_DROPS_LEAST 10u
#define JUDGE_TEXT 320

enum judge_kind {
	JUDGE_LATENCY,
	JUDGE_JITTER,
	JUDGE_GUARANTEE,
	JUDGE_STARVATION,
	JUDGE_DROPS,
	JUDGE_WAIT,
	JUDGE_LOSS,
	/* of a host's plumbing: found by others, in the same list */
	JUDGE_DOWN,
	JUDGE_BYPASS,
	JUDGE_RULES,
	JUDGE_FAILED,
	JUDGE_SHED,
	JUDGE_SETS,
	JUDGE_KINDS
};

/* A notice is worth knowing; a warning is what an admin should act on. */
enum judge_severity { JUDGE_NOTICE, JUDGE_WARNING };

/* What a class had counted by a moment, since whenever: only differences count. */
struct judge_counts {
	uint64_t in_packets, sent_packets, sent_bytes;
	uint64_t dropped[PKT_DROP_N];
	uint64_t over_latency;
	uint64_t delay_sum; /* ns that those that were sent had waited; may wrap */
	uint64_t jitter;    /* ns, the estimate as it is now */
	uint32_t waiting;
};

/* A counter of the host that is to stay as it is. */
struct judge_loss {
	const char *what; /* "packets vanished while they were held"; texts outlive the judge */
	const char *remedy;
	uint64_t count; /* since the start */
};

/* What the host says of itself and of the way to the link, over the window. All zero: nothing.
 */
struct judge_host {
	const struct judge_loss *loss; /* the same n, in the same order, at every call */
	size_t n_loss;
	uint64_t late;	 /* ns: how late the thread came to what was due, at most */
	uint64_t unread; /* ns: how long packets had waited before they were read, at most */
};

struct judge_finding {
	enum judge_kind kind;
	enum judge_severity severity;
	const struct policy_class *class; /* the link's root: the link as a whole */
	uint64_t since, last;	 /* ns: begin of its first, end of its last bad window */
	char what[JUDGE_TEXT];	 /* what is wrong, with figures of the whole episode */
	char cause[JUDGE_TEXT];	 /* of its last bad window; "" when it is not known */
	char remedy[JUDGE_TEXT]; /* "" when there is none to name */
};

/* "latency", "drops", ...: for scripts. */
const char *judge_kind_name(enum judge_kind k);
const char *judge_severity_name(enum judge_severity s);

struct judge;

/*
 * For a link, which must outlive it. keep: episodes that are over are kept for
 * judge_findings(all) and judge_why(), as a test wants it; else they are forgotten, as what
 * runs for years must. NULL: no memory.
 */
struct judge *judge_new(const struct policy_link *l, bool keep);
void judge_free(struct judge *j); /* NULL: nothing */

/*
 * Where counts of the next window go: an entry for each class of the link, by its index. Those
 * of inner classes need over_latency alone, the rest is summed up from below. Valid until the
 * judge's end; the caller fills all of it in before each judge_window().
 */
struct judge_counts *judge_next(struct judge *j);
/* From an account; `inner`: only what judge_next() asks of an inner class. */
void judge_count(struct judge_counts *to, const struct account *a, bool inner);

/*
 * Judges the time since the call before; the first call only takes the counts. `now` in ns.
 * host may be NULL. Windows may have any length; one of less than JUDGE_SECOND / 10 is left for
 * the next call to judge, unless `last` says that there will be none.
 */
void judge_window(struct judge *j, uint64_t now, const struct judge_host *host, bool last);

/* A new policy's judge goes on from another: episodes and counts of classes of the same path.
 */
void judge_inherit(struct judge *j, const struct judge *old);

/*
 * What is wrong: warnings first, then by since when. *v is the caller's to free(); entries
 * point to classes of the link. -1: no memory. Those that ended before `now` - JUDGE_HOLD are
 * left out, unless `all`.
 */
ssize_t judge_findings(const struct judge *j, uint64_t now, bool all, struct judge_finding **v);

/*
 * For who has found by other means that a class was served badly (a policy test): its episode
 * of the kind `first`, or the worst of it and of those below it, the latest of several; false:
 * there was none.
 */
bool judge_why(const struct judge *j, const struct policy_class *c, enum judge_kind first,
	       struct judge_finding *f);

#endif
