/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qos/filter_way.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *skip(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static size_t word(const char *s)
{
	return strcspn(s, " \t\r\n()");
}

static bool is(const char *s, size_t n, const char *what)
{
	return n == strlen(what) && !strncmp(s, what, n);
}

/*
 * An "or" outside of parentheses: in pcap-filter "a and b or c" is "(a and b) or c", and the
 * words here can only be joined to all of the rest.
 */
static bool has_or(const char *s)
{
	int depth = 0;

	for (s = skip(s); *s; s = skip(s)) {
		size_t n = word(s);

		depth += *s == '(';
		depth -= *s == ')';
		if (!depth && (is(s, n, "or") || strstr(s, "||") == s))
			return true;
		s += n ? n : 1;
	}
	return false;
}

/* One of the words and what belongs to it. Where it ends; s: it is none; NULL: it is wrong. */
static const char *take(const char *s, struct filter_way *way, const char **why)
{
	size_t n = word(s);
	const char *value = skip(s + n);
	size_t len = word(value);
	char *end;

	if (is(s, n, "inbound") || is(s, n, "outbound")) {
		uint8_t d = *s == 'i' ? DISSECT_IN : DISSECT_OUT;

		*why = "inbound and outbound at once";
		if (way->direction && way->direction != d)
			return NULL;
		way->direction = d;
		return s + n;
	}
	if (is(s, n, "ifname")) {
		*why = "ifname wants the name of one interface";
		if (!len || len > UINT8_MAX || way->ifname)
			return NULL;
		way->ifname = value;
		way->ifname_len = (uint8_t)len;
		return value + len;
	}
	if (is(s, n, "ifindex")) {
		unsigned long v = strtoul(value, &end, 10);

		*why = "ifindex wants the number of one interface";
		if (!isdigit((unsigned char)*value) || end != value + len || !v ||
		    v > UINT32_MAX || way->ifindex)
			return NULL;
		way->ifindex = (uint32_t)v;
		return end;
	}
	return s;
}

const char *filter_way_parse(const char *text, struct filter_way *way, const char **why)
{
	const char *s = skip(text);

	*way = (struct filter_way){0};
	for (;;) {
		const char *end = take(s, way, why);
		size_t n;

		if (!end)
			return NULL;
		if (end == s)
			break;
		way->set = true;
		s = skip(end);
		if (!*s)
			return s;
		n = word(s);
		*why = "inbound, outbound, ifname and ifindex are joined to the rest by "
		       "\"and\"; "
		       "an \"or\" goes in parentheses, or is another entry of the list";
		if (!is(s, n, "and") && !is(s, n, "&&"))
			return NULL;
		s = skip(s + n);
	}
	if (!way->set)
		return text;
	return !*s || has_or(s) ? NULL : s;
}

bool filter_way_match(const struct filter_way *way, const struct dissect_meta *meta)
{
	const struct dissect_way *w = meta ? &meta->way : NULL;

	if (!w)
		return false;
	if (way->direction && w->direction != way->direction)
		return false;
	if (way->ifindex && w->ifindex != way->ifindex)
		return false;
	return !way->ifname || (w->ifname && w->ifname_len == way->ifname_len &&
				!memcmp(w->ifname, way->ifname, way->ifname_len));
}
