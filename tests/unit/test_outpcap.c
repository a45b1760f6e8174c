/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pcap/pcap.h>

#include "gw/outpcap.h"
#include "tests/unit/capture_build.h"

static void close_out(struct outpcap *o)
{
	char err[256];

	assert_int_equal(outpcap_close(o, err, sizeof(err)), 0);
}

static pcap_t *reopen(const char *name)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p =
		pcap_open_offline_with_tstamp_precision(name, PCAP_TSTAMP_PRECISION_NANO, err);

	if (!p)
		fail_msg("%s", err);
	return p;
}

static void assert_next(pcap_t *p, uint32_t sec, uint32_t ns, uint32_t caplen, uint32_t len,
			const uint8_t *data)
{
	struct pcap_pkthdr *h;
	const u_char *found;

	assert_int_equal(pcap_next_ex(p, &h, &found), 1);
	assert_int_equal((uint32_t)h->ts.tv_sec, sec);
	assert_int_equal(h->ts.tv_usec, ns);
	assert_int_equal(h->caplen, caplen);
	assert_int_equal(h->len, len);
	assert_memory_equal(found, data, caplen);
}

static void assert_end(pcap_t *p)
{
	struct pcap_pkthdr *h;
	const u_char *found;

	assert_int_equal(pcap_next_ex(p, &h, &found), PCAP_ERROR_BREAK);
	pcap_close(p);
	build_cleanup();
}

static void test_nanoseconds(void **state)
{
	const char *name = tmp_name();
	uint8_t data[100], magic[4];
	char err[256];
	struct outpcap *o = outpcap_open(name, DLT_EN10MB, 96, err, sizeof(err));
	pcap_t *p;
	FILE *f;

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	assert_non_null(o);
	outpcap_write(o, 1600000000123456789, data, 90, 1514, 14);
	outpcap_write(o, 1600000001000000000, data + 1, 60, 60, 14);
	outpcap_write(o, 0, data, 0, 0, 0);
	outpcap_write(o, UINT64_MAX, data, 1, 1, 0); /* later than the file can say */
	close_out(o);
	f = fopen(name, "r");
	assert_non_null(f);
	assert_int_equal(fread(magic, 1, 4, f), 4);
	fclose(f);
	assert_true(magic[0] == 0x4d || magic[0] == 0xa1); /* a1b23c4d in either order */
	assert_true(magic[1] == 0x3c || magic[2] == 0x3c);
	p = reopen(name);
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	assert_int_equal(pcap_snapshot(p), 96);
	assert_next(p, 1600000000, 123456789, 90, 1514, data);
	assert_next(p, 1600000001, 0, 60, 60, data + 1);
	assert_next(p, 0, 0, 0, 0, data);
	assert_next(p, UINT32_MAX, 999999999, 1, 1, data);
	assert_end(p);
}

static void test_raw_when_link_types_differ(void **state)
{
	const char *name = tmp_name();
	char err[256];
	struct outpcap *o = outpcap_open(name, -1, 0, err, sizeof(err));
	struct bytes b = {0};
	pcap_t *p;

	(void)state;
	put_frame(&b, 60, 7);
	assert_non_null(o);
	outpcap_write(o, 5, b.data, 60, 1000, 14);
	outpcap_write(o, 6, b.data + 14, 46, 46, 0);
	outpcap_write(o, 7, b.data, 10, 60, 14); /* cut off before its IP header */
	close_out(o);
	p = reopen(name);
	assert_int_equal(pcap_datalink(p), DLT_RAW);
	assert_next(p, 0, 5, 46, 986, b.data + 14);
	assert_next(p, 0, 6, 46, 46, b.data + 14);
	assert_next(p, 0, 7, 0, 50, b.data);
	assert_end(p);
	bytes_free(&b);
}

static void test_standard_output(void **state)
{
	const char *name = tmp_name();
	int was = dup(1), fd = open(name, O_WRONLY | O_TRUNC);
	char err[256];
	struct outpcap *o;
	pcap_t *p;

	(void)state;
	assert_true(was >= 0 && fd >= 0);
	fflush(stdout);
	assert_int_equal(dup2(fd, 1), 1);
	close(fd);
	o = outpcap_open("-", DLT_EN10MB, 100, err, sizeof(err));
	if (o) {
		outpcap_write(o, 9, (const uint8_t *)"abc", 3, 3, 0);
		close_out(o);
	}
	/* Ours is still open after it: it closed a copy. */
	assert_int_equal(dup2(was, 1), 1);
	close(was);
	assert_non_null(o);
	p = reopen(name);
	assert_next(p, 0, 9, 3, 3, (const uint8_t *)"abc");
	assert_end(p);
}

static void test_errors(void **state)
{
	static const uint8_t data[1000];
	char err[256] = "";
	struct outpcap *o;

	(void)state;
	assert_null(outpcap_open("/nonexistent/out.pcap", DLT_EN10MB, 100, err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent/out.pcap: No such file"));
	assert_null(outpcap_open("/dev/null", 99999, 100, err, sizeof(err)));
	assert_non_null(strstr(err, "/dev/null: "));
	/* A full disk, found at once, or at the very end. */
	for (unsigned n = 0; n <= 1000; n += 1000) {
		o = outpcap_open("/dev/full", DLT_EN10MB, 2000, err, sizeof(err));
		assert_non_null(o);
		for (unsigned i = 0; i < n; i++)
			outpcap_write(o, i, data, sizeof(data), sizeof(data), 0);
		assert_int_equal(outpcap_close(o, err, sizeof(err)), -1);
		assert_non_null(strstr(err, "/dev/full: No space left"));
	}
}

static void test_holder(void **state)
{
	enum { N = 5000 };
	struct holder *h = holder_new((size_t)1 << 20);
	uint32_t seed = 1;
	bool held[N] = {false};
	size_t count = 0;

	(void)state;
	assert_non_null(h);
	assert_null(holder_take(h, 1));
	for (unsigned step = 0; step < 20 * N; step++) {
		unsigned i, len;
		uint8_t data[64];
		uint64_t id;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % N;
		/* Ids that meet in a small table, and in a large one as well. */
		id = i % 3 ? i : (i + 1ull) << 32 | 7;
		len = i % sizeof(data);
		memset(data, (int)i, sizeof(data));
		if (held[i]) {
			struct held *p = holder_take(h, id);

			assert_non_null(p);
			assert_int_equal(p->id, id);
			assert_int_equal(p->caplen, len);
			assert_int_equal(p->wirelen, len + i);
			assert_int_equal(p->ip_offset, i % 40);
			assert_memory_equal(p->data, data, len);
			free(p);
			count--;
		} else {
			assert_null(holder_take(h, id));
			assert_int_equal(holder_put(h, id, data, len, len + i, i % 40), 0);
			count++;
		}
		held[i] = !held[i];
		assert_int_equal(holder_count(h), count);
	}
	assert_true(count > 0);
	holder_free(h); /* with what it still holds */
}

static void test_holder_is_bounded(void **state)
{
	static const uint8_t data[1000];
	struct holder *h = holder_new(10000);
	uint64_t n = 0;

	(void)state;
	assert_non_null(h);
	while (n < 100 && !holder_put(h, n, data, sizeof(data), 1500, 14))
		n++;
	assert_in_range(n, 8, 9);
	assert_int_equal(holder_put(h, n, data, sizeof(data), 1500, 14), -1);
	free(holder_take(h, 3));
	assert_int_equal(holder_put(h, n, data, sizeof(data), 1500, 14), 0);
	assert_int_equal(holder_count(h), n);
	holder_free(h);
	h = holder_new(0);
	assert_non_null(h);
	assert_int_equal(holder_put(h, 1, data, 0, 0, 0), -1);
	holder_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nanoseconds),
		cmocka_unit_test(test_raw_when_link_types_differ),
		cmocka_unit_test(test_standard_output),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_holder),
		cmocka_unit_test(test_holder_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
