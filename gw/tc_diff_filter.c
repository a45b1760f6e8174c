/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters of one parent. What counts is their order; the kernel's is by priority, 1 to 65535,
 * which cannot be changed. So filters that stay in order keep theirs (a longest common
 * subsequence: the fewest changes), and new ones get one in the gap.
 *
 * Why no packet of a class that stays goes astray meanwhile: let a filter F stay, and be the
 * first to match a packet before and after. Then no filter before F matches it, old or new,
 * so none does in any mixture of both. If other filters of its class match it before and
 * after: those that are new are added from the first to the last, and only then go those
 * that are not wanted, from the last to the first, so that one of the two is always there and
 * in front of what else would match. Where the gap is too small, all are added anew, behind or
 * in front of the old ones: from the first to the last, and then the old ones go from the last
 * to the first. In each moment a packet meets the old order, or a beginning of one order that
 * knows nothing of it and then the whole of the other.
 */
#include <stdlib.h>
#include <string.h>

#include "gw/tc_diff.h"

#define NONE SIZE_MAX

struct align {
	struct tc_differ *d;
	struct tc_set w, h;
	size_t *pair;	/* of each wanted: the one that there is and that it becomes; NONE */
	uint32_t *prio; /* of each wanted */
	uint8_t *taken; /* of each that there is: it stays, or becomes another */
};

struct hashed {
	uint64_t hash;
	size_t i;
};

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return h;
}

static uint64_t hash_of(const struct tc_object *o)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (o->type != TC_BPF)
		return 0;
	h = mix(h, &o->bpf.classid, sizeof(o->bpf.classid));
	return mix(h, o->bpf.insn, o->bpf.n * sizeof(*o->bpf.insn));
}

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

static bool same(const struct tc_object *a, const struct tc_object *b)
{
	return a->type == TC_BPF && tc_same_value(a, b);
}

/* To each wanted one that there is and is the same, whatever their order. */
static void match_equal(struct align *a, struct hashed *sorted)
{
	for (size_t k = 0; k < a->h.n; k++)
		sorted[k] = (struct hashed){hash_of(a->h.v[k]), k};
	qsort(sorted, a->h.n, sizeof(*sorted), by_hash);
	for (size_t i = 0; i < a->w.n; i++) {
		uint64_t hash = hash_of(a->w.v[i]);
		size_t from = 0, to = a->h.n;

		while (from < to) {
			size_t middle = from + (to - from) / 2;

			if (sorted[middle].hash < hash)
				from = middle + 1;
			else
				to = middle;
		}
		for (; from < a->h.n && sorted[from].hash == hash; from++) {
			size_t k = sorted[from].i;

			if (!a->taken[k] && same(a->w.v[i], a->h.v[k])) {
				a->pair[i] = k;
				a->taken[k] = 1;
				break;
			}
		}
	}
}

/*
 * Of those pairs, the most that are in the same order on both sides: a longest increasing
 * subsequence. tail[l] is the wanted one that ends the best chain of l + 1; before[i] the one
 * in front of i in its chain.
 */
static void keep_longest(struct align *a, size_t *tail, size_t *before)
{
	size_t n = 0, at;

	for (size_t i = 0; i < a->w.n; i++) {
		size_t from = 0, to = n;

		if (a->pair[i] == NONE)
			continue;
		while (from < to) {
			size_t middle = from + (to - from) / 2;

			if (a->pair[tail[middle]] < a->pair[i])
				from = middle + 1;
			else
				to = middle;
		}
		before[i] = from ? tail[from - 1] : NONE;
		tail[from] = i;
		if (from == n)
			n++;
	}
	at = n ? tail[n - 1] : NONE;
	for (size_t i = a->w.n; i-- > 0;) {
		if (i == at) {
			at = before[i];
			continue;
		}
		if (a->pair[i] != NONE)
			a->taken[a->pair[i]] = 0;
		a->pair[i] = NONE;
	}
}

static void count_classes(const struct tc_set *s, uint8_t *count)
{
	for (size_t i = 0; i < s->n; i++) {
		uint8_t *c = &count[TC_H_MIN(s->v[i]->bpf.classid)];

		if (s->v[i]->type == TC_BPF && *c < 2)
			(*c)++;
	}
}

/*
 * Between two that stay, those that lead to the same class become one another, in one step.
 * Not where a class has several: a packet may go from one to the other.
 */
static int pair_changed(struct align *a)
{
	uint8_t *count = calloc(2, 1u << 16), *other;
	size_t k = 0;

	if (!count)
		return -1;
	other = count + (1u << 16);
	count_classes(&a->w, count);
	count_classes(&a->h, other);
	for (size_t i = 0; i < a->w.n; i++) {
		const struct tc_object *w = a->w.v[i];
		uint32_t minor = TC_H_MIN(w->bpf.classid);

		if (a->pair[i] != NONE) {
			k = a->pair[i] + 1;
			continue;
		}
		if (count[minor] != 1 || other[minor] != 1)
			continue;
		for (size_t j = k; j < a->h.n && !a->taken[j]; j++) {
			const struct tc_object *h = a->h.v[j];

			if (h->type != TC_BPF || h->bpf.classid != w->bpf.classid)
				continue;
			a->pair[i] = j;
			a->taken[j] = 1;
			k = j + 1;
			break;
		}
	}
	free(count);
	return 0;
}

static bool used(const struct align *a, uint32_t prio, size_t *k)
{
	while (*k < a->h.n && a->h.v[*k]->handle < prio)
		(*k)++;
	return *k < a->h.n && a->h.v[*k]->handle == prio;
}

/* Priorities between lo and hi (both excluded) for n wanted ones; false: there are too few. */
static bool place(struct align *a, size_t from, size_t n, uint32_t lo, uint32_t hi)
{
	size_t room = 0, k = 0, seen = 0, next = 0;
	uint32_t step = tc_filter_step(a->w.n);

	if (hi > TC_FILTER_PRIO_MAX && n < (hi - lo) / step) /* at the end: not far away */
		hi = lo + step * (uint32_t)(n + 1);
	for (uint32_t p = lo + 1; p < hi; p++)
		room += !used(a, p, &k);
	if (room < n)
		return false;
	k = 0;
	for (uint32_t p = lo + 1; p < hi && next < n; p++) {
		if (used(a, p, &k))
			continue;
		seen++;
		if (seen == (next + 1) * (room + 1) / (n + 1))
			a->prio[from + next++] = p;
	}
	return next == n;
}

/* All, one step apart from the other, behind lo. */
static void number_all(struct align *a, uint32_t lo, uint32_t step)
{
	for (uint32_t i = 0; i < a->w.n; i++)
		a->prio[i] = lo + (i + 1) * step;
}

static bool number(struct align *a)
{
	uint32_t lo = 0;

	for (size_t i = 0; i < a->w.n;) {
		size_t end = i;

		while (end < a->w.n && a->pair[end] == NONE)
			end++;
		if (end > i && !place(a, i, end - i, lo,
				      end < a->w.n ? a->h.v[a->pair[end]]->handle
						   : TC_FILTER_PRIO_MAX + 1))
			return false;
		if (end < a->w.n)
			lo = a->prio[end] = a->h.v[a->pair[end]]->handle;
		i = end + 1;
	}
	return true;
}

/* All anew, behind those that there are or in front of them. */
static bool renumber(struct align *a)
{
	uint32_t first = a->h.v[0]->handle, last = a->h.v[a->h.n - 1]->handle;
	uint32_t behind = TC_FILTER_PRIO_MAX - last, before = first ? first - 1 : 0,
		 n = (uint32_t)a->w.n;
	uint32_t lo = behind >= before ? last : 0, room = behind >= before ? behind : before;
	uint32_t step = tc_filter_step(n);

	for (size_t i = 0; i < a->w.n; i++)
		a->pair[i] = NONE;
	memset(a->taken, 0, a->h.n);
	if (!n || n > room)
		return !n;
	number_all(a, lo, step <= room / n ? step : room / n);
	return true;
}

static void emit_wanted(struct align *a, size_t i)
{
	const struct tc_object *h = a->pair[i] == NONE ? NULL : a->h.v[a->pair[i]];
	struct tc_object *o;

	if (h && same(a->w.v[i], h))
		return;
	o = &a->d->made[a->d->n_made++];
	*o = *a->w.v[i];
	o->handle = a->prio[i];
	tc_emit(a->d, h ? TC_TURN : TC_LEAD,
		(struct tc_change){.op = h ? TC_CHANGE : TC_ADD, .o = o, .was = h});
}

static void emit(struct align *a)
{
	/*
	 * The kernel looks for a filter's place from the front: the first of many are added
	 * last where there are none yet, and the order does not matter.
	 */
	for (size_t i = a->w.n; !a->h.n && i-- > 0;)
		emit_wanted(a, i);
	for (size_t i = 0; a->h.n && i < a->w.n; i++)
		emit_wanted(a, i);
	for (size_t k = a->h.n; k-- > 0;)
		if (!a->taken[k])
			tc_emit(a->d, TC_UNLEAD,
				(struct tc_change){.op = TC_DELETE, .o = a->h.v[k]});
}

static bool all_same(const struct align *a)
{
	if (a->w.n != a->h.n)
		return false;
	for (size_t i = 0; i < a->w.n; i++)
		if (!same(a->w.v[i], a->h.v[i]))
			return false;
	return true;
}

static void align(struct align *a, struct hashed *sorted, size_t *tail, size_t *before)
{
	for (size_t i = 0; i < a->w.n; i++)
		a->pair[i] = NONE;
	if (a->h.n) {
		match_equal(a, sorted);
		keep_longest(a, tail, before);
		if (pair_changed(a)) {
			a->d->no_memory = true;
			return;
		}
		if (!number(a) && !renumber(a)) {
			a->d->no_room = true;
			return;
		}
	} else if (a->w.n > TC_FILTER_PRIO_MAX) {
		a->d->no_room = true;
		return;
	} else if (a->w.n) {
		number_all(a, 0, tc_filter_step(a->w.n));
	}
	emit(a);
}

void tc_diff_filters(struct tc_differ *d, uint32_t parent)
{
	struct align a = {.d = d,
			  .w = tc_tree_filters(&d->want, parent),
			  .h = tc_tree_filters(&d->have, parent)};
	struct hashed *sorted;
	size_t *index;

	if (all_same(&a))
		return;
	sorted = calloc(a.h.n + 1, sizeof(*sorted));
	index = calloc(3 * a.w.n + 1, sizeof(*index));
	a.prio = calloc(a.w.n + 1, sizeof(*a.prio));
	a.taken = calloc(a.h.n + 1, 1);
	a.pair = index;
	if (sorted && index && a.prio && a.taken)
		align(&a, sorted, index + a.w.n, index + 2 * a.w.n);
	else
		d->no_memory = true;
	free(sorted);
	free(index);
	free(a.prio);
	free(a.taken);
}
