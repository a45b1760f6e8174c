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

#include "tests/unit/engine_rig.h"

#define MS 1000000ull
#define S (1000 * MS)
#define START (1700000000 * S)
#define FLOWS 12u
#define HOSTS 3u /* the flows of one go out together */

enum { PACKETS = 60000 };

struct come {
	uint64_t when;
	uint32_t flow, len;
};

struct went {
	uint64_t when; /* 0: it is still there */
	uint32_t len;
	uint8_t what, drop;
	bool ce;
};

struct world {
	struct rig r;
	uint64_t now;
	uint32_t n; /* packets that came */
	struct come come[PACKETS];
	struct went went[PACKETS];
	uint64_t drops, marks, changes;
};

/* When another policy takes over; `next` may be the same one. */
struct changes {
	const char *const *policy;
	unsigned n;
	uint64_t every; /* ns; 0: never */
	uint64_t seed;
};

static struct dissected packet_of(const struct world *w, uint32_t id)
{
	static struct packet p;
	const struct come *c = &w->come[id];

	/* half of them allow ECN */
	return rig_packet(&p, 17, 0x0a000001 + c->flow % HOSTS, 1000 + c->flow, 1, c->len,
			  id % 2 ? 1 : 0);
}

static void note(struct world *w, const struct engine_event *ev)
{
	struct went *to = &w->went[ev->id];

	assert_int_equal(to->when, 0);
	assert_int_equal(ev->arrival, w->come[ev->id].when);
	*to = (struct went){w->now, ev->len, (uint8_t)ev->what, (uint8_t)ev->drop, ev->set_ce};
	w->drops += ev->what == ENGINE_DROPPED;
	w->marks += ev->set_ce;
}

static void poll_all(struct world *w)
{
	struct engine_event ev;

	while (engine_poll(w->r.engine, w->now, &ev) != ENGINE_NOTHING)
		note(w, &ev);
}

static void drain(struct world *w, uint64_t until)
{
	uint64_t next;

	while ((next = engine_next(w->r.engine)) <= until) {
		if (next > w->now)
			w->now = next;
		poll_all(w);
	}
	w->now = until;
}

static void note_dropped(struct world *w, struct engine *e)
{
	struct engine_event ev;

	while (engine_dropped(e, &ev) != ENGINE_NOTHING) {
		assert_int_equal(ev.what, ENGINE_DROPPED);
		note(w, &ev);
	}
}

static void take_over(struct world *w, struct rig new)
{
	static struct engine_left left[PACKETS];
	uint64_t drops = w->drops;
	size_t n;

	poll_all(w);
	n = engine_withdraw(w->r.engine, left, PACKETS);
	assert_int_equal(engine_waiting(w->r.engine), 0);
	engine_inherit(new.engine, w->r.engine);
	for (size_t i = 0; i < n; i++) {
		struct dissected d = packet_of(w, (uint32_t)left[i].id);

		assert_int_equal(
			engine_return(new.engine, w->now, left[i].arrival, left[i].id, &d),
			ENGINE_QUEUED);
		if (i % 500 == 0 || i + 1 == n)
			note_dropped(w, new.engine);
	}
	/* nothing leaves while it is returned */
	assert_int_equal(engine_waiting(new.engine) + w->drops - drops, n);
	rig_close(&w->r);
	w->r = new;
	w->changes++;
	poll_all(w);
}

static void run(struct world *w, const char *policy, const struct changes *c)
{
	uint64_t seed = c->seed, next = c->every ? START + c->every : NEVER;

	w->r = rig_open(policy, START, NULL);
	w->now = START;
	w->drops = w->marks = w->changes = 0;
	memset(w->went, 0, sizeof(w->went));
	for (uint32_t id = 0; id < w->n; id++) {
		struct dissected d;

		while (next <= w->come[id].when) {
			drain(w, next);
			take_over(w, rig_open(c->policy[packet_random(&seed) % c->n], START,
					      NULL));
			/* from half of `every` to one and a half */
			next += c->every / 2 + packet_random(&seed) % c->every;
		}
		drain(w, w->come[id].when);
		d = packet_of(w, id);
		assert_int_equal(engine_packet(w->r.engine, w->now, id, &d, NULL),
				 ENGINE_QUEUED);
		poll_all(w);
	}
	drain(w, w->now + 1000 * S);
	assert_int_equal(engine_waiting(w->r.engine), 0);
	rig_close(&w->r);
}

/* Every flow comes in trains of packets, at `rate` bit/s in all, for a while, then pauses. */
static void traffic(struct world *w, uint64_t seed, uint64_t rate, uint64_t length)
{
	uint64_t at = START, bits = 0;

	w->n = 0;
	while (at < START + length) {
		uint32_t flow = packet_random(&seed) % FLOWS,
			 train = 1 + packet_random(&seed) % 8;
		/* a flow has nothing to say in some seconds */
		bool quiet = ((at - START) / S + flow) % 4 == 3;

		for (uint32_t i = 0; i < train; i++) {
			uint32_t len = 64 + packet_random(&seed) % 1437;

			bits += len * 8;
			if (quiet)
				continue;
			assert_true(w->n < PACKETS);
			w->come[w->n++] = (struct come){at, flow, len};
		}
		at = START + bits * S / rate + packet_random(&seed) % MS;
	}
	/* the noise must not turn time back */
	for (uint32_t i = 1; i < w->n; i++)
		if (w->come[i].when < w->come[i - 1].when)
			w->come[i].when = w->come[i - 1].when;
}

/*
 * No interval in which a flow (or a host) sent more than rate * t + most: with A(t) what it has
 * sent by t, A - rate * t is nowhere more than `most` above what it was before. In
 * bits times nanoseconds.
 */
static void bound(const struct world *w, bool hosts, uint64_t rate, uint32_t most)
{
	struct {
		__int128 sent, least;
		uint64_t count, last;
	} f[FLOWS] = {0};
	static uint32_t order[PACKETS];
	uint32_t n = 0;

	/* by time of leaving: within a flow that is the order of coming, within a host not */
	for (uint32_t i = 0; i < w->n; i++)
		if (w->went[i].what == ENGINE_SENT)
			order[n++] = i;
	for (uint32_t gap = n / 2; gap; gap /= 2)
		for (uint32_t i = gap; i < n; i++)
			for (uint32_t k = i; k >= gap; k -= gap) {
				uint32_t a = order[k - gap], b = order[k];

				if (w->went[a].when < w->went[b].when ||
				    (w->went[a].when == w->went[b].when && a < b))
					break;
				order[k - gap] = b;
				order[k] = a;
			}
	for (uint32_t i = 0; i < n; i++) {
		const struct went *p = &w->went[order[i]];
		uint32_t flow = w->come[order[i]].flow, k = hosts ? flow % HOSTS : flow;
		__int128 now = f[k].sent - (__int128)rate * (p->when - START);

		if (!f[k].count++ || now < f[k].least)
			f[k].least = now;
		f[k].sent += (__int128)p->len * 8 * S;
		now += (__int128)p->len * 8 * S;
		if (now - f[k].least > (__int128)most * 8 * S)
			fail_msg("flow %u: %.0f bytes too many at %.3f ms, after %llu changes",
				 k, (double)(now - f[k].least) / 8 / S - most,
				 (double)(p->when - START) / MS,
				 (unsigned long long)w->changes);
	}
	assert_true(n > 1000);
}

static struct world *made(uint64_t seed, uint64_t rate, uint64_t length)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	traffic(w, seed, rate, length);
	return w;
}

/* The same packets leave, are dropped and are marked, at the same times. */
static void same(const struct world *a, const struct world *b, const char *policy)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (memcmp(&a->went[i], &b->went[i], sizeof(a->went[i])) != 0)
			fail_msg("%s\npacket %u, flow %u: %d at %.6f ms, without changes %d at "
				 "%.6f ms",
				 policy, i, a->come[i].flow, a->went[i].what,
				 (double)(a->went[i].when - START) / MS, b->went[i].what,
				 (double)(b->went[i].when - START) / MS);
}

static void with_and_without(const char *policy, uint64_t seed, uint64_t rate, uint64_t every,
			     bool drops)
{
	struct world *with = made(seed, rate, 5 * S), *without = made(seed, rate, 5 * S);
	struct changes c = {&policy, 1, every, seed}, none = {0};

	run(with, policy, &c);
	run(without, policy, &none);
	assert_true(with->changes >= 5 * S / every / 2 && !without->changes);
		fprintf(stderr, "%u %lu %lu\n", without->n, without->drops, without->marks);
	assert_true(!drops || (without->drops > 40 && without->drops < without->n / 2));
	same(with, without, policy);
	free(with);
	free(without);
}

#define LINK \
	"links:\n  - name: l\n    rate: 1gbit\n    overhead: 0\n    burst: 125kb\n    " \
	"classes:\n"
#define NO_AQM "target: 100s, interval: 1000s"
#define FEW "limit: 300p, " NO_AQM
#define FLOW_MAX "flow-max: 1mbit, "

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
		struct dissected d = packet_of(w, id);

		drain(w, w->come[id].when);
		engine_packet(w->r.engine, w->now, id, &d, NULL);
		poll_all(w);
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
		for (uint32_t id = 0; id < w->n; id++) {
			struct dissected d = packet_of(w, id);

			drain(w, w->come[id].when);
			engine_packet(w->r.engine, w->now, id, &d, NULL);
			poll_all(w);
		}
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
