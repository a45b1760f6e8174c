/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much traffic a test asks for at least, before any of it is made. Greedy streams are not
 * known before, as they hang on the link: they are counted while the test runs.
 */
#include "gw/wtest_read.h"

#include <inttypes.h>

/* In [start, end), if each packet is as large as any of the stream. */
static uint64_t least(const struct synth_stream *s)
{
	unsigned __int128 time = s->end > s->start ? s->end - s->start : 0;
	uint32_t most = 1;

	if (s->kind == SYNTH_GREEDY || s->random_periods)
		return 0;
	for (unsigned i = 0; i < s->n_size; i++)
		if (s->size[i].hi > most)
			most = s->size[i].hi;
	if (s->kind == SYNTH_ON_OFF && s->on)
		time = time / (s->on + s->off) * s->on;
	if (s->interval)
		time /= s->interval;
	else
		time = time * s->rate / 1000000000 / ((uint64_t)most * 8);
	/* what is random is on average so much, and never by far less among so many */
	if (s->kind == SYNTH_POISSON)
		time -= time / 10;
	return time < UINT64_MAX / SYNTH_STREAMS_MAX ? (uint64_t)time
						     : UINT64_MAX / SYNTH_STREAMS_MAX;
}

void wread_bound(struct wread *w, const struct wtest *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->n_stream; i++) {
		const struct synth_stream *s = &t->stream[i];
		uint64_t n = least(s);

		sum += n;
		if (sum <= WTEST_MADE_MAX)
			continue;
		wread_error(w, s->at,
			    "stream \"%s\" has %" PRIu64 " packets or more, and a test at most "
			    "%u in all: a longer interval, a lower rate or an earlier end",
			    policy_shown(s->name ? s->name : "").s, n, WTEST_MADE_MAX);
		return;
	}
}
