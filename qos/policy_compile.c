/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filters of a policy that was read: each compiled once, for all who match with it. One
 * that stands there several times is compiled once and copied: policies for thousands of
 * subscribers repeat theirs for each.
 */
#include "qos/policy_impl.h"
#include "qos/filter.h"
#include "qos/filter_terms.h"

#include <stdlib.h>
#include <string.h>

/* A filter that was compiled, by its text. */
struct known {
	const char *text; /* NULL: free */
	const struct filter *filter;
};

struct compiling {
	struct policy *p;
	struct policy_report *r;
	struct known *known; /* 1 << bits of them, at most half of them used; NULL: none */
	unsigned bits;
	uint64_t work;
	bool over; /* no more of them */
};

static struct known *find(const struct compiling *c, const char *text)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	size_t mask = ((size_t)1 << c->bits) - 1, i;

	for (const char *s = text; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 1099511628211u;
	for (i = (size_t)(hash >> 32) & mask; c->known[i].text; i = (i + 1) & mask)
		if (!strcmp(c->known[i].text, text))
			break;
	return &c->known[i];
}

/* false: there is no memory for it, and it is compiled anew. */
static bool copy(struct filter *to, const struct filter *from)
{
	size_t size = from->prog.bf_len * sizeof(*from->prog.bf_insns);
	struct bpf_insn *v = malloc(size);

	if (!v)
		return false;
	memcpy(v, from->prog.bf_insns, size);
	*to = *from;
	to->way = (struct filter_way){0};
	to->prog.bf_insns = v;
	return true;
}

static uint64_t work_of(const char *text)
{
	uint64_t n = filter_terms(text), rest = n % FILTER_GROUP;

	if (n == 1)
		return 1;
	return 4 * (n / FILTER_GROUP * FILTER_GROUP * FILTER_GROUP + rest * rest);
}

/* Whether there may be one more; else it is told, once. */
static bool go_on(struct compiling *c, const struct policy_filter *t)
{
	if (c->over)
		return false;
	c->work += work_of(t->text);
	c->over = true;
	if (policy_stopped(c->r))
		policy_complain(c->r, POLICY_ERROR, c->p->file, t->mark, "stopped here");
	else if (c->work > POLICY_FILTER_WORK_MAX)
		policy_complain(
			c->r, POLICY_ERROR, c->p->file, t->mark,
			"the filters up to here are more than can be compiled in a bounded "
			"time (a filter of n terms counts 4 * n * n, by 16 terms at a time, "
			"and a policy may have %u): give each class few terms, or one "
			"network or port range instead of many addresses or ports",
			POLICY_FILTER_WORK_MAX);
	else
		c->over = false;
	return !c->over;
}

static void compile_one(struct compiling *c, const struct policy_filter *t, struct filter *to)
{
	char err[PCAP_ERRBUF_SIZE + 400];
	struct known *k = c->known ? find(c, t->text) : NULL;

	if (k && k->text && copy(to, k->filter))
		return;
	if (!go_on(c, t))
		return;
	if (filter_compile(to, t->text, err, sizeof(err)))
		policy_complain(c->r, POLICY_ERROR, c->p->file, t->mark, "filter \"%s\": %s",
				policy_shown(t->text).s, err);
	else if (k)
		*k = (struct known){t->text, to};
}

/* A link's `capture`: words of its own may stand before the filter. */
static void compile_capture(struct compiling *c, const struct policy_filter *t,
			    struct filter *to)
{
	struct policy_filter rest = *t;
	struct filter_way way;
	const char *why, *text = filter_way_parse(t->text, &way, &why);

	if (!text) {
		policy_complain(c->r, POLICY_ERROR, c->p->file, t->mark, "filter \"%s\": %s",
				policy_shown(t->text).s, why);
		return;
	}
	rest.text = t->text + (text - t->text);
	compile_one(c, &rest, to);
	to->way = way;
	to->per_flow &= !way.set; /* a flow may come in by one and go out by another */
}

static void compile_list(struct compiling *c, struct policy_filters *f, bool capture)
{
	f->compiled = f->n ? calloc(f->n, sizeof(*f->compiled)) : NULL;
	if (f->n && !f->compiled)
		policy_complain(c->r, POLICY_ERROR, c->p->file, f->v[0].mark, "out of memory");
	for (size_t i = 0; f->compiled && i < f->n; i++)
		(capture ? compile_capture : compile_one)(c, &f->v[i], &f->compiled[i]);
}

/* A table for all of them; without memory there is none. */
static void make_known(struct compiling *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->p->n_link; i++) {
		const struct policy_link *l = c->p->link[i];

		n += l->capture.n;
		for (size_t k = 0; k < l->n_all; k++)
			n += l->all[k]->match.n;
	}
	for (c->bits = 4; (size_t)1 << c->bits < 2 * n; c->bits++)
		;
	c->known = calloc((size_t)1 << c->bits, sizeof(*c->known));
}

void policy_compile(struct policy *p, struct policy_report *r)
{
	struct compiling c = {.p = p, .r = r};

	make_known(&c);
	for (size_t i = 0; i < p->n_link; i++) {
		struct policy_link *l = p->link[i];

		compile_list(&c, &l->capture, true);
		for (size_t k = 0; k < l->n_all; k++) {
			bool ours = l->all[k]->control && !l->control.set;
			uint64_t work = c.work;

			if (ours)
				c.work = 0; /* nobody wrote those */
			compile_list(&c, &l->all[k]->match, false);
			if (ours)
				c.work = work;
		}
	}
	free(c.known);
}
