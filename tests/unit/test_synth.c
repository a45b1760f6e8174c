/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Synthetic traffic against calculations of its own: times, counts, bytes of packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/synth.h"
#include "qos/dissect.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>

#define MS 1000000ULL
#define SEC 1000000000ULL

static struct synth_stream stream(enum synth_kind kind)
{
	struct synth_stream s = {
		.name = (char[]){"s"}, .kind = kind, .n_size = 1, .version = 4};

	s.size[0] = (struct synth_size){200, 200, 1};
	s.src = (struct synth_hosts){{192, 168, 1, 250}, 1};
	s.dst = (struct synth_hosts){{203, 0, 113, 5}, 1};
	s.proto = IPPROTO_UDP;
	s.sport = 1000;
	s.dport = 2000;
	s.sports = s.dports = s.flows = 1;
	s.rate = 100000;
	s.end = 10 * SEC;
	s.seed = 42;
	s.window = 4;
	return s;
}

/* The generator of the paper, written again from its recurrence, with known seeds. */
static void test_generator(void **state)
{
	struct synth_rand r = {{1, 2, 3, 4}};

	(void)state;
	/* by hand: s1 * 5 = 10, rotl 7 = 1280, times 9 */
	assert_int_equal(synth_rand_next(&r), 11520);
	/* s1 was 2 ^ (3 ^ 1) = 0 */
	assert_int_equal(r.s[1], 0);
	assert_int_equal(synth_rand_next(&r), 0);
	/* splitmix64 from 0: the first outputs are known from its publication */
	synth_rand_init(&r, 0);
	assert_true(r.s[0] == 0xe220a8397b1dcdafULL);
	assert_true(r.s[1] == 0x6e789e6aa1b965f4ULL);
	assert_true(r.s[2] == 0x06c45d188009454fULL);
}

static void test_below_is_even(void **state)
{
	struct synth_rand r;
	unsigned n[7] = {0};

	(void)state;
	synth_rand_init(&r, 1);
	for (unsigned i = 0; i < 70000; i++)
		n[synth_rand_below(&r, 7)]++;
	for (unsigned i = 0; i < 7; i++)
		assert_in_range(n[i], 10000 - 500, 10000 + 500); /* more than 5 sigma */
}

/* Each value against libm's logarithm, then mean, variance and tail of many. */
static void test_exponential(void **state)
{
	const unsigned count = 200000;
	struct synth_rand r, same;
	double sum = 0, squares = 0;
	unsigned beyond = 0;

	(void)state;
	synth_rand_init(&r, 7);
	for (unsigned i = 0; i < count; i++) {
		double u, e;

		same = r;
		u = ((double)synth_rand_next(&same)) / 18446744073709551616.0;
		e = (double)synth_rand_exp(&r) / 4294967296.0;
		assert_true(fabs(e + log(u)) < 1e-8);
		sum += e;
		squares += e * e;
		beyond += e > 3;
	}
	assert_true(fabs(sum / count - 1) < 0.01);
	assert_true(fabs(squares / count - 2) < 0.05);
	assert_in_range(beyond, (unsigned)(count * 0.0478),
			(unsigned)(count * 0.0518)); /* e^-3 */
}

static void test_constant_is_exact(void **state)
{
	struct synth_stream s = stream(SYNTH_CONSTANT);
	struct synth_packet pk;
	uint64_t n = 0;
	struct synth *y;

	(void)state;
	s.rate = 300000; /* 1600 bits: 5,333,333.3 ns, which must not pile up */
	s.start = 1 * SEC;
	y = synth_new(&s, 1, 5 * SEC);
	while (synth_next(y, &pk)) {
		assert_true(pk.when == 6 * SEC + n * 1600 * SEC / 300000);
		assert_int_equal(pk.len, 200);
		n++;
	}
	/* packets k with k * 1600 / 300000 < 9 s */
	assert_int_equal(n, 1688);
	assert_true(synth_when(y) == UINT64_MAX);
	synth_free(y);
}

static void test_interval(void **state)
{
	struct synth_stream s = stream(SYNTH_CONSTANT);
	struct synth_packet pk;
	uint64_t n = 0;
	struct synth *y;

	(void)state;
	s.rate = 0;
	s.interval = 20 * MS;
	s.end = 1 * SEC;
	y = synth_new(&s, 1, 0);
	while (synth_next(y, &pk))
		assert_true(pk.when == n++ * 20 * MS);
	assert_int_equal(n, 50);
	synth_free(y);
}

static void test_poisson(void **state)
{
	struct synth_stream s = stream(SYNTH_POISSON);
	uint64_t n = 0, last = 0, bytes = 0;
	double squares = 0, sum = 0;
	struct synth_packet pk;
	struct synth *y;

	(void)state;
	s.rate = 1600000; /* a mean gap of 1 ms */
	s.end = 100 * SEC;
	s.size[0] = (struct synth_size){100, 100, 1};
	s.size[1] = (struct synth_size){250, 250, 2};
	s.n_size = 2; /* 200 in the mean */
	y = synth_new(&s, 1, 0);
	while (synth_next(y, &pk)) {
		double gap = (double)(pk.when - last) / MS;

		assert_true(pk.when >= last && pk.when < s.end);
		last = pk.when;
		sum += gap;
		squares += gap * gap;
		bytes += pk.len;
		n++;
	}
	synth_free(y);
	/* 100,000 expected, sigma 316; gaps: mean 1, mean square 2 */
	assert_in_range(n, 98500, 101500);
	assert_true(fabs(sum / (double)n - 1) < 0.015);
	assert_true(fabs(squares / (double)n - 2) < 0.1);
	assert_true(fabs((double)bytes / (double)n - 200) < 1);
}

/* 100 ms at 2 mbit, 300 ms nothing: packets only in the first quarter of each period. */
static void test_on_off_fixed(void **state)
{
	struct synth_stream s = stream(SYNTH_ON_OFF);
	struct synth_packet pk;
	uint64_t n = 0;
	struct synth *y;

	(void)state;
	s.rate = 1600000;
	s.on = 100 * MS;
	s.off = 300 * MS;
	y = synth_new(&s, 1, 0);
	while (synth_next(y, &pk)) {
		assert_true(pk.when == n / 100 * 400 * MS + n % 100 * MS);
		n++;
	}
	assert_int_equal(n, 2500);
	synth_free(y);
}

static void test_on_off_random(void **state)
{
	struct synth_stream s = stream(SYNTH_ON_OFF);
	uint64_t n = 0, last = 0, pauses = 0;
	struct synth_packet pk;
	struct synth *y;

	(void)state;
	s.rate = 1600000;
	s.on = 100 * MS;
	s.off = 300 * MS;
	s.random_periods = true;
	s.end = 4000 * SEC;
	y = synth_new(&s, 1, 0);
	while (synth_next(y, &pk)) {
		assert_true(!n || pk.when > last);
		pauses += n && pk.when - last != MS;
		last = pk.when;
		n++;
	}
	synth_free(y);
	/* a period of 400 ms holds 100 packets and a half in the mean, 10,000 periods */
	assert_in_range(pauses, 9500, 10500);
	assert_in_range(n, 950000, 1060000);
}

static void test_sizes(void **state)
{
	struct synth_stream s = stream(SYNTH_CONSTANT);
	unsigned small = 0, n = 0;
	uint32_t lo = UINT32_MAX, hi = 0;
	struct synth_packet pk;
	struct synth *y;

	(void)state;
	s.size[0] = (struct synth_size){64, 64, 3};
	s.size[1] = (struct synth_size){1000, 1500, 1};
	s.n_size = 2;
	s.rate = 0;
	s.interval = MS;
	y = synth_new(&s, 1, 0);
	while (synth_next(y, &pk)) {
		n++;
		if (pk.len == 64) {
			small++;
			continue;
		}
		lo = pk.len < lo ? pk.len : lo;
		hi = pk.len > hi ? pk.len : hi;
	}
	synth_free(y);
	assert_int_equal(n, 10000);
	assert_in_range(small, 7500 - 220, 7500 + 220);
	assert_in_range(lo, 1000, 1005);
	assert_in_range(hi, 1495, 1500);
}

static uint32_t sum_words(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
	return sum;
}

static bool checks(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* Dissects to what was asked for, with every checksum right over all its bytes. */
static void check_packet(const struct synth_stream *s, uint32_t size, uint64_t nth)
{
	uint8_t whole[1600] = {0}, made[SYNTH_CAP];
	uint32_t cap = synth_build(s, 0, size, nth, made);
	uint32_t ip = s->version == 6 ? 40 : 20, len = size - ip;
	struct dissected d;

	memcpy(whole, made, cap);
	assert_true(cap <= SYNTH_CAP && cap <= size);
	assert_int_equal(dissect_ip(made, cap, size, &d), 0);
	assert_int_equal(d.flags & (DISSECT_LYING | DISSECT_TRUNCATED), 0);
	assert_int_equal(d.len, size);
	assert_int_equal(d.dscp, s->dscp);
	assert_int_equal(d.ecn, s->ecn);
	assert_int_equal(d.key.proto, s->proto);
	assert_int_equal(d.key.version, s->version);
	if (s->version == 4)
		assert_true(checks(sum_words(whole, 20, 0)));
	if (s->proto == IPPROTO_UDP || s->proto == IPPROTO_TCP) {
		uint32_t pseudo = s->version == 4 ? sum_words(whole + 12, 8, 0)
						  : sum_words(whole + 8, 32, 0);

		assert_int_equal(d.key.sport, s->sport);
		assert_int_equal(d.key.dport, s->dport);
		assert_true(checks(sum_words(whole + ip, len, pseudo + s->proto + len)));
	} else if (s->proto == IPPROTO_ICMPV6) {
		assert_true(checks(sum_words(whole + ip, len,
					     sum_words(whole + 8, 32, 0) + s->proto + len)));
	} else if (s->proto == IPPROTO_ICMP) {
		assert_true(checks(sum_words(whole + ip, len, 0)));
	}
}

static void test_packets(void **state)
{
	static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ESP,
					 IPPROTO_GRE};
	struct synth_stream s = stream(SYNTH_CONSTANT);

	(void)state;
	s.dscp = 46;
	s.ecn = 2;
	for (unsigned v = 4; v <= 6; v += 2) {
		s.version = (uint8_t)v;
		for (unsigned p = 0; p < sizeof(protos); p++) {
			s.proto = protos[p];
			if (v == 6 && s.proto == IPPROTO_ICMP)
				s.proto = IPPROTO_ICMPV6;
			check_packet(&s, synth_header_size(&s), 0);
			check_packet(&s, 101, 1);
			check_packet(&s, 1500, 123456789);
		}
	}
}

/* 3 sources, 2 destinations, 7 flows: all different, hosts first, then source ports. */
static void test_spread(void **state)
{
	struct synth_stream s = stream(SYNTH_CONSTANT);
	struct flow_key key[7];
	uint8_t buf[SYNTH_CAP];
	struct dissected d;

	(void)state;
	s.src = (struct synth_hosts){{10, 0, 0, 255}, 3};
	s.dst.n = 2;
	s.flows = 7;
	for (uint32_t i = 0; i < 7; i++) {
		uint32_t cap = synth_build(&s, i, 200, 0, buf);

		assert_int_equal(dissect_ip(buf, cap, 200, &d), 0);
		key[i] = d.key;
		for (uint32_t k = 0; k < i; k++)
			assert_memory_not_equal(&key[i], &key[k], sizeof(*key));
		assert_int_equal(d.key.sport, 1000 + i / 3);
	}
	assert_memory_equal(key[1].src, ((uint8_t[]){10, 0, 1, 0}), 4); /* it carries */
}

/* A window of 4, one packet a millisecond: always 4 offered, replaced when they leave. */
static void test_greedy(void **state)
{
	struct synth_stream s = stream(SYNTH_GREEDY);
	struct synth_packet pk;
	struct synth *y;
	unsigned n = 0;

	(void)state;
	s.flows = 2;
	s.end = 10 * MS;
	y = synth_new(&s, 1, 0);
	while (synth_next(y, &pk)) {
		assert_int_equal(pk.when, 0);
		assert_int_equal(pk.flow, n++ % 2);
	}
	assert_int_equal(n, 8);
	for (uint64_t t = 1; t < 10; t++) { /* the same flow again, at once */
		synth_sent(y, 0, t % 2, t * MS);
		assert_true(synth_next(y, &pk));
		assert_int_equal(pk.when, t * MS);
		assert_int_equal(pk.flow, t % 2);
		assert_false(synth_next(y, &pk));
	}
	synth_sent(y, 0, 0, 10 * MS); /* at its end: over */
	assert_false(synth_next(y, &pk));
	synth_free(y);
}

/* Drops are answered one after another, never at the instant of the drop. */
static void test_greedy_drops(void **state)
{
	struct synth_stream s = stream(SYNTH_GREEDY);
	struct synth_packet pk;
	struct synth *y = NULL;

	(void)state;
	y = synth_new(&s, 1, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_true(synth_next(y, &pk));
	for (unsigned i = 0; i < 3; i++)
		synth_dropped(y, 0, 0, 5 * MS, 2 * MS);
	synth_dropped(y, 0, 0, 5 * MS, 0); /* no time at all is a nanosecond */
	assert_true(synth_when(y) == 7 * MS);
	assert_true(synth_next(y, &pk) && pk.when == 7 * MS);
	assert_true(synth_next(y, &pk) && pk.when == 9 * MS);
	assert_true(synth_next(y, &pk) && pk.when == 11 * MS);
	assert_true(synth_next(y, &pk) && pk.when == 11 * MS + 1);
	assert_false(synth_next(y, &pk));
	synth_free(y);
}

/* Two streams in time order, ties in the order of the file; the same again and again. */
static void test_merge_and_repeat(void **state)
{
	struct synth_stream v[2] = {stream(SYNTH_POISSON), stream(SYNTH_CONSTANT)};
	struct synth_packet a, b;
	struct synth *x, *y;
	uint64_t last = 0, n = 0;

	(void)state;
	x = synth_new(v, 2, 0);
	y = synth_new(v, 2, 0);
	while (synth_next(x, &a)) {
		assert_true(synth_next(y, &b));
		assert_true(a.when >= last);
		last = a.when;
		assert_true(a.when == b.when && a.len == b.len && a.stream == b.stream);
		assert_memory_equal(a.data, b.data, a.caplen);
		n++;
	}
	assert_true(n > 1000);
	synth_free(x);
	synth_free(y);
	assert_true(synth_seed("a", "b") != synth_seed("ab", ""));
	v[0] = v[1] = stream(SYNTH_CONSTANT);
	x = synth_new(v, 2, 0);
	assert_true(synth_next(x, &a) && a.stream == 0 && a.when == 0);
	assert_true(synth_next(x, &a) && a.stream == 1 && a.when == 0);
	synth_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generator),    cmocka_unit_test(test_below_is_even),
		cmocka_unit_test(test_exponential),  cmocka_unit_test(test_constant_is_exact),
		cmocka_unit_test(test_interval),     cmocka_unit_test(test_poisson),
		cmocka_unit_test(test_on_off_fixed), cmocka_unit_test(test_on_off_random),
		cmocka_unit_test(test_sizes),	     cmocka_unit_test(test_packets),
		cmocka_unit_test(test_spread),	     cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_greedy_drops), cmocka_unit_test(test_merge_and_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
