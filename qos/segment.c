/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/segment.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "qos/flow.h"

#define TCP_HEADER 20u
#define UDP_HEADER 8u

enum {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_PSH = 8,
	TCP_CWR = 128,
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	MSS_LEAST = 64, /* as Linux has it: less is not believed */
	PLACES = 8192,
};

static inline uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

bool segment_whole(const struct policy_link *l)
{
	return l->rate.bps >= SEGMENT_WHOLE_FROM;
}

/* The headers that each piece has: of IP, and of what is in it. */
static uint32_t headers(const struct dissected *d)
{
	if (d->key.proto != IPPROTO_TCP)
		return d->l4 + UDP_HEADER;
	if (!d->l4 || d->caplen <= d->l4 + 12u)
		return d->l4 + TCP_HEADER;
	return d->l4 + (uint32_t)(d->ip[d->l4 + 12] >> 4 << 2);
}

/* Whether there are pieces: each more than headers. */
static bool divides(const struct dissected *d, uint32_t header)
{
	return d->segment && d->len > d->segment && header < d->segment && header < d->len;
}

uint64_t segment_charge(const struct policy_link *l, const struct dissected *d)
{
	uint32_t header, payload, each;
	uint64_t len;

	if (!d->segment || !divides(d, header = headers(d)))
		return policy_charge(l, d->len);
	payload = d->len - header;
	each = d->segment - header;
	len = payload / each * (uint64_t)policy_charge(l, d->segment);
	if (payload % each)
		len += policy_charge(l, header + payload % each);
	return len;
}

uint32_t segment_count(const struct dissected *d)
{
	const uint16_t odd = DISSECT_LYING | DISSECT_FRAG_FIRST | DISSECT_FRAG_LATER;
	uint32_t header, each;

	if (d->key.proto != IPPROTO_TCP || (d->flags & odd) || !d->l4 ||
	    d->caplen < d->l4 + TCP_HEADER || d->segment > SEGMENT_BYTES ||
	    d->len > SEGMENT_MOST)
		return 1;
	header = headers(d);
	if (!divides(d, header) || header < d->l4 + TCP_HEADER)
		return 1;
	each = d->segment - header;
	return (d->len - header + each - 1) / each;
}

static void patch_ip(const struct dissected *d, uint8_t *ip, uint32_t len, uint32_t i)
{
	uint32_t hlen = (uint32_t)(ip[0] & 0xf) * 4, sum = 0;

	if (d->flags & DISSECT_V6) {
		put16(ip + 4, len - 40);
		return;
	}
	put16(ip + 2, len);
	put16(ip + 4, get16(ip + 4) + i);
	put16(ip + 10, 0);
	for (uint32_t at = 0; at < hlen; at += 2)
		sum += get16(ip + at);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)));
}

void segment_piece(const struct dissected *d, uint32_t i, uint8_t *buf, struct dissected *piece)
{
	uint32_t header = headers(d), each = d->segment - header, from = i * each;
	uint32_t n = d->len - header - from, there = 0;
	bool first = !i, last = n <= each;
	uint8_t *tcp = buf + d->l4;

	if (!last)
		n = each;
	*piece = *d;
	piece->ip = buf;
	piece->segment = 0;
	piece->len = header + n;
	piece->caplen = header < d->caplen ? header : d->caplen;
	memcpy(buf, d->ip, piece->caplen);
	if (piece->caplen == header && d->caplen - header > from)
		there = d->caplen - header - from;
	if (there > n)
		there = n;
	if (there)
		memcpy(buf + header, d->ip + header + from, there);
	piece->caplen += there;
	patch_ip(d, buf, piece->len, i);
	put32(tcp + 4, get32(tcp + 4) + from);
	if (!first)
		tcp[13] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

/* ---- What handshakes said. */

/* The smaller of the two MSS options of a connection, by the hash of one of its directions. */
struct place {
	uint32_t tag;
	uint16_t mss; /* 0: empty */
};

struct segment_mss {
	struct siphash_key key;
	struct place place[PLACES];
};

struct segment_mss *segment_mss_new(const uint8_t key[16])
{
	struct segment_mss *s = calloc(1, sizeof(*s));

	if (s)
		s->key = flow_load_key(key);
	return s;
}

void segment_mss_free(struct segment_mss *s)
{
	free(s);
}

static struct place *place_of(struct segment_mss *s, uint64_t hash)
{
	return &s->place[hash % PLACES];
}

static uint16_t known(struct segment_mss *s, uint64_t hash)
{
	const struct place *p = place_of(s, hash);

	return p->tag == (uint32_t)(hash >> 32) ? p->mss : 0;
}

static void keep(struct segment_mss *s, uint64_t hash, uint16_t mss)
{
	*place_of(s, hash) = (struct place){(uint32_t)(hash >> 32), mss};
}

/* The MSS option of a TCP header; 0: there is none that could be believed. */
static uint16_t mss_option(const struct dissected *d)
{
	uint32_t at = d->l4 + TCP_HEADER, end = headers(d);

	if (end > d->caplen)
		end = d->caplen;
	while (at < end && d->ip[at] != OPTION_END) {
		uint32_t n = d->ip[at] == OPTION_NOP ? 1 : at + 1 < end ? d->ip[at + 1] : 0;

		if (!n || (n == 1 && d->ip[at] != OPTION_NOP) || n > end - at)
			break;
		if (d->ip[at] == OPTION_MSS && n == 4) {
			uint32_t mss = get16(d->ip + at + 2);

			return mss < MSS_LEAST ? 0 : (uint16_t)mss;
		}
		at += n;
	}
	return 0;
}

/* Each side says what it can take; with both known, neither sends more than the less. */
static void learn(struct segment_mss *s, const struct dissected *d)
{
	struct flow_key back = d->key;
	uint64_t hash;
	uint16_t mss = mss_option(d), other = known(s, d->hash);

	if (!mss)
		return;
	memcpy(back.src, d->key.dst, sizeof(back.src));
	memcpy(back.dst, d->key.src, sizeof(back.dst));
	back.sport = d->key.dport;
	back.dport = d->key.sport;
	hash = flow_key_hash(&s->key, &back);
	if ((d->ip[d->l4 + 13] & 0x10) && other) { /* the answer */
		mss = other < mss ? other : mss;
		keep(s, d->hash, mss);
	}
	keep(s, hash, mss);
}

void segment_look(struct segment_mss *s, struct dissected *d, uint32_t mtu)
{
	bool tcp = d->key.proto == IPPROTO_TCP && d->l4 && d->caplen >= d->l4 + 14u;
	uint16_t mss;

	if (tcp && (d->ip[d->l4 + 13] & TCP_SYN))
		learn(s, d);
	if (d->len <= mtu)
		return;
	mss = tcp ? known(s, d->hash) : 0;
	d->segment = mss ? d->l4 + TCP_HEADER + mss : mtu;
	if (d->len <= d->segment)
		d->segment = 0; /* its connection has packets as large as that */
}
