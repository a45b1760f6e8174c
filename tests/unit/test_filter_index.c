/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index leaves out no filter that takes a packet: every list is also run. And it leaves out
 * most of those that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "filter_random.h"
#include "packet_build.h"
#include "qos/filter_index.h"

static int keys(const char *text)
{
	struct filter_key k[FILTER_KEYS_MAX];
	struct filter f;
	char err[512];
	int n;

	if (filter_compile(&f, text, err, sizeof(err)))
		fail_msg("'%s': %s", text, err);
	n = filter_keys(&f, k);
	filter_free(&f);
	return n;
}

static void test_keys(void **state)
{
	(void)state;
	assert_int_equal(keys("host 10.1.2.3"), 2);
	assert_int_equal(keys("src host 10.1.2.3"), 1);
	assert_int_equal(keys("src host 10.1.2.3 and tcp[13] & 2 != 0 and greater 100"), 1);
	assert_int_equal(keys("net 10.1.0.0/16"), 2);
	assert_int_equal(keys("host 2001:db8::1"), 2);
	assert_int_equal(keys("tcp port 22"), 4);
	assert_int_equal(keys("udp dst port 53"), 2);
	assert_int_equal(keys("dst host 10.1.2.3 or dst host 10.1.2.4 or ip6 dst host 2001::1"),
			 3);
	/* what would be a candidate nearly always */
	assert_int_equal(keys("tcp"), -1);
	assert_int_equal(keys("ip6"), -1);
	assert_int_equal(keys("portrange 5-6"), -1);
	assert_int_equal(keys("not host 10.1.2.3"), -1);
	assert_int_equal(keys("less 100"), -1);
	assert_int_equal(keys("host 10.1.2.3 or tcp"), -1);
	assert_int_equal(keys("ip6 protochain 17"), -1);
	/* more than there is room for */
	assert_int_equal(
		keys("host 10.0.0.1 or host 10.0.0.2 or host 10.0.0.3 or host 10.0.0.4"), 8);
	assert_int_equal(
		keys("host 10.0.0.1 or host 10.0.0.2 or host 10.0.0.3 or host 10.0.0.4 "
		     "or host 10.0.0.5"),
		-1);
}

/* Programs that libpcap does not write, or should not. */
static void test_odd_programs(void **state)
{
	struct bpf_insn loop[] = {BPF_STMT(BPF_LD | BPF_IMM, 1),
				  BPF_STMT(BPF_JMP | BPF_JA, (bpf_u_int32)-2),
				  BPF_STMT(BPF_RET | BPF_K, 1)};
	struct bpf_insn over[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
				  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 9, 0),
				  BPF_STMT(BPF_RET | BPF_K, 0)};
	struct bpf_insn never[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct bpf_insn acc[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
				 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1),
				 BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_K, 0)};
	/* on one of two ways to the comparison the accumulator is another field */
	struct bpf_insn mixed[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
				   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 1),
				   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
				   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 1),
				   BPF_STMT(BPF_RET | BPF_K, 1),
				   BPF_STMT(BPF_RET | BPF_K, 0)};
	/* X is not the header's length any more */
	struct bpf_insn moved[] = {BPF_STMT(BPF_LDX | BPF_MSH | BPF_B, 0),
				   BPF_STMT(BPF_LDX | BPF_IMM, 4),
				   BPF_STMT(BPF_LD | BPF_W | BPF_IND, 8),
				   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1),
				   BPF_STMT(BPF_RET | BPF_K, 1),
				   BPF_STMT(BPF_RET | BPF_K, 0)};
	/* shifted: not the field as it is in the packet */
	struct bpf_insn shifted[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1), BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0)};
	const struct {
		struct bpf_insn *insn;
		unsigned n;
		int keys;
	} t[] = {{loop, 3, -1},	 {over, 3, -1},	 {never, 1, 0},	   {acc, 4, 1},
		 {mixed, 6, -1}, {moved, 6, -1}, {shifted, 5, -1}, {never, 0, -1}};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct filter f = {.prog = {t[i].n, t[i].insn}};
		struct filter_key k[FILTER_KEYS_MAX];

		if (filter_keys(&f, k) != t[i].keys)
			fail_msg("program %zu: %d keys", i, filter_keys(&f, k));
	}
}

#define LISTS 60
#define PER_LIST 3

struct many {
	struct filter f[LISTS][PER_LIST];
	struct filter_list l[LISTS];
	struct filter_index *x;
};

/* As libpcap writes it with or without its optimizer; "rejects all packets": another. */
static void random_program(uint64_t *r, struct filter *f)
{
	char text[800], err[512];
	pcap_t *dead;

	do {
		random_filter(r, text, sizeof(text), 2);
		if (packet_random(r) % 4 == 0)
			snprintf(text, sizeof(text), "ip[%u:%u] = %u", packet_random(r) % 30,
				 1u << packet_random(r) % 3, packet_random(r) % 3);
	} while (filter_compile(f, text, err, sizeof(err)));
	if (packet_random(r) & 1)
		return;
	filter_free(f);
	dead = pcap_open_dead(DLT_RAW, 65535);
	assert_int_equal(pcap_compile(dead, &f->prog, text, 0, PCAP_NETMASK_UNKNOWN), 0);
	pcap_close(dead);
}

static void many_make(struct many *m, uint64_t *r)
{
	m->x = filter_index_new();
	assert_non_null(m->x);
	for (uint32_t i = 0; i < LISTS; i++) {
		size_t n = packet_random(r) % 20 ? 1 + packet_random(r) % PER_LIST : 0;

		m->l[i] = (struct filter_list){m->f[i], n};
		for (size_t k = 0; k < n; k++)
			random_program(r, &m->f[i][k]);
		assert_true(filter_index_add(m->x, &m->l[i], i));
	}
}

static void many_free(struct many *m)
{
	for (size_t i = 0; i < LISTS; i++)
		for (size_t k = 0; k < m->l[i].n; k++)
			filter_free(&m->f[i][k]);
	filter_index_free(m->x);
}

/* With options, of an unknown version, full of nothing, cut anywhere. */
static uint32_t random_packet(uint64_t *r, struct packet *p)
{
	static const unsigned protos[] = {6, 17, 132, 1, 50, 58};
	unsigned proto = protos[packet_random(r) % 6];

	if (packet_random(r) & 1)
		packet_v4(p, proto, 0x0a000001 + (packet_random(r) % 4 << 8),
			  0x0a000002 + (packet_random(r) % 4 << 8), packet_random(r) % 7,
			  packet_random(r) % 7, packet_random(r) % 40);
	else
		packet_v6(p, proto, packet_random(r) % 4, packet_random(r) % 4,
			  packet_random(r) % 7, packet_random(r) % 7, packet_random(r) % 40);
	if (packet_random(r) % 8 == 0)
		p->b[0] = (uint8_t)packet_random(r);
	if (packet_random(r) % 4 == 0)
		p->b[packet_random(r) % 40] = (uint8_t)(packet_random(r) % 3);
	return packet_random(r) % 3 ? p->len : packet_random(r) % p->len;
}

static void test_leaves_out_none_that_takes(void **state)
{
	uint64_t r = 4242, takers = 0, asked = 0, left_out = 0;

	(void)state;
	for (unsigned n = 0; n < 40; n++) {
		struct many m;

		many_make(&m, &r);
		for (unsigned i = 0; i < 500; i++) {
			struct filter_candidates c;
			struct packet p;
			uint32_t caplen = random_packet(&r, &p), next;
			/* in memory that ends there */
			uint8_t *b = malloc(caplen ? caplen : 1);

			assert_non_null(b);
			memcpy(b, p.b, caplen);
			filter_index_ask(m.x, b, caplen, &c);
			next = filter_index_next(&c);
			for (uint32_t k = 0; k < LISTS; k++) {
				bool takes = !m.l[k].n ||
					     filter_list_taker(&m.l[k], b, p.len, caplen);

				if (takes && next != k)
					fail_msg("round %u: %u is left out", n, k);
				takers += takes;
				asked += next == k;
				left_out += next != k;
				if (next == k) {
					next = filter_index_next(&c);
					assert_true(next > k);
				}
			}
			assert_int_equal(next, FILTER_NONE);
			assert_int_equal(filter_index_next(&c), FILTER_NONE);
			free(b);
		}
		many_free(&m);
	}
	print_message("%lu take, %lu are asked, %lu left out\n", (unsigned long)takers,
		      (unsigned long)asked, (unsigned long)left_out);
	assert_true(takers > 1000 && left_out > 100000);
}

/* Few are left of many: what the index is for. */
static void test_few_are_left(void **state)
{
	struct filter_index *x = filter_index_new();
	struct filter *f = calloc(5000, sizeof(*f));
	struct filter_candidates c;
	struct packet p;

	(void)state;
	assert_true(x && f);
	for (uint32_t i = 0; i < 5000; i++) {
		const struct filter_list l = {&f[i], 1};
		char text[100], err[512];

		snprintf(text, sizeof(text), "host 10.%u.%u.1", i >> 8, i & 255);
		assert_int_equal(filter_compile(&f[i], text, err, sizeof(err)), 0);
		assert_true(filter_index_add(x, &l, i));
	}
	for (uint32_t i = 0; i < 5000; i++) {
		packet_v4(&p, 17, 0x0a000001 | i << 8, 0x0a000001 | (4999 - i) << 8, 1, 2, 0);
		filter_index_ask(x, p.b, p.len, &c);
		assert_int_equal(filter_index_next(&c), i < 4999 - i ? i : 4999 - i);
		assert_int_equal(filter_index_next(&c), i < 4999 - i ? 4999 - i : i);
		assert_int_equal(filter_index_next(&c), FILTER_NONE);
	}
	for (uint32_t i = 0; i < 5000; i++)
		filter_free(&f[i]);
	free(f);
	filter_index_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_odd_programs),
		cmocka_unit_test(test_leaves_out_none_that_takes),
		cmocka_unit_test(test_few_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
