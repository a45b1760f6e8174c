/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One classic BPF program is rewritten into another, instruction by instruction: each becomes
 * one or several that do the same in the kernel's terms, and the jumps are laid out anew.
 *
 * A conditional jump reaches 255 instructions. One that would have to reach further goes to an
 * unconditional jump right behind it, which reaches anywhere; that makes the program longer,
 * so the layout is made again until no jump is too short. Jumps only ever go forward (the
 * kernel refuses others), so this ends.
 */
#include "gw/tc_bpf.h"

#include <string.h>

#define EXPAND_MAX 5
#define JUMP_MAX 255u
/*
 * No load of a packet's data succeeds from here on (packets end at 512 KiB, IPv6 jumbograms of
 * the kernel's own making). Below it, an offset plus SKF_NET_OFF stays clear of what the kernel
 * takes for offsets of other kinds: from SKF_AD_OFF (-0x1000) on.
 */
#define REACH 0xff000u

#define TC_BPF_MARK ((uint32_t)(SKF_AD_OFF + SKF_AD_MARK))

#define RETURN(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, value)

struct program {
	const struct sock_filter *in;
	size_t n;
	uint16_t at[TC_BPF_MAX + 1]; /* where an instruction begins in what is written */
	uint8_t far[TC_BPF_MAX];     /* its jumps that take an unconditional one: FAR_* */
	uint32_t x[TC_BPF_MAX];	     /* the largest that X can be there */
	uint32_t shift;		     /* added to the offsets of loads: 0, or SKF_NET_OFF */
	uint32_t header;	     /* of the device, that the kernel's length has in front */
	uint8_t spare;		     /* a word of scratch that the program does not use */
};
enum { FAR_T = 1, FAR_F = 2 };

/* Writes what instruction i becomes, and returns how many; 0: it cannot be had. */
typedef unsigned expand_fn(const struct program *p, size_t i,
			   struct sock_filter out[EXPAND_MAX]);

static bool is_branch(const struct sock_filter *f)
{
	return BPF_CLASS(f->code) == BPF_JMP && BPF_OP(f->code) != BPF_JA;
}

static bool is_ja(const struct sock_filter *f)
{
	return BPF_CLASS(f->code) == BPF_JMP && BPF_OP(f->code) == BPF_JA;
}

/* The kernel's rules for jumps: forward, and not out of the program. */
static bool jumps_hold(const struct program *p)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t left = p->n - 1 - i;
		const struct sock_filter *f = &p->in[i];

		if ((is_branch(f) && (f->jt >= left || f->jf >= left)) ||
		    (is_ja(f) && f->k >= left))
			return false;
	}
	return p->n && BPF_CLASS(p->in[p->n - 1].code) == BPF_RET;
}

static unsigned count_far(const struct program *p, size_t i)
{
	return (p->far[i] & FAR_T ? 1u : 0u) + (p->far[i] & FAR_F ? 1u : 0u);
}

/* Whether every branch reaches where it goes; marks those that do not. */
static bool lay_out(struct program *p, const uint8_t *size)
{
	bool reach = true;

	p->at[0] = 0;
	for (size_t i = 0; i < p->n; i++)
		p->at[i + 1] = (uint16_t)(p->at[i] + size[i] + count_far(p, i));
	for (size_t i = 0; i < p->n; i++) {
		const struct sock_filter *f = &p->in[i];
		unsigned next = p->at[i] + 1u, before = p->far[i];

		if (!is_branch(f))
			continue;
		if (p->at[i + 1 + f->jt] - next > JUMP_MAX)
			p->far[i] |= FAR_T;
		if (p->at[i + 1 + f->jf] - next > JUMP_MAX)
			p->far[i] |= FAR_F;
		reach &= p->far[i] == before;
	}
	return reach;
}

static struct sock_filter jump_to(unsigned from, unsigned to)
{
	return (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, to - from - 1);
}

static void write_branch(const struct program *p, size_t i, struct sock_filter *out)
{
	const struct sock_filter *f = &p->in[i];
	unsigned at = p->at[i], t = p->at[i + 1 + f->jt], e = p->at[i + 1 + f->jf], end = at;

	out[at] = *f;
	if (p->far[i] & FAR_T) {
		out[end + 1] = jump_to(end + 1, t);
		t = ++end;
	}
	if (p->far[i] & FAR_F) {
		out[end + 1] = jump_to(end + 1, e);
		e = ++end;
	}
	out[at].jt = (uint8_t)(t - at - 1);
	out[at].jf = (uint8_t)(e - at - 1);
}

/* The whole program through `expand`. The number of instructions; 0: it does not fit. */
static size_t rewrite(struct program *p, expand_fn *expand, struct sock_filter *out,
		      size_t room)
{
	struct sock_filter some[EXPAND_MAX];
	uint8_t size[TC_BPF_MAX] = {0};

	for (size_t i = 0; i < p->n; i++) {
		size[i] = (uint8_t)expand(p, i, some);
		if (!size[i])
			return 0;
	}
	while (!lay_out(p, size))
		;
	if (p->at[p->n] > room)
		return 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct sock_filter *f = &p->in[i];

		if (is_branch(f)) {
			write_branch(p, i, out);
		} else if (is_ja(f)) {
			out[p->at[i]] = jump_to(p->at[i], p->at[i + 1 + f->k]);
		} else {
			expand(p, i, some);
			memcpy(out + p->at[i], some, size[i] * sizeof(*some));
		}
	}
	return p->at[p->n];
}

static uint32_t load_size(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* The largest that X can be before each instruction: over all paths, which only go forward. */
static void bound_x(struct program *p)
{
	memset(p->x, 0, sizeof(p->x));
	for (size_t i = 0; i + 1 < p->n; i++) {
		const struct sock_filter *f = &p->in[i];
		uint32_t x = p->x[i];
		size_t to[2] = {i + 1, i + 1};

		if (BPF_CLASS(f->code) == BPF_LDX)
			x = BPF_MODE(f->code) == BPF_MSH   ? 60
			    : BPF_MODE(f->code) == BPF_IMM ? f->k
							   : UINT32_MAX;
		else if (f->code == (BPF_MISC | BPF_TAX))
			x = UINT32_MAX;
		else if (BPF_CLASS(f->code) == BPF_RET)
			continue;
		if (is_branch(f)) {
			to[0] += f->jt;
			to[1] += f->jf;
		} else if (is_ja(f)) {
			to[0] = to[1] = i + 1 + f->k;
		}
		for (unsigned k = 0; k < 2; k++)
			if (p->x[to[k]] < x)
				p->x[to[k]] = x;
	}
}

/* BPF_MEMWORDS when all are used. */
static uint8_t spare_word(const struct program *p)
{
	uint32_t used = 0;
	uint8_t word = 0;

	for (size_t i = 0; i < p->n; i++) {
		uint16_t code = p->in[i].code, class = BPF_CLASS(code);
		bool load = (class == BPF_LD || class == BPF_LDX) && BPF_MODE(code) == BPF_MEM;

		if ((load || class == BPF_ST || class == BPF_STX) && p->in[i].k < BPF_MEMWORDS)
			used |= 1u << p->in[i].k;
	}
	while (word < BPF_MEMWORDS && (used >> word & 1))
		word++;
	return word;
}

/*
 * A load from the packet. The kernel adds X and offset in 32 bits and looks at the sign of the
 * sum, where libpcap takes all for offsets into the packet: an X that comes from the packet
 * could make it read something else. Such an X is looked at before; A is free for it, as it
 * gets the load's value.
 */
static unsigned expand_load(const struct program *p, size_t i,
			    struct sock_filter out[EXPAND_MAX])
{
	const struct sock_filter *f = &p->in[i];
	bool indirect = BPF_CLASS(f->code) == BPF_LD && BPF_MODE(f->code) == BPF_IND;
	uint32_t most = REACH - load_size(f->code);
	unsigned n = 0;

	if (f->code == (BPF_LD | BPF_W | BPF_ABS) && f->k == TC_BPF_MARK) {
		out[0] = *f; /* of tc_bpf_marks(): no filter of a policy has it (filter.c) */
		return 1;
	}
	if (f->k > most) {
		out[0] = RETURN(0);
		return 1;
	}
	if (indirect && p->x[i] > most - f->k) {
		out[n++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TXA, 0);
		out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, most - f->k,
							0, 1);
		out[n++] = RETURN(0);
	}
	out[n] = *f;
	out[n++].k = f->k + p->shift;
	return n;
}

static bool is_load(const struct sock_filter *f)
{
	unsigned class = BPF_CLASS(f->code), mode = BPF_MODE(f->code);

	return (class == BPF_LD && (mode == BPF_ABS || mode == BPF_IND)) ||
	       (class == BPF_LDX && mode == BPF_MSH);
}

/* libpcap returns how much to capture, cls_bpf takes a class: whatever is not 0 is a match. */
static unsigned expand_rule(const struct program *p, size_t i,
			    struct sock_filter out[EXPAND_MAX])
{
	const struct sock_filter *f = &p->in[i];

	if (is_load(f))
		return expand_load(p, i, out);
	out[0] = *f;
	if (BPF_CLASS(f->code) != BPF_RET)
		return 1;
	if (BPF_RVAL(f->code) == BPF_K) {
		out[0].k = f->k ? TC_BPF_MATCH : 0;
		return 1;
	}
	if (BPF_RVAL(f->code) != BPF_A)
		return 0;
	out[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	out[1] = RETURN(TC_BPF_MATCH);
	out[2] = RETURN(0);
	return 3;
}

/*
 * The DSCP as a number, then whether its bit is in the set: two words of 32 bits, since BPF
 * counts in 32. Falls through to what follows when it is.
 */
static size_t put_dscp(uint64_t set, struct sock_filter *out, size_t room)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4), /* the version */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 3, 16),
		/* IPv4: the upper six bits of the second byte */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 1),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
		BPF_STMT(BPF_JMP | BPF_JA, 3),
		/* IPv6: the upper six of the eight bits behind the version */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 6),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3f),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 32, 4, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, 1),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)set, 6, 5),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 32),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, 1),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(set >> 32), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		/* as every program finds them */
		BPF_STMT(BPF_LD | BPF_IMM, 0),
		BPF_STMT(BPF_LDX | BPF_IMM, 0),
	};
	size_t n = sizeof(code) / sizeof(code[0]);

	if (n > room)
		return 0;
	memcpy(out, code, sizeof(code));
	return n;
}

size_t tc_bpf_marks(const struct policy_beside *b, struct sock_filter *out, size_t room)
{
	size_t at = 0, all = b->n_mark * 4 + 3, end = all - 2;

	if (all > room)
		return 0;
	for (size_t i = 0; i < b->n_mark; i++) {
		const struct sock_filter one[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, TC_BPF_MARK),
			BPF_STMT(BPF_ALU | BPF_AND | BPF_K, b->mark[i].mask),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, b->mark[i].value, 0, 1),
			BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(end - (at + 4))),
		};

		memcpy(out + at, one, sizeof(one));
		at += sizeof(one) / sizeof(one[0]);
	}
	out[at++] = RETURN(0);
	/* as every program finds them */
	out[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
	out[at++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0);
	return at;
}

size_t tc_bpf_rule(const struct filter *f, uint64_t dscp, struct sock_filter *out, size_t room)
{
	struct sock_filter in[TC_BPF_MAX];
	struct program p = {.in = in};
	size_t head = 0, n;

	if (dscp) {
		head = put_dscp(dscp, out, room);
		if (!head)
			return 0;
	}
	if (!f) {
		if (head == room)
			return 0;
		out[head] = RETURN(TC_BPF_MATCH);
		return head + 1;
	}
	if (f->prog.bf_len > TC_BPF_MAX)
		return 0;
	p.n = f->prog.bf_len;
	for (size_t i = 0; i < p.n; i++) {
		const struct bpf_insn *b = &f->prog.bf_insns[i];

		in[i] = (struct sock_filter){b->code, b->jt, b->jf, b->k};
	}
	if (!jumps_hold(&p))
		return 0;
	bound_x(&p);
	n = rewrite(&p, expand_rule, out + head, room - head);
	return n ? head + n : 0;
}

/* The length into A, or into X with A as it was. */
static unsigned shift_length(const struct program *p, bool into_x,
			     struct sock_filter out[EXPAND_MAX])
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_ST, p->spare),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, p->header),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_MEM, p->spare),
	};

	_Static_assert(sizeof(code) / sizeof(code[0]) == EXPAND_MAX, "as many as are written");
	if (!into_x) {
		memcpy(out, code + 1, 2 * sizeof(*code));
		return 2;
	}
	if (p->spare == BPF_MEMWORDS)
		return 0;
	memcpy(out, code, sizeof(code));
	return EXPAND_MAX;
}

static unsigned expand_cls(const struct program *p, size_t i,
			   struct sock_filter out[EXPAND_MAX])
{
	const struct sock_filter *f = &p->in[i];
	unsigned class = BPF_CLASS(f->code), mode = BPF_MODE(f->code);

	if (is_load(f))
		return expand_load(p, i, out);
	if ((class == BPF_LD || class == BPF_LDX) && mode == BPF_LEN && p->header)
		return shift_length(p, class == BPF_LDX, out);
	out[0] = *f;
	return 1;
}

size_t tc_bpf_for_cls(const struct sock_filter *in, size_t n, uint32_t header,
		      struct sock_filter *out, size_t room)
{
	struct program p = {.in = in, .n = n, .shift = (uint32_t)SKF_NET_OFF, .header = header};

	if (n > TC_BPF_MAX || !jumps_hold(&p))
		return 0;
	bound_x(&p);
	p.spare = spare_word(&p);
	return rewrite(&p, expand_cls, out, room);
}

size_t tc_bpf_not_ip(struct sock_filter *out, size_t room)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0800, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x86dd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, TC_BPF_MATCH),
	};

	if (room < sizeof(code) / sizeof(code[0]))
		return 0;
	memcpy(out, code, sizeof(code));
	return sizeof(code) / sizeof(code[0]);
}

size_t tc_bpf_all(struct sock_filter *out, size_t room)
{
	if (!room)
		return 0;
	out[0] = RETURN(TC_BPF_MATCH);
	return 1;
}
