/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has to be said before a replay's figures are believed: that packets are in the captures
 * twice, that a link has both directions of them, that no link has any; and which networks the
 * captures have, so that one can say better.
 *
 * Memory and time are bounded: a few tables of fixed size, and networks and directions are
 * looked at for the first CAPTURE_LOOK_MOST packets.
 */
#ifndef WEIR_GW_CAPTURE_LOOK_H
#define WEIR_GW_CAPTURE_LOOK_H

#include "gw/capture.h"
#include "qos/policy.h"

#define CAPTURE_LOOK_MOST 65536u

struct capture_look;

/*
 * only: every packet is on this link, because the user said so; or NULL. several: the captures
 * are known to be of more than one interface. NULL: no memory.
 */
struct capture_look *capture_look_new(const struct policy_link *only, bool several);
void capture_look_free(struct capture_look *l);
/* Each IP packet, in order, with the link that it is on; NULL: on none. */
void capture_look_at(struct capture_look *l, const struct capture_packet *pk,
		     const struct dissected *d, const struct policy_link *link);
/*
 * Says what there is to say, a line each. Whether the figures are not those of the traffic: it
 * was on no link, or counted twice.
 */
bool capture_look_tell(const struct capture_look *l, void (*warn)(void *arg, const char *text),
		       void *arg);

#endif
