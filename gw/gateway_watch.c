/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gateway notices while it runs: interfaces, losses, what goes round it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/around.h"
#include "gw/gateway_priv.h"

#define QUEUES_MAX 512
#define LOOK_EVERY (UINT64_C(10) * 1000000000)
#define TELL_EVERY (UINT64_C(60) * 1000000000)

int gateway_fd(const struct gateway *g)
{
	return ifwatch_fd(g->ifwatch);
}

/* With an interface go its classes; when it comes, it gets them. */
static void kernel_changed(struct gateway *g, struct glink *l)
{
	bool failed = l->tc.trouble != NULL;

	if (!l->iface.there) {
		l->tc.applied = false;
		free(l->tc.trouble);
		l->tc.trouble = NULL;
		return;
	}
	gkernel_come(g, l);
	if (l->tc.trouble && !failed)
		gateway_look(g, l);
}

/* What is said of an interface that the link has no more. */
static const char *without(const struct glink *l)
{
	return l->iface.there && l->iface.up ? "the link has its others" : "the link waits";
}

/* A link's interface number k has another name: the link's is not there any more. */
static void renamed(struct gateway *g, struct glink *l, size_t k, const char *to)
{
	const char *name = policy_interface(l->link, k);

	gkernel_leave(g, l->link, &l->tc);
	l->each[k].there = l->each[k].up = false;
	l->each[k].index = 0;
	gateway_ifaces_sum(l);
	gateway_say(g, 4, "link %s: interface %s was renamed to %s: %s for a new %s",
		    l->link->name, name, to,
		    l->iface.there ? "the link has its others, and waits" : "the link waits",
		    name);
	g->looked = 0;
	if (gateway_in_kernel(l->link))
		kernel_changed(g, l);
}

static void link_changed(struct gateway *g, struct glink *l, size_t k,
			 const struct ifwatch_state *s)
{
	struct ifwatch_state *of = &l->each[k];
	bool was = of->there && of->up, is = s->there && s->up;

	/* it came again meanwhile, and that was seen first */
	if (!s->there && s->index && of->there && s->index != of->index)
		return;
	/* the one before may be there yet, by another name */
	if (s->there && l->tc.applied && l->tc.index != s->index)
		gkernel_leave(g, l->link, &l->tc);
	*of = *s;
	gateway_ifaces_sum(l);
	if (was && !is)
		gateway_say(g, 4, "link %s: interface %s %s: %s", l->link->name, s->name,
			    s->there ? "went down" : "is gone", without(l));
	else if (!was && is)
		gateway_say(g, 6, "link %s: interface %s is up", l->link->name, s->name);
	if (l->iface.there && l->worker)
		worker_set_mtu(l->worker, l->iface.mtu);
	if (gateway_in_kernel(l->link))
		kernel_changed(g, l);
	if (was != is)
		g->looked = 0; /* the next tick looks: its warnings are of before */
}

/* The old names first: what is made for a new one must not go again with an old one. */
static void changed(void *arg, const struct ifwatch_state *s)
{
	struct gateway *g = arg;

	for (size_t i = 0; i < g->n_link; i++) {
		struct glink *l = &g->link[i];

		for (size_t k = 0; k < policy_interfaces(l->link); k++)
			if (s->there && l->each[k].there && s->index == l->each[k].index &&
			    strcmp(policy_interface(l->link, k), s->name) != 0)
				renamed(g, l, k, s->name);
	}
	for (size_t i = 0; i < g->n_link; i++)
		for (size_t k = 0; k < policy_interfaces(g->link[i].link); k++)
			if (!strcmp(policy_interface(g->link[i].link, k), s->name))
				link_changed(g, &g->link[i], k, s);
}

void gateway_event(struct gateway *g)
{
	if (ifwatch_read(g->ifwatch, changed, g))
		gateway_say(g, 3, "cannot see interfaces come and go any more: %m");
}

/* ---- What goes round it. */

struct texts {
	char **v;
	size_t n;
};

struct findings {
	const struct policy_link *link;
	const char *interface; /* that is looked at */
	struct texts warning, accepted;
};

void gateway_free_texts(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

static void add(struct texts *t, const char *text)
{
	char **v = realloc(t->v, (t->n + 1) * sizeof(*v));

	if (!v)
		return;
	t->v = v;
	v[t->n] = strdup(text);
	t->n += v[t->n] != NULL;
}

static void found(void *arg, const char *text)
{
	struct findings *f = arg;

	add(&f->warning, text);
}

/* Its kind in front: by that the policy accepts it. */
static void found_around(void *arg, enum policy_around what, const char *text)
{
	struct findings *f = arg;
	char line[AROUND_TEXT + 16];

	if (what == POLICY_AROUND_N) {
		found(arg, text);
		return;
	}
	snprintf(line, sizeof(line), "%s: %s", policy_around_name(what), text);
	add(f->link->accepted >> what & 1 ? &f->accepted : &f->warning, line);
}

static bool known(char *const *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i], text))
			return true;
	return false;
}

/* What goes round a queue for what comes in; what the interface sends is not its concern. */
static void found_inbound(void *arg, enum policy_around what, const char *text)
{
	struct findings *f = arg;
	char line[AROUND_TEXT];

	(void)text; /* it is about what leaves */
	if (what == POLICY_AROUND_FLOWTABLE)
		snprintf(line, sizeof(line),
			 "a flowtable of nftables has %s among its devices: flows that come in "
			 "by it go round the queue once they are established: take its \"flow "
			 "add\" rule away, or %s out of its devices",
			 f->interface, f->interface);
	else if (what == POLICY_AROUND_BRIDGE)
		snprintf(line, sizeof(line),
			 "%s is a bridge, or a port of one: what is bridged goes round the "
			 "queue, and what is routed comes in by the bridge, whose name is the "
			 "interface then",
			 f->interface);
	else
		return;
	found_around(arg, what, line);
}

static void look_at_ingress(const struct glink *l, const struct ifwatch_state *is,
			    struct findings *f)
{
	char text[128];

	if (is->there && l->worker)
		around_look(f->interface, l->link->rate.bps, l->link->backend, found_inbound,
			    f);

	if (is->there && is->up)
		return;
	snprintf(text, sizeof(text),
		 is->there ? "interface %s is down: ip link set %s up"
			   : "there is no interface %s: the link waits until there is one",
		 f->interface, f->interface);
	found(f, text);
}

/* What is new is logged. */
static void take_texts(const struct gateway *g, const struct glink *l, int level,
		       const struct texts *t, char ***v, size_t *n)
{
	for (size_t i = 0; i < t->n; i++)
		if (!known(*v, *n, t->v[i]))
			gateway_say(g, level, "link %s: %s%s", l->link->name,
				    level == 4 ? "" : "accepted: ", t->v[i]);
	gateway_free_texts(*v, *n);
	*v = t->v;
	*n = t->n;
}

void gateway_look(struct gateway *g, struct glink *l)
{
	struct findings f = {.link = l->link};

	for (size_t k = 0; k < policy_interfaces(l->link); k++) {
		const struct ifwatch_state *is = &l->each[k];

		f.interface = policy_interface(l->link, k);
		/* that one of several is not there is a finding of its own (gateway_judge.c) */
		if (l->iface.there && l->iface.up && !(is->there && is->up))
			continue;
		if (l->link->direction == POLICY_INGRESS)
			look_at_ingress(l, is, &f);
		else if (around_look(f.interface, l->link->rate.bps, l->link->backend,
				     found_around, &f) < 0)
			gateway_say(g, 4, "link %s: cannot look for what goes round it: %m",
				    l->link->name);
	}
	gkernel_look(g, l, found, &f);
	take_texts(g, l, 4, &f.warning, &l->warning, &l->n_warning);
	take_texts(g, l, 6, &f.accepted, &l->accepted, &l->n_accepted);
}

/* ---- Losses. */

static const struct {
	const char *what, *why;
} losses[LOSS_N] = {
	[LOSS_VANISHED] =
		{"packets vanished while they were held",
		 "somebody deleted an nftables base chain (a firewall was reloaded), or an "
		 "interface went down; their bytes were given back"},
	[LOSS_QUEUE_FULL] = {"packets were dropped by the kernel because its queue was full",
			     "give the classes smaller limits"},
	[LOSS_SOCKET_FULL] =
		{"packets were dropped by the kernel because weir did not read fast enough",
		 "the processor is too slow or too busy for this load"},
	[LOSS_MISSED] = {"packets never reached weir", "the kernel lost them on the way to it"},
	[LOSS_VERDICT] = {"verdicts were refused by the kernel",
			  "see the errors in weir status"},
	[LOSS_TWICE] = {"packets came a second time and were passed on",
			"somebody added a base chain to the same hook"},
	[LOSS_STALL] = {"times the link's thread stood still for 250 ms or more",
			"the process was stopped, or the processor was busy with programs of "
			"higher priority"},
	[LOSS_UNREAD] = {"packets waited 100 ms or more before weir read them",
			 "weir was overloaded or stood still; the processor is too slow or too "
			 "busy for this load"},
};

static void ask_health(struct worker *w, void *arg)
{
	worker_get_health(w, arg);
}

static void look_at_queue(struct gateway *g, struct glink *l, const struct nfq_stats *q)
{
	if (q->refused == l->refused)
		return;
	l->refused = q->refused;
	gateway_say(g, 4, "link %s: the kernel would not change its queue (%s): %s",
		    l->link->name, strerror(q->refusal),
		    q->gso ? "large segments are still taken whole"
			   : "large segments are still cut before they come");
}

static void look_for_losses(struct gateway *g, struct glink *l, uint64_t now)
{
	struct worker_health h;
	struct judge_loss loss[LOSS_N];
	uint64_t count[LOSS_N];

	worker_call(l->worker, ask_health, &h);
	look_at_queue(g, l, &h.queue);
	count[LOSS_VANISHED] = h.vanished;
	count[LOSS_QUEUE_FULL] = l->kernel.dropped;
	count[LOSS_SOCKET_FULL] = l->kernel.user_dropped;
	/* what the kernel says that it dropped has its own line */
	count[LOSS_MISSED] =
		h.queue.missed > l->kernel.dropped + l->kernel.user_dropped
			? h.queue.missed - l->kernel.dropped - l->kernel.user_dropped
			: 0;
	count[LOSS_VERDICT] = h.queue.errors;
	count[LOSS_TWICE] = h.twice;
	count[LOSS_STALL] = h.stalls;
	count[LOSS_UNREAD] = h.unread_late;
	for (unsigned i = 0; i < LOSS_N; i++)
		loss[i] = (struct judge_loss){losses[i].what, losses[i].why, count[i]};
	gateway_serve(g, l, now, &h, loss);
	for (unsigned i = 0; i < LOSS_N; i++) {
		struct told *t = &l->told[i];

		if (count[i] <= t->count || (t->at && now - t->at < TELL_EVERY))
			continue;
		gateway_say(g, 4, "link %s: %llu %s: %s", l->link->name,
			    (unsigned long long)(count[i] - t->count), losses[i].what,
			    losses[i].why);
		*t = (struct told){count[i], now};
	}
}

static void read_kernel(struct gateway *g)
{
	struct nfq_kernel v[QUEUES_MAX];
	int n = nfq_kernel_queues(v, QUEUES_MAX);

	for (size_t i = 0; i < g->n_link && n >= 0; i++) {
		struct glink *l = &g->link[i];
		struct nfq_kernel all = {.number = l->queue};

		for (int k = 0; k < n && l->worker; k++)
			if (v[k].number == l->queue || v[k].number == l->first) {
				all.waiting += v[k].waiting;
				all.dropped += v[k].dropped;
				all.user_dropped += v[k].user_dropped;
			}
		l->kernel = all;
	}
}

void gateway_tick(struct gateway *g)
{
	uint64_t now = clock_now();
	bool look = now - g->looked >= LOOK_EVERY;

	gateway_say_unsaid(g, now);
	read_kernel(g);
	gateway_sets_event(g);
	for (size_t i = 0; i < g->n_link; i++) {
		struct ifwatch_state s;

		if (g->link[i].worker)
			look_for_losses(g, &g->link[i], now);
		else
			gateway_serve(g, &g->link[i], now, NULL, NULL);
		if (!look)
			continue;
		/* one that was renamed is told of under its new name only */
		for (size_t k = 0; k < policy_interfaces(g->link[i].link); k++)
			if (!ifwatch_get(policy_interface(g->link[i].link, k), &s))
				changed(g, &s);
		gateway_look(g, &g->link[i]);
	}
	if (look)
		g->looked = now;
	if (g->intact && !rules_intact(g->rules)) {
		g->intact = false;
		gateway_say(g, 3,
			    "the table \"%s\" was changed or removed by somebody: "
			    "packets pass without being shaped",
			    RULE_TABLE);
	}
}

bool gateway_alive(struct gateway *g)
{
	bool alive = g->intact;

	for (size_t i = 0; i < g->n_link; i++) {
		struct worker_health h;

		if (!g->link[i].worker)
			continue;
		worker_call(g->link[i].worker, ask_health, &h);
		if (!h.error)
			continue;
		gateway_say(g, 3, "link %s: its queue failed: %s", g->link[i].link->name,
			    strerror(h.error));
		alive = false;
	}
	return alive;
}
