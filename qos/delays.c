/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/delays.h"

#include <stdlib.h>
#include <string.h>

uint64_t delays_top(unsigned b)
{
	unsigned e, sub;

	if (b < DELAYS_EXACT)
		return b;
	e = 6 + ((b - DELAYS_EXACT) >> DELAYS_CHUNK_BITS);
	sub = (b - DELAYS_EXACT) & (DELAYS_CHUNK - 1);
	/* for the last bucket this wraps to the largest number there is, as it should */
	return (((1ULL << DELAYS_CHUNK_BITS) + sub + 1) << (e - DELAYS_CHUNK_BITS)) - 1;
}

bool delays_grow(struct delays **h, unsigned b, int64_t *left)
{
	uint32_t n = *h ? (*h)->n : 0;
	struct delays *d;

	if (left && *left <= 0)
		return false;
	d = realloc(*h, DELAYS_BYTES(n + 1));
	if (!d)
		return false;
	if (!n)
		memset(d, 0, sizeof(*d));
	memset(d->count[n], 0, sizeof(d->count[n]));
	d->n = n + 1;
	d->at[b >> DELAYS_CHUNK_BITS] = (uint8_t)d->n;
	*h = d;
	if (left)
		--*left;
	return true;
}

uint64_t delays_merge(struct delays **a, const struct delays *b, int64_t *left)
{
	uint64_t lost = 0;

	for (unsigned c = 0; b && c < DELAYS_CHUNKS; c++) {
		const uint64_t *from = b->at[c] ? b->count[b->at[c] - 1] : NULL;

		for (unsigned i = 0; from && i < DELAYS_CHUNK; i++)
			if (from[i] && !delays_add(a, c * DELAYS_CHUNK + i, from[i], left))
				lost += from[i];
	}
	return lost;
}

struct delays *delays_copy(const struct delays *h)
{
	struct delays *d = h ? malloc(DELAYS_BYTES(h->n)) : NULL;

	if (d)
		memcpy(d, h, DELAYS_BYTES(h->n));
	return d;
}

uint64_t delays_total(const struct delays *h)
{
	uint64_t sum = 0;

	for (uint32_t c = 0; h && c < h->n; c++)
		for (unsigned i = 0; i < DELAYS_CHUNK; i++)
			sum += h->count[c][i];
	return sum;
}
