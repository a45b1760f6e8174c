/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/filter.h"
#include "qos/dissect.h"
#include "qos/filter_terms.h"
#include "qos/filter_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 32768
#define SNAPLEN 262144
#define ROUNDS 400 /* test packets for the optimizer */
#define POOL 2048u /* bytes that they are made of */
#define FIELDS_MAX 256

/* Loads at the offsets from here on are "extensions" of Linux: no part of a packet. */
#define SKF_OFFSETS 0xffe00000u

static const char HINT[] =
	" (a filter sees the packet from its IP header on: what is below IP, "
	"and the direction, are not there)";

static const char REJECTS[] = "never matches an IP packet";

static bool rejects_all(const char *err)
{
	return !strncmp(err, REJECTS, sizeof(REJECTS) - 1);
}

static void explain(const char *text, const char *libpcap, char *err, size_t errsize)
{
	char right[300];
	static const char *const below[] = {"Raw IP",	"supported only on", "link-layer",
					    "ethernet", "outbound",	     "not supported"};
	const char *hint = "";

	filter_hint(text, libpcap, right, sizeof(right));
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)
		if (strstr(libpcap, below[i]))
			hint = HINT;
	if (strstr(libpcap, "rejects all packets"))
		snprintf(err, errsize, "%s (libpcap: %s)", REJECTS, libpcap);
	else
		snprintf(err, errsize, "%s%s", libpcap, *hint ? hint : right);
	/* It may repeat words of the filter, whatever they hold. */
	for (char *c = err; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static int compile(struct bpf_program *prog, const char *text, int optimize, char *err,
		   size_t errsize)
{
	pcap_t *dead = pcap_open_dead(DLT_RAW, SNAPLEN);

	if (!dead) {
		snprintf(err, errsize, "out of memory");
		return -1;
	}
	if (pcap_compile(dead, prog, text, optimize, PCAP_NETMASK_UNKNOWN) == 0) {
		pcap_close(dead);
		return 0;
	}
	explain(text, pcap_geterr(dead), err, errsize);
	pcap_close(dead);
	return -1;
}

/* What the programs compare a field with: material for packets that tell them apart. */
struct field {
	uint32_t off, value;
	uint8_t size;
	bool l4; /* counted from the transport header */
};

struct fields {
	struct field v[FIELDS_MAX];
	size_t n;
};

static void fields_add(struct fields *fs, const struct field *last, uint32_t value)
{
	if (fs->n < FIELDS_MAX && last->size && last->off < 120) {
		fs->v[fs->n] = *last;
		fs->v[fs->n++].value = value;
	}
}

/* In the order of the instructions: a jump nearly always tests what was loaded last. */
static void fields_collect(struct fields *fs, const struct bpf_program *prog)
{
	struct field last = {0};

	for (unsigned i = 0; i < prog->bf_len; i++) {
		const struct bpf_insn *in = &prog->bf_insns[i];
		unsigned mode = BPF_MODE(in->code), class = BPF_CLASS(in->code);

		if (class == BPF_LD && (mode == BPF_ABS || mode == BPF_IND)) {
			last.off = in->k;
			last.l4 = mode == BPF_IND;
			last.size = BPF_SIZE(in->code) == BPF_W	  ? 4
				    : BPF_SIZE(in->code) == BPF_H ? 2
								  : 1;
		} else if (class == BPF_JMP && BPF_OP(in->code) != BPF_JA) {
			fields_add(fs, &last, in->k);
		}
	}
}

static uint32_t random32(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

/*
 * Random bytes, of which each packet gets some: making them anew for each took half of the time
 * of loading a policy. (Random words are the same bytes in another order on a big-endian
 * machine: just as random.)
 */
static void pool_make(uint8_t pool[POOL], uint64_t *rnd)
{
	for (unsigned i = 0; i < POOL; i += 4) {
		uint32_t v = random32(rnd);

		memcpy(pool + i, &v, 4);
	}
}

/* A packet that is plausible in its first bytes and random behind them. */
static uint32_t packet_make(uint8_t p[256], const uint8_t pool[POOL], uint64_t *rnd)
{
	static const uint8_t protos[] = {6, 17, 132, 1, 58, 50, 51, 44, 0, 2, 47, 4};
	uint32_t l4 = 40, r = random32(rnd);

	memcpy(p, pool + random32(rnd) % (POOL - 256), 256);
	if (r & 1) {
		p[0] = 0x60;
		p[6] = protos[(r >> 8) % sizeof(protos)];
	} else {
		p[0] = (r & 6) ? 0x45 : (uint8_t)(0x40 | (r >> 4 & 0xf));
		p[9] = protos[(r >> 8) % sizeof(protos)];
		if (r & 0x70000) {
			p[6] = (r & 0x80000) ? 0x40 : 0;
			p[7] = 0;
		}
		l4 = (p[0] & 0xfu) * 4;
	}
	return l4;
}

static void packet_set(uint8_t p[256], uint32_t l4, const struct field *f, uint64_t *rnd)
{
	uint32_t off = f->off + (f->l4 ? l4 : 0);
	uint32_t value = f->value + random32(rnd) % 3 - 1;

	if (random32(rnd) & 3)
		value = f->value;
	for (unsigned i = f->size; i--; value >>= 8)
		p[off + i] = (uint8_t)value;
}

/*
 * Whether the two agree on packets made from their own constants. Always the same ones. For
 * programs of which nothing can be proved, as those with arithmetic.
 */
static bool agree(const struct bpf_program *a, const struct bpf_program *b)
{
	struct fields fs = {.n = 0};
	uint64_t rnd = 0x9e3779b97f4a7c15;
	uint8_t p[256], pool[POOL];

	fields_collect(&fs, a);
	fields_collect(&fs, b);
	pool_make(pool, &rnd);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t l4 = packet_make(p, pool, &rnd), len = 20 + random32(&rnd) % 200;

		for (unsigned k = random32(&rnd) % 8; fs.n && k; k--)
			packet_set(p, l4, &fs.v[random32(&rnd) % fs.n], &rnd);
		/* short, and with all that may be read */
		for (unsigned k = 0; k < 2; k++, len = sizeof(p)) {
			struct dissected d;

			if (dissect_ip(p, len, len, &d))
				continue; /* no filter is asked about it */
			if (!bpf_filter(a->bf_insns, p, len, len) !=
			    !bpf_filter(b->bf_insns, p, len, len))
				return false;
		}
	}
	return true;
}

static bool reads_metadata(const struct bpf_program *prog)
{
	for (unsigned i = 0; i < prog->bf_len; i++) {
		const struct bpf_insn *in = &prog->bf_insns[i];

		if (BPF_CLASS(in->code) == BPF_LD && BPF_MODE(in->code) == BPF_ABS &&
		    in->k >= SKF_OFFSETS)
			return true;
	}
	return false;
}

/* Takes the unoptimized program instead where the two differ. */
static int choose(struct filter *f, const char *text, char *err, size_t errsize)
{
	struct filter plain = {.unoptimized = true};
	int same;

	if (compile(&plain.prog, text, 0, err, errsize))
		return -1;
	same = filter_same(f, &plain);
	if (same == 1 || (same < 0 && agree(&f->prog, &plain.prog))) {
		filter_free(&plain);
		return 0;
	}
	filter_free(f);
	*f = plain;
	return 0;
}

/* A group of terms (filter_terms.h) of the filter `arg`. */
static int compile_group(void *arg, const char *text, struct bpf_program *prog, bool *none,
			 char *err, size_t errsize)
{
	struct filter part = {0}, *whole = arg;

	*none = false;
	/* the optimizer is also what tells that a filter rejects all packets */
	if (compile(&part.prog, text, 1, err, errsize)) {
		*none = rejects_all(err);
		return *none ? 0 : -1;
	}
	if (choose(&part, text, err, errsize)) {
		filter_free(&part);
		return -1;
	}
	whole->unoptimized |= part.unoptimized;
	*prog = part.prog;
	return 0;
}

static int compile_all(struct filter *f, const char *text, char *err, size_t errsize)
{
	const struct filter_compiler c = {compile_group, f};
	bool none;

	if (filter_terms(text) > FILTER_GROUP)
		return filter_terms_compile(&f->prog, text, &c, err, errsize);
	return compile_group(f, text, &f->prog, &none, err, errsize) || none ? -1 : 0;
}

int filter_compile(struct filter *f, const char *text, char *err, size_t errsize)
{
	memset(f, 0, sizeof(*f));
	if (strlen(text) > TEXT_MAX) {
		snprintf(err, errsize,
			 "filter too long (at most %d bytes): write a list of filters, of "
			 "which any may take a packet",
			 TEXT_MAX);
		return -1;
	}
	if (filter_words_check(text, err, errsize) || compile_all(f, text, err, errsize))
		return -1;
	if (reads_metadata(&f->prog)) {
		snprintf(err, errsize, "asks for what is no part of a packet%s", HINT);
		filter_free(f);
		return -1;
	}
	f->per_flow = filter_per_flow(f->prog.bf_insns, f->prog.bf_len);
	return 0;
}

void filter_free(struct filter *f)
{
	pcap_freecode(&f->prog);
	memset(f, 0, sizeof(*f));
}
