/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules by which packets are told apart, and the filters that they become.
 *
 * HTB asks the filters of its root; when they name a class with classes, it asks that class's
 * filters, and so on. So each level's filters hang on the class whose level it is, in file
 * order, and the last of each level takes whatever is left to the default.
 */
#include "gw/tc_plan_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw/tc_bpf.h"
#include "qos/match_nodes.h"

#define UPPER_SEEN 20u /* bytes of an upper header that lie in a packet's linear part */
#define IP6_HEADER 40u

/* Loads with X: from the upper header, if X is the length of the IPv4 header. */
static unsigned reads_indirect(const struct bpf_insn *b, uint32_t size, bool header)
{
	unsigned reads = TC_READS_LATER;

	if (!header || b->k + size > UPPER_SEEN)
		reads |= TC_READS_PAYLOAD;
	return reads;
}

static unsigned reads_absolute(const struct bpf_insn *b, uint32_t size)
{
	unsigned reads = 0;

	/* the total length of IPv4, the payload's of IPv6 */
	if ((b->k < 4 && b->k + size > 2) || (b->k == 4 && size == 2))
		reads |= TC_READS_LENGTH;
	if (b->k + size > IP6_HEADER)
		reads |= TC_READS_LATER;
	if (b->k + size > IP6_HEADER + UPPER_SEEN)
		reads |= TC_READS_PAYLOAD;
	return reads;
}

/* In the order of the instructions, which libpcap writes load by load. */
static unsigned reads_of(const struct filter *f)
{
	unsigned reads = f->per_flow ? 0 : TC_READS_LATER;
	bool header = false;

	for (unsigned i = 0; i < f->prog.bf_len; i++) {
		const struct bpf_insn *b = &f->prog.bf_insns[i];
		unsigned class = BPF_CLASS(b->code), mode = BPF_MODE(b->code);
		uint32_t size = BPF_SIZE(b->code) == BPF_W   ? 4
				: BPF_SIZE(b->code) == BPF_H ? 2
							     : 1;

		if (class == BPF_LDX)
			header = mode == BPF_MSH;
		else if (class == BPF_MISC)
			header &= BPF_MISCOP(b->code) == BPF_TXA;
		if ((class == BPF_LD || class == BPF_LDX) && mode == BPF_LEN)
			reads |= TC_READS_LENGTH;
		else if (class == BPF_LD && mode == BPF_IND)
			reads |= reads_indirect(b, size, header);
		else if (class == BPF_LD && mode == BPF_ABS)
			reads |= reads_absolute(b, size);
	}
	return reads;
}

static bool has_loop(const struct filter *f)
{
	for (unsigned i = 0; i < f->prog.bf_len; i++)
		if (f->prog.bf_insns[i].code == (BPF_JMP | BPF_JA) &&
		    f->prog.bf_insns[i].k > INT32_MAX)
			return true;
	return false;
}

/* What the rules are made from. */
struct maker {
	struct tc_rules *rules;
	const struct policy *p;
	char *err;
	size_t errsize;
};

static int too_long(const struct maker *m, const struct policy_filter *text,
		    const struct filter *f)
{
	snprintf(m->err, m->errsize, "%s:%d:%d: filter \"%s\": the kernel does not run it: %s",
		 m->p->file, text->mark.line, text->mark.col, policy_shown(text->text).s,
		 has_loop(f) ? "its program has a loop (protochain)"
			     : "its program has more than 4040 instructions");
	return -1;
}

static int add_rule(const struct maker *m, const struct policy_class *at,
		    const struct policy_class *to, const struct policy_filter *text,
		    const struct filter *f, uint64_t dscp, bool criteria_alone)
{
	struct tc_rule *rule = &m->rules->v[m->rules->n];
	struct sock_filter code[TC_BPF_MAX];
	/* a default takes what is left whatever its mark */
	bool marks = to->beside && to->beside->n_mark && (text || criteria_alone);
	size_t head = marks ? tc_bpf_marks(to->beside, code, TC_BPF_MAX) : 0;
	size_t n = tc_bpf_rule(f, dscp, code + head, TC_BPF_MAX - head);

	n = n && (head || !marks) ? n + head : 0;
	if (!n)
		return f && text ? too_long(m, text, f) : -1;
	rule->insn = malloc(n * sizeof(*code));
	if (!rule->insn)
		return -1;
	memcpy(rule->insn, code, n * sizeof(*code));
	rule->n = (uint16_t)n;
	rule->at = at;
	rule->to = to;
	rule->filter = text;
	rule->reads = f ? reads_of(f) : 0;
	m->rules->n++;
	return 0;
}

/* First of the link's level, what the link itself hangs on. */
static int add_control(const struct maker *m, const struct policy_class *at)
{
	const struct policy_class *c = at->parent ? NULL : at->link->control.class;
	int status = 0;

	for (size_t i = 0; c && !status && i < c->match.n; i++)
		status = add_rule(m, at, c, &c->match.v[i], &c->match.compiled[i], 0, false);
	return status;
}

/* One level: the classes of `at`. */
static int add_level(const struct maker *m, const struct policy_class *at)
{
	const struct policy_class *rest = NULL;
	int status = add_control(m, at);

	for (size_t i = 0; !status && i < at->n_child; i++) {
		const struct policy_class *c = at->child[i];
		const struct policy_filters *f = &c->match;

		if (c->is_default)
			rest = c;
		if (c->beside && (c->beside->n_mac || c->beside->n_in || c->beside->n_set))
			continue; /* nothing in the kernel asks for that: it takes nothing */
		for (size_t k = 0; !status && k < f->n; k++)
			status = add_rule(m, at, c, &f->v[k], &f->compiled[k], c->dscp, false);
		if (!f->n && (c->dscp || c->beside))
			status = add_rule(m, at, c, NULL, NULL, c->dscp, true);
	}
	if (status)
		return status;
	assert(rest); /* match_nodes_build() sees to it */
	return add_rule(m, at, rest, NULL, NULL, 0, false);
}

static int add_levels(const struct maker *m, const struct policy_link *l)
{
	size_t most = l->n_all; /* a default for each class with classes */
	int status = 0;

	for (size_t i = 0; i < l->n_all; i++)
		most += l->all[i]->match.n ? l->all[i]->match.n : 1;
	m->rules->v = calloc(most + 1, sizeof(*m->rules->v));
	if (!m->rules->v)
		return -1;
	for (size_t i = 0; !status && i < l->n_all; i++)
		if (l->all[i]->n_child)
			status = add_level(m, l->all[i]);
	return status;
}

int tc_rules_build(struct tc_rules *rules, const struct policy *p, const struct policy_link *l,
		   struct policy_report *r, char *err, size_t errsize)
{
	struct maker m = {rules, p, err, errsize};
	struct match_nodes nodes;
	int status;

	*rules = (struct tc_rules){0};
	err[0] = '\0';
	/* what cannot be matched with is no more fit for the kernel, and it says why */
	status = match_nodes_build(&nodes, p, l, r) ? -1 : add_levels(&m, l);
	match_nodes_free(&nodes);
	if (status)
		tc_rules_free(rules);
	return status;
}

void tc_rules_free(struct tc_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		free(rules->v[i].insn);
	free(rules->v);
	*rules = (struct tc_rules){0};
}

/* Takes over nothing: the program is copied. */
static int add_filter(struct tc_build *b, uint32_t parent, uint32_t prio, uint32_t classid,
		      const struct sock_filter *code, size_t n)
{
	struct tc_object o = {.kind = TC_FILTER,
			      .type = TC_BPF,
			      .parent = parent,
			      .handle = prio,
			      .bpf = {.n = (uint16_t)n, .classid = classid}};

	o.bpf.insn = malloc(n * sizeof(*code));
	if (!o.bpf.insn)
		return -1;
	memcpy(o.bpf.insn, code, n * sizeof(*code));
	if (!tc_list_add(&b->t->list, &o))
		return 0;
	tc_object_free(&o);
	return -1;
}

static int filter_of(struct tc_build *b, const struct tc_rule *rule, uint32_t parent,
		     uint32_t prio)
{
	struct sock_filter code[TC_BPF_MAX];
	size_t n = tc_bpf_for_cls(rule->insn, rule->n, b->dev->header, code, TC_BPF_MAX);

	if (!n)
		return tc_refuse(b, rule->filter ? rule->filter->mark : rule->to->mark,
				 "the program for this filter has more than 4040 instructions, "
				 "or needs more than 16 words of scratch memory");
	return add_filter(b, parent, prio, b->t->classid[rule->to->index], code, n);
}

/*
 * The filters of one level, n rules of it. Between their prios is room for such as are added
 * later.
 */
static int level_filters(struct tc_build *b, const struct tc_rule *rule, size_t n)
{
	const struct policy_class *at = rule->at;
	uint32_t parent = at->parent ? b->t->classid[at->index] : TC_ROOT_HANDLE;
	size_t all = n + (at->parent ? 0 : 1);
	uint32_t prio = 0, step = tc_filter_step(all);
	struct sock_filter code[8];
	int status = 0;

	if (all > TC_FILTER_PRIO_MAX)
		return tc_refuse(b, at->mark,
				 "the classes of %s have %zu filters: the kernel has %u places "
				 "for them at one level",
				 at->parent ? at->path : at->link->name, n,
				 TC_FILTER_PRIO_MAX - 1);
	if (!at->parent)
		status = add_filter(b, parent, prio += step, TC_ROOT_HANDLE, code,
				    tc_bpf_not_ip(code, 8));
	for (size_t i = 0; !status && i < n; i++)
		status = filter_of(b, &rule[i], parent, prio += step);
	return status;
}

int tc_filters_build(struct tc_build *b)
{
	const struct tc_rules *rules = &b->t->rules;
	size_t n;

	if (tc_rules_build(&b->t->rules, b->p, b->l, b->r, b->err, b->errsize))
		return -1;
	for (size_t i = 0; i < rules->n; i += n) {
		for (n = 1; i + n < rules->n && rules->v[i + n].at == rules->v[i].at;)
			n++;
		if (level_filters(b, &rules->v[i], n))
			return -1;
	}
	return 0;
}
