/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `--trace OUT.tsv`: what became of each packet of the capture, a line each, in its
 * order, while packets leave in theirs. Lines wait in memory for the packets before
 * them; when too many wait, the oldest wait in a temporary file. So memory does not
 * grow with the capture, however long one packet is kept.
 *
 * The calls for a packet: one of trace_arrive() and trace_passed(), in the order of the
 * packets, 1, 2, 3, ...; after trace_arrive(), at most one of trace_sent() and
 * trace_dropped(), whenever it is known. A packet that got neither has the verdict `-`.
 *
 * Strings are kept as pointers: they must live until trace_close(), and hold neither
 * tabs nor ends of lines (the policy reader sees to that for names). NULL gives `-`.
 */
#ifndef WEIR_GW_TRACE_H
#define WEIR_GW_TRACE_H

#include <stddef.h>
#include <stdint.h>

struct trace;

/* `name` "-" is standard output. NULL with one line in err. */
struct trace *trace_open(const char *name, char *err, size_t errsize);
/* The same with another number of packets that may wait in memory: a power of two, at least 2.
 */
struct trace *trace_open_window(const char *name, size_t window, char *err, size_t errsize);

void trace_arrive(struct trace *t, uint64_t packet, uint64_t arrival_ns, const char *link,
		  const char *cls, uint32_t length);
void trace_passed(struct trace *t, uint64_t packet, uint64_t arrival_ns, const char *reason);
void trace_sent(struct trace *t, uint64_t packet, uint64_t departure_ns, const char *reason);
void trace_dropped(struct trace *t, uint64_t packet, const char *reason);

/* How many packets have a place in the temporary file now. */
uint64_t trace_spilled(const struct trace *t);

/* 0, or -1 with one line in err when not all could be written. Frees t in any case. */
int trace_close(struct trace *t, char *err, size_t errsize);

#endif
