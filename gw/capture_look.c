/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/capture_look.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PLACES = 4096, /* of packets that may come again */
	NETS = 1024,
	SHOWN = 4,
	FLOW_BITS = 1 << 18,
	TWIN_LEAST = 10, /* fewer may be chance */
	TWIN_SHARE = 20, /* 1/20 of the packets, likewise */
	ANSWERED_SHARE = 20,
	ANSWERED_LEAST = 2,
};
#define TWIN_TIME UINT64_C(1000000000) /* ns: as long as a router may keep a packet */

struct net {
	uint8_t version, addr[16]; /* version 0: empty */
	uint64_t from, to;	   /* packets */
};

struct seen {
	uint64_t key, when;
	const struct policy_link *link;
	uint32_t by; /* hash of how it went */
	uint8_t ttl;
};

struct capture_look {
	const struct policy_link *only;
	bool several; /* interfaces */
	uint64_t packets, on_link, twins;
	const struct policy_link *twin_link;
	/* Of packets on a link without `capture`, and of those on none */
	const struct policy_link *open_link;
	uint64_t open, answered, nowhere;
	size_t n_net;
	struct net net[NETS];
	struct seen seen[PLACES];
	uint8_t flow[FLOW_BITS / 8];
};

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return h;
}

#define MIX_START UINT64_C(0xcbf29ce484222325)

struct capture_look *capture_look_new(const struct policy_link *only, bool several)
{
	struct capture_look *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->only = only;
	l->several = several;
	return l;
}

void capture_look_free(struct capture_look *l)
{
	free(l);
}

/* ---- Packets that are there twice. */

/*
 * What stays the same when a router sends a packet on, also with other addresses and ports:
 * protocol, length, identification, and what TCP numbers or the datagram begins with.
 */
static uint64_t content(const struct dissected *d)
{
	uint32_t from = d->l4 + (d->key.proto == IPPROTO_TCP   ? 4
				 : d->key.proto == IPPROTO_UDP ? 8
							       : 4);
	uint32_t n = d->key.proto == IPPROTO_TCP ? 12 : 24;
	uint64_t h = mix(MIX_START, &d->key.proto, 1);

	h = mix(h, &d->len, sizeof(d->len));
	if (d->key.version == 4)
		h = mix(h, d->ip + 4, 2);
	if (d->l4 && from < d->caplen)
		h = mix(h, d->ip + from, n < d->caplen - from ? n : d->caplen - from);
	return h;
}

static uint32_t way_of(const struct capture_packet *pk)
{
	const struct dissect_way *w = &pk->meta.way;
	uint64_t h = mix(MIX_START, &pk->source, sizeof(pk->source));

	h = mix(h, &pk->interface, sizeof(pk->interface));
	h = mix(h, &w->ifindex, sizeof(w->ifindex));
	h = mix(h, &w->direction, sizeof(w->direction));
	return (uint32_t)(h >> 16);
}

static void look_for_twin(struct capture_look *l, const struct capture_packet *pk,
			  const struct dissected *d, const struct policy_link *link)
{
	uint64_t key = content(d);
	struct seen *s = &l->seen[key >> 20 & (PLACES - 1)];
	uint8_t ttl = d->ip[d->key.version == 4 ? 8 : 7];
	uint32_t by = way_of(pk);

	if (s->link && s->key == key && s->link == link && s->by != by &&
	    pk->when - s->when <= TWIN_TIME && (s->ttl == ttl || s->ttl == ttl + 1)) {
		l->twins++;
		l->twin_link = link;
		s->link = NULL;
		return;
	}
	*s = (struct seen){key, pk->when, link, by, ttl};
}

/* ---- Networks, and whether there are answers. */

static struct net *net_of(struct capture_look *l, unsigned version, const uint8_t *addr)
{
	uint8_t a[16] = {0};
	size_t at;

	memcpy(a, addr, version == 4 ? 3 : 8);
	at = mix(MIX_START + version, a, sizeof(a)) >> 24 & (NETS - 1);
	while (l->net[at].version &&
	       (l->net[at].version != version || memcmp(l->net[at].addr, a, sizeof(a)) != 0))
		at = (at + 1) & (NETS - 1);
	if (l->net[at].version)
		return &l->net[at];
	if (l->n_net == NETS / 2)
		return NULL;
	l->n_net++;
	l->net[at].version = (uint8_t)version;
	memcpy(l->net[at].addr, a, sizeof(a));
	return &l->net[at];
}

static void count_nets(struct capture_look *l, const struct dissected *d)
{
	struct net *src = net_of(l, d->key.version, d->key.src);
	struct net *dst = net_of(l, d->key.version, d->key.dst);

	if (src)
		src->from++;
	if (dst)
		dst->to++;
}

/* Whether packets of the other direction of its flow came. */
static bool is_answer(struct capture_look *l, const struct flow_key *k)
{
	uint64_t there = mix(MIX_START, k->src, 16), back = mix(MIX_START, k->dst, 16);

	there = mix(mix(mix(there, k->dst, 16), &k->sport, 2), &k->dport, 2);
	back = mix(mix(mix(back, k->src, 16), &k->dport, 2), &k->sport, 2);
	there = mix(there, &k->proto, 1) >> 24 & (FLOW_BITS - 1);
	back = mix(back, &k->proto, 1) >> 24 & (FLOW_BITS - 1);
	l->flow[there / 8] |= (uint8_t)(1u << there % 8);
	return l->flow[back / 8] >> back % 8 & 1;
}

void capture_look_at(struct capture_look *l, const struct capture_packet *pk,
		     const struct dissected *d, const struct policy_link *link)
{
	l->packets++;
	l->on_link += link != NULL;
	l->nowhere += !link;
	l->several |= pk->interface != 0; /* described behind packets */
	if (link && (l->several || pk->meta.way.direction))
		look_for_twin(l, pk, d, link);
	if (l->only || l->packets > CAPTURE_LOOK_MOST)
		return;
	if (!link) {
		count_nets(l, d);
	} else if (!link->capture.n) {
		l->open_link = link;
		l->open++;
		l->answered += is_answer(l, &d->key);
		count_nets(l, d);
	}
}

/* ---- Telling. */

static int by_packets(const void *a, const void *b)
{
	const struct net *x = a, *y = b;
	uint64_t m = x->from + x->to, n = y->from + y->to;

	if (m != n)
		return m < n ? 1 : -1;
	return x->version != y->version ? x->version - y->version
					: memcmp(x->addr, y->addr, sizeof(x->addr));
}

/* " 192.168.1.0/24 (12 packets from it, 10 to it), ..." */
static void networks(const struct capture_look *l, char *to, size_t size)
{
	struct net *v = malloc(sizeof(l->net));
	size_t used = 0, n = l->n_net < SHOWN ? l->n_net : SHOWN;
	char addr[INET6_ADDRSTRLEN];

	to[0] = '\0';
	if (!v)
		return;
	memcpy(v, l->net, sizeof(l->net));
	qsort(v, NETS, sizeof(*v), by_packets);
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(to + used, size - used,
					 "%s %s/%d (%" PRIu64 " packets from it, %" PRIu64
					 " to it)",
					 i ? "," : "",
					 inet_ntop(v[i].version == 4 ? AF_INET : AF_INET6,
						   v[i].addr, addr, sizeof(addr)),
					 v[i].version == 4 ? 24 : 64, v[i].from, v[i].to);
	if (l->n_net > n && used < size)
		snprintf(to + used, size - used, " and others");
	free(v);
}

bool capture_look_tell(const struct capture_look *l, void (*warn)(void *arg, const char *text),
		       void *arg)
{
	char nets[512], text[1024];
	bool twice = l->twins >= TWIN_LEAST && l->twins >= l->on_link / TWIN_SHARE;
	bool none = l->nowhere && !l->on_link;

	networks(l, nets, sizeof(nets));
	if (none) {
		snprintf(text, sizeof(text),
			 "no packet of the captures is on a link: their networks are%s; the "
			 "`capture` of a link says which packets are on it",
			 nets);
		warn(arg, text);
	}
	if (twice) {
		snprintf(
			text, sizeof(text),
			"link %s: %" PRIu64 " of %" PRIu64
			" packets are in the captures twice, by different interfaces or in and "
			"out, and are counted twice; capture on one interface (tcpdump -i "
			"eth0, "
			"not -i any), or give one capture alone",
			l->twin_link->name, l->twins, l->on_link);
		warn(arg, text);
	}
	if (l->open_link && l->answered >= ANSWERED_LEAST &&
	    l->answered >= l->open / ANSWERED_SHARE) {
		snprintf(text, sizeof(text),
			 "link %s has no `capture`, so both directions of the captures are on "
			 "it; their networks are%s; `capture: src net NETWORK` takes what a "
			 "network sends, --link %s says that all are on it",
			 l->open_link->name, nets, l->open_link->name);
		warn(arg, text);
	}
	return none || twice;
}
