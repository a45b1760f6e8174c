/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the JSON report that a replay and the gateway have in common. */
#ifndef WEIR_GW_REPORT_JSON_H
#define WEIR_GW_REPORT_JSON_H

#include <jansson.h>

#include "qos/engine.h"

/* What a class or a whole link has counted, added to the object j. end: now, ns. */
void report_facts(json_t *j, const struct account *a, uint64_t end);
/* 0: no such objective. */
json_t *report_objectives(uint64_t max_latency, uint64_t max_jitter, const struct account *a);
json_t *report_packets(const struct engine_stats *s);
json_t *report_flow_table(const struct match_stats *m);

#endif
