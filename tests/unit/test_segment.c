/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Large segments: what they are cut into is looked at as a receiver would, by dissecting each
 * piece again and putting the stream together, and not by the arithmetic that cut it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "qos/flow.h"
#include "qos/segment.h"

static uint64_t seed = 7;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % n;
}

static void put(uint8_t *p, uint32_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static uint32_t get(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

struct made {
	uint8_t *b;
	uint32_t len, l4, header;
};

/* A TCP packet whose payload says at each byte where it stands. */
static struct made make(bool v6, uint32_t options, uint32_t payload, uint8_t flags)
{
	struct made m = {.l4 = v6 ? 40 : 20 + 4 * below(3)};
	uint8_t *tcp;

	m.header = m.l4 + 20 + options;
	m.len = m.header + payload;
	m.b = calloc(1, m.len);
	assert_non_null(m.b);
	if (v6) {
		m.b[0] = 0x60;
		put(m.b + 4, m.len - 40 > 65535 ? 0 : m.len - 40, 2);
		m.b[6] = 6;
		m.b[23] = 1;
		m.b[39] = 2;
	} else {
		m.b[0] = (uint8_t)(0x40 | m.l4 / 4);
		put(m.b + 2, m.len > 65535 ? 0 : m.len, 2);
		put(m.b + 4, 65534, 2); /* an identification that overflows */
		m.b[8] = 64;
		m.b[9] = 6;
		m.b[12] = m.b[16] = 10;
		m.b[15] = 1;
		m.b[19] = 2;
	}
	tcp = m.b + m.l4;
	put(tcp, 443, 2);
	put(tcp + 2, 50000, 2);
	put(tcp + 4, 0xfffff000, 4);
	tcp[12] = (uint8_t)((20 + options) / 4 << 4);
	tcp[13] = flags;
	for (uint32_t i = 0; i < options; i++)
		tcp[20 + i] = 1;
	for (uint32_t i = 0; i < payload; i++)
		m.b[m.header + i] = (uint8_t)(i * 131 >> 3);
	return m;
}

static uint32_t sum_of_header(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < (ip[0] & 15u) * 4; i += 2)
		sum += get(ip + i, 2);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_piece(const struct made *m, const struct dissected *d, uint32_t i, uint32_t n,
			uint32_t *payload)
{
	static uint8_t buf[SEGMENT_BYTES];
	struct dissected p, again;
	uint8_t flags = m->b[m->l4 + 13], want = flags;

	segment_piece(d, i, buf, &p);
	assert_int_equal(dissect_ip(p.ip, p.caplen, p.len, &again), 0);
	assert_int_equal(again.len, p.len);
	assert_int_equal(again.caplen, p.caplen);
	assert_int_equal(again.flags, p.flags);
	assert_memory_equal(&again.key, &d->key, sizeof(d->key));
	assert_int_equal(again.l4, m->l4);
	assert_int_equal(p.segment, 0);
	assert_true(p.len <= d->segment && p.len > m->header);
	assert_true(i == n - 1 || p.len == d->segment);
	if (m->b[0] >> 4 == 4) {
		assert_int_equal(sum_of_header(buf), 0xffff);
		assert_int_equal(get(buf + 4, 2), (65534 + i) & 0xffff);
	}
	assert_int_equal(get(buf + m->l4 + 4, 4), 0xfffff000 + *payload);
	if (i)
		want &= 0x7f; /* CWR */
	if (i != n - 1)
		want &= (uint8_t)~9; /* FIN, PSH */
	assert_int_equal(buf[m->l4 + 13], want);
	/* what was captured of the payload, and no more */
	for (uint32_t k = m->header; k < p.caplen; k++)
		assert_int_equal(buf[k], (uint8_t)((*payload + k - m->header) * 131 >> 3));
	if (d->caplen > m->header + *payload)
		assert_int_equal(p.caplen, d->caplen - m->header - *payload < p.len - m->header
						   ? d->caplen - *payload
						   : p.len);
	*payload += p.len - m->header;
}

static void test_pieces(void **state)
{
	struct policy_link link = {.overhead = 14, .mpu = 64, .rate = {.bps = 1000000}};

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t options = 4 * below(11), payload = 1 + below(below(2) ? 70000 : 5000);
		struct made m = make(below(2), options, payload, (uint8_t)below(256));
		uint32_t caplen = below(3) ? m.len : m.header + below(payload), n, done = 0;
		struct dissected d;
		uint64_t charged = 0;

		assert_int_equal(dissect_ip(m.b, caplen, m.len, &d), 0);
		d.segment = m.header + 1 + below(2000);
		n = segment_count(&d);
		if (d.len <= d.segment) {
			assert_int_equal(n, 1);
			free(m.b);
			continue;
		}
		for (uint32_t i = 0; i < n; i++) {
			uint32_t before = done;

			check_piece(&m, &d, i, n, &done);
			charged += policy_charge(&link, m.header + done - before);
		}
		assert_int_equal(done, payload);
		assert_int_equal(segment_charge(&link, &d), charged);
		free(m.b);
	}
}

static void test_what_is_not_cut(void **state)
{
	struct made m = make(false, 12, 5000, 0x10);
	struct dissected d;

	(void)state;
	assert_int_equal(dissect_ip(m.b, m.len, m.len, &d), 0);
	assert_int_equal(segment_count(&d), 1); /* nobody said that it is one */
	d.segment = 1500;
	assert_int_equal(segment_count(&d), 4);
	d.flags |= DISSECT_FRAG_FIRST;
	assert_int_equal(segment_count(&d), 1);
	d.flags = DISSECT_LYING;
	assert_int_equal(segment_count(&d), 1);
	d.flags = 0;
	d.key.proto = 17;
	assert_int_equal(segment_count(&d), 1);
	d.key.proto = 6;
	d.segment = 52 + 20; /* no more than its headers */
	m.b[m.l4 + 12] = 0xf0;
	assert_int_equal(segment_count(&d), 1);
	m.b[m.l4 + 12] = 0x80;
	d.segment = 1500;
	d.caplen = m.l4 + 19; /* its header is not there */
	assert_int_equal(segment_count(&d), 1);
	d.caplen = m.len;
	d.len = SEGMENT_MOST + 1; /* as no host makes them */
	assert_int_equal(segment_count(&d), 1);
	free(m.b);
}

static void look(struct segment_mss *s, struct made *m, struct dissected *d, uint32_t mtu)
{
	static const uint8_t key[16];
	struct siphash_key k = flow_load_key(key);

	assert_int_equal(dissect_ip(m->b, m->len, m->len, d), 0);
	d->hash = flow_key_hash(&k, &d->key);
	segment_look(s, d, mtu);
}

static void turn(struct made *m)
{
	uint8_t t[16];
	uint32_t n = m->b[0] >> 4 == 4 ? 4 : 16, at = n == 4 ? 12 : 8;

	memcpy(t, m->b + at, n);
	memmove(m->b + at, m->b + at + n, n);
	memcpy(m->b + at + n, t, n);
	memcpy(t, m->b + m->l4, 2);
	memmove(m->b + m->l4, m->b + m->l4 + 2, 2);
	memcpy(m->b + m->l4 + 2, t, 2);
}

static void handshake(struct segment_mss *s, bool v6, uint32_t mine, uint32_t theirs)
{
	struct made syn = make(v6, 4, 0, 2), ack = make(v6, 8, 0, 0x12);
	struct dissected d;

	put(syn.b + syn.l4 + 20, 0x02040000 | mine, 4);
	put(ack.b + ack.l4 + 24, 0x02040000 | theirs, 4); /* behind four that do nothing */
	turn(&ack);
	look(s, &syn, &d, 1500);
	assert_int_equal(d.segment, 0);
	look(s, &ack, &d, 1500);
	free(syn.b);
	free(ack.b);
}

static void test_handshakes(void **state)
{
	static const uint8_t key[16];

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct segment_mss *s = segment_mss_new(key);
		struct made m = make(v6, 12, 5000, 0x10);
		struct dissected d;

		assert_non_null(s);
		look(s, &m, &d, 1500);
		assert_int_equal(d.segment, 1500); /* nothing is known of it */
		look(s, &m, &d, m.len);
		assert_int_equal(d.segment, 0); /* the line has it in one */
		handshake(s, v6, 1300, 1460);
		look(s, &m, &d, 1500);
		assert_int_equal(d.segment, m.l4 + 20 + 1300);
		turn(&m);
		look(s, &m, &d, 1500); /* whoever sends, the less of both */
		assert_int_equal(d.segment, m.l4 + 20 + 1300);
		handshake(s, v6, 8960, 1212);
		look(s, &m, &d, 1500);
		assert_int_equal(d.segment, m.l4 + 20 + 1212);
		handshake(s, v6, 8960, 8960); /* jumbo frames */
		look(s, &m, &d, 1500);
		assert_int_equal(d.segment, 0);
		handshake(s, v6, 0, 3); /* that cannot be */
		look(s, &m, &d, 1500);
		assert_int_equal(d.segment, 0);
		free(m.b);
		segment_mss_free(s);
	}
}

/* Options of all kinds, in memory of exactly that size. */
static void test_garbage_in_handshakes(void **state)
{
	static const uint8_t key[16];
	struct segment_mss *s = segment_mss_new(key);

	(void)state;
	assert_non_null(s);
	for (unsigned i = 0; i < 20000; i++) {
		struct made m = make(below(2), 4 * below(11), below(3000), 0x12);
		struct dissected d;

		for (uint32_t k = m.l4 + 12; k < m.header; k++)
			m.b[k] = (uint8_t)below(below(2) ? 8 : 256);
		m.len = m.l4 + 14 + below(m.len - m.l4 - 13);
		look(s, &m, &d, 1500);
		if (d.segment)
			assert_true(segment_count(&d) >= 1);
		free(m.b);
	}
	segment_mss_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_what_is_not_cut),
		cmocka_unit_test(test_handshakes),
		cmocka_unit_test(test_garbage_in_handshakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
