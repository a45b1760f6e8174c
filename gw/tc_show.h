/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan for people and for programs: `weir tc show`. */
#ifndef WEIR_GW_TC_SHOW_H
#define WEIR_GW_TC_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "gw/tc_plan.h"

struct tc_shown {
	struct tc_plan *plan;
	struct tc_device device;
	bool there; /* it was asked of the device; false: taken for granted */
};

/* 0, or -1: no memory. Errors of the stream are the caller's to look for. */
int tc_show_text(FILE *f, const struct tc_shown *s);
/* An object, the caller's. */
json_t *tc_show_json(const struct tc_shown *s);

#endif
