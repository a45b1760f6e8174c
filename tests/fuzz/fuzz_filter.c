/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any cBPF programs, also such as libpcap never writes. What filter_per_flow() calls
 * per flow must give one verdict for all packets of a flow; what filter_reachable()
 * says "no" to must not be found, and its "yes" must come with a true packet; programs that
 * filter_same() calls the same must be so, and no candidate may be missing from an index.
 *
 * Input: eight bytes for packets, then two programs, four bytes an instruction.
 */
#include "qos/dissect.h"
#include "qos/filter_index.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INSNS_MAX = 24, PACKET = 64 };

static const uint16_t CODES[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_H | BPF_ABS,
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_LD | BPF_H | BPF_IND,
	BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_IMM,
	BPF_LDX | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM,
	BPF_LD | BPF_LEN,
	BPF_LDX | BPF_MSH | BPF_B,
	BPF_ST,
	BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_NEG,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JEQ | BPF_X,
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
};

/* Constants that get a program somewhere: offsets, masks, protocols. */
static const uint32_t CONSTANTS[] = {0,	     1,	   2,	 4,	 6,    9,      12,
				     16,     20,   40,	 42,	 22,   0xf0,   0x40,
				     0x60,   0x0f, 0xff, 0x11,	 0x2c, 0x1fff, 0xffff,
				     0x3fff, 132,  0x45, 0x8000, 24,   8,      0xff00};

static void insist(bool holds)
{
	if (!holds)
		abort();
}

/* Reads a program that bpf_filter() may run: it starts with nothing unset, and ends. */
static bool program(struct filter *f, struct bpf_insn insn[], const uint8_t **data,
		    size_t *size)
{
	unsigned n = 0;

	insn[n++] = (struct bpf_insn)BPF_STMT(BPF_LD | BPF_IMM, 0);
	for (unsigned i = 0; i < BPF_MEMWORDS; i++)
		insn[n++] = (struct bpf_insn)BPF_STMT(BPF_ST, i);
	insn[n++] = (struct bpf_insn)BPF_STMT(BPF_LDX | BPF_IMM, 0);
	while (*size >= 4 && n < INSNS_MAX + 18) {
		const uint8_t *d = *data;
		uint16_t code = CODES[d[0] % (sizeof(CODES) / sizeof(CODES[0]))];
		uint32_t k =
			d[1] < 128 ? CONSTANTS[d[1] % (sizeof(CONSTANTS) / 4)] : d[1] - 128u;

		*data += 4;
		*size -= 4;
		if (d[0] == 0xff) /* the end of this program */
			break;
		if (code == (BPF_JMP | BPF_JA) || BPF_CLASS(code) == BPF_ST ||
		    BPF_CLASS(code) == BPF_STX || BPF_MODE(code) == BPF_MEM)
			k &= 15;
		if (BPF_CLASS(code) == BPF_ALU &&
		    (BPF_OP(code) == BPF_LSH || BPF_OP(code) == BPF_RSH))
			k &= 31;
		insn[n++] = (struct bpf_insn){code, d[2] & 15, d[3] & 15, k};
	}
	for (unsigned i = 0; i < 17; i++) /* where every jump ends at last */
		insn[n++] = (struct bpf_insn)BPF_STMT(BPF_RET | BPF_K, i & 1);
	f->prog.bf_insns = insn;
	f->prog.bf_len = n;
	return bpf_validate(insn, (int)n);
}

static uint32_t random32(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return (uint32_t)(*r >> 16);
}

static void header(uint8_t p[PACKET], uint64_t *r)
{
	static const uint8_t protos[] = {6, 17, 132, 1, 58, 50, 44, 0};
	bool v6 = random32(r) & 1;

	for (unsigned i = 0; i < PACKET; i++)
		p[i] = (uint8_t)random32(r);
	p[0] = v6 ? 0x60 : 0x45;
	p[v6 ? 6 : 9] = protos[random32(r) % 8];
	if (!v6)
		p[6] = p[7] = 0;
}

/* Another packet of the same flow. */
static void other(uint8_t p[PACKET], uint64_t *r)
{
	bool v6 = p[0] == 0x60;

	for (unsigned i = 1; i < PACKET; i++) {
		bool key = v6 ? i == 6 || (i >= 8 && i < 44)
			      : i == 6 || i == 7 || i == 9 || (i >= 12 && i < 24);

		if (!key)
			p[i] = (uint8_t)random32(r);
	}
	if (v6)
		p[0] = (uint8_t)(0x60 | (random32(r) & 15));
	else
		p[6] = (uint8_t)(random32(r) & 0xc0);
	p[v6 ? 4 : 2] = 0;
	p[v6 ? 5 : 3] = (uint8_t)((v6 ? 4 : 24) + random32(r) % 20);
}

static void check_per_flow(const struct filter *f, uint64_t r)
{
	for (unsigned i = 0; i < 64; i++) {
		uint8_t p[PACKET], q[PACKET];
		struct dissected a, b;

		header(p, &r);
		memcpy(q, p, PACKET);
		other(p, &r);
		other(q, &r);
		if (dissect_ip(p, PACKET, PACKET, &a) || dissect_ip(q, PACKET, PACKET, &b) ||
		    ((a.flags | b.flags) & DISSECT_NOT_PLAIN))
			continue;
		insist(!memcmp(&a.key, &b.key, sizeof(a.key)));
		insist(filter_match(f, a.ip, a.len, a.caplen) ==
		       filter_match(f, b.ip, b.len, b.caplen));
	}
}

static void check_reachable(const struct filter *f, const struct filter *g, uint64_t r)
{
	struct filter_list self = {f, 1}, before = {g, 1};
	uint8_t witness[128];
	uint32_t len;
	int answer = filter_reachable(&self, NULL, 0, &before, 1, witness, &len);

	if (answer == 1) {
		uint32_t caplen = len < sizeof(witness) ? len : sizeof(witness);
		struct dissected d;

		insist(dissect_ip(witness, caplen, len, &d) == 0);
		insist(filter_match(f, witness, len, caplen));
		insist(!filter_match(g, witness, len, caplen));
	}
	for (unsigned i = 0; i < 64 && answer == 0; i++) {
		uint8_t p[PACKET];
		uint32_t caplen;

		header(p, &r);
		caplen = (p[0] == 0x60 ? 40 : 20) + random32(&r) % 24;
		insist(!filter_match(f, p, caplen, caplen) ||
		       filter_match(g, p, caplen, caplen));
	}
}

/* Whether all that it reads is in every packet of PACKET bytes. */
static bool reads_near(const struct filter *f)
{
	for (unsigned i = 0; i < f->prog.bf_len; i++) {
		const struct bpf_insn *in = &f->prog.bf_insns[i];
		unsigned class = BPF_CLASS(in->code), mode = BPF_MODE(in->code);

		if (class != BPF_LD && class != BPF_LDX)
			continue;
		if (mode == BPF_IND ||
		    ((mode == BPF_ABS || mode == BPF_MSH) && in->k > PACKET - 4))
			return false;
	}
	return true;
}

static void check_same(const struct filter *f, const struct filter *g, uint64_t r)
{
	int answer = filter_same(f, g);

	insist(answer >= -1 && answer <= 1);
	for (unsigned i = 0; i < 64 && answer == 1 && reads_near(g); i++) {
		uint8_t p[PACKET];

		header(p, &r);
		insist(filter_match(f, p, PACKET, PACKET) ==
		       filter_match(g, p, PACKET, PACKET));
	}
}

/* What takes a packet is a candidate for it. */
static void check_index(const struct filter *f, const struct filter *g, uint64_t r)
{
	const struct filter_list lists[] = {{f, 1}, {g, 1}};
	struct filter_index *x = filter_index_new();

	insist(x && filter_index_add(x, &lists[0], 0) && filter_index_add(x, &lists[1], 1));
	for (unsigned i = 0; i < 64; i++) {
		struct filter_candidates c;
		bool is[2] = {false, false};
		uint32_t n, caplen;
		uint8_t p[PACKET];

		header(p, &r);
		caplen = random32(&r) % (PACKET + 1);
		filter_index_ask(x, p, caplen, &c);
		while ((n = filter_index_next(&c)) != FILTER_NONE) {
			insist(n < 2 && !is[n]);
			is[n] = true;
		}
		insist(is[0] || !filter_match(f, p, PACKET, caplen));
		insist(is[1] || !filter_match(g, p, PACKET, caplen));
	}
	filter_index_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bpf_insn one[INSNS_MAX + 40], two[INSNS_MAX + 40];
	struct filter f = {0}, g = {0};
	uint64_t r;

	if (size < 8)
		return 0;
	memcpy(&r, data, 8);
	r |= 1;
	data += 8;
	size -= 8;
	if (!program(&f, one, &data, &size) || !program(&g, two, &data, &size))
		return 0;
	if (filter_per_flow(one, f.prog.bf_len))
		check_per_flow(&f, r);
	check_reachable(&f, &g, r);
	check_same(&f, &g, r);
	check_index(&f, &g, r);
	return 0;
}
