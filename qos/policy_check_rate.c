/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rates of a link cannot hold: sums of min, min above max, bursts and times
 * below one packet. A value that was refused counts as none further up, so that it
 * is complained of once.
 */
#include "qos/policy_impl.h"

#include <stdlib.h>
#include <string.h>

static bool has(const struct class_draft *d, enum class_key k)
{
	return d->seen & ~d->bad & BIT(k);
}

/* The nearest max from c upwards, or the link's rate; 0: not known. *whose: NULL for the link.
 */
static uint64_t ceiling(const struct policy_class *c, const struct policy_class **whose)
{
	const struct policy_link *l = c->link;

	for (; c; c = c->parent) {
		if (c->max.bps && (!l->rate.bps || c->max.bps < l->rate.bps)) {
			*whose = c;
			return c->max.bps;
		}
	}
	*whose = NULL;
	return l->rate.bps;
}

/* A rate above what it is below of is never reached. */
static void check_reach(struct reader *rd, const struct class_draft *d, enum class_key k,
			const struct policy_rate *rate, const struct policy_class *below)
{
	const struct policy_class *whose;
	char bound[POLICY_UNIT_TEXT], is[POLICY_UNIT_TEXT];
	uint64_t most = below ? ceiling(below, &whose) : 0;

	if (!rate->bps || !most || rate->bps <= most)
		return;
	policy_rate_text(most, bound);
	policy_rate_text(rate->bps, is);
	if (whose)
		complain(rd, POLICY_WARNING, policy_value_mark(d, k),
			 "%s of %s is never reached: the max of %s is %s",
			 policy_class_keys[k].name, is, policy_label(whose).s, bound);
	else
		complain(rd, POLICY_WARNING, policy_value_mark(d, k),
			 "%s of %s is never reached: the link's rate is %s",
			 policy_class_keys[k].name, is, bound);
}

/* Its own min; 0 when it cannot hold. */
static uint64_t checked_min(struct reader *rd, const struct class_draft *d)
{
	const struct policy_class *c = d->c;
	uint64_t rate = c->link->rate.bps;
	char a[POLICY_UNIT_TEXT], b[POLICY_UNIT_TEXT];

	if (c->max.bps && c->min.bps > c->max.bps) {
		complain(rd, POLICY_ERROR, c->min.mark, "min of %s is above max of %s",
			 policy_rate_text(c->min.bps, a), policy_rate_text(c->max.bps, b));
		return 0;
	}
	if (rate && c->min.bps > rate) {
		complain(rd, POLICY_ERROR, c->min.mark,
			 "min of %s is above the link's rate of %s",
			 policy_rate_text(c->min.bps, a), policy_rate_text(rate, b));
		return 0;
	}
	return c->min.bps;
}

/* Complains at the class with which the sum goes over `most`. */
static void complain_sum(struct reader *rd, const struct policy_class *parent,
			 const uint64_t *own, uint64_t sum, uint64_t most)
{
	const struct policy_class *c = NULL;
	char a[POLICY_UNIT_TEXT], b[POLICY_UNIT_TEXT];
	uint64_t so_far = 0;

	for (size_t i = 0; i < parent->n_child && so_far <= most; i++) {
		c = parent->child[i];
		so_far += own[c->index];
	}
	if (!c)
		return;
	policy_rate_text(sum, a);
	policy_rate_text(most, b);
	if (parent->max.bps == most)
		complain(rd, POLICY_ERROR, c->min.bps ? c->min.mark : c->mark,
			 "the min of the classes of %s add up to %s, above its max of %s",
			 policy_label(parent).s, a, b);
	else
		complain(rd, POLICY_ERROR, c->min.bps ? c->min.mark : c->mark,
			 "the min of the classes of %s add up to %s, above the link's rate of "
			 "%s",
			 policy_label(parent).s, a, b);
}

/* From the leaves up: each class asks for the larger of its min and its children's sum. */
static void check_mins(struct reader *rd)
{
	const struct policy_link *l = rd->link->l;
	uint64_t *own = calloc(l->n_all, sizeof(*own)), *sum = calloc(l->n_all, sizeof(*sum));

	if (!own || !sum)
		rd->no_memory = true;
	for (size_t i = l->n_all; own && sum && i-- > 0;) {
		const struct policy_class *c = l->all[i];
		uint64_t most = l->rate.bps;

		if (c->max.bps && (!most || c->max.bps < most))
			most = c->max.bps;
		own[i] = checked_min(rd, &rd->link->draft[i]);
		if (most && sum[i] > most)
			complain_sum(rd, c, own, sum[i], most);
		else if (sum[i] > own[i])
			own[i] = sum[i];
		if (c->parent)
			sum[c->parent->index] += own[i];
	}
	free(own);
	free(sum);
}

static void check_burst(struct reader *rd, const struct class_draft *d)
{
	const struct policy_class *c = d->c;
	uint32_t full = policy_charge(c->link, POLICY_FULL_PACKET);
	char a[POLICY_UNIT_TEXT];

	if (!has(d, CK_BURST) || (d->bad & (BIT(CK_MIN) | BIT(CK_MAX))))
		return;
	if (!c->min_bps && !c->max.bps)
		complain(rd, POLICY_WARNING, policy_key_mark(d, CK_BURST),
			 "burst has no effect without min or max");
	else if (c->burst < full)
		complain(rd, POLICY_ERROR, policy_value_mark(d, CK_BURST),
			 "burst of %s is below one full packet (%u bytes on this link)",
			 policy_size_text(c->burst, a), full);
}

/* Times and sizes in which not even one full packet goes. */
static void check_one_packet(struct reader *rd, const struct class_draft *d)
{
	const struct policy_class *c = d->c, *whose;
	uint32_t full = policy_charge(c->link, POLICY_FULL_PACKET);
	uint64_t rate = ceiling(c, &whose), takes;
	char a[POLICY_UNIT_TEXT], b[POLICY_UNIT_TEXT];

	if (!rate)
		return;
	takes = full * 8000000000ULL / rate;
	if (has(d, CK_DEADLINE) && c->deadline < takes)
		complain(rd, POLICY_WARNING, policy_value_mark(d, CK_DEADLINE),
			 "deadline of %s is shorter than one full packet takes at %s (%s)",
			 policy_time_text(c->deadline, a), policy_rate_text(rate, b),
			 policy_time_text(takes, (char[POLICY_UNIT_TEXT]){0}));
	if (has(d, CK_LIMIT) && c->limit_bytes && c->limit_bytes < full)
		complain(rd, POLICY_WARNING, policy_value_mark(d, CK_LIMIT),
			 "limit of %s holds less than one full packet (%u bytes on this link)",
			 policy_size_text(c->limit_bytes, a), full);
}

void policy_check_rates(struct reader *rd)
{
	const struct link_draft *ld = rd->link;
	const struct policy_link *l = ld->l;
	const struct ynode *burst = ytree_get(ld->map, "burst");
	uint32_t full = policy_charge(l, POLICY_FULL_PACKET);
	char a[POLICY_UNIT_TEXT];

	/* what a packet counts is not known when that was wrong */
	bool charged = !(ld->bad & (BIT(LK_OVERHEAD) | BIT(LK_MPU) | BIT(LK_LINKLAYER)));

	if (burst && charged && !(ld->bad & BIT(LK_BURST)) && l->burst < full)
		complain(rd, POLICY_ERROR, burst->at,
			 "burst of %s is below one full packet (%u bytes on this link)",
			 policy_size_text(l->burst, a), full);
	for (size_t i = 1; i < l->n_all; i++) {
		const struct class_draft *d = &ld->draft[i];
		const struct policy_class *c = d->c;

		check_reach(rd, d, CK_MAX, &c->max, c->parent);
		check_reach(rd, d, CK_FLOW_MAX, &c->flow_max, c);
		check_reach(rd, d, CK_HOST_MAX, &c->host_max, c);
		if (charged) {
			check_burst(rd, d);
			check_one_packet(rd, d);
		}
	}
	check_mins(rd);
}
