/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/top_frame.h"

#include <stdlib.h>
#include <string.h>

#include "qos/account.h"

#define SECOND UINT64_C(1000000000)
#define DEPTH_MAX 16u /* of classes that are summed up; a policy has 8 at most */

static const struct top_class zero;

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* From a counter that may have begun anew. */
static uint64_t since(uint64_t is, uint64_t was)
{
	return is < was ? is : is - was;
}

uint64_t top_ratio(uint64_t n, uint64_t unit, uint64_t of)
{
	unsigned __int128 v;

	if (!of)
		return 0;
	v = ((unsigned __int128)n * unit + of / 2) / of;
	return v < UINT64_MAX ? (uint64_t)v : UINT64_MAX;
}

/* ---- Histograms. */

/* The bin that holds the given share of all. */
static uint64_t quantile(const struct top_bin *bin, size_t n, uint64_t all, unsigned permille)
{
	uint64_t rank = (uint64_t)(((unsigned __int128)all * permille + 999) / 1000), seen = 0;

	for (size_t i = 0; i < n; i++) {
		seen = plus(seen, bin[i].n);
		if (bin[i].n && seen >= rank)
			return bin[i].top;
	}
	return 0;
}

static struct top_quantiles quantiles(const struct top_bin *bin, size_t n)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++)
		all = plus(all, bin[i].n);
	if (!all)
		return (struct top_quantiles){0};
	return (struct top_quantiles){true, quantile(bin, n, all, 500),
				      quantile(bin, n, all, 990)};
}

/* What was counted since `was`, into room for is->n bins. */
static void difference(struct top_bin *to, const struct top_hist *is,
		       const struct top_hist *was)
{
	size_t k = 0;

	for (size_t i = 0; i < is->n; i++) {
		to[i] = is->bin[i];
		while (k < was->n && was->bin[k].top < to[i].top)
			k++;
		if (k < was->n && was->bin[k].top == to[i].top)
			to[i].n = minus(to[i].n, was->bin[k].n);
	}
}

/* ---- Rows. */

/* Packets that are through; unlike those that were sent, these never become fewer. */
static uint64_t through(const struct top_class *c)
{
	uint64_t n = c->sent_packets;

	for (unsigned i = 0; i < PKT_DROP_N; i++)
		n = plus(n, c->dropped[i]);
	return n;
}

/* From what the counters of c went on in the meantime. was may be NULL. */
static const struct top_class *base_of(const struct top_class *c, const struct top_class *was)
{
	if (!was || was->leaf != c->leaf)
		return &zero;
	if ((c->leaf || !c->depth) && through(c) < through(was))
		return &zero;
	return was;
}

static void count(struct top_row *r, const struct top_class *c, const struct top_class *was)
{
	r->packets = minus(c->sent_packets, was->sent_packets);
	r->bytes = minus(c->sent_bytes, was->sent_bytes);
	r->marked = minus(c->marked, was->marked);
	for (unsigned i = 0; i < PKT_DROP_N; i++)
		r->dropped[i] = minus(c->dropped[i], was->dropped[i]);
}

/* An objective that is new may go on from the count of an older one, which is not known. */
static uint64_t over(const struct top_class *c, const struct top_class *was)
{
	if (!c->max_latency || (was != &zero && !was->max_latency))
		return 0;
	return minus(c->over_latency, was->over_latency);
}

/* A class with classes whose leaves are being summed up. */
struct open_row {
	struct top_row *row;
	size_t path_length;
	struct top_bin delay[DELAYS_BUCKETS];
};

struct sum {
	unsigned depth;
	struct open_row open[DEPTH_MAX];
	struct top_bin *leaf; /* room for the longest histogram of a leaf */
};

static void open_row(struct sum *s, struct top_row *r)
{
	struct open_row *o;

	if (s->depth == DEPTH_MAX)
		return;
	o = &s->open[s->depth++];
	o->row = r;
	o->path_length = strlen(r->class->path);
	for (unsigned i = 0; i < DELAYS_BUCKETS; i++)
		o->delay[i] = (struct top_bin){delays_top(i), 0};
}

static void close_row(struct sum *s)
{
	struct open_row *o = &s->open[--s->depth];

	o->row->delay = quantiles(o->delay, DELAYS_BUCKETS);
}

/* Closes those that the class is not in: parents come before their children. */
static void close_others(struct sum *s, const char *path)
{
	while (s->depth) {
		const struct open_row *o = &s->open[s->depth - 1];

		if (!strncmp(path, o->row->class->path, o->path_length) &&
		    path[o->path_length] == '/')
			return;
		close_row(s);
	}
}

/* The gateway's bins are those of an account, unless it is of another version. */
static unsigned bucket(uint64_t top)
{
	unsigned from = 0, to = DELAYS_BUCKETS - 1;

	while (from < to) {
		unsigned mid = (from + to) / 2;

		if (delays_top(mid) < top)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void add_to_open(struct sum *s, const struct top_row *r, size_t bins)
{
	for (unsigned d = 0; d < s->depth; d++) {
		struct top_row *p = s->open[d].row;

		p->packets = plus(p->packets, r->packets);
		p->bytes = plus(p->bytes, r->bytes);
		p->marked = plus(p->marked, r->marked);
		for (unsigned i = 0; i < PKT_DROP_N; i++)
			p->dropped[i] = plus(p->dropped[i], r->dropped[i]);
	}
	for (size_t i = 0; s->depth && i < bins; i++) {
		unsigned b = s->leaf[i].n ? bucket(s->leaf[i].top) : 0;

		for (unsigned d = 0; d < s->depth; d++)
			s->open[d].delay[b].n = plus(s->open[d].delay[b].n, s->leaf[i].n);
	}
}

static void make_leaf(struct sum *s, struct top_row *r, const struct top_class *was)
{
	const struct top_class *c = r->class;

	count(r, c, was);
	difference(s->leaf, &c->delay, &was->delay);
	r->delay = quantiles(s->leaf, c->delay.known ? c->delay.n : 0);
	add_to_open(s, r, c->delay.known ? c->delay.n : 0);
}

static void make_rows(struct top_flink *f, const struct top_link *was, struct sum *s)
{
	s->depth = 0;
	for (size_t i = 0; i < f->n_row; i++) {
		struct top_row *r = &f->row[i];
		const struct top_class *base =
			base_of(r->class, was ? top_link_class(was, r->class->path) : NULL);

		close_others(s, r->class->path);
		r->over = over(r->class, base);
		if (r->class->leaf)
			make_leaf(s, r, base);
		else
			open_row(s, r);
	}
	while (s->depth)
		close_row(s);
	for (size_t i = 0; i < f->n_row; i++)
		f->row[i].bps = top_ratio(f->row[i].bytes, 8 * SECOND, f->ns);
}

/* ---- Links. */

static const struct top_link no_link;

static void make_link(struct top_flink *f, const struct top_link *was, struct sum *s)
{
	const struct top_link *l = f->link, *base = was ? was : &no_link;
	const struct top_class *all = base_of(&l->all, was ? &was->all : NULL);

	f->cpu = since(l->cpu, base->cpu);
	for (unsigned i = 0; i < ASK_LOSSES; i++)
		f->lost[i] = since(l->lost[i], base->lost[i]);
	difference(s->leaf, &l->late, &base->late);
	f->late = quantiles(s->leaf, l->late.known ? l->late.n : 0);
	count(&f->all, &l->all, all);
	f->all.bps = top_ratio(f->all.bytes, 8 * SECOND, f->ns);
	difference(s->leaf, &l->all.delay, &all->delay);
	f->all.delay = quantiles(s->leaf, l->all.delay.known ? l->all.delay.n : 0);
	make_rows(f, was, s);
}

/* Room for its rows; they say what they are of, and no more. */
static int begin_link(struct top_flink *f, const struct top_link *l)
{
	*f = (struct top_flink){.link = l, .all.class = &l->all};
	f->row = calloc(l->n_class + 1, sizeof(*f->row));
	f->shown = calloc(l->n_class + 1, sizeof(*f->shown));
	if (!f->row || !f->shown)
		return -1;
	for (; f->n_row < l->n_class; f->n_row++)
		f->row[f->n_row].class = &l->class[f->n_row];
	return 0;
}

static size_t longest_hist(const struct top_answer *a)
{
	size_t most = 0;

	for (size_t i = 0; i < a->n_link; i++) {
		const struct top_link *l = &a->link[i];

		most = l->late.n > most ? l->late.n : most;
		most = l->all.delay.n > most ? l->all.delay.n : most;
		for (size_t k = 0; k < l->n_class; k++)
			most = l->class[k].delay.n > most ? l->class[k].delay.n : most;
	}
	return most;
}

/* When the counters of a link stood at `before`, or at 0. */
static void compare(struct top_frame *f, const struct top_answer *was, struct sum *s)
{
	const struct top_answer *is = f->answer;

	f->restarted = was->started != is->started;
	f->reloaded = !f->restarted && was->generation != is->generation;
	f->ns = minus(is->now, f->restarted ? is->started : was->now);
	for (size_t i = 0; i < f->n_link; i++) {
		struct top_flink *l = &f->link[i];
		const struct top_link *before =
			f->restarted ? NULL : top_answer_link(was, l->link->name);

		l->ns = minus(l->link->now, before	   ? before->now
					    : f->restarted ? is->started
							   : was->now);
		if (l->ns)
			make_link(l, before, s);
	}
}

struct top_frame *top_frame_new(const struct top_answer *was, const struct top_answer *is)
{
	struct top_frame *f = calloc(1, sizeof(*f));
	struct sum *s = calloc(1, sizeof(*s));
	bool good = f && s;

	if (good) {
		f->answer = is;
		f->link = calloc(is->n_link + 1, sizeof(*f->link));
		s->leaf = calloc(longest_hist(is) + 1, sizeof(*s->leaf));
		good = f->link && s->leaf;
	}
	for (size_t i = 0; good && i < is->n_link; i++) {
		good = !begin_link(&f->link[i], &is->link[i]);
		f->n_link++;
	}
	if (good && was)
		compare(f, was, s);
	if (good)
		top_frame_sort(f, TOP_FILE);
	if (s)
		free(s->leaf);
	free(s);
	if (good)
		return f;
	top_frame_free(f);
	return NULL;
}

void top_frame_free(struct top_frame *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_link; i++) {
		free(f->link[i].row);
		free(f->link[i].shown);
	}
	free(f->link);
	free(f);
}

/* ---- Order. */

static int descending(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* Those that are equal stay as in the file. */
static int in_file(const struct top_row *a, const struct top_row *b)
{
	return (a > b) - (a < b);
}

static int by_rate(const void *a, const void *b)
{
	const struct top_row *const *x = a, *const *y = b;
	int c = descending((*x)->bytes, (*y)->bytes);

	return c ? c : in_file(*x, *y);
}

static int by_backlog(const void *a, const void *b)
{
	const struct top_row *const *x = a, *const *y = b;
	int c = descending((*x)->class->waiting_bytes, (*y)->class->waiting_bytes);

	return c ? c : in_file(*x, *y);
}

static int by_delay(const void *a, const void *b)
{
	const struct top_row *const *x = a, *const *y = b;
	int c = descending((*x)->delay.p99, (*y)->delay.p99);

	return c ? c : in_file(*x, *y);
}

void top_frame_sort(struct top_frame *f, enum top_sort sort)
{
	static int (*const order[TOP_SORTS])(const void *, const void *) = {
		[TOP_RATE] = by_rate, [TOP_BACKLOG] = by_backlog, [TOP_DELAY] = by_delay};

	f->sort = sort;
	for (size_t i = 0; i < f->n_link; i++) {
		struct top_flink *l = &f->link[i];

		l->n_shown = 0;
		for (size_t k = 0; k < l->n_row; k++)
			if (sort == TOP_FILE || l->row[k].class->leaf)
				l->shown[l->n_shown++] = &l->row[k];
		if (order[sort])
			qsort(l->shown, l->n_shown, sizeof(*l->shown), order[sort]);
	}
}

const char *top_sort_name(enum top_sort sort)
{
	static const char *const name[TOP_SORTS] = {[TOP_FILE] = "file order",
						    [TOP_RATE] = "rate",
						    [TOP_BACKLOG] = "backlog",
						    [TOP_DELAY] = "delay"};

	return name[sort];
}
