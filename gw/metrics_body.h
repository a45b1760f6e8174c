/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics as the body of an answer: printed as they are sent, never there as a whole. */
#ifndef WEIR_GW_METRICS_BODY_H
#define WEIR_GW_METRICS_BODY_H

#include <microhttpd.h>

#include "gw/gateway.h"

/* A snapshot that answers are made from, as long as there is one of them. */
struct metrics_shared;

typedef struct gateway_snapshot *metrics_taken(void *arg);
/*
 * *young is where the youngest of them stands; NULL at first. It must outlive the answer. NULL:
 * no memory.
 */
struct MHD_Response *metrics_body(struct metrics_shared **young, metrics_taken *take,
				  void *arg);

#endif
