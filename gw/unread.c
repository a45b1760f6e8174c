/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/unread.h"

#include <stdbool.h>
#include <string.h>

/* Ids wrap around. */
static bool after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static void forget_first(struct unread *u, unsigned n)
{
	u->n -= n;
	memmove(u->mark, u->mark + n, u->n * sizeof(u->mark[0]));
}

void unread_note(struct unread *u, uint64_t at, uint32_t id)
{
	struct unread_mark *last = u->n ? &u->mark[u->n - 1] : NULL;

	if (last && (at < last->at || after(last->id, id)))
		return;
	/* nothing came since: of the two, the later one says more */
	if (last && last->id == id) {
		last->at = at;
		return;
	}
	/* coarser, over all that is known */
	if (u->n == UNREAD_MARKS) {
		for (unsigned i = 1; i < UNREAD_MARKS / 2; i++)
			u->mark[i] = u->mark[2 * i];
		u->n = UNREAD_MARKS / 2;
	}
	u->mark[u->n++] = (struct unread_mark){at, id};
}

/* Between two marks, evenly. */
static uint64_t between(const struct unread_mark *a, const struct unread_mark *b, uint32_t id)
{
	uint64_t part = id - a->id, all = b->id - a->id, time = b->at - a->at;

	return a->at + (uint64_t)((unsigned __int128)time * part / all);
}

uint64_t unread_moment(struct unread *u, uint32_t id, uint64_t now)
{
	unsigned past = 0;
	uint64_t at = now;

	while (past + 1 < u->n && after(id, u->mark[past + 1].id))
		past++;
	forget_first(u, past);
	if (u->n && !after(id, u->mark[0].id))
		at = u->mark[0].at;
	else if (u->n > 1)
		at = between(&u->mark[0], &u->mark[1], id);
	if (at < u->last)
		at = u->last;
	if (at > now)
		at = now;
	u->last = at;
	return at;
}
