/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of interfaces by their index, for a thread that asks about every packet: kept for a
 * second, so that a renamed one is known soon.
 */
#ifndef WEIR_GW_IFNAME_H
#define WEIR_GW_IFNAME_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define IFNAME_KEEP 1000000000ULL /* ns */
#define IFNAME_PLACES 64u	  /* a power of two */

/* All zero: empty. */
struct ifname {
	struct {
		uint32_t index;
		uint64_t until;
		char name[IFNAMSIZ];
	} place[IFNAME_PLACES];
};

/* Its name, NULs behind it to the end, until the next call; NULL: there is no such interface.
 */
const char *ifname_of(struct ifname *c, uint32_t index, uint64_t now);

#endif
