/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device's traffic control is now, read by netlink dumps, and the messages that change
 * it. Everything that is read is from outside: what is not understood is TC_OTHER, never a
 * guess.
 */
#ifndef WEIR_GW_TC_STATE_H
#define WEIR_GW_TC_STATE_H

#include "gw/tc_object.h"

/* A netlink socket for traffic control (libnl). */
struct tc_nl;
struct tc_nl *tc_nl_open(char *err, size_t errsize);
void tc_nl_close(struct tc_nl *nl);

struct tc_counters {
	uint64_t bytes, packets; /* sent */
	uint64_t drops;
	uint32_t backlog_packets, backlog_bytes;
};

struct tc_state {
	struct tc_list list;	/* everything on the device, foreign objects too */
	struct tc_counters *of; /* beside each object; of filters zero */
	uint32_t ifindex;
	bool ours;	 /* the root qdisc is weir's (TC_ROOT_HANDLE, htb) */
	bool unattended; /* the root is what the kernel gives a device by itself (handle 0) */
	bool ingress;	 /* there is an ingress or clsact qdisc */
};

/*
 * Reads all of a device: qdiscs, classes, filters of every qdisc and inner class and of
 * ingress. 0, or -1 with one line in err. A dump that was interrupted by a change is read
 * again.
 */
int tc_state_read(struct tc_nl *nl, uint32_t ifindex, struct tc_state *s, char *err,
		  size_t errsize);
void tc_state_free(struct tc_state *s);

/* One change. */
enum tc_op { TC_ADD, TC_CHANGE, TC_DELETE };
struct tc_change {
	enum tc_op op;
	const struct tc_object *o;   /* what is to be (TC_DELETE: what is) */
	const struct tc_object *was; /* TC_CHANGE: what is now; for undoing it */
};

/*
 * What has to be done so that the device has what is wanted, in an order that works: only
 * what differs, and nothing outside of weir's own tree. Pure. `changes` points into both
 * lists. 0, or -1: no memory.
 */
struct tc_changes {
	struct tc_change *v;
	size_t n, cap;
};
int tc_diff(const struct tc_list *want, const struct tc_state *have,
	    struct tc_changes *changes);
void tc_changes_free(struct tc_changes *c);

/*
 * Carries them out, many messages to a system call, and stops at the first that the kernel
 * refuses. The number that were done; *error is 0 or the errno of the one that was not, with
 * the kernel's own words (extended ACK) in err.
 */
size_t tc_run(struct tc_nl *nl, uint32_t ifindex, const struct tc_changes *c, int *error,
	      char *err, size_t errsize);
/* Takes back the first `done` of them, from the last to the first. 0, or -1 with err. */
int tc_undo(struct tc_nl *nl, uint32_t ifindex, const struct tc_changes *c, size_t done,
	    char *err, size_t errsize);

/* What this kernel has, tried in a network namespace of its own: nothing of the host changes.
 */
struct tc_can;
int tc_probe(struct tc_can *can, char *err, size_t errsize);

#endif
