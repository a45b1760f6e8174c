/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CoDel against RFC 8289, section 5: the pseudocode's deque(), dodequeue() and
 * control_law(), written down here a second time, in its own words and with its doubles. It
 * sees the same arrivals and is asked at the times at which packets leave: the same ones
 * must be dropped, and with ECN the same ones marked where it would drop (section 3, and
 * RFC 8290, 4.3: a mark counts as a drop, and the packet is sent).
 */
#include <math.h>

#include "tests/props/rig.h"

#define ROOM 65536

struct ref_pkt {
	uint64_t id, stamp;
	uint32_t len;
	bool ect;
};

struct ref {
	struct ref_pkt q[ROOM]; /* a ring */
	uint32_t head, n;
	uint64_t bytes;
	double target, interval, first_above, drop_next;
	uint32_t count, lastcount, mtu;
	bool dropping, ecn;
};

struct codel {
	struct rig r;
	struct ref ref;
	uint64_t lost[ROOM], want[ROOM];
	uint32_t nlost, nwant;
	uint64_t dropped, marked;
};

struct result {
	struct ref_pkt *p;
	bool ok;
};

static struct result dodequeue(struct ref *q, double now)
{
	struct result r = {NULL, false};

	if (!q->n) {
		q->first_above = 0;
		return r;
	}
	r.p = &q->q[q->head++ % ROOM];
	q->n--;
	q->bytes -= r.p->len;
	if (now - (double)r.p->stamp < q->target || q->bytes <= q->mtu)
		q->first_above = 0;
	else if (q->first_above == 0)
		q->first_above = now + q->interval;
	else if (now >= q->first_above)
		r.ok = true;
	return r;
}

static double control_law(const struct ref *q, double t)
{
	return t + floor(q->interval / sqrt(q->count)); /* times are whole nanoseconds */
}

/* "Drops" r: true when it was marked instead, and is to be sent. */
static bool drop(struct codel *c, const struct result *r, bool *mark)
{
	if (c->ref.ecn && r->p->ect) {
		*mark = true;
		return true;
	}
	c->want[c->nwant++ % ROOM] = r->p->id;
	return false;
}

static struct ref_pkt *deque(struct codel *c, double now, bool *mark)
{
	struct ref *q = &c->ref;
	struct result r = dodequeue(q, now);
	uint32_t delta;

	*mark = false;
	if (q->dropping) {
		if (!r.ok)
			q->dropping = false;
		while (now >= q->drop_next && q->dropping) {
			q->count++;
			if (drop(c, &r, mark)) {
				q->drop_next = control_law(q, q->drop_next);
				break;
			}
			r = dodequeue(q, now);
			if (!r.ok)
				q->dropping = false;
			else
				q->drop_next = control_law(q, q->drop_next);
		}
	} else if (r.ok) {
		if (!drop(c, &r, mark))
			r = dodequeue(q, now);
		q->dropping = true;
		delta = q->count - q->lastcount;
		q->count = 1;
		if (delta > 1 && now - q->drop_next < 16 * q->interval)
			q->count = delta;
		q->drop_next = control_law(q, now);
		q->lastcount = q->count;
	}
	return r.p;
}

static void codel_arrived(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct ref *q = &((struct codel *)r->user)->ref;

	(void)leaf;
	assert_true(q->n < ROOM);
	q->q[(q->head + q->n++) % ROOM] =
		(struct ref_pkt){p->id, p->arrival, p->len, p->flags & PKT_ECT};
	q->bytes += p->len;
}

static void codel_lost(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct codel *c = r->user;

	(void)leaf;
	RIG_CHECK(p->drop == PKT_DROP_AQM, "dropped for reason %d", p->drop);
	c->lost[c->nlost++ % ROOM] = p->id;
}

static void codel_sent(struct rig *r, const struct pkt *p, uint32_t leaf)
{
	struct codel *c = r->user;
	bool mark;
	const struct ref_pkt *want;

	(void)leaf;
	c->nwant = 0;
	want = deque(c, (double)r->now, &mark);
	RIG_CHECK(c->nlost == c->nwant, "at %" PRIu64 " %u were dropped, not %u", r->now,
		  c->nlost, c->nwant);
	for (uint32_t i = 0; i < c->nwant; i++)
		RIG_CHECK(c->lost[i] == c->want[i], "at %" PRIu64 " another was dropped",
			  r->now);
	RIG_CHECK(want && want->id == p->id, "at %" PRIu64 " another was sent", r->now);
	RIG_CHECK(mark == !!(p->flags & PKT_MARKED), "at %" PRIu64 " marked %d, not %d", r->now,
		  !mark, mark);
	c->dropped += c->nlost;
	c->marked += mark;
	c->nlost = 0;
}

/* Sources that come and go, so that the queue enters and leaves its dropping state. */
static void add_sources(struct rig *r, uint64_t rate)
{
	for (int i = 0; i < 12; i++) {
		struct rig_source *s = rig_source(r, 1);

		s->rate = rate / 100 * rig_range(&r->random, 5, 70);
		s->poisson = rig_chance(&r->random, 50);
		s->train = (uint32_t)rig_range(&r->random, 1, 20);
		s->start = rig_range(&r->random, 0, 15 * RIG_SECOND);
		s->stop = s->start + rig_range(&r->random, RIG_SECOND / 10, 6 * RIG_SECOND);
		s->flags = rig_chance(&r->random, 50) ? PKT_ECT : 0;
	}
}

static void one_queue(uint64_t seed)
{
	struct codel *c = calloc(1, sizeof(*c));
	struct rig *r = &c->r;
	struct tree_class_conf leaf = rig_leaf(1);
	uint64_t rate;

	assert_non_null(c);
	rig_init(r, seed, 1000000000, 1, TREE_WFQ);
	rate = rig_range(&r->random, 1000000, 20000000);
	/* the bottleneck is the link, or the class's own max */
	if (seed % 2)
		r->conf[0].max.rate = rate;
	else
		leaf.max = (struct tree_bucket_conf){rate, 1};
	leaf.queue = TREE_Q_CODEL;
	leaf.limit_packets = ROOM;
	leaf.ecn = seed / 2 % 2;
	if (seed % 3 == 0) {
		leaf.target = rig_range(&r->random, 1000000, 20000000);
		leaf.interval = leaf.target * rig_range(&r->random, 5, 30);
	}
	r->user = c;
	r->arrived = codel_arrived;
	r->sent = codel_sent;
	r->lost = codel_lost;
	rig_add(r, 0, leaf);
	add_sources(r, rate);
	c->ref.target = (double)leaf.target;
	c->ref.interval = (double)leaf.interval;
	c->ref.mtu = leaf.mtu;
	c->ref.ecn = leaf.ecn;
	rig_build(r, ROOM);
	rig_start(r);
	rig_run(r, 200 * RIG_SECOND);
	RIG_CHECK(r->when == NEVER && c->nlost == 0, "not at the end");
	RIG_CHECK(r->in == r->out + r->dropped, "packets are missing");
	rig_free(r);
	free(c);
}

static void test_codel(void **state)
{
	(void)state;
	rig_seeds(one_queue, 40);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codel),
	};

	rig_argc = argc;
	rig_argv = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
