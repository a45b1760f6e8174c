/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/engine_rig.h"

#define MS 1000000ull
#define S 1000000000ull
#define START (1700000000 * S)

/* 1500 bytes of IP take 12 ms on this link, whose bucket lets one packet go at once */
static const char one_link[] =
	"links:\n"
	"  - name: l\n"
	"    rate: 1mbit\n"
	"    overhead: 0\n"
	"    burst: 1500b\n"
	"    classes:\n"
	"      - {name: a, match: udp port 1, queue: fifo, limit: 5p}\n"
	"      - name: b\n"
	"        match: udp\n"
	"        classes:\n"
	"          - {name: c, match: udp port 2, queue: fifo, limit: 50p,\n"
	"             max-latency: 10ms, set-dscp: ef}\n"
	"          - {name: d, default: true, queue: fifo, limit: 50p}\n"
	"      - {name: z, default: true, queue: fifo, limit: 50p}\n";

static enum engine_took come_tos(struct rig *r, uint64_t now, uint64_t id, unsigned port,
				 uint32_t len, unsigned tos, struct engine_ticket *t)
{
	struct packet p;
	struct dissected d =
		rig_packet(&p, port ? 17 : 6, 0x0a000001, 1000, port ? port : 9, len, tos);

	return engine_packet(r->engine, now, id, &d, t);
}

static void come(struct rig *r, uint64_t now, uint64_t id, unsigned port, uint32_t len)
{
	assert_int_equal(come_tos(r, now, id, port, len, 0, NULL), ENGINE_QUEUED);
}

static void expect(struct rig *r, uint64_t now, enum engine_what what, uint64_t id)
{
	struct engine_event ev;

	assert_int_equal(engine_poll(r->engine, now, &ev), what);
	assert_int_equal(ev.what, what);
	if (what == ENGINE_NOTHING)
		return;
	assert_int_equal(ev.id, id);
	assert_int_equal(ev.when, now);
}

static void test_idle_link(void **state)
{
	struct rig r = rig_open(one_link, START, NULL);
	struct engine_event ev;
	struct engine_ticket t;

	(void)state;
	assert_int_equal(engine_next(r.engine), NEVER);
	assert_int_equal(engine_poll(r.engine, START, &ev), ENGINE_NOTHING);
	assert_int_equal(come_tos(&r, START + 5, 77, 2, 1500, 0, &t), ENGINE_QUEUED);
	assert_ptr_equal(t.link, r.policy->link[0]);
	assert_string_equal(t.class->path, "b/c");
	assert_int_equal(t.len, 1500);
	assert_int_equal(engine_waiting(r.engine), 1);
	assert_int_equal(engine_next(r.engine), START + 5);
	assert_int_equal(engine_poll(r.engine, START + 5, &ev), ENGINE_SENT);
	assert_int_equal(ev.id, 77);
	assert_int_equal(ev.arrival, START + 5);
	assert_int_equal(ev.when, START + 5);
	assert_int_equal(ev.len, 1500);
	assert_ptr_equal(ev.class, t.class);
	assert_int_equal(ev.set_dscp, 46);
	assert_false(ev.set_ce);
	assert_int_equal(engine_poll(r.engine, START + 5, &ev), ENGINE_NOTHING);
	assert_int_equal(engine_next(r.engine), NEVER);
	assert_int_equal(engine_waiting(r.engine), 0);
	rig_close(&r);
}

static void test_time_of_departure(void **state)
{
	struct rig r = rig_open(one_link, START, NULL);

	(void)state;
	come(&r, START, 1, 1, 1500);
	expect(&r, START, ENGINE_SENT, 1);
	expect(&r, START, ENGINE_NOTHING, 0);
	come(&r, START, 2, 1, 1500);
	come(&r, START, 3, 2, 500);
	expect(&r, START, ENGINE_NOTHING, 0);
	assert_int_equal(engine_next(r.engine), START + 4 * MS); /* c's 500 bytes could go */
	expect(&r, START + 4 * MS - 1, ENGINE_NOTHING, 0);
	while (engine_waiting(r.engine)) {
		struct engine_event ev;
		uint64_t next = engine_next(r.engine);

		assert_true(next != NEVER);
		while (engine_poll(r.engine, next, &ev) != ENGINE_NOTHING)
			assert_int_equal(ev.what, ENGINE_SENT);
	}
	assert_int_equal(rig_account(&r, 0, "")->last_out, START + 16 * MS);
	/* time that runs backwards counts as the latest */
	come(&r, START, 4, 1, 100);
	assert_true(engine_next(r.engine) >= START + 16 * MS);
	rig_close(&r);
}

/* Every id comes back once; in == sent + dropped + waiting, in each class, at each step. */
static void balanced(struct rig *r)
{
	const struct policy_link *l = r->policy->link[0];

	for (size_t i = 0; i < l->n_all; i++) {
		const struct account *a = engine_account(r->engine, l->all[i]);
		struct account_count d = account_all_dropped(a);

		assert_int_equal(a->in.packets, a->sent.packets + d.packets + a->backlog);
		assert_int_equal(a->in.bytes, a->sent.bytes + d.bytes + a->backlog_bytes);
	}
	assert_int_equal(engine_account(r->engine, l->root)->backlog,
			 engine_waiting(r->engine));
}

static void test_conservation(void **state)
{
	enum { N = 3000 };
	struct rig r = rig_open(one_link, START, NULL);
	struct engine_event ev;
	uint8_t fate[N] = {0};
	uint64_t now = START, seed = 5;
	unsigned dropped = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		now += packet_random(&seed) % (12 * MS);
		come(&r, now, i, packet_random(&seed) % 4, 100 + packet_random(&seed) % 1400);
		while (engine_poll(r.engine, now, &ev) != ENGINE_NOTHING) {
			assert_true(ev.id <= i);
			assert_int_equal(fate[ev.id]++, 0);
			dropped += ev.what == ENGINE_DROPPED;
			balanced(&r);
		}
	}
	while ((now = engine_next(r.engine)) != NEVER)
		while (engine_poll(r.engine, now, &ev) != ENGINE_NOTHING)
			assert_int_equal(fate[ev.id]++, 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(fate[i], 1);
	assert_true(dropped > 0 && dropped < N);
	balanced(&r);
	assert_int_equal(engine_waiting(r.engine), 0);
	rig_close(&r);
}

static void test_limit(void **state)
{
	struct rig r = rig_open(one_link, START, NULL);
	const struct account *a = rig_account(&r, 0, "a");

	(void)state;
	come(&r, START, 0, 1, 1500);
	expect(&r, START, ENGINE_SENT, 0);
	expect(&r, START, ENGINE_NOTHING, 0);
	for (unsigned i = 1; i <= 5; i++) {
		come(&r, START, i, 1, 1500);
		expect(&r, START, ENGINE_NOTHING, 0);
	}
	for (unsigned i = 6; i <= 8; i++) {
		struct engine_event ev;

		come(&r, START, i, 1, 1500);
		assert_int_equal(engine_poll(r.engine, START, &ev), ENGINE_DROPPED);
		assert_int_equal(ev.id, i);
		assert_int_equal(ev.drop, PKT_DROP_LIMIT);
		assert_string_equal(ev.class->path, "a");
	}
	assert_int_equal(a->dropped[PKT_DROP_LIMIT].packets, 3);
	assert_int_equal(a->dropped[PKT_DROP_LIMIT].bytes, 4500);
	assert_int_equal(a->backlog_max, 5);
	assert_int_equal(rig_account(&r, 0, "")->backlog_max, 5);
	rig_close(&r);
}

/* What an inner class and the link have is what their leaves have. */
static void test_inner_classes(void **state)
{
	struct rig r = rig_open(one_link, START, NULL);
	struct engine_event ev;
	const struct account *b, *root;

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		come(&r, START, i, i % 4, 1500);
	while (engine_next(r.engine) != NEVER)
		while (engine_poll(r.engine, engine_next(r.engine), &ev) != ENGINE_NOTHING)
			;
	b = rig_account(&r, 0, "b");
	root = rig_account(&r, 0, "");
	assert_int_equal(b->sent.packets, 6);
	assert_int_equal(b->backlog_max, 6);
	assert_int_equal(b->backlog_bytes_max, 9000);
	assert_int_equal(b->remarked, 3);
	assert_int_equal(root->sent.bytes, 18000);
	assert_int_equal(root->backlog_max, 12);
	assert_int_equal(root->delay_max, 132 * MS);
	assert_int_equal(account_mean(root), 66 * MS);
	assert_int_equal(root->first_in, START);
	assert_int_equal(root->last_out, START + 132 * MS);
	assert_int_equal(account_throughput(root), 18000ull * 8 * 1000 / 132);
	/* asked again, it is the same */
	assert_int_equal(rig_account(&r, 0, "")->sent.packets, 12);
	rig_close(&r);
}

static void test_objective_of_an_inner_class(void **state)
{
	struct rig r =
		rig_open("links:\n"
			 "  - name: l\n"
			 "    rate: 1mbit\n"
			 "    overhead: 0\n"
			 "    burst: 1500b\n"
			 "    classes:\n"
			 "      - name: a\n"
			 "        default: true\n"
			 "        max-latency: 20ms\n"
			 "        classes:\n"
			 "          - {name: b, default: true, queue: fifo, limit: 50p}\n",
			 START, NULL);
	struct engine_event ev;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		come(&r, START, i, 1, 1500);
	while (engine_next(r.engine) != NEVER)
		while (engine_poll(r.engine, engine_next(r.engine), &ev) != ENGINE_NOTHING)
			;
	/* 0, 12, 24, 36, 48 and 60 ms */
	assert_int_equal(rig_account(&r, 0, "a")->over_latency, 4);
	assert_int_equal(rig_account(&r, 0, "a/b")->over_latency, 0);
	rig_close(&r);
}

/* Two flows of one class, each with a constant delay: no jitter, though they differ. */
static void test_jitter_is_of_a_flow(void **state)
{
	struct rig r = rig_open(one_link, START, NULL);
	struct engine_event ev;
	struct packet p;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		uint64_t now = START + i * S;

		for (unsigned k = 0; k < 2; k++) {
			struct dissected d =
				rig_packet(&p, 17, 0x0a000001 + k, 500, 3, 1500, 0);

			engine_packet(r.engine, now, 2 * i + k, &d, NULL);
		}
		while (engine_waiting(r.engine))
			while (engine_poll(r.engine, engine_next(r.engine), &ev) !=
			       ENGINE_NOTHING)
				;
	}
	assert_int_equal(rig_account(&r, 0, "b/d")->delay_max, 12 * MS);
	assert_int_equal(rig_account(&r, 0, "b/d")->jitter_max, 0);
	/* and one whose packets come in pairs does have jitter */
	for (unsigned k = 0; k < 2; k++)
		come(&r, START + 30 * S, k, 3, 1500);
	while (engine_waiting(r.engine))
		while (engine_poll(r.engine, engine_next(r.engine), &ev) != ENGINE_NOTHING)
			;
	assert_int_equal(rig_account(&r, 0, "b/d")->jitter_max, 12 * MS / 16);
	assert_int_equal(rig_account(&r, 0, "")->jitter_max, 12 * MS / 16);
	rig_close(&r);
}

static void test_ecn(void **state)
{
	struct rig r =
		rig_open("links:\n"
			 "  - name: l\n"
			 "    rate: 1mbit\n"
			 "    classes:\n"
			 "      - {name: a, default: true, queue: codel, limit: 1000p}\n",
			 START, NULL);
	struct engine_event ev;
	unsigned marked = 0, dropped = 0;

	(void)state;
	/* twice what the link carries, half of it ECN-capable */
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now = START + i * 4 * MS, t;

		while ((t = engine_next(r.engine)) <= now)
			while (engine_poll(r.engine, t, &ev) != ENGINE_NOTHING) {
				marked += ev.what == ENGINE_SENT && ev.set_ce;
				dropped += ev.what == ENGINE_DROPPED;
				assert_false(ev.set_ce && ev.id % 2 == 0);
				if (ev.what == ENGINE_DROPPED)
					assert_int_equal(ev.id % 2, 0);
			}
		come_tos(&r, now, i, 1, 1000, i % 2 ? 2 : 0, NULL);
	}
	assert_true(marked > 0);
	assert_true(dropped > 0);
	assert_int_equal(rig_account(&r, 0, "a")->marked, marked);
	assert_int_equal(rig_account(&r, 0, "a")->dropped[PKT_DROP_AQM].packets, dropped);
	rig_close(&r);
}

static const char two_links[] =
	"links:\n"
	"  - name: up\n"
	"    capture: src host 10.0.0.1\n"
	"    rate: 1mbit\n"
	"    overhead: 0\n"
	"    burst: 1500b\n"
	"    classes: [{name: a, default: true, queue: fifo, limit: 9p}]\n"
	"  - name: down\n"
	"    capture: src host 10.0.0.2\n"
	"    rate: 2mbit\n"
	"    overhead: 0\n"
	"    burst: 1500b\n"
	"    classes: [{name: a, default: true, queue: fifo, limit: 9p}]\n";

static enum engine_took from(struct rig *r, uint64_t now, uint64_t id, uint32_t src)
{
	struct packet p;
	struct dissected d = rig_packet(&p, 17, src, 1, 2, 1500, 0);

	return engine_packet(r->engine, now, id, &d, NULL);
}

static void test_links(void **state)
{
	struct rig r = rig_open(two_links, START, NULL);
	uint64_t when[6], id[6], now;
	struct engine_event ev;
	struct engine_stats s;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(from(&r, START, i, 0x0a000001 + i % 2), ENGINE_QUEUED);
	assert_int_equal(from(&r, START, 9, 0x0a000003), ENGINE_PASSED);
	while ((now = engine_next(r.engine)) != NEVER)
		while (engine_poll(r.engine, now, &ev) != ENGINE_NOTHING) {
			assert_int_equal(ev.when, now);
			when[n] = now - START;
			id[n++] = ev.id;
		}
	assert_int_equal(n, 6);
	/* each at its own pace, in the order of time */
	for (unsigned i = 1; i < 6; i++)
		assert_true(when[i] >= when[i - 1]);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(when[i], (id[i] % 2 ? 6 : 12) * MS * (id[i] / 2));
	engine_get_stats(r.engine, &s);
	assert_int_equal(s.passed_packets, 1);
	assert_int_equal(s.passed_bytes, 1500);
	assert_int_equal(s.v4, 7);
	assert_int_equal(rig_account(&r, 0, "a")->sent.packets, 3);
	assert_int_equal(rig_account(&r, 1, "")->sent.packets, 3);
	rig_close(&r);
}

static void test_only_one_link(void **state)
{
	struct rig r = rig_open(two_links, START, "down");

	(void)state;
	/* `capture` does not matter then */
	assert_int_equal(from(&r, START, 1, 0x0a000001), ENGINE_QUEUED);
	expect(&r, START, ENGINE_SENT, 1);
	assert_int_equal(rig_account(&r, 1, "a")->sent.packets, 1);
	/* the other link is not there, and nothing was ever on it */
	assert_int_equal(rig_account(&r, 0, "a")->in.packets, 0);
	rig_close(&r);
}

/* More packets than the link has room for: the longest queue makes room. */
static void test_memory(void **state)
{
	enum { CLASSES = 3, LIMIT = 40000, N = 100000 };
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text),
				    "links:\n"
				    "  - name: l\n"
				    "    rate: 1mbit\n"
				    "    classes:\n");
	uint8_t *fate = calloc(N, 1);
	uint64_t back = 0, now;
	struct engine_event ev;
	struct rig r;

	(void)state;
	for (unsigned i = 1; i < CLASSES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "      - {name: c%u, match: udp port %u, queue: fifo, "
				      "limit: %up}\n",
				      i, i, LIMIT);
	snprintf(text + n, sizeof(text) - n,
		 "      - {name: z, default: true, queue: fifo, limit: %up}\n", LIMIT);
	r = rig_open(text, START, NULL);
	for (unsigned i = 0; i < N; i++) {
		come(&r, START, i, 1 + i % CLASSES, 1000);
		/* polled now and then only: that may be so */
		while (i % 500 == 499 && engine_poll(r.engine, START, &ev) != ENGINE_NOTHING) {
			assert_int_equal(fate[ev.id]++, 0);
			back++;
		}
	}
	assert_true(rig_account(&r, 0, "")->dropped[PKT_DROP_MEMORY].packets > 20000);
	assert_true(engine_waiting(r.engine) <= 65537);
	balanced(&r);
	while ((now = engine_next(r.engine)) != NEVER)
		while (engine_poll(r.engine, now, &ev) != ENGINE_NOTHING) {
			assert_int_equal(fate[ev.id]++, 0);
			back++;
		}
	assert_int_equal(back, N);
	balanced(&r);
	free(fate);
	rig_close(&r);
}

static void test_memory_is_known(void **state)
{
	struct rig small = rig_open(one_link, 0, NULL), two = rig_open(two_links, 0, NULL);

	(void)state;
	assert_true(engine_memory(small.engine) > 5 * sizeof(struct account));
	assert_true(engine_memory(small.engine) < 4000000);
	assert_true(engine_memory(two.engine) < 4000000);
	rig_close(&small);
	rig_close(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_link),
		cmocka_unit_test(test_time_of_departure),
		cmocka_unit_test(test_conservation),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_inner_classes),
		cmocka_unit_test(test_objective_of_an_inner_class),
		cmocka_unit_test(test_jitter_is_of_a_flow),
		cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_only_one_link),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
