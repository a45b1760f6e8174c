/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes for people: what holds of a thousand classes is said once. */
#include <stdlib.h>
#include <string.h>

#include "gw/tc_plan.h"

#define NAMED_MOST 3 /* classes in one complaint */

static int by_position(const struct tc_note *x, const struct tc_note *y)
{
	return (x > y) - (x < y); /* of one array */
}

static int by_words(const void *a, const void *b)
{
	const struct tc_note *x = *(const struct tc_note *const *)a;
	const struct tc_note *y = *(const struct tc_note *const *)b;
	int c = strcmp(x->key, y->key);

	c = c ? c : strcmp(x->text, y->text);
	return c ? c : by_position(x, y);
}

struct group {
	const struct tc_note **first;
	size_t n;
};

static int by_first(const void *a, const void *b)
{
	return by_position(*((const struct group *)a)->first,
			   *((const struct group *)b)->first);
}

static bool same(const struct tc_note *a, const struct tc_note *b)
{
	return !strcmp(a->key, b->key) && !strcmp(a->text, b->text);
}

int tc_plan_tell(const struct tc_plan *t,
		 void (*fn)(void *arg, const struct tc_note *const *same, size_t n), void *arg)
{
	const struct tc_note **v = calloc(t->n_note + 1, sizeof(const struct tc_note *));
	struct group *g = calloc(t->n_note + 1, sizeof(*g));
	size_t n = 0;

	if (!v || !g) {
		free(v);
		free(g);
		return -1;
	}
	for (size_t i = 0; i < t->n_note; i++)
		v[i] = &t->note[i];
	qsort(v, t->n_note, sizeof(const struct tc_note *), by_words);
	for (size_t i = 0; i < t->n_note; i += g[n++].n) {
		g[n].first = &v[i];
		for (g[n].n = 1; i + g[n].n < t->n_note && same(v[i], v[i + g[n].n]);)
			g[n].n++;
	}
	qsort(g, n, sizeof(*g), by_first);
	for (size_t i = 0; i < n; i++)
		fn(arg, g[i].first, g[i].n);
	free(v);
	free(g);
	return 0;
}

struct complaining {
	const struct tc_plan *t;
	const struct policy *p;
	enum policy_severity sev;
	const char *const *but;
	struct policy_report *r;
	int n;
};

static void complain(void *arg, const struct tc_note *const *notes, size_t n)
{
	struct complaining *c = arg;
	const struct tc_note *first = notes[0];
	char whose[1024] = "", more[32] = "";
	size_t len = 0;

	if (first->fidelity == TC_EXACT)
		return;
	for (const char *const *key = c->but; key && *key; key++)
		if (!strcmp(*key, first->key))
			return;
	c->n++;
	for (size_t i = 0; first->class && i < n && i < NAMED_MOST; i++)
		len += (size_t)snprintf(whose + len, sizeof(whose) - len, "%s\"%s\"",
					i	? ", "
					: n > 1 ? "classes "
						: "class ",
					policy_shown(notes[i]->class->path).s);
	if (!first->class)
		snprintf(whose, sizeof(whose), "link \"%.200s\"", c->t->link->name);
	if (n > NAMED_MOST)
		snprintf(more, sizeof(more), " and %zu more", n - NAMED_MOST);
	policy_complain(c->r, c->sev, c->p->file, first->mark,
			"%s of %s%s: tc does not do exactly this: %s", first->key, whose, more,
			first->text);
}

int tc_plan_complain_but(const struct tc_plan *t, const struct policy *p,
			 enum policy_severity sev, const char *const *but,
			 struct policy_report *r)
{
	struct complaining c = {.t = t, .p = p, .sev = sev, .but = but, .r = r};

	return tc_plan_tell(t, complain, &c) ? -1 : c.n;
}

int tc_plan_complain(const struct tc_plan *t, const struct policy *p, enum policy_severity sev,
		     struct policy_report *r)
{
	return tc_plan_complain_but(t, p, sev, NULL, r);
}
