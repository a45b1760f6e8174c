/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow table never changes a decision: every packet is also put to a reference,
 * which has no table. It walks the policy and runs every filter for every packet.
 */
#include <dirent.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <zlib.h>

#include "filter_random.h"
#include "match_build.h"

struct reference {
	const struct policy *p;
	struct filter **f; /* compiled, by the address of the policy's text */
	const struct policy_filter **text;
	size_t n;
};

static void reference_add(struct reference *ref, const struct policy_filters *fs)
{
	for (size_t i = 0; i < fs->n; i++) {
		char err[512];

		ref->f = realloc(ref->f, (ref->n + 1) * sizeof(*ref->f));
		ref->text = realloc(ref->text, (ref->n + 1) * sizeof(*ref->text));
		assert_true(ref->f && ref->text);
		ref->f[ref->n] = malloc(sizeof(**ref->f));
		assert_int_equal(
			filter_compile(ref->f[ref->n], fs->v[i].text, err, sizeof(err)), 0);
		ref->text[ref->n++] = &fs->v[i];
	}
}

static bool reference_any(const struct reference *ref, const struct policy_filters *fs,
			  const struct dissected *d)
{
	for (size_t i = 0; i < fs->n; i++)
		for (size_t k = 0; k < ref->n; k++)
			if (ref->text[k] == &fs->v[i] &&
			    filter_match(ref->f[k], d->ip, d->len, d->caplen))
				return true;
	return fs->n == 0;
}

static const struct policy_class *reference_class(const struct reference *ref,
						  const struct policy_class *c,
						  const struct dissected *d)
{
	while (c->n_child) {
		const struct policy_class *to = NULL;

		for (size_t i = 0; i < c->n_child && !to; i++) {
			const struct policy_class *k = c->child[i];

			if ((k->dscp || k->match.n) && (!k->dscp || (k->dscp >> d->dscp & 1)) &&
			    reference_any(ref, &k->match, d))
				to = k;
		}
		for (size_t i = 0; i < c->n_child && !to; i++)
			if (c->child[i]->is_default)
				to = c->child[i];
		c = to;
	}
	return c;
}

static const struct policy_class *reference_decide(const struct reference *ref,
						   const struct dissected *d)
{
	for (size_t i = 0; i < ref->p->n_link; i++)
		if (reference_any(ref, &ref->p->link[i]->capture, d))
			return reference_class(ref, ref->p->link[i]->root, d);
	return NULL;
}

static void reference_new(struct reference *ref, const struct policy *p)
{
	*ref = (struct reference){.p = p};
	for (size_t i = 0; i < p->n_link; i++) {
		reference_add(ref, &p->link[i]->capture);
		for (size_t k = 0; k < p->link[i]->n_all; k++)
			reference_add(ref, &p->link[i]->all[k]->match);
	}
}

static void reference_free(struct reference *ref)
{
	for (size_t i = 0; i < ref->n; i++) {
		filter_free(ref->f[i]);
		free(ref->f[i]);
	}
	free(ref->f);
	free(ref->text);
}

static const char *const POLICIES[] = {
	PLAIN,
	/* all per flow */
	"links:\n  - name: l\n    rate: 1mbit\n    classes:\n"
	"      - {name: a, match: [udp port 3, tcp portrange 2-4]}\n"
	"      - {name: b, match: net 10.0.1.0/24 or host 2001:db8::2}\n"
	"      - {name: c, match: ip6 and port 1}\n"
	"      - {name: d, match: icmp or ip proto 50 or ip6 proto 58}\n"
	"      - {name: e, match: sctp}\n"
	"      - {name: r, default: true}\n",
	/* DSCP and per packet at every place */
	"links:\n  - name: l\n    capture: not dst port 6\n    rate: 1mbit\n    classes:\n"
	"      - {name: a, match: udp port 3, dscp: [0, 1, 2]}\n"
	"      - name: n\n        match: tcp or udp\n        classes:\n"
	"          - {name: s, match: 'less 70'}\n"
	"          - {name: t, dscp: 3}\n"
	"          - {name: u, match: 'tcp[13] & 2 != 0', dscp: [1, 2, 3]}\n"
	"          - {name: v, default: true}\n"
	"      - {name: q, match: 'ip[8] < 64'}\n"
	"      - {name: r, default: true, dscp: 2}\n"
	"  - name: k\n    capture: ip\n    rate: 1mbit\n    classes:\n"
	"      - {name: r, default: true}\n",
};

/* Few flows, so that they come again; all kinds of packets that are not plain between them. */
static void random_packet(uint64_t *r, struct packet *p)
{
	static const unsigned protos[] = {6, 17, 132, 1, 50, 58};
	unsigned proto = protos[packet_random(r) % 6], kind = packet_random(r) % 24;
	unsigned sport = packet_random(r) % 7, dport = packet_random(r) % 7;
	bool v6 = packet_random(r) & 1;

	if (v6)
		packet_v6(p, proto, packet_random(r) % 4, packet_random(r) % 4, sport, dport,
			  packet_random(r) % 60);
	else
		packet_v4(p, proto, 0x0a000001 + (packet_random(r) % 3 << 8),
			  packet_random(r) % 4 ? 0x0a000002 : IN, sport, dport,
			  packet_random(r) % 60);
	p->b[1] = (uint8_t)(packet_random(r) & (v6 ? 0xc0 : 0x0f)); /* four DSCPs */
	p->b[v6 ? 7 : 8] = (uint8_t)(60 + packet_random(r) % 8);
	if (proto == 6)
		p->b[(v6 ? 40 : 20) + 13] = (uint8_t)packet_random(r);
	switch (kind) {
	case 0: /* a fragment */
	case 1:
		if (v6) {
			uint8_t *e = packet_ext(p, 44, 8);

			e[1] = 0;
			packet_put16(e + 2, (packet_random(r) % 2) * 8 + 1);
			e[7] = (uint8_t)(packet_random(r) % 4);
		} else {
			fragment4(p, packet_random(r) % 4, packet_random(r) % 2, true);
		}
		break;
	case 2: /* other extension headers, or options */
		if (v6) {
			packet_ext(p, 60, 8);
		} else {
			memmove(p->b + 24, p->b + 20, p->len - 20);
			p->b[0] = 0x46;
			p->len += 4;
			packet_put16(p->b + 2, p->len);
		}
		break;
	case 3: /* lengths that lie */
		p->b[v6 ? 5 : 3] = (uint8_t)packet_random(r);
		break;
	case 4:
		if (!v6)
			p->b[0] = (uint8_t)(0x40 | (packet_random(r) & 15));
		break;
	default:
		break;
	}
}

/* The class of the first fragments, for the reference. */
struct first {
	struct flow_key key;
	uint32_t id;
	const struct policy_class *class;
};

static bool same_packet(const struct first *f, const struct dissected *d)
{
	return f->id == d->frag_id && f->key.version == d->key.version &&
	       (d->key.version == 6 || f->key.proto == d->key.proto) &&
	       !memcmp(f->key.src, d->key.src, 16) && !memcmp(f->key.dst, d->key.dst, 16);
}

#define WRITTEN (sizeof(POLICIES) / sizeof(POLICIES[0]))

/*
 * Seldom "tcp" alone: or the classes behind it would get nothing. A length is found by the
 * index and is another with the next packet of the flow.
 */
static void random_match(uint64_t *r, bool per_flow, char *out, size_t size)
{
	char part[800], err[512];
	struct filter f;
	bool good = false;

	while (!good) {
		random_filter(r, part, sizeof(part), packet_random(r) % 3);
		if (packet_random(r) % 3)
			snprintf(out, size, "(%s) and %sport %u", part,
				 packet_random(r) & 1 ? "src " : "", packet_random(r) % 7);
		else
			snprintf(out, size, "ip[2:2] = %u", 28 + packet_random(r) % 70);
		if (filter_compile(&f, out, err, sizeof(err)))
			continue; /* it rejects all packets */
		good = f.per_flow || !per_flow;
		filter_free(&f);
	}
}

/* So many classes on two levels that there is an index of their filters. */
static struct policy *many_classes(uint64_t *r, bool per_flow)
{
	static char text[60000];
	size_t n = 0;
	char match[900];

	n += (size_t)snprintf(text, sizeof(text),
			      "links:\n- name: l\n  rate: 1mbit\n  classes:\n");
	for (unsigned i = 0; i < 60; i++) {
		bool inner = i >= 30;

		if (i == 30)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "  - {name: r, default: true}\n"
					      "  - name: in\n    match: 'udp or port 1'\n"
					      "    classes:\n    - {name: r, default: true}\n");
		random_match(r, per_flow, match, sizeof(match));
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%s  - {name: c%u, match: '%s'", inner ? "  " : "", i,
				      match);
		if (packet_random(r) % 6 == 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, ", dscp: [%u, %u]",
					      packet_random(r) % 3, packet_random(r) % 3 + 3);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "}\n");
		assert_true(n < sizeof(text));
	}
	return read_policy(text);
}

static void test_table_changes_nothing(void **state)
{
	uint64_t made = 777;

	(void)state;
	for (size_t n = 0; n < WRITTEN + 6; n++) {
		struct match_opts o = {.flows_max = 500}; /* with eviction */
		struct policy *p =
			n < WRITTEN ? read_policy(POLICIES[n]) : many_classes(&made, n % 2);
		struct match *m = new_match(p, &o);
		struct reference ref;
		struct match_stats s;
		struct first *firsts = NULL;
		size_t n_first = 0;
		uint64_t r = 12345 + n;

		reference_new(&ref, p);
		for (unsigned i = 0; i < 100000; i++) {
			const struct policy_class *expect;
			struct match_result res;
			struct dissected d;
			struct packet k;
			size_t f = 0;

			random_packet(&r, &k);
			/* some captured in part, in memory that ends there */
			if (dissect_ip(k.b, i % 9 ? k.len : 40 + i % 8, k.len, &d))
				continue;
			match_packet(m, &d, i, &res);
			expect = reference_decide(&ref, &d);
			if (d.flags & (DISSECT_FRAG_LATER | DISSECT_FRAG_FIRST))
				while (f < n_first && !same_packet(&firsts[f], &d))
					f++;
			if ((d.flags & DISSECT_FRAG_LATER) && f < n_first)
				expect = firsts[f].class;
			if (d.flags & DISSECT_FRAG_FIRST) {
				if (f == n_first) {
					firsts = realloc(firsts, ++n_first * sizeof(*firsts));
					assert_non_null(firsts);
				}
				firsts[f] = (struct first){d.key, d.frag_id, expect};
			}
			if (res.class != expect)
				fail_msg("policy %zu, packet %u: %s, not %s", n, i,
					 res.class ? res.class->path : "none",
					 expect ? expect->path : "none");
		}
		match_get_stats(m, &s);
		print_message("policy %zu: %lu hits, %lu evaluated, %lu followed\n", n,
			      (unsigned long)s.hits, (unsigned long)s.evaluated,
			      (unsigned long)s.frags_followed);
		assert_true(s.evaluated > 5000 && s.frags_followed > 100);
		/* of a policy that asks for lengths nothing may be kept */
		assert_true(s.hits > 400 || (n >= WRITTEN && n % 2 == 0));
		assert_true(s.flows_evicted > 1000);
		free(firsts);
		reference_free(&ref);
		match_free(m);
		policy_free(p);
	}
}

/* All of a file, gzipped or not, as libpcap reads it. NULL: no capture. */
static pcap_t *open_capture(const char *path)
{
	char err[PCAP_ERRBUF_SIZE], buf[65536];
	gzFile in = gzopen(path, "rb");
	FILE *plain = tmpfile();
	pcap_t *pc;
	int n;

	assert_true(in && plain);
	while ((n = gzread(in, buf, sizeof(buf))) > 0)
		assert_int_equal(fwrite(buf, 1, (size_t)n, plain), n);
	gzclose(in);
	rewind(plain);
	pc = pcap_fopen_offline(plain, err);
	if (!pc)
		fclose(plain);
	return pc;
}

static void compare_capture(const char *path, struct match *m, const struct reference *ref,
			    uint64_t *packets)
{
	pcap_t *pc = open_capture(path);
	struct pcap_pkthdr *h;
	const u_char *data;
	uint64_t now = 0;

	if (!pc)
		return;
	while (pcap_next_ex(pc, &h, &data) == 1) {
		int off = dissect_link(pcap_datalink(pc), data, h->caplen, h->len, NULL);
		struct match_result res;
		struct dissected d;

		if (off < 0 || dissect_ip(data + off, h->caplen - (uint32_t)off,
					  h->len - (uint32_t)off, &d))
			continue;
		match_packet(m, &d, ++now, &res);
		if (d.flags & DISSECT_FRAG_LATER)
			continue;
		++*packets;
		assert_ptr_equal(res.class, reference_decide(ref, &d));
	}
	pcap_close(pc);
}

static void test_real_captures(void **state)
{
	const char *other = getenv("WEIR_CAPTURES"), *dir = other ? other : "tests/captures";
	DIR *dp = opendir(dir);
	struct match_opts o = {0};
	struct policy *p;
	struct match *m;
	struct reference ref;
	struct dirent *e;
	uint64_t packets = 0;

	(void)state;
	assert_non_null(dp);
	p = read_policy(
		"links:\n  - name: l\n    rate: 1mbit\n    classes:\n"
		"      - {name: dns, match: port 53}\n"
		"      - {name: web, match: 'tcp port 80 or tcp port 443'}\n"
		"      - {name: quic, match: udp port 443}\n"
		"      - {name: rtp, match: 'udp portrange 10000-20000', dscp: [cs0, ef]}\n"
		"      - {name: in, match: dst net 192.168.0.0/16}\n"
		"      - {name: syn, match: 'tcp[tcpflags] & tcp-syn != 0'}\n"
		"      - {name: v6, match: ip6}\n"
		"      - {name: r, default: true}\n");
	m = new_match(p, &o);
	reference_new(&ref, p);
	while ((e = readdir(dp)) != NULL) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			compare_capture(path, m, &ref, &packets);
	}
	closedir(dp);
	print_message("%lu packets agree\n", (unsigned long)packets);
	assert_true(packets > 1000);
	reference_free(&ref);
	match_free(m);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_changes_nothing),
		cmocka_unit_test(test_real_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
