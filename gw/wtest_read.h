/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the parts of the test file reader share their work. Inside gw/wtest_*.c only. */
#ifndef WEIR_GW_WTEST_READ_H
#define WEIR_GW_WTEST_READ_H

#include "gw/wtest.h"
#include "qos/ytree.h"

struct wread {
	const char *file;
	struct policy_report *r;      /* sorted by place at the end */
	struct policy_report *direct; /* at once: for what is in other files */
};

#define wread_error(w, at, ...) \
	policy_complain((w)->r, POLICY_ERROR, (w)->file, at, __VA_ARGS__)

/* A map with no other keys than `names` (NULL-terminated)? Tells what is wrong. */
bool wread_map(struct wread *w, const struct ynode *n, const char *what,
	       const char *const *names);
/* The scalar of a key; NULL when it is not there, or told to be no text. */
const struct ynode *wread_scalar(struct wread *w, const struct ynode *map, const char *key);
/* The list of a key; NULL when it is not there, or told to be none. */
const struct ynode *wread_list(struct wread *w, const struct ynode *map, const char *key);
/* Values of a key; false when it is not there, or wrong and told. */
bool wread_time(struct wread *w, const struct ynode *map, const char *key, uint64_t *ns);
bool wread_rate(struct wread *w, const struct ynode *map, const char *key, uint64_t *bps);
bool wread_number(struct wread *w, const struct ynode *map, const char *key, uint64_t min,
		  uint64_t max, uint64_t *v);
bool wread_dscp(struct wread *w, const struct ynode *map, const char *key, int *dscp);
char *wread_strdup(const char *s); /* never NULL: no memory ends the program */

/* The stream in n, a map of `traffic`. `duration`: of the test, UINT64_MAX when not said. */
void wread_stream(struct wread *w, const struct ynode *n, const char *test, uint64_t duration,
		  struct synth_stream *s);
/* Complains of more traffic than a test may have, as far as that is known before. */
void wread_bound(struct wread *w, const struct wtest *t);
/* What its packets have beside their bytes: mark, mac, in-interface. */
void wread_meta(struct wread *w, const struct ynode *map, struct dissect_meta *m);
/* The expectation in n, a map of `expect`; t's link and streams, and p, are there. */
void wread_expect(struct wread *w, const struct ynode *n, const struct policy *p,
		  const struct wtest *t, struct wtest_expect *e);
/* policy_find_link with a complaint that suggests. */
const struct policy_link *wread_find_link(struct wread *w, const struct ynode *n,
					  const struct policy *p);

#endif
