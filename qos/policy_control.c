/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of its own for what a link hangs on (qos/link_control.h): its keys, its defaults, and
 * the class that it is. That class is the last of the link's and below its root, but not among
 * the root's children: no scheduler shares with it, and no packet comes to it by their
 * criteria.
 */
#include <stdlib.h>
#include <string.h>

#include "qos/link_control.h"
#include "qos/policy_impl.h"

#define RATE_SHARE 100u	       /* of the link's rate, where none is written */
#define RATE_LEAST 64000u      /* bit/s, but no more than ... */
#define RATE_LEAST_SHARE 10u   /* ... so much of the link's */
#define LIMIT_BURSTS 2u	       /* that may wait */
#define LIMIT_PACKET_BYTES 64u /* as policy_fill.c counts limits in bytes */
#define LIMIT_PACKETS_LEAST 16u

static bool add(struct reader *rd, struct policy_control *c, const char *text,
		const struct control_kind *kind, struct policy_mark mark)
{
	size_t n = c->match.n;
	struct policy_filter *v = realloc(c->match.v, (n + 1) * sizeof(*v));
	const struct control_kind **k = realloc(c->kind, (n + 1) * sizeof(*k));

	/* each is the list's from here on, whatever became of the other */
	if (v)
		c->match.v = v;
	if (k)
		c->kind = k;
	if (!v || !k) {
		rd->no_memory = true;
		return false;
	}
	c->match.v[n] = (struct policy_filter){.mark = mark};
	c->kind[n] = kind;
	if (!value_keep(rd, &c->match.v[n].text, text))
		return false;
	c->match.n++;
	return true;
}

static bool one_control(struct reader *rd, const struct policy_key *k, const struct ynode *v,
			void *obj)
{
	struct policy_control *c = &((struct policy_link *)obj)->control;
	const char *s = value_scalar(rd, k, v);
	const struct control_kind *kind = s ? control_find(s) : NULL;

	if (!s)
		return false;
	if (strlen(s) > POLICY_FILTER_MAX) {
		complain(rd, POLICY_ERROR, v->at, "%s is a filter longer than %d bytes",
			 k->name, POLICY_FILTER_MAX);
		return false;
	}
	if (!strcmp(s, "none")) {
		complain(rd, POLICY_ERROR, v->at, "%s \"none\" stands alone", k->name);
		return false;
	}
	for (size_t i = 0; kind && i < c->match.n; i++)
		if (c->kind[i] == kind) {
			complain(rd, POLICY_ERROR, v->at, "%s has \"%s\" twice", k->name, s);
			return false;
		}
	return add(rd, c, kind ? kind->filter : s, kind, v->at);
}

bool value_control(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		   void *obj)
{
	struct policy_control *c = &((struct policy_link *)obj)->control;

	c->set = true;
	if (v->kind == Y_SCALAR && !v->bad && !strcmp(v->text, "none"))
		return true;
	return value_each(rd, k, v, obj, one_control);
}

/* All kinds, and a small part of the link. */
static bool defaults(struct reader *rd, struct policy_link *l)
{
	struct policy_control *c = &l->control;

	for (const struct control_kind *k = control_kinds; !c->set && k->name; k++)
		if (!add(rd, c, k->filter, k, l->mark))
			return false;
	return true;
}

static void set_rate(struct reader *rd, struct policy_link *l)
{
	struct policy_rate *rate = &l->control.rate;
	uint64_t least = l->rate.bps / RATE_LEAST_SHARE;

	if (rate->percent) {
		rate->bps = (uint64_t)((unsigned __int128)l->rate.bps * rate->percent / 10000);
	} else if (!rate->bps) {
		rate->bps = l->rate.bps / RATE_SHARE;
		least = least < RATE_LEAST ? least : RATE_LEAST;
		rate->bps = rate->bps > least ? rate->bps : least;
	} else if (rate->bps > l->rate.bps) {
		complain(rd, POLICY_ERROR, rate->mark,
			 "control-rate is more than the link's rate");
	}
	if (!rate->bps)
		rate->bps = 1;
}

/* Its class: the engine and the kernel know it as one of the link's. */
static struct policy_class *make_class(struct reader *rd, struct policy_link *l)
{
	struct policy_class *c = calloc(1, sizeof(*c));
	uint64_t burst = policy_default_burst(l, l->control.rate.bps);

	if (c) {
		c->name = strdup(POLICY_CONTROL_NAME);
		c->path = strdup(POLICY_CONTROL_NAME);
	}
	if (!c || !c->name || !c->path) {
		if (c) {
			free(c->name);
			free(c->path);
		}
		free(c);
		rd->no_memory = true;
		return NULL;
	}
	c->control = true;
	c->link = l;
	c->parent = l->root;
	c->mark = l->mark;
	c->index = (uint32_t)l->n_all;
	c->match = l->control.match; /* the class's from here on */
	l->control.match = (struct policy_filters){0};
	c->min = c->max = l->control.rate;
	c->min_bps = c->max.bps;
	c->burst = c->min_burst = c->max_burst = burst;
	c->weight = POLICY_WEIGHT_MAX;
	for (size_t i = 0; i < l->root->n_child; i++)
		if (l->root->child[i]->weight < c->weight)
			c->weight = l->root->child[i]->weight;
	c->set_dscp = -1;
	c->scheduler = POLICY_SCHED_WFQ;
	c->queue = POLICY_QUEUE_FIFO;
	c->limit.bytes = c->limit_bytes = LIMIT_BURSTS * burst;
	c->limit_packets = (uint32_t)(c->limit_bytes / LIMIT_PACKET_BYTES);
	if (c->limit_packets < LIMIT_PACKETS_LEAST)
		c->limit_packets = LIMIT_PACKETS_LEAST;
	return c;
}

void policy_control_build(struct reader *rd, bool bad)
{
	struct policy_link *l = rd->link->l;
	struct policy_class *c, **all;

	if (bad || !l->rate.bps || !l->root || !defaults(rd, l))
		return;
	if (!l->control.match.n) {
		if (l->control.rate.mark.line)
			complain(rd, POLICY_WARNING, l->control.rate.mark,
				 "control-rate has no effect: there is nothing in control");
		return;
	}
	for (size_t i = 0; i < l->root->n_child; i++)
		if (l->root->child[i]->name &&
		    !strcmp(l->root->child[i]->name, POLICY_CONTROL_NAME))
			complain(rd, POLICY_ERROR, l->root->child[i]->mark,
				 "class name \"%s\" is that of the link's own way (control): "
				 "take another name, or say \"control: none\"",
				 POLICY_CONTROL_NAME);
	set_rate(rd, l);
	all = realloc(l->all, (l->n_all + 1) * sizeof(struct policy_class *));
	if (!all) {
		rd->no_memory = true;
		return;
	}
	l->all = all;
	c = make_class(rd, l);
	if (c)
		l->control.class = l->all[l->n_all++] = c;
}
