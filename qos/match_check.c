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
 * in question are a stack with an index for each level, so that ten thousand of them are
 * neither gathered nor asked anew for each.
 */
#include "qos/filter_index.h"
#include "qos/filter_words.h"
#include "qos/match.h"
#include "qos/match_nodes.h"

#include <stdlib.h>
#include <string.h>

#define ALL_DSCP UINT64_MAX
static const struct filter_list NO_FILTERS = {NULL, 0};
#define NO_NODE UINT32_MAX
#define TWIN_MAX 512 /* bytes of a filter that is suggested */
#define FILTER_ERR_MAX (PCAP_ERRBUF_SIZE + 400)
#define LEVELS (POLICY_DEPTH_MAX + 1)

/* What may take a packet before the class in question does. */
struct rival {
	uint32_t node;
	uint64_t dscp;			    /* 0: any */
	const struct policy_beside *beside; /* NULL: none */
	struct filter_list filter;	    /* n == 0: it takes all with such a DSCP */
};

struct check {
	struct match_nodes s;
	const struct policy *p;
	struct policy_report *r;

	struct rival *rival;	/* n_rival of them, those of outer levels first */
	size_t n_rival, n_dscp; /* n_dscp: that ask for DSCPs */
	struct {
		size_t begin; /* its first rival */
		struct filter_index *index;
	} level[LEVELS];
	size_t n_level;
	bool no_memory;

	struct filter_list within[LEVELS]; /* the parents that must take a packet first */
	size_t n_within;
	uint64_t dscp; /* those that can come to the class in question at all */
	/* what it and its parents ask for beside a packet's bytes */
	const struct policy_beside *beside[LEVELS + 1];
	size_t n_beside;
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

/* Stands for a rival that takes everything. */
static struct bpf_insn ACCEPT = BPF_STMT(BPF_RET | BPF_K, 1);
static const struct filter EVERYTHING = {.prog = {1, &ACCEPT}};

/* What stands before the class in question, for packets with the DSCPs of a group. */
struct before {
	const struct check *c;
	uint64_t group;
	struct filter_list earlier; /* of the class's own; n == 0: none */
};

/*
 * A rival that asks for what is not in a packet's bytes is in the way only of those that ask
 * for the same.
 */
static bool meets(const struct check *c, const struct rival *r, uint64_t group)
{
	if (r->dscp && !(r->dscp & group))
		return false;
	return !r->beside || policy_beside_covers(r->beside, c->beside, c->n_beside);
}

/* The filter of one level's rivals that takes a packet. */
static const struct filter *taker_of(const struct before *b, const struct filter_index *index,
				     const uint8_t *ip, uint32_t len, uint32_t caplen)
{
	struct filter_candidates candidates;
	uint32_t i;

	filter_index_ask(index, ip, caplen, &candidates);
	while ((i = filter_index_next(&candidates)) != FILTER_NONE) {
		const struct rival *r = &b->c->rival[i];
		const struct filter *f;

		if (!meets(b->c, r, b->group))
			continue;
		if (!r->filter.n)
			return &EVERYTHING;
		f = filter_list_taker(&r->filter, ip, len, caplen);
		if (f)
			return f;
	}
	return NULL;
}

static const struct filter *taker(void *arg, const uint8_t *ip, uint32_t len, uint32_t caplen)
{
	const struct before *b = arg;
	const struct filter *f = filter_list_taker(&b->earlier, ip, len, caplen);

	for (size_t k = b->c->n_level; k-- > 0 && !f;)
		f = taker_of(b, b->c->level[k].index, ip, len, caplen);
	return f;
}

/* Whether any packet comes to filters `self` past all rivals, and past `earlier` ones. */
static bool comes(const struct check *c, struct filter_list self, struct filter_list earlier)
{
	uint64_t left = c->dscp;

	while (left) {
		struct before b = {c, alike(c, left), earlier};
		const struct filter_rivals rivals = {taker, &b};

		if (filter_reachable_past(&self, c->within, c->n_within, &rivals, NULL, NULL) !=
		    0)
			return true;
		left &= ~b.group;
	}
	return false;
}

/* Whether any comes if there is only this rival; NULL: none. */
static bool comes_past(const struct check *c, struct filter_list self, const struct rival *r)
{
	uint64_t left = c->dscp, group;

	for (; left; left &= ~group) {
		group = alike(c, left);
		if (filter_reachable(&self, c->within, c->n_within, r ? &r->filter : NULL,
				     r && meets(c, r, group), NULL, NULL) != 0)
			return true;
	}
	return false;
}

static struct policy_mark place(const struct match_node *n)
{
	if (n->class->match.n)
		return n->class->match.v[0].mark;
	if (n->beside)
		return n->beside->at;
	return n->class->dscp ? n->class->dscp_mark : n->class->mark;
}

/* The rival that alone leaves nothing, the nearest level's first; NULL: there is none. */
static const struct rival *culprit(const struct check *c, struct filter_list self)
{
	size_t end = c->n_rival;

	for (size_t k = c->n_level; k-- > 0; end = c->level[k].begin)
		for (size_t i = c->level[k].begin; i < end; i++)
			if (!comes_past(c, self, &c->rival[i]))
				return &c->rival[i];
	return NULL;
}

/* Says why nothing comes to a class. */
static void blame(struct check *c, const struct match_node *node)
{
	const char *name = node->class->name;
	size_t n_within = c->n_within;
	const struct rival *by;

	if (!comes_past(c, node->match, NULL)) {
		c->n_within = 0;
		c->dscp = ALL_DSCP;
		if (comes_past(c, node->match, NULL))
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
	if (by)
		policy_complain(
			c->r, POLICY_ERROR, c->p->file, place(node),
			"class \"%s\" can never match: \"%s\" before it takes all of its "
			"traffic",
			name, c->s.node[by->node].class->name);
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

		if (!comes(c, one, NO_FILTERS))
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, text->mark,
				"\"%s\" can never match here: the classes above and before "
				"\"%s\" leave nothing of it",
				policy_shown(text->text).s, node->class->name);
		else if (i && !comes(c, one, earlier))
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, text->mark,
				"\"%s\" adds nothing: the entries before it match all of it",
				policy_shown(text->text).s);
	}
}

/* A list for IPv6, by its words, that takes something of a protocol there. */
static bool serves_v6(const struct policy_filters *f, const struct filter_list *proto6)
{
	for (size_t i = 0; f->compiled && i < f->n; i++) {
		struct filter_list one = {&f->compiled[i], 1};

		if (strstr(f->v[i].text, "ip6") && !broken(one) &&
		    filter_reachable(&one, proto6, 1, NULL, 0, NULL, NULL) != 0)
			return true;
	}
	return false;
}

/* The IPv6 packets that a class leaves go to a class of their own, or to the same by its list.
 */
static bool left_to_another(const struct match_node *node, unsigned proto)
{
	const struct policy_class *parent = node->class->parent;
	char text[32], err[FILTER_ERR_MAX];
	struct filter f;
	struct filter_list list = {&f, 1};
	bool found = false;

	snprintf(text, sizeof(text), "ip6[6] = %u", proto);
	if (filter_compile(&f, text, err, sizeof(err)))
		return true;
	for (size_t i = 0; i < parent->n_child && !found; i++)
		found = serves_v6(&parent->child[i]->match, &list);
	filter_free(&f);
	return found;
}

/* Filters that look into a header and so take no IPv6 packet, though they do not say so. */
static void check_family(const struct check *c, const struct match_node *node)
{
	char text[TWIN_MAX], err[FILTER_ERR_MAX];
	unsigned proto;

	for (size_t i = 0; i < node->match.n; i++) {
		const struct policy_filter *f = &node->class->match.v[i];
		struct filter twin;
		struct filter_list list = {&twin, 1};

		if (!filter_twin6(f->text, text, sizeof(text), &proto) ||
		    left_to_another(node, proto) ||
		    filter_compile(&twin, text, err, sizeof(err)))
			continue; /* that fails if it takes no IPv6 packet for another reason */
		if (filter_reachable(&list, c->within, c->n_within, &node->match, 1, NULL,
				     NULL) != 0)
			policy_complain(
				c->r, POLICY_WARNING, c->p->file, f->mark,
				"\"%s\" takes no IPv6 packet: libpcap looks for \"%s[\" "
				"behind an IPv4 header only. For IPv6 add \"%s\"",
				policy_shown(f->text).s,
				proto == 6    ? "tcp"
				: proto == 17 ? "udp"
					      : "sctp",
				text);
		filter_free(&twin);
	}
}

/*
 * Whether any packet comes to the node. above: the DSCPs that its parents let through. A
 * default takes what the others leave, too: its own criteria do not bound it.
 */
static bool check_node(struct check *c, const struct match_node *node, uint64_t above)
{
	if (broken(node->match))
		return true;
	if (node->class->is_default) {
		c->dscp = above;
		if (comes(c, NO_FILTERS, NO_FILTERS))
			return true;
		policy_complain(
			c->r, POLICY_WARNING, c->p->file, place(node),
			"class \"%s\" gets no packet: those before it take them all (the "
			"last of them could be the default)",
			node->class->name);
		return false;
	}
	c->dscp = node->dscp ? above & node->dscp : above;
	if (!comes(c, node->match, NO_FILTERS)) {
		blame(c, node);
		return false;
	}
	if (node->match.n > 1)
		check_entries(c, node);
	check_family(c, node);
	return true;
}

static void add_rival(struct check *c, uint32_t n)
{
	const struct match_node *node = &c->s.node[n];

	if (broken(node->match))
		return;
	c->n_dscp += node->dscp != 0;
	if (!filter_index_add(c->level[c->n_level - 1].index, &node->match,
			      (uint32_t)c->n_rival))
		c->no_memory = true;
	c->rival[c->n_rival++] = (struct rival){n, node->dscp, node->beside, node->match};
}

static bool begin_level(struct check *c)
{
	struct filter_index *index = filter_index_new();

	if (!index) {
		c->no_memory = true;
		return false;
	}
	c->level[c->n_level].begin = c->n_rival;
	c->level[c->n_level++].index = index;
	return true;
}

static void end_level(struct check *c)
{
	c->n_level--;
	while (c->n_rival > c->level[c->n_level].begin)
		c->n_dscp -= c->rival[--c->n_rival].dscp != 0;
	filter_index_free(c->level[c->n_level].index);
}

static bool over(const struct check *c)
{
	return c->no_memory || policy_stopped(c->r);
}

static void check_below(struct check *c, uint32_t parent, uint64_t above);

/* What is below a class. */
static void check_inside(struct check *c, uint32_t n, uint64_t above)
{
	const struct match_node *node = &c->s.node[n];
	bool bounds = !node->class->is_default;

	if (bounds && node->match.n && !broken(node->match))
		c->within[c->n_within++] = node->match;
	check_below(c, n, bounds && node->dscp ? above & node->dscp : above);
}

/* A class, and its descendants unless nothing comes to them. */
static void check_class(struct check *c, uint32_t n, uint64_t above)
{
	const struct match_node *node = &c->s.node[n];
	bool bounds = !node->class->is_default;
	size_t n_within = c->n_within, n_beside = c->n_beside;

	if (bounds && node->beside)
		c->beside[c->n_beside++] = node->beside;
	if (check_node(c, node, above) && !match_node_leaf(&c->s, n))
		check_inside(c, n, above);
	c->n_within = n_within;
	c->n_beside = n_beside;
}

/* Depth: POLICY_DEPTH_MAX. */
static void check_below(struct check *c, uint32_t parent, uint64_t above)
{
	const struct match_node *node = c->s.node;
	uint32_t last = NO_NODE;

	if (!begin_level(c))
		return;
	for (uint32_t i = parent + 1; i < node[parent].skip && !over(c); i = node[i].skip) {
		if (node[i].class->is_default && !node[i].criteria) {
			last = i;
			continue;
		}
		check_class(c, i, above);
		add_rival(c, i);
	}
	if (last != NO_NODE && !over(c))
		check_class(c, last, above);
	end_level(c);
}

/* What a capture says beside the packets' bytes is not looked at here. */
static bool asks_way(const struct filter_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].way.set)
			return true;
	return false;
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

			if (broken(l->capture) || asks_way(&l->capture) ||
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
	c.no_memory = !built || !c.rival;
	for (size_t i = 0; i < c.s.n_link && !over(&c); i++)
		check_below(&c, c.s.link[i].root, ALL_DSCP);
	if (!over(&c))
		check_captures(&c);
	else
		policy_complain(r, POLICY_ERROR, p->file, (struct policy_mark){0, 0}, "%s",
				c.no_memory ? "out of memory" : "stopped");
	free(c.rival);
	match_nodes_free(&c.s);
}
