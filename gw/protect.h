/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packets of a link go by the queue that is read first: those of classes that are
 * promised something (min, deadline, max-latency, max-jitter), and what the link itself hangs
 * on, as far as a program of the kernel's can tell them before weir does (xt_bpf: the filter's
 * own program, DSCP, mark).
 *
 * It decides about nothing but the queue: weir classifies each packet again. A packet of
 * another class may come by it (an earlier class takes it); and one of a promised class may
 * not, where its class cannot be told: a filter that looks at more than a flow's addresses,
 * protocol and ports would part a flow, and with it its order; sender's addresses, interfaces
 * and sets are not there; a program may have 64 instructions. What can be told is the same for
 * all packets of a flow, or, DSCP and mark, as its sender sets them.
 */
#ifndef WEIR_GW_PROTECT_H
#define WEIR_GW_PROTECT_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "gw/tc_bpf.h"
#include "qos/policy.h"

/* More rules than this for a link cost every packet more than they are worth. */
#define PROTECT_RULES_MAX 64u

/* A packet that all of these programs take. */
#define PROTECT_AND 2u
struct protect_rule {
	struct sock_filter insn[PROTECT_AND][TC_XT_BPF_MAX];
	uint16_t n[PROTECT_AND]; /* 0: no such program */
};

struct protect {
	/* what the link hangs on: tried where `look` takes a packet, which nearly none is */
	struct protect_rule look;
	struct protect_rule *control;
	size_t n_control;
	struct protect_rule *rule; /* in file order */
	size_t n_rule;
	unsigned promised; /* classes that are promised something */
	unsigned untold;   /* of these: such as no rule tells, or not all of it */
};

/* 0, or -1: no memory. protect_free() ends it. */
int protect_build(struct protect *p, const struct policy_link *l);
void protect_free(struct protect *p);

#endif
