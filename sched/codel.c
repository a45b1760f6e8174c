/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sched/codel.h"

/* Floor of the square root. */
static uint64_t root(unsigned __int128 x)
{
	uint64_t r = 0;

	for (int bit = 63; bit >= 0; bit--) {
		unsigned __int128 t = r | 1ULL << bit;

		if (t * t <= x)
			r = (uint64_t)t;
	}
	return r;
}

/* interval / sqrt(count), as the root of interval^2 / count: exact to a nanosecond. */
static uint64_t control_law(const struct queue_conf *conf, uint64_t t, uint32_t count)
{
	if (count <= 1)
		return t + conf->interval;
	return t + root((unsigned __int128)conf->interval * conf->interval / count);
}

/* The RFC's ok_to_drop, from dodequeue(). */
static bool ok_to_drop(struct codel *c, const struct queue_conf *conf, uint64_t sojourn,
		       uint64_t now, uint64_t left)
{
	if (sojourn < conf->target || left <= conf->mtu) {
		c->first_above_time = 0;
		return false;
	}
	if (!c->first_above_time) {
		c->first_above_time = now + conf->interval;
		return false;
	}
	return now >= c->first_above_time;
}

/* Marks p if it allows that; otherwise it is to be dropped. True: marked. */
static bool mark(const struct queue_conf *conf, struct pkt *p)
{
	if (conf->ecn && (p->flags & PKT_ECT)) {
		p->flags |= PKT_MARKED;
		return true;
	}
	p->drop = PKT_DROP_AQM;
	return false;
}

static void drop_in_loop(struct codel *c, const struct queue_conf *conf, struct pkt *p)
{
	c->count++;
	if (mark(conf, p)) {
		c->drop_next = control_law(conf, c->drop_next, c->count);
		c->phase = CODEL_FRESH;
	} else {
		c->phase = CODEL_LOOP;
	}
}

static void enter_dropping(struct codel *c, const struct queue_conf *conf, struct pkt *p,
			   uint64_t now)
{
	uint32_t delta = c->count - c->lastcount;

	c->dropping = true;
	/* "If min went above target close to when it last went below, assume that the
	 * drop rate that controlled the queue on the last cycle is a good starting point" */
	c->count = 1;
	if (delta > 1 && now - c->drop_next < 16 * conf->interval)
		c->count = delta;
	c->drop_next = control_law(conf, now, c->count);
	c->lastcount = c->count;
	c->phase = mark(conf, p) ? CODEL_FRESH : CODEL_ENTERED;
}

void codel_offer(struct codel *c, const struct queue_conf *conf, struct pkt *p, uint64_t now,
		 uint64_t left)
{
	bool ok = ok_to_drop(c, conf, now - p->arrival, now, left);
	enum codel_phase phase = c->phase;

	c->phase = CODEL_FRESH;
	if (phase == CODEL_ENTERED)
		return;
	if (!c->dropping) {
		if (ok)
			enter_dropping(c, conf, p, now);
		return;
	}
	if (!ok) {
		c->dropping = false;
		return;
	}
	if (phase == CODEL_LOOP)
		c->drop_next = control_law(conf, c->drop_next, c->count);
	if (now >= c->drop_next)
		drop_in_loop(c, conf, p);
}
