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
 * called for each request. Asked for may be an address, localhost, this host's name and `name`
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
 * The document itself. 0, or -1: it could not be written.
 *
 * Times are in seconds, sizes in bytes, rates in bytes per second. All counters and
 * histograms count since the start of the gateway, or of the class if a reload made it.
 */
int metrics_print(const struct gateway_snapshot *s, FILE *f);

#endif
