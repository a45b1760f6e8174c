/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A gateway's snapshot as JSON: the same keys for a class as `weir replay --json` has. */
#ifndef WEIR_GW_SNAPSHOT_JSON_H
#define WEIR_GW_SNAPSHOT_JSON_H

#include <jansson.h>

#include "gw/gateway.h"

/* The gateway and its links: health, warnings, no classes. */
json_t *snapshot_status(const struct gateway_snapshot *s);
/*
 * With all classes. histograms: also in "delay_ns" and "wakeup_late_ns" a "histogram", an array
 * of two numbers for each bucket that counted something: the largest delay that is counted in
 * it, ns, and how often, from the shortest to the longest.
 */
json_t *snapshot_stats(const struct gateway_snapshot *s, bool histograms);

/*
 * The same in parts, for thousands of classes: all members before "links"; of a link, those
 * before "classes"; a class (the first of a link is the link itself, and no class of its list);
 * the members behind "classes", and behind "links".
 */
json_t *snapshot_head(const struct gateway_snapshot *s);
json_t *snapshot_link(const struct gateway_snapshot *s, const struct gateway_link *l,
		      bool histograms);
json_t *snapshot_class(const struct gateway_link *l, const struct gateway_class *c,
		       bool histograms);
json_t *snapshot_link_end(const struct gateway_link *l);
json_t *snapshot_end(const struct gateway_snapshot *s);

/*
 * snapshot_stats() as text, a piece a call; takes s over. next: what follows, the caller's,
 * with its length; NULL: with a length of 0 there is no more, else no memory. It begins behind
 * the opening brace, and ends with the closing one.
 */
struct snapshot_pieces;
struct snapshot_pieces *snapshot_pieces(struct gateway_snapshot *s, bool histograms);
char *snapshot_pieces_next(struct snapshot_pieces *p, size_t *n);
void snapshot_pieces_end(struct snapshot_pieces *p);

#endif
