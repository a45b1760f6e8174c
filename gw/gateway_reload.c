/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another policy takes over.
 *
 * Everything that can fail comes first, beside what runs: reading and engines, by a thread of
 * its own (gateway_build.h); then new links, the kernel's classes, room for a list of what
 * waits, and the rules as one transaction. What follows cannot fail.
 * Links are the same if their name is; a link that is new gets a queue and a worker, one
 * that is not in the new policy lets go what it holds.
 * A link whose interface is another one keeps its queue. What it holds for the old one goes
 * out there in its turn, at the link's rate: let go all at once, it could be too much for
 * that interface.
 *
 * What the kernel schedules belongs to an interface and a way (a place), whatever the link's
 * name is. The classes of a place that both policies have are changed where they differ, and
 * nothing else of them. A link that goes from one backend to another loses nothing:
 *
 *     queue to mark      what waits is handed over at once, in order, then what comes
 *     queue to kernel    the same, and only then the rule goes
 *     mark to kernel     the rule goes
 *     kernel to mark     the rule comes
 *     to queue           packets come and wait until the kernel has sent what it had, so that
 *                        nothing overtakes, and no more than the link's rate leaves
 *
 * Only where a rule goes may packets be overtaken: those that are on their way through the
 * queue at that moment.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw/cmd_policy.h"
#include "gw/gateway_priv.h"

#define DRAIN_MAX (UINT64_C(5) * 1000000000) /* ns; status and metrics wait meanwhile */
#define DRAIN_LOOK 1000000		     /* ns between two looks */
#define DRAIN_SURE 2u /* looks that found nothing: what was on its way has come by then */

/* One link of the new policy, and what it takes over from. */
struct next {
	struct glink link;	     /* with a worker of its own if it is new */
	struct glink *old;	     /* NULL: it is new */
	struct glink *left;	     /* not NULL: the queue that it had and has no more */
	struct engine *engine;	     /* for the worker of `old` or `left` */
	struct engine_left *waiting; /* room for what waits there; NULL: none is needed */
	size_t n_waiting;
	struct gkernel_before *before; /* NULL: nothing was counted */
	bool moved;		       /* to this interface, from another or from nowhere */
	bool waits;		       /* for the kernel to send what it has */
};

struct change {
	struct build *build;
	struct policy *policy;
	struct next *next;
	struct glink *links; /* of all, as the rules want them */
	size_t n;
};

static struct glink *find_link(struct gateway *g, const char *name)
{
	for (size_t i = 0; i < g->n_link; i++)
		if (!strcmp(g->link[i].link->name, name))
			return &g->link[i];
	return NULL;
}

/* The link whose packets went through the kernel's classes at the place of l; NULL: none. */
static struct glink *find_place(struct gateway *g, const struct policy_link *l)
{
	for (size_t i = 0; i < g->n_link; i++)
		if (gateway_in_kernel(g->link[i].link) &&
		    gateway_same_place(g->link[i].link, l))
			return &g->link[i];
	return NULL;
}

/* Whether the kernel goes on scheduling at a place. */
static bool place_stays(const struct change *c, const struct policy_link *l)
{
	for (size_t i = 0; i < c->n; i++)
		if (gateway_in_kernel(c->next[i].link.link) &&
		    gateway_same_place(c->next[i].link.link, l))
			return true;
	return false;
}

static void undo(struct gateway *g, struct change *c)
{
	for (size_t i = c->n; i-- > 0;) {
		struct next *n = &c->next[i];
		const struct glink *before = find_place(g, n->link.link);

		gkernel_revert(g, n->link.link, &n->link.tc, before ? &before->tc : NULL);
		build_leave(c->build, n->engine, NULL);
		free(n->waiting);
		gkernel_before_free(n->before);
		if (n->old)
			gkernel_forget(&n->link.tc);
		else
			gateway_link_close(&n->link);
	}
	free(c->next);
	free(c->links);
	build_leave(c->build, NULL, c->policy);
}

/* What a worker that is there needs to go on with another engine. */
static int prepare_worker(struct change *c, struct next *n, const struct glink *of, char *err,
			  size_t errsize)
{
	struct build_link *built = build_link(c->build, (size_t)(n - c->next));

	n->n_waiting = WORKER_LEFT(of->held_max);
	n->waiting = calloc(n->n_waiting, sizeof(*n->waiting));
	if (!n->waiting)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	assert(built->engine); /* it had a queue when the build began, and still has */
	n->engine = built->engine;
	built->engine = NULL;
	return 0;
}

/* A link that is there already, of the same kind. */
static int prepare_same(struct gateway *g, struct change *c, struct next *n,
			const struct policy_link *l, struct policy_report *r, char *err,
			size_t errsize)
{
	n->link = *n->old;
	n->link.link = l;
	n->link.tc = (struct gkernel){0};
	if (gateway_ifaces(&n->link, err, errsize))
		return -1;
	if (gkernel_prepare(g, c->policy, l, &n->link.iface, &n->link.tc, r, err, errsize))
		return -1;
	if (!n->link.worker)
		return 0;
	return gateway_protect(g, &n->link, err, errsize) ||
			       prepare_worker(c, n, n->old, err, errsize)
		       ? -1
		       : 0;
}

static void hold(struct worker *w, void *arg)
{
	worker_hold(w, *(const bool *)arg);
}

static int prepare_new(struct gateway *g, struct change *c, struct next *n,
		       const struct policy_link *l, struct policy_report *r, char *err,
		       size_t errsize)
{
	if (gateway_link_open(g, c->policy, l, &n->link,
			      build_link(c->build, (size_t)(n - c->next)), r, err, errsize) ||
	    (n->left && prepare_worker(c, n, n->left, err, errsize)))
		return -1;
	if (!n->link.worker)
		return 0;
	worker_call(n->link.worker, hold, &n->waits);
	return worker_start(n->link.worker, err, errsize);
}

static int prepare_link(struct gateway *g, struct change *c, struct next *n,
			const struct policy_link *l, struct policy_report *r, char *err,
			size_t errsize)
{
	struct glink *old = find_link(g, l->name), *place = find_place(g, l);

	n->link.link = l;
	n->moved = !old || !gateway_same_interfaces(old->link, l);
	n->waits = !gateway_in_kernel(l) && place && place->tc.applied;
	if (old && gateway_has_queue(old->link) == gateway_has_queue(l))
		n->old = old;
	else if (old && !gateway_has_queue(l) && !n->moved)
		n->left = old;
	return n->old ? prepare_same(g, c, n, l, r, err, errsize)
		      : prepare_new(g, c, n, l, r, err, errsize);
}

/*
 * While a device gets another qdisc, the kernel drops what comes to it (dev_deactivate() in
 * net/sched/sch_generic.c): so a worker that sends to it waits.
 */
static int apply(struct gateway *g, struct glink *l, char *err, size_t errsize)
{
	bool yes = true, no = false;
	struct glink *sender = NULL;
	int failed;

	for (size_t i = 0; i < g->n_link && l->tc.target; i++)
		if (g->link[i].link->backend == POLICY_BACKEND_QUEUE &&
		    gateway_same_place(g->link[i].link, l->link))
			sender = &g->link[i];
	if (sender)
		worker_call(sender->worker, hold, &yes);
	failed = gkernel_apply(g, l->link, &l->tc, err, errsize);
	if (sender)
		worker_call(sender->worker, hold, &no);
	return failed;
}

/* What a link's place has counted so far, whatever the link was called. */
static void count(struct gateway *g, struct next *n)
{
	const struct glink *place =
		gateway_in_kernel(n->link.link) ? find_place(g, n->link.link) : NULL;

	n->link.gone = place ? place->gone : (struct gkernel_gone){0};
	n->before = place ? gkernel_count(&place->tc) : NULL;
}

static int prepare(struct gateway *g, struct change *c, struct policy_report *r, char *err,
		   size_t errsize)
{
	size_t n = c->policy->n_link;
	int failed = 0;

	c->next = calloc(n, sizeof(*c->next));
	/* and a place for each that has left its queue */
	c->links = calloc(2 * n, sizeof(*c->links));
	if (!c->next || !c->links)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	while (!failed && c->n < n) {
		failed = prepare_link(g, c, &c->next[c->n], c->policy->link[c->n], r, err,
				      errsize);
		c->n++;
	}
	for (size_t i = 0; !failed && i < c->n; i++) {
		count(g, &c->next[i]);
		failed = apply(g, &c->next[i].link, err, errsize);
	}
	return failed;
}

/* With the queues that links leave, or without. */
static int set_rules(struct gateway *g, struct change *c, bool left, char *err, size_t errsize)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		c->links[n++] = c->next[i].link;
		if (left && c->next[i].left)
			c->links[n++] = *c->next[i].left;
	}
	return gateway_rules(g, c->links, n, err, errsize);
}

struct take_over {
	const struct policy *policy;
	const struct policy_link *link;
	struct engine *engine, *old;
	const uint32_t *classid;
	struct engine_left *waiting;
	size_t n_waiting;
	bool waits;
};

static void take_over(struct worker *w, void *arg)
{
	struct take_over *t = arg;

	if (t->waits)
		worker_hold(w, true);
	t->old = worker_take_over(w, t->policy, t->link, t->engine, t->classid, t->waiting,
				  t->n_waiting);
	worker_set_gso(w, gateway_gso(t->link));
}

/*
 * The link's worker goes on with the new engine, and that of a link that leaves its queue hands
 * all to the kernel.
 */
static void switch_link(struct change *c, struct next *n)
{
	struct take_over t = {.policy = c->policy,
			      .link = n->link.link,
			      .engine = n->engine,
			      .waiting = n->waiting,
			      .n_waiting = n->n_waiting,
			      .waits = n->waits};

	if (n->left && n->link.tc.target)
		t.classid = tc_target_plan(n->link.tc.target)->classid;
	else
		t.classid = gkernel_classids(n->link.link, &n->link.tc);
	worker_call(n->left ? n->left->worker : n->old->worker, take_over, &t);
	build_leave(c->build, t.old, NULL);
	n->engine = NULL;
}

static bool stays(const struct change *c, const struct glink *l)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->next[i].old == l)
			return true;
	return false;
}

/* Whether a queue ends, or packets have to wait for others that did not come to one. */
static bool rules_matter(const struct gateway *g, const struct change *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->next[i].waits)
			return true;
	for (size_t i = 0; i < g->n_link; i++)
		if (g->link[i].worker && !stays(c, &g->link[i]))
			return true;
	return false;
}

static void switch_all(struct gateway *g, struct change *c)
{
	char err[300];
	bool left = false;

	for (size_t i = 0; i < c->n; i++) {
		struct next *n = &c->next[i];

		if (n->engine)
			switch_link(c, n);
		gkernel_silence(g, n->link.link);
		left |= n->left != NULL;
	}
	/* should that fail, the rule has nobody behind it soon, and lets packets pass */
	if (left && set_rules(g, c, false, err, sizeof(err)))
		gateway_say(g, 3, "%s", err);
	if (rules_matter(g, c))
		rules_settle();
}

/* Until the kernel has sent what it had of a place whose packets wait here now. */
static void drain(const struct gkernel *k, uint64_t until)
{
	const struct timespec look = {0, DRAIN_LOOK};
	unsigned empty = 0;

	while (empty < DRAIN_SURE && clock_now() < until) {
		empty = gkernel_waiting(k) ? 0 : empty + 1;
		nanosleep(&look, NULL);
	}
}

/* What the kernel has of places that the new policy leaves to the gateway, or to nobody. */
static void leave_places(struct gateway *g, struct change *c)
{
	uint64_t until = clock_now() + DRAIN_MAX;
	bool no = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct glink *place = find_place(g, c->next[i].link.link);

		if (c->next[i].waits && place)
			drain(&place->tc, until);
	}
	for (size_t i = 0; i < g->n_link; i++)
		if (gateway_in_kernel(g->link[i].link) && !place_stays(c, g->link[i].link))
			gkernel_remove(g, g->link[i].link, &g->link[i].tc);
	for (size_t i = 0; i < c->n; i++)
		if (c->next[i].waits)
			worker_call(c->next[i].link.worker, hold, &no);
}

/* From here on the new policy is in force; the old one goes. */
static void finish(struct gateway *g, struct change *c)
{
	struct policy *old = g->policy;
	char err[300];

	gateway_sets_end(g); /* those of the old one */
	leave_places(g, c);
	for (size_t i = 0; i < g->n_link; i++) {
		if (stays(c, &g->link[i]))
			gkernel_forget(&g->link[i].tc);
		else
			gateway_link_close(&g->link[i]);
	}
	for (size_t i = 0; i < c->n; i++) {
		/* it reads: nothing can be taken back from here on */
		gkernel_carry(c->next[i].before, &c->next[i].link.tc, &c->next[i].link.gone);
		gkernel_before_free(c->next[i].before);
		free(c->next[i].waiting);
		c->links[i] = c->next[i].link;
		gateway_serve_on(&c->links[i]);
		if (c->links[i].iface.there && c->links[i].worker)
			worker_set_mtu(c->links[i].worker, c->links[i].iface.mtu);
		if (c->next[i].moved)
			gateway_tell_missing(g, &c->links[i]);
	}
	free(g->link);
	g->link = c->links;
	g->n_link = c->n;
	g->policy = c->policy;
	if (gateway_sets_follow(g, err, sizeof(err)))
		gateway_say(g, 3, "%s: sets stay as they are", err);
	free(c->next);
	build_leave(c->build, NULL, old);
}

/* -1: nothing changed, and the change is given up. */
static int take_over_all(struct gateway *g, struct change *c, struct policy_report *r,
			 char *err, size_t errsize)
{
	uint64_t dscp = g->dscp;

	/* what the old policy marks is still on its way when the new rules are there */
	g->dscp |= gateway_dscp(c->policy);
	if (prepare(g, c, r, err, errsize) || set_rules(g, c, true, err, errsize)) {
		g->dscp = dscp;
		undo(g, c);
		return -1;
	}
	switch_all(g, c);
	finish(g, c);
	return 0;
}

/* ---- Step by step. */

#define LOCK_AGAIN 20 /* ms between two looks */

int gateway_reload_begin(struct gateway *g, char *err, size_t errsize)
{
	struct build_from *from = calloc(g->n_link + 1, sizeof(*from));
	size_t n = 0;

	if (!from)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < g->n_link; i++) {
		const struct glink *l = &g->link[i];

		if (!l->worker)
			continue;
		from[n] = (struct build_from){.link = l->link->name, .held_max = l->held_max};
		memcpy(from[n++].key, l->key, sizeof(l->key));
	}
	g->ready = 0;
	g->build = build_start(cmd_policy_read, g->o.file, from, n, gateway_held_max(g), err,
			       errsize);
	free(from);
	return g->build ? 0 : -1;
}

bool gateway_reloading(const struct gateway *g)
{
	return g->build != NULL;
}

const char *gateway_reload_doing(const struct gateway *g)
{
	if (g->ready)
		return "another weir that changes traffic control is waited for";
	return build_doing(g->build);
}

int gateway_reload_fd(const struct gateway *g)
{
	return g->build && !g->ready ? build_fd(g->build) : -1;
}

int gateway_reload_wait(const struct gateway *g)
{
	return g->ready ? LOCK_AGAIN : -1;
}

/* With the lock, where one is needed. 1: not yet; -1 with err: it takes too long. */
static int try_lock(struct gateway *g, bool lock, char *err, size_t errsize)
{
	uint64_t now = clock_now();

	if (!lock || g->o.tc_lock < 0 || !tc_lock_take(g->o.tc_lock, 0))
		return 0;
	if (!g->ready)
		g->ready = now;
	if (errno == EWOULDBLOCK && now - g->ready < GKERNEL_WAIT * UINT64_C(1000000))
		return 1;
	return gkernel_locked_out(GKERNEL_WAIT, err, errsize);
}

static enum gateway_reload ended(struct gateway *g, bool took_over)
{
	build_free(g->build);
	g->build = NULL;
	g->ready = 0;
	if (!took_over) {
		g->reloads_failed++;
		return RELOAD_FAILED;
	}
	g->generation++;
	g->reloaded = clock_now();
	for (size_t i = 0; i < g->n_link; i++)
		gateway_look(g, &g->link[i]);
	return RELOAD_TOOK_OVER;
}

enum gateway_reload gateway_reload_step(struct gateway *g, struct policy_report *r, char *err,
					size_t errsize)
{
	struct change c = {.build = g->build};
	bool lock;
	int locked, failed;

	err[0] = '\0';
	if (!build_done(g->build))
		return RELOAD_GOES_ON;
	lock = build_policy(g->build) && (gateway_any_in_kernel(g->policy) ||
					  gateway_any_in_kernel(build_policy(g->build)));
	locked = try_lock(g, lock, err, errsize);
	if (locked > 0)
		return RELOAD_GOES_ON;
	c.policy = build_take(g->build, r, err, errsize);
	if (locked || !c.policy) {
		build_leave(g->build, NULL, c.policy);
		return ended(g, false);
	}
	/* which interface is where by now */
	gateway_event(g);
	failed = take_over_all(g, &c, r, err, errsize);
	if (lock)
		gkernel_unlock(g);
	return ended(g, !failed);
}
