/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network interfaces, as far as traffic control needs them. */
#ifndef WEIR_GW_TC_LINK_H
#define WEIR_GW_TC_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "gw/tc_nl.h"

struct tc_link {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	char kind[16]; /* "ifb", "veth"; "" where the driver has no such name */
	char alias[256];
	uint16_t type; /* ARPHRD_* */
	uint32_t mtu, txqlen, tx_queues;
	bool up;
};

/*
 * By name; another name of it (altname) is an error that says its own. 0; or -1 with one line
 * in err, and *error, if there is one, is the errno: ENODEV where there is none.
 */
int tc_link_find(struct tc_nl *nl, const char *name, struct tc_link *l, int *error, char *err,
		 size_t errsize);
/* By number, whatever it is called. 1; 0: there is none; -1 with err. */
int tc_link_at(struct tc_nl *nl, uint32_t ifindex, struct tc_link *l, char *err,
	       size_t errsize);

/*
 * Makes one like l, of l->kind; an ifindex of 0 is the kernel's choice. Of a veth, the other
 * end gets the kernel's name. 0, or the errno with the kernel's words in err.
 */
int tc_link_add(struct tc_nl *nl, const struct tc_link *l, char *err, size_t errsize);
/* Brings it up or takes it down, with that alias (which none can be made with). Likewise. */
int tc_link_set(struct tc_nl *nl, uint32_t ifindex, bool up, const char *alias, char *err,
		size_t errsize);
int tc_link_delete(struct tc_nl *nl, uint32_t ifindex, char *err, size_t errsize);

#endif
