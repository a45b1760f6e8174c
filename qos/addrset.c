/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/addrset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 addr6;

struct range4 {
	uint32_t from, to;
};

struct range6 {
	addr6 from, to;
};

struct addrset {
	struct range4 *v4;
	struct range6 *v6;
	size_t n4, n6;
};

struct addrset *addrset_new(void)
{
	return calloc(1, sizeof(struct addrset));
}

void addrset_free(struct addrset *s)
{
	if (!s)
		return;
	free(s->v4);
	free(s->v6);
	free(s);
}

static uint32_t load4(const uint8_t *a)
{
	return (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];
}

static addr6 load6(const uint8_t *a)
{
	addr6 v = 0;

	for (unsigned i = 0; i < 16; i++)
		v = v << 8 | a[i];
	return v;
}

/* Room for one more of n at *v, which grows at powers of two. */
static int grow(void **v, size_t n, size_t all, size_t size)
{
	void *more;

	if (all >= ADDRSET_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (n & (n - 1))
		return 0;
	more = realloc(*v, (n ? 2 * n : 1) * size);
	if (!more)
		return -1;
	*v = more;
	return 0;
}

int addrset_add(struct addrset *s, unsigned version, const uint8_t *from, const uint8_t *to)
{
	size_t all = s->n4 + s->n6;
	void *v = version == 4 ? (void *)s->v4 : (void *)s->v6;

	if (memcmp(from, to, version == 4 ? 4 : 16) > 0)
		return 0;
	if (version == 4) {
		if (grow(&v, s->n4, all, sizeof(*s->v4)))
			return -1;
		s->v4 = v;
		s->v4[s->n4++] = (struct range4){load4(from), load4(to)};
		return 0;
	}
	if (grow(&v, s->n6, all, sizeof(*s->v6)))
		return -1;
	s->v6 = v;
	s->v6[s->n6++] = (struct range6){load6(from), load6(to)};
	return 0;
}

int addrset_add_net(struct addrset *s, const struct policy_net *net)
{
	uint8_t to[16];

	memcpy(to, net->addr, sizeof(to));
	for (unsigned i = net->plen; i < (net->family == 4 ? 32u : 128u); i++)
		to[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return addrset_add(s, net->family, net->addr, to);
}

static int by_from4(const void *a, const void *b)
{
	const struct range4 *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static int by_from6(const void *a, const void *b)
{
	const struct range6 *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

/* Joins what overlaps or touches, of ranges in order; how many are left. */
static size_t join4(struct range4 *v, size_t n)
{
	size_t last = 0;

	for (size_t i = 1; i < n; i++) {
		if (v[last].to != UINT32_MAX && v[i].from > v[last].to + 1)
			v[++last] = v[i];
		else if (v[i].to > v[last].to)
			v[last].to = v[i].to;
	}
	return n ? last + 1 : 0;
}

static size_t join6(struct range6 *v, size_t n)
{
	size_t last = 0;

	for (size_t i = 1; i < n; i++) {
		if (v[last].to != ~(addr6)0 && v[i].from > v[last].to + 1)
			v[++last] = v[i];
		else if (v[i].to > v[last].to)
			v[last].to = v[i].to;
	}
	return n ? last + 1 : 0;
}

void addrset_seal(struct addrset *s)
{
	void *less;

	if (s->n4)
		qsort(s->v4, s->n4, sizeof(*s->v4), by_from4);
	if (s->n6)
		qsort(s->v6, s->n6, sizeof(*s->v6), by_from6);
	s->n4 = join4(s->v4, s->n4);
	s->n6 = join6(s->v6, s->n6);
	less = s->n4 ? realloc(s->v4, s->n4 * sizeof(*s->v4)) : NULL;
	s->v4 = less ? less : s->v4;
	less = s->n6 ? realloc(s->v6, s->n6 * sizeof(*s->v6)) : NULL;
	s->v6 = less ? less : s->v6;
}

static bool has4(const struct addrset *s, uint32_t a)
{
	size_t low = 0, high = s->n4; /* the first range that ends at a or later */

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->v4[mid].to < a)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->n4 && s->v4[low].from <= a;
}

static bool has6(const struct addrset *s, addr6 a)
{
	size_t low = 0, high = s->n6;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->v6[mid].to < a)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->n6 && s->v6[low].from <= a;
}

bool addrset_has(const struct addrset *s, const uint8_t *addr, unsigned version)
{
	return version == 4 ? has4(s, load4(addr)) : has6(s, load6(addr));
}

size_t addrset_ranges(const struct addrset *s)
{
	return s->n4 + s->n6;
}

size_t addrset_memory(const struct addrset *s)
{
	return sizeof(*s) + s->n4 * sizeof(*s->v4) + s->n6 * sizeof(*s->v6);
}

bool addrset_equal(const struct addrset *a, const struct addrset *b)
{
	return a->n4 == b->n4 && a->n6 == b->n6 &&
	       (!a->n4 || !memcmp(a->v4, b->v4, a->n4 * sizeof(*a->v4))) &&
	       (!a->n6 || !memcmp(a->v6, b->v6, a->n6 * sizeof(*a->v6)));
}
