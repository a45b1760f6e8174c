/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/replay_sink.h"

#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

/*
 * Ids: the number of the packet, or of a piece a mark, its number and the place of its packet
 * in `whole`.
 */
#define PIECE (UINT64_C(1) << 63)
#define PIECE_SHIFT 40 /* as outpcap's holder spreads them */

/* ---- Packets that are cut. */

static struct replay_whole *whole_of(const struct replay_sink *s, uint64_t id)
{
	return &s->whole[(uint32_t)id];
}

static bool new_whole(struct replay_sink *s, const struct drive_unit *u, uint32_t *index)
{
	if (s->free_whole) {
		*index = s->free_whole - 1;
		s->free_whole = s->whole[*index].next_free;
	} else {
		if (s->n_whole == s->room_whole) {
			uint32_t room = s->room_whole ? 2 * s->room_whole : 64;
			struct replay_whole *v = realloc(s->whole, room * sizeof(*v));

			if (!v)
				return false;
			s->whole = v;
			s->room_whole = room;
		}
		*index = s->n_whole++;
	}
	s->whole[*index] = (struct replay_whole){.number = u->p->pk.number, .left = u->pieces};
	return true;
}

/* One piece less to wait for; after the last one its packet's line is known. */
static void one_less(struct replay_sink *s, uint64_t id)
{
	struct replay_whole *w = whole_of(s, id);

	if (--w->left)
		return;
	if (s->trace && w->traced) {
		if (w->sent)
			trace_sent(s->trace, w->number, w->departure,
				   w->drop     ? w->part
				   : w->marked ? "marked"
					       : NULL);
		else
			trace_dropped(s->trace, w->number, w->drop);
	}
	w->next_free = s->free_whole;
	s->free_whole = (uint32_t)id + 1;
}

static const char *part_name(enum pkt_drop why)
{
	static const char *const names[PKT_DROP_N] = {
		[PKT_DROP_LIMIT] = "part-limit",       [PKT_DROP_AQM] = "part-aqm",
		[PKT_DROP_DEADLINE] = "part-deadline", [PKT_DROP_MEMORY] = "part-memory",
		[PKT_DROP_REMOVED] = "part-removed",   [PKT_DROP_VANISHED] = "part-vanished",
		[PKT_DROP_EARLY] = "part-early",
	};

	return names[why] ? names[why] : "part";
}

static void piece_happened(struct replay_sink *s, const struct engine_event *ev)
{
	struct replay_whole *w = whole_of(s, ev->id);

	if (ev->what == ENGINE_SENT) {
		w->sent++;
		w->departure = ev->when;
		w->marked |= ev->set_ce;
	} else if (!w->drop) {
		w->drop = account_drop_name(ev->drop);
		w->part = part_name(ev->drop);
	}
	one_less(s, ev->id);
}

static uint64_t id(void *arg, const struct drive_unit *u)
{
	struct replay_sink *s = arg;
	const struct capture_packet *pk = &u->p->pk;
	uint32_t index;

	if (!u->piece) {
		s->result->packets++;
		s->result->last = s->result->end = pk->when;
	}
	if (u->pieces == 1)
		return pk->number;
	if (u->piece) /* the unit has the id of the piece before it */
		return (u->id & ~((UINT64_C(1) << 63) - (UINT64_C(1) << PIECE_SHIFT))) |
		       (uint64_t)u->piece << PIECE_SHIFT;
	if (new_whole(s, u, &index))
		return PIECE | index;
	s->no_memory = s->drive->stop = true;
	return 0;
}

/* ---- Packets on no link. */

static void passed(void *arg, const struct drive_unit *u, const char *reason)
{
	struct replay_sink *s = arg;
	struct replay_result *res = s->result;
	const struct capture_packet *pk = &u->p->pk;
	size_t i = 0;

	while (i < res->n_passed && strcmp(res->passed[i].reason, reason))
		i++;
	if (i == res->n_passed) {
		if (i == REPLAY_REASONS)
			i--;
		else
			res->n_passed++;
		res->passed[i].reason = i == REPLAY_REASONS - 1 ? "other" : reason;
	}
	res->passed[i].packets++;
	res->passed[i].bytes += u->d && u->pieces > 1 ? u->p->ip + u->d->len : pk->wirelen;
	if (u->d && !u->piece)
		capture_look_at(s->look, pk, &u->p->d, NULL);
	if (s->trace && !u->piece)
		trace_passed(s->trace, pk->number, pk->when, reason);
	if (u->pieces > 1)
		one_less(s, u->id);
}

/* ---- The output. */

static void rewrite(const struct engine_event *ev, uint8_t *ip, uint32_t caplen)
{
	/* the fixed header was believed, so it was captured */
	if (caplen < 20 || (*ip >> 4 == 6 && caplen < 40))
		return;
	if (ev->set_dscp >= 0)
		dissect_set_dscp(ip, (unsigned)ev->set_dscp);
	if (ev->set_ce)
		dissect_set_ce(ip);
}

static uint8_t *scratch(struct replay_sink *s, size_t size)
{
	if (s->scratch_size < size) {
		uint8_t *bigger = realloc(s->scratch, size);

		if (!bigger)
			return NULL;
		s->scratch = bigger;
		s->scratch_size = size;
	}
	return s->scratch;
}

/* The bytes before the IP header: the packet's own, or what the output's link type wants. */
static bool link_header(const struct replay_sink *s, const struct drive_unit *u,
			const uint8_t **head, uint32_t *n)
{
	static const uint8_t v4[14] = {[12] = 0x08}, v6[14] = {[12] = 0x86, 0xdd};

	*head = u->p->pk.data;
	*n = u->p->ip;
	if (s->out_dlt < 0 || u->p->pk.dlt == s->out_dlt)
		return true;
	*head = u->d->flags & DISSECT_V6 ? v6 : v4;
	*n = s->out_dlt == DLT_EN10MB ? sizeof(v4) : 0;
	return s->out_dlt == DLT_EN10MB || s->out_dlt == DLT_RAW;
}

/* What the output will have of a unit. False: it cannot have it. */
static bool make_frame(struct replay_sink *s, const struct drive_unit *u)
{
	const struct capture_packet *pk = &u->p->pk;
	struct replay_frame *f = &s->frame;
	const uint8_t *head, *ip = u->d->ip;
	uint32_t n, there, len;
	uint8_t *to;

	*f = (struct replay_frame){pk->data, pk->caplen, pk->wirelen, u->p->ip};
	if (u->pieces == 1 && (s->out_dlt < 0 || pk->dlt == s->out_dlt))
		return true;
	if (!link_header(s, u, &head, &n)) {
		s->other_type = true;
		return false;
	}
	there = u->pieces > 1 ? u->d->caplen : pk->caplen - u->p->ip;
	len = u->pieces > 1 ? u->d->len : pk->wirelen - u->p->ip;
	to = scratch(s, (size_t)n + there + 1);
	if (!to)
		return false;
	memcpy(to, head, n);
	memcpy(to + n, ip, there);
	*f = (struct replay_frame){to, n + there, n + len, n};
	return true;
}

/* The unit that has just come leaves at once. */
static void write_here(struct replay_sink *s, const struct engine_event *ev)
{
	const struct replay_frame *f = &s->frame;
	const uint8_t *data = f->data;

	s->here = false;
	if (ev->what != ENGINE_SENT)
		return;
	if (ev->set_dscp >= 0 || ev->set_ce) {
		uint8_t *copy = scratch(s, f->caplen);

		if (!copy) {
			s->unwritten++;
			return;
		}
		if (copy != data)
			memcpy(copy, data, f->caplen);
		rewrite(ev, copy + f->ip, f->caplen - f->ip);
		data = copy;
	}
	outpcap_write(s->out, ev->when, data, f->caplen, f->wirelen, f->ip);
}

static void write_held(struct replay_sink *s, const struct engine_event *ev)
{
	struct held *h = holder_take(s->held, ev->id);

	if (ev->what == ENGINE_SENT) {
		if (h) {
			rewrite(ev, h->data + h->ip_offset, h->caplen - h->ip_offset);
			outpcap_write(s->out, ev->when, h->data, h->caplen, h->wirelen,
				      h->ip_offset);
		} else {
			s->unwritten++;
		}
	}
	free(h);
}

/* ---- */

static void queued(void *arg, const struct drive_unit *u, const struct engine_ticket *t)
{
	struct replay_sink *s = arg;
	const struct capture_packet *pk = &u->p->pk;

	if (!u->piece)
		capture_look_at(s->look, pk, &u->p->d, t->link);
	if (s->trace && !u->piece) {
		uint32_t len = t->len;

		if (u->pieces > 1) {
			len = (uint32_t)segment_charge(t->link, &u->p->d);
			whole_of(s, u->id)->traced = true;
		}
		trace_arrive(s->trace, pk->number, pk->when, t->link->name, t->class->path,
			     len);
	}
	s->here = s->out && make_frame(s, u);
	s->here_id = u->id;
}

static void happened(void *arg, const struct engine_event *ev)
{
	struct replay_sink *s = arg;

	s->result->end = ev->when;
	if (s->out) {
		if (s->here && ev->id == s->here_id)
			write_here(s, ev);
		else
			write_held(s, ev);
	}
	if (ev->id & PIECE) {
		piece_happened(s, ev);
	} else if (s->trace) {
		if (ev->what == ENGINE_SENT)
			trace_sent(s->trace, ev->id, ev->when, ev->set_ce ? "marked" : NULL);
		else
			trace_dropped(s->trace, ev->id, account_drop_name(ev->drop));
	}
}

static void settled(void *arg, const struct drive_unit *u)
{
	struct replay_sink *s = arg;
	const struct replay_frame *f = &s->frame;

	/* one that cannot be held is missed when it leaves */
	if (s->here)
		holder_put(s->held, u->id, f->data, f->caplen, f->wirelen, f->ip);
	s->here = false;
}

void replay_sink_fini(struct replay_sink *s)
{
	free(s->scratch);
	free(s->whole);
}

const struct drive_sink replay_sink = {
	.id = id, .passed = passed, .queued = queued, .happened = happened, .settled = settled};
