/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A gateway's snapshot, made up, with names that nobody should choose. */
#ifndef WEIR_TESTS_METRICS_MADE_H
#define WEIR_TESTS_METRICS_MADE_H

#include <stdlib.h>
#include <string.h>

#include "gw/gateway.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* ---- A gateway, made up. */

static void fill_class(struct gateway_class *c, const char *path, bool leaf)
{
	static const uint64_t delays[] = {0,  98303,   98304,	 100000, 100001,
					  MS, 20 * MS, 999 * MS, 3 * S,	 11 * S};
	struct account *a = &c->account;

	c->path = strdup(path);
	c->leaf = leaf;
	for (unsigned i = 0; i < 10; i++) {
		account_in(a, 100 * S, 1000);
		account_sent(a, 111 * S, 1000, delays[i], c->max_latency);
	}
	for (unsigned i = 0; i < 3; i++)
		account_in(a, 112 * S, 500);
	account_dropped(a, 112 * S, 500, PKT_DROP_AQM);
	a->marked = 4;
	a->jitter_max = 1500;
}

static void fill_link(struct gateway_link *l, const char *name, const char *class)
{
	*l = (struct gateway_link){.name = strdup(name),
				   .interface = strdup("eth0"),
				   .rate_bps = 20000001,
				   .queue = 21000,
				   .up = true,
				   .mtu = 1500,
				   .held_max = 2048,
				   .kernel_dropped = 7,
				   .n_class = 2};
	l->health.late_hist[0] = 5;
	l->health.late_hist[3] = 2;
	l->health.late_hist[25] = 1;
	l->health.late_hist[31] = 1;
	l->health.late_sum = 3 * S + 5;
	l->health.cpu = 1234567890;
	l->health.vanished = 3;
	l->class = calloc(2, sizeof(*l->class));
	assert_non_null(l->class);
	fill_class(&l->class[0], "", false);
	l->class[1].max_latency = 50 * MS;
	l->class[1].min_bps = 1000000;
	fill_class(&l->class[1], class, true);
}

static struct gateway_snapshot *made_up(void *arg)
{
	struct gateway_snapshot *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	if (arg)
		++*(unsigned *)arg;
	*s = (struct gateway_snapshot){.now = 500 * S + 3,
				       .started = 400 * S,
				       .wall = 1700000000 * S + 5,
				       .policy = strdup("/etc/\xff\"a\\b\nc.yaml"),
				       .generation = 3,
				       .reloads_failed = 2,
				       .reloaded = 450 * S,
				       .intact = true,
				       .n_link = 2};
	s->link = calloc(2, sizeof(*s->link));
	assert_non_null(s->link);
	fill_link(&s->link[0], "wan-up", "work/ssh");
	fill_link(&s->link[1],
		  "w\"\\\n}, x=\"1\" gr\xc3\xb6\xc3\x9f"
		  "e",
		  "{le=\"1\"}");
	return s;
}

#endif
