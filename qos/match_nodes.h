/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy's classes as the matcher walks them: one array, each link's root followed
 * by its classes in file order, a class's descendants right behind it. The filters are
 * the policy's.
 */
#ifndef WEIR_QOS_MATCH_NODES_H
#define WEIR_QOS_MATCH_NODES_H

#include "qos/filter_index.h"
#include "qos/policy.h"

struct match_node {
	const struct policy_class *class;
	struct filter_list match;	    /* n == 0: no such criterion */
	uint64_t dscp;			    /* 0: any */
	const struct policy_beside *beside; /* NULL: no such criterion */
	uint32_t skip;	   /* the node behind its last descendant; the next one: it is a leaf */
	uint32_t last;	   /* its default child, if it has children */
	bool criteria;	   /* has any */
	uint8_t prefix[2]; /* bits that tell hosts apart, of IPv4 and IPv6 */
	bool hosts;	   /* asks between which hosts a packet goes */
	bool dst_hosts; /* between destinations: they are its hosts where neither end is inside
			 */
	/*
	 * What the index of a class's children leaves out is not run, and whether that can be
	 * kept for the flow has to be known nonetheless. varies: of the filters that may be
	 * left out before this child one can change its verdict within a flow; below_varies: of
	 * all the filters of this class's children.
	 */
	struct filter_index *index; /* of its children, if they are many; NULL */
	bool varies, below_varies;
};

struct match_link {
	const struct policy_link *link;
	struct filter_list capture;
	struct filter_list control; /* n == 0: none; of its class, kinds beside it */
	uint32_t root;		    /* its node */
};

struct match_nodes {
	struct match_node *node;
	size_t n_node;
	struct match_link *link;
	size_t n_link;
};

/*
 * The nodes of a policy, or of one of its links. 0; -1: no memory; 1: it cannot be matched
 * with, as told to r.
 */
int match_nodes_build(struct match_nodes *s, const struct policy *p,
		      const struct policy_link *only, struct policy_report *r);
/* Makes an index of the classes of each class that has many. false: no memory. */
bool match_nodes_index(struct match_nodes *s);
/*
 * What the policy's sets hold, by policy_set.number. NULL: no memory, or one for which a class
 * of these links asks is not known, as told to r.
 */
const struct addrset **match_sets(const struct policy *p, const struct policy_link *only,
				  struct policy_report *r);
void match_nodes_free(struct match_nodes *s);

static inline bool match_node_leaf(const struct match_nodes *s, uint32_t n)
{
	return s->node[n].skip == n + 1;
}

#endif
