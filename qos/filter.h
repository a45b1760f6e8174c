/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tcpdump filter as a cBPF program over the IP header (DLT_RAW).
 *
 * libpcap compiles it. The optimizer of libpcap has had bugs that change what a
 * program means, so it is proved that the optimized program takes the same packets as the
 * unoptimized one (filter_same()); where that can be neither proved nor disproved, both are
 * compared on packets made from their own constants. Where they ever differ the unoptimized
 * is kept. A filter of many terms is compiled in groups of them, whose programs are joined
 * (filter_terms.h): the time that it takes is bounded by its length.
 *
 * filter_per_flow() tells from the program itself whether its verdict can change
 * within a flow: only then may a decision be kept for the flow.
 *
 * Names of hosts and networks are refused: a policy asks no name server, so that it
 * means the same every time. Names of ports and protocols are libpcap's to look up, in
 * the host's /etc/services and /etc/protocols (where the host's name service switch
 * says nothing else). pcap_compile() is thread-safe from libpcap 1.8 on.
 */
#ifndef WEIR_QOS_FILTER_H
#define WEIR_QOS_FILTER_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/filter_way.h"

struct filter {
	struct bpf_program prog;
	bool per_flow; /* reads nothing that can change within a flow (see filter_per_flow) */
	bool unoptimized; /* libpcap's optimizer was not to be trusted here */
	/* Of a link's `capture`: asked beside the program, by whoever has more than the bytes.
	 */
	struct filter_way way;
};

/* 0, or -1 with libpcap's message (or ours) in err. */
int filter_compile(struct filter *f, const char *text, char *err, size_t errsize);
void filter_free(struct filter *f); /* also of one that did not compile */

/* 1 when the packet matches. `len` is the IP packet's true length, `caplen` what is there. */
static inline bool filter_match(const struct filter *f, const uint8_t *ip, uint32_t len,
				uint32_t caplen)
{
	return bpf_filter(f->prog.bf_insns, ip, len, caplen) != 0;
}

/*
 * Whether the verdict is the same for all packets of one flow_key, as long as they are
 * plain (DISSECT_NOT_PLAIN): every path through the program reads only version, header
 * length, protocol, addresses, ports where the protocol read before has any, and the
 * fragment offset (0 in a plain packet). Sound, not complete: when in doubt, false.
 */
bool filter_per_flow(const struct bpf_insn *insn, unsigned n);

struct filter_list {
	const struct filter *v;
	size_t n; /* 0: takes everything */
};
/* The first of the list that takes the packet, or NULL. */
static inline const struct filter *filter_list_taker(const struct filter_list *l,
						     const uint8_t *ip, uint32_t len,
						     uint32_t caplen)
{
	for (size_t i = 0; i < l->n; i++)
		if (filter_match(&l->v[i], ip, len, caplen))
			return &l->v[i];
	return NULL;
}

/*
 * Reachability: is there a packet that `self` takes, given that all of `within`
 * (n of them: the parents, each a list joined by OR) take it and none of `before`
 * does? Symbolic execution of the programs over header fields.
 *   1: yes, proved by a packet that is in `witness` (may be NULL): *witness_len is its
 *      true length, the first min(128, *witness_len) bytes of it are there
 *   0: no, proved
 *  -1: could not be told within a bounded effort
 */
int filter_reachable(const struct filter_list *self, const struct filter_list *within,
		     size_t n_within, const struct filter_list *before, size_t n_before,
		     uint8_t witness[128], uint32_t *witness_len);

/*
 * The same where those before are many: taker() names one of their filters that takes a packet,
 * NULL when none does. They are asked about a few packets only.
 */
struct filter_rivals {
	const struct filter *(*taker)(void *arg, const uint8_t *ip, uint32_t len,
				      uint32_t caplen);
	void *arg;
};
int filter_reachable_past(const struct filter_list *self, const struct filter_list *within,
			  size_t n_within, const struct filter_rivals *before,
			  uint8_t witness[128], uint32_t *witness_len);

/*
 * Whether f takes the same packets as the reference, of those that can come (dissect_ip()) and
 * have all the bytes that the reference reads: what a program makes of one that is cut in the
 * middle of a header depends on what it happens to read first.
 *   1: yes, proved
 *   0: no, a packet was found
 *  -1: could not be told within a bounded effort
 */
int filter_same(const struct filter *f, const struct filter *reference);

#endif
