/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs for the kernel: each must be one that the kernel takes, and say of every packet of a
 * device what the policy's filter says of the IP packet in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw/tc_bpf.h"
#include "packet_build.h"
#include "qos/policy.h"
#include "tc_kernel.h"

#define ROUNDS 1500
#define FRAME (14 + 2048)

static struct sock_filter rule[TC_BPF_MAX], cls[TC_BPF_MAX];

static uint64_t rnd = 0x853c49e6748fea9b;

static uint32_t random_below(uint32_t n)
{
	return packet_random(&rnd) % n;
}

/* Numbers that the program compares with: packets that hold them meet its branches. */
static uint32_t constant_of(const struct sock_filter *f, size_t n)
{
	for (unsigned tries = 0; n && tries < 16; tries++) {
		const struct sock_filter *in = &f[random_below((uint32_t)n)];

		if (BPF_CLASS(in->code) == BPF_JMP && BPF_OP(in->code) != BPF_JA)
			return in->k + random_below(3) - 1;
	}
	return packet_random(&rnd);
}

static void scribble(uint8_t *p, uint32_t len, const struct sock_filter *f, size_t n)
{
	static const uint8_t at[] = {0, 1, 4, 6, 8, 9, 12, 16, 20, 22, 24, 32, 40, 42, 53};
	uint32_t v = constant_of(f, n), off = at[random_below(sizeof(at))];
	unsigned size = 1u << random_below(3);

	if (off + size > len)
		return;
	for (unsigned i = size; i--; v >>= 8)
		p[off + i] = (uint8_t)v;
}

/* A frame with an IP packet, sometimes a strange one. The packet's length. */
static uint32_t make(uint8_t frame[FRAME], const struct sock_filter *f, size_t n)
{
	static const uint8_t protos[] = {6, 17, 1, 58, 132, 50, 44, 0};
	static const uint16_t ports[] = {22, 53, 80, 443, 5060, 10000, 8080, 3478};
	struct packet p;
	unsigned proto = protos[random_below(sizeof(protos))];
	unsigned sport = random_below(2) ? ports[random_below(8)] : random_below(65536);
	unsigned dport = random_below(2) ? ports[random_below(8)] : random_below(65536);
	uint32_t src = 0xc0a80000u | random_below(1024), dst = 0x0a000000u | random_below(1024);

	if (random_below(2))
		packet_v4(&p, proto, src, dst, sport, dport, random_below(400));
	else
		packet_v6(&p, proto, src, dst, sport, dport, random_below(400));
	if (random_below(2))
		p.b[1] = (uint8_t)packet_random(&rnd);
	if (random_below(2))
		p.b[0] = (uint8_t)((p.b[0] & 0xf0) | random_below(16));
	for (unsigned k = random_below(6); k; k--)
		scribble(p.b, p.len, f, n);
	if (!random_below(16))
		p.len = random_below(p.len) + 1;
	for (unsigned i = 0; i < FRAME; i++)
		frame[i] = (uint8_t)packet_random(&rnd);
	memcpy(frame + 14, p.b, p.len);
	return p.len;
}

static bool in_dscp(const uint8_t *ip, uint32_t len, uint64_t set)
{
	unsigned d;

	if (!set)
		return true;
	if (len < 2 || (ip[0] >> 4 != 4 && ip[0] >> 4 != 6))
		return false;
	d = ip[0] >> 4 == 4 ? ip[1] >> 2 : (ip[0] & 0xfu) << 2 | ip[1] >> 6;
	return set >> d & 1;
}

static void compare(const char *text, const struct filter *f, uint64_t dscp, size_t n,
		    uint32_t header)
{
	uint8_t frame[FRAME];

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t len = make(frame, rule, n), got, plain;
		const uint8_t *ip = frame + 14;
		bool want = in_dscp(ip, len, dscp) && (!f || filter_match(f, ip, len, len));
		struct tc_skb skb = {ip - header, len + header, header, 0x0800};
		struct tc_skb bare = {ip, len, 0, 0x0800};

		/* the same program, not shifted, on the packet alone: as xt_bpf runs it */
		plain = tc_kernel_run(rule, &bare);
		got = tc_kernel_run(cls, &skb);
		if (plain != (want ? TC_BPF_MATCH : 0) || got != plain)
			fail_msg("%s (dscp %llx, header %u), packet %u: %x, shifted %x",
				 text ? text : "all", (unsigned long long)dscp, header, i,
				 plain, got);
	}
}

static void check(const char *text, uint64_t dscp)
{
	static const uint32_t headers[] = {14, 0};
	struct filter f;
	char err[512];
	size_t n;

	if (text && filter_compile(&f, text, err, sizeof(err)))
		fail_msg("%s: %s", text, err);
	n = tc_bpf_rule(text ? &f : NULL, dscp, rule, TC_BPF_MAX);
	if (!n || !tc_kernel_takes(rule, n))
		fail_msg("not a program (%zu): %s", n, text ? text : "all");
	for (unsigned h = 0; h < 2; h++) {
		size_t m = tc_bpf_for_cls(rule, n, headers[h], cls, TC_BPF_MAX);

		if (!m || !tc_kernel_takes(cls, m))
			fail_msg("not a program when shifted (%zu of %zu): %s", m, n, text);
		compare(text, text ? &f : NULL, dscp, n, headers[h]);
	}
	if (text)
		filter_free(&f);
}

static const char *const TEXTS[] = {
	"",
	"udp portrange 10000-20000 or udp port 5060",
	"net 10.8.0.0/16",
	"tcp port 22",
	"port 53 or port 443",
	"host 2001:db8::1 and tcp",
	"net 2001:db8::/33",
	"ip proto 50",
	"ip6 and udp",
	"ip6 proto 17",
	"icmp or icmp6",
	"sctp dst port 3868",
	"not ip6",
	"src net 192.168.0.0/16 and not dst net 10.0.0.0/8",
	"tcp and (port 80 or port 443 or portrange 8000-8999)",
	"not (tcp port 22 or udp port 53)",
	"tcp[0:2] = 80",
	"udp[2:2] & 0xff00 = 0x1400",
	"ip[12] = 10 and ip[9] = 17",
	"ip6[6] = 17",
	"ip[6:2] & 0x1fff = 0",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	/* the length: with and without other things in the registers */
	"less 100",
	"greater 200",
	"len = 60 or len = 128",
	"len - 20 < 100",
	"ip[2:2] = len",
	"len > ip[0:2]",
	"100 < len and tcp port 80 and len < 300",
	"(len & 1) = 1 or (len * ip[0] > 9000)",
	/* indexes that are computed: into the payload, and far off */
	"tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
	"tcp[((tcp[12:1] & 0xf0) >> 2)] = 120",
	"udp[udp[4:2] - 1] = 120",
	"ip[ip[0] & 0xf] = 0",
	"ip[ip[16:4]] = 120",
	"ip[ip[16:4] - 1048576] = 120",
	"ip[ip[2:2]] = 120",
	"ip[ip[16:4] & 0x1fffff] = 0 or ip6[ip6[4:2]] = 0",
	"ip[ip[12:4] + 4294967290] > 3",
	"ip6[ip6[8:4]] = 1 or ip[8] > 30",
	"ip[1048570] = 1",
	"ip[1044470:2] = 1",
	"ip[4000000000] = 1 or tcp",
	"ip[ip[8] % 20] = 6 or ip[ip[9] ^ 3] = 6",
	"ip[8] / ip[1] = 2 or ip6[7] = 64",
	"ip[(ip[2:2] / 2)] = 120 or ip[(ip[2:2] / 2 + 1)] = ip[8]",
};

static void same_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
		check(TEXTS[i], 0);
}

static void with_dscp(void **state)
{
	static const uint64_t sets[] = {
		1ULL << 46,	      1, UINT64_MAX, 1ULL << 63, 1ULL << 31 | 1ULL << 32,
		0xf0f0f0f0f0f0f0f0ULL};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		check(NULL, sets[i]);
		check("tcp port 22", sets[i]);
		check("ip[ip[0] & 0xf] = 0 or less 100", sets[i]);
	}
	check(NULL, 0);
}

/* Each single value, for both versions: the two words of the set have no seam. */
static void each_dscp(void **state)
{
	(void)state;
	for (unsigned d = 0; d < 64; d++) {
		uint8_t v4[20] = {0x45, (uint8_t)(d << 2 | (d & 3))};
		uint8_t v6[40] = {(uint8_t)(0x60 | d >> 2), (uint8_t)(d << 6 | 0x3f)};
		uint8_t v5[20] = {0x55, (uint8_t)(d << 2)};

		for (unsigned set = 0; set < 64; set++) {
			size_t n = tc_bpf_rule(NULL, 1ULL << set, rule, TC_BPF_MAX);
			uint32_t want = set == d ? TC_BPF_MATCH : 0;

			assert_true(n > 0 && tc_kernel_takes(rule, n));
			assert_int_equal(
				tc_kernel_run(rule, &(struct tc_skb){v4, 20, 0, 0x800}), want);
			assert_int_equal(
				tc_kernel_run(rule, &(struct tc_skb){v6, 40, 0, 0x86dd}), want);
			assert_int_equal(
				tc_kernel_run(rule, &(struct tc_skb){v5, 20, 0, 0x800}), 0);
		}
	}
}

/* Long filters, whose jumps go far, and further when instructions come in between. */
static void long_jumps(void **state)
{
	static const unsigned lengths[] = {20, 60, 90, 120, 180, 250, 300};
	static char text[32768];

	(void)state;
	for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
		size_t n = 0;

		/* numbers that differ, or libpcap finds that it is one term many times */
		for (unsigned i = 0; i < lengths[k]; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s = %u",
					      i ? " or " : "",
					      i % 3 == 0   ? "len"
					      : i % 3 == 1 ? "udp[udp[4:2] - 2]"
							   : "ip[ip[16:4]]",
					      100 + i % 150);
		check(text, k % 2 ? 1ULL << 46 | 1 : 0);
	}
}

static void of_policies(void **state)
{
	unsigned filters = 0;
	glob_t g;

	(void)state;
	assert_int_equal(glob("policies/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct policy_report quiet = {0};
		FILE *file;
		struct policy *p;

		if (strstr(g.gl_pathv[i], ".test.yaml"))
			continue;
		file = fopen(g.gl_pathv[i], "r");
		assert_non_null(file);
		p = policy_read(file, g.gl_pathv[i], &quiet);
		fclose(file);
		assert_non_null(p);
		for (size_t l = 0; l < p->n_link; l++)
			for (size_t c = 0; c < p->link[l]->n_all; c++) {
				const struct policy_class *k = p->link[l]->all[c];

				for (size_t m = 0; m < k->match.n; m++, filters++)
					check(k->match.v[m].text, k->dscp);
				if (k->dscp)
					check(NULL, k->dscp);
			}
		policy_free(p);
	}
	globfree(&g);
	assert_true(filters > 10);
}

/* Programs that libpcap does not write, but whose instructions are there. */
static void by_hand(void **state)
{
	/* the length into X while A and all but one word of scratch are in use */
	struct sock_filter in[40];
	uint8_t frame[14 + 300];
	size_t n = 0, m;

	(void)state;
	memset(frame, 7, sizeof(frame));
	in[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 5);
	for (unsigned i = 0; i < 15; i++)
		in[n++] = (struct sock_filter)BPF_STMT(BPF_ST, i);
	in[n++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0);
	in[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0);
	in[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	m = tc_bpf_for_cls(in, n, 14, cls, TC_BPF_MAX);
	assert_true(tc_kernel_takes(cls, m));
	assert_int_equal(tc_kernel_run(cls, &(struct tc_skb){frame, 314, 14, 0x800}), 305);
	assert_int_equal(m, n + 4);
	/* nothing is spent on it where there is no header */
	assert_int_equal(tc_bpf_for_cls(in, n, 0, cls, TC_BPF_MAX), n);

	/* all words in use: it cannot be had, and that is said */
	in[1] = (struct sock_filter)BPF_STMT(BPF_ST, 15);
	in[n - 1] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
	in[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	assert_int_equal(tc_bpf_for_cls(in, n, 14, cls, TC_BPF_MAX), 0);
}

/* What a filter returns becomes all or nothing, whatever it was. */
static void returns(void **state)
{
	static struct bpf_insn code[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 9},
					 {BPF_RET | BPF_A, 0, 0, 0}};
	struct filter f = {.prog = {2, code}};
	uint8_t ip[20] = {0x45};
	size_t n = tc_bpf_rule(&f, 0, rule, TC_BPF_MAX);

	(void)state;
	assert_true(tc_kernel_takes(rule, n));
	assert_int_equal(tc_kernel_run(rule, &(struct tc_skb){ip, 20, 0, 0x800}), 0);
	ip[9] = 17;
	assert_int_equal(tc_kernel_run(rule, &(struct tc_skb){ip, 20, 0, 0x800}), TC_BPF_MATCH);
}

/* Room that is short, loops, jumps out of the program: 0, and nothing is written beyond. */
static void refused(void **state)
{
	struct sock_filter loop[] = {BPF_STMT(BPF_LD | BPF_IMM, 1),
				     BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)-2),
				     BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_filter out[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
				    BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_filter few[24];
	struct filter f;
	char err[512];
	size_t n;

	(void)state;
	assert_int_equal(tc_bpf_for_cls(loop, 3, 14, cls, TC_BPF_MAX), 0);
	assert_int_equal(tc_bpf_for_cls(out, 2, 14, cls, TC_BPF_MAX), 0);
	assert_int_equal(tc_bpf_for_cls(out, 1, 14, cls, TC_BPF_MAX), 0);
	assert_int_equal(tc_bpf_for_cls(out, 0, 14, cls, TC_BPF_MAX), 0);
	assert_int_equal(tc_bpf_for_cls(rule, TC_BPF_MAX + 1, 14, cls, TC_BPF_MAX), 0);
	assert_int_equal(filter_compile(&f, "ip6 protochain 17", err, sizeof(err)), 0);
	assert_int_equal(tc_bpf_rule(&f, 0, rule, TC_BPF_MAX), 0);
	filter_free(&f);
	assert_int_equal(filter_compile(&f, "tcp port 22", err, sizeof(err)), 0);
	n = tc_bpf_rule(&f, 1, rule, TC_BPF_MAX);
	assert_true(n > 24);
	for (size_t room = 0; room < 24; room++) {
		memset(few, 0x5a, sizeof(few));
		assert_int_equal(tc_bpf_rule(&f, 1, few, room), 0);
		assert_int_equal(few[room].code, 0x5a5a);
		assert_int_equal(tc_bpf_for_cls(rule, n, 14, few, room), 0);
		assert_int_equal(few[room].code, 0x5a5a);
	}
	assert_int_equal(tc_bpf_rule(&f, 1, rule, n), n);
	assert_int_equal(tc_bpf_rule(&f, 1, rule, n - 1), 0);
	assert_int_equal(tc_bpf_rule(NULL, 0, few, 0), 0);
	assert_int_equal(tc_bpf_all(few, 0), 0);
	assert_int_equal(tc_bpf_not_ip(few, 4), 0);
	filter_free(&f);
}

/* cls_bpf's limit is the kernel's: what is longer is refused here, not there. */
static void limit(void **state)
{
	static char text[32768];
	static struct sock_filter big[TC_BPF_MAX];
	struct filter f;
	char err[512];
	size_t n = 0, got;

	(void)state;
	for (unsigned i = 0; i < 1500; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%shost 10.%u.%u.%u",
				      i ? " or " : "", i & 255, i * 7 & 255, i * 13 & 255);
	assert_int_equal(filter_compile(&f, text, err, sizeof(err)), 0);
	got = tc_bpf_rule(&f, 0, rule, TC_BPF_MAX);
	assert_int_equal(got == 0, f.prog.bf_len > TC_BPF_MAX);
	filter_free(&f);

	/* as many instructions of length as fit: each becomes two */
	for (unsigned i = 0; i < TC_BPF_MAX - 1; i++)
		big[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0);
	big[TC_BPF_MAX - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	assert_int_equal(tc_bpf_for_cls(big, TC_BPF_MAX, 14, cls, TC_BPF_MAX), 0);
	assert_int_equal(tc_bpf_for_cls(big, TC_BPF_MAX, 0, cls, TC_BPF_MAX), TC_BPF_MAX);
}

static void others(void **state)
{
	static const uint16_t protocols[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x88cc, 0x8864, 0};
	uint8_t frame[60] = {0};
	struct tc_skb skb = {.data = frame, .len = 60, .header = 14};
	size_t n = tc_bpf_not_ip(rule, TC_BPF_MAX);

	(void)state;
	assert_true(tc_kernel_takes(rule, n));
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		skb.protocol = protocols[i];
		assert_int_equal(tc_kernel_run(rule, &skb), i < 2 ? 0 : TC_BPF_MATCH);
	}
	n = tc_bpf_all(cls, TC_BPF_MAX);
	assert_true(tc_kernel_takes(cls, n));
	assert_int_equal(tc_kernel_run(cls, &skb), TC_BPF_MATCH);
}

/* The kernel's reading of a program that asks for the mark: as bpf(2) says of SKF_AD_MARK. */
static uint32_t run_marks(const struct sock_filter *v, size_t n, uint32_t mark)
{
	uint32_t a = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sock_filter *f = &v[i];

		if (f->code == (BPF_LD | BPF_W | BPF_ABS)) {
			assert_int_equal(f->k, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK));
			a = mark;
		} else if (f->code == (BPF_ALU | BPF_AND | BPF_K)) {
			a &= f->k;
		} else if (f->code == (BPF_JMP | BPF_JEQ | BPF_K)) {
			i += a == f->k ? f->jt : f->jf;
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			i += f->k;
		} else if (f->code == (BPF_RET | BPF_K)) {
			return f->k;
		}
		assert_true(i < n);
	}
	fail();
	return 0;
}

static void marks(void **state)
{
	static struct policy_fwmark many[300];
	struct policy_beside b = {.mark = many};
	size_t head, n;

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		many[i] = (struct policy_fwmark){i << 8 | 0x80000000u, 0x800fff00u};
	for (b.n_mark = 1; b.n_mark <= 300; b.n_mark += 299) {
		head = tc_bpf_marks(&b, rule, TC_BPF_MAX);
		n = head + tc_bpf_rule(NULL, 0, rule + head, TC_BPF_MAX - head);
		assert_true(head > 0 && n > head);
		assert_int_equal(tc_bpf_marks(&b, cls, head - 1), 0);
		/* and as cls_bpf gets it: this load is no packet's */
		n = tc_bpf_for_cls(rule, n, 14, cls, TC_BPF_MAX);
		assert_true(n > 0);
		for (uint32_t i = 0; i < 302; i++) {
			bool in = i < b.n_mark;

			assert_int_equal(run_marks(cls, n, i << 8 | 0x80000000u),
					 in ? TC_BPF_MATCH : 0);
			assert_int_equal(run_marks(cls, n, i << 8 | 0x800000ffu),
					 in ? TC_BPF_MATCH : 0);
			assert_int_equal(run_marks(cls, n, i << 8), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks),      cmocka_unit_test(same_verdict),
		cmocka_unit_test(with_dscp),  cmocka_unit_test(each_dscp),
		cmocka_unit_test(long_jumps), cmocka_unit_test(of_policies),
		cmocka_unit_test(by_hand),    cmocka_unit_test(returns),
		cmocka_unit_test(refused),    cmocka_unit_test(limit),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
