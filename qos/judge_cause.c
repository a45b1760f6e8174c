/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kept a class from sending more in a window: what reached its rate. */
#include "qos/judge_impl.h"

#define NEAR 95u /* percent of a rate that count as having reached it */
#define LATE_MUCH (20 * (JUDGE_SECOND / 1000)) /* of the host: worth naming as a cause */

/* bit/s */
static uint64_t rate_of(uint64_t bytes, uint64_t ns)
{
	unsigned __int128 bits = (unsigned __int128)bytes * 8 * JUDGE_SECOND;

	bits /= ns;
	return bits < UINT64_MAX ? (uint64_t)bits : UINT64_MAX;
}

uint64_t judge_rate(const struct window *w, uint32_t class)
{
	const struct judge *j = w->j;

	return rate_of(judge_since(j->is[class].sent_bytes, j->was[class].sent_bytes), w->ns);
}

static bool at_rate(const struct window *w, uint32_t class, uint64_t bps)
{
	return bps && judge_reached(judge_rate(w, class), NEAR, bps);
}

static uint8_t percent_of(uint64_t part, uint64_t whole)
{
	uint64_t n =
		whole ? (uint64_t)(((unsigned __int128)part * 100 + whole / 2) / whole) : 0;

	return n > 100 ? 100 : (uint8_t)n;
}

static uint64_t sent_bytes(const struct judge *j, uint32_t class)
{
	return judge_since(j->is[class].sent_bytes, j->was[class].sent_bytes);
}

static void insert_sender(struct judge *j, uint32_t class)
{
	uint64_t n = sent_bytes(j, class);
	uint32_t at = j->n_sender;

	if (!n)
		return;
	while (at > 0 && n > sent_bytes(j, j->sender[at - 1]))
		at--;
	if (at == SENDERS)
		return;
	if (j->n_sender < SENDERS)
		j->n_sender++;
	for (uint32_t k = j->n_sender - 1; k > at; k--)
		j->sender[k] = j->sender[k - 1];
	j->sender[at] = class;
}

/* The leaves, beside the class and those in it, that sent most. */
static void find_rivals(const struct window *w, const struct policy_class *c,
			struct judge_cause *x)
{
	struct judge *j = w->j;
	uint64_t all = sent_bytes(j, 0);

	if (!j->senders_known) {
		j->n_sender = 0;
		for (uint32_t i = 0; i < j->link->n_all; i++)
			if (!j->link->all[i]->n_child)
				insert_sender(j, i);
		j->senders_known = true;
	}
	x->own = percent_of(sent_bytes(j, c->index), all);
	for (uint32_t i = 0; i < j->n_sender && x->n_rival < RIVALS; i++) {
		if (judge_inside(j->link->all[j->sender[i]], c))
			continue;
		x->rival[x->n_rival] = j->sender[i];
		x->share[x->n_rival++] = percent_of(sent_bytes(j, j->sender[i]), all);
	}
}

struct judge_cause judge_find_cause(const struct window *w, const struct policy_class *c)
{
	struct judge_cause x = {.over_min =
					c->min_bps && judge_rate(w, c->index) >= c->min_bps};
	const struct policy_class *up;

	if (w->host) {
		x.late = w->host->late;
		x.unread = w->host->unread;
	}
	if (c->parent && at_rate(w, c->index, c->max.bps)) {
		x.reason = REASON_MAX;
		return x;
	}
	for (up = c->parent; up && up->parent; up = up->parent) {
		if (!at_rate(w, up->index, up->max.bps))
			continue;
		x.reason = REASON_ABOVE;
		x.above = up->index;
		return x;
	}
	if (at_rate(w, 0, w->j->link->rate.bps)) {
		x.reason = REASON_FULL;
		find_rivals(w, c, &x);
	} else if (x.late > LATE_MUCH || x.unread > LATE_MUCH) {
		x.reason = REASON_HOST;
	} else if (c->flow_max.bps || c->host_max.bps) {
		x.reason = REASON_FLOW_MAX;
	}
	return x;
}
