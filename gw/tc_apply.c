/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_apply.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/tc_ingress.h"
#include "gw/tc_nl.h"
#include "gw/tc_side.h"

#define TEXT 512
#define ETHERNET_HEADER 14u
#define MINORS 65536u

struct tc_target {
	struct tc_target_opts o;
	struct tc_nl *nl;
	struct tc_plan *plan;
	struct tc_link interface;
	bool ingress, made_ifb, raised_ifb;
	char ifb[IFNAMSIZ];
	struct tc_list hook;	  /* what the interface's ingress is to have */
	struct tc_side tree, way; /* way: of an ingress link, what leads to the tree */
	uint32_t *slot;		  /* by minor number: 1 + the place in tree.state.list */
	uint32_t *leaf;		  /* likewise, of the class's qdisc */
};

/* What the device puts in front of an IP packet where qdiscs see it. */
static uint32_t header_of(const struct tc_link *l)
{
	return l->type == ARPHRD_ETHER || l->type == ARPHRD_LOOPBACK ? ETHERNET_HEADER : 0;
}

/* The ifb may be there, or not yet. */
static int look_for_ifb(struct tc_target *t, char *err, size_t errsize)
{
	struct tc_link l;
	int found = tc_ingress_find(t->nl, t->interface.name, &l, err, errsize);

	if (found < 0)
		return -1;
	if (!found) {
		l = (struct tc_link){0};
		memcpy(l.name, t->ifb, sizeof(l.name));
	}
	tc_list_free(&t->hook);
	if (tc_ingress_want(&t->hook, l.ifindex ? l.ifindex : TC_REDIRECT_GONE))
		return fail_with(err, errsize, "no memory");
	t->tree.link = l;
	t->way.ifb = found;
	return 0;
}

/* All that there is now. */
static int read_all(struct tc_target *t, char *err, size_t errsize)
{
	struct tc_link l;

	if (tc_link_find(t->nl, t->interface.name, &l, NULL, err, errsize))
		return -1;
	t->interface = l;
	if (!t->ingress) {
		t->tree.link = l;
		return tc_side_read(t->nl, &t->tree, err, errsize);
	}
	t->way.link = l;
	if (look_for_ifb(t, err, errsize) || tc_side_read(t->nl, &t->way, err, errsize))
		return -1;
	if (t->tree.link.ifindex)
		return tc_side_read(t->nl, &t->tree, err, errsize);
	tc_side_forget(&t->tree);
	return 0;
}

static int open_target(struct tc_target *t, struct policy_report *r, bool *impossible,
		       char *err, size_t errsize)
{
	struct tc_device dev;

	t->nl = tc_nl_open(err, errsize);
	if (!t->nl ||
	    tc_link_find(t->nl, t->o.link->interface, &t->interface, NULL, err, errsize))
		return -1;
	dev = (struct tc_device){.header = header_of(&t->interface), .mtu = t->interface.mtu};
	t->plan = tc_plan_new(t->o.policy, t->o.link, t->o.can, &dev, r, err, errsize);
	if (!t->plan) {
		*impossible = *err || r->errors;
		return *impossible ? -1 : fail_with(err, errsize, "no memory");
	}
	t->tree.header = dev.header;
	t->tree.top = TC_H_ROOT;
	t->tree.want = &t->plan->list;
	t->way.top = TC_H_INGRESS;
	t->way.want = &t->hook;
	tc_ingress_name(t->interface.name, t->ifb);
	return read_all(t, err, errsize);
}

struct tc_target *tc_target_open(const struct tc_target_opts *o, struct policy_report *r,
				 bool *impossible, char *err, size_t errsize)
{
	struct tc_target *t = calloc(1, sizeof(*t));

	*err = '\0';
	*impossible = false;
	if (!t) {
		fail_with(err, errsize, "no memory");
		return NULL;
	}
	t->o = *o;
	t->ingress = o->link->direction == POLICY_INGRESS;
	if (!o->link->interface)
		fail_with(err, errsize, "link \"%s\" has no interface", o->link->name);
	else if (!open_target(t, r, impossible, err, errsize))
		return t;
	tc_target_close(t);
	return NULL;
}

void tc_target_close(struct tc_target *t)
{
	if (!t)
		return;
	tc_side_forget(&t->tree);
	tc_side_forget(&t->way);
	tc_list_free(&t->hook);
	tc_plan_free(t->plan);
	tc_nl_close(t->nl);
	free(t->slot);
	free(t->leaf);
	free(t);
}

const struct tc_plan *tc_target_plan(const struct tc_target *t)
{
	return t->plan;
}

const char *tc_target_device(const struct tc_target *t)
{
	return t->ingress ? t->ifb : t->interface.name;
}

static int diff_side(const struct tc_side *s, const char *device, tc_differs *fn, void *arg,
		     char *err, size_t errsize)
{
	char is[TEXT], want[TEXT];
	struct tc_changes c;
	int n;

	if (tc_diff(s->want, &s->state, &c))
		return fail_with(err, errsize, "no memory");
	for (size_t i = 0; i < c.n; i++) {
		const struct tc_change *x = &c.v[i];

		tc_object_text(x->o, want, sizeof(want));
		if (x->op == TC_ADD)
			fn(arg, device, '+', NULL, want);
		else if (x->op == TC_DELETE)
			fn(arg, device, '-', want, NULL);
		else
			fn(arg, device, '~', tc_object_text(x->was, is, sizeof(is)), want);
	}
	n = (int)c.n;
	tc_changes_free(&c);
	return n;
}

int tc_target_diff(struct tc_target *t, tc_differs *fn, void *arg, char *err, size_t errsize)
{
	char text[TEXT];
	int n = 0, more = 0;

	if (read_all(t, err, errsize))
		return -1;
	if (t->ingress) {
		snprintf(text, sizeof(text), "interface %s ifb%s", t->ifb,
			 t->way.ifb ? " down" : "");
		if (!t->way.ifb)
			fn(arg, t->ifb, '+', NULL, text);
		else if (!t->tree.link.up)
			fn(arg, t->ifb, '~', text, "up");
		n = !t->way.ifb || !t->tree.link.up;
		more = diff_side(&t->way, t->interface.name, fn, arg, err, errsize);
		if (more < 0)
			return -1;
	}
	n += more;
	more = diff_side(&t->tree, tc_target_device(t), fn, arg, err, errsize);
	return more < 0 ? -1 : n + more;
}

/* 1: it was not there, or down; 0: nothing to do; -1 with err. */
static int make_ifb(struct tc_target *t, char *err, size_t errsize)
{
	struct tc_link l;

	if (t->way.ifb && t->tree.link.up)
		return 0;
	if (t->way.ifb) {
		t->raised_ifb = true; /* also where it has its alias, and could not be raised */
		return tc_ingress_up(t->nl, t->interface.name, &t->tree.link, err, errsize) ? -1
											    : 1;
	}
	if (tc_ingress_make(t->nl, t->interface.name, &l, err, errsize))
		return -1;
	t->made_ifb = true;
	t->tree.link = l;
	if (look_for_ifb(t, err, errsize) || tc_side_read(t->nl, &t->tree, err, errsize))
		return -1;
	return 1;
}

int tc_target_revert(struct tc_target *t, char *err, size_t errsize)
{
	int status = tc_side_revert(t->nl, &t->way, err, errsize);
	char words[TEXT] = "";

	if (t->made_ifb) {
		/* with all that is on it */
		if (tc_link_delete(t->nl, t->tree.link.ifindex, words, sizeof(words)) &&
		    !status)
			status = fail_with(err, errsize, "deleting %s: %s", t->ifb, words);
		t->tree.ran = t->made_ifb = false;
		return status;
	}
	if (tc_side_revert(t->nl, &t->tree, status ? words : err,
			   status ? sizeof(words) : errsize))
		status = -1;
	if (t->raised_ifb && tc_ingress_down(t->nl, &t->tree.link, status ? words : err,
					     status ? sizeof(words) : errsize))
		status = -1;
	t->raised_ifb = false;
	return status;
}

static int give_up(struct tc_target *t, char *err, size_t errsize)
{
	char why[TEXT], more[TEXT];

	snprintf(why, sizeof(why), "%s", err);
	if (tc_target_revert(t, more, sizeof(more)))
		return fail_with(err, errsize, "%s; and taking back what was done: %s", why,
				 more);
	return -1;
}

int tc_target_check(const struct tc_target *t, char *err, size_t errsize)
{
	if (tc_side_refuse(&t->tree, t->o.replace, err, errsize))
		return -1;
	return t->ingress ? tc_side_refuse(&t->way, t->o.replace, err, errsize) : 0;
}

int tc_target_apply(struct tc_target *t, char *err, size_t errsize)
{
	int n = 0, more;

	t->made_ifb = t->raised_ifb = t->tree.ran = t->way.ran = false;
	if (read_all(t, err, errsize) || tc_target_check(t, err, errsize))
		return -1;
	if (t->ingress) {
		n = make_ifb(t, err, errsize);
		if (n < 0)
			return give_up(t, err, errsize);
	}
	/* the tree first: what comes must find it */
	more = tc_side_run(t->nl, &t->tree, err, errsize);
	if (more < 0)
		return give_up(t, err, errsize);
	n += more;
	if (!t->ingress)
		return n;
	more = tc_side_run(t->nl, &t->way, err, errsize);
	return more < 0 ? give_up(t, err, errsize) : n + more;
}

int tc_target_read(struct tc_target *t, char *err, size_t errsize)
{
	const struct tc_list *l = &t->tree.state.list;

	if (tc_side_read(t->nl, &t->tree, err, errsize))
		return -1;
	if (!t->slot)
		t->slot = calloc(MINORS, sizeof(*t->slot));
	if (!t->leaf)
		t->leaf = calloc(MINORS, sizeof(*t->leaf));
	if (!t->slot || !t->leaf)
		return fail_with(err, errsize, "no memory");
	memset(t->slot, 0, MINORS * sizeof(*t->slot));
	memset(t->leaf, 0, MINORS * sizeof(*t->leaf));
	for (size_t i = 0; i < l->n; i++) {
		const struct tc_object *o = &l->v[i];

		if (o->kind == TC_CLASS && TC_H_MAJ(o->handle) == TC_ROOT_HANDLE)
			t->slot[TC_H_MIN(o->handle)] = (uint32_t)i + 1;
		else if (o->kind == TC_QDISC && TC_H_MAJ(o->parent) == TC_ROOT_HANDLE)
			t->leaf[TC_H_MIN(o->parent)] = (uint32_t)i + 1;
	}
	return 0;
}

struct tc_counters tc_target_counters(const struct tc_target *t, const struct policy_class *c)
{
	uint32_t minor = TC_H_MIN(t->plan->classid[c->index]);
	struct tc_counters n = {0};

	if (!t->slot || !t->slot[minor])
		return n;
	n = t->tree.state.of[t->slot[minor] - 1];
	/* HTB does not count what a queue drops when its turn comes */
	if (t->leaf[minor])
		n.drops = t->tree.state.of[t->leaf[minor] - 1].drops;
	return n;
}
