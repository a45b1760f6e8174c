/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/stats_pick.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/ask_value.h"

static const char *const names[STATS_SORTS] = {
	[STATS_POLICY] = "policy", [STATS_NAME] = "name",	[STATS_IN] = "in",
	[STATS_SENT] = "sent",	   [STATS_BYTES] = "bytes",	[STATS_RATE] = "rate",
	[STATS_DELAY] = "delay",   [STATS_WAITING] = "waiting", [STATS_MAX] = "max",
	[STATS_DROPS] = "drops",
};

const char *stats_sort_name(enum stats_sort s)
{
	return s < STATS_SORTS ? names[s] : NULL;
}

/* ---- Patterns. */

static const char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* A name that looks like a pattern is a name first. */
static bool matches(const char *pattern, const char *text)
{
	return !strcmp(pattern, text) || !fnmatch(pattern, text, 0);
}

/* What is above a class counts as well: each part of its path that ends at a slash. */
static bool takes(const char *pattern, const char *link, const char *path)
{
	size_t n = strlen(link), room = n + strlen(path) + 2;
	char *text = malloc(room);
	bool found;

	if (!text)
		return false;
	snprintf(text, room, "%s%s%s", link, *path ? "/" : "", path);
	found = matches(pattern, text);
	for (char *slash = text + n; !found && *slash; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		found = matches(pattern, text);
		*slash = '/';
	}
	free(text);
	return found;
}

static bool any_takes(const struct stats_pick *p, const char *link, const char *path)
{
	for (size_t i = 0; i < p->n_pattern; i++)
		if (takes(p->pattern[i], link, path))
			return true;
	return !p->n_pattern;
}

static bool takes_some(const char *pattern, const json_t *link)
{
	const char *name = text_of(link, "name");
	const json_t *c;
	size_t i;

	if (takes(pattern, name, ""))
		return true;
	json_array_foreach(json_object_get(link, "classes"), i, c)
	{
		if (takes(pattern, name, text_of(c, "class")))
			return true;
	}
	return false;
}

bool stats_pick_link(const struct stats_pick *p, const json_t *link, bool *whole)
{
	*whole = any_takes(p, text_of(link, "name"), "");
	for (size_t i = 0; i < p->n_pattern && !*whole; i++)
		if (takes_some(p->pattern[i], link))
			return true;
	return *whole;
}

const char *stats_pick_vain(const struct stats_pick *p, const json_t *answer)
{
	for (size_t i = 0; i < p->n_pattern; i++) {
		const json_t *l;
		bool found = false;
		size_t k;

		json_array_foreach(json_object_get(answer, "links"), k, l)
		{
			found = found || takes_some(p->pattern[i], l);
		}
		if (!found)
			return p->pattern[i];
	}
	return NULL;
}

/* ---- Rows. */

struct row {
	const json_t *class;
	uint64_t key;
	size_t at; /* in the policy */
};

static uint64_t key_of(const json_t *c, enum stats_sort sort)
{
	switch (sort) {
	case STATS_IN:
		return ask_number(json_object_get(c, "in"), "packets");
	case STATS_SENT:
		return ask_number(json_object_get(c, "sent"), "packets");
	case STATS_BYTES:
		return ask_number(json_object_get(c, "sent"), "bytes");
	case STATS_RATE:
		/* the kernel tells no rate: over the same time, the bytes say the same */
		return json_is_integer(json_object_get(c, "throughput_bps"))
			       ? ask_number(c, "throughput_bps")
			       : ask_number(json_object_get(c, "sent"), "bytes");
	case STATS_WAITING:
		return ask_number(json_object_get(c, "waiting"), "packets");
	case STATS_DELAY:
		return ask_number(json_object_get(c, "delay_ns"), "p99");
	case STATS_MAX:
		return ask_number(json_object_get(c, "delay_ns"), "max");
	case STATS_DROPS:
		return ask_number(json_object_get(c, "dropped"), "packets");
	default:
		return 0;
	}
}

/* Largest first; of the same, in the order of the policy. */
static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(text_of(x->class, "class"), text_of(y->class, "class"));
}

static size_t without_idle(struct row *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (ask_number(json_object_get(v[i].class, "in"), "packets"))
			v[kept++] = v[i];
	return kept;
}

static size_t collect(const struct stats_pick *p, const json_t *link, struct row *v)
{
	const char *name = text_of(link, "name");
	const json_t *c;
	size_t i, n = 0;

	json_array_foreach(json_object_get(link, "classes"), i, c)
	{
		if ((p->sort != STATS_POLICY && !ask_true(c, "leaf")) ||
		    !any_takes(p, name, text_of(c, "class")))
			continue;
		v[n++] = (struct row){c, key_of(c, p->sort), i};
	}
	return n;
}

int stats_pick_rows(const struct stats_pick *p, const json_t *link, struct stats_rows *r)
{
	size_t room = json_array_size(json_object_get(link, "classes")) + 1, n, kept;
	struct row *v = malloc(room * sizeof(*v));

	*r = (struct stats_rows){.v = malloc(room * sizeof(*r->v))};
	if (!v || !r->v) {
		free(v);
		stats_rows_free(r);
		return -1;
	}
	n = collect(p, link, v);
	if (p->limit && n > p->limit) {
		kept = without_idle(v, n);
		r->idle = n - kept;
		n = kept;
	}
	if (p->sort != STATS_POLICY)
		qsort(v, n, sizeof(*v), p->sort == STATS_NAME ? by_name : by_key);
	if (p->limit && n > p->limit) {
		r->beyond = n - p->limit;
		n = p->limit;
	}
	for (; r->n < n; r->n++)
		r->v[r->n] = v[r->n].class;
	free(v);
	return 0;
}

void stats_rows_free(struct stats_rows *r)
{
	free(r->v);
	*r = (struct stats_rows){0};
}
