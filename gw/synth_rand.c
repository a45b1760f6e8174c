/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generator behind synthetic traffic: xoshiro256**, and an exponential in integers. */
#include "gw/synth.h"

#define GOLDEN 0x9e3779b97f4a7c15ULL
#define LN2_Q63 0x58b90bfbe8e7bcd6ULL /* ln 2 times 2^63, rounded */
#define LOG_BITS 40		      /* fraction bits of the logarithm */

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = *x += GOLDEN;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

void synth_rand_init(struct synth_rand *r, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++)
		r->s[i] = splitmix(&seed);
}

uint64_t synth_rand_next(struct synth_rand *r)
{
	uint64_t *s = r->s;
	uint64_t out = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

/* Multiply and reject (Lemire, "Fast random integer generation in an interval", 2019). */
uint64_t synth_rand_below(struct synth_rand *r, uint64_t n)
{
	uint64_t reject = (0 - n) % n;

	for (;;) {
		unsigned __int128 m = (unsigned __int128)synth_rand_next(r) * n;

		if ((uint64_t)m >= reject)
			return (uint64_t)(m >> 64);
	}
}

/*
 * -ln U = ln 2 * -log2 U, and log2 by repeated squaring of the mantissa: each squaring
 * gives one bit of the fraction. libm's log may differ in its last bit between
 * machines, and one bit is another packet order.
 */
uint64_t synth_rand_exp(struct synth_rand *r)
{
	uint64_t u = synth_rand_next(r);
	unsigned zeros;
	uint64_t m, frac = 0, log;

	if (!u)
		u = 1;
	zeros = (unsigned)__builtin_clzll(u);
	m = u << zeros; /* in [1, 2) with 63 fraction bits */
	for (unsigned i = 0; i < LOG_BITS; i++) {
		unsigned __int128 sq = (unsigned __int128)m * m;
		bool two = sq >> 127;

		m = (uint64_t)(sq >> (two ? 64 : 63));
		frac = frac << 1 | two;
	}
	/* U = u / 2^64 = m * 2^-(zeros + 1), so -log2 U = zeros + 1 - log2 m */
	log = ((uint64_t)(zeros + 1) << LOG_BITS) - frac;
	return (uint64_t)(((unsigned __int128)log * LN2_Q63) >> (63 + LOG_BITS - 32));
}

/* FNV-1a over both texts, a NUL between them. */
uint64_t synth_seed(const char *test, const char *stream)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	const char *text[2] = {test, stream};

	for (unsigned i = 0; i < 2; i++) {
		for (const char *c = text[i]; *c; c++)
			h = (h ^ (uint8_t)*c) * 0x100000001b3ULL;
		h *= 0x100000001b3ULL;
	}
	return h;
}
