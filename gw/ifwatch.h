/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces that come, go, and change: rtnetlink (libmnl). */
#ifndef WEIR_GW_IFWATCH_H
#define WEIR_GW_IFWATCH_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ifwatch;

struct ifwatch_state {
	char name[IFNAMSIZ];
	bool there, up; /* up: IFF_UP, and the carrier is not known to be off */
	uint32_t mtu;
	uint32_t index; /* another one when it went and came again */
};

struct ifwatch *ifwatch_open(char *err, size_t errsize);
void ifwatch_close(struct ifwatch *w);
int ifwatch_fd(const struct ifwatch *w);
/*
 * What changed since: a call of fn for every interface that did. After an overflow of the
 * socket it asks for all of them again, so nothing is missed. 0, or -1 with errno.
 */
int ifwatch_read(struct ifwatch *w, void (*fn)(void *arg, const struct ifwatch_state *s),
		 void *arg);
/* As it is now. 0, or -1 with errno; one that is not there, or cannot be, is no error. */
int ifwatch_get(const char *name, struct ifwatch_state *s);

/* What a message of the kernel says; false: nothing of use. Lengths in it are not believed. */
bool ifwatch_parse(const struct nlmsghdr *nlh, struct ifwatch_state *s);

#endif
