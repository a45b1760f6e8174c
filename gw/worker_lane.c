/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker's two queues: what is read of them, what is not, and what is known of both. */
#include <string.h>
#include <unistd.h>

#include "gw/clock.h"
#include "gw/worker_priv.h"

#define BATCH WORKER_BATCH

void lane_make(struct worker *w, unsigned number, struct nfq *queue,
	       void (*packet)(void *arg, const struct nfq_packet *p),
	       void (*failed)(void *arg, uint64_t token, int error))
{
	struct lane *l = &w->lane[number];

	*l = (struct lane){.worker = w, .queue = queue, .number = (uint8_t)number};
	l->ops = (struct nfq_ops){.packet = packet, .failed = failed, .arg = l};
}

/* What is in the kernel and was not read, as far as it can be seen. */
static void look_at_lane(struct lane *l, uint64_t now)
{
	uint32_t last, id;

	if (!l->queue || !nfq_last_id(l->queue, &last) ||
	    nfq_watch_id(l->worker->watch, nfq_number(l->queue), &id))
		return;
	unread_note(&l->unread, now, id);
	l->noted = now;
	l->n_unread = (int32_t)(id - last) > 0 ? id - last : 0;
}

void worker_look_unread(struct worker *w, uint64_t now)
{
	w->health.unread = 0;
	for (unsigned i = 0; i < LANES; i++) {
		look_at_lane(&w->lane[i], now);
		w->health.unread += w->lane[i].n_unread;
	}
	if (w->health.unread > w->health.unread_max)
		w->health.unread_max = w->health.unread;
}

void lane_note_empty(struct lane *l, uint64_t at)
{
	uint32_t last;

	if (l->queue && nfq_last_id(l->queue, &last))
		unread_note(&l->unread, at, last);
}

int lane_take(struct lane *l)
{
	uint64_t begin = clock_now();
	int n = l->queue ? nfq_receive(l->queue, BATCH, &l->ops) : 0;

	l->more = n == (int)BATCH;
	if (n > 0)
		l->worker->received = begin;
	if (!l->more && n >= 0)
		lane_note_empty(l, begin);
	return n;
}

int worker_flush(struct worker *w)
{
	for (unsigned i = 0; i < LANES; i++)
		if (w->lane[i].queue && nfq_flush(w->lane[i].queue))
			return -1;
	return 0;
}

void worker_close_queues(struct worker *w)
{
	for (unsigned i = 0; i < LANES; i++) {
		struct lane *l = &w->lane[i];

		if (!l->queue)
			continue;
		nfq_get_stats(l->queue, &l->last);
		nfq_close(l->queue);
		l->queue = NULL;
	}
}

/* ---- What is known of both. */

static void add_stats(struct nfq_stats *to, const struct nfq_stats *s)
{
	to->packets += s->packets;
	to->receives += s->receives;
	to->verdicts += s->verdicts;
	to->sends += s->sends;
	to->missed += s->missed;
	to->gone += s->gone;
	to->errors += s->errors;
	to->broken += s->broken;
	to->refused += s->refused;
	to->refusal = s->refusal ? s->refusal : to->refusal;
}

void worker_get_health(struct worker *w, struct worker_health *h)
{
	struct nfq_stats *all = &w->health.queue;

	if (!w->ended && w->started)
		w->health.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	/* only in its own thread, or when that has ended, as all of this */
	worker_look_unread(w, clock_now());
	w->health.held_packets = w->held.packets;
	w->health.held_bytes = w->held.bytes;
	w->health.held_packets_max = w->held.packets_max;
	*all = (struct nfq_stats){0};
	for (unsigned i = 0; i < LANES; i++) {
		struct lane *l = &w->lane[i];

		if (l->queue)
			nfq_get_stats(l->queue, &l->last);
		add_stats(all, &l->last);
	}
	all->gso = w->lane[LANE_REST].last.gso;
	w->health.first = w->lane[LANE_FIRST].last.packets;
	*h = w->health;
}
