/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/outfile.h"
#include "gw/progress.h"
#include "gw/replay_sink.h"

#define HELD_MAX ((size_t)1 << 30) /* bytes of packets that wait, for `-o` */

struct replay {
	struct replay_opts o;
	struct capture *capture;
	struct engine *engine;
	struct drive_capture from;
	struct replay_sink sink;
	struct progress bar;
	struct replay_result result;
	struct drive drive;
};

static void warn(void *arg, const char *text)
{
	struct replay *r = arg;

	progress_end(&r->bar);
	if (r->o.warn)
		r->o.warn(r->o.arg, text);
}

static void show_progress(struct replay *r)
{
	struct capture_stats s;

	ahead_get_stats(r->from.ahead, &s);
	progress_update(&r->bar, s.bytes_read, s.bytes_total, s.packets);
}

static uint64_t when(void *arg)
{
	struct replay *r = arg;

	return drive_capture_when(&r->from);
}

static size_t next(void *arg, const struct ahead_packet **v)
{
	struct replay *r = arg;

	if (progress_due(&r->bar))
		show_progress(r);
	return drive_capture_source.next(&r->from, v);
}

static const struct drive_source source = {.when = when, .next = next};

static int compare_reasons(const void *a, const void *b)
{
	const struct replay_passed *x = a, *y = b;

	return strcmp(x->reason, y->reason);
}

/* Ends the outputs; of several errors the first is told. */
static int close_outputs(struct replay *r, char *err, size_t errsize)
{
	struct replay_sink *s = &r->sink;
	char more[1024] = "";
	int status = 0;

	if (s->trace && trace_close(s->trace, err, errsize))
		status = -1;
	s->trace = NULL;
	if (s->out &&
	    outpcap_close(s->out, status ? more : err, status ? sizeof(more) : errsize))
		status = -1;
	s->out = NULL;
	if (!status && s->unwritten)
		status = fail_with(err, errsize, "%s: %llu packets that left are missing: %s",
				   r->o.out, (unsigned long long)s->unwritten,
				   s->other_type ? "they have another link type than those "
						   "before them"
						 : "no memory");
	return status;
}

/* The trace and the output are told to end in any case. */
static int run_all(struct replay *r, char *err, size_t errsize)
{
	if (drive_run(&r->drive))
		return fail_with(err, errsize, "the engine stands still");
	if (ahead_failed(r->from.ahead) || r->sink.no_memory)
		return fail_with(err, errsize, "no memory to read on after packet %llu",
				 (unsigned long long)r->result.packets);
	return close_outputs(r, err, errsize);
}

void replay_tell_unknown(const struct engine *e, void (*fn)(void *arg, const char *text),
			 void *arg)
{
	struct engine_stats s;
	char text[256];

	engine_get_stats(e, &s);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const kind[] = {"mark", "mac", "in-interface"};
		uint64_t n = i == 0   ? s.match.unknown_mark
			     : i == 1 ? s.match.unknown_mac
				      : s.match.unknown_in;

		if (!n)
			continue;
		snprintf(text, sizeof(text),
			 "\"%s\" of the policy is not known of %llu packets of the capture: "
			 "they "
			 "are in no class that asks for it",
			 kind[i], (unsigned long long)n);
		fn(arg, text);
	}
}

int replay_run(struct replay *r, char *err, size_t errsize)
{
	int status;

	if (r->o.progress)
		progress_start(&r->bar, "replay");
	status = run_all(r, err, errsize);
	if (r->o.progress)
		progress_end(&r->bar);
	if (r->engine)
		replay_tell_unknown(r->engine, warn, r);
	ahead_get_stats(r->from.ahead, &r->result.capture);
	r->result.segments = r->drive.segments;
	r->result.not_whole =
		capture_look_tell(r->sink.look, warn, r) || r->result.capture.broken;
	qsort(r->result.passed, r->result.n_passed, sizeof(r->result.passed[0]),
	      compare_reasons);
	return status;
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
		r->sink.trace = trace_open(r->o.trace, err, errsize);
		if (!r->sink.trace)
			return -1;
	}
	if (r->o.out) {
		if (check_output(r, r->o.out, r->o.trace, err, errsize))
			return -1;
		r->sink.held = holder_new(HELD_MAX);
		if (!r->sink.held) {
			snprintf(err, errsize, "out of memory");
			return -1;
		}
		r->sink.out_dlt = capture_dlt(r->capture);
		r->sink.out = outpcap_open(r->o.out, r->sink.out_dlt,
					   capture_snaplen(r->capture), err, errsize);
		if (!r->sink.out)
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
	r->sink.look = capture_look_new(o->link, capture_interfaces(r->capture) > 1);
	if (!r->sink.look) {
		snprintf(err, errsize, "out of memory");
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
	r->result.mtu = o->mtu ? o->mtu : SEGMENT_MTU;
	r->from = (struct drive_capture){
		.ahead = ahead_new(r->capture, eo.key, r->result.mtu), .warn = warn, .arg = r};
	if (!r->from.ahead) {
		snprintf(err, errsize, "out of memory");
		replay_close(r);
		return NULL;
	}
	r->result.policy = o->policy;
	r->result.link = o->link;
	r->result.engine = r->engine;
	drive_init(&r->drive, o->policy, o->link);
	r->drive.engine = r->engine;
	r->drive.source = &source;
	r->drive.from = r;
	r->drive.sink = &replay_sink;
	r->drive.to = &r->sink;
	r->sink.result = &r->result;
	r->sink.drive = &r->drive;
	return r;
}

void replay_close(struct replay *r)
{
	char err[1024];

	if (!r)
		return;
	close_outputs(r, err, sizeof(err));
	holder_free(r->sink.held);
	replay_sink_fini(&r->sink);
	capture_look_free(r->sink.look);
	engine_free(r->engine);
	ahead_free(r->from.ahead);
	if (r->capture)
		capture_close(r->capture);
	free(r);
}
