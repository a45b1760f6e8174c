/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes become a tree and a sequence of operations on it. Held to:
 *
 *  - nothing is lost, nothing comes back twice or from another class, counts are right;
 *  - a flow's packets leave in the order in which they came;
 *  - no bucket of a class lets more go than it may;
 *  - `when` is honest: not in the past, NEVER only when nothing waits, before it nothing
 *    leaves, and who follows it is through after a bounded number of calls.
 */
#include <stdlib.h>
#include <string.h>

#include "sched/tree.h"

#define CLASSES 24
#define FLOWS 8
#define PACKETS 512
#define SECOND 1000000000ULL
#define BYTE ((__int128)8 * SECOND)

#define MUST(cond) \
	do { \
		if (!(cond)) \
			abort(); \
	} while (0)

struct input {
	const uint8_t *at;
	size_t left;
};

struct fuzz {
	struct input in;
	struct tree *t;
	uint64_t now, when;
	bool asked; /* `when` is of now, nothing has come since */
	uint32_t n, parent[CLASSES];
	struct tree_class_conf conf[CLASSES];
	uint32_t packets[CLASSES];
	uint64_t bytes[CLASSES];
	__int128 used[CLASSES]; /* of max: a leaky bucket without a bottom */
	uint64_t used_at[CLASSES];
	uint64_t last[CLASSES][FLOWS];
	uint64_t ids, came, left, dropped;
	struct {
		uint32_t leaf, len;
		bool in;
	} pkt[1 << 16];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

/* 0..most, small numbers from few bytes and any from more */
static uint64_t number(struct input *in, uint64_t most)
{
	uint64_t x = byte(in);

	for (unsigned i = x & 3; i; i--)
		x = x << 8 | byte(in);
	return x % (most + 1);
}

static struct tree_bucket_conf bucket(struct input *in, bool must)
{
	struct tree_bucket_conf b = {0};

	if (!must && byte(in) & 1)
		return b;
	/* not so slow that a run through all that waits takes longer than time does */
	b.rate = 1000 + number(in, 2000000000);
	b.burst = 1 + number(in, 100000);
	return b;
}

static struct tree_class_conf class(struct input *in)
{
	struct tree_class_conf c = {0};
	uint8_t what = byte(in);

	c.leaf = what & 1 || what & 2;
	c.weight = 1 + (uint32_t)number(in, 999999);
	c.priority = (int32_t)byte(in) - 128;
	c.min = bucket(in, false);
	c.max = bucket(in, false);
	c.sched = byte(in) % TREE_SCHED_N;
	if (!c.leaf)
		return c;
	c.queue = byte(in) % TREE_QUEUE_N;
	c.limit_packets = 1 + (uint32_t)number(in, 100);
	c.limit_bytes = what & 4 ? 1 + number(in, 100000) : 0;
	c.target = 1 + number(in, 100000000);
	c.interval = c.target + number(in, 1000000000);
	c.mtu = 1 + (uint32_t)number(in, 9000);
	c.ecn = what & 8;
	c.flows = 1 + (uint32_t)number(in, 40);
	c.quantum = 1 + (uint32_t)number(in, 9000);
	c.isolation = byte(in) % (TREE_ISO_DUAL_DST + 1);
	c.flow_max = bucket(in, !(what & 16) && what & 32);
	c.host_max = bucket(in, !(what & 64) && what & 128);
	c.deadline = number(in, 1) ? number(in, 1000000000) : 0;
	return c;
}

static bool build(struct fuzz *f)
{
	struct input *in = &f->in;
	uint32_t want = 1 + byte(in) % (CLASSES - 1);

	memset(&f->conf[0], 0, sizeof(f->conf[0]));
	f->conf[0].weight = 1;
	f->conf[0].sched = byte(in) % TREE_SCHED_N;
	f->conf[0].max = bucket(in, true);
	f->n = 1;
	f->t = tree_new(&f->conf[0], 1 + number(in, PACKETS - 1),
			1 + (uint32_t)number(in, 9000), f->now);
	if (!f->t)
		return false;
	while (f->n <= want) {
		uint32_t parent = byte(in) % f->n;
		struct tree_class_conf c = class(in);

		if (f->n == want)
			c.leaf = true, c.limit_packets += !c.limit_packets,
			c.interval += !c.interval, c.target += !c.target, c.mtu += !c.mtu,
			c.flows += !c.flows, c.quantum += !c.quantum;
		if (tree_add(f->t, parent, &c) != f->n) {
			want--; /* refused: below a leaf, too deep, ... */
			continue;
		}
		f->parent[f->n] = parent;
		f->conf[f->n++] = c;
	}
	return tree_ready(f->t) == 0;
}

static void book(struct fuzz *f, uint32_t leaf, uint32_t len, int n)
{
	for (uint32_t i = leaf;; i = f->parent[i]) {
		f->packets[i] += (uint32_t)n;
		f->bytes[i] += (uint64_t)((int64_t)n * len);
		if (!i)
			break;
	}
}

static void compare(const struct fuzz *f)
{
	struct tree_state s;

	for (uint32_t i = 0; i < f->n; i++) {
		tree_get_state(f->t, i, &s);
		MUST(s.packets == f->packets[i] && s.bytes == f->bytes[i]);
	}
}

/* p has come back, sent or dropped. */
static void returned(struct fuzz *f, const struct pkt *p, uint32_t leaf)
{
	MUST(p->id > 0 && p->id <= f->ids);
	MUST(f->pkt[p->id].in && f->pkt[p->id].leaf == leaf && f->pkt[p->id].len == p->len);
	f->pkt[p->id].in = false;
	book(f, leaf, p->len, -1);
}

static void reap(struct fuzz *f)
{
	uint32_t leaf = 0;
	struct pkt *p;

	while ((p = tree_reap(f->t, &leaf)) != NULL) {
		MUST(p->drop > PKT_KEPT && p->drop < PKT_DROP_N);
		returned(f, p, leaf);
		f->dropped++;
		tree_release(f->t, p);
	}
}

static void charge(struct fuzz *f, uint32_t leaf, uint32_t len)
{
	for (uint32_t i = leaf;; i = f->parent[i]) {
		const struct tree_bucket_conf *b = &f->conf[i].max;

		if (b->rate) {
			f->used[i] -= (__int128)b->rate * (f->now - f->used_at[i]);
			if (f->used[i] < 0)
				f->used[i] = 0;
			f->used_at[i] = f->now;
			f->used[i] += len * BYTE;
			MUST(f->used[i] <= (b->burst > len ? b->burst : len) * BYTE);
		}
		if (!i)
			break;
	}
}

/* True: a packet left. */
static bool dequeue(struct fuzz *f)
{
	bool early = f->asked && f->now < f->when;
	uint64_t when = 0, dropped = f->dropped;
	uint32_t leaf = 0;
	struct pkt *p = tree_dequeue(f->t, f->now, &leaf, &when);

	reap(f);
	if (p) {
		MUST(!early);
		MUST(p->drop == PKT_KEPT);
		returned(f, p, leaf);
		MUST(p->id > f->last[leaf][p->flow % FLOWS]);
		f->last[leaf][p->flow % FLOWS] = p->id;
		charge(f, leaf, p->len);
		f->left++;
		f->asked = false;
		tree_release(f->t, p);
	} else {
		MUST(when > f->now);
		MUST(!early || (f->dropped == dropped && when >= f->when));
		MUST((when == NEVER) == (f->packets[0] == 0));
		f->when = when;
		f->asked = true;
	}
	compare(f);
	return p != NULL;
}

static void enqueue(struct fuzz *f)
{
	struct input *in = &f->in;
	uint32_t leaf = 1 + byte(in) % (f->n - 1);
	uint8_t what = byte(in);
	struct pkt *p;

	if (!f->conf[leaf].leaf || f->ids + 1 >= sizeof(f->pkt) / sizeof(f->pkt[0]))
		return;
	p = tree_alloc(f->t);
	if (!p) {
		tree_relieve(f->t, f->now);
		f->asked = false;
		reap(f);
		compare(f);
		return;
	}
	memset(p, 0, sizeof(*p));
	p->id = ++f->ids;
	p->arrival = f->now;
	/* a flow has one host, one source and one destination */
	p->flow = (what % FLOWS) + FLOWS * 0x9e3779b97f4a7c15ULL * (what % FLOWS);
	p->host = 0xbf58476d1ce4e5b9ULL * (what % 4 + 1);
	p->src = what % 4 * 0x9e3779b1u;
	p->dst = what % FLOWS / 2 * 0x85ebca6bu;
	p->flags = what & 64 ? PKT_ECT : 0;
	p->len = 1 + (uint32_t)number(in, byte(in) ? 1514 : 70000);
	f->pkt[p->id].leaf = leaf;
	f->pkt[p->id].len = p->len;
	f->pkt[p->id].in = true;
	f->came++;
	book(f, leaf, p->len, 1);
	tree_enqueue(f->t, leaf, p, f->now);
	f->asked = false;
	reap(f);
	compare(f);
}

/* Follows `when` for so many calls; true when nothing waits any more. */
static bool follow(struct fuzz *f, unsigned calls)
{
	while (calls--) {
		if (dequeue(f))
			continue;
		if (f->when == NEVER)
			return true;
		f->now = f->when;
	}
	return false;
}

static void operate(struct fuzz *f)
{
	switch (byte(&f->in) % 8) {
	case 0:
	case 1:
	case 2:
		enqueue(f);
		break;
	case 3:
		dequeue(f);
		break;
	case 4:
		f->now += number(&f->in, 100000);
		dequeue(f);
		break;
	case 5:
		f->now += number(&f->in, SECOND);
		break;
	case 6:
		follow(f, byte(&f->in));
		break;
	default:
		if (byte(&f->in) > 200) {
			tree_relieve(f->t, f->now);
			f->asked = false;
			reap(f);
			compare(f);
		} else {
			dequeue(f);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = calloc(1, sizeof(*f));

	if (!f)
		return 0;
	f->in.at = data;
	f->in.left = size;
	f->now = number(&f->in, SECOND);
	if (build(f)) {
		while (f->in.left)
			operate(f);
		/* each packet may be held by each bucket on its way once or twice, not more */
		MUST(follow(f, 1000 + 64 * PACKETS));
		MUST(f->came == f->left + f->dropped);
	}
	tree_free(f->t);
	free(f);
	return 0;
}
