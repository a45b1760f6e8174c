/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a stream of synthetic traffic from a policy test. */
#include "gw/wtest_read.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#define DEFAULT_SPORT 49152 /* the first of the dynamic ports */
#define DEFAULT_WINDOW 64
#define DEFAULT_GREEDY_SIZE 1500

static const char *const kinds[] = {"constant", "poisson", "on-off", "greedy", NULL};

static void read_kind(struct wread *w, const struct ynode *map, struct synth_stream *s)
{
	const struct ynode *n = wread_scalar(w, map, "kind");
	const char *near;

	if (!n) {
		if (!ytree_get(map, "kind"))
			wread_error(
				w, map->at,
				"a stream without a kind (constant, poisson, on-off, greedy)");
		return;
	}
	for (unsigned i = 0; kinds[i]; i++) {
		if (!strcmp(n->text, kinds[i])) {
			s->kind = (enum synth_kind)i;
			return;
		}
	}
	near = policy_suggest(n->text, kinds);
	wread_error(w, n->at, "kind \"%s\" is none of constant, poisson, on-off, greedy%s%s%s",
		    policy_shown(n->text).s, near ? " (did you mean \"" : "", near ? near : "",
		    near ? "\"?)" : "");
}

/* Keys that would mean nothing with this kind. */
static void refuse(struct wread *w, const struct ynode *map, const struct synth_stream *s,
		   const char *key)
{
	if (ytree_get(map, key))
		wread_error(w, ytree_key_mark(map, key), "a stream of kind %s has no \"%s\"",
			    kinds[s->kind], key);
}

static void read_pace(struct wread *w, const struct ynode *map, struct synth_stream *s)
{
	bool rate = ytree_get(map, "rate"), interval = ytree_get(map, "interval");
	uint64_t v;

	s->window = DEFAULT_WINDOW;
	if (s->kind == SYNTH_GREEDY) {
		refuse(w, map, s, "rate");
		refuse(w, map, s, "interval");
		if (wread_number(w, map, "window", 1, 65536, &v))
			s->window = (uint32_t)v;
	} else {
		refuse(w, map, s, "window");
		if (rate == interval)
			wread_error(w, map->at,
				    "a stream of kind %s needs \"rate\" or \"interval\"%s",
				    kinds[s->kind], rate ? ", not both" : "");
		wread_rate(w, map, "rate", &s->rate);
		if (wread_time(w, map, "interval", &s->interval) && !s->interval)
			wread_error(w, ytree_get(map, "interval")->at,
				    "an interval is to be more than 0");
	}
	if (s->kind != SYNTH_ON_OFF) {
		refuse(w, map, s, "on");
		refuse(w, map, s, "off");
		refuse(w, map, s, "periods");
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		const char *key = i ? "off" : "on";
		uint64_t *t = i ? &s->off : &s->on;

		if (!ytree_get(map, key))
			wread_error(w, map->at, "a stream of kind on-off needs \"%s\"", key);
		else if (wread_time(w, map, key, t) && *t < 1000)
			wread_error(w, ytree_get(map, key)->at, "%s is to be at least 1us",
				    key);
	}
	if (ytree_get(map, "periods")) {
		const struct ynode *n = wread_scalar(w, map, "periods");

		s->random_periods = n && !strcmp(n->text, "exponential");
		if (n && !s->random_periods && strcmp(n->text, "fixed"))
			wread_error(w, n->at, "periods are to be \"fixed\" or \"exponential\"");
	}
}

/* "200b" or "64b..1500b". */
static void read_size_text(struct wread *w, const struct ynode *n, struct synth_size *z)
{
	uint64_t lo, hi;
	char err[256];

	if (wtest_cmp_parse(n->text, WTEST_BYTES, &lo, &hi, err, sizeof(err)))
		wread_error(w, n->at, "size: %s", err);
	else if (strchr("<>=", n->text[0]))
		wread_error(w, n->at, "size is to be like \"200b\" or \"64b..1500b\"");
	else if (!lo || hi > 65535)
		wread_error(w, n->at, "a packet has 1 to 65535 bytes");
	else
		*z = (struct synth_size){(uint32_t)lo, (uint32_t)hi, z->weight};
}

static void read_size_item(struct wread *w, const struct ynode *n, struct synth_size *z)
{
	static const char *const keys[] = {"size", "weight", NULL};
	uint64_t v;

	if (n->kind == Y_SCALAR) {
		read_size_text(w, n, z);
		return;
	}
	if (!wread_map(w, n, "a size", keys))
		return;
	if (wread_number(w, n, "weight", 1, SYNTH_WEIGHT_MAX, &v))
		z->weight = (uint32_t)v;
	if (!ytree_get(n, "size"))
		wread_error(w, n->at, "a size without \"size\"");
	n = wread_scalar(w, n, "size");
	if (n)
		read_size_text(w, n, z);
}

static void read_sizes(struct wread *w, const struct ynode *map, struct synth_stream *s)
{
	const struct ynode *n = ytree_get(map, "size");
	struct policy_mark at = n ? n->at : map->at;
	unsigned want = 1;

	if (!n && s->kind != SYNTH_GREEDY)
		wread_error(w, map->at, "a stream without a packet size");
	if (n && n->kind == Y_LIST) {
		if (!n->n || n->n > SYNTH_SIZES_MAX) {
			wread_error(w, n->at, "a list of 1 to %u sizes", SYNTH_SIZES_MAX);
			n = NULL;
		} else {
			want = (unsigned)n->n;
		}
	}
	for (s->n_size = 0; s->n_size < want; s->n_size++) {
		struct synth_size *z = &s->size[s->n_size];
		const struct ynode *item = n && n->kind == Y_LIST ? n->item[s->n_size] : n;

		*z = (struct synth_size){DEFAULT_GREEDY_SIZE, DEFAULT_GREEDY_SIZE, 1};
		if (item && !item->bad)
			read_size_item(w, item, z);
		if (z->lo < synth_header_size(s))
			wread_error(w, item ? item->at : at,
				    "%u bytes are too few: the headers alone are %u", z->lo,
				    synth_header_size(s));
	}
}

static bool read_hosts(struct wread *w, const struct ynode *map, const char *key,
		       uint8_t *version, struct synth_hosts *h)
{
	const struct ynode *n = wread_scalar(w, map, key);
	char err[256];

	h->n = 1;
	if (!n) {
		if (!ytree_get(map, key))
			wread_error(w, map->at, "a stream without \"%s\"", key);
		return false;
	}
	if (wtest_hosts_parse(n->text, version, h, err, sizeof(err))) {
		wread_error(w, n->at, "%s: %s", key, err);
		return false;
	}
	return true;
}

/* "5060" or "10000-10009". */
static bool read_ports(struct wread *w, const struct ynode *map, const char *key,
		       uint16_t *first, uint32_t *count)
{
	const struct ynode *n = wread_scalar(w, map, key);
	char text[16];
	const char *dash;
	uint64_t lo, hi;

	if (!n)
		return false;
	dash = strchr(n->text, '-');
	if (strlen(n->text) < sizeof(text)) {
		strcpy(text, n->text);
		if (dash)
			text[dash - n->text] = '\0';
		if (!wtest_number_parse(text, 65535, &lo) &&
		    !wtest_number_parse(dash ? dash + 1 : text, 65535, &hi) && lo <= hi) {
			*first = (uint16_t)lo;
			*count = (uint32_t)(hi - lo) + 1;
			return true;
		}
	}
	wread_error(w, n->at, "%s is to be a port or a range of them, like 5060 or 10000-10009",
		    key);
	return false;
}

static void read_proto(struct wread *w, const struct ynode *map, struct synth_stream *s)
{
	static const char *const names[] = {"udp", "tcp", "icmp", "esp", "gre", NULL};
	static const uint8_t numbers[] = {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ESP,
					  IPPROTO_GRE};
	const struct ynode *n = wread_scalar(w, map, "proto");
	unsigned i = 0;

	while (n && names[i] && strcmp(names[i], n->text))
		i++;
	if (!names[i]) {
		wread_error(w, n->at, "proto \"%s\" is none of udp, tcp, icmp, esp, gre",
			    policy_shown(n->text).s);
		i = 0;
	}
	s->proto = numbers[i];
	if (s->proto == IPPROTO_ICMP && s->version == 6)
		s->proto = IPPROTO_ICMPV6;
}

static void read_ends(struct wread *w, const struct ynode *map, struct synth_stream *s)
{
	uint8_t v2 = 4;
	bool src, dst, ports, range;
	uint32_t hosts;
	uint64_t v;

	s->version = 4;
	src = read_hosts(w, map, "src", &s->version, &s->src);
	dst = read_hosts(w, map, "dst", &v2, &s->dst);
	if (src && dst && s->version != v2)
		wread_error(w, ytree_get(map, "dst")->at,
			    "src and dst are of different families");
	if (!src && dst)
		s->version = v2;
	read_proto(w, map, s);
	s->sport = DEFAULT_SPORT;
	s->sports = s->dports = 1;
	ports = s->proto == IPPROTO_UDP || s->proto == IPPROTO_TCP;
	range = read_ports(w, map, "sport", &s->sport, &s->sports) && s->sports > 1;
	read_ports(w, map, "dport", &s->dport, &s->dports);
	if (ports && !ytree_get(map, "dport"))
		wread_error(w, map->at, "a stream without \"dport\"");
	if (!ports && (ytree_get(map, "sport") || ytree_get(map, "dport")))
		wread_error(w, map->at, "only udp and tcp have ports");
	hosts = s->src.n > s->dst.n ? s->src.n : s->dst.n;
	s->flows = (uint64_t)hosts * s->sports <= SYNTH_FLOWS_MAX ? hosts * s->sports : hosts;
	if (wread_number(w, map, "flows", 1, SYNTH_FLOWS_MAX, &v))
		s->flows = (uint32_t)v;
	v = (s->flows + hosts - 1) / hosts; /* source ports, or one where there are none */
	if (v > (!ports ? 1 : range ? s->sports : 65536u - s->sport))
		wread_error(w, ytree_key_mark(map, "flows"),
			    "%u flows are more than the addresses and source ports give",
			    s->flows);
	if (s->kind == SYNTH_GREEDY && (uint64_t)s->flows * s->window > SYNTH_FLOWS_MAX)
		wread_error(w, map->at, "flows times window is more than %u", SYNTH_FLOWS_MAX);
}

static void read_times(struct wread *w, const struct ynode *map, uint64_t duration,
		       struct synth_stream *s)
{
	s->end = duration;
	wread_time(w, map, "start", &s->start);
	if (!wread_time(w, map, "end", &s->end) && !ytree_get(map, "end") &&
	    duration == UINT64_MAX)
		wread_error(w, map->at,
			    "a stream without \"end\", in a test without \"duration\"");
	if (s->end <= s->start)
		wread_error(w, map->at, "a stream that ends before it starts");
}

static void read_tos(struct wread *w, const struct ynode *map, struct synth_stream *s)
{
	static const struct {
		const char *name;
		uint8_t ecn;
	} ecn[] = {{"false", 0}, {"true", 2}, {"ect0", 2}, {"ect1", 1}, {"ce", 3}};
	const struct ynode *n = wread_scalar(w, map, "ecn");
	int dscp = 0;
	size_t i = 0;

	if (wread_dscp(w, map, "dscp", &dscp))
		s->dscp = (uint8_t)dscp;
	if (!n)
		return;
	while (i < sizeof(ecn) / sizeof(*ecn) && strcmp(ecn[i].name, n->text))
		i++;
	if (i == sizeof(ecn) / sizeof(*ecn))
		wread_error(w, n->at, "ecn is to be true, false, ect0, ect1 or ce");
	else
		s->ecn = ecn[i].ecn;
}

void wread_stream(struct wread *w, const struct ynode *n, const char *test, uint64_t duration,
		  struct synth_stream *s)
{
	static const char *const keys[] = {"name", "kind", "rate",	   "interval", "size",
					   "src",  "dst",  "proto",	   "sport",    "dport",
					   "dscp", "ecn",  "flows",	   "window",   "start",
					   "end",  "on",   "off",	   "periods",  "seed",
					   "mark", "mac",  "in-interface", NULL};
	const struct ynode *name;

	s->at = n->at;
	if (!wread_map(w, n, "a stream", keys))
		return;
	name = wread_scalar(w, n, "name");
	if (!ytree_get(n, "name"))
		wread_error(w, n->at, "a stream without a name");
	s->name = wread_strdup(name ? name->text : "");
	read_kind(w, n, s);
	read_pace(w, n, s);
	read_ends(w, n, s);
	read_sizes(w, n, s);
	read_tos(w, n, s);
	wread_meta(w, n, &s->meta);
	read_times(w, n, duration, s);
	s->seed = synth_seed(test, s->name);
	wread_number(w, n, "seed", 0, UINT64_MAX, &s->seed);
}
