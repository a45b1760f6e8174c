/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What would be right, where libpcap only says that a filter is wrong: for what people write
 * who know addresses and ports from other programs.
 */
#include "qos/filter_words.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64 /* of a filter are looked at */
#define WORD_MAX 64
#define NETS_MAX 8 /* that an address range is told as */

struct words {
	char v[WORDS_MAX][WORD_MAX];
	size_t n;
};

/* Splits at white space, parentheses and commas; a comma is a word. Long ones are cut. */
static void split(struct words *w, const char *text)
{
	w->n = 0;
	while (*text && w->n < WORDS_MAX) {
		size_t len = strcspn(text, " \t\r\n(),"), keep = len;

		if (!len && *text == ',')
			keep = len = 1;
		if (!len) {
			text++;
			continue;
		}
		if (keep >= WORD_MAX)
			keep = WORD_MAX - 1;
		memcpy(w->v[w->n], text, keep);
		w->v[w->n++][keep] = '\0';
		text += len;
	}
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static bool is_address(const char *s)
{
	uint8_t a[16];

	return inet_pton(AF_INET, s, a) == 1 || inet_pton(AF_INET6, s, a) == 1;
}

/* "A/N" of an address with its host's bits cleared; false: not of that form. */
static bool network_of(const char *s, char out[INET6_ADDRSTRLEN + 8])
{
	const char *slash = strchr(s, '/');
	char addr[INET6_ADDRSTRLEN];
	uint8_t a[16];
	int family = strchr(s, ':') ? AF_INET6 : AF_INET;
	unsigned long plen;

	if (!slash || (size_t)(slash - s) >= sizeof(addr) || !is_number(slash + 1))
		return false;
	memcpy(addr, s, (size_t)(slash - s));
	addr[slash - s] = '\0';
	plen = strtoul(slash + 1, NULL, 10);
	if (inet_pton(family, addr, a) != 1 || plen > (family == AF_INET ? 32u : 128u))
		return false;
	for (unsigned bit = (unsigned)plen; bit < (family == AF_INET ? 32u : 128u); bit++)
		a[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	inet_ntop(family, a, addr, sizeof(addr));
	snprintf(out, INET6_ADDRSTRLEN + 8, "%s/%lu", addr, plen);
	return true;
}

bool filter_hint_range(const char *word, char *out, size_t size)
{
	char from[16], to[16], net[16];
	const char *dash = strchr(word, '-');
	struct in_addr a, b;
	uint64_t at, end;
	size_t len = 0;

	if (!dash || (size_t)(dash - word) >= sizeof(from) || strlen(dash + 1) >= sizeof(to))
		return false;
	memcpy(from, word, (size_t)(dash - word));
	from[dash - word] = '\0';
	memcpy(to, dash + 1, strlen(dash + 1) + 1);
	if (inet_pton(AF_INET, from, &a) != 1 || inet_pton(AF_INET, to, &b) != 1)
		return false;
	at = ntohl(a.s_addr);
	end = ntohl(b.s_addr);
	snprintf(out, size, "write networks");
	for (unsigned n = 0; at <= end; n++) {
		unsigned plen = 32;

		if (n == NETS_MAX)
			break;
		while (plen && !(at & (1ULL << (32 - plen))) &&
		       at + (1ULL << (33 - plen)) - 1 <= end)
			plen--;
		a.s_addr = htonl((uint32_t)at);
		inet_ntop(AF_INET, &a, net, sizeof(net));
		len += (size_t)snprintf(out + len, size - len, "%s%s/%u",
					n ? " or " : "write networks: \"net ", net, plen);
		at += 1ULL << (32 - plen);
		if (len + 32 > size)
			break;
	}
	if (at > end && len)
		snprintf(out + len, size - len, "\"");
	else
		snprintf(out, size, "write networks");
	return true;
}

/* What two or three neighbours are, that cannot stand so. */
static bool hint_at(const char *a, const char *b, const char *c, char *out, size_t size)
{
	char net[INET6_ADDRSTRLEN + 8];

	if ((!strcmp(a, "src") || !strcmp(a, "dst")) &&
	    (!strcmp(b, "ip") || !strcmp(b, "ip6") || !strcmp(b, "addr") ||
	     !strcmp(b, "address")) &&
	    (is_address(c) || network_of(c, net)))
		snprintf(out, size, "did you mean \"%s %s %s\"?", a,
			 strchr(c, '/') ? "net" : "host", c);
	else if (is_number(a) && is_number(b))
		snprintf(out, size, "between two values stands \"or\": \"%s or %s\"", a, b);
	else if (!strcmp(b, ",") && is_number(a) && is_number(c))
		snprintf(out, size, "between two values stands \"or\": \"%s or %s\"", a, c);
	else if (is_address(a) && is_address(b))
		snprintf(out, size, "between two values stands \"or\": \"%s or %s\"", a, b);
	else if (!strcmp(a, "port") && strchr(b, '-') && isdigit((unsigned char)*b))
		snprintf(out, size, "did you mean \"portrange %s\"?", b);
	else if (!strcmp(a, "host") && network_of(b, net))
		snprintf(out, size, "did you mean \"net %s\"?", net);
	else
		return false;
	return true;
}

void filter_hint(const char *text, const char *libpcap, char *out, size_t size)
{
	struct words w;
	char hint[256] = "", net[INET6_ADDRSTRLEN + 8];
	bool bits = strstr(libpcap, "non-network bits") != NULL;

	*out = '\0';
	split(&w, text);
	for (size_t i = 0; i < w.n && !*hint; i++) {
		const char *b = i + 1 < w.n ? w.v[i + 1] : "",
			   *c = i + 2 < w.n ? w.v[i + 2] : "";

		if (bits && network_of(w.v[i], net) && strcmp(net, w.v[i]) != 0)
			snprintf(hint, sizeof(hint), "did you mean \"%s\"?", net);
		else if (!bits)
			hint_at(w.v[i], b, c, hint, sizeof(hint));
	}
	if (*hint)
		snprintf(out, size, " (%s)", hint);
}
