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
 *
 * The classes are gone through as the matcher would; those that stand before the one
 * in question are a stack, so that ten thousand of them are not gathered anew for each.
 */
#include "qos/match.h"
#include "qos/match_nodes.h"

#include <stdlib.h>
#include <string.h>

#define ALL_DSCP UINT64_MAX
#define NO_NODE UINT32_MAX
#define LEVELS (POLICY_DEPTH_MAX + 1)

/* What may take a packet before the class in question does. */
struct rival {
	uint32_t node;
	uint64_t dscp; /* 0: any */
};

struct check {
	struct match_nodes s;
	const struct policy *p;
	struct policy_report *r;

	struct rival *rival;	    /* n_rival of them, those of outer levels first */
	struct filter_list *filter; /* beside them; with room for one more */
	struct filter_list *met;    /* room for as many */
	size_t n_rival, n_dscp;	    /* n_dscp: that ask for DSCPs */
	size_t level[LEVELS];	    /* where each level's rivals begin */
	size_t n_level;

	struct filter_list within[LEVELS]; /* the parents that must take a packet first */
	size_t n_within;
	uint64_t dscp; /* those that can come to the class in question at all */
};

/* With a filter that does not compile nobody knows what a class takes. */
static bool broken(struct filter_list l)
{
	for (size_t i = 0; i < l.n; i++)
		if (!l.v[i].prog.bf_insns)
			return true;
	return false;
}

/* DSCPs of `left` that no rival tells from its lowest one. */
static uint64_t alike(const struct check *c, uint64_t left)
{
	unsigned low = (unsigned)__builtin_ctzll(left);
	uint64_t same = left;

	for (size_t i = 0; c->n_dscp && i < c->n_rival; i++) {
		uint64_t set = c->rival[i].dscp;

		if (set)
			same &= (set >> low & 1) ? set : ~set;
	}
	return same;
}

/*
 * Of the rivals from..to-1 those that a packet with a DSCP of the group meets. Behind them is
 * room for one more if `to` is their end.
 */
static struct filter_list *meet(struct check *c, size_t from, size_t to, uint64_t group,
				size_t *n)
{
	*n = to - from;
	if (!c->n_dscp)
		return c->filter + from;
	*n = 0;
	for (size_t i = from; i < to; i++)
		if (!c->rival[i].dscp || (c->rival[i].dscp & group))
			c->met[(*n)++] = c->filter[i];
	return c->met;
}

/* Whether any packet comes to filters `self` past the rivals from..to-1. */
static bool comes(struct check *c, struct filter_list self, size_t from, size_t to)
{
	uint64_t left = c->dscp, group;

	for (; left; left &= ~group) {
		const struct filter_list *before;
		size_t n;

		group = alike(c, left);
		before = meet(c, from, to, group, &n);
		if (filter_reachable(&self, c->within, c->n_within, before, n, NULL, NULL) != 0)
			return true;
	}
	return false;
}

/* Whether any comes past all rivals, and past `earlier` filters of its own list as well. */
static bool adds(struct check *c, struct filter_list self, struct filter_list earlier)
{
	bool any;

	c->rival[c->n_rival] = (struct rival){.dscp = 0};
	c->filter[c->n_rival++] = earlier;
	any = comes(c, self, 0, c->n_rival);
	c->n_rival--;
	return any;
}

static struct policy_mark place(const struct match_node *n)
{
	if (n->class->match.n)
		return n->class->match.v[0].mark;
	return n->class->dscp ? n->class->dscp_mark : n->class->mark;
}

/* The rival that alone leaves nothing, the nearest level's first; n_rival: there is none. */
static size_t culprit(struct check *c, struct filter_list self)
{
	size_t end = c->n_rival;

	for (size_t k = c->n_level; k-- > 0; end = c->level[k])
		for (size_t i = c->level[k]; i < end; i++)
			if (!comes(c, self, i, i + 1))
				return i;
	return c->n_rival;
}

/* Says why nothing comes to a class. */
static void blame(struct check *c, const struct match_node *node)
{
	const char *name = node->class->name;
	size_t n_within = c->n_within, by;

	if (!comes(c, node->match, 0, 0)) {
		c->n_within = 0;
		c->dscp = ALL_DSCP;
		if (comes(c, node->match, 0, 0))
			policy_complain(c->r, POLICY_ERROR, c->p->file, place(node),
					"class \"%s\" can never match: \"%s\" above it takes "
					"nothing of it",
					name, node->class->parent->path);
		else
			policy_complain(c->r, POLICY_ERROR, c->p->file, place(node),
					"class \"%s\" can never match: no IP packet does",
					name);
		c->n_within = n_within;
		return;
	}
	by = culprit(c, node->match);
	if (by < c->n_rival)
		policy_complain(
			c->r, POLICY_ERROR, c->p->file, place(node),
			"class \"%s\" can never match: \"%s\" before it takes all of its "
			"traffic",
			name, c->s.node[c->rival[by].node].class->name);
	else
		policy_complain(
			c->r, POLICY_ERROR, c->p->file, place(node),
			"class \"%s\" can never match: the classes before it take all of its "
			"traffic",
			name);
}

/* Entries of a list that add nothing: harmless, but hardly what was meant. */
static void check_entries(struct check *c, const struct match_node *node)
{
	for (size_t i = 0; i < node->match.n; i++) {
		struct filter_list one = {node->match.v + i, 1}, earlier = {node->match.v, i};
		const struct policy_filter *text = &node->class->match.v[i];

		if (!comes(c, one, 0, c->n_rival))
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, text->mark,
				"\"%s\" can never match here: the classes above and before "
				"\"%s\" leave nothing of it",
				policy_shown(text->text).s, node->class->name);
		else if (i && !adds(c, one, earlier))
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, text->mark,
				"\"%s\" adds nothing: the entries before it match all of it",
				policy_shown(text->text).s);
	}
}

/*
 * Whether any packet comes to the node. above: the DSCPs that its parents let through. A
 * default takes what the others leave, too: its own criteria do not bound it.
 */
static bool check_node(struct check *c, const struct match_node *node, uint64_t above)
{
	const struct filter_list everything = {NULL, 0};

	if (broken(node->match))
		return true;
	if (node->class->is_default) {
		c->dscp = above;
		return comes(c, everything, 0, c->n_rival);
	}
	c->dscp = node->dscp ? above & node->dscp : above;
	if (!comes(c, node->match, 0, c->n_rival)) {
		blame(c, node);
		return false;
	}
	if (node->match.n > 1)
		check_entries(c, node);
	return true;
}

static void add_rival(struct check *c, uint32_t n)
{
	const struct match_node *node = &c->s.node[n];

	if (broken(node->match))
		return;
	c->n_dscp += node->dscp != 0;
	c->filter[c->n_rival] = node->match;
	c->rival[c->n_rival++] = (struct rival){n, node->dscp};
}

static void forget_rivals(struct check *c, size_t left)
{
	while (c->n_rival > left)
		c->n_dscp -= c->rival[--c->n_rival].dscp != 0;
}

static void check_below(struct check *c, uint32_t parent, uint64_t above);

/* A class, and its descendants unless nothing comes to them. */
static void check_class(struct check *c, uint32_t n, uint64_t above)
{
	const struct match_node *node = &c->s.node[n];
	bool bounds = !node->class->is_default;
	size_t n_within = c->n_within;

	if (!check_node(c, node, above) || match_node_leaf(&c->s, n))
		return;
	if (bounds && node->match.n && !broken(node->match))
		c->within[c->n_within++] = node->match;
	check_below(c, n, bounds && node->dscp ? above & node->dscp : above);
	c->n_within = n_within;
}

/* Depth: POLICY_DEPTH_MAX. */
static void check_below(struct check *c, uint32_t parent, uint64_t above)
{
	const struct match_node *node = c->s.node;
	size_t begin = c->n_rival;
	uint32_t last = NO_NODE;

	c->level[c->n_level++] = begin;
	for (uint32_t i = parent + 1; i < node[parent].skip; i = node[i].skip) {
		if (node[i].class->is_default && !node[i].criteria) {
			last = i;
			continue;
		}
		check_class(c, i, above);
		add_rival(c, i);
	}
	if (last != NO_NODE)
		check_class(c, last, above);
	c->n_level--;
	forget_rivals(c, begin);
}

/* Links whose `capture` is spoken for by those before. Only replay asks for it: a warning. */
static void check_captures(const struct check *c)
{
	for (size_t i = 1; i < c->s.n_link; i++) {
		const struct filter_list *mine = &c->s.link[i].capture;

		if (!mine->n || broken(*mine))
			continue;
		for (size_t k = 0; k < i; k++) {
			const struct match_link *l = &c->s.link[k];

			if (broken(l->capture) ||
			    filter_reachable(mine, NULL, 0, &l->capture, 1, NULL, NULL) != 0)
				continue;
			policy_complain(
				c->r, POLICY_WARNING, c->p->file,
				c->s.link[i].link->capture.v[0].mark,
				"link \"%s\" gets no packet of a capture: \"%s\" before it "
				"takes them all",
				c->s.link[i].link->name, l->link->name);
			break;
		}
	}
}

void match_check(const struct policy *p, struct policy_report *r)
{
	struct check c = {.p = p, .r = r};
	bool built = match_nodes_build(&c.s, p, NULL, r) >= 0;
	size_t n = built ? c.s.n_node + 1 : 1;

	c.rival = calloc(n, sizeof(*c.rival));
	c.filter = calloc(n, sizeof(*c.filter));
	c.met = calloc(n, sizeof(*c.met));
	if (built && c.rival && c.filter && c.met) {
		for (size_t i = 0; i < c.s.n_link; i++)
			check_below(&c, c.s.link[i].root, ALL_DSCP);
		check_captures(&c);
	} else {
		policy_complain(r, POLICY_ERROR, p->file, (struct policy_mark){0, 0},
				"out of memory");
	}
	free(c.rival);
	free(c.filter);
	free(c.met);
	match_nodes_free(&c.s);
}
