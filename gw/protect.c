/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/protect.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "qos/link_control.h"

#define IP6_HEADER 40u

static bool promised(const struct policy_class *c)
{
	return (c->n_child ? c->min.bps : c->min_bps) || c->deadline || c->max_latency ||
	       c->max_jitter;
}

/* Behind the others; NULL: no memory. */
static struct protect_rule *add(struct protect_rule **v, size_t *n)
{
	struct protect_rule *more = realloc(*v, (*n + 1) * sizeof(*more));

	if (!more)
		return NULL;
	*v = more;
	more[*n] = (struct protect_rule){0};
	return &more[(*n)++];
}

/* What c asks for by one of its filters (NULL: it has none). false: it cannot be told. */
static bool program(const struct policy_class *c, const struct filter *f,
		    struct sock_filter *out, uint16_t *n)
{
	bool marks = c->beside && c->beside->n_mark;
	size_t head = marks ? tc_bpf_marks(c->beside, out, TC_XT_BPF_MAX) : 0, rest;

	if ((f && !f->per_flow) || (marks && !head) ||
	    (c->beside && (c->beside->n_mac || c->beside->n_in || c->beside->n_set)))
		return false;
	rest = tc_bpf_rule(f, c->dscp, out + head, TC_XT_BPF_MAX - head);
	*n = (uint16_t)(rest ? head + rest : 0);
	return rest > 0;
}

static bool asks(const struct policy_class *c)
{
	return c->match.n || c->dscp || c->beside;
}

/*
 * The nearest class above that asks for something, if one program says it; else what is above
 * is left out: more packets come by the queue than belong there.
 */
static void put_above(const struct policy_class *c, struct protect_rule *r)
{
	const struct policy_class *a = c->parent;

	while (a && !asks(a))
		a = a->parent;
	if (!a || a->match.n > 1 ||
	    !program(a, a->match.n ? a->match.compiled : NULL, r->insn[1], &r->n[1]))
		r->n[1] = 0;
}

/* 0, also when it cannot be told; -1: no memory. */
static int add_class(struct protect *p, const struct policy_class *c)
{
	size_t n = c->match.n ? c->match.n : 1;
	bool told = asks(c) && p->n_rule + n <= PROTECT_RULES_MAX;

	p->promised++;
	for (size_t i = 0; told && i < n; i++) {
		struct protect_rule *r = add(&p->rule, &p->n_rule);

		if (!r)
			return -1;
		if (program(c, c->match.n ? &c->match.compiled[i] : NULL, r->insn[0],
			    &r->n[0])) {
			put_above(c, r);
		} else {
			p->n_rule--;
			told = false;
		}
	}
	/* a default is promised what is left: that is never told */
	p->untold += !told && !c->is_default;
	return 0;
}

/* ---- What the link hangs on. */

struct writer {
	struct sock_filter *code;
	size_t n;
};

static void put(struct writer *w, struct sock_filter f)
{
	if (w->n < TC_XT_BPF_MAX)
		w->code[w->n] = f;
	w->n++;
}

/* Takes the packet if what was loaded is `value`. */
static void take_if(struct writer *w, uint32_t value)
{
	put(w, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	put(w, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, TC_BPF_MATCH));
}

static bool any_port(const struct policy_control *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c->kind[i]->port[0])
			return true;
	return false;
}

/* The protocol, or the port of the receiver, is that of one of the kinds. */
static void put_kinds(struct writer *w, const struct policy_control *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!c->kind[i]->port[0])
			take_if(w, c->kind[i]->proto);
	take_if(w, IPPROTO_HOPOPTS); /* of IPv6: MLD stands behind it */
	if (any_port(c, n)) {
		put(w,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 1, 0));
		put(w, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
		put(w, (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2));
		for (size_t i = 0; i < n; i++)
			for (unsigned k = 0; k < CONTROL_PORTS && c->kind[i]->port[k]; k++)
				take_if(w, c->kind[i]->port[k]);
	}
	put(w, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}

/* 0: it does not fit, or a kind is a filter of its own. */
static size_t look_program(const struct policy_link *l, struct sock_filter *code)
{
	static const struct sock_filter head[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 3),
		BPF_STMT(BPF_LDX | BPF_IMM, IP6_HEADER),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_STMT(BPF_JMP | BPF_JA, 2),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
	};
	const struct policy_control *c = &l->control;
	size_t n = c->class->match.n;
	struct writer w = {.code = code};

	for (size_t i = 0; i < n; i++)
		if (!c->kind[i])
			return 0;
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		put(&w, head[i]);
	put_kinds(&w, c, n);
	return w.n <= TC_XT_BPF_MAX ? w.n : 0;
}

/* What can be told of it: the filters with the guards of their protocols. */
static int add_control(struct protect *p, const struct policy_link *l)
{
	const struct policy_class *c = l->control.class;

	if (!c)
		return 0;
	p->look.n[0] = (uint16_t)look_program(l, p->look.insn[0]);
	for (size_t i = 0; i < c->match.n; i++) {
		const struct filter *f = &c->match.compiled[i];
		struct protect_rule *r = add(&p->control, &p->n_control);
		size_t n;

		if (!r)
			return -1;
		/* order within a flow is none of theirs: each packet stands for itself */
		n = tc_bpf_rule(f, 0, r->insn[0], TC_XT_BPF_MAX);
		r->n[0] = (uint16_t)n;
		p->n_control -= !n;
	}
	return 0;
}

int protect_build(struct protect *p, const struct policy_link *l)
{
	*p = (struct protect){0};
	if (add_control(p, l))
		goto failed;
	for (size_t i = 1; i < l->n_all; i++)
		if (promised(l->all[i]) && !l->all[i]->control && add_class(p, l->all[i]))
			goto failed;
	return 0;
failed:
	protect_free(p);
	return -1;
}

void protect_free(struct protect *p)
{
	free(p->control);
	free(p->rule);
	*p = (struct protect){0};
}
