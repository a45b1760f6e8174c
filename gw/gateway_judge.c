/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feeds the judge of each link (qos/judge.h) with what the workers and the kernel count, and
 * makes one list of all that is wrong with a gateway: plumbing and service.
 *
 * Counters are copied in short visits, as for a snapshot, but without the histograms: a visit
 * touches a line or two for each class.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/gateway_priv.h"

#define CLASSES_AT_ONCE 256u

struct visit {
	struct judge_counts *to;
	size_t left; /* classes not yet copied: the first so many */
};

static void copy_counts(struct worker *w, void *arg)
{
	struct visit *v = arg;
	const struct policy_link *l = worker_link(w);

	for (unsigned n = 0; v->left && n < CLASSES_AT_ONCE; n++) {
		const struct policy_class *c = l->all[--v->left];
		struct account inner = {0};

		if (c->n_child)
			engine_account_own(worker_engine(w), c, &inner);
		judge_count(&v->to[v->left],
			    c->n_child ? &inner : engine_account(worker_engine(w), c),
			    c->n_child > 0);
		account_clear(&inner);
	}
}

/* The kernel keeps no delays: max-latency and jitter of its classes are not judged. */
static bool read_counters(const struct glink *l, struct judge_counts *to)
{
	char err[200];

	if (!l->tc.applied || tc_target_read(l->tc.target, err, sizeof(err)))
		return false;
	for (size_t i = 0; i < l->link->n_all; i++) {
		struct tc_counters c = tc_target_counters(l->tc.target, l->link->all[i]);

		to[i] = (struct judge_counts){0};
		if (l->link->all[i]->n_child)
			continue;
		to[i].sent_packets = c.packets;
		to[i].sent_bytes = c.bytes;
		to[i].dropped[PKT_DROP_LIMIT] = c.drops;
		to[i].in_packets = c.packets + c.drops + c.backlog_packets;
		to[i].waiting = c.backlog_packets;
	}
	return true;
}

/* The lower end of the bucket that the latest wake-up since the call before fell into, ns. */
static uint64_t latest(struct gservice *s, const struct worker_health *h)
{
	uint64_t late = 0;

	for (unsigned i = 1; i < 32; i++)
		if (h->late_hist[i] != s->late[i])
			late = (UINT64_C(1) << (i - 1)) * 1000;
	memcpy(s->late, h->late_hist, sizeof(s->late));
	return late < h->late_max ? late : h->late_max;
}

void gateway_serve(struct gateway *g, struct glink *l, uint64_t now,
		   const struct worker_health *h, const struct judge_loss loss[LOSS_N])
{
	struct gservice *s = &l->service;
	struct judge_host host = {.loss = loss, .n_loss = loss ? LOSS_N : 0};
	struct visit v = {.left = l->link->n_all};

	if (!s->judge)
		s->judge = judge_new(l->link, false);
	if (!s->judge) {
		gateway_say(g, 4, "link %s: no memory to judge its service", l->link->name);
		return;
	}
	/* what the kernel counts is read whole: not every second */
	if (s->at && now - s->at < (gateway_in_kernel(l->link) ? 10 : 1) * JUDGE_SECOND / 2)
		return;
	v.to = judge_next(s->judge);
	if (gateway_in_kernel(l->link)) {
		if (!read_counters(l, v.to))
			return;
	} else {
		while (v.left)
			worker_call(l->worker, copy_counts, &v);
	}
	if (h) {
		host.late = latest(s, h);
		host.unread = h->unread_late != s->unread_late ? h->unread_wait : 0;
		s->unread_late = h->unread_late;
	}
	s->at = now;
	judge_window(s->judge, now, &host, false);
}

void gateway_serve_on(struct glink *l)
{
	struct judge *old = l->service.judge;

	if (!old)
		return;
	l->service.judge = judge_new(l->link, false);
	if (l->service.judge)
		judge_inherit(l->service.judge, old);
	judge_free(old);
}

void gateway_serve_end(struct glink *l)
{
	judge_free(l->service.judge);
	l->service = (struct gservice){0};
}

/* ---- The list. */

struct gateway_finding *gateway_finding_add(struct gateway_snapshot *s, enum judge_kind k,
					    enum judge_severity sev, const char *link,
					    const char *what)
{
	struct gateway_finding *v =
		realloc(s->finding, (s->n_finding + 1) * sizeof(*s->finding));

	if (!v)
		return NULL;
	s->finding = v;
	v += s->n_finding;
	*v = (struct gateway_finding){.kind = k, .severity = sev};
	v->link = link ? strdup(link) : NULL;
	v->what = strdup(what);
	if ((link && !v->link) || !v->what) {
		free(v->link);
		free(v->what);
		return NULL;
	}
	s->n_finding++;
	return v;
}

static int add_plumbing(struct gateway_snapshot *s, const struct gateway_link *to)
{
	char text[400];

	if (to->health.error) {
		snprintf(text, sizeof(text), "its queue failed: %s",
			 strerror(to->health.error));
		if (!gateway_finding_add(s, JUDGE_FAILED, JUDGE_WARNING, to->name, text))
			return -1;
	}
	if (!to->up && !to->n_warning) {
		snprintf(text, sizeof(text),
			 "interface %s is not there or down: the link waits", to->interface);
		if (!gateway_finding_add(s, JUDGE_DOWN, JUDGE_WARNING, to->name, text))
			return -1;
	}
	for (size_t i = 0; i < to->n_each && to->n_each > 1 && to->up; i++) {
		if (to->each[i].up)
			continue;
		snprintf(text, sizeof(text),
			 "interface %s is not there or down: the link has its others",
			 to->each[i].name);
		if (!gateway_finding_add(s, JUDGE_DOWN, JUDGE_WARNING, to->name, text))
			return -1;
	}
	for (size_t i = 0; i < to->n_warning; i++)
		if (!gateway_finding_add(s, to->up ? JUDGE_BYPASS : JUDGE_DOWN, JUDGE_WARNING,
					 to->name, to->warning[i]))
			return -1;
	return 0;
}

static int add_service(struct gateway_snapshot *s, const struct glink *l)
{
	struct judge_finding *v;
	ssize_t n = l->service.judge ? judge_findings(l->service.judge, s->now, false, &v) : 0;
	int failed = n < 0 ? -1 : 0;

	for (ssize_t i = 0; i < n && !failed; i++) {
		struct gateway_finding *f = gateway_finding_add(s, v[i].kind, v[i].severity,
								l->link->name, v[i].what);

		failed = -1;
		if (!f)
			break;
		f->since = v[i].since;
		f->last = v[i].last;
		f->class = strdup(v[i].class->path);
		f->cause = strdup(v[i].cause);
		f->remedy = strdup(v[i].remedy);
		failed = f->class && f->cause && f->remedy ? 0 : -1;
	}
	if (l->service.judge && n >= 0)
		free(v);
	return failed;
}

static int add_set(const struct gateway *g, size_t i, struct gateway_snapshot *s)
{
	char text[700];
	struct gateway_finding *f;

	snprintf(text, sizeof(text), "set %.100s cannot be read, and holds what it held before",
		 g->policy->set[i]->text);
	f = gateway_finding_add(s, JUDGE_SETS, JUDGE_WARNING, NULL, text);
	if (!f)
		return -1;
	f->since = g->set[i].failed;
	f->last = s->now;
	f->cause = strdup(g->set[i].trouble);
	return f->cause ? 0 : -1;
}

/* One of a host, or of all (who NULL), that is or was shed lately. */
static int add_shed(struct gateway_snapshot *s, const struct gateway_link *to,
		    const struct shed_host *h, const char *who)
{
	struct gateway_finding *f;
	char text[256];

	if (!h->dropped || s->now - h->last > JUDGE_HOLD)
		return 0;
	if (h->active)
		snprintf(text, sizeof(text),
			 "%s floods: %" PRIu64
			 " packets/s of it are shed before the queue, %" PRIu64 " so far",
			 who, h->pps, h->dropped);
	else
		snprintf(text, sizeof(text),
			 "%s flooded: %" PRIu64 " packets of it were shed before the queue",
			 who, h->dropped);
	f = gateway_finding_add(s, JUDGE_SHED, JUDGE_WARNING, to->name, text);
	if (!f)
		return -1;
	f->since = h->since;
	f->last = h->active && h->last < s->now ? s->now : h->last;
	snprintf(text, sizeof(text),
		 "it sent more than the %" PRIu64
		 " packets/s that fill the link, and more than "
		 "weir could read in time or send",
		 to->shed_pps);
	f->cause = strdup(text);
	f->remedy = strdup("find out what sends that; classes with a min, a deadline or an "
			   "objective pass as far as the kernel can tell them");
	return f->cause && f->remedy ? 0 : -1;
}

static int add_floods(struct gateway_snapshot *s, const struct gateway_link *to)
{
	char who[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < to->shed.n; i++) {
		gateway_shed_name(&to->shed.host[i].host, who);
		if (add_shed(s, to, &to->shed.host[i], who))
			return -1;
	}
	return add_shed(s, to, &to->shed.all, "a crowd of senders");
}

int gateway_findings(const struct gateway *g, struct gateway_snapshot *s)
{
	static const char changed[] =
		"somebody changed or removed the nftables table \"weir\": "
		"packets pass without being shaped";
	struct gateway_finding *f;

	if (!s->intact) {
		f = gateway_finding_add(s, JUDGE_RULES, JUDGE_WARNING, NULL, changed);
		if (!f)
			return -1;
		f->remedy = strdup("start weir anew, and find out which program did it");
	}
	for (size_t i = 0; i < g->n_set; i++)
		if (g->set[i].trouble && add_set(g, i, s))
			return -1;
	for (size_t i = 0; i < s->n_link; i++)
		if (add_plumbing(s, &s->link[i]) || add_floods(s, &s->link[i]))
			return -1;
	for (size_t i = 0; i < g->n_link; i++)
		if (add_service(s, &g->link[i]))
			return -1;
	return 0;
}

bool gateway_well(const struct gateway_snapshot *s)
{
	for (size_t i = 0; i < s->n_finding; i++)
		if (s->finding[i].severity == JUDGE_WARNING)
			return false;
	return true;
}

void gateway_findings_free(struct gateway_snapshot *s)
{
	for (size_t i = 0; i < s->n_finding; i++) {
		free(s->finding[i].link);
		free(s->finding[i].class);
		free(s->finding[i].what);
		free(s->finding[i].cause);
		free(s->finding[i].remedy);
	}
	free(s->finding);
}
