/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who goes before whom and in what shares: prios and quanta, against a calculation of their
 * own from the policy, pair by pair.
 */
#include "tc_build.h"

#include <math.h>
#include <stdlib.h>

#include "packet_build.h"

#define PACKET 1514

static uint64_t rnd = 0x2545f4914f6cdd1d;

static uint32_t below(uint32_t n)
{
	return packet_random(&rnd) % n;
}

/* ---- the other calculation ---- */

static bool alone_with_its_number(const struct policy_class *c)
{
	for (size_t i = 0; i < c->parent->n_child; i++)
		if (c->parent->child[i] != c && c->parent->child[i]->priority == c->priority)
			return false;
	return true;
}

/* Strict priority below c is what HTB's prio means: from the root down, without a fork. */
static bool strict(const struct policy_class *c)
{
	if (c->scheduler != POLICY_SCHED_PRIORITY || !c->n_child)
		return false;
	return !c->parent || (strict(c->parent) && alone_with_its_number(c));
}

static int depth_of(const struct policy_class *c)
{
	int d = 0;

	while ((c = c->parent))
		d++;
	return d;
}

static const struct policy_class *up_to(const struct policy_class *c, int depth)
{
	while (depth_of(c) > depth)
		c = c->parent;
	return c;
}

/* -1: a before b, always; 1: b before a; 0: they share. */
static int order(const struct policy_class *a, const struct policy_class *b)
{
	for (int d = 1;; d++) {
		const struct policy_class *x = up_to(a, d), *y = up_to(b, d);

		if (!strict(x->parent))
			return 0;
		if (x != y)
			return (x->priority > y->priority) - (x->priority < y->priority);
		if (depth_of(a) == d || depth_of(b) == d)
			return 0;
	}
}

/* A leaf's part of what its prio gets, all its siblings and those above having packets. */
static double part(const struct policy_class *c)
{
	const struct policy_class *up = c->parent;
	double sum = 0, mine = 0, equals = 0;
	enum policy_scheduler s;

	if (!up)
		return 1;
	s = up->scheduler;
	for (size_t i = 0; i < up->n_child; i++) {
		const struct policy_class *k = up->child[i];
		double w = s == POLICY_SCHED_FAIR || s == POLICY_SCHED_FIFO ? 1 : k->weight;

		if (s == POLICY_SCHED_PRIORITY && k->priority != c->priority)
			continue;
		sum += w;
		equals++;
		mine = k == c ? w : mine;
	}
	/* where HTB cannot tell numbers apart, each class has an equal part on the average */
	if (s == POLICY_SCHED_PRIORITY && !strict(up))
		mine *= equals / (double)up->n_child;
	return part(up) * mine / sum;
}

/* How many different ranks there are. */
static size_t ranks(const struct policy_link *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_all; i++) {
		bool first = !l->all[i]->n_child;

		for (size_t k = 0; first && k < i; k++)
			if (!l->all[k]->n_child && order(l->all[k], l->all[i]) == 0)
				first = false;
		n += first;
	}
	return n;
}

static const struct tc_htb_class *htb(const struct tc_plan *t, const struct policy_class *c)
{
	return &object_of(t, TC_CLASS, c)->htb;
}

static void compare(const struct tc_plan *t, const struct policy_class *a,
		    const struct policy_class *b, bool fits)
{
	const struct tc_htb_class *x = htb(t, a), *y = htb(t, b);
	int want = order(a, b), is = (x->prio > y->prio) - (x->prio < y->prio);
	double ratio = part(a) / part(b), got = (double)x->quantum / y->quantum;

	/* the last prio may have several ranks in it, but never in the wrong order */
	if (is != want && (fits || is || x->prio != 7))
		fail_msg("%s has prio %u, %s %u", a->path, x->prio, b->path, y->prio);
	/* what HTB cannot count is cut */
	if (x->quantum == 1u << 30 || y->quantum == 1u << 30)
		return;
	if (is == 0 && (got > ratio * 1.001 || got < ratio * 0.999))
		fail_msg("%s has quantum %u, %s %u: %f instead of %f", a->path, x->quantum,
			 b->path, y->quantum, got, ratio);
}

static void check(const struct policy_link *l, const struct tc_plan *t)
{
	uint32_t least[8];
	bool fits = ranks(l) <= 8;

	memset(least, 0xff, sizeof(least));
	for (size_t i = 0; i < l->n_all; i++) {
		if (l->all[i]->n_child)
			continue;
		for (size_t k = 0; k < l->n_all; k++)
			if (!l->all[k]->n_child)
				compare(t, l->all[i], l->all[k], fits);
		if (htb(t, l->all[i])->quantum < least[htb(t, l->all[i])->prio])
			least[htb(t, l->all[i])->prio] = htb(t, l->all[i])->quantum;
	}
	/* the lightest gets a packet, and no more than that: what waits for a round waits long
	 */
	for (unsigned k = 0; k < 8; k++)
		assert_true(least[k] == PACKET || least[k] == UINT32_MAX);
}

/* ---- policies ---- */

static char buf[1 << 18];
static size_t len;

static void add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	len += (size_t)vsnprintf(buf + len, sizeof(buf) - len, fmt, ap);
	va_end(ap);
	assert_true(len < sizeof(buf));
}

static const char *const scheds[] = {"priority", "drr", "wfq", "fair", "fifo"};

static void add_classes(const char *sched, int depth)
{
	uint32_t n = 1 + below(depth ? 4 : 5);

	add("scheduler: %s, classes: [", sched);
	for (uint32_t i = 0; i < n; i++) {
		const char *down = scheds[below(2) ? 0 : below(5)];

		add("%s{name: c%u, %s", i ? ", " : "", i, i ? "dscp: 1" : "default: true");
		if (!strcmp(sched, "priority"))
			add(", priority: %u", below(6));
		if (below(2))
			add(", weight: %u", 1 + below(below(2) ? 10 : 300));
		if (depth < 3 && below(3) == 0) {
			add(", ");
			add_classes(down, depth + 1);
		}
		add("}");
	}
	add("]");
}

static void random_trees(void **state)
{
	unsigned crowded = 0, prioritised = 0;

	(void)state;
	for (unsigned i = 0; i < 1500; i++) {
		struct policy *p;
		struct tc_plan *t;

		len = 0;
		add("links: [{name: l, rate: 1gbit, control: none, ");
		add_classes(scheds[below(2) ? 0 : below(5)], 0);
		add("}]\n");
		p = read_text(buf);
		t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
		check(p->link[0], t);
		crowded += ranks(p->link[0]) > 8;
		prioritised += ranks(p->link[0]) > 1;
		tc_plan_free(t);
		policy_free(p);
	}
	assert_true(crowded > 3 && prioritised > 300);
}

/* ---- examples, by hand ---- */

static struct policy *policy;

static struct tc_plan *plan_of(const char *link)
{
	snprintf(buf, sizeof(buf), "links: [{name: l, rate: 1gbit, control: none, %s}]\n",
		 link);
	policy = read_text(buf);
	return must_plan(policy, 0, &CAN_ALL, &ETHERNET);
}

static void is(struct tc_plan *t, const char *path, uint32_t prio, uint32_t quantum)
{
	const struct tc_htb_class *c = htb_at(t, path);

	if (c->prio != prio || c->quantum != quantum)
		fail_msg("%s: prio %u quantum %u", path, c->prio, c->quantum);
}

static void done(struct tc_plan *t)
{
	tc_plan_free(t);
	policy_free(policy);
}

static void by_weight(void **state)
{
	struct tc_plan *t = plan_of("scheduler: drr, classes: ["
				    "{name: a, dscp: 1, weight: 10},"
				    "{name: b, dscp: 2, weight: 25},"
				    "{name: c, default: true, weight: 30, classes: ["
				    "  {name: x, dscp: 1, weight: 1}, {name: y, weight: 2, "
				    "default: true}]}]");

	(void)state;
	is(t, "a", 0, PACKET);
	is(t, "b", 0, PACKET * 5 / 2);
	is(t, "c/x", 0, PACKET);
	is(t, "c/y", 0, PACKET * 2);
	done(t);

	/* to the nearest byte */
	t = plan_of("scheduler: drr, classes: [{name: a, dscp: 1, weight: 3},"
		    "{name: b, dscp: 2, weight: 4}, {name: c, default: true, weight: 5}]");
	is(t, "a", 0, PACKET);
	is(t, "b", 0, 2019); /* 2018.67 */
	is(t, "c", 0, 2523); /* 2523.33 */
	done(t);

	/* weights that have no effect have none */
	t = plan_of("scheduler: fair, classes: [{name: a, dscp: 1, weight: 10},"
		    "{name: b, default: true, weight: 25}]");
	is(t, "a", 0, PACKET);
	is(t, "b", 0, PACKET);
	done(t);
}

static void by_priority(void **state)
{
	struct tc_plan *t = plan_of(
		"scheduler: priority, classes: ["
		"{name: rest, default: true, priority: 1000000, scheduler: drr, classes: ["
		"  {name: x, dscp: 1, weight: 1}, {name: y, weight: 2, default: true}]},"
		"{name: first, dscp: 1, priority: -5},"
		"{name: in, dscp: 2, priority: 7, scheduler: priority, classes: ["
		"  {name: x, dscp: 1, priority: 3}, {name: y, priority: 2, default: true},"
		"  {name: z, priority: 3, dscp: 2}]}]");

	(void)state;
	is(t, "first", 0, PACKET);
	is(t, "in/y", 1, PACKET);
	is(t, "in/x", 2, PACKET);
	is(t, "in/z", 2, PACKET);
	is(t, "rest/x", 3, PACKET);
	is(t, "rest/y", 3, 2 * PACKET);
	done(t);

	/* two with the same number: what is strict in one of them is not between the two */
	t = plan_of(
		"scheduler: priority, classes: ["
		"{name: a, dscp: 1, priority: 1, scheduler: priority, classes: ["
		"  {name: x, dscp: 1, priority: 1}, {name: y, priority: 2, default: true}]},"
		"{name: b, default: true, priority: 1}]");
	is(t, "a/x", 0, PACKET);
	is(t, "a/y", 0, PACKET);
	is(t, "b", 0, 2 * PACKET);
	done(t);

	/* below another scheduler there is none */
	t = plan_of(
		"classes: [{name: a, dscp: 1, scheduler: priority, classes: ["
		"  {name: x, dscp: 1, priority: 1}, {name: y, priority: 2, default: true}]},"
		"{name: b, default: true}]");
	is(t, "a/x", 0, PACKET);
	is(t, "a/y", 0, PACKET);
	is(t, "b", 0, 2 * PACKET);
	done(t);
}

/* Ten numbers, eight prios: the first seven have their own. */
static void crowd(void **state)
{
	struct tc_plan *t;
	char text[2048], path[16];
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "scheduler: priority, classes: [");
	for (unsigned i = 0; i < 10; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "{name: c%u, dscp: 1, priority: %u}, ", i, i * i);
	snprintf(text + n, sizeof(text) - n, "{name: d, default: true, priority: 100}]");
	t = plan_of(text);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "c%u", i);
		is(t, path, i < 7 ? i : 7, PACKET);
	}
	is(t, "d", 7, PACKET);
	done(t);
}

/* The largest weights, eight levels of them: what HTB cannot count is cut, and said. */
static void far_apart(void **state)
{
	struct tc_plan *t;
	char text[4096];
	bool said = false;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n,
			"classes: [{name: a, dscp: 1, weight: 1000000}, {name: b, "
			"default: true, ");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "weight: 1}");
	for (unsigned i = 1; i < 7; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "]}");
	snprintf(text + n, sizeof(text) - n, "]");
	t = plan_of(text);
	is(t, "a", 0, 1u << 30);
	is(t, "b/b/b/b/b/b/b", 0, PACKET);
	for (size_t i = 0; i < t->n_note; i++)
		said |= !strcmp(t->note[i].key, "weight") && t->note[i].class &&
			!strcmp(t->note[i].class->path, "a") && t->note[i].fidelity == TC_LOOSE;
	assert_true(said);
	done(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_trees), cmocka_unit_test(by_weight),
		cmocka_unit_test(by_priority),	cmocka_unit_test(crowd),
		cmocka_unit_test(far_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
