/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a device. One dump for all qdiscs (the kernel tells those of every device), one for
 * its classes; filters are told a parent at a time, and are asked for only where a packet
 * comes past them: at qdiscs that can have filters, and at classes with classes.
 */
#include "gw/tc_state.h"

#include <errno.h>
#include <limits.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/tc_message.h"
#include "gw/tc_nl.h"

#define TRIES 10 /* dumps that were interrupted */

struct reader {
	struct tc_state *s;
	size_t cap;    /* of s->of */
	bool in_group; /* the last object of the list is a filter that more may be told of */
	size_t told;   /* entries that were told of it */
	bool plain;    /* the device has an ingress qdisc, and not a clsact */
	char *err;
	size_t errsize;
};

static int no_memory(struct reader *r)
{
	return fail_with(r->err, r->errsize, "no memory");
}

static int append_raw(struct tc_object *o, const struct nlmsghdr *h)
{
	size_t size = NLMSG_ALIGN(h->nlmsg_len);
	uint8_t *raw = realloc(o->raw, o->n_raw + size);

	if (!raw)
		return -1;
	memset(raw + o->n_raw, 0, size);
	memcpy(raw + o->n_raw, h, h->nlmsg_len);
	o->raw = raw;
	o->n_raw += size;
	return 0;
}

static int append(struct reader *r, struct tc_object *o, const struct tc_counters *c,
		  const struct nlmsghdr *h)
{
	struct tc_state *s = r->s;

	if (s->list.n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct tc_counters *of = realloc(s->of, cap * sizeof(*of));

		if (!of)
			goto fail;
		s->of = of;
		r->cap = cap;
	}
	if (append_raw(o, h))
		goto fail;
	s->of[s->list.n] = *c;
	if (!tc_list_add(&s->list, o))
		return 0;
fail:
	tc_object_free(o);
	return no_memory(r);
}

static bool same_group(const struct tc_object *o, const struct tc_parsed *p)
{
	struct tc_parsed last;

	return !tc_parse((const struct nlmsghdr *)(const void *)o->raw, &last) &&
	       last.t.tcm_info == p->t.tcm_info && last.chain == p->chain &&
	       last.t.tcm_parent == p->t.tcm_parent && !strcmp(last.kind, p->kind);
}

/*
 * The kernel tells of a priority first, and then of each filter that it has. Together they
 * are one object: weir's have one filter each.
 */
static int take_filter(struct reader *r, struct tc_object *o, const struct tc_counters *c,
		       const struct nlmsghdr *h)
{
	struct tc_object *last = r->s->list.n ? &r->s->list.v[r->s->list.n - 1] : NULL;
	struct tc_parsed p;
	bool entry;

	if (tc_parse(h, &p)) { /* it was decoded a moment ago */
		tc_object_free(o);
		return -1;
	}
	entry = p.tb[TCA_OPTIONS] != NULL;
	if (!r->in_group || !last || !same_group(last, &p)) {
		r->in_group = true;
		r->told = entry;
		return append(r, o, c, h);
	}
	if (append_raw(last, h)) {
		tc_object_free(o);
		return no_memory(r);
	}
	if (!r->told && entry) { /* what it is, is said now */
		o->raw = last->raw;
		o->n_raw = last->n_raw;
		*last = *o;
	} else {
		tc_object_free(o);
		if (entry && last->type == TC_BPF) {
			free(last->bpf.insn);
			last->type = TC_OTHER;
			memcpy(last->other, p.kind, sizeof(last->other));
		}
	}
	r->told += entry;
	return 0;
}

/* Queues that are fair between flows tell of those that have packets as of classes. */
static bool is_flow(const struct tc_object *o)
{
	static const char *const kinds[] = {"fq_codel", "sfq", "cake", "fq_pie", "hhf"};

	for (size_t i = 0; o->type == TC_OTHER && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(o->other, kinds[i]))
			return true;
	return false;
}

/*
 * An ingress qdisc has one list of filters, whatever the minor number of the parent that they
 * were made with; the kernel tells of all that they have the parent of the one that was made
 * last (tc's own is ffff:fff2).
 */
static uint32_t point_of(const struct reader *r, uint32_t parent)
{
	bool ingress = TC_H_MAJ(parent) == TC_H_MAJ(TC_H_INGRESS);

	return ingress && r->plain ? TC_H_MAJ(TC_H_INGRESS) : parent;
}

static int take(const struct nlmsghdr *h, void *arg)
{
	struct reader *r = arg;
	struct tc_object o;
	struct tc_counters c;
	struct tcmsg t;

	switch (tc_decode(h, &o, &c)) {
	case 0:
		return 0;
	case 1:
		break;
	default:
		return fail_with(r->err, r->errsize,
				 "the kernel's answer about traffic control makes no sense");
	}
	memcpy(&t, nlmsg_data(h), sizeof(t));
	if ((uint32_t)t.tcm_ifindex != r->s->ifindex || (o.kind == TC_CLASS && is_flow(&o))) {
		tc_object_free(&o);
		return 0;
	}
	if (o.kind == TC_FILTER) {
		o.parent = point_of(r, o.parent);
		return take_filter(r, &o, &c, h);
	}
	if (o.kind == TC_QDISC && o.parent == TC_H_INGRESS)
		r->plain = !strcmp(tc_type_name(&o), "ingress");
	return append(r, &o, &c, h);
}

static int dump(struct tc_nl *nl, struct reader *r, int type, uint32_t parent)
{
	struct tcmsg t = {.tcm_ifindex = (int)r->s->ifindex, .tcm_parent = parent};
	struct nl_msg *m = tc_encode_header(type, 0, &t, 0);
	int status, error = 0;

	if (!m)
		return no_memory(r);
	r->in_group = false;
	status = tc_nl_dump(nl, m, take, r, &error, r->err, r->errsize);
	nlmsg_free(m);
	/* a dump's buffer has 32 KB at the most (netlink_dump()) */
	if (status < 0 && error == EMSGSIZE)
		return fail_with(r->err, r->errsize,
				 "there is a filter of more instructions than the kernel can "
				 "tell (some 4040)");
	return status;
}

/* Whom to ask for filters, each once. */
struct parents {
	uint32_t *v;
	size_t n;
};

static int by_handle(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool in_ours(uint32_t handle)
{
	return TC_H_MAJ(handle) == TC_ROOT_HANDLE;
}

/*
 * Where packets come past filters, as far as this object shows it. Of weir's own tree that is
 * the root and classes with classes: there may be thousands of leaves. In other trees filters
 * may hang anywhere.
 */
static size_t parents_by(const struct tc_object *o, uint32_t out[3])
{
	size_t n = 0;

	if (o->kind == TC_CLASS) {
		if (o->parent != TC_H_ROOT && TC_H_MIN(o->parent))
			out[n++] = o->parent;
		if (!in_ours(o->handle))
			out[n++] = o->handle;
	} else if (o->kind == TC_QDISC && o->handle) {
		if (o->parent == TC_H_CLSACT && !strcmp(tc_type_name(o), "clsact")) {
			out[n++] = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
			out[n++] = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
		} else if (!in_ours(o->parent) || o->type == TC_OTHER || o->type == TC_HTB) {
			out[n++] = o->handle;
		}
	}
	return n;
}

static int find_parents(const struct tc_list *l, struct parents *p)
{
	size_t n = 0;

	p->v = malloc((l->n * 3 + 1) * sizeof(*p->v));
	if (!p->v)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		n += parents_by(&l->v[i], p->v + n);
	qsort(p->v, n, sizeof(*p->v), by_handle);
	p->n = 0;
	for (size_t i = 0; i < n; i++)
		if (!p->n || p->v[i] != p->v[p->n - 1])
			p->v[p->n++] = p->v[i];
	return 0;
}

static int read_filters(struct tc_nl *nl, struct reader *r)
{
	struct parents p;
	int status = 0;

	if (find_parents(&r->s->list, &p))
		return no_memory(r);
	for (size_t i = 0; i < p.n && !status; i++)
		status = dump(nl, r, RTM_GETTFILTER, p.v[i]);
	free(p.v);
	return status;
}

/* What the list says of the device as a whole. */
static void conclude(struct tc_state *s)
{
	s->unattended = true;
	for (size_t i = 0; i < s->list.n; i++) {
		const struct tc_object *o = &s->list.v[i];

		if (o->kind != TC_QDISC)
			continue;
		if (o->parent == TC_H_ROOT) {
			s->unattended = o->handle == 0;
			s->ours = o->handle == TC_ROOT_HANDLE && o->type == TC_HTB;
		} else if (o->parent == TC_H_INGRESS) {
			s->ingress = true;
		}
	}
}

/*
 * Of weir's own tree, not of its leaves: the kernel would walk all the flows of each. Where
 * others have put something of theirs there, that is asked as well.
 */
static int read_classes(struct tc_nl *nl, struct reader *r)
{
	size_t n = r->s->list.n; /* qdiscs so far */
	int status = 0;

	conclude(r->s);
	if (!r->s->ours)
		return dump(nl, r, RTM_GETTCLASS, 0);
	for (size_t i = 0; i < n && !status; i++) {
		const struct tc_object *o = &r->s->list.v[i];

		if (o->handle && (o->type == TC_HTB || o->type == TC_OTHER))
			status = dump(nl, r, RTM_GETTCLASS, o->handle);
	}
	return status;
}

static int read_once(struct tc_nl *nl, struct tc_state *s, char *err, size_t errsize)
{
	struct reader r = {.s = s, .err = err, .errsize = errsize};
	int status = dump(nl, &r, RTM_GETQDISC, 0);

	if (!status)
		status = read_classes(nl, &r);
	if (!status)
		status = read_filters(nl, &r);
	if (!status)
		conclude(s);
	return status;
}

int tc_state_read(struct tc_nl *nl, uint32_t ifindex, struct tc_state *s, char *err,
		  size_t errsize)
{
	int status = TC_NL_INTERRUPTED;

	for (int i = 0; i < TRIES && status == TC_NL_INTERRUPTED; i++) {
		*s = (struct tc_state){.ifindex = ifindex};
		status = read_once(nl, s, err, errsize);
		if (status)
			tc_state_free(s);
	}
	if (status == TC_NL_INTERRUPTED)
		return fail_with(err, errsize,
				 "traffic control was changed by others all the time that it "
				 "was read");
	return status;
}

int tc_state_from(const uint8_t *messages, size_t size, struct tc_state *s, char *err,
		  size_t errsize)
{
	struct reader r = {.s = s, .err = err, .errsize = errsize};
	size_t at = 0;
	int status = 0;
	struct tcmsg t;

	*s = (struct tc_state){0};
	while (!status && at < size) {
		const struct nlmsghdr *h =
			(const struct nlmsghdr *)(const void *)(messages + at);

		if (size - at > INT_MAX || !nlmsg_ok(h, (int)(size - at))) {
			status = fail_with(err, errsize,
					   "a message of traffic control is cut off");
			break;
		}
		if (!s->list.n && h->nlmsg_len >= NLMSG_LENGTH(sizeof(t))) {
			memcpy(&t, nlmsg_data(h), sizeof(t));
			s->ifindex = (uint32_t)t.tcm_ifindex;
		}
		if (h->nlmsg_type != RTM_NEWTFILTER)
			r.in_group = false;
		status = take(h, &r);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	if (status)
		tc_state_free(s);
	else
		conclude(s);
	return status;
}

void tc_state_free(struct tc_state *s)
{
	tc_list_free(&s->list);
	free(s->of);
	s->of = NULL;
}
