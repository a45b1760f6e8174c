/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/replay.h"
#include "gw/report.h"
#include "tests/unit/capture_build.h"

#define MS 1000000ull
#define S 1000000000ull
#define ETHERNET 1

/* put_frame() makes UDP packets of 28 bytes in frames of any length */
static const char slow[] = "links:\n"
			   "  - name: l\n"
			   "    rate: 1mbit\n"
			   "    overhead: 0\n"
			   "    mpu: 1250b\n" /* 10 ms for each packet */
			   "    burst: 1500b\n"
			   "    classes:\n"
			   "      - {name: dns, match: udp port 53, queue: fifo, limit: 2p,\n"
			   "         set-dscp: ef}\n"
			   "      - {name: rest, default: true}\n";

struct run {
	struct policy *policy;
	struct replay *replay;
	const struct replay_result *res;
	unsigned warnings;
	int status;
	char err[256];
};

static void warn(void *arg, const char *text)
{
	struct run *r = arg;

	assert_true(text[0]);
	r->warnings++;
}

static void start(struct run *r, const char *policy, const char *const *captures, size_t n,
		  const char *out, const char *trace)
{
	struct policy_report quiet = {0};
	struct replay_opts o = {.capture = captures,
				.n_capture = n,
				.out = out,
				.trace = trace,
				.warn = warn,
				.arg = r};

	memset(r, 0, sizeof(*r));
	r->policy = policy_read_mem(policy, strlen(policy), "p.yaml", &quiet);
	assert_non_null(r->policy);
	o.policy = r->policy;
	r->replay = replay_open(&o, &quiet, r->err, sizeof(r->err));
	if (!r->replay)
		return;
	r->status = replay_run(r->replay, r->err, sizeof(r->err));
	r->res = replay_result(r->replay);
}

static void end(struct run *r)
{
	replay_close(r->replay);
	policy_free(r->policy);
}

static char *content(const char *name, size_t *len)
{
	FILE *f = fopen(name, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	*len = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	return text;
}

static const struct account *account(const struct run *r, const char *path)
{
	const struct policy_class *c = policy_find_class(r->policy->link[0], path);

	assert_non_null(c);
	return engine_account(r->res->engine, c);
}

/* Five packets at once: one goes, two wait, two are too many; then one when all is idle. */
static void build_burst(struct bytes *b)
{
	pcap_header(b, true, ETHERNET);
	for (uint8_t i = 0; i < 5; i++)
		pcap_packet(b, 1000, 7, 60, i);
	pcap_packet(b, 2000, 9, 60, 5);
}

static void test_trace(void **state)
{
	static const char want[] =
		"packet\tarrival_ns\tlink\tclass\tlength\tverdict\tdeparture_ns\treason\n"
		"1\t1000000000007\tl\tdns\t1250\tsent\t1000000000007\t-\n"
		"2\t1000000000007\tl\tdns\t1250\tsent\t1000008000007\t-\n"
		"3\t1000000000007\tl\tdns\t1250\tsent\t1000018000007\t-\n"
		"4\t1000000000007\tl\tdns\t1250\tdropped\t-\tlimit\n"
		"5\t1000000000007\tl\tdns\t1250\tdropped\t-\tlimit\n"
		"6\t2000000000009\tl\tdns\t1250\tsent\t2000000000009\t-\n";
	struct bytes b = {0};
	const char *name, *trace = tmp_name();
	struct run r;
	size_t n;
	char *text;

	(void)state;
	build_burst(&b);
	name = saved(&b);
	start(&r, slow, &name, 1, NULL, trace);
	assert_non_null(r.res);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.res->packets, 6);
	assert_int_equal(r.res->first, 1000 * S + 7);
	assert_int_equal(r.res->last, 2000 * S + 9);
	assert_int_equal(r.res->end, 2000 * S + 9);
	assert_int_equal(account(&r, "dns")->sent.packets, 4);
	assert_int_equal(account(&r, "dns")->remarked, 4);
	text = content(trace, &n);
	assert_string_equal(text, want);
	free(text);
	end(&r);
	bytes_free(&b);
	build_cleanup();
}

static uint32_t get32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* The packets that left, when they left, with their new DSCP, and a checksum that fits. */
static void test_out(void **state)
{
	static const struct {
		uint32_t sec, ns;
		uint8_t tag;
	} want[] = {{1000, 7, 0}, {1000, 8000007, 1}, {1000, 18000007, 2}, {2000, 9, 5}};
	struct bytes b = {0};
	const char *name, *out = tmp_name();
	struct run r;
	size_t n, at = 24;
	char *text;

	(void)state;
	build_burst(&b);
	name = saved(&b);
	start(&r, slow, &name, 1, out, NULL);
	assert_int_equal(r.status, 0);
	text = content(out, &n);
	assert_int_equal(n, 24 + 4 * (16 + 60));
	assert_int_equal(get32(text), 0xa1b23c4d);
	assert_int_equal(get32(text + 20), ETHERNET);
	for (unsigned i = 0; i < 4; i++, at += 16 + 60) {
		const uint8_t *frame = (const uint8_t *)text + at + 16;
		uint32_t got = 0, was = 0;

		assert_int_equal(get32(text + at), want[i].sec);
		assert_int_equal(get32(text + at + 4), want[i].ns);
		assert_int_equal(get32(text + at + 8), 60);
		assert_int_equal(frame[59], want[i].tag);
		assert_int_equal(frame[15], 46 << 2);
		/* the frames have a checksum of 0; RFC 1624 leaves a wrong one as wrong */
		for (unsigned k = 14; k < 34; k += 2) {
			got += (uint32_t)frame[k] << 8 | frame[k + 1];
			was += (uint32_t)b.data[24 + 16 + k] << 8 | b.data[24 + 16 + k + 1];
		}
		assert_int_equal(got % 0xffff, was % 0xffff);
	}
	free(text);
	end(&r);
	bytes_free(&b);
	build_cleanup();
}

static void test_passed(void **state)
{
	static const char want[] = "1\t5000000000\t-\t-\t-\tpassed\t-\tarp\n"
				   "2\t6000000000\t-\t-\t-\tpassed\t-\tno-link\n";
	static const char elsewhere[] = "links:\n"
					"  - name: l\n"
					"    capture: tcp\n"
					"    rate: 1mbit\n"
					"    classes: [{name: a, default: true}]\n";
	struct bytes b = {0};
	const char *name, *trace = tmp_name();
	struct run r;
	size_t n;
	char *text;

	(void)state;
	pcap_header(&b, false, ETHERNET);
	pcap_packet(&b, 5, 0, 60, 0);
	b.data[24 + 16 + 12] = 8; /* what it carries: ARP */
	b.data[24 + 16 + 13] = 6;
	pcap_packet(&b, 6, 0, 60, 0);
	name = saved(&b);
	start(&r, elsewhere, &name, 1, NULL, trace);
	assert_int_equal(r.res->n_passed, 2);
	assert_string_equal(r.res->passed[0].reason, "arp");
	assert_int_equal(r.res->passed[0].packets, 1);
	assert_int_equal(r.res->passed[0].bytes, 60);
	assert_string_equal(r.res->passed[1].reason, "no-link");
	text = content(trace, &n);
	assert_string_equal(strchr(text, '\n') + 1, want);
	free(text);
	end(&r);
	bytes_free(&b);
	build_cleanup();
}

static void test_nothing(void **state)
{
	struct bytes b = {0};
	const char *name;
	struct run r;
	char *text = NULL;
	size_t n;
	FILE *f;

	(void)state;
	pcap_header(&b, false, ETHERNET);
	name = saved(&b);
	start(&r, slow, &name, 1, NULL, NULL);
	assert_int_equal(r.res->packets, 0);
	assert_int_equal(r.res->first + r.res->last + r.res->end, 0);
	f = open_memstream(&text, &n);
	assert_int_equal(report_text(f, r.res), 0);
	assert_int_equal(report_json(f, r.res), 0);
	fclose(f);
	assert_true(n > 0);
	free(text);
	end(&r);
	bytes_free(&b);
	build_cleanup();
}

static void test_cut_off(void **state)
{
	struct bytes b = {0};
	const char *name;
	struct run r;

	(void)state;
	build_burst(&b);
	b.len -= 10;
	name = saved(&b);
	start(&r, slow, &name, 1, NULL, NULL);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.warnings, 1);
	assert_int_equal(r.res->packets, 5);
	assert_int_equal(r.res->capture.truncated, 1);
	assert_int_equal(account(&r, "dns")->in.packets, 5);
	assert_int_equal(account(&r, "dns")->sent.packets, 3);
	end(&r);
	bytes_free(&b);
	build_cleanup();
}

static void test_two_captures(void **state)
{
	struct bytes b[2] = {{0}, {0}};
	const char *name[2];
	struct run r;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		pcap_header(&b[k], false, ETHERNET);
		for (uint32_t i = 0; i < 10; i++)
			pcap_packet(&b[k], 100 + 2 * i + k, 0, 60, 0);
		name[k] = saved(&b[k]);
	}
	start(&r, slow, name, 2, NULL, NULL);
	assert_int_equal(r.res->packets, 20);
	assert_int_equal(r.res->first, 100 * S);
	assert_int_equal(r.res->last, 119 * S);
	assert_int_equal(account(&r, "dns")->delay_max, 0);
	end(&r);
	bytes_free(&b[0]);
	bytes_free(&b[1]);
	build_cleanup();
}

static void test_errors(void **state)
{
	struct bytes b = {0}, text = {0};
	const char *name;
	struct run r;

	(void)state;
	put(&text, "this is no capture, whatever it is", 34);
	name = saved(&text);
	start(&r, slow, &name, 1, NULL, NULL);
	assert_null(r.replay);
	assert_non_null(strstr(r.err, name));
	end(&r);

	build_burst(&b);
	name = saved(&b);
	start(&r, slow, &name, 1, "/nowhere/out.pcap", NULL);
	assert_null(r.replay);
	assert_non_null(strstr(r.err, "/nowhere/out.pcap"));
	end(&r);
	start(&r, slow, &name, 1, NULL, "/nowhere/trace");
	assert_null(r.replay);
	assert_non_null(strstr(r.err, "/nowhere/trace"));
	end(&r);
	/* a full disk: the results are there, but not the file */
	start(&r, slow, &name, 1, "/dev/full", NULL);
	assert_non_null(r.res);
	assert_int_equal(r.status, -1);
	assert_non_null(strstr(r.err, "/dev/full"));
	assert_int_equal(account(&r, "dns")->sent.packets, 4);
	end(&r);
	bytes_free(&b);
	bytes_free(&text);
	build_cleanup();
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t v;
		const char *time, *rate, *size;
	} t[] = {
		{0, "0", "0", "0"},
		{1, "1ns", "1bit", "1b"},
		{999, "999ns", "999bit", "999b"},
		{1000, "1.00us", "1.00kbit", "1.00kb"},
		{9994, "9.99us", "9.99kbit", "9.99kb"},
		{9995, "10.0us", "10.0kbit", "10.0kb"},
		{99949, "99.9us", "99.9kbit", "99.9kb"},
		{99950, "100us", "100kbit", "100kb"},
		{999499, "999us", "999kbit", "999kb"},
		{999500, "1.00ms", "1.00mbit", "1.00mb"},
		{1234567890, "1.23s", "1.23gbit", "1.23gb"},
		{999999999999, "1000s", "1000gbit", "1000gb"},
		{UINT64_MAX, "18446744074s", "18446744074gbit", "18446744074gb"},
	};
	char b[REPORT_TEXT];

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_string_equal(report_time(t[i].v, b), t[i].time);
		assert_string_equal(report_rate(t[i].v, b), t[i].rate);
		assert_string_equal(report_size(t[i].v, b), t[i].size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trace),	cmocka_unit_test(test_out),
		cmocka_unit_test(test_passed),	cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_cut_off), cmocka_unit_test(test_two_captures),
		cmocka_unit_test(test_errors),	cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
