/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/trace.h"
#include "tests/unit/capture_build.h"

static const char header[] =
	"packet\tarrival_ns\tlink\tclass\tlength\tverdict\tdeparture_ns\treason\n";

static struct trace *open_trace(size_t window)
{
	char err[256];
	struct trace *t = trace_open_window(tmp_name(), window, err, sizeof(err));

	assert_non_null(t);
	return t;
}

static void close_trace(struct trace *t)
{
	char err[256];

	assert_int_equal(trace_close(t, err, sizeof(err)), 0);
}

/* Closes the trace, compares, removes. */
static void assert_trace(struct trace *t, const char *expected, size_t len)
{
	char *found = malloc(len + 2);
	FILE *f;

	close_trace(t);
	f = fopen(tmp_names[0], "r");
	assert_non_null(f);
	assert_non_null(found);
	assert_int_equal(fread(found, 1, len + 2, f), len);
	for (size_t i = 0; i < len; i++)
		if (found[i] != expected[i])
			fail_msg("differs at byte %zu: \"%.60s\"", i,
				 found + (i > 20 ? i - 20 : 0));
	fclose(f);
	free(found);
	build_cleanup();
}

static void test_lines(void **state)
{
	struct trace *t = open_trace(16);
	char expected[1024];

	(void)state;
	trace_arrive(t, 1, 0, "wan-up", "work/ssh", 1514);
	trace_arrive(t, 2, 1600000000000000001, "wan-up", "voice", 9);
	trace_passed(t, 3, 1600000000000000002, "arp");
	trace_arrive(t, 4, 1600000001000000000, "dsl", "rest", 0);
	trace_arrive(t, 5, UINT64_MAX, NULL, NULL, UINT32_MAX);
	trace_passed(t, 6, 999999999, NULL);
	trace_sent(t, 2, 1600000000999999999, "ce");
	trace_dropped(t, 4, "deadline");
	trace_sent(t, 1, 10, NULL);
	snprintf(expected, sizeof(expected), "%s%s", header,
		 "1\t0\twan-up\twork/ssh\t1514\tsent\t10\t-\n"
		 "2\t1600000000000000001\twan-up\tvoice\t9\tsent\t1600000000999999999\tce\n"
		 "3\t1600000000000000002\t-\t-\t-\tpassed\t-\tarp\n"
		 "4\t1600000001000000000\tdsl\trest\t0\tdropped\t-\tdeadline\n"
		 "5\t18446744073709551615\t-\t-\t4294967295\t-\t-\t-\n"
		 "6\t999999999\t-\t-\t-\tpassed\t-\t-\n");
	assert_trace(t, expected, strlen(expected));
}

static void test_numbers(void **state)
{
	char expected[8192];
	size_t len = (size_t)snprintf(expected, sizeof(expected), "%s", header);
	struct trace *t = open_trace(16);
	uint64_t packet = 0;

	(void)state;
	/* Around every power of ten, where a digit more or less would show. */
	for (uint64_t power = 1; power <= 10000000000000000000u / 10; power *= 10)
		for (int d = -1; d <= 1; d++) {
			uint64_t v = power * 10 + (uint64_t)(int64_t)d;

			trace_arrive(t, ++packet, v, "l", "c", (uint32_t)v);
			trace_sent(t, packet, v + 5, NULL);
			len += (size_t)snprintf(expected + len, sizeof(expected) - len,
						"%llu\t%llu\tl\tc\t%u\tsent\t%llu\t-\n",
						(unsigned long long)packet,
						(unsigned long long)v, (uint32_t)v,
						(unsigned long long)v + 5);
		}
	assert_int_equal(packet, 57);
	assert_trace(t, expected, len);
}

static void test_a_name_larger_than_any_buffer(void **state)
{
	size_t size = 300 * 1024;
	char *name = malloc(size), err[256];
	struct trace *t = open_trace(16);

	(void)state;
	assert_non_null(name);
	memset(name, 'x', size - 1);
	name[size - 1] = 0;
	trace_arrive(t, 1, 1, name, "c", 1);
	trace_sent(t, 1, 1, NULL);
	assert_int_equal(trace_close(t, err, sizeof(err)), -1);
	free(name);
	build_cleanup();
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Tells with what a packet shall end, from its number alone. */
static void resolve(struct trace *t, uint64_t p)
{
	if (p % 7 == 3)
		trace_dropped(t, p, "limit");
	else
		trace_sent(t, p, 1000000000 + p * 3, p % 11 ? NULL : "ce");
}

static size_t expect(char *to, size_t size, uint64_t p, bool resolved)
{
	unsigned long long n = p, arrival = 1000000000 + p, departure = 1000000000 + p * 3;

	if (p % 13 == 5)
		return (size_t)snprintf(to, size, "%llu\t%llu\t-\t-\t-\tpassed\t-\tnot-ip\n", n,
					arrival);
	if (!resolved)
		return (size_t)snprintf(to, size, "%llu\t%llu\tup\ta/b\t%llu\t-\t-\t-\n", n,
					arrival, n % 1500);
	if (p % 7 == 3)
		return (size_t)snprintf(to, size,
					"%llu\t%llu\tup\ta/b\t%llu\tdropped\t-\tlimit\n", n,
					arrival, n % 1500);
	return (size_t)snprintf(to, size, "%llu\t%llu\tup\ta/b\t%llu\tsent\t%llu\t%s\n", n,
				arrival, n % 1500, departure, p % 11 ? "-" : "ce");
}

enum { PACKETS = 6000 };

/*
 * Packets resolved in random order, up to `lag` behind; some never. Whatever the window
 * is, the trace must be the same.
 */
static void random_order(size_t window, unsigned lag, uint32_t seed)
{
	size_t size = PACKETS * 80, len = (size_t)sizeof(header) - 1;
	uint64_t *waiting = malloc((PACKETS + 1) * sizeof(*waiting));
	bool *resolved = calloc(PACKETS + 1, sizeof(*resolved));
	char *expected = malloc(size);
	struct trace *t = open_trace(window);
	size_t n = 0;

	assert_true(waiting && resolved && expected);
	for (uint64_t p = 1; p <= PACKETS; p++) {
		uint64_t arrival = 1000000000 + p;

		if (p % 13 == 5) {
			trace_passed(t, p, arrival, "not-ip");
		} else {
			trace_arrive(t, p, arrival, "up", "a/b", (uint32_t)(p % 1500));
			waiting[n++] = p;
		}
		/* Now and then all that wait, so that the window empties in the middle. */
		while (n && (n > lag || p % 2000 == 1000)) {
			size_t i = next_random(&seed) % n;

			if (waiting[i] % 500 == 1 && p % 2000 != 1000)
				i = n - 1; /* this one is to wait long */
			resolve(t, waiting[i]);
			resolved[waiting[i]] = true;
			waiting[i] = waiting[--n];
		}
	}
	memcpy(expected, header, len);
	for (uint64_t p = 1; p <= PACKETS; p++)
		len += expect(expected + len, size - len, p, resolved[p]);
	assert_true(!lag || n); /* some never were */
	assert_trace(t, expected, len);
	free(expected);
	free(resolved);
	free(waiting);
}

static void test_any_order_in_any_window(void **state)
{
	static const size_t windows[] = {2, 4, 64, 1024, 4096, 65536};
	static const unsigned lags[] = {0, 1, 5, 100, 1500};

	(void)state;
	for (unsigned w = 0; w < sizeof(windows) / sizeof(windows[0]); w++)
		for (unsigned l = 0; l < sizeof(lags) / sizeof(lags[0]); l++)
			random_order(windows[w], lags[l], w * 31 + l);
}

static void test_one_packet_holds_all_the_others(void **state)
{
	size_t size = PACKETS * 80, len = sizeof(header) - 1;
	char *expected = malloc(size);
	struct trace *t = open_trace(8);

	(void)state;
	assert_non_null(expected);
	memcpy(expected, header, len);
	for (uint64_t p = 1; p <= PACKETS; p++) {
		if (p % 13 == 5) {
			trace_passed(t, p, 1000000000 + p, "not-ip");
		} else {
			trace_arrive(t, p, 1000000000 + p, "up", "a/b", (uint32_t)(p % 1500));
			/* 1 keeps the first half back, 3001 the second and for ever. */
			if (p != 1 && p != 3001)
				resolve(t, p);
		}
		if (p == 3000)
			resolve(t, 1);
		len += expect(expected + len, size - len, p, p != 3001);
	}
	assert_trace(t, expected, len);
	free(expected);
}

/* While nothing holds lines back for long, the temporary file must not grow for ever. */
static void test_spilled_part_is_given_back(void **state)
{
	struct trace *t = open_trace(4);
	uint64_t most = 0;

	(void)state;
	for (uint64_t p = 1; p <= 4000; p++) {
		trace_arrive(t, p, p, "up", "a/b", 1);
		if (p % 40 == 0) /* 40 wait, ten times what the window holds */
			for (uint64_t q = p - 39; q <= p; q++)
				trace_sent(t, q, p, NULL);
		if (trace_spilled(t) > most)
			most = trace_spilled(t);
	}
	assert_in_range(most, 30, 80); /* the path was taken, and taken back */
	close_trace(t);
	build_cleanup();
}

static void test_errors(void **state)
{
	char err[256] = "";
	struct trace *t;

	(void)state;
	assert_null(trace_open("/nonexistent/trace.tsv", err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent/trace.tsv: No such file"));
	t = trace_open_window("/dev/full", 4, err, sizeof(err));
	assert_non_null(t);
	/* More than the buffer holds, so that it fails in the middle: the rest is taken in
	 * peace. */
	for (uint64_t p = 1; p <= 20000; p++) {
		trace_arrive(t, p, 1600000000000000000 + p, "up", "a/b", 1);
		if (p > 10)
			trace_sent(t, p - 10, 1600000000000000000 + p, NULL);
	}
	assert_int_equal(trace_close(t, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "/dev/full: No space left"));
	/* And at the end only. */
	t = trace_open("/dev/full", err, sizeof(err));
	assert_non_null(t);
	assert_int_equal(trace_close(t, err, sizeof(err)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_a_name_larger_than_any_buffer),
		cmocka_unit_test(test_any_order_in_any_window),
		cmocka_unit_test(test_one_packet_holds_all_the_others),
		cmocka_unit_test(test_spilled_part_is_given_back),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
