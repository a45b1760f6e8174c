/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/drive.h"

#include <string.h>

/* How many packets ahead a flow is fetched: a packet takes about as long as a miss. */
enum { SOONER = 4, LATER = 8 };

#define IDLE_MAX 100000u /* polls in a row in which neither time nor a packet moved */

void drive_init(struct drive *d, const struct policy *p, const struct policy_link *only)
{
	size_t whole = 0, links = 0;

	memset(d, 0, offsetof(struct drive, buffer));
	for (size_t i = 0; i < p->n_link; i++)
		if (!only || only == p->link[i]) {
			links++;
			whole += segment_whole(p->link[i]);
		}
	d->cut = !whole ? DRIVE_CUT_ALL : whole == links ? DRIVE_CUT_NONE : DRIVE_CUT_ASK;
}

/* All that happens at `now`; how much that was. */
static unsigned drain(struct drive *d, uint64_t now)
{
	struct engine_event ev;
	unsigned n = 0;

	while (engine_poll(d->engine, now, &ev) != ENGINE_NOTHING) {
		d->sink->happened(d->to, &ev);
		n++;
	}
	return n;
}

static void put(struct drive *d, struct drive_unit *u)
{
	uint64_t when = u->p->pk.when;
	struct engine_ticket t;

	u->id = d->sink->id(d->to, u);
	if (d->stop)
		return;
	if (!u->d) {
		d->sink->passed(d->to, u, u->p->why);
		return;
	}
	if (engine_packet(d->engine, when, u->id, u->d, &t) == ENGINE_PASSED) {
		d->sink->passed(d->to, u, "no-link");
		return;
	}
	d->sink->queued(d->to, u, &t);
	drain(d, when);
	if (d->sink->settled)
		d->sink->settled(d->to, u);
}

/* Whether a large segment is cut before it is scheduled. */
static bool is_cut(const struct drive *d, const struct dissected *p)
{
	const struct policy_link *l;

	if (d->cut != DRIVE_CUT_ASK)
		return d->cut == DRIVE_CUT_ALL;
	l = match_link(engine_match(d->engine), p);
	return l && !segment_whole(l);
}

static void put_large(struct drive *d, const struct ahead_packet *p)
{
	uint32_t n = segment_count(&p->d);
	struct dissected piece;
	struct drive_unit u = {.p = p, .d = &p->d, .pieces = 1};

	if (n == 1 || !is_cut(d, &p->d)) {
		d->segments.unknown += n == 1;
		d->segments.whole += n > 1;
		put(d, &u);
		return;
	}
	d->segments.packets++;
	d->segments.pieces += n;
	u.d = &piece;
	u.pieces = n;
	for (u.piece = 0; u.piece < n && !d->stop; u.piece++) {
		segment_piece(&p->d, u.piece, d->buffer, &piece);
		put(d, &u);
	}
}

static void arrive(struct drive *d, const struct ahead_packet *p)
{
	if (!p->why && p->d.segment) {
		put_large(d, p);
	} else {
		struct drive_unit u = {.p = p, .d = p->why ? NULL : &p->d, .pieces = 1};

		put(d, &u);
	}
}

static void take(struct drive *d)
{
	const struct ahead_packet *p;
	size_t n = d->source->next(d->from, &p);
	uint64_t due;

	for (size_t i = 0; i < n && !d->stop; i++, p++) {
		if (i + LATER < n)
			engine_prefetch(d->engine, &p[SOONER].d, &p[LATER].d);
		while ((due = engine_next(d->engine)) <= p->pk.when)
			drain(d, due);
		arrive(d, p);
	}
}

int drive_run(struct drive *d)
{
	unsigned idle = 0;

	while (!d->stop) {
		uint64_t when = d->source->when(d->from), due = engine_next(d->engine);

		if (due != NEVER && due <= when) {
			if (drain(d, due))
				idle = 0;
			else if (++idle > IDLE_MAX)
				return -1;
		} else if (when != NEVER) {
			take(d);
		} else {
			break;
		}
	}
	return 0;
}

/* ---- Captures. */

static bool fetch(struct drive_capture *c)
{
	if (!c->n && !c->over) {
		c->n = ahead_next(c->ahead, &c->v, c->warn, c->arg);
		c->over = !c->n;
	}
	return c->n;
}

uint64_t drive_capture_when(void *arg)
{
	struct drive_capture *c = arg;

	return fetch(c) ? c->v->pk.when : NEVER;
}

static size_t next(void *arg, const struct ahead_packet **v)
{
	struct drive_capture *c = arg;
	size_t n = c->n;

	*v = c->v;
	c->n = 0;
	return n;
}

const struct ahead_packet *drive_capture_one(struct drive_capture *c)
{
	c->n--;
	return c->v++;
}

const struct drive_source drive_capture_source = {.when = drive_capture_when, .next = next};
