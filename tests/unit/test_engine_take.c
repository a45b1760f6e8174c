/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One engine takes over from another; packets that are gone; large segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/engine_rig.h"

#define S 1000000000ull
#define START (1700000000 * S)
#define RATE 8000000ull /* bit/s: a byte a microsecond */
#define BURST 3000u

#define LINK "links:\n  - name: l\n    rate: 8mbit\n    overhead: 0\n    burst: 3000b\n"
/* The classes that one has and the other has not; limits that are never reached. */
static const char *const policies[] = {
	LINK "    classes:\n"
	     "      - {name: a, match: udp port 1, queue: fifo, limit: 5000p, min: 2mbit}\n"
	     "      - name: b\n"
	     "        match: udp portrange 2-5\n"
	     "        classes:\n"
	     "          - {name: c, match: udp port 2, queue: fifo, limit: 5000p, weight: 3}\n"
	     "          - {name: d, default: true, limit: 5000p, max: 3mbit, target: 10s, "
	     "interval: 100s}\n"
	     "      - {name: z, default: true, queue: fifo, limit: 5000p}\n",
	LINK
	"    scheduler: drr\n    classes:\n"
	"      - {name: a, match: udp portrange 1-2, queue: fifo, limit: 5000p}\n"
	"      - {name: new, match: udp port 3, limit: 5000p, target: 10s, interval: 100s,\n"
	"         flow-max: 1mbit}\n"
	"      - {name: z, default: true, queue: fifo, limit: 5000p}\n",
	LINK "    classes:\n"
	     "      - name: z\n"
	     "        default: true\n"
	     "        classes: [{name: all, default: true, queue: fifo, limit: 5000p}]\n",
};
#define N_POLICY (sizeof(policies) / sizeof(policies[0]))

enum { FLOWS = 12, PACKETS = 4000 };

struct sent {
	uint64_t when;
	uint32_t len;
};

struct world {
	struct rig r;
	uint64_t now;
	uint32_t flow_of[PACKETS], n, n_out;
	bool out[PACKETS];
	uint32_t last[FLOWS]; /* number + 1 of the last that left */
	struct packet p[PACKETS];
	uint32_t len[PACKETS];
	struct sent sent[PACKETS];
	uint64_t arrival[PACKETS];
};

static struct dissected again(struct world *w, uint32_t id)
{
	return rig_packet(&w->p[id], 17, 0x0a000001, 1000 + w->flow_of[id],
			  1 + w->flow_of[id] % 6, w->len[id], 0);
}

static void drain(struct world *w, uint64_t until)
{
	struct engine_event ev;

	for (;;) {
		uint64_t next = engine_next(w->r.engine);

		if (next > until)
			break;
		if (next > w->now)
			w->now = next;
		while (engine_poll(w->r.engine, w->now, &ev) != ENGINE_NOTHING) {
			uint32_t id = (uint32_t)ev.id, f = w->flow_of[id];

			assert_int_equal(ev.what, ENGINE_SENT);
			assert_false(w->out[id]);
			assert_int_equal(ev.arrival, w->arrival[id]);
			w->out[id] = true;
			/* the order of its flow, whatever class it is in by now */
			assert_true(id + 1 > w->last[f]);
			w->last[f] = id + 1;
			w->sent[w->n_out++] = (struct sent){w->now, ev.len};
		}
	}
	w->now = until;
}

static void balance(struct world *w)
{
	const struct policy_link *l = w->r.policy->link[0];
	uint64_t leaves = 0;

	for (size_t i = 0; i < l->n_all; i++) {
		const struct account *a = engine_account(w->r.engine, l->all[i]);

		assert_int_equal(a->in.packets,
				 a->sent.packets + account_all_dropped(a).packets + a->backlog);
		assert_int_equal(a->in.bytes, a->sent.bytes + account_all_dropped(a).bytes +
						      a->backlog_bytes);
		leaves += l->all[i]->n_child ? 0 : a->backlog;
	}
	assert_int_equal(leaves, engine_waiting(w->r.engine));
	/* the link's own counts go on over every change */
	assert_int_equal(engine_account(w->r.engine, l->root)->in.packets, w->n);
	assert_int_equal(engine_account(w->r.engine, l->root)->sent.packets, w->n_out);
}

static void take_over(struct world *w, const char *policy)
{
	struct rig new = rig_open(policy, START, NULL);
	static struct engine_left left[PACKETS];
	size_t n = engine_waiting(w->r.engine), got;

	got = engine_withdraw(w->r.engine, left, PACKETS);
	assert_int_equal(got, n);
	assert_int_equal(engine_waiting(w->r.engine), 0);
	engine_inherit(new.engine, w->r.engine);
	for (size_t i = 0; i < n; i++) {
		struct dissected d = again(w, (uint32_t)left[i].id);

		assert_true(!i || left[i].id > left[i - 1].id);
		assert_int_equal(left[i].arrival, w->arrival[left[i].id]);
		assert_int_equal(
			engine_return(new.engine, w->now, left[i].arrival, left[i].id, &d),
			ENGINE_QUEUED);
	}
	rig_close(&w->r);
	w->r = new;
}

/* Over any interval: rate * t + burst, counted from what left, over all changes. */
static void bound(const struct world *w)
{
	for (uint32_t i = 0; i < w->n_out; i++) {
		uint64_t bytes = 0;

		for (uint32_t k = i; k < w->n_out && k < i + 400; k++) {
			uint64_t t = w->sent[k].when - w->sent[i].when;

			bytes += w->sent[k].len;
			assert_true(bytes <= RATE / 8 * t / S + BURST + 1);
		}
	}
}

static void test_take_over(void **state)
{
	static struct world w;

	(void)state;
	for (unsigned seed = 1; seed <= 30; seed++) {
		srand(seed);
		w = (struct world){.r = rig_open(policies[0], START, NULL), .now = START};
		while (w.n < PACKETS) {
			uint32_t id = w.n++;
			struct dissected d;

			w.flow_of[id] = (uint32_t)(rand() % FLOWS);
			w.len[id] = 64 + (uint32_t)(rand() % 1400);
			drain(&w, w.now + (uint64_t)(rand() % 900) * 1000);
			w.arrival[id] = w.now;
			d = again(&w, id);
			assert_int_equal(engine_packet(w.r.engine, w.now, id, &d, NULL),
					 ENGINE_QUEUED);
			drain(&w, w.now);
			if (rand() % 40 == 0) {
				take_over(&w, policies[(unsigned)rand() % N_POLICY]);
				balance(&w);
				drain(&w, w.now);
			}
		}
		balance(&w);
		drain(&w, w.now + 100 * S);
		balance(&w);
		assert_int_equal(w.n_out, PACKETS);
		bound(&w);
		rig_close(&w.r);
	}
}

/* With one class nothing but the link's bucket matters: taking over changes no departure. */
static void test_nothing_changes(void **state)
{
	static struct world with, without;

	(void)state;
	with = (struct world){.r = rig_open(policies[2], START, NULL), .now = START};
	without = (struct world){.r = rig_open(policies[2], START, NULL), .now = START};
	srand(5);
	for (uint32_t id = 0; id < 1000; id++) {
		uint64_t gap = (uint64_t)(rand() % 1500) * 1000;
		struct world *both[] = {&with, &without};

		for (unsigned k = 0; k < 2; k++) {
			struct world *w = both[k];
			struct dissected d;

			w->len[id] = 64 + id * 37 % 1400;
			w->n++;
			drain(w, w->now + gap);
			w->arrival[id] = w->now;
			d = again(w, id);
			engine_packet(w->r.engine, w->now, id, &d, NULL);
			drain(w, w->now);
		}
		if (id % 7 == 0) {
			take_over(&with, policies[2]);
			drain(&with, with.now);
		}
	}
	drain(&with, with.now + 100 * S);
	drain(&without, without.now + 100 * S);
	assert_int_equal(with.n_out, 1000);
	assert_memory_equal(with.sent, without.sent, 1000 * sizeof(with.sent[0]));
	rig_close(&with.r);
	rig_close(&without.r);
}

/* Packets that others dropped behind our back take nothing from those that are there. */
static void test_vanished(void **state)
{
	struct rig r = rig_open(policies[0], START, NULL);
	const struct account *a;
	struct packet p;
	struct engine_event ev;
	unsigned sent = 0;

	(void)state;
	for (uint64_t id = 0; id < 60; id++) {
		struct dissected d = rig_packet(&p, 17, 0x0a000001, 1000, 1 + id % 5, 1000, 0);

		assert_int_equal(engine_packet(r.engine, START, id, &d, NULL), ENGINE_QUEUED);
	}
	/* all of them are gone: each is found out when its turn comes, and costs no time */
	while (engine_poll(r.engine, START, &ev) != ENGINE_NOTHING) {
		assert_int_equal(ev.what, ENGINE_SENT);
		engine_vanished(r.engine, ev.class, ev.len, ev.by_min);
		sent++;
	}
	assert_int_equal(sent, 60);
	a = engine_account(r.engine, r.policy->link[0]->root);
	assert_int_equal(a->sent.packets, 0);
	assert_int_equal(a->dropped[PKT_DROP_VANISHED].packets, 60);
	assert_int_equal(a->in.bytes, a->dropped[PKT_DROP_VANISHED].bytes);
	/* and the buckets are no fuller than full: three of 1000 bytes at once, not a fourth */
	for (uint64_t id = 0; id < 10; id++) {
		struct dissected d = rig_packet(&p, 17, 0x0a000001, 1000, 9, 1000, 0);

		engine_packet(r.engine, START, id, &d, NULL);
	}
	for (sent = 0; engine_poll(r.engine, START, &ev) != ENGINE_NOTHING;)
		sent++;
	assert_int_equal(sent, 3);
	rig_close(&r);
}

/* 40 bytes of headers and 1460 of data each, as the line will see them. */
static void test_segments(void **state)
{
	static const char overhead[] =
		"links:\n  - {name: l, rate: 1gbit, overhead: 38, classes: "
		"[{name: a, default: true}]}\n";
	struct rig r = rig_open(overhead, START, NULL);
	struct engine_ticket t;
	struct packet p;
	struct dissected d = rig_packet(&p, 6, 0x0a000001, 1000, 80, 1500, 0);

	(void)state;
	d.segment = 1500;
	engine_packet(r.engine, START, 1, &d, &t);
	assert_int_equal(t.len, 1538);
	d.len = 40 + 10 * 1460;
	engine_packet(r.engine, START, 2, &d, &t);
	assert_int_equal(t.len, 10 * 1538);
	d.len = 40 + 10 * 1460 + 1;
	engine_packet(r.engine, START, 3, &d, &t);
	assert_int_equal(t.len, 10 * 1538 + 41 + 38);
	/* sizes that make no sense are charged as they are */
	d.segment = 30;
	engine_packet(r.engine, START, 4, &d, &t);
	assert_int_equal(t.len, d.len + 38);
	rig_close(&r);
}

/* A gateway's own limit: what is too much is dropped and told, never held. */
static void test_packets_max(void **state)
{
	struct rig r = rig_open(policies[0], START, NULL);
	struct engine_opts o = {.only = r.policy->link[0], .packets_max = 100, .now = START};
	struct engine *e = engine_new(r.policy, &o, NULL);
	struct packet p;
	struct engine_event ev;
	unsigned out = 0;

	(void)state;
	assert_non_null(e);
	for (uint64_t id = 0; id < 1000; id++) {
		struct dissected d = rig_packet(&p, 17, 0x0a000001, 1000, 1 + id % 6, 1000, 0);

		assert_int_equal(engine_packet(e, START, id, &d, NULL), ENGINE_QUEUED);
		while (engine_poll(e, START, &ev) != ENGINE_NOTHING)
			out++;
		assert_true(engine_waiting(e) <= 100);
		assert_int_equal(out + engine_waiting(e), id + 1);
	}
	engine_free(e);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_over),   cmocka_unit_test(test_nothing_changes),
		cmocka_unit_test(test_vanished),    cmocka_unit_test(test_segments),
		cmocka_unit_test(test_packets_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
