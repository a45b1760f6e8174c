/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another policy takes over.
 *
 * Everything that can fail comes first, beside what runs: reading, engines, new links,
 * and the rules as one transaction. What follows can only lack memory for a list of what
 * waits, and is tried again until there is some.
 * Links are the same if their name is; a link that is new gets a queue and a worker, one
 * that is not in the new policy lets go what it holds.
 * A link whose interface is another one keeps its queue. What it holds for the old one goes
 * out there in its turn, at the link's rate: let go all at once, it could be too much for
 * that interface.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gw/cmd_policy.h"
#include "gw/gateway_priv.h"

/* One link of the new policy, and what it takes over from. */
struct next {
	struct glink link; /* with a worker of its own if it is new */
	struct glink *old; /* NULL: it is new */
	struct engine *engine;
	bool moved; /* to this interface, from another or from nowhere */
};

struct change {
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

static void undo(struct change *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->next[i].old)
			engine_free(c->next[i].engine);
		else
			gateway_link_close(&c->next[i].link);
	}
	free(c->next);
	free(c->links);
	policy_free(c->policy);
}

static int prepare_link(struct gateway *g, struct change *c, struct next *n,
			const struct policy_link *l, char *err, size_t errsize)
{
	n->old = find_link(g, l->name);
	n->moved = !n->old || strcmp(n->old->link->interface, l->interface) != 0;
	if (!n->old) {
		if (gateway_link_open(g, c->policy, l, &n->link, err, errsize))
			return -1;
		return worker_start(n->link.worker, err, errsize);
	}
	n->link = *n->old;
	n->link.link = l;
	if (ifwatch_get(l->interface, &n->link.iface))
		return fail_with(err, errsize, "link %s: interface %s: %s", l->name,
				 l->interface, strerror(errno));
	n->engine = gateway_engine(c->policy, &n->link, err, errsize);
	return n->engine ? 0 : -1;
}

static int prepare(struct gateway *g, struct change *c, char *err, size_t errsize)
{
	size_t n = c->policy->n_link;
	int failed = 0;

	c->next = calloc(n, sizeof(*c->next));
	c->links = calloc(n, sizeof(*c->links));
	if (!c->next || !c->links)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	while (!failed && c->n < n) {
		failed =
			prepare_link(g, c, &c->next[c->n], c->policy->link[c->n], err, errsize);
		c->links[c->n] = c->next[c->n].link;
		c->n++;
	}
	return failed;
}

struct take_over {
	const struct policy *policy;
	const struct policy_link *link;
	struct engine *engine, *old;
	const uint32_t *classid;
};

static void take_over(struct worker *w, void *arg)
{
	struct take_over *t = arg;

	t->old = worker_take_over(w, t->policy, t->link, t->engine, t->classid);
	if (t->old)
		worker_set_gso(w, gateway_gso(t->link));
}

/* The link's worker goes on with the new engine. Without memory it goes on with the old one. */
static int switch_link(struct change *c, struct next *n)
{
	struct take_over t = {c->policy, n->link.link, n->engine, NULL, NULL};

	worker_call(n->old->worker, take_over, &t);
	if (!t.old)
		return -1;
	engine_free(t.old);
	n->engine = NULL;
	return 0;
}

static bool stays(const struct change *c, const struct glink *l)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->next[i].old == l)
			return true;
	return false;
}

/* From here on the new policy is in force; the old one goes. */
static void finish(struct gateway *g, struct change *c)
{
	struct policy *old = g->policy;

	for (size_t i = 0; i < g->n_link; i++)
		if (!stays(c, &g->link[i]))
			gateway_link_close(&g->link[i]);
	for (size_t i = 0; i < c->n; i++) {
		c->links[i] = c->next[i].link;
		if (c->links[i].iface.there)
			worker_set_mtu(c->links[i].worker, c->links[i].iface.mtu);
		else if (c->next[i].moved)
			gateway_tell_missing(g, &c->links[i]);
	}
	free(g->link);
	g->link = c->links;
	g->n_link = c->n;
	g->policy = c->policy;
	free(c->next);
	policy_free(old);
}

int gateway_reload(struct gateway *g, struct policy_report *r, char *err, size_t errsize)
{
	struct change c = {0};
	uint64_t dscp = g->dscp;
	int status;

	err[0] = '\0';
	c.policy = cmd_policy_read(g->o.file, r, &status);
	if (c.policy && gateway_check(c.policy, r)) {
		policy_free(c.policy);
		c.policy = NULL;
	}
	if (!c.policy) {
		g->reloads_failed++;
		if (!r->errors)
			fail_with(err, errsize, "%s cannot be read", g->o.file);
		return -1;
	}
	/* what the old policy marks is still on its way when the new rules are there */
	g->dscp |= gateway_dscp(c.policy);
	if (prepare(g, &c, err, errsize) || gateway_rules(g, c.links, c.n, err, errsize)) {
		g->dscp = dscp;
		g->reloads_failed++;
		undo(&c);
		return -1;
	}
	for (size_t i = 0; i < c.n; i++)
		while (c.next[i].old && switch_link(&c, &c.next[i]))
			gateway_say(g, 3, "link %s: no memory for the moment: trying again",
				    c.next[i].link.link->name);
	finish(g, &c);
	g->generation++;
	g->reloaded = gateway_now();
	for (size_t i = 0; i < g->n_link; i++)
		gateway_look(g, &g->link[i]);
	return 0;
}
