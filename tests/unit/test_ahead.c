/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading ahead: the same packets in the same order as without it, also when the capture
 * is cut off, and an end at any time, also when the reader waits for a pipe that is open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gw/ahead.h"
#include "tests/unit/capture_build.h"

#define MANY 20000u /* more than all batches together hold */

static const uint8_t key[16];

static void count_warning(void *arg, const char *text)
{
	(void)text;
	++*(unsigned *)arg;
}

static void build(struct bytes *b, unsigned packets)
{
	pcap_header(b, true, 1);
	for (unsigned i = 0; i < packets; i++)
		pcap_packet(b, 1 + i / 1000, i % 1000, 60 + i % 700, (uint8_t)i);
}

static struct capture *open_one(const char *name)
{
	char err[256];
	struct capture *c = capture_open(&name, 1, err, sizeof(err));

	if (!c)
		fail_msg("%s", err);
	return c;
}

/* Both ways through a file: what comes out must be the same. */
static void compare(const char *name, unsigned want, unsigned want_warnings)
{
	struct capture *plain = open_one(name), *c = open_one(name);
	struct ahead *a = ahead_new(c, key, 0);
	const struct ahead_packet *p;
	struct capture_packet pk;
	struct capture_stats s;
	unsigned warned = 0, warned_plain = 0, seen = 0;
	size_t n;

	assert_non_null(a);
	while ((n = ahead_next(a, &p, count_warning, &warned)))
		for (size_t i = 0; i < n; i++, seen++) {
			assert_int_equal(capture_next(plain, &pk, count_warning, &warned_plain),
					 1);
			assert_int_equal(p[i].pk.number, pk.number);
			assert_int_equal(p[i].pk.when, pk.when);
			assert_int_equal(p[i].pk.wirelen, pk.wirelen);
			assert_int_equal(p[i].pk.caplen, pk.caplen);
			assert_memory_equal(p[i].pk.data, pk.data, pk.caplen);
		}
	assert_int_equal(capture_next(plain, &pk, count_warning, &warned_plain), 0);
	assert_int_equal(seen, want);
	assert_int_equal(warned, want_warnings);
	assert_int_equal(warned_plain, want_warnings);
	ahead_get_stats(a, &s);
	assert_int_equal(s.packets, want);
	assert_int_equal(s.truncated, want_warnings);
	assert_false(ahead_failed(a));
	ahead_free(a);
	capture_close(c);
	capture_close(plain);
}

static void test_order(void **state)
{
	struct bytes b = {0};

	(void)state;
	build(&b, MANY);
	compare(saved(&b), MANY, 0);
	b.len -= 7; /* in the middle of the last packet */
	compare(saved(&b), MANY - 1, 1);
	b.len = 24; /* a header and no packet */
	compare(saved(&b), 0, 0);
	bytes_free(&b);
}

/* After nothing, after a batch: the reader is in the middle of its work. */
static void test_early_end(void **state)
{
	struct bytes b = {0};
	const struct ahead_packet *p;
	unsigned warned = 0;
	const char *name;

	(void)state;
	build(&b, MANY);
	name = saved(&b);
	for (unsigned batches = 0; batches < 4; batches++) {
		struct capture *c = open_one(name);
		struct ahead *a = ahead_new(c, key, 0);

		assert_non_null(a);
		for (unsigned i = 0; i < batches; i++)
			assert_true(ahead_next(a, &p, count_warning, &warned) > 0);
		ahead_free(a);
		capture_close(c);
	}
	bytes_free(&b);
}

/* The writer of a pipe is still there and silent: the end must not wait for it. */
static void test_open_pipe(void **state)
{
	struct bytes b = {0};
	int fd[2], before = dup(STDIN_FILENO);
	struct capture *c;
	struct ahead *a;

	(void)state;
	build(&b, 3);
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], b.data, b.len), (ssize_t)b.len);
	assert_true(dup2(fd[0], STDIN_FILENO) >= 0);
	c = open_one("-");
	a = ahead_new(c, key, 0);
	assert_non_null(a);
	ahead_free(a);
	capture_close(c);
	if (before >= 0) {
		dup2(before, STDIN_FILENO);
		close(before);
	}
	close(fd[0]);
	close(fd[1]);
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_early_end),
		cmocka_unit_test(test_open_pipe),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	build_cleanup();
	return failed;
}
