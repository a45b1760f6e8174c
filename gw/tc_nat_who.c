/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who translates on this host, and which programs would notice. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libnftnl/chain.h>

#include "gw/nft_batch.h"
#include "gw/tc_nat.h"

/* The first base chain of type nat at postrouting. */
struct who {
	char *name;
	size_t size;
	bool found;
};

static void look_at_chain(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct who *w = arg;

	if (c && !w->found && !nftnl_chain_nlmsg_parse(nlh, c)) {
		const char *type = nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE);
		const char *table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE);
		const char *name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);

		if (type && !strcmp(type, "nat") &&
		    nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM) &&
		    nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) == NF_INET_POST_ROUTING) {
			w->found = true;
			snprintf(w->name, w->size,
				 "chain \"%.60s\" of nftables' table \"%.60s\"",
				 name ? name : "?", table ? table : "?");
		}
	}
	if (c)
		nftnl_chain_free(c);
}

/* iptables as it was before nftables: its tables are there once they have been used. */
static bool legacy(const char *path)
{
	char line[64];
	bool nat = false;
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	while (!nat && fgets(line, sizeof(line), f))
		nat = !strcmp(line, "nat\n");
	fclose(f);
	return nat;
}

int tc_nat_who(char *who, size_t size)
{
	struct who w = {.name = who, .size = size};

	/* a kernel without nf_tables has no chain */
	if (nft_dump(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, look_at_chain, &w) &&
	    !nft_missing(errno))
		return -1;
	if (!w.found &&
	    (legacy("/proc/net/ip_tables_names") || legacy("/proc/net/ip6_tables_names"))) {
		w.found = true;
		snprintf(who, size, "the table nat of iptables");
	}
	return w.found;
}

/* Whether bytes from..to are among off..off+size-1 */
static bool touches(uint32_t off, uint32_t size, uint32_t from, uint32_t to)
{
	return off <= to && off + size > from;
}

bool tc_nat_reads(const struct sock_filter *insn, size_t n, bool source)
{
	for (size_t i = 0; i < n; i++) {
		unsigned mode = BPF_MODE(insn[i].code);
		uint32_t size = BPF_SIZE(insn[i].code) == BPF_W	  ? 4
				: BPF_SIZE(insn[i].code) == BPF_H ? 2
								  : 1;

		if (BPF_CLASS(insn[i].code) != BPF_LD || (mode != BPF_ABS && mode != BPF_IND))
			continue;
		/* IPv4's protocol, which is where IPv6 has an address: never read alone there
		 */
		if (mode == BPF_ABS && insn[i].k == 9 && size == 1)
			continue;
		/*
		 * Ports stand behind a header of any length: an indirect load is from X, which
		 * is that length in what libpcap makes; IPv6's ports are at 40 and 42.
		 */
		if (mode == BPF_IND &&
		    (insn[i].k >= 4 ||
		     touches(insn[i].k, size, source ? 0 : 2, source ? 1 : 3)))
			return true;
		if (mode == BPF_ABS &&
		    (touches(insn[i].k, size, source ? 12 : 16, source ? 15 : 19) ||
		     touches(insn[i].k, size, source ? 8 : 24, source ? 23 : 39) ||
		     touches(insn[i].k, size, source ? 40 : 42, source ? 41 : 43)))
			return true;
	}
	return false;
}
