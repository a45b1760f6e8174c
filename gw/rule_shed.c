/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/rule_shed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "gw/nft_set.h"
#include "gw/rule_expr.h"

#define NAME 32
#define IP4_SOURCE 12u
#define IP6_SOURCE 8u
#define HOSTS_MAX 1024u /* of a set; no more than SHED_HOSTS are put there at a time */

struct name {
	char s[NAME];
};

static struct name name_of(const char *what, uint16_t queue)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), "%s-%u", what, queue);
	return n;
}

static struct nft_draft start(const char *interface, enum policy_direction direction,
			      const char *chain)
{
	struct nft_draft d = nft_start(RULE_TABLE, chain);

	if (direction == POLICY_INGRESS)
		nft_if_incoming(&d, interface);
	else
		nft_if_outgoing(&d, interface);
	return d;
}

static void load_sender(struct nft_draft *d, uint8_t family)
{
	uint8_t nfproto = family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	struct nftnl_expr *e;

	nft_load_meta(d, NFT_META_NFPROTO);
	nft_compare(d, NFT_CMP_EQ, &nfproto, sizeof(nfproto));
	e = nft_add(d, "payload");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, family == 4 ? IP4_SOURCE : IP6_SOURCE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, family == 4 ? 4 : 16);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static struct nftnl_rule *host_rule(const struct rule_shed_link *l, uint8_t family)
{
	struct nft_draft d = start(l->interface, l->direction, RULE_SHED(l->direction));

	load_sender(&d, family);
	nft_if_in_set(&d, name_of(family == 4 ? "shed4" : "shed6", l->queue).s);
	nft_count(&d, name_of("shed", l->queue).s);
	nft_verdict(&d, NF_DROP, NULL);
	return nft_end(&d);
}

static struct nftnl_rule *limit_rule(const struct rule_shed_link *l)
{
	struct nft_draft d = start(l->interface, l->direction, RULE_SHED(l->direction));

	nft_if_beyond(&d, l->rate);
	nft_count(&d, name_of("limit", l->queue).s);
	nft_verdict(&d, NF_DROP, NULL);
	return nft_end(&d);
}

struct nftnl_rule *rule_jump_shed(const struct rule_link *link)
{
	struct nft_draft d = start(link->interface, link->direction, RULE_TAKE);

	nft_verdict(&d, (uint32_t)NFT_JUMP, RULE_SHED(link->direction));
	return nft_end(&d);
}

unsigned rule_shed_rules(struct nft_batch *b, const struct rule_sheds *s)
{
	unsigned count = 0;

	nft_flush(b, RULE_TABLE, RULE_SHED(POLICY_EGRESS));
	nft_flush(b, RULE_TABLE, RULE_SHED(POLICY_INGRESS));
	for (size_t i = 0; i < s->n; i++) {
		nft_rule(b, host_rule(&s->v[i], 4));
		nft_rule(b, host_rule(&s->v[i], 6));
		count += 2;
		if (!s->v[i].limited)
			continue;
		nft_rule(b, limit_rule(&s->v[i]));
		count++;
	}
	return count;
}

/* ---- Links that come and go. */

static const struct rule_shed_link *find(const struct rule_sheds *s, uint16_t queue)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].queue == queue)
			return &s->v[i];
	return NULL;
}

int rule_shed_want(struct rule_sheds *to, const struct rule_sheds *is,
		   const struct rule_link *link, size_t n)
{
	*to = (struct rule_sheds){.v = calloc(n + 1, sizeof(*to->v))};
	if (!to->v)
		return -1;
	for (; to->n < n; to->n++) {
		const struct rule_link *l = &link[to->n];
		const struct rule_shed_link *was = find(is, l->queue);
		struct rule_shed_link *v = &to->v[to->n];

		snprintf(v->interface, sizeof(v->interface), "%s", l->interface);
		v->direction = l->direction;
		v->queue = l->queue;
		v->rate = l->shed_rate;
		v->limited = was && was->limited;
	}
	return 0;
}

void rule_shed_free(struct rule_sheds *s)
{
	free(s->v);
	*s = (struct rule_sheds){0};
}

static void make(struct nft_batch *b, uint16_t queue)
{
	nft_set(b, RULE_TABLE, name_of("shed4", queue).s, 2u * queue + 1, 4, HOSTS_MAX);
	nft_set(b, RULE_TABLE, name_of("shed6", queue).s, 2u * queue + 2, 16, HOSTS_MAX);
	nft_counter(b, RULE_TABLE, name_of("shed", queue).s);
	nft_counter(b, RULE_TABLE, name_of("limit", queue).s);
}

static void take_away(struct nft_batch *b, uint16_t queue)
{
	nft_set_delete(b, RULE_TABLE, name_of("shed4", queue).s);
	nft_set_delete(b, RULE_TABLE, name_of("shed6", queue).s);
	nft_counter_delete(b, RULE_TABLE, name_of("shed", queue).s);
	nft_counter_delete(b, RULE_TABLE, name_of("limit", queue).s);
}

size_t rule_shed_room(const struct rule_sheds *is, const struct rule_sheds *want)
{
	return 4 * is->n + (4 + 3) * want->n + 2;
}

unsigned rule_shed_put(struct nft_batch *b, const struct rule_sheds *is,
		       const struct rule_sheds *want)
{
	unsigned count;

	for (size_t i = 0; i < want->n; i++)
		/* a link of several interfaces is there several times, with one queue */
		if (!find(is, want->v[i].queue) && find(want, want->v[i].queue) == &want->v[i])
			make(b, want->v[i].queue);
	count = rule_shed_rules(b, want);
	for (size_t i = 0; i < is->n; i++)
		if (!find(want, is->v[i].queue) && find(is, is->v[i].queue) == &is->v[i])
			take_away(b, is->v[i].queue);
	return count;
}

/* ---- Hosts. */

void rule_shed_hosts(struct nft_batch *b, const struct rule_shed_link *l, const struct shed *s,
		     const struct shed_todo *todo, bool renew)
{
	for (unsigned i = 0; i < todo->n_put; i++) {
		const struct heavy_host *h = &s->host[todo->put[i]].host;
		struct name set = name_of(h->family == 4 ? "shed4" : "shed6", l->queue);
		uint32_t len = h->family == 4 ? 4 : 16;

		if (todo->renew[i] && renew)
			nft_set_take(b, RULE_TABLE, set.s, h->addr, len);
		nft_set_put(b, RULE_TABLE, set.s, h->addr, len, SHED_TIMEOUT / 1000000,
			    l->rate);
	}
}

bool rule_shed_probe(struct mnl_socket *nl)
{
	struct rule_shed_link none = {
		.interface = "weir-probe", .queue = UINT16_MAX, .rate = 1, .limited = true};
	const struct rule_sheds some = {&none, 1}, nothing = {0};
	const struct shed s = {.host = {{.host = {.family = 4, .addr = {192, 0, 2, 1}}}}};
	const struct shed_todo todo = {.n_put = 1};
	struct nft_batch b;

	nft_begin(&b, 32);
	rule_shed_put(&b, &nothing, &some);
	rule_shed_hosts(&b, &none, &s, &todo, false);
	rule_shed_put(&b, &some, &nothing);
	return !nft_commit(nl, &b);
}

/* ---- Looking. */

struct counts {
	struct name shed, limit;
	struct rule_shed_counts *to;
};

static void take_counter(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	struct counts *c = arg;

	if (!strcmp(name, c->shed.s)) {
		c->to->shed_packets = packets;
		c->to->shed_bytes = bytes;
	} else if (!strcmp(name, c->limit.s)) {
		c->to->limit_packets = packets;
		c->to->limit_bytes = bytes;
	}
}

int rules_shed_counts(uint16_t queue, struct rule_shed_counts *to)
{
	struct counts c = {name_of("shed", queue), name_of("limit", queue), to};

	return nft_counters(RULE_TABLE, take_counter, &c);
}

struct hosts {
	void (*fn)(void *arg, const struct heavy_host *host, uint64_t packets);
	void *arg;
};

static void take_host(void *arg, const void *key, uint32_t key_len, uint64_t packets)
{
	struct hosts *h = arg;
	struct heavy_host host = {.family = key_len == 4 ? 4 : 6};

	if (key_len != 4 && key_len != sizeof(host.addr))
		return;
	memcpy(host.addr, key, key_len);
	h->fn(h->arg, &host, packets);
}

int rules_shed_hosts(uint16_t queue,
		     void (*fn)(void *arg, const struct heavy_host *host, uint64_t packets),
		     void *arg)
{
	struct hosts h = {fn, arg};

	return nft_set_counts(RULE_TABLE, name_of("shed4", queue).s, take_host, &h) |
	       nft_set_counts(RULE_TABLE, name_of("shed6", queue).s, take_host, &h);
}
