/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/quiet.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a (Fowler, Noll, Vo): kinds that meet by chance are only counted together. */
static uint64_t hash_of(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	/* a number stands by itself; a digit of a name (eth0) belongs to the name */
	for (char before = ' '; *text; text++) {
		bool digit = *text >= '0' && *text <= '9';

		if (digit && before == ' ')
			continue;
		before = *text;
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	}
	return h;
}

static void count(struct quiet_kind *k, uint64_t unsaid, const char *text)
{
	k->unsaid += unsaid;
	snprintf(k->text, sizeof(k->text), "%s", text);
}

static struct quiet_kind *find(struct quiet *q, const void *site, uint64_t of)
{
	for (unsigned i = 0; i < QUIET_KINDS; i++)
		if (q->kind[i].site == site && q->kind[i].of == of)
			return &q->kind[i];
	return NULL;
}

static struct quiet_kind *place(struct quiet *q)
{
	struct quiet_kind *oldest = &q->kind[0];

	for (unsigned i = 0; i < QUIET_KINDS; i++) {
		if (!q->kind[i].site)
			return &q->kind[i];
		if (q->kind[i].last < oldest->last)
			oldest = &q->kind[i];
	}
	if (oldest->unsaid) {
		if (!q->others.unsaid)
			q->others.since = oldest->since;
		count(&q->others, oldest->unsaid, oldest->text);
	}
	return oldest;
}

bool quiet_says(struct quiet *q, uint64_t now, const void *site, const char *text)
{
	uint64_t of = hash_of(text);
	struct quiet_kind *k = find(q, site, of);

	if (!k) {
		k = place(q);
		*k = (struct quiet_kind){.site = site, .of = of, .since = now};
	} else if (now - k->since >= QUIET_SPAN && !k->unsaid) {
		k->since = now;
		k->said = 0;
	}
	k->last = now;
	if (k->said < QUIET_LINES) {
		k->said++;
		return true;
	}
	count(k, 1, text);
	return false;
}

uint64_t quiet_over(struct quiet *q, uint64_t now, char text[QUIET_TEXT])
{
	for (unsigned i = 0; i <= QUIET_KINDS; i++) {
		struct quiet_kind *k = i < QUIET_KINDS ? &q->kind[i] : &q->others;
		uint64_t unsaid = k->unsaid;

		if (!unsaid || (now != UINT64_MAX && now - k->since < QUIET_SPAN))
			continue;
		memcpy(text, k->text, QUIET_TEXT);
		if (now != UINT64_MAX)
			k->since = now;
		k->said = k->unsaid = 0;
		return unsaid;
	}
	return 0;
}
