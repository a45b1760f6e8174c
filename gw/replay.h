/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replay: puts the packets of captures through an engine, in virtual time.
 *
 * Time is that of the captures. Whatever the engine has to do at or before the time of
 * the next packet happens before that packet comes; after the last one, time goes on
 * until nothing waits. So a packet that meets an idle link leaves when it comes, and
 * the same input gives the same results, always.
 *
 *     replay_open()   all that can fail early: captures, outputs, engine
 *     replay_run()    all packets; then the outputs are whole
 *     replay_result() what came of it
 */
#ifndef WEIR_GW_REPLAY_H
#define WEIR_GW_REPLAY_H

#include "gw/capture.h"
#include "gw/drive.h"
#include "qos/engine.h"

struct replay;

struct replay_opts {
	const struct policy *policy;
	const struct policy_link *link; /* all packets are on it; NULL: `capture` decides */
	const char *const *capture;
	size_t n_capture;
	uint32_t mtu; /* of the line: larger packets are large segments; 0: SEGMENT_MTU */
	const char *out, *trace; /* files to write, "-": stdout; NULL: none */
	bool progress;		 /* show a bar when it takes long */
	/* of captures that turn out broken: one line each, without "warning" */
	void (*warn)(void *arg, const char *text);
	void *arg;
};

/* Packets on no link, by the reason that the trace gives. */
struct replay_passed {
	const char *reason;
	uint64_t packets, bytes; /* as they were on the wire */
};
#define REPLAY_REASONS 64 /* at most; should there be more, the last is "other" */

struct replay_result {
	const struct policy *policy;
	const struct policy_link *link; /* as in the options */
	const struct engine *engine;
	struct capture_stats capture;
	uint64_t packets; /* of the captures; a large segment is one */
	struct drive_segments segments;
	uint32_t mtu;
	/* The figures are not those of the traffic, as was told: it was on no link, is in the
	   captures twice, or could not be read. A capture that is only cut off is no such. */
	bool not_whole;
	uint64_t first, last; /* ns: arrival of the first and last packet; 0 when none came */
	uint64_t end;	      /* ns: when the last packet came, left or was dropped */
	struct replay_passed passed[REPLAY_REASONS]; /* in the order of their names */
	size_t n_passed;
};

/*
 * NULL with one line in err: a capture cannot be read at all, an output not be made, or
 * there is no memory. A filter that does not compile is told to r, err is then empty.
 */
struct replay *replay_open(const struct replay_opts *o, struct policy_report *r, char *err,
			   size_t errsize);
/* Once. 0, or -1 with one line in err: an output is not whole. The result is good in any case.
 */
int replay_run(struct replay *r, char *err, size_t errsize);
const struct replay_result *replay_result(const struct replay *r);
void replay_close(struct replay *r);

/*
 * One line for each kind of criterion (mark, mac, in-interface) that was asked of packets of
 * which it is not known.
 */
void replay_tell_unknown(const struct engine *e, void (*fn)(void *arg, const char *text),
			 void *arg);

#endif
