/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a filter's verdict is the same for all packets of a flow.
 *
 * The program is run on an abstract plain packet (DISSECT_NOT_PLAIN says what that
 * excludes), once as IPv4 and once as IPv6. Every bit of a value is one of
 *   known     the same constant in every plain packet of that version
 *   clean     the same in every packet of a flow (a part of its key)
 *   tainted   may differ within a flow
 * and the verdict must hang on no tainted bit: neither by a branch, nor by the
 * offset of a load, nor by a load that may or may not be inside the packet.
 *
 * What being plain buys: an IPv4 header has 20 bytes, hence 4*([0]&0xf) is 20 and
 * the ports are at [20]; it is no fragment, hence [6:2]&0x3fff is 0; an IPv6 header is
 * followed by the upper header, hence its next-header byte is no extension header's,
 * and libpcap's branches for a fragment header (which read [40]) are never taken; a
 * protocol with ports has its four bytes of ports there.
 *
 * Programs only jump forwards (otherwise: false), so states are carried along in the
 * order of the instructions, a set of them for each; equal ones are kept once. What
 * a branch tells of the protocol goes with the state: libpcap reads ports behind it.
 */
#include "qos/dissect.h"
#include "qos/filter.h"

#include <stdlib.h>
#include <string.h>

#define STATES_MAX 64 /* in one instruction's set; more: give up */

struct value {
	uint32_t known; /* bits whose value is in `val` */
	uint32_t val;	/* 0 outside `known` */
	uint32_t taint; /* bits that may differ within the flow; disjoint from known */
	uint32_t proto; /* 1: this is the protocol byte, unchanged */
};

struct state {
	struct value a, x, mem[BPF_MEMWORDS];
	int32_t proto; /* -1: not known yet */
};

struct stateset {
	struct state *v;
	unsigned n, room;
};

static const struct value TAINTED = {.taint = UINT32_MAX};

static struct value constant(uint32_t k)
{
	return (struct value){.known = UINT32_MAX, .val = k};
}

static bool is_const(const struct value *v)
{
	return v->known == UINT32_MAX;
}

/* Byte `off` of a plain packet. false: it may not be there. */
static bool packet_byte(unsigned version, int proto, uint32_t off, struct value *b)
{
	uint32_t header = version == 4 ? 20 : 40;

	*b = (struct value){.taint = 0xff};
	if (off >= header) {
		*b = (struct value){0};
		return proto >= 0 && dissect_has_ports((unsigned)proto) && off < header + 4;
	}
	if (version == 4) {
		if (off == 0)
			*b = (struct value){.known = 0xff, .val = 0x45};
		else if (off == 6) /* don't-fragment and the reserved bit may change */
			*b = (struct value){.known = 0x3f, .taint = 0xc0};
		else if (off == 7)
			*b = (struct value){.known = 0xff};
		else if (off == 9 || off >= 12)
			*b = (struct value){0};
	} else {
		if (off == 0) /* the low half is part of the traffic class */
			*b = (struct value){.known = 0xf0, .val = 0x60, .taint = 0x0f};
		else if (off == 6 || off >= 8)
			*b = (struct value){0};
	}
	if (off == (version == 4 ? 9 : 6) && proto >= 0)
		*b = (struct value){.known = 0xff, .val = (uint32_t)proto};
	return true;
}

static bool load(unsigned version, int proto, uint32_t off, unsigned size, struct value *v)
{
	struct value b;

	*v = constant(0);
	if (off > 64) /* beyond all that may be read; also keeps off + i from wrapping */
		return false;
	for (unsigned i = 0; i < size; i++) {
		if (!packet_byte(version, proto, off + i, &b))
			return false;
		v->known = v->known << 8 | b.known;
		v->val = v->val << 8 | b.val;
		v->taint = v->taint << 8 | b.taint;
	}
	v->proto = size == 1 && off == (version == 4 ? 9 : 6);
	return true;
}

static unsigned load_size(unsigned code)
{
	switch (BPF_SIZE(code)) {
	case BPF_W:
		return 4;
	case BPF_H:
		return 2;
	case BPF_B:
		return 1;
	default:
		return 0;
	}
}

static bool step_load(unsigned version, struct state *s, const struct bpf_insn *i)
{
	bool ldx = BPF_CLASS(i->code) == BPF_LDX;
	struct value *to = ldx ? &s->x : &s->a, b;

	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		*to = constant(i->k);
		return true;
	case BPF_MEM:
		if (i->k >= BPF_MEMWORDS)
			return false;
		*to = s->mem[i->k];
		return true;
	case BPF_LEN:
		*to = TAINTED;
		return true;
	case BPF_ABS:
		return !ldx && load_size(i->code) &&
		       load(version, s->proto, i->k, load_size(i->code), to);
	case BPF_IND:
		return !ldx && load_size(i->code) && is_const(&s->x) &&
		       load(version, s->proto, s->x.val + i->k, load_size(i->code), to);
	case BPF_MSH:
		if (!ldx || !load(version, s->proto, i->k, 1, &b) || (b.known & 0xf) != 0xf)
			return false;
		*to = constant((b.val & 0xf) * 4);
		return true;
	default:
		return false;
	}
}

/* op on two constants. false: a division by zero, or no such operation. */
static bool fold(unsigned op, uint32_t a, uint32_t k, uint32_t *r)
{
	switch (op) {
	case BPF_ADD:
		*r = a + k;
		return true;
	case BPF_SUB:
		*r = a - k;
		return true;
	case BPF_MUL:
		*r = a * k;
		return true;
	case BPF_DIV:
		*r = k ? a / k : 0;
		return k != 0;
	case BPF_MOD:
		*r = k ? a % k : 0;
		return k != 0;
	case BPF_OR:
		*r = a | k;
		return true;
	case BPF_AND:
		*r = a & k;
		return true;
	case BPF_XOR:
		*r = a ^ k;
		return true;
	case BPF_LSH:
		*r = k < 32 ? a << k : 0;
		return true;
	case BPF_RSH:
		*r = k < 32 ? a >> k : 0;
		return true;
	default:
		return false;
	}
}

static bool step_alu(struct state *s, const struct bpf_insn *i)
{
	struct value v = BPF_SRC(i->code) == BPF_X ? s->x : constant(i->k), *a = &s->a;
	unsigned op = BPF_OP(i->code);
	uint32_t k = v.val, r;

	if (op == BPF_NEG) {
		v = constant(0);
		op = BPF_SUB;
		if (is_const(a)) {
			*a = constant(-a->val);
			return true;
		}
	}
	if (is_const(a) && is_const(&v)) {
		if (!fold(op, a->val, v.val, &r))
			return false;
		*a = constant(r);
		return true;
	}
	a->proto = 0;
	if (op == BPF_AND && is_const(&v)) {
		*a = (struct value){
			.known = a->known | ~k, .val = a->val & k, .taint = a->taint & k};
	} else if (op == BPF_RSH && is_const(&v) && k < 32) {
		*a = (struct value){.known = a->known >> k | ~(UINT32_MAX >> k),
				    .val = a->val >> k,
				    .taint = a->taint >> k};
	} else if (op == BPF_LSH && is_const(&v) && k < 32) {
		*a = (struct value){.known = a->known << k | ~(UINT32_MAX << k),
				    .val = a->val << k,
				    .taint = a->taint << k};
	} else if ((op == BPF_DIV || op == BPF_MOD) && !(is_const(&v) && k)) {
		return false; /* a division by zero ends the program */
	} else if (op <= BPF_RSH || op == BPF_MOD || op == BPF_XOR) {
		*a = a->taint | v.taint ? TAINTED : (struct value){0};
	} else {
		return false;
	}
	return true;
}

/* Which ways a branch may go: bit 0 not taken, bit 1 taken; 0: on a tainted bit. */
static unsigned branch_ways(const struct value *a, unsigned op, uint32_t k)
{
	uint32_t least = a->val, most = a->val | ~a->known;

	switch (op) {
	case BPF_JSET:
		if (a->taint & k)
			return (a->val & k) ? 2 : 0; /* a known one decides it */
		if (a->val & k)
			return 2;
		return (k & ~a->known) ? 3 : 1;
	case BPF_JEQ:
		if ((a->val ^ k) & a->known)
			return 1;
		if (is_const(a))
			return 2;
		break;
	case BPF_JGT:
		if (least > k)
			return 2;
		if (most <= k)
			return 1;
		break;
	default: /* BPF_JGE */
		if (least >= k)
			return 2;
		if (most < k)
			return 1;
		break;
	}
	return a->taint ? 0 : 3;
}

static bool set_add(struct stateset *set, const struct state *s)
{
	for (unsigned i = 0; i < set->n; i++)
		if (!memcmp(&set->v[i], s, sizeof(*s)))
			return true;
	if (set->n == STATES_MAX)
		return false;
	if (set->n == set->room) {
		unsigned room = set->room ? set->room * 2 : 4;
		struct state *v = realloc(set->v, room * sizeof(*v));

		if (!v)
			return false;
		set->v = v;
		set->room = room;
	}
	set->v[set->n++] = *s;
	return true;
}

static bool go(struct stateset *sets, unsigned n, unsigned pc, uint64_t ahead,
	       const struct state *s)
{
	if (ahead >= n - pc - 1) /* beyond the end, or backwards */
		return false;
	return set_add(&sets[pc + 1 + ahead], s);
}

static bool step_jump(unsigned version, struct stateset *sets, unsigned n, unsigned pc,
		      const struct state *s, const struct bpf_insn *i)
{
	unsigned op = BPF_OP(i->code), ways;
	struct state taken = *s;
	uint32_t k = i->k;

	if (op == BPF_JA)
		return go(sets, n, pc, i->k, s);
	if (op != BPF_JEQ && op != BPF_JGT && op != BPF_JGE && op != BPF_JSET)
		return false;
	if (BPF_SRC(i->code) == BPF_X) {
		if (!is_const(&s->x))
			return false;
		k = s->x.val;
	}
	ways = branch_ways(&s->a, op, k);
	if (!ways)
		return false;
	if (op == BPF_JEQ && s->a.proto && ways == 3) {
		if (k > 0xff || (version == 6 && dissect_is_exthdr(k)))
			ways = 1;
		taken.proto = (int32_t)k;
		taken.a = constant(k);
	}
	return (!(ways & 1) || go(sets, n, pc, i->jf, s)) &&
	       (!(ways & 2) || go(sets, n, pc, i->jt, &taken));
}

static bool step(unsigned version, struct stateset *sets, unsigned n, unsigned pc,
		 const struct bpf_insn *i, struct state s)
{
	bool ok = false;

	switch (BPF_CLASS(i->code)) {
	case BPF_RET:
		return BPF_RVAL(i->code) == BPF_K ||
		       (BPF_RVAL(i->code) == BPF_A && s.a.taint == 0);
	case BPF_JMP:
		return step_jump(version, sets, n, pc, &s, i);
	case BPF_LD:
	case BPF_LDX:
		ok = step_load(version, &s, i);
		break;
	case BPF_ST:
	case BPF_STX:
		ok = i->k < BPF_MEMWORDS;
		if (ok)
			s.mem[i->k] = BPF_CLASS(i->code) == BPF_ST ? s.a : s.x;
		break;
	case BPF_ALU:
		ok = step_alu(&s, i);
		break;
	case BPF_MISC:
		ok = BPF_MISCOP(i->code) == BPF_TAX || BPF_MISCOP(i->code) == BPF_TXA;
		if (BPF_MISCOP(i->code) == BPF_TAX)
			s.x = s.a;
		else
			s.a = s.x;
		break;
	default:
		break;
	}
	return ok && go(sets, n, pc, 0, &s);
}

static bool per_flow_version(const struct bpf_insn *insn, unsigned n, unsigned version,
			     struct stateset *sets)
{
	struct state start;

	memset(&start, 0, sizeof(start));
	start.a = start.x = TAINTED; /* not set yet */
	for (unsigned i = 0; i < BPF_MEMWORDS; i++)
		start.mem[i] = TAINTED;
	start.proto = -1;
	if (!set_add(&sets[0], &start))
		return false;
	for (unsigned pc = 0; pc < n; pc++) {
		for (unsigned i = 0; i < sets[pc].n; i++)
			if (!step(version, sets, n, pc, &insn[pc], sets[pc].v[i]))
				return false;
		free(sets[pc].v);
		sets[pc].v = NULL;
		sets[pc].n = sets[pc].room = 0;
	}
	return true;
}

bool filter_per_flow(const struct bpf_insn *insn, unsigned n)
{
	bool ok = n > 0;

	for (unsigned version = 4; ok && version <= 6; version += 2) {
		struct stateset *sets = calloc(n, sizeof(*sets));

		ok = sets && per_flow_version(insn, n, version, sets);
		for (unsigned i = 0; sets && i < n; i++)
			free(sets[i].v);
		free(sets);
	}
	return ok;
}
