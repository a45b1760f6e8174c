/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_rebuild.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/tc_raw.h"
#include "gw/tc_tree.h"

#define MTU_LEAST 68u /* of a veth */
#define MTU_MOST 65535u

/* What is at `top`, in the order in which it can be made; v is the caller's. */
struct part {
	const struct tc_object **v;
	size_t n;
};

/*
 * A qdisc without a handle is the kernel's own choice: what each queue of a device with many
 * has until it is given another. How many of them are told depends on how many queues are in
 * use, which is no business of traffic control.
 */
static bool by_itself(const struct tc_object *o)
{
	return o->kind == TC_QDISC && !o->handle;
}

static int part_of(const struct tc_state *s, uint32_t top, struct part *p)
{
	struct tc_tree t;
	size_t n;

	p->v = malloc((s->list.n + 1) * sizeof(const struct tc_object *));
	if (!p->v || tc_tree_build(&t, &s->list, NULL)) {
		free(p->v);
		return -1;
	}
	n = tc_tree_below(&t, top, p->v);
	p->n = 0;
	for (size_t i = 0; i < n; i++)
		if (!by_itself(p->v[i]))
			p->v[p->n++] = p->v[i];
	tc_tree_free(&t);
	return 0;
}

/* Those with one key, as filters of several chains, stay in the order of the dump. */
static int by_key(const void *a, const void *b)
{
	const struct tc_object *x = *(const struct tc_object *const *)a;
	const struct tc_object *y = *(const struct tc_object *const *)b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->handle != y->handle)
		return x->handle < y->handle ? -1 : 1;
	return (x > y) - (x < y);
}

static const struct tc_object *first_difference(const struct part *a, const struct part *b)
{
	size_t i = 0;

	for (; i < a->n && i < b->n; i++)
		if (a->v[i]->kind != b->v[i]->kind || a->v[i]->parent != b->v[i]->parent ||
		    a->v[i]->handle != b->v[i]->handle || !tc_raw_same(a->v[i], b->v[i]))
			return a->v[i];
	return i < a->n ? a->v[i] : i < b->n ? b->v[i] : NULL;
}

const struct tc_object *tc_differing(const struct tc_state *a, const struct tc_state *b,
				     uint32_t top)
{
	static const struct tc_object none = {.type = TC_OTHER, .other = "no memory"};
	const struct tc_object *o = &none;
	struct part x, y;

	if (part_of(a, top, &x))
		return o;
	if (!part_of(b, top, &y)) {
		qsort(x.v, x.n, sizeof(const struct tc_object *), by_key);
		qsort(y.v, y.n, sizeof(const struct tc_object *), by_key);
		o = first_difference(&x, &y);
		free(y.v);
	}
	free(x.v);
	return o;
}

static int refuse(const struct part *p, char *err, size_t errsize)
{
	char text[256];

	for (size_t i = 0; i < p->n; i++) {
		const char *why = tc_raw_refused(p->v[i]);

		if (why)
			return fail_with(err, errsize, "%s: %s",
					 tc_object_text(p->v[i], text, sizeof(text)), why);
	}
	return 0;
}

static int compare(struct tc_nl *nl, uint32_t ifindex, const struct tc_state *s, uint32_t top,
		   char *err, size_t errsize)
{
	const struct tc_object *o;
	struct tc_state now;
	char text[256];
	int status = 0;

	if (tc_state_read(nl, ifindex, &now, err, errsize))
		return -1;
	o = tc_differing(s, &now, top);
	if (o)
		status = fail_with(err, errsize, "%s: made again, it is not as it was",
				   tc_object_text(o, text, sizeof(text)));
	tc_state_free(&now);
	return status;
}

static int make(struct tc_nl *nl, uint32_t ifindex, const struct tc_state *s, uint32_t top,
		const struct part *p, char *err, size_t errsize)
{
	struct tc_changes c = {.v = calloc(p->n + 1, sizeof(*c.v)), .n = p->n};
	char ignored[256];
	int status, error;

	if (!c.v)
		return fail_with(err, errsize, "no memory");
	for (size_t i = 0; i < p->n; i++)
		c.v[i] = (struct tc_change){.op = TC_ADD, .o = p->v[i]};
	status = tc_run(nl, ifindex, &c, &error, err, errsize);
	if (!status)
		status = compare(nl, ifindex, s, top, err, errsize);
	if (status)
		tc_undo(nl, ifindex, &c, ignored, sizeof(ignored));
	free(c.v);
	return status;
}

int tc_rebuild(struct tc_nl *nl, uint32_t ifindex, const struct tc_state *s, uint32_t top,
	       char *err, size_t errsize)
{
	struct part p;
	int status;

	if (part_of(s, top, &p))
		return fail_with(err, errsize, "no memory");
	status = refuse(&p, err, errsize);
	if (!status)
		status = make(nl, ifindex, s, top, &p, err, errsize);
	free(p.v);
	return status;
}

/* The devices that filters send packets to must be there, with the same numbers. */
struct targets {
	struct tc_nl *nl;
	int error;
	char *err;
	size_t errsize;
};

static void make_target(void *arg, uint32_t ifindex)
{
	struct targets *t = arg;
	struct tc_link l = {.ifindex = ifindex};
	static const char *const kinds[] = {"dummy", "ifb", "veth"};

	for (size_t i = 0; !t->error && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int e;

		snprintf(l.kind, sizeof(l.kind), "%s", kinds[i]);
		snprintf(l.name, sizeof(l.name), "to%u", ifindex);
		e = tc_link_add(t->nl, &l, t->err, t->errsize);
		if (e == EOPNOTSUPP)
			continue;
		if (e && e != EEXIST && e != EBUSY)
			t->error = e;
		return;
	}
}

static int device(struct tc_nl *nl, const struct tc_link *l, const struct part *p,
		  struct tc_link *made, char *err, size_t errsize)
{
	char words[256] = "", name[IFNAMSIZ];
	struct targets t = {.nl = nl, .err = words, .errsize = sizeof(words)};

	*made = (struct tc_link){
		.kind = "veth", .mtu = l->mtu, .txqlen = l->txqlen, .tx_queues = l->tx_queues};
	if (made->mtu > MTU_MOST)
		made->mtu = MTU_MOST;
	if (made->mtu && made->mtu < MTU_LEAST)
		made->mtu = MTU_LEAST;
	/* filters may say its name; but one called lo is there, and stays */
	if (strcmp(l->name, "lo") != 0)
		memcpy(made->name, l->name, sizeof(made->name));
	else
		snprintf(made->name, sizeof(made->name), "as-lo");
	for (size_t i = 0; i < p->n; i++)
		tc_raw_targets(p->v[i], make_target, &t);
	if (t.error || tc_link_add(nl, made, words, sizeof(words)))
		return fail_with(err, errsize, "a device to try it on (veth): %s", words);
	memcpy(name, made->name, sizeof(name));
	return tc_link_find(nl, name, made, NULL, err, errsize);
}

int tc_rebuild_try(const struct tc_link *l, const struct tc_state *s, uint32_t top, char *err,
		   size_t errsize)
{
	struct tc_nl *nl = tc_nl_open_scratch(err, errsize);
	struct tc_link made = {0};
	struct part p;
	int status = -1;

	if (!nl)
		return -1;
	if (part_of(s, top, &p))
		fail_with(err, errsize, "no memory");
	else {
		status = refuse(&p, err, errsize);
		if (!status)
			status = device(nl, l, &p, &made, err, errsize);
		if (!status)
			status = make(nl, made.ifindex, s, top, &p, err, errsize);
		free(p.v);
	}
	tc_nl_close(nl);
	return status;
}
