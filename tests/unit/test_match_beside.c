/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Criteria that a packet's bytes do not tell: mark, mac, in-interface. */
#include "match_build.h"

#include <stdlib.h>
#include <string.h>

static const char POLICY[] =
	"links:\n"
	"- name: up\n"
	"  rate: 20mbit\n"
	"  classes:\n"
	"  - {name: vpn, mark: [0x10, 0x200/0xf00]}\n"
	"  - {name: tv, mac: [\"02:00:00:00:00:01\", 02-00-00-00-00-0A], match: tcp}\n"
	"  - {name: guests, in-interface: [guest0, ppp*], dscp: [cs0, ef]}\n"
	"  - name: all\n"
	"    match: udp\n"
	"    classes:\n"
	"    - {name: both, mark: 7, in-interface: lan, match: port 53}\n"
	"    - {name: rest, default: true}\n"
	"  - {name: rest, default: true}\n";

static struct dissect_meta meta(unsigned known, uint32_t mark, const char *in, uint8_t mac)
{
	struct dissect_meta m = {
		.known = (uint8_t)known, .mark = mark, .mac = {2, 0, 0, 0, 0, mac}};

	snprintf(m.in_name, sizeof(m.in_name), "%s", in);
	return m;
}

static const char *class_of(struct match *m, const struct packet *p,
			    const struct dissect_meta *meta)
{
	struct match_result res;
	struct dissected d;

	assert_int_equal(dissect_ip(p->b, p->len, p->len, &d), 0);
	assert_null(d.meta);
	d.meta = meta;
	match_packet(m, &d, 0, &res);
	return res.class->path;
}

#define ALL (DISSECT_KNOWS_MARK | DISSECT_KNOWS_MAC | DISSECT_KNOWS_IN)

static void test_kinds(void **state)
{
	static const struct {
		unsigned known, proto, port;
		uint32_t mark;
		const char *in;
		uint8_t mac;
		const char *class;
	} t[] = {
		{ALL, 6, 80, 0x10, "x", 9, "vpn"},
		{ALL, 6, 80, 0x7fc00010, "x", 9, "vpn"}, /* weir's own bits do not count */
		{ALL, 6, 80, 0x11, "x", 9, "rest"},
		{ALL, 6, 80, 0x12ff, "x", 9, "vpn"},
		{ALL, 6, 80, 0x13ff, "x", 9, "rest"},
		{DISSECT_KNOWS_MAC, 6, 80, 0x10, "x", 9, "rest"}, /* not known, no match */
		{ALL, 6, 80, 0, "x", 1, "tv"},
		{ALL, 6, 80, 0, "x", 10, "tv"},
		{ALL, 6, 80, 0, "x", 2, "rest"},
		{ALL & ~DISSECT_KNOWS_MAC, 6, 80, 0, "x", 1, "rest"},
		{ALL, 17, 80, 0, "x", 1, "all/rest"}, /* and: its filter does not take it */
		{ALL, 6, 80, 0, "guest0", 9, "guests"},
		{ALL, 6, 80, 0, "guest01", 9, "rest"},
		{ALL, 6, 80, 0, "guest", 9, "rest"},
		{ALL, 6, 80, 0, "ppp12", 9, "guests"},
		{ALL, 6, 80, 0, "pp", 9, "rest"},
		{ALL & ~DISSECT_KNOWS_IN, 6, 80, 0, "guest0", 9, "rest"},
		{ALL, 17, 53, 7, "lan", 9, "all/both"},
		{ALL, 17, 53, 7, "wan", 9, "all/rest"},
		{ALL, 17, 53, 6, "lan", 9, "all/rest"},
		{ALL, 17, 54, 7, "lan", 9, "all/rest"},
	};
	struct match_opts o = {0};
	struct policy *p = read_policy(POLICY);
	struct match *m = new_match(p, &o);
	struct packet k;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct dissect_meta x = meta(t[i].known, t[i].mark, t[i].in, t[i].mac);

		packet_v4(&k, t[i].proto, IN, OUT, 40000, t[i].port, 100);
		if (strcmp(class_of(m, &k, &x), t[i].class) != 0)
			fail_msg("%zu: %s", i, class_of(m, &k, &x));
	}
	packet_v4(&k, 6, IN, OUT, 40000, 80, 100);
	assert_string_equal(class_of(m, &k, NULL), "rest");
	match_free(m);
	policy_free(p);
}

/* All in one flow: what was decided for one packet says nothing of the next. */
static void test_within_a_flow(void **state)
{
	struct dissect_meta none = meta(ALL, 0, "x", 9), vpn = meta(ALL, 0x10, "x", 9),
			    tv = meta(ALL, 0, "x", 1), guest = meta(ALL, 0, "guest0", 9);
	struct match_opts o = {0};
	struct policy *p = read_policy(POLICY);
	struct match *m = new_match(p, &o);
	struct match_stats s;
	struct packet k;

	(void)state;
	packet_v4(&k, 6, IN, OUT, 40000, 80, 100);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(class_of(m, &k, &none), "rest");
		assert_string_equal(class_of(m, &k, &vpn), "vpn");
		assert_string_equal(class_of(m, &k, &tv), "tv");
		assert_string_equal(class_of(m, &k, &guest), "guests");
	}
	match_get_stats(m, &s);
	assert_int_equal(s.flows, 1);
	assert_int_equal(s.hits, 0);
	assert_int_equal(s.unknown_mark + s.unknown_mac + s.unknown_in, 0);
	class_of(m, &k, NULL);
	match_get_stats(m, &s);
	assert_int_equal(s.unknown_mark, 1);
	assert_int_equal(s.unknown_mac, 1);
	assert_int_equal(s.unknown_in, 1);
	assert_int_equal(match_asked(p->link[0]), ALL);
	match_free(m);
	policy_free(p);
}

/* Many classes have an index of their filters: those that ask for a mark stand beside it. */
static void test_many(void **state)
{
	struct match_opts o = {0};
	struct dissect_meta x;
	struct policy *p;
	struct match *m;
	struct packet k;
	char *text = NULL, want[16];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	fputs("links:\n- name: up\n  rate: 20mbit\n  classes:\n", f);
	for (unsigned i = 0; i < 40; i++)
		fprintf(f,
			"  - {name: m%u, mark: %u, match: tcp}\n  - {name: h%u, match: host "
			"10.0.0.%u}\n",
			i, i + 1, i, i + 1);
	fputs("  - {name: rest, default: true}\n", f);
	fclose(f);
	p = read_policy(text);
	m = new_match(p, &o);
	for (unsigned i = 0; i < 40; i++) {
		packet_v4(&k, 6, IN, 0x0a000001 + i, 40000, 80, 100);
		for (unsigned mark = 0; mark < 42; mark++) {
			x = meta(ALL, mark, "x", 9);
			/* in file order: m0, h0, m1, h1 ... */
			snprintf(want, sizeof(want), mark && mark - 1 <= i ? "m%u" : "h%u",
				 mark && mark - 1 <= i ? mark - 1 : i);
			assert_string_equal(class_of(m, &k, &x), want);
		}
	}
	match_free(m);
	policy_free(p);
	free(text);
}

static void check_says(const char *classes, const char *expect)
{
	char text[2048];
	struct policy *p;
	struct policy_report r;

	snprintf(text, sizeof(text), "links:\n- name: l\n  rate: 1mbit\n  classes:\n%s",
		 classes);
	r = report();
	p = policy_read_mem(text, strlen(text), "test", &r);
	if (!p)
		fail_msg("%s", told);
	r = report();
	match_check(p, &r);
	if (strcmp(told, expect) != 0)
		fail_msg("for\n%s\nexpected\n%sand was told\n%s", text, expect, told);
	policy_free(p);
}

/* What can be proved of them: only that the same was asked before. No false alarms. */
static void test_check(void **state)
{
	(void)state;
	check_says("  - {name: a, mark: 1}\n  - {name: b, mark: 2}\n"
		   "  - {name: c, mac: 02:00:00:00:00:01}\n  - {name: d, in-interface: lan}\n"
		   "  - {name: e, match: ip}\n  - {name: r, default: true}\n",
		   "");
	check_says("  - {name: a, mark: 1}\n  - {name: b, mark: 1, match: tcp}\n"
		   "  - {name: r, default: true}\n",
		   "6:31 error: class \"b\" can never match: \"a\" before it takes all of its "
		   "traffic\n");
	check_says("  - {name: a, mark: 0x10/0x10}\n  - {name: b, mark: 0x30/0xf0}\n"
		   "  - {name: r, default: true}\n",
		   "6:21 error: class \"b\" can never match: \"a\" before it takes all of its "
		   "traffic\n");
	check_says("  - {name: a, mark: 0x30/0xf0}\n  - {name: b, mark: 0x10/0x10}\n"
		   "  - {name: r, default: true}\n",
		   "");
	check_says("  - {name: a, in-interface: ppp*}\n  - {name: b, in-interface: [ppp0, "
		   "pppoe*]}\n"
		   "  - {name: c, in-interface: pp*}\n  - {name: r, default: true}\n",
		   "6:30 error: class \"b\" can never match: \"a\" before it takes all of its "
		   "traffic\n");
	/* two kinds: a takes only some of b's */
	check_says("  - {name: a, mark: 1, mac: 02:00:00:00:00:01}\n  - {name: b, mark: 1}\n"
		   "  - {name: r, default: true}\n",
		   "");
	check_says("  - {name: a, mark: 1}\n  - {name: b, mark: 1, mac: 02:00:00:00:00:01}\n"
		   "  - {name: r, default: true}\n",
		   "6:21 error: class \"b\" can never match: \"a\" before it takes all of its "
		   "traffic\n");
	/* what a parent asks for counts */
	check_says("  - {name: a, mark: 1}\n  - name: p\n    mark: [1, 2]\n    classes:\n"
		   "    - {name: x, mark: 1}\n    - {name: y, mark: 2}\n"
		   "    - {name: z, mark: [1, 2], match: tcp}\n"
		   "    - {name: r, default: true}\n  - {name: r, default: true}\n",
		   "9:23 error: class \"x\" can never match: \"a\" before it takes all of its "
		   "traffic\n");
	/* a default is not left with nothing by those who ask for a mark */
	check_says("  - {name: a, match: ip}\n  - {name: b, match: ip6, mark: 1}\n"
		   "  - {name: r, default: true}\n",
		   "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_within_a_flow),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("match_beside", tests, NULL, NULL);
}
