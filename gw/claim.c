/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/claim.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/chain.h>

#include "gw/fail.h"
#include "gw/rule.h"

static void name_of(const char *interface, enum policy_direction way, enum claim is,
		    char name[CLAIM_NAME])
{
	snprintf(name, CLAIM_NAME, "%s%s/%.*s", is == CLAIM_QUEUE ? "queue" : "tc",
		 way == POLICY_INGRESS ? "-in" : "", IFNAMSIZ - 1, interface);
}

static bool has(const struct claims *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->v[i], name))
			return true;
	return false;
}

int claims_want(struct claims *c, const struct policy_link *const *link, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += policy_interfaces(link[i]);
	*c = (struct claims){.v = calloc(all + 1, sizeof(*c->v))};
	if (!c->v)
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < policy_interfaces(link[i]); k++)
			name_of(policy_interface(link[i], k), link[i]->direction,
				link[i]->backend == POLICY_BACKEND_QUEUE ? CLAIM_QUEUE
									 : CLAIM_TC,
				c->v[c->n++]);
	return 0;
}

void claims_put(const struct claims *is, const struct claims *want, struct nft_batch *b)
{
	for (size_t i = 0; i < want->n; i++)
		if (!has(is, want->v[i]))
			nft_chain(b, RULE_TABLE, want->v[i]);
	for (size_t i = 0; i < is->n; i++)
		if (!has(want, is->v[i]))
			nft_delete_chain(b, RULE_TABLE, is->v[i]);
}

void claims_free(struct claims *c)
{
	free(c->v);
	*c = (struct claims){0};
}

/* ---- Asking. */

struct question {
	char queue[CLAIM_NAME], tc[CLAIM_NAME];
	enum claim is;
};

static void look(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct question *q = arg;

	if (c && !nftnl_chain_nlmsg_parse(nlh, c)) {
		const char *table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE);
		const char *name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);

		if (!table || !name || strcmp(table, RULE_TABLE) != 0)
			name = "";
		if (!strcmp(name, q->tc))
			q->is = CLAIM_TC;
		else if (!strcmp(name, q->queue))
			q->is = CLAIM_QUEUE;
	}
	if (c)
		nftnl_chain_free(c);
}

int claim_of(const char *interface, enum policy_direction way, enum claim *is, char *err,
	     size_t errsize)
{
	struct question q = {.is = CLAIM_NONE};

	name_of(interface, way, CLAIM_TC, q.tc);
	name_of(interface, way, CLAIM_QUEUE, q.queue);
	*is = CLAIM_NONE;
	/* where there are no tables no gateway can run; nfnetlink without them says EINVAL */
	if (nft_dump(NFT_MSG_GETCHAIN, NFPROTO_INET, look, &q) && !nft_missing(errno) &&
	    errno != EINVAL)
		return fail_with(err, errsize, "whether a gateway runs here: %s",
				 strerror(errno));
	*is = q.is;
	return 0;
}
