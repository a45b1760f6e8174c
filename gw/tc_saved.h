/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What weir replaced on a device, written down until it is put back: a file in TC_SAVED_DIR for
 * each device and point (root, ingress), named after the network namespace and the number of
 * the interface, which stays when its name changes. JSON: a version, whose it is, and for each
 * object its text and the kernel's messages about it in hex, with a digest. Both numbers may
 * become another's (a namespace that is new, a host that has started anew), so what belongs to
 * no other is inside: the namespace's cookie and the boot's.
 */
#ifndef WEIR_GW_TC_SAVED_H
#define WEIR_GW_TC_SAVED_H

#include "gw/tc_file.h"
#include "gw/tc_link.h"
#include "gw/tc_state.h"

struct tc_saved {
	char path[TC_FILE_PATH];
	char name[IFNAMSIZ];
	char where[TC_FILE_WHERE]; /* the boot and the namespace */
	unsigned long ns;	   /* the number of the namespace */
	uint32_t ifindex, top;
};

/* Where it is, or would be. 0, or -1 with err. */
int tc_saved_find(struct tc_saved *f, const struct tc_link *l, uint32_t top, char *err,
		  size_t errsize);

/* Writes what s has at the top: whole and on the disk, or not at all. 0, or -1 with err. */
int tc_saved_write(const struct tc_saved *f, const struct tc_state *s, char *err,
		   size_t errsize);
/*
 * 1: *s is the caller's; 0: there is none, or it is of another namespace that has gone since;
 * -1 with err.
 */
int tc_saved_read(const struct tc_saved *f, struct tc_state *s, char *err, size_t errsize);
/* It is of no use any more; as are those of interfaces that are gone. */
void tc_saved_drop(const struct tc_saved *f);

#endif
