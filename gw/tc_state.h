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
/*
 * The same from messages that were dumped before, of one device: tc_object.raw of each, one
 * after the other. `messages` is aligned as malloc() does.
 */
int tc_state_from(const uint8_t *messages, size_t size, struct tc_state *s, char *err,
		  size_t errsize);
void tc_state_free(struct tc_state *s);

/* One change. */
enum tc_op { TC_ADD, TC_CHANGE, TC_DELETE };
struct tc_change {
	enum tc_op op;
	const struct tc_object *o;   /* what is to be (TC_DELETE: what is) */
	const struct tc_object *was; /* TC_CHANGE: what is now; for undoing it */
	/*
	 * Of a TC_DELETE: no message is sent, it goes with the next change that is not implied:
	 * what hangs on a class or qdisc that is deleted, the queue of a leaf that gets
	 * classes.
	 */
	bool implied;
	bool done; /* set by tc_run() */
};

/*
 * What has to be done so that the device has what is wanted, in an order that works: only
 * what differs, and nothing outside of the trees whose tops (the root qdisc, the ingress
 * qdisc) are wanted. Pure. `changes` points into both lists and has objects of its own. 0, or
 * -1: no memory.
 *
 * Of filters only the order is wanted: those that stay keep the priority that they have.
 * A root qdisc can be given another size table and nothing else: when it differs otherwise, or
 * is somebody else's, or no priorities are left for filters, all of the tree is made anew.
 */
struct tc_changes {
	struct tc_change *v;
	size_t n, cap;
	struct tc_object *made; /* filters with the priorities that they get */
};
int tc_diff(const struct tc_list *want, const struct tc_state *have,
	    struct tc_changes *changes);
void tc_changes_free(struct tc_changes *c);

/*
 * Carries them out, many messages to a system call, and stops at the first that the kernel
 * refuses; those behind it in the same system call may be done nonetheless: c->v[].done says
 * which are. 0; or -1, and *error is the errno, with the object and the kernel's own words
 * (extended ACK) in err.
 */
int tc_run(struct tc_nl *nl, uint32_t ifindex, struct tc_changes *c, int *error, char *err,
	   size_t errsize);
/* Takes back those that are done, from the last to the first. 0, or -1 with err. */
int tc_undo(struct tc_nl *nl, uint32_t ifindex, struct tc_changes *c, char *err,
	    size_t errsize);

/* What this kernel has, tried in a network namespace of its own: nothing of the host changes.
 */
struct tc_can;
int tc_probe(struct tc_can *can, char *err, size_t errsize);

#endif
