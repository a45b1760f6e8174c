/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters of many terms: compiled in parts, and the same as what libpcap makes of the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet_build.h"
#include "qos/filter.h"
#include "qos/filter_terms.h"
#include "qos/policy.h"

#define TEXT 40000

/* libpcap's own program of the whole, without its optimizer. */
static void whole(struct bpf_program *prog, const char *text)
{
	pcap_t *dead = pcap_open_dead(DLT_RAW, 262144);

	assert_non_null(dead);
	if (pcap_compile(dead, prog, text, 0, PCAP_NETMASK_UNKNOWN))
		fail_msg("libpcap refuses '%s': %s", text, pcap_geterr(dead));
	pcap_close(dead);
}

struct text {
	char s[TEXT];
	size_t n;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->n += (size_t)vsnprintf(t->s + t->n, TEXT - t->n, fmt, ap);
	va_end(ap);
	assert_true(t->n < TEXT);
}

static unsigned below(uint64_t *r, unsigned n)
{
	return (unsigned)(packet_random(r) % n);
}

/* ---- Random filters of all forms that libpcap's grammar joins by "and" and "or". */

static void put_value(uint64_t *r, struct text *t, bool port)
{
	if (port)
		put(t, "%u", below(r, 7));
	else
		put(t, "10.0.%u.%u", below(r, 4), below(r, 3));
}

static void put_words(uint64_t *r, struct text *t, bool port)
{
	static const char *const ways[] = {
		"", "", "src ", "dst ", "src or dst ", "src and dst ", "dst or src "};
	static const char *const protos[] = {"", "", "tcp ", "udp "};

	put(t, "%s%s%s ", port ? protos[below(r, 4)] : "", ways[below(r, 7)],
	    port ? "port" : "host");
}

static void put_joint(uint64_t *r, struct text *t)
{
	static const char *const words[] = {" or ", " or ", " and ", " || ", " && ", "\n or "};

	put(t, "%s", words[below(r, 6)]);
}

static void put_not(uint64_t *r, struct text *t)
{
	static const char *const words[] = {"", "", "", "", "not ", "! ", "not not "};

	put(t, "%s", words[below(r, 7)]);
}

/* A term, and values alone behind it. */
static void put_values(uint64_t *r, struct text *t)
{
	bool port = below(r, 2), group = !below(r, 4);

	put_words(r, t, port);
	put(t, group ? "(" : "");
	put_value(r, t, port);
	for (unsigned n = below(r, 4); n; n--) {
		put_joint(r, t);
		put_value(r, t, port);
	}
	put(t, group ? ")" : "");
	if (!group && !below(r, 3)) {
		put_joint(r, t);
		put(t, "(");
		put_value(r, t, port);
		put(t, " or ");
		put_value(r, t, port);
		put(t, ")");
	}
}

static void put_term(uint64_t *r, struct text *t)
{
	static const char *const lone[] = {"tcp",
					   "ip6",
					   "icmp",
					   "tcp[13] & 2 != 0",
					   "(tcp[12] & 0xf0) >> 2 = 20",
					   "len > 60",
					   "less 80",
					   "ip[1] & 0xfc = 0xb8",
					   "udp[4:2] > 20",
					   "ip proto \\udp",
					   "ip proto 50",
					   "net 10.0.0.0 mask 255.255.254.0",
					   "net 10.0.2.0/23",
					   "dst net 2001:db8::/33",
					   "udp portrange 2-4",
					   "(ip[2:2] - ((ip[0] & 0xf) << 2)) != 0"};

	put_not(r, t);
	if (below(r, 2))
		put_values(r, t);
	else
		put(t, "%s", lone[below(r, 16)]);
}

static void put_chain(uint64_t *r, struct text *t, unsigned depth)
{
	for (unsigned n = 1 + below(r, 9), i = 0; i < n; i++) {
		if (i)
			put_joint(r, t);
		if (depth && !below(r, 3)) {
			put_not(r, t);
			put(t, "(");
			put_chain(r, t, depth - 1);
			put(t, ")");
		} else {
			put_term(r, t);
		}
	}
}

static void random_packet(uint64_t *r, struct packet *p)
{
	static const unsigned protos[] = {6, 17, 17, 6, 132, 1, 50, 58};
	unsigned proto = protos[below(r, 8)], sport = below(r, 7), dport = below(r, 7);

	if (below(r, 4))
		packet_v4(p, proto, 0x0a000000 + (below(r, 4) << 8) + below(r, 3),
			  0x0a000000 + (below(r, 4) << 8) + below(r, 3), sport, dport,
			  below(r, 60));
	else
		packet_v6(p, proto, below(r, 4), below(r, 4), sport, dport, below(r, 60));
	if (p->b[0] >> 4 == 4 && !below(r, 3))
		p->b[1] = (uint8_t)packet_random(r);
}

/* Also of packets that are cut short, wherever that is. */
static unsigned compare(const struct filter *f, const struct bpf_program *prog,
			const char *text, uint64_t *r, unsigned rounds)
{
	unsigned yes = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct packet p;
		uint32_t caplen;
		bool is, should;

		random_packet(r, &p);
		caplen = below(r, 3) ? p.len : below(r, p.len + 1);
		is = filter_match(f, p.b, p.len, caplen);
		should = bpf_filter(prog->bf_insns, p.b, p.len, caplen) != 0;
		/* how far the optimized program reads of a header that is cut is its own */
		if (is != should && caplen >= (p.b[0] >> 4 == 6 ? 60 : 40))
			fail_msg("'%s' says %d of a packet of %u in %u", text, is, p.len,
				 caplen);
		yes += should;
	}
	return yes;
}

static void test_random(void **state)
{
	uint64_t r = 0xfeed;
	unsigned apart = 0, yes = 0, no = 0, refused = 0;

	(void)state;
	for (unsigned n = 0; n < 300; n++) {
		static struct text t;
		struct bpf_program prog;
		struct filter f;
		char err[512];
		unsigned found;

		t.n = 0;
		put_chain(&r, &t, 2);
		whole(&prog, t.s);
		if (filter_compile(&f, t.s, err, sizeof(err))) {
			if (!strstr(err, "never matches"))
				fail_msg("'%s': %s", t.s, err);
			for (unsigned i = 0; i < 200; i++) {
				struct packet p;

				random_packet(&r, &p);
				assert_int_equal(bpf_filter(prog.bf_insns, p.b, p.len, p.len),
						 0);
			}
			refused++;
		} else {
			apart += filter_terms(t.s) > FILTER_GROUP;
			found = compare(&f, &prog, t.s, &r, 300);
			yes += found;
			no += 300 - found;
			filter_free(&f);
		}
		pcap_freecode(&prog);
	}
	print_message("%u of 300 apart, %u never match\n", apart, refused);
	assert_true(apart > 100 && yes > 10000 && no > 10000);
}

/* ---- Work. */

struct work {
	unsigned groups, terms_max;
	uint64_t cubes; /* of the groups' terms: what the optimizer may take */
};

static int count_group(void *arg, const char *text, struct bpf_program *prog, bool *none,
		       char *err, size_t errsize)
{
	/* one that may say either */
	static const struct bpf_insn some[] = {
		BPF_STMT(BPF_LD | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 0)};
	struct work *w = arg;
	uint64_t n = filter_terms(text);

	(void)err;
	(void)errsize;
	w->groups++;
	if (n > w->terms_max)
		w->terms_max = (unsigned)n;
	w->cubes += n * n * n;
	*none = false;
	prog->bf_insns = malloc(sizeof(some));
	assert_non_null(prog->bf_insns);
	memcpy(prog->bf_insns, some, sizeof(some));
	prog->bf_len = 4;
	return 0;
}

static struct work work_of(const char *text)
{
	struct work w = {0};
	const struct filter_compiler c = {count_group, &w};
	struct bpf_program prog;
	char err[256];

	if (filter_terms_compile(&prog, text, &c, err, sizeof(err)))
		fail_msg("%.80s...: %s", text, err);
	pcap_freecode(&prog);
	return w;
}

/* Each form of it: what libpcap is given at a time does not grow with the filter. */
static void test_work(void **state)
{
	static const char *const forms[][3] = {
		{"", "tcp port ", " or "},
		{"", "portrange ", " or "},
		{"", "not port ", " and "},
		{"tcp and (", "port ", " or "},
		{"not (", "dst port ", " or "},
		{"tcp port (", "", " or "},
		{"src net 10.0.0.0/8 and tcp port (", "", " or "},
		{"udp port 53 or not tcp port (", "", " or "},
		{"((((", "src or dst port ", " or "},
	};

	(void)state;
	for (unsigned k = 0; k < sizeof(forms) / sizeof(*forms); k++) {
		static struct text t;
		struct work w;

		t.n = 0;
		put(&t, "%s", forms[k][0]);
		for (unsigned i = 0; i < 400; i++) {
			put(&t, "%s%s%u", i ? forms[k][2] : "", forms[k][1], 1000 + 3 * i);
			if (strstr(forms[k][1], "range"))
				put(&t, "-%u", 1001 + 3 * i);
		}
		for (const char *c = forms[k][0]; *c; c++)
			put(&t, *c == '(' ? ")" : "");
		w = work_of(t.s);
		if (w.terms_max > FILTER_GROUP || w.groups > 400 / FILTER_GROUP + 3)
			fail_msg("'%s': %u groups, of up to %u terms", forms[k][1], w.groups,
				 w.terms_max);
		assert_true(w.cubes < 400 * 20 * FILTER_GROUP);
	}
}

/* As tcpdump's own: each port that is named, those beside it, both ways, and other kinds. */
static void test_400_ports(void **state)
{
	static struct text t;
	struct bpf_program prog;
	struct filter f;
	char err[512];

	(void)state;
	t.n = 0;
	for (unsigned i = 0; i < 400; i++)
		put(&t, "%stcp port %u", i ? " or " : "", 1000 + 7 * i);
	whole(&prog, t.s);
	if (filter_compile(&f, t.s, err, sizeof(err)))
		fail_msg("%s", err);
	assert_true(f.per_flow);
	for (unsigned port = 990; port < 4000; port++) {
		bool named = port >= 1000 && port < 1000 + 7 * 400 && port % 7 == 1000 % 7;
		struct packet p[4];

		packet_v4(&p[0], 6, 1, 2, 60000, port, 20);
		packet_v4(&p[1], 6, 1, 2, port, 60000, 20);
		packet_v6(&p[2], 6, 1, 2, port, 60000, 20);
		packet_v4(&p[3], 17, 1, 2, 60000, port, 20);
		for (unsigned k = 0; k < 4; k++) {
			bool is = filter_match(&f, p[k].b, p[k].len, p[k].len);

			assert_int_equal(is, named && k < 3);
			assert_int_equal(
				is, bpf_filter(prog.bf_insns, p[k].b, p[k].len, p[k].len) != 0);
		}
	}
	filter_free(&f);
	pcap_freecode(&prog);
}

/* ---- What is refused. */

static void check_refused(const char *text, const char *why)
{
	struct filter f;
	char err[512] = "";

	if (!filter_compile(&f, text, err, sizeof(err)))
		fail_msg("'%.60s...' is taken", text);
	if (!strstr(err, why))
		fail_msg("'%.60s...': %s", text, err);
}

static void test_refused(void **state)
{
	static struct text t;

	(void)state;
	/* "geneve" changes what comes after it: nothing of it is taken apart */
	t.n = 0;
	put(&t, "geneve and port 1");
	for (unsigned i = 0; i < 60; i++)
		put(&t, " or port %u", i + 2);
	check_refused(t.s, "write a list of filters, [tcp port 80, tcp port 443]");
	t.n = 0;
	for (unsigned i = 0; i < 30; i++)
		put(&t, "port %u or ", i);
	check_refused(t.s, "syntax error: a term is missing");
	put(&t, "(port 5");
	check_refused(t.s, "syntax error: a parenthesis lacks its other half");
	t.n = 0;
	for (unsigned i = 0; i < 30; i++)
		put(&t, "%s(tcp and udp)", i ? " or " : "");
	check_refused(t.s, "never matches an IP packet");
	t.n = 0;
	for (unsigned i = 0; i < 100; i++)
		put(&t, "(tcp port %u or ", i);
	put(&t, "udp");
	for (unsigned i = 0; i < 100; i++)
		put(&t, ")");
	check_refused(t.s, "too many parentheses");
}

/* The same filter counts once; others, until it is too much: with its place. */
struct heard {
	unsigned n;
	struct policy_mark at;
};

static void hear(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	struct heard *h = arg;

	(void)file;
	assert_int_equal(sev, POLICY_ERROR);
	assert_non_null(strstr(text, "more than can be compiled in a bounded time"));
	h->n++;
	h->at = at;
}

static struct policy *policy_of(unsigned classes, bool same, struct heard *h)
{
	static char text[2 << 20];
	struct policy_report r = {.fn = hear, .arg = h};
	size_t n = (size_t)sprintf(text, "links:\n- name: a\n  rate: 1gbit\n  classes:\n");

	for (unsigned i = 0; i < classes; i++) {
		n += (size_t)sprintf(text + n, "  - {name: c%u, match: 'ip[8] = %u", i,
				     same ? 0 : i & 255);
		for (unsigned k = 1; k < FILTER_GROUP; k++)
			n += (size_t)sprintf(text + n, " and ip[%u] = %u", k + 20,
					     same ? 0 : i >> 8);
		n += (size_t)sprintf(text + n, "'}\n");
	}
	n += (size_t)sprintf(text + n, "  - {name: rest, default: true}\n");
	return policy_read_mem(text, n, "p.yaml", &r);
}

static void test_policy_work(void **state)
{
	unsigned most = POLICY_FILTER_WORK_MAX / (4 * FILTER_GROUP * FILTER_GROUP);
	struct heard h = {0};
	struct policy *p = policy_of(most, false, &h);

	(void)state;
	assert_non_null(p);
	policy_free(p);
	p = policy_of(2 * most, true, &h);
	assert_non_null(p);
	policy_free(p);
	assert_int_equal(h.n, 0);
	assert_null(policy_of(most + 5, false, &h));
	assert_int_equal(h.n, 1);
	assert_int_equal(h.at.line, 4 + most + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	    cmocka_unit_test(test_work),
		cmocka_unit_test(test_400_ports),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_policy_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
