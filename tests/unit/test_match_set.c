/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classes that ask for a set of addresses, and sets that change while flows go on. */
#include "match_build.h"

#include "qos/addrset.h"

#include <stdlib.h>
#include <string.h>

static const char POLICY[] = "links:\n"
			     "- name: up\n"
			     "  rate: 20mbit\n"
			     "  classes:\n"
			     "  - {name: from, set: {file: a, match: src}}\n"
			     "  - {name: to, set: {file: a, match: dst}, match: udp}\n"
			     "  - {name: any, set: [b, {nft: inet filter kids}]}\n"
			     "  - {name: rest, default: true}\n";

static struct addrset *set_of(uint32_t addr)
{
	struct policy_net n = {4,
			       32,
			       {(uint8_t)(addr >> 24), (uint8_t)(addr >> 16),
				(uint8_t)(addr >> 8), (uint8_t)addr}};
	struct addrset *s = addrset_new();

	if (addr)
		addrset_add_net(s, &n);
	addrset_seal(s);
	return s;
}

static const char *class_of(struct match *m, const struct packet *p, uint64_t now)
{
	struct match_result res;
	struct dissected d;

	assert_int_equal(dissect_ip(p->b, p->len, p->len, &d), 0);
	match_packet(m, &d, now, &res);
	return res.class->path;
}

static void sides(void **state)
{
	struct match_opts o = {0};
	struct policy *p = read_policy(POLICY);
	struct match *m;
	struct packet k;

	(void)state;
	assert_int_equal(p->n_set, 3);
	policy_set_give(p, 0, set_of(0x0a000001));
	policy_set_give(p, 1, set_of(0x0a000002));
	policy_set_give(p, 2, set_of(0x0a000003));
	m = new_match(p, &o);
	packet_v4(&k, 6, 0x0a000001, 0x0a000009, 1, 2, 100);
	assert_string_equal(class_of(m, &k, 0), "from");
	packet_v4(&k, 6, 0x0a000009, 0x0a000001, 1, 2, 100);
	assert_string_equal(class_of(m, &k, 0), "rest");
	packet_v4(&k, 17, 0x0a000009, 0x0a000001, 1, 2, 100);
	assert_string_equal(class_of(m, &k, 0), "to");
	packet_v4(&k, 6, 0x0a000009, 0x0a000002, 1, 2, 100);
	assert_string_equal(class_of(m, &k, 0), "any");
	packet_v4(&k, 6, 0x0a000003, 0x0a000009, 1, 2, 100);
	assert_string_equal(class_of(m, &k, 0), "any");
	match_free(m);
	policy_free(p);
}

/* A flow is decided once while the sets are the same, and anew when one has changed. */
static void changes(void **state)
{
	const uint64_t tick = 1u << 24;
	struct addrset *with = set_of(0x0a000001), *without = set_of(0);
	struct match_opts o = {0};
	struct policy *p = read_policy(POLICY);
	struct match_stats s;
	uint64_t now = 10 * tick, evaluated;
	struct match *m;
	struct packet k, idle;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		policy_set_give(p, i, set_of(0));
	m = new_match(p, &o);
	packet_v4(&k, 6, 0x0a000001, 0x0a000009, 1, 2, 100);
	packet_v4(&idle, 6, 0x0a000001, 0x0a000009, 7, 7, 100);
	assert_string_equal(class_of(m, &idle, 1), "rest");
	for (unsigned i = 0; i < 20; i++) {
		bool in = i % 2;

		for (unsigned n = 0; n < 9; n++) {
			assert_string_equal(class_of(m, &k, now), in ? "from" : "rest");
			now += i % 3 ? tick / 5 : tick * 3;
		}
		match_get_stats(m, &s);
		evaluated = s.evaluated;
		assert_string_equal(class_of(m, &k, now += 2 * tick), in ? "from" : "rest");
		assert_string_equal(class_of(m, &k, now += 2 * tick), in ? "from" : "rest");
		match_get_stats(m, &s);
		assert_true(s.evaluated <= evaluated + 1); /* not for ever after a change */
		match_set(m, 0, in ? without : with);
		/* in the same moment as well */
		assert_string_equal(class_of(m, &k, now), in ? "rest" : "from");
		/* and back within it */
		match_set(m, 0, in ? with : without);
		assert_string_equal(class_of(m, &k, now), in ? "from" : "rest");
		match_set(m, 0, in ? without : with);
	}
	/* one that was silent all the time */
	match_set(m, 0, with);
	assert_string_equal(class_of(m, &idle, now + 40 * tick), "from");
	match_free(m);
	policy_free(p);
	addrset_free(with);
	addrset_free(without);
}

/* One that is not known is told at its place, and only where a class asks for it. */
static void unknown(void **state)
{
	struct match_opts o = {0};
	struct policy *p = read_policy(POLICY);
	struct policy_report r = report();

	(void)state;
	policy_set_give(p, 0, set_of(0));
	policy_set_give(p, 1, set_of(0));
	assert_null(match_new(p, &o, &r));
	assert_non_null(
		strstr(told, "7:32 error: what the nft set \"inet filter kids\" holds"));
	policy_free(p);
}

static void check_says(const char *classes, const char *expect)
{
	char text[2048];
	struct policy *p;
	struct policy_report r;

	snprintf(text, sizeof(text), "links:\n- name: l\n  rate: 1mbit\n  classes:\n%s",
		 classes);
	p = read_policy(text);
	r = report();
	match_check(p, &r);
	assert_string_equal(told, expect);
	policy_free(p);
}

static void check(void **state)
{
	(void)state;
	check_says("  - {name: a, set: x}\n  - {name: b, set: y}\n"
		   "  - {name: c, set: {file: x, match: src}, match: tcp}\n"
		   "  - {name: r, default: true}\n",
		   "7:50 error: class \"c\" can never match: \"a\" before it takes all of its "
		   "traffic\n");
	check_says("  - {name: a, set: {file: x, match: src}}\n  - {name: b, set: x}\n"
		   "  - {name: c, set: {nft: ip x x}}\n  - {name: d, match: ip}\n"
		   "  - {name: r, default: true}\n",
		   "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sides),
		cmocka_unit_test(changes),
		cmocka_unit_test(unknown),
		cmocka_unit_test(check),
	};

	return cmocka_run_group_tests_name("match_set", tests, NULL, NULL);
}
