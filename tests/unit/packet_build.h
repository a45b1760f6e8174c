/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets for the tests of dissecting and matching, and a small random generator. */
#ifndef WEIR_TESTS_PACKET_BUILD_H
#define WEIR_TESTS_PACKET_BUILD_H

#include <stdint.h>
#include <string.h>

struct packet {
	uint8_t b[512];
	uint32_t len;
};

static inline void packet_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void packet_put32(uint8_t *p, uint32_t v)
{
	packet_put16(p, v >> 16);
	packet_put16(p + 2, v & 0xffff);
}

static inline uint16_t packet_sum4(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < (p[0] & 0xfu) * 4; i += 2)
		sum += i == 10 ? 0 : (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The upper header: ports, a UDP length or a TCP header, `payload` bytes. */
static inline void packet_upper(struct packet *p, unsigned proto, unsigned sport,
				unsigned dport, unsigned payload)
{
	uint8_t *u = p->b + p->len;

	memset(u, 0, 40);
	packet_put16(u, sport);
	packet_put16(u + 2, dport);
	if (proto == 6) {
		u[12] = 0x50;
		p->len += 20;
	} else {
		packet_put16(u + 4, 8 + payload);
		p->len += 8;
	}
	memset(p->b + p->len, 'x', payload);
	p->len += payload;
}

static inline void packet_v4(struct packet *p, unsigned proto, uint32_t src, uint32_t dst,
			     unsigned sport, unsigned dport, unsigned payload)
{
	memset(p, 0, sizeof(*p));
	p->b[0] = 0x45;
	p->b[8] = 64;
	p->b[9] = (uint8_t)proto;
	packet_put32(p->b + 12, src);
	packet_put32(p->b + 16, dst);
	p->len = 20;
	packet_upper(p, proto, sport, dport, payload);
	packet_put16(p->b + 2, p->len);
	packet_put16(p->b + 10, packet_sum4(p->b));
}

/* Addresses: 2001:db8::src, 2001:db8::dst */
static inline void packet_v6(struct packet *p, unsigned proto, uint32_t src, uint32_t dst,
			     unsigned sport, unsigned dport, unsigned payload)
{
	memset(p, 0, sizeof(*p));
	p->b[0] = 0x60;
	p->b[6] = (uint8_t)proto;
	p->b[7] = 64;
	packet_put32(p->b + 8, 0x20010db8);
	packet_put32(p->b + 20, src);
	packet_put32(p->b + 24, 0x20010db8);
	packet_put32(p->b + 36, dst);
	p->len = 40;
	packet_upper(p, proto, sport, dport, payload);
	packet_put16(p->b + 4, p->len - 40);
}

/* Puts an IPv6 extension header of `size` bytes behind the fixed header. */
static inline uint8_t *packet_ext(struct packet *p, unsigned type, unsigned size)
{
	memmove(p->b + 40 + size, p->b + 40, p->len - 40);
	memset(p->b + 40, 0, size);
	p->b[40] = p->b[6];
	p->b[41] = (uint8_t)(size / 8 - 1);
	p->b[6] = (uint8_t)type;
	p->len += size;
	packet_put16(p->b + 4, p->len - 40);
	return p->b + 40;
}

static inline uint32_t packet_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

#endif
