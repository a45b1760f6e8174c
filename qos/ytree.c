/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libyaml's events to a tree. No recursion over what the file nests: an explicit
 * stack of YTREE_DEPTH_MAX levels, and what is deeper is skipped by counting.
 */
#include "qos/ytree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ROOM_FIRST 4 /* children of a list or map before it grows */
/* libyaml looks at every open bracket for every token, so depth must end somewhere */
#define SKIP_DEPTH_MAX 1000

struct level {
	struct ynode *node; /* Y_LIST or Y_MAP being filled */
	struct ynode *key;  /* Y_MAP: the key whose value comes next, NULL: a key comes */
	size_t room;
};

struct build {
	yaml_parser_t parser;
	const char *file;
	const unsigned char *text;
	size_t size;
	struct policy_report *r;
	struct level level[YTREE_DEPTH_MAX];
	unsigned depth;
	struct ynode *root;
	size_t nodes;
};

/* What became of one event. */
enum step { GO_ON, DONE, FAILED };

static struct policy_mark mark_of(yaml_mark_t m)
{
	struct policy_mark at = {(int)m.line + 1, (int)m.column + 1};

	return at;
}

static void tell(struct build *b, struct policy_mark at, const char *text)
{
	policy_complain(b->r, POLICY_ERROR, b->file, at, "%s", text);
}

static enum step no_memory(struct build *b)
{
	tell(b, (struct policy_mark){0, 0}, "out of memory");
	return FAILED;
}

/* A node with room for `len` bytes of text behind it. */
static struct ynode *node_new(struct build *b, enum ynode_kind kind, yaml_mark_t m, size_t len)
{
	struct ynode *n = calloc(1, sizeof(*n) + (kind == Y_SCALAR ? len + 1 : 0));

	if (!n)
		return NULL;
	b->nodes++;
	n->kind = kind;
	n->at = mark_of(m);
	if (kind == Y_SCALAR)
		n->text = (char *)(n + 1);
	return n;
}

/* Depth is bounded by YTREE_DEPTH_MAX, so this recursion is. */
void ytree_free(struct ynode *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++) {
		ytree_free(n->item[i]);
		if (n->key)
			ytree_free(n->key[i]);
	}
	free(n->item);
	free(n->key);
	free(n);
}

static size_t key_index(const struct ynode *map, const char *key)
{
	size_t i = 0;

	if (!map || map->kind != Y_MAP)
		return SIZE_MAX;
	while (i < map->n && strcmp(map->key[i]->text, key) != 0)
		i++;
	return i < map->n ? i : SIZE_MAX;
}

struct ynode *ytree_get(const struct ynode *map, const char *key)
{
	size_t i = key_index(map, key);

	return i == SIZE_MAX ? NULL : map->item[i];
}

struct policy_mark ytree_key_mark(const struct ynode *map, const char *key)
{
	size_t i = key_index(map, key);

	return i == SIZE_MAX ? map->at : map->key[i]->at;
}

static bool make_room(struct level *l)
{
	struct ynode *n = l->node;
	size_t want = l->room ? l->room * 2 : ROOM_FIRST;
	struct ynode **v;

	if (n->n < l->room)
		return true;
	v = realloc(n->item, want * sizeof(struct ynode *));
	if (!v)
		return false;
	n->item = v;
	if (n->kind == Y_MAP) {
		v = realloc(n->key, want * sizeof(struct ynode *));
		if (!v)
			return false;
		n->key = v;
	}
	l->room = want;
	return true;
}

/* Puts a finished or just opened node where the document has it; owns it in any case. */
static enum step place(struct build *b, struct ynode *n)
{
	struct level *l;

	if (!n)
		return no_memory(b);
	if (!b->depth) {
		b->root = n;
		return GO_ON;
	}
	l = &b->level[b->depth - 1];
	if (l->node->kind == Y_MAP && !l->key) {
		l->key = n;
		return GO_ON;
	}
	if (!make_room(l)) {
		ytree_free(n);
		return no_memory(b);
	}
	if (l->node->kind == Y_MAP)
		l->node->key[l->node->n] = l->key;
	l->node->item[l->node->n++] = n;
	l->key = NULL;
	return GO_ON;
}

/* qsort_r() order: by key, equal ones in file order. */
static int key_order(const void *a, const void *b, void *arg)
{
	const struct ynode *map = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int c = strcmp(map->key[i]->text, map->key[j]->text);

	return c ? c : (i > j) - (i < j);
}

/* Complains of keys that were written twice, and keeps the first of them. */
static enum step drop_duplicates(struct build *b, struct ynode *map)
{
	size_t *order, first = 0, kept = 0;

	if (map->n < 2)
		return GO_ON;
	order = malloc(map->n * sizeof(*order));
	if (!order)
		return no_memory(b);
	for (size_t i = 0; i < map->n; i++)
		order[i] = i;
	qsort_r(order, map->n, sizeof(*order), key_order, map);
	for (size_t i = 1; i < map->n; i++) {
		struct ynode *k = map->key[order[i]];

		if (strcmp(k->text, map->key[order[first]]->text) != 0) {
			first = i;
			continue;
		}
		policy_complain(b->r, POLICY_ERROR, b->file, k->at,
				"duplicate key \"%s\" (first on line %d)",
				policy_shown(k->text).s, map->key[order[first]]->at.line);
		k->bad = true;
	}
	free(order);
	for (size_t i = 0; i < map->n; i++) {
		if (map->key[i]->bad) {
			ytree_free(map->key[i]);
			ytree_free(map->item[i]);
			continue;
		}
		map->key[kept] = map->key[i];
		map->item[kept++] = map->item[i];
	}
	map->n = kept;
	return GO_ON;
}

/* The place of a byte, for what libyaml's reader complains of before it counts lines. */
static struct policy_mark mark_of_offset(const struct build *b, size_t offset)
{
	struct policy_mark at = {1, 1};

	for (size_t i = 0; i < offset && i < b->size; i++) {
		if (b->text[i] == '\n') {
			at.line++;
			at.col = 1;
		} else if ((b->text[i] & 0xc0) != 0x80) {
			at.col++;
		}
	}
	return at;
}

/*
 * What would be right, where YAML takes a character of a filter for its own: "tcp port 80:
 * web", or "tcp[13] & 16 != 0" inside {...}, where the bracket ends the text.
 */
static const char *remedy(const yaml_parser_t *p)
{
	const char *what = p->problem ? p->problem : "", *in = p->context ? p->context : "";
	bool same_line = p->context_mark.line == p->problem_mark.line;

	if (p->error == YAML_SCANNER_ERROR && strstr(what, "mapping values are not allowed"))
		return ": a text with \": \" in it needs quotes";
	if (p->flow_level &&
	    (strstr(in, "anchor") || strstr(in, "alias") || strstr(in, "tag") ||
	     (same_line && (strstr(in, "flow mapping") || strstr(in, "flow sequence"))) ||
	     strstr(what, "cannot start any token")))
		return ": inside [...] or {...} a text needs quotes that has any of []{} in it "
		       "or "
		       "begins with any of &*!>%@";
	if (strstr(in, "anchor") || strstr(in, "alias") || strstr(in, "tag"))
		return ": a text that begins with \"&\", \"*\" or \"!\" needs quotes";
	if (strstr(what, "cannot start any token"))
		return ": a text that begins with such a character needs quotes";
	return "";
}

static enum step not_well_formed(struct build *b)
{
	const yaml_parser_t *p = &b->parser;
	struct policy_mark at = mark_of(p->problem_mark);
	const char *what = p->problem ? p->problem : "unreadable", *right = remedy(p);

	if (p->error == YAML_MEMORY_ERROR)
		return no_memory(b);
	if (p->error == YAML_READER_ERROR) {
		policy_complain(b->r, POLICY_ERROR, b->file,
				mark_of_offset(b, p->problem_offset),
				"%s (a policy is UTF-8 text)", what);
		return FAILED;
	}
	/* the scanner stands on the character it does not like */
	if (p->error == YAML_SCANNER_ERROR && p->buffer.pointer < p->buffer.last &&
	    *p->buffer.pointer == '\t') {
		what = "YAML does not allow a tab here: indent with spaces";
		right = "";
	}
	if (p->context && p->context_mark.line != p->problem_mark.line)
		policy_complain(b->r, POLICY_ERROR, b->file, at,
				"%s (%s that began on line %d)%s", what, p->context,
				(int)p->context_mark.line + 1, right);
	else if (p->context)
		policy_complain(b->r, POLICY_ERROR, b->file, at, "%s (%s)%s", what, p->context,
				right);
	else
		policy_complain(b->r, POLICY_ERROR, b->file, at, "%s%s", what, right);
	return FAILED;
}

/* Reads on to the end of the node whose start was the event just taken. */
static enum step skip(struct build *b, bool is_open)
{
	unsigned open = is_open;

	while (open) {
		yaml_event_t e;

		if (!yaml_parser_parse(&b->parser, &e))
			return not_well_formed(b);
		if (e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT)
			open++;
		else if (e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT)
			open--;
		yaml_event_delete(&e);
		if (open > SKIP_DEPTH_MAX)
			return FAILED; /* has been complained of as too deep */
	}
	return GO_ON;
}

static bool wants_key(const struct build *b)
{
	const struct level *l;

	if (!b->depth)
		return false;
	l = &b->level[b->depth - 1];
	return l->node->kind == Y_MAP && !l->key;
}

/* A key that is no scalar: complained of, skipped with its value. */
static enum step bad_key(struct build *b, const yaml_event_t *e, bool open)
{
	yaml_event_t v;
	enum step s;

	tell(b, mark_of(e->start_mark), "a key must be a plain word");
	s = skip(b, open);
	if (s != GO_ON)
		return s;
	if (!yaml_parser_parse(&b->parser, &v))
		return not_well_formed(b);
	open = v.type == YAML_SEQUENCE_START_EVENT || v.type == YAML_MAPPING_START_EVENT;
	yaml_event_delete(&v);
	return skip(b, open);
}

/* What stands behind is not what was meant: so it is bad, and not complained of again. */
static void refuse_decoration(struct build *b, const yaml_event_t *e, struct ynode *n,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	bool text = e->type == YAML_SCALAR_EVENT;

	if (anchor)
		policy_complain(b->r, POLICY_ERROR, b->file, mark_of(e->start_mark),
				"anchors (\"&\") are not allowed%s",
				text ? ": a text that begins with \"&\" needs quotes" : "");
	if (tag)
		policy_complain(b->r, POLICY_ERROR, b->file, mark_of(e->start_mark),
				"tags (\"!\") are not allowed%s",
				text ? ": a text that begins with \"!\" needs quotes (\"not\" "
				       "means the same in a filter)"
				     : "");
	n->bad |= (anchor || tag) && text && !wants_key(b);
}

static enum step on_scalar(struct build *b, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct ynode *n = node_new(b, Y_SCALAR, e->start_mark, len);

	if (!n)
		return no_memory(b);
	refuse_decoration(b, e, n, e->data.scalar.anchor, e->data.scalar.tag);
	memcpy(n->text, text, len);
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (memchr(text, '\0', len)) {
		tell(b, n->at, "a NUL character is not allowed");
		n->bad = true;
	}
	return place(b, n);
}

static enum step on_alias(struct build *b, const yaml_event_t *e)
{
	struct ynode *n;

	if (wants_key(b))
		return bad_key(b, e, false);
	tell(b, mark_of(e->start_mark),
	     "aliases (\"*\") are not allowed: a text that begins with \"*\" needs quotes");
	n = node_new(b, Y_SCALAR, e->start_mark, 0);
	if (n)
		n->bad = true;
	return place(b, n);
}

static enum step on_open(struct build *b, const yaml_event_t *e, enum ynode_kind kind)
{
	struct ynode *n;
	enum step s;

	if (wants_key(b))
		return bad_key(b, e, true);
	n = node_new(b, kind, e->start_mark, 0);
	if (n && kind == Y_MAP)
		refuse_decoration(b, e, n, e->data.mapping_start.anchor,
				  e->data.mapping_start.tag);
	else if (n)
		refuse_decoration(b, e, n, e->data.sequence_start.anchor,
				  e->data.sequence_start.tag);
	s = place(b, n);
	if (s != GO_ON)
		return s;
	if (b->depth == YTREE_DEPTH_MAX) {
		policy_complain(b->r, POLICY_ERROR, b->file, n->at,
				"nested deeper than %d levels", YTREE_DEPTH_MAX);
		n->bad = true;
		return skip(b, true);
	}
	b->level[b->depth++] = (struct level){.node = n};
	return GO_ON;
}

static enum step on_close(struct build *b)
{
	struct ynode *n = b->level[--b->depth].node;

	return n->kind == Y_MAP ? drop_duplicates(b, n) : GO_ON;
}

static enum step on_event(struct build *b, const yaml_event_t *e)
{
	if (b->nodes > YTREE_NODES_MAX) {
		tell(b, mark_of(e->start_mark), "the file has too many values");
		return FAILED;
	}
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (!b->root)
			return GO_ON;
		tell(b, mark_of(e->start_mark), "only one document is allowed in a file");
		return DONE;
	case YAML_STREAM_END_EVENT:
		return DONE;
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_ALIAS_EVENT:
		return on_alias(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, e, Y_LIST);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, e, Y_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(b);
	default:
		return GO_ON;
	}
}

static enum step run(struct build *b)
{
	enum step s = GO_ON;

	while (s == GO_ON) {
		yaml_event_t e;

		if (!yaml_parser_parse(&b->parser, &e))
			return not_well_formed(b);
		s = on_event(b, &e);
		yaml_event_delete(&e);
	}
	return s;
}

/* A document without anything in it is an empty map, so that readers need no special case. */
static void settle_empty(struct build *b)
{
	struct ynode *n = b->root;

	if (!n) {
		n = node_new(b, Y_MAP, (yaml_mark_t){0, 0, 0}, 0);
		if (!n)
			no_memory(b);
	} else if (n->kind == Y_SCALAR && n->plain && !n->bad && !n->text[0]) {
		n->kind = Y_MAP;
		n->text = NULL;
		n->at = (struct policy_mark){1, 1};
	}
	b->root = n;
}

struct ynode *ytree_parse(const void *text, size_t size, const char *file,
			  struct policy_report *r)
{
	struct build *b = calloc(1, sizeof(*b));
	struct ynode *root;

	if (!b || !yaml_parser_initialize(&b->parser)) {
		free(b);
		policy_complain(r, POLICY_ERROR, file, (struct policy_mark){0, 0},
				"out of memory");
		return NULL;
	}
	b->file = file;
	b->r = r;
	b->text = text;
	b->size = size;
	if (size >= 3 &&
	    memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* libyaml counts it as a column */
		b->text += 3;
		b->size -= 3;
	}
	yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b->parser, b->text, b->size);
	if (run(b) == FAILED) {
		for (unsigned i = 0; i < b->depth; i++)
			ytree_free(b->level[i].key);
		ytree_free(b->root);
		b->root = NULL;
	} else {
		settle_empty(b);
	}
	yaml_parser_delete(&b->parser);
	root = b->root;
	free(b);
	return root;
}
