/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classification before address translation, for a host that translates.
 *
 * Behind source NAT the egress qdisc sees other addresses and ports than the policy's filters
 * mean. So where a host translates, a table of nftables classifies before it does, with the
 * very programs of the policy's filters (xt_bpf), and says the class as the packet's priority,
 * which HTB takes for it without asking a filter:
 *
 *     table inet weir-tc-eth0 {
 *         chain classify      at postrouting, before source NAT:
 *             oifname "eth0"  jump c0
 *         chain c0            the classes of the link, in file order; cN: those of a class
 *             bpf ...         priority = the class; accept      (a leaf)
 *             bpf ...         goto cN                           (a class with classes)
 *             ...             what no filter takes: the default, likewise
 *     }
 *
 * The table is not owned by a process: it stays as the qdiscs stay. A digest of what it was
 * made from is the comment of its first rule; drift is seen by that and by what the kernel
 * tells of each rule. The base chain is never made anew: deleting one drops what any netfilter
 * queue of the host holds, weir's own too. (Removing the table does so, once.)
 */
#ifndef WEIR_GW_TC_NAT_H
#define WEIR_GW_TC_NAT_H

#include "gw/tc_plan.h"

#define TC_NAT_TABLE "weir-tc-" /* and the interface's name */
/*
 * Before source NAT, which is at 100 whatever priority its chains have (nf_nat_core), and
 * behind what else may set priorities at this hook.
 */
#define TC_NAT_PRIORITY 90

/*
 * Who translates source addresses on this host: a base chain of type nat at postrouting in any
 * table of nftables, or the legacy nat table of iptables. 1 with its name in `who`; 0: nobody;
 * -1 with errno: it could not be seen.
 */
int tc_nat_who(char *who, size_t size);

/*
 * Whether a program asks for what translation changes: `source` true, addresses and ports
 * of the sender (a link's way out behind source NAT), else those of the receiver (its way in).
 * From the IP header on; sound: when in doubt, true.
 */
bool tc_nat_reads(const struct sock_filter *insn, size_t n, bool source);

/* How a rule set is before it is in the kernel. */
struct tc_nat_plan {
	char *table;
	const struct tc_plan *plan; /* for the classids */
	struct tc_rules rules;
	uint64_t digest;
	const struct tc_rule *too_long; /* a program that xt_bpf cannot take; NULL: none */
};
/* 0; -1 with one line in err (empty: told to r). rules are made from the plan's link. */
int tc_nat_plan(struct tc_nat_plan *n, const struct policy *p, const struct tc_plan *plan,
		struct policy_report *r, char *err, size_t errsize);
void tc_nat_plan_free(struct tc_nat_plan *n);

/* What the kernel has of the interface's table; one without any rule is none. */
enum tc_nat_state { TC_NAT_NONE, TC_NAT_SAME, TC_NAT_OTHER };
/* `n` NULL: only whether there is one (TC_NAT_OTHER). -1 with errno. */
int tc_nat_state(const struct tc_nat_plan *n, const char *interface);

/* Removes it. 1: removed; 0: there was none; -1 with err. */
int tc_nat_remove(const char *interface, char *err, size_t errsize);
/*
 * Takes its rules away and leaves the base chain, for tc_nat_remove() when no queue holds
 * packets any more: to tc_nat_state() it is none then. As that.
 */
int tc_nat_empty(const char *interface, char *err, size_t errsize);

/* Whether the kernel has what the table is made of; tried in a transaction that leaves nothing.
 */
bool tc_nat_can(void);

/*
 * All of it for one link: what is to be done about translation on this host, who is told what,
 * and doing it.
 */
struct tc_nat_job {
	struct tc_nat_plan plan;
	const char *interface; /* the link's; NULL: what comes in, of which there is no table */
	bool wanted;	       /* the table is to be there; else not */
};
/*
 * Looks and decides; changes nothing. Filters that would mean something else in the kernel than
 * in the policy are told to r, each at its place: as errors if strict, else as warnings. 0;
 * -1: an error was told, or is one line in err.
 */
int tc_nat_prepare(struct tc_nat_job *job, const struct policy *p, const struct tc_plan *plan,
		   bool strict, struct policy_report *r, char *err, size_t errsize);
/*
 * What tc_nat_commit() would change: '+' the table is missing, '-' it is not wanted, '~' it is
 * another one, '=' nothing; -1 with errno.
 */
int tc_nat_differs(const struct tc_nat_job *job);
/*
 * Makes it so for n links, in one transaction; touches nothing that is right. How many tables
 * were changed, or -1 with one line in err: none was.
 */
int tc_nat_commit(const struct tc_nat_job *job, size_t n, char *err, size_t errsize);
void tc_nat_job_free(struct tc_nat_job *job);

#endif
