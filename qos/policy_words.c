/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of a policy: names of schedulers, queues and DSCPs, and what was meant by a
 * word that is none of them.
 */
#include "qos/policy_impl.h"

#include <string.h>

#define WORD_MAX 40 /* longer words get no suggestion */

const char *const policy_scheduler_names[] = {
	[POLICY_SCHED_FIFO] = "fifo",	      [POLICY_SCHED_FAIR] = "fair",
	[POLICY_SCHED_DRR] = "drr",	      [POLICY_SCHED_WFQ] = "wfq",
	[POLICY_SCHED_PRIORITY] = "priority", NULL,
};
const char *const policy_queue_names[] = {
	[POLICY_QUEUE_FIFO] = "fifo",
	[POLICY_QUEUE_CODEL] = "codel",
	[POLICY_QUEUE_FQ_CODEL] = "fq_codel",
	NULL,
};
const char *const policy_isolation_names[] = {
	[POLICY_ISO_FLOWS] = "flows",
	[POLICY_ISO_SRCHOST] = "srchost",
	[POLICY_ISO_DSTHOST] = "dsthost",
	[POLICY_ISO_DUAL_SRCHOST] = "dual-srchost",
	[POLICY_ISO_DUAL_DSTHOST] = "dual-dsthost",
	NULL,
};
const char *const policy_linklayer_names[] = {
	[POLICY_LL_ETHERNET] = "ethernet",
	[POLICY_LL_ATM] = "atm",
	[POLICY_LL_PTM] = "ptm",
	NULL,
};
const char *const policy_direction_names[] = {
	[POLICY_EGRESS] = "egress",
	[POLICY_INGRESS] = "ingress",
	NULL,
};
const char *const policy_side_names[] = {
	[POLICY_EITHER] = "either", [POLICY_SRC] = "src", [POLICY_DST] = "dst", NULL};
const char *const policy_backend_names[] = {
	[POLICY_BACKEND_QUEUE] = "queue",
	[POLICY_BACKEND_MARK] = "mark",
	[POLICY_BACKEND_KERNEL] = "kernel",
	NULL,
};

const char *const policy_around_names[] = {
	[POLICY_AROUND_BRIDGE] = "bridge", [POLICY_AROUND_FLOWTABLE] = "flowtable",
	[POLICY_AROUND_XDP] = "xdp",	   [POLICY_AROUND_FILTER] = "filter",
	[POLICY_AROUND_QDISC] = "qdisc",   NULL,
};

const char *policy_scheduler_name(enum policy_scheduler s)
{
	return policy_scheduler_names[s];
}

const char *policy_around_name(enum policy_around a)
{
	return policy_around_names[a];
}

const char *policy_queue_name(enum policy_queue q)
{
	return policy_queue_names[q];
}

const char *policy_isolation_name(enum policy_isolation i)
{
	return policy_isolation_names[i];
}

const char *policy_linklayer_name(enum policy_linklayer l)
{
	return policy_linklayer_names[l];
}

const char *policy_direction_name(enum policy_direction d)
{
	return policy_direction_names[d];
}

const char *policy_side_name(enum policy_side s)
{
	return policy_side_names[s];
}

const char *policy_backend_name(enum policy_backend b)
{
	return policy_backend_names[b];
}

/* RFC 2474 (cs), 2597 (af), 3246 (ef), 5865 (va), 8622 (le). The first name of a value is
 * printed. */
static const struct {
	const char *name;
	uint8_t value;
} dscps[] = {
	{"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},	{"cs4", 32},
	{"cs5", 40},  {"cs6", 48},  {"cs7", 56},  {"af11", 10}, {"af12", 12},
	{"af13", 14}, {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26},
	{"af32", 28}, {"af33", 30}, {"af41", 34}, {"af42", 36}, {"af43", 38},
	{"ef", 46},   {"va", 44},   {"le", 1},	  {"be", 0},	{"df", 0},
};

const char *policy_dscp_name(unsigned dscp, char buf[8])
{
	for (size_t i = 0; i < sizeof(dscps) / sizeof(dscps[0]); i++)
		if (dscps[i].value == dscp)
			return dscps[i].name;
	snprintf(buf, 8, "%u", dscp & 63);
	return buf;
}

int policy_dscp_parse(const char *s)
{
	int64_t n;

	for (size_t i = 0; i < sizeof(dscps) / sizeof(dscps[0]); i++)
		if (strcmp(dscps[i].name, s) == 0)
			return dscps[i].value;
	if (*s == '-' || !units_number(s, &n) || n > 63)
		return -1;
	return (int)n;
}

/* As a mistyped word is compared: letter case and the kind of dash do not count. */
static unsigned char fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned char)(c - 'A' + 'a');
	return c == '_' ? '-' : (unsigned char)c;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b: Damerau's distance. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned row[3][WORD_MAX + 1];

	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned cost = fold(a[i - 1]) != fold(b[j - 1]);

			now[j] = least(up[j] + 1, now[j - 1] + 1, up[j - 1] + cost);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]) && up2[j - 2] + 1 < now[j])
				now[j] = up2[j - 2] + 1;
		}
	}
	return row[la % 3][lb];
}

static bool begins(const char *word, size_t lw, const char *with, size_t ln)
{
	size_t i = 0;

	while (i < ln && i < lw && fold(word[i]) == fold(with[i]))
		i++;
	return i == ln;
}

const char *policy_suggest(const char *word, const char *const *names)
{
	size_t lw = strlen(word);
	unsigned best = WORD_MAX;
	const char *found = NULL;

	if (!lw || lw > WORD_MAX)
		return NULL;
	for (; *names; names++) {
		size_t ln = strlen(*names), longer = ln > lw ? ln : lw;
		unsigned d, far = longer < 4 ? 1 : (unsigned)longer / 3;

		if (ln > WORD_MAX)
			continue;
		d = distance(word, lw, *names, ln);
		/* an abbreviation, or a longer form, is near however much is missing */
		if (d > far && ((lw > 1 && begins(*names, ln, word, lw)) ||
				(ln > 1 && begins(word, lw, *names, ln))))
			d = far;
		if (d <= far && d < best && d < longer) {
			best = d;
			found = *names;
		}
	}
	return found;
}

size_t policy_longer_forms(const char *word, const char *const *names, char *all, size_t size)
{
	size_t n = 0, len = 0, last = 0, lw = strlen(word);

	for (; *names && len < size; names++) {
		if (strncmp(*names, word, lw) != 0)
			continue;
		last = len;
		len += (size_t)snprintf(all + len, size - len, "%s\"%s\"", n++ ? ", " : "",
					*names);
	}
	if (n > 1 && len + 2 < size) { /* " or " for the last comma */
		memmove(all + last + 4, all + last + 2, len - last - 1);
		for (size_t i = 0; i < 4; i++)
			all[last + i] = " or "[i];
	}
	return n;
}

const char *policy_synonym(const char *word, const char *const *names)
{
	/* of tc, nftables, iptables and others, and the key that says it */
	static const struct {
		const char *theirs, *ours;
	} v[] = {
		{"ceil", "max"},
		{"prio", "priority"},
		{"bandwidth", "rate"},
		{"speed", "rate"},
		{"fwmark", "mark"},
		{"meta-mark", "mark"},
		{"mac-source", "mac"},
		{"source-mac", "mac"},
		{"iif", "in-interface"},
		{"iifname", "in-interface"},
		{"in-iface", "in-interface"},
		{"ipset", "set"},
		{"nftset", "set"},
		{"nft-set", "set"},
		{"match-set", "set"},
		{"dev", "interface"},
		{"device", "interface"},
		{"prefix", "host-prefix"},
		{"filter", "match"},
		{"dport", "match"},
		{"sport", "match"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (!strcmp(word, v[i].theirs))
			for (const char *const *n = names; *n; n++)
				if (!strcmp(*n, v[i].ours))
					return *n;
	}
	return NULL;
}
