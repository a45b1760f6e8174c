/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the matcher share: policies from text, and what they are told. */
#ifndef WEIR_TESTS_MATCH_BUILD_H
#define WEIR_TESTS_MATCH_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "packet_build.h"
#include "qos/match.h"

static char told[4096];
static unsigned told_n;

static inline void tell(void *arg, enum policy_severity sev, const char *file,
			struct policy_mark at, const char *text)
{
	size_t n = strlen(told);

	(void)arg;
	(void)file;
	told_n++;
	snprintf(told + n, sizeof(told) - n, "%d:%d %s: %s\n", at.line, at.col,
		 sev == POLICY_ERROR ? "error" : "warning", text);
}

static inline struct policy_report report(void)
{
	told[0] = '\0';
	told_n = 0;
	return (struct policy_report){.fn = tell};
}

static inline struct policy *read_policy(const char *text)
{
	struct policy_report r = report();
	struct policy *p = policy_read_mem(text, strlen(text), "test", &r);

	if (!p)
		fail_msg("%s", told);
	return p;
}

static inline struct match *new_match(const struct policy *p, const struct match_opts *o)
{
	struct policy_report r = report();
	struct match *m = match_new(p, o, &r);

	if (!m)
		fail_msg("%s", told);
	return m;
}

__attribute__((unused)) static const char PLAIN[] =
	"links:\n"
	"  - name: up\n"
	"    capture: [src net 192.168.0.0/16, src net 2001:db8::/32]\n"
	"    rate: 20mbit\n"
	"    classes:\n"
	"      - name: rest\n"
	"        default: true\n"
	"      - name: voice\n"
	"        match: udp portrange 10000-20000 or udp port 5060\n"
	"        dscp: [ef, cs5]\n"
	"      - name: marked\n"
	"        dscp: af41\n"
	"      - name: work\n"
	"        match: [tcp port 22, net 10.8.0.0/16]\n"
	"        classes:\n"
	"          - {name: ssh, match: tcp port 22}\n"
	"          - {name: vpn, default: true, isolation: dsthost}\n"
	"      - name: small\n"
	"        match: udp and less 60\n"
	"      - name: dns\n"
	"        match: port 53\n"
	"  - name: down\n"
	"    capture: dst net 192.168.0.0/16\n"
	"    rate: 50mbit\n"
	"    classes:\n"
	"      - name: some\n"
	"        match: tcp\n"
	"        default: true\n"
	"      - name: udp\n"
	"        match: udp\n"
	"        isolation: dual-dsthost\n";

#define IN 0xc0a80001u	/* 192.168.0.1 */
#define OUT 0x08080808u /* 8.8.8.8 */

static inline void fragment4(struct packet *k, unsigned id, unsigned off, bool more)
{
	packet_put16(k->b + 4, id);
	packet_put16(k->b + 6, (more ? 0x2000 : 0) | off);
}

#endif
