/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The matcher: what it decides. */
#include "match_build.h"

#define SECOND 1000000000ULL

static struct match_result put(struct match *m, const struct packet *p, uint64_t now)
{
	struct match_result res;
	struct dissected d;

	assert_int_equal(dissect_ip(p->b, p->len, p->len, &d), 0);
	match_packet(m, &d, now, &res);
	return res;
}

static void check(struct match *m, const struct packet *p, const char *link, const char *path)
{
	for (unsigned i = 0; i < 2; i++) { /* decided, and from the table */
		struct match_result r = put(m, p, 0);

		if (!link) {
			assert_null(r.link);
			assert_null(r.class);
			continue;
		}
		assert_non_null(r.link);
		assert_string_equal(r.link->name, link);
		assert_string_equal(r.class->path, path);
		assert_ptr_equal(r.class->link, r.link);
	}
}

static void test_walk(void **state)
{
	struct match_opts o = {0};
	struct policy *p = read_policy(PLAIN);
	struct match *m = new_match(p, &o);
	struct packet k;

	(void)state;
	packet_v4(&k, 17, IN, OUT, 12000, 5060, 100);
	check(m, &k, "up", "rest"); /* a class that is listed first, and default, waits */
	k.b[1] = 46 << 2;
	check(m, &k, "up", "voice"); /* dscp and match */
	k.b[1] = 40 << 2;
	check(m, &k, "up", "voice");
	k.b[1] = 34 << 2;
	check(m, &k, "up", "marked"); /* dscp only */
	k.b[1] = 0;
	check(m, &k, "up", "rest");
	packet_v4(&k, 6, IN, OUT, 40000, 22, 0);
	check(m, &k, "up", "work/ssh");
	packet_v4(&k, 17, IN, 0x0a080001, 40000, 53, 100);
	check(m, &k, "up", "work/vpn"); /* the first that matches */
	packet_v4(&k, 17, IN, OUT, 40000, 53, 100);
	check(m, &k, "up", "dns");
	packet_v4(&k, 17, IN, OUT, 40000, 53, 10); /* the same flow, and short */
	check(m, &k, "up", "small");
	packet_v4(&k, 17, IN, OUT, 40000, 53, 100);
	check(m, &k, "up", "dns");
	packet_v4(&k, 17, OUT, IN, 53, 40000, 100);
	check(m, &k, "down", "udp");
	packet_v4(&k, 6, OUT, IN, 53, 40000, 100);
	check(m, &k, "down", "some"); /* a default with a match */
	packet_v4(&k, 1, OUT, IN, 53, 40000, 100);
	check(m, &k, "down", "some");
	packet_v4(&k, 6, OUT, 0x01010101, 53, 40000, 100);
	check(m, &k, NULL, NULL);
	packet_v6(&k, 6, 1, 2, 53, 40000, 100);
	check(m, &k, "up", "dns");
	packet_v4(&k, 17, IN, IN + 1, 1, 2, 100);
	check(m, &k, "up", "rest"); /* the first link that takes it */
	match_free(m);
	/* only one link: everything is on it */
	o.only = policy_find_link(p, "down");
	m = new_match(p, &o);
	packet_v4(&k, 6, IN, OUT, 40000, 22, 0);
	check(m, &k, "down", "some");
	packet_v4(&k, 17, OUT, 0x01010101, 40000, 22, 0);
	check(m, &k, "down", "udp");
	match_free(m);
	policy_free(p);
}

static void test_hits(void **state)
{
	struct match_opts o = {0};
	struct policy *p = read_policy(PLAIN);
	struct match *m = new_match(p, &o);
	struct match_stats s;
	struct packet k;

	(void)state;
	packet_v4(&k, 6, IN, OUT, 40000, 22, 0);
	for (unsigned i = 0; i < 10; i++)
		put(m, &k, i);
	match_get_stats(m, &s);
	assert_int_equal(s.packets, 10);
	assert_int_equal(s.evaluated, 1);
	assert_int_equal(s.hits, 9);
	assert_int_equal(s.flows, 1);
	k.b[1] = 34 << 2; /* another DSCP, which was asked: again, then kept for it */
	put(m, &k, 11);
	put(m, &k, 12);
	match_get_stats(m, &s);
	assert_int_equal(s.evaluated, 2);
	assert_int_equal(s.hits, 10);
	packet_v4(&k, 17, IN, OUT, 40000, 53, 100);
	for (unsigned i = 0; i < 10; i++) /* past "less 60": every packet anew */
		put(m, &k, 20 + i);
	match_get_stats(m, &s);
	assert_int_equal(s.evaluated, 12);
	packet_v4(&k, 17, OUT, IN, 53, 40000, 100);
	put(m, &k, 40);
	put(m, &k, 41);
	k.b[1] = 34 << 2; /* on this link nobody asks */
	put(m, &k, 42);
	match_get_stats(m, &s);
	assert_int_equal(s.evaluated, 13);
	assert_int_equal(s.flows, 3);
	assert_int_equal(s.packets, s.hits + s.evaluated);
	match_free(m);
	policy_free(p);
}

static void test_hosts(void **state)
{
	struct match_opts o = {0};
	struct policy *p = read_policy(PLAIN);
	struct match *m = new_match(p, &o);
	struct match_result a, b;
	struct packet k;

	(void)state;
	/* one end inside: that one, whichever way the packet goes */
	packet_v4(&k, 6, IN, OUT, 40000, 22, 0); /* ssh: isolation flows, no host-max */
	a = put(m, &k, 0);
	assert_true(a.host == 0 && a.src == 0 && a.dst == 0);
	packet_v4(&k, 17, IN, 0x0a080001, 1, 2, 100); /* both inside: the destination here */
	a = put(m, &k, 0);
	assert_string_equal(a.class->path, "work/vpn");
	assert_true(a.src != a.dst);
	assert_int_equal((uint32_t)a.host, a.dst);
	packet_v4(&k, 17, OUT, IN, 1, 2, 100);
	b = put(m, &k, 0);
	assert_int_equal((uint32_t)b.host, b.dst);
	assert_true(b.host != a.host);
	assert_int_equal(b.dst, a.src); /* the same host from both sides */
	packet_v4(&k, 17, OUT + 1, IN, 1, 2, 100);
	a = put(m, &k, 0);
	assert_true(a.host == b.host);
	assert_true(a.src != b.src && a.flow != b.flow);
	a = put(m, &k, 0); /* from the table the same */
	assert_true(a.host == b.host);
	match_free(m);
	policy_free(p);
}

static void test_inside(void **state)
{
	struct match_opts o = {.key = {1, 2, 3}};
	struct policy *p = read_policy("inside: [8.8.0.0/17, \"2001:db8::/125\"]\n"
				       "links:\n"
				       "  - name: l\n"
				       "    rate: 1gbit\n"
				       "    classes:\n"
				       "      - {name: c, default: true, host-max: 1mbit}\n");
	struct match *m = new_match(p, &o);
	struct match_result r;
	struct packet k;

	(void)state;
	packet_v4(&k, 6, IN, 0x08087fff, 1, 2, 0);
	r = put(m, &k, 0);
	assert_int_equal((uint32_t)r.host, r.dst);
	packet_v4(&k, 6, IN, 0x08088000, 1, 2, 0); /* neither: the source */
	r = put(m, &k, 0);
	assert_int_equal((uint32_t)r.host, r.src);
	packet_v6(&k, 6, 8, 7, 1, 2, 0);
	r = put(m, &k, 0);
	assert_int_equal((uint32_t)r.host, r.dst);
	packet_v6(&k, 6, 8, 9, 1, 2, 0);
	r = put(m, &k, 0);
	assert_int_equal((uint32_t)r.host, r.src);
	match_free(m);
	policy_free(p);
}

static void test_fragments(void **state)
{
	struct match_opts o = {.frags_max = 2};
	struct policy *p = read_policy(PLAIN);
	struct match *m = new_match(p, &o);
	struct match_result whole, first, later;
	struct match_stats s;
	struct packet k;
	uint8_t *e;

	(void)state;
	packet_v4(&k, 17, IN, OUT, 40000, 53, 200);
	whole = put(m, &k, 0);
	fragment4(&k, 7, 100, true);
	later = put(m, &k, 0); /* before its first one: by what it says itself */
	assert_string_equal(later.class->path, "rest");
	assert_true(later.flow != whole.flow);
	fragment4(&k, 7, 0, true);
	first = put(m, &k, 0);
	assert_string_equal(first.class->path, "dns");
	assert_true(first.flow == whole.flow);
	fragment4(&k, 7, 100, true);
	later = put(m, &k, 30 * SECOND);
	assert_string_equal(later.class->path, "dns");
	assert_true(later.flow == whole.flow && later.slot == first.slot);
	assert_string_equal(later.link->name, "up");
	later = put(m, &k, 31 * SECOND); /* too late */
	assert_string_equal(later.class->path, "rest");
	fragment4(&k, 8, 100, false);
	assert_string_equal(put(m, &k, 31 * SECOND).class->path, "rest");
	match_get_stats(m, &s);
	assert_int_equal(s.frags_followed, 1);
	assert_int_equal(s.frags_orphan, 3);
	assert_int_equal(s.packets, s.hits + s.evaluated + s.frags_followed);
	/* what was on no link stays so */
	packet_v4(&k, 6, OUT, 0x01010101, 1, 2, 100);
	fragment4(&k, 9, 0, true);
	assert_null(put(m, &k, 40 * SECOND).link);
	fragment4(&k, 9, 20, false);
	assert_null(put(m, &k, 40 * SECOND).link);
	match_get_stats(m, &s);
	assert_int_equal(s.frags_followed, 2);
	/* IPv6: libpcap's ports are those behind the fixed header, so "port 53" is none here */
	packet_v6(&k, 6, 1, 2, 40000, 22, 100);
	whole = put(m, &k, 50 * SECOND);
	assert_string_equal(whole.class->path, "work/ssh");
	e = packet_ext(&k, 44, 8);
	e[1] = 0;
	e[3] = 1;
	first = put(m, &k, 50 * SECOND);
	assert_string_equal(first.class->path, "rest");
	assert_true(first.flow == whole.flow); /* still one flow: its order is kept */
	e[2] = 1;
	later = put(m, &k, 50 * SECOND);
	assert_true(later.flow == whole.flow && later.class == first.class);
	/* no more than two are remembered */
	packet_v4(&k, 17, IN, OUT, 40000, 53, 200);
	for (unsigned id = 1; id <= 3; id++) {
		fragment4(&k, id, 0, true);
		put(m, &k, 100 * SECOND);
	}
	for (unsigned id = 1; id <= 3; id++) {
		fragment4(&k, id, 50, true);
		assert_string_equal(put(m, &k, 100 * SECOND).class->path,
				    id == 1 ? "rest" : "dns");
	}
	match_free(m);
	policy_free(p);
}

static void test_flow_memory(void **state)
{
	struct match_opts o = {.flows_max = 1};
	struct policy *p = read_policy(PLAIN);
	struct match *m = new_match(p, &o);
	struct match_result a, b;
	struct match_stats s;
	struct packet k;

	(void)state;
	packet_v4(&k, 6, IN, OUT, 1, 22, 0);
	a = put(m, &k, 0);
	assert_non_null(match_flow(m, a.slot, a.flow));
	assert_int_equal(match_flow(m, a.slot, a.flow)->seen, 0);
	match_flow(m, a.slot, a.flow)->last_delay = 77;
	match_flow(m, a.slot, a.flow)->seen = true;
	put(m, &k, 1);
	assert_int_equal(match_flow(m, a.slot, a.flow)->last_delay, 77);
	packet_v4(&k, 6, IN, OUT, 2, 22, 0);
	b = put(m, &k, 2); /* takes its place */
	assert_int_equal(a.slot, b.slot);
	assert_null(match_flow(m, a.slot, a.flow));
	assert_int_equal(match_flow(m, b.slot, b.flow)->seen, 0);
	assert_null(match_flow(m, MATCH_NO_SLOT, b.flow));
	assert_null(match_flow(m, 5, b.flow));
	match_get_stats(m, &s);
	assert_int_equal(s.flows, 1);
	assert_int_equal(s.flows_made, 2);
	assert_int_equal(s.flows_evicted, 1);
	match_free(m);
	policy_free(p);
}

static void note(void *arg, const struct policy_class *c, const char *criterion, bool matched)
{
	char *s = arg;
	size_t n = strlen(s);

	snprintf(s + n, 1000 - n, "%s|%s|%d\n", c->path, criterion, matched);
}

static void test_explain(void **state)
{
	struct match_opts o = {0};
	struct policy *p = read_policy(PLAIN);
	struct match *m = new_match(p, &o);
	char text[1000] = "";
	struct match_stats s;
	struct dissected d;
	struct packet k;

	(void)state;
	packet_v4(&k, 17, IN, 0x0a080001, 40000, 53, 100);
	assert_int_equal(dissect_ip(k.b, k.len, k.len, &d), 0);
	match_explain(m, &d, note, text);
	assert_string_equal(text, "|src net 192.168.0.0/16|1\n"
				  "voice|dscp cs0|0\n"
				  "marked|dscp cs0|0\n"
				  "work|tcp port 22|0\n"
				  "work|net 10.8.0.0/16|1\n"
				  "work/ssh|tcp port 22|0\n"
				  "work/vpn|default|1\n");
	match_get_stats(m, &s);
	assert_int_equal(s.packets + s.flows + s.evaluated, 0);
	/* a later fragment: by its first one */
	packet_v4(&k, 17, IN, OUT, 40000, 53, 100);
	fragment4(&k, 7, 0, true);
	put(m, &k, 0);
	fragment4(&k, 7, 10, true);
	assert_int_equal(dissect_ip(k.b, k.len, k.len, &d), 0);
	text[0] = '\0';
	match_explain(m, &d, note, text);
	assert_string_equal(text, "dns|follows its first fragment|1\n");
	match_free(m);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),	  cmocka_unit_test(test_hits),
		cmocka_unit_test(test_hosts),	  cmocka_unit_test(test_inside),
		cmocka_unit_test(test_fragments), cmocka_unit_test(test_flow_memory),
		cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
