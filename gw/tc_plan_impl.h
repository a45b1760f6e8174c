/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the compiler share; nobody else includes it.
 *
 *   tc_plan.c         from link to plan: numbers, the tree of classes, the queues
 *   tc_plan_share.c   quanta and prios
 *   tc_plan_line.c    what the line counts for a packet: the size table
 *   tc_plan_filter.c  rules, and filters from them
 *   tc_plan_note.c, tc_plan_note_class.c  what is said of each key
 *   tc_plan_tell.c    and how it is told
 */
#ifndef WEIR_GW_TC_PLAN_IMPL_H
#define WEIR_GW_TC_PLAN_IMPL_H

#include "gw/tc_plan.h"

#define TC_PRIOS 8u		 /* TC_HTB_NUMPRIO */
#define TC_DEPTH_MAX 7		 /* levels below the link's class: TC_HTB_MAXDEPTH - 1 */
#define TC_TRICKLE 1u		 /* bytes/s of a class without min */
#define TC_DEBT_S 60u		 /* seconds of debt that HTB remembers: mbuffer of sch_htb.c */
#define TC_SEGMENT 65535u	 /* the largest IP packet that a host makes (GSO, GRO) */
#define TC_SMALL 64u		 /* bytes of IP; a bucket holds such a packet at least */
#define TC_FIFO_TARGETS 5u	 /* targets that a fifo in CoDel's place holds at its rate */
#define TC_FQ_QUANTUM_LEAST 256u /* what fq_codel makes of less */
#define TC_CODEL_MAX 2000000000u /* us; CoDel tells before from after up to 2^31 * 1024 ns */

/* How a leaf shares. */
struct tc_share {
	uint32_t prio, quantum;
	bool last;    /* it has the last prio, and others that should come before or after */
	bool strict;  /* of a class with classes: its `scheduler: priority` is honoured */
	bool clamped; /* its quantum should be other than it is */
};

struct tc_build {
	struct tc_plan *t;
	const struct policy *p;
	const struct policy_link *l;
	const struct tc_can *can;
	const struct tc_device *dev;
	struct policy_report *r;
	char *err;
	size_t errsize;

	uint32_t packet; /* bytes charged for the largest packet of the device */
	uint64_t round;	 /* bytes that all leaves of the widest prio send in their turns */
	struct tc_share *share; /* by policy_class.index */

	bool crowded; /* there are more ranks than prios */
	size_t room;  /* for notes */
};

/* "FILE:LINE:COL: ..." in b->err. Always -1. */
int tc_refuse(const struct tc_build *b, struct policy_mark at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* bit/s as bytes/s, rounded down, at least 1 */
static inline uint64_t tc_bytes_rate(uint64_t bps)
{
	return bps >= 8 ? bps / 8 : 1;
}

/* A burst that is not above this leaves HTB no bucket: it gets the smallest. */
static inline uint64_t tc_least_burst(const struct tc_build *b)
{
	return (uint64_t)b->packet + policy_charge(b->l, TC_SMALL);
}

/* The class that holds the max which a class cannot exceed; NULL: the link. */
const struct policy_class *tc_ceiling(const struct policy_class *c);

/* tc_plan_share.c: fills b->share and b->round. 0, or -1: no memory. */
int tc_share_build(struct tc_build *b);

/* tc_plan_line.c: how far a size table is from policy_charge(), for IP packets from 20 bytes.
 */
struct tc_line {
	bool table;	  /* there is one, or an overhead alone */
	uint32_t exact;	  /* up to this length it counts the same */
	uint32_t error;	  /* bytes, the largest difference beyond */
	uint32_t packets; /* up to this length it must be exact, for packets of this device */
};
/* The table of the root qdisc; s->size is the caller's. 0, or -1: no memory. */
int tc_line_build(const struct tc_build *b, bool *has, struct tc_stab *s);
void tc_line_measure(const struct tc_build *b, bool has, const struct tc_stab *s,
		     struct tc_line *line);
/* As the kernel counts a packet of `len` bytes, the device's header included. */
uint32_t tc_line_charge(const struct tc_stab *s, uint32_t len);

/* tc_plan_filter.c: filters of all levels into the plan. 0, or -1 as tc_plan_new(). */
int tc_filters_build(struct tc_build *b);

/* tc_plan_note.c: all notes. 0, or -1: no memory. */
int tc_notes_build(struct tc_build *b);
/* One; c: the class, or the link's root. Likewise. */
int tc_note_at(struct tc_build *b, const struct policy_class *c, struct policy_mark at,
	       const char *key, enum tc_fidelity fidelity, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* How near HTB comes to a rate. */
int tc_note_rate(struct tc_build *b, const struct policy_class *c, const char *key,
		 uint64_t bps, const char *what);

/* tc_plan_note_class.c: likewise */
int tc_note_scheduler(struct tc_build *b, const struct policy_class *c);
int tc_notes_class(struct tc_build *b, const struct policy_class *c);

#endif
