/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel does with classic BPF programs, written anew from its documentation and
 * source (Documentation/networking/filter.rst, net/core/filter.c), for the tests alone: which
 * programs it takes, and what one returns for a packet of a device.
 */
#ifndef WEIR_TESTS_TC_KERNEL_H
#define WEIR_TESTS_TC_KERNEL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A packet as a qdisc sees it: the device's header in front. */
struct tc_skb {
	const uint8_t *data;
	uint32_t len;	   /* header and all */
	uint32_t header;   /* where the IP header is */
	uint16_t protocol; /* as in an Ethernet frame */
};

static inline bool tc_kernel_op(uint16_t code)
{
	static const uint16_t ld[] = {0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x00,
				      0x60, 0x81, 0xb1, 0x01, 0x61, 0x02, 0x03, 0x06,
				      0x16, 0x07, 0x87, 0x05, 0x15, 0x1d, 0x25, 0x2d,
				      0x35, 0x3d, 0x45, 0x4d, 0x84};

	for (size_t i = 0; i < sizeof(ld) / sizeof(ld[0]); i++)
		if (ld[i] == code)
			return true;
	/* add sub mul div or and lsh rsh - mod xor, each with K and with X */
	return (code & 0x07) == 0x04 && (code & 0xf0) <= 0xa0 && (code & 0xf0) != 0x80;
}

/* A word of scratch that is read must have been written on every way there. */
static inline bool tc_kernel_scratch(const struct sock_filter *f, size_t n)
{
	static uint16_t have[4097];

	memset(have, 0xff, sizeof(have));
	have[0] = 0;
	for (size_t i = 0; i < n; i++) {
		uint16_t h = have[i], class = f[i].code & 7, mode = f[i].code & 0xe0;

		if ((class == 2 || class == 3 || (class < 2 && mode == 0x60)) && f[i].k >= 16)
			return false;
		if (class == 2 || class == 3)
			h |= (uint16_t)(1u << f[i].k);
		else if (class < 2 && mode == 0x60 && !(h >> f[i].k & 1))
			return false;
		if (class == 5 && (f[i].code & 0xf0) == 0) {
			have[i + 1 + f[i].k] &= h;
		} else if (class == 5) {
			have[i + 1 + f[i].jt] &= h;
			have[i + 1 + f[i].jf] &= h;
		} else if (class != 6) {
			have[i + 1] &= h;
		}
	}
	return true;
}

/* Whether the kernel would take this program. */
static inline bool tc_kernel_takes(const struct sock_filter *f, size_t n)
{
	if (!n || n > 4096 || (f[n - 1].code & 7) != 6)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint16_t op = f[i].code & 0xff;

		if (!tc_kernel_op(f[i].code))
			return false;
		if ((op == 0x34 || op == 0x94) && !f[i].k)
			return false;
		if ((op == 0x64 || op == 0x74) && f[i].k >= 32)
			return false;
		if (op == 0x05 && f[i].k >= n - i - 1)
			return false;
		if ((op & 7) == 5 && op != 0x05 &&
		    (i + f[i].jt + 1 >= n || i + f[i].jf + 1 >= n))
			return false;
		/* offsets of other data than the packet's: the protocol is all that we use */
		if ((op == 0x20 || op == 0x28 || op == 0x30) && f[i].k >= 0xfffff000u &&
		    f[i].k != 0xfffff000u)
			return false;
	}
	return tc_kernel_scratch(f, n);
}

static inline bool tc_kernel_load(const struct tc_skb *s, int32_t off, unsigned size,
				  uint32_t *value)
{
	int64_t at = off;

	if (off < 0) {
		if (off < -0x100000) {
			at = (int64_t)off + 0x200000; /* from the device's header */
			if (at < 0)
				return false;
		} else {
			at = (int64_t)off + 0x100000 + s->header;
		}
	}
	if (at + size > s->len)
		return false;
	*value = 0;
	for (unsigned i = 0; i < size; i++)
		*value = *value << 8 | s->data[at + i];
	return true;
}

static inline uint32_t tc_kernel_alu(unsigned op, uint32_t a, uint32_t b, bool *ok)
{
	switch (op) {
	case 0x00:
		return a + b;
	case 0x10:
		return a - b;
	case 0x20:
		return a * b;
	case 0x30:
		*ok = b != 0;
		return b ? a / b : 0;
	case 0x40:
		return a | b;
	case 0x50:
		return a & b;
	case 0x60:
		return a << (b & 31);
	case 0x70:
		return a >> (b & 31);
	case 0x80:
		return -a;
	case 0x90:
		*ok = b != 0;
		return b ? a % b : 0;
	default:
		return a ^ b;
	}
}

static inline bool tc_kernel_test(unsigned op, uint32_t a, uint32_t b)
{
	return op == 0x10 ? a == b : op == 0x20 ? a > b : op == 0x30 ? a >= b : (a & b) != 0;
}

/* What the program returns. */
static inline uint32_t tc_kernel_run(const struct sock_filter *f, const struct tc_skb *s)
{
	uint32_t a = 0, x = 0, m[16] = {0}, v;

	for (;; f++) {
		unsigned size = (f->code & 0x18) == 0 ? 4 : (f->code & 0x18) == 0x08 ? 2 : 1;
		unsigned mode = f->code & 0xe0;
		uint32_t b = f->code & 0x08 ? x : f->k;
		bool ok = true;

		switch (f->code & 7) {
		case 0:
		case 1:
			v = mode == 0x00 ? f->k : mode == 0x60 ? m[f->k] : s->len;
			if ((f->code & 7) == 0 && mode == 0x20 && f->k == 0xfffff000u)
				v = s->protocol;
			else if ((f->code & 7) == 0 && (mode == 0x20 || mode == 0x40))
				ok = tc_kernel_load(s, (int32_t)(f->k + (mode == 0x40 ? x : 0)),
						    size, &v);
			else if (mode == 0xa0)
				ok = tc_kernel_load(s, (int32_t)f->k, 1, &v);
			if (!ok)
				return 0;
			if ((f->code & 7) == 0)
				a = v;
			else
				x = mode == 0xa0 ? (v & 0xf) * 4 : v;
			break;
		case 2:
			m[f->k] = a;
			break;
		case 3:
			m[f->k] = x;
			break;
		case 4:
			a = tc_kernel_alu(f->code & 0xf0, a, b, &ok);
			if (!ok)
				return 0;
			break;
		case 5:
			if ((f->code & 0xf0) == 0)
				f += f->k;
			else
				f += tc_kernel_test(f->code & 0xf0, a, b) ? f->jt : f->jf;
			break;
		case 6:
			return (f->code & 0x18) == 0x10 ? a : f->k;
		default:
			if (f->code & 0x80)
				a = x;
			else
				x = a;
		}
	}
}

#endif
