/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans as a whole: objects that fit together, numbers that stay, rates and buckets, queues,
 * and policies of any size.
 */
#include "tc_build.h"

#include <glob.h>
#include <linux/pkt_sched.h>
#include <stdlib.h>

#define TICKS_A_SECOND 15625000.0 /* of 64 ns */

/* ---- objects that fit together ---- */

static bool has_handle(const struct tc_list *l, size_t before, enum tc_kind kind, uint32_t h)
{
	for (size_t i = 0; i < before; i++)
		if (l->v[i].kind == kind && l->v[i].handle == h)
			return true;
	return false;
}

static int by_key(const void *a, const void *b)
{
	const struct tc_object *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == TC_FILTER && x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return (x->handle > y->handle) - (x->handle < y->handle);
}

static void unique(const struct tc_list *l)
{
	struct tc_object *v = malloc(l->n * sizeof(*v));

	assert_non_null(v);
	memcpy(v, l->v, l->n * sizeof(*v));
	qsort(v, l->n, sizeof(*v), by_key);
	for (size_t i = 1; i < l->n; i++)
		if (tc_same_key(&v[i - 1], &v[i]))
			fail_msg("two objects %x", v[i].handle);
	free(v);
}

static void whole_class(const struct tc_plan *t, size_t i)
{
	const struct tc_object *o = &t->list.v[i];
	const struct policy_class *c = tc_plan_class(t, o->handle);
	uint64_t link = t->link->rate.bps / 8;

	assert_non_null(c);
	assert_int_equal(t->classid[c->index], o->handle);
	assert_int_equal(o->type, TC_HTB);
	assert_int_equal(o->handle >> 16, TC_ROOT_HANDLE >> 16);
	assert_int_equal(o->parent, c->parent ? t->classid[c->parent->index] : TC_ROOT_HANDLE);
	if (t->link->n_all < 1000)
		assert_true(
			has_handle(&t->list, i, c->parent ? TC_CLASS : TC_QDISC, o->parent));
	assert_true(o->htb.rate >= 1 && o->htb.ceil >= 1);
	assert_true(o->htb.rate <= o->htb.ceil && o->htb.ceil <= (link ? link : 1));
	assert_true(o->htb.buffer >= 1 && o->htb.cbuffer >= 1);
	assert_int_equal(o->htb.quantum == 0, c->n_child > 0);
	assert_true(o->htb.prio < 8 && o->htb.quantum <= INT32_MAX);
}

static void whole_queue(const struct tc_plan *t, size_t i)
{
	const struct tc_object *o = &t->list.v[i];
	const struct policy_class *c = tc_plan_class(t, o->parent);

	assert_true(c && !c->n_child);
	assert_int_equal(o->handle, t->classid[c->index] << 16);
	assert_true(o->handle != 0 && o->handle != TC_ROOT_HANDLE && o->handle < 0xfffe0000);
	if (o->type == TC_FQ_CODEL)
		assert_true(o->fq_codel.flows >= 1 && o->fq_codel.flows <= 65536 &&
			    o->fq_codel.quantum >= 256 && o->fq_codel.quantum <= 1u << 20);
	else if (o->type != TC_CODEL)
		assert_true((o->type == TC_PFIFO || o->type == TC_BFIFO) && o->limit >= 1);
	if (o->type == TC_FQ_CODEL || o->type == TC_CODEL)
		assert_true(o->fq_codel.limit >= 1 && o->fq_codel.target >= 1 &&
			    o->fq_codel.interval >= 1);
}

static void whole_filter(const struct tc_plan *t, size_t i)
{
	const struct tc_object *o = &t->list.v[i];
	const struct tc_rule *rule = tc_plan_rule(t, i);

	assert_int_equal(o->type, TC_BPF);
	assert_true(o->handle >= 1 && o->handle <= 65535);
	assert_true(tc_kernel_takes(o->bpf.insn, o->bpf.n));
	assert_int_equal(o->bpf.redirect, 0);
	if (!rule) {
		assert_int_equal(o->parent, TC_ROOT_HANDLE);
		assert_int_equal(o->bpf.classid, TC_ROOT_HANDLE);
		return;
	}
	assert_int_equal(o->bpf.classid, t->classid[rule->to->index]);
	assert_int_equal(o->parent,
			 rule->at->parent ? t->classid[rule->at->index] : TC_ROOT_HANDLE);
	assert_ptr_equal(rule->to->parent, rule->at);
	assert_true(tc_kernel_takes(rule->insn, rule->n));
	/* behind the one before it at the same level, with room in between where there is any
	 */
	if (t->list.v[i - 1].kind == TC_FILTER && t->list.v[i - 1].parent == o->parent)
		assert_true(o->handle > t->list.v[i - 1].handle);
}

static void whole(const struct tc_plan *t)
{
	size_t leaves = 0, classes = 0, queues = 0, filters = 0;

	unique(&t->list);
	assert_true(t->list.v[0].kind == TC_QDISC && t->list.v[0].handle == TC_ROOT_HANDLE &&
		    t->list.v[0].parent == TC_H_ROOT && t->list.v[0].type == TC_HTB);
	for (size_t i = 1; i < t->list.n; i++) {
		switch (t->list.v[i].kind) {
		case TC_CLASS:
			whole_class(t, i);
			classes++;
			break;
		case TC_QDISC:
			whole_queue(t, i);
			queues++;
			break;
		case TC_FILTER:
			whole_filter(t, i);
			filters++;
			break;
		}
	}
	for (size_t i = 0; i < t->link->n_all; i++)
		leaves += !t->link->all[i]->n_child;
	assert_int_equal(classes, t->link->n_all);
	assert_int_equal(queues, leaves);
	assert_int_equal(filters, t->rules.n + 1);
	assert_null(tc_plan_class(t, 0));
	assert_null(tc_plan_class(t, TC_ROOT_HANDLE | 0xffff));
	assert_null(tc_plan_class(t, 0x10001));
	assert_ptr_equal(tc_plan_class(t, TC_LINK_CLASS), t->link->root);
}

static bool same_plan(const struct tc_plan *a, const struct tc_plan *b)
{
	if (a->list.n != b->list.n || a->n_note != b->n_note)
		return false;
	for (size_t i = 0; i < a->list.n; i++)
		if (!tc_same_key(&a->list.v[i], &b->list.v[i]) ||
		    !tc_same_value(&a->list.v[i], &b->list.v[i]))
			return false;
	for (size_t i = 0; i < a->n_note; i++)
		if (strcmp(a->note[i].text, b->note[i].text) != 0)
			return false;
	return true;
}

static void shipped_policies(void **state)
{
	static const struct tc_device devices[] = {{14, 1500}, {0, 1492}, {14, 9000}};
	unsigned plans = 0;
	glob_t g;

	(void)state;
	assert_int_equal(glob("policies/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct policy *p;

		if (strstr(g.gl_pathv[i], ".test.yaml"))
			continue;
		p = read_file(g.gl_pathv[i]);
		for (size_t l = 0; l < p->n_link; l++)
			for (size_t d = 0; d < 3; d++, plans++) {
				struct tc_plan *t = must_plan(p, l, &CAN_ALL, &devices[d]);
				struct tc_plan *again = must_plan(p, l, &CAN_ALL, &devices[d]);

				whole(t);
				assert_true(same_plan(t, again));
				tc_plan_free(t);
				tc_plan_free(again);
			}
		policy_free(p);
	}
	globfree(&g);
	assert_true(plans >= 15);
}

/* ---- numbers ---- */

/* `n` classes below the root in drr, behind `first`, then the default. */
static struct policy *many(const char *first, unsigned n)
{
	size_t size = 256 + n * 64ull, len;
	char *text = malloc(size);
	struct policy *p;

	assert_non_null(text);
	len = (size_t)snprintf(
		text, size,
		"links:\n- name: l\n  rate: 1gbit\n  scheduler: drr\n  classes:\n%s", first);
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, "  - {name: c%u, dscp: %u}\n",
					i, i % 64);
	snprintf(text + len, size - len, "  - {name: rest, default: true}\n");
	p = read_text(text);
	free(text);
	return p;
}

/* A class more, or one less, in front of all others: they stay what they were. */
static void numbers_stay(void **state)
{
	struct policy *p = many("", 400);
	struct policy *q = many("  - {name: newcomer, dscp: 1}\n"
				"  - {name: second, dscp: [2, ef]}\n",
				400);
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
	struct tc_plan *u = must_plan(q, 0, &CAN_ALL, &ETHERNET);

	(void)state;
	whole(t);
	whole(u);
	for (size_t i = 0; i < p->link[0]->n_all; i++) {
		const struct policy_class *c = p->link[0]->all[i];
		const struct policy_class *d = policy_find_class(q->link[0], c->path);

		assert_int_equal(t->classid[c->index], u->classid[d ? d->index : 0]);
	}
	tc_plan_free(t);
	tc_plan_free(u);
	policy_free(p);
	policy_free(q);
}

/* So many that paths meet in one number: still all have one of their own. */
static void hostile_sizes(void **state)
{
	static const unsigned sizes[] = {10000, 64997};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct policy *p = many("", sizes[i]);
		struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);

		whole(t);
		tc_plan_free(t);
		policy_free(p);
	}
}

/* ---- depth ---- */

static struct policy *nested(unsigned depth)
{
	char text[4096];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "links:\n- name: l\n  rate: 1gbit\n");
	for (unsigned i = 0; i < depth; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%*sclasses:\n%*s- {name: a%u, match: tcp port %u}\n"
				      "%*s- name: b%u\n%*sdefault: true\n",
				      2 + 2 * (int)i, "", 2 + 2 * (int)i, "", i, 80 + i,
				      2 + 2 * (int)i, "", i, 4 + 2 * (int)i, "");
	return read_text(text);
}

static void depths(void **state)
{
	struct policy *p;

	(void)state;
	for (unsigned depth = 1; depth <= 7; depth++) {
		struct tc_plan *t;

		p = nested(depth);
		t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
		whole(t);
		tc_plan_free(t);
		policy_free(p);
	}
	p = nested(8);
	assert_null(try_plan(p, 0, &CAN_ALL, &ETHERNET));
	assert_string_equal(refused, "p.yaml:33:19: class \"b0/b1/b2/b3/b4/b5/b6/a7\" is 8 "
				     "levels below its link: HTB has room for 7");
	policy_free(p);
}

/* ---- rates ---- */

static double seconds(uint32_t ticks)
{
	return ticks / TICKS_A_SECOND;
}

/* A bucket of weir's: HTB's, and the packet by which it goes below zero. */
static void is_bucket(uint32_t ticks, uint64_t rate, uint64_t bytes)
{
	double got = seconds(ticks) * (double)rate;

	/* rounded down by less than a tick */
	if (got > (double)bytes || got < (double)bytes - (double)rate / TICKS_A_SECOND - 1e-6)
		fail_msg("a bucket of %f bytes instead of %llu", got,
			 (unsigned long long)bytes);
}

static const char RATES[] = "links:\n"
			    "- name: l\n"
			    "  rate: 80mbit\n"
			    "  burst: 100kb\n"
			    "  classes:\n"
			    "  - {name: plain, dscp: 1}\n"
			    "  - {name: both, dscp: 2, min: 8mbit, max: 16mbit, burst: 20kb}\n"
			    "  - {name: equal, dscp: 3, min: 4mbit, max: 4mbit}\n"
			    "  - {name: above, dscp: 4, max: 90mbit}\n"
			    "  - name: in\n"
			    "    max: 40mbit\n"
			    "    default: true\n"
			    "    classes:\n"
			    "    - {name: x, min: 2mbit, default: true}\n"
			    "    - {name: y, max: 50mbit, dscp: 5}\n"
			    "    - {name: z, max: 20mbit, dscp: 6}\n";

static void rates(void **state)
{
	struct policy *p = read_text(RATES);
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
	const struct tc_htb_class *c = &object_of(t, TC_CLASS, p->link[0]->root)->htb;
	/* what never stops a class before what is above it does: its burst, and whatever a
	 * packet can be, beyond zero */
	const uint64_t slack = 1514 + 65535 + 14;

	(void)state;
	assert_true(c->rate == 10000000 && c->ceil == 10000000);
	is_bucket(c->buffer, c->rate, 100000 - 1514);
	is_bucket(c->cbuffer, c->ceil, 100000 - 1514);
	c = htb_at(t, "plain");
	assert_true(c->rate == 1 && c->ceil == 10000000 && c->buffer == 1);
	is_bucket(c->cbuffer, c->ceil, 100000 + slack);
	c = htb_at(t, "both");
	assert_true(c->rate == 1000000 && c->ceil == 2000000);
	is_bucket(c->buffer, c->rate, 20000 - 1514);
	is_bucket(c->cbuffer, c->ceil, 20000 - 1514);
	c = htb_at(t, "equal");
	assert_true(c->rate == 500000 && c->ceil == 500000);
	is_bucket(c->buffer, c->rate, 1514);
	c = htb_at(t, "above");
	assert_true(c->rate == 1 && c->ceil == 10000000);
	is_bucket(c->cbuffer, c->ceil, 100000 + slack);
	c = htb_at(t, "in"); /* its min is that of its classes */
	assert_true(c->rate == 250000 && c->ceil == 5000000);
	is_bucket(c->cbuffer, c->ceil, 5000 - 1514); /* a millisecond */
	c = htb_at(t, "in/x");
	assert_true(c->rate == 250000 && c->ceil == 5000000);
	is_bucket(c->cbuffer, c->ceil, 5000 + slack);
	c = htb_at(t, "in/y");
	assert_true(c->rate == 1 && c->ceil == 5000000);
	is_bucket(c->cbuffer, c->ceil, 5000 + slack);
	c = htb_at(t, "in/z");
	assert_true(c->rate == 1 && c->ceil == 2500000);
	is_bucket(c->cbuffer, c->ceil, 3028 - 1514);
	tc_plan_free(t);

	/* larger packets go further below zero */
	t = must_plan(p, 0, &CAN_ALL, &(struct tc_device){14, 9000});
	c = htb_at(t, "both");
	is_bucket(c->buffer, c->rate, 20000 - 9014);
	c = htb_at(t, "equal"); /* nothing would be left: a small packet */
	is_bucket(c->buffer, c->rate, 64 + 14);
	tc_plan_free(t);
	policy_free(p);
}

/* The ends of what a policy may say fit into the kernel's numbers. */
static void extreme_rates(void **state)
{
	static const char *const rates_of_link[] = {"1bit", "7bit", "100bit", "1kbit", "1tbit"};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rates_of_link) / sizeof(rates_of_link[0]); i++) {
		struct policy *p;
		struct tc_plan *t;

		snprintf(text, sizeof(text),
			 "links: [{name: l, rate: %s, burst: 500mb, classes: [{name: a, "
			 "default: true, max: 1bit}, {name: b, dscp: 1, burst: 500mb, min: "
			 "100%%}]}]\n",
			 rates_of_link[i]);
		p = read_text(text);
		t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
		whole(t);
		tc_plan_free(t);
		policy_free(p);
	}
}

/* ---- queues ---- */

static const char QUEUES[] =
	"links:\n"
	"- name: l\n"
	"  rate: 8mbit\n"
	"  classes:\n"
	"  - {name: fq, dscp: 1}\n"
	"  - {name: fq2, dscp: 2, limit: 500p, target: 3ms, interval: 50ms, flows: 64,\n"
	"     quantum: 300, ecn: false}\n"
	"  - {name: fqtime, dscp: 3, limit: 100ms, quantum: 64}\n"
	"  - {name: codel, dscp: 4, queue: codel, target: 1500ns}\n"
	"  - {name: codelb, dscp: 5, queue: codel, limit: 1b}\n"
	"  - {name: fifop, dscp: 6, queue: fifo, limit: 60p}\n"
	"  - {name: fifob, dscp: 7, queue: fifo, limit: 100kb}\n"
	"  - {name: fifot, dscp: 8, queue: fifo, limit: 20ms}\n"
	"  - {name: fifohuge, dscp: 9, queue: fifo, limit: 90gb}\n"
	"  - {name: fifo, dscp: 10, queue: fifo, default: true}\n";

static void is_codel(const struct tc_object *o, enum tc_type type, struct tc_fq_codel want)
{
	assert_int_equal(o->type, type);
	assert_int_equal(o->fq_codel.limit, want.limit);
	assert_int_equal(o->fq_codel.target, want.target);
	assert_int_equal(o->fq_codel.interval, want.interval);
	assert_int_equal(o->fq_codel.ecn, want.ecn);
	assert_int_equal(o->fq_codel.flows, want.flows);
	assert_int_equal(o->fq_codel.quantum, want.quantum);
}

static void is_fifo(const struct tc_object *o, enum tc_type type, uint32_t limit)
{
	assert_int_equal(o->type, type);
	assert_int_equal(o->limit, limit);
}

static void queues(void **state)
{
	struct policy *p = read_text(QUEUES);
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);

	(void)state;
	whole(t);
	is_codel(queue_at(t, "fq"), TC_FQ_CODEL,
		 (struct tc_fq_codel){10240, 5000, 100000, true, 1024, 1514, 0, 0});
	is_codel(queue_at(t, "fq2"), TC_FQ_CODEL,
		 (struct tc_fq_codel){500, 3000, 50000, false, 64, 300, 0, 0});
	/* 100 kB are 67 full packets, rounded up; fq_codel takes 256 bytes at least */
	is_codel(queue_at(t, "fqtime"), TC_FQ_CODEL,
		 (struct tc_fq_codel){67, 5000, 100000, true, 1024, 256, 0, 0});
	is_codel(queue_at(t, "codel"), TC_CODEL,
		 (struct tc_fq_codel){1000, 2, 100000, true, 0, 0, 0, 0});
	is_codel(queue_at(t, "codelb"), TC_CODEL,
		 (struct tc_fq_codel){1, 5000, 100000, true, 0, 0, 0, 0});
	is_fifo(queue_at(t, "fifop"), TC_PFIFO, 60);
	is_fifo(queue_at(t, "fifob"), TC_BFIFO, 100000);
	is_fifo(queue_at(t, "fifot"), TC_BFIFO, 20000);
	is_fifo(queue_at(t, "fifohuge"), TC_BFIFO, UINT32_MAX);
	is_fifo(queue_at(t, "fifo"), TC_PFIFO, 1000);
	tc_plan_free(t);
	policy_free(p);
}

/* The nearest that this kernel has. */
static void nearest_queues(void **state)
{
	struct policy *p = read_text(QUEUES);
	struct tc_can can = CAN_ALL;
	struct tc_plan *t;

	(void)state;
	can.fq_codel = false;
	t = must_plan(p, 0, &can, &ETHERNET);
	whole(t);
	is_codel(queue_at(t, "fq2"), TC_CODEL,
		 (struct tc_fq_codel){500, 3000, 50000, false, 0, 0, 0, 0});
	assert_int_equal(queue_at(t, "codel")->type, TC_CODEL);
	is_fifo(queue_at(t, "fifop"), TC_PFIFO, 60);
	tc_plan_free(t);

	can.fq_codel = true;
	can.codel = false; /* a single flow is CoDel */
	t = must_plan(p, 0, &can, &ETHERNET);
	whole(t);
	is_codel(queue_at(t, "codel"), TC_FQ_CODEL,
		 (struct tc_fq_codel){1000, 2, 100000, true, 1, 1514, 0, 0});
	assert_int_equal(queue_at(t, "fq2")->fq_codel.flows, 64);
	tc_plan_free(t);

	can.fq_codel = false;
	t = must_plan(p, 0, &can, &ETHERNET);
	whole(t);
	/* without CoDel the limit alone keeps it short: five targets at 8 Mbit/s, and two
	 * packets */
	is_fifo(queue_at(t, "fq"), TC_BFIFO, 25000);
	is_fifo(queue_at(t, "fq2"), TC_BFIFO, 15000);
	is_fifo(queue_at(t, "fqtime"), TC_BFIFO, 25000);
	is_fifo(queue_at(t, "codel"), TC_BFIFO, 3028);
	is_fifo(queue_at(t, "codelb"), TC_BFIFO, 1);
	tc_plan_free(t);
	policy_free(p);
}

/* ---- what cannot be had ---- */

static void lacking_kernels(void **state)
{
	struct policy *p = read_text(
		"links:\n"
		"- {name: up, rate: 1mbit, classes: [{name: a, default: true}]}\n"
		"- {name: down, direction: ingress, rate: 1mbit, classes: [{name: a, default: "
		"true}]}\n");
	static const struct {
		size_t lacks; /* offset in struct tc_can */
		bool egress;  /* is it needed there? */
		const char *what;
	} v[] = {
		{offsetof(struct tc_can, htb), true, "HTB"},
		{offsetof(struct tc_can, bpf), true, "CONFIG_NET_CLS_BPF"},
		{offsetof(struct tc_can, ingress), false, "ingress qdisc"},
		{offsetof(struct tc_can, ifb), false, "ifb"},
		{offsetof(struct tc_can, mirred), false, "MIRRED"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct tc_can can = CAN_ALL;
		struct tc_plan *t;

		((bool *)&can)[v[i].lacks] = false;
		t = try_plan(p, 0, &can, &ETHERNET);
		assert_int_equal(t == NULL, v[i].egress);
		tc_plan_free(t);
		assert_null(try_plan(p, 1, &can, &ETHERNET));
		assert_non_null(strstr(refused, v[i].what));
		assert_non_null(strstr(refused, "p.yaml:3:3: link \"down\""));
	}
	policy_free(p);
}

static void hostile_filters(void **state)
{
	static char text[60000], filter[32000];
	char broken[] = "links:\n- name: l\n  rate: 1mbit\n  classes:\n"
			"  - {name: a, match: tcp prot 22}\n  - {name: b, default: true}\n";
	struct policy *p;
	FILE *f;
	size_t n = 0;

	(void)state;
	p = read_text("links:\n- name: l\n  rate: 1mbit\n  classes:\n"
		      "  - {name: a, match: ip6 protochain 17}\n"
		      "  - {name: b, default: true}\n");
	assert_null(try_plan(p, 0, &CAN_ALL, &ETHERNET));
	assert_string_equal(refused,
			    "p.yaml:5:22: filter \"ip6 protochain 17\": the kernel does "
			    "not run it: its program has a loop (protochain)");
	policy_free(p);

	/* libpcap compiles it, the kernel has no room for it */
	for (unsigned i = 0; i < 950; i++)
		n += (size_t)snprintf(filter + n, sizeof(filter) - n, "%sip[%u:4]=ip[%u:4]",
				      i ? " or " : "", i, i + 1);
	snprintf(text, sizeof(text),
		 "links:\n- name: l\n  rate: 1mbit\n  classes:\n  - {name: a, match: '%s'}\n"
		 "  - {name: b, default: true}\n",
		 filter);
	p = read_text(text);
	assert_null(try_plan(p, 0, &CAN_ALL, &ETHERNET));
	assert_non_null(strstr(refused, "p.yaml:5:22: filter \"ip[0:4]=ip[1:4]"));
	assert_non_null(strstr(refused, "more than 4040 instructions"));
	policy_free(p);

	/* what is not compiled is told as it is elsewhere, and nothing else is said */
	f = fmemopen(broken, sizeof(broken) - 1, "r");
	assert_non_null(f);
	p = policy_read_uncompiled(f, "p.yaml", NULL);
	fclose(f);
	assert_non_null(p);
	assert_null(try_plan(p, 0, &CAN_ALL, &ETHERNET));
	assert_string_equal(refused, "");
	assert_non_null(strstr(told, "5:22 filter \"tcp prot 22\" is not compiled"));
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_policies),
		cmocka_unit_test(numbers_stay),
		cmocka_unit_test(hostile_sizes),
		cmocka_unit_test(depths),
		cmocka_unit_test(rates),
		cmocka_unit_test(extreme_rates),
		cmocka_unit_test(queues),
		cmocka_unit_test(nearest_queues),
		cmocka_unit_test(lacking_kernels),
		cmocka_unit_test(hostile_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
