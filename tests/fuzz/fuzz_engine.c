/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: random operations against its invariants.
 *
 * The input is a byte that chooses a policy (one of those below, or one from the input
 * itself, up to a NUL byte) and then operations of a few bytes each: packets of some
 * flows, time, polls, another engine that takes over, or none of them. Held against what
 * must be so:
 *
 *  - every packet that was queued comes back once, in its class, with its length, not
 *    before it came and not in the past;
 *  - packets of one flow and class leave in the order in which they came;
 *  - in == sent + dropped + waiting for every class, in packets and in bytes;
 *  - each `max`, `flow-max`, and the rate of the link, as a token bucket computed here anew;
 *  - nothing happens before engine_next() says so; and in the end nothing waits.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qos/engine.h"
#include "tests/unit/packet_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

enum { PACKETS = 4096, FLOWS = 32, CLASSES = 64, LINKS = 4 };
#define START 1700000000000000000u

static const char *const policies[] = {
	"links:\n"
	"  - name: l\n"
	"    rate: 1mbit\n"
	"    classes:\n"
	"      - {name: a, match: udp port 1, min: 100kbit, max: 200kbit, deadline: 50ms}\n"
	"      - {name: b, match: udp, queue: fifo, limit: 4p, weight: 3}\n"
	"      - {name: c, default: true, queue: codel, limit: 20kb}\n",
	"links:\n"
	"  - name: l\n"
	"    rate: 10mbit\n"
	"    scheduler: priority\n"
	"    classes:\n"
	"      - name: p\n"
	"        match: udp\n"
	"        priority: 1\n"
	"        scheduler: drr\n"
	"        max: 3mbit\n"
	"        classes:\n"
	"          - {name: x, match: udp port 1, queue: fifo, limit: 9p, host-max: 64kbit}\n"
	"          - {name: y, default: true, flow-max: 128kbit, isolation: dual-srchost}\n"
	"      - name: q\n"
	"        default: true\n"
	"        priority: 2\n"
	"        scheduler: fair\n"
	"        classes:\n"
	"          - {name: x, dscp: [ef, cs5], set-dscp: af41, min: 1mbit}\n"
	"          - {name: y, default: true, queue: fq_codel, flows: 8, limit: 3p}\n",
	"links:\n"
	"  - name: up\n"
	"    capture: src host 10.0.0.1\n"
	"    rate: 100kbit\n"
	"    overhead: 8\n"
	"    scheduler: fifo\n"
	"    classes:\n"
	"      - {name: a, match: udp port 1, queue: fifo, limit: 100ms}\n"
	"      - {name: b, default: true, limit: 2p}\n"
	"  - name: down\n"
	"    capture: src host 10.0.0.2 or src host 10.0.0.3\n"
	"    rate: 1gbit\n"
	"    classes: [{name: a, default: true}]\n",
};
#define N_POLICIES (sizeof(policies) / sizeof(policies[0]))

struct sent_packet {
	const struct policy_class *class;
	uint64_t arrival;
	uint32_t len, ip_len;
	uint8_t flow, tos;
	bool waiting;
};

/* A token bucket as DESIGN says it, in 128 bits. */
struct reference {
	uint64_t rate, burst, at;
	__int128 level;
};

struct fuzz {
	struct policy *policy;
	struct engine *engine;
	uint64_t now;
	struct sent_packet packet[PACKETS];
	unsigned n;
	uint64_t last[LINKS][CLASSES][FLOWS]; /* id that left last, plus one */
	struct reference bucket[LINKS][CLASSES];
	struct reference of_flow[LINKS][CLASSES][FLOWS];
	struct engine_left left[PACKETS];
	uint64_t waiting, passed;
	unsigned changes;
};

static unsigned link_number(const struct fuzz *f, const struct policy_link *l)
{
	for (unsigned i = 0; i < f->policy->n_link; i++)
		if (f->policy->link[i] == l)
			return i;
	MUST(!"a link of the policy");
	return 0;
}

static void spend(struct reference *b, uint64_t now, uint32_t len)
{
	const __int128 byte = 8000000000;
	__int128 cap = b->burst * byte, need;

	if (!b->rate)
		return;
	b->level += (__int128)b->rate * (now - b->at);
	if (b->level > cap)
		b->level = cap;
	b->at = now;
	need = len * byte;
	MUST(b->level >= (need < cap ? need : cap));
	b->level -= need;
}

static void event(struct fuzz *f, const struct engine_event *ev)
{
	struct sent_packet *p;
	unsigned l;

	MUST(ev->id < f->n);
	p = &f->packet[ev->id];
	MUST(p->waiting);
	p->waiting = false;
	f->waiting--;
	MUST(ev->class == p->class && ev->len == p->len && ev->arrival == p->arrival);
	MUST(ev->when == f->now);
	if (ev->what == ENGINE_DROPPED) {
		MUST(ev->drop > PKT_KEPT && ev->drop < PKT_DROP_N);
		return;
	}
	MUST(ev->what == ENGINE_SENT);
	MUST(ev->set_dscp == ev->class->set_dscp);
	l = link_number(f, ev->class->link);
	MUST(ev->id + 1 > f->last[l][ev->class->index][p->flow]);
	f->last[l][ev->class->index][p->flow] = ev->id + 1;
	/* with so many entries none is shared */
	if (ev->class->flows >= 1024)
		spend(&f->of_flow[l][ev->class->index][p->flow], ev->when, ev->len);
	for (const struct policy_class *c = ev->class; c; c = c->parent)
		spend(&f->bucket[l][c->index], ev->when, ev->len);
}

/* At most `most` events; whether there was nothing left. */
static bool poll_some(struct fuzz *f, unsigned most)
{
	struct engine_event ev;

	while (most--) {
		if (engine_poll(f->engine, f->now, &ev) == ENGINE_NOTHING) {
			MUST(engine_next(f->engine) > f->now);
			return true;
		}
		event(f, &ev);
	}
	return false;
}

static struct dissected make_packet(struct packet *p, unsigned flow, uint32_t len, uint8_t tos)
{
	struct dissected d;

	packet_v4(p, flow & 4 ? 6 : 17, 0x0a000001 + flow % 4, 0x08080808, 1000, flow >> 3, 0);
	p->b[1] = tos;
	if (len < p->len)
		len = p->len;
	packet_put16(p->b + 2, len);
	MUST(!dissect_ip(p->b, p->len, len, &d));
	return d;
}

static void send_packet(struct fuzz *f, const uint8_t *op)
{
	unsigned flow = op[0] % FLOWS;
	uint32_t len = 28 + ((uint32_t)op[1] << 8 | op[2]) % 9000;
	struct engine_ticket t;
	struct packet p;
	struct dissected d;

	if (f->n == PACKETS)
		return;
	d = make_packet(&p, flow, len, op[3]);
	if (engine_packet(f->engine, f->now, f->n, &d, &t) == ENGINE_PASSED) {
		MUST(!t.link && !t.class && !t.len);
		f->passed++;
		return;
	}
	MUST(t.class && !t.class->n_child && t.class->link == t.link && t.len);
	f->packet[f->n++] =
		(struct sent_packet){t.class, f->now, t.len, len, (uint8_t)flow, op[3], true};
	f->waiting++;
}

static const struct engine_opts options = {.flows_max = 16, .now = START};

/* An engine of the same policy takes over: what waits comes again, and all goes on. */
static void take_over(struct fuzz *f)
{
	struct policy_report quiet = {0};
	struct engine *e;
	struct engine_event ev;
	size_t n;

	while (!poll_some(f, 1000))
		;
	e = engine_new(f->policy, &options, &quiet);
	if (!e)
		return;
	n = engine_withdraw(f->engine, f->left, PACKETS);
	MUST(n == f->waiting && !engine_waiting(f->engine));
	engine_inherit(e, f->engine);
	engine_free(f->engine);
	f->engine = e;
	for (size_t i = 0; i < n; i++) {
		const struct sent_packet *s = &f->packet[f->left[i].id];
		struct packet p;
		struct dissected d = make_packet(&p, s->flow, s->ip_len, s->tos);

		MUST(s->waiting && s->arrival == f->left[i].arrival);
		MUST(engine_return(e, f->now, s->arrival, f->left[i].id, &d) == ENGINE_QUEUED);
		while (engine_dropped(e, &ev) != ENGINE_NOTHING) {
			MUST(ev.what == ENGINE_DROPPED);
			event(f, &ev);
		}
	}
	while (!poll_some(f, 1000))
		;
}

static void check_accounts(const struct fuzz *f)
{
	uint64_t waiting = 0;

	for (size_t i = 0; i < f->policy->n_link; i++) {
		const struct policy_link *l = f->policy->link[i];

		for (size_t k = 0; k < l->n_all; k++) {
			const struct account *a = engine_account(f->engine, l->all[k]);
			struct account_count d = account_all_dropped(a);

			MUST(a->in.packets == a->sent.packets + d.packets + a->backlog);
			MUST(a->in.bytes == a->sent.bytes + d.bytes + a->backlog_bytes);
			MUST(a->backlog_max <= a->in.packets);
			MUST(account_quantile(a, 500) <= account_quantile(a, 990));
			MUST(account_quantile(a, 1000) == a->delay_max);
			if (!k)
				waiting += a->backlog;
		}
	}
	MUST(waiting == f->waiting && waiting == engine_waiting(f->engine));
}

static void go_on(struct fuzz *f, uint64_t to)
{
	uint64_t next;

	while ((next = engine_next(f->engine)) != NEVER && next <= to) {
		if (next > f->now) {
			if (next - 1 > f->now) {
				f->now = next - 1;
				MUST(poll_some(f, 1));
			}
			f->now = next;
		}
		while (!poll_some(f, 1000))
			;
	}
	if (to != NEVER)
		f->now = to;
}

static void operate(struct fuzz *f, const uint8_t *data, size_t size)
{
	static const uint64_t steps[] = {1, 1000, 100000, 1000000, 20000000, 1000000000};

	while (size >= 5) {
		switch (data[0] % 8) {
		default:
			send_packet(f, data + 1);
			poll_some(f, PACKETS);
			break;
		case 4: /* as one who takes packets in batches; there is a limit to that */
			for (unsigned i = 0; i < 1 + data[1] % 16u; i++)
				send_packet(f, data + 1);
			poll_some(f, data[2] % 4u);
			poll_some(f, PACKETS);
			break;
		case 5:
			go_on(f, f->now + steps[data[1] % 6] * data[2]);
			break;
		case 6:
			/* late: all that was due happens now */
			f->now += steps[data[1] % 6] * data[2];
			while (!poll_some(f, 1000))
				;
			break;
		case 7:
			/* making an engine takes its time */
			if (data[1] % 2 && f->changes++ < 4)
				take_over(f);
			check_accounts(f);
			break;
		}
		data += 5;
		size -= 5;
	}
	go_on(f, NEVER);
	MUST(!f->waiting);
	for (unsigned i = 0; i < f->n; i++)
		MUST(!f->packet[i].waiting);
	check_accounts(f);
}

static bool small(const struct policy *p)
{
	if (p->n_link > LINKS)
		return false;
	for (size_t i = 0; i < p->n_link; i++) {
		const struct policy_link *l = p->link[i];

		if (l->n_all > CLASSES)
			return false;
		for (size_t k = 0; k < l->n_all; k++)
			if (l->all[k]->limit_packets > 100000 || l->all[k]->flows > 4096)
				return false;
	}
	return true;
}

static void fill_buckets(struct fuzz *f)
{
	for (unsigned i = 0; i < f->policy->n_link; i++) {
		const struct policy_link *l = f->policy->link[i];

		for (size_t k = 0; k < l->n_all; k++) {
			struct reference *b = &f->bucket[i][k];

			b->rate = k ? l->all[k]->max.bps : l->rate.bps;
			b->burst = k ? l->all[k]->max_burst : l->burst;
			b->at = START;
			b->level = (__int128)b->burst * 8000000000;
			for (unsigned flow = 0; flow < FLOWS; flow++) {
				struct reference *r = &f->of_flow[i][k][flow];

				r->rate = l->all[k]->flow_max.bps;
				r->burst = l->all[k]->flow_burst;
				r->at = START;
				r->level = (__int128)r->burst * 8000000000;
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_report quiet = {0};
	struct fuzz *f;

	if (size < 2)
		return 0;
	f = calloc(1, sizeof(*f));
	MUST(f);
	f->now = START;
	if (data[0] % (N_POLICIES + 1) == N_POLICIES) {
		const uint8_t *end = memchr(data + 1, '\0', size - 1);
		size_t n = end ? (size_t)(end - data) - 1 : size - 1;

		f->policy = policy_read_mem(data + 1, n, "fuzz.yaml", &quiet);
		data += n + 1;
		size -= n + 1;
	} else {
		const char *text = policies[data[0] % (N_POLICIES + 1)];

		f->policy = policy_read_mem(text, strlen(text), "fuzz.yaml", &quiet);
		MUST(f->policy);
	}
	if (f->policy && small(f->policy) && size)
		f->engine = engine_new(f->policy, &options, &quiet);
	if (f->engine) {
		fill_buckets(f);
		operate(f, data + 1, size - 1);
	}
	engine_free(f->engine);
	policy_free(f->policy);
	free(f);
	return 0;
}
