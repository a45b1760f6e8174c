/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a capture, in order: from a file, a pipe or standard input, inflated when they
 * are gzip. Nothing is ever sought, so that a pipe is as good as a file.
 *
 * A gzip stream that is cut off or damaged gives every byte before the damage and then
 * the end of the file; capture_source_why() tells the two ends apart.
 */
#ifndef WEIR_GW_CAPTURE_SOURCE_H
#define WEIR_GW_CAPTURE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct capture_source;

/*
 * `name` "-" is standard input. bufsize: bytes read at once, at least 64. NULL with one line
 * in err, which names the file.
 */
struct capture_source *capture_source_open(const char *name, size_t bufsize, char *err,
					   size_t errsize);
void capture_source_free(struct capture_source *s);

/*
 * The bytes that come next: *p points to them until the next call. How many are there: at
 * least n, fewer only at the end (or with no memory for n: capture_source_why()).
 */
size_t capture_source_peek(struct capture_source *s, size_t n, const uint8_t **p);
/* Goes on by n bytes, of those that were there. */
void capture_source_skip(struct capture_source *s, size_t n);

/*
 * From now on a read that would wait (of a pipe) ends as soon as `fd` can be read: as if
 * it were the end of the file. So another thread can stop one that waits for packets.
 */
void capture_source_stop_on(struct capture_source *s, int fd);
/* What stopped the reading before the true end, or NULL. */
const char *capture_source_why(const struct capture_source *s);
/* Read so far and in all (0: not known), as stored. */
uint64_t capture_source_read(const struct capture_source *s);
uint64_t capture_source_size(const struct capture_source *s);

#endif
