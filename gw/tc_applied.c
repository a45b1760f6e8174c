/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_applied.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw/clock.h"
#include "gw/fail.h"
#include "gw/json.h"
#include "gw/tc_apply.h"
#include "gw/tc_file.h"

#define VERSION 1

static const struct {
	const char *name;
	size_t at;
} abilities[] = {
	{"htb", offsetof(struct tc_can, htb)},
	{"bpf", offsetof(struct tc_can, bpf)},
	{"ingress", offsetof(struct tc_can, ingress)},
	{"ifb", offsetof(struct tc_can, ifb)},
	{"mirred", offsetof(struct tc_can, mirred)},
	{"fq_codel", offsetof(struct tc_can, fq_codel)},
	{"codel", offsetof(struct tc_can, codel)},
};
#define ABILITIES (sizeof(abilities) / sizeof(abilities[0]))

static const char *way_name(enum policy_direction way)
{
	return way == POLICY_INGRESS ? "ingress" : "egress";
}

static int find_path(char path[TC_FILE_PATH], char *err, size_t errsize)
{
	unsigned long ns = 0;

	if (tc_file_namespace(&ns, err, errsize))
		return -1;
	snprintf(path, TC_FILE_PATH, TC_SAVED_DIR "/%lu-applied.json", ns);
	return 0;
}

/* The list of the file, the caller's; one that is not there, or of another namespace, is empty.
 */
static json_t *load(char path[TC_FILE_PATH], char *err, size_t errsize)
{
	char where[TC_FILE_WHERE];
	json_t *doc = NULL, *list;
	const char *its;
	int found;

	if (find_path(path, err, errsize) || tc_file_where(where, err, errsize))
		return NULL;
	found = tc_file_read(path, &doc, err, errsize);
	if (found < 0)
		return NULL;
	its = json_string_value(json_object_get(doc, "where"));
	list = json_object_get(doc, "links");
	if (found && json_integer_value(json_object_get(doc, "version")) == VERSION && its &&
	    !strcmp(its, where) && json_is_array(list))
		json_incref(list);
	else
		list = json_array();
	json_decref(doc);
	if (!list)
		fail_with(err, errsize, "no memory");
	return list;
}

/* Takes the list over. */
static int store(const char *path, json_t *list, char *err, size_t errsize)
{
	char where[TC_FILE_WHERE];
	json_t *doc;
	int status;

	if (!json_array_size(list)) {
		json_decref(list);
		tc_file_drop(path);
		return 0;
	}
	if (tc_file_where(where, err, errsize)) {
		json_decref(list);
		return -1;
	}
	doc = json_object();
	json_object_set_new(doc, "version", json_integer(VERSION));
	json_object_set_new(doc, "where", json_string(where));
	json_object_set_new(doc, "links", list);
	status = tc_file_write(path, doc, 0644, err, errsize);
	json_decref(doc);
	return status;
}

static bool is_of(const json_t *j, const char *interface, enum policy_direction way)
{
	const char *i = json_string_value(json_object_get(j, "interface"));
	const char *d = json_string_value(json_object_get(j, "direction"));

	return i && d && !strcmp(i, interface) && !strcmp(d, way_name(way));
}

/* Whether there was one. */
static bool take_out(json_t *list, const char *interface, enum policy_direction way)
{
	bool found = false;

	for (size_t i = json_array_size(list); i-- > 0;)
		if (is_of(json_array_get(list, i), interface, way))
			found = !json_array_remove(list, i);
	return found;
}

static json_t *entry(const char *file, const struct policy_link *l, const struct tc_can *can)
{
	json_t *j = json_object(), *has = json_array();

	json_object_set_new(j, "link", json_text(l->name));
	json_object_set_new(j, "interface", json_text(l->interface));
	json_object_set_new(j, "direction", json_string(way_name(l->direction)));
	json_object_set_new(j, "policy", json_text(file));
	json_object_set_new(j, "applied_ns", json_number(clock_ns(CLOCK_REALTIME)));
	for (size_t i = 0; i < ABILITIES; i++)
		if (*(const bool *)((const char *)can + abilities[i].at))
			json_array_append_new(has, json_string(abilities[i].name));
	json_object_set_new(j, "kernel_has", has);
	return j;
}

int tc_applied_note(const char *file, const struct policy_link *const *link, size_t n,
		    const struct tc_can *can, char *err, size_t errsize)
{
	char path[TC_FILE_PATH], *full = realpath(file, NULL);
	json_t *list = load(path, err, errsize);
	int status = -1;

	if (list) {
		for (size_t i = 0; i < n; i++) {
			take_out(list, link[i]->interface, link[i]->direction);
			json_array_append_new(list, entry(full ? full : file, link[i], can));
		}
		status = store(path, list, err, errsize);
	}
	free(full);
	return status;
}

int tc_applied_forget(const char *interface, enum policy_direction way, char *err,
		      size_t errsize)
{
	char path[TC_FILE_PATH];
	json_t *list = load(path, err, errsize);

	if (!list)
		return -1;
	if (take_out(list, interface, way))
		return store(path, list, err, errsize);
	json_decref(list);
	return 0;
}

/* ---- Reading it. */

static char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? strdup(s) : NULL;
}

static int read_link(struct tc_applied_link *l, const json_t *j)
{
	const char *way = json_string_value(json_object_get(j, "direction"));
	const json_t *has = json_object_get(j, "kernel_has"), *name;
	size_t k;

	l->link = text(j, "link");
	l->interface = text(j, "interface");
	l->policy = text(j, "policy");
	l->wall = (uint64_t)json_integer_value(json_object_get(j, "applied_ns"));
	l->direction =
		way && !strcmp(way, way_name(POLICY_INGRESS)) ? POLICY_INGRESS : POLICY_EGRESS;
	json_array_foreach(has, k, name)
	{
		const char *s = json_string_value(name);

		for (size_t i = 0; s && i < ABILITIES; i++)
			if (!strcmp(s, abilities[i].name))
				*(bool *)((char *)&l->can + abilities[i].at) = true;
	}
	return way && l->link && l->interface && l->policy ? 0 : -1;
}

int tc_applied_read(struct tc_applied *a, char *err, size_t errsize)
{
	char path[TC_FILE_PATH];
	json_t *list = load(path, err, errsize);
	size_t n = json_array_size(list);
	bool bad = false;

	*a = (struct tc_applied){0};
	if (!list)
		return -1;
	a->v = calloc(n + 1, sizeof(*a->v));
	while (a->v && a->n < n && !bad) {
		bad = read_link(&a->v[a->n], json_array_get(list, a->n));
		a->n++;
	}
	json_decref(list);
	if (a->v && !bad)
		return 0;
	tc_applied_free(a);
	return fail_with(err, errsize, "%s: it is damaged", path);
}

void tc_applied_free(struct tc_applied *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->v[i].link);
		free(a->v[i].interface);
		free(a->v[i].policy);
	}
	free(a->v);
	*a = (struct tc_applied){0};
}
