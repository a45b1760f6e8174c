/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers with units, exactly: no floating point, no rounding, no locale.
 *
 * "1.5mbit" is the digits 15 with one decimal: 15 * 1,000,000 / 10. A number whose
 * result is not whole in the unit that the policy computes in is refused.
 */
#include "qos/policy_impl.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct unit {
	const char *name;
	enum unit_kind kind;
	uint64_t mult;
} units[] = {
	/* smallest first within a kind; the first of a kind is what it is computed in */
	{"bit", UNIT_RATE, 1},
	{"kbit", UNIT_RATE, 1000},
	{"mbit", UNIT_RATE, 1000000},
	{"gbit", UNIT_RATE, 1000000000},
	{"tbit", UNIT_RATE, 1000000000000},
	{"%", UNIT_SHARE, 100},
	{"b", UNIT_SIZE, 1},
	{"kb", UNIT_SIZE, 1000},
	{"kib", UNIT_SIZE, 1024},
	{"mb", UNIT_SIZE, 1000000},
	{"mib", UNIT_SIZE, 1048576},
	{"gb", UNIT_SIZE, 1000000000},
	{"gib", UNIT_SIZE, 1073741824},
	{"ns", UNIT_TIME, 1},
	{"us", UNIT_TIME, 1000},
	{"ms", UNIT_TIME, 1000000},
	{"s", UNIT_TIME, 1000000000},
	{"p", UNIT_PACKETS, 1},
};
#define N_UNITS (sizeof(units) / sizeof(units[0]))

/*
 * What tc takes besides, and what it means there (tc(8), "RATES"): bytes per second, and powers
 * of two. Read as weir's next unit they would be off by eight, or by a few percent.
 */
static const struct {
	const char *name, *is;
	uint64_t bits;
} tc_rates[] = {
	{"bps", "a byte", 8},
	{"kbps", "1000 bytes", 8000},
	{"mbps", "a million bytes", 8000000},
	{"gbps", "10^9 bytes", 8000000000},
	{"tbps", "10^12 bytes", 8000000000000},
	{"kibps", "1024 bytes", 8ULL << 10},
	{"mibps", "2^20 bytes", 8ULL << 20},
	{"gibps", "2^30 bytes", 8ULL << 30},
	{"kibit", "1024 bit", 1ULL << 10},
	{"mibit", "2^20 bit", 1ULL << 20},
	{"gibit", "2^30 bit", 1ULL << 30},
};
#define N_TC_RATES (sizeof(tc_rates) / sizeof(tc_rates[0]))

/* 10^24 units of 10^12 still fit 128 bits */
#define DIGITS_MAX 24
#define NUMBER_SHOWN 48 /* longer numbers get no suggestion */

struct number {
	unsigned __int128 digits;
	unsigned decimals;
	size_t len; /* characters of it; 0: no number */
	bool too_long;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* digits [ "." digits ]; zeros that say nothing are left out of the count. */
static struct number scan_number(const char *s)
{
	struct number n = {0};
	const char *c = s, *end;
	unsigned count = 0;
	bool point = false;

	while (is_digit(*c))
		c++;
	if (c == s)
		return n;
	if (c[0] == '.' && is_digit(c[1])) {
		point = true;
		c++;
		while (is_digit(*c))
			c++;
	}
	n.len = (size_t)(c - s);
	end = c;
	while (point && (end[-1] == '0' || end[-1] == '.'))
		point = *--end != '.';
	point = false;
	for (c = s; c < end; c++) {
		if (*c == '.') {
			point = true;
			continue;
		}
		count += count || *c != '0';
		n.decimals += point;
		if (count > DIGITS_MAX || n.decimals > DIGITS_MAX) {
			n.too_long = true;
			return n;
		}
		n.digits = n.digits * 10 + (unsigned)(*c - '0');
	}
	return n;
}

static const struct unit *find_unit(const char *name, unsigned kinds)
{
	for (size_t i = 0; i < N_UNITS; i++)
		if ((units[i].kind & kinds) && strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* The unit that was likely meant by `word`, which is none; NULL: no idea. */
static const struct unit *guess_unit(const char *word, unsigned kinds)
{
	const char *names[N_UNITS + 1];
	char low[16];
	size_t n = 0;
	const struct unit *u;
	const char *near;

	while (*word == ' ')
		word++;
	for (; n < sizeof(low) - 1 && word[n]; n++)
		low[n] = (char)tolower((unsigned char)word[n]);
	low[n] = '\0';
	u = find_unit(low, kinds);
	if (u || !n || find_unit(low, UNIT_TIME)) /* a time is no mistyped rate */
		return u;
	/* "20m", "20mb" for a rate: the first letter tells */
	for (size_t i = 1; (kinds & UNIT_RATE) && i < 5; i++)
		if (low[0] == units[i].name[0])
			return &units[i];
	n = 0;
	for (size_t i = 0; i < N_UNITS; i++)
		if (units[i].kind & kinds)
			names[n++] = units[i].name;
	names[n] = NULL;
	near = policy_suggest(low, names);
	for (size_t i = 0; !near && i < n; i++) /* "sec", "packets", "bytes" */
		if (names[i][0] == low[0] && strchr("spb", low[0]))
			near = names[i];
	return near && near[0] == low[0] ? find_unit(near, kinds) : NULL;
}

/* What a bare number most likely was meant in. */
static const char *guess_for_bare(unsigned kinds, const struct number *n)
{
	if (kinds & UNIT_PACKETS)
		return n->decimals ? "ms" : "p";
	if (kinds & UNIT_TIME)
		return "ms";
	return n->decimals ? "kb" : "b";
}

static const char *kinds_example(unsigned kinds)
{
	if (kinds & UNIT_PACKETS)
		return "a limit, written like \"60p\", \"100kb\" or \"20ms\"";
	if (kinds & UNIT_SHARE)
		return "a rate, written like \"20mbit\" or \"25%\"";
	if (kinds & UNIT_RATE)
		return "a rate, written like \"20mbit\"";
	if (kinds & UNIT_TIME)
		return "a time, written like \"5ms\"";
	return "a size, written like \"15kb\"";
}

static const char *kind_whole(enum unit_kind k)
{
	switch (k) {
	case UNIT_RATE:
		return "bits per second";
	case UNIT_SIZE:
		return "bytes";
	case UNIT_TIME:
		return "nanoseconds";
	case UNIT_SHARE:
		return "hundredths of a percent";
	case UNIT_PACKETS:
		break;
	}
	return "packets";
}

/* A number of bits in the unit in which it reads best; false: no whole number of bits. */
static bool bits_text(const struct number *n, uint64_t bits, char buf[POLICY_UNIT_TEXT])
{
	unsigned __int128 ten = 1, v = n->digits;

	for (unsigned i = 0; i < n->decimals; i++)
		ten *= 10;
	if (n->too_long || n->digits > POLICY_RATE_MAX)
		return false;
	v *= bits;
	if (v % ten || !(v / ten) || v / ten > POLICY_RATE_MAX)
		return false;
	units_text(UNIT_RATE, (uint64_t)(v / ten), buf);
	return true;
}

/*
 * A rate as it is written for tc. Asks only for what tc would make of it: a number that is off
 * by a factor would be taken over.
 */
static bool complain_tc_rate(const char *s, const struct number *n, char *err, size_t errsize)
{
	const char *unit = s + n->len;
	char bits[POLICY_UNIT_TEXT];

	if (!*unit && n->digits >= 1000 && !n->decimals && bits_text(n, 1, bits)) {
		snprintf(err, errsize,
			 "\"%s\" has no unit (did you mean \"%s\"? tc takes it as bits per "
			 "second)",
			 policy_shown(s).s, bits);
		return true;
	}
	if (!*unit) {
		snprintf(err, errsize, "\"%s\" has no unit (a rate is written like \"20mbit\")",
			 policy_shown(s).s);
		return true;
	}
	for (size_t i = 0; i < N_TC_RATES; i++) {
		if (strcasecmp(tc_rates[i].name, unit) != 0)
			continue;
		if (bits_text(n, tc_rates[i].bits, bits))
			snprintf(err, errsize,
				 "\"%s\" has an unknown unit (did you mean \"%s\"? tc's %s is "
				 "%s per second)",
				 policy_shown(s).s, bits, tc_rates[i].name, tc_rates[i].is);
		else
			snprintf(err, errsize,
				 "\"%s\" has an unknown unit (a rate is written like "
				 "\"20mbit\")",
				 policy_shown(s).s);
		return true;
	}
	return false;
}

static int complain_unit(const char *s, const struct number *n, unsigned kinds, char *err,
			 size_t errsize)
{
	/* digits behind the unit: "1e3kbit", "20,5mbit" are some other mistake */
	bool odd = strpbrk(s + n->len, "0123456789") != NULL;
	const struct unit *u = s[n->len] && !odd ? guess_unit(s + n->len, kinds) : NULL;
	const char *guess = u ? u->name : s[n->len] ? NULL : guess_for_bare(kinds, n);
	int len = n->len <= NUMBER_SHOWN ? (int)n->len : 0;

	if ((kinds & UNIT_RATE) && complain_tc_rate(s, n, err, errsize))
		return -1;
	if (!s[n->len])
		snprintf(err, errsize, "\"%s\" has no unit (did you mean \"%.*s%s\"?)",
			 policy_shown(s).s, len, s, guess);
	else if (guess && len)
		snprintf(err, errsize, "\"%s\" has an unknown unit (did you mean \"%.*s%s\"?)",
			 policy_shown(s).s, len, s, guess);
	else
		snprintf(err, errsize, "\"%s\" is not %s", policy_shown(s).s,
			 kinds_example(kinds));
	return -1;
}

int units_parse(const char *s, unsigned kinds, enum unit_kind bare, enum unit_kind *kind,
		uint64_t *value, char *err, size_t errsize)
{
	struct number n = scan_number(s);
	const struct unit *u = NULL;
	unsigned __int128 v, ten = 1;

	if (!n.len) {
		snprintf(err, errsize, "\"%s\" is not %s", policy_shown(s).s,
			 kinds_example(kinds));
		return -1;
	}
	if (s[n.len])
		u = find_unit(s + n.len, kinds);
	for (size_t i = 0; !s[n.len] && !u && bare && i < N_UNITS; i++)
		if (units[i].kind == bare)
			u = &units[i];
	if (!u)
		return complain_unit(s, &n, kinds, err, errsize);
	if (n.too_long) {
		snprintf(err, errsize, "\"%s\" has too many digits", policy_shown(s).s);
		return -1;
	}
	for (unsigned i = 0; i < n.decimals; i++)
		ten *= 10;
	v = n.digits * u->mult;
	if (v % ten) {
		snprintf(err, errsize, "\"%s\" is not a whole number of %s", policy_shown(s).s,
			 kind_whole(u->kind));
		return -1;
	}
	v /= ten;
	if (v > INT64_MAX) {
		snprintf(err, errsize, "\"%s\" is too large", policy_shown(s).s);
		return -1;
	}
	*kind = u->kind;
	*value = (uint64_t)v;
	return 0;
}

int policy_parse_rate(const char *s, uint64_t *bps, char *err, size_t errsize)
{
	enum unit_kind k;
	uint64_t v;

	if (units_parse(s, UNIT_RATE, 0, &k, &v, err, errsize))
		return -1;
	if (v < 1 || v > POLICY_RATE_MAX) {
		snprintf(err, errsize, "\"%s\" is out of range (rates go from 1bit to 1tbit)",
			 policy_shown(s).s);
		return -1;
	}
	*bps = v;
	return 0;
}

int policy_parse_size(const char *s, uint64_t *bytes, char *err, size_t errsize)
{
	enum unit_kind k;

	return units_parse(s, UNIT_SIZE, 0, &k, bytes, err, errsize);
}

int policy_parse_time(const char *s, uint64_t *ns, char *err, size_t errsize)
{
	enum unit_kind k;

	return units_parse(s, UNIT_TIME, 0, &k, ns, err, errsize);
}

/* The largest unit that holds it exactly; kib and mib are read, but not written. */
const char *units_text(enum unit_kind kind, uint64_t value, char buf[POLICY_UNIT_TEXT])
{
	const struct unit *best = NULL;

	for (size_t i = 0; i < N_UNITS; i++) {
		if (units[i].kind != kind || strstr(units[i].name, "ib"))
			continue;
		if (!best || (value && value % units[i].mult == 0))
			best = &units[i];
	}
	snprintf(buf, POLICY_UNIT_TEXT, "%llu%s", (unsigned long long)(value / best->mult),
		 best->name);
	return buf;
}

const char *policy_rate_text(uint64_t bps, char buf[POLICY_UNIT_TEXT])
{
	return units_text(UNIT_RATE, bps, buf);
}

const char *policy_size_text(uint64_t bytes, char buf[POLICY_UNIT_TEXT])
{
	return units_text(UNIT_SIZE, bytes, buf);
}

const char *policy_time_text(uint64_t ns, char buf[POLICY_UNIT_TEXT])
{
	return units_text(UNIT_TIME, ns, buf);
}

bool units_number(const char *s, int64_t *n)
{
	bool minus = *s == '-';
	int64_t v = 0;

	s += minus;
	if (!is_digit(*s))
		return false;
	for (; is_digit(*s); s++) {
		if (v > INT64_MAX / 100)
			return false;
		v = v * 10 + (*s - '0');
	}
	*n = minus ? -v : v;
	return *s == '\0';
}
