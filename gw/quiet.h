/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log that nobody can fill: of each kind of line only the first few in a minute are said, and
 * when that minute is over, how many more there were, and what the last of them said.
 *
 * A kind is where in the program a line comes from, and its text without the numbers (which
 * link, which interface, whether up or down). QUIET_KINDS are known at a time; the one that was
 * silent for longest makes room, and what it had not said is counted on, of all such kinds
 * together.
 *
 * Pure: time is an argument, in ns, and never runs backwards.
 */
#ifndef WEIR_GW_QUIET_H
#define WEIR_GW_QUIET_H

#include <stdbool.h>
#include <stdint.h>

#define QUIET_KINDS 64u
#define QUIET_LINES 5u			 /* said in a minute */
#define QUIET_SPAN UINT64_C(60000000000) /* ns: the minute */
#define QUIET_TEXT 256u			 /* of the last line, cut */

struct quiet_kind {
	const void *site; /* NULL: a free place */
	uint64_t of;	  /* a hash of the text */
	uint64_t since, last;
	uint64_t said, unsaid; /* since then */
	char text[QUIET_TEXT]; /* of the last that was not said */
};

/* All zero: nothing was said. */
struct quiet {
	struct quiet_kind kind[QUIET_KINDS];
	struct quiet_kind others; /* of those that made room */
};

/* Whether a line is to be said now; else it is counted. */
bool quiet_says(struct quiet *q, uint64_t now, const void *site, const char *text);
/*
 * The next kind whose minute is over by `now` and that has lines unsaid: how many, and the last
 * of them in text. 0: there is none. UINT64_MAX as `now`: whether it is over or not.
 */
uint64_t quiet_over(struct quiet *q, uint64_t now, char text[QUIET_TEXT]);

#endif
