/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches a test's packets for its expectations, and judges in the end. Inside
 * gw/wtest_*.c only. Memory does not grow with the traffic: a meter for each
 * expectation, a few packets to show, and a table of bounded size for jitter.
 */
#ifndef WEIR_GW_WTEST_WATCH_H
#define WEIR_GW_WTEST_WATCH_H

#include "gw/wtest.h"
#include "qos/engine.h"
#include "qos/judge.h"

/* What is kept of a packet while it waits. */
struct wpacket {
	uint64_t number; /* from 1: in the captures, or in its stream */
	int stream;	 /* -1: of the captures */
	uint32_t flow;	 /* of the stream */
	uint32_t len;	 /* charged */
	uint64_t when;
	uint8_t dscp;
	struct flow_key key;
	uint64_t member[WTEST_EXPECT_MAX / 64]; /* of which filters and flows */
};

/* A few packets that broke something, as text, and how many there were. */
struct offenders {
	char *v[WTEST_DETAILS_MAX];
	size_t n;
	uint64_t total;
};

struct meter {
	struct account delay; /* only what left: its histogram, mean, maximum and jitter */
	struct account_count came, sent, dropped[PKT_DROP_N];
	uint64_t marked;
	uint64_t first_in, last_out;
	bool any_in;
	uint64_t link_bytes;		  /* sent by all of its link in the window */
	uint64_t *by_leaf;		  /* the same by class index; NULL: not asked for */
	const struct policy_class *class; /* of those that came last; NULL: none did */
	struct offenders per_check[WTEST_CHECKS_MAX], wrong, dscp;
};

struct flow_delay;

struct watch {
	const struct wtest *test;
	const struct policy *policy;
	struct engine *engine;
	uint64_t origin, last;	   /* last: time of the latest event */
	struct meter *meter;	   /* for each expectation */
	struct flow_delay *delays; /* NULL: nobody asks for jitter */
	struct judge **judge;	   /* for each link of the policy: why it was served badly */
	uint64_t judged;	   /* when they were shown the counters last */
};

/* 0, or -1: no memory. */
int watch_init(struct watch *w, const struct wtest *t, const struct policy *p, struct engine *e,
	       uint64_t origin);
void watch_fini(struct watch *w);

/* Came: p has all but `member`, which is filled in. */
void watch_came(struct watch *w, struct wpacket *p, const struct dissected *d,
		const struct engine_ticket *ticket);
/* Sent or dropped. */
void watch_event(struct watch *w, const struct wpacket *p, const struct engine_event *ev);

/* Shows the judges what has been counted by now; `last`: nothing more will be. */
void watch_serve(struct watch *w, uint64_t now, bool last);

/* Fills in failures, expectations and status. */
void watch_judge(struct watch *w, struct wtest_result *res);

const char *watch_class_name(const struct policy_class *c);
/* A text like printf's; no memory ends the program. */
char *watch_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
