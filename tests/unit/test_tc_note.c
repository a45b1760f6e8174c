/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of each key: nothing is left out, and what is not exact is called so. */
#include "tc_build.h"

#include <stdlib.h>

#include "qos/policy_impl.h"

static const char EVERY_KEY[] = "links:\n"
				"- name: l\n"
				"  interface: eth0\n"
				"  direction: ingress\n"
				"  backend: queue\n"
				"  accepted-warnings: xdp\n"
				"  capture: tcp\n"
				"  rate: 100mbit\n"
				"  overhead: 20\n"
				"  mpu: 64\n"
				"  linklayer: atm\n"
				"  burst: 100kb\n"
				"  scheduler: drr\n"
				"  classes:\n"
				"  - name: a\n"
				"    match: tcp\n"
				"    dscp: ef\n"
				"    mark: 1\n"
				"    mac: 02:00:00:00:00:01\n"
				"    in-interface: lan\n"
				"    set: hosts.txt\n"
				"    min: 1mbit\n"
				"    max: 2mbit\n"
				"    burst: 10kb\n"
				"    weight: 3\n"
				"    queue: fq_codel\n"
				"    limit: 100p\n"
				"    target: 3ms\n"
				"    interval: 50ms\n"
				"    flows: 16\n"
				"    quantum: 1000\n"
				"    ecn: false\n"
				"    isolation: srchost\n"
				"    flow-max: 1mbit\n"
				"    host-max: 1mbit\n"
				"    host-prefix: [32, 56]\n"
				"    deadline: 1s\n"
				"    max-latency: 100ms\n"
				"    max-jitter: 10ms\n"
				"    set-dscp: af41\n"
				"  - name: b\n"
				"    default: true\n"
				"    scheduler: priority\n"
				"    classes:\n"
				"    - {name: c, default: true, priority: 1}\n";

static const struct tc_note *find(const struct tc_plan *t, const struct policy_class *c,
				  const char *key)
{
	for (size_t i = 0; i < t->n_note; i++)
		if (t->note[i].class == c && !strcmp(t->note[i].key, key))
			return &t->note[i];
	return NULL;
}

/* Somewhere in the policy, the link (class NULL) or a class. */
static bool noted(const struct tc_plan *t, bool link, const char *key)
{
	for (size_t i = 0; i < t->n_note; i++)
		if (!t->note[i].class == link && !strcmp(t->note[i].key, key))
			return true;
	return false;
}

/* The tables of the reader say which keys there are: a new one needs a note, too. */
static void every_key(void **state)
{
	struct policy *p = read_text(EVERY_KEY);
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);

	(void)state;
	for (size_t k = 0; k < LK_N; k++)
		if (k != LK_NAME && k != LK_CLASSES &&
		    !noted(t, true, policy_link_keys[k].name))
			fail_msg("nothing on a link's %s", policy_link_keys[k].name);
	for (size_t k = 0; k < CK_N; k++)
		if (k != CK_NAME && k != CK_CLASSES &&
		    !noted(t, false, policy_class_keys[k].name))
			fail_msg("nothing on a class's %s", policy_class_keys[k].name);
	for (size_t i = 0; i < t->n_note; i++) {
		const struct tc_note *n = &t->note[i];

		assert_true(n->text && *n->text && !strchr(n->text, '\n'));
		assert_true(n->mark.line > 0 && n->mark.col > 0);
	}
	tc_plan_free(t);
	policy_free(p);
}

/* ---- exact or not ---- */

struct expect {
	const char *link, *class; /* keys of the link; of class "a", which is not the default */
	const char *loose;	  /* every key that is not exact, of both, in order */
};

static void check_loose(const struct expect *e, const struct tc_can *can)
{
	char text[1024], got[512] = "";
	struct policy *p;
	struct tc_plan *t;

	snprintf(text, sizeof(text),
		 "links:\n- name: l\n  rate: 80mbit\n  scheduler: %s\n  classes:\n"
		 "  - {name: a, dscp: 1, %s}\n"
		 "  - {name: b, default: true, priority: 2, queue: fifo}\n",
		 e->link, e->class);
	p = read_text(text);
	t = must_plan(p, 0, can, &ETHERNET);
	for (size_t i = 0; i < t->n_note; i++)
		if (t->note[i].fidelity == TC_LOOSE)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
				 *got ? " " : "", t->note[i].key);
	if (strcmp(got, e->loose) != 0)
		fail_msg("%s, %s: \"%s\" instead of \"%s\"", e->link, e->class, got, e->loose);
	tc_plan_free(t);
	policy_free(p);
}

static void loose(void **state)
{
	static const struct expect v[] = {
		{"drr", "weight: 2", ""},
		{"fair", "queue: codel", ""},
		{"wfq", "weight: 2", "scheduler"},
		{"fifo", "queue: fifo", "scheduler"},
		{"priority", "priority: 1", ""},
		{"drr", "max: 8mbit", ""},
		{"drr", "max: 90mbit", ""},
		{"drr", "max: 8mbit, burst: 1514b", "burst"},
		{"drr", "max: 8mbit, burst: 1592b", "burst"},
		{"drr", "max: 8mbit, burst: 1593b", ""},
		{"drr", "max: 80001bit", ""},	/* a 80,000th */
		{"drr", "max: 8001bit", "max"}, /* an 8,000th */
		{"drr", "max: 200bit", "max"},	/* a packet takes more than a minute */
		{"drr", "max: 208bit", ""},
		{"drr", "max: 1bit", "max"},
		{"drr", "min: 8mbit", "burst"}, /* of the link: what is within its min goes */
		{"drr", "min: 200bit", "burst min"},
		{"drr", "deadline: 10ms", "deadline"},
		{"drr", "flow-max: 1mbit", "flow-max"},
		{"drr", "host-max: 1mbit", "host-max"},
		{"drr", "set-dscp: ef", "set-dscp"},
		{"drr", "max-latency: 1ms, max-jitter: 1ms", ""},
		{"drr", "isolation: flows", ""},
		{"drr", "isolation: dual-srchost", "isolation"},
		{"drr", "limit: 1000p", ""},
		{"drr", "limit: 14563p", ""},
		{"drr", "limit: 14564p", "limit"}, /* 32 MB */
		{"drr", "limit: 100kb", "limit"},
		{"drr", "limit: 20ms", "limit"},
		{"drr", "queue: codel, limit: 20000p", ""},
		{"drr", "queue: codel, limit: 100kb", "limit"},
		{"drr", "queue: fifo, limit: 50000p", ""},
		/* 34 bytes is the least that is counted, 64 the policy's least */
		{"drr", "queue: fifo, limit: 100kb", "limit"},
		{"drr", "quantum: 256", ""},
		{"drr", "quantum: 255", "quantum"},
		{"drr", "target: 2000s, interval: 2000s", ""},
		{"drr", "target: 2001s, interval: 2002s", "target interval"},
		/* below another scheduler, and alone */
		{"drr",
		 "scheduler: priority, classes: [{name: x, priority: 1, dscp: 2, queue: fifo}, "
		 "{name: y, priority: 2, default: true, queue: fifo}]",
		 "weight scheduler priority priority"},
		{"drr", "scheduler: drr, classes: [{name: x, default: true, queue: fifo}]", ""},
		{"drr",
		 "scheduler: drr, classes: [{name: x, dscp: 2, queue: fifo}, {name: y, "
		 "default: true, queue: fifo}]",
		 "weight"},
		{"priority",
		 "priority: 1, scheduler: drr, classes: [{name: x, dscp: 2, queue: fifo}, "
		 "{name: y, default: true, queue: fifo}]",
		 ""},
		{"priority",
		 "priority: 2, scheduler: priority, classes: [{name: x, priority: 1, dscp: 2, "
		 "queue: fifo}, {name: y, priority: 2, default: true, queue: fifo}]",
		 "weight scheduler priority priority"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		check_loose(&v[i], &CAN_ALL);
}

static void lacking_kernels(void **state)
{
	struct tc_can can = CAN_ALL;

	(void)state;
	can.fq_codel = false;
	check_loose(&(struct expect){"drr", "weight: 1", "queue"}, &can);
	check_loose(&(struct expect){"drr", "queue: codel", ""}, &can);
	can.codel = false;
	check_loose(&(struct expect){"drr", "weight: 1", "queue"}, &can);
	check_loose(&(struct expect){"drr", "queue: codel", "queue"}, &can);
	check_loose(&(struct expect){"drr", "limit: 20p", "queue limit"}, &can);
	check_loose(&(struct expect){"drr", "queue: fifo", ""}, &can);
	can.fq_codel = true;
	check_loose(&(struct expect){"drr", "queue: codel", "queue"}, &can);
	check_loose(&(struct expect){"drr", "queue: fq_codel", ""}, &can);
}

/* More numbers than HTB has prios: only those that have to share the last are not exact. */
static void crowd(void **state)
{
	char text[2048];
	size_t n;
	struct policy *p;
	struct tc_plan *t;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text),
			     "links: [{name: l, rate: 1gbit, scheduler: priority, classes: [");
	for (unsigned i = 0; i < 8; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "{name: c%u, dscp: 1, priority: %u}, ", i, i);
	snprintf(text + n, sizeof(text) - n, "{name: d, default: true, priority: 8}]}]\n");
	p = read_text(text);
	t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
	for (size_t i = 1; i < p->link[0]->n_all; i++) {
		const struct tc_note *note = find(t, p->link[0]->all[i], "priority");

		if (p->link[0]->all[i]->control)
			continue;
		assert_non_null(note);
		assert_int_equal(note->fidelity, i <= 7 ? TC_EXACT : TC_LOOSE);
	}
	tc_plan_free(t);
	policy_free(p);
}

/* With `backend: mark` it is weir that classifies: what filters cannot do does not matter. */
static void marked(void **state)
{
	static const char *const backends[] = {"queue", "mark", "kernel"};
	char text[256];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct policy *p;
		struct tc_plan *t;
		bool found = false;

		snprintf(text, sizeof(text),
			 "links:\n- name: l\n  rate: 1mbit\n  backend: %s\n  classes:\n"
			 "  - {name: a, match: tcp port 22}\n  - {name: b, default: true}\n",
			 backends[i]);
		p = read_text(text);
		t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
		for (size_t k = 0; k < t->n_note; k++)
			found |= !strcmp(t->note[k].key, "match") &&
				 t->note[k].fidelity == TC_LOOSE;
		assert_int_equal(found, i != 1);
		tc_plan_free(t);
		policy_free(p);
	}
}

/* What comes in by an Ethernet has the padding of its frame, unless the line counts it too. */
static void padding(void **state)
{
	static const struct {
		const char *keys;
		uint32_t header;
		enum tc_fidelity overhead;
	} v[] = {
		{"direction: ingress", 14, TC_LOOSE},
		{"direction: ingress", 0, TC_EXACT},
		{"direction: egress", 14, TC_EXACT},
		{"direction: ingress, overhead: ethernet", 14, TC_EXACT},
		{"direction: ingress, overhead: ethernet, mpu: 83", 14, TC_LOOSE},
		{"direction: ingress, overhead: pppoe-ptm", 14, TC_LOOSE},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct tc_device dev = {v[i].header, 1500};
		struct policy *p;
		struct tc_plan *t;

		snprintf(text, sizeof(text),
			 "links: [{name: l, rate: 1mbit, %s, classes: [{name: a, default: "
			 "true}]}]\n",
			 v[i].keys);
		p = read_text(text);
		t = must_plan(p, 0, &CAN_ALL, &dev);
		if (find(t, NULL, "overhead")->fidelity != v[i].overhead)
			fail_msg("%s, header %u", v[i].keys, v[i].header);
		tc_plan_free(t);
		policy_free(p);
	}
}

/* ---- how it is told ---- */

struct heard {
	size_t notes, calls;
	const struct tc_note *last;
};

static void hear(void *arg, const struct tc_note *const *same, size_t n)
{
	struct heard *h = arg;

	h->calls++;
	h->notes += n;
	assert_true(!h->last || same[0] > h->last);
	h->last = same[0];
	for (size_t i = 1; i < n; i++) {
		assert_string_equal(same[i]->key, same[0]->key);
		assert_string_equal(same[i]->text, same[0]->text);
		assert_true(same[i] > same[i - 1]);
	}
}

static char complaints[2048];

static void keep(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	size_t n = strlen(complaints);

	(void)arg;
	snprintf(complaints + n, sizeof(complaints) - n, "%s:%d:%d: %s%s\n", file, at.line,
		 at.col, sev == POLICY_WARNING ? "warning: " : "", text);
}

static void telling(void **state)
{
	struct policy *p = read_text("links:\n- name: l\n  rate: 80mbit\n  scheduler: fifo\n"
				     "  classes:\n"
				     "  - {name: a, dscp: 1, deadline: 1s}\n"
				     "  - {name: b, dscp: 2, set-dscp: ef}\n"
				     "  - {name: c, dscp: 3, deadline: 2s}\n"
				     "  - {name: d, dscp: 4, deadline: 3s}\n"
				     "  - {name: e, dscp: 5, deadline: 3s}\n"
				     "  - {name: f, default: true, deadline: 3s}\n");
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
	struct policy_report r = {.fn = keep};
	struct heard h = {0};

	(void)state;
	assert_int_equal(tc_plan_tell(t, hear, &h), 0);
	assert_int_equal(h.notes, t->n_note);
	assert_true(h.calls < h.notes && h.calls > 5);
	complaints[0] = '\0';
	assert_int_equal(tc_plan_complain(t, p, POLICY_ERROR, &r), 3);
	assert_int_equal(r.errors, 3);
	assert_string_equal(
		complaints,
		"p.yaml:2:3: scheduler of link \"l\": tc does not do exactly this: HTB knows "
		"no "
		"order of arrival across classes: they share equally, in turns\n"
		"p.yaml:6:5: deadline of classes \"a\", \"c\", \"d\" and 2 more: tc does not "
		"do "
		"exactly this: no queue of the kernel drops what is late: packets go late "
		"instead\n"
		"p.yaml:7:5: set-dscp of class \"b\": tc does not do exactly this: HTB changes "
		"no packet: they keep the code point that they have\n");
	assert_int_equal(tc_plan_complain(t, p, POLICY_WARNING, &r), 3);
	assert_int_equal(r.warnings, 3);
	tc_plan_free(t);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key),	   cmocka_unit_test(loose),
		cmocka_unit_test(lacking_kernels), cmocka_unit_test(crowd),
		cmocka_unit_test(marked),	   cmocka_unit_test(padding),
		cmocka_unit_test(telling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
