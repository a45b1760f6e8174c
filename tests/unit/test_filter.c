/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters: what compiles, what is said of what does not, and what is per flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter_random.h"
#include "packet_build.h"
#include "qos/dissect.h"
#include "qos/filter.h"

static void compile(struct filter *f, const char *text)
{
	char err[512] = "";

	if (filter_compile(f, text, err, sizeof(err)))
		fail_msg("%s: %s", text, err);
}

static void check_per_flow(const char *text, bool expect)
{
	struct filter f;

	compile(&f, text);
	if (f.per_flow != expect)
		fail_msg("per_flow of '%s' is %d", text, f.per_flow);
	filter_free(&f);
}

static const char *const PER_FLOW[] = {
	"",
	"udp portrange 10000-20000 or udp port 5060",
	"net 10.8.0.0/16",
	"tcp port 22",
	"port 53",
	"host 2001:db8::1 and tcp",
	"net 2001:db8::/33",
	"ip proto 50",
	"ip6 and udp",
	"ip6 proto 17",
	"icmp or icmp6",
	"sctp dst port 3868",
	"ip",
	"not ip6",
	"src net 192.168.0.0/16 and not dst net 10.0.0.0/8",
	"tcp and (port 80 or port 443 or portrange 8000-8999)",
	"not (tcp port 22 or udp port 53)",
	"host 10.0.0.1 or host 10.0.0.2 or host 10.0.0.3 and not port 99",
	"proto 47",
	"tcp[0:2] = 80",
	"udp[2:2] & 0xff00 = 0x1400",
	"ip[12] = 10 and ip[9] = 17",
	"ip6[6] = 17",
	"ip[6:2] & 0x1fff = 0",
	"ip[0] & 0xf = 5",
	"tcp port ssh",
	"udp port 5060 or 5061",
	"ip6 protochain 6", /* a plain packet has no chain: the loop is never entered */
};

static const char *const PER_PACKET[] = {
	"tcp[13] & 2 != 0",
	"tcp[tcpflags] & tcp-syn != 0",
	"len > 100",
	"less 200",
	"greater 1000",
	"ip[1] = 0xb8",
	"ip[1] & 0xfc = 184",
	"icmp[0] = 8",
	"icmp[icmptype] = icmp-echo",
	"ip6[1] = 0",
	"ip6[0] & 0x0f = 0",
	"udp[8:4] = 0x12345678",
	"udp[4:2] > 100",
	"ip[8] < 5",
	"ip[4:2] = 7",
	"ip[6] & 0x40 != 0",
	"ip[10:2] = 0",
	"ip[2:2] > 1000",
	"tcp port 22 and len > 500",
	"tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
	"ip protochain 6",
	"protochain 6",
	"ip6[7] = 1",
	"ip6[40] = 128",
	"icmp6[0] = 128",
	"ip[20:2] = 53",
};

static void test_per_flow(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(PER_FLOW) / sizeof(PER_FLOW[0]); i++)
		check_per_flow(PER_FLOW[i], true);
	for (size_t i = 0; i < sizeof(PER_PACKET) / sizeof(PER_PACKET[0]); i++)
		check_per_flow(PER_PACKET[i], false);
}

/* The same question to libpcap's unoptimized programs, which keep everything in memory words.
 */
static void test_per_flow_unoptimized(void **state)
{
	pcap_t *dead = pcap_open_dead(DLT_RAW, 65535);

	(void)state;
	for (size_t i = 0; i < sizeof(PER_FLOW) / sizeof(PER_FLOW[0]); i++) {
		struct bpf_program p;

		assert_int_equal(pcap_compile(dead, &p, PER_FLOW[i], 0, PCAP_NETMASK_UNKNOWN),
				 0);
		if (!filter_per_flow(p.bf_insns, p.bf_len))
			fail_msg("unoptimized '%s' is not per flow", PER_FLOW[i]);
		pcap_freecode(&p);
	}
	for (size_t i = 0; i < sizeof(PER_PACKET) / sizeof(PER_PACKET[0]); i++) {
		struct bpf_program p;

		assert_int_equal(pcap_compile(dead, &p, PER_PACKET[i], 0, PCAP_NETMASK_UNKNOWN),
				 0);
		if (filter_per_flow(p.bf_insns, p.bf_len))
			fail_msg("unoptimized '%s' is per flow", PER_PACKET[i]);
		pcap_freecode(&p);
	}
	pcap_close(dead);
}

/* Programs that libpcap does not write, or should not. */
static void test_per_flow_malformed(void **state)
{
	const struct bpf_insn loop[] = {BPF_STMT(BPF_LD | BPF_IMM, 1),
					BPF_STMT(BPF_JMP | BPF_JA, (bpf_u_int32)-2),
					BPF_STMT(BPF_RET | BPF_K, 1)};
	const struct bpf_insn over[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 7, 7),
					BPF_STMT(BPF_RET | BPF_K, 1)};
	const struct bpf_insn unset[] = {BPF_STMT(BPF_LD | BPF_MEM, 3),
					 BPF_STMT(BPF_RET | BPF_A, 0)};
	const struct bpf_insn mem[] = {BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_K, 1)};
	const struct bpf_insn unknown[] = {BPF_STMT(BPF_LD | BPF_W | 0xc0, 0),
					   BPF_STMT(BPF_RET | BPF_K, 1)};
	const struct bpf_insn endless[] = {BPF_STMT(BPF_LD | BPF_IMM, 1)};
	const struct bpf_insn leak[] = {BPF_STMT(BPF_LD | BPF_LEN, 0),
					BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
					BPF_STMT(BPF_RET | BPF_A, 0)};
	const struct bpf_insn zero[] = {BPF_STMT(BPF_LD | BPF_IMM, 0),
					BPF_STMT(BPF_RET | BPF_A, 0)};

	(void)state;
	assert_false(filter_per_flow(loop, 3));
	assert_false(filter_per_flow(over, 2));
	assert_false(filter_per_flow(unset, 2));
	assert_false(filter_per_flow(mem, 2));
	assert_false(filter_per_flow(unknown, 2));
	assert_false(filter_per_flow(endless, 1));
	assert_false(filter_per_flow(endless, 0));
	assert_false(filter_per_flow(leak, 3));
	assert_true(filter_per_flow(zero, 2));
}

static void check_error(const char *text, const char *part)
{
	struct filter f;
	char err[512] = "";

	if (filter_compile(&f, text, err, sizeof(err)) == 0)
		fail_msg("'%s' compiled", text);
	if (!strstr(err, part))
		fail_msg("'%s': message '%s' does not say '%s'", text, err, part);
}

static void test_errors(void **state)
{
	char *big = malloc(100001);

	(void)state;
	check_error("upd port 5060", "did you mean \"udp\"?");
	check_error("tcp prot 22", "did you mean \"port\"?");
	check_error("tcp port", "syntax error");
	check_error("(tcp", "syntax error");
	check_error("port 99999", "illegal port number");
	check_error("tcp port \\no\033[2J", "'no?[2J'");
	check_error("tcp port nosuchserviceatall", "unknown port");
	check_error("host www.example.org", "names of hosts and networks are not looked up");
	check_error("net loopback", "unknown word \"loopback\"");
	check_error("tcp or host example.org or udp", "\"example.org\"");
	check_error("port 80 and host 1and1.example", "\"1and1.example\"");
	check_error("vlan 3", "what is below IP");
	check_error("ether host 00:11:22:33:44:55", "what is below IP");
	check_error("outbound", "what is below IP");
	check_error("arp", "never matches an IP packet");
	check_error("ip and ip6", "never matches an IP packet");
	check_error("host 10.0.0.256", "");
	check_error("net 10.0.0.1/8", "non-network bits");
	assert_non_null(big);
	memset(big, ' ', 100000);
	big[100000] = '\0';
	check_error(big, "too long");
	free(big);
}

static bool matches(const char *text, const struct packet *p)
{
	struct filter f;
	bool r;

	compile(&f, text);
	r = filter_match(&f, p->b, p->len, p->len);
	filter_free(&f);
	return r;
}

static void test_match(void **state)
{
	struct packet p;

	(void)state;
	packet_v4(&p, 17, 0xc0a80001, 0x08080808, 40000, 53, 30);
	assert_true(matches("udp port 53", &p));
	assert_true(matches("udp port domain", &p));
	assert_true(matches("tcp port 22 or domain", &p) == false);
	assert_true(matches("port 22 or 53", &p));
	assert_true(matches("proto \\udp", &p));
	assert_true(matches("ip[2:2]-8>40", &p));
	assert_true(matches("net 192.168 and not dst net 192.168", &p));
	assert_false(matches("udp src port 53", &p));
	packet_v6(&p, 6, 1, 2, 50000, 443, 0);
	assert_true(matches("ip6 host 2001:db8::1 and tcp dst port 443", &p));
	assert_true(matches("tcp portrange 400-500", &p));
	assert_false(matches("udp", &p));
}

static void random_packet(uint64_t *r, struct packet *p)
{
	static const unsigned protos[] = {6, 17, 132, 1, 50, 58, 136, 47};
	unsigned proto = protos[packet_random(r) % 8], sport = packet_random(r) % 7;
	unsigned dport = packet_random(r) % 7, payload = packet_random(r) % 60;

	if (packet_random(r) & 1)
		packet_v4(p, proto, 0x0a000001 + (packet_random(r) % 4 << 8),
			  0x0a000002 + (packet_random(r) % 4 << 8), sport, dport, payload);
	else
		packet_v6(p, proto, packet_random(r) % 4, packet_random(r) % 4, sport, dport,
			  payload);
}

/* Changes what is no part of the flow's key, and keeps the packet plain. */
static void mutate(uint64_t *r, struct packet *p)
{
	bool v6 = p->b[0] >> 4 == 6;
	uint32_t header = v6 ? 40 : 20, proto = p->b[v6 ? 6 : 9];
	uint32_t least = header + (dissect_has_ports(proto) ? 4 : 0);

	if (v6) {
		p->b[0] = (uint8_t)(0x60 | (packet_random(r) & 0xf));
		for (unsigned i = 1; i < 4; i++)
			p->b[i] = (uint8_t)packet_random(r);
		p->b[7] = (uint8_t)packet_random(r);
	} else {
		p->b[1] = (uint8_t)packet_random(r);
		p->b[4] = (uint8_t)packet_random(r);
		p->b[5] = (uint8_t)packet_random(r);
		p->b[6] = (uint8_t)(packet_random(r) & 0xc0);
		p->b[8] = (uint8_t)packet_random(r);
		packet_put16(p->b + 10, packet_random(r) & 0xffff);
	}
	p->len = least + packet_random(r) % 100;
	for (uint32_t i = least; i < p->len; i++)
		p->b[i] = (uint8_t)packet_random(r);
	if (v6)
		packet_put16(p->b + 4, p->len - 40);
	else
		packet_put16(p->b + 2, p->len);
	if (proto == 17 && p->len >= header + 8)
		packet_put16(p->b + header + 4, p->len - header);
}

/* What is called per flow is: over 500 random filters, and packets changed at random. */
static void test_per_flow_sound(void **state)
{
	uint64_t r = 0x1234567;
	unsigned per_flow = 0, per_packet = 0, changed = 0;

	(void)state;
	for (unsigned n = 0; n < 500; n++) {
		struct filter f;
		char text[800], err[512];

		random_filter(&r, text, sizeof(text), 3);
		if (filter_compile(&f, text, err, sizeof(err)))
			continue; /* "rejects all packets", or cut off in the middle */
		per_flow += f.per_flow;
		per_packet += !f.per_flow;
		for (unsigned i = 0; i < 200; i++) {
			struct packet p;
			struct dissected a, b;
			bool before, after;

			random_packet(&r, &p);
			mutate(&r, &p);
			assert_int_equal(dissect_ip(p.b, p.len, p.len, &a), 0);
			before = filter_match(&f, p.b, p.len, p.len);
			mutate(&r, &p);
			assert_int_equal(dissect_ip(p.b, p.len, p.len, &b), 0);
			after = filter_match(&f, p.b, p.len, p.len);
			if ((a.flags | b.flags) & DISSECT_NOT_PLAIN)
				continue;
			assert_memory_equal(&a.key, &b.key, sizeof(a.key));
			if (f.per_flow && before != after)
				fail_msg("'%s' is not per flow", text);
			changed += before != after;
		}
		filter_free(&f);
	}
	print_message("%u filters per flow, %u per packet\n", per_flow, per_packet);
	/* the test would say nothing if either kind were missing */
	assert_true(per_flow > 50 && per_packet > 50 && changed > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_per_flow),
		cmocka_unit_test(test_per_flow_unoptimized),
		cmocka_unit_test(test_per_flow_malformed),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_per_flow_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
