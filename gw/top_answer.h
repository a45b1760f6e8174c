/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer to "stats" as plain numbers, for `weir top`. It came from another process, so
 * nothing is believed of it: what is missing, of the wrong kind or negative counts as 0, and
 * text is made printable.
 */
#ifndef WEIR_GW_TOP_ANSWER_H
#define WEIR_GW_TOP_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw/ask_value.h"
#include "sched/pkt.h"

struct top_bin {
	uint64_t top, n; /* the largest time that is counted here, ns; how often */
};

/* By rising tops. known: the gateway told it, and it makes sense. */
struct top_hist {
	struct top_bin *bin;
	size_t n;
	bool known;
};

/* What a class, or a whole link, has counted. */
struct top_class {
	char *path;	/* "work/ssh"; "" is the link itself */
	unsigned depth; /* slashes in it, and 1; 0 for the link */
	bool leaf;
	uint64_t sent_packets, sent_bytes, waiting_packets, waiting_bytes, marked;
	bool marks_known;
	/* packets by reason; what has no name here is at PKT_KEPT */
	uint64_t dropped[PKT_DROP_N];
	uint64_t max_latency, over_latency; /* ns; packets that waited longer. 0: no such */
	struct top_hist delay;
};

struct top_link {
	char *name, *interface;
	char *backend;	/* "queue", "mark", "kernel" */
	char *device;	/* of its classes in the kernel; NULL: none */
	bool has_queue; /* and a thread; else held, cpu, error, lost and late are 0 */
	bool up;
	uint64_t now; /* CLOCK_MONOTONIC of the gateway's host, ns */
	uint64_t rate_bps, held_packets, held_bytes, cpu;
	int error; /* errno that ended its thread; 0: it runs */
	uint64_t lost[ASK_LOSSES];
	struct top_hist late;
	char **warning;
	size_t n_warning;
	struct top_class all;
	struct top_class *class; /* in file order */
	size_t n_class;
	const struct top_class **by_path; /* the same, sorted */
};

struct top_answer {
	char *weir, *policy;
	uint64_t now, started; /* ns, as above; `started` tells one gateway from another */
	uint64_t generation, reloads_failed;
	bool intact;
	struct top_link *link;
	size_t n_link;
};

/* only: the name of the one link to read, or NULL. NULL: no memory. */
struct top_answer *top_answer_read(const json_t *j, const char *only);
void top_answer_free(struct top_answer *a); /* NULL: nothing */

/* NULL: there is none. */
const struct top_link *top_answer_link(const struct top_answer *a, const char *name);
const struct top_class *top_link_class(const struct top_link *l, const char *path);

#endif
