/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reachability. Every "yes" comes with a packet, which is put to libpcap here again;
 * every "no" is tried to be refuted with random packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "packet_build.h"
#include "qos/filter.h"

#define LIST_MAX 8

struct compiled {
	struct filter f[LIST_MAX];
	struct filter_list list;
};

/* "a|b|c"; "": takes everything. No filter here has a '|' of its own. */
static bool compile_list(struct compiled *c, const char *text)
{
	char one[256], err[512];
	size_t n = 0;

	while (*text) {
		size_t len = strcspn(text, "|");

		snprintf(one, sizeof(one), "%.*s", (int)len, text);
		if (filter_compile(&c->f[n], one, err, sizeof(err))) {
			while (n)
				filter_free(&c->f[--n]);
			return false;
		}
		n++;
		text += len + (text[len] == '|');
	}
	c->list = (struct filter_list){c->f, n};
	return true;
}

static void free_list(struct compiled *c)
{
	for (size_t i = 0; i < c->list.n; i++)
		filter_free(&c->f[i]);
}

static bool list_takes(const struct filter_list *l, const uint8_t *p, uint32_t len,
		       uint32_t caplen)
{
	for (size_t i = 0; i < l->n; i++)
		if (filter_match(&l->v[i], p, len, caplen))
			return true;
	return l->n == 0;
}

static int ask(const char *self, const char *within, const char *before)
{
	struct compiled s, w, b;
	uint8_t packet[128];
	uint32_t len = 0;
	int r;

	assert_true(compile_list(&s, self) && compile_list(&w, within) &&
		    compile_list(&b, before));
	r = filter_reachable(&s.list, &w.list, 1, &b.list, b.list.n > 0, packet, &len);
	if (r == 1) {
		uint32_t caplen = len < 128 ? len : 128;

		assert_true(list_takes(&s.list, packet, len, caplen));
		assert_true(list_takes(&w.list, packet, len, caplen));
		assert_false(b.list.n && list_takes(&b.list, packet, len, caplen));
	}
	free_list(&s);
	free_list(&w);
	free_list(&b);
	return r;
}

struct question {
	const char *self, *within, *before;
	int answer;
};

static const struct question QUESTIONS[] = {
	{"udp port 53", "", "", 1},
	{"udp port 53", "", "udp", 0},
	{"udp port 53", "", "ip and udp", 1},
	{"udp port 53", "", "ip and udp|ip6 and udp", 0},
	{"udp", "", "udp port 53", 1},
	{"udp", "", "udp portrange 0-65535", 1},	 /* later fragments have no ports */
	{"udp and ip6", "", "udp portrange 0-65535", 1}, /* too short for ports */
	{"udp port 53", "", "udp portrange 0-1000|udp portrange 1001-65535", 0},
	{"udp port 53", "", "udp portrange 0-52|udp portrange 54-65535", 1},
	{"udp portrange 100-200", "", "udp portrange 100-150|udp portrange 152-200", 1},
	{"udp dst portrange 100-200", "", "udp dst portrange 100-150|udp dst portrange 152-200",
	 1},
	{"udp dst portrange 100-200", "", "udp dst portrange 100-150|udp dst portrange 151-200",
	 0},
	{"tcp port 22", "udp", "", 0},
	{"tcp port 22", "tcp or udp", "", 1},
	{"tcp port 22", "udp|tcp", "", 1},
	{"tcp port 22", "src net 10.0.0.0/8", "src net 10.0.0.0/9|src net 10.128.0.0/9", 0},
	{"tcp port 22", "src net 10.0.0.0/8", "src net 10.0.0.0/9|src net 10.128.0.0/10", 1},
	{"host 10.1.2.3", "", "net 10.0.0.0/8", 0},
	{"net 10.0.0.0/8", "", "host 10.1.2.3", 1},
	{"host 2001:db8::1", "", "net 2001:db8::/32", 0},
	{"net 2001:db8::/32", "", "net 2001:db8::/33", 1},
	{"net 2001:db8::/33", "", "net 2001:db8::/32", 0},
	{"ip", "", "ip6", 1},
	{"", "", "ip|ip6", 0},
	{"", "", "ip", 1},
	{"not ip and not ip6", "", "", 0},
	{"tcp", "ip6", "ip", 1},
	{"icmp", "", "ip proto 1", 0},
	{"tcp[13] & 2 != 0", "", "tcp", 0},
	{"tcp[13] & 2 != 0", "", "tcp[13] & 3 != 0", 0},
	{"tcp[13] & 3 != 0", "", "tcp[13] & 2 != 0", 1},
	{"tcp[13] & 18 = 18", "", "tcp[13] & 2 != 0", 0},
	{"tcp[13] & 18 = 2", "", "tcp[13] & 16 != 0", 1},
	{"less 100", "", "less 200", 0},
	{"less 200", "", "less 100", 1},
	{"greater 1000", "", "", 1},
	{"greater 1000", "", "less 1500", 1},
	{"greater 1000 and udp port 5", "udp", "tcp|icmp", 1},
	{"ip[1] & 0xfc = 0xb8", "", "ip[1] = 0xb8 or ip[1] = 0xb9", 1},
	{"ip[1] & 0xfe = 0xb8", "", "ip[1] = 0xb8 or ip[1] = 0xb9", 0},
	{"ip[8] > 10", "", "ip[8] > 5", 0},
	{"ip[8] >= 5 and ip[8] <= 6", "", "ip[8] = 5", 1}, /* one value is left at either end */
	{"ip[8] >= 5 and ip[8] <= 6", "", "ip[8] = 6", 1},
	{"ip[8] >= 5 and ip[8] <= 6", "", "ip[8] = 6|ip[8] = 5", 0},
	{"ip[8] >= 5 and ip[8] <= 6 and not ip[8] = 6", "", "", 1},
	{"ip[8] > 5", "", "ip[8] > 10", 1},
	{"ip[0] & 0xf > 5 and udp port 7", "", "", 1},
	{"ip and udp src port 7", "", "udp[0] = 0", 0},
	{"udp[0:2] = 7", "", "udp src port 7 and ip", 0},
	{"ip[6:2] & 0x1fff != 0", "", "udp port 53", 1},
	{"tcp port 80 or tcp port 443", "", "tcp port 80", 1},
	{"tcp and (port 80 or port 443)", "", "tcp port 443|tcp port 80", 0},
	{"ip6 proto 17", "", "udp", 0},
	{"ip6[6] = 44 and ip6[40] = 17", "", "udp",
	 0},					  /* "udp" looks behind a fragment header */
	{"udp", "", "ip6[6] = 17|ip[9] = 17", 1}, /* ... which these do not */
	{"port 53", "", "tcp|udp", 1},		  /* SCTP */
	{"port 53", "", "tcp|udp|sctp", 0},
	{"", "", "", 1},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(QUESTIONS) / sizeof(QUESTIONS[0]); i++) {
		const struct question *q = &QUESTIONS[i];
		int r = ask(q->self, q->within, q->before);

		if (r != q->answer)
			fail_msg("'%s' within '%s' before '%s': %d", q->self, q->within,
				 q->before, r);
	}
}

/* Hopeless questions end, and say that they could not be told. Soundness is all that counts. */
static void test_bounded(void **state)
{
	(void)state;
	assert_int_not_equal(ask("ip6 protochain 6", "", "ip6 protochain 17|ip6 protochain 6"),
			     1);
	assert_int_not_equal(ask("ip[2:2] * ip[4:2] = 12345", "", "ip[2:2] * ip[4:2] = 12345"),
			     1);
	assert_int_not_equal(ask("ip[ip[8]] = 3", "", "ip[ip[8]] = 3"), 1);
}

static void random_filter(uint64_t *r, char *out, size_t size)
{
	static const char *const atoms[] = {"tcp",
					    "udp",
					    "ip",
					    "ip6",
					    "tcp[13] & 2 != 0",
					    "less 60",
					    "ip[1] & 0xfc = 8",
					    "udp[4:2] > 20",
					    "tcp or udp",
					    "not tcp",
					    "icmp",
					    "ip[8] > 63",
					    "net 10.0.0.0/16",
					    "host 10.0.1.1"};
	static const char *const protos[] = {"tcp ", "udp ", ""};
	unsigned a = packet_random(r) % 8, b = a + packet_random(r) % 8;

	switch (packet_random(r) % 4) {
	case 0:
		snprintf(out, size, "%s", atoms[packet_random(r) % 14]);
		break;
	case 1:
		snprintf(out, size, "%sport %u", protos[packet_random(r) % 3], a);
		break;
	case 2:
		snprintf(out, size, "%s and %sportrange %u-%u", atoms[packet_random(r) % 14],
			 protos[packet_random(r) % 3], a, b);
		break;
	default:
		snprintf(out, size, "net 10.0.%u.0/%u and %s", a / 4 * 4, 22 + a % 2,
			 atoms[packet_random(r) % 14]);
		break;
	}
}

static void random_packet(uint64_t *r, struct packet *p)
{
	unsigned proto = packet_random(r) % 4 ? (packet_random(r) & 1 ? 6 : 17) : 1;

	if (packet_random(r) % 4)
		packet_v4(p, proto, 0x0a000001 + (packet_random(r) % 9 << 8),
			  0x0a000001 + (packet_random(r) % 9 << 8), packet_random(r) % 16,
			  packet_random(r) % 16, packet_random(r) % 30);
	else
		packet_v6(p, proto, 1, 2, packet_random(r) % 16, packet_random(r) % 16,
			  packet_random(r) % 30);
	p->b[1] = (uint8_t)packet_random(r);
	p->b[8] = (uint8_t)packet_random(r);
	p->b[33] = (uint8_t)packet_random(r);
	if (packet_random(r) % 16 == 0)
		p->len = 20 + packet_random(r) % (p->len - 20);
	if (p->b[0] >> 4 == 6 && p->len < 40)
		p->len = 40;
}

static void test_no_is_never_refuted(void **state)
{
	uint64_t r = 77;
	unsigned answers[3] = {0};

	(void)state;
	for (unsigned n = 0; n < 600; n++) {
		struct compiled s, w = {.list = {NULL, 0}}, b;
		char self[200], within[200], before[420], x[200], y[200];
		uint8_t witness[128];
		uint32_t len;
		int answer;

		random_filter(&r, self, sizeof(self));
		random_filter(&r, within, sizeof(within));
		random_filter(&r, x, sizeof(x));
		random_filter(&r, y, sizeof(y));
		snprintf(before, sizeof(before), "%s|%s", x, y);
		if (!compile_list(&s, self))
			continue;
		if (!compile_list(&b, before)) {
			free_list(&s);
			continue;
		}
		if (packet_random(&r) & 1 && !compile_list(&w, within))
			w.list.n = 0;
		answer = filter_reachable(&s.list, &w.list, 1, &b.list, 1, witness, &len);
		assert_in_range(answer + 1, 0, 2);
		answers[answer + 1]++;
		for (unsigned i = 0; i < 500 && answer == 0; i++) {
			struct packet p;

			random_packet(&r, &p);
			if (list_takes(&s.list, p.b, p.len, p.len) &&
			    list_takes(&w.list, p.b, p.len, p.len) &&
			    !list_takes(&b.list, p.b, p.len, p.len))
				fail_msg("'%s' within '%s' before '%s' is reached", self,
					 within, before);
		}
		free_list(&s);
		free_list(&w);
		free_list(&b);
	}
	print_message("yes %u, no %u, not told %u\n", answers[2], answers[1], answers[0]);
	assert_true(answers[2] > 50 && answers[1] > 50);
	assert_true(answers[0] < 20);
}

/* Only what libpcap makes of it. */
static void compile_raw(struct filter *f, const char *text, int optimize)
{
	pcap_t *dead = pcap_open_dead(DLT_RAW, 65535);

	*f = (struct filter){.per_flow = false};
	if (pcap_compile(dead, &f->prog, text, optimize, PCAP_NETMASK_UNKNOWN))
		fail_msg("'%s': %s", text, pcap_geterr(dead));
	pcap_close(dead);
}

static int same(const char *a, const char *b)
{
	struct filter x, y;
	int answer;

	compile_raw(&x, a, 1);
	compile_raw(&y, b, 0);
	answer = filter_same(&x, &y);
	filter_free(&x);
	filter_free(&y);
	return answer;
}

static void test_same(void **state)
{
	(void)state;
	assert_int_equal(same("udp port 53", "udp src port 53 or udp dst port 53"), 1);
	assert_int_equal(same("net 10.0.0.0/8", "net 10.0.0.0/9 or net 10.128.0.0/9"), 1);
	assert_int_equal(same("host 10.0.0.1", "host 10.0.0.2"), 0);
	assert_int_equal(same("udp", "udp portrange 0-65535"), 0); /* fragments */
	assert_int_equal(same("udp[4:2] > 20", "udp[4:2] >= 20"), 0);
	assert_int_equal(same("less 100", "less 101"), 0);
	/* libpcap reads the ports in another order: it matters to packets without both */
	assert_int_equal(same("udp and (port 53 or port 123)", "udp and (port 53 or port 123)"),
			 1);
	for (size_t i = 0; i < sizeof(QUESTIONS) / sizeof(QUESTIONS[0]); i++)
		if (*QUESTIONS[i].self && !strchr(QUESTIONS[i].self, '|') &&
		    same(QUESTIONS[i].self, QUESTIONS[i].self) != 1)
			fail_msg("'%s'", QUESTIONS[i].self);
	/* arithmetic is not followed: "no" would be a lie */
	assert_int_equal(same("ip[2:2] * ip[4:2] = 12345", "ip[2:2] * ip[4:2] = 12345"), -1);
}

/* A division by zero ends a program, and then it takes nothing. */
static void test_division(void **state)
{
	struct bpf_insn all[] = {BPF_STMT(BPF_RET | BPF_K, 1)};
	struct bpf_insn by_zero[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_STMT(BPF_RET | BPF_K, 1)};
	const struct filter f = {.prog = {1, all}}, none = {.prog = {4, by_zero}};
	const struct filter_list self = {&f, 1}, before = {&none, 1};

	(void)state;
	assert_int_not_equal(filter_reachable(&self, NULL, 0, &before, 1, NULL, NULL), 0);
	assert_int_not_equal(filter_same(&f, &none), 1);
	assert_int_not_equal(filter_same(&none, &f), 1);
}

/* What an optimizer could do wrong. */
static void break_one(uint64_t *r, struct bpf_program *prog)
{
	unsigned at = packet_random(r) % prog->bf_len;
	struct bpf_insn *i = &prog->bf_insns[at];
	uint8_t jt = i->jt;

	switch (packet_random(r) % 4) {
	case 0:
		i->k ^= 1u << packet_random(r) % 32;
		break;
	case 1:
		i->k++;
		break;
	case 2:
		i->jt = i->jf;
		i->jf = jt;
		break;
	default:
		i->jt += BPF_CLASS(i->code) == BPF_JMP && at + 2u + jt < prog->bf_len;
		break;
	}
}

/* As random_packet(), with all the bytes that the filters here read. */
static void whole_packet(uint64_t *r, struct packet *p)
{
	do
		random_packet(r, p);
	while (p->len < 62);
}

static void test_same_is_never_refuted(void **state)
{
	uint64_t r = 99;
	unsigned answers[3] = {0}, refuted = 0;

	(void)state;
	for (unsigned n = 0; n < 1500; n++) {
		struct filter good, bad;
		bool differ = false;
		char text[200], err[512];
		int answer;

		random_filter(&r, text, sizeof(text));
		if (filter_compile(&good, text, err, sizeof(err)))
			continue; /* rejects all packets */
		filter_free(&good);
		if (same(text, text) == 0)
			fail_msg("'%s': the optimizer is called wrong", text);
		compile_raw(&good, text, 1);
		compile_raw(&bad, text, (int)(packet_random(&r) & 1));
		break_one(&r, &bad.prog);
		/* what is no program is never seen by filter_same(), nor is another version of
		 * IP */
		if (!bpf_validate(bad.prog.bf_insns, (int)bad.prog.bf_len)) {
			filter_free(&good);
			filter_free(&bad);
			continue;
		}
		answer = filter_same(&bad, &good);
		assert_in_range(answer + 1, 0, 2);
		answers[answer + 1]++;
		for (unsigned i = 0; i < 400 && !differ; i++) {
			struct packet p;

			whole_packet(&r, &p);
			differ = filter_match(&good, p.b, p.len, p.len) !=
				 filter_match(&bad, p.b, p.len, p.len);
		}
		refuted += differ;
		if (differ && answer == 1)
			fail_msg("'%s': called the same", text);
		filter_free(&good);
		filter_free(&bad);
	}
	print_message("same %u, different %u (seen %u), not told %u\n", answers[2], answers[1],
		      refuted, answers[0]);
	assert_true(answers[2] > 50 && answers[1] > refuted && refuted > 300);
	assert_true(answers[0] < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_no_is_never_refuted),
		cmocka_unit_test(test_division),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_same_is_never_refuted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
