/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/shed.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)

uint64_t shed_rate(uint64_t bps)
{
	uint64_t rate = bps / (8 * SHED_PACKET);

	if (rate < SHED_RATE_LEAST)
		return SHED_RATE_LEAST;
	return rate < SHED_RATE_MOST ? rate : SHED_RATE_MOST;
}

bool shed_alarm(const struct shed_seen *seen)
{
	return seen->unread >= SHED_LATE || seen->lost ||
	       (seen->drops_matter && seen->dropped >= SHED_DROPS);
}

bool shed_calm(const struct shed *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->host[i].active)
			return false;
	return !s->limited && !s->looks && !s->overruns;
}

static struct shed_host *find(struct shed *s, const struct heavy_host *host)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->host[i].host.family == host->family &&
		    !memcmp(s->host[i].host.addr, host->addr, sizeof(host->addr)))
			return &s->host[i];
	return NULL;
}

static void counted(struct shed_host *h, uint64_t packets, uint64_t now)
{
	uint64_t more = packets > h->counted ? packets - h->counted : 0;

	h->counted = packets;
	h->dropped += more;
	h->window_dropped += more;
	if (more)
		h->last = now;
	if (now - h->window >= SECOND) {
		h->pps = (uint64_t)((unsigned __int128)h->window_dropped * SECOND /
				    (now - h->window));
		h->window = now;
		h->window_dropped = 0;
	}
}

void shed_counted(struct shed *s, const struct heavy_host *host, uint64_t packets, uint64_t now)
{
	struct shed_host *h = host ? find(s, host) : &s->all;

	if (h && (h->active || !host))
		counted(h, packets, now);
}

/* A place for a host that has none: a free one, or that of the one that was over first. */
static struct shed_host *place(struct shed *s)
{
	struct shed_host *oldest = NULL;

	if (s->n < SHED_HOSTS)
		return &s->host[s->n++];
	for (unsigned i = 0; i < s->n; i++)
		if (!s->host[i].active && (!oldest || s->host[i].last < oldest->last))
			oldest = &s->host[i];
	return oldest;
}

static void put(struct shed *s, struct shed_host *h, uint64_t now, bool renew,
		struct shed_todo *todo)
{
	todo->put[todo->n_put] = (unsigned)(h - s->host);
	todo->renew[todo->n_put++] = renew;
	h->put = now;
	h->counted = 0;
}

/* Those that are in force: they go on, or end by themselves. */
static void look_at_hosts(struct shed *s, uint64_t now, struct shed_todo *todo)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->n; i++) {
		struct shed_host *h = &s->host[i];

		if (h->active && now - h->put >= SHED_TIMEOUT) {
			h->active = false;
			h->pps = 0;
		}
		if (!h->active && now - h->last >= SHED_KEEP)
			continue;
		s->host[kept++] = *h;
	}
	s->n = kept;
	for (unsigned i = 0; i < s->n; i++) {
		struct shed_host *h = &s->host[i];

		if (h->active && now - h->put >= SHED_RENEW && now - h->last < SHED_CALM)
			put(s, h, now, true, todo);
	}
}

/* A quarter of what the rate allows in the time that was looked at. */
static uint64_t part_of(uint64_t rate, const struct shed_seen *seen)
{
	return (uint64_t)((unsigned __int128)rate * seen->ns / SECOND / 4);
}

/*
 * Hosts that stand out: more than an eighth of what was counted, and more than a quarter of
 * what one may send, in a look. Whether there is any, and a place for each.
 */
static bool add_hosts(struct shed *s, uint64_t rate, const struct shed_seen *seen,
		      struct shed_todo *todo)
{
	uint64_t least = part_of(rate, seen), part = seen->heavy->total / 8;
	unsigned i = 0, found = 0;
	int at;

	least = (least > part ? least : part) + 1;
	while ((at = heavy_next(seen->heavy, least, &i)) >= 0) {
		const struct heavy_host *host = &seen->heavy->host[at];
		struct shed_host *h = find(s, host);

		found++;
		if (h && h->active)
			continue;
		if (!h)
			h = place(s);
		if (!h)
			return false;
		*h = (struct shed_host){.host = *host,
					.active = true,
					.since = seen->now,
					.last = seen->now,
					.window = seen->now};
		put(s, h, seen->now, false, todo);
	}
	return found > 0;
}

static void look_at_limit(struct shed *s, bool wanted, uint64_t now, struct shed_todo *todo)
{
	if (s->limited && now - s->all.last >= SHED_TIMEOUT) {
		s->limited = s->all.active = false;
		s->all.pps = 0;
		todo->limit_changed = true;
	} else if (!s->limited && wanted) {
		uint64_t counted_so_far = s->all.counted;

		s->limited = todo->limit_changed = true;
		s->all = (struct shed_host){.active = true,
					    .since = now,
					    .put = now,
					    .last = now,
					    .window = now,
					    .counted = counted_so_far};
	}
}

void shed_look(struct shed *s, uint64_t rate, const struct shed_seen *seen,
	       struct shed_todo *todo)
{
	bool overrun = seen->unread >= SHED_LATE || seen->lost;
	bool many = seen->drops_matter && seen->dropped >= SHED_DROPS;
	bool wanted = false;

	*todo = (struct shed_todo){0};
	s->looks = many ? s->looks + 1 : 0;
	s->overruns = overrun ? s->overruns + 1 : 0;
	look_at_hosts(s, seen->now, todo);
	/* nobody stands out, and it is more than all together may send */
	if (overrun || s->looks >= SHED_DROPS_LOOKS)
		wanted = (!add_hosts(s, rate, seen, todo) || s->overruns >= SHED_OVERRUNS) &&
			 seen->heavy->total > part_of(rate, seen);
	look_at_limit(s, wanted, seen->now, todo);
}
