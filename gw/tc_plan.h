/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiler: a link of a policy as objects of the kernel's traffic control. Pure: nothing is
 * asked of the kernel, what it can do comes in as an argument; the same policy gives the same
 * plan.
 *
 * The tree becomes one HTB:
 *
 *   link         class 7765:1, rate = ceil = the link's rate
 *   class        rate = min (or a trickle), ceil = max (or what is above it allows)
 *                a leaf within its rate goes before all that borrow: that is weir's `min`
 *   weight       quantum of the leaves; a class with classes divides its weight among them
 *   scheduler: priority   prio of the leaves below
 *   burst        buffer: HTB sends while it has tokens and then goes below zero by a whole
 *                packet, so it gets a packet less than weir's bucket of the same burst
 *   overhead, mpu, linklayer   a size table of the root qdisc
 *   queue        the leaf's qdisc
 *   match, dscp  filters in file order, at the root for the first level and at each class with
 *                classes for its own: HTB asks them in just that order
 *   default      a last filter that takes every IP packet
 *   what is not IP goes unshaped, as it is `passed` in a replay
 *
 * Whatever tc cannot express exactly is a note, with its reason: see tc_note.
 */
#ifndef WEIR_GW_TC_PLAN_H
#define WEIR_GW_TC_PLAN_H

#include "gw/tc_object.h"
#include "qos/policy.h"

/* What a kernel has. */
struct tc_can {
	bool htb, bpf, ingress, ifb, mirred;
	bool fq_codel, codel;
};

struct tc_device {
	uint32_t header; /* bytes that the device puts in front of an IP packet: 14, or 0 */
	uint32_t mtu;
};

/*
 * How near the kernel comes to a key of the policy. TC_LOOSE notes are warnings, and errors
 * under --strict; TC_EXACT ones are told by `weir tc show` alone.
 */
enum tc_fidelity { TC_EXACT, TC_LOOSE };

struct tc_note {
	const struct policy_class *class; /* NULL: the link */
	struct policy_mark mark;	  /* of the class or link */
	const char *key;		  /* "deadline", "scheduler", ... */
	enum tc_fidelity fidelity;
	char *text; /* what was made of it, and if it is not the same, why */
};

/* What a filter looks at that is not what it seems to be where the kernel runs it. */
enum tc_reads {
	TC_READS_LATER = 1,   /* a later fragment may not be taken as its first one was */
	TC_READS_LENGTH = 2,  /* the packet's length */
	TC_READS_PAYLOAD = 4, /* what lies behind the first 20 bytes of the upper header */
};

/*
 * How packets are told apart, level by level: what the filters of the plan are made from, and
 * what classifies before address translation as well. For each class with classes (and the
 * link's root), its children's criteria in file order.
 */
struct tc_rule {
	const struct policy_class *at;	    /* the class (or root) whose level this is */
	const struct policy_class *to;	    /* the child that takes what matches */
	const struct policy_filter *filter; /* as written; NULL: default, or DSCP alone */
	struct sock_filter *insn; /* from the IP header on: dscp and filter; returns 0 or ~0 */
	uint16_t n;
	unsigned reads; /* of enum tc_reads */
};
struct tc_rules {
	struct tc_rule *v;
	size_t n;
};

#define TC_NO_CLASS UINT16_MAX /* above POLICY_CLASSES_MAX */
struct tc_plan {
	const struct policy_link *link;
	struct tc_list list; /* in the order in which they can be made */
	uint32_t *classid;   /* by policy_class.index; of the root: TC_LINK_CLASS */
	uint16_t *index;     /* the other way round: by minor number; of none: TC_NO_CLASS */
	struct tc_rules rules;
	struct tc_note *note;
	size_t n_note;
};

/*
 * NULL: no memory (err empty), or the policy cannot be had in the kernel at all (one line in
 * err: a program of more than TC_BPF_MAX instructions, no HTB, more classes than handles). A
 * filter that does not compile is told to r.
 */
struct tc_plan *tc_plan_new(const struct policy *p, const struct policy_link *l,
			    const struct tc_can *can, const struct tc_device *dev,
			    struct policy_report *r, char *err, size_t errsize);
void tc_plan_free(struct tc_plan *t);

/*
 * The class that a classid stands for; NULL: none. For counters that are read back.
 */
const struct policy_class *tc_plan_class(const struct tc_plan *t, uint32_t classid);
/* The rule that a filter of t->list was made from; NULL: the one that lets pass what is not IP.
 */
const struct tc_rule *tc_plan_rule(const struct tc_plan *t, size_t filter);

/*
 * For a host that translates addresses (`surely`), or may: of what comes in, filters that ask
 * for the receiver see the address that was translated to, not the inside host. Their notes say
 * so from now on. 0, or -1: no memory.
 */
int tc_plan_translated(struct tc_plan *t, bool surely);

/*
 * What is said of several classes in the same words, told once: a call of fn for each, in the
 * order of the notes, with all that are the same. 0, or -1: no memory.
 */
int tc_plan_tell(const struct tc_plan *t,
		 void (*fn)(void *arg, const struct tc_note *const *same, size_t n), void *arg);
/* All TC_LOOSE ones as complaints of that severity. How many, or -1: no memory. */
int tc_plan_complain(const struct tc_plan *t, const struct policy *p, enum policy_severity sev,
		     struct policy_report *r);
/* But not those of some keys; the last of these is NULL. */
int tc_plan_complain_but(const struct tc_plan *t, const struct policy *p,
			 enum policy_severity sev, const char *const *but,
			 struct policy_report *r);

/*
 * The entries of a size table that weir made, which the kernel does not tell: from what it
 * tells, on a device with that header. s->size stays NULL where it cannot be one of weir's. 0,
 * or -1: no memory.
 */
int tc_stab_again(struct tc_stab *s, uint32_t header);

/*
 * The entries of a size table that weir made, which the kernel does not tell: from what it
 * tells, on a device with that header. s->size stays NULL where it cannot be one of weir's. 0,
 * or -1: no memory.
 */
int tc_stab_again(struct tc_stab *s, uint32_t header);

/* 0; -1: as tc_plan_new(). */
int tc_rules_build(struct tc_rules *rules, const struct policy *p, const struct policy_link *l,
		   struct policy_report *r, char *err, size_t errsize);
void tc_rules_free(struct tc_rules *rules);

#endif
