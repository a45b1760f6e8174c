/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which class a packet goes to: the filters of a plan, asked as HTB asks them, against the
 * matcher of replay and gateway.
 */
#include "tc_build.h"

#include <glob.h>
#include <stdlib.h>

#include "gw/capture.h"
#include "packet_build.h"
#include "qos/match.h"

static uint64_t rnd = 0x9e3779b97f4a7c15;

static uint32_t below(uint32_t n)
{
	return packet_random(&rnd) % n;
}

/* A plan and a matcher of one link, and what both have said so far. */
struct pair {
	struct tc_plan *t;
	struct match *m;
	const struct tc_device *dev;
	uint64_t compared, later, now;
	uint64_t *taken; /* by policy_class.index */
};

static struct pair pair_of(const struct policy *p, size_t link, const struct tc_device *dev)
{
	struct match_opts o = {.only = p->link[link]};
	struct policy_report r = {.fn = tell};
	struct pair x = {.dev = dev};

	x.t = must_plan(p, link, &CAN_ALL, dev);
	x.m = match_new(p, &o, &r);
	x.taken = calloc(p->link[link]->n_all, sizeof(*x.taken));
	assert_true(x.m && x.taken);
	return x;
}

static void pair_free(struct pair *x)
{
	tc_plan_free(x->t);
	match_free(x->m);
	free(x->taken);
}

/* An IP packet, with whatever stands in front of it at hand. */
static void compare(struct pair *x, const uint8_t *ip, uint32_t len)
{
	static uint8_t frame[70000];
	struct tc_skb skb = {frame, len + x->dev->header, x->dev->header,
			     ip[0] >> 4 == 6 ? 0x86dd : 0x0800};
	const struct policy_class *is;
	struct match_result want;
	struct dissected d;

	if (len > 65535 || dissect_ip(ip, len, len, &d) || d.len != len)
		return;
	match_packet(x->m, &d, x->now += 1000, &want);
	x->later += (d.flags & DISSECT_FRAG_LATER) != 0;
	if (d.flags & DISSECT_FRAG_LATER)
		return; /* it follows its first one: tc cannot do that, and says so */
	memset(frame, 0xee, x->dev->header);
	memcpy(frame + x->dev->header, ip, len);
	is = tc_plan_class(x->t, classify(&x->t->list, &skb));
	if (want.control)
		want.class = want.link->control.class;
	if (is != want.class)
		fail_msg("link %s: packet %llu of %u bytes: %s instead of %s", x->t->link->name,
			 (unsigned long long)x->compared, len, is ? is->path : "none",
			 want.class->path);
	x->taken[is->index]++;
	x->compared++;
}

static void random_packets(struct pair *x, unsigned n)
{
	static const uint8_t protos[] = {6, 17, 6, 17, 1, 58, 132, 50};
	static const uint16_t ports[] = {22,   53,   80,    443,   5060,  3478, 8080,
					 5201, 6881, 10000, 16384, 27015, 51820};
	/* of the policies' networks, and others */
	static const uint32_t nets[] = {0x0a640000, 0x0a010000, 0x0a020000, 0x0a030000,
					0x0a090000, 0x0a080000, 0xc0a80000, 0x64400000,
					0x64410000, 0x64420000, 0xc6336400, 0x08080800};

	for (unsigned i = 0; i < n; i++) {
		unsigned proto = protos[below(sizeof(protos))];
		uint32_t src = nets[below(12)] | below(65536),
			 dst = nets[below(12)] | below(65536);
		unsigned sport = below(3) ? ports[below(13)] : below(65536);
		unsigned dport = below(3) ? ports[below(13)] : below(65536);
		struct packet k;

		if (below(3))
			packet_v4(&k, proto, src, dst, sport, dport, below(400));
		else
			packet_v6(&k, proto, src, dst, sport, dport, below(400));
		if (below(2)) { /* a DSCP */
			if (k.b[0] >> 4 == 4)
				k.b[1] = (uint8_t)packet_random(&rnd);
			else
				packet_put16(k.b, 0x6000 | below(4096));
		}
		if (k.b[0] >> 4 == 6 && below(8) == 0)
			packet_ext(&k, 60, 16);
		if (k.b[0] >> 4 == 4 && below(8) == 0)
			packet_put16(k.b + 6, below(2) ? 0x2000 : 100); /* a fragment */
		compare(x, k.b, k.len);
	}
}

/* 0: not a capture of this project with IP in it */
static void of_capture(struct pair *x, const char *name)
{
	struct capture_packet pk;
	char err[256];
	struct capture *c = capture_open(&name, 1, err, sizeof(err));

	if (!c)
		fail_msg("%s", err);
	while (capture_next(c, &pk, NULL, NULL) == 1) {
		const char *why;
		int at = dissect_link(pk.dlt, pk.data, pk.caplen, pk.wirelen, &why);
		struct dissected d;

		if (at < 0 || dissect_ip(pk.data + at, pk.caplen - (uint32_t)at,
					 pk.wirelen - (uint32_t)at, &d))
			continue;
		if (d.caplen == d.len)
			compare(x, d.ip, d.len);
	}
	capture_close(c);
}

static void on_policies(void (*fn)(const struct policy *p, size_t link))
{
	glob_t g;

	assert_int_equal(glob("policies/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct policy *p;

		if (strstr(g.gl_pathv[i], ".test.yaml"))
			continue;
		p = read_file(g.gl_pathv[i]);
		for (size_t l = 0; l < p->n_link; l++)
			fn(p, l);
		policy_free(p);
	}
	globfree(&g);
}

static void random_on(const struct policy *p, size_t link)
{
	static const struct tc_device *const devices[] = {&ETHERNET, &BARE};

	for (unsigned d = 0; d < 2; d++) {
		struct pair x = pair_of(p, link, devices[d]);

		random_packets(&x, 3000);
		assert_true(x.compared > 2500);
		pair_free(&x);
	}
}

static void random_traffic(void **state)
{
	(void)state;
	on_policies(random_on);
}

static void captures_on(const struct policy *p, size_t link)
{
	static const char *const names[] = {
		"tests/captures/home.pcap.gz", "tests/captures/office.pcapng.gz",
		"tests/captures/isp.pcap.gz", "tests/captures/odd.pcap.gz"};
	struct pair x = pair_of(p, link, &ETHERNET);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		of_capture(&x, names[i]);
	assert_true(x.compared > 10000);
	pair_free(&x);
}

static void captured_traffic(void **state)
{
	(void)state;
	on_policies(captures_on);
}

/* Every kind of criterion, at every level, and defaults with criteria of their own. */
static const char KINDS[] =
	"links:\n"
	"- name: l\n"
	"  rate: 10mbit\n"
	"  classes:\n"
	"  - name: a\n"
	"    match: [tcp port 22, udp port 53, net 10.8.0.0/16]\n"
	"    dscp: [ef, cs5, 0]\n"
	"    classes:\n"
	"    - {name: first, match: dst port 22, default: true}\n"
	"    - {name: second, dscp: ef}\n"
	"    - {name: third, match: udp}\n"
	"  - {name: b, default: true, match: 'greater 300', dscp: [1, 2, 3, 40, 41]}\n"
	"  - name: c\n"
	"    match: [tcp, udp]\n"
	"    classes:\n"
	"    - name: d\n"
	"      match: ip6 or src net 100.64.0.0/10\n"
	"      classes:\n"
	"      - {name: e, match: 'less 100'}\n"
	"      - {name: f, dscp: [0, 8, 16, 24, 32, 40, 48, 56]}\n"
	"      - {name: g, default: true}\n"
	"    - {name: h, default: true}\n"
	"    - {name: i, match: 'ip[2:2] > 200'}\n";

static void every_kind(void **state)
{
	struct policy *p = read_text(KINDS);
	struct pair x = pair_of(p, 0, &ETHERNET);

	(void)state;
	random_packets(&x, 20000);
	for (size_t i = 0; i < p->link[0]->n_all; i++)
		if (!p->link[0]->all[i]->n_child && !p->link[0]->all[i]->control && !x.taken[i])
			fail_msg("no packet for %s", p->link[0]->all[i]->path);
	assert_true(x.later > 100);
	pair_free(&x);
	policy_free(p);
}

/* What is not IP goes unshaped, as it is passed in a replay; all that is IP is shaped. */
static void not_ip(void **state)
{
	struct policy *p = read_text(KINDS);
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
	uint8_t frame[60] = {0};
	struct tc_skb skb = {frame, 60, 14, 0x0806};

	(void)state;
	assert_int_equal(classify(&t->list, &skb), TC_ROOT_HANDLE);
	skb.protocol = 0x88cc;
	assert_int_equal(classify(&t->list, &skb), TC_ROOT_HANDLE);
	skb.protocol = 0x0800;
	assert_ptr_equal(tc_plan_class(t, classify(&t->list, &skb)), class_at(t, "b"));
	tc_plan_free(t);
	policy_free(p);
}

/* What a filter reads is found in its program, and said once for the link. */
static void reads(void **state)
{
	static const struct {
		const char *match;
		unsigned reads;
	} v[] = {
		{"host 10.0.0.1", 0},
		{"net 2001:db8::/32", 0},
		{"ip proto 17", 0},
		{"tcp port 22", TC_READS_LATER},
		{"ip6 and udp port 53", TC_READS_LATER},
		{"tcp[tcpflags] & tcp-syn != 0", TC_READS_LATER},
		{"ip[8] = 1", TC_READS_LATER},
		{"less 100", TC_READS_LATER | TC_READS_LENGTH},
		{"ip[2:2] > 100", TC_READS_LATER | TC_READS_LENGTH},
		{"ip6[4:2] > 100", TC_READS_LATER | TC_READS_LENGTH},
		{"tcp[20:4] = 0x47455420", TC_READS_LATER | TC_READS_PAYLOAD},
		{"tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
		 TC_READS_LATER | TC_READS_PAYLOAD},
		{"ip6[60:4] = 1", TC_READS_LATER | TC_READS_PAYLOAD},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct policy *p;
		struct tc_plan *t;
		unsigned notes = 0;

		snprintf(text, sizeof(text),
			 "links:\n- name: l\n  rate: 1mbit\n  control: none\n  classes:\n"
			 "  - {name: a, match: '%s'}\n  - {name: b, match: '%s'}\n"
			 "  - {name: c, default: true}\n",
			 v[i].match, v[i].match);
		p = read_text(text);
		t = must_plan(p, 0, &CAN_ALL, &ETHERNET);
		if (t->rules.v[0].reads != v[i].reads)
			fail_msg("%s: %u", v[i].match, t->rules.v[0].reads);
		for (size_t k = 0; k < t->n_note; k++)
			if (!strcmp(t->note[k].key, "match") &&
			    t->note[k].fidelity == TC_LOOSE) {
				notes++;
				assert_non_null(strstr(t->note[k].text, "2 filters"));
				assert_int_equal(t->note[k].mark.line, 6);
				assert_int_equal(t->note[k].mark.col, 22);
			}
		assert_int_equal(notes, __builtin_popcount(v[i].reads));
		tc_plan_free(t);
		policy_free(p);
	}
}

/* The kernel has 65,535 places for filters at one level. */
static void too_many_filters(void **state)
{
	size_t size = 65000 * 48 + 2000 * 16, n;
	char *text = malloc(size);
	struct policy *p;

	(void)state;
	assert_non_null(text);
	n = (size_t)snprintf(text, size,
			     "links:\n- name: l\n  rate: 1mbit\n  control: none\n  classes:\n"
			     "  - name: a\n    match: [tcp");
	for (unsigned i = 0; i < 600; i++)
		n += (size_t)snprintf(text + n, size - n, ", tcp");
	n += (size_t)snprintf(text + n, size - n, "]\n");
	for (unsigned i = 0; i < 64990; i++)
		n += (size_t)snprintf(text + n, size - n, "  - {name: c%u, dscp: 1}\n", i);
	snprintf(text + n, size - n, "  - {name: d, default: true}\n");
	p = read_text(text);
	assert_null(try_plan(p, 0, &CAN_ALL, &ETHERNET));
	assert_string_equal(refused, "p.yaml:2:3: the classes of l have 65592 filters: the "
				     "kernel has 65534 places for them at one level");
	policy_free(p);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_traffic), cmocka_unit_test(captured_traffic),
		cmocka_unit_test(every_kind),	  cmocka_unit_test(not_ip),
		cmocka_unit_test(reads),	  cmocka_unit_test(too_many_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
