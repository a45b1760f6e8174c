/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbolic packet behind reach.c: what one path through the filters knows of it.
 * Everything here either keeps all packets that the path allows or says that there
 * are none; it never loses one.
 */
#ifndef WEIR_QOS_REACH_PATH_H
#define WEIR_QOS_REACH_PATH_H

#include "qos/filter.h"

enum {
	REACH_BYTES = 128, /* of either map: the most that a witness has */
	REACH_CONS_MAX = 32768,
};

enum base { AT_IP, AT_L4, AT_LEN, BASES };

/* A value: a constant; x = 4*ihl + c; or ((field & mask) >> shr) + c; or anything. */
struct sym {
	enum { CONST, HLEN, FIELD, ANY } kind;
	uint32_t c;
	uint8_t base, size, shr;
	uint16_t off;
	uint32_t mask;
};

/* field & mask  op  val; GE and LE only with a full mask. */
enum conop { CON_EQ, CON_NE, CON_GE, CON_LE };
struct con {
	const struct con *up; /* the ones before it on this path */
	uint8_t base, size, op;
	uint16_t off;
	uint32_t mask, val;
};

struct path {
	uint8_t known[BASES][REACH_BYTES], val[BASES][REACH_BYTES];
	const struct con *cons;
	size_t n_con; /* of the arena: this path's and all older ones, when it waits */
	uint32_t need[2], below[2];	/* captured: need <= bytes < below, from either base */
	uint32_t goal, pc, alternative; /* where it is: which goal, which of its filters */
	struct sym a, x, mem[BPF_MEMWORDS];
};

/* Constraints of all paths; what waits on the stack only refers to older ones. */
struct arena {
	struct con *con;
	size_t n;
	bool gave_up; /* something was left undecided */
};

static inline uint32_t reach_full(unsigned size)
{
	return size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
}

/* Bits of a field that are now known; false: they contradict what was. */
bool reach_learn(struct path *p, const struct con *f, uint32_t mask, uint32_t val);
/*
 * Tightens a field to what its constraints allow. false: nothing is left. A value
 * that satisfies them all goes to *value (if asked; false then also when none was
 * found in a bounded number of tries).
 */
bool reach_settle(struct path *p, const struct con *f, uint32_t *value);
/* Adds (f's field & mask) op val. false: a contradiction. */
bool reach_demand(struct arena *r, struct path *p, const struct sym *f, enum conop op,
		  uint32_t mask, uint32_t val);
/* Whether a conditional jump can go that way on this path; adds what that means. */
bool reach_branch(struct arena *r, struct path *p, const struct bpf_insn *i, bool way);
/* An arithmetic instruction. */
void reach_alu(struct arena *r, struct path *p, const struct bpf_insn *i);

#endif
