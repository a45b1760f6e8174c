/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/capture_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { IN_SIZE = 64 * 1024, GZIP_ONLY = 16 + MAX_WBITS };

struct capture_source {
	int fd;
	/* Bytes for whoever reads, those before `pos` taken already. */
	uint8_t *out;
	size_t pos, len, room;
	uint64_t bytes_read, size;
	int stop_fd; /* -1: none */
	bool waits;  /* a read may take as long as it likes */
	char why[160];
	/* Stored bytes that were read but not yet given out. */
	uint8_t *in;
	size_t in_pos, in_len;
	bool at_eof;
	/* gzip */
	bool gzip, member_open;
	z_stream z;
};

static bool stopped(const struct capture_source *s)
{
	struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN},
			      {.fd = s->stop_fd, .events = POLLIN}};

	if (s->stop_fd < 0 || !s->waits)
		return false;
	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return p[1].revents;
}

/* Reads stored bytes: how many, 0 at the end, whatever it is. */
static size_t read_stored(struct capture_source *s, void *to, size_t size)
{
	ssize_t n = 0;

	if (s->at_eof)
		return 0;
	if (!stopped(s))
		do
			n = read(s->fd, to, size);
		while (n < 0 && errno == EINTR);
	if (n < 0)
		snprintf(s->why, sizeof(s->why), "cannot be read: %s", strerror(errno));
	if (n <= 0) {
		s->at_eof = true;
		return 0;
	}
	s->bytes_read += (uint64_t)n;
	return (size_t)n;
}

/* More stored bytes behind those that are left in `in`. False at the end or on an error. */
static bool refill(struct capture_source *s)
{
	size_t n;

	if (s->at_eof)
		return false;
	if (s->in_pos) {
		memmove(s->in, s->in + s->in_pos, s->in_len - s->in_pos);
		s->in_len -= s->in_pos;
		s->in_pos = 0;
	}
	n = read_stored(s, s->in + s->in_len, IN_SIZE - s->in_len);
	s->in_len += n;
	return n > 0;
}

static bool is_gzip(const struct capture_source *s)
{
	return s->in_len - s->in_pos >= 2 && s->in[s->in_pos] == 0x1f &&
	       s->in[s->in_pos + 1] == 0x8b;
}

static size_t read_plain(struct capture_source *s, uint8_t *to, size_t size)
{
	size_t left = s->in_len - s->in_pos;

	if (left) { /* what was read to see whether it is gzip */
		if (left > size)
			left = size;
		memcpy(to, s->in + s->in_pos, left);
		s->in_pos += left;
		return left;
	}
	return read_stored(s, to, size);
}

/*
 * After one member: another may follow at once (RFC 1952, 2.2). Anything else behind
 * it is not ours: gzip itself leaves such bytes alone (tapes are padded with zeros).
 */
static bool next_member(struct capture_source *s)
{
	while (s->in_len - s->in_pos < 2 && refill(s))
		;
	if (!is_gzip(s) || inflateReset(&s->z) != Z_OK) {
		s->at_eof = true;
		s->in_pos = s->in_len;
		return false;
	}
	s->member_open = true;
	return true;
}

/* One step of inflating. False at the end, whether it is a good one or not. */
static bool inflate_step(struct capture_source *s)
{
	int rc;

	if (!s->member_open && !next_member(s))
		return false;
	if (s->in_pos == s->in_len && !refill(s)) {
		if (!s->why[0])
			snprintf(s->why, sizeof(s->why), "the gzip data is cut off");
		return false;
	}
	s->z.next_in = s->in + s->in_pos;
	s->z.avail_in = (uInt)(s->in_len - s->in_pos);
	rc = inflate(&s->z, Z_NO_FLUSH);
	s->in_pos = s->in_len - s->z.avail_in;
	if (rc == Z_STREAM_END) {
		s->member_open = false;
	} else if (rc != Z_OK && rc != Z_BUF_ERROR) {
		snprintf(s->why, sizeof(s->why), "the gzip data is damaged: %s",
			 s->z.msg ? s->z.msg : zError(rc));
		return false;
	}
	return true;
}

static size_t read_gzip(struct capture_source *s, uint8_t *to, size_t size)
{
	if (size > 1U << 30)
		size = 1U << 30; /* zlib counts in an unsigned int */
	s->z.next_out = to;
	s->z.avail_out = (uInt)size;
	/* What was inflated before damage is given out first: the next call meets it again. */
	while (s->z.avail_out == size && !s->why[0] && inflate_step(s))
		;
	return size - s->z.avail_out;
}

/* Room for n bytes from `pos` on. False: no memory. */
static bool make_room(struct capture_source *s, size_t n)
{
	if (s->room - s->pos < n && s->pos) {
		memmove(s->out, s->out + s->pos, s->len - s->pos);
		s->len -= s->pos;
		s->pos = 0;
	}
	if (s->room < n) {
		uint8_t *bigger = realloc(s->out, n);

		if (!bigger) {
			snprintf(s->why, sizeof(s->why), "no memory for %zu bytes at once", n);
			return false;
		}
		s->out = bigger;
		s->room = n;
	}
	return true;
}

/* More bytes than are there, until there are n; how many there are then. */
static size_t fill(struct capture_source *s, size_t n)
{
	if (s->pos == s->len)
		s->pos = s->len = 0;
	if (!make_room(s, n))
		return s->len - s->pos;
	while (s->len - s->pos < n) {
		size_t room = s->room - s->len, got;

		got = (s->gzip ? read_gzip : read_plain)(s, s->out + s->len, room);
		if (!got)
			break;
		s->len += got;
	}
	return s->len - s->pos;
}

size_t capture_source_peek(struct capture_source *s, size_t n, const uint8_t **p)
{
	size_t there = s->len - s->pos;

	if (there < n)
		there = fill(s, n);
	*p = s->out + s->pos;
	return there;
}

void capture_source_skip(struct capture_source *s, size_t n)
{
	s->pos += n;
}

static int open_fd(struct capture_source *s, const char *name, char *err, size_t errsize)
{
	bool is_stdin = !strcmp(name, "-");
	const char *shown = is_stdin ? "standard input" : name;
	struct stat st;

	s->fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		snprintf(err, errsize, "%s: %s", shown, strerror(errno));
		return -1;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(err, errsize, "%s: is a directory, not a capture", shown);
		return -1;
	}
	if (isatty(s->fd)) {
		snprintf(err, errsize, "%s: is a terminal, not a capture", shown);
		return -1;
	}
	s->waits = !S_ISREG(st.st_mode);
	if (S_ISREG(st.st_mode)) {
		s->size = (uint64_t)st.st_size;
		(void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return 0;
}

static int open_stream(struct capture_source *s, size_t bufsize)
{
	s->in = malloc(IN_SIZE);
	s->out = malloc(bufsize);
	s->room = bufsize;
	if (!s->in || !s->out)
		return -1;
	while (s->in_len < 2 && refill(s))
		;
	if (is_gzip(s)) {
		if (inflateInit2(&s->z, GZIP_ONLY) != Z_OK)
			return -1;
		s->gzip = true;
		s->member_open = true;
	}
	return 0;
}

struct capture_source *capture_source_open(const char *name, size_t bufsize, char *err,
					   size_t errsize)
{
	struct capture_source *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(err, errsize, "%s: out of memory", name);
		return NULL;
	}
	s->stop_fd = -1;
	if (open_fd(s, name, err, errsize)) {
		capture_source_free(s);
		return NULL;
	}
	if (open_stream(s, bufsize)) {
		snprintf(err, errsize, "%s: out of memory", name);
		capture_source_free(s);
		return NULL;
	}
	return s;
}

void capture_source_stop_on(struct capture_source *s, int fd)
{
	s->stop_fd = fd;
}

void capture_source_free(struct capture_source *s)
{
	if (!s)
		return;
	if (s->fd > STDIN_FILENO)
		close(s->fd);
	if (s->gzip)
		inflateEnd(&s->z);
	free(s->out);
	free(s->in);
	free(s);
}

const char *capture_source_why(const struct capture_source *s)
{
	return s->why[0] ? s->why : NULL;
}

uint64_t capture_source_read(const struct capture_source *s)
{
	return s->bytes_read;
}

uint64_t capture_source_size(const struct capture_source *s)
{
	return s->size;
}
