/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker takes over another policy, and what waits goes with it. */
#include <time.h>

#include "gw/rule.h"

#include "gw/clock.h"
#include "gw/worker_priv.h"

#define RETURN_BATCH 512u /* below ENGINE_UNPOLLED_MAX */

static void give_back(struct worker *w, const struct engine_left *left)
{
	const struct held_packet *h = &w->held.place[left->id];
	struct dissected d;
	struct lane *of;
	bool known = !worker_dissect(w, h->data, h->caplen, h->len, &d);

	if (known)
		worker_know(w, &d, h->mark, h->indev, h->has_mac ? h->mac : NULL);
	/* it was dissected before, from the same bytes: this cannot fail */
	if (!known ||
	    engine_return(w->engine, w->now, left->arrival, left->id, &d) == ENGINE_PASSED) {
		h = worker_take_held(w, (uint32_t)left->id, &of);
		if (of->queue)
			nfq_accept(of->queue, h->id, rule_mark(h->mark, -1, false), 0);
	}
}

/* In order, and before the first packet that is handed over as it comes. */
static void hand_over(struct worker *w, const struct engine_left *left)
{
	const struct held_packet *h = &w->held.place[left->id];
	struct dissected d;
	struct lane *of;
	bool known = !worker_dissect(w, h->data, h->caplen, h->len, &d);

	if (known)
		worker_know(w, &d, h->mark, h->indev, h->has_mac ? h->mac : NULL);
	h = worker_take_held(w, (uint32_t)left->id, &of);
	if (of->queue && known)
		worker_hand_over(of, h->id, h->mark, &d);
	else if (of->queue)
		nfq_accept(of->queue, h->id, rule_mark(h->mark, -1, false), 0);
}

static void give_all(struct worker *w, const struct engine_left *left, size_t n)
{
	struct engine_event ev;

	for (size_t i = 0; i < n; i++) {
		if (w->classid) {
			hand_over(w, &left[i]);
			continue;
		}
		give_back(w, &left[i]);
		if (i % RETURN_BATCH == RETURN_BATCH - 1)
			while (engine_dropped(w->engine, &ev) != ENGINE_NOTHING)
				worker_let_go(w, &ev);
	}
}

struct engine *worker_take_over(struct worker *w, const struct policy *p,
				const struct policy_link *link, struct engine *engine,
				const uint32_t *classid, struct engine_left *left, size_t room)
{
	struct engine *old = w->engine;
	size_t n;

	w->now = clock_now();
	if (!w->ended)
		worker_poll(w, w->now);
	n = engine_withdraw(old, left, room);
	engine_inherit(engine, old);
	w->policy = p;
	w->link = link;
	w->engine = engine;
	w->asked = match_asked(link);
	w->classid = classid;
	w->generation++;
	/* once, as nothing can wait that has no place here; but nothing may be left behind */
	for (; n; n = engine_withdraw(old, left, room))
		give_all(w, left, n);
	if (!w->ended)
		worker_poll(w, w->now);
	return old;
}

void worker_set(struct worker *w, size_t set, const struct addrset *to)
{
	match_set(engine_match(w->engine), set, to);
}

void worker_set_classid(struct worker *w, const uint32_t *classid)
{
	w->classid = classid;
}

void worker_hold(struct worker *w, bool hold)
{
	w->holding = hold;
}

void worker_set_gso(struct worker *w, bool gso)
{
	/* what cannot be sent now is tried again with the next verdicts */
	for (unsigned i = 0; i < LANES; i++)
		if (w->lane[i].queue)
			(void)nfq_set_gso(w->lane[i].queue, gso);
}
