/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of traffic control as routing netlink messages, both ways. Pure: nothing is sent.
 */
#ifndef WEIR_GW_TC_MESSAGE_H
#define WEIR_GW_TC_MESSAGE_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "gw/tc_object.h"
#include "gw/tc_state.h"

#define TC_FILTER_ENTRY 1u /* cls_bpf's handle of the one program that a prio has */

/*
 * What a message of a dump (RTM_NEWQDISC, RTM_NEWTCLASS, RTM_NEWTFILTER) says. 1: *o is the
 * caller's to free, without `raw`, and *c has its counters; 0: no such message; -1: its
 * lengths lie, or it lacks what every such message has. What is well formed and not known
 * becomes TC_OTHER.
 */
int tc_decode(const struct nlmsghdr *h, struct tc_object *o, struct tc_counters *c);

/*
 * The kernel keeps CoDel's times in units of 1024 ns and rounds down, when it is told and
 * when it tells (include/net/codel.h): the smallest number of us that it keeps as what it has
 * told.
 */
uint32_t tc_codel_time(uint32_t told);

/* What fq_codel has where nobody says it (fq_codel_init() in net/sched/sch_fq_codel.c). */
#define TC_FQ_CODEL_MEMORY (32u << 20)
#define TC_FQ_CODEL_DROP_BATCH 64u

/* The parts of a dumped message that all kinds have. `tb` has room for TCA_MAX + 1. */
struct tc_parsed {
	struct tcmsg t;
	struct nlattr *tb[TCA_MAX + 1];
	char kind[16];
	uint32_t chain;
};
/* 0, or -1: not a whole message of traffic control. */
int tc_parse(const struct nlmsghdr *h, struct tc_parsed *p);

/*
 * The request that does it: NULL: no memory, or there is no such request. `was` is what there
 * is when op is TC_CHANGE. The caller frees it. TC_OTHER can be deleted only.
 */
struct nl_msg *tc_encode(enum tc_op op, const struct tc_object *o, const struct tc_object *was,
			 uint32_t ifindex);
struct nl_msg *tc_encode_header(int type, int flags, const struct tcmsg *t, size_t room);

#endif
