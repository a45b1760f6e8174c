/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packets go by the queue that is read first: its programs are run on packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/pcap.h>

#include "gw/protect.h"
#include "qos/link_control.h"

/* What xt_bpf makes of it: the packet from its IP header on. */
static bool runs(const struct sock_filter *code, unsigned n, const uint8_t *ip, uint32_t len)
{
	struct bpf_insn in[TC_XT_BPF_MAX];

	assert_in_range(n, 1, TC_XT_BPF_MAX);
	for (unsigned i = 0; i < n; i++)
		in[i] = (struct bpf_insn){code[i].code, code[i].jt, code[i].jf, code[i].k};
	assert_true(bpf_validate(in, (int)n));
	return bpf_filter(in, ip, len, len) != 0;
}

static bool takes(const struct protect_rule *r, const uint8_t *ip, uint32_t len)
{
	for (unsigned i = 0; i < PROTECT_AND; i++)
		if (r->n[i] && !runs(r->insn[i], r->n[i], ip, len))
			return false;
	return true;
}

static bool any_takes(const struct protect *p, const uint8_t *ip, uint32_t len)
{
	for (size_t i = 0; i < p->n_rule; i++)
		if (takes(&p->rule[i], ip, len))
			return true;
	return false;
}

static struct policy *read_policy(const char *link)
{
	char text[4096];
	struct policy *p;

	snprintf(text, sizeof(text), "links:\n  - {name: up, rate: 20mbit, %s}\n", link);
	p = policy_read_mem(text, strlen(text), "p.yaml", NULL);
	assert_non_null(p);
	return p;
}

static void build(struct protect *to, const struct policy *p)
{
	assert_int_equal(protect_build(to, p->link[0]), 0);
}

/* IPv4 and UDP to a port, from a port, with a DSCP. */
static const uint8_t *udp(uint16_t from, uint16_t to, unsigned dscp)
{
	static uint8_t ip[40];

	memset(ip, 0, sizeof(ip));
	ip[0] = 0x45;
	ip[1] = (uint8_t)(dscp << 2);
	ip[3] = sizeof(ip);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, (const uint8_t[]){10, 77, 1, 2, 10, 77, 2, 2}, 8);
	ip[20] = (uint8_t)(from >> 8);
	ip[21] = (uint8_t)from;
	ip[22] = (uint8_t)(to >> 8);
	ip[23] = (uint8_t)to;
	return ip;
}

static void test_promised(void **state)
{
	struct policy *p = read_policy(
		"classes: [{name: min, match: udp port 5000, min: 1mbit},"
		"{name: deadline, match: udp port 5001, deadline: 20ms},"
		"{name: latency, match: [udp port 5002, udp port 5012], max-latency: 20ms},"
		"{name: dscp, dscp: ef, max-jitter: 5ms},"
		"{name: nothing, match: udp port 5003, weight: 9, max: 1mbit},"
		"{name: rest, default: true, min: 1mbit}]");
	struct protect t;

	(void)state;
	build(&t, p);
	assert_int_equal(t.n_rule, 5);
	assert_int_equal(t.promised, 5);
	assert_int_equal(t.untold, 0);
	for (uint16_t port = 5000; port < 5003; port++) {
		assert_true(any_takes(&t, udp(4000, port, 0), 40));
		assert_true(any_takes(&t, udp(port, 4000, 0), 40));
	}
	assert_true(any_takes(&t, udp(4000, 5012, 0), 40));
	assert_true(any_takes(&t, udp(4000, 5003, 46), 40));
	assert_false(any_takes(&t, udp(4000, 5003, 0), 40));
	assert_false(any_takes(&t, udp(4000, 5003, 45), 40));
	assert_false(any_takes(&t, udp(4000, 80, 0), 40));
	protect_free(&t);
	policy_free(p);
}

/* What is above a class is asked as well, where one program says it. */
static void test_levels(void **state)
{
	struct policy *p = read_policy(
		"classes: [{name: work, match: net 10.77.1.0/24, classes: ["
		"{name: call, match: udp port 5000, min: 1mbit}, {name: o, default: true}]},"
		"{name: rest, default: true}]");
	struct protect t;
	uint8_t other[40];

	(void)state;
	build(&t, p);
	assert_int_equal(t.n_rule, 1);
	assert_int_equal(t.promised, 1); /* the min of "work" is not written */
	assert_true(any_takes(&t, udp(4000, 5000, 0), 40));
	memcpy(other, udp(4000, 5000, 0), 40);
	other[14] = 9;
	assert_false(any_takes(&t, other, 40));
	protect_free(&t);
	policy_free(p);
}

/* What would part a flow, or cannot be seen there, has no rule. */
static void test_untold(void **state)
{
	struct policy *p =
		read_policy("classes: [{name: acks, match: \"tcp[13] & 0x10 != 0 and less "
			    "100\", min: 1mbit},"
			    "{name: mac, mac: \"02:00:5e:10:00:01\", min: 1mbit},"
			    "{name: set, set: hosts.txt, min: 1mbit},"
			    "{name: both, match: [udp port 5000, less 100], min: 1mbit},"
			    "{name: rest, default: true}]");
	struct protect t;

	(void)state;
	build(&t, p);
	assert_int_equal(t.promised, 4);
	assert_int_equal(t.untold, 4);
	assert_int_equal(t.n_rule, 1); /* the part of "both" that can be told */
	assert_true(any_takes(&t, udp(4000, 5000, 0), 40));
	protect_free(&t);
	policy_free(p);
}

/* No more rules than are worth their cost. */
static void test_many(void **state)
{
	char *text = malloc(1 << 16), *at = text;
	struct policy *p;
	struct protect t;

	(void)state;
	assert_non_null(text);
	at += sprintf(at, "links: [{name: up, rate: 1gbit, classes: [");
	for (int i = 0; i < 300; i++)
		at += sprintf(at, "{name: c%d, match: udp port %d, min: 1mbit},", i, 5000 + i);
	at += sprintf(at, "{name: rest, default: true}]}]");
	p = policy_read_mem(text, (size_t)(at - text), "p.yaml", NULL);
	assert_non_null(p);
	build(&t, p);
	assert_int_equal(t.n_rule, PROTECT_RULES_MAX);
	assert_int_equal(t.promised, 300);
	assert_int_equal(t.untold, 300 - PROTECT_RULES_MAX);
	protect_free(&t);
	policy_free(p);
	free(text);
}

static bool control_takes(const struct protect *t, const uint8_t *ip, uint32_t len)
{
	for (size_t i = 0; i < t->n_control; i++)
		if (takes(&t->control[i], ip, len))
			return true;
	return false;
}

/* A packet that each kind's filter takes comes past the first look, and is taken. */
static void test_control(void **state)
{
	struct policy *p = read_policy("classes: [{name: rest, default: true}]");
	const struct policy_class *c = p->link[0]->control.class;
	struct protect t;

	(void)state;
	build(&t, p);
	assert_int_equal(t.n_control, c->match.n);
	assert_true(t.look.n[0] > 0);
	for (size_t i = 0; i < c->match.n; i++) {
		const struct filter_list self = {&c->match.compiled[i], 1};
		uint8_t ip[128] = {0};
		uint32_t len;

		assert_int_equal(filter_reachable(&self, NULL, 0, NULL, 0, ip, &len), 1);
		len = len < sizeof(ip) ? len : sizeof(ip);
		assert_true(filter_match(self.v, ip, len, len));
		assert_true(takes(&t.look, ip, len));
		assert_true(control_takes(&t, ip, len));
	}
	assert_false(takes(&t.look, udp(4000, 5000, 0), 40));
	assert_true(takes(&t.look, udp(4000, 67, 0), 40)); /* and then */
	assert_false(control_takes(&t, udp(4000, 67, 0), 40));
	protect_free(&t);
	policy_free(p);
}

/* A filter of one's own is always looked at; and there may be none at all. */
static void test_own_control(void **state)
{
	struct policy *p = read_policy(
		"control: [dhcp, udp port 4500], classes: [{name: rest, default: true}]");
	struct protect t;

	(void)state;
	build(&t, p);
	assert_int_equal(t.look.n[0], 0);
	assert_int_equal(t.n_control, 2);
	assert_true(control_takes(&t, udp(4000, 4500, 0), 40));
	protect_free(&t);
	policy_free(p);
	p = read_policy("control: none, classes: [{name: rest, default: true}]");
	build(&t, p);
	assert_int_equal(t.n_control + t.n_rule, 0);
	protect_free(&t);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promised), cmocka_unit_test(test_levels),
		cmocka_unit_test(test_untold),	 cmocka_unit_test(test_many),
		cmocka_unit_test(test_control),	 cmocka_unit_test(test_own_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
