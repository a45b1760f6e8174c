/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frame as lines of text: what fits into a window, or all of it. Pure computation. */
#ifndef WEIR_GW_TOP_LINES_H
#define WEIR_GW_TOP_LINES_H

#include "gw/screen.h"
#include "gw/top_frame.h"

struct top_view {
	unsigned columns, rows; /* of the window; 0: there is none, and nothing is cut */
	size_t scroll;		/* lines of the table above the window; corrected */
	size_t page;		/* given back: lines of the table that the window has */
	bool paused, help;
	const char *trouble; /* NULL: none; else why the figures are old */
};

/* Whether all lines are there: there was memory. With a window, at most as many as it has. */
bool top_lines(const struct top_frame *f, struct top_view *v, struct screen_lines *out);

#endif
