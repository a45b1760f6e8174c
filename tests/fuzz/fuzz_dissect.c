/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as frames. Input: a byte that chooses the link type, then frames, each
 * behind two bytes: its captured length and how much more was on the wire. What the
 * dissector says must be inside the frame, and the matcher must give every packet the
 * class that it gives a copy without the table's memory.
 */
#include "qos/dissect.h"
#include "qos/match.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int LINK_TYPES[] = {1,   12,  101, 228, 229, 0,   108, 113, 276, 9,   50,
				 51,  104, 107, 11,  105, 127, 109, 117, 239, 219, 8,
				 138, 206, 281, 282, 284, 285, 192, 258, 166};

static const char POLICY[] = "links:\n"
			     "  - name: l\n"
			     "    capture: not icmp\n"
			     "    rate: 1mbit\n"
			     "    classes:\n"
			     "      - {name: a, match: udp port 53, dscp: [0, 8]}\n"
			     "      - {name: b, match: 'tcp[13] & 2 != 0'}\n"
			     "      - {name: c, match: [tcp, net 10.0.0.0/8]}\n"
			     "      - {name: d, match: greater 200}\n"
			     "      - {name: r, default: true}\n";

static struct match *matcher(uint32_t flows)
{
	static struct policy *p; /* lives as long as the program */
	struct match_opts o = {.flows_max = flows, .frags_max = 8};
	struct match *m;

	if (!p)
		p = policy_read_mem(POLICY, sizeof(POLICY) - 1, "fuzz", NULL);
	m = p ? match_new(p, &o, NULL) : NULL;
	if (!m)
		abort();
	return m;
}

static void insist(bool holds)
{
	if (!holds)
		abort();
}

static void check_rewrite(const struct dissected *d)
{
	uint8_t copy[60];
	struct dissected after;
	uint32_t n = d->caplen < sizeof(copy) ? d->caplen : sizeof(copy);

	memcpy(copy, d->ip, n);
	dissect_set_dscp(copy, 46);
	dissect_set_ce(copy);
	insist(dissect_ip(copy, n, d->len, &after) == 0);
	insist(after.dscp == 46 && after.ecn == (d->ecn ? 3 : 0));
	insist(!memcmp(&after.key.src, &d->key.src, 32));
}

static void check_packet(struct match *m, struct match *other, const struct dissected *d,
			 uint32_t caplen, uint32_t wirelen)
{
	struct match_result a, b;

	insist(d->caplen <= d->len && d->caplen <= caplen && d->len <= wirelen);
	insist(d->key.version == 4 || d->key.version == 6);
	insist(d->l4 == 0 || d->l4 < d->caplen);
	insist((d->flags & DISSECT_PORTS) ? d->l4 + 4u <= d->caplen
					  : !d->key.sport && !d->key.dport);
	check_rewrite(d);
	match_packet(m, d, 0, &a);
	match_packet(m, d, 0, &b); /* now from the table, if it may be */
	insist(a.class == b.class && a.flow == b.flow && a.link == b.link);
	if (d->flags & DISSECT_FRAG_LATER)
		return;
	match_packet(other, d, 0, &b); /* one entry: evicted by nearly every packet */
	insist(!a.class == !b.class);
	insist(!a.class || !strcmp(a.class->path, b.class->path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct match *many, *one;
	int dlt;

	if (!many) {
		many = matcher(64);
		one = matcher(1);
	}
	if (!size)
		return 0;
	dlt = LINK_TYPES[*data++ % (sizeof(LINK_TYPES) / sizeof(LINK_TYPES[0]))];
	size--;
	insist(dissect_knows(dlt));
	while (size > 2) {
		uint32_t caplen = data[0], wirelen;
		const char *why = NULL;
		struct dissected d;
		uint8_t *frame;
		int off;

		if (caplen > size - 2)
			caplen = (uint32_t)size - 2;
		wirelen = caplen + data[1];
		frame = malloc(caplen + 1); /* its own, so that a read beyond it is seen */
		insist(frame != NULL);
		memcpy(frame, data + 2, caplen);
		off = dissect_link(dlt, frame, caplen, wirelen, &why);
		dissect_way(dlt, frame, caplen, &(struct dissect_way){0});
		insist(off >= 0 ? (uint32_t)off < caplen : why != NULL);
		if (off >= 0 && dissect_ip(frame + off, caplen - (uint32_t)off,
					   wirelen - (uint32_t)off, &d) == 0)
			check_packet(many, one, &d, caplen - (uint32_t)off,
				     wirelen - (uint32_t)off);
		free(frame);
		data += 2 + caplen;
		size -= 2 + caplen;
	}
	return 0;
}
