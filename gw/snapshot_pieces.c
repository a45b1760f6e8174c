/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A large document, made while it is sent: as a tree it would be some 100 MB of small objects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/snapshot_json.h"

#define PIECE 32768 /* bytes, and what is begun: some milliseconds */

struct snapshot_pieces {
	struct gateway_snapshot *s;
	bool histograms;
	bool begun, whole;
	bool in_link; /* its first members are out */
	size_t link, class;
};

struct snapshot_pieces *snapshot_pieces(struct gateway_snapshot *s, bool histograms)
{
	struct snapshot_pieces *p = calloc(1, sizeof(*p));

	if (!p) {
		gateway_snapshot_free(s);
		return NULL;
	}
	*p = (struct snapshot_pieces){.s = s, .histograms = histograms, .class = 1};
	return p;
}

void snapshot_pieces_end(struct snapshot_pieces *p)
{
	if (!p)
		return;
	gateway_snapshot_free(p->s);
	free(p);
}

/* What stands between the braces of an object, which is freed. */
static void put_members(FILE *f, json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0;

	if (n > 2)
		fwrite(text + 1, 1, n - 2, f);
	free(text);
	json_decref(j);
}

static void put_class(struct snapshot_pieces *p, FILE *f, const struct gateway_link *l)
{
	json_t *j = snapshot_class(l, &l->class[p->class], p -> histograms);

	if (p->class > 1)
		fputc(',', f);
	json_dumpf(j, f, JSON_COMPACT);
	json_decref(j);
	p->class ++;
}

/* The next part: of one link, one class, or what stands around them. */
static void put_part(struct snapshot_pieces *p, FILE *f)
{
	const struct gateway_link *l = &p->s->link[p->link];

	if (!p->begun) {
		put_members(f, snapshot_head(p->s));
		fputs(",\"links\":[", f);
		p->begun = true;
	} else if (p->link == p->s->n_link) {
		fputs("],", f);
		put_members(f, snapshot_end(p->s));
		fputc('}', f);
		p->whole = true;
	} else if (!p->in_link) {
		fputs(p->link ? ",{" : "{", f);
		put_members(f, snapshot_link(p->s, l, p->histograms));
		fputs(",\"classes\":[", f);
		p->in_link = true;
	} else if (p->class < l->n_class) {
		put_class(p, f, l);
	} else {
		fputs("],", f);
		put_members(f, snapshot_link_end(l));
		fputc('}', f);
		p->in_link = false;
		p->link++;
		p->class = 1;
	}
}

char *snapshot_pieces_next(struct snapshot_pieces *p, size_t *n)
{
	char *text = NULL;
	bool failed;
	FILE *f;

	*n = 0;
	if (p->whole)
		return NULL;
	f = open_memstream(&text, n);
	while (f && !p->whole && ftello(f) < PIECE)
		put_part(p, f);
	failed = !f || ferror(f);
	if (f && !fclose(f) && !failed)
		return text;
	free(text);
	*n = 1;
	return NULL;
}
