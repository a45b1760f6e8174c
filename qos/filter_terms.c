/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/filter_terms.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qos/filter_words.h"

#define DEPTH_MAX 64 /* of parentheses */

/* ---- Words. */

enum kind { END, WORD, AND, OR, NOT, OPEN, CLOSE, OTHER };

struct token {
	enum kind kind;
	const char *b, *e;
	bool ways; /* "src", "dst", or both joined */
};

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-_.:/\\", c));
}

static bool is(const struct token *t, const char *word)
{
	return (size_t)(t->e - t->b) == strlen(word) && !memcmp(t->b, word, strlen(word));
}

/* Bytes of the packet, "[...]", are one token. */
static const char *behind_brackets(const char *p, const char *end)
{
	int depth = 0;

	do
		depth += (*p == '[') - (*p == ']');
	while (++p < end && depth);
	return p;
}

static struct token read_token(const char *p, const char *end)
{
	struct token t = {.kind = OTHER};

	while (p < end && isspace((unsigned char)*p))
		p++;
	t.b = p;
	t.e = p + (p < end);
	if (p == end) {
		t.kind = END;
	} else if (word_char(*p)) {
		while (t.e < end && word_char(*t.e))
			t.e++;
		t.kind = is(&t, "and") ? AND : is(&t, "or") ? OR : is(&t, "not") ? NOT : WORD;
	} else if (*p == '[') {
		t.e = behind_brackets(p, end);
	} else if ((*p == '&' || *p == '|') && t.e < end && *t.e == *p) {
		t.e++;
		t.kind = *p == '&' ? AND : OR;
	} else if (*p == '!' && (t.e == end || *t.e != '=')) {
		t.kind = NOT;
	} else if (*p == '(' || *p == ')') {
		t.kind = *p == '(' ? OPEN : CLOSE;
	}
	return t;
}

static bool is_way(const struct token *t)
{
	return t->kind == WORD && (is(t, "src") || is(t, "dst"));
}

/* "src or dst" and its like join no terms: one word. */
static struct token next_token(const char *p, const char *end)
{
	struct token t = read_token(p, end), join, other;

	t.ways = is_way(&t);
	if (!t.ways)
		return t;
	join = read_token(t.e, end);
	if (join.kind != AND && join.kind != OR)
		return t;
	other = read_token(join.e, end);
	if (is_way(&other))
		t.e = other.e;
	return t;
}

static unsigned terms_in(const char *p, const char *end)
{
	struct token t = next_token(p, end);
	unsigned n = 1;

	for (; t.kind != END; t = next_token(t.e, end))
		n += t.kind == AND || t.kind == OR;
	return n;
}

unsigned filter_terms(const char *text)
{
	return terms_in(text, text + strlen(text));
}

/* ---- Operands: what stands between words that join. */

struct operand {
	const char *b, *e;	     /* all of it behind its "not"s */
	const char *inner, *inner_e; /* of "(...)" and "port (...)" */
	const char *head_e;	     /* words in front of a value or "(": b to here */
	unsigned terms;
	bool negated;
	enum {
		TERM,	/* words and a value: "tcp port 80" */
		VALUE,	/* a value alone: it has the words of an earlier one */
		GROUP,	/* "(...)" */
		VALUES, /* "tcp port (80 or 443)" */
		LONE,	/* words alone, or with numbers: what follows has no words of it */
	} is;
};

static bool keyword(const struct token *t)
{
	return t->ways || filter_word_known(t->b, (size_t)(t->e - t->b));
}

/* Behind the ")" of an "(" at p; NULL: there is none. */
static const char *behind_group(const char *p, const char *end)
{
	int depth = 0;

	for (struct token t = next_token(p, end); t.kind != END; t = next_token(t.e, end)) {
		depth += (t.kind == OPEN) - (t.kind == CLOSE);
		if (!depth)
			return t.e;
	}
	return NULL;
}

/* Words after which a value stands that others may follow. */
static bool takes_values(const struct token *t)
{
	static const char *const words[] = {"host", "net", "port", "portrange", "proto", NULL};

	for (unsigned i = 0; words[i]; i++)
		if (is(t, words[i]))
			return true;
	return t->ways;
}

/* What an operand is, by its tokens up to its end. */
struct shape {
	unsigned heads, values, others, groups;
	bool values_may, masked;
};

static void count(struct shape *s, struct operand *o, const struct token *t)
{
	bool first = !s->values && !s->others && !s->groups;

	if (t->kind == OPEN) {
		s->groups++;
		o->inner = t->b + 1;
	} else if (t->kind != WORD) {
		s->others++;
	} else if (s->values == 1 && is(t, "mask")) {
		s->masked = true;
	} else if (keyword(t)) {
		s->heads += first;
		s->others += !first;
		s->values_may = takes_values(t);
		o->head_e = first ? t->e : o->head_e;
	} else if (!s->masked || s->values != 1) {
		s->values++;
	} else {
		s->masked = false; /* the value of the mask: a part of the network */
	}
}

/* From p on. false: parentheses without their other half. */
static bool read_operand(const char *p, const char *end, struct operand *o)
{
	struct token t = next_token(p, end);
	struct shape s = {0};

	*o = (struct operand){0};
	for (; t.kind == NOT; t = next_token(t.e, end))
		o->negated = !o->negated;
	o->b = o->e = o->head_e = t.b;
	for (; t.kind == WORD || t.kind == OTHER || t.kind == OPEN || t.kind == NOT;
	     t = next_token(t.e, end)) {
		count(&s, o, &t);
		if (t.kind == OPEN) {
			t.e = behind_group(t.b, end);
			if (!t.e)
				return false;
			o->inner_e = t.e - 1;
		}
		o->e = t.e;
	}
	o->terms = terms_in(o->b, o->e);
	o->is = LONE;
	if (s.groups == 1 && !s.others && !s.values)
		o->is = !s.heads ? GROUP : s.values_may ? VALUES : LONE;
	else if (s.values == 1 && !s.others && !s.groups && (!s.heads || s.values_may))
		o->is = s.heads ? TERM : VALUE;
	return t.kind != CLOSE;
}

/* Whether a group begins with a value that has its words from before the group. */
static bool begins_with_value(const char *p, const char *end)
{
	struct token t = next_token(p, end);

	while (t.kind == OPEN || t.kind == NOT)
		t = next_token(t.e, end);
	return t.kind == WORD && !keyword(&t);
}

/* ---- Programs. */

struct code {
	struct bpf_insn *v;
	size_t n;
};

static bool says(const struct bpf_insn *i, bool yes)
{
	return i->code == (BPF_RET | BPF_K) && !i->k == !yes;
}

/* What says `on` goes on with `more`, which is used up. 0, or -1: no memory. */
static int join(struct code *to, bool on, struct code *more)
{
	struct bpf_insn *v = realloc(to->v, (to->n + more->n) * sizeof(*v));

	if (v)
		to->v = v;
	for (size_t i = 0; v && i < to->n; i++)
		if (says(&v[i], on))
			v[i] = (struct bpf_insn)BPF_STMT(BPF_JMP | BPF_JA,
							 (bpf_u_int32)(to->n - i - 1));
	if (v && more->n)
		memcpy(v + to->n, more->v, more->n * sizeof(*v));
	if (v)
		to->n += more->n;
	free(more->v);
	*more = (struct code){0};
	return v ? 0 : -1;
}

static void negate(struct code *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].code == (BPF_RET | BPF_K))
			c->v[i].k = !c->v[i].k;
}

/* Whether it can say yes at all, as far as its jumps go. */
static bool can_match(const struct code *c)
{
	bool *reached = calloc(c->n + 1, sizeof(*reached)), any = false;

	if (!reached)
		return true;
	reached[0] = true;
	for (size_t i = 0; i < c->n && !any; i++) {
		const struct bpf_insn *in = &c->v[i];
		size_t a = i + 1, b = a;

		if (!reached[i] || BPF_CLASS(in->code) == BPF_RET) {
			any = reached[i] && in->k;
			continue;
		}
		if (in->code == (BPF_JMP | BPF_JA)) {
			a = b = i + 1 + in->k;
		} else if (BPF_CLASS(in->code) == BPF_JMP) {
			a += in->jt;
			b += in->jf;
		}
		/* a loop of libpcap's goes backwards: nothing is said of it */
		any = a > c->n || b > c->n;
		if (!any)
			reached[a] = reached[b] = true;
	}
	free(reached);
	return any;
}

/* ---- The whole. */

struct chain {
	const struct filter_compiler *c;
	char *err;
	size_t errsize;
	char *head; /* the words that a value alone has; NULL: none */
	char *text; /* of the group that is being gathered; NULL: none */
	unsigned terms;
	bool text_and; /* how it is joined to what was before */
	struct code code;
	bool any; /* there is code */
};

static int no_memory(const struct chain *k)
{
	snprintf(k->err, k->errsize, "out of memory");
	return -1;
}

static int add_code(struct chain *k, bool with_and, struct code *more)
{
	if (!k->any) {
		k->code = *more;
		*more = (struct code){0};
		k->any = true;
		return 0;
	}
	return join(&k->code, with_and, more) ? no_memory(k) : 0;
}

/* Compiles what was gathered. */
static int flush(struct chain *k)
{
	static const struct bpf_insn no = BPF_STMT(BPF_RET | BPF_K, 0);
	struct bpf_program prog = {0};
	struct code more;
	bool none = false;
	char *text = k->text;

	k->text = NULL;
	if (!text)
		return 0;
	if (k->c->compile(k->c->arg, text, &prog, &none, k->err, k->errsize)) {
		free(text);
		return -1;
	}
	free(text);
	more.n = none ? 1 : prog.bf_len;
	more.v = malloc(more.n * sizeof(*more.v));
	if (more.v)
		memcpy(more.v, none ? &no : prog.bf_insns, more.n * sizeof(*more.v));
	pcap_freecode(&prog);
	return more.v ? add_code(k, k->text_and, &more) : no_memory(k);
}

/* A value alone gets the words of the one before in front. */
static char *text_of(const struct operand *o, const char *head)
{
	char *text;

	if (asprintf(&text, "%s%s%s%.*s", o->negated ? "not " : "",
		     o->is == VALUE && head ? head : "", o->is == VALUE && head ? " " : "",
		     (int)(o->e - o->b), o->b) < 0)
		return NULL;
	return text;
}

static int gather(struct chain *k, const struct operand *o, bool with_and)
{
	bool goes_on = k->text && k->terms + o->terms <= FILTER_GROUP &&
		       (!k->any || with_and == k->text_and);
	char *text = text_of(o, k->head), *all = text;

	if (!text)
		return no_memory(k);
	if (!goes_on && flush(k)) {
		free(text);
		return -1;
	}
	if (goes_on) {
		if (asprintf(&all, "%s %s %s", k->text, with_and ? "and" : "or", text) < 0)
			all = NULL;
		free(text);
		free(k->text);
	} else {
		k->text_and = with_and;
		k->terms = 0;
	}
	k->text = all;
	k->terms += o->terms;
	return all ? 0 : no_memory(k);
}

/* Remembers the words that values alone have from here on. */
static int set_head(struct chain *k, const struct operand *o)
{
	if (o->is == VALUE || o->is == GROUP)
		return 0;
	free(k->head);
	k->head = NULL;
	if (o->is == LONE)
		return 0;
	k->head = strndup(o->b, (size_t)(o->head_e - o->b));
	return k->head ? 0 : no_memory(k);
}

static int compile_chain(struct chain *k, const char *p, const char *end, unsigned depth);

/* A group that is too large for one. */
static int descend(struct chain *k, const struct operand *o, bool with_and, unsigned depth)
{
	struct chain inner = {.c = k->c, .err = k->err, .errsize = k->errsize};
	int failed = flush(k);

	if (!failed && k->head) {
		inner.head = strdup(k->head);
		failed = inner.head ? 0 : no_memory(k);
	}
	if (!failed)
		failed = compile_chain(&inner, o->inner, o->inner_e, depth + 1);
	if (!failed && o->negated)
		negate(&inner.code);
	if (!failed)
		failed = add_code(k, with_and, &inner.code);
	free(inner.code.v);
	free(inner.head);
	free(inner.text);
	return failed;
}

static int too_many(const struct chain *k, unsigned terms)
{
	snprintf(k->err, k->errsize,
		 "%u terms that cannot be compiled apart (at most %u can together): write a "
		 "list of filters, [tcp port 80, tcp port 443], of which any may take a packet",
		 terms, FILTER_WHOLE);
	return -1;
}

static int wrong(const struct chain *k, const char *what)
{
	snprintf(k->err, k->errsize, "syntax error: %s", what);
	return -1;
}

static int compile_chain(struct chain *k, const char *p, const char *end, unsigned depth)
{
	bool with_and = false;

	for (;;) {
		struct operand o;
		struct token t;
		bool apart;

		if (!read_operand(p, end, &o))
			return wrong(k, "a parenthesis lacks its other half");
		if (o.b == o.e)
			return wrong(k, "a term is missing beside \"and\", \"or\" or \"not\"");
		if (depth > DEPTH_MAX)
			return wrong(k, "too many parentheses in each other");
		if (set_head(k, &o))
			return -1;
		apart = o.terms > FILTER_GROUP
				? o.is == GROUP || o.is == VALUES
				: o.is == GROUP && begins_with_value(o.inner, o.inner_e);
		if (!apart && o.terms > FILTER_WHOLE)
			return too_many(k, o.terms);
		if (apart ? descend(k, &o, with_and, depth) : gather(k, &o, with_and))
			return -1;
		t = next_token(o.e, end);
		if (t.kind == END)
			return flush(k);
		with_and = t.kind == AND;
		p = t.e;
	}
}

/* Words that change where libpcap finds the headers for all that comes after them. */
static bool moves_headers(const char *p, const char *end)
{
	static const char *const words[] = {"vlan", "mpls", "pppoed", "pppoes", "geneve", NULL};

	for (struct token t = next_token(p, end); t.kind != END; t = next_token(t.e, end))
		for (unsigned i = 0; words[i]; i++)
			if (is(&t, words[i]))
				return true;
	return false;
}

/* All of it together. */
static int compile_whole(struct chain *k, const char *text)
{
	unsigned terms = filter_terms(text);

	if (terms > FILTER_WHOLE)
		return too_many(k, terms);
	k->text = strdup(text);
	return k->text ? flush(k) : no_memory(k);
}

int filter_terms_compile(struct bpf_program *prog, const char *text,
			 const struct filter_compiler *c, char *err, size_t errsize)
{
	const char *end = text + strlen(text);
	struct chain k = {.c = c, .err = err, .errsize = errsize};
	int failed = moves_headers(text, end) ? compile_whole(&k, text)
					      : compile_chain(&k, text, end, 0);

	free(k.head);
	free(k.text);
	if (!failed && !can_match(&k.code)) {
		snprintf(err, errsize, "never matches an IP packet");
		failed = -1;
	}
	if (failed) {
		free(k.code.v);
		return -1;
	}
	/* pcap_freecode() gives it back by free() */
	*prog = (struct bpf_program){(u_int)k.code.n, k.code.v};
	return 0;
}
