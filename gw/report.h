/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of a replay: tables for people, JSON for programs. The same facts in both. */
#ifndef WEIR_GW_REPORT_H
#define WEIR_GW_REPORT_H

#include <stdio.h>

#include "gw/replay.h"

/* 0, or -1: it could not be written, or there is no memory. */
int report_text(FILE *f, const struct replay_result *r);
int report_json(FILE *f, const struct replay_result *r);

/* Numbers for people: three digits and a unit, never the locale's. */
#define REPORT_TEXT 32
const char *report_time(uint64_t ns, char buf[REPORT_TEXT]);
const char *report_rate(uint64_t bps, char buf[REPORT_TEXT]);
const char *report_size(uint64_t bytes, char buf[REPORT_TEXT]);
const char *report_count(uint64_t n, char buf[REPORT_TEXT]); /* 950, 12.3k, 4.56M */

#endif
