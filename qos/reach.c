/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is there a packet that some filters take and others do not?
 *
 * The programs are run one after another on one symbolic packet; a branch that can
 * go both ways forks the path, and a path that contradicts itself ends. What is
 * known of the packet on a path:
 *   - bits of its bytes (two maps: from the IP header on, and from the IPv4
 *     transport header on, as [x+k] with x = 4*([0]&0xf) reads them)
 *   - bounds and excluded values of the fields that were compared
 *   - bounds of the captured length (a load beyond it ends the program with 0)
 * All that is not tracked (arithmetic other than masks and shifts, that the two maps
 * overlap, bounds of fields that overlap in part) only makes more paths look
 * possible. Hence "0" is proved when every path ends in a contradiction; "1" is only
 * said of a packet that was built and put to the programs themselves.
 *
 * Of the filters that must not take the packet only those are in the game that took
 * an earlier candidate: most are never needed, and a thousand siblings cost a
 * thousand runs of bpf_filter(), not a thousand times as many paths.
 */
#include "qos/reach_path.h"

#include <stdlib.h>
#include <string.h>

enum {
	STEPS_MAX = 300000, /* instructions of one question */
	STACK_MAX = 1024,
};

/* One demand on the packet: one of `list` takes it, or `list`'s only one does not. */
struct goal {
	struct filter_list list;
	bool take;
};

struct search {
	struct goal *goal;
	size_t n_goal, cap_goal;
	struct path *stack;
	size_t n_stack;
	struct arena arena;
	unsigned steps;
	const struct filter *whole; /* only packets that have all the bytes that it reads */
	uint8_t *witness;
	uint32_t witness_len;
};

static void push(struct search *s, const struct path *p)
{
	if (s->n_stack == STACK_MAX) {
		s->arena.gave_up = true;
		return;
	}
	s->stack[s->n_stack] = *p;
	s->stack[s->n_stack++].n_con = s->arena.n;
}

static void begin_program(struct path *p)
{
	p->pc = 0;
	p->a = p->x = (struct sym){.kind = CONST};
	for (unsigned i = 0; i < BPF_MEMWORDS; i++)
		p->mem[i].kind = ANY;
}

/* The program on this path has ended. false: so has the path. */
static bool verdict(struct search *s, struct path *p, bool taken)
{
	if (taken != s->goal[p->goal].take)
		return false;
	p->goal++;
	p->alternative = 0;
	begin_program(p);
	return true;
}

/* Bytes [off, off+size) from a base must be there, or (short) must not. */
static bool bound(struct path *p, enum base b, uint32_t end, bool there)
{
	if (there && end > p->need[b])
		p->need[b] = end;
	if (!there && end < p->below[b])
		p->below[b] = end;
	return p->need[b] < p->below[b];
}

/* A load from the packet into *to. false: the path ends. */
static bool load(struct search *s, struct path *p, const struct bpf_insn *i, struct sym *to,
		 bool whole)
{
	bool msh = BPF_MODE(i->code) == BPF_MSH;
	unsigned size = msh || BPF_SIZE(i->code) == BPF_B ? 1
			: BPF_SIZE(i->code) == BPF_H	  ? 2
							  : 4;
	const struct sym x = BPF_MODE(i->code) == BPF_IND ? p->x : (struct sym){.kind = CONST};
	enum base b = x.kind == HLEN ? AT_L4 : AT_IP;
	struct path gone = *p;
	uint32_t off = x.c + i->k;
	/* below the transport header: it may be there, but we do not know where */
	bool placed = x.kind == CONST || (x.kind == HLEN && off < 0x10000);

	/* the packet may be too short for it; then the program takes nothing */
	if (!whole && !s->goal[p->goal].take &&
	    (!placed || off >= 0x10000 || bound(&gone, b, off + size, false)) &&
	    verdict(s, &gone, false))
		push(s, &gone);
	if (placed && off >= 0x10000)
		return false;
	if (placed && !bound(p, b, off + size, true))
		return false;
	if (msh)
		*to = (struct sym){.kind = off ? ANY : HLEN};
	else if (!placed || off + size > REACH_BYTES)
		*to = (struct sym){.kind = ANY};
	else
		*to = (struct sym){FIELD,	    0, (uint8_t)b,
				   (uint8_t)size,   0, (uint16_t)off,
				   reach_full(size)};
	return true;
}

static bool jump(struct search *s, struct path *p, const struct bpf_insn *i)
{
	struct path other;

	if (BPF_OP(i->code) == BPF_JA) {
		if (i->k >= 0x10000) { /* backwards: a loop is not followed */
			s->arena.gave_up = true;
			return false;
		}
		p->pc += i->k;
		return true;
	}
	other = *p;
	if (reach_branch(&s->arena, &other, i, false)) {
		other.pc += i->jf;
		if (!reach_branch(&s->arena, p, i, true)) {
			*p = other;
			return true;
		}
		push(s, &other);
	} else if (!reach_branch(&s->arena, p, i, true)) {
		return false;
	}
	p->pc += i->jt;
	return true;
}

/* One instruction. false: the path has ended. */
static bool step(struct search *s, struct path *p, const struct filter *f)
{
	const struct bpf_insn *i = &f->prog.bf_insns[p->pc++];
	struct sym *to = BPF_CLASS(i->code) == BPF_LDX ? &p->x : &p->a;

	switch (BPF_CLASS(i->code)) {
	case BPF_RET:
		if (BPF_RVAL(i->code) == BPF_K)
			return verdict(s, p, i->k != 0);
		if (p->a.kind == CONST)
			return verdict(s, p, p->a.c != 0);
		return verdict(s, p, s->goal[p->goal].take); /* either may be */
	case BPF_JMP:
		return jump(s, p, i);
	case BPF_LD:
	case BPF_LDX:
		if (BPF_MODE(i->code) == BPF_IMM)
			*to = (struct sym){.kind = CONST, .c = i->k};
		else if (BPF_MODE(i->code) == BPF_MEM)
			*to = p->mem[i->k % BPF_MEMWORDS];
		else if (BPF_MODE(i->code) == BPF_LEN)
			*to = (struct sym){FIELD, 0, AT_LEN, 4, 0, 0, UINT32_MAX};
		else
			return load(s, p, i, to, f == s->whole);
		return true;
	case BPF_ST:
	case BPF_STX:
		p->mem[i->k % BPF_MEMWORDS] = BPF_CLASS(i->code) == BPF_ST ? p->a : p->x;
		return true;
	case BPF_ALU:
		reach_alu(&s->arena, p, i);
		return true;
	default:
		*(BPF_MISCOP(i->code) == BPF_TAX ? &p->x : &p->a) =
			BPF_MISCOP(i->code) == BPF_TAX ? p->a : p->x;
		return true;
	}
}

/* The packet of a path that met all goals. false: none was found that does. */
static bool build_from(struct search *s, struct path *p)
{
	const struct sym lenfield = {FIELD, 0, AT_LEN, 4, 0, 0, UINT32_MAX};
	bool v6 = p->val[AT_IP][0] >> 4 == 6;
	uint32_t v, x, caplen;

	for (const struct con *c = p->cons; c; c = c->up)
		if (c->base != AT_LEN &&
		    (!reach_settle(p, c, &v) || !reach_learn(p, c, reach_full(c->size), v)))
			return false;
	x = (p->val[AT_IP][0] & 0xfu) * 4;
	for (uint32_t i = 0; i < REACH_BYTES; i++) {
		uint8_t known = p->known[AT_L4][i], *to = &p->val[AT_IP][(x + i) % REACH_BYTES];

		if (!known)
			continue;
		if (x + i >= REACH_BYTES ||
		    ((*to ^ p->val[AT_L4][i]) & known & p->known[AT_IP][x + i]))
			return false;
		*to = (uint8_t)((*to & ~known) | (p->val[AT_L4][i] & known));
	}
	caplen = x + p->need[AT_L4] > p->need[AT_IP] ? x + p->need[AT_L4] : p->need[AT_IP];
	if (!reach_demand(&s->arena, p, &lenfield, CON_GE, UINT32_MAX, caplen) ||
	    !reach_settle(p, p->cons, &v))
		return false;
	s->witness_len = v;
	if (caplen > REACH_BYTES)
		return false;
	caplen = v < REACH_BYTES ? v : REACH_BYTES;
	/* what the filters leave open, as it is in a packet that is in order */
	if (!v6 && !p->known[AT_IP][2] && !p->known[AT_IP][3] && v <= 0xffff) {
		p->val[AT_IP][2] = (uint8_t)(v >> 8);
		p->val[AT_IP][3] = (uint8_t)v;
	}
	if (v6 && !p->known[AT_IP][4] && !p->known[AT_IP][5] && v - 40 <= 0xffff) {
		p->val[AT_IP][4] = (uint8_t)((v - 40) >> 8);
		p->val[AT_IP][5] = (uint8_t)(v - 40);
	}
	if (v6 && !p->known[AT_IP][6])
		p->val[AT_IP][6] = 59; /* no next header */
	for (size_t g = 0; g < s->n_goal; g++) {
		const struct filter_list *l = &s->goal[g].list;
		bool taken = filter_list_taker(l, p->val[AT_IP], v, caplen) != NULL;

		if (taken != s->goal[g].take)
			return false;
	}
	memcpy(s->witness, p->val[AT_IP], REACH_BYTES);
	return true;
}

static bool build(struct search *s, const struct path *p)
{
	struct path plain = *p, any = *p;

	/* an IPv4 header without options if that can be */
	if (!(p->known[AT_IP][0] & 0xf) && p->val[AT_IP][0] >> 4 == 4) {
		plain.known[AT_IP][0] = 0xff;
		plain.val[AT_IP][0] = 0x45;
	}
	return build_from(s, &plain) || build_from(s, &any);
}

static void start(struct search *s, unsigned version, uint32_t header)
{
	struct path p;

	memset(&p, 0, sizeof(p));
	p.known[AT_IP][0] = 0xf0;
	p.val[AT_IP][0] = (uint8_t)(version << 4);
	p.need[AT_IP] = header; /* dissect_ip() refuses anything shorter */
	p.below[AT_IP] = p.below[AT_L4] = UINT32_MAX;
	begin_program(&p);
	push(s, &p);
}

/* A packet that meets all goals: 1, 0, -1 as filter_reachable(). */
static int search(struct search *s)
{
	struct path p;

	s->n_stack = s->arena.n = 0;
	s->arena.gave_up = false;
	start(s, 6, 40);
	start(s, 4, 20);
	while (s->n_stack) {
		p = s->stack[--s->n_stack];
		s->arena.n = p.n_con;
		for (bool on = true; on && p.goal < s->n_goal;) {
			const struct goal *g = &s->goal[p.goal];

			if (++s->steps > STEPS_MAX)
				return -1;
			if (p.pc == 0 && p.alternative + 1 < g->list.n) {
				p.alternative++;
				push(s, &p);
				p.alternative--;
			}
			on = step(s, &p, &g->list.v[p.alternative]);
		}
		if (p.goal < s->n_goal)
			continue;
		if (build(s, &p))
			return 1;
		s->arena.gave_up = true;
	}
	return s->arena.gave_up ? -1 : 0;
}

static bool add_goal(struct search *s, struct goal g)
{
	if (s->n_goal == s->cap_goal) {
		size_t cap = s->cap_goal ? s->cap_goal * 2 : 16;
		struct goal *more = realloc(s->goal, cap * sizeof(*more));

		if (!more)
			return false;
		s->goal = more;
		s->cap_goal = cap;
	}
	s->goal[s->n_goal++] = g;
	return true;
}

static bool begin(struct search *s)
{
	s->stack = malloc(STACK_MAX * sizeof(*s->stack));
	s->arena.con = malloc(REACH_CONS_MAX * sizeof(*s->arena.con));
	return s->stack && s->arena.con;
}

static void end(struct search *s)
{
	free(s->goal);
	free(s->stack);
	free(s->arena.con);
}

/* Until there is a packet that nobody takes before, or none at all. */
static int question(struct search *s, const struct filter_rivals *before)
{
	for (;;) {
		uint32_t len;
		const struct filter *f;
		int found = search(s);

		if (found != 1)
			return found;
		len = s->witness_len;
		f = before->taker(before->arg, s->witness, len,
				  len < REACH_BYTES ? len : REACH_BYTES);
		if (!f)
			return 1;
		if (!add_goal(s, (struct goal){{f, 1}, false}))
			return -1;
	}
}

int filter_reachable_past(const struct filter_list *self, const struct filter_list *within,
			  size_t n_within, const struct filter_rivals *before,
			  uint8_t witness[128], uint32_t *witness_len)
{
	uint8_t own[REACH_BYTES] = {0};
	struct search s = {.witness = witness ? witness : own};
	bool good = begin(&s);
	int found = -1;

	if (self->n)
		good = good && add_goal(&s, (struct goal){*self, true});
	for (size_t i = 0; i < n_within; i++)
		if (within[i].n)
			good = good && add_goal(&s, (struct goal){within[i], true});
	if (good)
		found = question(&s, before);
	if (found == 1 && witness_len)
		*witness_len = s.witness_len;
	end(&s);
	return found;
}

struct lists {
	const struct filter_list *v;
	size_t n;
};

/* The first filter of all lists that takes the packet, or NULL. */
static const struct filter *taker(void *arg, const uint8_t *packet, uint32_t len,
				  uint32_t caplen)
{
	const struct lists *l = arg;

	for (size_t i = 0; i < l->n; i++) {
		const struct filter *f = filter_list_taker(&l->v[i], packet, len, caplen);

		if (f)
			return f;
	}
	return NULL;
}

int filter_reachable(const struct filter_list *self, const struct filter_list *within,
		     size_t n_within, const struct filter_list *before, size_t n_before,
		     uint8_t witness[128], uint32_t *witness_len)
{
	struct lists l = {before, n_before};
	const struct filter_rivals rivals = {taker, &l};

	for (size_t i = 0; i < n_before; i++)
		if (!before[i].n)
			return 0; /* it takes everything */
	return filter_reachable_past(self, within, n_within, &rivals, witness, witness_len);
}

/* A packet that f takes and g does not; of those that are whole to the reference. */
static int only(const struct filter *f, const struct filter *g, const struct filter *reference)
{
	uint8_t witness[REACH_BYTES];
	struct search s = {.whole = reference, .witness = witness};
	int found = -1;

	if (begin(&s) && add_goal(&s, (struct goal){{f, 1}, true}) &&
	    add_goal(&s, (struct goal){{g, 1}, false}))
		found = search(&s);
	end(&s);
	return found;
}

int filter_same(const struct filter *f, const struct filter *reference)
{
	int more = only(f, reference, reference), less;

	if (more == 1)
		return 0;
	less = only(reference, f, reference);
	if (less == 1)
		return 0;
	return more || less ? -1 : 1;
}
