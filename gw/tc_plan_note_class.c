/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was made of the keys of classes, and where the kernel does something else. */
#include "gw/tc_plan_impl.h"

#include <linux/pkt_sched.h>

/*
 * fq_codel drops when its packets take more than 32 MB of the kernel's memory, whatever its
 * limit (net/sched/sch_fq_codel.c). A full packet takes some 2304 bytes.
 */
#define FQ_MEMORY_PACKETS ((32u << 20) / 2304)
#define LIMIT_BYTES_PER_PACKET 64u /* of a limit in bytes: qos/policy_fill.c */
#define IP_LEAST 20u

#define NOTE(key, fidelity, ...) \
	tc_note_at(b, c, c->parent ? c->mark : b->l->mark, key, fidelity, __VA_ARGS__)

static int note_wfq(struct tc_build *b, const struct policy_class *c)
{
	char size[POLICY_UNIT_TEXT], time[POLICY_UNIT_TEXT];
	unsigned __int128 ns = (unsigned __int128)b->round * 8000000000u / b->l->rate.bps;
	uint64_t us = ns < UINT64_MAX / 2 ? (uint64_t)(ns / 1000 + 1) : UINT64_MAX / 2000;

	return NOTE("scheduler", TC_LOOSE,
		    "HTB's deficit round robin in place of WF2Q+: the same shares, but over "
		    "rounds of up to %s (%s at the link's rate), where wfq keeps them within a "
		    "packet; a segment of up to 64 kB that the host makes is one packet to HTB",
		    policy_size_text(b->round, size), policy_time_text(us * 1000, time));
}

int tc_note_scheduler(struct tc_build *b, const struct policy_class *c)
{
	if (c->n_child < 2)
		return NOTE("scheduler", TC_EXACT, "a single class: there is nothing to share");
	switch (c->scheduler) {
	case POLICY_SCHED_FIFO:
		return NOTE(
			"scheduler", TC_LOOSE,
			"HTB knows no order of arrival across classes: they share equally, in "
			"turns");
	case POLICY_SCHED_FAIR:
	case POLICY_SCHED_DRR:
		return NOTE("scheduler", TC_EXACT,
			    "HTB's deficit round robin by the classes' quanta; a segment of up "
			    "to 64 kB that the host makes is one packet to it");
	case POLICY_SCHED_WFQ:
		return note_wfq(b, c);
	case POLICY_SCHED_PRIORITY:
		break;
	}
	if (b->share[c->index].strict)
		return NOTE("scheduler", TC_EXACT,
			    "the classes' prio: HTB lends by it over the whole tree");
	return NOTE("scheduler", TC_LOOSE,
		    "HTB lends by prio over the whole tree, so there is strict priority only "
		    "below classes that have it themselves, each alone with its number: these "
		    "classes share, whatever their numbers");
}

static size_t leaves_below(const struct policy_class *c)
{
	size_t n = c->n_child ? 0 : 1;

	for (size_t i = 0; i < c->n_child; i++)
		n += leaves_below(c->child[i]);
	return n;
}

static bool clamped(const struct tc_build *b, const struct policy_class *c)
{
	bool any = b->share[c->index].clamped;

	for (size_t i = 0; i < c->n_child; i++)
		any |= clamped(b, c->child[i]);
	return any;
}

static int note_beside(struct tc_build *b, const struct policy_class *c)
{
	const struct policy_beside *a = c->beside;
	bool by_weir = b->l->backend == POLICY_BACKEND_MARK;
	const char *none =
		"no filter of the kernel's can ask for it together with the others: the "
		"class takes nothing by its criteria";
	int bad = 0;

	if (a->n_mark && (by_weir || b->l->direction == POLICY_EGRESS))
		bad |= NOTE("mark", TC_EXACT,
			    by_weir ? "weir run classifies"
				    : "in the program of each of its filters");
	else if (a->n_mark)
		bad |= NOTE(
			"mark", TC_LOOSE,
			"what comes in is shaped before the firewall marks it: such a mark is "
			"not there yet");
	if (a->n_mac)
		bad |= NOTE("mac", by_weir ? TC_EXACT : TC_LOOSE, "%s",
			    by_weir ? "weir run classifies" : none);
	if (a->n_in)
		bad |= NOTE("in-interface", by_weir ? TC_EXACT : TC_LOOSE, "%s",
			    by_weir ? "weir run classifies" : none);
	if (a->n_set)
		bad |= NOTE(
			"set", by_weir ? TC_EXACT : TC_LOOSE, "%s",
			by_weir ? "weir run classifies"
				: "no filter of the kernel's knows what it holds: the class "
				  "takes nothing by its criteria");
	return bad;
}

static int note_place(struct tc_build *b, const struct policy_class *c)
{
	const struct policy_class *up = c->parent;
	const struct tc_share *sh = &b->share[c->index];
	bool strict = b->share[up->index].strict;
	int bad = 0;

	if (c->match.n)
		bad |= NOTE("match", TC_EXACT, "the filter's own program, in its place");
	if (c->dscp)
		bad |= NOTE("dscp", TC_EXACT, "in the program of each of its filters");
	if (c->beside)
		bad |= note_beside(b, c);
	if (c->is_default)
		bad |= NOTE("default", TC_EXACT, "the last filter takes every packet");
	if (up->scheduler == POLICY_SCHED_PRIORITY && strict && (sh->last || b->crowded))
		bad |= NOTE("priority",
			    sh->last || sh->prio == TC_PRIOS - 1 ? TC_LOOSE : TC_EXACT,
			    "by prio; HTB has %u of them, and the tree would need more: those "
			    "that come last share the last",
			    TC_PRIOS);
	else if (up->scheduler == POLICY_SCHED_PRIORITY)
		bad |= NOTE("priority", strict ? TC_EXACT : TC_LOOSE,
			    strict ? "by prio"
				   : "has no effect: see the scheduler of the class above");
	if (!c->weighs || up->n_child < 2)
		return bad;
	if (clamped(b, c))
		bad |= NOTE("weight", TC_LOOSE,
			    "the quantum that its share takes, beside that of the lightest "
			    "class, is more than HTB can count: it gets the largest there is");
	else if (leaves_below(c) > 1)
		bad |= NOTE(
			"weight", TC_LOOSE,
			"the share of a class with classes is the sum of the quanta of those "
			"of them that have packets: right only while all have");
	else
		bad |= NOTE("weight", TC_EXACT, "by quantum");
	return bad;
}

static int note_rates(struct tc_build *b, const struct policy_class *c)
{
	bool small = (c->min_bps && c->min_burst <= tc_least_burst(b)) ||
		     (c->max.bps && c->max_burst <= tc_least_burst(b));
	int bad = 0;

	if (c->min_bps)
		bad |= tc_note_rate(b, c, "min", c->min_bps,
				    "its rate: within it, it goes before whatever borrows");
	if (c->max.bps && tc_ceiling(c) == c)
		bad |= tc_note_rate(b, c, "max", c->max.bps, "its ceil");
	else if (c->max.bps)
		bad |= NOTE("max", TC_EXACT,
			    "never reached: its ceil is that of what is above it");
	if (!c->min_bps && !c->max.bps)
		return bad;
	if (small)
		bad |= NOTE(
			"burst", TC_LOOSE,
			"HTB sends while its bucket holds anything and then goes below zero: "
			"the bucket is that of a small packet, and as much goes beyond it");
	else
		bad |= NOTE("burst", TC_EXACT,
			    "buckets that are a packet smaller: HTB sends while they hold "
			    "anything, and then goes below zero");
	return bad;
}

static int note_limit(struct tc_build *b, const struct policy_class *c)
{
	bool fifo = c->queue == POLICY_QUEUE_FIFO;
	bool fq = b->can->fq_codel && (c->queue == POLICY_QUEUE_FQ_CODEL || !b->can->codel);

	if (!fifo && !b->can->fq_codel && !b->can->codel)
		return NOTE(
			"limit", c->limit.mark.line ? TC_LOOSE : TC_EXACT,
			"of the short fifo that stands for the queue, if it is the smaller");
	if (c->limit_bytes && !fifo)
		return NOTE("limit", TC_LOOSE,
			    "CoDel counts packets alone: as many full ones as fit into it");
	if (!c->limit_bytes && fq && c->limit_packets > FQ_MEMORY_PACKETS)
		return NOTE("limit", TC_LOOSE,
			    "fq_codel drops as soon as its packets take 32 MB of memory: some "
			    "%u full ones",
			    FQ_MEMORY_PACKETS);
	if (c->limit_bytes > UINT32_MAX)
		return NOTE("limit", TC_LOOSE, "the kernel counts up to 4 GB");
	if (c->limit_bytes && (policy_charge(b->l, IP_LEAST) < LIMIT_BYTES_PER_PACKET ||
			       c->limit_bytes / LIMIT_BYTES_PER_PACKET > c->limit_packets))
		return NOTE("limit", TC_LOOSE,
			    "in bytes; the limit of packets that goes with it is not there");
	return NOTE("limit", TC_EXACT, c->limit_bytes ? "in bytes" : "in packets");
}

static int note_codel(struct tc_build *b, const struct policy_class *c)
{
	uint64_t most = (uint64_t)TC_CODEL_MAX * 1000;
	int bad = 0;

	bad |= NOTE("target", c->target > most ? TC_LOOSE : TC_EXACT,
		    c->target > most ? "CoDel counts up to 2000 s" : "as it is");
	bad |= NOTE("interval", c->interval > most ? TC_LOOSE : TC_EXACT,
		    c->interval > most ? "CoDel counts up to 2000 s" : "as it is");
	bad |= NOTE("ecn", TC_EXACT, "as it is");
	if (c->queue != POLICY_QUEUE_FQ_CODEL || !b->can->fq_codel)
		return bad;
	bad |= NOTE("flows", TC_EXACT, "as it is");
	if (c->quantum < TC_FQ_QUANTUM_LEAST)
		bad |= NOTE("quantum", TC_LOOSE, "fq_codel takes no less than %u bytes",
			    TC_FQ_QUANTUM_LEAST);
	else
		bad |= NOTE("quantum", TC_EXACT, "as it is");
	if (c->isolation == POLICY_ISO_FLOWS)
		bad |= NOTE("isolation", TC_EXACT, "between flows");
	else
		bad |= NOTE("isolation", TC_LOOSE,
			    "fq_codel is fair between flows, whosever they are");
	return bad;
}

static int note_queue(struct tc_build *b, const struct policy_class *c)
{
	const struct tc_can *can = b->can;
	int bad;

	if (c->queue == POLICY_QUEUE_FIFO)
		bad = NOTE("queue", TC_EXACT, "pfifo or bfifo, by its limit");
	else if (!can->fq_codel && !can->codel)
		bad = NOTE(
			"queue", TC_LOOSE,
			"this kernel has neither fq_codel nor codel: a fifo that is kept short "
			"(%u times the target at the rate at which it is emptied at most, two "
			"full packets at the least), to which interval, ecn, flows, quantum "
			"and isolation mean nothing",
			TC_FIFO_TARGETS);
	else if (c->queue == POLICY_QUEUE_FQ_CODEL && !can->fq_codel)
		bad = NOTE(
			"queue", TC_LOOSE,
			"this kernel has no fq_codel: codel, one queue for all flows, to which "
			"flows, quantum and isolation mean nothing");
	else if (c->queue == POLICY_QUEUE_CODEL && !can->codel)
		bad = NOTE("queue", TC_LOOSE,
			   "this kernel has no codel: fq_codel with a single flow, which is "
			   "CoDel, but drops at its head when it is full");
	else
		bad = NOTE("queue", TC_EXACT, "%s", policy_queue_name(c->queue));
	bad |= note_limit(b, c);
	if (c->queue != POLICY_QUEUE_FIFO && (can->fq_codel || can->codel))
		bad |= note_codel(b, c);
	return bad;
}

static int note_beyond(struct tc_build *b, const struct policy_class *c)
{
	int bad = 0;

	if (c->flow_max.bps)
		bad |= NOTE("flow-max", TC_LOOSE,
			    "the kernel has no token bucket for each flow: it is not enforced");
	if (c->host_max.bps)
		bad |= NOTE("host-max", TC_LOOSE,
			    "the kernel has no token bucket for each host: it is not enforced");
	if (c->deadline)
		bad |= NOTE(
			"deadline", TC_LOOSE,
			"no queue of the kernel drops what is late: packets go late instead");
	if (c->host_prefix[0] != 32 || c->host_prefix[1] != 128)
		bad |= NOTE("host-prefix", TC_LOOSE, "the kernel's queues tell no hosts apart");
	if (c->set_dscp >= 0)
		bad |= NOTE("set-dscp", TC_LOOSE,
			    "HTB changes no packet: they keep the code point that they have");
	return bad;
}

int tc_notes_class(struct tc_build *b, const struct policy_class *c)
{
	int bad = note_place(b, c);

	bad |= note_rates(b, c);
	if (c->n_child)
		bad |= tc_note_scheduler(b, c);
	else
		bad |= note_queue(b, c) | note_beyond(b, c);
	if (c->max_latency)
		bad |= NOTE("max-latency", TC_EXACT,
			    "an objective: there is nothing to do for it");
	if (c->max_jitter)
		bad |= NOTE("max-jitter", TC_EXACT,
			    "an objective: there is nothing to do for it");
	return bad;
}
