/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of a policy test: comparisons with units, hosts and flows, both ways. */
#include "gw/wtest.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

static const struct {
	const char *name;
	enum wtest_unit unit;
} metrics[WTEST_METRICS] = {
	[WTEST_P50] = {"p50", WTEST_TIME},
	[WTEST_P90] = {"p90", WTEST_TIME},
	[WTEST_P95] = {"p95", WTEST_TIME},
	[WTEST_P99] = {"p99", WTEST_TIME},
	[WTEST_P999] = {"p999", WTEST_TIME},
	[WTEST_MAX] = {"max", WTEST_TIME},
	[WTEST_MEAN] = {"mean", WTEST_TIME},
	[WTEST_JITTER] = {"jitter", WTEST_TIME},
	[WTEST_THROUGHPUT] = {"throughput", WTEST_RATE},
	[WTEST_SHARE] = {"share", WTEST_PERCENT},
	[WTEST_LOSS] = {"loss", WTEST_PERCENT},
	[WTEST_PACKETS] = {"packets", WTEST_COUNT},
	[WTEST_CAME] = {"bytes", WTEST_BYTES},
	[WTEST_SENT] = {"sent", WTEST_COUNT},
	[WTEST_SENT_BYTES] = {"sent-bytes", WTEST_BYTES},
	[WTEST_MARKS] = {"marks", WTEST_COUNT},
	[WTEST_DROPS] = {"drops", WTEST_COUNT},
	[WTEST_DROPS_LIMIT] = {"drops-limit", WTEST_COUNT},
	[WTEST_DROPS_AQM] = {"drops-aqm", WTEST_COUNT},
	[WTEST_DROPS_DEADLINE] = {"drops-deadline", WTEST_COUNT},
	[WTEST_DROPS_MEMORY] = {"drops-memory", WTEST_COUNT},
};

enum wtest_unit wtest_metric_unit(enum wtest_metric m)
{
	return metrics[m].unit;
}

const char *wtest_metric_name(enum wtest_metric m)
{
	return metrics[m].name;
}

int wtest_number_parse(const char *text, uint64_t max, uint64_t *v)
{
	uint64_t n = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return -1;
		n = n * 10 + digit;
	}
	*v = n;
	return n <= max ? 0 : -1;
}

/* "12.5%" in thousandths of a percent; three places at most, so that nothing is rounded. */
static int parse_percent(const char *s, uint64_t *v, char *err, size_t errsize)
{
	size_t n = strlen(s), whole = strspn(s, "0123456789");
	uint64_t milli = 0;
	unsigned places = 0;

	if (!whole || whole > 9 || s[n - 1] != '%')
		goto wrong;
	for (size_t i = 0; i < whole; i++)
		milli = milli * 10 + (unsigned)(s[i] - '0');
	s += whole;
	if (*s == '.') {
		s++;
		for (; isdigit((unsigned char)*s) && places < 3; places++)
			milli = milli * 10 + (unsigned)(*s++ - '0');
		if (!places)
			goto wrong;
	}
	if (strcmp(s, "%"))
		goto wrong;
	for (; places < 3; places++)
		milli *= 10;
	*v = milli;
	return 0;
wrong:
	snprintf(err, errsize, "is to be a percentage, like \"25%%\" or \"0.5%%\"");
	return -1;
}

static int parse_count(const char *s, uint64_t *v, char *err, size_t errsize)
{
	char digits[32];
	size_t n = strlen(s);

	if (n && s[n - 1] == 'p')
		n--;
	if (n && n < sizeof(digits)) {
		memcpy(digits, s, n);
		digits[n] = '\0';
		if (!wtest_number_parse(digits, UINT64_MAX, v))
			return 0;
	}
	snprintf(err, errsize, "\"%s\" is no whole number", policy_shown(s).s);
	return -1;
}

static int parse_value(const char *s, enum wtest_unit unit, uint64_t *v, char *err,
		       size_t errsize)
{
	switch (unit) {
	case WTEST_TIME:
		return policy_parse_time(s, v, err, errsize);
	case WTEST_RATE:
		return policy_parse_rate(s, v, err, errsize);
	case WTEST_BYTES:
		return policy_parse_size(s, v, err, errsize);
	case WTEST_PERCENT:
		return parse_percent(s, v, err, errsize);
	default:
		return parse_count(s, v, err, errsize);
	}
}

/* Copies without the spaces around; false when it is too long. */
static bool trim(const char *s, size_t n, char *out, size_t size)
{
	while (n && *s == ' ') {
		s++;
		n--;
	}
	while (n && s[n - 1] == ' ')
		n--;
	if (n >= size)
		return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

int wtest_cmp_parse(const char *text, enum wtest_unit unit, uint64_t *lo, uint64_t *hi,
		    char *err, size_t errsize)
{
	const char *dots = strstr(text, "..");
	char op = *text, a[64], b[64] = "";
	bool equal = text[0] && text[1] == '=';
	size_t skip = op == '<' || op == '>' ? 1 + equal : op == '=' ? 1 : 0;
	uint64_t v;

	if (!trim(text + skip, dots ? (size_t)(dots - text) - skip : strlen(text + skip), a,
		  sizeof(a)) ||
	    (dots && (skip || !trim(dots + 2, strlen(dots + 2), b, sizeof(b))))) {
		snprintf(err, errsize, "\"%s\" is no comparison", policy_shown(text).s);
		return -1;
	}
	if (parse_value(a, unit, &v, err, errsize))
		return -1;
	*lo = *hi = v;
	if (dots && parse_value(b, unit, hi, err, errsize))
		return -1;
	if (op == '<') {
		*lo = 0;
		*hi = equal ? v : v - 1;
	} else if (op == '>') {
		*lo = equal ? v : v + 1;
		*hi = UINT64_MAX;
	}
	if ((op == '<' && !equal && !v) || (op == '>' && !equal && v == UINT64_MAX) ||
	    *lo > *hi) {
		snprintf(err, errsize, "nothing can be \"%s\"", policy_shown(text).s);
		return -1;
	}
	return 0;
}

/* v / 10^places, with no more digits than it takes. */
static void decimal(uint64_t v, unsigned places, const char *unit, char buf[WTEST_VALUE_TEXT])
{
	uint64_t scale = 1, frac;
	int width = (int)places;

	for (unsigned i = 0; i < places; i++)
		scale *= 10;
	frac = v % scale;
	while (width && frac % 10 == 0) {
		frac /= 10;
		width--;
	}
	if (width)
		snprintf(buf, WTEST_VALUE_TEXT, "%" PRIu64 ".%0*" PRIu64 "%s", v / scale, width,
			 frac, unit);
	else
		snprintf(buf, WTEST_VALUE_TEXT, "%" PRIu64 "%s", v / scale, unit);
}

const char *wtest_value_text(uint64_t v, enum wtest_unit unit, char buf[WTEST_VALUE_TEXT])
{
	switch (unit) {
	case WTEST_TIME:
		if (v >= 1000000000)
			decimal(v, 9, "s", buf);
		else if (v >= 1000000 || !v)
			decimal(v, 6, "ms", buf);
		else
			decimal(v, 3, "us", buf);
		break;
	case WTEST_RATE:
		if (v >= 1000000)
			decimal(v, 6, "mbit", buf);
		else
			decimal(v, 3, "kbit", buf);
		break;
	case WTEST_BYTES:
		decimal(v, 0, "b", buf);
		break;
	case WTEST_PERCENT:
		decimal(v, 3, "%", buf);
		break;
	default:
		decimal(v, 0, "", buf);
	}
	return buf;
}

static int address(const char *text, uint8_t *version, uint8_t addr[16])
{
	memset(addr, 0, 16);
	*version = strchr(text, ':') ? 6 : 4;
	return inet_pton(*version == 6 ? AF_INET6 : AF_INET, text, addr) == 1 ? 0 : -1;
}

int wtest_hosts_parse(const char *text, uint8_t *version, struct synth_hosts *h, char *err,
		      size_t errsize)
{
	const char *dash = strchr(text, '-');
	size_t n = dash ? (size_t)(dash - text) : strlen(text), size, i = 0;
	char first[64], last[64];
	uint8_t v2, end[16];
	uint64_t span = 0;

	if (!trim(text, n, first, sizeof(first)) || address(first, version, h->first) ||
	    (dash && (!trim(dash + 1, strlen(dash + 1), last, sizeof(last)) ||
		      address(last, &v2, end) || v2 != *version))) {
		snprintf(err, errsize,
			 "\"%s\" is no address, nor a range like 10.0.0.1-10.0.0.9",
			 policy_shown(text).s);
		return -1;
	}
	h->n = 1;
	if (!dash)
		return 0;
	size = *version == 6 ? 16 : 4;
	while (i < size && h->first[i] == end[i])
		i++;
	if (i < size && end[i] > h->first[i] && i + 4 >= size) {
		for (uint64_t a = 0, b = 0; i < size; i++) {
			a = a * 256 + h->first[i];
			b = b * 256 + end[i];
			span = b - a;
		}
	} else if (i < size) {
		span = SYNTH_FLOWS_MAX;
	}
	if (span >= SYNTH_FLOWS_MAX) {
		snprintf(err, errsize, "\"%s\" is no range of at most %u addresses",
			 policy_shown(text).s, SYNTH_FLOWS_MAX);
		return -1;
	}
	h->n = (uint32_t)span + 1;
	return 0;
}

static const struct {
	const char *name;
	uint8_t proto;
	bool ports;
} protos[] = {
	{"tcp", IPPROTO_TCP, true},	    {"udp", IPPROTO_UDP, true},
	{"sctp", IPPROTO_SCTP, true},	    {"dccp", IPPROTO_DCCP, true},
	{"udplite", IPPROTO_UDPLITE, true}, {"icmp", IPPROTO_ICMP, false},
	{"icmp6", IPPROTO_ICMPV6, false},   {"gre", IPPROTO_GRE, false},
	{"esp", IPPROTO_ESP, false},
};
#define N_PROTOS (sizeof(protos) / sizeof(*protos))

/* "1.2.3.4:80", "[2001:db8::1]:80", and without the port where there are none. */
static int endpoint(char *s, bool ports, uint8_t *version, uint8_t addr[16], uint16_t *port)
{
	char *host = s, *colon = NULL;
	uint64_t v;

	*port = 0;
	if (*s == '[') {
		char *end = strchr(s, ']');

		if (!end || (ports ? end[1] != ':' : end[1] != '\0'))
			return -1;
		host = s + 1;
		*end = '\0';
		colon = ports ? end + 1 : NULL;
	} else if (ports) {
		colon = strrchr(s, ':');
		if (!colon)
			return -1;
		*colon = '\0';
	}
	if (address(host, version, addr))
		return -1;
	if (!ports)
		return 0;
	if (wtest_number_parse(colon + 1, 65535, &v))
		return -1;
	*port = (uint16_t)v;
	return 0;
}

int wtest_flow_parse(const char *text, struct flow_key *key, char *err, size_t errsize)
{
	char copy[160], *proto, *src, *arrow, *dst, *end, *save = NULL;
	uint8_t v2;
	size_t p;

	memset(key, 0, sizeof(*key));
	if (strlen(text) >= sizeof(copy))
		goto wrong;
	strcpy(copy, text);
	proto = strtok_r(copy, " ", &save);
	src = strtok_r(NULL, " ", &save);
	arrow = strtok_r(NULL, " ", &save);
	dst = strtok_r(NULL, " ", &save);
	end = strtok_r(NULL, " ", &save);
	if (!dst || end || strcmp(arrow, ">"))
		goto wrong;
	for (p = 0; p < N_PROTOS && strcmp(protos[p].name, proto); p++)
		;
	if (p == N_PROTOS)
		goto wrong;
	key->proto = protos[p].proto;
	if (endpoint(src, protos[p].ports, &key->version, key->src, &key->sport) ||
	    endpoint(dst, protos[p].ports, &v2, key->dst, &key->dport) || v2 != key->version)
		goto wrong;
	return 0;
wrong:
	snprintf(err, errsize,
		 "\"%s\" is neither a stream of this test nor a flow like "
		 "\"udp 10.0.0.1:53 > 10.0.0.2:53\"",
		 policy_shown(text).s);
	return -1;
}

const char *wtest_flow_text(const struct flow_key *key, char buf[WTEST_FLOW_TEXT])
{
	char src[INET6_ADDRSTRLEN] = "?", dst[INET6_ADDRSTRLEN] = "?", proto[16];
	int family = key->version == 6 ? AF_INET6 : AF_INET;
	const char *open = key->version == 6 ? "[" : "", *close = key->version == 6 ? "]" : "";
	size_t p;

	inet_ntop(family, key->src, src, sizeof(src));
	inet_ntop(family, key->dst, dst, sizeof(dst));
	for (p = 0; p < N_PROTOS && protos[p].proto != key->proto; p++)
		;
	if (p < N_PROTOS)
		snprintf(proto, sizeof(proto), "%s", protos[p].name);
	else
		snprintf(proto, sizeof(proto), "proto %u", key->proto);
	if (p < N_PROTOS && protos[p].ports)
		snprintf(buf, WTEST_FLOW_TEXT, "%s %s%s%s:%u > %s%s%s:%u", proto, open, src,
			 close, key->sport, open, dst, close, key->dport);
	else
		snprintf(buf, WTEST_FLOW_TEXT, "%s %s > %s", proto, src, dst);
	return buf;
}
