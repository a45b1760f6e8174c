/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_plan_impl.h"

#include <linux/pkt_sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MINOR_FIRST 0x10u
#define MINOR_LAST 0xfffdu
#define MINORS_ALL 65536u
#define MINORS (MINOR_LAST - MINOR_FIRST + 1)
#define MTU_USUAL 1500u

int tc_refuse(const struct tc_build *b, struct policy_mark at, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(b->err, b->errsize, "%s:%d:%d: ", b->p->file, at.line, at.col);

	if (n < 0 || (size_t)n >= b->errsize)
		return -1;
	va_start(ap, fmt);
	vsnprintf(b->err + n, b->errsize - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

const struct policy_class *tc_ceiling(const struct policy_class *c)
{
	const struct policy_class *whose = NULL;
	uint64_t least = c->link->rate.bps;

	for (; c->parent; c = c->parent)
		if (c->max.bps && c->max.bps <= least) {
			least = c->max.bps;
			whose = c;
		}
	return whose;
}

/* FNV-1a */
static uint32_t hash_path(const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619u;
	return h;
}

/*
 * A class's number hangs on its path, so that it stays when others come and go: whatever of
 * the kernel's objects is still wanted is still the same object. Where two paths meet, the
 * one that stands later in the file takes the next free number. The class's queue has the same
 * number as its handle, which must not be the root's.
 */
static void number_classes(struct tc_plan *t)
{
	const struct policy_link *l = t->link;
	bool taken[MINORS] = {false};

	taken[(TC_ROOT_HANDLE >> 16) - MINOR_FIRST] = true;
	memset(t->index, 0xff, MINORS_ALL * sizeof(*t->index)); /* TC_NO_CLASS */
	t->classid[0] = TC_LINK_CLASS;
	t->index[TC_H_MIN(TC_LINK_CLASS)] = 0;
	/* fewer classes than numbers: POLICY_CLASSES_MAX */
	for (size_t i = 1; i < l->n_all; i++) {
		uint32_t at = hash_path(l->all[i]->path) % MINORS;

		while (taken[at])
			at = (at + 1) % MINORS;
		taken[at] = true;
		t->classid[i] = TC_ROOT_HANDLE | (at + MINOR_FIRST);
		t->index[at + MINOR_FIRST] = (uint16_t)i;
	}
}

/* Bytes at bytes/s, in ticks: rounded down, so that no bucket is larger than it should be. */
static uint32_t ticks(uint64_t bytes, uint64_t rate)
{
	unsigned __int128 t = (unsigned __int128)bytes * 1000000000u / rate / TC_TICK_NS;

	return t < 1 ? 1 : t < UINT32_MAX ? (uint32_t)t : UINT32_MAX;
}

/* HTB's bucket for one of weir's: see tc_plan.h. */
static uint32_t bucket(const struct tc_build *b, uint64_t burst, uint64_t rate)
{
	uint64_t bytes = policy_charge(b->l, TC_SMALL);

	if (burst > tc_least_burst(b))
		bytes = burst - b->packet;
	return ticks(bytes, rate);
}

/*
 * The ceiling of a class that has no max of its own (or one that is never reached): that of
 * what is above it, with a bucket that is larger by the largest packet there is. So it is
 * always what is above that says stop, and the class need not be moved about for it.
 */
static void ceil_of(const struct tc_build *b, const struct policy_class *c,
		    struct tc_htb_class *h)
{
	const struct policy_class *whose = tc_ceiling(c);
	uint64_t burst = whose ? whose->max_burst : b->l->burst;

	h->ceil = tc_bytes_rate(whose ? whose->max.bps : b->l->rate.bps);
	if (whose == c || !c->parent)
		h->cbuffer = bucket(b, burst, h->ceil);
	else
		h->cbuffer =
			ticks(burst + b->packet + policy_charge(b->l, TC_SEGMENT), h->ceil);
}

static void rate_of(const struct tc_build *b, const struct policy_class *c,
		    struct tc_htb_class *h)
{
	if (!c->parent) {
		h->rate = h->ceil;
		h->buffer = h->cbuffer;
	} else if (c->min_bps) {
		h->rate = tc_bytes_rate(c->min_bps);
		h->buffer = bucket(b, c->min_burst, h->rate);
	} else {
		h->rate = TC_TRICKLE;
		h->buffer = 1;
	}
}

static int add_class(struct tc_build *b, const struct policy_class *c)
{
	struct tc_object o = {.kind = TC_CLASS, .type = TC_HTB};

	o.handle = b->t->classid[c->index];
	o.parent = c->parent ? b->t->classid[c->parent->index] : TC_ROOT_HANDLE;
	ceil_of(b, c, &o.htb);
	rate_of(b, c, &o.htb);
	if (!c->n_child) {
		o.htb.quantum = b->share[c->index].quantum;
		o.htb.prio = b->share[c->index].prio;
	}
	return tc_list_add(&b->t->list, &o);
}

static uint32_t us(uint64_t ns)
{
	uint64_t t = (ns + 500) / 1000;

	return t < 1 ? 1 : t < TC_CODEL_MAX ? (uint32_t)t : TC_CODEL_MAX;
}

/* CoDel counts packets alone: of a limit in bytes, as many full ones as fit. */
static uint32_t packets_of(const struct tc_build *b, const struct policy_class *c)
{
	uint64_t n = c->limit_packets;

	if (c->limit_bytes)
		n = (c->limit_bytes + b->packet - 1) / b->packet;
	return n < 1 ? 1 : n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/*
 * A fifo in CoDel's place: nothing keeps it short but its limit. So that is a time at the rate
 * at which the class is emptied at most, and two full packets at the least, whatever was
 * written beyond it.
 */
static void short_fifo_of(const struct tc_build *b, const struct policy_class *c,
			  struct tc_object *o)
{
	const struct policy_class *whose = tc_ceiling(c);
	unsigned __int128 bytes = tc_bytes_rate(whose ? whose->max.bps : b->l->rate.bps);
	uint64_t written = c->limit_bytes;

	if (!written && c->limit.mark.line)
		written = (uint64_t)c->limit_packets * b->packet;
	bytes = bytes * c->target * TC_FIFO_TARGETS / 1000000000u;
	if (bytes < 2ULL * b->packet)
		bytes = 2ULL * b->packet;
	if (written && written < bytes)
		bytes = written;
	o->type = TC_BFIFO;
	o->limit = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static void fifo_of(const struct policy_class *c, struct tc_object *o)
{
	if (c->limit_bytes) {
		o->type = TC_BFIFO;
		o->limit = c->limit_bytes < UINT32_MAX ? (uint32_t)c->limit_bytes : UINT32_MAX;
		return;
	}
	o->type = TC_PFIFO;
	o->limit = c->limit_packets;
}

/* CoDel without fq_codel, and the other way round where it must be: a single flow is CoDel. */
static void codel_of(const struct tc_build *b, const struct policy_class *c,
		     struct tc_object *o)
{
	bool fq = c->queue == POLICY_QUEUE_FQ_CODEL;
	uint32_t flows = fq ? c->flows : 1;

	o->type = (fq || !b->can->codel) && b->can->fq_codel ? TC_FQ_CODEL : TC_CODEL;
	o->fq_codel = (struct tc_fq_codel){
		.limit = packets_of(b, c),
		.target = us(c->target),
		.interval = us(c->interval),
		.ecn = c->ecn,
	};
	if (o->type != TC_FQ_CODEL)
		return;
	o->fq_codel.flows = flows;
	o->fq_codel.quantum =
		c->quantum > TC_FQ_QUANTUM_LEAST ? c->quantum : TC_FQ_QUANTUM_LEAST;
}

static int add_queue(struct tc_build *b, const struct policy_class *c)
{
	uint32_t classid = b->t->classid[c->index];
	struct tc_object o = {.kind = TC_QDISC, .parent = classid, .handle = classid << 16};

	if (c->queue == POLICY_QUEUE_FIFO)
		fifo_of(c, &o);
	else if (!b->can->fq_codel && !b->can->codel)
		short_fifo_of(b, c, &o);
	else
		codel_of(b, c, &o);
	return tc_list_add(&b->t->list, &o);
}

static int add_root(struct tc_build *b)
{
	struct tc_object o = {.kind = TC_QDISC,
			      .type = TC_HTB,
			      .parent = TC_H_ROOT,
			      .handle = TC_ROOT_HANDLE};

	if (tc_line_build(b, &o.htb_qdisc.has_stab, &o.htb_qdisc.stab))
		return -1;
	if (!tc_list_add(&b->t->list, &o))
		return 0;
	tc_object_free(&o);
	return -1;
}

static int check_depth(const struct tc_build *b)
{
	for (size_t i = 0; i < b->l->n_all; i++) {
		const struct policy_class *c = b->l->all[i], *up = c;
		int depth = 0;

		while ((up = up->parent))
			depth++;
		if (depth > TC_DEPTH_MAX)
			return tc_refuse(b, c->mark,
					 "class \"%s\" is %d levels below its link: HTB has "
					 "room for %d",
					 policy_shown(c->path).s, depth, TC_DEPTH_MAX);
	}
	return 0;
}

static int check_kernel(const struct tc_build *b)
{
	const struct tc_can *can = b->can;
	const char *lacks = !can->htb	? "HTB (CONFIG_NET_SCH_HTB)"
			    : !can->bpf ? "BPF filters (CONFIG_NET_CLS_BPF)"
					: NULL;

	if (!lacks && b->l->direction == POLICY_INGRESS)
		lacks = !can->ingress  ? "the ingress qdisc (CONFIG_NET_SCH_INGRESS)"
			: !can->ifb    ? "ifb devices (CONFIG_IFB)"
			: !can->mirred ? "redirection (CONFIG_NET_ACT_MIRRED)"
				       : NULL;
	if (lacks)
		return tc_refuse(b, b->l->mark, "link \"%s\": this kernel has no %s",
				 b->l->name, lacks);
	return 0;
}

static int build(struct tc_build *b)
{
	const struct policy_link *l = b->l;
	int status = check_kernel(b) || check_depth(b) ? -1 : 0;

	if (status)
		return status;
	b->share = calloc(l->n_all, sizeof(*b->share));
	b->t->classid = calloc(l->n_all, sizeof(*b->t->classid));
	b->t->index = calloc(MINORS_ALL, sizeof(*b->t->index));
	if (!b->share || !b->t->classid || !b->t->index || tc_share_build(b))
		return -1;
	number_classes(b->t);
	status = add_root(b);
	for (size_t i = 0; !status && i < l->n_all; i++)
		status = add_class(b, l->all[i]);
	for (size_t i = 0; !status && i < l->n_all; i++)
		if (!l->all[i]->n_child)
			status = add_queue(b, l->all[i]);
	if (!status)
		status = tc_filters_build(b);
	return status ? status : tc_notes_build(b);
}

struct tc_plan *tc_plan_new(const struct policy *p, const struct policy_link *l,
			    const struct tc_can *can, const struct tc_device *dev,
			    struct policy_report *r, char *err, size_t errsize)
{
	struct tc_plan *t = calloc(1, sizeof(*t));
	struct tc_device d = *dev;
	struct tc_build b = {.t = t,
			     .p = p,
			     .l = l,
			     .can = can,
			     .dev = &d,
			     .r = r,
			     .err = err,
			     .errsize = errsize};

	err[0] = '\0';
	if (!t)
		return NULL;
	if (!d.mtu)
		d.mtu = MTU_USUAL;
	if (d.mtu > TC_SEGMENT)
		d.mtu = TC_SEGMENT;
	b.packet = policy_charge(l, d.mtu);
	t->link = l;
	if (build(&b)) {
		tc_plan_free(t);
		t = NULL;
	}
	free(b.share);
	return t;
}

void tc_plan_free(struct tc_plan *t)
{
	if (!t)
		return;
	tc_list_free(&t->list);
	tc_rules_free(&t->rules);
	for (size_t i = 0; i < t->n_note; i++)
		free(t->note[i].text);
	free(t->note);
	free(t->classid);
	free(t->index);
	free(t);
}

const struct policy_class *tc_plan_class(const struct tc_plan *t, uint32_t classid)
{
	uint16_t i;

	if (TC_H_MAJ(classid) != TC_ROOT_HANDLE)
		return NULL;
	i = t->index[TC_H_MIN(classid)];
	return i != TC_NO_CLASS ? t->link->all[i] : NULL;
}

const struct tc_rule *tc_plan_rule(const struct tc_plan *t, size_t filter)
{
	/* the last of the list, in the order of the rules, behind the one for what is not IP */
	size_t first = t->list.n - t->rules.n;

	return filter >= first ? &t->rules.v[filter - first] : NULL;
}
