/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IPv6 twin of a filter that looks into a transport header. libpcap finds "tcp[13]" behind
 * an IPv4 header only, without a word: behind an IPv6 one the same byte is "ip6[40 + 13]"
 * (where no extension headers stand between).
 */
#include "qos/filter_words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V6_HEADER 40 /* bytes */
#define V6_LONGER 20 /* than the usual IPv4 header */
#define TCP_FLAGS 13 /* what "tcpflags" stands for */

struct out {
	char *s;
	size_t len, size;
};

static void put(struct out *o, const char *s, size_t n)
{
	if (o->len + n + 1 > o->size) {
		o->len = o->size; /* too long: told at the end */
		return;
	}
	memcpy(o->s + o->len, s, n);
	o->len += n;
	o->s[o->len] = '\0';
}

static void put_number(struct out *o, unsigned long n)
{
	char text[24];

	put(o, text, (size_t)snprintf(text, sizeof(text), "%lu", n));
}

static size_t word_at(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '-' || p[n] == '_' || p[n] == '.' ||
	       p[n] == ':')
		n++;
	return n;
}

static bool is(const char *p, size_t n, const char *word)
{
	return n == strlen(word) && !strncmp(p, word, n);
}

static size_t blanks(const char *p)
{
	return strspn(p, " \t");
}

/* The index behind "tcp[", which is one of the number of 40 more. Returns what it read. */
static size_t put_index(struct out *o, const char *p)
{
	const char *from = p;
	size_t n;

	put(o, "ip6[", 4);
	p += blanks(p);
	n = word_at(p);
	if (is(p, n, "tcpflags")) {
		put_number(o, V6_HEADER + TCP_FLAGS);
		return (size_t)(p + n - from);
	}
	n = strspn(p, "0123456789");
	if (n && n < 6 && (p[n] == ']' || p[n] == ':')) {
		put_number(o, V6_HEADER + strtoul(p, NULL, 10));
		return (size_t)(p + n - from);
	}
	put(o, "40 + ", 5);
	return (size_t)(p - from);
}

/* The upper protocol whose header the filter looks into; 0: none, or more than one. */
static unsigned looks_into(const char *text)
{
	static const struct {
		const char *word;
		unsigned proto;
	} v[] = {{"tcp", 6}, {"udp", 17}, {"sctp", 132}};
	unsigned proto = 0;

	for (const char *p = text; *p;) {
		size_t n = word_at(p);

		if (is(p, n, "ip") || is(p, n, "ip6"))
			return 0; /* says itself for which */
		for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
			if (!is(p, n, v[i].word) || p[n + blanks(p + n)] != '[')
				continue;
			if (proto && proto != v[i].proto)
				return 0;
			proto = v[i].proto;
		}
		p += n ? n : 1;
	}
	return proto;
}

bool filter_twin6(const char *text, char *out, size_t size, unsigned *proto)
{
	struct out o = {out, 0, size};

	*proto = looks_into(text);
	if (!*proto)
		return false;
	put(&o, "ip6[6] = ", 9);
	put_number(&o, *proto);
	put(&o, " and (", 6);
	for (const char *p = text; *p && o.len < size;) {
		size_t n = word_at(p), gap = blanks(p + n);
		bool header = is(p, n, "tcp") || is(p, n, "udp") || is(p, n, "sctp");

		if (header && p[n + gap] == '[') {
			p += n + gap + 1;
			p += put_index(&o, p);
		} else if ((is(p, n, "less") || is(p, n, "greater")) &&
			   isdigit((unsigned char)p[n + gap])) {
			char *end;

			put(&o, p, n + gap);
			put_number(&o, strtoul(p + n + gap, &end, 10) + V6_LONGER);
			p = end;
		} else {
			n = n ? n : 1;
			put(&o, *p == '\n' || *p == '\t' ? " " : p, n);
			p += n;
		}
	}
	put(&o, ")", 1);
	return o.len < size;
}
