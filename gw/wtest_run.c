/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one policy test: the packets of its captures and streams, merged in time, through
 * the engine, under the eyes of its expectations. At one instant what the engine has
 * due goes first, then the captures, then the streams in their order.
 */
#include "gw/capture.h"
#include "gw/wtest_watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MAX 100000 /* polls in a row in which neither time nor a packet moved */

struct slot {
	struct wpacket p;
	uint32_t next_free; /* index + 1; 0: none */
};

struct run {
	const struct wtest_file *file;
	const struct wtest *test;
	struct wtest_result *res;
	struct policy_report *report;
	struct engine *engine;
	struct capture *capture;
	struct capture_packet head; /* the capture's next packet */
	bool has_head;
	struct synth *synth;
	uint64_t made; /* synthetic packets so far */
	uint64_t per_stream[SYNTH_STREAMS_MAX];
	struct slot *slot; /* of the packets that wait; the engine's id is the index */
	uint32_t n_slot, cap_slot, free_slot;
	struct watch watch;
};

static void stop(struct run *r, struct policy_mark at, char *why)
{
	if (r->res->error) {
		free(why);
		return;
	}
	r->res->status = WTEST_ERROR;
	r->res->error = why;
	r->res->error_at = at;
}

static void warn(void *arg, const char *text)
{
	struct run *r = arg;

	policy_complain(r->report, POLICY_WARNING, r->file->path, r->test->at, "%s", text);
}

static void next_head(struct run *r)
{
	r->has_head = r->capture && capture_next(r->capture, &r->head, warn, r);
}

static bool slot_get(struct run *r, uint32_t *index)
{
	if (r->free_slot) {
		*index = r->free_slot - 1;
		r->free_slot = r->slot[*index].next_free;
		return true;
	}
	if (r->n_slot == r->cap_slot) {
		uint32_t cap = r->cap_slot ? r->cap_slot * 2 : 1024;
		struct slot *v = realloc(r->slot, cap * sizeof(*v));

		if (!v)
			return false;
		r->slot = v;
		r->cap_slot = cap;
	}
	*index = r->n_slot++;
	return true;
}

static void slot_put(struct run *r, uint32_t index)
{
	r->slot[index].next_free = r->free_slot;
	r->free_slot = index + 1;
}

/* ns that the packet takes on its link, at least 1. */
static uint64_t time_on_link(const struct policy_link *l, uint32_t len)
{
	uint64_t bits = (uint64_t)len * 8, rate = l->rate.bps ? l->rate.bps : 1;

	return (uint64_t)(((unsigned __int128)bits * 1000000000 + rate - 1) / rate);
}

static void event(struct run *r, const struct engine_event *ev)
{
	struct slot *s = &r->slot[ev->id];

	watch_event(&r->watch, &s->p, ev);
	if (ev->what == ENGINE_SENT)
		r->res->sent++;
	else
		r->res->dropped++;
	if (s->p.stream >= 0 && ev->what == ENGINE_SENT)
		synth_sent(r->synth, (unsigned)s->p.stream, s->p.flow, ev->when);
	else if (s->p.stream >= 0)
		synth_dropped(r->synth, (unsigned)s->p.stream, s->p.flow, ev->when,
			      time_on_link(ev->class->link, ev->len));
	slot_put(r, (uint32_t)ev->id);
}

/* All that happens at `now`; how much that was. */
static unsigned drain(struct run *r, uint64_t now)
{
	struct engine_event ev;
	unsigned n = 0;

	while (engine_poll(r->engine, now, &ev) != ENGINE_NOTHING) {
		event(r, &ev);
		n++;
	}
	return n;
}

/* One packet comes. d is NULL when it is not IP: then it is on no link. */
static void arrive(struct run *r, uint64_t when, struct wpacket *p, const struct dissected *d)
{
	struct engine_ticket ticket = {0};
	uint32_t index;

	if (!slot_get(r, &index)) {
		stop(r, r->test->at, watch_text("no memory"));
		return;
	}
	p->when = when;
	if (d) {
		p->key = d->key;
		p->dscp = d->dscp;
	}
	r->res->packets++;
	if (d && engine_packet(r->engine, when, index, d, &ticket) == ENGINE_QUEUED) {
		p->len = ticket.len;
		watch_came(&r->watch, p, d, &ticket);
		r->slot[index].p = *p;
		drain(r, when);
		return;
	}
	ticket = (struct engine_ticket){0};
	p->len = d ? d->len : 0;
	watch_came(&r->watch, p, d, &ticket);
	r->res->passed++;
	slot_put(r, index);
	if (p->stream >= 0 && r->test->stream[p->stream].kind == SYNTH_GREEDY)
		stop(r, r->test->stream[p->stream].at,
		     watch_text("stream \"%s\" is greedy, but its packets are on no link",
				r->test->stream[p->stream].name));
}

static void from_capture(struct run *r)
{
	const struct capture_packet *c = &r->head;
	struct wpacket p = {.number = c->number, .stream = -1};
	struct dissected d;
	const char *why;
	int at = dissect_link(c->dlt, c->data, c->caplen, c->wirelen, &why);
	bool ip = at >= 0 && !dissect_ip(c->data + at, c->caplen - (uint32_t)at,
					 c->wirelen - (uint32_t)at, &d);

	if (ip)
		d.meta = &c->meta;
	arrive(r, c->when, &p, ip ? &d : NULL);
	next_head(r);
}

static void from_synth(struct run *r)
{
	struct synth_packet pk;
	struct wpacket p = {0};
	struct dissected d;

	if (!synth_next(r->synth, &pk))
		return;
	if (++r->made > WTEST_MADE_MAX) {
		stop(r, r->test->stream[pk.stream].at,
		     watch_text("the traffic is more than %u packets", WTEST_MADE_MAX));
		return;
	}
	p.stream = (int)pk.stream;
	p.flow = pk.flow;
	p.number = ++r->per_stream[pk.stream];
	arrive(r, pk.when, &p, dissect_ip(pk.data, pk.caplen, pk.len, &d) ? NULL : &d);
}

static void drive(struct run *r)
{
	unsigned idle = 0;

	while (!r->res->error) {
		uint64_t from_cap = r->has_head ? r->head.when : NEVER;
		uint64_t from_syn = synth_when(r->synth);
		uint64_t due = engine_next(r->engine);

		if (due != NEVER && due <= from_cap && due <= from_syn) {
			if (drain(r, due))
				idle = 0;
			else if (++idle > IDLE_MAX)
				stop(r, r->test->at, watch_text("the engine stands still"));
		} else if (r->has_head && from_cap <= from_syn) {
			from_capture(r);
		} else if (from_syn != NEVER) {
			from_synth(r);
		} else {
			break;
		}
	}
}

/* Captures, engine, streams; false after stop(). */
static bool set_up(struct run *r)
{
	struct engine_opts opts = {.only = r->test->link};
	struct policy_mark at = r->test->at;
	char err[1024];

	if (r->test->n_capture) {
		r->capture = capture_open((const char *const *)r->test->capture,
					  r->test->n_capture, err, sizeof(err));
		if (!r->capture) {
			stop(r, at, watch_text("%s", err));
			return false;
		}
		next_head(r);
		if (!r->has_head && !r->test->n_stream) {
			stop(r, at, watch_text("no packet in %s", r->test->capture[0]));
			return false;
		}
		opts.now = r->has_head ? r->head.when : 0;
	}
	r->engine = engine_new(r->file->policy, &opts, r->report);
	if (!r->engine) {
		stop(r, at, watch_text("no memory, or a filter of the policy that fails"));
		return false;
	}
	r->synth = synth_new(r->test->stream, r->test->n_stream, opts.now);
	if (!r->synth || watch_init(&r->watch, r->test, r->file->policy, r->engine, opts.now)) {
		stop(r, at, watch_text("no memory"));
		return false;
	}
	return true;
}

void wtest_run(const struct wtest_file *f, const struct wtest *t, struct wtest_result *res,
	       struct policy_report *r)
{
	struct run run = {.file = f, .test = t, .res = res, .report = r};

	*res = (struct wtest_result){.test = t};
	run.watch.test = t;
	if (set_up(&run)) {
		drive(&run);
		res->waiting = engine_waiting(run.engine);
		res->time = run.watch.last - run.watch.origin;
		if (!res->error)
			watch_judge(&run.watch, res);
	}
	watch_fini(&run.watch);
	synth_free(run.synth);
	engine_free(run.engine);
	capture_close(run.capture);
	free(run.slot);
}

void wtest_result_fini(struct wtest_result *res)
{
	for (size_t i = 0; i < res->n_failure; i++) {
		struct wtest_failure *f = &res->failure[i];

		for (size_t k = 0; k < f->n_detail; k++)
			free(f->detail[k]);
		free(f->detail);
		free(f->what);
		free(f->expected);
		free(f->found);
	}
	free(res->failure);
	free(res->error);
}
