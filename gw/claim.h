/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has an interface: a running gateway says so with an empty chain for each of its links in
 * its own table (rule.h), which goes with the gateway, whatever ends it, and is there for this
 * network namespace alone:
 *
 *     queue/eth0    what leaves by it goes through a queue
 *     queue-in/eth0 the same for what comes in by it
 *     tc/eth0       the kernel's classes for what leaves by it are the gateway's
 *     tc-in/eth0    the same for what comes in by it
 *
 * `weir tc apply` and `weir tc remove` ask for it, under tc_lock(); a gateway holds that when
 * it makes or changes its claims.
 */
#ifndef WEIR_GW_CLAIM_H
#define WEIR_GW_CLAIM_H

#include <net/if.h>
#include <stddef.h>

#include "gw/nft_batch.h"
#include "qos/policy.h"

#define CLAIM_NAME (IFNAMSIZ + 10u)

/* Those that were made, by the name of their chain; all zero: none. */
struct claims {
	char (*v)[CLAIM_NAME];
	size_t n;
};

/*
 * The claims for these links, each with an interface whose name is no longer than IFNAMSIZ - 1.
 * 0, or -1: no memory.
 */
int claims_want(struct claims *c, const struct policy_link *const *link, size_t n);
/* What has to come and to go for that. */
void claims_put(const struct claims *is, const struct claims *want, struct nft_batch *b);
/* Gives the memory back; the table keeps what it has. */
void claims_free(struct claims *c);

enum claim { CLAIM_NONE, CLAIM_QUEUE, CLAIM_TC };
/* Whether a gateway runs here and has that place. 0 with *is; or -1 with one line in err. */
int claim_of(const char *interface, enum policy_direction way, enum claim *is, char *err,
	     size_t errsize);

#endif
