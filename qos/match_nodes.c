/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/match_nodes.h"

#include <stdlib.h>
#include <string.h>

static void filters_free(struct match_filters *f)
{
	for (size_t i = 0; i < f->n; i++)
		filter_free(&f->v[i]);
	free(f->v);
}

static int filters_build(struct match_filters *f, const struct policy_filters *text,
			 const struct policy *p, struct policy_report *r)
{
	char err[PCAP_ERRBUF_SIZE + 160];

	f->text = text;
	f->n = text->n;
	if (!text->n)
		return 0;
	f->v = calloc(text->n, sizeof(*f->v));
	if (!f->v) {
		f->n = 0;
		return -1;
	}
	for (size_t i = 0; i < text->n; i++) {
		const struct policy_filter *t = &text->v[i];

		if (filter_compile(&f->v[i], t->text, err, sizeof(err)) == 0)
			continue;
		policy_complain(r, POLICY_ERROR, p->file, t->mark, "filter \"%s\": %s",
				policy_shown(t->text).s, err);
		f->broken = true;
	}
	return f->broken;
}

static void check_filters(const struct policy_filters *text, const struct policy *p,
			  struct policy_report *r)
{
	struct match_filters f = {0};

	filters_build(&f, text, p, r);
	filters_free(&f);
}

static void check_below(const struct policy_class *c, const struct policy *p,
			struct policy_report *r)
{
	check_filters(&c->match, p, r);
	for (size_t i = 0; i < c->n_child; i++)
		check_below(c->child[i], p, r);
}

void match_check_filters(const struct policy *p, struct policy_report *r)
{
	for (size_t i = 0; i < p->n_link; i++) {
		check_filters(&p->link[i]->capture, p, r);
		if (p->link[i]->root)
			check_below(p->link[i]->root, p, r);
	}
}

/* Puts a class and its descendants behind what is there. Depth: POLICY_DEPTH_MAX + 1. */
static int add(struct match_nodes *s, const struct policy_class *c, const struct policy *p,
	       struct policy_report *r)
{
	uint32_t me = (uint32_t)s->n_node++;
	struct match_node *n = &s->node[me];
	int bad;

	n->class = c;
	n->dscp = c->dscp;
	n->criteria = c->match.n || c->dscp;
	n->last = UINT32_MAX;
	n->hosts = c->isolation != POLICY_ISO_FLOWS || c->host_max.bps;
	n->dst_hosts =
		c->isolation == POLICY_ISO_DSTHOST || c->isolation == POLICY_ISO_DUAL_DSTHOST;
	bad = filters_build(&n->match, &c->match, p, r);
	for (size_t i = 0; bad >= 0 && i < c->n_child; i++) {
		int got;

		if (c->child[i]->is_default)
			n->last = (uint32_t)s->n_node;
		got = add(s, c->child[i], p, r);
		bad = got < 0 ? got : bad | got;
	}
	n->skip = (uint32_t)s->n_node;
	if (bad >= 0 && c->n_child && n->last == UINT32_MAX) {
		policy_complain(r, POLICY_ERROR, p->file, c->mark,
				"none of the classes here is the default");
		bad = 1;
	}
	return bad;
}

int match_nodes_build(struct match_nodes *s, const struct policy *p,
		      const struct policy_link *only, struct policy_report *r)
{
	size_t n = 0;
	int bad = 0;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < p->n_link; i++)
		if (!only || p->link[i] == only)
			n += p->link[i]->n_all;
	s->node = calloc(n + 1, sizeof(*s->node));
	s->link = calloc(p->n_link + 1, sizeof(*s->link));
	if (!s->node || !s->link)
		return -1;
	for (size_t i = 0; bad >= 0 && i < p->n_link; i++) {
		struct match_link *l = &s->link[s->n_link];
		int got;

		if (only && p->link[i] != only)
			continue;
		s->n_link++;
		l->link = p->link[i];
		l->root = (uint32_t)s->n_node;
		/* with `only` every packet is on that link, whatever its capture says */
		got = only ? 0 : filters_build(&l->capture, &p->link[i]->capture, p, r);
		if (got >= 0) {
			int below = add(s, p->link[i]->root, p, r);

			got = below < 0 ? below : got | below;
		}
		bad = got < 0 ? got : bad | got;
	}
	return bad;
}

void match_nodes_free(struct match_nodes *s)
{
	for (size_t i = 0; i < s->n_node; i++)
		filters_free(&s->node[i].match);
	for (size_t i = 0; i < s->n_link; i++)
		filters_free(&s->link[i].capture);
	free(s->node);
	free(s->link);
}
