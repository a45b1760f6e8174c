/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures for tests, built byte by byte, so that a mistake in what writes captures
 * cannot hide one in what reads them. Temporary files, removed by build_cleanup().
 */
#ifndef WEIR_TESTS_CAPTURE_BUILD_H
#define WEIR_TESTS_CAPTURE_BUILD_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

struct bytes {
	uint8_t *data;
	size_t len, room;
	bool big; /* byte order of numbers put from now on */
};

enum { TMP_MOST = 64 };
static char *tmp_names[TMP_MOST];
static unsigned tmp_count;

static inline void put(struct bytes *b, const void *from, size_t n)
{
	if (b->len + n > b->room || !b->data) {
		b->room = 2 * (b->len + n) + 1;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			abort();
	}
	if (n)
		memcpy(b->data + b->len, from, n);
	b->len += n;
}

static inline void put_int(struct bytes *b, uint64_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++) {
		uint8_t c = (uint8_t)(v >> (8 * (b->big ? size - 1 - i : i)));

		put(b, &c, 1);
	}
}

static inline void put16(struct bytes *b, unsigned v)
{
	put_int(b, v, 2);
}

static inline void put32(struct bytes *b, uint32_t v)
{
	put_int(b, v, 4);
}

static inline void bytes_free(struct bytes *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* An IPv4 UDP packet in an Ethernet frame of `len` bytes; `tag` is its last byte. */
static inline void put_frame(struct bytes *b, size_t len, uint8_t tag)
{
	static const uint8_t head[14 + 20 + 8] = {
		2,    0, 0,  0,	 0, 1, 2, 0,  0,  0,  0, 2, 8,	0, /* */
		0x45, 0, 0,  28, 0, 1, 0, 0,  64, 17, 0, 0, 10, 0,
		0,    1, 10, 0,	 0, 2, 0, 53, 0,  54, 0, 8, 0,	0};

	for (size_t i = 0; i < len; i++) {
		uint8_t c = i == len - 1 ? tag : i < sizeof(head) ? head[i] : 0;

		put(b, &c, 1);
	}
}

static inline void pcap_header(struct bytes *b, bool nano, uint32_t dlt)
{
	put32(b, nano ? 0xa1b23c4d : 0xa1b2c3d4);
	put16(b, 2);
	put16(b, 4);
	put32(b, 0);
	put32(b, 0);
	put32(b, 65535);
	put32(b, dlt);
}

static inline void pcap_packet(struct bytes *b, uint32_t sec, uint32_t frac, size_t len,
			       uint8_t tag)
{
	put32(b, sec);
	put32(b, frac);
	put32(b, (uint32_t)len);
	put32(b, (uint32_t)len);
	put_frame(b, len, tag);
}

static inline void ng_section(struct bytes *b)
{
	put32(b, 0x0a0d0d0a);
	put32(b, 28);
	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put_int(b, UINT64_MAX, 8);
	put32(b, 28);
}

/* tsresol: the option's byte, or -1 for none; tsoffset: seconds, 0 for none. */
static inline void ng_interface(struct bytes *b, unsigned dlt, uint32_t snaplen, int tsresol,
				int64_t tsoffset)
{
	uint32_t len = 20 + (tsresol >= 0 ? 8 : 0) + (tsoffset ? 12 : 0);
	uint8_t resol[4] = {(uint8_t)tsresol, 0, 0, 0};

	put32(b, 1);
	put32(b, len);
	put16(b, dlt);
	put16(b, 0);
	put32(b, snaplen);
	if (tsresol >= 0) {
		put16(b, 9);
		put16(b, 1);
		put(b, resol, 4);
	}
	if (tsoffset) {
		put16(b, 14);
		put16(b, 8);
		put_int(b, (uint64_t)tsoffset, 8);
	}
	put32(b, len);
}

static inline void ng_packet(struct bytes *b, uint32_t interface, uint64_t ticks, size_t len,
			     uint8_t tag)
{
	size_t padded = (len + 3) / 4 * 4;

	put32(b, 6);
	put32(b, (uint32_t)(32 + padded));
	put32(b, interface);
	put32(b, (uint32_t)(ticks >> 32));
	put32(b, (uint32_t)ticks);
	put32(b, (uint32_t)len);
	put32(b, (uint32_t)len);
	put_frame(b, len, tag);
	put(b, "\0\0\0", padded - len);
	put32(b, (uint32_t)(32 + padded));
}

/* An interface that has a name; nanoseconds. */
static inline void ng_named(struct bytes *b, unsigned dlt, const char *name)
{
	size_t n = strlen(name), padded = (n + 3) / 4 * 4;
	uint32_t len = (uint32_t)(20 + 4 + padded + 8 + 4);

	put32(b, 1);
	put32(b, len);
	put16(b, dlt);
	put16(b, 0);
	put32(b, 0);
	put16(b, 2);
	put16(b, (unsigned)n);
	put(b, name, n);
	put(b, "\0\0\0", padded - n);
	put16(b, 9);
	put16(b, 1);
	put(b, "\11\0\0\0", 4);
	put32(b, 0);
	put32(b, len);
}

/* A packet with a comment and flags among its options. */
static inline void ng_flagged(struct bytes *b, uint32_t interface, uint64_t ticks, size_t len,
			      uint8_t tag, uint32_t flags)
{
	size_t padded = (len + 3) / 4 * 4;
	uint32_t all = (uint32_t)(32 + padded + 8 + 8 + 4);

	put32(b, 6);
	put32(b, all);
	put32(b, interface);
	put32(b, (uint32_t)(ticks >> 32));
	put32(b, (uint32_t)ticks);
	put32(b, (uint32_t)len);
	put32(b, (uint32_t)len);
	put_frame(b, len, tag);
	put(b, "\0\0\0", padded - len);
	put16(b, 1);
	put16(b, 3);
	put(b, "abc", 4);
	put16(b, 2);
	put16(b, 4);
	put32(b, flags);
	put32(b, 0);
	put32(b, all);
}

static inline void ng_simple(struct bytes *b, size_t len, uint8_t tag)
{
	size_t padded = (len + 3) / 4 * 4;

	put32(b, 3);
	put32(b, (uint32_t)(16 + padded));
	put32(b, (uint32_t)len);
	put_frame(b, len, tag);
	put(b, "\0\0\0", padded - len);
	put32(b, (uint32_t)(16 + padded));
}

/* Appends `from` as one gzip member. */
static inline void put_gzip(struct bytes *b, const void *from, size_t len)
{
	z_stream z = {0};
	size_t most;
	uint8_t *to;

	if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	most = deflateBound(&z, len);
	to = malloc(most);
	z.next_in = from;
	z.avail_in = (uInt)len;
	z.next_out = to;
	z.avail_out = (uInt)most;
	if (!to || deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	put(b, to, z.total_out);
	deflateEnd(&z);
	free(to);
}

/* A new name for a file that does not matter afterwards. */
static inline const char *tmp_name(void)
{
	char name[] = "/tmp/weir-test-XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || tmp_count == TMP_MOST)
		abort();
	close(fd);
	tmp_names[tmp_count] = strdup(name);
	return tmp_names[tmp_count++];
}

static inline void save(const char *name, const void *from, size_t len)
{
	FILE *f = fopen(name, "w");

	if (!f || fwrite(from, 1, len, f) != len || fclose(f))
		abort();
}

static inline const char *saved(const struct bytes *b)
{
	const char *name = tmp_name();

	save(name, b->data, b->len);
	return name;
}

static inline void build_cleanup(void)
{
	while (tmp_count) {
		unlink(tmp_names[--tmp_count]);
		free(tmp_names[tmp_count]);
	}
}

#endif
