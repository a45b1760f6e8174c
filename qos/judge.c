/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decides what is wrong from differences of counters; see judge.h for the rules. */
#include "qos/judge.h"

#include <stdlib.h>
#include <string.h>

#include "qos/judge_impl.h"

#define SHORT_OF 90u	     /* percent of a `min` that count as having got it */
#define EPISODES_MAX 200000u /* kept at once */

const char *judge_kind_name(enum judge_kind k)
{
	static const char *const names[JUDGE_KINDS] = {
		[JUDGE_LATENCY] = "latency",	 [JUDGE_JITTER] = "jitter",
		[JUDGE_GUARANTEE] = "guarantee", [JUDGE_STARVATION] = "starved",
		[JUDGE_DROPS] = "drops",	 [JUDGE_WAIT] = "wait",
		[JUDGE_LOSS] = "loss",		 [JUDGE_DOWN] = "down",
		[JUDGE_BYPASS] = "bypass",	 [JUDGE_RULES] = "rules",
		[JUDGE_FAILED] = "failed",	 [JUDGE_SETS] = "sets",
		[JUDGE_SHED] = "shed",
	};

	return (unsigned)k < JUDGE_KINDS ? names[k] : "-";
}

const char *judge_severity_name(enum judge_severity s)
{
	return s == JUDGE_WARNING ? "warning" : "notice";
}

struct judge *judge_new(const struct policy_link *l, bool keep)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->link = l;
	j->keep = keep;
	j->is = calloc(l->n_all, sizeof(*j->is));
	j->was = calloc(l->n_all, sizeof(*j->was));
	j->latest = calloc(l->n_all, sizeof(*j->latest));
	if (j->is && j->was && j->latest)
		return j;
	judge_free(j);
	return NULL;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	free(j->is);
	free(j->was);
	free(j->latest);
	free(j->episode);
	free(j->loss);
	free(j);
}

struct judge_counts *judge_next(struct judge *j)
{
	return j->is;
}

void judge_count(struct judge_counts *to, const struct account *a, bool inner)
{
	*to = (struct judge_counts){.over_latency = a->over_latency};
	if (inner)
		return;
	to->in_packets = a->in.packets;
	to->sent_packets = a->sent.packets;
	to->sent_bytes = a->sent.bytes;
	to->delay_sum = a->delay_sum_lo;
	for (unsigned i = 0; i < PKT_DROP_N; i++)
		to->dropped[i] = a->dropped[i].packets;
	to->jitter = account_jitter_now(a);
	to->waiting = a->backlog;
}

/* Children to those above them, the last first. */
static void sum_up(struct judge *j)
{
	for (size_t i = j->link->n_all; i-- > 1;) {
		const struct judge_counts *c = &j->is[i];
		struct judge_counts *up = &j->is[j->link->all[i]->parent->index];

		up->in_packets += c->in_packets;
		up->sent_packets += c->sent_packets;
		up->sent_bytes += c->sent_bytes;
		for (unsigned k = 0; k < PKT_DROP_N; k++)
			up->dropped[k] += c->dropped[k];
		up->jitter = c->jitter > up->jitter ? c->jitter : up->jitter;
		up->waiting += c->waiting;
	}
}

/* ---- Episodes. */

/* The latest of its kind, of that class or that counter; NULL: there is none. */
static struct episode *latest(struct judge *j, enum judge_kind k, uint32_t class, uint32_t loss)
{
	uint32_t at;

	if (k < JUDGE_LOSS) {
		at = j->latest[class][k];
		return at ? &j->episode[at - 1] : NULL;
	}
	for (size_t i = j->n_episode; i-- > 0;)
		if (j->episode[i].kind == k && j->episode[i].loss == loss)
			return &j->episode[i];
	return NULL;
}

static void enter(struct judge *j, size_t i)
{
	const struct episode *e = &j->episode[i];

	if (e->kind < JUDGE_LOSS)
		j->latest[e->class][e->kind] = (uint32_t)i + 1;
}

/* Lets go of those that are over. What comes later in the list is never older than `latest`. */
static void forget_over(struct judge *j, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n_episode; i++) {
		const struct episode *e = &j->episode[i];

		if (e->kind < JUDGE_LOSS)
			j->latest[e->class][e->kind] = 0;
		if (now - e->last > JUDGE_HOLD)
			continue;
		j->episode[n] = *e;
		n++;
	}
	j->n_episode = n;
	for (size_t i = 0; i < n; i++)
		enter(j, i);
}

/* NULL: no memory, or too many. The finding is lost, and the next bad window tries again. */
static struct episode *begin_episode(struct judge *j)
{
	struct episode *v;
	size_t room;

	if (j->n_episode == EPISODES_MAX)
		return NULL;
	if (j->n_episode == j->room) {
		room = j->room ? 2 * j->room : 16;
		v = realloc(j->episode, room * sizeof(*v));
		if (!v)
			return NULL;
		j->episode = v;
		j->room = room;
	}
	return &j->episode[j->n_episode++];
}

/* A bad window of a class. */
static struct episode *note(const struct window *w, enum judge_kind k, enum judge_severity s,
			    uint32_t class, uint32_t loss)
{
	struct judge *j = w->j;
	struct episode *e = latest(j, k, class, loss);
	struct judge_cause cause;

	if (!e || w->now - e->last > JUDGE_HOLD) {
		e = begin_episode(j);
		if (!e)
			return NULL;
		*e = (struct episode){
			.kind = k, .class = class, .loss = loss, .since = w->now - w->ns};
		enter(j, j->n_episode - 1);
	}
	e->severity = s > e->severity ? s : e->severity;
	e->last = w->now;
	if (k == JUDGE_LOSS)
		return e;
	/* where nothing reached its rate, what did before is the better answer */
	cause = judge_find_cause(w, j->link->all[class]);
	if (cause.reason != REASON_NONE || e->since == w->now - w->ns)
		e->cause = cause;
	return e;
}

/* ---- The rules. */

static void judge_latency(const struct window *w, const struct policy_class *c,
			  const struct judge_counts *is, const struct judge_counts *was)
{
	uint64_t over = judge_since(is->over_latency, was->over_latency),
		 sent = judge_since(is->sent_packets, was->sent_packets);
	struct episode *e;

	if (!c->max_latency || !over)
		return;
	sent = sent > over ? sent : over;
	e = note(w, JUDGE_LATENCY, over > sent / 100 ? JUDGE_WARNING : JUDGE_NOTICE, c->index,
		 0);
	if (!e)
		return;
	e->bad += over;
	e->all += sent;
}

static void judge_jitter(const struct window *w, const struct policy_class *c,
			 const struct judge_counts *is, const struct judge_counts *was)
{
	struct episode *e;

	if (!c->max_jitter || is->jitter <= c->max_jitter ||
	    is->sent_packets == was->sent_packets)
		return;
	e = note(w, JUDGE_JITTER, JUDGE_WARNING, c->index, 0);
	if (e && is->jitter > e->most)
		e->most = is->jitter;
}

static void judge_share(const struct window *w, const struct policy_class *c,
			const struct judge_counts *is, const struct judge_counts *was)
{
	uint64_t sent = judge_since(is->sent_packets, was->sent_packets);
	uint64_t rate = judge_rate(w, c->index);
	struct episode *e;

	if (!is->waiting || !was->waiting || w->ns < JUDGE_SECOND / 2)
		return;
	if (!sent && !c->n_child) {
		e = note(w, JUDGE_STARVATION, JUDGE_NOTICE, c->index, 0);
		if (e && e->last - e->since >= JUDGE_STARVED)
			e->severity = JUDGE_WARNING;
		if (e)
			e->all = is->waiting;
	} else if (c->min_bps && !judge_reached(rate, SHORT_OF, c->min_bps)) {
		e = note(w, JUDGE_GUARANTEE, JUDGE_WARNING, c->index, 0);
		if (e && (!e->all || rate < e->most)) {
			e->most = rate;
			e->all = c->min_bps;
		}
	}
}

static void judge_drops(const struct window *w, const struct policy_class *c,
			const struct judge_counts *is, const struct judge_counts *was)
{
	bool dear = c->min_bps || c->deadline || c->max_latency || c->max_jitter;
	uint64_t n[PKT_DROP_N] = {0}, all = 0,
		 came = judge_since(is->in_packets, was->in_packets);
	enum pkt_drop most = PKT_DROP_LIMIT;
	struct episode *e;

	/* what is dropped of an inner class is dropped of its leaves */
	if (c->n_child)
		return;
	for (unsigned i = 0; i < PKT_DROP_N; i++) {
		n[i] = judge_since(is->dropped[i], was->dropped[i]);
		all += n[i];
		if (n[i] > n[most])
			most = (enum pkt_drop)i;
	}
	/* they may have come in the window before */
	came = came > all ? came : all;
	if (all < JUDGE_DROPS_LEAST || !judge_reached(all, dear ? 1 : 10, came))
		return;
	e = note(w, JUDGE_DROPS, JUDGE_WARNING, c->index, 0);
	if (!e)
		return;
	e->bad += all;
	e->all += came;
	e->drop = most;
}

static void judge_losses(const struct window *w)
{
	const struct judge_host *h = w->host;
	struct judge *j = w->j;

	if (!h || !h->n_loss)
		return;
	if (h->n_loss > j->n_loss) {
		struct judge_loss *v = realloc(j->loss, h->n_loss * sizeof(*v));

		if (!v)
			return;
		for (size_t i = j->n_loss; i < h->n_loss; i++)
			v[i] = (struct judge_loss){0};
		j->loss = v;
		j->n_loss = h->n_loss;
	}
	for (size_t i = 0; i < h->n_loss; i++) {
		uint64_t n = judge_since(h->loss[i].count, j->loss[i].count);
		struct episode *e;

		j->loss[i] = h->loss[i];
		if (!n)
			continue;
		e = note(w, JUDGE_LOSS, JUDGE_WARNING, 0, (uint32_t)i);
		if (e)
			e->bad += n;
	}
}

static void judge_wait(const struct window *w, const struct policy_class *c,
		       const struct judge_counts *is, const struct judge_counts *was)
{
	uint64_t sent = judge_since(is->sent_packets, was->sent_packets);
	uint64_t mean = sent ? (is->delay_sum - was->delay_sum) / sent : 0;
	struct episode *e;

	if (!w->j->keep || c->n_child || mean < JUDGE_WAITED)
		return;
	e = note(w, JUDGE_WAIT, JUDGE_NOTICE, c->index, 0);
	if (e && mean > e->most)
		e->most = mean;
}

static void judge_class(const struct window *w, const struct policy_class *c)
{
	const struct judge_counts *is = &w->j->is[c->index], *was = &w->j->was[c->index];

	if (is->in_packets == was->in_packets && is->sent_packets == was->sent_packets &&
	    !is->waiting && !was->waiting)
		return;
	judge_latency(w, c, is, was);
	judge_jitter(w, c, is, was);
	judge_share(w, c, is, was);
	judge_drops(w, c, is, was);
	judge_wait(w, c, is, was);
}

void judge_window(struct judge *j, uint64_t now, const struct judge_host *host, bool last)
{
	struct window w = {.j = j, .now = now, .ns = judge_since(now, j->at), .host = host};
	struct judge_counts *swap = j->was;

	if (j->begun && w.ns < (last ? 1 : JUDGE_SECOND / 10))
		return;
	sum_up(j);
	j->senders_known = false;
	if (j->begun) {
		if (!j->keep)
			forget_over(j, now);
		for (size_t i = 0; i < j->link->n_all; i++)
			judge_class(&w, j->link->all[i]);
		judge_losses(&w);
	} else {
		w.ns = 0;
		judge_losses(&w);
	}
	j->was = j->is;
	j->is = swap;
	j->at = now;
	j->begun = true;
}

/* ---- Going on, and what is asked. */

static const struct policy_class *same_class(const struct policy_link *l,
					     const struct policy_class *old)
{
	if (old->index < l->n_all && !strcmp(l->all[old->index]->path, old->path))
		return l->all[old->index];
	return policy_find_class(l, old->path);
}

void judge_inherit(struct judge *j, const struct judge *old)
{
	for (size_t i = 0; i < old->n_episode; i++) {
		const struct policy_class *c =
			same_class(j->link, old->link->all[old->episode[i].class]);
		struct episode *e = c ? begin_episode(j) : NULL;

		if (!e)
			continue;
		*e = old->episode[i];
		e->class = c->index;
		/* indices of the old policy mean nothing here */
		e->cause.n_rival = 0;
		if (e->cause.reason == REASON_ABOVE)
			e->cause = (struct judge_cause){0};
		enter(j, j->n_episode - 1);
	}
	if (!old->loss)
		return;
	j->loss = calloc(old->n_loss, sizeof(*j->loss));
	if (!j->loss)
		return;
	memcpy(j->loss, old->loss, old->n_loss * sizeof(*j->loss));
	j->n_loss = old->n_loss;
}

static int worst_first(const void *a, const void *b)
{
	const struct judge_finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	if (x->class->index != y->class->index)
		return x->class->index < y->class->index ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

ssize_t judge_findings(const struct judge *j, uint64_t now, bool all, struct judge_finding **v)
{
	size_t n = 0;

	*v = calloc(j->n_episode + 1, sizeof(**v));
	if (!*v)
		return -1;
	for (size_t i = 0; i < j->n_episode; i++)
		if (all || now - j->episode[i].last <= JUDGE_HOLD)
			judge_tell(j, &j->episode[i], &(*v)[n++]);
	qsort(*v, n, sizeof(**v), worst_first);
	return (ssize_t)n;
}

/* Which of two says more to who asks for `first`. */
static bool better(const struct episode *e, const struct episode *best, enum judge_kind first)
{
	if (!best)
		return true;
	if ((e->kind == first) != (best->kind == first))
		return e->kind == first;
	return e->severity >= best->severity;
}

bool judge_why(const struct judge *j, const struct policy_class *c, enum judge_kind first,
	       struct judge_finding *f)
{
	const struct episode *best = NULL;

	for (size_t i = 0; i < j->n_episode; i++) {
		const struct episode *e = &j->episode[i];

		if (e->kind != JUDGE_LOSS && judge_inside(j->link->all[e->class], c) &&
		    better(e, best, first))
			best = e;
	}
	if (best)
		judge_tell(j, best, f);
	return best != NULL;
}
