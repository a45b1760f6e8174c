/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/outpcap.h"
#include "gw/progress.h"
#include "gw/trace.h"

#define HELD_MAX ((size_t)1 << 30) /* bytes of packets that wait, for `-o` */

struct replay {
	struct replay_opts o;
	struct capture *capture;
	struct capture_packet pk; /* the next one */
	bool more;
	struct engine *engine;
	struct trace *trace;
	struct outpcap *out;
	struct holder *held;
	struct progress bar;
	/* For `-o`: the packet that has just come is copied only if it has to wait. */
	bool here;
	uint32_t ip_offset;
	uint8_t *scratch;
	size_t scratch_size;
	uint64_t unwritten; /* packets that left and are not in the output */
	struct replay_result result;
};

static void warn(void *arg, const char *text)
{
	struct replay *r = arg;

	progress_end(&r->bar);
	if (r->o.warn)
		r->o.warn(r->o.arg, text);
}

static void next_packet(struct replay *r)
{
	r->more = capture_next(r->capture, &r->pk, warn, r) == 1;
}

static void passed(struct replay *r, const char *reason)
{
	struct replay_result *res = &r->result;
	size_t i = 0;

	while (i < res->n_passed && strcmp(res->passed[i].reason, reason))
		i++;
	if (i == res->n_passed) {
		if (i == REPLAY_REASONS)
			i--;
		else
			res->n_passed++;
		res->passed[i].reason = i == REPLAY_REASONS - 1 ? "other" : reason;
	}
	res->passed[i].packets++;
	res->passed[i].bytes += r->pk.wirelen;
	if (r->trace)
		trace_passed(r->trace, r->pk.number, r->pk.when, reason);
}

static void rewrite(const struct engine_event *ev, uint8_t *ip, uint32_t caplen)
{
	/* the fixed header was believed, so it was captured */
	if (caplen < 20 || (*ip >> 4 == 6 && caplen < 40))
		return;
	if (ev->set_dscp >= 0)
		dissect_set_dscp(ip, (unsigned)ev->set_dscp);
	if (ev->set_ce)
		dissect_set_ce(ip);
}

/* The packet that has just come leaves at once. */
static void write_here(struct replay *r, const struct engine_event *ev)
{
	const uint8_t *data = r->pk.data;

	r->here = false;
	if (ev->what != ENGINE_SENT)
		return;
	if (ev->set_dscp >= 0 || ev->set_ce) {
		if (r->scratch_size < r->pk.caplen) {
			uint8_t *bigger = realloc(r->scratch, r->pk.caplen);

			if (!bigger) {
				r->unwritten++;
				return;
			}
			r->scratch = bigger;
			r->scratch_size = r->pk.caplen;
		}
		memcpy(r->scratch, data, r->pk.caplen);
		rewrite(ev, r->scratch + r->ip_offset, r->pk.caplen - r->ip_offset);
		data = r->scratch;
	}
	outpcap_write(r->out, ev->when, data, r->pk.caplen, r->pk.wirelen, r->ip_offset);
}

static void write_held(struct replay *r, const struct engine_event *ev)
{
	struct held *h = holder_take(r->held, ev->id);

	if (ev->what == ENGINE_SENT) {
		if (h) {
			rewrite(ev, h->data + h->ip_offset, h->caplen - h->ip_offset);
			outpcap_write(r->out, ev->when, h->data, h->caplen, h->wirelen,
				      h->ip_offset);
		} else {
			r->unwritten++;
		}
	}
	free(h);
}

static void happen(struct replay *r, const struct engine_event *ev)
{
	r->result.end = ev->when;
	if (r->trace) {
		if (ev->what == ENGINE_SENT)
			trace_sent(r->trace, ev->id, ev->when, ev->set_ce ? "marked" : NULL);
		else
			trace_dropped(r->trace, ev->id, account_drop_name(ev->drop));
	}
	if (r->out) {
		if (r->here && ev->id == r->pk.number)
			write_here(r, ev);
		else
			write_held(r, ev);
	}
}

static void drain(struct replay *r, uint64_t now)
{
	struct engine_event ev;

	while (engine_poll(r->engine, now, &ev) != ENGINE_NOTHING)
		happen(r, &ev);
}

static void arrive(struct replay *r)
{
	const struct capture_packet *pk = &r->pk;
	struct engine_ticket t;
	struct dissected d;
	const char *why;
	int at = dissect_link(pk->dlt, pk->data, pk->caplen, pk->wirelen, &why);

	r->result.end = pk->when;
	if (at < 0) {
		passed(r, why);
		return;
	}
	if (dissect_ip(pk->data + at, pk->caplen - (uint32_t)at, pk->wirelen - (uint32_t)at,
		       &d)) {
		passed(r, "bad-ip");
		return;
	}
	if (engine_packet(r->engine, pk->when, pk->number, &d, &t) == ENGINE_PASSED) {
		passed(r, "no-link");
		return;
	}
	if (r->trace)
		trace_arrive(r->trace, pk->number, pk->when, t.link->name, t.class->path,
			     t.len);
	r->here = r->out != NULL;
	r->ip_offset = (uint32_t)at;
	drain(r, pk->when);
	/* one that cannot be held is missed when it leaves */
	if (r->here)
		holder_put(r->held, pk->number, pk->data, pk->caplen, pk->wirelen,
			   r->ip_offset);
	r->here = false;
}

static void show_progress(struct replay *r)
{
	struct capture_stats s;

	capture_get_stats(r->capture, &s);
	progress_update(&r->bar, s.bytes_read, s.bytes_total, s.packets);
}

static int compare_reasons(const void *a, const void *b)
{
	const struct replay_passed *x = a, *y = b;

	return strcmp(x->reason, y->reason);
}

/* Ends the outputs; of several errors the first is told. */
static int close_outputs(struct replay *r, char *err, size_t errsize)
{
	char more[1024];
	int status = 0;

	if (r->trace && trace_close(r->trace, err, errsize))
		status = -1;
	r->trace = NULL;
	if (r->out &&
	    outpcap_close(r->out, status ? more : err, status ? sizeof(more) : errsize))
		status = -1;
	r->out = NULL;
	if (!status && r->unwritten) {
		snprintf(err, errsize, "%s: %llu packets that left are missing: no memory",
			 r->o.out, (unsigned long long)r->unwritten);
		status = -1;
	}
	return status;
}

int replay_run(struct replay *r, char *err, size_t errsize)
{
	uint64_t t;

	if (r->o.progress)
		progress_start(&r->bar, "replay");
	if (r->more)
		r->result.first = r->pk.when;
	while (r->more) {
		while ((t = engine_next(r->engine)) <= r->pk.when)
			drain(r, t);
		r->result.packets++;
		r->result.last = r->pk.when;
		arrive(r);
		if (progress_due(&r->bar))
			show_progress(r);
		next_packet(r);
	}
	while ((t = engine_next(r->engine)) != NEVER)
		drain(r, t);
	if (r->o.progress)
		progress_end(&r->bar);
	capture_get_stats(r->capture, &r->result.capture);
	qsort(r->result.passed, r->result.n_passed, sizeof(r->result.passed[0]),
	      compare_reasons);
	return close_outputs(r, err, errsize);
}

const struct replay_result *replay_result(const struct replay *r)
{
	return &r->result;
}

static int open_outputs(struct replay *r, char *err, size_t errsize)
{
	if (r->o.trace) {
		r->trace = trace_open(r->o.trace, err, errsize);
		if (!r->trace)
			return -1;
	}
	if (r->o.out) {
		r->held = holder_new(HELD_MAX);
		if (!r->held) {
			snprintf(err, errsize, "out of memory");
			return -1;
		}
		r->out = outpcap_open(r->o.out, capture_dlt(r->capture),
				      capture_snaplen(r->capture), err, errsize);
		if (!r->out)
			return -1;
	}
	return 0;
}

struct replay *replay_open(const struct replay_opts *o, struct policy_report *report, char *err,
			   size_t errsize)
{
	struct engine_opts eo = {.only = o->link};
	struct replay *r = calloc(1, sizeof(*r));
	unsigned errors = report ? report->errors : 0;

	err[0] = '\0';
	if (!r) {
		snprintf(err, errsize, "out of memory");
		return NULL;
	}
	r->o = *o;
	r->capture = capture_open(o->capture, o->n_capture, err, errsize);
	if (!r->capture) {
		replay_close(r);
		return NULL;
	}
	next_packet(r);
	eo.now = r->more ? r->pk.when : 0;
	r->engine = engine_new(o->policy, &eo, report);
	if (!r->engine) {
		if (!report || report->errors == errors)
			snprintf(err, errsize, "out of memory");
		replay_close(r);
		return NULL;
	}
	if (open_outputs(r, err, errsize)) {
		replay_close(r);
		return NULL;
	}
	r->result.policy = o->policy;
	r->result.link = o->link;
	r->result.engine = r->engine;
	return r;
}

void replay_close(struct replay *r)
{
	char err[1024];

	if (!r)
		return;
	close_outputs(r, err, sizeof(err));
	holder_free(r->held);
	free(r->scratch);
	engine_free(r->engine);
	if (r->capture)
		capture_close(r->capture);
	free(r);
}
