/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy test says of a stream's packets beside their bytes. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gw/wtest_read.h"

/* A mark as in a policy, without a mask: decimal, or hexadecimal with "0x". */
static void read_mark(struct wread *w, const struct ynode *n, struct dissect_meta *m)
{
	bool hex = !strncmp(n->text, "0x", 2) || !strncmp(n->text, "0X", 2);
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(n->text, &end, hex ? 16 : 10);
	if (!isdigit((unsigned char)n->text[0]) || *end || errno || v > UINT32_MAX) {
		wread_error(w, n->at, "mark is to be a number of 32 bits, like 16 or 0x10");
		return;
	}
	m->mark = (uint32_t)v;
}

static void read_mac(struct wread *w, const struct ynode *n, struct dissect_meta *m)
{
	if (!policy_parse_mac(n->text, m->mac)) {
		wread_error(w, n->at, "mac is to be an address like \"02:00:5e:10:00:01\"");
		return;
	}
	m->known |= DISSECT_KNOWS_MAC;
}

void wread_meta(struct wread *w, const struct ynode *map, struct dissect_meta *m)
{
	const struct ynode *n = wread_scalar(w, map, "mark");

	/* what nobody marked has the mark 0 */
	m->known |= DISSECT_KNOWS_MARK;
	if (n)
		read_mark(w, n, m);
	n = wread_scalar(w, map, "mac");
	if (n)
		read_mac(w, n, m);
	n = wread_scalar(w, map, "in-interface");
	if (!n)
		return;
	if (!n->text[0] || strlen(n->text) >= sizeof(m->in_name)) {
		wread_error(w, n->at, "in-interface is to be a name of 1 to 15 characters");
		return;
	}
	memcpy(m->in_name, n->text, strlen(n->text));
	m->known |= DISSECT_KNOWS_IN;
}
