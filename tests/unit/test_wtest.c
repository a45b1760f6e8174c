/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy tests: their values, and what is read from a file. What they print: tests/wtest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/wtest.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS 1000000ULL

static void test_comparisons(void **state)
{
	static const struct {
		const char *text;
		enum wtest_unit unit;
		uint64_t lo, hi;
	} good[] = {
		{"<= 10ms", WTEST_TIME, 0, 10 * MS},
		{"<10ms", WTEST_TIME, 0, 10 * MS - 1},
		{">= 4mbit", WTEST_RATE, 4000000, UINT64_MAX},
		{"> 4mbit", WTEST_RATE, 4000001, UINT64_MAX},
		{"= 3", WTEST_COUNT, 3, 3},
		{"3", WTEST_COUNT, 3, 3},
		{"60p", WTEST_COUNT, 60, 60},
		{"9ms..11ms", WTEST_TIME, 9 * MS, 11 * MS},
		{"9ms .. 11ms", WTEST_TIME, 9 * MS, 11 * MS},
		{"1.5kb", WTEST_BYTES, 1500, 1500},
		{"<= 0.5%", WTEST_PERCENT, 0, 500},
		{"12.125%", WTEST_PERCENT, 12125, 12125},
		{"0", WTEST_COUNT, 0, 0},
		{"<= 0", WTEST_COUNT, 0, 0},
	};
	static const struct {
		const char *text;
		enum wtest_unit unit;
	} bad[] = {
		{"", WTEST_COUNT},
		{"<=", WTEST_COUNT},
		{"=< 3", WTEST_COUNT},
		{"== 3", WTEST_COUNT},
		{"< 0", WTEST_COUNT},
		{"10", WTEST_TIME},
		{"<= 10", WTEST_TIME},
		{"4mbit", WTEST_TIME},
		{"4ms", WTEST_RATE},
		{"3..1", WTEST_COUNT},
		{"<= 1..3", WTEST_COUNT},
		{"1..", WTEST_COUNT},
		{"..1", WTEST_COUNT},
		{"1..2..3", WTEST_COUNT},
		{"-1", WTEST_COUNT},
		{"1.5", WTEST_COUNT},
		{"1", WTEST_PERCENT},
		{"1.%", WTEST_PERCENT},
		{"1.0001%", WTEST_PERCENT},
		{"%", WTEST_PERCENT},
		{"p", WTEST_COUNT},
		{"18446744073709551616", WTEST_COUNT},
		{"> 18446744073709551615", WTEST_COUNT},
		{"99999999999999999999999999999999999999999999999999999999999999999999",
		 WTEST_COUNT},
	};
	uint64_t lo, hi;
	char err[256];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(
			wtest_cmp_parse(good[i].text, good[i].unit, &lo, &hi, err, sizeof(err)),
			0);
		assert_true(lo == good[i].lo && hi == good[i].hi);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		err[0] = '\0';
		if (!wtest_cmp_parse(bad[i].text, bad[i].unit, &lo, &hi, err, sizeof(err)))
			fail_msg("\"%s\" was taken", bad[i].text);
		assert_true(strlen(err) > 5);
	}
}

static void test_value_text(void **state)
{
	char b[WTEST_VALUE_TEXT];

	(void)state;
	assert_string_equal(wtest_value_text(0, WTEST_TIME, b), "0ms");
	assert_string_equal(wtest_value_text(999, WTEST_TIME, b), "0.999us");
	assert_string_equal(wtest_value_text(12345678, WTEST_TIME, b), "12.345678ms");
	assert_string_equal(wtest_value_text(1500000000, WTEST_TIME, b), "1.5s");
	assert_string_equal(wtest_value_text(UINT64_MAX, WTEST_TIME, b),
			    "18446744073.709551615s");
	assert_string_equal(wtest_value_text(3999872, WTEST_RATE, b), "3.999872mbit");
	assert_string_equal(wtest_value_text(20000, WTEST_RATE, b), "20kbit");
	assert_string_equal(wtest_value_text(25000, WTEST_PERCENT, b), "25%");
	assert_string_equal(wtest_value_text(1, WTEST_PERCENT, b), "0.001%");
	assert_string_equal(wtest_value_text(7, WTEST_BYTES, b), "7b");
	assert_string_equal(wtest_value_text(7, WTEST_COUNT, b), "7");
}

static void test_flows(void **state)
{
	static const char *const same[] = {
		"udp 192.168.1.10:12000 > 203.0.113.5:15000",
		"tcp [2001:db8::1]:22 > [2001:db8::2]:65535",
		"icmp 10.0.0.1 > 10.0.0.2",
		"esp 2001:db8::1 > 2001:db8::2",
	};
	static const char *const bad[] = {
		"",
		"udp",
		"udp 10.0.0.1:1 10.0.0.2:2",
		"udp 10.0.0.1:1 > 10.0.0.2",
		"udp 10.0.0.1 > 10.0.0.2:2",
		"udp 10.0.0.1:1 > [2001:db8::1]:2",
		"udp 10.0.0.1:65536 > 10.0.0.2:2",
		"udp 10.0.0.1:1 > 10.0.0.2:2 x",
		"xyz 10.0.0.1:1 > 10.0.0.2:2",
		"icmp 10.0.0.1:1 > 10.0.0.2:2",
		"udp [2001:db8::1 > [2001:db8::2]:2",
		"udp [2001:db8::1] > [2001:db8::2]",
		"udp 10.0.0:1 > 10.0.0.2:2",
	};
	char err[512], text[WTEST_FLOW_TEXT];
	struct flow_key key;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		assert_int_equal(wtest_flow_parse(same[i], &key, err, sizeof(err)), 0);
		assert_string_equal(wtest_flow_text(&key, text), same[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!wtest_flow_parse(bad[i], &key, err, sizeof(err)))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_hosts(void **state)
{
	static const char *const bad[] = {"",
					  "-",
					  "10.0.0.1-",
					  "-10.0.0.1",
					  "10.0.0.2-10.0.0.1",
					  "10.0.0.1-2001:db8::1",
					  "10.0.0.0-10.16.0.0",
					  "x",
					  "2001:db8::-2001:db9::",
					  "10.0.0.1/24"};
	struct synth_hosts h;
	uint8_t version;
	char err[256];

	(void)state;
	assert_int_equal(wtest_hosts_parse("10.0.0.1", &version, &h, err, sizeof(err)), 0);
	assert_true(version == 4 && h.n == 1 && h.first[3] == 1);
	assert_int_equal(
		wtest_hosts_parse("10.0.0.255-10.0.1.0", &version, &h, err, sizeof(err)), 0);
	assert_int_equal(h.n, 2);
	assert_int_equal(wtest_hosts_parse("10.0.0.1-10.0.0.1", &version, &h, err, sizeof(err)),
			 0);
	assert_int_equal(h.n, 1);
	assert_int_equal(
		wtest_hosts_parse("10.0.0.0-10.15.255.255", &version, &h, err, sizeof(err)), 0);
	assert_int_equal(h.n, SYNTH_FLOWS_MAX);
	assert_int_equal(
		wtest_hosts_parse("2001:db8::1-2001:db8::ffff", &version, &h, err, sizeof(err)),
		0);
	assert_true(version == 6 && h.n == 65535);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!wtest_hosts_parse(bad[i], &version, &h, err, sizeof(err)))
			fail_msg("\"%s\" was taken", bad[i]);
}

/* Reading: the policy is beside the test, in a folder of this run. */
static char dir[] = "/tmp/weir-test-XXXXXX";
static char path[64], policy[64];

static int set_up(void **state)
{
	FILE *f;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/p.test.yaml", dir);
	snprintf(policy, sizeof(policy), "%s/p.yaml", dir);
	f = fopen(policy, "w");
	if (!f)
		return -1;
	fputs("links:\n"
	      "  - name: up\n"
	      "    rate: 10mbit\n"
	      "    classes:\n"
	      "      - {name: voice, match: udp, max-latency: 10ms}\n"
	      "      - name: work\n"
	      "        default: true\n"
	      "        classes:\n"
	      "          - {name: ssh, match: tcp port 22}\n"
	      "          - {name: other, default: true}\n",
	      f);
	return fclose(f);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(policy) || rmdir(dir);
}

struct heard {
	char first[512];
	struct policy_mark at;
	unsigned n;
};

static void hear(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	struct heard *h = arg;

	(void)file;
	if (sev != POLICY_ERROR)
		return;
	if (!h->n++) {
		snprintf(h->first, sizeof(h->first), "%s", text);
		h->at = at;
	}
}

static struct wtest_file *read_text(const char *text, struct heard *h)
{
	struct policy_report r = {.fn = hear, .arg = h};

	memset(h, 0, sizeof(*h));
	return wtest_read_mem(text, strlen(text), path, &r);
}

static void test_read(void **state)
{
	static const char text[] =
		"tests:\n"
		"  - name: a\n"
		"    link: up\n"
		"    capture: [x.pcap, /y.pcap]\n"
		"    duration: 5s\n"
		"    traffic:\n"
		"      - {name: g, kind: greedy, src: 10.0.0.1-10.0.0.3, sport: 5-6, dst: "
		"10.0.0.9,"
		" dport: 7, proto: tcp, window: 9, dscp: af41, ecn: ect1, start: 1s}\n"
		"    expect:\n"
		"      - {flow: g, class: work/ssh, from: 2s, p99: \"<= 10ms\","
		" drops: {aqm: 0, limit: \"> 1\"}}\n"
		"      - {link: up, throughput: 1mbit..2mbit}\n"
		"      - {class: voice, objectives: met}\n";
	struct heard h;
	struct wtest_file *f = read_text(text, &h);
	const struct wtest_expect *e;
	const struct synth_stream *s;
	char want[64];

	(void)state;
	if (!f)
		fail_msg("%d:%d: %s", h.at.line, h.at.col, h.first);
	assert_int_equal(f->n, 1);
	assert_string_equal(f->policy_path, policy);
	assert_ptr_equal(f->test[0].link, f->policy->link[0]);
	snprintf(want, sizeof(want), "%s/x.pcap", dir);
	assert_string_equal(f->test[0].capture[0], want);
	assert_string_equal(f->test[0].capture[1], "/y.pcap");
	s = &f->test[0].stream[0];
	assert_true(s->kind == SYNTH_GREEDY && s->flows == 6 && s->window == 9);
	assert_true(s->dscp == 34 && s->ecn == 1 && s->size[0].lo == 1500);
	assert_true(s->start == 1000 * MS && s->end == 5000 * MS);
	assert_true(s->seed == synth_seed("a", "g"));
	e = f->test[0].expect;
	assert_int_equal(f->test[0].n_expect, 3);
	assert_int_equal(e->stream, 0);
	assert_string_equal(e->class->path, "work/ssh");
	assert_true(e->windowed && e->from == 2000 * MS && e->to == UINT64_MAX);
	assert_int_equal(e->n_check, 3);
	assert_int_equal(e->check[0].metric, WTEST_P99);
	assert_true(e->check[0].at.line == 9 && e->check[0].at.col == 51);
	assert_int_equal(e->check[1].metric, WTEST_DROPS_LIMIT);
	assert_int_equal(e->check[2].metric, WTEST_DROPS_AQM);
	assert_ptr_equal(e[1].class, f->policy->link[0]->root);
	assert_int_equal(e[2].objectives, WTEST_OBJ_MET);
	wtest_free(f);
}

/* One error, and where; NULL places would say nothing. The whole list is in tests/wtest. */
static void test_errors(void **state)
{
	static const struct {
		const char *text;
		int line, col;
		const char *says;
	} bad[] = {
		{"", 1, 1, "no tests"},
		{"- a\n", 1, 1, "map"},
		{"tests: []\n", 1, 8, "no tests"},
		{"policy: q.yaml\ntests: [{name: a, capture: c, expect: [{link: up, drops: "
		 "0}]}]\n",
		 1, 9, "q.yaml"},
		{"tests:\n- {name: a, capture: c, expect: [{class: vioce, drops: 0}]}\n", 2, 42,
		 "did you mean \"voice\""},
		{"tests:\n- {name: a, capture: c, expect: [{class: voice, p99: 10}]}\n", 2, 54,
		 "no unit"},
		{"tests:\n- {name: a, capture: c, expcet: []}\n", 2, 3, "expects nothing"},
		{"tests:\n- {name: a, capture: c, expect: [{flow: b, class: voice}]}\n", 2, 41,
		 "neither a stream"},
		{"tests:\n- {name: a, capture: c, name: b, expect: [{link: up, drops: 0}]}\n",
		 2, 25, "name"},
		{"tests: [*a]\n", 1, 9, "alias"},
	};
	struct heard h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(read_text(bad[i].text, &h));
		if (h.at.line != bad[i].line || h.at.col != bad[i].col ||
		    !strstr(h.first, bad[i].says))
			fail_msg("%zu: %d:%d: %s", i, h.at.line, h.at.col, h.first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comparisons), cmocka_unit_test(test_value_text),
		cmocka_unit_test(test_flows),	    cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_read),	    cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
