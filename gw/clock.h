/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time of a clock in ns. Only gw/ knows clocks: below it, time is an argument. */
#ifndef WEIR_GW_CLOCK_H
#define WEIR_GW_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* What intervals are measured by. */
static inline uint64_t clock_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

#endif
