/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An engine on a policy given as text, and packets for it. */
#ifndef WEIR_TESTS_ENGINE_RIG_H
#define WEIR_TESTS_ENGINE_RIG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qos/engine.h"
#include "tests/unit/packet_build.h"

struct rig {
	struct policy *policy;
	struct engine *engine;
};

static inline void rig_complain(void *arg, enum policy_severity sev, const char *file,
				struct policy_mark at, const char *text)
{
	(void)arg;
	(void)sev;
	fprintf(stderr, "%s:%d:%d: %s\n", file, at.line, at.col, text);
}

static inline struct rig rig_open(const char *text, uint64_t now, const char *link)
{
	struct policy_report report = {.fn = rig_complain};
	struct engine_opts o = {.now = now, .flows_max = 4096};
	struct rig r;

	r.policy = policy_read_mem(text, strlen(text), "test.yaml", &report);
	if (!r.policy)
		abort();
	if (link)
		o.only = policy_find_link(r.policy, link);
	r.engine = engine_new(r.policy, &o, &report);
	if (!r.engine)
		abort();
	return r;
}

static inline void rig_close(struct rig *r)
{
	engine_free(r->engine);
	policy_free(r->policy);
}

static inline const struct policy_class *rig_class(const struct rig *r, size_t link,
						   const char *path)
{
	const struct policy_link *l = r->policy->link[link];
	const struct policy_class *c = *path ? policy_find_class(l, path) : l->root;

	if (!c)
		abort();
	return c;
}

static inline const struct account *rig_account(const struct rig *r, size_t link,
						const char *path)
{
	return engine_account(r->engine, rig_class(r, link, path));
}

/*
 * An IPv4 packet of `len` bytes, of which the headers are there, in p; tos is the whole
 * byte. The result points into p.
 */
static inline struct dissected rig_packet(struct packet *p, unsigned proto, uint32_t src,
					  unsigned sport, unsigned dport, uint32_t len,
					  unsigned tos)
{
	struct dissected d;

	packet_v4(p, proto, src, 0xc6336401, sport, dport, 0);
	p->b[1] = (uint8_t)tos;
	packet_put16(p->b + 2, len);
	if (proto == 17)
		packet_put16(p->b + 24, len - 20);
	packet_put16(p->b + 10, packet_sum4(p->b));
	if (dissect_ip(p->b, p->len, len, &d))
		abort();
	return d;
}

#endif
