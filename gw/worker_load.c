/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker is burdened with beyond what it can read in time, or read for nothing: counted
 * as it goes, looked at every SHED_EVERY, and told to whoever can drop it before it is read.
 */
#include <string.h>
#include <unistd.h>

#include "gw/clock.h"
#include "gw/worker_priv.h"

/* Of the queue for the rest alone: what goes by the other one is not shed. */
void worker_load_dropped(struct worker *w, const struct lane *of, const struct held_packet *p)
{
	struct heavy_host host;

	if (of->number != LANE_REST)
		return;
	w->load.dropped++;
	if (!heavy_sender(p->data, p->len < NFQ_COPY ? p->len : NFQ_COPY, &host))
		heavy_count(&w->load.heavy, &host);
}

void worker_load_came(struct lane *l, const struct nfq_packet *p, uint64_t waited)
{
	struct worker_load *load = &l->worker->load;
	struct heavy_host host;

	if (l->number != LANE_REST)
		return;
	if (waited > load->unread)
		load->unread = waited;
	/* it stood there with others that nobody had read */
	if (l->more && !heavy_sender(p->data, p->caplen, &host))
		heavy_count(&load->heavy, &host);
}

static uint64_t missed(struct lane *l)
{
	if (l->queue)
		nfq_get_stats(l->queue, &l->last);
	return l->last.missed;
}

static void begin_anew(struct worker *w, uint64_t now)
{
	uint64_t so_far = missed(&w->lane[LANE_REST]);

	w->load = (struct worker_load){.since = now};
	w->load_missed = so_far;
}

void worker_load_look(struct worker *w, uint64_t now)
{
	struct shed_seen seen = {.drops_matter = true};
	uint64_t one = 1;

	if (now - w->load_looked < SHED_EVERY)
		return;
	w->load_looked = now;
	seen.unread = w->load.unread;
	seen.dropped = w->load.dropped;
	seen.lost = missed(&w->lane[LANE_REST]) - w->load_missed;
	if (!shed_alarm(&seen))
		begin_anew(w, now);
	else if (w->alarm >= 0 && write(w->alarm, &one, sizeof(one)) < 0) {
		/* full: then it is known */
	}
}

void worker_take_load(struct worker *w, struct worker_load *to)
{
	uint64_t now = clock_now();

	*to = w->load;
	to->lost = missed(&w->lane[LANE_REST]) - w->load_missed;
	to->ns = now - w->load.since;
	begin_anew(w, now);
	w->load_looked = now;
}
