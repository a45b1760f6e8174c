/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy's sets hold, from files (qos/addrset.h). */
#ifndef WEIR_GW_SETFILE_H
#define WEIR_GW_SETFILE_H

#include "qos/addrset.h"
#include "qos/policy.h"

/*
 * Of a regular file. NULL: told to r, with its own lines where it can be read, else at `at` of
 * `file`, where it is named.
 */
struct addrset *setfile_read(const char *path, const char *file, struct policy_mark at,
			     struct policy_report *r);
/* Those of a policy that are files. false: told to r. */
bool setfile_read_all(struct policy *p, struct policy_report *r);
/*
 * For who is not on the host: a set of nftables, by its name, is what that file holds. false:
 * told to r, at `at` of `file`, where it is said; NULL: on the command line.
 */
bool setfile_stand_in(struct policy *p, const char *name, const char *path, const char *file,
		      struct policy_mark at, struct policy_report *r);

#endif
