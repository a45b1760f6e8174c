/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one policy test: the packets of its captures and streams, merged in time, through
 * the engine, under the eyes of its expectations. At one instant what the engine has
 * due goes first (drive.h), then the captures, then the streams in their order.
 */
#include "gw/capture.h"
#include "gw/drive.h"
#include "gw/progress.h"
#include "gw/replay.h"
#include "gw/wtest_watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
	struct drive_capture from;
	struct ahead_packet made_packet; /* of a stream: what the driver is given */
	struct synth_packet made_bytes;
	struct wpacket now; /* the packet that the driver has got */
	struct synth *synth;
	uint64_t made; /* synthetic packets so far */
	struct progress progress;
	uint64_t per_stream[SYNTH_STREAMS_MAX];
	struct slot *slot; /* of the packets that wait; the engine's id is the index */
	uint32_t n_slot, cap_slot, free_slot;
	struct watch watch;
	struct drive drive;
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
	r->drive.stop = true;
}

static void warn(void *arg, const char *text)
{
	struct run *r = arg;

	policy_complain(r->report, POLICY_WARNING, r->file->path, r->test->at, "%s", text);
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

/* ---- What the driver asks for: the source. */

static uint64_t capture_when(struct run *r)
{
	return r->capture ? drive_capture_when(&r->from) : NEVER;
}

static uint64_t when(void *arg)
{
	struct run *r = arg;
	uint64_t from_cap = capture_when(r), from_syn = synth_when(r->synth);

	return from_cap < from_syn ? from_cap : from_syn;
}

static size_t from_synth(struct run *r, const struct ahead_packet **v)
{
	struct synth_packet *pk = &r->made_bytes;
	struct ahead_packet *p = &r->made_packet;

	if (!synth_next(r->synth, pk))
		return 0;
	if (++r->made > WTEST_MADE_MAX) {
		stop(r, r->test->stream[pk->stream].at,
		     watch_text("the traffic is more than %u packets: an earlier end, a lower "
				"rate of the link, or larger packets",
				WTEST_MADE_MAX));
		return 0;
	}
	if (progress_due(&r->progress))
		progress_update(&r->progress, r->made, 0, r->made);
	r->now = (struct wpacket){.stream = (int)pk->stream,
				  .flow = pk->flow,
				  .number = ++r->per_stream[pk->stream]};
	*p = (struct ahead_packet){.pk = {.when = pk->when}};
	if (dissect_ip(pk->data, pk->caplen, pk->len, &p->d))
		p->why = "bad-ip";
	p->d.meta = &r->test->stream[pk->stream].meta;
	*v = p;
	return 1;
}

static size_t next(void *arg, const struct ahead_packet **v)
{
	struct run *r = arg;

	if (capture_when(r) > synth_when(r->synth))
		return from_synth(r, v);
	*v = drive_capture_one(&r->from);
	r->now = (struct wpacket){.number = (*v)->pk.number, .stream = -1};
	return 1;
}

static const struct drive_source source = {.when = when, .next = next};

/* ---- What it tells: the sink. */

static uint64_t id(void *arg, const struct drive_unit *u)
{
	struct run *r = arg;
	uint32_t index = 0;

	(void)u;
	if (!slot_get(r, &index))
		stop(r, r->test->at, watch_text("no memory"));
	return index;
}

/* What is known of the unit before it is on a link. */
static struct wpacket unit(struct run *r, const struct drive_unit *u)
{
	struct wpacket p = r->now;

	p.when = u->p->pk.when;
	if (u->d) {
		p.key = u->d->key;
		p.dscp = u->d->dscp;
		p.len = u->d->len;
	}
	r->res->packets++;
	return p;
}

static void passed(void *arg, const struct drive_unit *u, const char *why)
{
	struct run *r = arg;
	struct engine_ticket none = {0};
	struct wpacket p = unit(r, u);

	(void)why;
	watch_came(&r->watch, &p, u->d, &none);
	r->res->passed++;
	slot_put(r, (uint32_t)u->id);
	if (p.stream >= 0 && r->test->stream[p.stream].kind == SYNTH_GREEDY)
		stop(r, r->test->stream[p.stream].at,
		     watch_text("stream \"%s\" is greedy, but its packets are on no link",
				r->test->stream[p.stream].name));
}

static void queued(void *arg, const struct drive_unit *u, const struct engine_ticket *t)
{
	struct run *r = arg;
	struct wpacket p = unit(r, u);

	p.len = t->len;
	watch_came(&r->watch, &p, u->d, t);
	r->slot[u->id].p = p;
}

static void happened(void *arg, const struct engine_event *ev)
{
	struct run *r = arg;
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

static const struct drive_sink sink = {
	.id = id, .passed = passed, .queued = queued, .happened = happened};

/* ---- */

static void drive(struct run *r)
{
	if (drive_run(&r->drive))
		stop(r, r->test->at, watch_text("the engine stands still"));
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
		if (!capture_begins(r->capture, &opts.now) && !r->test->n_stream) {
			stop(r, at, watch_text("no packet in %s", r->test->capture[0]));
			return false;
		}
		r->from = (struct drive_capture){
			.ahead = ahead_new(r->capture, opts.key, SEGMENT_MTU),
			.warn = warn,
			.arg = r};
		if (!r->from.ahead) {
			stop(r, at, watch_text("no memory"));
			return false;
		}
	}
	r->engine = engine_new(r->file->policy, &opts, r->report);
	if (!r->engine) {
		stop(r, at, watch_text("no memory, or a filter of the policy that fails"));
		return false;
	}
	r->drive.engine = r->engine;
	r->synth = synth_new(r->test->stream, r->test->n_stream, opts.now);
	if (!r->synth || watch_init(&r->watch, r->test, r->file->policy, r->engine, opts.now)) {
		stop(r, at, watch_text("no memory"));
		return false;
	}
	return true;
}

/* A verdict on a part of the traffic is none. */
static void check_whole(struct run *r)
{
	struct capture_stats s;

	if (!r->capture || r->res->error)
		return;
	ahead_get_stats(r->from.ahead, &s);
	if (s.truncated)
		stop(r, r->test->at,
		     watch_text("the capture could be read only in part, up to packet %llu",
				(unsigned long long)s.packets));
	else if (ahead_failed(r->from.ahead))
		stop(r, r->test->at, watch_text("no memory"));
}

void wtest_run(const struct wtest_file *f, const struct wtest *t, struct wtest_result *res,
	       struct policy_report *r)
{
	struct run run = {.file = f, .test = t, .res = res, .report = r};

	*res = (struct wtest_result){.test = t};
	run.watch.test = t;
	drive_init(&run.drive, f->policy, t->link);
	run.drive.source = &source;
	run.drive.sink = &sink;
	run.drive.from = run.drive.to = &run;
	if (set_up(&run)) {
		progress_start(&run.progress, t->name);
		drive(&run);
		progress_end(&run.progress);
		check_whole(&run);
		res->waiting = engine_waiting(run.engine);
		res->time = run.watch.last - run.watch.origin;
		if (t->n_capture)
			replay_tell_unknown(run.engine, warn, &run);
		if (!res->error)
			watch_judge(&run.watch, res);
	}
	watch_fini(&run.watch);
	synth_free(run.synth);
	engine_free(run.engine);
	ahead_free(run.from.ahead);
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
