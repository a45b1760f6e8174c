/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a capture whole, and checks what holds for every one. For test programs that
 * have included cmocka.h.
 */
#ifndef WEIR_TESTS_CAPTURE_READ_H
#define WEIR_TESTS_CAPTURE_READ_H

#include <string.h>

#include "gw/capture.h"
#include "tests/unit/capture_build.h"

enum { MOST = 64, ETHERNET = 1 };
#define S 1000000000ull

/* All that a capture gives. */
struct all {
	uint64_t when[MOST], stamp[MOST];
	uint8_t tag[MOST];
	unsigned source[MOST];
	int dlts[MOST];
	uint32_t interface[MOST];
	uint8_t direction[MOST];
	char ifname[MOST][16];
	size_t n;
	struct capture_stats stats;
	unsigned warnings;
	char warning[512];
	int dlt, snaplen;
};

static inline void on_warning(void *arg, const char *text)
{
	struct all *a = arg;

	a->warnings++;
	snprintf(a->warning, sizeof(a->warning), "%s", text);
}

/* false: could not be opened, with why in a->warning */
static inline bool read_list(const char *const *names, size_t n, struct all *a)
{
	struct capture_packet pk;
	struct capture *c;
	uint64_t last = 0;

	memset(a, 0, sizeof(*a));
	c = capture_open(names, n, a->warning, sizeof(a->warning));
	if (!c) {
		assert_true(a->warning[0]);
		assert_null(strchr(a->warning, '\n'));
		return false;
	}
	a->dlt = capture_dlt(c);
	a->snaplen = capture_snaplen(c);
	while (capture_next(c, &pk, on_warning, a)) {
		assert_true(a->n < MOST);
		assert_int_equal(pk.number, a->n + 1);
		assert_true(pk.when >= last && pk.when <= CAPTURE_TIME_MAX);
		assert_true(pk.caplen <= pk.wirelen);
		last = pk.when;
		a->when[a->n] = pk.when;
		a->stamp[a->n] = pk.stamp;
		a->source[a->n] = pk.source;
		a->dlts[a->n] = pk.dlt;
		a->interface[a->n] = pk.interface;
		a->direction[a->n] = pk.meta.way.direction;
		snprintf(a->ifname[a->n], sizeof(a->ifname[0]), "%.*s", pk.meta.way.ifname_len,
			 pk.meta.way.ifname ? pk.meta.way.ifname : "");
		a->tag[a->n++] = pk.caplen ? pk.data[pk.caplen - 1] : 0;
	}
	assert_int_equal(capture_next(c, &pk, on_warning, a), 0); /* the end stays the end */
	capture_get_stats(c, &a->stats);
	assert_int_equal(a->stats.packets, a->n);
	assert_int_equal(a->stats.truncated, a->warnings);
	assert_true(a->stats.broken <= a->stats.truncated);
	capture_close(c);
	return true;
}

static inline bool read_name(const char *name, struct all *a)
{
	return read_list(&name, 1, a);
}

static inline bool read_bytes(const struct bytes *b, struct all *a)
{
	const char *name = saved(b);
	bool ok = read_name(name, a);

	build_cleanup();
	return ok;
}

static inline void assert_opens_not(const struct bytes *b, const char *why)
{
	struct all a;

	assert_false(read_bytes(b, &a));
	if (!strstr(a.warning, why))
		fail_msg("expected \"%s\" in \"%s\"", why, a.warning);
}

/* `n` packets, a second apart from 1000 s on, each 7 fractions later. */
static inline void simple_pcap(struct bytes *b, bool nano, unsigned n)
{
	pcap_header(b, nano, ETHERNET);
	for (unsigned i = 0; i < n; i++)
		pcap_packet(b, 1000 + i, 7 * (i + 1), 44, (uint8_t)(i + 1));
}

#endif
