/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sheds what floods a link before it is read: workers tell when more comes than they can read
 * in time, or is read for nothing (worker_load.c); shed.c decides, the table's rules carry it
 * out (rule_shed.h), and what they count is the link's own drops.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gw/gateway_priv.h"

#define TELL_EVERY (UINT64_C(60) * 1000000000)

int gateway_alarm_fd(const struct gateway *g)
{
	return g->shed_due ? -1 : g->alarm;
}

int gateway_shed_wait(const struct gateway *g)
{
	uint64_t now = clock_now(), due = g->shed_looked + SHED_EVERY;

	if (!g->shed_due)
		return -1;
	return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

/* ---- What was shed so far. */

struct count {
	struct shed *shed;
	uint64_t now;
};

static void count_host(void *arg, const struct heavy_host *host, uint64_t packets)
{
	struct count *c = arg;

	shed_counted(c->shed, host, packets, c->now);
}

void gateway_shed_read(struct glink *l)
{
	struct count c = {&l->shed, clock_now()};

	if (shed_calm(&l->shed) || rules_shed_counts(l->queue, &l->shed_counts))
		return;
	(void)rules_shed_hosts(l->queue, count_host, &c);
	shed_counted(&l->shed, NULL, l->shed_counts.limit_packets, c.now);
}

/* ---- What is told. */

void gateway_shed_name(const struct heavy_host *h, char text[INET6_ADDRSTRLEN])
{
	if (!inet_ntop(h->family == 4 ? AF_INET : AF_INET6, h->addr, text, INET6_ADDRSTRLEN))
		text[0] = '\0';
}

/* Once a host, and not every time that it does so again. */
static void tell(struct gateway *g, struct glink *l, struct shed_host *h, const char *who)
{
	uint64_t now = clock_now();

	if (!h->dropped || h->told)
		return;
	h->told = true;
	if (l->shed_told && now - l->shed_told < TELL_EVERY / SHED_HOSTS)
		return;
	l->shed_told = now;
	gateway_say(g, 4,
		    "link %s: %s floods: what is beyond %" PRIu64
		    " packets/s is dropped before the queue",
		    l->link->name, who, shed_rate(l->link->rate.bps));
}

static void tell_all(struct gateway *g, struct glink *l)
{
	char name[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < l->shed.n; i++) {
		gateway_shed_name(&l->shed.host[i].host, name);
		tell(g, l, &l->shed.host[i], name);
	}
	tell(g, l, &l->shed.all, "a crowd of senders");
}

/* ---- What is done. */

static void take_load(struct worker *w, void *arg)
{
	worker_take_load(w, arg);
}

/* It is not in force: nothing of it is to be believed. */
static void give_up(struct shed *s, const struct shed_todo *todo)
{
	for (unsigned i = 0; i < todo->n_put; i++)
		s->host[todo->put[i]].active = false;
	if (todo->limit_changed)
		s->limited = s->all.active = !s->limited;
}

static void look(struct gateway *g, struct glink *l)
{
	struct worker_load load;
	struct shed_seen seen = {.drops_matter = !l->untold, .heavy = &load.heavy};
	struct shed_todo todo;
	char err[256];

	worker_call(l->worker, take_load, &load);
	gateway_shed_read(l);
	seen.now = clock_now();
	seen.ns = load.ns;
	seen.unread = load.unread;
	seen.lost = load.lost;
	seen.dropped = load.dropped;
	shed_look(&l->shed, shed_rate(l->link->rate.bps), &seen, &todo);
	if ((todo.n_put || todo.limit_changed) &&
	    rules_shed_now(g->rules, l->queue, &l->shed, &todo, err, sizeof(err))) {
		give_up(&l->shed, &todo);
		if (!l->shed_failed)
			gateway_say(g, 4, "link %s: %s", l->link->name, err);
		l->shed_failed = true;
	}
	tell_all(g, l);
}

void gateway_shed(struct gateway *g, bool alarm)
{
	uint64_t n;

	if (alarm && read(g->alarm, &n, sizeof(n)) < 0) {
		/* nothing to read is no fault */
	}
	g->shed_due |= alarm;
	if (!g->shed_due || clock_now() - g->shed_looked < SHED_EVERY)
		return;
	g->shed_due = false;
	for (size_t i = 0; i < g->n_link; i++) {
		if (!g->link[i].worker || !rules_shed(g->rules))
			continue;
		look(g, &g->link[i]);
		g->shed_due |= !shed_calm(&g->link[i].shed);
	}
	g->shed_looked = clock_now();
}
