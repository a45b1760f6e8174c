/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_object.h"

#include <linux/pkt_sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qos/policy.h"

#define LIST_LEAST 64
#define PRIO_STEP 100u

int tc_list_add(struct tc_list *l, const struct tc_object *o)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : LIST_LEAST;
		struct tc_object *v = realloc(l->v, cap * sizeof(*v));

		if (!v)
			return -1;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *o;
	return 0;
}

void tc_object_free(struct tc_object *o)
{
	if (o->kind == TC_FILTER && o->type == TC_BPF) {
		free(o->bpf.insn);
		o->bpf.insn = NULL;
	} else if (o->kind == TC_QDISC && o->type == TC_HTB) {
		free(o->htb_qdisc.stab.size);
		o->htb_qdisc.stab.size = NULL;
	}
	free(o->raw);
	o->raw = NULL;
}

void tc_list_free(struct tc_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		tc_object_free(&l->v[i]);
	free(l->v);
	*l = (struct tc_list){0};
}

bool tc_same_key(const struct tc_object *a, const struct tc_object *b)
{
	return a->kind == b->kind && a->handle == b->handle &&
	       (a->kind != TC_FILTER || a->parent == b->parent);
}

static bool same_stab(const struct tc_stab *a, const struct tc_stab *b)
{
	if (a->overhead != b->overhead || a->mpu != b->mpu || a->linklayer != b->linklayer ||
	    a->cell_log != b->cell_log || a->size_log != b->size_log || a->n != b->n)
		return false;
	/* the kernel tells all of a table but its entries */
	return !a->size || !b->size || !a->n ||
	       !memcmp(a->size, b->size, a->n * sizeof(*a->size));
}

static bool same_cost(const struct tc_htb_cost *a, const struct tc_htb_cost *b)
{
	return a->overhead == b->overhead && a->mpu == b->mpu && a->atm == b->atm;
}

static bool same_htb_class(const struct tc_htb_class *a, const struct tc_htb_class *b)
{
	if (a->rate != b->rate || a->ceil != b->ceil || a->buffer != b->buffer ||
	    a->cbuffer != b->cbuffer || !same_cost(&a->rate_cost, &b->rate_cost) ||
	    !same_cost(&a->ceil_cost, &b->ceil_cost))
		return false;
	return !a->quantum || !b->quantum || (a->quantum == b->quantum && a->prio == b->prio);
}

/* The kernel keeps CoDel's times in units of 1024 ns, rounded down (include/net/codel.h). */
static bool same_codel_time(uint32_t a, uint32_t b)
{
	return (uint64_t)a * 1000 >> 10 == (uint64_t)b * 1000 >> 10;
}

static bool same_codel(const struct tc_fq_codel *a, const struct tc_fq_codel *b, bool fq)
{
	if (a->limit != b->limit || a->ecn != b->ecn ||
	    !same_codel_time(a->target, b->target) ||
	    !same_codel_time(a->interval, b->interval))
		return false;
	return !fq || (a->flows == b->flows && a->quantum == b->quantum &&
		       a->memory == b->memory && a->drop_batch == b->drop_batch);
}

static bool same_bpf(const struct tc_bpf *a, const struct tc_bpf *b)
{
	return a->n == b->n && a->classid == b->classid && a->redirect == b->redirect &&
	       (!a->n || !memcmp(a->insn, b->insn, a->n * sizeof(*a->insn)));
}

static bool same_htb_qdisc(const struct tc_htb_qdisc *a, const struct tc_htb_qdisc *b)
{
	return a->defcls == b->defcls && a->has_stab == b->has_stab &&
	       (!a->has_stab || same_stab(&a->stab, &b->stab));
}

bool tc_same_value(const struct tc_object *a, const struct tc_object *b)
{
	if (a->type != b->type || a->parent != b->parent)
		return false;
	switch (a->type) {
	case TC_HTB:
		return a->kind == TC_QDISC ? same_htb_qdisc(&a->htb_qdisc, &b->htb_qdisc)
					   : same_htb_class(&a->htb, &b->htb);
	case TC_FQ_CODEL:
	case TC_CODEL:
		return same_codel(&a->fq_codel, &b->fq_codel, a->type == TC_FQ_CODEL);
	case TC_PFIFO:
	case TC_BFIFO:
		return a->limit == b->limit;
	case TC_BPF:
		return same_bpf(&a->bpf, &b->bpf);
	case TC_INGRESS:
		return true;
	case TC_OTHER:
		break;
	}
	return !strcmp(a->other, b->other);
}

uint32_t tc_filter_step(size_t n)
{
	uint32_t half = TC_FILTER_PRIO_MAX / 2;

	if (n > half)
		return 1;
	return n <= half / PRIO_STEP ? PRIO_STEP : half / (uint32_t)n;
}

const char *tc_handle_text(uint32_t handle, char buf[16])
{
	if (handle == TC_H_ROOT)
		snprintf(buf, 16, "root");
	else if (handle == TC_H_INGRESS)
		snprintf(buf, 16, "ingress");
	else if (handle == TC_H_UNSPEC)
		snprintf(buf, 16, "none");
	else if (TC_H_MIN(handle))
		snprintf(buf, 16, "%x:%x", TC_H_MAJ(handle) >> 16, TC_H_MIN(handle));
	else
		snprintf(buf, 16, "%x:", TC_H_MAJ(handle) >> 16);
	return buf;
}

const char *tc_type_name(const struct tc_object *o)
{
	static const char *const names[] = {
		[TC_HTB] = "htb",     [TC_FQ_CODEL] = "fq_codel", [TC_CODEL] = "codel",
		[TC_PFIFO] = "pfifo", [TC_BFIFO] = "bfifo",	  [TC_INGRESS] = "ingress",
		[TC_BPF] = "bpf",
	};

	return o->type == TC_OTHER ? o->other : names[o->type];
}

uint64_t tc_ticks_bytes(uint32_t ticks, uint64_t rate)
{
	unsigned __int128 ns = (unsigned __int128)ticks * TC_TICK_NS;
	unsigned __int128 bytes = (ns * rate + 500000000u) / 1000000000u;

	return bytes < UINT64_MAX ? (uint64_t)bytes : UINT64_MAX;
}

const char *tc_rate_text(uint64_t rate, char buf[POLICY_UNIT_TEXT])
{
	return policy_rate_text(rate < UINT64_MAX / 8 ? rate * 8 : UINT64_MAX, buf);
}

/* A line that is put together; what does not fit is cut. */
struct line {
	char *buf;
	size_t size, n;
};

static void put(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->n + 1 >= l->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(l->buf + l->n, l->size - l->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->n += (size_t)n < l->size - l->n ? (size_t)n : l->size - l->n - 1;
}

static void put_stab(struct line *l, const struct tc_stab *s)
{
	static const char *const layers[] = {[TC_LINKLAYER_UNAWARE] = "unaware",
					     [TC_LINKLAYER_ETHERNET] = "ethernet",
					     [TC_LINKLAYER_ATM] = "atm"};

	put(l, " stab overhead %d", (int)s->overhead);
	if (s->mpu || s->n)
		put(l, " mpu %u", s->mpu);
	/* two that differ must not look alike */
	if (s->linklayer >= sizeof(layers) / sizeof(layers[0]))
		put(l, " linklayer %u", s->linklayer);
	else if (s->linklayer != TC_LINKLAYER_ETHERNET || s->n)
		put(l, " linklayer %s", layers[s->linklayer]);
	if (s->n)
		put(l, " tsize %u", s->n);
	if (s->cell_log || s->size_log)
		put(l, " cell_log %u size_log %u", s->cell_log, s->size_log);
}

/* Bytes for people, and the kernel's own number: two that differ must not look alike. */
static void put_burst(struct line *l, const char *key, uint32_t ticks, uint64_t rate)
{
	put(l, " %s %llub (%u ticks)", key, (unsigned long long)tc_ticks_bytes(ticks, rate),
	    ticks);
}

static void put_cost(struct line *l, const struct tc_htb_cost *c)
{
	if (c->overhead)
		put(l, " overhead %d", (int16_t)c->overhead);
	if (c->mpu)
		put(l, " mpu %u", c->mpu);
	if (c->atm)
		put(l, " linklayer atm");
}

static void put_htb_class(struct line *l, const struct tc_htb_class *c)
{
	char rate[POLICY_UNIT_TEXT];

	put(l, " rate %s", tc_rate_text(c->rate, rate));
	put_burst(l, "burst", c->buffer, c->rate);
	put_cost(l, &c->rate_cost);
	put(l, " ceil %s", tc_rate_text(c->ceil, rate));
	put_burst(l, "cburst", c->cbuffer, c->ceil);
	put_cost(l, &c->ceil_cost);
	if (c->quantum)
		put(l, " prio %u quantum %u", c->prio, c->quantum);
}

static void put_codel(struct line *l, const struct tc_fq_codel *c, bool fq)
{
	put(l, " limit %up", c->limit);
	if (fq)
		put(l, " flows %u quantum %u", c->flows, c->quantum);
	put(l, " target %uus interval %uus%s", c->target, c->interval, c->ecn ? " ecn" : "");
	if (fq && c->memory)
		put(l, " memory_limit %ub", c->memory);
	if (fq && c->drop_batch)
		put(l, " drop_batch %u", c->drop_batch);
}

static void put_value(struct line *l, const struct tc_object *o)
{
	char h[16];

	switch (o->type) {
	case TC_HTB:
		if (o->kind == TC_CLASS) {
			put_htb_class(l, &o->htb);
			break;
		}
		put(l, " default 0x%x", o->htb_qdisc.defcls);
		if (o->htb_qdisc.has_stab)
			put_stab(l, &o->htb_qdisc.stab);
		break;
	case TC_FQ_CODEL:
	case TC_CODEL:
		put_codel(l, &o->fq_codel, o->type == TC_FQ_CODEL);
		break;
	case TC_PFIFO:
	case TC_BFIFO:
		put(l, " limit %u%c", o->limit, o->type == TC_PFIFO ? 'p' : 'b');
		break;
	case TC_BPF:
		if (o->bpf.classid)
			put(l, " classid %s", tc_handle_text(o->bpf.classid, h));
		if (o->bpf.redirect == TC_REDIRECT_GONE)
			put(l, " redirect to an interface that is not there");
		else if (o->bpf.redirect)
			put(l, " redirect to interface %u", o->bpf.redirect);
		put(l, " bytecode of %u", o->bpf.n);
		break;
	case TC_INGRESS:
	case TC_OTHER:
		break;
	}
}

const char *tc_object_text(const struct tc_object *o, char *buf, size_t size)
{
	struct line l = {.buf = buf, .size = size};
	char h[16];

	if (!size)
		return buf;
	buf[0] = '\0';
	switch (o->kind) {
	case TC_QDISC:
		put(&l, "qdisc %s", tc_handle_text(o->handle, h));
		break;
	case TC_CLASS:
		put(&l, "class %s", tc_handle_text(o->handle, h));
		break;
	case TC_FILTER:
		put(&l, "filter pref %u", o->handle);
		break;
	}
	put(&l, " parent %s %s", tc_handle_text(o->parent, h), tc_type_name(o));
	put_value(&l, o);
	return buf;
}
