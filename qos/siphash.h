/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), fed with
 * 64-bit words. The number of rounds is an argument: the paper proposes 2-4; the
 * flow table uses 1-3, which its authors hold to be enough for hash tables.
 * With constant arguments all of it is inlined.
 */
#ifndef WEIR_QOS_SIPHASH_H
#define WEIR_QOS_SIPHASH_H

#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

struct siphash {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t siphash_rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

static inline void siphash_rounds(struct siphash *s, unsigned n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
		s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
		s->v0 = siphash_rotl(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
		s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
		s->v2 = siphash_rotl(s->v2, 32);
	}
}

static inline struct siphash siphash_begin(const struct siphash_key *k)
{
	return (struct siphash){k->k0 ^ 0x736f6d6570736575, k->k1 ^ 0x646f72616e646f6d,
				k->k0 ^ 0x6c7967656e657261, k->k1 ^ 0x7465646279746573};
}

static inline void siphash_word(struct siphash *s, unsigned c, uint64_t m)
{
	s->v3 ^= m;
	siphash_rounds(s, c);
	s->v0 ^= m;
}

/*
 * The last word: up to 7 bytes in its low end, the message's length modulo 256 in
 * its highest byte.
 */
static inline uint64_t siphash_end(struct siphash *s, unsigned c, unsigned d, uint64_t last)
{
	siphash_word(s, c, last);
	s->v2 ^= 0xff;
	siphash_rounds(s, d);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
