/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filter's keys (filter_index.h). Once over the program forwards, for what the accumulator
 * holds at each instruction on all ways to it; once backwards, for the keys that stand on all
 * ways from there to "yes". Programs have no loops, or they have no keys.
 */
#include "qos/filter_index.h"

#include <stdlib.h>
#include <string.h>

/* A key that fewer bits tell apart is not worth a look: an IP version, a protocol. */
#define BITS_MIN 9

/* What is known on all ways to an instruction. */
struct state {
	bool reached, field, header; /* field: A is `a`; header: X is 4 * ([0] & 0xf) */
	struct filter_key a;	     /* its value is not used */
};

/* Keys of which one holds on every way from an instruction to "yes". */
struct cover {
	int n; /* -1: there are none */
	struct filter_key key[FILTER_KEYS_MAX];
};

static bool same_key(const struct filter_key *a, const struct filter_key *b)
{
	return a->off == b->off && a->size == b->size && a->l4 == b->l4 && a->mask == b->mask &&
	       a->value == b->value;
}

static void join(struct state *to, const struct state *from)
{
	if (!to->reached) {
		*to = *from;
		return;
	}
	to->field &= from->field && same_key(&to->a, &from->a);
	to->header &= from->header;
}

static void load(struct state *s, const struct bpf_insn *i)
{
	unsigned mode = BPF_MODE(i->code), size = BPF_SIZE(i->code);

	s->field = (mode == BPF_ABS || (mode == BPF_IND && s->header)) && i->k < UINT16_MAX;
	if (!s->field)
		return;
	s->a = (struct filter_key){.off = (uint16_t)i->k,
				   .size = size == BPF_W   ? 4
					   : size == BPF_H ? 2
							   : 1,
				   .l4 = mode == BPF_IND};
	s->a.mask = s->a.size == 4 ? UINT32_MAX : (1u << 8 * s->a.size) - 1;
}

/* What an instruction that is no jump makes of it. */
static void run(struct state *s, const struct bpf_insn *i)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
		load(s, i);
		break;
	case BPF_LDX:
		s->header = BPF_MODE(i->code) == BPF_MSH && i->k == 0;
		break;
	case BPF_ALU:
		if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			s->a.mask &= i->k;
		else
			s->field = false;
		break;
	case BPF_MISC:
		if (BPF_MISCOP(i->code) == BPF_TAX)
			s->header = false;
		else
			s->field = false;
		break;
	default: /* a store */
		break;
	}
}

/* Where it may go from instruction pc: at most two. 0: nowhere; -1: backwards or out. */
static int next(const struct bpf_program *prog, uint32_t pc, uint32_t to[2])
{
	const struct bpf_insn *i = &prog->bf_insns[pc];
	int n = 1;

	to[0] = to[1] = pc + 1;
	if (BPF_CLASS(i->code) == BPF_RET)
		return 0;
	if (i->code == (BPF_JMP | BPF_JA)) {
		if (i->k >= prog->bf_len)
			return -1;
		to[0] += i->k;
	} else if (BPF_CLASS(i->code) == BPF_JMP) {
		to[0] += i->jt;
		to[1] += i->jf;
		n = 2;
	}
	return to[0] < prog->bf_len && to[1] < prog->bf_len ? n : -1;
}

static bool forwards(const struct bpf_program *prog, struct state *s)
{
	s[0].reached = true;
	for (uint32_t pc = 0; pc < prog->bf_len; pc++) {
		struct state after = s[pc];
		uint32_t to[2];
		int n;

		if (!after.reached)
			continue;
		n = next(prog, pc, to);
		if (n < 0)
			return false;
		if (BPF_CLASS(prog->bf_insns[pc].code) != BPF_JMP)
			run(&after, &prog->bf_insns[pc]);
		for (int k = 0; k < n; k++)
			join(&s[to[k]], &after);
	}
	return true;
}

/* Bits of the key that tells least. None at all: nothing is taken, which tells all. */
static int bits(const struct cover *c)
{
	int least = c->n < 0 ? 0 : 33;

	for (int i = 0; i < c->n; i++)
		if (__builtin_popcount(c->key[i].mask) < least)
			least = __builtin_popcount(c->key[i].mask);
	return least;
}

static void unite(struct cover *c, const struct cover *more)
{
	if (more->n < 0)
		c->n = -1;
	for (int i = 0; i < more->n && c->n >= 0; i++) {
		int k = 0;

		while (k < c->n && !same_key(&c->key[k], &more->key[i]))
			k++;
		if (k == FILTER_KEYS_MAX)
			c->n = -1;
		else if (k == c->n)
			c->key[c->n++] = more->key[i];
	}
}

/* The way on where a field was what it is compared with: its key, or those that come. */
static struct cover equal(const struct state *s, const struct bpf_insn *i,
			  const struct cover *on)
{
	struct cover c = {.n = 1, .key = {s->a}};

	c.key[0].value = i->k;
	return bits(on) >= bits(&c) ? *on : c;
}

static void backwards(const struct bpf_program *prog, const struct state *s, struct cover *c)
{
	for (uint32_t pc = prog->bf_len; pc-- > 0;) {
		const struct bpf_insn *i = &prog->bf_insns[pc];
		uint32_t to[2];

		if (!s[pc].reached)
			continue;
		switch (next(prog, pc, to)) {
		case 0:
			c[pc].n = i->code == (BPF_RET | BPF_K) && !i->k ? 0 : -1;
			break;
		case 1:
			c[pc] = c[to[0]];
			break;
		default:
			if (i->code == (BPF_JMP | BPF_JEQ | BPF_K) && s[pc].field)
				c[pc] = equal(&s[pc], i, &c[to[0]]);
			else
				c[pc] = c[to[0]];
			unite(&c[pc], &c[to[1]]);
			break;
		}
	}
}

int filter_keys(const struct filter *f, struct filter_key keys[FILTER_KEYS_MAX])
{
	const struct bpf_program *prog = &f->prog;
	struct state *s = calloc(prog->bf_len + 1, sizeof(*s));
	struct cover *c = calloc(prog->bf_len + 1, sizeof(*c));
	int n = -1;

	if (s && c && prog->bf_len && forwards(prog, s)) {
		backwards(prog, s, c);
		if (bits(&c[0]) >= BITS_MIN) {
			n = c[0].n;
			memcpy(keys, c[0].key, (size_t)n * sizeof(*keys));
		}
	}
	free(s);
	free(c);
	return n;
}
