/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a packet came to the kernel's queue, for those that nobody read at once.
 *
 * The kernel stamps packets only up to the hook "forward" (nfnetlink_queue.c), so the moment is
 * inferred: ids count up by one a packet, and whoever knows the last id at two moments knows
 * between which of them a packet came. Between two marks packets are taken to have come evenly.
 * Pure: time is an argument, ids and times may be anything.
 */
#ifndef WEIR_GW_UNREAD_H
#define WEIR_GW_UNREAD_H

#include <stdint.h>

#define UNREAD_MARKS 64u

struct unread_mark {
	uint64_t at; /* ns */
	uint32_t id; /* the last that had been given by then */
};

/* All zero: nothing is known yet. */
struct unread {
	struct unread_mark mark[UNREAD_MARKS]; /* the oldest first, in order of both */
	unsigned n;
	uint64_t last; /* the latest moment that was given */
};

/* At `at`, `id` was the last. What goes backwards in time or ids is not believed. */
void unread_note(struct unread *u, uint64_t at, uint32_t id);
/*
 * When the packet came that is read now. Packets are asked for in the order of their ids. Never
 * after `now`, never before what was said of the one before, nor before the oldest mark.
 */
uint64_t unread_moment(struct unread *u, uint32_t id, uint64_t now);

#endif
