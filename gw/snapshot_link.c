/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/snapshot_link.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

/* The kernel finds pages for them now, not while a worker writes there: that takes longer. */
static void touch(void *memory, size_t size)
{
	volatile char *at = memory;

	for (size_t i = 0; i < size; i += PAGE)
		at[i] = 0;
}

int snapshot_names(struct gateway_link *to, const struct policy_link *l)
{
	to->class = calloc(l->n_all, sizeof(*to->class));
	if (!to->class)
		return -1;
	touch(to->class, l->n_all * sizeof(*to->class));
	for (; to->n_class < l->n_all; to->n_class++) {
		const struct policy_class *c = l->all[to->n_class];
		struct gateway_class *k = &to->class[to->n_class];

		k->path = strdup(c->path);
		if (!k->path)
			return -1;
		k->leaf = !c->n_child;
		k->min_bps = c->min_bps;
		k->max_bps = c->parent ? c->max.bps : l->rate.bps;
		k->max_latency = c->max_latency;
		k->max_jitter = c->max_jitter;
		k->weight = c->weight;
	}
	return 0;
}

/* What the kernel tells of a leaf; zero while its classes are not there. */
static void copy_counters(struct account *a, const struct tc_counters *c)
{
	a->sent = (struct account_count){c->packets, c->bytes};
	/* of bytes that were dropped, the kernel keeps no count */
	a->dropped[PKT_DROP_LIMIT].packets = c->drops;
	a->backlog = c->backlog_packets;
	a->backlog_bytes = c->backlog_bytes;
	a->in = (struct account_count){c->packets + c->drops + c->backlog_packets,
				       c->bytes + c->backlog_bytes};
}

void snapshot_counters(struct gateway_link *to, const struct policy_link *l,
		       const struct tc_target *t)
{
	for (size_t i = 0; i < to->n_class; i++) {
		struct tc_counters c = tc_target_counters(t, l->all[i]);

		if (to->class[i].leaf)
			copy_counters(&to->class[i].account, &c);
	}
}

void snapshot_sum(struct gateway_link *to, const struct policy_link *l)
{
	for (size_t i = to->n_class; i-- > 1;)
		account_add_child(&to->class[l->all[i]->parent->index].account,
				  &to->class[i].account);
}

void snapshot_leave_out(struct gateway_link *to, const struct policy_link *l)
{
	if (!to->n_class || !l->control.class || to->class[to->n_class - 1].account.in.packets)
		return;
	free(to->class[--to->n_class].path);
}
