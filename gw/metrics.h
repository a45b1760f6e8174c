/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prometheus' text format (version 0.0.4) over HTTP, by libmicrohttpd, without a thread. */
#ifndef WEIR_GW_METRICS_H
#define WEIR_GW_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "gw/gateway.h"

struct metrics;

/*
 * Listens on "ADDR:PORT" ("127.0.0.1:9590", "[::1]:9590"; an address that is not loopback is
 * served too, with a warning by the caller: *loopback). Port 0: one that is free. snapshot is
 * called for a request, but not while another is answered from one that is less than a second
 * old. Asked for may be an address, localhost, this host's name and `name`
 * (NULL: no other), which must live. NULL with one line in err.
 */
struct metrics *metrics_open(const char *listen, const char *name,
			     struct gateway_snapshot *(*snapshot)(void *arg), void *arg,
			     bool *loopback, char *err, size_t errsize);
void metrics_close(struct metrics *m);
unsigned metrics_port(const struct metrics *m); /* on which it listens */
int metrics_fd(const struct metrics *m);	/* to wait on */
/* ms until metrics_event() must be called even if nothing comes; -1: never. */
int metrics_timeout(const struct metrics *m);
void metrics_event(struct metrics *m);

/*
 * The document itself, a piece a call, so that whoever prints it can do other things meanwhile:
 * s stays the same until it is whole. metrics_piece(): false, there is no more.
 *
 * What is 0, and never was anything else, is left out, but for a few that tell of a class that
 * it is there: rates over what many classes have need no more.
 *
 * Times are in seconds, sizes in bytes, rates in bytes per second. All counters and
 * histograms count since the start of the gateway, or of the class if a reload made it.
 */
struct metrics_pieces;
struct metrics_pieces *metrics_pieces(const struct gateway_snapshot *s); /* NULL: no memory */
bool metrics_piece(struct metrics_pieces *p, FILE *f);
void metrics_pieces_end(struct metrics_pieces *p);
/* All of it. 0, or -1: it could not be written. */
int metrics_print(const struct gateway_snapshot *s, FILE *f);

#endif
