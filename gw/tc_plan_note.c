/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was made of each key, and where the kernel does something else: of the link. What is
 * said of classes is in tc_plan_note_class.c. The texts have no numbers of a class: those stand
 * in the plan, and so what holds of a thousand classes can be said once.
 */
#include "gw/tc_plan_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_LEAST 64
#define ETHER_HEADER 14u
#define FILLED 46u /* bytes of IP in the shortest frame */

int tc_note_at(struct tc_build *b, const struct policy_class *c, struct policy_mark at,
	       const char *key, enum tc_fidelity fidelity, const char *fmt, ...)
{
	struct tc_plan *t = b->t;
	struct tc_note n = {c->parent ? c : NULL, at, key, fidelity, NULL};
	va_list ap;
	int len;

	if (t->n_note == b->room) {
		size_t room = b->room ? b->room * 2 : ROOM_LEAST;
		struct tc_note *v = realloc(t->note, room * sizeof(*v));

		if (!v)
			return -1;
		t->note = v;
		b->room = room;
	}
	va_start(ap, fmt);
	len = vasprintf(&n.text, fmt, ap);
	va_end(ap);
	if (len < 0)
		return -1;
	t->note[t->n_note++] = n;
	return 0;
}

#define NOTE(key, fidelity, ...) \
	tc_note_at(b, b->l->root, b->l->mark, key, fidelity, __VA_ARGS__)

static int note_place(struct tc_build *b)
{
	const struct policy_link *l = b->l;
	static const char *const who[] = {
		[POLICY_BACKEND_QUEUE] =
			"weir run does the work: this is what the kernel would "
			"do in its place",
		[POLICY_BACKEND_MARK] = "weir run classifies, and gives the class with the "
					"verdict; the filters are for what does not come to it",
		[POLICY_BACKEND_KERNEL] = "the kernel classifies and schedules",
	};
	int bad = 0;

	if (l->n_also)
		bad |= NOTE("interface", TC_LOOSE,
			    "%s and %zu more: the kernel's classes share the rate of one "
			    "interface, and this is for the first alone",
			    l->interface, l->n_also);
	else if (l->interface)
		bad |= NOTE("interface", TC_EXACT, "%s; what is not IP goes unshaped",
			    l->interface);
	bad |= NOTE("direction", TC_EXACT, "%s",
		    l->direction == POLICY_INGRESS
			    ? "what comes in is sent through an ifb device, where it is shaped"
			    : "what leaves");
	bad |= NOTE("backend", TC_EXACT, "%s", who[l->backend]);
	if (l->accepted)
		bad |= NOTE("accepted-warnings", TC_EXACT, "for weir status alone");
	if (l->capture.n)
		bad |= NOTE("capture", TC_EXACT, "for replays alone");
	return bad;
}

int tc_note_rate(struct tc_build *b, const struct policy_class *c, const char *key,
		 uint64_t bps, const char *what)
{
	uint64_t rate = tc_bytes_rate(bps);
	struct policy_mark at = c->parent ? c->mark : b->l->mark;

	if (rate * TC_DEBT_S < b->packet)
		return tc_note_at(b, c, at, key, TC_LOOSE,
				  "%s; HTB forgets what a class owes for more than %u s, and a "
				  "full packet takes longer: more than the rate goes",
				  what, TC_DEBT_S);
	/* a ten-thousandth */
	if (bps < 8 || bps % 8 * 10000 > bps)
		return tc_note_at(b, c, at, key, TC_LOOSE,
				  "%s; HTB counts in whole bytes per second, which is not what "
				  "the policy says by more than 0.01 %%",
				  what);
	return tc_note_at(b, c, at, key, TC_EXACT, "%s", what);
}

/*
 * What comes by an Ethernet has been filled up to 60 bytes, and the ingress hook is before IP
 * cuts that off (ip_rcv_core()). It does not matter where the line's mpu is not below it.
 */
static bool counts_padding(const struct tc_build *b)
{
	const struct policy_link *l = b->l;

	return l->direction == POLICY_INGRESS && b->dev->header == ETHER_HEADER &&
	       (int64_t)l->mpu < (int64_t)FILLED + l->overhead;
}

static int note_line(struct tc_build *b)
{
	const struct tc_htb_qdisc *q = &b->t->list.v[0].htb_qdisc;
	enum tc_fidelity fidelity = TC_EXACT;
	struct tc_line line;
	char text[384];
	int bad;

	tc_line_measure(b, q->has_stab, &q->stab, &line);
	if (!q->has_stab)
		snprintf(text, sizeof(text), "what the device counts by itself");
	else if (!q->stab.n)
		snprintf(text, sizeof(text),
			 "%d bytes on top of what the device counts (for a segment that the "
			 "host makes of several packets, once)",
			 (int)q->stab.overhead);
	else
		snprintf(text, sizeof(text),
			 "a size table: exact for packets of up to %u bytes, beyond at most %u "
			 "bytes off (a segment that the host makes of several packets is one)",
			 line.exact, line.error);
	if (line.exact < line.packets)
		fidelity = TC_LOOSE;
	if (counts_padding(b)) {
		size_t n = strlen(text);

		fidelity = TC_LOOSE;
		snprintf(text + n, sizeof(text) - n,
			 "; a packet of less than %u bytes is counted with the padding of the "
			 "frame in which it came",
			 FILLED);
	}
	bad = NOTE("overhead", fidelity, "%s", text);
	if (b->l->mpu)
		bad |= NOTE("mpu", fidelity, "%s", text);
	if (b->l->linklayer != POLICY_LL_ETHERNET)
		bad |= NOTE("linklayer", fidelity, "%s", text);
	return bad;
}

/*
 * HTB sends from a leaf that is within its rate without a look at the classes above, which are
 * charged for it nonetheless.
 */
static int note_burst(struct tc_build *b)
{
	const struct policy_link *l = b->l;
	uint64_t beyond = 0;
	char size[POLICY_UNIT_TEXT];

	if (l->burst <= tc_least_burst(b))
		return NOTE(
			"burst", TC_LOOSE,
			"HTB sends while its bucket holds anything and then goes below zero: "
			"the bucket is that of a small packet, and as much goes beyond it");
	for (size_t i = 1; i < l->n_all; i++)
		if (!l->all[i]->n_child && !l->all[i]->control && l->all[i]->min_bps)
			beyond += l->all[i]->min_burst;
	if (beyond)
		return NOTE(
			"burst", TC_LOOSE,
			"classes within their min go even when the link has sent its burst: "
			"up to %s more at once, which is made up for afterwards",
			policy_size_text(beyond, size));
	return NOTE("burst", TC_EXACT,
		    "a bucket that is a packet smaller: HTB sends while it holds anything, and "
		    "then goes below zero");
}

/* The first filter of the link that reads such a thing, and how many there are. */
static size_t find_reads(const struct tc_build *b, unsigned what, const struct tc_rule **first)
{
	size_t n = 0;

	for (size_t i = 0; i < b->t->rules.n; i++)
		if (b->t->rules.v[i].filter && !b->t->rules.v[i].to->control &&
		    (b->t->rules.v[i].reads & what) && !n++)
			*first = &b->t->rules.v[i];
	return n;
}

static int note_reads(struct tc_build *b)
{
	static const struct {
		unsigned reads;
		const char *text;
	} notes[] = {
		{TC_READS_LATER,
		 "later fragments of a packet do not follow their first one: they "
		 "have no ports, and go where their own headers lead"},
		{TC_READS_LENGTH, "a segment that the host makes of several packets (GSO, GRO) "
				  "has its own length, not theirs, and what comes in short "
				  "has the padding of its frame"},
		{TC_READS_PAYLOAD,
		 "kernels before 6.15 see only what lies in the first piece of "
		 "a packet's memory: its headers, mostly"},
	};
	int bad = 0;

	if (b->l->backend == POLICY_BACKEND_MARK)
		return 0;
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		const struct tc_rule *first = NULL;
		size_t n = find_reads(b, notes[i].reads, &first);

		if (first)
			bad |= tc_note_at(b, first->to, first->filter->mark, "match", TC_LOOSE,
					  "%s (%zu %s of the link, \"%s\" first)",
					  notes[i].text, n, n == 1 ? "filter" : "filters",
					  policy_shown(first->filter->text).s);
	}
	return bad;
}

/*
 * Where the policy does not ask for it, what HTB cannot do with what is beyond the rate is no
 * reason to refuse.
 */
static int note_control(struct tc_build *b)
{
	const struct policy_control *c = &b->l->control;
	enum tc_fidelity fidelity = TC_EXACT;

	if (!c->class)
		return NOTE("control", TC_EXACT, "none");
	if (b->l->backend == POLICY_BACKEND_MARK)
		return NOTE("control", TC_EXACT, "a class of its own, before all others") |
		       NOTE("control-rate", TC_EXACT, "weir lets no more into that class");
	if (c->set || c->rate.mark.line)
		fidelity = TC_LOOSE;
	return NOTE("control", fidelity,
		    "the first filters, and a class of its own before all others") |
	       NOTE("control-rate", fidelity,
		    "rate and ceil of that class: what is beyond it waits in its short queue, "
		    "and does not go the way of everything else");
}

int tc_notes_build(struct tc_build *b)
{
	const struct policy_link *l = b->l;
	int bad = note_place(b);

	bad |= tc_note_rate(b, l->root, "rate", l->rate.bps,
			    "rate and ceil of the class that is the link");
	bad |= note_line(b) | note_burst(b) | tc_note_scheduler(b, l->root) | note_reads(b);
	bad |= note_control(b);
	for (size_t i = 1; i < l->n_all; i++)
		if (!l->all[i]->control)
			bad |= tc_notes_class(b, l->all[i]);
	return bad ? -1 : 0;
}
