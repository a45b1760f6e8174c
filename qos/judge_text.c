/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of a finding: what is wrong, why, and what an admin can do about it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "qos/judge_impl.h"

#define MOST 90u /* percent of a link that are nearly all of it */

static void append(char text[JUDGE_TEXT], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void append(char text[JUDGE_TEXT], const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, JUDGE_TEXT - n, fmt, ap);
	va_end(ap);
}

/* Whole milliseconds, or microseconds below ten of them: nobody reads nanoseconds here. */
struct brief {
	char s[POLICY_UNIT_TEXT];
};

static struct brief brief_time(uint64_t ns)
{
	uint64_t step = ns < 10000000 ? 1000 : ns < 10 * JUDGE_SECOND ? 1000000 : JUDGE_SECOND;
	struct brief b = {""};

	policy_time_text((ns + step / 2) / step * step, b.s);
	return b;
}

/* Three digits. */
static struct brief brief_rate(uint64_t bps)
{
	uint64_t step = 1;
	struct brief b = {""};

	while (bps / step >= 1000)
		step *= 10;
	policy_rate_text(bps / step * step, b.s);
	return b;
}

static void append_percent(char text[JUDGE_TEXT], uint64_t part, uint64_t whole)
{
	uint64_t tenths =
		whole ? (uint64_t)(((unsigned __int128)part * 1000 + whole / 2) / whole) : 0;

	if (tenths < 100)
		append(text, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
	else
		append(text, "%" PRIu64 " %%", (tenths + 5) / 10);
}

static void append_limit(char text[JUDGE_TEXT], const struct policy_class *c)
{
	char t[POLICY_UNIT_TEXT];

	if (c->limit.ns)
		append(text, "%s", policy_time_text(c->limit.ns, t));
	else if (c->limit.bytes)
		append(text, "%s", policy_size_text(c->limit.bytes, t));
	else
		append(text, "%" PRIu32 "p", c->limit_packets);
}

/* ---- What. */

static void tell_drops(const struct policy_class *c, const struct episode *e,
		       char text[JUDGE_TEXT])
{
	char t[POLICY_UNIT_TEXT];

	append_percent(text, e->bad, e->all);
	append(text, " of its packets were dropped (%" PRIu64 " of %" PRIu64 ")", e->bad,
	       e->all);
	switch (e->drop) {
	case PKT_DROP_LIMIT:
		append(text, ", most because its queue was full (limit ");
		append_limit(text, c);
		append(text, ")");
		break;
	case PKT_DROP_AQM:
		append(text, ", most by CoDel, which tells senders to slow down: they did not "
			     "slow down enough");
		break;
	case PKT_DROP_DEADLINE:
		append(text, ", most because they had waited longer than its deadline of %s",
		       policy_time_text(c->deadline, t));
		break;
	case PKT_DROP_MEMORY:
		append(text, ", most because the link had no room for more packets");
		break;
	default:
		append(text, ", most for the reason \"%s\"", account_drop_name(e->drop));
	}
}

static void tell_what(const struct judge *j, const struct episode *e, char text[JUDGE_TEXT])
{
	const struct policy_class *c = j->link->all[e->class];

	switch (e->kind) {
	case JUDGE_LATENCY:
		append(text, "max-latency %s missed: %" PRIu64 " of %" PRIu64 " packets (",
		       brief_time(c->max_latency).s, e->bad, e->all);
		append_percent(text, e->bad, e->all);
		append(text, ") waited longer");
		break;
	case JUDGE_JITTER:
		append(text, "max-jitter %s missed: it was up to %s",
		       brief_time(c->max_jitter).s, brief_time(e->most).s);
		break;
	case JUDGE_GUARANTEE:
		append(text, "min %s not reached: packets waited, and it got %s",
		       brief_rate(c->min_bps).s, brief_rate(e->most).s);
		break;
	case JUDGE_STARVATION:
		append(text, "nothing was sent for %s while packets waited (%" PRIu64 " now)",
		       brief_time(e->last - e->since).s, e->all);
		break;
	case JUDGE_DROPS:
		tell_drops(c, e, text);
		break;
	case JUDGE_WAIT:
		append(text,
		       "its packets waited up to %s, taken as a mean over a second or less",
		       brief_time(e->most).s);
		break;
	case JUDGE_LOSS:
		append(text, "%" PRIu64 " %s", e->bad, j->loss[e->loss].what);
		break;
	default:
		break;
	}
}

/* ---- Why. */

static void tell_full(const struct judge *j, const struct judge_cause *x, char text[JUDGE_TEXT])
{
	if (x->own >= MOST) {
		append(text, "the link is full, of this class itself: %u %% of what it sent",
		       x->own);
		return;
	}
	append(text, "the link is full: this class got %u %% of what it sent", x->own);
	for (uint32_t i = 0; i < x->n_rival; i++)
		append(text, "%s%s %u %%", i ? ", " : "; ahead of it or beside it: ",
		       j->link->all[x->rival[i]]->path, x->share[i]);
}

static void tell_host(const struct judge_cause *x, char text[JUDGE_TEXT])
{
	if (x->unread > x->late)
		append(text, "packets had waited up to %s before weir read them",
		       brief_time(x->unread).s);
	else
		append(text,
		       "weir came up to %s too late to what was due: the processor was busy",
		       brief_time(x->late).s);
}

static void tell_cause(const struct judge *j, const struct episode *e, char text[JUDGE_TEXT])
{
	const struct policy_class *c = j->link->all[e->class];
	const struct judge_cause *x = &e->cause;

	switch (x->reason) {
	case REASON_MAX:
		append(text, "the class is at its max of %s", brief_rate(c->max.bps).s);
		break;
	case REASON_ABOVE:
		append(text, "the class %s above it is at its max of %s",
		       j->link->all[x->above]->path,
		       brief_rate(j->link->all[x->above]->max.bps).s);
		break;
	case REASON_FULL:
		tell_full(j, x, text);
		break;
	case REASON_FLOW_MAX:
		append(text,
		       "neither the link nor the class is at its rate: %s holds its "
		       "packets, or they come in bursts",
		       c->flow_max.bps && c->host_max.bps ? "flow-max or host-max"
		       : c->flow_max.bps		  ? "flow-max"
							  : "host-max");
		break;
	case REASON_HOST:
		tell_host(x, text);
		break;
	case REASON_NONE:
		append(text,
		       "neither the link nor the class is at its rate: its packets come in "
		       "bursts");
		break;
	}
}

/* ---- What helps. */

static void tell_share(const struct judge *j, const struct policy_class *c,
		       const struct judge_cause *x, char text[JUDGE_TEXT])
{
	if (c == j->link->all[0])
		append(text, "say with classes which traffic is to go first");
	else if (x->own >= MOST)
		append(text, "it has nearly all there is: only a faster link, or less traffic, "
			     "gives it more");
	else if (!c->min_bps)
		append(text, "give the class a min, or more weight, or limit the others (max)");
	else if (x->over_min)
		append(text,
		       "it gets more than its min of %s and wants more: raise its min, or "
		       "keep out of the class what does not belong there",
		       brief_rate(c->min_bps).s);
	else
		append(text,
		       "it asks for less than its min, and others' bursts go first: lower "
		       "the burst of the classes with a min beside it");
}

static void tell_remedy(const struct judge *j, const struct episode *e, char text[JUDGE_TEXT])
{
	const struct policy_class *c = j->link->all[e->class];

	if (e->kind == JUDGE_LOSS) {
		append(text, "%s", j->loss[e->loss].remedy);
		return;
	}
	switch (e->cause.reason) {
	case REASON_MAX:
		append(text,
		       "raise its max, or keep out of the class what does not belong there");
		break;
	case REASON_ABOVE:
		append(text, "raise the max of %s, or give this class a min within it",
		       j->link->all[e->cause.above]->path);
		break;
	case REASON_FULL:
		tell_share(j, c, &e->cause, text);
		break;
	case REASON_FLOW_MAX:
		append(text, "raise it, if a single flow or host is to get more");
		break;
	case REASON_HOST:
		append(text,
		       "give weir a processor (real-time priority, fewer other programs), or "
		       "use the backend \"kernel\"");
		break;
	case REASON_NONE:
		if (e->kind == JUDGE_DROPS)
			append(text, "raise its limit (the delay grows with it), or its %s",
			       c->max.bps ? "max and its burst" : "share");
		else
			append(text,
			       "a shorter limit for the classes beside it, or a min for this "
			       "one, if it is to go first");
		break;
	}
}

void judge_tell(const struct judge *j, const struct episode *e, struct judge_finding *f)
{
	*f = (struct judge_finding){.kind = e->kind,
				    .severity = e->severity,
				    .class = j->link->all[e->class],
				    .since = e->since,
				    .last = e->last};
	tell_what(j, e, f->what);
	if (e->kind != JUDGE_LOSS)
		tell_cause(j, e, f->cause);
	tell_remedy(j, e, f->remedy);
}
