/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows what a policy's sets hold while a gateway runs.
 *
 * A file is watched by its folder (inotify), so that one that is renamed over it is seen, and
 * looked at every SETWATCH_LOOK, for what a folder does not tell (a link to another folder,
 * another host's change). It is read SETWATCH_QUIET after the last change, and at the latest
 * SETWATCH_LATEST after the first, by a thread (setjob.h), one set at a time; one that takes
 * long so rarely that reading it takes a tenth of the time. All are read once at the beginning:
 * they may have changed since the policy was read.
 *
 * Of a set of nftables the kernel tells changes; where it does not (setnft.h) it is read again
 * when its first element's time is over, and where rules add to it every second.
 *
 * What cannot be read is told and read again when it changes, and every SETWATCH_LOOK.
 */
#ifndef WEIR_GW_SETWATCH_H
#define WEIR_GW_SETWATCH_H

#include "qos/addrset.h"
#include "qos/policy.h"

#define SETWATCH_QUIET (UINT64_C(100) * 1000000) /* ns */
#define SETWATCH_LATEST (UINT64_C(1000) * 1000000)
#define SETWATCH_LOOK (UINT64_C(10000) * 1000000)

struct setwatch;

struct setwatch_ops {
	/* What the set of that number holds now, the callee's from here on; changed or not. */
	void (*now)(void *arg, size_t set, struct addrset *holds);
	/* It cannot be read; one line says why. */
	void (*failed)(void *arg, size_t set, const char *why);
	void *arg;
};

/* p must live until setwatch_close(). NULL with one line in err. */
struct setwatch *setwatch_open(const struct policy *p, const struct setwatch_ops *ops,
			       char *err, size_t errsize);
/* setwatch_event() is to be called when it is readable, and every second or so. */
int setwatch_fd(const struct setwatch *w);
void setwatch_event(struct setwatch *w);
void setwatch_close(struct setwatch *w);

#endif
