/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fq_codel's flow queueing (RFC 8290, sections 3 and 4.1, 4.2):
 *
 *  - a flow that is new waits for the packet on the line only; one that comes back before
 *    its round is over waits for one round at most, in which each other flow sends less
 *    than a quantum and a packet;
 *  - greedy flows share by bytes, whatever their packets' sizes: over every interval two of
 *    them differ by at most Q + 2 Max (Shreedhar and Varghese: the numbers of their turns
 *    differ by at most one, and a deficit holds less than Max);
 *  - with dual isolation hosts come first, then their flows.
 *
 * CoDel is kept out of it by a target that is never reached.
 */
#include "tests/props/rig.h"

#define NS_PER_BYTE 80 /* 100 Mbit/s */
#define FOREVER (1000 * RIG_SECOND)

struct fq {
	struct rig r;
	uint32_t sparse; /* this source is */
	uint64_t bound, worst, seen;
	uint64_t bytes[RIG_SOURCES];
};

static struct tree_class_conf fq_leaf(void)
{
	struct tree_class_conf c = rig_leaf(1);

	c.queue = TREE_Q_FQ;
	c.flows = 4096;
	c.target = FOREVER;
	c.interval = 2 * FOREVER;
	return c;
}

static struct fq *fq_new(uint64_t seed, struct tree_class_conf c)
{
	struct fq *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	rig_init(&f->r, seed, 8 * RIG_SECOND / NS_PER_BYTE, 1, TREE_FIFO);
	f->r.user = f;
	rig_add(&f->r, 0, c);
	return f;
}

static void fq_done(struct fq *f)
{
	rig_free(&f->r);
	free(f);
}

static void sparse_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct fq *f = r->user;

	(void)leaf;
	if (p->id >> 40 != f->sparse || p->arrival < RIG_SECOND / 5)
		return;
	f->seen++;
	if (r->now - p->arrival > f->worst)
		f->worst = r->now - p->arrival;
}

static void one_sparse(uint64_t seed)
{
	struct fq *f = fq_new(seed, fq_leaf());
	struct rig *r = &f->r;
	bool often = seed % 2;
	uint64_t round = 0;
	struct rig_source *s;

	r->sent = sparse_sent;
	for (int i = 0; i < 100; i++) {
		s = rig_source(r, 1);
		s->greedy = 3;
		s->hi = (uint32_t)rig_range(&r->random, 64, RIG_MTU);
		s->lo = s->hi;
		round += RIG_MTU + s->hi;
	}
	f->sparse = r->sources;
	s = rig_source(r, 1);
	s->lo = s->hi = 200;
	s->start = RIG_SECOND / 10;
	/* so seldom that its queue has left the list each time, or several times a round */
	s->rate = 200 * 8 * RIG_SECOND / (often ? 2000000 : 2 * round * NS_PER_BYTE);
	s->pause = rig_range(&r->random, 0, 1000000);
	r->sent = sparse_sent;
	rig_build(r, 2000);
	rig_start(r);
	rig_run(r, 3 * RIG_SECOND);
	f->bound =
		often ? (round + RIG_MTU + 200) * NS_PER_BYTE : (uint64_t)RIG_MTU * NS_PER_BYTE;
	RIG_CHECK(f->seen > 40, "only %" PRIu64 " packets of the sparse flow left", f->seen);
	RIG_CHECK(f->worst <= f->bound, "waited %" PRIu64 " ns, bound %" PRIu64, f->worst,
		  f->bound);
	fq_done(f);
}

static void test_sparse(void **state)
{
	(void)state;
	rig_seeds(one_sparse, 12);
}

struct pairs {
	struct rig r;
	uint32_t n, quantum;
	int64_t bytes[32], high[32][32], low[32][32];
	uint32_t lmax;
};

static void pairs_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct pairs *f = r->user;
	uint32_t i = (uint32_t)(p->id >> 40);

	(void)leaf;
	if (r->now < RIG_SECOND / 10) /* while all begin, new flows go first */
		return;
	f->bytes[i] += p->len;
	for (uint32_t k = 0; k < f->n; k++) {
		uint32_t a = i < k ? i : k, b = i < k ? k : i;
		int64_t x = f->bytes[a] - f->bytes[b];

		if (x > f->high[a][b])
			f->high[a][b] = x;
		if (x < f->low[a][b])
			f->low[a][b] = x;
		RIG_CHECK(f->high[a][b] - f->low[a][b] <= f->quantum + 2 * f->lmax,
			  "at %" PRIu64 " flows %u and %u differ by %" PRId64
			  ", quantum %u, packets up to %u",
			  r->now, a, b, f->high[a][b] - f->low[a][b], f->quantum, f->lmax);
	}
}

static void one_shares(uint64_t seed)
{
	struct pairs *f = calloc(1, sizeof(*f));
	struct rig *r = &f->r;
	struct tree_class_conf c = fq_leaf();

	assert_non_null(f);
	rig_init(r, seed, 8 * RIG_SECOND / NS_PER_BYTE, 1, TREE_FIFO);
	r->user = f;
	r->sent = pairs_sent;
	f->n = (uint32_t)rig_range(&r->random, 2, 32);
	f->quantum = c.quantum = (uint32_t)rig_range(&r->random, 200, 4000);
	rig_add(r, 0, c);
	for (uint32_t i = 0; i < f->n; i++) {
		struct rig_source *s = rig_source(r, 1);

		s->greedy = 3;
		s->lo = (uint32_t)rig_range(&r->random, 64, RIG_MTU);
		s->hi = rig_chance(&r->random, 50)
				? s->lo
				: (uint32_t)rig_range(&r->random, s->lo, RIG_MTU);
		if (s->hi > f->lmax)
			f->lmax = s->hi;
	}
	rig_build(r, 1000);
	rig_start(r);
	rig_run(r, 2 * RIG_SECOND);
	RIG_CHECK(r->out > 1000, "only %" PRIu64 " packets left", r->out);
	rig_free(r);
	free(f);
}

static void test_shares(void **state)
{
	(void)state;
	rig_seeds(one_shares, 30);
}

static void host_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct fq *f = r->user;

	(void)leaf;
	if (r->now > RIG_SECOND)
		f->bytes[p->id >> 40] += p->len;
}

/* Three hosts with 200, 20 and 2 greedy flows: a third for each, and within a host equal. */
static void one_hosts(uint64_t seed)
{
	static const enum tree_isolation kinds[] = {TREE_ISO_DUAL_SRC, TREE_ISO_DUAL_DST,
						    TREE_ISO_SRC, TREE_ISO_DST};
	static const uint32_t flows[] = {200, 20, 2};
	struct tree_class_conf c = fq_leaf();
	struct fq *f;
	uint64_t host[3] = {0}, all = 0, each;
	uint32_t i, k, at;
	bool dual = seed % 4 < 2;

	c.isolation = kinds[seed % 4];
	f = fq_new(seed, c);
	f->r.sent = host_sent;
	for (k = 0; k < 3; k++)
		for (i = 0; i < flows[k]; i++) {
			struct rig_source *s = rig_source(&f->r, 1);
			uint32_t other = (uint32_t)rig_random(&f->r.random) | 1;

			s->greedy = 3;
			s->lo = s->hi = (uint32_t)rig_range(&f->r.random, 500, RIG_MTU);
			s->src = seed % 2 ? other : (k + 1) * 0x9e3779b1u;
			s->dst = seed % 2 ? (k + 1) * 0x9e3779b1u : other;
		}
	rig_build(&f->r, 2000);
	rig_start(&f->r);
	rig_run(&f->r, 21 * RIG_SECOND);
	for (k = 0, at = 0; k < 3; at += flows[k++])
		for (i = 0; i < flows[k]; i++)
			host[k] += f->bytes[at + i];
	all = host[0] + host[1] + host[2];
	for (k = 0, at = 0; k < 3; at += flows[k++]) {
		RIG_CHECK(host[k] * 300 >= all * 97 && host[k] * 300 <= all * 103,
			  "isolation %d: host with %u flows got %.2f %%", (int)c.isolation,
			  flows[k], host[k] * 100.0 / all);
		each = host[k] / flows[k];
		for (i = 0; dual && i < flows[k]; i++)
			RIG_CHECK(f->bytes[at + i] * 100 >= each * 90 &&
					  f->bytes[at + i] * 100 <= each * 110,
				  "host with %u flows: flow %u got %" PRIu64 " of %" PRIu64,
				  flows[k], i, f->bytes[at + i], each);
	}
	fq_done(f);
}

static void test_hosts(void **state)
{
	(void)state;
	rig_seeds(one_hosts, 8);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_hosts),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
