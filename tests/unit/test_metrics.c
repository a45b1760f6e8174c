/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in the metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/metrics.h"
#include "tests/unit/metrics_made.h"
#include "tests/unit/metrics_read.h"

static char *print(const struct gateway_snapshot *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(metrics_print(s, f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* ---- The document. */

static void expect(const struct document *d, const char *name, const char *labels, double value)
{
	double is = series_value(d, name, labels, "");

	if (is != value)
		fail_msg("%s{%s} is %.10g, not %.10g", name, labels, is, value);
}

static void test_document(void **state)
{
	static const char hostile[] = "link=w\"\\\n}, x=\"1\" gr\xc3\xb6\xc3\x9f"
				      "e;";
	struct gateway_snapshot *s = made_up(NULL);
	char *text = print(s), labels[200];
	struct document *d = read_document(text);

	(void)state;
	expect(d, "weir_start_time_seconds", "", 1699999900);
	expect(d, "weir_policy_loaded_time_seconds", "", 1699999950);
	expect(d, "weir_gateway_info", "policy=/etc/?\"a\\b\nc.yaml;queueing=xtables;", 1);
	expect(d, "weir_policy_generation", "", 3);
	expect(d, "weir_policy_reload_failures_total", "", 2);
	expect(d, "weir_rules_intact", "", 1);
	expect(d, "weir_link_up", "link=wan-up;", 1);
	expect(d, "weir_link_rate_bytes_per_second", "link=wan-up;", 2500000.125);
	expect(d, "weir_link_cpu_seconds_total", "link=wan-up;", 1.23456789);
	expect(d, "weir_link_kernel_queue_dropped_packets_total", hostile, 7);
	expect(d, "weir_link_vanished_packets_total", hostile, 3);
	expect(d, "weir_class_in_packets_total", "link=wan-up;class=;", 13);
	expect(d, "weir_class_sent_bytes_total", "link=wan-up;class=work/ssh;", 10000);
	expect(d, "weir_class_backlog_packets", "link=wan-up;class=;", 2);
	expect(d, "weir_class_marked_packets_total", "link=wan-up;class=;", 4);
	expect(d, "weir_class_jitter_max_seconds", "link=wan-up;class=;", 0.0000015);
	expect(d, "weir_class_dropped_bytes_total", "link=wan-up;class=;reason=aqm;", 500);
	expect(d, "weir_class_dropped_packets_total", "link=wan-up;class=;reason=limit;", 0);
	expect(d, "weir_class_min_bytes_per_second", "link=wan-up;class=work/ssh;", 125000);
	expect(d, "weir_class_latency_missed_packets_total", "link=wan-up;class=work/ssh;", 3);
	snprintf(labels, sizeof(labels), "%sclass={le=\"1\"};", hostile);
	expect(d, "weir_class_sent_packets_total", labels, 10);
	/* only where the policy says one */
	assert_null(strstr(text,
			   "weir_class_latency_objective_seconds{link=\"wan-up\",class=\"\"}"));
	free(d);
	free(text);
	gateway_snapshot_free(s);
}

/* A link that the kernel schedules: nothing is said of what is not known. */
static void test_in_kernel(void **state)
{
	static const char *const unknown[] = {
		"weir_link_running{link=\"wan-up\"}",
		"weir_link_held_packets{link=\"wan-up\"}",
		"weir_link_cpu_seconds_total{link=\"wan-up\"}",
		"weir_link_wakeup_lateness_seconds_count{link=\"wan-up\"}",
		"weir_class_delay_seconds_count{link=\"wan-up\"",
		"weir_class_marked_packets_total{link=\"wan-up\"",
		"weir_class_dropped_bytes_total{link=\"wan-up\"",
		"weir_class_latency_missed_packets_total{link=\"wan-up\"",
		"class=\"work/ssh\",reason=\"aqm\"",
	};
	struct gateway_snapshot *s = made_up(NULL);
	struct gateway_link *l = &s->link[0];
	struct document *d;
	char *text;

	(void)state;
	l->backend = POLICY_BACKEND_KERNEL;
	l->device = strdup("wi-eth0");
	l->programmed = true;
	l->class[1].account.dropped[PKT_DROP_LIMIT].packets = 5;
	text = print(s);
	d = read_document(text);
	expect(d, "weir_link_info", "link=wan-up;interface=eth0;backend=kernel;device=wi-eth0;",
	       1);
	expect(d, "weir_link_programmed", "link=wan-up;", 1);
	expect(d, "weir_link_up", "link=wan-up;", 1);
	expect(d, "weir_class_sent_packets_total", "link=wan-up;class=work/ssh;", 10);
	expect(d, "weir_class_dropped_packets_total",
	       "link=wan-up;class=work/ssh;reason=limit;", 5);
	expect(d, "weir_class_latency_objective_seconds", "link=wan-up;class=work/ssh;", 0.05);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		if (strstr(text, unknown[i]))
			fail_msg("%s is told", unknown[i]);
	free(d);
	free(text);
	/* with a queue, and delays not known nonetheless */
	l->backend = POLICY_BACKEND_MARK;
	text = print(s);
	d = read_document(text);
	expect(d, "weir_link_info",
	       "link=wan-up;interface=eth0;backend=mark;device=wi-eth0;queue=21000;segments="
	       "cut;",
	       1);
	expect(d, "weir_link_cpu_seconds_total", "link=wan-up;", 1.23456789);
	assert_null(strstr(text, unknown[4]));
	free(d);
	free(text);
	gateway_snapshot_free(s);
}

static void test_histograms(void **state)
{
	static const char class[] = "link=wan-up;class=work/ssh;", link[] = "link=wan-up;";
	static const char delay[] = "weir_class_delay_seconds_bucket";
	static const char late[] = "weir_link_wakeup_lateness_seconds_bucket";
	static const struct {
		const char *le;
		double value;
	} want[] = {{"0.0001", 2}, {"0.00025", 5}, {"0.001", 5}, {"0.0025", 6},
		    {"0.025", 7},  {"0.5", 7},	   {"1", 7},	 {"2.5", 8},
		    {"5", 9},	   {"10", 9},	   {"+Inf", 10}};
	struct gateway_snapshot *s = made_up(NULL);
	char *text = print(s);
	struct document *d = read_document(text);
	double sum = 0;

	(void)state;
	/*
	 * Of a bucket of the account that a bound cuts, nothing is below it: that of 98304 to
	 * 100351 ns for 100 us, and those of exactly 1 ms (983040 to 1015807) and of 999 ms.
	 */
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_true(series_value(d, delay, class, want[i].le) == want[i].value);
	sum = series_value(d, "weir_class_delay_seconds_sum", class, "");
	assert_true(sum == 15.020396608);
	assert_true(series_value(d, late, link, "0.000001") == 5);
	assert_true(series_value(d, late, link, "0.000004") == 5);
	assert_true(series_value(d, late, link, "0.000008") == 7);
	assert_true(series_value(d, late, link, "1.048576") == 7);
	assert_true(series_value(d, late, link, "+Inf") == 9);
	expect(d, "weir_link_wakeup_lateness_seconds_sum", link, 3.000000005);
	free(d);
	free(text);
	gateway_snapshot_free(s);
}

static void drop_series(struct gateway_class *c)
{
	account_clear(&c->account);
	c->account = (struct account){0};
}

static size_t series_of(const struct document *d, const char *labels)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += !strncmp(d->v[i].labels, labels, strlen(labels));
	return n;
}

/* Of thousands of classes most do nothing: what they do not count, they do not tell. */
static void test_sparse(void **state)
{
	static const char class[] = "link=wan-up;class=work/ssh;";
	struct gateway_snapshot *s = made_up(NULL);
	struct gateway_class *c = &s->link[0].class[1];
	char *text;
	struct document *d;

	(void)state;
	drop_series(c);
	c->max_latency = c->min_bps = 0;
	text = print(s);
	d = read_document(text);
	assert_int_equal(series_of(d, class), 5);
	expect(d, "weir_class_info", "link=wan-up;class=work/ssh;leaf=1;", 1);
	expect(d, "weir_class_sent_packets_total", class, 0);
	expect(d, "weir_class_sent_bytes_total", class, 0);
	expect(d, "weir_class_dropped_packets_total",
	       "link=wan-up;class=work/ssh;reason=limit;", 0);
	expect(d, "weir_class_dropped_bytes_total", "link=wan-up;class=work/ssh;reason=limit;",
	       0);
	free(d);
	free(text);

	/* what came once stays, and a histogram has all of its bounds */
	account_in(&c->account, 100 * S, 1000);
	account_sent(&c->account, 101 * S, 1000, 3 * MS, 0);
	text = print(s);
	d = read_document(text);
	expect(d, "weir_class_in_packets_total", class, 1);
	expect(d, "weir_class_backlog_packets", class, 0);
	assert_true(series_value(d, "weir_class_delay_seconds_bucket", class, "0.0001") == 0);
	assert_true(series_value(d, "weir_class_delay_seconds_bucket", class, "0.005") == 1);
	assert_true(series_value(d, "weir_class_delay_seconds_bucket", class, "+Inf") == 1);
	assert_null(strstr(text, "class=\"work/ssh\",reason=\"aqm\""));
	free(d);
	free(text);
	account_in(&c->account, 102 * S, 1000);
	account_dropped(&c->account, 103 * S, 1000, PKT_DROP_AQM);
	text = print(s);
	d = read_document(text);
	expect(d, "weir_class_dropped_packets_total", "link=wan-up;class=work/ssh;reason=aqm;",
	       1);
	free(d);
	free(text);
	gateway_snapshot_free(s);
}

/* A counter that goes down is taken for a restart. */
static void test_buckets_never_fall(void **state)
{
	static const char delay[] = "weir_class_delay_seconds_bucket";
	struct gateway_snapshot *s = made_up(NULL);
	struct account *a = &s->link[0].class[1].account;
	uint64_t x = 1;
	struct document *old = NULL;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		char *text = print(s);
		struct document *d = read_document(text);

		for (size_t k = 0; old && k < d->n; k++)
			if (!strcmp(d->v[k].name, delay))
				assert_true(d->v[k].value >= old->v[k].value);
		free(old);
		old = d;
		free(text);
		for (unsigned k = 0; k < 100; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			account_in(a, 200 * S, 100);
			account_sent(a, 200 * S, 100, (x >> 33) % (1u << i), 0);
		}
	}
	free(old);
	gateway_snapshot_free(s);
}

static void test_cannot_be_written(void **state)
{
	struct gateway_snapshot *s = made_up(NULL);
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(metrics_print(s, f), -1);
	fclose(f);
	gateway_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_in_kernel),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_buckets_never_fall),
		cmocka_unit_test(test_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
