/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After set-up: CAP_NET_ADMIN alone, in an unprivileged user, with no-new-privileges. */
#ifndef WEIR_GW_PRIVILEGE_H
#define WEIR_GW_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct privilege_user {
	uid_t uid;
	gid_t gid;
};

/* By name or number. 0, or -1 with one line in err. */
int privilege_find(const char *user, struct privilege_user *u, char *err, size_t errsize);
/* Whether this process may do what a gateway must; 0, or -1 with one line in err. */
int privilege_check(char *err, size_t errsize);
/*
 * A link that other programs keep from the processor loses what its line would have carried
 * meanwhile. So this lets the threads of this process be of the lowest real-time priority,
 * which they may then choose without any capability. 0, or -1 with errno: not permitted.
 */
int privilege_allow_realtime(void);
/*
 * Where that is not permitted (a container, say): the least nice value of all, for the threads
 * that are made from now on as well. 0, or -1 with errno: not permitted either.
 */
int privilege_go_first(void);
/*
 * Whether the kernel may write this process's memory, headers of packets among it, to a file or
 * to whoever collects such files; it can then be looked into by other processes of its user as
 * well. Becoming another user forgets it. 0, or -1 with errno.
 */
int privilege_core_dumps(bool allowed);
/*
 * Gives up all but CAP_NET_ADMIN, for ever. u NULL: stays the user that it is. To be called
 * before any thread is made. 0, or -1 with one line in err.
 */
int privilege_drop(const struct privilege_user *u, char *err, size_t errsize);

#endif
