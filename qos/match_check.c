/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check behind `weir check`: classes, and entries of a `match` list, that can
 * never match.
 *
 * A packet reaches a class when all its ancestors took it and no sibling before the
 * class, nor before any of the ancestors, did. DSCPs are taken one by one, exactly:
 * for one DSCP, the siblings that ask for others are out of the way, and those that
 * ask for this one stand there with their filters only. DSCPs that the classes in
 * question do not tell apart are one question.
 */
#include "qos/match.h"
#include "qos/match_nodes.h"

#include <stdlib.h>
#include <string.h>

#define ALL_DSCP UINT64_MAX

/* The rivals of one class, and the parents that must take a packet first. */
struct question {
	const struct match_nodes *s;
	uint32_t *before, *within;
	size_t n_before, n_within;
	uint64_t dscp; /* those that can come here at all */
	struct filter_list *b, *w;
	const struct filter **ptr; /* what the lists point to */
};

struct check {
	struct match_nodes s;
	const struct policy *p;
	struct policy_report *r;
	uint32_t *parent; /* of each node; UINT32_MAX: none */
	struct question q;
};

static struct filter_list list_of(const struct match_filters *f, const struct filter **ptr)
{
	for (size_t i = 0; i < f->n; i++)
		ptr[i] = &f->v[i];
	return (struct filter_list){ptr, f->n};
}

/* DSCPs of `left` that no rival tells from its lowest one. */
static uint64_t alike(const struct question *q, uint64_t left)
{
	unsigned low = (unsigned)__builtin_ctzll(left);
	uint64_t same = left;

	for (size_t i = 0; i < q->n_before; i++) {
		uint64_t set = q->s->node[q->before[i]].dscp;

		if (set)
			same &= (set >> low & 1) ? set : ~set;
	}
	return same;
}

/*
 * Whether any packet comes to filters `self` past the rivals from..to-1 of the
 * question, with `extra` more filters of its own list in the way.
 */
static bool comes(const struct question *q, struct filter_list self, size_t from, size_t to,
		  struct filter_list extra)
{
	uint64_t left = q->dscp, group;

	for (; left; left &= ~group) {
		const struct filter **ptr = q->ptr;
		size_t n = 0;
		bool swallowed = false;

		group = alike(q, left);
		for (size_t i = 0; i < q->n_within; i++) {
			q->w[i] = list_of(&q->s->node[q->within[i]].match, ptr);
			ptr += q->w[i].n;
		}
		for (size_t i = from; i < to; i++) {
			const struct match_node *node = &q->s->node[q->before[i]];

			if (node->dscp && !(node->dscp & group))
				continue;
			swallowed |= !node->match.n;
			q->b[n] = list_of(&node->match, ptr);
			ptr += q->b[n++].n;
		}
		if (swallowed)
			continue;
		if (extra.n)
			q->b[n++] = extra;
		if (filter_reachable(&self, q->w, q->n_within, q->b, n, NULL, NULL) != 0)
			return true;
	}
	return false;
}

static const struct filter_list NO_EXTRA = {NULL, 0};

/* Rivals among the siblings of `n`: those before it; all others when it is taken last. */
static void add_rivals(struct check *c, uint32_t n)
{
	const struct match_node *node = c->s.node;
	uint32_t parent = c->parent[n];
	bool last = node[n].class->is_default && !node[n].criteria;

	for (uint32_t i = parent + 1; i < node[parent].skip; i = node[i].skip) {
		if (i == n) {
			if (!last)
				break;
			continue;
		}
		if (node[i].class->is_default && !node[i].criteria)
			continue;
		/* with a filter that does not compile nobody knows what it takes */
		if (!node[i].match.broken)
			c->q.before[c->q.n_before++] = i;
	}
}

/* All that decides whether a packet comes to node n. */
static void ask(struct check *c, uint32_t n)
{
	struct question *q = &c->q;

	q->n_before = q->n_within = 0;
	q->dscp = c->s.node[n].dscp ? c->s.node[n].dscp : ALL_DSCP;
	for (uint32_t i = n; c->parent[i] != UINT32_MAX; i = c->parent[i]) {
		const struct match_node *node = &c->s.node[i];

		add_rivals(c, i);
		if (i == n || node->class->is_default)
			continue; /* a default takes what the others leave, too */
		if (node->dscp)
			q->dscp &= node->dscp;
		if (node->match.n && !node->match.broken)
			q->within[q->n_within++] = i;
	}
}

static struct policy_mark place(const struct match_node *n)
{
	if (n->class->match.n)
		return n->class->match.v[0].mark;
	return n->class->dscp ? n->class->dscp_mark : n->class->mark;
}

/* Says why nothing comes to a class. */
static void blame(struct check *c, uint32_t n, struct filter_list self)
{
	const struct match_node *node = &c->s.node[n];
	struct question *q = &c->q;
	const char *name = node->class->name;
	size_t n_within = q->n_within;

	if (!comes(q, self, 0, 0, NO_EXTRA)) {
		q->n_within = 0;
		q->dscp = ALL_DSCP;
		if (comes(q, self, 0, 0, NO_EXTRA))
			policy_complain(c->r, POLICY_ERROR, c->p->file, place(node),
					"class \"%s\" can never match: \"%s\" above it takes "
					"nothing of it",
					name, c->s.node[c->parent[n]].class->path);
		else
			policy_complain(c->r, POLICY_ERROR, c->p->file, place(node),
					"class \"%s\" can never match: no IP packet does",
					name);
		q->n_within = n_within;
		return;
	}
	for (size_t i = 0; i < q->n_before; i++) {
		if (comes(q, self, i, i + 1, NO_EXTRA))
			continue;
		policy_complain(
			c->r, POLICY_ERROR, c->p->file, place(node),
			"class \"%s\" can never match: \"%s\" before it takes all of its "
			"traffic",
			name, c->s.node[q->before[i]].class->name);
		return;
	}
	policy_complain(c->r, POLICY_ERROR, c->p->file, place(node),
			"class \"%s\" can never match: the classes before it take all of its "
			"traffic",
			name);
}

/* Entries of a list that add nothing: harmless, but hardly what was meant. */
static void check_entries(struct check *c, const struct match_node *node,
			  struct filter_list self)
{
	struct question *q = &c->q;

	for (size_t i = 0; i < self.n; i++) {
		struct filter_list one = {self.v + i, 1}, earlier = {self.v, i};
		const struct policy_filter *text = &node->match.text->v[i];

		if (!comes(q, one, 0, q->n_before, NO_EXTRA))
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, text->mark,
				"\"%s\" can never match here: the classes above and before "
				"\"%s\" leave nothing of it",
				policy_shown(text->text).s, node->class->name);
		else if (i && !comes(q, one, 0, q->n_before, earlier))
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, text->mark,
				"\"%s\" adds nothing: the entries before it match all of it",
				policy_shown(text->text).s);
	}
}

/* Returns whether any packet comes to the node; if none, its descendants need no check. */
static bool check_node(struct check *c, uint32_t n)
{
	const struct match_node *node = &c->s.node[n];
	const struct filter **own;
	struct filter_list self;
	bool ok;

	if (c->parent[n] == UINT32_MAX || node->match.broken)
		return true;
	own = calloc(node->match.n + 1, sizeof(*own));
	if (!own)
		return true;
	ask(c, n);
	self = list_of(&node->match, own);
	if (node->class->is_default) {
		self.n = 0; /* what it has no criterion for comes to it last */
		c->q.dscp |= node->dscp ? ~node->dscp : 0;
	}
	ok = comes(&c->q, self, 0, c->q.n_before, NO_EXTRA);
	if (!ok && !node->class->is_default)
		blame(c, n, self);
	else if (ok && self.n > 1)
		check_entries(c, node, self);
	free(own);
	return ok;
}

static void check_link(struct check *c, const struct match_link *l)
{
	uint32_t end = c->s.node[l->root].skip, n = l->root;

	while (n < end)
		n = check_node(c, n) ? n + 1 : c->s.node[n].skip;
}

/* Links whose `capture` is spoken for by those before. Only replay asks for it: a warning. */
static void check_captures(struct check *c)
{
	for (size_t i = 1; i < c->s.n_link; i++) {
		const struct match_filters *mine = &c->s.link[i].capture;
		struct filter_list self, before;

		if (!mine->n || mine->broken)
			continue;
		self = list_of(mine, c->q.ptr);
		for (size_t k = 0; k < i; k++) {
			const struct match_link *l = &c->s.link[k];

			before = list_of(&l->capture, c->q.ptr + mine->n);
			if (l->capture.broken ||
			    filter_reachable(&self, NULL, 0, &before, 1, NULL, NULL) != 0)
				continue;
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, mine->text->v[0].mark,
				"link \"%s\" gets no packet of a capture: \"%s\" before it "
				"takes them all",
				c->s.link[i].link->name, l->link->name);
			break;
		}
	}
}

static void find_parents(struct check *c)
{
	for (size_t i = 0; i < c->s.n_link; i++)
		c->parent[c->s.link[i].root] = UINT32_MAX;
	for (uint32_t n = 0; n < c->s.n_node; n++)
		for (uint32_t k = n + 1; k < c->s.node[n].skip; k = c->s.node[k].skip)
			c->parent[k] = n;
}

static size_t count_filters(const struct match_nodes *s)
{
	size_t n = 1;

	for (size_t i = 0; i < s->n_node; i++)
		n += s->node[i].match.n;
	for (size_t i = 0; i < s->n_link; i++)
		n += s->link[i].capture.n;
	return n;
}

void match_check(const struct policy *p, struct policy_report *r)
{
	struct check c = {.p = p, .r = r};
	struct question *q = &c.q;
	bool built = match_nodes_build(&c.s, p, NULL, r) >= 0;
	size_t n = built ? c.s.n_node + 1 : 1;

	q->s = &c.s;
	c.parent = calloc(n, sizeof(*c.parent));
	q->before = calloc(n, sizeof(*q->before));
	q->within = calloc(n, sizeof(*q->within));
	q->b = calloc(n, sizeof(*q->b));
	q->w = calloc(n, sizeof(*q->w));
	q->ptr = calloc(built ? count_filters(&c.s) : 1, sizeof(*q->ptr));
	if (built && c.parent && q->before && q->within && q->b && q->w && q->ptr) {
		find_parents(&c);
		for (size_t i = 0; i < c.s.n_link; i++)
			check_link(&c, &c.s.link[i]);
		check_captures(&c);
	} else {
		policy_complain(r, POLICY_ERROR, p->file, (struct policy_mark){0, 0},
				"out of memory");
	}
	free(c.parent);
	free(q->before);
	free(q->within);
	free(q->b);
	free(q->w);
	free(q->ptr);
	match_nodes_free(&c.s);
}
