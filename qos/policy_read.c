/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the YAML tree to a policy: the tables of keys, and the walk by them.
 *
 * A new key is a line in a table here, a field in policy.h and a line in
 * policy_print.c.
 */
#include "qos/match.h"
#include "qos/policy_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define C(member) offsetof(struct policy_class, member)
#define L(member) offsetof(struct policy_link, member)
#define BYTES32_MAX 65535 /* of one packet, or what is added to it */

const struct policy_key policy_class_keys[CK_N] = {
	[CK_NAME] = {"name", value_name, C(name)},
	[CK_MATCH] = {"match", value_filters, C(match)},
	[CK_DSCP] = {"dscp", value_dscp_set, C(dscp)},
	[CK_MARK] = {"mark", value_marks},
	[CK_MAC] = {"mac", value_macs},
	[CK_IN_INTERFACE] = {"in-interface", value_in_interfaces},
	[CK_SET] = {"set", value_sets},
	[CK_DEFAULT] = {"default", value_bool, C(is_default)},
	[CK_MIN] = {"min", value_share, C(min), 1, POLICY_RATE_MAX},
	[CK_MAX] = {"max", value_share, C(max), 1, POLICY_RATE_MAX},
	[CK_BURST] = {"burst", value_size, C(burst), 1, POLICY_BURST_MAX},
	[CK_WEIGHT] = {"weight", value_number, C(weight), 1, POLICY_WEIGHT_MAX},
	[CK_PRIORITY] = {"priority", value_number, C(priority), -1000000, 1000000},
	[CK_SCHEDULER] = {"scheduler", value_enum, C(scheduler),
			  .names = policy_scheduler_names},
	[CK_CLASSES] = {"classes"},
	[CK_QUEUE] = {"queue", value_enum, C(queue), .names = policy_queue_names},
	[CK_LIMIT] = {"limit", value_limit, C(limit)},
	[CK_TARGET] = {"target", value_time, C(target), 1, POLICY_TIME_MAX},
	[CK_INTERVAL] = {"interval", value_time, C(interval), 1, POLICY_TIME_MAX},
	[CK_FLOWS] = {"flows", value_number, C(flows), 1, 65536},
	[CK_QUANTUM] = {"quantum", value_bytes, C(quantum), 64, 1000000},
	[CK_ECN] = {"ecn", value_bool, C(ecn)},
	[CK_ISOLATION] = {"isolation", value_enum, C(isolation),
			  .names = policy_isolation_names},
	[CK_FLOW_MAX] = {"flow-max", value_share, C(flow_max), 1, POLICY_RATE_MAX},
	[CK_HOST_MAX] = {"host-max", value_share, C(host_max), 1, POLICY_RATE_MAX},
	[CK_HOST_PREFIX] = {"host-prefix", value_host_prefix},
	[CK_DEADLINE] = {"deadline", value_time, C(deadline), 1, POLICY_TIME_MAX},
	[CK_MAX_LATENCY] = {"max-latency", value_time, C(max_latency), 1, POLICY_TIME_MAX},
	[CK_MAX_JITTER] = {"max-jitter", value_time, C(max_jitter), 1, POLICY_TIME_MAX},
	[CK_SET_DSCP] = {"set-dscp", value_dscp, C(set_dscp)},
};

const struct policy_key policy_link_keys[LK_N] = {
	[LK_NAME] = {"name", value_name, L(name)},
	[LK_INTERFACE] = {"interface", value_interfaces},
	[LK_DIRECTION] = {"direction", value_enum, L(direction),
			  .names = policy_direction_names},
	[LK_BACKEND] = {"backend", value_enum, L(backend), .names = policy_backend_names},
	[LK_ACCEPTED] = {"accepted-warnings", value_enum_set, L(accepted),
			 .names = policy_around_names},
	[LK_CAPTURE] = {"capture", value_filters, L(capture)},
	[LK_CONTROL] = {"control", value_control, 0},
	[LK_CONTROL_RATE] = {"control-rate", value_share, L(control.rate), 1, POLICY_RATE_MAX},
	[LK_RATE] = {"rate", value_rate, L(rate), 1, POLICY_RATE_MAX},
	/* first, wherever it stands: written mpu and linklayer go over a preset's */
	[LK_OVERHEAD] = {"overhead", value_overhead, 0, -64, BYTES32_MAX},
	[LK_MPU] = {"mpu", value_bytes, L(mpu), 0, BYTES32_MAX},
	[LK_LINKLAYER] = {"linklayer", value_enum, L(linklayer),
			  .names = policy_linklayer_names},
	[LK_BURST] = {"burst", value_size, L(burst), 1, POLICY_BURST_MAX},
	[LK_SCHEDULER] = {"scheduler"}, /* the root class's */
	[LK_CLASSES] = {"classes"},
};

enum top_key { TK_LINKS, TK_INSIDE, TK_N };
static const struct policy_key top_keys[TK_N] = {
	[TK_LINKS] = {"links"},
	[TK_INSIDE] = {"inside", value_inside, 0},
};

/* A kind of object, for complaints about its keys. */
static const struct object {
	const char *in; /* "unknown key in ..." */
	const char *of; /* "is a key of ..." */
	const struct policy_key *keys;
	size_t n;
} objects[] = {
	{"a policy", "the file's top level", top_keys, TK_N},
	{"a link", "links", policy_link_keys, LK_N},
	{"a class", "classes", policy_class_keys, CK_N},
};
enum { TOP, LINK, CLASS };

static size_t find_key(const struct object *o, const char *name)
{
	size_t i = 0;

	while (i < o->n && strcmp(o->keys[i].name, name) != 0)
		i++;
	return i;
}

/* Complains, and returns the bit of the key that was probably meant. */
static uint64_t unknown_key(struct reader *rd, const struct object *o, const struct ynode *key)
{
	const char *names[CK_N + 1], *near;
	size_t n = o->n;

	for (size_t i = 0; i < n; i++)
		names[i] = o->keys[i].name;
	names[n] = NULL;
	near = policy_synonym(key->text, names);
	if (!near)
		near = policy_suggest(key->text, names);
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (find_key(&objects[i], key->text) == objects[i].n)
			continue;
		complain(rd, POLICY_ERROR, key->at,
			 "unknown key \"%s\" in %s (it is a key of %s)", key->text, o->in,
			 objects[i].of);
		return UNKNOWN_KEY;
	}
	if (near)
		complain(rd, POLICY_ERROR, key->at,
			 "unknown key \"%s\" in %s (did you mean \"%s\"?)",
			 policy_shown(key->text).s, o->in, near);
	else
		complain(rd, POLICY_ERROR, key->at, "unknown key \"%s\" in %s",
			 policy_shown(key->text).s, o->in);
	return UNKNOWN_KEY | (near ? BIT(find_key(o, near)) : 0);
}

/* Reads the keys of one object that have a function; notes which were there and which wrong. */
static void read_keys(struct reader *rd, const struct object *o, const struct ynode *map,
		      void *obj, uint64_t *seen, uint64_t *bad)
{
	for (size_t i = 0; i < map->n; i++) {
		size_t k = find_key(o, map->key[i]->text);

		if (map->key[i]->bad)
			continue;
		if (k == o->n) {
			*bad |= unknown_key(rd, o, map->key[i]);
			continue;
		}
		*seen |= BIT(k);
		if (o->keys[k].get && !o->keys[k].get(rd, &o->keys[k], map->item[i], obj))
			*bad |= BIT(k);
	}
}

/* A list of maps with at least one entry; NULL: complained of. */
static const struct ynode *list_of(struct reader *rd, const char *key, const struct ynode *v)
{
	if (v->bad)
		return NULL;
	if (v->kind != Y_LIST) {
		complain(rd, POLICY_ERROR, v->at, "%s must be a list (\"- name: ...\")", key);
		return NULL;
	}
	if (!v->n) {
		complain(rd, POLICY_ERROR, v->at, "%s is an empty list", key);
		return NULL;
	}
	return v;
}

static bool is_map(struct reader *rd, const char *what, const struct ynode *v)
{
	if (v->bad)
		return false;
	if (v->kind != Y_MAP)
		complain(rd, POLICY_ERROR, v->at, "%s must be a map of keys (\"name: ...\")",
			 what);
	return v->kind == Y_MAP;
}

/* A class with its defaults, known to its link; parent NULL: the link's root. */
static struct class_draft *class_new(struct reader *rd, struct policy_class *parent,
				     const struct ynode *map)
{
	struct link_draft *ld = rd->link;
	struct policy_link *l = ld->l;
	struct policy_class *c = calloc(1, sizeof(*c)), **all;
	struct class_draft *d;

	if (l->n_all == ld->cap) {
		size_t cap = ld->cap ? ld->cap * 2 : 16;

		all = realloc(l->all, cap * sizeof(struct policy_class *));
		l->all = all ? all : l->all;
		d = realloc(ld->draft, cap * sizeof(*d));
		ld->draft = d ? d : ld->draft;
		if (all && d)
			ld->cap = cap;
	}
	if (!c || l->n_all == ld->cap) {
		rd->no_memory = true;
		free(c);
		return NULL;
	}
	c->index = (uint32_t)l->n_all;
	c->mark = map->at;
	c->link = l;
	c->parent = parent;
	c->weight = 1;
	c->set_dscp = -1;
	c->host_prefix[0] = 32;
	c->host_prefix[1] = 128;
	c->scheduler = POLICY_SCHED_WFQ;
	c->queue = POLICY_QUEUE_FQ_CODEL;
	d = &ld->draft[l->n_all];
	l->all[l->n_all++] = c;
	*d = (struct class_draft){.c = c, .map = map};
	return d;
}

static bool set_path(struct policy_class *c)
{
	const char *above = c->parent->path;

	if (asprintf(&c->path, "%s%s%s", above, *above ? "/" : "", c->name ? c->name : "?") < 0)
		c->path = NULL;
	return c->path != NULL;
}

static bool read_classes(struct reader *rd, struct policy_class *parent, const struct ynode *v,
			 int depth);

/* One class with all below it; false: it is none that its parent can count with. */
static bool read_class(struct reader *rd, struct policy_class *parent, const struct ynode *map,
		       int depth)
{
	struct class_draft *d;
	struct policy_class *c;
	uint32_t index;
	const struct ynode *classes;

	if (!is_map(rd, "a class", map))
		return false;
	if (rd->link->l->n_all >= POLICY_CLASSES_MAX) {
		complain(rd, POLICY_ERROR, map->at, "a link can have no more than %d classes",
			 POLICY_CLASSES_MAX - 1);
		return false;
	}
	d = class_new(rd, parent, map);
	if (!d)
		return false;
	c = d->c;
	index = c->index;
	parent->child[parent->n_child++] = c;
	read_keys(rd, &objects[CLASS], map, c, &d->seen, &d->bad);
	c->weight_set = (d->seen & ~d->bad & BIT(CK_WEIGHT)) != 0;
	c->priority_set = (d->seen & ~d->bad & BIT(CK_PRIORITY)) != 0;
	if (!set_path(c)) {
		rd->no_memory = true;
		return false;
	}
	classes = ytree_get(map, "classes");
	if (classes && !read_classes(rd, c, classes, depth + 1)) {
		d = &rd->link->draft[index]; /* may have moved */
		d->vague = true;
		if (!c->n_child)
			d->bad |= BIT(CK_CLASSES);
	}
	return true;
}

/* False when something of the list could not be read, so that its classes are not all there. */
static bool read_classes(struct reader *rd, struct policy_class *parent, const struct ynode *v,
			 int depth)
{
	const struct ynode *list = list_of(rd, "classes", v);
	bool ok = true;

	if (!list)
		return false;
	if (depth > POLICY_DEPTH_MAX) {
		complain(rd, POLICY_ERROR, v->at, "classes are nested deeper than %d levels",
			 POLICY_DEPTH_MAX);
		return false;
	}
	parent->child = calloc(list->n, sizeof(struct policy_class *));
	if (!parent->child) {
		rd->no_memory = true;
		return false;
	}
	for (size_t i = 0; i < list->n && !rd->no_memory && ok; i++) {
		if (rd->link->l->n_all >= POLICY_CLASSES_MAX)
			ok = false; /* say so once, not for each of a million */
		if (!read_class(rd, parent, list->item[i], depth))
			rd->link->draft[parent->index].vague = true;
	}
	return ok;
}

/* The root class: the link's scheduler and classes. */
static void read_root(struct reader *rd, struct link_draft *ld)
{
	const struct ynode *v = ytree_get(ld->map, "scheduler");
	const struct policy_key *k = &policy_class_keys[CK_SCHEDULER];
	struct class_draft *d = class_new(rd, NULL, ld->map);
	struct policy_class *root;

	if (!d)
		return;
	root = ld->l->root = d->c;
	root->name = strdup("");
	root->path = strdup("");
	if (!root->name || !root->path) {
		rd->no_memory = true;
		return;
	}
	if (v && !k->get(rd, k, v, root)) {
		d->bad |= BIT(CK_SCHEDULER);
		ld->bad |= BIT(LK_SCHEDULER);
	}
	v = ytree_get(ld->map, "classes");
	if (v && !read_classes(rd, root, v, 1))
		ld->draft[0].vague = true;
}

/* Overhead first: then what is written beside it goes over its presets'. */
static void read_link_keys(struct reader *rd, struct link_draft *ld)
{
	const struct policy_key *k = &policy_link_keys[LK_OVERHEAD];
	const struct ynode *v = ytree_get(ld->map, k->name);
	struct object others = objects[LINK];
	struct policy_key keys[LK_N];

	ld->l->overhead = 14;
	if (v && !k->get(rd, k, v, ld->l))
		ld->bad |= BIT(LK_OVERHEAD);
	if (!v && !value_keep(rd, &ld->l->overhead_text, "14"))
		return;
	memcpy(keys, policy_link_keys, sizeof(keys));
	keys[LK_OVERHEAD].get = NULL;
	others.keys = keys;
	read_keys(rd, &others, ld->map, ld->l, &ld->seen, &ld->bad);
}

static void read_link(struct reader *rd, struct link_draft *ld, const struct ynode *map)
{
	struct policy_link *l;

	if (!is_map(rd, "a link", map))
		return;
	l = calloc(1, sizeof(*l));
	if (!l) {
		rd->no_memory = true;
		return;
	}
	rd->p->link[rd->p->n_link++] = l;
	l->mark = map->at;
	*ld = (struct link_draft){.l = l, .map = map};
	rd->link = ld;
	read_link_keys(rd, ld);
	if (!rd->no_memory)
		read_root(rd, ld);
	if (rd->no_memory)
		return;
	policy_fill_link(rd);
	policy_check_link(rd);
	policy_control_build(rd, ld->bad & (BIT(LK_CONTROL) | BIT(LK_CONTROL_RATE)));
}

static void read_links(struct reader *rd, const struct ynode *v)
{
	const struct ynode *list = list_of(rd, "links", v);
	struct link_draft *ld;

	if (!list)
		return;
	ld = calloc(list->n, sizeof(*ld));
	rd->p->link = calloc(list->n, sizeof(struct policy_link *));
	if (!ld || !rd->p->link) {
		rd->no_memory = true;
		free(ld);
		return;
	}
	for (size_t i = 0; i < list->n && !rd->no_memory; i++)
		read_link(rd, &ld[rd->p->n_link], list->item[i]);
	if (!rd->no_memory)
		policy_check_links(rd, ld, rd->p->n_link);
	for (size_t i = 0; i < list->n; i++)
		free(ld[i].draft);
	free(ld);
}

static void read_top(struct reader *rd, const struct ynode *top)
{
	const struct ynode *links = ytree_get(top, "links");
	uint64_t seen = 0, bad = 0;

	if (!is_map(rd, "a policy", top))
		return;
	read_keys(rd, &objects[TOP], top, rd->p, &seen, &bad);
	rd->p->inside_set = (seen & ~bad & BIT(TK_INSIDE)) != 0;
	if (!rd->p->n_inside && !policy_inside_default(rd->p))
		rd->no_memory = true;
	if (links)
		read_links(rd, links);
	else if (!(bad & BIT(TK_LINKS)))
		complain(rd, POLICY_ERROR, top->at, "a policy needs \"links\"");
}

/* Whether the policy can be used; compiles its filters unless it is only asked for names. */
static bool conclude(struct policy *p, bool compile, struct policy_report *r)
{
	bool whole = !r->errors;

	if (whole && !compile)
		return true;
	/* all errors of a file in one run: those of its filters, too */
	policy_compile(p, r);
	if (whole && r->errors)
		match_check(p, r);
	return !r->errors;
}

static struct policy *read_text(const void *text, size_t size, const char *name, bool compile,
				struct policy_report *r)
{
	const struct policy_mark whole = {0, 0};
	struct policy *p = calloc(1, sizeof(*p));
	struct policy_gather g;
	struct reader rd = {.p = p, .r = &g.report};
	struct ynode *top;
	bool good;

	if (p)
		p->file = strdup(name);
	if (!p || !p->file || size > POLICY_SIZE_MAX) {
		policy_complain(r, POLICY_ERROR, name, whole,
				size > POLICY_SIZE_MAX ? "larger than a policy may be (256 MiB)"
						       : "out of memory");
		policy_free(p);
		return NULL;
	}
	policy_gather_begin(&g, r);
	top = ytree_parse(text, size, p->file, &g.report);
	if (top)
		read_top(&rd, top);
	ytree_free(top);
	if (rd.no_memory)
		complain(&rd, POLICY_ERROR, whole, "out of memory");
	good = conclude(p, compile, &g.report);
	policy_gather_end(&g);
	if (good)
		return p;
	policy_free(p);
	return NULL;
}

struct policy *policy_read_mem(const void *text, size_t size, const char *name,
			       struct policy_report *r)
{
	return read_text(text, size, name, true, r);
}

/* All of a stream, up to a byte more than a policy may have. NULL: no memory. */
static char *read_all(FILE *f, size_t *n)
{
	size_t room = 1u << 16, got = 1;
	char *text = malloc(room), *more;

	*n = 0;
	while (text && got && *n <= POLICY_SIZE_MAX) {
		got = fread(text + *n, 1, room - *n, f);
		*n += got;
		if (*n < room)
			continue;
		more = realloc(text, room *= 2);
		if (!more)
			free(text);
		text = more;
	}
	return text;
}

static struct policy *read_stream(FILE *f, const char *name, bool compile,
				  struct policy_report *r)
{
	const struct policy_mark whole = {0, 0};
	struct policy *p = NULL;
	size_t n;
	char *text = read_all(f, &n);

	if (!text)
		policy_complain(r, POLICY_ERROR, name, whole, "out of memory");
	else if (ferror(f))
		policy_complain(r, POLICY_ERROR, name, whole, "cannot be read: %s",
				strerror(errno));
	else
		p = read_text(text, n, name, compile, r);
	free(text);
	return p;
}

struct policy *policy_read(FILE *f, const char *name, struct policy_report *r)
{
	return read_stream(f, name, true, r);
}

struct policy *policy_read_uncompiled(FILE *f, const char *name, struct policy_report *r)
{
	return read_stream(f, name, false, r);
}
