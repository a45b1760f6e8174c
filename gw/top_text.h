/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers and sentences of `weir top`. Pure. */
#ifndef WEIR_GW_TOP_TEXT_H
#define WEIR_GW_TOP_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "gw/report.h"
#include "gw/screen.h"

/* n in ns nanoseconds, a second: "0", "<0.1", "0.3", "17", "12.3k"; "-" of no time. */
const char *top_per_second(uint64_t n, uint64_t ns, char buf[REPORT_TEXT]);
/* A part of a whole: "0%", "<0.1%", "4.0%", "100%"; "-" of nothing. */
const char *top_share(uint64_t part, uint64_t whole, char buf[REPORT_TEXT]);
/* A time for people who wait: "3.20s", "5m 12s", "3h 20m", "12d 4h". */
const char *top_duration(uint64_t ns, char buf[REPORT_TEXT]);
/* A blank, and the text at the right of so many columns; "###" where it has no room. */
void top_cell(FILE *f, unsigned columns, const char *text);
/* The text at the left of so many columns; its end becomes "~" where it has no room. */
void top_name(FILE *f, size_t columns, const char *text);

/*
 * Things said one after another, with commas, on as many lines as they need: the second and
 * later ones are indented. columns 0: one line. A line may be longer than that if one thing
 * is, and is NULL without memory.
 */
struct top_flow {
	unsigned columns;
	enum screen_style style;
	void (*line)(void *arg, char *text, enum screen_style style); /* takes text over */
	void *arg;
	char *text; /* of the line so far */
};
void top_flow_say(struct top_flow *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void top_flow_end(struct top_flow *w);

#endif
