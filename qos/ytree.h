/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML document as a tree whose every node knows its place, read with libyaml's
 * event parser. For policies and for policy tests: both want all errors with exact
 * places, and neither wants YAML's types (every scalar stays text).
 *
 * Anchors, aliases and tags are refused with a place (an alias bomb is then
 * impossible), so are duplicate keys, more than one document, nesting deeper than
 * YTREE_DEPTH_MAX, and NUL bytes or invalid UTF-8.
 * Columns count characters, not bytes.
 */
#ifndef WEIR_QOS_YTREE_H
#define WEIR_QOS_YTREE_H

#include "qos/policy.h"

#define YTREE_DEPTH_MAX 64
#define YTREE_NODES_MAX 16000000 /* a hostile file must not take all memory */

enum ynode_kind { Y_SCALAR, Y_LIST, Y_MAP };

struct ynode {
	enum ynode_kind kind;
	struct policy_mark at; /* line and column from 1 */
	char *text;	       /* Y_SCALAR */
	bool plain;	       /* Y_SCALAR: written without quotes */
	bool bad;	       /* an error was told of it: say no more of its contents */
	struct ynode **item;   /* Y_LIST: items; Y_MAP: values */
	struct ynode **key;    /* Y_MAP: the scalar keys, one for each item */
	size_t n;
};

/*
 * Parses `size` bytes. NULL when it is not well-formed (told to r); otherwise the
 * tree, even when there were errors of the kinds above: they are told to r, not in
 * file order (policy_gather), and what they leave is a `bad` node, or the first of
 * duplicate keys. An empty document is an empty Y_MAP at 1:1.
 */
struct ynode *ytree_parse(const void *text, size_t size, const char *file,
			  struct policy_report *r);
void ytree_free(struct ynode *n);

/* The value of a key in a map, or NULL. Also NULL when it is no map. */
struct ynode *ytree_get(const struct ynode *map, const char *key);
/* Where that key stands; the map's own place when it does not. */
struct policy_mark ytree_key_mark(const struct ynode *map, const char *key);

#endif
