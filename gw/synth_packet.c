/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a synthetic packet. Payload is zeros, which no checksum feels. */
#include "gw/synth.h"

#include <netinet/in.h>
#include <string.h>

#define PAYLOAD_CAP 20 /* zeros kept behind the headers */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* One's complement sum of an even number of bytes (RFC 1071), on top of `sum`. */
static uint32_t sum16(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t l4_size(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_GRE:
		return 4;
	default: /* UDP, ICMP, ICMPv6, ESP */
		return 8;
	}
}

static uint32_t ip_size(const struct synth_stream *s)
{
	return s->version == 6 ? 40 : 20;
}

uint32_t synth_header_size(const struct synth_stream *s)
{
	return ip_size(s) + l4_size(s->proto);
}

/* first + n, as a big number; only the last four bytes need to carry. */
static void host_at(const struct synth_hosts *h, uint32_t n, unsigned size, uint8_t *out)
{
	uint64_t carry = n;

	memcpy(out, h->first, size);
	for (unsigned i = size; i-- && carry; carry >>= 8) {
		carry += out[i];
		out[i] = (uint8_t)carry;
	}
}

struct ports {
	uint16_t src, dst;
};

/* Hosts first, so that flows that are more than the hosts differ by their source port. */
static struct ports spread(const struct synth_stream *s, uint32_t flow, uint32_t *src,
			   uint32_t *dst)
{
	uint32_t hosts = s->src.n > s->dst.n ? s->src.n : s->dst.n;

	*src = flow % s->src.n;
	*dst = flow % s->dst.n;
	return (struct ports){(uint16_t)(s->sport + flow / hosts),
			      (uint16_t)(s->dport + flow % s->dports)};
}

static void build_l4(const struct synth_stream *s, struct ports port, uint32_t len,
		     uint64_t nth, uint32_t pseudo, uint8_t *p)
{
	uint16_t sum;

	switch (s->proto) {
	case IPPROTO_TCP:
		put16(p, port.src);
		put16(p + 2, port.dst);
		put32(p + 4, (uint32_t)(nth * (len - 20) + 1));
		put32(p + 8, 1);
		p[12] = 5 << 4;
		p[13] = 0x10; /* ACK */
		put16(p + 14, 0xffff);
		put16(p + 16, fold(sum16(p, 20, pseudo)));
		return;
	case IPPROTO_UDP:
		put16(p, port.src);
		put16(p + 2, port.dst);
		put16(p + 4, len);
		sum = fold(sum16(p, 8, pseudo));
		put16(p + 6, sum ? sum : 0xffff);
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		p[0] = s->proto == IPPROTO_ICMP ? 8 : 128; /* echo request */
		put16(p + 4, port.src);
		put16(p + 6, nth & 0xffff);
		put16(p + 2, fold(sum16(p, 8, s->proto == IPPROTO_ICMPV6 ? pseudo : 0)));
		return;
	case IPPROTO_ESP:
		put32(p, 0x1000u + port.src);
		put32(p + 4, (uint32_t)nth + 1);
		return;
	default: /* GRE: no flags, IPv4 inside */
		put16(p + 2, 0x0800);
		return;
	}
}

uint32_t synth_build(const struct synth_stream *s, uint32_t flow, uint32_t size, uint64_t nth,
		     uint8_t buf[SYNTH_CAP])
{
	uint32_t ip = ip_size(s), headers = synth_header_size(s), len = size - ip;
	uint32_t cap = headers + PAYLOAD_CAP, src, dst, pseudo;
	uint8_t tos = (uint8_t)(s->dscp << 2 | s->ecn);
	struct ports port = spread(s, flow, &src, &dst);

	memset(buf, 0, SYNTH_CAP);
	if (s->version == 4) {
		buf[0] = 0x45;
		buf[1] = tos;
		put16(buf + 2, size);
		put16(buf + 4, nth & 0xffff);
		put16(buf + 6, 0x4000); /* don't fragment */
		buf[8] = 64;
		buf[9] = s->proto;
		host_at(&s->src, src, 4, buf + 12);
		host_at(&s->dst, dst, 4, buf + 16);
		put16(buf + 10, fold(sum16(buf, 20, 0)));
		pseudo = sum16(buf + 12, 8, s->proto + len);
	} else {
		put32(buf, 6u << 28 | (uint32_t)tos << 20);
		put16(buf + 4, len);
		buf[6] = s->proto;
		buf[7] = 64;
		host_at(&s->src, src, 16, buf + 8);
		host_at(&s->dst, dst, 16, buf + 24);
		pseudo = sum16(buf + 8, 32, s->proto + len);
	}
	build_l4(s, port, len, nth, pseudo, buf + ip);
	return cap < size ? cap : size;
}
