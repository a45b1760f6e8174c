/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what a set holds in a thread of its own, beside what runs: a million addresses take
 * longer than those who answer and watch may be kept.
 */
#ifndef WEIR_GW_SETJOB_H
#define WEIR_GW_SETJOB_H

#include "qos/addrset.h"
#include "qos/policy.h"

struct setjob;

/* Of s, a set of the policy p, of which nothing is kept. `done`: an eventfd, written when it
 * has ended. NULL with errno. */
struct setjob *setjob_start(const struct policy *p, const struct policy_set *s, int done);
bool setjob_done(const struct setjob *j);
/*
 * Ends it, whatever it does, and gives what it has read; NULL with one line in err. *again: as
 * of setnft_read().
 */
struct addrset *setjob_end(struct setjob *j, uint64_t *again, char *err, size_t errsize);

#endif
