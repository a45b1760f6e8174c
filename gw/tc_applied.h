/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `weir tc apply` was last asked for on each interface of this network namespace: since
 * nothing runs afterwards, whoever asks for its state finds here what that should be. A file
 * (tc_file.h) that everybody may read; those who change it hold tc_lock().
 */
#ifndef WEIR_GW_TC_APPLIED_H
#define WEIR_GW_TC_APPLIED_H

#include "gw/tc_plan.h"

struct tc_applied_link {
	char *link, *interface;
	char *policy; /* file, from the root; or "<stdin>" */
	enum policy_direction direction;
	uint64_t wall;	   /* CLOCK_REALTIME, ns */
	struct tc_can can; /* what the kernel had: the plan was made for that */
};
struct tc_applied {
	struct tc_applied_link *v;
	size_t n;
};

/* 0, with none where nothing was applied; or -1 with one line in err. */
int tc_applied_read(struct tc_applied *a, char *err, size_t errsize);
void tc_applied_free(struct tc_applied *a);

/* These are applied now, from that policy; the others stay. 0, or -1 with err. */
int tc_applied_note(const char *file, const struct policy_link *const *link, size_t n,
		    const struct tc_can *can, char *err, size_t errsize);
/* That way of an interface is nobody's any more. 0, or -1 with err. */
int tc_applied_forget(const char *interface, enum policy_direction way, char *err,
		      size_t errsize);

#endif
