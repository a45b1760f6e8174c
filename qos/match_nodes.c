/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/match_nodes.h"
#include "qos/match.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_MIN 16 /* classes; so few are sooner asked one by one */

/* Those that are not compiled take nothing, and are an error. */
static bool take_filters(struct filter_list *l, const struct policy_filters *f,
			 const struct policy *p, struct policy_report *r)
{
	if (f->n && !f->compiled) {
		policy_complain(r, POLICY_ERROR, p->file, f->v[0].mark,
				"filter \"%s\" is not compiled", policy_shown(f->v[0].text).s);
		return false;
	}
	*l = (struct filter_list){f->compiled, f->n};
	return true;
}

/* Puts a class and its descendants behind what is there. Depth: POLICY_DEPTH_MAX + 1. */
static bool add(struct match_nodes *s, const struct policy_class *c, const struct policy *p,
		struct policy_report *r)
{
	uint32_t me = (uint32_t)s->n_node++;
	struct match_node *n = &s->node[me];
	bool good = take_filters(&n->match, &c->match, p, r);

	n->class = c;
	n->dscp = c->dscp;
	n->beside = c->beside;
	n->criteria = c->match.n || c->dscp || c->beside;
	n->last = UINT32_MAX;
	n->hosts = c->isolation != POLICY_ISO_FLOWS || c->host_max.bps;
	memcpy(n->prefix, c->host_prefix, sizeof(n->prefix));
	n->dst_hosts =
		c->isolation == POLICY_ISO_DSTHOST || c->isolation == POLICY_ISO_DUAL_DSTHOST;
	for (size_t i = 0; i < c->n_child; i++) {
		if (c->child[i]->is_default)
			n->last = (uint32_t)s->n_node;
		good &= add(s, c->child[i], p, r);
	}
	n->skip = (uint32_t)s->n_node;
	if (c->n_child && n->last == UINT32_MAX) {
		policy_complain(r, POLICY_ERROR, p->file, c->mark,
				"none of the classes here is the default");
		good = false;
	}
	return good;
}

int match_nodes_build(struct match_nodes *s, const struct policy *p,
		      const struct policy_link *only, struct policy_report *r)
{
	size_t n = 0;
	bool good = true;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < p->n_link; i++)
		if (!only || p->link[i] == only)
			n += p->link[i]->n_all;
	s->node = calloc(n + 1, sizeof(*s->node));
	s->link = calloc(p->n_link + 1, sizeof(*s->link));
	if (!s->node || !s->link)
		return -1;
	for (size_t i = 0; i < p->n_link; i++) {
		struct match_link *l = &s->link[s->n_link];

		if (only && p->link[i] != only)
			continue;
		s->n_link++;
		l->link = p->link[i];
		l->root = (uint32_t)s->n_node;
		/* with `only` every packet is on that link, whatever its capture says */
		if (!only)
			good &= take_filters(&l->capture, &p->link[i]->capture, p, r);
		if (l->link->control.class)
			good &= take_filters(&l->control, &l->link->control.class->match, p, r);
		good &= add(s, p->link[i]->root, p, r);
	}
	return good ? 0 : 1;
}

/* Those with a DSCP or a mark cost next to nothing, and are left to the matcher. */
static bool index_child(struct match_node *parent, struct match_node *child, uint32_t number)
{
	child->varies = parent->below_varies;
	if (child->class->is_default && !child->criteria)
		return true; /* never tried */
	if (child->dscp || child->beside)
		return filter_index_always(parent->index, number);
	for (size_t i = 0; i < child->match.n; i++)
		parent->below_varies |= !child->match.v[i].per_flow;
	return filter_index_add(parent->index, &child->match, number);
}

bool match_nodes_index(struct match_nodes *s)
{
	for (size_t n = 0; n < s->n_node; n++) {
		struct match_node *node = &s->node[n];

		if (node->class->n_child < INDEX_MIN)
			continue;
		node->index = filter_index_new();
		if (!node->index)
			return false;
		for (uint32_t i = (uint32_t)n + 1; i < node->skip; i = s->node[i].skip)
			if (!index_child(node, &s->node[i], i))
				return false;
	}
	return true;
}

/* Whether a class of these links asks for it. */
static bool set_is_used(const struct policy *p, const struct policy_link *only,
			const struct policy_set *s)
{
	for (size_t i = 0; i < p->n_link; i++) {
		const struct policy_link *l = p->link[i];

		for (size_t k = 0; k < l->n_all && (!only || l == only); k++) {
			const struct policy_beside *b = l->all[k]->beside;

			for (size_t n = 0; b && n < b->n_set; n++)
				if (b->set[n].set == s)
					return true;
		}
	}
	return false;
}

const struct addrset **match_sets(const struct policy *p, const struct policy_link *only,
				  struct policy_report *r)
{
	const struct addrset **v = calloc(p->n_set + 1, sizeof(const struct addrset *));
	bool good = true;

	for (size_t i = 0; v && i < p->n_set; i++) {
		const struct policy_set *s = p->set[i];

		v[i] = s->addrs;
		if (s->addrs || !set_is_used(p, only, s))
			continue;
		good = false;
		policy_complain(
			r, POLICY_ERROR, p->file, s->at,
			s->nft ? "what the nft set \"%s\" holds is known on the host "
				 "alone: give a file of addresses for it, --set \"%s=FILE\""
			       : "the set \"%s\" was not read",
			policy_shown(s->text).s, policy_shown(s->text).s);
	}
	if (good)
		return v;
	free(v);
	return NULL;
}

unsigned match_asked(const struct policy_link *l)
{
	unsigned asked = 0;

	for (size_t i = 0; i < l->n_all; i++) {
		const struct policy_beside *b = l->all[i]->beside;

		if (!b)
			continue;
		asked |= b->n_mark ? DISSECT_KNOWS_MARK : 0;
		asked |= b->n_mac ? DISSECT_KNOWS_MAC : 0;
		asked |= b->n_in ? DISSECT_KNOWS_IN : 0;
	}
	return asked;
}

void match_nodes_free(struct match_nodes *s)
{
	for (size_t i = 0; i < s->n_node; i++)
		filter_index_free(s->node[i].index);
	free(s->node);
	free(s->link);
}
