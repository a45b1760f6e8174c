/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judge from inside, for judge*.c only: judge.c decides, judge_cause.c looks for the cause,
 * judge_text.c finds the words.
 */
#ifndef WEIR_QOS_JUDGE_IMPL_H
#define WEIR_QOS_JUDGE_IMPL_H

#include "qos/judge.h"

/* What kept a class from sending more, in the order in which it is asked. */
enum judge_reason {
	REASON_NONE,	 /* nothing reached its rate: bursts */
	REASON_MAX,	 /* its own max */
	REASON_ABOVE,	 /* the max of a class above it */
	REASON_FULL,	 /* the link is full, or its sibling went first */
	REASON_FLOW_MAX, /* flow-max or host-max, as far as can be seen from outside */
	REASON_HOST,	 /* the host came too late */
};

#define RIVALS 2 /* that are named */
#define SENDERS \
	16 /* the largest of a window: those in the class itself are none of its rivals */
struct judge_cause {
	enum judge_reason reason;
	uint32_t above; /* REASON_ABOVE: index of that class */
	/* REASON_FULL: leaves that sent most, and how much of what the link sent, in percent */
	uint32_t n_rival, rival[RIVALS];
	uint8_t share[RIVALS];
	uint8_t own;	       /* what the class itself sent of that, in percent */
	bool over_min;	       /* it has a min, and got it */
	uint64_t late, unread; /* ns, REASON_HOST */
};

/* An episode: bad windows of one kind and class, none further from the next than JUDGE_HOLD. */
struct episode {
	enum judge_kind kind;
	enum judge_severity severity; /* the worst of its windows */
	uint32_t class;		      /* index */
	uint32_t loss;		      /* JUDGE_LOSS: which */
	uint64_t since, last;
	uint64_t bad, all;  /* packets: over, dropped or lost; of so many */
	uint64_t most;	    /* ns: jitter; bit/s that a guarantee was short of */
	enum pkt_drop drop; /* JUDGE_DROPS: the commonest reason of the last window */
	struct judge_cause cause;
};

struct judge {
	const struct policy_link *link;
	struct judge_counts *is, *was; /* by class index */
	struct episode *episode;
	size_t n_episode, room;
	/* of each class and kind before JUDGE_LOSS: its latest episode, counted from 1; 0: none
	 */
	uint32_t (*latest)[JUDGE_LOSS];
	bool keep; /* episodes that are over too */
	/* leaves that sent most in the window; found when the first asks */
	uint32_t sender[SENDERS], n_sender;
	bool senders_known;
	uint64_t at; /* when `was` was taken */
	bool begun;
	struct judge_loss *loss; /* counters of the host at `at` */
	size_t n_loss;
};

struct window { /* between two calls of judge_window() */
	struct judge *j;
	uint64_t now, ns;
	const struct judge_host *host;
};

/* From a counter that may have gone back: a packet that was counted as sent had vanished. */
static inline uint64_t judge_since(uint64_t is, uint64_t was)
{
	return is > was ? is - was : 0;
}

static inline bool judge_reached(uint64_t part, uint64_t percent, uint64_t whole)
{
	return (unsigned __int128)part * 100 >= (unsigned __int128)whole * percent;
}

/* Whether c is top, or below it. */
static inline bool judge_inside(const struct policy_class *c, const struct policy_class *top)
{
	while (c && c != top)
		c = c->parent;
	return c != NULL;
}

/* bit/s that a class sent in the window */
uint64_t judge_rate(const struct window *w, uint32_t class);
struct judge_cause judge_find_cause(const struct window *w, const struct policy_class *c);

/* The words for an episode. */
void judge_tell(const struct judge *j, const struct episode *e, struct judge_finding *f);

#endif
