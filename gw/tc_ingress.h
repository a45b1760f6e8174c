/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shaping of what comes in: an ifb device that belongs to one interface, and a filter that
 * sends all that comes there to it.
 */
#ifndef WEIR_GW_TC_INGRESS_H
#define WEIR_GW_TC_INGRESS_H

#include "gw/tc_link.h"
#include "gw/tc_state.h"

#define TC_INGRESS_HANDLE 0xffff0000u /* the kernel's, of every ingress qdisc */

/* "wi-" and the interface's name, cut and made unique where that is too long. */
void tc_ingress_name(const char *interface, char name[IFNAMSIZ]);
/*
 * 1: weir's ifb of that interface is there, in *l; 0: there is none; -1 with err, also when
 * the name is somebody else's.
 */
int tc_ingress_find(struct tc_nl *nl, const char *interface, struct tc_link *l, char *err,
		    size_t errsize);
/* Brings it up. 0, or -1 with err. tc_ingress_down() makes it what it was: l. */
int tc_ingress_up(struct tc_nl *nl, const char *interface, const struct tc_link *l, char *err,
		  size_t errsize);
int tc_ingress_down(struct tc_nl *nl, const struct tc_link *l, char *err, size_t errsize);
/* Makes it and brings it up. 0, or -1 with err: then it is not there. */
int tc_ingress_make(struct tc_nl *nl, const char *interface, struct tc_link *l, char *err,
		    size_t errsize);

/*
 * What the interface itself is to have: the ingress qdisc and the filter. The filter says a
 * class that means nothing on an ingress qdisc: that tells it from others'. 0, or -1.
 */
int tc_ingress_want(struct tc_list *l, uint32_t ifb);
/*
 * Whether an interface's ingress qdisc is weir's: it has that filter; or none, and there is
 * weir's ifb, left behind half done.
 */
bool tc_ingress_ours(const struct tc_state *s, bool ifb);

#endif
