/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WEIR_TESTS_FILTER_RANDOM_H
#define WEIR_TESTS_FILTER_RANDOM_H

#include <stdio.h>

#include "packet_build.h"

/* Random filters of the kinds that policies have. */
static inline void random_filter(uint64_t *r, char *out, size_t size, unsigned depth)
{
	static const char *const atoms[] = {"tcp",
					    "udp",
					    "ip",
					    "ip6",
					    "icmp",
					    "sctp",
					    "icmp6",
					    "ip proto 50",
					    "ip6 proto 17",
					    "tcp[13] & 2 != 0",
					    "len > 60",
					    "ip[1] & 0xfc = 0xb8",
					    "ip[8] > 63",
					    "udp[4:2] > 20",
					    "ip[6] & 0x40 != 0",
					    "ip[0] & 0xf = 5",
					    "ip6[7] < 64",
					    "ip[6:2] & 0x3fff = 0"};
	static const char *const protos[] = {"tcp ", "udp ", "", "sctp "};
	char a[400], b[400];

	if (depth && packet_random(r) % 3) {
		random_filter(r, a, sizeof(a), depth - 1);
		random_filter(r, b, sizeof(b), depth - 1);
		snprintf(out, size, "%s(%.180s) %s (%.180s)",
			 packet_random(r) % 4 ? "" : "not ", a,
			 packet_random(r) % 2 ? "or" : "and", b);
		return;
	}
	switch (packet_random(r) % 5) {
	case 0:
		snprintf(out, size, "%sport %u", protos[packet_random(r) % 4],
			 packet_random(r) % 6);
		break;
	case 1:
		snprintf(out, size, "%sportrange %u-%u", protos[packet_random(r) % 4],
			 packet_random(r) % 3, 3 + packet_random(r) % 4);
		break;
	case 2:
		snprintf(out, size, "net 10.0.%u.0/24", packet_random(r) % 3);
		break;
	case 3:
		snprintf(out, size, "host 2001:db8::%u", packet_random(r) % 3);
		break;
	default:
		snprintf(out, size, "%s", atoms[packet_random(r) % 18]);
		break;
	}
}

#endif
