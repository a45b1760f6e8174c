/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML document as a tree whose every node knows its place, read with libyaml's
 * event parser. For policies and for policy tests: both want all errors with exact
 * places, and neither wants YAML's types (every scalar stays text).
 *
 * Anchors, aliases and tags are refused with a place (an alias bomb is then
 * impossible), so are duplicate keys, more than one document, nesting deeper than
 * YTREE_DEPTH_MAX, and NUL bytes or invalid UTF-8.
 */
#ifndef WEIR_QOS_YTREE_H
#define WEIR_QOS_YTREE_H

#include "qos/policy.h"

#define YTREE_DEPTH_MAX 64

enum ynode_kind { Y_SCALAR, Y_LIST, Y_MAP };

struct ynode {
	enum ynode_kind kind;
	struct policy_mark at; /* line and column from 1 */
	char *text;            /* Y_SCALAR */
	bool plain;            /* Y_SCALAR: written without quotes */
	struct ynode **item;   /* Y_LIST: items; Y_MAP: values */
	struct ynode **key;    /* Y_MAP: the scalar keys, one for each item */
	size_t n;
};

/*
 * Parses `size` bytes. NULL when it is not well-formed; otherwise the tree, even
 * when there were errors of the kinds above (they are told to r, counted there).
 * An empty document is an empty Y_MAP at 1:1.
 */
struct ynode *ytree_parse(const void *text, size_t size, const char *file,
			  struct policy_report *r);
void ytree_free(struct ynode *n);

/* The value of a key in a map, or NULL. */
struct ynode *ytree_get(const struct ynode *map, const char *key);

#endif
