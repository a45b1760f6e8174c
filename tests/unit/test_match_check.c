/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `weir check` says of filters, and of classes that can never match. */
#include "match_build.h"

/* The classes below one link; each line of `expect` must be told, and nothing else. */
static void check_says(const char *classes, const char *expect)
{
	char text[2000];
	struct policy_report r = report();
	struct policy *p;

	snprintf(text, sizeof(text), "links:\n- name: l\n  rate: 1mbit\n  classes:\n%s",
		 classes);
	/* one with a filter that does not compile is refused, with all that is wrong with it */
	p = policy_read_mem(text, strlen(text), "test", &r);
	if (p) {
		r = report();
		match_check(p, &r);
	}
	if (strcmp(told, expect) != 0)
		fail_msg("for\n%s\nexpected\n%sand was told\n%s", text, expect, told);
	assert_int_equal(r.errors + r.warnings, told_n);
	policy_free(p);
}

static void test_check(void **state)
{
	(void)state;
	check_says(
		"  - {name: udp, match: udp}\n"
		"  - {name: dns, match: udp port 53}\n"
		"  - {name: r, default: true}\n",
		"6:24 error: class \"dns\" can never match: \"udp\" before it takes all of its "
		"traffic\n");
	check_says("  - {name: dns, match: udp port 53}\n"
		   "  - {name: udp, match: udp}\n"
		   "  - {name: r, default: true}\n",
		   "");
	check_says("  - {name: a, match: ip and udp}\n"
		   "  - {name: b, match: ip6 and udp}\n"
		   "  - {name: dns, match: udp port 53}\n"
		   "  - {name: r, default: true}\n",
		   "7:24 error: class \"dns\" can never match: the classes before it take "
		   "all of its "
		   "traffic\n");
	check_says("  - name: p\n    match: tcp\n    classes:\n"
		   "    - {name: dns, match: udp port 53}\n"
		   "    - {name: r, default: true}\n"
		   "  - {name: r, default: true}\n",
		   "8:26 error: class \"dns\" can never match: \"p\" above it takes nothing "
		   "of it\n");
	/* inside a default: what the siblings leave */
	check_says("  - {name: udp, match: udp}\n"
		   "  - name: r\n    default: true\n    classes:\n"
		   "    - {name: dns, match: port 53}\n"
		   "    - {name: ntp, match: udp port 123}\n"
		   "    - {name: r, default: true}\n",
		   "10:26 error: class \"ntp\" can never match: \"udp\" before it takes all "
		   "of its "
		   "traffic\n");
	check_says(
		"  - name: r\n    default: true\n    classes:\n"
		"    - {name: ntp, match: udp port 123}\n"
		"    - {name: r, default: true}\n"
		"  - {name: udp, match: udp}\n",
		"8:26 error: class \"ntp\" can never match: \"udp\" before it takes all of its "
		"traffic\n");
	/* a default that is left with nothing is no error, as there has to be one */
	check_says(
		"  - {name: a, match: ip}\n"
		"  - {name: b, match: ip6}\n"
		"  - name: r\n    default: true\n    classes:\n"
		"    - {name: ntp, match: udp port 123}\n"
		"    - {name: r, default: true}\n",
		"7:5 warning: class \"r\" gets no packet: those before it take them all (the "
		"last of them could be the default)\n");
	check_says(
		"  - name: web\n    match: tcp port 80\n    classes:\n"
		"    - {name: a, match: tcp}\n"
		"    - {name: r, default: true}\n"
		"  - {name: ip4, match: ip}\n"
		"  - {name: r, default: true}\n",
		"9:7 warning: class \"r\" gets no packet: those before it take them all (the "
		"last of them could be the default)\n");
	/* entries of a list */
	check_says(
		"  - {name: a, match: tcp port 22}\n"
		"  - {name: b, match: [tcp port 22 and host 10.0.0.1, udp, udp port 5]}\n"
		"  - {name: r, default: true}\n",
		"6:23 warning: \"tcp port 22 and host 10.0.0.1\" can never match here: the "
		"classes above and before \"b\" leave nothing of it\n"
		"6:59 warning: \"udp port 5\" adds nothing: the entries before it match all of "
		"it\n");
}

static void test_check_dscp(void **state)
{
	(void)state;
	check_says("  - {name: a, match: udp, dscp: [ef, cs5]}\n"
		   "  - {name: b, match: udp port 5060}\n"
		   "  - {name: c, match: udp port 5061, dscp: ef}\n"
		   "  - {name: d, match: tcp port 5061, dscp: ef}\n"
		   "  - {name: r, default: true}\n",
		   "7:22 error: class \"c\" can never match: \"a\" before it takes all of its "
		   "traffic\n");
	check_says("  - {name: a, dscp: ef}\n"
		   "  - {name: b, dscp: cs5}\n"
		   "  - {name: c, match: tcp, dscp: [ef, cs5]}\n"
		   "  - {name: d, match: tcp, dscp: [ef, cs6]}\n"
		   "  - {name: r, default: true}\n",
		   "7:22 error: class \"c\" can never match: the classes before it take all "
		   "of its "
		   "traffic\n");
	check_says("  - name: p\n    dscp: ef\n    classes:\n"
		   "    - {name: x, dscp: cs1}\n"
		   "    - {name: y, dscp: [cs1, ef], match: tcp}\n"
		   "    - {name: r, default: true}\n"
		   "  - {name: r, default: true}\n",
		   "8:23 error: class \"x\" can never match: \"p\" above it takes nothing of "
		   "it\n");
}

static void test_check_errors(void **state)
{
	(void)state;
	/* all that is wrong is told, and what can be checked nonetheless is */
	check_says(
		"  - {name: a, match: upd port 5060}\n"
		"  - {name: b, match: [udp, tcp port 99999]}\n"
		"  - {name: c, match: ip}\n"
		"  - {name: d, match: icmp}\n"
		"  - {name: r, default: true}\n",
		"5:22 error: filter \"upd port 5060\": syntax error: unknown word \"upd\" (did "
		"you "
		"mean \"udp\"?)\n"
		"6:28 error: filter \"tcp port 99999\": illegal port number 99999 > 65535\n"
		"8:22 error: class \"d\" can never match: \"c\" before it takes all of its "
		"traffic\n");
}

static void test_check_captures(void **state)
{
	struct policy *p = read_policy("links:\n"
				       "- name: a\n  capture: net 10.0.0.0/8\n  rate: 1mbit\n"
				       "  classes: [{name: r, default: true}]\n"
				       "- name: b\n  capture: net 10.1.0.0/16\n  rate: 1mbit\n"
				       "  classes: [{name: r, default: true}]\n"
				       "- name: c\n  rate: 1mbit\n"
				       "  classes: [{name: r, default: true}]\n"
				       "- name: d\n  rate: 1mbit\n"
				       "  classes: [{name: r, default: true}]\n");
	struct policy_report r = report();

	(void)state;
	match_check(p, &r);
	assert_string_equal(told, "7:12 warning: link \"b\" gets no packet of a capture: \"a\" "
				  "before it takes them all\n");
	policy_free(p);
}

#define NO_V6 \
	" takes no IPv6 packet: libpcap looks for \"tcp[\" behind an IPv4 header only. For " \
	"IPv6 " \
	"add "
#define REST "  - {name: r, default: true}\n"

/* Filters that look into a header, which libpcap finds behind an IPv4 one only. */
static void test_check_family(void **state)
{
	(void)state;
	check_says("  - {name: a, match: \"tcp[tcpflags] & tcp-ack != 0 and less 64\"}\n" REST,
		   "5:22 warning: \"tcp[tcpflags] & tcp-ack != 0 and less 64\"" NO_V6
		   "\"ip6[6] = 6 and (ip6[53] & tcp-ack != 0 and less 84)\"\n");
	check_says("  - {name: a, match: \"tcp [ ((tcp[12:1] & 0xf0) >> 2):4 ] = 1\"}\n" REST,
		   "5:22 warning: \"tcp [ ((tcp[12:1] & 0xf0) >> 2):4 ] = 1\"" NO_V6
		   "\"ip6[6] = 6 and (ip6[40 + ((ip6[52:1] & 0xf0) >> 2):4 ] = 1)\"\n");
	/* what it suggests is what was missing */
	check_says("  - {name: a, match: [\"tcp[13] & 16 != 0\", "
		   "\"ip6[6] = 6 and (ip6[53] & 16 != 0)\"]}\n" REST,
		   "");
	/* another class for IPv6; a filter that says for which it is; one of IPv4 anyway */
	check_says("  - {name: a, match: \"tcp[13] & 16 != 0\"}\n"
		   "  - {name: b, match: \"ip6[6] = 6 and ip6[53] & 0x1f = 16\"}\n" REST,
		   "");
	check_says("  - {name: a, match: \"ip and tcp[13] & 16 != 0\"}\n" REST, "");
	check_says("  - {name: a, match: \"tcp[13] & 16 != 0 and ip[2:2] < 64\"}\n" REST, "");
	check_says("  - {name: a, match: \"tcp[13] & 16 != 0 and host 10.0.0.1\"}\n" REST, "");
	/* above it only IPv4 comes */
	check_says("  - name: p\n    match: ip\n    classes:\n"
		   "    - {name: a, match: \"tcp[13] & 16 != 0\"}\n"
		   "    - {name: r, default: true}\n" REST,
		   "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),	       cmocka_unit_test(test_check_dscp),
		cmocka_unit_test(test_check_family),   cmocka_unit_test(test_check_errors),
		cmocka_unit_test(test_check_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
