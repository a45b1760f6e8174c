/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading policies that are right: every key, every default, effective values, warnings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qos/policy.h"

#include <stdlib.h>
#include <string.h>

static char said[8192];

static void listen(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text)
{
	size_t n = strlen(said);

	(void)arg;
	(void)file;
	snprintf(said + n, sizeof(said) - n, "%d:%d: %s%s\n", at.line, at.col,
		 sev == POLICY_WARNING ? "warning: " : "", text);
}

/* A policy that must be read, with these complaints and no others. */
static struct policy *must_read(const char *text, const char *complaints)
{
	struct policy_report r = {.fn = listen};
	struct policy *p;

	said[0] = '\0';
	p = policy_read_mem(text, strlen(text), "p.yaml", &r);
	if (!p || strcmp(said, complaints) != 0)
		fail_msg("complaints:\n%s", said);
	assert_int_equal(r.errors, 0);
	return p;
}

/* A link of 20 mbit with these further keys of the link, and these classes in flow style. */
static struct policy *one_link(const char *keys, const char *classes)
{
	char text[4096];

	snprintf(text, sizeof(text), "links:\n- {name: wan, rate: 20mbit, %s classes: [%s]}\n",
		 keys, classes);
	return must_read(text, "");
}

static const struct policy_class *class_of(const struct policy *p, const char *path)
{
	const struct policy_class *c = policy_find_class(p->link[0], path);

	assert_non_null(c);
	return c;
}

static void defaults(void **state)
{
	struct policy *p = one_link("", "{name: a, default: true}");
	const struct policy_link *l = p->link[0];
	const struct policy_class *c = class_of(p, "a"), *root = class_of(p, "");

	(void)state;
	assert_string_equal(p->file, "p.yaml");
	assert_int_equal(p->n_inside, 7);
	assert_false(p->inside_set);
	assert_null(l->interface);
	assert_true(l->direction == POLICY_EGRESS && l->backend == POLICY_BACKEND_QUEUE);
	assert_int_equal(l->capture.n, 0);
	assert_int_equal(l->rate.bps, 20000000);
	assert_int_equal(l->overhead, 14);
	assert_int_equal(l->mpu, 0);
	assert_int_equal(l->linklayer, POLICY_LL_ETHERNET);
	assert_int_equal(l->burst, 2 * 1514);
	assert_int_equal(l->n_all, 3);
	assert_ptr_equal(l->all[2], l->control.class);
	assert_ptr_equal(l->root, root);
	assert_ptr_equal(l->all[0], root);
	assert_ptr_equal(l->all[1], c);
	assert_int_equal(root->scheduler, POLICY_SCHED_WFQ);
	assert_string_equal(root->path, "");
	assert_null(root->parent);
	assert_ptr_equal(c->parent, root);
	assert_ptr_equal(c->link, l);
	assert_int_equal(c->index, 1);
	assert_true(c->is_default);
	assert_int_equal(c->match.n, 0);
	assert_int_equal(c->dscp, 0);
	assert_int_equal(c->min_bps, 0);
	assert_int_equal(c->max.bps, 0);
	assert_int_equal(c->min_burst, 0);
	assert_int_equal(c->max_burst, 0);
	assert_int_equal(c->weight, 1);
	assert_false(c->weight_set);
	assert_false(c->priority_set);
	assert_int_equal(c->queue, POLICY_QUEUE_FQ_CODEL);
	assert_int_equal(c->limit_packets, 10240);
	assert_int_equal(c->limit_bytes, 0);
	assert_int_equal(c->target, 5000000);
	assert_int_equal(c->interval, 100000000);
	assert_int_equal(c->flows, 1024);
	assert_int_equal(c->quantum, 1514);
	assert_true(c->ecn);
	assert_int_equal(c->isolation, POLICY_ISO_FLOWS);
	assert_int_equal(c->flow_max.bps, 0);
	assert_int_equal(c->host_max.bps, 0);
	assert_int_equal(c->deadline, 0);
	assert_int_equal(c->set_dscp, -1);
	assert_int_equal(c->max_latency, 0);
	assert_int_equal(c->max_jitter, 0);
	policy_free(p);
}

static void every_key(void **state)
{
	struct policy *p = must_read(
		"inside: [10.1.0.0/16, 192.0.2.7, \"2001:db8::/32\", \"::1\"]\n"
		"links:\n"
		"  - name: up\n"
		"    interface: ppp0\n"
		"    capture: [src net 10.0.0.0/8, \"ip6\"]\n"
		"    rate: 8mbit\n"
		"    overhead: 20\n"
		"    mpu: 64\n"
		"    linklayer: atm\n"
		"    burst: 20kib\n"
		"    scheduler: priority\n"
		"    classes:\n"
		"      - name: A.b_c-1\n"
		"        match:\n"
		"          - udp port 5060\n"
		"          - udp port 5061\n"
		"        dscp: [ef, cs0, 63]\n"
		"        min: 12.5%\n"
		"        max: 4mbit\n"
		"        burst: 5kb\n"
		"        priority: -7\n"
		"        queue: codel\n"
		"        limit: 60p\n"
		"        target: 1.5ms\n"
		"        interval: 0.2s\n"
		"        ecn: false\n"
		"        deadline: 50ms\n"
		"        max-latency: 20ms\n"
		"        max-jitter: 500us\n"
		"        set-dscp: af41\n"
		"      - name: inner\n"
		"        dscp: 1\n"
		"        priority: 1\n"
		"        scheduler: drr\n"
		"        max-latency: 1s\n"
		"        classes:\n"
		"          - {name: x, match: tcp, weight: 1000000, flows: 65536, quantum: "
		"300b,\n"
		"             isolation: dual-dsthost, flow-max: 1mbit, host-max: 25%}\n"
		"          - {name: y, default: true, queue: fifo, set-dscp: 0, weight: 2}\n"
		"      - {name: z, priority: 2, default: true, scheduler: fair,\n"
		"         classes: [{name: d, default: true}]}\n",
		"");
	const struct policy_link *l = policy_find_link(p, "up");
	const struct policy_class *a = class_of(p, "A.b_c-1"), *x = class_of(p, "inner/x"),
				  *y = class_of(p, "inner/y"), *in = class_of(p, "inner");

	(void)state;
	assert_true(p->inside_set);
	assert_int_equal(p->n_inside, 4);
	assert_int_equal(p->inside[1].family, 4);
	assert_int_equal(p->inside[1].plen, 32);
	assert_int_equal(p->inside[2].plen, 32);
	assert_int_equal(p->inside[3].plen, 128);
	assert_int_equal(p->inside[3].addr[15], 1);
	assert_string_equal(l->interface, "ppp0");
	assert_int_equal(l->capture.n, 2);
	assert_string_equal(l->capture.v[1].text, "ip6");
	assert_int_equal(l->capture.v[1].mark.line, 5);
	assert_int_equal(l->capture.v[1].mark.col, 35);
	assert_int_equal(l->overhead, 20);
	assert_int_equal(l->mpu, 64);
	assert_int_equal(l->linklayer, POLICY_LL_ATM);
	assert_int_equal(l->burst, 20480);
	assert_int_equal(l->root->scheduler, POLICY_SCHED_PRIORITY);
	assert_int_equal(a->match.n, 2);
	assert_string_equal(a->match.v[1].text, "udp port 5061");
	assert_int_equal(a->match.v[1].mark.line, 16);
	assert_true(a->dscp == (1ULL << 46 | 1 | 1ULL << 63));
	assert_int_equal(a->dscp_mark.line, 17);
	assert_int_equal(a->min.bps, 1000000);
	assert_int_equal(a->min.percent, 1250);
	assert_int_equal(a->min_bps, 1000000);
	assert_int_equal(a->max.bps, 4000000);
	assert_int_equal(a->burst, 5000);
	assert_int_equal(a->min_burst, 5000);
	assert_int_equal(a->max_burst, 5000);
	assert_int_equal(a->priority, -7);
	assert_true(a->priority_set);
	assert_int_equal(a->queue, POLICY_QUEUE_CODEL);
	assert_int_equal(a->limit_packets, 60);
	assert_int_equal(a->target, 1500000);
	assert_int_equal(a->interval, 200000000);
	assert_false(a->ecn);
	assert_int_equal(a->deadline, 50000000);
	assert_int_equal(a->max_latency, 20000000);
	assert_int_equal(a->max_jitter, 500000);
	assert_int_equal(a->set_dscp, 34);
	assert_int_equal(in->scheduler, POLICY_SCHED_DRR);
	assert_int_equal(in->n_child, 2);
	assert_int_equal(in->max_latency, 1000000000);
	assert_true(in->dscp == 2);
	assert_int_equal(x->weight, 1000000);
	assert_true(x->weight_set);
	assert_int_equal(x->flows, 65536);
	assert_int_equal(x->quantum, 300);
	assert_int_equal(x->isolation, POLICY_ISO_DUAL_DSTHOST);
	assert_int_equal(x->flow_max.bps, 1000000);
	assert_int_equal(x->host_max.bps, 2000000);
	assert_string_equal(x->path, "inner/x");
	assert_int_equal(y->set_dscp, 0);
	assert_false(y->ecn);
	assert_int_equal(y->limit_packets, 1000);
	assert_int_equal(class_of(p, "z")->scheduler, POLICY_SCHED_FAIR);
	assert_int_equal(l->n_all, 8);
	for (size_t i = 0; i < l->n_all; i++) { /* root first, parents before children */
		assert_int_equal(l->all[i]->index, i);
		assert_true(!i || l->all[i]->parent->index < i);
	}
	policy_free(p);
}

static void words(void **state)
{
	static const char *const scheds[] = {"fifo", "fair", "drr", "wfq", "priority"};
	static const char *const isos[] = {"flows", "srchost", "dsthost", "dual-srchost",
					   "dual-dsthost"};
	char text[400];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct policy *p;

		snprintf(text, sizeof(text),
			 "{name: a, default: true, priority: 1, isolation: %s}", isos[i]);
		p = one_link("scheduler: priority,", text);
		assert_string_equal(policy_isolation_name(class_of(p, "a")->isolation),
				    isos[i]);
		policy_free(p);
		snprintf(text, sizeof(text), "scheduler: %s,", scheds[i]);
		p = one_link(text, i == 4 ? "{name: a, default: true, priority: 0}"
					  : "{name: a, default: true}");
		assert_string_equal(policy_scheduler_name(p->link[0]->root->scheduler),
				    scheds[i]);
		policy_free(p);
	}
}

/* tc-cake(8): "Equivalent to overhead N ..." */
/* Copied from tc, which counts from the Ethernet header: it may be meant, but hardly is. */
static void negative_overheads(void **state)
{
	static const struct {
		int bytes;
		const char *says;
	} t[] = {
		{-4, "tc counts from the Ethernet header: did you mean 10?"},
		{-14, "tc counts from the Ethernet header: did you mean 0?"},
		{-15, "overhead -15: no line takes less than the IP packet, from which weir "
		      "counts\n"},
		{-64, "overhead -64: no line takes less than the IP packet, from which weir "
		      "counts\n"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct policy_report r = {.fn = listen};
		struct policy *p;

		said[0] = '\0';
		snprintf(text, sizeof(text),
			 "links:\n- name: w\n  rate: 1mbit\n  overhead: %d\n"
			 "  classes: [{name: a, default: true}]\n",
			 t[i].bytes);
		p = policy_read_mem(text, strlen(text), "t", &r);
		assert_non_null(p);
		assert_int_equal(r.warnings, 1);
		assert_non_null(strstr(said, t[i].says));
		assert_int_equal(p->link[0]->overhead, t[i].bytes);
		policy_free(p);
	}
}

static void overheads(void **state)
{
	static const struct {
		const char *keys;
		int overhead, mpu, layer;
	} t[] = {
		{"overhead: raw,", 14, 0, POLICY_LL_ETHERNET},
		{"overhead: conservative,", 48, 0, POLICY_LL_ATM},
		{"overhead: ethernet,", 38, 84, POLICY_LL_ETHERNET},
		{"overhead: ether-vlan,", 4, 0, POLICY_LL_ETHERNET},
		{"overhead: docsis,", 18, 64, POLICY_LL_ETHERNET},
		{"overhead: pppoe-ptm,", 30, 0, POLICY_LL_PTM},
		{"overhead: bridged-ptm,", 22, 0, POLICY_LL_PTM},
		{"overhead: pppoa-vcmux,", 10, 0, POLICY_LL_ATM},
		{"overhead: pppoa-llc,", 14, 0, POLICY_LL_ATM},
		{"overhead: pppoe-vcmux,", 32, 0, POLICY_LL_ATM},
		{"overhead: pppoe-llcsnap,", 40, 0, POLICY_LL_ATM},
		{"overhead: bridged-vcmux,", 24, 0, POLICY_LL_ATM},
		{"overhead: bridged-llcsnap,", 32, 0, POLICY_LL_ATM},
		{"overhead: ipoa-vcmux,", 8, 0, POLICY_LL_ATM},
		{"overhead: ipoa-llcsnap,", 16, 0, POLICY_LL_ATM},
		{"overhead: [docsis, ether-vlan, ether-vlan],", 26, 64, POLICY_LL_ETHERNET},
		{"overhead: [bridged-ptm, ether-vlan],", 26, 0, POLICY_LL_PTM},
		{"overhead: 0,", 0, 0, POLICY_LL_ETHERNET},
		{"overhead: 18b,", 18, 0, POLICY_LL_ETHERNET},
		{"overhead: 65535,", 65535, 0, POLICY_LL_ETHERNET},
		/* what is written goes over the preset's, wherever it stands */
		{"mpu: 0, linklayer: ptm, overhead: docsis,", 18, 0, POLICY_LL_PTM},
		{"overhead: docsis, mpu: 90b, linklayer: atm,", 18, 90, POLICY_LL_ATM},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct policy *p = one_link(t[i].keys, "{name: a, default: true}");

		if (p->link[0]->overhead != t[i].overhead ||
		    p->link[0]->mpu != (uint32_t)t[i].mpu ||
		    (int)p->link[0]->linklayer != t[i].layer)
			fail_msg("%s: %d %u %d", t[i].keys, p->link[0]->overhead,
				 p->link[0]->mpu, p->link[0]->linklayer);
		policy_free(p);
	}
}

static void charge(void **state)
{
	struct policy_link l = {.overhead = 14};

	(void)state;
	assert_int_equal(policy_charge(&l, 1500), 1514);
	l.mpu = 64;
	assert_int_equal(policy_charge(&l, 20), 64);
	assert_int_equal(policy_charge(&l, 50), 64);
	assert_int_equal(policy_charge(&l, 51), 65);
	l.linklayer = POLICY_LL_ATM; /* 64 bytes are two cells */
	assert_int_equal(policy_charge(&l, 20), 106);
	l.overhead = 8;
	l.mpu = 0;
	assert_int_equal(policy_charge(&l, 40), 53);
	assert_int_equal(policy_charge(&l, 41), 106);
	assert_int_equal(policy_charge(&l, 1500), 32 * 53);
	l.linklayer = POLICY_LL_PTM;
	assert_int_equal(policy_charge(&l, 56), 65);
	assert_int_equal(policy_charge(&l, 57), 67);
	l.linklayer = POLICY_LL_ETHERNET;
	l.overhead = -64;
	assert_int_equal(policy_charge(&l, 20), 1);
	assert_int_equal(policy_charge(&l, 64), 1);
	assert_int_equal(policy_charge(&l, 65), 1);
	assert_int_equal(policy_charge(&l, 66), 2);
	l.linklayer = POLICY_LL_ATM;
	assert_int_equal(policy_charge(&l, 0), 53);
	assert_true(policy_charge(&l, UINT32_MAX) == UINT32_MAX);
	/* against the definition, for every length */
	for (uint32_t n = 0; n < 70000; n++) {
		uint32_t bytes = n + 30 > 100 ? n + 30 : 100, atm = 0, ptm = bytes;

		for (uint32_t left = bytes; left; left -= left < 48 ? left : 48)
			atm += 53;
		for (uint32_t left = bytes; left; left -= left < 64 ? left : 64)
			ptm++;
		l = (struct policy_link){.overhead = 30, .mpu = 100};
		assert_int_equal(policy_charge(&l, n), bytes);
		l.linklayer = POLICY_LL_ATM;
		assert_int_equal(policy_charge(&l, n), atm);
		l.linklayer = POLICY_LL_PTM;
		assert_int_equal(policy_charge(&l, n), ptm);
	}
}

static void bursts(void **state)
{
	struct policy *p = must_read(
		"links:\n"
		"- {name: fast, rate: 1gbit, classes: [\n"
		"   {name: a, match: tcp, min: 100mbit, max: 500mbit},\n"
		"   {name: b, match: udp, min: 1mbit, max: 100mbit, flow-max: 1mbit,\n"
		"    host-max: 80mbit, burst: 7kb},\n"
		"   {name: c, default: true}]}\n",
		"");
	const struct policy_class *a = class_of(p, "a"), *b = class_of(p, "b");

	(void)state;
	assert_int_equal(p->link[0]->burst, 125000); /* 1 ms */
	assert_int_equal(a->min_burst, 12500);
	assert_int_equal(a->max_burst, 62500);
	assert_int_equal(b->min_burst, 7000);
	assert_int_equal(b->max_burst, 7000);
	assert_int_equal(b->flow_burst, 2 * 1514);
	assert_int_equal(b->host_burst, 10000);
	policy_free(p);
}

static void limits(void **state)
{
	static const struct {
		const char *keys;
		uint64_t bytes;
		uint32_t packets;
	} t[] = {
		{"limit: 60p", 0, 60},
		{"limit: 64kb", 64000, 1000},
		{"limit: 2kb", 2000, 31},
		{"limit: 10gb", 10000000000, 1000000},
		{"limit: 2mib, queue: fifo", 2097152, 32768},
		{"limit: 10ms", 25000, 390}, /* at the link's rate */
		{"limit: 10ms, max: 8mbit", 10000, 156},
		{"queue: fifo", 0, 1000},
		{"queue: codel", 0, 1000},
		{"queue: fq_codel", 0, 10240},
		{"limit: 10000000p", 0, 10000000},
	};
	char text[200];
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "{name: a, default: true, %s}", t[i].keys);
		p = one_link("", text);
		if (class_of(p, "a")->limit_bytes != t[i].bytes ||
		    class_of(p, "a")->limit_packets != t[i].packets)
			fail_msg("%s: %llu %u", t[i].keys,
				 (unsigned long long)class_of(p, "a")->limit_bytes,
				 class_of(p, "a")->limit_packets);
		policy_free(p);
	}
	/* the nearest max above counts, and a queue of no time still has a limit */
	p = must_read(
		"links:\n"
		"- {name: w, rate: 1gbit, classes: [{name: a, default: true, max: 8mbit,\n"
		"   classes: [{name: b, default: true, limit: 100ms},\n"
		"             {name: c, match: tcp, limit: 1ns}]}]}\n",
		"4:43: warning: limit of 1b holds less than one full packet (1514 bytes on "
		"this link)\n");
	assert_int_equal(class_of(p, "a/b")->limit_bytes, 100000);
	assert_int_equal(class_of(p, "a/c")->limit_bytes, 1);
	assert_int_equal(class_of(p, "a/c")->limit_packets, 16);
	policy_free(p);
}

static void effective_min(void **state)
{
	struct policy *p = must_read("links:\n"
				     "- name: w\n"
				     "  rate: 20mbit\n"
				     "  classes:\n"
				     "  - name: a\n"
				     "    match: tcp\n"
				     "    min: 2mbit\n"
				     "    classes:\n"
				     "    - {name: b, match: port 1, min: 3mbit}\n"
				     "    - {name: c, default: true, min: 15%}\n"
				     "  - name: d\n"
				     "    min: 5mbit\n"
				     "    match: udp\n"
				     "    classes: [{name: e, default: true, min: 1mbit}]\n"
				     "  - {name: f, default: true, min: 9mbit}\n",
				     "");

	(void)state;
	assert_int_equal(class_of(p, "a")->min.bps, 2000000);
	assert_int_equal(class_of(p, "a")->min_bps, 6000000);
	assert_int_equal(class_of(p, "a")->min_burst, 2 * 1514);
	assert_int_equal(class_of(p, "d")->min_bps, 5000000);
	assert_int_equal(class_of(p, "f")->min_bps, 9000000);
	policy_free(p);
}

static void warnings(void **state)
{
	policy_free(must_read(
		"links:\n"
		"- name: w\n"
		"  interface: eth0\n"
		"  rate: 10mbit\n"
		"  scheduler: fair\n"
		"  classes:\n"
		"  - {name: a, match: tcp, max: 11mbit, weight: 3}\n"
		"  - {name: b, match: tcp, burst: 2b, priority: 2}\n"
		"  - {name: c, match: tcp, deadline: 1ms, max-latency: 2ms}\n"
		"  - {name: d, default: true, limit: 1b, interval: 1ms, flow-max: 11mbit}\n"
		"- {name: x, interface: eth1, rate: 1mbit, backend: mark, direction: ingress, "
		"classes: [{name: a, default: true}]}\n",
		"7:32: warning: max of 11mbit is never reached: the link's rate is 10mbit\n"
		"7:40: warning: weight has no effect: the scheduler of link \"w\" is \"fair\", "
		"which "
		"has no weights\n"
		"8:27: warning: burst has no effect without min or max\n"
		"8:38: warning: priority has no effect: the scheduler of link \"w\" is "
		"\"fair\", not "
		"\"priority\"\n"
		"9:37: warning: deadline of 1ms is shorter than one full packet takes at "
		"10mbit "
		"(1211200ns)\n"
		"9:55: warning: max-latency can never be missed: what waits longer than the "
		"deadline "
		"is dropped\n"
		"10:37: warning: limit of 1b holds less than one full packet (1514 bytes on "
		"this "
		"link)\n"
		"10:51: warning: interval is shorter than target: CoDel's interval is about a "
		"round-trip time, its target 5 to 10 % of that\n"
		"10:66: warning: flow-max of 11mbit is never reached: the link's rate is "
		"10mbit\n"
		"11:52: warning: weir run refuses backend \"mark\" with direction \"ingress\": "
		"where it classifies, packets are past the kernel's classes for what comes "
		"in\n"));
	(void)state;
}

/* An interface has two ways; a link on each is no mistake. */
static void both_ways(void **state)
{
	struct policy *p =
		must_read("links:\n"
			  "- {name: up, interface: ppp0, rate: 1mbit, backend: mark,\n"
			  "   classes: [{name: a, default: true}]}\n"
			  "- {name: down, interface: ppp0, rate: 9mbit, direction: ingress,\n"
			  "   backend: kernel, classes: [{name: a, default: true}]}\n",
			  "");

	(void)state;
	assert_true(p->link[0]->direction == POLICY_EGRESS &&
		    p->link[0]->backend == POLICY_BACKEND_MARK);
	assert_true(p->link[1]->direction == POLICY_INGRESS &&
		    p->link[1]->backend == POLICY_BACKEND_KERNEL);
	assert_string_equal(policy_direction_name(p->link[1]->direction), "ingress");
	assert_string_equal(policy_backend_name(p->link[1]->backend), "kernel");
	policy_free(p);
}

static void find(void **state)
{
	struct policy *p = one_link("", "{name: a, default: true, classes: [{name: b, default: "
					"true}]}, {name: ab, match: tcp}");
	const struct policy_link *l = policy_find_link(p, "wan");

	(void)state;
	assert_null(policy_find_link(p, "wa"));
	assert_non_null(l);
	assert_string_equal(policy_find_class(l, "a/b")->path, "a/b");
	assert_string_equal(policy_find_class(l, "ab")->path, "ab");
	assert_ptr_equal(policy_find_class(l, ""), l->root);
	assert_null(policy_find_class(l, "b"));
	assert_null(policy_find_class(l, "a/"));
	assert_null(policy_find_class(l, "/a"));
	assert_null(policy_find_class(l, "a/b/c"));
	assert_null(policy_find_class(l, "a//b"));
	policy_free(p);
	policy_free(NULL);
}

/* Eight levels are allowed; test_policy_bad has the ninth. */
static void eight_levels(void **state)
{
	char text[2000];
	int n = snprintf(text, sizeof(text), "links: [{name: w, rate: 1mbit");
	struct policy *p;

	(void)state;
	for (int i = 0; i < POLICY_DEPTH_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      ", classes: [{name: a, default: true");
	for (int i = 0; i < POLICY_DEPTH_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "}]");
	snprintf(text + n, sizeof(text) - (size_t)n, "}]\n");
	p = must_read(text, "");
	assert_int_equal(p->link[0]->n_all, POLICY_DEPTH_MAX + 2);
	policy_free(p);
}

static void streams(void **state)
{
	static char text[] =
		"links: [{name: w, rate: 1mbit, classes: [{name: a, default: true}]}]";
	struct policy_report r = {.fn = listen};
	FILE *f = fmemopen(text, sizeof(text) - 1, "r");
	struct policy *p = policy_read(f, "p.yaml", &r);

	(void)state;
	assert_non_null(p);
	policy_free(p);
	fclose(f);
	said[0] = '\0';
	f = fopen("/", "r"); /* a directory opens, but cannot be read */
	assert_non_null(f);
	assert_null(policy_read(f, "p.yaml", &r));
	fclose(f);
	assert_non_null(strstr(said, "0:0: cannot be read: "));
	said[0] = '\0';
	assert_null(policy_read_mem(text, (size_t)POLICY_SIZE_MAX + 1, "p.yaml", &r));
	assert_string_equal(said, "0:0: larger than a policy may be (256 MiB)\n");
	assert_int_equal(r.errors, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key),
		cmocka_unit_test(words),
		cmocka_unit_test(overheads),
		cmocka_unit_test(negative_overheads),
		cmocka_unit_test(charge),
		cmocka_unit_test(bursts),
		cmocka_unit_test(limits),
		cmocka_unit_test(effective_min),
		cmocka_unit_test(warnings),
		cmocka_unit_test(both_ways),
		cmocka_unit_test(find),
		cmocka_unit_test(eight_levels),
		cmocka_unit_test(streams),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
