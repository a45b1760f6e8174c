/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/ahead.h"
#include "gw/outfile.h"
#include "gw/outpcap.h"
#include "gw/progress.h"
#include "gw/trace.h"

#define HELD_MAX ((size_t)1 << 30) /* bytes of packets that wait, for `-o` */

/* How many packets ahead a flow is fetched: a packet takes about as long as a miss. */
enum { SOONER = 4, LATER = 8 };

struct replay {
	struct replay_opts o;
	struct capture *capture;
	struct ahead *ahead;
	struct engine *engine;
	struct trace *trace;
	struct outpcap *out;
	struct holder *held;
	struct progress bar;
	/* For `-o`: the packet that has just come, copied only if it has to wait. */
	const struct ahead_packet *here;
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

static void passed(struct replay *r, const struct capture_packet *pk, const char *reason)
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
	res->passed[i].bytes += pk->wirelen;
	if (r->trace)
		trace_passed(r->trace, pk->number, pk->when, reason);
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
	const struct capture_packet *pk = &r->here->pk;
	uint32_t ip = r->here->ip;
	const uint8_t *data = pk->data;

	r->here = NULL;
	if (ev->what != ENGINE_SENT)
		return;
	if (ev->set_dscp >= 0 || ev->set_ce) {
		if (r->scratch_size < pk->caplen) {
			uint8_t *bigger = realloc(r->scratch, pk->caplen);

			if (!bigger) {
				r->unwritten++;
				return;
			}
			r->scratch = bigger;
			r->scratch_size = pk->caplen;
		}
		memcpy(r->scratch, data, pk->caplen);
		rewrite(ev, r->scratch + ip, pk->caplen - ip);
		data = r->scratch;
	}
	outpcap_write(r->out, ev->when, data, pk->caplen, pk->wirelen, ip);
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
		if (r->here && ev->id == r->here->pk.number)
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

static void arrive(struct replay *r, const struct ahead_packet *p)
{
	const struct capture_packet *pk = &p->pk;
	struct engine_ticket t;

	r->result.packets++;
	r->result.last = r->result.end = pk->when;
	if (p->why) {
		passed(r, pk, p->why);
		return;
	}
	if (engine_packet(r->engine, pk->when, pk->number, &p->d, &t) == ENGINE_PASSED) {
		passed(r, pk, "no-link");
		return;
	}
	if (r->trace)
		trace_arrive(r->trace, pk->number, pk->when, t.link->name, t.class->path,
			     t.len);
	if (r->out)
		r->here = p;
	drain(r, pk->when);
	/* one that cannot be held is missed when it leaves */
	if (r->here)
		holder_put(r->held, pk->number, pk->data, pk->caplen, pk->wirelen, p->ip);
	r->here = NULL;
}

static void show_progress(struct replay *r)
{
	struct capture_stats s;

	ahead_get_stats(r->ahead, &s);
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
	char more[1024] = "";
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

static void run_packets(struct replay *r, const struct ahead_packet *p, size_t n)
{
	uint64_t t;

	for (size_t i = 0; i < n; i++, p++) {
		if (i + LATER < n)
			engine_prefetch(r->engine, &p[SOONER].d, &p[LATER].d);
		while ((t = engine_next(r->engine)) <= p->pk.when)
			drain(r, t);
		arrive(r, p);
		if (progress_due(&r->bar))
			show_progress(r);
	}
}

int replay_run(struct replay *r, char *err, size_t errsize)
{
	const struct ahead_packet *p;
	uint64_t t;
	size_t n;

	if (r->o.progress)
		progress_start(&r->bar, "replay");
	while ((n = ahead_next(r->ahead, &p, warn, r)))
		run_packets(r, p, n);
	while ((t = engine_next(r->engine)) != NEVER)
		drain(r, t);
	if (r->o.progress)
		progress_end(&r->bar);
	ahead_get_stats(r->ahead, &r->result.capture);
	qsort(r->result.passed, r->result.n_passed, sizeof(r->result.passed[0]),
	      compare_reasons);
	if (!ahead_failed(r->ahead))
		return close_outputs(r, err, errsize);
	snprintf(err, errsize, "no memory to read on after packet %llu",
		 (unsigned long long)r->result.packets);
	return -1;
}

const struct replay_result *replay_result(const struct replay *r)
{
	return &r->result;
}

/* The policy, the captures, standard input, and `other`: none of them is to be overwritten. */
static int check_output(const struct replay *r, const char *out, const char *other, char *err,
			size_t errsize)
{
	const char *more[] = {r->o.policy->file, "-", other};

	if (outfile_check(out, r->o.capture, r->o.n_capture, err, errsize))
		return -1;
	return outfile_check(out, more, sizeof(more) / sizeof(more[0]), err, errsize);
}

/* Each is looked at when those before it are there: two names may be one file. */
static int open_outputs(struct replay *r, char *err, size_t errsize)
{
	if (r->o.trace) {
		if (check_output(r, r->o.trace, NULL, err, errsize))
			return -1;
		r->trace = trace_open(r->o.trace, err, errsize);
		if (!r->trace)
			return -1;
	}
	if (r->o.out) {
		if (check_output(r, r->o.out, r->o.trace, err, errsize))
			return -1;
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
	if (capture_begins(r->capture, &r->result.first))
		eo.now = r->result.first;
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
	r->ahead = ahead_new(r->capture, eo.key);
	if (!r->ahead) {
		snprintf(err, errsize, "out of memory");
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
	ahead_free(r->ahead);
	if (r->capture)
		capture_close(r->capture);
	free(r);
}
