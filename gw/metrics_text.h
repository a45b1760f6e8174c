/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the families of the metrics are printed with. Only for metrics_*.c. */
#ifndef WEIR_GW_METRICS_TEXT_H
#define WEIR_GW_METRICS_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "gw/gateway.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

enum metrics_unit { COUNT, SECONDS, RATE }; /* as it is; from ns; from bit/s */

/* HELP and TYPE of a family. */
void metrics_begin(FILE *f, const char *name, const char *type, const char *help);
/* name="value", escaped */
void metrics_label(FILE *f, const char *name, const char *value);
/* a decimal fraction: whole, and part / 10^digits, in as few digits as it takes */
void metrics_fraction(FILE *f, unsigned __int128 whole, uint64_t part, int digits);
/* " VALUE\n" */
void metrics_seconds(FILE *f, unsigned __int128 ns);
void metrics_value(FILE *f, enum metrics_unit unit, uint64_t v);

void metrics_links(FILE *f, const struct gateway_snapshot *s);
/* The classes, a family of one of them a call: where that is. All zero: the first. */
struct metrics_at {
	size_t family, link, class;
};
/* false: there is no more, and nothing was printed. */
bool metrics_class(FILE *f, const struct gateway_snapshot *s, struct metrics_at *at);

#endif
