/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The canonical form: it is a policy, it means the same and it prints the same, for
 * policies made at random from all keys, and for a filter with every character.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qos/policy.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 3000

static char said[4096];

static void listen(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text)
{
	(void)arg;
	(void)sev;
	snprintf(said, sizeof(said), "%s:%d:%d: %s", file, at.line, at.col, text);
}

static char *print(const struct policy *p)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(policy_print(p, out), 0);
	fclose(out);
	return text;
}

static void same_rate(const struct policy_rate *a, const struct policy_rate *b)
{
	assert_true(a->bps == b->bps && a->percent == b->percent);
}

static void same_filters(const struct policy_filters *a, const struct policy_filters *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_string_equal(a->v[i].text, b->v[i].text);
}

/* Below priority, those of one number share by weight. */
static bool has_equal(const struct policy_class *c)
{
	for (size_t i = 0; i < c->parent->n_child; i++)
		if (c->parent->scheduler == POLICY_SCHED_PRIORITY && c->parent->child[i] != c &&
		    c->parent->child[i]->priority == c->priority)
			return true;
	return false;
}

static void same_beside(const struct policy_beside *a, const struct policy_beside *b)
{
	assert_true(!a == !b);
	if (!a)
		return;
	assert_int_equal(a->n_mark, b->n_mark);
	assert_int_equal(a->n_mac, b->n_mac);
	assert_int_equal(a->n_in, b->n_in);
	assert_int_equal(a->n_set, b->n_set);
	for (size_t i = 0; i < a->n_set; i++) {
		assert_string_equal(a->set[i].set->text, b->set[i].set->text);
		assert_int_equal(a->set[i].set->nft, b->set[i].set->nft);
		assert_int_equal(a->set[i].side, b->set[i].side);
	}
	for (size_t i = 0; i < a->n_mark; i++)
		assert_true(a->mark[i].value == b->mark[i].value &&
			    a->mark[i].mask == b->mark[i].mask);
	for (size_t i = 0; i < a->n_mac; i++)
		assert_memory_equal(a->mac[i], b->mac[i], 6);
	for (size_t i = 0; i < a->n_in; i++) {
		assert_string_equal(a->in[i].name, b->in[i].name);
		assert_true(a->in[i].n == b->in[i].n && a->in[i].prefix == b->in[i].prefix);
	}
}

/* All that a schedule or a report depends on. */
static void same_class(const struct policy_class *a, const struct policy_class *b)
{
	assert_string_equal(a->path, b->path);
	assert_int_equal(a->n_child, b->n_child);
	same_filters(&a->match, &b->match);
	same_beside(a->beside, b->beside);
	assert_true(a->dscp == b->dscp && a->is_default == b->is_default);
	assert_true(a->min_bps == b->min_bps && a->min_burst == b->min_burst);
	same_rate(&a->max, &b->max);
	assert_true(a->max_burst == b->max_burst);
	/* a weight that has no effect is not printed */
	if (a->parent && !a->control &&
	    (a->parent->scheduler == POLICY_SCHED_DRR ||
	     a->parent->scheduler == POLICY_SCHED_WFQ || has_equal(a)))
		assert_int_equal(a->weight, b->weight);
	if (a->parent && a->parent->scheduler == POLICY_SCHED_PRIORITY)
		assert_int_equal(a->priority, b->priority);
	assert_true(a->max_latency == b->max_latency && a->max_jitter == b->max_jitter);
	if (a->n_child) {
		assert_int_equal(a->scheduler, b->scheduler);
		return;
	}
	assert_int_equal(a->queue, b->queue);
	assert_true(a->limit_packets == b->limit_packets && a->limit_bytes == b->limit_bytes);
	assert_true(a->target == b->target && a->interval == b->interval);
	assert_true(a->flows == b->flows && a->quantum == b->quantum && a->ecn == b->ecn);
	assert_int_equal(a->isolation, b->isolation);
	assert_memory_equal(a->host_prefix, b->host_prefix, 2);
	same_rate(&a->flow_max, &b->flow_max);
	same_rate(&a->host_max, &b->host_max);
	assert_true(a->flow_burst == b->flow_burst && a->host_burst == b->host_burst);
	assert_true(a->deadline == b->deadline && a->set_dscp == b->set_dscp);
}

static void same_policy(const struct policy *a, const struct policy *b)
{
	assert_int_equal(a->n_inside, b->n_inside);
	assert_memory_equal(a->inside, b->inside, a->n_inside * sizeof(*a->inside));
	assert_int_equal(a->n_link, b->n_link);
	for (size_t i = 0; i < a->n_link; i++) {
		const struct policy_link *x = a->link[i], *y = b->link[i];

		assert_string_equal(x->name, y->name);
		assert_true(!x->interface == !y->interface);
		assert_int_equal(policy_interfaces(x), policy_interfaces(y));
		for (size_t k = 0; k < policy_interfaces(x); k++)
			assert_string_equal(policy_interface(x, k), policy_interface(y, k));
		assert_true(x->direction == y->direction && x->backend == y->backend);
		assert_int_equal(x->accepted, y->accepted);
		same_filters(&x->capture, &y->capture);
		same_rate(&x->rate, &y->rate);
		assert_true(x->overhead == y->overhead && x->mpu == y->mpu &&
			    x->linklayer == y->linklayer && x->burst == y->burst);
		assert_int_equal(x->n_all, y->n_all);
		assert_true(!x->control.class == !y->control.class);
		if (x->control.class)
			same_rate(&x->control.rate, &y->control.rate);
		for (size_t j = 0; j < x->n_all; j++)
			same_class(x->all[j], y->all[j]);
	}
}

/* Its filters may be any text. */
static struct policy *read_any(const char *text, const char *name, struct policy_report *r)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	struct policy *p;

	assert_non_null(f);
	p = policy_read_uncompiled(f, name, r);
	fclose(f);
	return p;
}

/* Read, print, read, print. */
static void round_trip(const char *text)
{
	struct policy_report r = {.fn = listen}, again = {.fn = listen};
	struct policy *p = read_any(text, "first.yaml", &r), *q;
	char *a, *b;

	if (!p)
		fail_msg("%s\n%s", said, text);
	a = print(p);
	q = read_any(a, "again.yaml", &again);
	if (!q || again.warnings > r.warnings)
		fail_msg("%s\n%s", said, a);
	same_policy(p, q);
	b = print(q);
	assert_string_equal(a, b);
	free(a);
	free(b);
	policy_free(p);
	policy_free(q);
}

/* ---- policies at random ---- */

static uint64_t seed = 7;
static char buf[200000];
static size_t len;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	len += (size_t)vsnprintf(buf + len, sizeof(buf) - len, fmt, ap);
	va_end(ap);
}

/* A key one time in three. */
#define MAYBE(...) \
	do { \
		if (!rnd(3)) \
			add(__VA_ARGS__); \
	} while (0)

static const char *pick(const char *const *v, uint32_t n)
{
	return v[rnd(n)];
}

static const char *const arounds[] = {"bridge", "flowtable", "xdp", "filter", "qdisc"};
static bool kernel; /* of the link: it has no sets */
static const char *const backends[] = {"queue", "mark", "kernel"};
static const char *const scheds[] = {"fifo", "fair", "drr", "wfq", "priority"};
static const char *const isos[] = {"flows", "srchost", "dsthost", "dual-srchost",
				   "dual-dsthost"};
static const char *const limits[] = {"60p", "100kb", "5ms", "1mib", "0.5s", "3b"};
static const char *const queues[] = {"fifo", "codel", "fq_codel"};
static const char *const controls[] = {"none", "nd", "[bfd, 'tcp port 179', nd]",
				       "'arp or ip6'"};
static const char *const presets[] = {"raw",
				      "conservative",
				      "docsis",
				      "pppoe-ptm",
				      "[ethernet, ether-vlan]",
				      "bridged-llcsnap",
				      "-10",
				      "200"};

static void add_leaf(void)
{
	const char *q = rnd(2) ? pick(queues, 3) : NULL;
	bool codel = !q || strcmp(q, "fifo") != 0, fq = !q || strcmp(q, "fq_codel") == 0;

	if (q)
		add(", queue: %s", q);
	MAYBE(", limit: %s", pick(limits, 6));
	MAYBE(", deadline: %uus", 1 + rnd(100000));
	MAYBE(", set-dscp: %u", rnd(64));
	MAYBE(", flow-max: %ukbit", 1 + rnd(2000));
	MAYBE(", host-prefix: [%u, %u]", 1 + rnd(32), 1 + rnd(128));
	MAYBE(", host-max: %u.%02u%%", rnd(100), 1 + rnd(99));
	if (codel) {
		MAYBE(", target: %u.%ums", 1 + rnd(9), rnd(10));
		MAYBE(", interval: %ums", 1 + rnd(200));
		MAYBE(", ecn: %s", rnd(2) ? "true" : "false");
	}
	if (fq) {
		MAYBE(", flows: %u", 1 + rnd(65536));
		MAYBE(", quantum: %u", 64 + rnd(2000));
		MAYBE(", isolation: %s", pick(isos, 5));
	}
}

static void add_classes(int depth, const char *sched, uint32_t kbit)
{
	uint32_t n = 1 + rnd(4), chosen = rnd(n);

	add(", classes: [");
	for (uint32_t i = 0; i < n; i++) {
		const char *below = pick(scheds, 5);
		uint32_t min = rnd(2) ? 1 + rnd(kbit / n) : 0;

		add("%s{name: c%u", i ? ", " : "", i);
		if (i == chosen)
			add(", default: true");
		else
			add(", match: 'tcp port %u'", rnd(65536));
		MAYBE(", dscp: [%u, %u]", rnd(64), rnd(64));
		MAYBE(", mark: [%u, 0x%x/0x%x]", rnd(1u << 22), 5u & (7u << rnd(2)),
		      0x7u | 1u << rnd(20));
		MAYBE(", mac: ['02:00:00:00:%02x:01', 02-00-00-00-00-%02X]", rnd(256),
		      rnd(256));
		if (!kernel)
			MAYBE(", set: [hosts%u.txt, {nft: inet filter s%u, match: src}, {file: "
			      "'a b/#:%u'}]",
			      rnd(3), rnd(3), rnd(3));
		MAYBE(", in-interface: ['eth%u.7', \"a'*\", br-%u*]", rnd(9), rnd(9));
		if (strcmp(sched, "priority") == 0)
			add(", priority: %d", (int)rnd(20) - 10);
		MAYBE(", weight: %u", 1 + rnd(1000));
		if (min)
			add(", min: %ukbit", min);
		MAYBE(", max: %ukbit", kbit + rnd(1000));
		MAYBE(", burst: %ukb", 4 + rnd(100));
		MAYBE(", max-latency: %ums", 1 + rnd(100));
		MAYBE(", max-jitter: %uus", 1 + rnd(100));
		if (depth < 4 && !rnd(3) && kbit / n > 20) {
			add(", scheduler: %s", below);
			add_classes(depth + 1, below, kbit / n);
		} else {
			add_leaf();
		}
		add("}");
	}
	add("]");
}

static void random_policies(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t links = 1 + rnd(3);

		len = 0;
		MAYBE("inside: [10.%u.0.0/16, 'fd00:%x::/32']\n", rnd(256), rnd(65536));
		add("links:\n");
		for (uint32_t l = 0; l < links; l++) {
			const char *sched = pick(scheds, 5);
			uint32_t kbit = 1000 + rnd(100000);

			add("- {name: l%u, rate: %ukbit, scheduler: %s", l, kbit, sched);
			MAYBE(", direction: %s", rnd(2) ? "egress" : "ingress");
			uint32_t b = rnd(2) ? rnd(3) : 0;

			kernel = b == 2;
			if (b || rnd(2))
				add(", backend: %s", backends[b]);
			if (!b && rnd(2))
				add(", interface: [eth%u, lan%u.7, x%u]", 3 * l + rnd(3), l, l);
			else if (rnd(2))
				add(", interface: eth%u", 3 * l + rnd(3));
			MAYBE(", accepted-warnings: [%s, %s]", pick(arounds, 5),
			      pick(arounds, 5));
			MAYBE(", capture: ['src net 10.0.0.0/8', 'ip6 and tcp[0] = %u']",
			      rnd(256));
			MAYBE(", overhead: %s", pick(presets, 8));
			MAYBE(", mpu: %u", rnd(100));
			MAYBE(", linklayer: %s", rnd(2) ? "atm" : "ethernet");
			MAYBE(", burst: %ukb", 4 + rnd(1000));
			MAYBE(", control: %s", pick(controls, 4));
			MAYBE(", control-rate: %u.%02u%%", rnd(20), 1 + rnd(99));
			add_classes(1, sched, kbit);
			add("}\n");
		}
		assert_true(len < sizeof(buf));
		round_trip(buf);
	}
}

/* ---- text that needs care ---- */

static void filters_of_any_kind(void **state)
{
	static const char *const texts[] = {
		"tcp",
		"tcp port 22",
		"- tcp",
		"tcp: 22",
		"tcp # 22",
		"# tcp",
		"tcp[13] & 2 != 0",
		"not (src net fc00::/7 or \\\"x\\\")",
		"' tcp'",
		" tcp ",
		"true",
		"null",
		"~",
		"*a",
		"&a",
		"!a",
		"a\\nb\\n",
		"\\t",
		"\\u20ac \\U0001F30A \\u0085 \\u2028 \\uFEFF",
		"\\\\",
		"%",
		"@x",
		"`x",
		"---",
		"...",
		"a, b",
		"[a]",
		"{a: b}",
		"? a",
		"a:",
		"-",
		"0x10",
		"|",
		">",
	};
	char text[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(text, sizeof(text),
			 "links: [{name: w, rate: 1mbit, capture: \"%s\", classes: [{name: a, "
			 "match: [\"%s\", tcp], default: true}]}]",
			 texts[i], texts[i]);
		round_trip(text);
	}
}

static void every_character(void **state)
{
	char text[70000];
	size_t n = 0;

	(void)state;
	n += (size_t)sprintf(text,
			     "links: [{name: w, rate: 1mbit, classes: [{name: a, match: \"");
	for (unsigned c = 1; c < 0x3000; c += c < 0x100 ? 1 : 13)
		n += (size_t)sprintf(text + n, "\\u%04x", c);
	/* longer than what libyaml takes for a key */
	for (unsigned i = 0; i < 3000; i++)
		n += (size_t)sprintf(text + n, "or port %u ", i);
	sprintf(text + n, "\", default: true}]}]");
	round_trip(text);
}

static void golden(void **state)
{
	static const char text[] =
		"links: [{name: wan, rate: 20mbit, overhead: docsis, control: [nd, tcp "
		"port 179], classes: [\n"
		"  {name: call, dscp: [ef, cs5], min: 5%, max: 60mbit},\n"
		"  {name: rest, default: true, limit: 20ms, queue: fifo,\n"
		"   flow-max: 1mbit}]}]\n";
	struct policy_report r = {0};
	struct policy *p = policy_read_mem(text, strlen(text), "p.yaml", &r);
	char *printed;

	(void)state;
	assert_non_null(p);
	assert_int_equal(r.warnings, 1);
	printed = print(p);
	assert_string_equal(printed,
			    "inside:\n"
			    "  - \"10.0.0.0/8\"\n"
			    "  - \"172.16.0.0/12\"\n"
			    "  - \"192.168.0.0/16\"\n"
			    "  - \"100.64.0.0/10\"\n"
			    "  - \"169.254.0.0/16\"\n"
			    "  - \"fc00::/7\"\n"
			    "  - \"fe80::/10\"\n"
			    "links:\n"
			    "  - name: wan\n"
			    "    direction: egress\n"
			    "    backend: queue\n"
			    "    rate: 20mbit\n"
			    "    overhead: docsis\n"
			    "    mpu: 64b\n"
			    "    linklayer: ethernet\n"
			    "    burst: 3036b\n"
			    "    control:\n"
			    "      - nd  # ip6[6] = 58 and ip6[7] = 255 and ip6[40] >= "
			    "133 and ip6[40] <= 137\n"
			    "      - tcp port 179\n"
			    "    control-rate: 200kbit  # burst 3036b\n"
			    "    scheduler: wfq\n"
			    "    classes:\n"
			    "      - name: call\n"
			    "        dscp: [cs5, ef]\n"
			    "        min: 5%  # 1mbit\n"
			    "        max: 60mbit\n"
			    "        # burst: 3036b for min, 7500b for max\n"
			    "        weight: 1\n"
			    "        queue: fq_codel\n"
			    "        limit: 10240p\n"
			    "        target: 5ms\n"
			    "        interval: 100ms\n"
			    "        ecn: true\n"
			    "        flows: 1024\n"
			    "        quantum: 1518b\n"
			    "        isolation: flows\n"
			    "      - name: rest\n"
			    "        default: true\n"
			    "        weight: 1\n"
			    "        queue: fifo\n"
			    "        limit: 20ms  # 50kb and 781p\n"
			    "        flow-max: 1mbit  # burst 3036b\n");
	free(printed);
	policy_free(p);
}

static void full_device(void **state)
{
	static const char text[] =
		"links: [{name: w, rate: 1mbit, classes: [{name: a, default: "
		"true}]}]";
	struct policy_report r = {0};
	struct policy *p = policy_read_mem(text, strlen(text), "p.yaml", &r);
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(p);
	assert_non_null(out);
	assert_int_equal(policy_print(p, out), -1);
	fclose(out);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),	   cmocka_unit_test(filters_of_any_kind),
		cmocka_unit_test(every_character), cmocka_unit_test(random_policies),
		cmocka_unit_test(full_device),
	};

	return cmocka_run_group_tests_name("policy_print", tests, NULL, NULL);
}
