/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A gateway's snapshot as JSON: the same keys for a class as `weir replay --json` has. */
#ifndef WEIR_GW_SNAPSHOT_JSON_H
#define WEIR_GW_SNAPSHOT_JSON_H

#include <jansson.h>

#include "gw/gateway.h"

/* The gateway and its links: health, warnings, no classes. */
json_t *snapshot_status(const struct gateway_snapshot *s);
/*
 * With all classes. histograms: also in "delay_ns" and "wakeup_late_ns" a "histogram", an array
 * of two numbers for each bucket that counted something: the largest delay that is counted in
 * it, ns, and how often, from the shortest to the longest.
 */
json_t *snapshot_stats(const struct gateway_snapshot *s, bool histograms);

#endif
