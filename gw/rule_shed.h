/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is dropped before the queue (shed.h), as a part of the table of rule.h, for rule*.c and
 * those that decide about it. For a link with queue N:
 *
 *     set shed4-N, shed6-N   addresses of hosts, each with a limit and a counter; nearly always
 *                            empty
 *     counter shed-N, limit-N
 *     chain shed (shed-in, with iifname, of what comes in)
 *         oifname "eth0" ip saddr @shed4-N    counter shed-N   drop
 *         oifname "eth0" ip6 saddr @shed6-N   counter shed-N   drop
 *         oifname "eth0" limit rate over R    counter limit-N  drop      (only while it is so)
 *
 * Packets come there past those of the queue that is read first, and before the one for the
 * rest.
 */
#ifndef WEIR_GW_RULE_SHED_H
#define WEIR_GW_RULE_SHED_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw/nft_batch.h"
#include "gw/rule.h"
#include "gw/shed.h"

#define RULE_SHED(direction) ((direction) == POLICY_INGRESS ? "shed-in" : "shed")

struct rule_shed_link {
	char interface[IFNAMSIZ];
	enum policy_direction direction;
	uint16_t queue;
	uint64_t rate; /* packets a second, of a host or of all */
	bool limited;
};
/* Of all links. */
struct rule_sheds {
	struct rule_shed_link *v;
	size_t n;
};

/* Whether the kernel has all of this: tried in a transaction that leaves nothing. */
bool rule_shed_probe(struct mnl_socket *nl);
/* The links as they are to be; what is in force goes on. 0, or -1: no memory. */
int rule_shed_want(struct rule_sheds *to, const struct rule_sheds *is,
		   const struct rule_link *link, size_t n);
void rule_shed_free(struct rule_sheds *s);
/* Makes it so, in a batch. How many rules there are then, all in the chain "shed". */
unsigned rule_shed_put(struct nft_batch *b, const struct rule_sheds *is,
		       const struct rule_sheds *want);
/* How many messages that takes at most. */
size_t rule_shed_room(const struct rule_sheds *is, const struct rule_sheds *want);
/* In the chain where a link's packets are taken: they go by the chain "shed". */
struct nftnl_rule *rule_jump_shed(const struct rule_link *link);
/* The rules of the chain "shed" anew, for what `limited` says now. How many there are. */
unsigned rule_shed_rules(struct nft_batch *b, const struct rule_sheds *s);
/* The hosts of that. */
void rule_shed_hosts(struct nft_batch *b, const struct rule_shed_link *l, const struct shed *s,
		     const struct shed_todo *todo, bool renew);

#endif
