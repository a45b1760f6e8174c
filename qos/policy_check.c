/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is missing, out of place, or unwise in a link whose keys have been read. What
 * its rates cannot hold is in policy_check_rate.c; filters are not looked into here
 * (qos/match.h).
 */
#include "qos/policy_impl.h"

#include <stdlib.h>
#include <string.h>

struct policy_shown policy_label(const struct policy_class *c)
{
	struct policy_shown l;

	if (c->parent)
		snprintf(l.s, sizeof(l.s), "class \"%.240s\"", policy_shown(c->path).s);
	else if (c->link->name)
		snprintf(l.s, sizeof(l.s), "link \"%.240s\"", policy_shown(c->link->name).s);
	else
		snprintf(l.s, sizeof(l.s), "the link");
	return l;
}

struct policy_mark policy_key_mark(const struct class_draft *d, enum class_key k)
{
	return ytree_key_mark(d->map, policy_class_keys[k].name);
}

struct policy_mark policy_value_mark(const struct class_draft *d, enum class_key k)
{
	const struct ynode *v = ytree_get(d->map, policy_class_keys[k].name);

	return v ? v->at : d->map->at;
}

/* Written and readable. */
static bool has(const struct class_draft *d, enum class_key k)
{
	return d->seen & ~d->bad & BIT(k);
}

/* Neither written nor, as far as can be told, meant to be. */
static bool lacks(const struct class_draft *d, enum class_key k)
{
	return !((d->seen | d->bad) & BIT(k));
}

static int by_name(const void *a, const void *b)
{
	const struct policy_class *x = *(struct policy_class *const *)a;
	const struct policy_class *y = *(struct policy_class *const *)b;
	int c = strcmp(x->name ? x->name : "", y->name ? y->name : "");

	return c ? c : (x->index > y->index) - (x->index < y->index);
}

static void check_names(struct reader *rd, const struct policy_class *parent)
{
	struct policy_class **v;
	size_t first = 0;

	if (parent->n_child < 2)
		return;
	v = malloc(parent->n_child * sizeof(struct policy_class *));
	if (!v) {
		rd->no_memory = true;
		return;
	}
	memcpy(v, parent->child, parent->n_child * sizeof(struct policy_class *));
	qsort(v, parent->n_child, sizeof(struct policy_class *), by_name);
	for (size_t i = 1; i < parent->n_child; i++) {
		if (!v[i]->name || !v[first]->name || strcmp(v[i]->name, v[first]->name) != 0) {
			first = i;
			continue;
		}
		complain(rd, POLICY_ERROR,
			 policy_value_mark(&rd->link->draft[v[i]->index], CK_NAME),
			 "duplicate class name \"%s\" (first on line %d)",
			 policy_shown(v[i]->name).s,
			 policy_value_mark(&rd->link->draft[v[first]->index], CK_NAME).line);
	}
	free(v);
}

static void check_default(struct reader *rd, const struct class_draft *pd)
{
	const struct policy_class *parent = pd->c, *first = NULL;
	bool vague = pd->vague;

	for (size_t i = 0; i < parent->n_child; i++) {
		const struct policy_class *c = parent->child[i];
		const struct class_draft *d = &rd->link->draft[c->index];

		vague |= (d->bad & BIT(CK_DEFAULT)) != 0;
		if (!c->is_default)
			continue;
		if (first)
			complain(rd, POLICY_ERROR, policy_value_mark(d, CK_DEFAULT),
				 "a second default among the classes of %s (the first is "
				 "\"%s\")",
				 policy_label(parent).s,
				 first->name ? policy_shown(first->name).s : "?");
		else
			first = c;
	}
	if (!first && !vague)
		complain(rd, POLICY_ERROR, policy_key_mark(pd, CK_CLASSES),
			 "no default among the classes of %s: one needs \"default: true\"",
			 policy_label(parent).s);
}

/* What the parent's scheduler makes of weight and priority. */
static void check_place(struct reader *rd, const struct class_draft *d)
{
	const struct policy_class *c = d->c, *parent = c->parent;
	enum policy_scheduler s = parent->scheduler;

	if (rd->link->draft[parent->index].bad & BIT(CK_SCHEDULER))
		return;
	if (s == POLICY_SCHED_PRIORITY) {
		if (lacks(d, CK_PRIORITY))
			complain(rd, POLICY_ERROR, c->mark,
				 "%s needs \"priority\": %s schedules by priority",
				 policy_label(c).s, policy_label(parent).s);
	} else if (has(d, CK_PRIORITY)) {
		complain(rd, POLICY_WARNING, policy_key_mark(d, CK_PRIORITY),
			 "priority has no effect: the scheduler of %s is \"%s\", not "
			 "\"priority\"",
			 policy_label(parent).s, policy_scheduler_name(s));
	}
	if (!has(d, CK_WEIGHT) || c->weighs)
		return;
	if (s != POLICY_SCHED_PRIORITY)
		complain(rd, POLICY_WARNING, policy_key_mark(d, CK_WEIGHT),
			 "weight has no effect: the scheduler of %s is \"%s\", which has no "
			 "weights",
			 policy_label(parent).s, policy_scheduler_name(s));
	else if (has(d, CK_PRIORITY))
		complain(rd, POLICY_WARNING, policy_key_mark(d, CK_WEIGHT),
			 "weight has no effect: no other class of %s has priority %d",
			 policy_label(parent).s, (int)c->priority);
}

/* Keys that say how packets wait, where packets do not wait. */
static void check_inner(struct reader *rd, const struct class_draft *d)
{
	static const enum class_key leaf_only[] = {
		CK_QUEUE,	CK_LIMIT,    CK_TARGET,	   CK_INTERVAL, CK_FLOWS,
		CK_QUANTUM,	CK_ECN,	     CK_ISOLATION, CK_FLOW_MAX, CK_HOST_MAX,
		CK_HOST_PREFIX, CK_DEADLINE, CK_SET_DSCP,
	};

	for (size_t i = 0; i < sizeof(leaf_only) / sizeof(leaf_only[0]); i++)
		if (d->seen & BIT(leaf_only[i]))
			complain(rd, POLICY_ERROR, policy_key_mark(d, leaf_only[i]),
				 "%s is only for classes without classes below them",
				 policy_class_keys[leaf_only[i]].name);
}

static void check_queue(struct reader *rd, const struct class_draft *d)
{
	/* the simplest queue that knows a key */
	static const struct {
		enum class_key key;
		enum policy_queue least;
	} need[] = {
		{CK_TARGET, POLICY_QUEUE_CODEL},     {CK_INTERVAL, POLICY_QUEUE_CODEL},
		{CK_ECN, POLICY_QUEUE_CODEL},	     {CK_FLOWS, POLICY_QUEUE_FQ_CODEL},
		{CK_QUANTUM, POLICY_QUEUE_FQ_CODEL}, {CK_ISOLATION, POLICY_QUEUE_FQ_CODEL},
	};
	const struct policy_class *c = d->c;

	if (d->seen & BIT(CK_SCHEDULER))
		complain(rd, POLICY_ERROR, policy_key_mark(d, CK_SCHEDULER),
			 "scheduler is only for classes with classes below them, and %s has "
			 "none",
			 policy_label(c).s);
	if (d->bad & BIT(CK_QUEUE))
		return;
	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++)
		if ((d->seen & BIT(need[i].key)) && c->queue < need[i].least)
			complain(rd, POLICY_ERROR, policy_key_mark(d, need[i].key),
				 "%s is only for queue \"%sfq_codel\", and this one is \"%s\"",
				 policy_class_keys[need[i].key].name,
				 need[i].least == POLICY_QUEUE_CODEL ? "codel\" or \"" : "",
				 policy_queue_name(c->queue));
	if (c->queue != POLICY_QUEUE_FIFO && !(d->bad & (BIT(CK_TARGET) | BIT(CK_INTERVAL))) &&
	    c->interval < c->target)
		complain(rd, POLICY_WARNING,
			 policy_value_mark(d, has(d, CK_INTERVAL) ? CK_INTERVAL : CK_TARGET),
			 "interval is shorter than target: CoDel's interval is about a "
			 "round-trip "
			 "time, its target 5 to 10 %% of that");
	if (has(d, CK_HOST_PREFIX) && lacks(d, CK_HOST_MAX) && lacks(d, CK_ISOLATION))
		complain(rd, POLICY_WARNING, policy_key_mark(d, CK_HOST_PREFIX),
			 "host-prefix has no effect: %s has neither host-max nor isolation",
			 policy_label(c).s);
	if (has(d, CK_DEADLINE) && c->max_latency > c->deadline)
		complain(rd, POLICY_WARNING, policy_value_mark(d, CK_MAX_LATENCY),
			 "max-latency can never be missed: what waits longer than the deadline "
			 "is "
			 "dropped");
}

static void check_class(struct reader *rd, const struct class_draft *d)
{
	const struct policy_class *c = d->c;

	if (lacks(d, CK_NAME))
		complain(rd, POLICY_ERROR, c->mark, "a class needs \"name\"");
	/* a key that is none may have been meant for a criterion: one error, not two */
	if (!c->is_default && lacks(d, CK_MATCH) && lacks(d, CK_DSCP) && lacks(d, CK_MARK) &&
	    lacks(d, CK_MAC) && lacks(d, CK_IN_INTERFACE) && lacks(d, CK_SET) &&
	    !(d->bad & (BIT(CK_DEFAULT) | UNKNOWN_KEY)))
		complain(rd, POLICY_ERROR, c->mark,
			 "%s can never match: it has no criterion (match, dscp, mark, mac, "
			 "in-interface, set) and is not the default",
			 policy_label(c).s);
	if (has(d, CK_SET) && c->link->backend == POLICY_BACKEND_KERNEL)
		complain(rd, POLICY_ERROR, policy_key_mark(d, CK_SET),
			 "set needs backend \"queue\" or \"mark\": with \"kernel\" the kernel "
			 "classifies, and its filters do not know what a set holds");
	check_place(rd, d);
	if (lacks(d, CK_CLASSES))
		check_queue(rd, d);
	else
		check_inner(rd, d);
}

static struct policy_mark link_mark(const struct link_draft *d, enum link_key k)
{
	const struct ynode *v = ytree_get(d->map, policy_link_keys[k].name);

	return v ? v->at : d->map->at;
}

void policy_check_link(struct reader *rd)
{
	struct link_draft *ld = rd->link;
	struct policy_link *l = ld->l;
	static const enum link_key need[] = {LK_NAME, LK_RATE, LK_CLASSES};

	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++)
		if (!((ld->seen | ld->bad) & BIT(need[i])))
			complain(rd, POLICY_ERROR, l->mark, "a link needs \"%s\"",
				 policy_link_keys[need[i]].name);
	for (size_t i = 0; i < l->n_all; i++) {
		if (i)
			check_class(rd, &ld->draft[i]);
		if (l->all[i]->n_child) {
			check_names(rd, l->all[i]);
			check_default(rd, &ld->draft[i]);
		}
	}
	if (l->direction == POLICY_INGRESS && l->backend == POLICY_BACKEND_MARK &&
	    !(ld->bad & (BIT(LK_DIRECTION) | BIT(LK_BACKEND))))
		complain(rd, POLICY_WARNING, link_mark(ld, LK_BACKEND),
			 "weir run refuses backend \"mark\" with direction \"ingress\": where "
			 "it classifies, packets are past the kernel's classes for what comes "
			 "in");
	if (l->n_also && l->backend != POLICY_BACKEND_QUEUE && !(ld->bad & BIT(LK_BACKEND)))
		complain(rd, POLICY_ERROR, link_mark(ld, LK_INTERFACE),
			 "several interfaces need backend \"queue\": with \"%s\" the kernel's "
			 "classes share the rate of one interface; take \"queue\", or a link "
			 "for each interface",
			 policy_backend_name(l->backend));
	policy_check_rates(rd);
}

/* qsort() order of links by one of their names, equal ones in file order. */
static int by_link_name(const void *a, const void *b)
{
	const struct link_draft *x = *(const struct link_draft *const *)a;
	const struct link_draft *y = *(const struct link_draft *const *)b;
	int c = strcmp(x->l->name ? x->l->name : "", y->l->name ? y->l->name : "");

	return c ? c : (x > y) - (x < y);
}

/* What a link takes its packets from: an interface, one way. */
struct place {
	const struct link_draft *d;
	size_t i; /* of its interfaces */
	const char *name;
};

static int by_interface(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	c = c ? c : (int)x->d->l->direction - (int)y->d->l->direction;
	return c ? c : (x->d > y->d) - (x->d < y->d);
}

static struct policy_mark interface_mark(const struct place *p)
{
	const struct ynode *v = ytree_get(p->d->map, policy_link_keys[LK_INTERFACE].name);

	return v && v->kind == Y_LIST && p->i < v->n ? v->item[p->i]->at
						     : link_mark(p->d, LK_INTERFACE);
}

static void check_interfaces(struct reader *rd, const struct link_draft *d, size_t n)
{
	struct place *v;
	size_t all = 0, first = 0, k = 0;

	for (size_t i = 0; i < n; i++)
		all += policy_interfaces(d[i].l);
	v = calloc(all + 1, sizeof(*v));
	if (!v) {
		rd->no_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t m = 0; m < policy_interfaces(d[i].l); m++)
			v[k++] = (struct place){&d[i], m, policy_interface(d[i].l, m)};
	if (all)
		qsort(v, all, sizeof(*v), by_interface);
	for (size_t i = 1; i < all; i++) {
		const struct policy_link *a = v[first].d->l, *b = v[i].d->l;

		if (a != b && strcmp(v[first].name, v[i].name) == 0 &&
		    a->direction == b->direction &&
		    !((v[first].d->bad | v[i].d->bad) & BIT(LK_DIRECTION)))
			complain(rd, POLICY_ERROR, interface_mark(&v[i]),
				 "interface \"%s\" is already that of the link on line %d: a "
				 "packet that %s it can be on one link only",
				 policy_shown(v[i].name).s, a->mark.line,
				 b->direction == POLICY_INGRESS ? "comes in by" : "leaves by");
		else
			first = i;
	}
	free(v);
}

void policy_check_links(struct reader *rd, const struct link_draft *d, size_t n)
{
	const struct link_draft **v = calloc(n ? n : 1, sizeof(const struct link_draft *));
	size_t first = 0;

	if (!v) {
		rd->no_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		v[i] = &d[i];
	if (n)
		qsort(v, n, sizeof(const struct link_draft *), by_link_name);
	for (size_t i = 1; i < n; i++) {
		const char *a = v[first]->l->name, *b = v[i]->l->name;

		if (a && b && strcmp(a, b) == 0)
			complain(rd, POLICY_ERROR, link_mark(v[i], LK_NAME),
				 "duplicate link name \"%s\" (first on line %d)",
				 policy_shown(b).s, link_mark(v[first], LK_NAME).line);
		else
			first = i;
	}
	free(v);
	check_interfaces(rd, d, n);
}
