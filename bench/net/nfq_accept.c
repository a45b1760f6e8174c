/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the gateway is measured against: a program that accepts every packet at once, with the
 * same queue, batches and copy range, and no engine.
 *
 *   nfq_accept INTERFACE [gso]      until SIGTERM
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "gw/nfq.h"
#include "gw/rule.h"

static void packet(void *arg, const struct nfq_packet *p)
{
	nfq_accept(arg, p->id, rule_mark(p->mark, -1, false), 0);
}

int main(int argc, char **argv)
{
	struct nfq_conf c = {.number = 31000,
			     .maxlen = NFQ_HELD_MAX,
			     .gso = argc > 2 && !strcmp(argv[2], "gso")};
	struct rule_link link = {.interface = argc > 1 ? argv[1] : "", .queue = c.number};
	struct nfq_ops ops = {.packet = packet};
	char err[512];
	bool exists;
	struct nfq *q = nfq_open(&c, err, sizeof(err));
	struct rules *r = q ? rules_open(&exists, err, sizeof(err)) : NULL;

	if (!r || rules_set(r, &link, 1, 0, err, sizeof(err))) {
		fprintf(stderr, "nfq_accept: %s\n", err);
		return 2;
	}
	puts("ready");
	fflush(stdout);
	ops.arg = q;
	for (;;) {
		struct pollfd fd = {.fd = nfq_fd(q), .events = POLLIN};
		int n = nfq_receive(q, 64, &ops);

		if (n < 0 || nfq_flush(q))
			return 1;
		if (!n)
			poll(&fd, 1, -1);
	}
}
