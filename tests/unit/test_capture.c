/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/capture.h"
#include "tests/unit/capture_build.h"
#include "tests/unit/capture_read.h"

static void test_micro_and_nano_in_both_orders(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct bytes b = {.big = k & 1};
		bool nano = k & 2;
		struct all a;

		simple_pcap(&b, nano, 3);
		assert_true(read_bytes(&b, &a));
		assert_int_equal(a.n, 3);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(a.when[i],
					 (1000 + i) * S + 7 * (i + 1) * (nano ? 1 : 1000));
			assert_int_equal(a.tag[i], i + 1);
		}
		assert_int_equal(a.stats.bytes_read, b.len);
		assert_int_equal(a.stats.bytes_total, b.len);
		assert_int_equal(a.stats.backwards + a.stats.bad_stamps + a.stats.truncated, 0);
		assert_int_equal(a.dlt, ETHERNET);
		assert_int_equal(a.snaplen, 65535);
		bytes_free(&b);
	}
}

static void test_seconds_have_no_sign(void **state)
{
	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		struct bytes b = {.big = big};
		struct all a;

		pcap_header(&b, false, ETHERNET);
		pcap_packet(&b, 0x80000000u, 5, 44, 1);
		pcap_packet(&b, 0xffffffffu, 999999, 44, 2);
		assert_true(read_bytes(&b, &a));
		assert_int_equal(a.n, 2);
		assert_int_equal(a.when[0], 0x80000000u * S + 5000);
		assert_int_equal(a.when[1], 0xffffffffu * S + 999999000);
		assert_int_equal(a.stats.bad_stamps + a.stats.backwards, 0);
		bytes_free(&b);
	}
}

static void test_pcapng_resolutions(void **state)
{
	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		struct bytes b = {.big = big};
		struct all a;

		ng_section(&b);
		ng_interface(&b, ETHERNET, 65535, -1, 0);   /* microseconds */
		ng_interface(&b, ETHERNET, 65535, 9, 0);    /* nanoseconds */
		ng_interface(&b, ETHERNET, 65535, 3, 0);    /* milliseconds */
		ng_interface(&b, ETHERNET, 65535, 0x8a, 0); /* 1/1024 s */
		ng_interface(&b, ETHERNET, 65535, 12, 0);   /* picoseconds */
		ng_interface(&b, ETHERNET, 65535, 9, 5000); /* 5000 s on top */
		ng_packet(&b, 0, 2000000003, 44, 1);
		ng_packet(&b, 1, 2001 * S + 4, 45, 2);
		ng_packet(&b, 2, 2002005, 46, 3);
		ng_packet(&b, 3, 2003 * 1024 + 512, 47, 4);
		ng_packet(&b, 4, 2004 * 1000 * S + 6999, 44, 5);
		ng_packet(&b, 5, 8, 44, 6);
		assert_true(read_bytes(&b, &a));
		assert_int_equal(a.n, 6);
		assert_int_equal(a.when[0], 2000 * S + 3000);
		assert_int_equal(a.when[1], 2001 * S + 4);
		assert_int_equal(a.when[2], 2002 * S + 5000000);
		assert_int_equal(a.when[3], 2003 * S + S / 2);
		assert_int_equal(a.when[4], 2004 * S + 6);
		assert_int_equal(a.when[5], 5000 * S + 8);
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(a.tag[i], i + 1);
		bytes_free(&b);
	}
}

static void test_pcap_cut_at_every_byte(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	simple_pcap(&b, false, 3);
	for (size_t len = 0, all = b.len; len < all; len++) {
		b.len = len;
		if (len < 24) {
			assert_opens_not(&b, !len ? "is empty" : len < 4 ? "neither" : "trunc");
			continue;
		}
		assert_true(read_bytes(&b, &a));
		assert_int_equal(a.n, (len - 24) / (16 + 44));
		assert_int_equal(a.stats.truncated, (len - 24) % (16 + 44) != 0);
		if (a.warnings)
			assert_non_null(strstr(a.warning, "ends after its packet"));
	}
	bytes_free(&b);
}

static void test_pcapng_cut_at_every_byte(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	ng_section(&b);
	ng_interface(&b, ETHERNET, 65535, 9, 0);
	ng_packet(&b, 0, 1, 44, 1);
	ng_packet(&b, 0, 2, 44, 2);
	for (size_t len = 0, all = b.len; len < all; len++) {
		b.len = len;
		if (len < 28 + 28) {
			assert_false(read_bytes(&b, &a));
			continue;
		}
		assert_true(read_bytes(&b, &a));
		assert_int_equal(a.n, (len - 56) / 76);
		assert_int_equal(a.stats.truncated, (len - 56) % 76 != 0);
	}
	bytes_free(&b);
}

static void test_every_byte_replaced(void **state)
{
	static const uint8_t with[] = {0x00, 0x7f, 0x80, 0xff};
	struct bytes b[2] = {{0}, {0}};
	struct all a;

	(void)state;
	simple_pcap(&b[0], false, 3);
	ng_section(&b[1]);
	ng_interface(&b[1], ETHERNET, 65535, 9, 3);
	ng_packet(&b[1], 0, 1, 44, 1);
	ng_packet(&b[1], 0, 2, 44, 2);
	for (unsigned k = 0; k < 2; k++) {
		for (size_t at = 0; at < b[k].len; at++) {
			uint8_t was = b[k].data[at];

			for (unsigned w = 0; w < sizeof(with); w++) {
				b[k].data[at] = with[w];
				read_bytes(&b[k], &a); /* its own assertions */
			}
			b[k].data[at] = was;
		}
		bytes_free(&b[k]);
	}
}

static void test_garbage_after_a_good_beginning(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	simple_pcap(&b, false, 2);
	put(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
	pcap_header(&b, false, ETHERNET);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 2);
	assert_int_equal(a.stats.truncated, 1);
	assert_non_null(strstr(a.warning, "ends after its packet 2: invalid packet capture"));
	bytes_free(&b);
}

static void test_time_runs_backwards(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	pcap_header(&b, false, ETHERNET);
	pcap_packet(&b, 100, 0, 44, 1);
	pcap_packet(&b, 90, 0, 44, 2);
	pcap_packet(&b, 99, 0, 44, 3);
	pcap_packet(&b, 101, 0, 44, 4);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 4);
	assert_int_equal(a.when[1], 100 * S);
	assert_int_equal(a.stamp[1], 90 * S);
	assert_int_equal(a.when[2], 100 * S);
	assert_int_equal(a.when[3], 101 * S);
	assert_int_equal(a.stats.backwards, 2);
	assert_int_equal(a.stats.backwards_max, 10 * S);
	assert_int_equal(a.stats.bad_stamps, 0);
	bytes_free(&b);
}

static void test_stamps_that_are_no_times(void **state)
{
	struct bytes b = {0}, ng = {0};
	struct all a;

	(void)state;
	pcap_header(&b, false, ETHERNET);
	pcap_packet(&b, 100, 1500000, 44, 1);	     /* carried: 101.5 s */
	pcap_packet(&b, 102, 0xffffffff, 44, 2);     /* 4294.967295 s */
	pcap_packet(&b, 0xffffffff, 1000000, 44, 3); /* would be beyond what is believed */
	pcap_packet(&b, 5000, 0, 44, 4);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 4);
	assert_int_equal(a.when[0], 101 * S + S / 2);
	assert_int_equal(a.when[1], 102 * S + 4294967295000);
	assert_int_equal(a.when[2], a.when[1]);
	assert_int_equal(a.stamp[2], CAPTURE_TIME_MAX);
	assert_int_equal(a.when[3], 5000 * S);
	assert_int_equal(a.stats.bad_stamps, 3);
	assert_int_equal(a.stats.backwards, 0);

	ng_section(&ng);
	ng_interface(&ng, ETHERNET, 65535, 0, 0);
	ng_interface(&ng, ETHERNET, 65535, 9, -50);
	ng_packet(&ng, 0, 100, 44, 1);
	ng_packet(&ng, 0, UINT64_MAX, 44, 2);
	ng_packet(&ng, 0, INT64_MAX, 44, 3);
	ng_packet(&ng, 1, 0, 44, 4); /* 50 s before 1970 */
	ng_packet(&ng, 0, 101, 44, 5);
	assert_true(read_bytes(&ng, &a));
	assert_int_equal(a.n, 5);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(a.when[i], 100 * S);
	assert_int_equal(a.when[4], 101 * S);
	assert_int_equal(a.stats.bad_stamps, 3);
	bytes_free(&b);
	bytes_free(&ng);
}

static void test_more_captured_than_sent(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	pcap_header(&b, false, ETHERNET);
	pcap_packet(&b, 1, 0, 44, 1);
	b.data[24 + 12] = 10;		 /* length on the wire */
	assert_true(read_bytes(&b, &a)); /* read_list() checks caplen <= wirelen */
	assert_int_equal(a.n, 1);
	assert_int_equal(a.stats.bad_lengths, 1);
	bytes_free(&b);
}

static void test_merge(void **state)
{
	static const uint8_t tags[] = {21, 11, 31, 22, 12, 32, 23, 33, 13};
	static const unsigned sources[] = {1, 0, 2, 1, 0, 2, 1, 2, 0};
	struct bytes b[3] = {{0}, {0}, {0}};
	const char *names[3];
	struct all a;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		pcap_header(&b[i], i == 1, i == 2 ? 101 : ETHERNET);
	pcap_packet(&b[0], 10, 0, 44, 11);
	pcap_packet(&b[0], 11, 500, 44, 12);
	pcap_packet(&b[0], 14, 0, 44, 13);
	pcap_packet(&b[1], 9, 0, 44, 21);
	pcap_packet(&b[1], 11, 499999, 44, 22);
	pcap_packet(&b[1], 12, 0, 44, 23);
	pcap_packet(&b[2], 10, 0, 44, 31); /* as the first of b[0], but behind it in the list */
	pcap_packet(&b[2], 11, 500, 44, 32);
	pcap_packet(&b[2], 13, 0, 44, 33);
	b[1].len -= 1; /* its last packet is cut off: 23 does not come */
	for (unsigned i = 0; i < 3; i++)
		names[i] = saved(&b[i]);
	assert_true(read_list(names, 3, &a));
	assert_int_equal(a.n, 8);
	for (unsigned i = 0, j = 0; i < 9; i++) {
		if (tags[i] == 23)
			continue;
		assert_int_equal(a.tag[j], tags[i]);
		assert_int_equal(a.source[j++], sources[i]);
	}
	assert_int_equal(a.stats.truncated, 1);
	assert_int_equal(a.dlt, -1);
	assert_int_equal(a.stats.bytes_read, a.stats.bytes_total);
	build_cleanup();
	for (unsigned i = 0; i < 3; i++)
		bytes_free(&b[i]);
}

static void test_merge_of_many(void **state)
{
	struct bytes b = {0};
	const char *names[20];
	struct all a;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		b.len = 0;
		pcap_header(&b, false, ETHERNET);
		for (unsigned k = 0; k < i % 4; k++)
			pcap_packet(&b, 1 + (7 * i + 13 * k) % 17, i, 44, (uint8_t)i);
		names[i] = saved(&b);
	}
	assert_true(read_list(names, 20, &a)); /* checks the order */
	assert_int_equal(a.n, 30);
	build_cleanup();
	bytes_free(&b);
}

static void test_only_a_header(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	simple_pcap(&b, false, 0);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 0);
	assert_int_equal(a.stats.truncated, 0);
	bytes_free(&b);
}

static void test_what_cannot_be_opened(void **state)
{
	const char *twice[] = {"-", "-"};
	struct bytes b = {0};
	struct all a;

	(void)state;
	assert_false(read_name("/nonexistent/x\ny.pcap", &a)); /* one line all the same */
	assert_non_null(strstr(a.warning, "/nonexistent/x?y.pcap: No such file"));
	assert_false(read_name("/", &a));
	assert_non_null(strstr(a.warning, "/: is a directory"));
	put(&b, "This is no capture at all, whatever its name.", 45);
	assert_opens_not(&b, "is neither pcap nor pcapng");
	b.len = 0;
	put_gzip(&b, "and neither is this", 19);
	assert_opens_not(&b, "is neither pcap nor pcapng");
	b.len = 0;
	put_gzip(&b, "", 0);
	assert_opens_not(&b, "is empty");
	b.len = 0;
	pcap_header(&b, false, 189);
	assert_opens_not(&b, "USB_LINUX");
	b.len = 0;
	pcap_header(&b, false, 60000);
	assert_opens_not(&b, "link type");
	bytes_free(&b);
	pcap_header(&b, false, ETHERNET);
	put32(&b, 1);
	save(tmp_name(), b.data, b.len);
	assert_int_equal(dup2(open(tmp_names[0], O_RDONLY), 0), 0);
	assert_false(read_list(twice, 2, &a));
	assert_non_null(strstr(a.warning, "more than once"));
	build_cleanup();
	bytes_free(&b);
}

static void test_pcapng_of_several_link_types(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	ng_section(&b);
	ng_interface(&b, ETHERNET, 65535, 9, 0);
	ng_interface(&b, 101, 96, 6, 0);
	ng_packet(&b, 0, 1000, 44, 1);
	ng_packet(&b, 1, 2, 45, 2);
	ng_interface(&b, 113, 0, 3, 0); /* behind packets */
	ng_packet(&b, 2, 1, 46, 3);
	ng_packet(&b, 0, 1000001, 47, 4);
	ng_section(&b); /* its interfaces count from 0 again */
	ng_interface(&b, 276, 0, 0, 7);
	ng_packet(&b, 0, 1, 44, 5);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 5);
	assert_int_equal(a.stats.truncated, 0);
	for (unsigned i = 0; i < 5; i++) {
		static const int dlts[] = {ETHERNET, 12, 113, ETHERNET, 276};
		static const uint64_t when[] = {1000, 2000, 1000000, 1000001, 8 * S};
		static const uint32_t interface[] = {0, 1, 2, 0, 3};

		assert_int_equal(a.tag[i], i + 1);
		assert_int_equal(a.dlts[i], dlts[i]);
		assert_int_equal(a.when[i], when[i]);
		assert_int_equal(a.interface[i], interface[i]);
	}
	assert_int_equal(a.dlt, -1);
	bytes_free(&b);
}

static void test_sections_of_both_orders(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		b.big = i & 1;
		ng_section(&b);
		ng_interface(&b, ETHERNET, 65535, 9, 0);
		ng_packet(&b, 0, 1 + i, 44, (uint8_t)(i + 1));
	}
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(a.when[i], i + 1);
	bytes_free(&b);
}

static void test_one_known_interface_is_enough(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	ng_section(&b);
	ng_interface(&b, 220, 65535, 9, 0); /* USB */
	ng_packet(&b, 0, 1, 44, 1);
	assert_opens_not(&b, "USB");
	b.len = 0;
	ng_section(&b);
	ng_interface(&b, 220, 65535, 9, 0);
	ng_interface(&b, ETHERNET, 65535, 9, 0);
	ng_packet(&b, 0, 1, 44, 1);
	ng_packet(&b, 1, 2, 44, 2);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 2);
	assert_int_equal(a.dlts[0], 220); /* what it is, is the dissector's to say */
	bytes_free(&b);
}

static void test_ways(void **state)
{
	static const uint32_t flags[] = {0, 1, 2, 3, 0xfffffffd, 0xfffffffe};
	static const uint8_t ways[] = {DISSECT_NO_WAY, DISSECT_IN, DISSECT_OUT,
				       DISSECT_NO_WAY, DISSECT_IN, DISSECT_OUT};
	struct bytes b = {0};
	struct all a;

	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		b = (struct bytes){.big = big};
		ng_section(&b);
		ng_named(&b, ETHERNET, "eth0.7");
		ng_named(&b, ETHERNET, "ppp0");
		for (unsigned i = 0; i < 6; i++)
			ng_flagged(&b, i % 2, i, 44 + i % 4, (uint8_t)i, flags[i]);
		assert_true(read_bytes(&b, &a));
		assert_int_equal(a.n, 6);
		for (unsigned i = 0; i < 6; i++) {
			assert_int_equal(a.tag[i], i);
			assert_int_equal(a.direction[i], ways[i]);
			assert_string_equal(a.ifname[i], i % 2 ? "ppp0" : "eth0.7");
		}
		bytes_free(&b);
	}
}

static void test_packets_without_a_time(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	ng_section(&b);
	ng_interface(&b, ETHERNET, 60, 9, 0);
	ng_packet(&b, 0, 5 * S, 44, 1);
	ng_simple(&b, 50, 2);
	ng_packet(&b, 0, 6 * S, 44, 3);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 3);
	assert_int_equal(a.when[1], 5 * S); /* the latest time before it */
	assert_int_equal(a.tag[1], 2);
	assert_int_equal(a.stats.backwards, 0);
	assert_int_equal(a.stats.bad_stamps, 1);
	bytes_free(&b);
}

static void test_cut_is_not_broken(void **state)
{
	struct bytes b = {0};
	struct all a;

	(void)state;
	ng_section(&b);
	ng_interface(&b, ETHERNET, 65535, 9, 0);
	ng_packet(&b, 0, 1, 44, 1);
	ng_packet(&b, 1, 2, 44, 2);
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.n, 1);
	assert_int_equal(a.stats.truncated, 1);
	assert_int_equal(a.stats.broken, 1);
	assert_non_null(strstr(a.warning, "interface 1, which no block describes"));
	b.len -= 4;
	assert_true(read_bytes(&b, &a));
	assert_int_equal(a.stats.truncated, 1);
	assert_int_equal(a.stats.broken, 0);
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_micro_and_nano_in_both_orders),
		cmocka_unit_test(test_seconds_have_no_sign),
		cmocka_unit_test(test_pcapng_resolutions),
		cmocka_unit_test(test_pcap_cut_at_every_byte),
		cmocka_unit_test(test_pcapng_cut_at_every_byte),
		cmocka_unit_test(test_every_byte_replaced),
		cmocka_unit_test(test_garbage_after_a_good_beginning),
		cmocka_unit_test(test_time_runs_backwards),
		cmocka_unit_test(test_stamps_that_are_no_times),
		cmocka_unit_test(test_more_captured_than_sent),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_of_many),
		cmocka_unit_test(test_only_a_header),
		cmocka_unit_test(test_what_cannot_be_opened),
		cmocka_unit_test(test_pcapng_of_several_link_types),
		cmocka_unit_test(test_sections_of_both_orders),
		cmocka_unit_test(test_one_known_interface_is_enough),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_packets_without_a_time),
		cmocka_unit_test(test_cut_is_not_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
