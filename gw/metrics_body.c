/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/metrics_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/clock.h"
#include "gw/metrics.h"

#define BLOCK 32768 /* bytes that are printed at once: less than a millisecond */
#define SHARED \
	UINT64_C(1000000000) /* ns that a snapshot serves those who ask while it is there */

/* A snapshot that answers are made from; the last one frees it. */
struct metrics_shared {
	struct gateway_snapshot *s;
	unsigned users;
	uint64_t at;		    /* ns: when it was taken */
	struct metrics_shared **in; /* where it is offered to others */
};

struct body {
	struct metrics_shared *of;
	struct metrics_pieces *pieces;
	char *text; /* what was printed and has not been taken */
	size_t size, at;
	bool whole;
};

static void drop_shared(struct metrics_shared *k)
{
	if (--k->users)
		return;
	if (*k->in == k)
		*k->in = NULL;
	gateway_snapshot_free(k->s);
	free(k);
}

/* So that many who ask at once cost the memory of one. NULL: no memory. */
static struct metrics_shared *take_shared(struct metrics_shared **young, metrics_taken *take,
					  void *arg)
{
	struct metrics_shared *k = *young;

	if (k && clock_now() - k->at < SHARED) {
		k->users++;
		return k;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	*k = (struct metrics_shared){take(arg), 1, clock_now(), young};
	*young = k;
	if (k->s)
		return k;
	drop_shared(k);
	return NULL;
}

static void end_body(void *arg)
{
	struct body *b = arg;

	if (b->pieces)
		metrics_pieces_end(b->pieces);
	drop_shared(b->of);
	free(b->text);
	free(b);
}

/* Prints on, until there is enough for a while. 0, or -1: no memory. */
static int print_on(struct body *b)
{
	FILE *f;
	int failed;

	free(b->text);
	b->text = NULL;
	b->size = b->at = 0;
	f = open_memstream(&b->text, &b->size);
	if (!f)
		return -1;
	while (!b->whole && ftello(f) < BLOCK)
		b->whole = !metrics_piece(b->pieces, f);
	failed = ferror(f);
	return fclose(f) || failed ? -1 : 0;
}

static ssize_t give(void *arg, uint64_t pos, char *to, size_t max)
{
	struct body *b = arg;
	size_t n;

	(void)pos;
	if (b->at == b->size && !b->whole && print_on(b))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = b->size - b->at;
	if (!n)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = n < max ? n : max;
	memcpy(to, b->text + b->at, n);
	b->at += n;
	return (ssize_t)n;
}

struct MHD_Response *metrics_body(struct metrics_shared **young, metrics_taken *take, void *arg)
{
	struct body *b = calloc(1, sizeof(*b));
	struct MHD_Response *r = NULL;

	if (!b)
		return NULL;
	b->of = take_shared(young, take, arg);
	if (!b->of) {
		free(b);
		return NULL;
	}
	b->pieces = metrics_pieces(b->of->s);
	if (b->pieces)
		r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, give, b,
						      end_body);
	if (!r)
		end_body(b);
	return r;
}
