/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/reach_path.h"

enum { TRIES_MAX = 512 }; /* values tried for one field of a witness */

static uint32_t bytes(const uint8_t *p, unsigned size)
{
	uint32_t v = 0;

	while (size--)
		v = v << 8 | *p++;
	return v;
}

/* The smallest y >= x with (y & known) == val, in `all`'s bits; false: none. */
static bool next_value(uint32_t x, uint32_t known, uint32_t val, uint32_t all, uint32_t *y)
{
	uint32_t wrong = (x ^ val) & known, bit, low;

	if (!wrong) {
		*y = x;
		return true;
	}
	bit = 1u << (31 - __builtin_clz(wrong));
	if (!(val & bit)) { /* x is too large there: a free 0 further up must become 1 */
		uint32_t free = ~x & ~known & all & ~(bit | (bit - 1));

		if (!free)
			return false;
		bit = free & -free;
	}
	low = bit - 1;
	*y = (x & ~(low | bit)) | bit | (val & low);
	return true;
}

static bool prev_value(uint32_t x, uint32_t known, uint32_t val, uint32_t all, uint32_t *y)
{
	if (!next_value(~x & all, known, ~val & known, all, y))
		return false;
	*y = ~*y & all;
	return true;
}

static bool con_holds(const struct con *c, uint32_t v)
{
	switch (c->op) {
	case CON_EQ:
		return (v & c->mask) == c->val;
	case CON_NE:
		return (v & c->mask) != c->val;
	case CON_GE:
		return v >= c->val;
	default:
		return v <= c->val;
	}
}

static bool con_of(const struct con *c, const struct con *field)
{
	return c->base == field->base && c->off == field->off && c->size == field->size;
}

bool reach_learn(struct path *p, const struct con *f, uint32_t mask, uint32_t val)
{
	for (unsigned i = f->size; i--; mask >>= 8, val >>= 8) {
		uint8_t *known = &p->known[f->base][f->off + i],
			*v = &p->val[f->base][f->off + i];

		if ((*v ^ val) & *known & mask & 0xff)
			return false;
		*v = (uint8_t)((*v & ~mask) | (val & mask));
		*known |= (uint8_t)mask;
	}
	return true;
}

/*
 * Moves the bounds of a field out of the range that a CON_NE excludes, where its mask
 * is a prefix (a network, or the whole field). false: nothing is left.
 */
static bool exclude(const struct con *c, uint32_t all, uint32_t *lo, uint32_t *hi, bool *moved)
{
	uint32_t low = ~c->mask & all;

	if ((low & (low + 1)) || (c->val & ~c->mask))
		return true;
	if ((*lo & c->mask) == c->val) {
		if ((*lo | low) >= *hi)
			return false;
		*lo = (*lo | low) + 1;
		*moved = true;
	}
	if ((*hi & c->mask) == c->val) {
		if ((*hi & c->mask) <= *lo)
			return false;
		*hi = (*hi & c->mask) - 1;
		*moved = true;
	}
	return true;
}

bool reach_settle(struct path *p, const struct con *f, uint32_t *value)
{
	uint32_t all = reach_full(f->size), known, val, lo = 0, hi = all;
	bool again = true;

	for (const struct con *c = p->cons; c; c = c->up) {
		if (!con_of(c, f))
			continue;
		if (c->op == CON_GE && c->val > lo)
			lo = c->val;
		if (c->op == CON_LE && c->val < hi)
			hi = c->val;
	}
	while (again) {
		known = bytes(&p->known[f->base][f->off], f->size);
		val = bytes(&p->val[f->base][f->off], f->size);
		again = false;
		if (lo > hi || !next_value(lo, known, val, all, &lo) ||
		    !prev_value(hi, known, val, all, &hi) || lo > hi)
			return false;
		for (const struct con *c = p->cons; c; c = c->up) {
			if (!con_of(c, f) || c->op != CON_NE)
				continue;
			if ((known & c->mask) == c->mask && (val & c->mask) == c->val)
				return false;
			if (!exclude(c, all, &lo, &hi, &again))
				return false;
		}
	}
	/* The bits that lo and hi have in common at their high end are known. */
	known = lo ^ hi;
	known = known ? all & ~(UINT32_MAX >> __builtin_clz(known)) : all;
	if (!reach_learn(p, f, known, lo))
		return false;
	if (!value)
		return true;
	known = bytes(&p->known[f->base][f->off], f->size);
	val = bytes(&p->val[f->base][f->off], f->size);
	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		const struct con *c;

		for (c = p->cons; c && !(con_of(c, f) && !con_holds(c, lo)); c = c->up)
			;
		if (!c) {
			*value = lo;
			return true;
		}
		if (lo == hi || !next_value(lo + 1, known, val, all, &lo) || lo > hi)
			return false;
	}
	return false;
}

bool reach_demand(struct arena *r, struct path *p, const struct sym *f, enum conop op,
		  uint32_t mask, uint32_t val)
{
	struct con *c;

	if (r->n == REACH_CONS_MAX) {
		r->gave_up = true;
		return false;
	}
	c = &r->con[r->n++];
	*c = (struct con){p->cons, f->base, f->size, (uint8_t)op, f->off, mask, val};
	p->cons = c;
	if (op == CON_EQ && ((val & ~mask) || !reach_learn(p, c, mask, val)))
		return false;
	if (op == CON_NE && (val & ~mask))
		return true;
	if (op == CON_NE && mask && !(mask & (mask - 1)) &&
	    !reach_learn(p, c, mask, ~val & mask))
		return false;
	return reach_settle(p, c, NULL);
}

/*
 * (field & mask) > k, or not. That is a bound of the field itself where the mask drops
 * its low bits, or its high bits and these are known; other masks are let be.
 */
static bool above(struct arena *r, struct path *p, const struct sym *f, uint32_t mask,
		  uint64_t k, bool way)
{
	uint32_t all = reach_full(f->size), rest = ~mask & all;
	uint32_t known = bytes(&p->known[f->base][f->off], f->size), bound;

	if (k >= mask)
		return !way;
	if (!(rest & (rest + 1)))
		bound = ((uint32_t)k & mask) | rest;
	else if (!(mask & (mask + 1)) && (known & rest) == rest)
		bound = (uint32_t)k | (bytes(&p->val[f->base][f->off], f->size) & rest);
	else
		return true;
	return way ? reach_demand(r, p, f, CON_GE, all, bound + 1)
		   : reach_demand(r, p, f, CON_LE, all, bound);
}

bool reach_branch(struct arena *r, struct path *p, const struct bpf_insn *i, bool way)
{
	unsigned op = BPF_OP(i->code);
	const struct sym f = p->a;
	uint32_t k = i->k;
	uint64_t shifted;

	if (BPF_SRC(i->code) == BPF_X) {
		if (p->x.kind != CONST)
			return true;
		k = p->x.c;
	}
	if (f.kind == CONST)
		return way == (op == BPF_JEQ   ? f.c == k
			       : op == BPF_JGT ? f.c > k
			       : op == BPF_JGE ? f.c >= k
					       : (f.c & k) != 0);
	if (f.kind != FIELD || (f.c && op != BPF_JEQ))
		return true;
	if (op == BPF_JEQ)
		k -= f.c;
	shifted = (uint64_t)k << f.shr;
	switch (op) {
	case BPF_JEQ:
		if (shifted > UINT32_MAX || (shifted & ~(uint64_t)f.mask))
			return !way;
		return reach_demand(r, p, &f, way ? CON_EQ : CON_NE, f.mask, (uint32_t)shifted);
	case BPF_JSET:
		return reach_demand(r, p, &f, way ? CON_NE : CON_EQ, f.mask & (uint32_t)shifted,
				    0);
	case BPF_JGE:
		if (!k)
			return way;
		k--;
		/* fall through */
	default: /* > k: above all that shifts down to k */
		shifted = ((uint64_t)k << f.shr) + ((1ull << f.shr) - 1);
		return above(r, p, &f, f.mask, shifted, way);
	}
}

void reach_alu(struct arena *r, struct path *p, const struct bpf_insn *i)
{
	const struct sym v =
		BPF_SRC(i->code) == BPF_X ? p->x : (struct sym){.kind = CONST, .c = i->k};
	unsigned op = BPF_OP(i->code);
	struct sym *a = &p->a;
	uint32_t k = v.c;

	/* a division by zero would end the program */
	if ((op == BPF_DIV || op == BPF_MOD) && (v.kind != CONST || !k)) {
		r->gave_up = true;
		a->kind = ANY;
	} else if (op == BPF_ADD && a->kind == CONST && v.kind == HLEN) {
		*a = (struct sym){HLEN, .c = a->c + v.c};
	} else if (v.kind != CONST || a->kind == ANY) {
		a->kind = ANY;
	} else if (op == BPF_ADD || op == BPF_SUB) {
		a->c += op == BPF_ADD ? k : -k;
	} else if (a->kind == CONST && op == BPF_AND) {
		a->c &= k;
	} else if (a->kind == CONST && op == BPF_OR) {
		a->c |= k;
	} else if (a->kind == CONST && op == BPF_LSH && k < 32) {
		a->c <<= k;
	} else if (a->kind == CONST && op == BPF_RSH && k < 32) {
		a->c >>= k;
	} else if (a->kind == CONST && op == BPF_MUL) {
		a->c *= k;
	} else if (a->kind == FIELD && !a->c && op == BPF_AND) {
		a->mask &= (uint32_t)((uint64_t)k << a->shr);
	} else if (a->kind == FIELD && !a->c && op == BPF_RSH && k + a->shr < 32) {
		a->shr += (uint8_t)k;
		a->mask &= UINT32_MAX << a->shr;
	} else {
		a->kind = ANY;
	}
}
