/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened between two answers of a gateway: rates and delays of that interval, and not
 * since the start. Pure computation: no clock, no terminal.
 *
 * Counters do not only go up. A class is new where the answer before has none of its path, or
 * one that was of another kind, or that had seen more: it is counted from 0. A class with
 * classes is the sum of its leaves, because what a reload takes away is missing in its own
 * count. A gateway that was started anew is counted from its start. What still goes backwards
 * (packets that vanished after they had been counted as sent) counts as nothing.
 */
#ifndef WEIR_GW_TOP_FRAME_H
#define WEIR_GW_TOP_FRAME_H

#include "gw/top_answer.h"

/* Quantiles of what a histogram counted in the interval. known: it counted something. */
struct top_quantiles {
	bool known;
	uint64_t p50, p99; /* ns; the top of their bin, so never below the true ones */
};

/* A class, or a whole link, in the interval. */
struct top_row {
	const struct top_class *class;	 /* of the later answer */
	uint64_t packets, bytes, marked; /* sent */
	uint64_t dropped[PKT_DROP_N];
	uint64_t over; /* packets that had waited longer than the class's max-latency */
	uint64_t bps;
	struct top_quantiles delay;
};

struct top_flink {
	const struct top_link *link; /* of the later answer */
	uint64_t ns;		     /* the interval; 0: there is none, and no figures */
	uint64_t cpu;		     /* ns of processor time */
	uint64_t lost[ASK_LOSSES];
	struct top_quantiles late;    /* its wake-ups */
	struct top_row all, *row;     /* the link; its classes in file order */
	const struct top_row **shown; /* in the order of top_frame_sort() */
	size_t n_row, n_shown;
};

enum top_sort { TOP_FILE, TOP_RATE, TOP_BACKLOG, TOP_DELAY, TOP_SORTS };

struct top_frame {
	const struct top_answer *answer; /* the later one */
	uint64_t ns;			 /* since the answer before; 0: there is none */
	bool restarted, reloaded;	 /* in the meantime */
	enum top_sort sort;		 /* how it is sorted: at first, as in the file */
	struct top_flink *link;
	size_t n_link;
};

/*
 * was: the answer before, or NULL. It may go afterwards; `is` must outlive the frame. NULL: no
 * memory.
 */
struct top_frame *top_frame_new(const struct top_answer *was, const struct top_answer *is);
void top_frame_free(struct top_frame *f); /* NULL: nothing */

/* TOP_FILE: all classes as in the policy. Others: the leaves, from the most to the least. */
void top_frame_sort(struct top_frame *f, enum top_sort sort);
const char *top_sort_name(enum top_sort sort);

/* n * unit / of without overflow; the largest number where it does not fit, 0 of nothing. */
uint64_t top_ratio(uint64_t n, uint64_t unit, uint64_t of);

#endif
