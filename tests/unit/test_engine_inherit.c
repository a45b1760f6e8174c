/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What queues know of their flows goes on when another engine takes over: CoDel's state, and
 * the buckets of flow-max and host-max. Where nothing but the flow's own bucket or the class's
 * own maximum decides when a packet leaves, a run with changes of the policy must be the same
 * as one without, packet for packet; elsewhere the bound of a bucket must hold over all of
 * them: rate * t + max(burst, one packet), calculated here from what left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/reload_rig.h"

#define LINK \
	"links:\n  - name: l\n    rate: 1gbit\n    overhead: 0\n    burst: 125kb\n    " \
	"classes:\n"
#define NO_AQM "target: 100s, interval: 1000s"
#define FEW "limit: 300p, " NO_AQM
#define FLOW_MAX "flow-max: 1mbit, "

static void with_and_without(const char *policy, uint64_t seed, uint64_t rate, uint64_t every,
			     bool drops)
{
	struct world *with = made(seed, rate, 5 * S), *without = made(seed, rate, 5 * S);
	struct changes c = {&policy, 1, every, seed}, none = {0};

	run(with, policy, &c);
	run(without, policy, &none);
	assert_true(with->changes >= 5 * S / every / 2 && !without->changes);
	assert_true(!drops || (without->drops > 40 && without->drops < without->n / 2));
	same(with, without, policy);
	free(with);
	free(without);
}

/* ---- flow-max, host-max */

static const char *const flow_max[] = {
	LINK "      - {name: a, default: true, " FLOW_MAX "queue: fifo, limit: 300p}\n",
	LINK "      - {name: a, default: true, " FLOW_MAX "queue: codel, " FEW "}\n",
	LINK "      - {name: a, default: true, " FLOW_MAX "queue: fq_codel, " FEW "}\n",
	LINK "      - {name: a, default: true, " FLOW_MAX "isolation: srchost, " FEW "}\n",
	LINK "      - {name: a, default: true, " FLOW_MAX "isolation: dual-dsthost, " FEW "}\n",
};
#define N_FLOW_MAX (sizeof(flow_max) / sizeof(flow_max[0]))

/* Over its flow-max, a flow gets no new burst by a change: every 10 ms, for 10 s. */
static void test_flow_max(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_FLOW_MAX; i++) {
		struct world *w = made(i + 1, 20 * 1000 * 1000, 10 * S);
		struct changes c = {&flow_max[i], 1, 10 * MS, i + 1};

		run(w, flow_max[i], &c);
		bound(w, false, 1000000, 3000);
		assert_true(w->changes > 800);
		free(w);
	}
}

/* And none of what it may have is taken from it. */
static void test_flow_max_same(void **state)
{
	static const char *const policy[] = {
		LINK "      - {name: a, default: true, " FLOW_MAX
		     "queue: fifo, limit: 50000p}\n",
		LINK "      - {name: a, default: true, " FLOW_MAX "limit: 50000p, " NO_AQM
		     "}\n",
	};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		with_and_without(policy[i], i + 1, 14 * 1000 * 1000, 10 * MS, false);
		with_and_without(policy[i], i + 1, 11 * 1000 * 1000, 300 * MS, false);
	}
}

/* Its queue, its isolation, the number of flows and the rate change as well. */
static void test_flow_max_changes(void **state)
{
	static const char *const other[] = {
		LINK "      - {name: a, default: true, " FLOW_MAX "flows: 256, " FEW "}\n",
		LINK "      - {name: a, default: true, " FLOW_MAX "flows: 8192, " FEW "}\n",
		LINK "      - {name: a, default: true, " FLOW_MAX "queue: fifo, limit: 300p}\n",
		LINK
		"      - {name: a, default: true, flow-max: 500kbit, isolation: dual-srchost, "
		"flows: 512, " FEW "}\n",
		LINK
		"      - {name: a, default: true, flow-max: 900kbit, isolation: srchost, " FEW
		"}\n",
		LINK "      - {name: a, default: true, " FLOW_MAX
		     "isolation: dual-dsthost, " FEW "}\n",
	};
	struct changes c = {other, sizeof(other) / sizeof(other[0]), 10 * MS, 0};

	(void)state;
	for (c.seed = 1; c.seed <= 5; c.seed++) {
		struct world *w = made(c.seed, 20 * 1000 * 1000, 5 * S);

		run(w, other[0], &c);
		bound(w, false, 1000000, 3000);
		free(w);
	}
}

static void test_host_max(void **state)
{
	static const char *const policy[] = {
		"inside: 10.0.0.0/8\n" LINK
		"      - {name: a, default: true, host-max: 2mbit, " FEW "}\n",
		"inside: 10.0.0.0/8\n" LINK "      - {name: a, default: true, host-max: 2mbit, "
		"flow-max: 800kbit, isolation: dual-srchost, flows: 256, " FEW "}\n",
	};
	struct changes c = {policy, 2, 10 * MS, 3};
	struct world *w = made(3, 20 * 1000 * 1000, 5 * S);

	(void)state;
	run(w, policy[0], &c);
	bound(w, true, 2000000, 3000);
	free(w);
	/* one flow a host: nothing but its bucket decides */
	w = made(4, 8 * 1000 * 1000, 5 * S);
	for (uint32_t i = 0; i < w->n; i++)
		w->come[i].flow %= HOSTS;
	c.n = 1;
	run(w, policy[0], &c);
	bound(w, true, 2000000, 3000);
	free(w);
}

/* ---- CoDel */

/* In dropping state it goes on dropping; of flows that are paced apart, each on its own. */
static void test_codel(void **state)
{
	static const struct {
		const char *policy;
		uint64_t mbit; /* more than may leave, but for the pauses */
	} v[] = {
		{LINK
		 "      - {name: a, default: true, max: 5mbit, queue: codel, limit: 50000p, "
		 "ecn: false}\n",
		 7},
		{LINK
		 "      - {name: a, default: true, max: 5mbit, queue: codel, limit: 50000p, "
		 "target: 2ms, interval: 30ms}\n",
		 7},
		{LINK "      - {name: a, default: true, " FLOW_MAX "limit: 50000p, "
		      "interval: 30ms}\n",
		 22},
		{LINK "      - {name: a, default: true, " FLOW_MAX "limit: 50000p, "
		      "ecn: false}\n",
		 24},
		{LINK "      - {name: a, default: true, " FLOW_MAX "queue: codel, "
		      "limit: 50000p, target: 1ms, interval: 10ms}\n",
		 18},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		with_and_without(v[i].policy, i + 1, v[i].mbit * 1000000, 10 * MS, true);
		with_and_without(v[i].policy, i + 11, v[i].mbit * 1000000, 300 * MS, true);
	}
}

/* One flow of fq_codel, at the line's rate: as if nothing had been. */
static void test_fq_codel_alone(void **state)
{
	static const char *const policy = LINK
		"      - {name: a, default: true, max: 5mbit, limit: 50000p, ecn: false}\n";
	struct world *w[2];
	struct changes c[2] = {{0}, {&policy, 1, 20 * MS, 9}};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		w[k] = made(9, 7 * 1000 * 1000, 10 * S);
		for (uint32_t i = 0; i < w[k]->n; i++)
			w[k]->come[i].flow = 0;
		run(w[k], policy, &c[k]);
	}
	assert_true(w[0]->drops > 50);
	same(w[1], w[0], policy);
	free(w[0]);
	free(w[1]);
}

/* What was planned with another interval is not waited for: 100 s would be without CoDel. */
static void test_other_interval(void **state)
{
	static const char *const policy[] = {
		LINK
		"      - {name: a, default: true, max: 5mbit, queue: codel, limit: 50000p, "
		"interval: 100s}\n",
		LINK "      - {name: a, default: true, max: 5mbit, queue: codel, limit: "
		     "50000p, ecn: false}\n",
	};
	struct changes c = {&policy[1], 1, 2 * S, 1};
	struct world *w = made(1, 7 * 1000 * 1000, 10 * S);
	uint64_t first = NEVER;

	(void)state;
	run(w, policy[0], &c);
	for (uint32_t i = 0; i < w->n; i++)
		if (w->went[i].what == ENGINE_DROPPED && w->went[i].when < first)
			first = w->went[i].when;
	assert_true(first > START + 2 * S && first < START + 2 * S + 200 * MS);
	free(w);
}

/* ---- What cannot go on. */

static const char *const large =
	LINK "      - {name: a, default: true, " FLOW_MAX "queue: fifo, limit: 50000p}\n";

static struct rig with_key(const char *text, uint8_t key, uint32_t packets_max)
{
	struct engine_opts o = {.key = {key}, .now = START, .packets_max = packets_max};
	struct rig r = rig_open(text, START, NULL);

	engine_free(r.engine);
	r.engine = engine_new(r.policy, &o, NULL);
	assert_non_null(r.engine);
	return r;
}

/* Another key: flows are new, which costs each a burst and no more, and nothing is lost. */
static void test_other_key(void **state)
{
	struct world *w = made(5, 20 * 1000 * 1000, S);

	(void)state;
	w->r = with_key(large, 0, 0);
	w->now = START;
	for (uint32_t id = 0; id < w->n; id++) {
		come_in(w, id);
		if (id == w->n / 2)
			take_over(w, with_key(large, 1, 0));
	}
	drain(w, w->now + 1000 * S);
	for (uint32_t id = 0; id < w->n; id++)
		assert_int_equal(w->went[id].what, ENGINE_SENT);
	bound(w, false, 1000000, 6000);
	rig_close(&w->r);
	free(w);
}

/* Far less room than before: what is too much is dropped and told, every packet once. */
static void test_less_room(void **state)
{
	static const char *const small = LINK
		"      - {name: a, default: true, flow-max: 1mbit, flows: 8, limit: 900p}\n";
	uint32_t sent = 0;

	(void)state;
	for (uint32_t room = 10; room < 10000; room *= 10) {
		struct world *w = made(6, 40 * 1000 * 1000, S);

		w->r = with_key(large, 0, 0);
		w->now = START;
		for (uint32_t id = 0; id < w->n; id++)
			come_in(w, id);
		assert_true(engine_waiting(w->r.engine) > 2 * ENGINE_UNPOLLED_MAX);
		take_over(w, with_key(small, 0, room));
		assert_true(engine_waiting(w->r.engine) <= (room < 900 ? room : 900));
		drain(w, w->now + 1000 * S);
		for (uint32_t id = 0; id < w->n; id++) {
			assert_true(w->went[id].when);
			sent += w->went[id].what == ENGINE_SENT;
		}
		rig_close(&w->r);
		free(w);
	}
	assert_true(sent > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_max),
		cmocka_unit_test(test_flow_max_same),
		cmocka_unit_test(test_flow_max_changes),
		cmocka_unit_test(test_host_max),
		cmocka_unit_test(test_codel),
		cmocka_unit_test(test_fq_codel_alone),
		cmocka_unit_test(test_other_interval),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_less_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
