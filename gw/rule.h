/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules that bring packets to the queues: an nftables table of weir's own.
 *
 *     table inet weir (flags owner) {
 *         chain take       at postrouting, RULE_PRIORITY:
 *             mark & RELEASED != 0  accept                a packet that was here already
 *             oifname "eth0", a packet like link-control's   jump control
 *             oifname "eth0", a packet of a promised class   queue num N+1 bypass (protect.h)
 *             oifname "eth0"        jump shed    what is dropped before it is read
 * (rule_shed.h) oifname "eth0"        queue num N bypass chain take-forward, take-input   at
 * those hooks, once a link takes what comes in: the same, with iifname chain control,
 * control-in (of what comes in) oifname "eth0", a packet of link-control   queue num N+1 bypass
 *         chain release    at postrouting, RULE_PRIORITY + 1:
 *             mark & RELEASED == 0  accept
 *             mark & CE             set the ECN field to CE, if it is ECT
 *             mark & DSCP_SET       jump remark
 *             mark &= ~RULE_MARK
 *         chain release-forward, release-input   the same
 *         chain remark     one rule for each DSCP value of the policy, and protocol
 *         chain queue/eth0 empty: a link of this gateway (claim.h)
 *     }
 *
 * The mark carries from the verdict to the second chain what is to become of the packet;
 * its bits of RULE_MARK are cleared there, all others are the user's and stay. A base chain
 * is never deleted while packets are held (that would drop them all, in every queue):
 * rules come and go in one transaction each, links keep the chain.
 *
 * What comes in is taken at forward and at input: there, addresses have been translated back
 * (prerouting), so that filters mean inside hosts. Its bits of the mark are cleared before
 * postrouting: a packet may be on a link that it comes by and on one that it leaves by.
 *
 * The table belongs to the socket that made it and goes with it, whatever ends the process.
 */
#ifndef WEIR_GW_RULE_H
#define WEIR_GW_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/policy.h"

#define RULE_TABLE "weir"
/* Before source NAT (100): addresses are those of the inside, as in a capture taken there. */
#define RULE_PRIORITY (-150)

/* The bits of the packet mark that are weir's: 22-30. */
#define RULE_MARK 0x7fc00000u
_Static_assert(RULE_MARK == POLICY_MARK_OWN, "no policy may ask for these");
#define RULE_RELEASED 0x00400000u
#define RULE_CE 0x00800000u
#define RULE_DSCP_SET 0x01000000u
#define RULE_DSCP_SHIFT 25 /* six bits */

/* The mark for a verdict: the packet's own, and what is to become of it. dscp -1: leave. */
static inline uint32_t rule_mark(uint32_t mark, int dscp, bool ce)
{
	mark = (mark & ~RULE_MARK) | RULE_RELEASED;
	if (ce)
		mark |= RULE_CE;
	if (dscp >= 0)
		mark |= RULE_DSCP_SET | ((uint32_t)dscp & 63) << RULE_DSCP_SHIFT;
	return mark;
}

struct rules;
struct protect;
struct shed;
struct shed_todo;
struct heavy_host;

struct rule_link {
	const char *interface; /* a name, of at most IFNAMSIZ - 1; it need not exist now */
	uint16_t queue, first;
	uint64_t shed_rate;		 /* packets a second: what is beyond may be shed */
	const struct protect *protect;	 /* what goes to `first`; NULL: nothing */
	enum policy_direction direction; /* what leaves by it, or what comes in by it */
};

/* How the kernel queues: `queue` of nftables, or xtables' NFQUEUE within nftables. */
enum rule_how { RULE_NATIVE, RULE_XT };

/*
 * Makes the table with its chains, empty. NULL with one line in err that says what would
 * help; *exists when the table is there already: another weir runs in this namespace.
 */
struct rules *rules_open(bool *exists, char *err, size_t errsize);
/* Removes the table. */
void rules_close(struct rules *r);

/*
 * What the rules are to be from now on, in one transaction: queue rules for these links,
 * DSCP rules for the bits of `dscp`. n 0: nothing is queued any more. 0, or -1 with one
 * line in err, nothing changed.
 */
int rules_set(struct rules *r, const struct rule_link *link, size_t n, uint64_t dscp, char *err,
	      size_t errsize);
/*
 * What others can know of it (claim.h) from the next rules_set() on, in the same transaction,
 * for these links, each with an interface. 0, or -1: no memory.
 */
int rules_claim(struct rules *r, const struct policy_link *const *link, size_t n);
/* Comes back when all packets that met the rules as they were before are in their queues. */
void rules_settle(void);
enum rule_how rules_how(const struct rules *r);
/* Whether the kernel can tell what is to go to the queue that is read first. */
bool rules_protect(const struct rules *r);
/* Whether it can drop packets before the queue. */
bool rules_shed(const struct rules *r);
/*
 * What is to be shed of the link with that queue from now on, in one transaction. 0, or -1 with
 * one line in err: it is as before.
 */
int rules_shed_now(struct rules *r, uint16_t queue, const struct shed *s,
		   const struct shed_todo *todo, char *err, size_t errsize);
/* What was shed of it so far: of hosts, and by the limit for all. Bytes are those of IP. */
struct rule_shed_counts {
	uint64_t shed_packets, shed_bytes, limit_packets, limit_bytes;
};
int rules_shed_counts(uint16_t queue, struct rule_shed_counts *to);
/* A call of fn for each host that is being shed, with what its entry has dropped. */
int rules_shed_hosts(uint16_t queue,
		     void (*fn)(void *arg, const struct heavy_host *host, uint64_t packets),
		     void *arg);
/* Whether the table is still there with all that was put into it. */
bool rules_intact(struct rules *r);

#endif
