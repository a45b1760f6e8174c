/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link's plan on its device: applied all or nothing, compared, removed.
 *
 *     tc_target_open()   reads the device and makes the plan for it; changes nothing
 *     tc_target_diff()   what the kernel has against what the policy wants
 *     tc_target_apply()  makes it so: only what differs; read back and compared; undone on
 *                        any failure
 *     tc_remove()        what weir made goes, and what was there before comes back
 *
 * A link with `direction: ingress` has its plan on an ifb device of its own ("wi-" and the
 * interface's name), and on the interface an ingress qdisc with one filter that sends all that
 * comes there. Both belong to it and come and go with it.
 *
 * A device's root qdisc that somebody configured (it has a handle, and not weir's) is not
 * touched, unless `replace`: then it is written down first, as the kernel tells it, in
 * TC_SAVED_DIR, and made again by tc_remove(). What cannot be made again as it was (tried in a
 * network namespace of its own) is not replaced.
 */
#ifndef WEIR_GW_TC_APPLY_H
#define WEIR_GW_TC_APPLY_H

#include <stdbool.h>

#include "gw/tc_plan.h"
#include "gw/tc_state.h"

#define TC_SAVED_DIR "/run/weir/tc"

struct tc_target; /* one link on its device */

struct tc_target_opts {
	const struct policy *policy; /* must live as long as the target */
	const struct policy_link *link;
	const struct tc_can *can; /* from tc_probe() */
	bool replace;
};

/*
 * NULL with one line in err (empty when a complaint was told to r): no such interface, no
 * permission; or, and then *impossible is set, the policy cannot be had in this kernel.
 */
struct tc_target *tc_target_open(const struct tc_target_opts *o, struct policy_report *r,
				 bool *impossible, char *err, size_t errsize);
void tc_target_close(struct tc_target *t);

const struct tc_plan *tc_target_plan(const struct tc_target *t);
const char *tc_target_device(
	const struct tc_target *t); /* where the plan is: interface or ifb */

/*
 * What differs, a call of fn for each object: '+' the policy wants it and it is not there, '-'
 * it is there and not wanted, '~' it is otherwise. `device` has it, the interface or its ifb;
 * `is` and `want` are tc_object_text()s, NULL where there is none. How many, or -1 with err.
 */
typedef void tc_differs(void *arg, const char *device, char what, const char *is,
			const char *want);
int tc_target_diff(struct tc_target *t, tc_differs *fn, void *arg, char *err, size_t errsize);

/*
 * Whether tc_target_apply() would refuse what somebody else has put there, as it was when it
 * was read last. 0, or -1 with one line in err.
 */
int tc_target_check(const struct tc_target *t, char *err, size_t errsize);
/*
 * Makes it so. The number of objects that were changed, or -1 with one line in err: then the
 * device is as it was (and if even that failed, err says so).
 */
int tc_target_apply(struct tc_target *t, char *err, size_t errsize);
/*
 * Takes back what the last tc_target_apply() did, for who applies several links, all or none.
 * 0, or -1 with one line in err.
 */
int tc_target_revert(struct tc_target *t, char *err, size_t errsize);

/* Counters of a class, read anew by tc_target_read(). Zero where there is no such class. */
int tc_target_read(struct tc_target *t, char *err, size_t errsize);
struct tc_counters tc_target_counters(const struct tc_target *t, const struct policy_class *c);

/*
 * Two at a time would undo each other's work: waits until no other process of this network
 * namespace applies or removes; busy (or NULL) is called once where that takes longer than a
 * moment. The lock is this process's until it ends, or closes what is returned; -1 with err.
 */
int tc_lock(void (*busy)(void), char *err, size_t errsize);
/*
 * The same for who goes on running: the lock, not held (to be closed; -1 with err), and to
 * hold it, waiting `ms` at most, and no longer. tc_lock_take() returns 0; or -1, and errno is
 * EWOULDBLOCK if another has it still.
 */
int tc_lock_open(char *err, size_t errsize);
int tc_lock_take(int fd, unsigned ms);
void tc_lock_give(int fd);

/*
 * Removes what weir made for this link, and restores what it had replaced. 1: removed; 0: there
 * was nothing of weir's; -1 with err.
 */
int tc_remove(const struct policy_link *l, char *err, size_t errsize);
/*
 * The same of the other direction of its interface: what is left where a link has been given
 * another direction since it was applied.
 */
int tc_remove_other(const struct policy_link *l, char *err, size_t errsize);
/* Whether tc_remove_other() would find something of weir's: 1 or 0; -1 with err. */
int tc_other_there(const struct policy_link *l, char *err, size_t errsize);
/* Whether something of weir's is on this way of an interface: 1 or 0; -1 with err. */
int tc_there(const char *interface, enum policy_direction way, char *err, size_t errsize);
/*
 * As tc_remove(), from the interface of that number, for which it was made: it may have another
 * name by now. 0: of the name in the policy.
 */
int tc_remove_at(const struct policy_link *l, uint32_t ifindex, char *err, size_t errsize);

#endif
