/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy as an object: its end, and finding things in it.
 */
#include "qos/policy.h"
#include "qos/filter.h"
#include "qos/policy_impl.h"

#include <stdlib.h>
#include <string.h>

static void free_filters(struct policy_filters *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].text);
		if (f->compiled)
			filter_free(&f->compiled[i]);
	}
	free(f->compiled);
	free(f->v);
}

static void free_class(struct policy_class *c)
{
	free(c->name);
	free(c->path);
	free(c->child);
	free_filters(&c->match);
	policy_beside_free(c->beside);
	free(c);
}

static void free_link(struct policy_link *l)
{
	for (size_t i = 0; i < l->n_all; i++)
		free_class(l->all[i]);
	free(l->all);
	free(l->name);
	free(l->interface);
	for (size_t i = 0; i < l->n_also; i++)
		free(l->also[i]);
	free(l->also);
	free(l->overhead_text);
	free_filters(&l->capture);
	free_filters(&l->control.match);
	free(l->control.kind);
	free(l);
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_link; i++)
		free_link(p->link[i]);
	free(p->link);
	policy_sets_free(p);
	free(p->inside);
	free(p->file);
	free(p);
}

bool policy_has_interface(const struct policy_link *l, const char *name)
{
	for (size_t i = 0; i < policy_interfaces(l); i++)
		if (!strcmp(policy_interface(l, i), name))
			return true;
	return false;
}

const struct policy_link *policy_find_link(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_link; i++)
		if (strcmp(p->link[i]->name, name) == 0)
			return p->link[i];
	return NULL;
}

/* Names hold no '/', so each step of the path is one name. */
const struct policy_class *policy_find_class(const struct policy_link *l, const char *path)
{
	const struct policy_class *c = l->root;

	if (l->control.class && !strcmp(path, l->control.class->path))
		return l->control.class;
	while (*path) {
		size_t len = strcspn(path, "/"), i = 0;

		while (i < c->n_child && (strncmp(c->child[i]->name, path, len) != 0 ||
					  c->child[i]->name[len] != '\0'))
			i++;
		if (i == c->n_child)
			return NULL;
		c = c->child[i];
		path += len;
		if (*path == '/' && !*++path) /* "work/" */
			return NULL;
	}
	return c;
}
