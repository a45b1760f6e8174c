/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the line counts for a packet, as a size table of the kernel's: an entry for each length,
 * and for longer packets the table again and again (__qdisc_calculate_pkt_len() in
 * net/sched/sch_api.c). An entry is found by the IP packet's length and the policy's overhead,
 * so it holds what mpu and cells make of that.
 *
 * Three tables of the same numbers can differ in their entries alone, which the kernel does
 * not tell: so the number of entries tells them apart. Of ATM it is a multiple of 48, of PTM
 * of 64, else it is odd.
 */
#include "gw/tc_plan_impl.h"

#include <linux/pkt_sched.h>
#include <stdlib.h>

#define TABLE_LEAST 2048u
#define TABLE_MOST 31680u /* of 64 and 48; an attribute has at most 65535 bytes */
#define IP_LEAST 20	  /* bytes of the shortest packet */

/* What policy_charge() makes of a length that has the overhead in it. */
static uint32_t charge(const struct policy_link *l, int64_t with_overhead)
{
	struct policy_link bare = *l;

	bare.overhead = 0;
	return policy_charge(&bare, with_overhead > 0 ? (uint32_t)with_overhead : 0);
}

/*
 * An entry that no packet has by itself, as none is so short: it is only met when the table
 * is gone through again, as the rest of a longer packet, for which there is no mpu.
 */
static uint32_t charge_rest(const struct policy_link *l, uint32_t rest)
{
	struct policy_link bare = *l;

	bare.overhead = 0;
	bare.mpu = 0;
	return rest ? policy_charge(&bare, rest) : 0;
}

static uint32_t entries(const struct tc_build *b)
{
	uint64_t n = b->dev->mtu < TABLE_LEAST ? TABLE_LEAST : (uint64_t)b->dev->mtu + 1;

	if (b->l->overhead > 0)
		n += (uint32_t)b->l->overhead;
	if (n <= b->l->mpu)
		n = (uint64_t)b->l->mpu + 1;
	if (n > TABLE_MOST)
		n = TABLE_MOST;
	if (b->l->linklayer == POLICY_LL_ATM)
		n = (n + 47) / 48 * 48;
	else if (b->l->linklayer == POLICY_LL_PTM)
		n = (n + 63) / 64 * 64;
	else
		n |= 1;
	return (uint32_t)n;
}

/* The entries of a table that has a place for them: s->n, and s->size_log at the least. */
static int fill(const struct policy_link *l, struct tc_stab *s)
{
	int64_t least = IP_LEAST + (int64_t)l->overhead;

	s->size = calloc(s->n, sizeof(*s->size));
	if (!s->size)
		return -1;
	while (charge(l, s->n - 1) >> s->size_log > UINT16_MAX)
		s->size_log++;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t size = i >= least ? charge(l, i) : charge_rest(l, i);
		uint32_t half = s->size_log ? 1u << (s->size_log - 1) : 0;

		size = (size + half) >> s->size_log;
		s->size[i] = size < UINT16_MAX ? (uint16_t)size : UINT16_MAX;
	}
	return 0;
}

int tc_stab_again(struct tc_stab *s, uint32_t header)
{
	struct policy_link l = {.mpu = s->mpu, .linklayer = POLICY_LL_ETHERNET};
	int64_t overhead = s->overhead + (int64_t)header;
	uint8_t size_log = s->size_log;

	if (!s->n || s->n > TABLE_MOST + 64 || s->cell_log || overhead > INT32_MAX)
		return 0;
	l.overhead = (int32_t)overhead;
	if (s->linklayer == TC_LINKLAYER_ATM)
		l.linklayer = POLICY_LL_ATM;
	else if (!(s->n & 1))
		l.linklayer = POLICY_LL_PTM;
	s->size_log = 0;
	if (fill(&l, s))
		return -1;
	if (s->size_log == size_log)
		return 0;
	s->size_log = size_log; /* not a table of weir's */
	free(s->size);
	s->size = NULL;
	return 0;
}

int tc_line_build(const struct tc_build *b, bool *has, struct tc_stab *s)
{
	const struct policy_link *l = b->l;
	bool mpu = (int64_t)l->mpu > IP_LEAST + (int64_t)l->overhead;

	*has = true;
	*s = (struct tc_stab){
		.overhead = (int32_t)(l->overhead - (int64_t)b->dev->header),
		.mpu = l->mpu,
		.linklayer = l->linklayer == POLICY_LL_ATM ? TC_LINKLAYER_ATM
							   : TC_LINKLAYER_ETHERNET,
	};
	if (l->linklayer != POLICY_LL_ETHERNET || mpu) {
		s->n = entries(b);
		return fill(l, s);
	}
	s->mpu = 0;
	*has = s->overhead != 0;
	return 0;
}

uint32_t tc_line_charge(const struct tc_stab *s, uint32_t len)
{
	int64_t n = (int64_t)len + s->overhead, slot;

	if (s->n) {
		slot = n < 0 ? 0 : n >> s->cell_log;
		if (slot < s->n)
			n = s->size[slot];
		else
			n = (int64_t)s->size[s->n - 1] * (slot / s->n) + s->size[slot % s->n];
		n <<= s->size_log;
	}
	return n < 1 ? 1 : (uint32_t)n;
}

void tc_line_measure(const struct tc_build *b, bool has, const struct tc_stab *s,
		     struct tc_line *line)
{
	static const struct tc_stab none = {0};

	*line = (struct tc_line){.table = has, .exact = TC_SEGMENT};
	line->packets = b->dev->mtu > TABLE_LEAST - 1 ? b->dev->mtu : TABLE_LEAST - 1;
	if (line->packets > TC_SEGMENT)
		line->packets = TC_SEGMENT;
	for (uint32_t len = TC_SEGMENT; len >= IP_LEAST; len--) {
		uint32_t want = policy_charge(b->l, len);
		uint32_t is = tc_line_charge(has ? s : &none, len + b->dev->header);
		uint32_t off = is > want ? is - want : want - is;

		if (off)
			line->exact = len - 1;
		if (off > line->error)
			line->error = off;
	}
}
