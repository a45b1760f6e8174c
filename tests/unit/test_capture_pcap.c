/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of captures against libpcap, which is another's: whatever of a file libpcap can
 * read comes out the same here, byte for byte and to the nanosecond. Files of all kinds that
 * libpcap reads, whole, cut, and with bytes replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pcap/pcap.h>

#include "gw/capture.h"
#include "tests/unit/capture_build.h"

static uint64_t seed = 1;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % n;
}

/* One link type and snapshot length for all interfaces: more libpcap does not read. */
static void make_pcapng(struct bytes *b)
{
	static const int resolutions[] = {-1, 0, 3, 6, 7, 9, 12, 19, 0x80, 0x8a, 0x94, 0xa0};
	uint32_t interfaces = 1 + below(4);
	unsigned dlt = below(2) ? 1 : 101;

	ng_section(b);
	for (uint32_t i = 0; i < interfaces; i++)
		ng_interface(b, dlt, 65535,
			     resolutions[below(sizeof(resolutions) / sizeof(int))],
			     below(3) ? 0 : (int64_t)below(2000) - 5);
	for (uint32_t n = below(8); n > 0; n--) {
		uint64_t ticks = (uint64_t)below(1u << 31) << below(32) | below(1000);

		if (below(4))
			ng_packet(b, below(interfaces), ticks, below(80), (uint8_t)n);
		else
			ng_flagged(b, below(interfaces), ticks, below(80), (uint8_t)n,
				   below(8));
	}
}

static void make_pcap(struct bytes *b)
{
	static const uint16_t minors[] = {4, 4, 4, 3, 2};
	bool nano = below(2);
	unsigned minor = minors[below(5)];

	put32(b, nano ? 0xa1b23c4d : 0xa1b2c3d4);
	put16(b, 2);
	put16(b, minor);
	put32(b, 0);
	put32(b, 0);
	put32(b, below(3) ? 65535 : below(2) ? 0 : 60);
	put32(b, below(2) ? 1 : 101);
	for (uint32_t n = below(8); n > 0; n--) {
		uint32_t len = below(80);

		put32(b, below(3) ? 1700000000 + below(100) : below(UINT32_MAX));
		put32(b, below(nano ? 1000000000 : 1000000));
		put32(b, minor < 3 ? len + below(9) : len);
		put32(b, minor < 3 ? len : len + below(9));
		put_frame(b, len, (uint8_t)n);
	}
}

/* What libpcap says, in the numbers that a capture_packet has. */
struct theirs {
	uint64_t stamp;
	bool a_time;
	const struct pcap_pkthdr *h;
	const uint8_t *data;
};

static int next_of_theirs(pcap_t *p, bool classic, struct theirs *t)
{
	struct pcap_pkthdr *h;
	int rc = pcap_next_ex(p, &h, &t->data);

	if (rc != 1)
		return rc;
	t->h = h;
	t->a_time = h->ts.tv_sec >= 0 && h->ts.tv_sec < UINT32_MAX && h->ts.tv_usec >= 0 &&
		    h->ts.tv_usec < 1000000000;
	if (classic) /* 32 bits without sign in the file, with one in some of libpcap's */
		t->a_time &= (uint32_t)h->ts.tv_sec < UINT32_MAX;
	t->stamp = (uint64_t)h->ts.tv_sec * 1000000000 + (uint64_t)h->ts.tv_usec;
	return 1;
}

/*
 * Compares up to where libpcap gives up; how many packets that were. -1: it reads nothing.
 * times: stamps too; not where a byte is replaced, since libpcap's arithmetic overflows with
 * resolutions beyond 2^-34 s.
 */
static int compare(const struct bytes *b, bool classic, bool times)
{
	char err[PCAP_ERRBUF_SIZE], theirs_err[PCAP_ERRBUF_SIZE];
	const char *name = saved(b);
	struct capture *c = capture_open(&name, 1, err, sizeof(err));
	FILE *f = fopen(name, "r");
	pcap_t *p = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO,
							     theirs_err);
	struct capture_packet pk;
	struct theirs t;
	int n = 0, rc;

	if (!p || !dissect_knows(pcap_datalink(p))) {
		if (p)
			pcap_close(p);
		else
			fclose(f);
		capture_close(c);
		build_cleanup();
		return -1;
	}
	while ((rc = next_of_theirs(p, classic, &t)) == 1) {
		if (!c)
			fail_msg("%s", err);
		assert_int_equal(capture_next(c, &pk, NULL, NULL), 1);
		n++;
		assert_int_equal(pk.caplen, t.h->caplen);
		assert_int_equal(pk.wirelen, t.h->len < t.h->caplen ? t.h->caplen : t.h->len);
		if (pk.caplen)
			assert_memory_equal(pk.data, t.data, pk.caplen);
		assert_int_equal(pk.dlt, pcap_datalink(p));
		if (t.a_time && times)
			assert_int_equal(pk.stamp, t.stamp);
	}
	/* a good end of theirs is one of ours */
	if (rc == PCAP_ERROR_BREAK && c) {
		struct capture_stats s;

		assert_int_equal(capture_next(c, &pk, NULL, NULL), 0);
		capture_get_stats(c, &s);
		assert_int_equal(s.truncated, 0);
	}
	pcap_close(p);
	capture_close(c);
	build_cleanup();
	return n;
}

static void run(bool classic, unsigned rounds)
{
	uint64_t packets = 0, files = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct bytes b = {.big = below(2)};
		int n;

		if (classic)
			make_pcap(&b);
		else
			make_pcapng(&b);
		n = compare(&b, classic, true);
		assert_true(n >= 0);
		files++;
		packets += (uint64_t)n;
		for (unsigned k = 0; k < 3; k++) {
			size_t at = below((uint32_t)b.len);
			uint8_t was = b.data[at];

			b.data[at] = (uint8_t)(below(2) ? below(256) : was ^ 1u << below(8));
			compare(&b, classic, classic);
			b.data[at] = was;
		}
		b.len = below((uint32_t)b.len + 1);
		compare(&b, classic, true);
		bytes_free(&b);
	}
	print_message("# %llu files, %llu packets whole\n", (unsigned long long)files,
		      (unsigned long long)packets);
	assert_true(packets > rounds); /* the comparison compares something */
}

static void test_pcap(void **state)
{
	(void)state;
	run(true, 3000);
}

static void test_pcapng(void **state)
{
	(void)state;
	run(false, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_pcapng),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
