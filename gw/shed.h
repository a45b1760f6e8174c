/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be dropped before it is read, when more comes than a gateway can read or has to:
 * the excess of the hosts that send most of it; and where no host stands out (forged senders),
 * the excess of all that goes by the queue for the rest.
 *
 * "Excess" is what is beyond a rate in packets a second, that which fills the link with packets
 * of SHED_PACKET bytes: so nobody is shed who sends what the link can carry, whatever this
 * decides.
 *
 * A pure state machine: shed_look() is told every SHED_EVERY what was seen since, and says what
 * is to be put in force; shed_counted() is told what that dropped. What is put in force ends by
 * itself after SHED_TIMEOUT unless it is put anew, so that a gateway that hangs sheds nobody
 * for ever.
 */
#ifndef WEIR_GW_SHED_H
#define WEIR_GW_SHED_H

#include <stdbool.h>
#include <stdint.h>

#include "gw/heavy.h"

#define SHED_EVERY UINT64_C(100000000)	  /* ns between two looks */
#define SHED_TIMEOUT UINT64_C(4000000000) /* ns that a host is shed */
#define SHED_RENEW UINT64_C(2000000000)	  /* ns after which it is put anew */
#define SHED_CALM UINT64_C(1000000000)	  /* ns without a drop: it is over */
#define SHED_KEEP UINT64_C(60000000000)	  /* ns that is remembered what was */
#define SHED_LATE UINT64_C(20000000)	  /* ns unread: more came than could be read */
#define SHED_DROPS 200u			  /* packets dropped in a look: it costs */
#define SHED_DROPS_LOOKS 10u		  /* looks in a row with so many: it stays so */
#define SHED_OVERRUNS 10u		  /* looks in a row: shedding hosts was not enough */
#define SHED_PACKET 500u		  /* bytes */
#define SHED_RATE_LEAST UINT64_C(1000)	  /* packets a second */
#define SHED_RATE_MOST UINT64_C(200000)	  /* some more than a thread reads */
#define SHED_HOSTS 16u			  /* shed at a time, of those that are remembered */

/* What a link lets through of a host, or of all: packets a second. */
uint64_t shed_rate(uint64_t bps);

/* Since the look before. */
struct shed_seen {
	uint64_t now, ns;	   /* ns: how long that is */
	uint64_t unread;	   /* ns: how long packets had waited to be read, at most */
	uint64_t lost;		   /* packets for which there was no room unread */
	uint64_t dropped;	   /* packets that were read for nothing */
	bool drops_matter;	   /* whether it is worth anything to spare reading those */
	const struct heavy *heavy; /* who sent what was dropped, or stood there unread */
};

struct shed_host {
	struct heavy_host host;
	bool active, told;   /* told: the caller's */
	uint64_t since, put; /* ns: of this time; when it was put in force last */
	uint64_t last;	     /* ns: when it was seen to drop, or when it was put first */
	uint64_t dropped;    /* packets, of this time */
	uint64_t counted;    /* of these: since it was put last */
	uint64_t pps;	     /* dropped, over the last second or so */
	uint64_t window, window_dropped;
};

struct shed {
	struct shed_host host[SHED_HOSTS];
	unsigned n;
	bool limited;		  /* all */
	struct shed_host all;	  /* what that drops; `host` is not used */
	unsigned looks, overruns; /* in a row with many drops; with more than could be read */
};

/* What is to be done now: hosts by their place in `host`. */
struct shed_todo {
	unsigned put[SHED_HOSTS], n_put;
	bool renew[SHED_HOSTS]; /* beside put: it is there already */
	bool limit_changed;
};

void shed_look(struct shed *s, uint64_t rate, const struct shed_seen *seen,
	       struct shed_todo *todo);
/* What a host's entry has dropped since it was put last; host NULL: the limit, since the start.
 */
void shed_counted(struct shed *s, const struct heavy_host *host, uint64_t packets,
		  uint64_t now);
/* Whether nothing is in force and nothing was seen lately that could put it in force. */
bool shed_calm(const struct shed *s);
/* Whether what was seen says that more comes than can be read, or than has to be. */
bool shed_alarm(const struct shed_seen *seen);

#endif
