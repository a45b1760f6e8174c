/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parity: whether the kernel puts the packets of a capture into the classes into which the
 * replay puts them.
 *
 * In a network namespace of its own, each link of the policy gets a device whose qdiscs come
 * from the policy's plan; only the rates are raised, so that nothing waits and nothing is
 * dropped. The capture's packets are sent out by these devices, and the kernel's own counters
 * of its classes are compared with what an engine, driven as the replay drives it, says of the
 * same packets. Where the counts of a batch differ, its packets are sent again one by one, so
 * that each packet that went elsewhere is known by its number.
 */
#ifndef WEIR_GW_TC_PARITY_H
#define WEIR_GW_TC_PARITY_H

#include "gw/capture.h"
#include "qos/policy.h"

struct tc_parity;

struct tc_parity_opts {
	const struct policy *policy;
	const struct policy_link *link; /* all packets are on it; NULL: `capture` decides */
	const char *const *capture;
	size_t n_capture;
	/* of captures that turn out broken: one line each */
	void (*warn)(void *arg, const char *text);
	void *arg;
};

/*
 * Why the kernel may tell a packet otherwise and nothing is wrong with the filters: said only
 * where the policy itself, asked of just the bytes that the kernel got, gives the kernel's
 * class.
 */
enum tc_parity_why {
	TC_PARITY_FILTER,   /* none of the below: a fault */
	TC_PARITY_FRAGMENT, /* a later fragment: weir sends it after its first; tc sees no more
			       than it */
	TC_PARITY_CUT,	    /* the capture has not all of its bytes: the kernel got zeros */
	TC_PARITY_SIZE,	    /* larger than the plan's size table: charged a little otherwise */
	TC_PARITY_WHYS
};

struct tc_parity_difference {
	uint64_t packet; /* as in a trace */
	const struct policy_link *link;
	const struct policy_class *replay, *kernel; /* NULL: in none, unshaped */
	enum tc_parity_why why;
	char *filters; /* what the replay asked of it, and the answers, until the class was
			  found */
};

struct tc_parity_class {
	uint64_t replay_packets, replay_bytes; /* bytes as charged */
	uint64_t kernel_packets, kernel_bytes;
};

struct tc_parity_link {
	const struct policy_link *link;
	struct tc_parity_class *of; /* by policy_class.index */
	struct tc_parity_class unshaped;
};

struct tc_parity_result {
	uint64_t packets, sent, passed; /* passed: on no link; sent: to the kernel */
	uint64_t truncated;		/* captures that could be read only in part */
	uint64_t differ[TC_PARITY_WHYS];
	struct tc_parity_difference *difference; /* the first TC_PARITY_SHOWN of them */
	size_t n_difference;
	struct tc_parity_link *link;
	size_t n_link;
};
#define TC_PARITY_SHOWN 1000

/*
 * Everything that can fail early. This process is in another network namespace from then on.
 * NULL with one line in err (empty: told to r).
 */
struct tc_parity *tc_parity_open(const struct tc_parity_opts *o, struct policy_report *r,
				 char *err, size_t errsize);
/* Once. 0, or -1 with one line in err: the kernel did not play. */
int tc_parity_run(struct tc_parity *t, char *err, size_t errsize);
const struct tc_parity_result *tc_parity_result(const struct tc_parity *t);
void tc_parity_close(struct tc_parity *t);
/* "fragment", "cut", "filter" */
const char *tc_parity_why_name(enum tc_parity_why why);

#endif
