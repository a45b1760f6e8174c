/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one driver of an engine in virtual time: a source of packets, the engine, a sink for
 * what became of them. A replay, a policy test and the comparison with the kernel differ in
 * their sources and sinks alone.
 *
 * Whatever the engine has to do at or before the time of the next packet happens before that
 * packet comes; after the last one, time goes on until nothing waits. So a packet that meets an
 * idle link leaves when it comes, and the same input gives the same results, always.
 *
 * Large segments (qos/segment.h) are cut as the kernel cuts them for the gateway, where the
 * link is one on which it does: each piece is put to the engine as a packet, at the same time,
 * one after another.
 */
#ifndef WEIR_GW_DRIVE_H
#define WEIR_GW_DRIVE_H

#include "gw/ahead.h"
#include "qos/engine.h"
#include "qos/segment.h"

struct drive_source {
	/*
	 * When the next packet comes; NEVER: none, as things are. Asked again after whatever
	 * happened, so that packets may be answers.
	 */
	uint64_t (*when)(void *arg);
	/*
	 * Packets that come next, at least one, the first of them at when(): how many. They
	 * are there until the next call. One at a time where what happens may change the rest.
	 */
	size_t (*next)(void *arg, const struct ahead_packet **v);
};

/* What is put to the engine: a packet, or a piece of one. */
struct drive_unit {
	const struct ahead_packet *p;
	const struct dissected *d; /* NULL: it is no IP packet */
	uint64_t id;
	uint32_t piece, pieces; /* 0 of 1: the packet itself */
};

/* The calls for a unit: id; passed, or queued, happened once at some time, and settled. */
struct drive_sink {
	/* By what the engine is to know it; it has none yet. */
	uint64_t (*id)(void *arg, const struct drive_unit *u);
	/* It is on no link, why: "arp", "no-link", ... */
	void (*passed)(void *arg, const struct drive_unit *u, const char *why);
	void (*queued)(void *arg, const struct drive_unit *u, const struct engine_ticket *t);
	void (*happened)(void *arg, const struct engine_event *ev);
	/* All has happened that does so at once: whoever waits still, waits. May be NULL. */
	void (*settled)(void *arg, const struct drive_unit *u);
};

/* Of the packets that are larger than the line's, as the source says. */
struct drive_segments {
	uint64_t packets, pieces; /* cut into these */
	uint64_t whole;		  /* scheduled whole, as the gateway does at such a rate */
	uint64_t unknown;	  /* of which it cannot be known how they are cut */
};

struct drive {
	struct engine *engine;
	const struct drive_source *source;
	void *from; /* of the source's functions */
	const struct drive_sink *sink;
	void *to;
	bool stop; /* may be set by any of the functions: nothing more happens */
	struct drive_segments segments;
	/* private */
	enum drive_cut { DRIVE_CUT_NONE, DRIVE_CUT_ALL, DRIVE_CUT_ASK } cut;
	uint8_t buffer[SEGMENT_BYTES];
};

/* For links of this policy, or for one of them. What is not set is to be set by the caller. */
void drive_init(struct drive *d, const struct policy *p, const struct policy_link *only);
/* All of it. 0; -1: the engine stands still, which is a fault of ours. */
int drive_run(struct drive *d);

/* A source: the packets of captures. */
struct drive_capture {
	struct ahead *ahead;
	const struct ahead_packet *v;
	size_t n; /* at v, not yet given */
	bool over;
	void (*warn)(void *arg, const char *text);
	void *arg;
};
/* `arg` of these is a struct drive_capture, of which ahead, warn and arg are set. */
extern const struct drive_source drive_capture_source;
uint64_t drive_capture_when(void *arg);
/* One packet; only when when() said that there is one. */
const struct ahead_packet *drive_capture_one(struct drive_capture *c);

#endif
