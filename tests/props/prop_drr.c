/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deficit round robin (Shreedhar and Varghese, 1995), theorem 4.2 of the journal version:
 * for two flows that are backlogged all the time, over every interval,
 *
 *     | sent_i / f_i - sent_j / f_j | <= Q + Max / f_i + Max / f_j
 *
 * with quanta Q_i = Q f_i: the flows' numbers of turns in an interval differ by at most
 * one, and in m turns a flow sends m Q_i, give or take what a deficit may hold (less than
 * Max). With f_i the weight, the quantum of the smallest weight is at most the mtu (any
 * more only lengthens the round), so Q <= mtu / least weight.
 *
 * "Every interval" is the range of the running difference.
 */
#include "tests/props/rig.h"

struct drr {
	struct rig r;
	uint32_t n;
	uint64_t sent[RIG_CLASSES];
	long double high[RIG_CLASSES][RIG_CLASSES], low[RIG_CLASSES][RIG_CLASSES];
	bool greedy[RIG_CLASSES];
	uint32_t lmax[RIG_CLASSES], weight[RIG_CLASSES], least;
};

static void drr_sent(struct rig *r, const struct pkt *p, uint32_t i)
{
	struct drr *d = r->user;

	d->sent[i] += p->len;
	if (!d->greedy[i])
		return;
	for (uint32_t j = 1; j <= d->n; j++) {
		long double x, most;

		if (j == i || !d->greedy[j])
			continue;
		x = (long double)d->sent[i] / d->weight[i] -
		    (long double)d->sent[j] / d->weight[j];
		if (x > d->high[i][j])
			d->high[i][j] = x;
		if (x < d->low[i][j])
			d->low[i][j] = x;
		/* seen from j the same difference has the other sign */
		if (-x > d->high[j][i])
			d->high[j][i] = -x;
		if (-x < d->low[j][i])
			d->low[j][i] = -x;
		most = (long double)RIG_MTU / d->least +
		       (long double)d->lmax[i] / d->weight[i] +
		       (long double)d->lmax[j] / d->weight[j];
		RIG_CHECK(d->high[i][j] - d->low[i][j] <= most + 1e-6L,
			  "at %" PRIu64
			  " classes %u and %u (weights %u, %u; least %u) differ by "
			  "%.2Lf, bound %.2Lf",
			  r->now, i, j, d->weight[i], d->weight[j], d->least,
			  d->high[i][j] - d->low[i][j], most);
	}
}

static void one_link(uint64_t seed)
{
	struct drr *d = calloc(1, sizeof(*d));
	uint32_t most;

	assert_non_null(d);
	rig_init(&d->r, seed, 80000000, seed % 2 ? 1 : 20000,
		 seed % 5 == 4 ? TREE_FAIR : TREE_DRR);
	d->r.user = d;
	d->r.sent = drr_sent;
	d->n = (uint32_t)rig_range(&d->r.random, 2, 20);
	d->least = UINT32_MAX;
	most = (uint32_t)rig_range(&d->r.random, 1, 60);
	for (uint32_t i = 1; i <= d->n; i++) {
		struct rig_source *s;
		uint32_t weight = (uint32_t)rig_range(&d->r.random, 1, most);

		s = rig_source(&d->r, rig_add(&d->r, 0, rig_leaf(weight)));
		s->lo = (uint32_t)rig_range(&d->r.random, 64, RIG_MTU);
		s->hi = (uint32_t)rig_range(&d->r.random, s->lo, RIG_MTU);
		d->lmax[i] = s->hi;
		d->weight[i] = seed % 5 == 4 ? 1 : weight;
		if (d->weight[i] < d->least)
			d->least = d->weight[i];
		if (i <= 2 || rig_chance(&d->r.random, 60)) {
			s->greedy = 2;
			d->greedy[i] = true;
			continue;
		}
		s->rate = rig_range(&d->r.random, 200000, 20000000);
		s->poisson = true;
		s->train = (uint32_t)rig_range(&d->r.random, 1, 20);
	}
	rig_build(&d->r, 200000);
	rig_start(&d->r);
	rig_run(&d->r, 3 * RIG_SECOND);
	RIG_CHECK(d->r.out > 100, "only %" PRIu64 " packets left", d->r.out);
	rig_free(&d->r);
	free(d);
}

static void test_drr(void **state)
{
	(void)state;
	rig_seeds(one_link, 60);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drr),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
