/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deficit round robin among the children of a node: drr.h over one list. */
#include <stdlib.h>

#include "sched/drr.h"

struct drr {
	struct drr_list list;
	struct sched_child *child;
	struct drr_child d[];
};

static size_t sched_drr_memory(uint32_t n)
{
	return sizeof(struct drr) + n * sizeof(struct drr_child);
}

static void *sched_drr_make(struct sched_child *child, uint32_t n, uint32_t mtu)
{
	struct drr *r = calloc(1, sched_drr_memory(n));

	if (!r)
		return NULL;
	r->child = child;
	drr_list_init(&r->list, mtu);
	return r;
}

static void sched_drr_activate(void *s, uint32_t c)
{
	struct drr *r = s;

	drr_activate(&r->list, r->d, r->child, c);
}

static void sched_drr_remove(void *s, uint32_t c)
{
	struct drr *r = s;

	drr_remove(&r->list, r->d, c);
}

static uint32_t sched_drr_peek(void *s)
{
	struct drr *r = s;

	return drr_peek(&r->list, r->d, r->child);
}

static bool sched_drr_confirm(void *s, uint32_t c)
{
	struct drr *r = s;

	return drr_confirm(&r->list, r->d, r->child, c);
}

static void sched_drr_hold(void *s, uint32_t c)
{
	struct drr *r = s;

	drr_hold(&r->list, r->d, r->child, c);
}

static void sched_drr_resume(void *s, uint32_t c)
{
	struct drr *r = s;

	drr_resume(&r->list, r->d, r->child, c);
}

static void sched_drr_charge(void *s, uint32_t c, uint32_t len, bool more)
{
	struct drr *r = s;

	drr_charge(&r->list, r->d, r->child, c, len, more);
}

const struct sched_ops sched_drr = {
	.name = "drr",
	.make = sched_drr_make,
	.unmake = free,
	.activate = sched_drr_activate,
	.remove = sched_drr_remove,
	.peek = sched_drr_peek,
	.confirm = sched_drr_confirm,
	.hold = sched_drr_hold,
	.resume = sched_drr_resume,
	.charge = sched_drr_charge,
	.memory = sched_drr_memory,
};
