/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/capture.h"
#include "tests/unit/capture_build.h"
#include "tests/unit/capture_read.h"

static void test_gzip(void **state)
{
	struct bytes b = {0}, z = {0};
	struct all a;

	(void)state;
	simple_pcap(&b, false, 5);
	put_gzip(&z, b.data, b.len);
	assert_true(read_bytes(&z, &a));
	assert_int_equal(a.n, 5);
	assert_int_equal(a.stats.truncated, 0);
	assert_int_equal(a.stats.bytes_read, z.len);
	assert_int_equal(a.stats.bytes_total, z.len);

	/* Members may meet anywhere, also within a packet; what is behind is not ours. */
	for (size_t cut = 1; cut < b.len; cut += 13) {
		z.len = 0;
		put_gzip(&z, b.data, cut);
		put_gzip(&z, "", 0);
		put_gzip(&z, b.data + cut, b.len - cut);
		put(&z, "\0\0\0\0\0", 5);
		assert_true(read_bytes(&z, &a));
		assert_int_equal(a.n, 5);
		assert_int_equal(a.stats.truncated, 0);
	}
	bytes_free(&z);
	bytes_free(&b);
}

static void test_gzip_of_a_large_capture(void **state)
{
	struct bytes b = {0}, z = {0};
	struct capture_packet pk;
	struct capture *c;
	const char *name;
	char err[256];
	unsigned n = 0;

	(void)state;
	simple_pcap(&b, true, 5000); /* more than all buffers hold */
	put_gzip(&z, b.data, b.len);
	name = saved(&z);
	c = capture_open(&name, 1, err, sizeof(err));
	assert_non_null(c);
	while (capture_next(c, &pk, NULL, NULL)) {
		assert_int_equal(pk.when, (1000 + n) * S + 7 * (n + 1));
		n++;
	}
	assert_int_equal(n, 5000);
	capture_close(c);
	build_cleanup();
	bytes_free(&z);
	bytes_free(&b);
}

static void test_gzip_cut_at_every_byte(void **state)
{
	struct bytes b = {0}, z = {0};
	size_t most = 0;
	struct all a;

	(void)state;
	simple_pcap(&b, false, 6);
	put_gzip(&z, b.data, b.len);
	for (size_t len = 0, all = z.len; len < all; len++) {
		z.len = len;
		if (!read_bytes(&z, &a)) {
			assert_int_equal(most, 0);
			if (len >= 2)
				assert_non_null(strstr(a.warning, "cut off"));
			continue;
		}
		assert_int_equal(a.stats.truncated, 1);
		assert_non_null(strstr(a.warning, "the gzip data is cut off"));
		assert_true(a.n >= most && a.n <= 6);
		most = a.n;
	}
	assert_int_equal(most, 6); /* when only the checksum is missing */
	bytes_free(&z);
	bytes_free(&b);
}

static void test_damaged_gzip(void **state)
{
	struct bytes b = {0}, z = {0};
	struct all a;

	(void)state;
	simple_pcap(&b, false, 6);
	put_gzip(&z, b.data, b.len);
	for (size_t at = 2; at < z.len; at++) {
		z.data[at] ^= 0xff;
		if (read_bytes(&z, &a) && a.n != 6)
			assert_int_equal(a.stats.truncated, 1); /* never unnoticed */
		z.data[at] ^= 0xff;
	}
	assert_non_null(z.data);
	z.data[z.len - 8] ^= 1; /* the checksum: known only after all has been read */
	assert_true(read_bytes(&z, &a));
	assert_int_equal(a.n, 6);
	assert_int_equal(a.stats.truncated, 1);
	assert_non_null(strstr(a.warning, "damaged"));
	bytes_free(&z);
	bytes_free(&b);
}

/* Standard input is a pipe that gives a few bytes at a time: nothing may seek. */
static void read_from_pipe(const struct bytes *b, struct all *a)
{
	int ends[2], was = dup(0);

	assert_int_equal(pipe(ends), 0);
	assert_true((size_t)write(ends[1], b->data, b->len) == b->len);
	close(ends[1]);
	assert_int_equal(dup2(ends[0], 0), 0);
	close(ends[0]);
	assert_true(read_name("-", a));
	if (was >= 0) {
		dup2(was, 0);
		close(was);
	}
}

static void test_standard_input(void **state)
{
	struct bytes b = {0}, z = {0};
	struct all a;

	(void)state;
	simple_pcap(&b, true, 9);
	read_from_pipe(&b, &a);
	assert_int_equal(a.n, 9);
	assert_int_equal(a.stats.bytes_read, b.len);
	assert_int_equal(a.stats.bytes_total, 0);
	put_gzip(&z, b.data, b.len);
	read_from_pipe(&z, &a);
	assert_int_equal(a.n, 9);
	b.len -= 3;
	read_from_pipe(&b, &a);
	assert_int_equal(a.n, 8);
	assert_non_null(strstr(a.warning, "standard input: ends after its packet 8"));
	bytes_free(&z);
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_gzip_of_a_large_capture),
		cmocka_unit_test(test_gzip_cut_at_every_byte),
		cmocka_unit_test(test_damaged_gzip),
		cmocka_unit_test(test_standard_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
