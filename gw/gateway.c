/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway's life: it starts all or nothing, and leaves nothing behind. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "gw/gateway_priv.h"
#include "gw/protect.h"
#include "gw/tc_applied.h"
#include "gw/tc_apply.h"
#include "qos/segment.h"

#define HELD_MAX 60000u	 /* below NFQ_HELD_MAX: our limits bite before the kernel's */
#define ON_THE_WAY 2048u /* packets that the kernel holds and we have not read yet */
#define MTU_USUAL 1500u

void gateway_say(const struct gateway *g, int level, const char *fmt, ...)
{
	char text[1024]; /* AROUND_TEXT with the link's name in front, and more */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* where a line comes from is known by its format */
	if (g->o.log && (!g->quiet || quiet_says(g->quiet, clock_now(), fmt, text)))
		g->o.log(g->o.arg, level, text);
}

void gateway_say_unsaid(const struct gateway *g, uint64_t now)
{
	char last[QUIET_TEXT], text[QUIET_TEXT + 100];
	uint64_t n;

	while (g->o.log && g->quiet && (n = quiet_over(g->quiet, now, last))) {
		if (n == 1)
			snprintf(text, sizeof(text), "%s", last);
		else
			snprintf(text, sizeof(text),
				 "%s (and %llu more lines like this in a minute)", last,
				 (unsigned long long)n - 1);
		g->o.log(g->o.arg, 4, text);
	}
}

int gateway_check(const struct policy *p, struct policy_report *r)
{
	unsigned before = r->errors;

	for (size_t i = 0; i < p->n_link; i++) {
		const struct policy_link *l = p->link[i];

		if (!l->interface) {
			policy_complain(
				r, POLICY_ERROR, p->file, l->mark,
				"link \"%s\" has no \"interface\": the gateway must know by "
				"which one its packets leave",
				l->name);
			continue;
		}
		if (l->direction == POLICY_INGRESS && l->backend == POLICY_BACKEND_MARK)
			policy_complain(
				r, POLICY_ERROR, p->file, l->mark,
				"link \"%s\" has \"direction: ingress\" and \"backend: "
				"mark\": where weir classifies what comes in by %s, it is "
				"past the kernel's classes for it; take \"backend: queue\" "
				"or \"backend: kernel\", or a link on the interface by which "
				"it goes on",
				l->name, policy_shown(l->interface).s);
		if (strlen(l->interface) >= IFNAMSIZ)
			policy_complain(r, POLICY_ERROR, p->file, l->mark,
					"interface \"%s\": a name has at most %d characters",
					policy_shown(l->interface).s, IFNAMSIZ - 1);
	}
	return r->errors == before ? 0 : -1;
}

uint32_t gateway_held_max(const struct gateway *g)
{
	return g->linear ? NFQ_LINEAR_HELD : HELD_MAX;
}

bool gateway_gso(const struct policy_link *l)
{
	return segment_whole(l);
}

uint64_t gateway_dscp(const struct policy *p)
{
	uint64_t set = 0;

	for (size_t i = 0; i < p->n_link; i++)
		for (size_t k = 0; k < p->link[i]->n_all; k++)
			if (p->link[i]->all[k]->set_dscp >= 0)
				set |= UINT64_C(1) << p->link[i]->all[k]->set_dscp;
	return set;
}

void gateway_keep_complaint(void *arg, enum policy_severity sev, const char *file,
			    struct policy_mark at, const char *text)
{
	struct gateway_complaint *c = arg;
	char line[1024];

	if (sev == POLICY_ERROR && !c->text[0]) {
		snprintf(c->text, sizeof(c->text), "%s:%d:%d: %s", file, at.line, at.col, text);
	} else if (sev == POLICY_WARNING && c->g && c->g->o.log) {
		/* however many there are: each is of another place */
		snprintf(line, sizeof(line), "%s:%d:%d: %s", file, at.line, at.col, text);
		c->g->o.log(c->g->o.arg, 4, line);
	}
}

struct engine *gateway_engine(const struct policy *p, const struct glink *to, char *err,
			      size_t errsize)
{
	struct gateway_complaint c = {0};
	struct policy_report r = {.fn = gateway_keep_complaint, .arg = &c};
	struct engine_opts o = {
		.only = to->link, .packets_max = to->held_max, .now = clock_now()};
	struct engine *e;

	memcpy(o.key, to->key, sizeof(o.key));
	e = engine_new(p, &o, &r);
	if (!e)
		fail_with(err, errsize, "link %s: %s", to->link->name,
			  c.text[0] ? c.text : strerror(ENOMEM));
	return e;
}

/* What the engine of a new queue is made with. */
static int set_up(const struct gateway *g, struct glink *to, char *err, size_t errsize)
{
	to->held_max = gateway_held_max(g);
	if (getrandom(to->key, sizeof(to->key), 0) != (ssize_t)sizeof(to->key))
		return fail_with(err, errsize, "random numbers: %s", strerror(errno));
	return 0;
}

/* The engine that was built for it, or a new one. */
static struct engine *first_engine(struct gateway *g, const struct policy *p, struct glink *to,
				   struct build_link *built, char *err, size_t errsize)
{
	struct engine *e;

	if (!built || !built->engine)
		return set_up(g, to, err, errsize) ? NULL : gateway_engine(p, to, err, errsize);
	to->held_max = built->held_max;
	memcpy(to->key, built->key, sizeof(to->key));
	e = built->engine;
	built->engine = NULL;
	return e;
}

/*
 * A link's two queues, with numbers in a row: what came by `first` is read before what came by
 * the other. 0, or -1 with nothing left.
 */
static int open_queues(const struct glink *to, struct worker_conf *w, char *err, size_t errsize)
{
	struct nfq_conf q = {.number = to->queue,
			     .gso = gateway_gso(to->link),
			     .maxlen = to->held_max + ON_THE_WAY,
			     /* what is not read is lost at the tail, early and seen; the
			      * kernel doubles this */
			     .rcvbuf = ON_THE_WAY * NFQ_PER_HEADER / 2};

	w->queue = nfq_open(&q, err, errsize);
	if (!w->queue)
		return -1;
	q.number = to->first;
	w->first = nfq_open(&q, err, errsize);
	if (w->first)
		return 0;
	nfq_close(w->queue);
	w->queue = NULL;
	return -1;
}

/* Queues, engine, worker; of a link whose interface was looked at. */
static int open_worker(struct gateway *g, const struct policy *p, struct glink *to,
		       struct build_link *built, char *err, size_t errsize)
{
	const struct policy_link *l = to->link;
	struct worker_conf w = {.policy = p,
				.link = l,
				.classid = gkernel_classids(l, &to->tc),
				.alarm = g->alarm};
	uint16_t from = g->o.queue_from ? g->o.queue_from : GATEWAY_QUEUE_FROM;
	int number = nfq_free_numbers(from, 2);

	if (number < 0)
		return fail_with(err, errsize, "link %s: no free queue number from %u on: %s",
				 l->name, from, strerror(errno));
	to->queue = (uint16_t)number;
	to->first = (uint16_t)(number + 1);
	w.engine = first_engine(g, p, to, built, err, errsize);
	if (!w.engine)
		return -1;
	w.held_max = to->held_max;
	w.mtu = to->iface.there ? to->iface.mtu : MTU_USUAL;
	if (!open_queues(to, &w, err, errsize))
		to->worker = worker_new(&w, err, errsize);
	if (to->worker)
		return 0;
	nfq_close(w.queue);
	nfq_close(w.first);
	engine_free(w.engine);
	return -1;
}

int gateway_protect(const struct gateway *g, struct glink *to, char *err, size_t errsize)
{
	struct protect p;

	if (protect_build(&p, to->link))
		return fail_with(err, errsize, "link %s: %s", to->link->name, strerror(ENOMEM));
	to->first_rules = rules_protect(g->rules) ? (unsigned)p.n_rule : 0;
	to->untold = rules_protect(g->rules) ? p.untold : p.promised;
	protect_free(&p);
	return 0;
}

int gateway_link_open(struct gateway *g, const struct policy *p, const struct policy_link *l,
		      struct glink *to, struct build_link *built, struct policy_report *r,
		      char *err, size_t errsize)
{
	*to = (struct glink){.link = l};
	if (gateway_ifaces(to, err, errsize))
		return -1;
	if (gkernel_prepare(g, p, l, &to->iface, &to->tc, r, err, errsize))
		return -1;
	if (!gateway_has_queue(l) || (!gateway_protect(g, to, err, errsize) &&
				      !open_worker(g, p, to, built, err, errsize)))
		return 0;
	gkernel_forget(&to->tc);
	return -1;
}

void gateway_link_close(struct glink *l)
{
	worker_free(l->worker);
	gateway_serve_end(l);
	gkernel_forget(&l->tc);
	gateway_free_texts(l->warning, l->n_warning);
	gateway_free_texts(l->accepted, l->n_accepted);
	*l = (struct glink){0};
}

/* What goes to the queue of each that is read first; v[i].protect is in p. */
static int protect(const struct glink *link, size_t n, struct rule_link *v, struct protect *p)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (!link[i].worker)
			continue;
		if (protect_build(&p[k], link[i].link))
			return -1;
		v[k].protect = &p[k];
		k++;
	}
	return 0;
}

/* Rules for each interface of these links; how many. */
static size_t each_interface(const struct glink *link, size_t n, const struct rule_link *v,
			     struct rule_link *all)
{
	size_t k = 0, queues = 0;

	for (size_t i = 0; i < n; i++) {
		if (!link[i].worker)
			continue;
		for (size_t m = 0; m < policy_interfaces(link[i].link); m++) {
			all[k] = v[queues];
			all[k++].interface = policy_interface(link[i].link, m);
		}
		queues++;
	}
	return k;
}

int gateway_rules(struct gateway *g, const struct glink *link, size_t n, char *err,
		  size_t errsize)
{
	struct rule_link *v = calloc(n + 1, sizeof(*v));
	struct rule_link *all = calloc(n * POLICY_INTERFACES_MAX + 1, sizeof(*all));
	const struct policy_link **claim = calloc(n + 1, sizeof(const struct policy_link *));
	struct protect *p = calloc(n + 1, sizeof(*p));
	size_t queues = 0;
	int failed = !v || !all || !claim || !p;

	for (size_t i = 0; i < n && !failed; i++) {
		assert(link[i].link);
		claim[i] = link[i].link;
		if (link[i].worker)
			v[queues++] = (struct rule_link){
				.queue = link[i].queue,
				.first = link[i].first,
				.direction = link[i].link->direction,
				.shed_rate = shed_rate(link[i].link->rate.bps),
			};
	}
	failed = failed || protect(link, n, v, p) || rules_claim(g->rules, claim, n)
			 ? fail_with(err, errsize, "%s", strerror(ENOMEM))
			 : rules_set(g->rules, all, each_interface(link, n, v, all), g->dscp,
				     err, errsize);
	for (size_t i = 0; p && i < n; i++)
		protect_free(&p[i]);
	free(p);
	free(v);
	free(all);
	free(claim);
	return failed;
}

/* Queues with their threads, and what is to be told to the kernel. */
/*
 * What `weir tc apply` made goes on by itself: beside a queue on the same way its packets would
 * be shaped twice. What a killed gateway left is no reason not to start: it is told (around.h).
 */
static int not_applied(const struct policy *p, char *err, size_t errsize)
{
	struct tc_applied a;
	char ignored[256];
	int failed = 0;

	if (tc_applied_read(&a, ignored, sizeof(ignored)))
		return 0;
	for (size_t i = 0; !failed && i < a.n; i++)
		for (size_t k = 0; !failed && k < p->n_link; k++) {
			const struct tc_applied_link *t = &a.v[i];
			const struct policy_link *l = p->link[k];

			if (l->backend != POLICY_BACKEND_QUEUE ||
			    l->direction != t->direction ||
			    !policy_has_interface(l, t->interface) ||
			    tc_there(t->interface, t->direction, ignored, sizeof(ignored)) != 1)
				continue;
			failed = fail_with(err, errsize,
					   "link %s: the kernel shapes %s already, by \"weir "
					   "tc apply %s\", "
					   "and packets would be shaped twice: \"weir tc "
					   "remove %s\" first, "
					   "or \"backend: kernel\"",
					   l->name, t->interface, t->policy, t->policy);
		}
	tc_applied_free(&a);
	return failed;
}

static int open_links(struct gateway *g, char *err, size_t errsize)
{
	const struct policy *p = g->policy;
	struct gateway_complaint c = {.g = g};
	struct policy_report r = {.fn = gateway_keep_complaint, .arg = &c};

	err[0] = '\0';
	for (g->n_link = 0; g->n_link < p->n_link; g->n_link++)
		if (gateway_link_open(g, p, p->link[g->n_link], &g->link[g->n_link], NULL, &r,
				      err, errsize))
			return err[0] ? -1 : fail_with(err, errsize, "%s", c.text);
	for (size_t i = 0; i < g->n_link; i++)
		if (g->link[i].worker && worker_start(g->link[i].worker, err, errsize))
			return -1;
	for (size_t i = 0; i < g->n_link; i++)
		if (gkernel_apply(g, g->link[i].link, &g->link[i].tc, err, errsize))
			return -1;
	return 0;
}

bool gateway_any_in_kernel(const struct policy *p)
{
	for (size_t i = 0; i < p->n_link; i++)
		if (gateway_in_kernel(p->link[i]))
			return true;
	return false;
}

/* All of what gateway_open() is made of that can fail. */
static int open_all(struct gateway *g, bool *second, char *err, size_t errsize)
{
	const struct policy *p = g->policy;

	if (not_applied(p, err, errsize))
		return -1;
	g->ifwatch = ifwatch_open(err, errsize);
	if (!g->ifwatch)
		return -1;
	g->rules = rules_open(second, err, errsize);
	if (!g->rules)
		return -1;
	g->link = calloc(p->n_link, sizeof(*g->link));
	if (!g->link)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	if (open_links(g, err, errsize))
		return -1;
	g->dscp = gateway_dscp(p);
	if (gateway_sets_follow(g, err, errsize))
		return -1;
	/* last: from here on packets come */
	return gateway_rules(g, g->link, g->n_link, err, errsize);
}

/* The same, alone with the kernel's traffic control where that is changed. */
static int open_alone(struct gateway *g, bool *second, char *err, size_t errsize)
{
	bool lock = gateway_any_in_kernel(g->policy);
	int failed;

	if (lock && gkernel_lock(g, GKERNEL_WAIT, err, errsize))
		return -1;
	failed = open_all(g, second, err, errsize);
	if (lock)
		gkernel_unlock(g);
	return failed;
}

struct gateway *gateway_open(const struct gateway_opts *o, bool *second, char *err,
			     size_t errsize)
{
	struct gateway *g = calloc(1, sizeof(*g));

	*second = false;
	if (!g) {
		fail_with(err, errsize, "%s", strerror(ENOMEM));
		return NULL;
	}
	g->o = *o;
	g->policy = o->policy;
	g->started = clock_now();
	g->quiet = calloc(1, sizeof(*g->quiet)); /* without it all is said */
	g->generation = 1;
	g->intact = true;
	g->linear = !nfq_kernel_hashes(NULL);
	/* without it nothing is shed, and that is all */
	g->alarm = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (open_alone(g, second, err, errsize)) {
		g->policy = NULL; /* stays the caller's */
		gateway_close(g);
		return NULL;
	}
	g->open = true;
	for (size_t i = 0; i < g->n_link; i++) {
		assert(g->link[i].link);
		gkernel_silence(g, g->link[i].link);
		gateway_tell_missing(g, &g->link[i]);
		gateway_look(g, &g->link[i]);
	}
	g->looked = clock_now();
	return g;
}

/* Programmed at the start, removed at the end; a start that failed takes back what it did. */
static void end_in_kernel(struct gateway *g, struct glink *l)
{
	if (!gateway_in_kernel(l->link))
		return;
	if (g->open)
		gkernel_remove(g, l->link, &l->tc);
	else
		gkernel_revert(g, l->link, &l->tc, NULL);
}

/*
 * Everything of the gateway's goes from the kernel; that somebody has the lock too long is no
 * reason to leave it there.
 */
static void end_all_in_kernel(struct gateway *g)
{
	bool any = false, locked;
	char err[256];

	for (size_t i = 0; i < g->n_link; i++)
		any |= gateway_in_kernel(g->link[i].link);
	locked = any && !gkernel_lock(g, GKERNEL_WAIT, err, sizeof(err));
	if (any && !locked)
		gateway_say(g, 4, "%s: going on beside it", err);
	for (size_t i = 0; i < g->n_link; i++)
		end_in_kernel(g, &g->link[i]);
	gkernel_remove_tables(g);
	/* and with it what the gateway claims */
	if (g->rules)
		rules_close(g->rules);
	if (locked)
		gkernel_unlock(g);
}

void gateway_close(struct gateway *g)
{
	char err[256];

	/* which interface is where by now */
	if (g->open)
		gateway_event(g);
	/*
	 * No new packets first, and not by removing the chain: that would drop what is held.
	 * Then what is held is let go, and only then the table and the queues disappear.
	 */
	if (g->rules && g->n_link && rules_set(g->rules, NULL, 0, g->dscp, err, sizeof(err)))
		gateway_say(g, 3, "%s", err);
	if (g->open)
		rules_settle();
	for (size_t i = 0; i < g->n_link; i++)
		if (g->link[i].worker)
			worker_stop(g->link[i].worker);
	end_all_in_kernel(g);
	gateway_sets_end(g);
	for (size_t i = 0; i < g->n_link; i++)
		gateway_link_close(&g->link[i]);
	if (g->ifwatch)
		ifwatch_close(g->ifwatch);
	build_free(g->build);
	build_wait();
	gateway_say_unsaid(g, UINT64_MAX);
	free(g->quiet);
	policy_free(g->policy);
	if (g->alarm >= 0)
		close(g->alarm);
	free(g->link);
	free(g);
}
